"""Gaps after which a candle that misses a trade, or has one twice, could still look complete."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from line_bench import A, B, Bench, PlainVenue, SilentVenue, trade
from recovery_bench import (
    C,
    CountedVenue,
    acknowledged,
    answer,
    begin,
    candles_of,
    closed,
    ids,
    running,
    sinces,
    stamps,
    streaming,
)

from rxstreams.errors import ConnectionLost, MessageError
from rxstreams.items import OHLCCandle
from rxstreams.sources.venue import Channel
from rxstreams.timeframe import Timeframe

HISTORY = Channel("trades", running=Timeframe("1m"))


class SilentCountedVenue(SilentVenue):
    """Its ids count every trade; it acknowledges nothing."""

    contiguous_ids: ClassVar[bool] = True


def watched(venue: PlainVenue | None = None, *, at: float = 0, **options: Any) -> tuple[Bench, list[OHLCCandle]]:
    """Return a feed that has sent a trade of A at 1 s and one of B at 2 s, and the candles that come of it."""
    bench = Bench(venue or PlainVenue(), recovers=True, **options)
    candles = candles_of(bench)
    begin(bench, at)
    return bench, candles


def test_lost_jump_when_stamps_step_back_then_the_coverage_begins_after_the_disorder() -> None:
    """The missing trade may be stamped later than the one that shows it: here it belongs to the next candle."""
    bench = Bench(CountedVenue())
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, at=-61))
    bench.push(trade(A, 10, 1), trade(A, 59.9, 3))  # 2 is stamped 60.5
    bench.push(trade(A, 70, 4), trade(A, 125, 5), trade(B, 130, 1))
    assert sinces(bench) == [-61, 61.9, 61.9, 61.9]
    assert closed(candles) == [(0, 2, False), (1, 1, False)]


def test_held_trades_when_their_ids_jump_then_a_settled_fetch_made_before_is_not_enough() -> None:
    """It excuses what is missing before the first of them, not what is missing after it."""
    bench, candles = watched(CountedVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.wait(5.1)
    bench.push(trade(A, 75.1, 4), trade(A, 75.5, 7))  # 5 and 6 are swallowed by the living line
    published = [trade(A, 30, 2), trade(A, 60.5, 3), trade(A, 75.1, 4)]
    answer(bench, A, *published)
    assert ids(bench) == [1]
    bench.wait(3.0)
    answer(bench, A, *published, trade(A, 75.2, 5), trade(A, 75.3, 6), trade(A, 75.5, 7))
    answer(bench, B)
    bench.push(trade(A, 130, 8))
    assert ids(bench) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert closed(candles)[-1] == (1, 5, True)


def test_held_trades_when_their_ids_jump_while_history_is_fetched_then_it_is_fetched_again() -> None:
    """No trade is known before them from which their ids could be counted."""
    bench = Bench(CountedVenue(), HISTORY, recovers=True)
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, at=5))
    bench.push(trade(A, 6, 5), trade(A, 6.5, 8))
    published = [trade(A, 1, 4), trade(A, 6, 5)]
    answer(bench, A, *published)
    assert ids(bench) == []
    bench.wait(3.0)
    answer(bench, A, *published, trade(A, 6.1, 6), trade(A, 6.2, 7), trade(A, 6.5, 8))
    bench.push(trade(A, 65, 9))
    assert ids(bench) == [4, 5, 6, 7, 8, 9]
    assert closed(candles) == [(0, 5, True)]


def test_symbol_when_removed_and_added_again_then_its_history_is_not_fetched_again() -> None:
    """It was sent before: each trade would count twice."""
    bench = Bench(PlainVenue(), HISTORY, recovers=True)
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, at=1))
    bench.push(trade(A, 2, 2))
    answer(bench, A, trade(A, 0.5, 1), trade(A, 2, 2))
    bench.push(trade(A, 10, 3))
    bench.feed.remove([A])
    bench.feed.add([A])
    bench.push(acknowledged(A, at=20))
    bench.push(trade(A, 21, 4), trade(A, 65, 5))
    assert running(bench) == []
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert sinces(bench) == [0, 0, 0, 20, 20]
    assert closed(candles) == [(0, 4, False)]


def test_symbol_when_it_was_the_only_one_and_is_added_again_then_its_history_is_not_fetched_again() -> None:
    """Its line ended with it; another one knows nothing of what that has sent."""
    bench = Bench(PlainVenue(), HISTORY, recovers=True)
    bench.feed.remove([B])
    bench.push(acknowledged(A, at=1))
    bench.push(trade(A, 2, 2))
    answer(bench, A, trade(A, 0.5, 1), trade(A, 2, 2))
    bench.feed.remove([A])
    bench.feed.add([A])
    bench.push(acknowledged(A, at=20))
    bench.push(trade(A, 21, 4))
    assert ids(bench) == [1, 2, 4]
    assert sinces(bench) == [0, 0, 20]


def ahead() -> Bench:
    """Return a feed of trades without ids, after a gap: the fetch brought a trade at 75 s before the line has."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(A, 1), trade(B, 2))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71), trade(B, 75.5))
    answer(bench, A, trade(A, 1), trade(A, 71), trade(A, 75))
    answer(bench, B, trade(B, 2), trade(B, 75.5))
    assert stamps(bench) == [1, 71, 75]
    return bench


