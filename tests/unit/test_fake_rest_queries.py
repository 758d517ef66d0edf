"""What a fake exchange's REST API takes out of its past: pages of trades and candles, against a plain filter."""

from __future__ import annotations

import random
from itertools import groupby
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import PriceTick
from rxstreams.testing import TrueCandle, candles_of
from rxstreams.testing._pages import candles_page, page_of
from rxstreams.testing.formats import CandlesQuery, TradesQuery

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


def tick(timestamp: int, trade_id: int | str = 1, price: float = 1.0) -> PriceTick:
    """Make a trade."""
    return PriceTick(symbol="BTC/USD", price=price, volume=1.0, timestamp=timestamp, trade_id=trade_id, exchange="x")


def ask(**fields: int | bool | None) -> TradesQuery:
    """Make a request for trades."""
    return msgspec.convert({"symbol": "BTC/USD", "limit": 3, **fields}, TradesQuery)


HISTORY = [tick(stamp, number) for number, stamp in enumerate([10, 20, 20, 20, 30, 40, 40, 50], start=1)]


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        (ask(), [1, 2, 3], True),
        (ask(newest=True), [6, 7, 8], True),
        (ask(limit=8), [1, 2, 3, 4, 5, 6, 7, 8], False),
        (ask(since=40), [6, 7, 8], False),
        (ask(since=41), [8], False),
        (ask(until=20), [1], False),
        (ask(since=20, until=40, limit=9), [2, 3, 4, 5], False),
        (ask(since=60), [], False),
        (ask(since=50, until=20), [], False),
        (ask(after_id=5), [6, 7, 8], False),
        (ask(before_id=3), [1, 2], False),
        (ask(after_id=2, limit=2), [3, 4], True),
        (ask(before_id=7, limit=2, newest=True), [5, 6], True),
        (ask(after_id=2, before_id=7, since=30), [5, 6], False),
        (ask(whole_stamps=True), [1], True),
        (ask(since=20, limit=2, whole_stamps=True), [2, 3, 4], True),
        (ask(since=20, limit=3, whole_stamps=True), [2, 3, 4], True),
        (ask(newest=True, limit=2, whole_stamps=True), [8], True),
        (ask(newest=True, until=50, limit=1, whole_stamps=True), [6, 7], True),
        (ask(until=21, limit=2, whole_stamps=True, since=20), [2, 3, 4], False),
    ],
)
def test_page_when_asked_by_time_or_id_then_holds_what_matches(query: TradesQuery, ids: list[int], more: bool) -> None:
    """Since and limits are inclusive, until and ids exclusive; the rest is announced."""
    page, rest = page_of(HISTORY, query, 50)
    assert ([trade.trade_id for trade in page], rest) == (ids, more)


def test_page_when_trades_are_stamped_after_now_then_has_none_of_them() -> None:
    """The answers of an API that is behind."""
    page, more = page_of(HISTORY, ask(limit=9), 39)
    assert ([trade.trade_id for trade in page], more) == ([1, 2, 3, 4, 5], False)


def test_page_by_id_when_a_late_trade_was_stamped_earlier_then_none_is_missed() -> None:
    """Pages that go on after an id are ordered by it, or a late trade would stand before the cursor."""
    history = sorted([*HISTORY, tick(15, 9), tick(45, "10")], key=lambda trade: trade.timestamp)
    got: list[int] = []
    after = 0
    while True:
        page, more = page_of(history, ask(after_id=after), 50)
        got += [int(trade.trade_id or 0) for trade in page]
        if not more:
            break
        after = got[-1]
    assert got == list(range(1, 11))


def test_page_by_id_when_an_id_is_no_number_then_says_so() -> None:
    """Instead of an answer that misses it."""
    with pytest.raises(ValueError, match="a-1"):
        page_of([tick(1, "a-1")], ask(after_id=0), 1)


instants = st.integers(0, 12)
edges = st.none() | instants


