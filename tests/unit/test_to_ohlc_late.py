"""``to_ohlc``: trades for intervals that were closed already."""

from __future__ import annotations

import logging

import pytest
import reactivex
from candle_making import arriving, run, show, trade
from reactivex.subject import Subject

from rxstreams.candles import CandleBuilder
from rxstreams.errors import LateTick
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.timeframe import Timeframe


def test_late_trade_when_its_candle_was_closed_then_it_goes_out_again_with_the_next_revision() -> None:
    """High, low, sums, and by its stamp open or close; the candle keeps its complete."""
    arrivals = arriving(
        trade(70, 5),
        trade(80, 6),
        trade(120, 9),
        trade(75, 8),
        trade(60, 4),
        trade(119, 3),
        trade(80, 7),
        trade(90, 2),
    )
    assert run(to_ohlc(1), arrivals) == [
        (212, "A 1m 60: 5 6 5 6 v2 n2 complete"),
        (213, "A 1m 60: 5 8 5 6 v3 n3 complete r1"),
        (214, "A 1m 60: 4 8 4 6 v4 n4 complete r2"),
        (215, "A 1m 60: 4 8 3 3 v5 n5 complete r3"),
        (216, "A 1m 60: 4 8 3 3 v6 n6 complete r4"),
        (217, "A 1m 60: 4 8 2 3 v7 n7 complete r5"),
    ]


def test_late_trade_when_its_candle_was_incomplete_then_it_stays_so() -> None:
    """One trade that was found does not make up for those that may be missing."""
    arrivals = arriving(trade(70, 5, since=65), trade(120, 9, since=65), trade(75, 8, since=1))
    assert run(to_ohlc(1), arrivals)[-1] == (212, "A 1m 60: 5 8 5 8 v2 n2 closed r1")


def test_late_trade_when_its_candle_goes_out_again_then_span_and_since_stay() -> None:
    """They tell how it was closed; a late trade on a newer line does not change that."""
    got: list[OHLCCandle] = []
    ticks = [trade(70, 5, span=4, since=50), trade(120, 9, span=4, since=50), trade(75, 8, span=5, since=110)]
    reactivex.from_iterable(ticks).pipe(to_ohlc(1)).subscribe(got.append)
    assert [(c.revision, c.complete, c.span, c.since) for c in got[:2]] == [
        (0, True, 4, 50 * SECOND),
        (1, True, 4, 50 * SECOND),
    ]


@pytest.mark.parametrize(("since", "state"), [(120, "complete"), (121, "closed")])
def test_late_trade_when_its_interval_was_skipped_then_a_new_candle_goes_out_of_order(since: float, state: str) -> None:
    """With revision 0, complete if the trade's own coverage reaches back to the interval's start."""
    arrivals = arriving(trade(60, 1), trade(190, 2), trade(130, 3, since=since), trade(140, 4, since=since))
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, f"A 1m 120: 3 3 3 3 v1 n1 {state}"),
        (213, f"A 1m 120: 3 4 3 4 v2 n2 {state} r1"),
    ]


def test_late_trade_when_it_is_before_the_first_candle_then_a_new_candle_goes_out() -> None:
    """The symbol's first tick need not be its oldest."""
    arrivals = arriving(trade(130, 1), trade(70, 2), trade(180, 3))
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 2 2 2 2 v1 n1 complete"),
        (212, "A 1m 120: 1 1 1 1 v1 n1 complete"),
    ]


def test_late_trade_when_the_line_closed_the_candle_then_it_is_late_too() -> None:
    """No candle is open then, and a trade of the next interval is not late."""
    arrivals = arriving(trade(60, 1), trade(130, 9, "B"), trade(119, 2), trade(120, 3), trade(180, 4))
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 60: 1 2 1 2 v2 n2 complete r1"),
        (214, "A 1m 120: 3 3 3 3 v1 n1 complete"),
    ]


