"""``Stream``: what users hold. Lines to one venue, shared by all observers, healing inside."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Generic, TypeVar, cast

from reactivex import Observable, abc
from reactivex.internal import DisposedException

from rxstreams import bridge
from rxstreams._durations import to_seconds
from rxstreams.config import StreamConfig
from rxstreams.errors import ObserverError, SubscriptionError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.owner import Fetch
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for
from rxstreams.sources._candle_recovery import FetchCandles
from rxstreams.sources._connection import Connect, ConnectionContext, connect_once
from rxstreams.sources._fetching import Fetches
from rxstreams.sources._hub import Hub
from rxstreams.sources._line import Line
from rxstreams.sources._lines import Lines
from rxstreams.sources._meter import Meter
from rxstreams.sources._observer import FeedObserver
from rxstreams.sources._symbol_check import ListSymbols, SymbolCheck
from rxstreams.sources._tap import tap
from rxstreams.sources.venue import Channel, Venue, check_symbols
from rxstreams.states import SEVERITY, StreamEvent, StreamState, StreamStats

T = TypeVar("T", PriceTick, OHLCCandle)
logger = logging.getLogger("rxstreams")


class Stream(Observable[T], Generic[T]):
    """A feed: an Observable of a venue's trades or candles that connects when subscribed to, and heals itself.

    It is hot and shared: the first subscriber connects, the last one that leaves disconnects, all see the same items.
    Items, and everything else, come on the thread of its scheduler's loop.

    Args:
        venue: where from.
        symbols: ``BASE/QUOTE``, each once.
        channel: trades or candles.
        config: its options.
        scheduler: its loop; None: the one that all feeds of the venue share.
        connect: makes the frames of one connection attempt; replaced by tests and by replay.
        fetch: fetches the trades that were missed; None: over the venue's REST API if ``connect`` is not replaced.
        fetch_candles: the same for candles.
        list_symbols: asks for all symbols that the venue has, where it does not refuse others; None: as ``fetch``.

    Emits:
        ``PriceTick`` or ``OHLCCandle``, in the order of each line, with ``span`` and ``since``.

    Errors:
        StreamError: when no line is left: refused for good, or out of attempts.
        ObserverError: to the observer that raised, and to it only.

    Completes:
        after ``stop()``.

    Example:
        >>> from rxstreams.sources import kraken
        >>> feed = kraken.trades(["BTC/USD"])     # nothing happens until somebody subscribes
        >>> feed.state
        <StreamState.DISCONNECTED: 'disconnected'>

    Memory: O(symbols).
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Iterable[str],
        channel: Channel,
        config: StreamConfig,
        *,
        scheduler: EventLoopThreadScheduler | None = None,
        connect: Connect = connect_once,
        fetch: Fetch | None = None,
        fetch_candles: FetchCandles | None = None,
        list_symbols: ListSymbols | None = None,
    ) -> None:
        super().__init__()
        self._venue = venue
        self._channel = channel
        self._config = config
        self._symbols = dict.fromkeys(check_symbols(venue, symbols))
        self._scheduler = scheduler
        self._connect = connect
        self._fetches = Fetches(trades=fetch, candles=fetch_candles, symbols=list_symbols)
        self._turns = FetchTurns()
        self._begun: set[str] = set()  # with their history, which is not to be sent again
        self._name = config.name or f"{venue.name}.{channel.kind}"
        self._resolver = config.resolver or Resolver()
        self._meter = Meter()
        self._hub: Hub[T] = Hub(self._name, self._on_observer_error)
        self._events: Hub[StreamEvent] = Hub(f"{self._name}.events")
        self._states: Hub[StreamState] = Hub(f"{self._name}.states")
        self._lines = Lines(config.symbols_per_socket, venue.symbols_per_socket)
        self._symbol_check = SymbolCheck(venue, self._name, self._refuse_unknown)
        self._state = StreamState.DISCONNECTED
        self._error: Exception | None = None
        self._stopping = False
        self._idle = threading.Event()
        self._idle.set()

    # For everybody, from any thread

    @property
    def symbols(self) -> tuple[str, ...]:
        """What the feed is for, in the order given; without those that the venue refused."""
        return tuple(self._symbols)

    @property
    def venue(self) -> Venue:
        """The venue; its conventions are attributes of it."""
        return self._venue

    @property
    def state(self) -> StreamState:
        """Where the feed is: of several lines, the worst."""
        return self._state

    @property
    def error(self) -> Exception | None:
        """What ended the feed; None: it has not failed."""
        return self._error

    @property
    def stats(self) -> StreamStats:
        """What it has done so far."""
        return self._meter.snapshot()

    @property
    def events(self) -> Observable[StreamEvent]:
        """What happens to the feed, from now on; does not connect. Comes on the feed's thread."""
        return tap(self._events, self._get_scheduler())

    @property
    def states(self) -> Observable[StreamState]:
        """The feed's state, the present one first, then its changes; does not connect."""
        return tap(self._states, self._get_scheduler(), first=lambda: self._state)

    def add(self, symbols: Iterable[str]) -> None:
        """Take more symbols, also while it runs.

        Raises:
            UnknownSymbol: one is not in the form that the venue takes.
        """
        self._get_scheduler().post(self._add, check_symbols(self._venue, symbols))

    def remove(self, symbols: Iterable[str]) -> None:
        """Drop symbols, also while it runs; those that it does not have are ignored."""
        self._get_scheduler().post(self._remove, check_symbols(self._venue, symbols))

    def run(  # type: ignore[override]  # reactivex's run() blocks without a way to stop; ours is the one to use
        self, observer: abc.ObserverBase[T] | Callable[[T], None] | None = None
    ) -> None:
        """Subscribe and block until completion or Ctrl-C; raise what ended it. See ``rxstreams.run``."""
        bridge.run(self, observer)

    def stop(self, timeout: float | timedelta = 5.0) -> None:
        """End gracefully: close with 1000, take what still arrives, complete all observers.

        Idempotent, from anywhere; on the feed's own thread it returns at once and the end follows.

        Args:
            timeout: seconds to wait for the end; after them the feed is cut off and its observers are completed.
        """
        seconds = to_seconds("timeout", timeout)
        scheduler = self._get_scheduler()
        begun = threading.Event()

        def begin() -> None:
            self._stop()
            begun.set()

        if not scheduler.post(begin) or scheduler.on_thread:
            return
        deadline = time.monotonic() + seconds
        # Until its turn has come, what was posted before it (a subscription) may still end the idleness.
        if not (begun.wait(seconds) and self._idle.wait(max(0.0, deadline - time.monotonic()))):
            scheduler.post(self._cut_off)
            self._idle.wait(1.0)

    # Subscriptions

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        del scheduler  # a feed lives on its own loop
        own = self._get_scheduler()
        subscription = FeedObserver(observer)
        if not own.post(self._attach, subscription):
            raise DisposedException(f"{self._name}: its scheduler was disposed, so nothing would ever come")
        stoppable = bridge.register_stoppable(self.stop)  # last: it may stop the feed before it returns

        class _Disposal(abc.DisposableBase):
            def dispose(_self) -> None:  # self is the feed here
                subscription.disposed = True
                stoppable.dispose()
                own.post(self._detach, subscription)

        return _Disposal()

    def _attach(self, subscription: FeedObserver[T]) -> None:
        if subscription.disposed:
            self._check_idle()
            return
        if self._stopping:
            subscription.on_completed()
            return
        # A late subscriber has missed what its lines have sent: its coverage begins after their newest stamp.
        for line in self._lines:
            if line.newest_sent:
                subscription.floors.update(dict.fromkeys(line.subscriptions.wanted, line.newest_sent + 1))
        self._idle.clear()
        self._hub.add(subscription)
        if not self._symbols and isinstance(self._error, SubscriptionError):
            self._end_all(self._error)  # the venue has refused them all: nothing is left to connect for
        elif not self._lines:
            self._error = None
            self._open_lines(tuple(self._symbols), tuple(self._symbols))

    def _detach(self, subscription: FeedObserver[T]) -> None:
        self._hub.remove(subscription)
        if not len(self._hub):
            self._disconnect()
        self._check_idle()

    def _on_observer_error(self, error: ObserverError) -> None:
        self._meter.observer_errors += 1
        if not len(self._hub):
            self._error = error
            self._disconnect()
            self._check_idle()

    def _disconnect(self) -> None:
        """Close all sockets with 1000; there is nobody left to tell."""
        was_open = bool(self._lines)
        self._close_lines()
        self._set_state(StreamState.STOPPED if was_open else self._state)

    # Lines

    def _context(self) -> ConnectionContext:
        return ConnectionContext(
            venue=self._venue,
            url=self._config.url or self._venue.url_of(self._channel),
            config=self._config,
            resolver=self._resolver,
            scheduler=self._get_scheduler(),
            connect=self._connect,
        )

    def _open_lines(self, symbols: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Open lines for symbols, and have all new ones compared with the venue's list."""
        fetches, context = self._fetches, self._context()
        if self._connect is connect_once:
            fetches = fetches.or_over_rest(self._venue, self._channel, self._config, context.scheduler)

        def make(number: int, part: tuple[str, ...]) -> Line:
            return Line(
                number,
                self._channel,
                part,
                context,
                self,
                self._meter,
                fetch=fetches.trades,
                fetch_candles=fetches.candles,
                turns=self._turns,
                begun=self._begun,
            )

        self._lines.open(symbols, make)
        self._symbol_check.check(new, fetches.symbols)

    def _close_lines(self) -> None:
        self._lines.dispose()
        self._symbol_check.stop()
        self._begun.clear()
        self._stopping = False

    def _refuse_unknown(self, symbols: tuple[str, ...]) -> None:
        for line in self._lines:
            unknown = tuple(symbol for symbol in symbols if line.subscriptions.wants(symbol))
            if unknown:
                line.refuse(unknown, f"{self._venue.name} has no symbol {', '.join(unknown)}")

    def _add(self, symbols: tuple[str, ...]) -> None:
        new = [symbol for symbol in symbols if symbol not in self._symbols]
        self._symbols.update(dict.fromkeys(new))
        if not new or not len(self._hub) or self._stopping:
            return
        self._open_lines(self._lines.add(new), tuple(new))

    def _remove(self, symbols: tuple[str, ...]) -> None:
        for symbol in symbols:
            self._symbols.pop(symbol, None)
        for line in self._lines:
            line.remove(symbol for symbol in symbols if line.subscriptions.wants(symbol))
            if not line.subscriptions.wanted:
                self._lines.discard(line)
                line.dispose()
                if not self._lines:
                    self._set_state(StreamState.STOPPED)
        self._update_state()

    def _stop(self) -> None:
        if self._stopping or not len(self._hub):
            return
        self._stopping = True
        if not self._lines:
            self._end_all(None)
        for line in self._lines:
            self._get_scheduler().spawn(line.finish)

    def _cut_off(self) -> None:
        if self._stopping:  # it may have ended at the last moment, and begun anew
            self._end_all(None)

    def _end_all(self, error: Exception | None) -> None:
        self._close_lines()
        self._error = error
        self._set_state(StreamState.STOPPED if error is None else StreamState.FAILED)
        if error is None:
            self._hub.on_completed()
        else:
            self._hub.on_error(error)
        self._check_idle()

    def _check_idle(self) -> None:
        if not len(self._hub):
            self._idle.set()

    # What lines call

    def on_item(self, item: PriceTick | OHLCCandle) -> None:
        """Send an item to all observers."""
        self._hub.on_next(cast("T", item))  # a line's channel decides which of the two it sends

    def on_event(self, event: StreamEvent) -> None:
        """Tell what happened; follow the lines' states."""
        if event.kind == "refused":
            for symbol in event.symbols:
                self._symbols.pop(symbol, None)
        self._update_state()
        self._events.on_next(event)

    def on_line_end(self, line: Line, error: Exception | None) -> None:
        """Forget a line; the feed ends with its last one."""
        if line not in self._lines:
            return
        self._lines.discard(line)
        lost = line.subscriptions.wanted
        if self._lines:
            if error is not None and lost:
                line.report("refused", symbols=lost, reason=str(error), error=error)
            return
        if isinstance(error, SubscriptionError):
            logger.warning("%s: no symbol is left", self._name)
        self._end_all(error)

    def _update_state(self) -> None:
        if self._lines:
            worst = min(SEVERITY.index(line.state) for line in self._lines)
            self._set_state(SEVERITY[worst])

    def _set_state(self, state: StreamState) -> None:
        if state is not self._state:
            self._state = state
            self._states.on_next(state)

    def _get_scheduler(self) -> EventLoopThreadScheduler:
        if self._scheduler is None:
            self._scheduler = scheduler_for(self._venue.name)
        return self._scheduler
