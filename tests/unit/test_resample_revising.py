"""``resample``: children that come again, late or out of order."""

from __future__ import annotations

import logging

import pytest
import reactivex
from candle_making import arriving, child, run, show, trade
from reactivex import compose

from rxstreams.candles import CandleResampler
from rxstreams.items import OHLCCandle
from rxstreams.operators import resample, to_ohlc
from rxstreams.timeframe import Timeframe


def test_child_when_it_is_revised_after_its_candle_closed_then_that_goes_out_again() -> None:
    """Added up from all children: a high that is gone is gone."""
    arrivals = arriving(
        child(300, "5 6 4 5", volume=1),
        child(360, "5 99 5 7", volume=2),
        child(540, "7 8 6 6", volume=4),
        child(360, "5 7 5 7", volume=3, revision=1),
        child(300, "3 6 3 5", volume=1, revision=1),
        child(540, "7 8 2 2", volume=4, revision=1),
        child(600, "2"),
        child(540, "7 8 2 4", volume=4, revision=2),
    )
    assert run(resample(5), arrivals) == [
        (212, "A 5m 300: 5 99 4 6 v7 n3 complete"),
        (213, "A 5m 300: 5 8 4 6 v8 n3 complete r1"),
        (214, "A 5m 300: 3 8 3 6 v8 n3 complete r2"),
        (215, "A 5m 300: 3 8 2 2 v8 n3 complete r3"),
        (217, "A 5m 300: 3 8 2 4 v8 n3 complete r4"),
    ]


def test_child_when_it_is_revised_before_its_candle_closes_then_nothing_is_sent_for_it() -> None:
    """The open candle counts it anew; with updates it is shown as it is."""
    arrivals = arriving(
        child(300, "5 6 4 5"), child(360, "5 99 5 7"), child(360, "5 7 5 7", revision=1), child(300, "5", revision=1)
    )
    assert run(resample(5), arrivals) == []
    assert run(resample(5, emit="updates"), arrivals)[2:] == [
        (212, "A 5m 300: 5 7 4 7 v2 n2 open"),
        (213, "A 5m 300: 5 7 5 7 v2 n2 open"),
    ]


def test_child_when_its_revision_changes_nothing_then_its_candle_stays_silent() -> None:
    """It would say nothing new; a revision that makes it complete does."""
    arrivals = arriving(
        child(300, "1", complete=False),
        child(540, "2", complete=False),
        child(540, "2", complete=False, revision=1),
        child(540, "2", revision=2),
        child(300, "1", revision=1),
    )
    assert run(resample(5), arrivals) == [
        (211, "A 5m 300: 1 2 1 2 v2 n2 closed"),
        (214, "A 5m 300: 1 2 1 2 v2 n2 complete r1"),
    ]


def test_children_when_they_come_out_of_order_then_open_and_close_go_by_their_time() -> None:
    """Those of the open candle are inserted where they belong."""
    arrivals = arriving(child(420, "4"), child(300, "1"), child(360, "9"), child(480, "5"), child(540, "6"))
    assert run(resample(5), arrivals) == [(214, "A 5m 300: 1 9 1 6 v5 n5 complete")]


def test_child_when_a_skipped_interval_gets_one_late_then_its_closed_candle_goes_out_again() -> None:
    """A new child of a closed candle, in the middle or as its last."""
    arrivals = arriving(
        child(300, "1"), child(420, "2"), child(660, "3"), child(360, "9"), child(540, "5", complete=False)
    )
    assert run(resample(5), arrivals) == [
        (212, "A 5m 300: 1 2 1 2 v2 n2 complete"),
        (213, "A 5m 300: 1 9 1 2 v3 n3 complete r1"),
        (214, "A 5m 300: 1 9 1 5 v4 n4 closed r2"),
    ]


