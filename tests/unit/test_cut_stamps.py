"""A venue whose REST API cuts stamps to whole seconds: what is proven, and in which order all goes out."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

import pytest
from line_bench import T0, A, B, Bench, PlainVenue, trade
from msgspec.structs import replace
from recovery_bench import acknowledged, answer, candles_of, closed, ids, running, stamps, streaming

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.recovery.cut_stamps import place_cut_trades
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.sources.venue import Channel
from rxstreams.timeframe import Timeframe


class CutVenue(PlainVenue):
    """Its REST API writes whole seconds."""

    rest_resolution: ClassVar[int] = SECOND


def cut(*trades: PriceTick) -> list[PriceTick]:
    """Return trades as REST has them."""
    return [replace(tick, timestamp=tick.timestamp // SECOND * SECOND) for tick in trades]


def at_price(tick: PriceTick, price: float) -> PriceTick:
    """Return the trade at another price."""
    return replace(tick, price=price)


def prices(candles: list[OHLCCandle]) -> list[tuple[float, float, bool]]:
    """Return open, close and completeness of the closed candles of A."""
    return [(c.open, c.close, c.complete) for c in candles if c.closed and c.symbol == A]


def test_quiet_symbol_when_its_first_live_trade_is_fetched_with_a_cut_stamp_then_its_gap_is_closed() -> None:
    """By the stamp that REST has it would lie before itself; the venue's next trade may come after hours."""
    bench = streaming(CutVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.6, 3))
    answer(bench, A, *cut(trade(A, 1, 1), trade(A, 30.5, 2), trade(A, 71.6, 3)))
    assert ids(bench) == [1, 2, 3]
    assert stamps(bench) == [1, 30, 71.6]
    assert {tick.since for tick in bench.ticks} == {T0 + 1}


def test_gap_when_only_a_trade_before_the_first_live_one_is_held_and_fetched_then_is_not_closed() -> None:
    """One of a stamp before it proves nothing of what came between."""
    bench = streaming(CutVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.6, 4), trade(A, 71.2, 2))
    answer(bench, A, *cut(trade(A, 1, 1), trade(A, 71.2, 2)))
    assert ids(bench) == [1]
    bench.wait(2.6)
    answer(bench, A, *cut(trade(A, 1, 1), trade(A, 71.2, 2), trade(A, 71.5, 3), trade(A, 71.6, 4)))
    assert ids(bench) == [1, 2, 3, 4]


def test_recovered_trades_when_they_share_a_second_with_live_ones_then_open_and_close_are_true() -> None:
    """The first minute closes with a missed trade, the second one opens with one."""
    bench = Bench(CutVenue(), recovers=True)
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, at=-1))
    bench.push(at_price(trade(A, 58.4, 1), 1.0), at_price(trade(A, 59.3, 2), 2.0), trade(B, 59.4, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=60.4))
    missed = [at_price(trade(A, 59.6, 3), 3.0), at_price(trade(A, 60.2, 4), 4.0), at_price(trade(A, 60.3, 5), 5.0)]
    live = [at_price(trade(A, 60.5, 6), 6.0), at_price(trade(A, 60.7, 7), 7.0)]
    bench.push(*live)
    answer(bench, A, *cut(trade(A, 58.4, 1), trade(A, 59.3, 2), *missed, *live))
    bench.wait(5.1)
    answer(bench, B)
    bench.push(at_price(trade(A, 130, 8), 8.0))
    assert ids(bench) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert stamps(bench) == [58.4, 59.3, 59.3, 60, 60, 60.5, 60.7, 130]
    assert prices(candles) == [(1.0, 3.0, True), (4.0, 7.0, True)]


