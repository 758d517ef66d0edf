"""Flat candles for intervals without a trade."""

from __future__ import annotations

from rxstreams.candles.accumulator import Accumulator
from rxstreams.candles.rules import CandleRules
from rxstreams.candles.series import Series

# Uneven intervals are counted by stepping over them, up to so many; beyond, by their nominal length.
_COUNTED_ONE_BY_ONE = 10_000


class Filler:
    """Makes the flat candles of a gap, ``max_fill`` at most, and counts the intervals left out.

    Attributes:
        skipped: empty intervals that a trade found unfilled because ``max_fill`` was reached.
    """

    def __init__(self, rules: CandleRules) -> None:
        self.skipped = 0
        self._fills = rules.fill == "flat"
        self._max_fill = rules.max_fill
        self._timeframe = rules.timeframe

    def next_due(self, series: Series) -> int | None:
        """Return when the next flat candle after the last closed one is due; None: none will be."""
        if not self._fills or series.filled >= self._max_fill:
            return None
        return self._timeframe.next(series.bound)

    def make_next(self, series: Series) -> Accumulator:
        """Make the flat candle after the last closed one."""
        series.filled += 1
        return Accumulator(series.bound, self._timeframe.next(series.bound), series.kept[-1])

    def end_gap(self, series: Series, open_time: int) -> None:
        """Count what was left out before a new candle, which ends the gap."""
        series.filled = 0
        if self._fills and series.kept and open_time > series.bound:
            self.skipped += self._count(series.bound, open_time)

    def _count(self, start: int, end: int) -> int:
        timeframe = self._timeframe
        if timeframe.length is None and (end - start) // timeframe.nominal < _COUNTED_ONE_BY_ONE:
            count = 0
            while start < end:
                start = timeframe.next(start)
                count += 1
            return count
        return round((end - start) / timeframe.nominal)

    def make_between(self, candle: Accumulator, until: int) -> list[Accumulator]:
        """Make the flat candles from a candle's end to the next known one's start, which came to light late."""
        made: list[Accumulator] = []
        while self._fills and candle.close_time < until and len(made) < self._max_fill:
            candle = Accumulator(candle.close_time, self._timeframe.next(candle.close_time), candle)
            made.append(candle)
        return made