@pytest.mark.parametrize(
    ("timeframe", "newest", "stamp", "is_revised"),
    [
        ("1m", 240.0, 119.0, True),  # close_time 120 is exactly two timeframes back
        ("1m", 240.000000001, 119.0, False),
        ("1s", 70.0, 59.5, True),  # close_time 60 is exactly 10 s back
        ("1s", 70.000000001, 59.5, False),
        ("5s", 70.0, 59.5, True),
        ("5s", 70.000000001, 59.5, False),
        ("6s", 72.0, 59.5, True),
        ("6s", 72.000000001, 59.5, False),
    ],
)
def test_late_trade_when_it_is_old_then_the_horizon_decides(
    timeframe: str, newest: float, stamp: float, is_revised: bool
) -> None:
    """Its candle's end must be within the longer of two timeframes and 10 s of the symbol's newest time."""
    late: list[PriceTick] = []
    got: list[OHLCCandle] = []
    builder = CandleBuilder(timeframe, on_candle=got.append, on_late=late.append)
    tick = trade(stamp, 3)
    for each in (trade(stamp - 0.25, 1), trade(newest, 2), tick):
        builder.add(each)
    assert [c.revision for c in got] == ([0, 1] if is_revised else [0])
    assert late == ([] if is_revised else [tick])
    assert builder.late == (0 if is_revised else 1)


def test_late_trade_when_the_newest_time_is_inside_the_open_candle_then_that_counts() -> None:
    """Also where it was reached without anything being sent."""
    late: list[PriceTick] = []
    ticks = [trade(60, 1), trade(200, 1), trade(239, 1), trade(110, 2), trade(239.9, 2), trade(240, 1), trade(241, 1)]
    source = reactivex.from_iterable([*ticks, trade(111, 2)])
    got: list[str] = []
    source.pipe(to_ohlc(1, on_late=late.append)).subscribe(lambda c: got.append(show(c)))
    assert got[:3] == [
        "A 1m 60: 1 1 1 1 v1 n1 complete",
        "A 1m 60: 1 2 1 2 v2 n2 complete r1",
        "A 1m 180: 1 2 1 2 v3 n3 complete",
    ]
    assert late == [trade(111, 2)]


def test_late_trade_when_months_are_built_then_two_of_them_are_kept() -> None:
    """The horizon follows the calendar: 31 + 30 days after the end of April is the end of June."""
    april, may, july = (1_743_465_600, 1_746_057_600, 1_751_328_000)  # the firsts of 2025, UTC
    for newest, revisions in ((july, [0, 1]), (july + 1e-6, [0])):
        got: list[OHLCCandle] = []
        builder = CandleBuilder(Timeframe("1M"), on_candle=got.append)
        for tick in (trade(april, 1), trade(newest, 2), trade(may - 1, 3)):
            builder.add(tick)
        assert [c.revision for c in got] == revisions


def test_late_trade_when_it_changes_the_close_then_flat_candles_follow() -> None:
    """Each that hangs on that price, with its own revision, in ascending order; not those after the next trade."""
    arrivals = arriving(
        trade(60, 1), trade(63.5, 5), trade(64, 6), trade(65, 7), trade(60.5, 2), trade(60.2, 3), trade(60.7, 2)
    )
    assert run(to_ohlc("1s", fill="flat"), arrivals) == [
        (211, "A 1s 60: 1 1 1 1 v1 n1 complete"),
        (211, "A 1s 61: 1 1 1 1 v0 n0 complete"),
        (211, "A 1s 62: 1 1 1 1 v0 n0 complete"),
        (212, "A 1s 63: 5 5 5 5 v1 n1 complete"),
        (213, "A 1s 64: 6 6 6 6 v1 n1 complete"),
        (214, "A 1s 60: 1 2 1 2 v2 n2 complete r1"),
        (214, "A 1s 61: 2 2 2 2 v0 n0 complete r1"),
        (214, "A 1s 62: 2 2 2 2 v0 n0 complete r1"),
        (215, "A 1s 60: 1 3 1 2 v3 n3 complete r2"),  # not the close: nothing follows
        (216, "A 1s 60: 1 3 1 2 v4 n4 complete r3"),  # the close, at the same price: nothing follows
    ]


def test_late_trade_when_its_interval_was_flat_then_it_is_revised_and_those_after_it_follow() -> None:
    """The flat candle becomes one with a trade."""
    arrivals = arriving(trade(60, 1), trade(64, 5), trade(62.5, 3))
    assert run(to_ohlc("1s", fill="flat"), arrivals)[-2:] == [
        (212, "A 1s 62: 3 3 3 3 v1 n1 complete r1"),
        (212, "A 1s 63: 3 3 3 3 v0 n0 complete r1"),
    ]


