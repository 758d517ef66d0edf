"""The candle channel of a fake exchange: the running candle, and its end where the venue sends it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import PriceTick
from rxstreams.testing import TrueCandle, candles_of
from rxstreams.testing._feeds import NEVER, CandleFeed, cut_stamp

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def tick(seconds: float, price: float = 1.0) -> PriceTick:
    """Make a trade so many seconds after the epoch."""
    return PriceTick(symbol="BTC/USD", price=price, volume=1.0, timestamp=round(seconds * SECOND), exchange="x")


def feed(
    *,
    fill: Literal["skip", "flat"] = "skip",
    opens: Literal["first_trade", "previous_close"] = "first_trade",
    closes: bool = True,
    past: Sequence[PriceTick] = (),
    now: float = 0,
) -> CandleFeed:
    """Make a feed of minutes."""
    return CandleFeed(1, opens=opens, fill=fill, closes=closes, past=past, now=round(now * SECOND))


def brief(rows: list[TrueCandle]) -> list[tuple[int, float, int]]:
    """Cut candles down to: minute, close, trades."""
    return [(row.open_time // MINUTE, row.close, row.trades) for row in rows]


def test_end_when_the_interval_is_over_then_the_candle_comes_once() -> None:
    """At its close time, not a nanosecond earlier."""
    candles = feed()
    assert candles.due == NEVER
    assert brief(candles.add([tick(5, 2.0)], 5 * SECOND)) == [(0, 2.0, 1)]
    assert candles.due == MINUTE
    assert candles.end(MINUTE - 1) == []
    assert brief(candles.end(MINUTE)) == [(0, 2.0, 1)]
    assert candles.end(5 * MINUTE) == []
    assert candles.due == NEVER


def test_add_when_a_trade_begins_the_next_interval_then_the_end_comes_before_it() -> None:
    """In one go, if nobody looked at the clock between."""
    candles = feed()
    candles.add([tick(5, 2.0)], 5 * SECOND)
    assert brief(candles.add([tick(70, 3.0)], 70 * SECOND)) == [(0, 2.0, 1), (1, 3.0, 1)]
    assert candles.due == 2 * MINUTE


def test_add_when_its_trades_cross_the_edge_then_the_ended_candle_has_those_before_it() -> None:
    """A message of several trades: the clock is already past the edge when the first of them is counted."""
    candles = feed()
    candles.add([tick(5, 2.0)], 5 * SECOND)
    rows = candles.add([tick(59.5, 4.0), tick(60, 3.0)], 60 * SECOND)
    assert brief(rows) == [(0, 4.0, 2), (1, 3.0, 1)]


def test_end_when_empty_intervals_are_flat_then_they_come_too() -> None:
    """Each when it is over, at the last close."""
    candles = feed(fill="flat")
    candles.add([tick(5, 2.0)], 5 * SECOND)
    assert brief(candles.end(3 * MINUTE)) == [(0, 2.0, 1), (1, 2.0, 0), (2, 2.0, 0)]
    assert candles.due == 4 * MINUTE
    assert candles.end(4 * MINUTE - 1) == []
    assert brief(candles.end(4 * MINUTE)) == [(3, 2.0, 0)]
    assert brief(candles.add([tick(330, 3.0)], 330 * SECOND)) == [(4, 2.0, 0), (5, 3.0, 1)]


@pytest.mark.parametrize(("opens", "opened"), [("first_trade", 3.0), ("previous_close", 2.0)])
def test_add_when_a_late_trade_hits_a_flat_candle_then_it_is_one_of_trades(
    opens: Literal["first_trade", "previous_close"], opened: float
) -> None:
    """Its open is the trade's, or the close before it."""
    candles = feed(fill="flat", opens=opens)
    candles.add([tick(5, 2.0)], 5 * SECOND)
    candles.end(2 * MINUTE)
    (row,) = candles.add([tick(90, 3.0)], 125 * SECOND)
    assert (row.open_time, row.open, row.low, row.close, row.trades) == (MINUTE, opened, opened, 3.0, 1)


def test_add_when_a_late_trade_belongs_to_the_ended_candle_then_that_comes_again() -> None:
    """As a revision; one of an older candle is not sent."""
    candles = feed()
    candles.add([tick(65, 2.0)], 65 * SECOND)
    assert brief(candles.end(121 * SECOND)) == [(1, 2.0, 1)]
    assert brief(candles.add([tick(100, 5.0)], 121 * SECOND)) == [(1, 5.0, 2)]
    assert candles.add([tick(59, 5.0)], 121 * SECOND) == []


def test_end_when_the_venue_does_not_send_it_then_only_trades_send_candles() -> None:
    """Kraken's way, flat or not."""
    candles = feed(closes=False, fill="flat")
    candles.add([tick(5, 2.0)], 5 * SECOND)
    assert candles.due == NEVER
    assert candles.end(5 * MINUTE) == []
    assert brief(candles.add([tick(190, 3.0)], 190 * SECOND)) == [(3, 3.0, 1)]


@pytest.mark.parametrize("fill", ["skip", "flat"])
def test_feed_when_it_begins_after_an_end_then_does_not_send_that(fill: Literal["skip", "flat"]) -> None:
    """Whoever comes late is not sent the past; a candle that is running is gone on with."""
    past = [tick(5, 2.0), tick(10, 3.0)]
    late = feed(past=past, fill=fill, now=150)
    assert late.end(150 * SECOND) == []
    assert late.due == (NEVER if fill == "skip" else 3 * MINUTE)
    assert brief(feed(past=past, fill=fill, now=30).end(MINUTE)) == [(0, 3.0, 2)]


@given(
    seconds=st.lists(st.integers(0, 900), min_size=1, max_size=30).map(sorted),
    fill=st.sampled_from(["skip", "flat"]),
    opens=st.sampled_from(["first_trade", "previous_close"]),
    looks=st.booleans(),
)
def test_ends_when_a_whole_market_was_played_then_are_the_true_candles(
    seconds: list[int], fill: Literal["skip", "flat"], opens: Literal["first_trade", "previous_close"], looks: bool
) -> None:
    """Each candle that is over was sent as such exactly once, and none too early."""
    ticks = [tick(second, 1.0 + place % 7) for place, second in enumerate(seconds)]
    candles = feed(fill=fill, opens=opens)
    ended: list[TrueCandle] = []
    for each, following in pairwise([*ticks, None]):
        assert each is not None
        ended += [row for row in candles.add([each], each.timestamp) if row.close_time <= each.timestamp]
        now = each.timestamp if following is None else following.timestamp
        if looks:
            ended += candles.end((each.timestamp + now) // 2)
    last = ticks[-1].timestamp
    truth = candles_of(ticks, "1m", fill=fill, opens=opens, until=last)
    assert ended == [row for row in truth if row.close_time <= last]


def test_stamp_when_cut_then_is_the_multiple_before_it() -> None:
    """A venue that writes milliseconds has no microseconds."""
    assert cut_stamp(tick(1.2345), 10**6).timestamp == 1_234_000_000
    exact = tick(1.234)
    assert cut_stamp(exact, 10**6) is exact