def test_trade_without_id_when_fetched_before_the_line_brings_it_then_is_sent_once() -> None:
    """The line may be so far, by another symbol's stamp; the next one like it is another trade."""
    bench = ahead()
    bench.push(trade(A, 75), trade(A, 75), trade(A, 130))
    assert stamps(bench) == [1, 71, 75, 75, 130]
    assert bench.feed.stats.duplicates == 1


def test_trade_without_id_when_a_bad_frame_comes_before_the_line_brings_it_then_is_sent_once() -> None:
    """It is the same connection."""
    bench = ahead()
    bench.push(MessageError("not understood"))
    bench.push(trade(A, 75), trade(A, 78))
    answer(bench, A, trade(A, 71), trade(A, 75), trade(A, 78))
    assert stamps(bench) == [1, 71, 75, 78]


def test_trade_without_id_when_the_line_breaks_before_it_brings_it_then_another_like_it_is_sent() -> None:
    """The next connection does not bring what was published before it."""
    bench = ahead()
    bench.lose(2.0)
    bench.push(acknowledged(A, B, at=74))
    bench.push(trade(A, 75))
    bench.wait(11.0)
    assert stamps(bench) == [1, 71, 75, 75]


def test_bad_frame_when_the_line_is_quiet_then_the_trade_that_was_in_it_is_sent() -> None:
    """It is stamped later than all that came before: nobody else brings it."""
    bench, candles = watched(at=-1)
    bench.push(MessageError("held a trade of A at 5 s"))
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 5, 2))
    answer(bench, B, trade(B, 2, 1))
    bench.push(trade(B, 8, 2), trade(A, 65, 3))
    assert ids(bench) == [1, 2, 3]
    assert closed(candles)[0] == (0, 2, True)


def test_jump_when_it_shows_after_a_quiet_gap_and_is_lost_then_what_others_have_closed_is_taken_back() -> None:
    """The living line swallowed it, B closed the candle, the line broke, and REST knew nothing."""
    bench, candles = watched(CountedVenue(), at=-1)
    bench.push(trade(B, 65, 2))  # 2 and 3 of A, at 30 s, are swallowed
    assert closed(candles) == [(0, 1, True)]
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1))
    answer(bench, B, trade(B, 65, 2))
    bench.push(trade(A, 80, 4))
    bench.wait(30.0)
    assert ids(bench) == [1, 4]
    assert closed(candles) == [(0, 1, False)]


def test_swallowed_trades_when_the_line_breaks_afterwards_then_they_are_fetched_with_the_gap() -> None:
    """A gap begins at its symbol's own last trade; the candle that was closed without them is corrected."""
    bench, candles = watched(CountedVenue(), at=-1)
    bench.push(trade(B, 65, 2))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2), trade(A, 31, 3), trade(A, 71, 4))
    assert ids(bench) == [1, 2, 3, 4]
    assert closed(candles) == [(0, 3, True)]


@pytest.mark.parametrize("is_broken_off", [False, True])
def test_lost_jump_when_another_symbol_was_removed_before_then_what_others_have_closed_is_taken_back(
    is_broken_off: bool,
) -> None:
    """Also on the run that the removal ended."""
    bench = Bench(CountedVenue(), recovers=True)
    bench.feed.add([C])
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, C, at=-1))
    bench.push(trade(A, 10, 1), trade(B, 20, 1), trade(C, 20, 1), trade(B, 65, 2))
    assert closed(candles) == [(0, 1, True)]
    if is_broken_off:
        bench.feed.remove([C])
    bench.push(trade(A, 70, 4))  # 2 and 3 of A, at 30 s, are nowhere
    bench.wait(11.0)
    assert sinces(bench) == [-1, 72]
    assert closed(candles) == [(0, 1, False)]


def test_lost_jump_when_the_line_broke_meanwhile_then_what_others_have_closed_is_taken_back() -> None:
    """The gap is a longer one then, and it is lost all the same."""
    bench, candles = watched(CountedVenue(), at=-1)
    bench.push(trade(B, 65, 2), trade(A, 66, 4))
    bench.lose(2.0)
    bench.push(acknowledged(A, B, at=69))
    bench.wait(30.0)
    assert ids(bench) == [1, 4]
    assert closed(candles) == [(0, 1, False)]


@pytest.mark.parametrize(("is_recovered", "first"), [(False, (1, False)), (True, (3, True))])
def test_jump_when_flat_candles_were_filled_in_since_then_none_of_them_lies(
    is_recovered: bool, first: tuple[int, bool]
) -> None:
    """Ten quiet minutes, each closed by another symbol."""
    bench = Bench(CountedVenue(), recovers=True)
    candles = candles_of(bench, fill="flat")
    bench.push(acknowledged(A, B, at=-1))
    bench.push(trade(A, 10, 1), trade(B, 20, 1))
    bench.push(*(trade(B, 60 * minute + 5, minute + 1) for minute in range(1, 11)))
    bench.push(trade(A, 606, 4))
    bench.wait(0.8)
    if is_recovered:
        answer(bench, A, trade(A, 10, 1), trade(A, 30, 2), trade(A, 31, 3), trade(A, 606, 4))
    bench.wait(11.0)
    assert closed(candles) == [(0, *first), *((minute, 0, is_recovered) for minute in range(1, 10))]


