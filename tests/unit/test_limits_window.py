"""``SlidingWindow``: what counts, from when, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rxstreams.limits import SlidingWindow

S = 1_000_000_000


def test_window_when_a_call_is_running_then_it_counts_for_as_long_as_it_runs() -> None:
    """Nobody knows yet when the server counts it."""
    window = SlidingWindow(10, 1)
    window.start(3)
    assert [window.used(now * S) for now in (0, 1, 1_000)] == [3, 3, 3]


def test_window_when_a_call_has_ended_then_it_counts_until_exactly_one_period_later() -> None:
    """From its start, and up to the last nanosecond before one period after its end."""
    window = SlidingWindow(10, 60)
    window.start(4)
    window.end(4, 5 * S)
    assert [window.used(now) for now in (5 * S, 65 * S - 1, 65 * S)] == [4, 4, 0]


def test_window_when_calls_end_in_any_order_then_each_goes_at_its_own_time() -> None:
    """A call whose request may be on its way longer is entered out of order."""
    window = SlidingWindow(10, 10)
    for weight in (1, 2, 4):
        window.start(weight)
    window.end(1, 9 * S)
    window.end(2, 3 * S)
    window.end(4, 6 * S)
    assert [window.used(now * S) for now in (12, 13, 16, 19)] == [7, 5, 1, 0]


def test_window_when_a_call_was_not_sent_then_its_weight_is_free_at_once() -> None:
    """A place that was taken back costs nothing."""
    window = SlidingWindow(2, 60)
    window.start(2)
    window.take_back(2)
    assert window.used(0) == 0


def test_wait_when_there_is_room_then_it_is_nothing() -> None:
    """The limit itself may be reached."""
    window = SlidingWindow(5, 60)
    window.start(3)
    assert window.wait(0, 2) == 0
    assert window.wait(0, 3) > 0


def test_wait_when_calls_have_ended_then_it_is_the_time_until_enough_of_them_are_over() -> None:
    """It says exactly when the weight fits, not when the first one goes."""
    window = SlidingWindow(3, 10)
    for ended in (1, 2, 3):
        window.start(1)
        window.end(1, ended * S)
    assert [window.wait(4 * S, weight) for weight in (1, 2, 3)] == [7 * S, 8 * S, 9 * S]
    assert window.wait(12 * S, 2) == 0


def test_wait_when_a_ceiling_is_given_then_that_is_what_may_be_used() -> None:
    """A share of the limit waits longer than the limit."""
    window = SlidingWindow(4, 10)
    for ended in (1, 2):
        window.start(1)
        window.end(1, ended * S)
    assert window.wait(2 * S, 1, 4) == 0
    assert window.wait(2 * S, 1, 2) == 9 * S
    assert window.wait(2 * S, 1, 1) == 10 * S


def test_wait_when_running_calls_are_in_the_way_then_it_is_at_least_one_period() -> None:
    """If they ended now, they would still count for one."""
    window = SlidingWindow(2, 10)
    window.start(2)
    assert window.wait(5 * S, 1) == 10 * S


def test_observe_when_the_server_has_counted_more_then_the_difference_counts_for_a_period() -> None:
    """Others share the limit; what they used goes one period after it was seen."""
    window = SlidingWindow(100, 60)
    window.start(10)
    window.end(10, 1 * S)
    window.observe(35, 2 * S)
    assert [window.used(now * S) for now in (2, 60, 61, 62)] == [35, 35, 25, 0]


@pytest.mark.parametrize("used", [0, 9, 10])
def test_observe_when_the_server_has_not_counted_more_then_nothing_changes(used: int) -> None:
    """It does not know of the calls that are on their way."""
    window = SlidingWindow(100, 60)
    window.start(10)
    window.observe(used, 0)
    assert window.used(0) == 10


def test_observe_when_repeated_then_the_same_use_is_counted_once() -> None:
    """Every answer carries the count."""
    window = SlidingWindow(100, 60)
    for now in range(5):
        window.observe(20, now * S)
    assert window.used(5 * S) == 20
    assert window.used(60 * S) == 0


def test_observe_when_the_count_is_past_the_limit_then_the_wait_tells() -> None:
    """Others may have used up more than there is."""
    window = SlidingWindow(10, 60)
    window.observe(50, 0)
    assert window.used(1 * S) == 50
    assert window.wait(1 * S, 1) == 59 * S


def test_window_when_used_for_long_then_it_keeps_no_more_than_its_limit() -> None:
    """What is over is forgotten."""
    window = SlidingWindow(5, 1)
    for now in range(1_000):
        if window.wait(now * S // 10, 1) == 0:
            window.start(1)
            window.end(1, now * S // 10)
    assert 0 < len(window._log) <= 5


def test_window_when_the_period_is_a_timedelta_then_it_is_that_of_its_seconds() -> None:
    """Durations are seconds or timedelta everywhere."""
    assert SlidingWindow(1, timedelta(minutes=1)).period == 60.0


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "5", None])
def test_window_when_the_limit_is_wrong_then_it_says_what_was_expected(limit: Any) -> None:
    """A limit of 0 would let nothing through, for ever."""
    with pytest.raises((TypeError, ValueError), match="limit must be"):
        SlidingWindow(limit, 60)


@pytest.mark.parametrize("period", [0, -1.0, float("nan"), float("inf"), "60", None])
def test_window_when_the_period_is_wrong_then_it_says_what_was_expected(period: Any) -> None:
    """A period is a positive duration."""
    with pytest.raises((TypeError, ValueError), match="period must be"):
        SlidingWindow(1, period)