def test_gap_when_its_beginning_lies_within_a_second_then_all_of_that_second_is_fetched() -> None:
    """What came just after the beginning is stamped before it; what came before is known."""
    bench = streaming(CutVenue())
    bench.push(trade(A, 10.2, 2), trade(A, 12.5, 4))  # the living line has swallowed 3
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.5, 5))
    (fetch,) = running(bench)
    assert fetch.since == T0 + 10 * SECOND  # not 10.5, 2 s of disorder before the newest
    answer(bench, A, *cut(trade(A, 10.2, 2), trade(A, 10.7, 3), trade(A, 12.5, 4), trade(A, 71.5, 5)))
    assert ids(bench) == [1, 2, 4, 3, 5]
    assert stamps(bench) == [1, 10.2, 12.5, 10.2, 71.5]


def test_coverage_when_it_begins_within_a_second_then_a_trade_fetched_of_before_does_not_come() -> None:
    """It would be late, and no candle could count it as proven."""
    bench = Bench(CutVenue(), recovers=True)
    candles = candles_of(bench, opens="previous_close")
    bench.push(acknowledged(A, B, at=59.7))
    bench.push(trade(A, 60.5, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=62))
    bench.push(trade(A, 63.5, 2))
    (fetch,) = running(bench)
    assert fetch.since == T0 + 59 * SECOND
    answer(bench, A, *cut(trade(A, 59.2, 0), trade(A, 60.5, 1), trade(A, 63.5, 2)))
    bench.wait(5.1)
    answer(bench, B)
    bench.push(trade(A, 130, 3))
    assert [tick.since for tick in bench.ticks] == [bench.ticks[0].since] * len(bench.ticks)
    assert bench.ticks[0].since == T0 + 59_700_000_001
    assert ids(bench) == [1, 2, 3]  # 1 follows 0 and was delivered: so would have been 0
    assert closed(candles)[-1][2] is False  # its open hangs on a trade of before the coverage


def test_coverage_when_a_quiet_symbol_s_begins_within_a_second_then_a_trade_fetched_of_that_second_comes() -> None:
    """It may have been missed; no candle counts it as proven, for it may be of before as well."""
    bench = Bench(CutVenue(), recovers=True)
    candles = candles_of(bench, opens="previous_close")
    bench.push(acknowledged(A, B, at=59.3))
    bench.push(trade(B, 59.9, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=62))
    bench.push(trade(A, 63.5, 2))
    answer(bench, A, *cut(trade(A, 59.8, 1), trade(A, 63.5, 2)))
    bench.wait(5.1)
    answer(bench, B)
    bench.push(trade(A, 130, 3))
    assert ids(bench) == [1, 2, 3]
    assert closed(candles) == [(0, 1, False), (1, 1, False)]


def test_missed_trade_when_the_line_came_back_in_the_middle_of_its_second_then_is_not_left_to_the_line() -> None:
    """Whether it came before or after the return, its stamp does not say: it goes out, and once."""
    bench = streaming(CutVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70.4))
    bench.wait(5.1)
    published = [trade(A, 70.2, 2), trade(A, 70.6, 3)]  # the line brings 3 in a moment
    answer(bench, A, *cut(trade(A, 1, 1), *published))
    assert ids(bench) == [1, 2, 3]
    bench.push(trade(A, 70.6, 3), trade(A, 70.7, 4))
    assert ids(bench) == [1, 2, 3, 4]
    assert stamps(bench) == sorted(stamps(bench))
    assert max(tick.timestamp for tick in bench.ticks[:-1]) <= T0 + 70.4 * SECOND  # no clock ahead of the line


def test_fetched_trades_when_their_second_lies_after_all_that_came_then_are_left_to_the_line() -> None:
    """As with exact stamps."""
    bench = streaming(CutVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.2, 2))
    answer(bench, A, *cut(trade(A, 1, 1), trade(A, 71.2, 2), trade(A, 72.1, 3), trade(A, 73, 4)))
    assert ids(bench) == [1, 2]
    bench.push(trade(A, 72.1, 3), trade(A, 73, 4))
    assert ids(bench) == [1, 2, 3, 4]