@pytest.mark.parametrize(("since", "state"), [(300, "complete"), (301, "closed")])
def test_child_when_a_skipped_candle_gets_one_late_then_that_goes_out_for_the_first_time(
    since: float, state: str
) -> None:
    """Out of order, with revision 0; the coverage of the later children must reach back to it."""
    arrivals = arriving(child(240, "1"), child(660, "3", since=since), child(360, "2"), child(420, "4"))
    assert run(resample(5), arrivals) == [
        (210, "A 5m 0: 1 1 1 1 v1 n1 closed"),
        (212, f"A 5m 300: 2 2 2 2 v1 n1 {state}"),
        (213, f"A 5m 300: 2 4 2 4 v2 n2 {state} r1"),
    ]


def test_child_when_its_skipped_candle_is_long_ago_then_it_counts_if_none_was_closed_since() -> None:
    """What is later than the last closed candle is never too old."""
    arrivals = arriving(child(240, "1"), child(660, "3"), child(780, "4"), child(360, "2"))
    assert run(resample(5), arrivals)[-1] == (213, "A 5m 300: 2 2 2 2 v1 n1 complete")


def test_child_when_it_is_older_than_the_last_closed_candle_then_it_is_dropped_and_counted() -> None:
    """Nothing else is touched by it."""
    got: list[OHLCCandle] = []
    resampler = CandleResampler(5, on_candle=got.append)
    for each in (child(240, "1"), child(540, "2"), child(840, "3"), child(480, "9"), child(240, "9")):
        resampler.add(each)
    assert [show(c) for c in got] == [
        "A 5m 0: 1 1 1 1 v1 n1 closed",
        "A 5m 300: 2 2 2 2 v1 n1 complete",
        "A 5m 600: 3 3 3 3 v1 n1 complete",
    ]
    assert resampler.late == 2


def test_child_when_short_candles_are_built_then_all_within_ten_seconds_can_be_corrected() -> None:
    """As to_ohlc corrects seconds for 10 s, so do the two seconds that are built from them."""
    children = [child(60 + number, str(number), timeframe="1s") for number in range(14)]
    corrected = child(63, "50", timeframe="1s", revision=1)
    messages = run(resample("2s"), arriving(*children[:13], corrected, children[13], corrected))
    assert (223, "A 2s 62: 2 50 2 50 v2 n2 complete r1") in messages
    later = [child(60 + number, str(number), timeframe="1s") for number in (14, 15)]
    messages = run(resample("2s"), arriving(*children, *later, corrected))
    assert messages[-1] == (225, "A 2s 74: 14 15 14 15 v2 n2 complete")


def test_revision_when_several_timeframes_hang_on_it_then_all_of_them_follow_in_ascending_order() -> None:
    """Each with a revision of its own."""
    arrivals = arriving(child(1440, "1"), child(1740, "2"), child(1740, "7", revision=1))
    assert run(resample(5, 10, 30), arrivals) == [
        (210, "A 5m 1200: 1 1 1 1 v1 n1 complete"),
        (211, "A 5m 1500: 2 2 2 2 v1 n1 complete"),
        (211, "A 10m 1200: 1 2 1 2 v2 n2 complete"),
        (211, "A 30m 0: 1 2 1 2 v2 n2 closed"),
        (212, "A 5m 1500: 7 7 7 7 v1 n1 complete r1"),
        (212, "A 10m 1200: 1 7 1 7 v2 n2 complete r1"),
        (212, "A 30m 0: 1 7 1 7 v2 n2 closed r1"),
    ]


def test_revision_when_the_long_candle_is_open_then_it_counts_it() -> None:
    """The hour goes out with the corrected five minutes."""
    arrivals = arriving(
        child(3600, "5"), child(3840, "6"), child(3900, "7"), child(3600, "1", revision=1), child(7140, "9")
    )
    assert run(resample(5, 60), arrivals) == [
        (211, "A 5m 3600: 5 6 5 6 v2 n2 complete"),
        (213, "A 5m 3600: 1 6 1 6 v2 n2 complete r1"),
        (214, "A 5m 3900: 7 7 7 7 v1 n1 complete"),
        (214, "A 5m 6900: 9 9 9 9 v1 n1 complete"),
        (214, "A 1h 3600: 1 9 1 9 v4 n4 complete"),
    ]