def test_late_trade_when_the_line_filled_the_gap_then_it_is_corrected_too() -> None:
    """And flat candles to come take the new price."""
    arrivals = arriving(trade(60, 1), trade(194, 9, "B"), trade(70, 2), trade(130, 3), trade(244, 9, "B"))
    assert [each for each in run(to_ohlc(1, fill="flat"), arrivals) if each[1].startswith("A")] == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (211, "A 1m 120: 1 1 1 1 v0 n0 complete"),
        (212, "A 1m 60: 1 2 1 2 v2 n2 complete r1"),
        (212, "A 1m 120: 2 2 2 2 v0 n0 complete r1"),
        (213, "A 1m 120: 3 3 3 3 v1 n1 complete r2"),
        (214, "A 1m 180: 3 3 3 3 v0 n0 complete"),
    ]


def test_late_trade_when_it_is_before_the_first_candle_then_the_gap_between_is_filled() -> None:
    """Intervals that were no gap before are one now."""
    arrivals = arriving(trade(64, 5), trade(61, 1), trade(65, 6))
    assert run(to_ohlc("1s", fill="flat"), arrivals) == [
        (211, "A 1s 61: 1 1 1 1 v1 n1 complete"),
        (211, "A 1s 62: 1 1 1 1 v0 n0 complete"),
        (211, "A 1s 63: 1 1 1 1 v0 n0 complete"),
        (212, "A 1s 64: 5 5 5 5 v1 n1 complete"),
    ]


def test_late_trade_when_it_fills_a_gap_then_the_flat_candles_hang_on_the_line_of_the_next_trade() -> None:
    """The late trade's own line may not have got so far."""
    got: list[OHLCCandle] = []
    ticks = [trade(64, 5, span=3, since=50), trade(61, 1, span=4, since=60.5), trade(65, 6, span=4, since=60.5)]
    reactivex.from_iterable(ticks).pipe(to_ohlc("1s", fill="flat")).subscribe(got.append)
    assert [(c.open_time // SECOND, c.span, c.since / SECOND, c.complete) for c in got[:4]] == [
        (61, 4, 60.5, True),
        (62, 3, 50, True),
        (63, 3, 50, True),
        (64, 3, 50, True),
    ]


def test_late_trade_when_its_interval_was_beyond_max_fill_then_its_own_gap_is_filled() -> None:
    """A new candle, and as many flat ones after it as a gap may have."""
    arrivals = arriving(trade(60, 1), trade(67, 5), trade(63.5, 2))
    assert run(to_ohlc("1s", fill="flat", max_fill=2), arrivals) == [
        (211, "A 1s 60: 1 1 1 1 v1 n1 complete"),
        (211, "A 1s 61: 1 1 1 1 v0 n0 complete"),
        (211, "A 1s 62: 1 1 1 1 v0 n0 complete"),
        (212, "A 1s 63: 2 2 2 2 v1 n1 complete"),
        (212, "A 1s 64: 2 2 2 2 v0 n0 complete"),
        (212, "A 1s 65: 2 2 2 2 v0 n0 complete"),
    ]


def test_late_trade_when_candles_open_at_the_previous_close_then_the_next_one_follows() -> None:
    """Its open, and what that does to high and low; the one after it hangs on another price."""
    arrivals = arriving(
        trade(60, 4), trade(120, 5), trade(180, 6), trade(240, 7), trade(130, 4.5), trade(121, 1), trade(300, 1)
    )
    messages = run(to_ohlc(1, opens="previous_close"), arrivals)
    assert messages == [
        (211, "A 1m 60: 4 4 4 4 v1 n1 closed"),
        (212, "A 1m 120: 4 5 4 5 v1 n1 complete"),
        (213, "A 1m 180: 5 6 5 6 v1 n1 complete"),
        (214, "A 1m 120: 4 5 4 4.5 v2 n2 complete r1"),
        (214, "A 1m 180: 4.5 6 4.5 6 v1 n1 complete r1"),
        (215, "A 1m 120: 4 5 1 4.5 v3 n3 complete r2"),
        (216, "A 1m 240: 6 7 6 7 v1 n1 complete"),
    ]


def test_late_trade_when_the_open_candle_hangs_on_it_then_its_open_moves() -> None:
    """It is sent at once only where updates are."""
    arrivals = arriving(trade(60, 4), trade(120, 5), trade(70, 1), trade(180, 6))
    closed = [
        (211, "A 1m 60: 4 4 4 4 v1 n1 closed"),
        (212, "A 1m 60: 4 4 1 1 v2 n2 closed r1"),
        (213, "A 1m 120: 1 5 1 5 v1 n1 complete"),
    ]
    assert run(to_ohlc(1, opens="previous_close"), arrivals) == closed
    messages = run(to_ohlc(1, opens="previous_close", emit="updates"), arrivals)
    assert [each for each in messages if "open" not in each[1]] == closed
    assert [each for each in messages if "open" in each[1]] == [
        (210, "A 1m 60: 4 4 4 4 v1 n1 open"),
        (211, "A 1m 120: 4 5 4 5 v1 n1 open"),
        (212, "A 1m 120: 1 5 1 5 v1 n1 open"),
        (213, "A 1m 180: 5 6 5 6 v1 n1 open"),
    ]


def test_late_trade_when_a_skipped_interval_gets_one_then_the_next_candle_opens_at_it() -> None:
    """Also the first candle of all, which had no close before it."""
    arrivals = arriving(trade(130, 5), trade(70, 3), trade(180, 6))
    assert run(to_ohlc(1, opens="previous_close"), arrivals) == [
        (211, "A 1m 60: 3 3 3 3 v1 n1 closed"),
        (212, "A 1m 120: 3 5 3 5 v1 n1 complete"),
    ]
    arrivals = arriving(trade(60, 1), trade(190, 5), trade(130, 3), trade(240, 6))
    assert run(to_ohlc(1, opens="previous_close"), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 closed"),
        (212, "A 1m 120: 1 3 1 3 v1 n1 complete"),
        (213, "A 1m 180: 3 5 3 5 v1 n1 complete"),
    ]


def test_late_trade_when_it_is_to_be_dropped_then_on_late_gets_it_and_the_candle_stays() -> None:
    """However fresh it is; nothing is sent."""
    late: list[PriceTick] = []
    arrivals = arriving(trade(60, 1), trade(120, 1), trade(119, 2), trade(180, 1))
    assert run(to_ohlc(1, late="drop", on_late=late.append), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "A 1m 120: 1 1 1 1 v1 n1 complete"),
    ]
    assert late == [trade(119, 2)]