@given(
    stamps=st.lists(instants, max_size=14),
    numbers=st.randoms(use_true_random=False),
    since=edges,
    until=edges,
    after_id=st.none() | st.integers(0, 15),
    before_id=st.none() | st.integers(0, 15),
    now=instants,
    limit=st.integers(1, 6),
    newest=st.booleans(),
    whole=st.booleans(),
)
def test_page_when_compared_with_a_plain_filter_then_is_equal(
    stamps: list[int],
    numbers: random.Random,
    since: int | None,
    until: int | None,
    after_id: int | None,
    before_id: int | None,
    now: int,
    limit: int,
    newest: bool,
    whole: bool,
) -> None:
    """Whatever is combined; whole stamps only where the order is that of the stamps."""
    ids = list(range(1, len(stamps) + 1))
    numbers.shuffle(ids)
    history = [tick(stamp, number) for stamp, number in zip(sorted(stamps), ids, strict=True)]
    by_id = after_id is not None or before_id is not None
    whole = whole and not by_id
    query = TradesQuery(
        symbol="BTC/USD",
        since=since,
        until=until,
        after_id=after_id,
        before_id=before_id,
        limit=limit,
        newest=newest,
        whole_stamps=whole,
    )
    matching = [
        trade
        for trade in history
        if trade.timestamp <= now
        and (since is None or trade.timestamp >= since)
        and (until is None or trade.timestamp < until)
        and (after_id is None or int(trade.trade_id or 0) > after_id)
        and (before_id is None or int(trade.trade_id or 0) < before_id)
    ]
    if by_id:
        matching.sort(key=lambda trade: int(trade.trade_id or 0))
    assert page_of(history, query, now) == _expected(matching, limit, newest=newest, whole=whole)


def _expected(matching: list[PriceTick], limit: int, *, newest: bool, whole: bool) -> tuple[list[PriceTick], bool]:
    """Take whole groups, one of them at least, as long as they fit."""
    by_stamp = [list(group) for _, group in groupby(matching, key=lambda trade: trade.timestamp)]
    groups = by_stamp if whole else [[trade] for trade in matching]
    taken: list[list[PriceTick]] = []
    for group in reversed(groups) if newest else groups:
        if taken and sum(map(len, taken)) + len(group) > limit:
            break
        taken.append(group)
    page = [trade for group in (reversed(taken) if newest else taken) for trade in group]
    return page, len(page) < len(matching)


# Candles.


@given(
    stamps=st.lists(st.integers(0, 40 * 60), min_size=0, max_size=12).map(sorted),
    since=st.none() | st.integers(0, 45 * 60),
    until=st.none() | st.integers(0, 45 * 60),
    now=st.integers(0, 45 * 60),
    limit=st.integers(1, 6),
    newest=st.booleans(),
    minutes=st.sampled_from([1, 3, 5]),
    fill=st.sampled_from(["skip", "flat"]),
    opens=st.sampled_from(["first_trade", "previous_close"]),
)
def test_candles_page_when_compared_with_a_plain_filter_then_is_equal(
    stamps: list[int],
    since: int | None,
    until: int | None,
    now: int,
    limit: int,
    newest: bool,
    minutes: int,
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
) -> None:
    """Only some intervals are looked at, but what comes is what all would give."""
    second = MINUTE // 60
    history = [tick(stamp * second, number, 1.0 + number % 5) for number, stamp in enumerate(stamps)]
    width = minutes * MINUTE
    query = CandlesQuery(
        symbol="BTC/USD",
        minutes=minutes,
        since=None if since is None else since * second,
        until=None if until is None else until * second,
        limit=limit,
        newest=newest,
    )
    known = [trade for trade in history if trade.timestamp <= now * second]
    end_of_now = now * second // width * width + width
    matching = [
        row
        for row in candles_of(known, minutes, fill=fill, opens=opens, until=end_of_now)
        if (query.since is None or row.open_time >= query.since)
        and (query.until is None or row.open_time < query.until)
    ]
    expected = matching[-limit:] if newest else matching[:limit]
    found = candles_page(history, query, fill=fill, opens=opens, now=now * second)
    assert found == (expected, len(matching) > limit)


def test_candles_page_when_of_weeks_then_they_begin_on_monday() -> None:
    """1970-01-05 was the first Monday."""
    history = [tick(2 * DAY), tick(4 * DAY), tick(12 * DAY)]
    query = CandlesQuery(symbol="BTC/USD", minutes=7 * 1440, limit=2)
    rows, more = candles_page(history, query, fill="skip", opens="first_trade", now=13 * DAY)
    assert ([row.open_time // DAY for row in rows], more) == ([4, 11], True)


def test_candles_page_when_hours_lie_between_two_trades_then_the_older_is_found() -> None:
    """A venue that skips empty intervals counts candles, not intervals."""
    history = [tick(0), tick(3 * DAY)]
    query = CandlesQuery(symbol="BTC/USD", minutes=1, limit=2)
    rows, more = candles_page(history, query, fill="skip", opens="first_trade", now=3 * DAY)
    assert ([row.open_time for row in rows], more) == ([0, 3 * DAY], False)


def test_candles_page_when_nothing_was_traded_then_is_empty() -> None:
    """There is no price to draw."""
    query = CandlesQuery(symbol="BTC/USD", minutes=1, limit=2)
    nothing: tuple[list[TrueCandle], bool] = ([], False)
    assert candles_page([], query, fill="flat", opens="first_trade", now=DAY) == nothing
