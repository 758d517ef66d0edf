"""Asks a venue for the candles that its line could not prove, again and again until they are there or nobody waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Sized
from typing import Protocol, TypeAlias

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.errors import BufferOverflow, HistoryTooShort, MessageError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.sources._candle_series import CandleSeries
from rxstreams.timeframe import Timeframe

FetchCandles: TypeAlias = Callable[[str, int, Callable[[int], object]], Observable[OHLCCandle]]
"""Returns the candles of a symbol from a time (nanoseconds) on, up to the one that is running; cold.

The function that it is given is called with the venue's time of the answer, if that says it, before the candles come.
"""


class WaitOwner(Protocol):
    """Who a recovery works for. Called one thing at a time."""

    def on_proven(self, wait: CandleWait) -> None:
        """Everything has gone out that the venue has, as far as anything has told the time."""
        ...

    def on_given_up(self, wait: CandleWait, reason: str) -> None:
        """The wait is over; what is held has to go out as it is."""
        ...

    def on_time(self, wait: CandleWait, time: int) -> bool:
        """The venue has told a time, where ours was taken; return whether ours was ahead, so that more is wanted."""
        ...


class CandleWait:
    """One symbol that waits for the venue's answer.

    Attributes:
        series: its candles.
        is_recovery: whether something was missed behind a closed candle that was sent.
        is_over: whether it has ended.
        began: seconds of the scheduler's clock.
        attempt, pause, deadline: the running fetch, and what ends the pause before the next one and the wait itself.
        backoff: the pauses between the attempts.
        wanted: whether an attempt is running or waits for its turn.
        error: what the last attempt failed by; None: it did not.
    """

    __slots__ = (
        "_has_begun",
        "attempt",
        "backoff",
        "began",
        "deadline",
        "error",
        "is_over",
        "is_recovery",
        "pause",
        "series",
        "wanted",
    )

    def __init__(self, series: CandleSeries, plan: RecoveryPlan, began: float, rng: Callable[[], float]) -> None:
        self.series = series
        self.is_recovery = False
        self._has_begun = series.has_begun
        self.look()
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

    def look(self) -> None:
        """Look at what the series has taken: the line may have missed something before it."""
        self.is_recovery = self.is_recovery or (self._has_begun and not self.series.is_unbroken)

    def end(self) -> None:
        """End the attempt and all timers."""
        self.is_over = True
        for each in (self.attempt, self.pause, self.deadline):
            if each is not None:
                each.dispose()


class _Attempt:
    """One question to the venue, and its answer.

    Attributes:
        start: from when on candles were asked for, nanoseconds.
        settled: whether the venue knows by now what was published before the wait began.
        rows: that have come.
        answered: the venue's time of the answer, nanoseconds; None: it has not said it.
    """

    __slots__ = ("answered", "rows", "settled", "start")

    def __init__(self, start: int, settled: bool) -> None:
        self.start = start
        self.settled = settled
        self.rows: list[OHLCCandle] = []
        self.answered: int | None = None


class CandleRecovery:
    """Makes the attempts of all symbols of a line, on one thread.

    A wait ends when its series has sent everything, or ``max_hold`` seconds after it began, whatever comes meanwhile.
    One for history, in front of which nothing is late, has them from its first attempt on: a hundred symbols take
    turns. So has one whose first attempt makes no sense before ``delay``.

    Args:
        fetch: of the candles.
        timeframe: of the candles.
        plan: the options.
        owner: who is told.
        scheduler: of all waiting.
        turns: shared by all who fetch from one server.
        most: candles in one answer.
        delay: seconds before the first attempt of a wait that is not for history.
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
        delay: float = 0.0,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._fetch = fetch
        self._timeframe = timeframe
        self._plan = plan
        self._owner = owner
        self._scheduler = scheduler
        self._turns = turns
        self._most = most
        self._delay = delay
        self._rng = rng

    def begin(self, series: CandleSeries) -> CandleWait:
        """Make a wait for what a series needs; ``start`` asks for it."""
        return CandleWait(series, self._plan, self._now(), self._rng)

    def start(self, wait: CandleWait) -> None:
        """Ask the venue until it has answered."""
        if wait.series.due:
            self._want(wait)
        elif self._delay:
            wait.pause.disposable = self._after(self._delay, lambda: self._want(wait))
        else:
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
        attempt = _Attempt(wait.series.start, self._now() >= wait.began + self._plan.settle)
        rows = attempt.rows

        def on_time(time: int) -> None:
            attempt.answered = time

        try:
            source = self._fetch(wait.series.name, attempt.start, on_time)
            wait.attempt.disposable = source.subscribe(
                lambda row: self._on_row(wait, rows, row),
                lambda error: self._on_error(wait, attempt, error),
                lambda: self._on_answer(wait, attempt),
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

    def _on_error(self, wait: CandleWait, attempt: _Attempt, error: Exception) -> None:
        if isinstance(error, HistoryTooShort):
            self._on_answer(wait, attempt, is_short=True)  # all that there is has come, and will never be more
        else:
            self._on_failed(wait, error)

    def _on_answer(self, wait: CandleWait, attempt: _Attempt, *, is_short: bool = False) -> None:
        if wait.is_over or not wait.wanted:
            return
        wait.error = None
        series = wait.series
        is_known = not series.is_guess or self._learn_time(wait, attempt)
        if attempt.start > series.start:  # more is wanted than it was asked for
            self._turns.give_back(wait)
            self._want(wait)
            return
        settle = round(self._plan.settle * SECOND)
        known_until = 0 if attempt.answered is None else self._timeframe.floor(attempt.answered - settle)
        settled = attempt.settled and is_known
        series.answer(attempt.rows, settled=settled, is_short=is_short, known_until=known_until)
        if not wait.is_over:  # who is sent a candle may end the feed
            # Where nothing has told the venue's time, no answer will; the line's first candle does, and asks again.
            if series.release() or (attempt.settled and not is_known):
                self.end(wait)
                self._owner.on_proven(wait)
            elif not wait.is_over:
                self._retry(wait)

    def _learn_time(self, wait: CandleWait, attempt: _Attempt) -> bool:
        """Let the venue, or else the line, say up to when candles are due; return whether one of them does."""
        time = wait.series.oldest if attempt.answered is None else attempt.answered
        if time is None:
            return False
        if self._owner.on_time(wait, time):
            wait.began = self._now()
            attempt.settled = False
        return True

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
