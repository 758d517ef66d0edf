"""Asks a venue for the candles that its line could not prove, again and again until they are there or nobody waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Sized
from typing import Protocol, TypeAlias

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.errors import BufferOverflow, MessageError
from rxstreams.items import OHLCCandle
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.sources._candle_series import CandleSeries
from rxstreams.timeframe import Timeframe

FetchCandles: TypeAlias = Callable[[str, int], Observable[OHLCCandle]]
"""Returns the candles of a symbol from a time (nanoseconds) on, up to the one that is running; cold."""


class WaitOwner(Protocol):
    """Who a recovery works for. Called one thing at a time."""

    def on_proven(self, wait: CandleWait) -> None:
        """Everything has gone out."""
        ...

    def on_given_up(self, wait: CandleWait, reason: str) -> None:
        """The wait is over; what is held has to go out as it is."""
        ...


class CandleWait:
    """One symbol that waits for the venue's answer.

    Attributes:
        series: its candles.
        is_first: whether it began before any closed candle was sent.
        is_over: whether it has ended.
        began: seconds of the scheduler's clock.
        attempt, pause, deadline: the running fetch, and what ends the pause before the next one and the wait itself.
        backoff: the pauses between the attempts.
        wanted: whether an attempt is running or waits for its turn.
        error: what the last attempt failed by; None: it did not.
    """

    __slots__ = ("attempt", "backoff", "began", "deadline", "error", "is_first", "is_over", "pause", "series", "wanted")

    def __init__(self, series: CandleSeries, plan: RecoveryPlan, began: float, rng: Callable[[], float]) -> None:
        self.series = series
        self.is_first = not series.has_begun
        self.is_over = False
        self.wanted = False
        self.error: Exception | None = None
        self.began = began
        self.backoff = plan.backoff.start(rng)
        self.attempt = SerialDisposable()
        self.pause = SerialDisposable()
        self.deadline: SerialDisposable | None = None

    @property
    def held(self) -> Sized:
        """What it holds back."""
        return self.series.held

    def end(self) -> None:
        """End the attempt and all timers."""
        self.is_over = True
        for each in (self.attempt, self.pause, self.deadline):
            if each is not None:
                each.dispose()


class CandleRecovery:
    """Makes the attempts of all symbols of a line, on one thread.

    A wait ends when its series has sent everything, or ``max_hold`` seconds after it began, whatever comes meanwhile.
    One for history, in front of which nothing is late, has them from its first attempt on: a hundred symbols take
    turns.

    Args:
        fetch: of the candles.
        timeframe: of the candles.
        plan: the options.
        owner: who is told.
        scheduler: of all waiting.
        turns: shared by all who fetch from one server.
        most: candles in one answer.
        rng: for the jitter of the attempts.

    Memory: O(waiting symbols), and the answers that are on their way, ``most`` candles each.
    """

    def __init__(
        self,
        fetch: FetchCandles,
        timeframe: Timeframe,
        plan: RecoveryPlan,
        owner: WaitOwner,
        scheduler: abc.SchedulerBase,
        turns: FetchTurns,
        most: int,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._fetch = fetch
        self._timeframe = timeframe
        self._plan = plan
        self._owner = owner
        self._scheduler = scheduler
        self._turns = turns
        self._most = most
        self._rng = rng

    def begin(self, series: CandleSeries) -> CandleWait:
        """Make a wait for what a series needs; ``start`` asks for it."""
        return CandleWait(series, self._plan, self._now(), self._rng)

    def start(self, wait: CandleWait) -> None:
        """Ask the venue until it has answered."""
        if not wait.series.due:
            self._set_deadline(wait)
        self._want(wait)

    def end(self, *waits: CandleWait) -> None:
        """End waits, whatever they have come to; none of them gets a turn that another gives back."""
        for wait in waits:
            wait.end()
        self._turns.give_back(*waits)

    def _want(self, wait: CandleWait) -> None:
        if not wait.is_over and not wait.wanted:
            self._turns.ask(wait, lambda: self._attempt(wait))

    def _attempt(self, wait: CandleWait) -> None:
        self._set_deadline(wait)
        rows: list[OHLCCandle] = []
        settled = self._now() >= wait.began + self._plan.settle
        try:
            source = self._fetch(wait.series.name, wait.series.start)
            wait.attempt.disposable = source.subscribe(
                lambda row: self._on_row(wait, rows, row),
                lambda error: self._on_failed(wait, error),
                lambda: self._on_answer(wait, rows, settled),
                scheduler=self._scheduler,
            )
        except Exception as error:  # what the user's function raises, or returns instead of an Observable
            self._on_failed(wait, error)

    def _on_row(self, wait: CandleWait, rows: list[OHLCCandle], row: object) -> None:
        if wait.is_over or not wait.wanted:
            return
        if not isinstance(row, OHLCCandle) or row.symbol != wait.series.name or row.timeframe != self._timeframe:
            expected = f"{self._timeframe} candles of {wait.series.name}"
            self._on_failed(wait, MessageError(f"expected {expected} to be fetched, got {row!r}"))
        elif len(rows) >= self._most:
            self._on_failed(wait, BufferOverflow(f"more than {self._most:,} candles are missing"))
        else:
            rows.append(row)

    def _on_failed(self, wait: CandleWait, error: Exception) -> None:
        if not wait.is_over and wait.wanted:
            wait.error = error
            self._retry(wait)

    def _on_answer(self, wait: CandleWait, rows: list[OHLCCandle], settled: bool) -> None:
        if wait.is_over or not wait.wanted:
            return
        wait.error = None
        wait.series.answer(rows, settled=settled)
        if not wait.is_over:  # who is sent a candle may end the feed
            if wait.series.release():
                self.end(wait)
                self._owner.on_proven(wait)
            elif not wait.is_over:
                self._retry(wait)

    def _retry(self, wait: CandleWait) -> None:
        wait.attempt.disposable = Disposable()
        self._turns.give_back(wait)
        pause = wait.backoff.next_wait(TimeoutError(), verdict=True)
        wait.pause.disposable = self._after(pause or 0.0, lambda: self._want(wait))

    def _set_deadline(self, wait: CandleWait) -> None:
        if wait.deadline is None:
            wait.deadline = SerialDisposable()
            wait.deadline.disposable = self._after(self._plan.max_hold, lambda: self._give_up(wait))

    def _give_up(self, wait: CandleWait) -> None:
        if not wait.is_over:
            reason = f"they were not fetched within {self._plan.max_hold:g} s"
            self.end(wait)
            self._owner.on_given_up(wait, reason if wait.error is None else f"{reason}: {wait.error}")

    def _after(self, wait: float, action: Callable[[], None]) -> abc.DisposableBase:
        def act(*_: object) -> None:
            action()

        return self._scheduler.schedule_relative(wait, act)

    def _now(self) -> float:
        return self._scheduler.to_seconds(self._scheduler.now)
