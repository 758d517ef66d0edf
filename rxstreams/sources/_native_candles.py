"""A venue's own candles: which are closed, which are complete, and those that closed unseen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from reactivex import abc

from rxstreams.instants import format_instant
from rxstreams.items import OHLCCandle
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.sources._candle_recovery import CandleRecovery, CandleWait, FetchCandles
from rxstreams.sources._candle_series import CandleSeries
from rxstreams.sources.venue import Channel, Venue
from rxstreams.states import EventKind
from rxstreams.timeframe import Timeframe

logger = logging.getLogger("rxstreams")


class Report(Protocol):
    """Tells what happened to some symbols."""

    def __call__(
        self, kind: EventKind, *, symbols: tuple[str, ...] = (), reason: str = "", error: BaseException | None = None
    ) -> None:
        """Send an event."""
        ...


def native_candles(
    channel: Channel,
    venue: Venue,
    emit: Callable[[OHLCCandle], None],
    report: Report,
    fetch: FetchCandles | None,
    plan: RecoveryPlan,
    scheduler: abc.SchedulerBase,
    turns: FetchTurns,
) -> NativeCandles | None:
    """Return what makes a channel's candles, by its venue's conventions; None: it is not one of candles."""
    if channel.timeframe is None:
        return None
    return NativeCandles(
        channel.timeframe,
        has_flag=venue.closes_candles,
        may_change=venue.candles_may_change,
        is_flat=venue.fill == "flat",
        history=channel.history,
        emit=emit,
        report=report,
        fetch=fetch,
        plan=plan,
        scheduler=scheduler,
        turns=turns,
    )


class NativeCandles:
    """Turns a venue's candle updates into candles that say whether they are closed and complete.

    A venue without a closed flag closes a candle by sending one of a later interval. Closed is never guessed from a
    clock. A closed candle is complete only if the line was unbroken from its open to the message that closed it, or if
    it was taken from REST before it was sent; so are those that closed while the line was down. While a symbol waits
    for that, its later candles are held: all closed ones, of the open one the newest state.

    Everything happens on one thread.

    Args:
        timeframe: of the candles.
        has_flag: whether the venue sends a closed flag.
        may_change: whether a candle may still change after one of a later interval came: then that one alone proves
            nothing, and REST is asked for it, ``settle`` after it closed.
        is_flat: whether the venue has candles, at the last close, of intervals without trades.
        history: how many closed intervals before the first live one are fetched first.
        emit: called with every candle: open ones (``closed=False``) as they change, each closed one once, in order.
        report: called when candles were recovered, or are lost.
        fetch: asks REST; None: it is not asked.
        plan: how long it is waited for, and how much is held meanwhile.
        scheduler: of all waiting.
        turns: shared by all who fetch from one server.

    Memory: O(symbols), and ``max_held`` candles while symbols wait.
    """

    def __init__(
        self,
        timeframe: Timeframe,
        *,
        has_flag: bool,
        may_change: bool = False,
        is_flat: bool = False,
        history: int = 0,
        emit: Callable[[OHLCCandle], None],
        report: Report,
        fetch: FetchCandles | None,
        plan: RecoveryPlan,
        scheduler: abc.SchedulerBase,
        turns: FetchTurns,
    ) -> None:
        self._timeframe = timeframe
        self._has_flag = has_flag
        self._may_change = may_change
        self._is_flat = is_flat
        self._history = history if fetch is not None else 0
        self._emit = emit
        self._report = report
        self._max_held = plan.max_held
        self._recovery = (
            None
            if fetch is None
            else CandleRecovery(
                fetch,
                timeframe,
                plan,
                self,
                scheduler,
                turns,
                most=plan.max_held + history,
                delay=plan.settle if may_change else 0.0,
            )
        )
        self._series: dict[str, CandleSeries] = {}
        self._waits: dict[str, CandleWait] = {}
        self._sent_until: dict[str, int] = {}  # of symbols that were forgotten: no history is sent twice

    def resume(self, symbol: str, now: int) -> None:
        """Note that the line delivers a symbol from now on, again or for the first time.

        Args:
            symbol: the symbol.
            now: the venue's time, nanoseconds; 0: it does not say. Then ours is taken for the question of where history
                begins, until REST or the line tells the venue's; where it ends, those say.
        """
        if symbol not in self._series:
            self._begin(symbol, now)

    def add(self, candle: OHLCCandle) -> None:
        """Take an update, stamped with the line's span and since."""
        series = self._series.get(candle.symbol) or self._begin(candle.symbol, candle.open_time)
        if not series.take(candle):
            if series.is_contradicted_by(candle):
                self._lose(
                    series, candle.open_time, "the first of them has changed after it was sent as complete", None
                )
            return
        wait = self._waits.get(series.name)
        if wait is None:
            self._go_on(series)
            return
        wait.look()
        if sum(len(each.held) for each in self._waits.values()) > self._max_held:
            self._give_up_all(wait, reason=f"more than {self._max_held:,} candles were held")

    def forget(self, symbols: Iterable[str]) -> None:
        """Drop symbols and what is held of them: nobody wants them any more."""
        waits: list[CandleWait] = []
        for symbol in symbols:
            series = self._series.pop(symbol, None)
            if series is None:
                continue
            if series.has_begun and series.next is not None:
                self._sent_until[symbol] = series.next
            series.drop()
            if symbol in self._waits:
                waits.append(self._waits.pop(symbol))
        if self._recovery is not None:
            self._recovery.end(*waits)

    def flush(self) -> None:
        """Wait no longer; what is held goes out."""
        self._give_up_all(*self._waits.values(), reason="the feed was stopped")

    def dispose(self) -> None:
        """Drop everything."""
        self.forget(tuple(self._series))

    # What the recovery calls

    def on_proven(self, wait: CandleWait) -> None:
        """Go on with a symbol that has got what it needed."""
        series = wait.series
        del self._waits[series.name]
        if series.hole:
            hole, series.hole = series.hole, 0
            self._lose(series, hole, "the venue does not remember them", None)
        elif wait.is_recovery:
            self._report("recovered", symbols=(series.name,))

    def on_given_up(self, wait: CandleWait, reason: str) -> None:
        """Send what is held as it is."""
        del self._waits[wait.series.name]
        self._give_up(wait.series, reason, wait.error)

    def on_time(self, wait: CandleWait, time: int) -> bool:
        """Let history end before the interval of a time of the venue's, if ours was ahead; return whether it was."""
        series = wait.series
        series.is_guess = False
        due = self._timeframe.floor(time)
        if due >= series.due:
            return False
        if series.has_begun:
            series.due = due
        else:
            self._want(series, due)
        return True

    # Inside

    def _begin(self, symbol: str, now: int) -> CandleSeries:
        series = self._series[symbol] = CandleSeries(
            symbol,
            self._timeframe,
            has_flag=self._has_flag,
            may_change=self._may_change,
            is_flat=self._is_flat,
            send=self._emit,
        )
        if self._history:
            series.is_guess = not now
            self._want(series, self._timeframe.floor(now or time.time_ns()))
            self._go_on(series)
        return series

    def _want(self, series: CandleSeries, due: int) -> None:
        """Want as many closed candles as history has, before a time; those that were sent are not wanted again."""
        start = due
        for _ in range(self._history):
            start = self._timeframe.previous(start)
        series.due = due
        series.next = max(start, self._sent_until.get(series.name, start))

    def _go_on(self, series: CandleSeries) -> None:
        """Send what can be sent; ask for the rest."""
        if series.release() or self._series.get(series.name) is not series:
            return
        if self._recovery is None:
            if series.has_begun and not series.is_unbroken:
                self._give_up(series, "nothing is fetched for this feed", None)
            else:
                series.release(force=True)
                series.hole = 0
            return
        wait = self._waits[series.name] = self._recovery.begin(series)
        self._recovery.start(wait)

    def _give_up_all(self, *waits: CandleWait, reason: str) -> None:
        if self._recovery is not None:
            self._recovery.end(*waits)
        for wait in waits:
            if self._waits.get(wait.series.name) is wait:  # an observer of the one before may have ended it
                self.on_given_up(wait, reason)

    def _give_up(self, series: CandleSeries, reason: str, error: Exception | None) -> None:
        self._lose(series, series.hole or series.start, reason, error)
        series.release(force=True)
        series.hole = 0

    def _lose(self, series: CandleSeries, start: int, reason: str, error: Exception | None) -> None:
        what = f"candles from {format_instant(start)} on"
        self._report("lost", symbols=(series.name,), reason=f"{what}: {reason}", error=error)
        if self._recovery is not None:
            logger.warning("%s: %s are lost: %s", series.name, what, reason)
