"""``compare``: candles that came out of a chain, held against the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from rxstreams.instants import Instant, format_instant, to_nanoseconds
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.testing.candles import TrueCandle, candles_of
from rxstreams.timeframe import Timeframe

_EXACT = ("open", "high", "low", "close", "trades", "close_time")
_SUMS = ("volume", "quote_volume", "buy_volume")
_MANY_TRADES = 10_000


class Difference(NamedTuple):
    """A candle that is not the true one, and the fields in which it differs (name, sent, true)."""

    candle: OHLCCandle
    truth: TrueCandle
    fields: tuple[tuple[str, float, float], ...]

    def __str__(self) -> str:
        """Say in one line what is wrong."""
        fields = ", ".join(f"{name} is {sent!r}, not {true!r}" for name, sent, true in self.fields)
        return f"{self.candle.symbol} {self.candle.timeframe} {format_instant(self.candle.open_time)}: {fields}"


def _no_differences() -> list[Difference]:
    return []


def _no_truths() -> list[TrueCandle]:
    return []


def _no_candles() -> list[OHLCCandle]:
    return []


@dataclass(kw_only=True)
class Report:
    """What ``compare`` found. Each candle is counted once, in its last revision.

    Attributes:
        complete_right: candles said to be complete that are the true ones.
        complete_wrong: candles said to be complete that are not: each breaks the promise.
        incomplete_right: candles said to be incomplete that are the true ones all the same.
        incomplete_wrong: candles said to be incomplete, and rightly.
        missing: true candles of which none was sent.
        extra: candles sent of which there is no true one.
        unclosed: intervals of which only unclosed candles were sent (they are not compared).
        revisions: candles sent again after they had been sent as closed.
        retracted: candles said to be complete in one revision and changed by a later one.
        out_of_order: revisions that did not follow on the one before, by one.
    """

    complete_right: int = 0
    complete_wrong: list[Difference] = field(default_factory=_no_differences)
    incomplete_right: int = 0
    incomplete_wrong: list[Difference] = field(default_factory=_no_differences)
    missing: list[TrueCandle] = field(default_factory=_no_truths)
    extra: list[OHLCCandle] = field(default_factory=_no_candles)
    unclosed: int = 0
    revisions: int = 0
    retracted: list[OHLCCandle] = field(default_factory=_no_candles)
    out_of_order: list[OHLCCandle] = field(default_factory=_no_candles)

    @property
    def complete(self) -> int:
        """How many candles were said to be complete."""
        return self.complete_right + len(self.complete_wrong)

    @property
    def promise_kept(self) -> bool:
        """Whether every candle that was said to be complete is the true one."""
        return not self.complete_wrong and not any(candle.complete for candle in self.extra)

    def __str__(self) -> str:
        """Summarise, with the first differences."""
        lines = [
            f"{self.complete} candles said to be complete, {len(self.complete_wrong)} of them wrongly; "
            f"{self.incomplete_right + len(self.incomplete_wrong)} incomplete ({self.incomplete_right} of them equal "
            f"the truth); {len(self.missing)} missing, {len(self.extra)} extra, {self.unclosed} never closed; "
            f"{self.revisions} revisions"
        ]
        return "\n".join(lines + [f"  {difference}" for difference in self.complete_wrong[:5]])


def compare(
    candles: Iterable[OHLCCandle],
    trades: Iterable[PriceTick],
    timeframe: Timeframe | str | float | timedelta,
    *,
    fill: Literal["skip", "flat"] = "skip",
    opens: Literal["first_trade", "previous_close"] = "first_trade",
    start: Instant | None = None,
    until: Instant | None = None,
) -> Report:
    """Hold candles against all trades there were.

    Prices, the count of trades and the close time have to be exactly the true ones; volumes within 1e-12 of their
    size, 1e-9 in candles of more than 10,000 trades.

    Args:
        candles: as they were sent: every revision, in order; those of other timeframes are left out.
        trades: every trade that was published, in that order.
        timeframe: of the candles.
        fill: as the chain had it.
        opens: as the chain had it.
        start: only candles that open then or later (ns or what ``PriceTick.timestamp`` takes); None: all.
        until: only candles that close then or earlier; None: all.

    Raises:
        ValueError: an option is not one of those above.

    Example:
        >>> from rxstreams import PriceTick
        >>> ticks = [PriceTick(symbol="BTC/USD", price=10.0, volume=1.0, timestamp=60 * 10**9)]
        >>> len(compare([], ticks, "1m").missing)
        1
    """
    frame = Timeframe(timeframe)
    begin = None if start is None else to_nanoseconds(start, "start")
    end = None if until is None else to_nanoseconds(until, "until")

    def inside(candle: OHLCCandle | TrueCandle) -> bool:
        return (begin is None or candle.open_time >= begin) and (end is None or candle.close_time <= end)

    all_true = [true for true in candles_of(trades, frame, fill=fill, opens=opens, until=end) if inside(true)]
    # Made-up trades may have no exchange: then it says nothing about the candles'.
    named = any(true.exchange for true in all_true)
    truth = {(true.exchange if named else "", true.symbol, true.open_time): true for true in all_true}
    sent: dict[tuple[str, str, int], list[OHLCCandle]] = {}
    for candle in candles:
        if candle.timeframe == frame and inside(candle):
            sent.setdefault((candle.exchange if named else "", candle.symbol, candle.open_time), []).append(candle)

    report = Report(missing=[true for key, true in truth.items() if key not in sent])
    for key, all_sent in sent.items():
        closed = [candle for candle in all_sent if candle.closed]
        _check_revisions(report, closed)
        true = truth.get(key)
        if not closed:
            report.unclosed += 1
        elif true is None:
            report.extra.append(closed[-1])
        else:
            _judge(report, closed[-1], true)
    return report


def _check_revisions(report: Report, closed: Sequence[OHLCCandle]) -> None:
    report.revisions += max(0, len(closed) - 1)
    for before, after in pairwise(closed):
        if after.revision != before.revision + 1:
            report.out_of_order.append(after)
        if before.complete and any(getattr(before, name) != getattr(after, name) for name in (*_EXACT, *_SUMS)):
            report.retracted.append(before)
    if closed and closed[0].revision != 0:
        report.out_of_order.append(closed[0])


def _judge(report: Report, candle: OHLCCandle, true: TrueCandle) -> None:
    wrong = [name for name in _EXACT if getattr(candle, name) != getattr(true, name)]
    tolerance = 1e-12 if true.trades <= _MANY_TRADES else 1e-9
    wrong += [name for name in _SUMS if not math.isclose(getattr(candle, name), getattr(true, name), rel_tol=tolerance)]
    if not wrong:
        report.complete_right += candle.complete
        report.incomplete_right += not candle.complete
        return
    fields = tuple((name, getattr(candle, name), getattr(true, name)) for name in wrong)
    (report.complete_wrong if candle.complete else report.incomplete_wrong).append(Difference(candle, true, fields))
