"""``to_ohlc``: when the line's clock closes a candle, and when a candle is complete."""

from __future__ import annotations

from typing import Any

import pytest
from candle_making import arriving, run, trade

from rxstreams.operators import to_ohlc

NANOSECOND = 1e-9


def test_quiet_symbol_when_its_line_is_more_than_grace_past_the_end_then_it_closes() -> None:
    """At exactly grace it stays open; one nanosecond later it is over."""
    arrivals = arriving(trade(60, 1, "A"), trade(122, 9, "B"), trade(122 + NANOSECOND, 9, "B"))
    assert run(to_ohlc(1), arrivals) == [(212, "A 1m 60: 1 1 1 1 v1 n1 complete")]


@pytest.mark.parametrize("grace", [0, 0.5, 30])
def test_grace_when_given_then_it_is_what_the_line_waits(grace: float) -> None:
    """In seconds, and 0 closes with the first tick past the end."""
    arrivals = arriving(trade(60, 1, "A"), trade(120 + grace, 9, "B"), trade(120 + grace + NANOSECOND, 9, "B"))
    assert run(to_ohlc(1, grace=grace), arrivals) == [(212, "A 1m 60: 1 1 1 1 v1 n1 complete")]


def test_quiet_symbol_when_another_span_goes_on_then_it_stays_open() -> None:
    """Another line's clock says nothing about this one: trades may still be on their way."""
    arrivals = arriving(trade(60, 1, "A", span=1), trade(61, 1, "B", span=2), trade(900, 9, "B", span=2))
    assert run(to_ohlc(1), arrivals) == [(212, "B 1m 60: 1 1 1 1 v1 n1 complete")]


def test_quiet_symbol_when_all_is_history_then_it_stays_open() -> None:
    """Span 0 is no line: nothing is known of how the symbols' times go together."""
    arrivals = arriving(trade(60, 1, "A", span=0), trade(61, 1, "B", span=0), trade(900, 9, "B", span=0))
    assert run(to_ohlc(1), arrivals) == [(212, "B 1m 60: 1 1 1 1 v1 n1 complete")]


def test_quiet_symbol_when_its_line_was_replaced_then_only_its_own_trade_closes_it() -> None:
    """After a reconnect the new span does not close what hangs on the old one; the symbol's own tick does."""
    arrivals = arriving(
        trade(60, 1, "A", span=1),
        trade(61, 1, "B", span=1),
        trade(400, 2, "B", span=2, since=390),
        trade(500, 2, "B", span=2, since=390),
        trade(501, 3, "A", span=2, since=390),
    )
    assert run(to_ohlc(1), arrivals) == [
        (212, "B 1m 60: 1 1 1 1 v1 n1 closed"),
        (213, "B 1m 360: 2 2 2 2 v1 n1 closed"),
        (214, "A 1m 60: 1 1 1 1 v1 n1 closed"),
    ]


def test_quiet_symbol_when_it_went_over_to_the_new_line_then_that_one_closes_it() -> None:
    """What counts is the span of the candle's last tick."""
    arrivals = arriving(
        trade(60, 1, "A", span=1),
        trade(180, 3, "C", span=1),
        trade(100, 2, "A", span=2, since=50),
        trade(200, 3, "B", span=1),
        trade(201, 3, "B", span=2, since=50),
    )
    assert run(to_ohlc(1, grace=70), arrivals) == [(214, "A 1m 60: 1 2 1 2 v2 n2 complete")]


def test_grace_when_an_overtaken_deadline_was_in_front_then_it_still_counts_to_the_nanosecond() -> None:
    """B's own trade closed its candle, whose deadline is found and dropped by the tick that is just at A's."""
    arrivals = arriving(
        trade(60, 1, "B"), trade(121, 1, "B"), trade(121.5, 1, "A"), trade(182, 1, "C"), trade(182 + NANOSECOND, 1, "C")
    )
    assert run(to_ohlc(1), arrivals) == [
        (211, "B 1m 60: 1 1 1 1 v1 n1 complete"),
        (214, "B 1m 120: 1 1 1 1 v1 n1 complete"),
        (214, "A 1m 120: 1 1 1 1 v1 n1 complete"),
    ]


def test_quiet_symbol_when_the_recovered_span_goes_on_then_it_closes_again_by_it() -> None:
    """From span 1 to 2 and back to 1: booked twice on the first, closed once."""
    arrivals = arriving(
        trade(60, 1, "A", span=1),
        trade(61, 1, "B", span=1),
        trade(70, 2, "A", span=2),
        trade(80, 3, "A", span=1),
        trade(130, 4, "B", span=1),
        trade(190, 5, "B", span=1),
    )
    assert run(to_ohlc(1), arrivals) == [
        (214, "A 1m 60: 1 3 1 3 v3 n3 complete"),
        (214, "B 1m 60: 1 1 1 1 v1 n1 complete"),
        (215, "B 1m 120: 4 4 4 4 v1 n1 complete"),
    ]


