"""Puts a line's trades in the order of their stamps, for venues that send them in another one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from reactivex import abc
from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick

_Key: TypeAlias = tuple[int, int, int]  # stamp, numeric id, number of arrival

_NONE: _Key = (0, 0, 0)
_FORGOTTEN = 64  # so many that went out early may be remembered as if they still waited
_ROUNDING = 1e-6  # seconds by which a timer may be early


class TradeOrder:
    """Holds each trade until ``disorder`` has passed, or one is stamped so much later, and sends them sorted.

    Of one stamp those with the smaller numeric id go first, then those that came first. A trade that comes later than
    that is sent at once: it is late, as any may be. Nothing is sorted over a change of span or since, which says what
    is known of what came between.

    ::

        disorder of 2 s; by their stamps
        in   3---1-------2-5-8-------
        out  ------1-----2-3---5---8-     2 comes in time and before 3, 5 shows that 3 was the last one of its time

    Args:
        send: called with each trade, once.
        scheduler: of the waiting.
        disorder: nanoseconds.
        max_held: trades that wait at most; if there are more, all of them go out, sorted.
        on_overflow: called with how many went out so.

    Memory: O(trades in ``disorder``), at most ``max_held``.
    """

    def __init__(
        self,
        send: Callable[[PriceTick], None],
        scheduler: abc.SchedulerBase,
        *,
        disorder: int,
        max_held: int,
        on_overflow: Callable[[int], None],
    ) -> None:
        self._send = send
        self._scheduler = scheduler
        self._disorder = disorder
        self._patience = disorder / SECOND
        self._max_held = max_held
        self._on_overflow = on_overflow
        self._waiting: list[tuple[_Key, PriceTick]] = []
        self._arrived: deque[tuple[float, _Key]] = deque()
        self._number = 0
        self._newest = 0  # stamp of those that came since the last flush
        self._sent = _NONE
        self._span = 0
        self._sinces: dict[str, int] = {}
        self._timer = SerialDisposable()
        self._is_timed = False

    def add(self, tick: PriceTick) -> None:
        """Take the next trade."""
        since = self._sinces.setdefault(tick.symbol, tick.since)
        if tick.span != self._span or tick.since != since:
            self.flush()
            self._sent = _NONE
            self._span = tick.span
            self._sinces[tick.symbol] = tick.since
        self._number += 1
        timestamp = tick.timestamp
        key = (timestamp, _number_of(tick.trade_id), self._number)
        if timestamp < self._sent[0]:
            self._send(tick)
            return
        heappush(self._waiting, (key, tick))
        self._arrived.append((self._now(), key))
        if timestamp > self._newest:
            self._newest = timestamp
        if len(self._waiting) > self._max_held:
            self._on_overflow(len(self._waiting))
            self.flush()
            return
        self._send_before(self._newest - self._disorder)
        if len(self._arrived) > 2 * len(self._waiting) + _FORGOTTEN:
            self._arrived = deque(entry for entry in self._arrived if entry[1] > self._sent)
        if not self._is_timed:
            self._wait()

    def flush(self) -> None:
        """Send all that wait."""
        while self._waiting:
            self._send_first()
        self._arrived.clear()
        self._newest = 0

    def forget(self, symbols: Container[str]) -> None:
        """Drop what waits of some symbols: nobody wants them any more."""
        self._waiting = [entry for entry in self._waiting if entry[1].symbol not in symbols]
        heapify(self._waiting)
        self._sinces = {symbol: since for symbol, since in self._sinces.items() if symbol not in symbols}

    def dispose(self) -> None:
        """Drop everything."""
        self._waiting.clear()
        self._arrived.clear()
        self._timer.dispose()

    def _send_before(self, stamp: int) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0][0] < stamp:
            self._send_first()
            waiting = self._waiting  # who is sent a trade may have dropped some

    def _send_first(self) -> None:
        self._sent, tick = heappop(self._waiting)
        self._send(tick)

    # What time alone sends

    def _wait(self) -> None:
        """Wake up when the one that came first is due."""
        arrived, sent = self._arrived, self._sent
        while arrived and arrived[0][1] <= sent:
            arrived.popleft()
        self._is_timed = bool(arrived)
        if arrived:
            pause = max(0.0, arrived[0][0] + self._patience - self._now())
            self._timer.disposable = self._scheduler.schedule_relative(pause, self._on_due)

    def _on_due(self, *_: object) -> None:
        self._timer.disposable = Disposable()
        due: _Key = self._sent
        now = self._now() - self._patience
        while self._arrived and self._arrived[0][0] <= now + _ROUNDING:
            due = max(due, self._arrived.popleft()[1])
        while self._waiting and self._waiting[0][0] <= due:
            self._send_first()
        self._wait()

    def _now(self) -> float:
        return self._scheduler.to_seconds(self._scheduler.now)


def _number_of(trade_id: int | str | None) -> int:
    """Return what sorts trades of one stamp; 0: nothing does."""
    if isinstance(trade_id, int):
        return trade_id
    return int(trade_id) if trade_id is not None and trade_id.isdecimal() else 0
