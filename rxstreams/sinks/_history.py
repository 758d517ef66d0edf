"""Historic candles on their way into a buffer: put in order, cut, and told where their coverage begins."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from msgspec.structs import replace

from rxstreams.items import OHLCCandle


def in_order(candles: Iterable[OHLCCandle], newest: int, *, holes_are_quiet: bool) -> list[OHLCCandle]:
    """Return the newest candles of one key in ascending order, one an open time.

    A history covers what it holds and nothing before: with an earlier ``since``, a candle of a longer timeframe that
    is built from a history which begins in its middle would be called complete.

    Args:
        candles: of one key, in any order; of several with one open time the last one is taken.
        newest: how many to return at most.
        holes_are_quiet: whether an interval without a candle is one without trades, as in a venue's own answer. Then
            each candle gets the first one's open time as its ``since``, or keeps a later one of its own. Else its
            ``since`` is left as it is.
    """
    latest = {candle.open_time: candle for candle in candles}
    ordered = sorted(latest.values(), key=attrgetter("open_time"))[-newest:]
    if not ordered or not holes_are_quiet:
        return ordered
    start = ordered[0].open_time
    return [candle if candle.since > start else replace(candle, since=start) for candle in ordered]
