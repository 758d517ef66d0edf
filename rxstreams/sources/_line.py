"""One line: one socket with its symbols, over all its connections. Parses, and stamps what is covered since when."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable
from typing import Protocol

import msgspec
from msgspec.structs import force_setattr
from reactivex.disposable import SerialDisposable

from rxstreams.errors import MessageError, SubscriptionError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import RetryInfo, retry_with_backoff
from rxstreams.sources._connection import Connection, ConnectionContext
from rxstreams.sources._meter import Meter
from rxstreams.sources._native_candles import NativeCandles
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Message, Rejected, Unknown
from rxstreams.states import EventKind, StreamEvent, StreamState

logger = logging.getLogger("rxstreams")

_AHEAD_LIMIT = 60 * SECOND
_BAD_WINDOW = 100
_LOG_INTERVAL = 60 * SECOND
# Spans are compared by identity all over a chain that may merge several feeds, so no two may share a number.
_next_span = itertools.count(1).__next__


class LineOwner(Protocol):
    """Who a line works for: a Stream. Called on the loop's thread."""

    def on_item(self, item: PriceTick | OHLCCandle) -> None:
        """Send an item to the observers."""
        ...

    def on_event(self, event: StreamEvent) -> None:
        """Tell what happened."""
        ...

    def on_line_end(self, line: Line, error: Exception | None) -> None:
        """The line has ended; None: as it was asked to."""
        ...


