"""``NativeCandles`` in virtual time, with a REST API that says what a test wants, for the tests of native candles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.testing import TestScheduler

from rxstreams.errors import HistoryTooShort
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.sources._native_candles import NativeCandles
from rxstreams.timeframe import Timeframe

A, B = "A/USD", "B/USD"
MAX_HOLD = 10.0

Answer = Iterable[OHLCCandle] | Exception


def at(minute: float, rows: Iterable[OHLCCandle]) -> Answer:
    """Return an answer that says when it was given."""
    return _At(rows, minute)


class _At(list[OHLCCandle]):
    """Rows, and the server's time."""

    def __init__(self, rows: Iterable[OHLCCandle], minute: float) -> None:
        super().__init__(rows)
        self.time = round(minute * MINUTE)


def short(rows: Iterable[OHLCCandle]) -> Answer:
    """Return the answer of a venue that has nothing older than these."""
    return _Short(rows)


class _Short(list[OHLCCandle]):
    """Rows before a HistoryTooShort."""


def live(minute: float, price: float = 1.0, *, since: float = 0.0, closed: bool = False, **fields: Any) -> OHLCCandle:
    """Return an update of the candle of a minute, on a line that is unbroken since a minute."""
    values: dict[str, Any] = {"symbol": A, "volume": price, "span": 1}
    return OHLCCandle(
        timeframe=Timeframe("1m"),
        open_time=round(minute * MINUTE),
        open=price,
        high=price,
        low=price,
        close=price,
        since=round(since * MINUTE),
        closed=closed,
        **values | fields,
    )


def rest(first: int, last: int, price: float = 7.0, *, running: int | None = None, **fields: Any) -> list[OHLCCandle]:
    """Return the venue's closed candles from a minute to another, and the one that is running."""
    values: dict[str, Any] = {"span": 0, "volume": 100.0} | fields
    rows = [live(minute, price, closed=True, **values) for minute in range(first, last + 1)]
    return rows if running is None else [*rows, live(running, price, **values)]


def always(answer: Answer) -> Callable[[str, float, int], Answer]:
    """Return what says the same whatever it is asked."""
    return lambda symbol, minute, number: answer


class CandleBench:
    """One line's candles.

    Args:
        answer: makes what REST says, of symbol, the first minute that was asked for, and the number of the request;
            None: there is no REST.
        latency: seconds that an answer takes.
        options: of ``NativeCandles``.

    Attributes:
        sent: all candles.
        shown: those that were closed, as (minute, price, complete).
        events: (seconds, kind, symbol).
        asked: (seconds, symbol, minute) of the requests.
    """

    def __init__(
        self,
        answer: Callable[[str, float, int], Answer] | None = None,
        *,
        latency: float = 0.1,
        max_held: int = 1000,
        turns: int = 4,
        **options: Any,
    ) -> None:
        self.scheduler = TestScheduler()
        self.sent: list[OHLCCandle] = []
        self.events: list[tuple[float, str, str]] = []
        self.reasons: list[str] = []
        self.asked: list[tuple[float, str, float]] = []
        self.on_sent: Callable[[OHLCCandle], None] = self.sent.append
        self._answer = answer
        self._latency = latency
        options = {"has_flag": False, "is_flat": True} | options
        self.candles = NativeCandles(
            Timeframe("1m"),
            emit=lambda candle: self.on_sent(candle),
            report=self._report,
            fetch=None if answer is None else self._fetch,
            plan=RecoveryPlan(
                max_gap=3600.0, max_hold=MAX_HOLD, max_held=max_held, settle=5.0, disorder=2.0, contiguous=False
            ),
            scheduler=self.scheduler,
            turns=FetchTurns(turns),
            **options,
        )

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return round(self.scheduler.to_seconds(self.scheduler.now), 3)

    @property
    def shown(self) -> list[tuple[float, float, bool]]:
        """The closed candles so far."""
        return [(c.open_time / MINUTE, c.close, c.complete) for c in self.sent if c.closed]

    @property
    def updates(self) -> list[tuple[float, float]]:
        """The open candles so far."""
        return [(c.open_time / MINUTE, c.close) for c in self.sent if not c.closed]

    def take(self, *candles: OHLCCandle) -> None:
        """Receive updates."""
        for candle in candles:
            self.candles.add(candle)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.scheduler.advance_by(seconds)

    def _fetch(self, symbol: str, since: int, on_time: Callable[[int], object]) -> Observable[OHLCCandle]:
        self.asked.append((self.now, symbol, since / MINUTE))
        assert self._answer is not None
        answer = self._answer(symbol, since / MINUTE, len(self.asked) - 1)
        rows: Observable[OHLCCandle]
        if isinstance(answer, Exception):
            rows = cast("Observable[OHLCCandle]", reactivex.throw(answer))
        else:
            rows = reactivex.from_iterable(answer)
            if isinstance(answer, _Short):
                rows = rows.pipe(ops.concat(reactivex.throw(HistoryTooShort("they begin later"))))

        def answered(_: int) -> Observable[OHLCCandle]:
            if isinstance(answer, _At):
                on_time(answer.time)
            return rows

        return reactivex.timer(self._latency).pipe(ops.flat_map(answered))

    def _report(
        self, kind: str, *, symbols: tuple[str, ...] = (), reason: str = "", error: BaseException | None = None
    ) -> None:
        self.events += [(self.now, kind, symbol) for symbol in symbols]
        self.reasons.append(reason)


__all__ = ["MAX_HOLD", "MINUTE", "SECOND", "A", "Answer", "B", "CandleBench", "always", "at", "live", "rest"]
