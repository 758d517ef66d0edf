"""The venue's own candles of one line: stamped with what the line covers, and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import force_setattr

from rxstreams.items import OHLCCandle
from rxstreams.sources._line_coverage import LineCoverage
from rxstreams.sources._native_candles import NativeCandles


class LineCandles:
    """Stands between a line and what makes its candles. Everything happens on the loop's thread.

    Args:
        candles: what makes them.
        coverage: of the line.

    Memory: that of the candles.
    """

    def __init__(self, candles: NativeCandles, coverage: LineCoverage) -> None:
        self._candles = candles
        self._coverage = coverage
        self.forget = candles.forget
        self.flush = candles.flush
        self.dispose = candles.dispose

    def add(self, candle: OHLCCandle) -> None:
        """Take an update, if the line is for its symbol."""
        since = self._coverage.since_of_candle(candle.symbol, candle.open_time)
        if since is not None:
            force_setattr(candle, "span", self._coverage.span)
            force_setattr(candle, "since", since)
            self._candles.add(candle)

    def lose(self, covered: Mapping[str, int], *, is_living: bool = False) -> None:
        """Do nothing: each candle's since tells whether the line was unbroken before it."""

    def doubt(self, symbol: str, since: int) -> bool:
        """Do nothing, as ``lose``."""
        del symbol, since
        return False

    def resume(self, symbols: Iterable[str]) -> None:
        """Note that the line delivers symbols, again or for the first time."""
        for symbol in symbols:
            self._candles.resume(symbol, self._coverage.since.get(symbol, 0))