class Line:
    """One socket and its symbols. Everything happens on the loop's thread.

    Attributes:
        number: from 0.
        state: of its connection.
        newest: the newest stamp seen on it, nanoseconds; 0: none yet.
        subscriptions: its symbols.

    Memory: O(symbols).
    """

    def __init__(
        self,
        number: int,
        channel: Channel,
        symbols: Iterable[str],
        context: ConnectionContext,
        owner: LineOwner,
        meter: Meter,
    ) -> None:
        self.number = number
        self.state = StreamState.DISCONNECTED
        self.newest = 0
        self.subscriptions = Subscriptions(context.venue, channel, symbols)
        self._context = context
        self._owner = owner
        self._on_item = owner.on_item
        self._meter = meter
        self._parse = context.venue.parse
        self._disorder = int(context.venue.disorder * SECOND) + 1  # a trade so far back may still have been missed
        self._candles = (
            None
            if channel.timeframe is None
            else NativeCandles(channel.timeframe, has_flag=context.venue.closes_candles, emit=self._publish)
        )
        self._span = 0
        self._since: dict[str, int] = {}
        # Acknowledged without a time: covered from the next stamp on this line plus the venue's disorder.
        self._unstamped: set[str] = set()
        self._connection: Connection | None = None
        self._subscription = SerialDisposable()
        self._frames = 0
        self._bad_frames: list[int] = []
        self._bad_logged = 0
        self._ended = False

    # Life

    def start(self) -> None:
        """Connect, and come back whenever the connection is lost."""
        context = self._context
        frames = context.connect(context, self).pipe(
            retry_with_backoff(context.config.policy, on_retry=self._on_retry, scheduler=context.scheduler)
        )
        self._subscription.disposable = frames.subscribe(
            on_next=self._on_frame, on_error=self._end, on_completed=self._on_completed
        )

    async def finish(self) -> None:
        """End gracefully: say goodbye, take what still arrives, then report the end."""
        connection = self._connection
        if connection is None:
            self._end(None)
        else:
            await connection.finish()

    def dispose(self) -> None:
        """End at once and report nothing."""
        self._ended = True
        self._meter.closed(self.number)
        self._subscription.dispose()

    def add(self, symbols: Iterable[str]) -> None:
        """Subscribe to more symbols."""
        self._send(self.subscriptions.add(symbols))

    def remove(self, symbols: Iterable[str]) -> None:
        """End the subscription to symbols: from now on nothing of this line may close their candles."""
        names = tuple(symbols)
        if not names:
            return
        self._send(self.subscriptions.remove(names))
        self._uncover(names)

    # What the connection calls

    def on_state(self, state: StreamState) -> None:
        """Note where the connection is."""
        if state is not self.state and not self._ended:
            self.state = state
            self._report("state", reason=state.value)

    def on_open(self, connection: Connection) -> list[str]:
        """Begin a new span; return the frames that subscribe."""
        self._connection = connection
        self._span = _next_span()
        self._meter.opened(self.number)
        return self.subscriptions.open()

    def pending(self) -> tuple[str, ...]:
        """Return the symbols that are not acknowledged yet."""
        return self.subscriptions.pending

    def next_request(self) -> int:
        """Return a request number."""
        return self.subscriptions.next_request()

    def _on_retry(self, info: RetryInfo) -> None:
        error = info.error
        was_open = self._connection is not None
        self._disconnected()
        self._meter.lost(type(error).__name__)
        if was_open:
            self._report("loss", symbols=self.subscriptions.wanted, reason=str(error), error=error)
        logger.warning(
            "%s line %d: %s; attempt %d in %.1f s",
            self._context.venue.name,
            self.number,
            error,
            info.attempt,
            info.wait,
        )
        self.on_state(StreamState.BACKING_OFF)
        if self._context.config.proxy is None:  # a proxy resolves the name itself
            self._context.resolver.prefetch_url(self._context.url)

    def _on_completed(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._ended:
            return
        self._disconnected()
        self.on_state(StreamState.STOPPED if error is None else StreamState.FAILED)
        self._ended = True
        self._subscription.dispose()
        if error is None and self._candles is not None:
            self._candles.flush()
        self._owner.on_line_end(self, error)

    def _disconnected(self) -> None:
        self._connection = None
        self._span = 0
        self._since.clear()
        self._unstamped.clear()
        self._bad_frames.clear()
        self._meter.closed(self.number)

    # Frames

    def _on_frame(self, frame: bytes) -> None:
        meter = self._meter
        meter.messages += 1
        meter.bytes += len(frame)
        received = meter.last_received = time.time_ns()
        self._frames += 1
        try:
            for message in self._parse(frame):
                if isinstance(message, PriceTick):
                    self._on_tick(message, received)
                else:
                    self._on_other(message, received)
        except MessageError as error:
            self._on_bad_frame(error)
        except Exception as error:
            bad = MessageError(f"{self._context.venue.name}.parse raised {error!r}", payload=frame)
            bad.__cause__ = error
            self._on_bad_frame(bad)

    def _on_tick(self, tick: PriceTick, received: int) -> None:
        timestamp = tick.timestamp
        if timestamp - received > _AHEAD_LIMIT:
            raise MessageError(f"a trade stamped {tick.time:%Y-%m-%dT%H:%M:%SZ} is over 60 s ahead of its receipt")
        since = self._since_of(tick.symbol, timestamp)
        if since is None:
            return
        force_setattr(tick, "received", received)
        force_setattr(tick, "span", self._span)
        force_setattr(tick, "since", since)
        meter = self._meter
        meter.ticks += 1
        meter.lag(received - timestamp)
        self._on_item(tick)

    def _since_of(self, symbol: str, timestamp: int) -> int | None:
        """Return where the coverage of a symbol begins; None: this line is not for it (any more)."""
        if timestamp > self.newest:
            self.newest = timestamp
        if self._unstamped:
            self._since.update(dict.fromkeys(self._unstamped, self.newest + self._disorder))
            self._unstamped.clear()
        since = self._since.get(symbol)
        if since is not None:
            return since
        if not self.subscriptions.wants(symbol):
            return None
        since = timestamp + self._disorder
        if self.subscriptions.is_confirmed(symbol):
            # The venue acknowledges nothing: the symbol's own first tick is the first that we know.
            self._since[symbol] = since
        return since

    def _on_other(self, message: Message, received: int) -> None:
        if isinstance(message, OHLCCandle):
            self._on_candle(message, received)
        elif isinstance(message, Acknowledged):
            self._on_acknowledged(message)
        elif isinstance(message, Rejected):
            self._on_rejected(message)
        elif isinstance(message, Unknown):
            self._meter.unknown_messages += 1
        elif not isinstance(message, Heartbeat):
            raise MessageError(f"{self._context.venue.name}.parse gave {message!r}, which is no message of a venue")

    def _on_acknowledged(self, message: Acknowledged) -> None:
        for symbol in self.subscriptions.acknowledge(message):
            if message.time:
                # A trade of that very instant may have been published before the venue took the subscription.
                self._since[symbol] = message.time + 1
            else:
                self._unstamped.add(symbol)
        self._check_streaming()

    def _check_streaming(self) -> None:
        if self._connection is not None:
            self._connection.check_streaming()

    def _on_rejected(self, message: Rejected) -> None:
        refused = self.subscriptions.reject(message)
        if not refused:
            return
        self._uncover(refused)
        error = SubscriptionError(refused, message.reason)
        self._report("refused", symbols=refused, reason=message.reason, error=error)
        logger.warning("%s line %d: %s", self._context.venue.name, self.number, error)
        if not self.subscriptions.wanted:
            self._end(error)
        self._check_streaming()

    def _on_candle(self, candle: OHLCCandle, received: int) -> None:
        assert self._candles is not None  # a venue sends candles only where candles are subscribed to
        if candle.open_time - received > _AHEAD_LIMIT:
            raise MessageError(f"a candle of {candle.time:%Y-%m-%dT%H:%M:%SZ} is over 60 s ahead of its receipt")
        since = self._since_of(candle.symbol, candle.open_time)
        if since is not None:
            force_setattr(candle, "span", self._span)
            force_setattr(candle, "since", since)
            self._candles.add(candle)

    def _publish(self, candle: OHLCCandle) -> None:
        self._meter.ticks += 1
        self._on_item(candle)

    def _uncover(self, symbols: Iterable[str]) -> None:
        """Forget symbols, and begin a new span so that no tick of this line closes their candles."""
        for symbol in symbols:
            self._since.pop(symbol, None)
            self._unstamped.discard(symbol)
        if self._span:
            self._span = _next_span()

    def _doubt(self) -> None:
        """Begin the coverage of every symbol anew after the next stamp: a trade of any of them may be missing."""
        self._unstamped.update(self._since)
        self._uncover(())
        self._since.clear()

    def _on_bad_frame(self, error: MessageError) -> None:
        self._meter.parse_errors += 1
        self._doubt()
        self._report("bad_message", reason=str(error), error=error)
        now = time.time_ns()
        if now - self._bad_logged > _LOG_INTERVAL:
            self._bad_logged = now
            logger.warning("%s line %d: %s (logged once a minute)", self._context.venue.name, self.number, error)
        self._bad_frames = [n for n in self._bad_frames if n > self._frames - _BAD_WINDOW]
        self._bad_frames.append(self._frames)
        allowed = self._context.config.max_bad_share * min(_BAD_WINDOW, max(self._frames, 20))
        if len(self._bad_frames) > allowed and self._connection is not None:
            self._connection.fail(error)

    def _send(self, frames: list[str]) -> None:
        if self._connection is not None and frames:
            self._connection.send(frames)

    def _report(
        self, kind: EventKind, *, symbols: tuple[str, ...] = (), reason: str = "", error: BaseException | None = None
    ) -> None:
        self._owner.on_event(
            StreamEvent(
                kind=kind,
                state=self.state,
                line=self.number,
                time=time.time_ns(),
                symbols=symbols,
                reason=reason,
                error=error,
            )
        )


def raise_since(item: PriceTick | OHLCCandle, floor: int) -> PriceTick | OHLCCandle:
    """Return the item with its coverage beginning at ``floor`` or later."""
    return item if item.since >= floor else msgspec.structs.replace(item, since=floor)