def test_missed_trade_when_its_cut_stamp_is_as_old_as_what_was_forgotten_then_is_not_taken_for_known() -> None:
    """Two thousand trades within its second: it is the next one after them."""
    bench = streaming(CutVenue())
    busy = [trade(A, 10 + number / 10_000, number + 2) for number in range(2500)]
    bench.push(*busy)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 2503))
    answer(bench, A, *cut(trade(A, 1, 1), *busy, trade(A, 10.9, 2502), trade(A, 71, 2503)))
    assert ids(bench) == list(range(1, 2504))


def test_fetch_when_it_failed_halfway_then_goes_on_at_a_whole_second() -> None:
    """What is kept ends where the next one begins."""
    bench = streaming(CutVenue(), settle=0.5)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.4, 6))
    (fetch,) = running(bench)
    for tick in cut(trade(A, 1, 1), trade(A, 30.2, 2), trade(A, 37.3, 3), trade(A, 37.8, 4), trade(A, 40.6, 5)):
        fetch.observer.on_next(tick)
    fetch.fail(ConnectionError("broke"))
    bench.wait(1)
    (fetch,) = running(bench)
    assert fetch.since == T0 + 37 * SECOND
    answer(bench, A, *cut(trade(A, 37.3, 3), trade(A, 37.8, 4), trade(A, 40.6, 5), trade(A, 71.4, 6)))
    assert ids(bench) == [1, 2, 3, 4, 5, 6]


def test_history_when_it_is_fetched_with_cut_stamps_then_the_running_minute_is_complete_and_true() -> None:
    """Its own second is shared by a missed trade before the first live one."""
    bench = Bench(CutVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    candles = candles_of(bench)
    bench.push(acknowledged(A, B))
    live = [at_price(trade(A, 75.4, 3), 3.0), at_price(trade(A, 75.6, 4), 4.0)]
    bench.push(*live)
    (fetch,) = running(bench)
    assert fetch.since == T0 + 60 * SECOND
    past = [at_price(trade(A, 60.3, 1), 1.0), at_price(trade(A, 75.2, 2), 2.0)]
    answer(bench, A, *cut(*past, *live))
    bench.push(at_price(trade(A, 130, 5), 5.0))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert prices(candles) == [(1.0, 4.0, True)]


def test_stamps_when_they_are_exact_then_are_not_touched() -> None:
    """A venue that does not cut keeps what REST says, and asks from the very nanosecond."""
    bench = streaming(PlainVenue())
    bench.push(trade(A, 12.5, 2))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71.5, 5))
    (fetch,) = running(bench)
    assert fetch.since == T0 + 10_500_000_000
    answer(bench, A, trade(A, 12.5, 2), trade(A, 12.25, 3), trade(A, 71, 4), trade(A, 71.5, 5))
    assert stamps(bench) == [1, 12.5, 12.25, 71, 71.5]


def test_placing_when_a_trade_came_live_too_then_it_has_that_stamp_and_lifts_those_after_it_in_its_second() -> None:
    """Never over the end of a second, and never back."""
    fetched = cut(*(trade(A, at, number) for number, at in enumerate((5.1, 5.4, 5.5, 5.9, 6.2, 7.7, 7.8, 8.9, 9.1))))
    delivered: dict[Hashable, int] = {1: T0 + 5_400_000_000, 3: T0 + 5_300_000_000}
    held = [trade(A, 7.7, 5), trade(A, 10, 7)]
    placed = place_cut_trades(fetched, SECOND, since=T0, delivered=delivered, held=held)
    assert [(tick.timestamp - T0) / SECOND for tick in placed] == [5, 5.4, 5.4, 5.3, 6, 7.7, 7.7, 10, 9]


@pytest.mark.parametrize(("resolution", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_plan_when_the_resolution_is_no_number_of_nanoseconds_then_raises(
    resolution: int, error: type[Exception]
) -> None:
    """Checked where all options are."""
    with pytest.raises(error, match="resolution"):
        RecoveryPlan(max_gap=1, max_hold=1, max_held=1, settle=1, disorder=1, contiguous=False, resolution=resolution)
