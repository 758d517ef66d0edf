"""The inside of ``prepend_history``: every symbol of a source, held until its history has gone out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable, SingleAssignmentDisposable

from rxstreams.backoff import Backoff
from rxstreams.errors import BufferOverflow, HistoryTooShort
from rxstreams.items import OHLCCandle
from rxstreams.operators._candle_history import CandleHistory
from rxstreams.operators._one_at_a_time import OneAtATime
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.timeframe import Timeframe

FetchHistory: TypeAlias = Callable[[str, Timeframe, int], Observable[OHLCCandle]]
"""Returns the venue's candles of a symbol and timeframe from a time (nanoseconds) on, up to the running one; cold."""


class PrependedCandles(OneAtATime[OHLCCandle, OHLCCandle]):
    """Takes the candles of a source and sends them to an observer, each symbol's history before its first one.

    Args:
        observer: who is sent them.
        fetch: of the history.
        timeframe: how far it reaches back.
        plan: the options.
        on_lost: called with symbol and reason.
        scheduler: of the waiting.
    """

    def __init__(
        self,
        observer: abc.ObserverBase[OHLCCandle],
        fetch: FetchHistory,
        timeframe: Timeframe,
        plan: RecoveryPlan,
        on_lost: Callable[[str, str], object] | None,
        scheduler: abc.SchedulerBase,
    ) -> None:
        super().__init__(observer, "prepend_history", on_lost)
        self.fetch = fetch
        self.plan = plan
        self.clock = RecoveryClock(scheduler, self.lock)
        self.turns = FetchTurns()
        self._timeframe = timeframe
        self._series: dict[str, dict[str, _Series]] = {}

    def dispose(self) -> None:
        """Drop everything."""
        with self.lock:
            for series in self._ending():
                series.end()

    def _take(self, item: OHLCCandle) -> None:
        candle = item
        if not isinstance(candle, OHLCCandle):  # pyright: ignore[reportUnnecessaryIsInstance]  # operators are not typed at run time
            raise TypeError(f"prepend_history takes OHLCCandle items, got {type(candle).__name__} {candle!r}")
        by_symbol = self._series.get(candle.exchange)
        if by_symbol is None:
            by_symbol = self._series[candle.exchange] = {}
        series = by_symbol.get(candle.symbol)
        if series is None:
            series = by_symbol[candle.symbol] = _Series(self, CandleHistory(candle, self._timeframe))
        series.take(candle)

    def _flush(self) -> None:
        for series in self._ending():
            series.give_up("the source completed before they were there")

    def _ending(self) -> list[_Series]:
        """Return all series; none of them gets its turn when another one gives back its own."""
        series = [each for by_symbol in self._series.values() for each in by_symbol.values()]
        self.turns.give_back(*series)
        return series


class _Series:
    """One symbol of the source.

    Attributes:
        held: its candles, until its history is there.
        wanted: whether a fetch is running or waits for its turn.
    """

    def __init__(self, feed: PrependedCandles, history: CandleHistory) -> None:
        self.held: list[OHLCCandle] = []
        self.wanted = False
        self._feed = feed
        self._history = history
        self._waits = history.is_wanted
        self._rows: list[OHLCCandle] | None = None  # of the fetch that is running
        self._error: Exception | None = None
        self._backoff: Backoff | None = None
        self._attempt = SerialDisposable()
        self._pause = SerialDisposable()
        self._deadline = SerialDisposable()

    def take(self, candle: OHLCCandle) -> None:
        """Send a live candle on, or hold it."""
        if not self._waits:
            self._send(candle)
            return
        self.held.append(candle)
        plan = self._feed.plan
        if len(self.held) > plan.max_held:
            self.give_up(f"more than {plan.max_held:,} candles were held")
        elif len(self.held) == 1:
            reason = f"they were not fetched within {plan.max_hold:g} s"
            self._deadline.disposable = self._feed.clock.after(plan.max_hold, lambda: self.give_up(reason))
            self._want()

    def give_up(self, reason: str) -> None:
        """Send what is held as it came, if it still waits."""
        if self._waits:
            held = self.end()
            self._feed.on_lost(self._history.symbol, reason if self._error is None else f"{reason}: {self._error}")
            for candle in held:
                self._feed.send(candle)

    def end(self) -> list[OHLCCandle]:
        """Stop waiting; return what was held."""
        held, self.held = self.held, []
        self._waits = False
        self._rows = None
        for each in (self._attempt, self._pause, self._deadline):
            each.dispose()
        self._feed.turns.give_back(self)
        return held

    def _send(self, candle: OHLCCandle) -> None:
        sent = self._history.go_on(candle)
        if sent is not None:
            self._feed.send(sent)

    def _want(self) -> None:
        if self._waits:
            self._feed.turns.ask(self, self._fetch)

    def _fetch(self) -> None:
        rows = self._rows = []
        attempt = self._attempt.disposable = SingleAssignmentDisposable()
        feed, history = self._feed, self._history

        def on_completed() -> None:
            with feed.lock:
                self._on_all(rows)

        def on_error(error: Exception) -> None:
            if isinstance(error, HistoryTooShort):
                self._on_all(rows)  # all that there is has come; the history tells what is missing
            else:
                self._on_failed(rows, error)

        try:
            attempt.disposable = feed.fetch(history.symbol, history.base, history.start).subscribe(
                feed.clock.in_turn(lambda row: self._on_row(rows, row)),
                feed.clock.in_turn(on_error),
                on_completed,
                scheduler=feed.clock.scheduler,
            )
        except Exception as error:  # what the user's function raises, or returns instead of an Observable
            self._on_failed(rows, error)

    def _on_row(self, rows: list[OHLCCandle], row: object) -> None:
        try:
            checked = self._history.check(row)
            if len(rows) >= self._feed.plan.max_held:
                raise BufferOverflow(f"there are more than {self._feed.plan.max_held:,} of them")
        except Exception as error:
            self._on_failed(rows, error)
        else:
            rows.append(checked)

    def _on_failed(self, rows: list[OHLCCandle], error: Exception | None) -> None:
        """Fetch once more, after a pause; None: the answer did not reach the live candles."""
        if rows is not self._rows:
            return
        self._rows = None
        self._error = error
        self._attempt.disposable = Disposable()
        feed = self._feed
        feed.turns.give_back(self)
        if self._backoff is None:
            self._backoff = feed.plan.backoff.start(random.random)
        wait = self._backoff.next_wait(TimeoutError(), verdict=True)
        self._pause.disposable = feed.clock.after(wait or 0.0, self._want)

    def _on_all(self, rows: list[OHLCCandle]) -> None:
        if rows is not self._rows:
            return
        history = self._history
        if not history.is_reached_by(rows):
            self._on_failed(rows, None)
            return
        held = self.end()
        past = history.accept(rows)
        if history.shortage:
            self._feed.on_lost(history.symbol, history.shortage)
        for candle in past:
            self._feed.send(candle)
        for candle in held:
            self._send(candle)
