"""The oracle itself: checked by hand, and its intervals against ``Timeframe``'s."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.testing import TrueCandle, candles_of, compare
from rxstreams.testing._intervals import first_instant_at, interval_finder
from rxstreams.timeframe import Timeframe

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def tick(seconds: float, price: float, volume: float = 1.0, **fields: Any) -> PriceTick:
    """Make a trade so many seconds after the epoch."""
    fields = {"symbol": "BTC/USD", **fields}
    return PriceTick(price=price, volume=volume, timestamp=round(seconds * SECOND), **fields)


def rows(candles: list[TrueCandle]) -> list[tuple[int, float, float, float, float, float, int]]:
    """Cut candles down to: minute, open, high, low, close, volume, trades."""
    return [(c.open_time // MINUTE, c.open, c.high, c.low, c.close, c.volume, c.trades) for c in candles]


def instant(text: str, zone: str = "UTC") -> int:
    """Return the instant (ns) at which a zone's clocks show a time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


# Candles.


def test_candles_when_trades_lie_on_the_edge_then_belong_to_the_later_interval() -> None:
    """The begin is inclusive and the end exclusive, to the nanosecond."""
    before = PriceTick(symbol="BTC/USD", price=2.0, volume=1.0, timestamp=MINUTE - 1)
    candles = candles_of([tick(0, 1.0), before, tick(60, 3.0)], "1m")
    assert rows(candles) == [(0, 1.0, 2.0, 1.0, 2.0, 2.0, 2), (1, 3.0, 3.0, 3.0, 3.0, 1.0, 1)]
    assert [c.close_time for c in candles] == [MINUTE, 2 * MINUTE]


def test_candles_when_trades_come_out_of_order_then_the_stamp_decides_and_then_the_position() -> None:
    """Open is the lowest (timestamp, position), close the highest."""
    trades = [tick(30, 5.0), tick(10, 1.0), tick(10, 2.0), tick(30, 6.0)]
    assert rows(candles_of(trades, "1m")) == [(0, 1.0, 6.0, 1.0, 6.0, 4.0, 4)]


def test_candles_when_aggregated_trades_then_counts_and_volumes_add_up() -> None:
    """A message may stand for several trades; the buyers' volume and the quote volume are kept apart."""
    (candle,) = candles_of([tick(0, 10.0, 2.0, count=3, side="buy"), tick(1, 20.0, 0.5, side="sell")], 1)
    assert (candle.trades, candle.volume, candle.buy_volume, candle.quote_volume) == (4, 2.5, 2.0, 30.0)


def test_candles_when_many_small_volumes_then_the_sum_has_no_rounding_error() -> None:
    """The sum is math.fsum's: ten times 0.1 is 1."""
    (candle,) = candles_of([tick(k, 1.0, 0.1) for k in range(10)], "1m")
    assert candle.volume == 1.0
    assert sum([0.1] * 10) != 1.0


