"""What is doubted on a living line: all of it, or a symbol whose trades were not passed on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from rxstreams.sources._line_coverage import LineCoverage
from rxstreams.sources._meter import Meter
from rxstreams.sources._native_candles import Report
from rxstreams.sources.venue import Skipped


class Holder(Protocol):
    """What holds the items of a line while it is not known that nothing is missing before them."""

    def lose(self, covered: Mapping[str, int], *, is_living: bool = False) -> None:
        """Note that items of any symbol may be missing."""
        ...

    def doubt(self, symbol: str, since: int) -> bool:
        """Note that items of one symbol may be missing on the living line; return whether that opened a gap."""
        ...

    def resume(self, symbols: Iterable[str]) -> None:
        """Note that the line delivers symbols, again or for the first time."""
        ...


class LineDoubts:
    """Begins coverage anew where items may have been missed though the connection lives.

    Args:
        coverage: of the line.
        holder: of its items.
        report: tells of symbols that are doubted.
        meter: counts.
    """

    def __init__(self, coverage: LineCoverage, holder: Holder, report: Report, meter: Meter) -> None:
        self._coverage = coverage
        self._holder = holder
        self._report = report
        self._meter = meter

    def doubt_all(self, withdrawn: Iterable[str] = ()) -> None:
        """Doubt all symbols; those that are withdrawn are covered when they are acknowledged once more."""
        self._holder.lose(self._coverage.doubt(), is_living=True)
        self._coverage.withdraw(withdrawn)
        self._holder.resume(self._coverage.subscriptions.confirmed)

    def skip(self, message: Skipped) -> None:
        """Doubt the symbols of which trades came that may be old or new.

        While a gap of a symbol is open, its fetch tells, if it is made after this. A symbol that has delivered nothing
        since its coverage began misses nothing: that begins later. Any other has a gap from now on.
        """
        self._meter.unknown_messages += 1
        subscriptions = self._coverage.subscriptions
        for symbol in message.symbols:
            if not subscriptions.wants(symbol):
                continue
            if self._holder.doubt(symbol, self._coverage.skip(symbol)):
                self._report("loss", symbols=(symbol,), reason=f"trades were not passed on: {message.kind}")
            if subscriptions.is_confirmed(symbol):
                self._holder.resume((symbol,))