def test_gap_when_acknowledged_late_and_without_a_time_then_what_was_published_before_is_sent() -> None:
    """Another symbol's trade that came before the acknowledgement does not tell when that was."""
    bench, candles = watched()
    bench.lose()
    bench.push(acknowledged(B))
    bench.push(trade(B, 71, 2))
    answer(bench, B, trade(B, 2, 1), trade(B, 71, 2))
    bench.push(acknowledged(A))  # at 80
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 75, 2))
    bench.push(trade(A, 130, 3))
    assert ids(bench) == [1, 2, 3]
    assert closed(candles)[-1] == (1, 1, True)


@pytest.mark.parametrize("at", [90.0, None])
def test_late_subscriber_when_trades_were_fetched_before_then_its_coverage_begins_after_them(at: float | None) -> None:
    """They were sent without it, though nothing live has been stamped so late."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=at))
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 70, 2), trade(A, 80, 3))
    answer(bench, B, trade(B, 2, 1))
    assert ids(bench) == [1, 2, 3]
    candles = candles_of(bench)
    bench.push(trade(A, 95, 4), trade(A, 125, 5), trade(A, 185, 6))
    assert closed(candles) == [(1, 1, False), (2, 1, True)]


def test_late_subscriber_when_only_history_was_sent_then_its_coverage_begins_after_it() -> None:
    """Nothing live has come yet."""
    bench = Bench(PlainVenue(), HISTORY, recovers=True)
    bench.push(acknowledged(A, B, at=50))
    bench.wait(5.1)
    answer(bench, A, trade(A, 10, 1), trade(A, 20, 2))
    assert ids(bench) == [1, 2]
    candles = candles_of(bench)
    bench.push(trade(A, 55, 3), trade(A, 65, 4))
    assert closed(candles) == [(0, 1, False)]


def test_gap_when_lost_then_what_was_held_in_an_earlier_run_is_on_a_span_of_its_own() -> None:
    """What followed it there is not known, so nobody's clock may close its candle as complete."""
    bench, candles = watched(max_hold=100.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=58))
    bench.push(trade(A, 71, 4))  # 5, at 100 s, is missed by both
    bench.lose()
    bench.push(acknowledged(A, B, at=140))
    bench.wait(60.0)
    assert ids(bench) == [1, 4]
    bench.push(trade(B, 200, 7))
    bench.wait(1.0)
    answer(bench, B, trade(B, 2, 1), trade(B, 200, 7))
    bench.push(trade(B, 210, 8))
    assert sinces(bench)[-1] == 58
    assert (1, 1, True) not in closed(candles)


def test_jump_when_it_was_held_in_an_earlier_run_then_the_present_coverage_stays() -> None:
    """It would begin before the loss."""
    bench, candles = watched(CountedVenue(), max_hold=100.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=58))
    bench.push(trade(A, 59, 4), trade(A, 59.5, 6))
    bench.lose()
    bench.push(acknowledged(A, B, at=140))
    bench.wait(60.0)
    bench.push(trade(A, 150, 9), trade(A, 185, 10), trade(A, 245, 11))  # 7 and 8 were missed
    bench.wait(120.0)
    assert ids(bench) == [1, 4, 6, 9, 10, 11]
    assert min(sinces(bench)[3:]) >= 140
    assert [candle for candle in closed(candles) if candle[2]] == [(3, 1, True)]


@pytest.mark.parametrize("venue", [CountedVenue, SilentCountedVenue])
def test_jump_when_given_up_while_the_line_is_away_then_the_next_coverage_begins_anew(venue: type[PlainVenue]) -> None:
    """The dead connection's since is not that of the next one."""
    bench = Bench(venue(), recovers=True, max_hold=0.5)
    candles = candles_of(bench)

    def acknowledge(at: float) -> None:
        if venue.acknowledges:
            bench.push(acknowledged(A, B, at=at))

    acknowledge(0)
    bench.push(trade(A, 1, 1), trade(B, 2, 1))
    bench.lose(2.0)
    acknowledge(50)
    bench.push(trade(A, 51, 4), trade(A, 53, 6))
    bench.sockets[-1].on_error(ConnectionLost("broke", uptime=100.0))
    bench.wait(0.9)
    assert ids(bench) == [1, 4, 6]
    bench.wait(1.0)
    bench.push(trade(B, 139, 5))
    acknowledge(140)
    bench.push(trade(A, 141, 9))  # 7 and 8, at 121 and 122 s, were missed
    bench.wait(30.0)
    bench.push(trade(A, 190, 10), trade(A, 245, 11))
    assert ids(bench) == [1, 4, 6, 9, 10, 11]
    assert min(sinces(bench)[-2:]) >= 140
    assert (2, 1, True) not in closed(candles)