def test_candles_when_of_several_symbols_and_exchanges_then_each_has_its_own() -> None:
    """They come by exchange, symbol and open time."""
    trades = [
        tick(0, 1.0, symbol="ETH/USD", exchange="b"),
        tick(1, 2.0, exchange="b"),
        tick(2, 3.0, exchange="a"),
        tick(61, 4.0, exchange="b"),
    ]
    keys = [(c.exchange, c.symbol, c.open_time // MINUTE) for c in candles_of(trades, "1m")]
    assert keys == [("a", "BTC/USD", 0), ("b", "BTC/USD", 0), ("b", "BTC/USD", 1), ("b", "ETH/USD", 0)]


def test_candles_when_no_trades_then_none() -> None:
    """Nothing gives nothing, whatever the options."""
    assert candles_of([], "1m", fill="flat", until=10 * MINUTE) == []


def test_fill_when_flat_then_empty_minutes_stand_at_the_last_close() -> None:
    """Between the first and the last trade; nothing before and nothing after without ``until``."""
    candles = candles_of([tick(0, 1.0), tick(1, 4.0), tick(185, 2.0)], "1m", fill="flat")
    assert rows(candles) == [
        (0, 1.0, 4.0, 1.0, 4.0, 2.0, 2),
        (1, 4.0, 4.0, 4.0, 4.0, 0.0, 0),
        (2, 4.0, 4.0, 4.0, 4.0, 0.0, 0),
        (3, 2.0, 2.0, 2.0, 2.0, 1.0, 1),
    ]


@pytest.mark.parametrize(("until", "count"), [(60, 1), (119, 1), (120, 2), (181, 3)])
def test_fill_when_flat_until_an_instant_then_only_intervals_that_are_over_by_then(until: int, count: int) -> None:
    """``until`` is exclusive: an interval that ends there is over."""
    assert len(candles_of([tick(0, 1.0)], "1m", fill="flat", until=until * SECOND)) == count


def test_opens_when_previous_close_then_high_and_low_include_it() -> None:
    """The first candle opens at its own trade; a skipped minute does not lose the close."""
    candles = candles_of([tick(0, 5.0), tick(60, 7.0), tick(185, 6.0)], "1m", opens="previous_close")
    assert [(c.open, c.high, c.low, c.close) for c in candles] == [
        (5.0, 5.0, 5.0, 5.0),
        (5.0, 7.0, 5.0, 7.0),
        (7.0, 7.0, 6.0, 6.0),
    ]


@pytest.mark.parametrize("options", [{"fill": "zero"}, {"opens": "middle"}, {"timeframe": "5x"}, {"timeframe": True}])
def test_candles_when_an_option_is_wrong_then_says_so(options: dict[str, Any]) -> None:
    """A misspelt option is an error, not another meaning."""
    with pytest.raises(ValueError):
        candles_of([tick(0, 1.0)], **cast("Any", {"timeframe": "1m", **options}))


# Intervals.


@pytest.mark.parametrize("form", ["5m", "M5", 5, 5.0, timedelta(minutes=5), Timeframe("5m")])
def test_interval_when_the_timeframe_is_written_in_any_form_then_is_the_same(form: object) -> None:
    """Everything that a timeframe may be written as."""
    assert interval_finder(form)(7 * MINUTE) == (5 * MINUTE, 10 * MINUTE)


def test_interval_when_weeks_or_months_then_follows_the_calendar() -> None:
    """Weeks start on Monday, months on the first; leap years count."""
    friday = instant("2024-03-01T12:00")
    assert interval_finder("1w")(friday) == (instant("2024-02-26"), instant("2024-03-04"))
    assert interval_finder("7d")(friday) == interval_finder("1w")(friday)
    assert interval_finder("1M")(instant("2024-02-29T12:00")) == (instant("2024-02-01"), instant("2024-03-01"))
    assert interval_finder("3M")(friday) == (instant("2024-01-01"), instant("2024-04-01"))


def test_interval_when_clocks_change_then_days_have_23_or_25_hours() -> None:
    """New York, 2024-03-10 and 2024-11-03."""
    find = interval_finder("1d", "America/New_York")
    for day, hours in (("2024-03-10", 23), ("2024-11-03", 25), ("2024-11-04", 24)):
        begin, end = find(instant(f"{day}T12:00", "America/New_York"))
        assert begin == instant(day, "America/New_York")
        assert (end - begin) // (3600 * SECOND) == hours


def test_interval_when_a_session_starts_in_the_evening_then_belongs_to_the_next_date() -> None:
    """A session from 17:00: Sunday evening is Monday's, so the week starts there."""
    sunday_evening = instant("2024-06-02T17:00", "America/New_York")
    find = interval_finder("1w", "America/New_York", "17:00")
    assert find(sunday_evening)[0] == sunday_evening
    assert find(sunday_evening - 1)[1] == sunday_evening
    assert interval_finder(Timeframe("1w", tz="America/New_York", session_start="17:00"))(sunday_evening)[0] == (
        sunday_evening
    )


def test_first_instant_when_the_clocks_skip_it_then_is_the_jump() -> None:
    """02:30 does not exist on 2024-03-10 in New York; the clocks jump at 07:00 UTC."""
    zone = ZoneInfo("America/New_York")
    assert first_instant_at(datetime(2024, 3, 10, 2, 30), zone) == instant("2024-03-10T07:00")
    assert first_instant_at(datetime(2024, 3, 10, 2, 0), zone) == instant("2024-03-10T07:00")
    assert first_instant_at(datetime(2024, 3, 10, 3, 0), zone) == instant("2024-03-10T07:00")


def test_first_instant_when_it_exists_twice_then_is_the_first() -> None:
    """01:30 exists twice on 2024-11-03 in New York; first at 05:30 UTC."""
    zone = ZoneInfo("America/New_York")
    assert first_instant_at(datetime(2024, 11, 3, 1, 30), zone) == instant("2024-11-03T05:30")


_ZONES = ["UTC", "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"]


@given(
    timeframe=st.sampled_from(["30s", "7m", "15m", "1h", "4h", "5h", "1d", "3d", "1w", "2w", "1M", "5M"]),
    zone=st.sampled_from(_ZONES),
    session_start=st.sampled_from(["00:00", "02:30", "09:30", "12:00", "17:00"]),
    at=st.integers(min_value=0, max_value=2_200_000_000),
)
def test_interval_when_compared_with_timeframe_then_is_the_same(
    timeframe: str, zone: str, session_start: str, at: int
) -> None:
    """Two arithmetics that share nothing agree, also in the hours around a change of the clocks."""
    ours = interval_finder(timeframe, zone, session_start)
    theirs = Timeframe(timeframe, tz=zone, session_start=session_start)
    # Most changes happen in March and November: look at such a day too.
    year = datetime.fromtimestamp(at, UTC).year
    near_change = int(datetime(year, 3 if at % 2 else 11, 1 + at % 14, at % 24, tzinfo=UTC).timestamp())
    for moment in (at * SECOND, near_change * SECOND):
        begin, end = ours(moment)
        assert (begin, end) == (theirs.floor(moment), theirs.next(moment))
        assert begin <= moment < end
        assert ours(begin) == ours(end - 1) == (begin, end)


def test_interval_when_longer_than_a_day_in_a_zone_then_must_be_whole_days() -> None:
    """36 hours have no meaning by local clocks."""
    with pytest.raises(ValueError, match="whole days"):
        interval_finder("36h", "America/New_York")


# The comparison.


def candle(minute: int, price: float, **fields: Any) -> OHLCCandle:
    """Make a candle of one trade of volume 1."""
    fields = {
        "symbol": "BTC/USD",
        "timeframe": Timeframe("1m"),
        "volume": 1.0,
        "trades": 1,
        "quote_volume": price,
        "complete": True,
        **fields,
    }
    return OHLCCandle(open_time=minute * MINUTE, open=price, high=price, low=price, close=price, **fields)


TRADES = [tick(0, 1.0), tick(60, 2.0), tick(120, 3.0)]


def test_compare_when_everything_is_right_then_says_so() -> None:
    """Three candles, all complete and all true."""
    report = compare([candle(0, 1.0), candle(1, 2.0), candle(2, 3.0)], TRADES, "1m")
    assert (report.complete, report.complete_right, report.complete_wrong) == (3, 3, [])
    assert (report.missing, report.extra, report.revisions) == ([], [], 0)
    assert report.promise_kept


@pytest.mark.parametrize(
    ("field", "value"),
    [("trades", 2), ("volume", 1.0 + 1e-11), ("quote_volume", 2.1), ("buy_volume", 0.1)],
)
def test_compare_when_a_complete_candle_differs_then_the_promise_is_broken(field: str, value: float) -> None:
    """Each field counts, and the report names it."""
    report = compare([candle(1, 2.0, **{field: value})], TRADES, "1m")
    assert not report.promise_kept
    (difference,) = report.complete_wrong
    assert difference.fields == ((field, value, getattr(difference.truth, field)),)
    assert f"{field} is {value!r}" in str(report)


def test_compare_when_volume_differs_by_rounding_then_is_right() -> None:
    """Sums of floats depend on their order; 1e-12 is the promise."""
    assert compare([candle(1, 2.0, volume=1.0 + 1e-13)], TRADES, "1m").promise_kept


def test_compare_when_a_price_differs_in_the_last_bit_then_is_wrong() -> None:
    """Prices and counts are exact."""
    report = compare([candle(1, math.nextafter(2.0, 3.0))], TRADES, "1m")
    assert len(report.complete_wrong) == 1


def test_compare_when_an_incomplete_candle_differs_then_is_no_breach() -> None:
    """It said so; whether it is the true one all the same is counted."""
    report = compare([candle(0, 1.0, complete=False), candle(1, 9.0, complete=False)], TRADES, "1m")
    assert report.promise_kept
    assert (report.incomplete_right, len(report.incomplete_wrong)) == (1, 1)
    assert [true.open_time for true in report.missing] == [2 * MINUTE]


def test_compare_when_a_candle_has_no_truth_then_is_extra() -> None:
    """A complete candle of an interval without a trade breaks the promise too."""
    assert len(compare([candle(7, 1.0, complete=False)], TRADES, "1m").extra) == 1
    report = compare([candle(7, 1.0)], TRADES, "1m")
    assert len(report.extra) == 1
    assert not report.promise_kept


def test_compare_when_revised_then_the_last_one_counts() -> None:
    """The first was wrong and complete: that is remembered as retracted, and the last is right."""
    report = compare([candle(1, 9.0), candle(1, 2.0, revision=1)], TRADES, "1m")
    assert report.promise_kept
    assert (report.complete_right, report.revisions, len(report.retracted), report.out_of_order) == (1, 1, 1, [])


@pytest.mark.parametrize("revisions", [(1,), (0, 2), (0, 0), (0, 1, 1)])
def test_compare_when_revisions_do_not_follow_each_other_then_says_so(revisions: tuple[int, ...]) -> None:
    """They count from 0, by one."""
    assert compare([candle(1, 2.0, revision=revision) for revision in revisions], TRADES, "1m").out_of_order


def test_compare_when_unclosed_then_is_not_judged() -> None:
    """Updates on the way are no candles yet; an interval that was never closed is counted."""
    updates = [candle(0, 9.0, closed=False, complete=False), candle(0, 1.0), candle(1, 9.0, closed=False)]
    report = compare(updates, TRADES, "1m")
    assert (report.complete_right, report.unclosed, report.revisions) == (1, 1, 0)
    assert [true.open_time for true in report.missing] == [2 * MINUTE]


def test_compare_when_other_timeframes_are_among_them_then_leaves_them_out() -> None:
    """The output of resample can be judged a timeframe at a time."""
    five = OHLCCandle(
        symbol="BTC/USD", timeframe=Timeframe("5m"), open_time=0, open=1, high=1, low=1, close=1, complete=True
    )
    report = compare([five, candle(0, 1.0)], TRADES, "1m")
    assert (report.complete, report.extra) == (1, [])


def test_compare_when_given_a_range_then_looks_only_there() -> None:
    """Both ends are inclusive for whole intervals."""
    report = compare([candle(0, 9.0), candle(2, 9.0)], TRADES, "1m", start=MINUTE, until=2 * MINUTE)
    assert (report.complete, [true.open_time for true in report.missing]) == (0, [MINUTE])


def test_compare_when_flat_candles_are_asked_for_then_they_are_expected() -> None:
    """The convention of the chain is that of the truth."""
    report = compare([], [tick(0, 1.0), tick(185, 2.0)], "1m", fill="flat")
    assert len(report.missing) == 4


def test_compare_when_the_truth_names_exchanges_then_they_count() -> None:
    """A candle of another exchange is another candle; made-up trades without a name match any."""
    named = [tick(0, 1.0, exchange="kraken")]
    assert compare([candle(0, 1.0, exchange="kraken")], named, "1m").complete_right == 1
    assert len(compare([candle(0, 1.0, exchange="binance")], named, "1m").extra) == 1
    assert compare([candle(0, 1.0, exchange="kraken")], TRADES, "1m").complete_right == 1
