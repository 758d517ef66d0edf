"""The inside of a ``FakeExchange``: its symbols, its clients and its memory; everything here runs on its loop."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, TypeVarTuple

import msgspec

from rxstreams.items import PriceTick
from rxstreams.testing._clock import Clock
from rxstreams.testing._feeds import NEVER, CandleFeed, cut_stamp, stamp_of
from rxstreams.testing._pages import candles_page
from rxstreams.testing._session import Session
from rxstreams.testing._wire import Wire, text_frame
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.faults import AnyFault
from rxstreams.testing.formats import CandlesQuery, Format, Subscribe
from rxstreams.testing.records import ConnectionRecord, Published, ReceivedRequest

_Arguments = TypeVarTuple("_Arguments")
_TIMES = 1000  # of the pulse, 10 ms
_Item = TypeVar("_Item")


def _nothing() -> None:
    pass


class Engine:
    """Publish trades, keep the books of subscriptions, answer from memory.

    Args:
        format: the venue's wire format.
        clock: the exchange's.
        symbols: those that it has; None: any.
        keep: trades that are remembered: all in all, of each symbol and of each connection.
        faults: the script; a list that tests add to.
        max_pending_bytes: a client that lets more pile up is cut off.

    Attributes:
        catch_up: publishes what is due by the clock.
        changed: set when somebody subscribed.
    """

    def __init__(
        self,
        *,
        format: Format,
        clock: Clock,
        symbols: Iterable[str] | None,
        keep: int,
        faults: list[AnyFault],
        max_pending_bytes: int,
    ) -> None:
        self.format = format
        self.clock = clock
        self.faults = faults
        self.max_pending_bytes = max_pending_bytes
        self.published: list[Published] = []
        self.connections: list[ConnectionRecord] = []
        self.rest_requests: list[ReceivedRequest] = []
        self.sessions: list[Session] = []
        self.catch_up: Callable[[], None] = _nothing
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timers: set[asyncio.TimerHandle] = set()
        self._any_symbol = symbols is None
        self._keep = keep
        self._names: dict[str, str] = {}
        self._history: dict[str, list[PriceTick]] = {}
        self._ids: dict[str, int] = {}
        self._trades: dict[str, list[Session]] = {}
        self._candles: dict[str, dict[int, tuple[CandleFeed, list[Session]]]] = {}
        self._next_end = NEVER
        self._listened: int | None = 0
        self._times = deque([(self.monotonic(), clock.now())], maxlen=_TIMES)
        for symbol in symbols or ():
            self._add_symbol(symbol)

    monotonic = staticmethod(time.monotonic)

    def later(self, seconds: float, action: Callable[[*_Arguments], object], *args: *_Arguments) -> None:
        """Call something after a while, unless the exchange is closed by then."""

        def run() -> None:
            self._timers.discard(timer)
            action(*args)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def cancel_timers(self) -> None:
        """Forget what was to be called later."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def note_time(self) -> None:
        """Remember the exchange's time, for ``time_ago``; called at every pulse."""
        self._times.append((self.monotonic(), self.clock.now()))

    def time_ago(self, seconds: float) -> int:
        """Return the exchange's time so many seconds of the wall clock ago, or a little later; never before that."""
        then, ago = self.monotonic() - seconds, self.clock.now()
        for wall, instant in reversed(self._times):
            if wall < then:
                break
            ago = instant
        return ago

    # Symbols.

    def _add_symbol(self, symbol: str) -> None:
        self._history[symbol] = []
        for name in self.format.spellings(symbol):
            self._names.setdefault(name, symbol)

    def lookup(self, name: str) -> str | None:
        """Return our name of a symbol as a client spelt it; None: there is no such symbol."""
        symbol = self._names.get(name)
        if symbol is None and self._any_symbol and "/" in name:
            self._add_symbol(name)
            return name
        return symbol

    def history(self, symbol: str) -> Sequence[PriceTick]:
        """Return the published trades of a symbol, ordered by stamp."""
        return self._history[symbol]

    @property
    def symbols(self) -> Sequence[str]:
        """Our names of all symbols."""
        return tuple(self._history)

    def candles(self, symbol: str, query: CandlesQuery, *, now: int) -> tuple[list[TrueCandle], bool]:
        """Return a page of the exchange's own candles, and whether more matched."""
        return candles_page(self._history[symbol], query, fill=self.format.fill, opens=self.format.opens, now=now)

    # Trades.

    def publish(self, ticks: Sequence[PriceTick]) -> None:
        """Publish trades of one symbol, in as few messages as the venue's format allows."""
        ticks = [self._complete(tick) for tick in ticks]
        symbol = ticks[0].symbol
        self.clock.reach(max([tick.timestamp for tick in ticks]))
        now = self.clock.now()
        self.published.extend([Published(tick, now) for tick in ticks])
        history = self._history[symbol]
        for tick in ticks:
            if not history or history[-1].timestamp <= tick.timestamp:
                history.append(tick)
            else:
                bisect.insort_right(history, tick, key=stamp_of)
        self.trim(self.published)
        self.trim(history)
        # All that is stamped before these trades was published before; a running clock may be further, with trades due.
        passed = max([tick.timestamp for tick in ticks])
        # The ends of the symbol's own candles come with the trades: some of these may belong to them.
        self.end_candles(passed, but=symbol)
        sessions = self._trades.get(symbol)
        if sessions:
            for part in self._parts(ticks):
                frame = text_frame(self.format.trades(part))
                for session in sessions.copy():
                    session.send_trades(part, frame)
        for minutes, (feed, watchers) in self._candles.get(symbol, {}).items():
            self._send_candles(feed.add(ticks, passed), minutes, watchers, passed)
            self._next_end = min(self._next_end, feed.due)

    def end_candles(self, now: int, *, but: str = "") -> None:
        """Send the candles whose intervals are over by now, where the venue does; but not those of one symbol."""
        if now < self._next_end:
            return
        for symbol, feeds in self._candles.items():
            if symbol != but:
                for minutes, (feed, watchers) in feeds.items():
                    self._send_candles(feed.end(now), minutes, watchers, now)
        self._next_end = min(feed.due for feeds in self._candles.values() for feed, _ in feeds.values())

    def _send_candles(self, rows: Sequence[TrueCandle], minutes: int, watchers: list[Session], now: int) -> None:
        if watchers:
            for part in self._parts(rows):
                message = self.format.candles(part, minutes, time=now)
                for session in watchers.copy():
                    session.send_candles(message)

    def _parts(self, items: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
        """Return what goes into one message each."""
        size = self.format.items_per_message or len(items) or 1
        return (items[place : place + size] for place in range(0, len(items), size))

    def _complete(self, tick: PriceTick) -> PriceTick:
        """Give a trade the exchange's name, the venue's resolution and, where it has none, the symbol's next id."""
        symbol = tick.symbol
        if symbol not in self._history:
            self._add_symbol(symbol)
        trade_id = tick.trade_id
        if trade_id is None:
            trade_id = self._ids.get(symbol, 0) + 1
        if isinstance(trade_id, int):
            self._ids[symbol] = trade_id
        if tick.trade_id is None or not tick.exchange:
            tick = msgspec.structs.replace(tick, exchange=tick.exchange or self.format.name, trade_id=trade_id)
        return cut_stamp(tick, self.format.resolution)

    def trim(self, items: list[Published] | list[PriceTick]) -> None:
        """Forget the oldest items of a list that has become too long."""
        # By a quarter at a time: deleting from the front moves the rest.
        if len(items) > self._keep + self._keep // 4:
            del items[: len(items) - self._keep]

    # Clients.

    def new_session(self, wire: Wire) -> Session:
        """Take a new client in."""
        record = ConnectionRecord(number=len(self.connections), accepted=self.monotonic())
        self.connections.append(record)
        session = Session(self, wire, record)
        self.sessions.append(session)
        return session

    def forget(self, session: Session) -> None:
        """Drop a client that is gone."""
        self.detach(session)
        if session in self.sessions:
            self.sessions.remove(session)

    def listened_symbols(self) -> int:
        """Return how many symbols somebody is being sent."""
        # Asked before every message: counted only when a subscription has changed.
        if self._listened is None:
            self._listened = len(self._listened_names())
        return self._listened

    def _listened_names(self) -> set[str]:
        names = {name for name, users in self._trades.items() if users}
        return names | {name for name, feeds in self._candles.items() if any(users for _, users in feeds.values())}

    def is_subscribed(self, session: Session, command: Subscribe, symbol: str) -> bool:
        """Return whether a client has what the command names."""
        return session in self._users(command, symbol)

    def subscribe(self, session: Session, command: Subscribe, symbols: Iterable[str]) -> None:
        """Send these symbols to a client from now on."""
        for symbol in symbols:
            users = self._users(command, symbol)
            if session not in users:
                users.append(session)
            session.record.symbols.add(symbol)
            self._listened = None
            if command.snapshot:
                self._send_snapshot(session, command, symbol)
        self.changed.set()

    def _send_snapshot(self, session: Session, command: Subscribe, symbol: str) -> None:
        now, fmt = self.clock.now(), self.format
        if command.kind == "trades":
            history = self._history[symbol]
            for ticks in self._parts(history[max(0, len(history) - fmt.snapshot_trades) :]):
                session.send(fmt.trades(ticks, snapshot=True))
            return
        if not fmt.snapshot_candles:
            return
        query = CandlesQuery(symbol=symbol, minutes=command.minutes, limit=fmt.snapshot_candles)
        for rows in self._parts(self.candles(symbol, query, now=now)[0]):
            session.send(fmt.candles(rows, command.minutes, time=now, snapshot=True))

    def unsubscribe(self, session: Session, command: Subscribe, symbols: Iterable[str]) -> None:
        """Send these symbols to a client no more."""
        self._listened = None
        for symbol in symbols:
            users = self._users(command, symbol)
            if session in users:
                users.remove(session)
            if not any(session in others for others in self._all_users(symbol)):
                session.record.symbols.discard(symbol)

    def detach(self, session: Session) -> None:
        """Send nothing to a client any more."""
        self._listened = None
        for symbol in self._history:
            for users in self._all_users(symbol):
                if session in users:
                    users.remove(session)

    def _all_users(self, symbol: str) -> list[list[Session]]:
        return [self._trades.get(symbol, []), *(users for _, users in self._candles.get(symbol, {}).values())]

    def _users(self, command: Subscribe, symbol: str) -> list[Session]:
        if command.kind == "trades":
            return self._trades.setdefault(symbol, [])
        feeds = self._candles.setdefault(symbol, {})
        if command.minutes not in feeds:
            fmt = self.format
            feed = CandleFeed(
                command.minutes,
                opens=fmt.opens,
                fill=fmt.fill,
                closes=fmt.closes_candles,
                past=self._history[symbol],
                now=self.clock.now(),
            )
            feeds[command.minutes] = (feed, [])
            self._next_end = min(self._next_end, feed.due)
        return feeds[command.minutes][1]