def test_several_when_due_at_once_then_they_go_by_close_time_and_first_appearance() -> None:
    """The own symbol's candle takes its place among those that the line closes."""
    arrivals = arriving(
        trade(130, 1, "C"),
        trade(60, 2, "B", span=2),
        trade(131, 3, "A"),
        trade(61, 4, "D"),
        trade(62, 2, "B", span=1),
        trade(500, 5, "A"),
    )
    assert run(to_ohlc(1), arrivals) == [
        (215, "B 1m 60: 2 2 2 2 v2 n2 complete"),
        (215, "D 1m 60: 4 4 4 4 v1 n1 complete"),
        (215, "C 1m 120: 1 1 1 1 v1 n1 complete"),
        (215, "A 1m 120: 3 3 3 3 v1 n1 complete"),
    ]


def test_candle_when_it_opens_behind_its_lines_clock_then_only_a_later_tick_closes_it() -> None:
    """A line that is out of order over its symbols: what was sent before says nothing about what comes after."""
    arrivals = arriving(trade(300, 1, "A"), trade(60, 2, "B"), trade(100, 3, "B"), trade(301, 4, "A"))
    assert run(to_ohlc(1), arrivals) == [(213, "B 1m 60: 2 3 2 3 v2 n2 complete")]


def test_late_tick_when_it_is_past_another_candles_end_then_the_line_has_got_so_far() -> None:
    """A tick that is late for its own symbol still tells the line's time."""
    arrivals = arriving(trade(60, 1, "B"), trade(175, 1, "A"), trade(245, 2, "A", span=9), trade(186, 3, "A"))
    assert run(to_ohlc(1, grace=64), arrivals) == [
        (212, "A 1m 120: 1 1 1 1 v1 n1 complete"),
        (213, "B 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "A 1m 180: 3 3 3 3 v1 n1 complete"),
    ]


@pytest.mark.parametrize(("since", "state"), [(60, "complete"), (60 + NANOSECOND, "closed"), (119, "closed")])
def test_complete_when_closed_by_its_own_tick_then_that_ticks_coverage_decides(since: float, state: str) -> None:
    """It must reach back to the open_time; what the ticks inside said does not matter."""
    arrivals = arriving(trade(70, 1, since=65), trade(130, 2, since=since))
    assert run(to_ohlc(1), arrivals) == [(211, f"A 1m 60: 1 1 1 1 v1 n1 {state}")]


@pytest.mark.parametrize(("since", "state"), [(60, "complete"), (60 + NANOSECOND, "closed")])
def test_complete_when_closed_by_the_line_then_its_last_ticks_coverage_decides(since: float, state: str) -> None:
    """The other symbol's own coverage does not matter."""
    arrivals = arriving(trade(70, 1, since=1), trade(80, 1, since=since), trade(130, 2, "B", since=125))
    assert run(to_ohlc(1), arrivals) == [(212, f"A 1m 60: 1 1 1 1 v2 n2 {state}")]


def test_complete_when_the_first_candle_is_covered_from_its_start_then_it_is_complete() -> None:
    """The first candle of a feed is complete exactly when the feed covered all of it."""
    assert run(to_ohlc(1), arriving(trade(90, 1, since=60), trade(120, 1, since=60))) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete")
    ]
    assert run(to_ohlc(1), arriving(trade(90, 1, since=61), trade(120, 1, since=61), trade(180, 1, since=61))) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 closed"),
        (212, "A 1m 120: 1 1 1 1 v1 n1 complete"),
    ]


def test_history_when_it_knows_no_coverage_then_all_but_the_first_candle_is_complete() -> None:
    """since=0: covered from just after the first tick, even where that stands at the very start of a candle."""
    ticks = [trade(seconds, 1, span=0, since=0) for seconds in (60, 100, 120, 180)]
    assert run(to_ohlc(1), arriving(*ticks)) == [
        (212, "A 1m 60: 1 1 1 1 v2 n2 closed"),
        (213, "A 1m 120: 1 1 1 1 v1 n1 complete"),
    ]


