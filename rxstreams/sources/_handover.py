"""A planned hand-over: the next connection is open, and proven to go on, before the present one is closed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from reactivex import abc, defer
from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.instants import LATEST
from rxstreams.items import PriceTick
from rxstreams.operators import RetryInfo, retry_with_backoff
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Acknowledged, Goodbye, Rejected, Skipped, Unknown
from rxstreams.states import StreamState

_SPREAD = 0.1  # of ``connect_timeout``
_LONGEST_PAUSE = 8  # times ``connect_timeout``


class HandingOver(ConnectionOwner, Protocol):
    """The line, from the next connection's point of view."""

    @property
    def newest(self) -> int:
        """The newest stamp that came on the present connection."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing at the moment."""
        ...

    def has_delivered(self, tick: PriceTick) -> bool:
        """Return whether a trade came on the present connection."""
        ...

    def on_frame(self, frame: bytes) -> None:
        """A frame of the connection that took over."""
        ...

    def on_retry(self, info: RetryInfo) -> None:
        """The connection that took over was lost."""
        ...

    def on_end(self, error: Exception | None) -> None:
        """The connection that took over has ended."""
        ...

    def take_over(self, handover: Handover) -> None:
        """Go on with the next connection."""
        ...


class Handover:
    """Holds what the next connection of a line brings until the present one has brought the same.

    The two overlap without a hole for a symbol if the present one has delivered the first trade that the next one
    brought of it. A symbol of which it brought nothing has not traded since it was acknowledged there, once the next
    one's clock is past that by the venue's disorder; and the present one has delivered all before, once its own is.

    The old connection's loss, a change of the symbols, a refusal or a goodbye on the next one end the attempt.

    Args:
        line: whose connection is replaced.
        subscriptions: of the next connection.
        context: of the feed.
        disorder: nanoseconds that a trade may be stamped before one that was sent earlier.
        max_held: trades that are held at most.
        on_failed: called when the next connection did not come to anything.

    Attributes:
        subscriptions: of the next connection.
        connection: the next one; None: it is not open yet.
        subscription: to its frames.
        held: its trades, in order.
        since: the earliest stamp of what it brings, nanoseconds.
        state: where the next connection is.
    """

    def __init__(
        self,
        line: HandingOver,
        subscriptions: Subscriptions,
        context: ConnectionContext,
        *,
        disorder: int,
        max_held: int,
        on_failed: Callable[[], None],
    ) -> None:
        self.subscriptions = subscriptions
        self.connection: Connection | None = None
        self.subscription = SerialDisposable()
        self.held: list[PriceTick] = []
        self._line = line
        self._context = context
        self._parse = subscriptions.conversation.parse
        self._disorder = disorder
        self._max_held = max_held
        self.since = LATEST
        self.state = StreamState.DISCONNECTED
        self._acknowledged: dict[str, int] = {}
        self._unstamped: set[str] = set()  # acknowledged without a time: the next stamp on it is later
        self._skipped: set[str] = set()  # trades of them were not passed on: none is stamped later than the next stamp
        self._joined: set[str] = set()
        self._first: dict[str, PriceTick] = {}
        self._newest = 0
        self._on_failed = on_failed
        self._has_taken_over = False
        self._is_over = False
        self._limit = SerialDisposable()

    def start(self) -> None:
        """Open the next connection; give it up if it does not come to anything."""
        context = self._context
        frames = defer(lambda _: context.connect(context, self)).pipe(
            retry_with_backoff(context.config.policy, on_retry=self._on_retry, scheduler=context.scheduler)
        )
        self.subscription.disposable = frames.subscribe(self._on_frame, self._on_end, lambda: self._on_end(None))
        self._limit.disposable = _after(context.scheduler, 6 * context.config.connect_timeout, self.give_up)

    def give_up(self) -> None:
        """Close the next connection; the present one stays."""
        if not self._is_over:
            self.dispose()
            self._on_failed()

    def dispose(self) -> None:
        """Close the next connection and tell nobody; after it took over, this is the line's business."""
        self._limit.dispose()
        if not self._is_over:
            self._is_over = True
            self.subscription.dispose()

    def check(self) -> None:
        """Take over if nothing can be missing then."""
        if self._is_over or self.connection is None or self.subscriptions.pending or not self._line.is_whole:
            return
        if all(self._is_joined(symbol) for symbol in self.subscriptions.wanted):
            self._is_over = self._has_taken_over = True
            self._limit.dispose()
            self._line.take_over(self)

    def _is_joined(self, symbol: str) -> bool:
        if symbol in self._joined:
            return True
        first = self._first.get(symbol)
        if first is not None:
            joined = self._line.has_delivered(first)
        else:
            acknowledged = self._acknowledged.get(symbol)
            joined = acknowledged is not None and min(self._newest, self._line.newest) > acknowledged + self._disorder
        if joined and first is not None:
            self._joined.add(symbol)  # for good: what was delivered is not remembered for ever
        return joined

    # What the connection calls; the line, once it has taken over

    def on_state(self, state: StreamState) -> None:
        """The line's state is that of its present connection."""
        self.state = state
        if self._has_taken_over:
            self._line.on_state(state)

    def on_open(self, connection: Connection) -> list[str]:
        """Subscribe to the same symbols."""
        if self._has_taken_over:
            return self._line.on_open(connection)
        self.connection = connection
        frames = self.subscriptions.open()
        self._parse = self.subscriptions.conversation.parse
        self._unstamped.update(self.subscriptions.confirmed)  # of a venue that acknowledges nothing
        return frames

    def pending(self) -> tuple[str, ...]:
        """Return the symbols that are not acknowledged yet."""
        return self._line.pending() if self._has_taken_over else self.subscriptions.pending

    def next_request(self) -> int:
        """Return a request number."""
        return self._line.next_request() if self._has_taken_over else self.subscriptions.next_request()

    def _on_frame(self, frame: bytes) -> None:
        if self._has_taken_over:
            self._line.on_frame(frame)
            return
        try:
            messages = list(self._parse(frame))
        except Exception:  # whatever was in it, this connection proves nothing
            self.give_up()
            return
        for message in messages:
            if isinstance(message, PriceTick):
                self._hold(message)
            elif isinstance(message, Acknowledged):
                self._on_acknowledged(message)
            elif isinstance(message, Skipped):
                self._on_skipped(message)
            elif isinstance(message, Unknown) and self.connection is not None:
                self.connection.note_words(message)
            elif isinstance(message, (Rejected, Goodbye)):
                self.give_up()
                return
        self.check()

    def _hold(self, tick: PriceTick) -> None:
        self._newest = max(self._newest, tick.timestamp)
        self.since = min(self.since, tick.timestamp - self._disorder)
        for symbol in self._unstamped:
            self._note_acknowledged(symbol, self._newest)
        for symbol in self._skipped:
            self._note_acknowledged(symbol, self._newest + self._disorder)
        self._unstamped.clear()
        self._skipped.clear()
        if self.subscriptions.is_confirmed(tick.symbol):
            self.held.append(tick)
            self._first.setdefault(tick.symbol, tick)
        if len(self.held) > self._max_held:
            self.give_up()

    def _on_acknowledged(self, message: Acknowledged) -> None:
        for symbol in self.subscriptions.acknowledge(message):
            if symbol in self._skipped:
                continue
            if message.time:
                self._note_acknowledged(symbol, message.time)
            else:
                self._unstamped.add(symbol)
        if self.connection is not None:
            self.connection.check_streaming()

    def _on_skipped(self, message: Skipped) -> None:
        """Begin anew with the symbols: what was not passed on must have come on the present connection."""
        for symbol in message.symbols:
            self._first.pop(symbol, None)
            self._joined.discard(symbol)
            self._acknowledged.pop(symbol, None)
            self._unstamped.discard(symbol)
            self._skipped.add(symbol)

    def _note_acknowledged(self, symbol: str, time: int) -> None:
        self._acknowledged[symbol] = time
        self.since = min(self.since, time - self._disorder)

    def _on_retry(self, info: RetryInfo) -> None:
        if self._has_taken_over:
            self._line.on_retry(info)
        else:
            self.give_up()

    def _on_end(self, error: Exception | None) -> None:
        if self._has_taken_over:
            self._line.on_end(error)
        else:
            self.give_up()


