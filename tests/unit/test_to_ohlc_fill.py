"""``to_ohlc``: flat candles for empty intervals, and candles that open at the previous close."""

from __future__ import annotations

import pytest
import reactivex
from candle_making import arriving, run, show, trade

from rxstreams.candles import CandleBuilder
from rxstreams.items import OHLCCandle
from rxstreams.operators import to_ohlc
from rxstreams.timeframe import Timeframe


def test_flat_when_its_own_symbol_jumps_then_the_gap_follows_the_closed_candle() -> None:
    """Closed candle, then one flat candle an interval, at the last close, with nothing in them."""
    arrivals = arriving(trade(60, 1), trade(61, 3), trade(62, 2), trade(245, 7), trade(300, 8))
    assert run(to_ohlc(1, fill="flat"), arrivals) == [
        (213, "A 1m 60: 1 3 1 2 v3 n3 complete"),
        (213, "A 1m 120: 2 2 2 2 v0 n0 complete"),
        (213, "A 1m 180: 2 2 2 2 v0 n0 complete"),
        (214, "A 1m 240: 7 7 7 7 v1 n1 complete"),
    ]


def test_flat_when_its_line_goes_on_then_it_goes_out_as_the_clock_passes() -> None:
    """Each when the line is more than grace past its end, over all symbols by (close_time, first appearance)."""
    arrivals = arriving(
        trade(60, 1, "A"),
        trade(61, 2, "B"),
        trade(185, 5, "C"),
        trade(242, 5, "C"),
        trade(242.5, 5, "C"),
        trade(250, 3, "A"),
        trade(310, 5, "C"),
    )
    assert run(to_ohlc(1, fill="flat"), arrivals) == [
        (212, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "B 1m 60: 2 2 2 2 v1 n1 complete"),
        (212, "A 1m 120: 1 1 1 1 v0 n0 complete"),
        (212, "B 1m 120: 2 2 2 2 v0 n0 complete"),
        (213, "C 1m 180: 5 5 5 5 v1 n1 complete"),
        (214, "A 1m 180: 1 1 1 1 v0 n0 complete"),
        (214, "B 1m 180: 2 2 2 2 v0 n0 complete"),
        (216, "A 1m 240: 3 3 3 3 v1 n1 complete"),
        (216, "B 1m 240: 2 2 2 2 v0 n0 complete"),
        (216, "C 1m 240: 5 5 5 5 v2 n2 complete"),
    ]


def test_flat_when_the_own_jump_and_the_lines_clock_meet_then_they_go_out_in_one_order() -> None:
    """One tick closes its own gap and another symbol's: by (close_time, first appearance), the own without grace."""
    arrivals = arriving(trade(60, 1, "A"), trade(61, 2, "B"), trade(181, 3, "B"))
    assert run(to_ohlc(1, fill="flat"), arrivals) == [
        (212, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "B 1m 60: 2 2 2 2 v1 n1 complete"),
        (212, "B 1m 120: 2 2 2 2 v0 n0 complete"),
    ]


def test_flat_when_the_line_is_replaced_then_only_its_own_trade_fills() -> None:
    """No clock of the old span, no flat candles; and coverage from the previous trade on is what they need."""
    arrivals = arriving(
        trade(60, 1, "A"),
        trade(61, 2, "B", span=2),
        trade(400, 2, "B", span=2),
        trade(250, 5, "A", span=2, since=59),
    )
    assert [each for each in run(to_ohlc(1, fill="flat"), arrivals) if each[1].startswith("A")] == [
        (213, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "A 1m 120: 1 1 1 1 v0 n0 complete"),
        (213, "A 1m 180: 1 1 1 1 v0 n0 complete"),
    ]


@pytest.mark.parametrize(
    ("since", "flat"), [(100, "complete"), (101, "closed"), (119, "closed"), (121, "closed"), (185, "closed")]
)
def test_flat_when_filled_by_its_own_trade_then_coverage_must_reach_the_trade_before(since: float, flat: str) -> None:
    """Its price is that trade's: one that was missed after it would be its true price."""
    arrivals = arriving(trade(60, 1), trade(100, 2), trade(190, 3, since=since))
    messages = run(to_ohlc(1, fill="flat"), arrivals)
    assert messages[1] == (212, f"A 1m 120: 2 2 2 2 v0 n0 {flat}")


@pytest.mark.parametrize(("since", "flat"), [(100, "complete"), (100.5, "closed")])
def test_flat_when_filled_by_the_line_then_the_last_ticks_coverage_must_reach_it(since: float, flat: str) -> None:
    """A tick whose coverage begins after itself vouches for nothing (a stamp past it stands for the disorder)."""
    arrivals = arriving(trade(100, 2, since=since), trade(190, 3, "B"))
    assert run(to_ohlc(1, fill="flat"), arrivals)[1] == (211, f"A 1m 120: 2 2 2 2 v0 n0 {flat}")


def test_flat_when_the_candle_after_it_opens_with_its_first_trade_then_that_needs_no_more() -> None:
    """Only what takes a price from before its interval needs coverage from there on."""
    arrivals = arriving(trade(60, 1), trade(190, 3, since=150), trade(250, 3, since=150))
    assert run(to_ohlc(1, fill="flat"), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 closed"),
        (211, "A 1m 120: 1 1 1 1 v0 n0 closed"),
        (212, "A 1m 180: 3 3 3 3 v1 n1 complete"),
    ]