def test_history_when_its_first_ticks_are_out_of_order_then_coverage_begins_after_the_first_to_arrive() -> None:
    """An older tick that comes second moves nothing."""
    ticks = [trade(seconds, 1, span=0, since=0) for seconds in (130, 125, 185, 240)]
    assert run(to_ohlc(1), arriving(*ticks)) == [
        (212, "A 1m 120: 1 1 1 1 v2 n2 closed"),
        (213, "A 1m 180: 1 1 1 1 v1 n1 complete"),
    ]


@pytest.mark.parametrize(
    ("then", "state"),
    [
        ({"span": 0, "since": 0}, "complete"),  # the run goes on
        ({"span": 1, "since": 0}, "closed"),  # a line begins after history: a new run
        ({"span": 1, "since": 120}, "complete"),  # it knows its coverage
        ({"span": 1, "since": 121}, "closed"),
    ],
)
def test_history_when_something_else_follows_then_its_run_ends(then: dict[str, Any], state: str) -> None:
    """What closes the candle 120 of a history is its next tick, and that tick's run."""
    ticks = [trade(seconds, 1, span=0, since=0) for seconds in (60, 120)]
    messages = run(to_ohlc(1), arriving(*ticks, trade(180, 1, **then)))
    assert messages[-1] == (212, f"A 1m 120: 1 1 1 1 v1 n1 {state}")


def test_history_when_interrupted_by_a_tick_that_knows_its_coverage_then_a_new_run_begins() -> None:
    """0, then a since, then 0 again on the same span: covered from just after the third tick."""
    ticks = [trade(60, 1, since=0), trade(120, 1, since=1), trade(180, 1, since=0), trade(240, 1, since=0)]
    assert run(to_ohlc(1), arriving(*ticks)) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 120: 1 1 1 1 v1 n1 closed"),
        (213, "A 1m 180: 1 1 1 1 v1 n1 closed"),
    ]


def test_complete_when_the_next_tick_shows_a_loss_on_the_same_span_then_it_is_taken_back() -> None:
    """The line's clock closed it in good faith; then its ids jump, and nobody knows where the lost trade was."""
    arrivals = arriving(
        trade(60, 1, "A", since=50), trade(130, 9, "B"), trade(200, 2, "A", since=199), trade(300, 2, "A", since=199)
    )
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 60: 1 1 1 1 v1 n1 closed r1"),
        (212, "B 1m 120: 9 9 9 9 v1 n1 complete"),
        (213, "A 1m 180: 2 2 2 2 v1 n1 closed"),
    ]


def test_complete_when_a_loss_is_shown_then_what_the_symbol_itself_had_closed_before_stays() -> None:
    """Of two candles that are kept only the second was closed by the line."""
    arrivals = arriving(
        trade(60, 1, "A"), trade(130, 2, "A"), trade(185, 9, "B"), trade(200, 3, "A", since=199), trade(201, 3, "A")
    )
    assert [each for each in run(to_ohlc(1), arrivals) if each[1].startswith("A")] == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 120: 2 2 2 2 v1 n1 complete"),
        (213, "A 1m 120: 2 2 2 2 v1 n1 closed r1"),
    ]


def test_complete_when_the_next_tick_is_on_a_new_span_then_it_stays() -> None:
    """The line was whole until it closed the candle; what it lost when it broke was lost later."""
    arrivals = arriving(
        trade(60, 1, "A", since=50),
        trade(130, 9, "B", span=1),
        trade(200, 2, "A", span=2, since=199),
        trade(300, 2, "A"),
    )
    assert [text for _, text in run(to_ohlc(1), arrivals) if text.startswith("A 1m 60")] == [
        "A 1m 60: 1 1 1 1 v1 n1 complete"
    ]


def test_complete_when_closed_by_its_own_tick_then_a_later_loss_leaves_it() -> None:
    """Everything up to that tick had come."""
    arrivals = arriving(trade(60, 1, since=50), trade(130, 9, since=50), trade(200, 2, since=199))
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 120: 9 9 9 9 v1 n1 closed"),
    ]


def test_complete_when_closed_by_its_own_tick_after_one_that_the_line_closed_then_it_stays_too() -> None:
    """A loss takes back what was closed without a tick since the last one, and nothing before that."""
    arrivals = arriving(
        trade(60, 1, "A", since=50),
        trade(130, 9, "B"),  # the line closes A's first
        trade(150, 2, "A", since=50),
        trade(181, 3, "A", since=50),  # A itself closes its second
        trade(190, 3, "A", since=189),
        trade(240, 3, "A", since=189),
    )
    assert [each for each in run(to_ohlc(1), arrivals) if each[1].startswith("A")] == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "A 1m 120: 2 2 2 2 v1 n1 complete"),
        (215, "A 1m 180: 3 3 3 3 v2 n2 closed"),
    ]