def test_late_trade_when_it_is_an_error_then_the_error_names_it() -> None:
    """After what the same tick closed elsewhere."""
    arrivals = arriving(trade(60, 1), trade(61, 1, "B"), trade(300, 1, span=2), trade(125, 2), trade(400, 1))
    assert run(to_ohlc(1, late="raise"), arrivals) == [
        (212, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "B 1m 60: 1 1 1 1 v1 n1 complete"),
        (
            213,
            "LateTick: a trade of A stamped 1970-01-01T00:02:05Z came after its 1m candle had been closed "
            "(trades before 1970-01-01T00:05:00Z are late)",
        ),
    ]
    assert issubclass(LateTick, ValueError)


def test_on_late_when_it_raises_then_the_exception_goes_to_on_error() -> None:
    """A function of the user's failed, so nothing more can be promised."""

    def fail(_: PriceTick) -> None:
        raise KeyError("a bug in on_late")

    arrivals = arriving(trade(60, 1), trade(120, 1), trade(119, 2), trade(180, 1))
    assert run(to_ohlc(1, late="drop", on_late=fail), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "KeyError: 'a bug in on_late'"),
    ]


def test_subscription_when_trades_were_dropped_then_its_end_says_how_many(caplog: pytest.LogCaptureFixture) -> None:
    """Once, on completion, error or dispose; and nothing where nothing was."""
    caplog.set_level(logging.WARNING)
    for end in ("complete", "error", "dispose"):
        source: Subject[PriceTick] = Subject()
        subscription = source.pipe(to_ohlc(1, late="drop")).subscribe(lambda _: None, lambda _: None)
        for tick in (trade(60, 1), trade(120, 1), trade(119, 2), trade(118, 2)):
            source.on_next(tick)
        assert caplog.messages == []
        if end == "complete":
            source.on_completed()
        elif end == "error":
            source.on_error(OSError())
        subscription.dispose()
        subscription.dispose()
        assert caplog.messages == ["1m candles: 2 late trades were dropped and 0 empty intervals left out"]
        caplog.clear()
    reactivex.from_iterable([trade(60, 1), trade(120, 1)]).pipe(to_ohlc(1)).subscribe()
    assert caplog.messages == []