def test_max_fill_when_a_gap_is_longer_then_the_rest_is_left_out_and_counted() -> None:
    """Per gap, and over the line's clock and the own trade together."""
    got: list[OHLCCandle] = []
    builder = CandleBuilder(1, on_candle=got.append, fill="flat", max_fill=3)
    for tick in (trade(60, 1), trade(250, 9, "B"), trade(600, 2), trade(660, 2), trade(1200, 3)):
        builder.add(tick)
    assert [show(candle) for candle in got if candle.symbol == "A"] == [
        "A 1m 60: 1 1 1 1 v1 n1 complete",
        "A 1m 120: 1 1 1 1 v0 n0 complete",
        "A 1m 180: 1 1 1 1 v0 n0 complete",
        "A 1m 240: 1 1 1 1 v0 n0 complete",  # the third and last: 300 to 540 are left out
        "A 1m 600: 2 2 2 2 v1 n1 complete",
        "A 1m 660: 2 2 2 2 v1 n1 complete",
        "A 1m 720: 2 2 2 2 v0 n0 complete",
        "A 1m 780: 2 2 2 2 v0 n0 complete",
        "A 1m 840: 2 2 2 2 v0 n0 complete",  # 900 to 1140 are left out
    ]
    assert builder.skipped == 10


def test_skipped_when_the_timeframe_is_uneven_then_intervals_are_counted_not_lengths() -> None:
    """A gap over the night when New York's clocks went forward, one day of 23 hours."""
    day = Timeframe("1d", tz="America/New_York")
    builder = CandleBuilder(day, on_candle=lambda _: None, fill="flat", max_fill=1)
    start = day.floor(1_741_400_000_000_000_000) // 1_000_000_000  # Friday 2025-03-07
    builder.add(trade(start, 1))
    builder.add(trade(start + 10 * 86_400, 1))  # nine days between; one is filled
    assert builder.skipped == 8


def test_silence_when_it_is_long_then_the_work_grows_with_the_candles_only() -> None:
    """300 quiet symbols and 300 minutes: 90,000 flat candles, in order; quadratic work would not end in time."""
    times: list[tuple[int, int]] = []
    builder = CandleBuilder(1, on_candle=lambda c: times.append((c.open_time, int(c.symbol))), fill="flat")
    for number in range(300):
        builder.add(trade(60 + number / 10, 1, str(number)))
    builder.add(trade(60 + 300 * 60 + 30, 1, "0"))
    assert len(times) == 300 * 300
    assert times == sorted(times)


def test_previous_close_when_a_candle_opens_then_high_and_low_include_it() -> None:
    """Above and below its trades; and the first candle, which has none before it, opens with its first trade."""
    arrivals = arriving(trade(60, 5), trade(61, 9), trade(120, 7), trade(121, 8), trade(240, 8.5), trade(300, 1))
    assert run(to_ohlc(1, opens="previous_close"), arrivals) == [
        (212, "A 1m 60: 5 9 5 9 v2 n2 closed"),
        (214, "A 1m 120: 9 9 7 8 v2 n2 complete"),
        (215, "A 1m 240: 8 8.5 8 8.5 v1 n1 complete"),
    ]


@pytest.mark.parametrize(("since", "state"), [(100, "complete"), (101, "closed"), (120, "closed")])
def test_previous_close_when_closed_by_its_own_trade_then_coverage_must_reach_the_trade_before(
    since: float, state: str
) -> None:
    """The trade before decides its open; one that was missed after that would have."""
    arrivals = arriving(trade(100, 5), trade(150, 6), trade(180, 7, since=since))
    assert run(to_ohlc(1, opens="previous_close"), arrivals)[1] == (212, f"A 1m 120: 5 6 5 6 v1 n1 {state}")


@pytest.mark.parametrize(("since", "state"), [(100, "complete"), (101, "closed")])
def test_previous_close_when_closed_by_the_line_then_its_last_ticks_coverage_must_reach_it(
    since: float, state: str
) -> None:
    """The same need, by the candle's own last tick."""
    arrivals = arriving(trade(100, 5), trade(150, 6, since=since), trade(183, 7, "B"))
    assert run(to_ohlc(1, opens="previous_close"), arrivals)[1] == (212, f"A 1m 120: 5 6 5 6 v1 n1 {state}")


def test_previous_close_when_intervals_are_filled_then_flat_ones_hand_the_price_on() -> None:
    """Both conventions together, as Bitget has them."""
    arrivals = arriving(trade(60, 5), trade(61, 9), trade(240, 7), trade(300, 8))
    assert run(to_ohlc(1, opens="previous_close", fill="flat"), arrivals) == [
        (212, "A 1m 60: 5 9 5 9 v2 n2 closed"),
        (212, "A 1m 120: 9 9 9 9 v0 n0 complete"),
        (212, "A 1m 180: 9 9 9 9 v0 n0 complete"),
        (213, "A 1m 240: 9 9 7 7 v1 n1 complete"),
    ]


def test_previous_close_when_updates_are_sent_then_they_open_there_too() -> None:
    """The open candle looks as it will when it closes."""
    ticks = [trade(60, 5), trade(125, 7)]
    got: list[str] = []
    chain = to_ohlc(1, opens="previous_close", emit="updates")
    reactivex.from_iterable(ticks).pipe(chain).subscribe(lambda c: got.append(show(c)))
    assert got[-1] == "A 1m 120: 5 7 5 7 v1 n1 open"
