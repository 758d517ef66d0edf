"""Pages of an exchange's past: what its REST API answers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

from rxstreams.items import PriceTick
from rxstreams.testing._feeds import stamp_of
from rxstreams.testing._intervals import interval_finder
from rxstreams.testing.candles import TrueCandle, candles_of
from rxstreams.testing.formats import CandlesQuery, TradesQuery

_MINUTE = 60_000_000_000
_WIDER = 8


def page_of(history: Sequence[PriceTick], query: TradesQuery, now: int) -> tuple[Sequence[PriceTick], bool]:
    """Return the trades of a page, oldest first, and whether more matched than its limit.

    Args:
        history: of the symbol, ordered by stamp.
        query: what is asked for.
        now: what is stamped later has not happened yet.

    Raises:
        ValueError: ids are asked for as numbers, and one is none.
    """
    begin = 0 if query.since is None else bisect_left(history, query.since, key=stamp_of)
    if query.age is not None:
        begin = max(begin, bisect_left(history, now - query.age, key=stamp_of))
    end = bisect_right(history, now, key=stamp_of)
    if query.until is not None:
        end = min(end, bisect_left(history, query.until, key=stamp_of))
    if query.after_id is not None or query.before_id is not None:
        history = _with_ids(history[begin:end], query.after_id, query.before_id)
        begin, end = 0, len(history)
    if end - begin <= query.limit:
        return history[begin : max(begin, end)], False
    cut = end - query.limit if query.newest else begin + query.limit
    if query.whole_stamps:
        cut = _whole_stamps(history, begin, cut, end, newest=query.newest)
    first, last = (cut, end) if query.newest else (begin, cut)
    return history[first:last], last - first < end - begin


def _with_ids(ticks: Sequence[PriceTick], after: int | None, before: int | None) -> list[PriceTick]:
    """Return the trades between two ids, ordered by them: pages by id go on where the last one ended."""
    numbered: list[tuple[int, PriceTick]] = []
    for tick in ticks:
        number = int(tick.trade_id or "")
        if (after is None or number > after) and (before is None or number < before):
            numbered.append((number, tick))
    numbered.sort(key=lambda pair: pair[0])
    return [tick for _, tick in numbered]


def _whole_stamps(history: Sequence[PriceTick], begin: int, cut: int, end: int, *, newest: bool) -> int:
    """Move a cut off the middle of equal stamps, so that the page is smaller, or, if nothing would be left, larger."""
    stamp = history[cut - 1].timestamp
    if history[cut].timestamp != stamp:
        return cut
    first, last = cut, cut
    while first > begin and history[first - 1].timestamp == stamp:
        first -= 1
    while last < end and history[last].timestamp == stamp:
        last += 1
    if newest:
        return last if last < end else first
    return first if first > begin else last


def candles_page(
    history: Sequence[PriceTick],
    query: CandlesQuery,
    *,
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
    now: int,
) -> tuple[list[TrueCandle], bool]:
    """Return the candles of a page, oldest first, and whether more matched than its limit.

    Args:
        history: trades of the symbol, ordered by stamp.
        query: what is asked for; the last candle is that of the running interval.
        fill, opens: as ``candles_of`` takes them.
        now: what is stamped later has not happened yet.
    """
    if not history:
        return [], False
    find = interval_finder(query.minutes)
    low = find(history[0].timestamp)[0]
    if query.since is not None:
        low = max(low, _next_open(find(query.since), query.since))
    high = find(now)[1]
    if query.until is not None:
        high = min(high, _next_open(find(query.until), query.until))
    # As many intervals as may be needed are looked at, not the whole past: without trades, some have no candle.
    width = query.minutes * _MINUTE * (query.limit + 1)
    rows: list[TrueCandle] = []
    while low < high:
        begin, end = low, high
        if query.newest:
            begin = max(low, find(high - width)[0])
        else:
            end = min(high, find(low + width)[1])
        rows = _candles_between(history, query.minutes, begin, end, fill=fill, opens=opens, now=now)
        if len(rows) > query.limit or (begin, end) == (low, high):
            break
        width *= _WIDER
    more = len(rows) > query.limit
    return (rows[-query.limit :] if query.newest else rows[: query.limit]), more


def _next_open(interval: tuple[int, int], instant: int) -> int:
    """Return the first open at an instant or after it, given the interval that it lies in."""
    return interval[0] if interval[0] == instant else interval[1]


def _candles_between(
    history: Sequence[PriceTick],
    minutes: int,
    begin: int,
    end: int,
    *,
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
    now: int,
) -> list[TrueCandle]:
    # The trade before the first candle decides its flat price or its open.
    first = max(0, bisect_left(history, begin, key=stamp_of) - 1)
    last = bisect_right(history, min(now, end - 1), key=stamp_of)
    rows = candles_of(history[first:last], minutes, fill=fill, opens=opens, until=end)
    return [row for row in rows if row.open_time >= begin]