def test_late_trades_when_they_go_through_both_operators_then_the_last_revisions_are_true() -> None:
    """A trade for a minute that was closed, and one for a minute that was skipped."""
    ticks = [trade(300, 5), trade(370, 6), trade(550, 7), trade(610, 8), trade(599, 1), trade(540, 9), trade(660, 8)]
    messages = run(compose(to_ohlc(1), resample(5)), arriving(*ticks))
    assert messages == [
        (213, "A 5m 300: 5 7 5 7 v3 n3 complete"),
        (214, "A 5m 300: 5 7 1 1 v4 n4 complete r1"),
        (215, "A 5m 300: 5 9 1 1 v5 n5 complete r2"),
    ]


def test_refuted_child_when_it_comes_again_incomplete_then_its_candle_does_too() -> None:
    """What to_ohlc takes back after a loss on the same span is taken back in every timeframe."""
    ticks = [trade(420, 5), trade(603, 1, "B"), trade(604, 1, "B"), trade(670, 1, "B"), trade(730, 1, "B")]
    messages = run(compose(to_ohlc(1), resample(5)), arriving(*ticks, trade(731, 6, since=730)))
    assert [each for each in messages if each[1].startswith("A")] == [
        (214, "A 5m 300: 5 5 5 5 v1 n1 complete"),
        (215, "A 5m 300: 5 5 5 5 v1 n1 closed r1"),
    ]


def test_month_when_it_is_built_from_minutes_then_an_old_child_can_still_be_corrected() -> None:
    """All children of the open candle are kept, in 73 bytes each."""
    got: list[OHLCCandle] = []
    start = 1_740_787_200  # 2025-03-01, UTC
    resampler = CandleResampler(Timeframe("1M"), on_candle=got.append)
    for minute in range(0, 31 * 1440, 10):
        resampler.add(child(start + minute * 60, "5", timeframe=10, since=start))
    resampler.add(child(start + 600, "5 9 5 5", timeframe=10, revision=1, since=start))
    assert [show(c).partition(": ")[2] for c in got] == [
        "5 5 5 5 v4464 n4464 complete",
        "5 9 5 5 v4464 n4464 complete r1",
    ]


@pytest.mark.parametrize("index", [0, 1, 63, 64, 65, 127, 128, 150, 198, 199])
@pytest.mark.parametrize("is_new", [False, True])
def test_child_when_it_is_any_of_many_then_the_sum_is_that_of_all(index: int, is_new: bool) -> None:
    """Corrected or inserted, before and after more have come: as if all had come in order."""
    children = [child(14_400 + 60 * n, f"{n % 17 + 1} 40 {n % 5 / 8 + 0.25} {n % 11 + 1}") for n in range(200)]
    corrected = child(14_400 + 60 * index, "7 90 0.125 8", volume=5.0, trades=3, revision=0 if is_new else 1)
    first = [each for n, each in enumerate(children) if not (is_new and n == index)]
    rest = [child(14_400 + 60 * n, "3") for n in range(200, 240)]
    expected: list[OHLCCandle] = []
    got: list[OHLCCandle] = []
    in_order = [corrected if n == index else each for n, each in enumerate(children)]
    reactivex.from_iterable([*in_order, *rest]).pipe(resample(240)).subscribe(expected.append)
    reactivex.from_iterable([*first, corrected, *rest]).pipe(resample(240)).subscribe(got.append)
    assert len(got) == 1
    assert got == expected
    late: list[OHLCCandle] = []
    reactivex.from_iterable([*first, *rest, corrected]).pipe(resample(240)).subscribe(late.append)
    assert late[-1].revision == 1
    assert show(late[-1]) == show(expected[0]) + " r1"


def test_subscription_when_candles_were_dropped_then_its_end_says_how_many(caplog: pytest.LogCaptureFixture) -> None:
    """Once; and nothing where nothing was."""
    children = [child(240, "1"), child(540, "2"), child(840, "3"), child(240, "9")]
    reactivex.from_iterable(children).pipe(resample(5)).subscribe()
    assert caplog.messages == ["1 candles were too old to be counted in longer ones"]
    assert caplog.records[0].levelno == logging.WARNING
    caplog.clear()
    reactivex.from_iterable(children[:3]).pipe(resample(5)).subscribe()
    assert caplog.messages == []