class Succession:
    """Begins a hand-over when a connection has reached its age, or when the venue says that it will close it.

    Args:
        line: whose connections they are.
        context: of the feed; ``config.max_age`` says at which age; None: at none.
        disorder: nanoseconds that a trade may be stamped before one that was sent earlier.
        make_subscriptions: makes those of the next connection.
    """

    def __init__(
        self,
        line: HandingOver,
        context: ConnectionContext,
        disorder: int,
        make_subscriptions: Callable[[], Subscriptions],
    ) -> None:
        self._line = line
        self._context = context
        self._disorder = disorder
        self._make_subscriptions = make_subscriptions
        self._timer = SerialDisposable()
        self._pause = context.config.connect_timeout
        self._handover: Handover | None = None
        self._may_hasten = False

    def arm(self) -> None:
        """Count the age of a connection from now on, and listen to goodbyes on it."""
        self.stop()
        self._may_hasten = True
        self._pause = self._context.config.connect_timeout
        age = self._context.config.max_age
        if age is not None:
            # Not all at once: the sockets of one feed were opened together.
            self._wait(age * random.uniform(0.9, 1.0))

    def hasten(self) -> None:
        """Begin a hand-over now, since the venue will close the connection soon.

        Nothing happens while one is under way, or before ``arm``.
        """
        if self._may_hasten and self._handover is None:
            self._may_hasten = False  # what is said again must not put it off
            # Not all at once: a server says goodbye to all of its connections.
            self._wait(_SPREAD * self._context.config.connect_timeout * random.random())

    def cancel(self) -> None:
        """End a hand-over that is under way, since its symbols are others now; another follows."""
        if self._handover is not None:
            self._handover.give_up()

    def stop(self) -> None:
        """End the waiting, and a hand-over that is under way: the present connection is gone."""
        self._timer.disposable = Disposable()
        self._may_hasten = False
        if self._handover is not None:
            self._handover.dispose()
            self._handover = None

    def _wait(self, seconds: float) -> None:
        self._timer.disposable = _after(self._context.scheduler, seconds, self._begin)

    def _begin(self) -> None:
        if not self._line.is_whole or self._line.pending():
            self._again()
            return
        self._handover = Handover(
            self._line,
            self._make_subscriptions(),
            self._context,
            disorder=self._disorder,
            max_held=self._context.config.max_held,
            on_failed=self._again,
        )
        self._handover.start()

    def _again(self) -> None:
        """Try it once more, each time after a longer pause."""
        self._handover = None
        self._wait(self._pause)
        config = self._context.config
        self._pause = min(2 * self._pause, config.max_age or _LONGEST_PAUSE * config.connect_timeout)


def _after(scheduler: abc.SchedulerBase, seconds: float, action: Callable[[], None]) -> abc.DisposableBase:
    def act(*_: object) -> None:
        action()

    return scheduler.schedule_relative(seconds, act)
