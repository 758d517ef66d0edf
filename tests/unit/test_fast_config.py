"""``fast_config``: all durations divided, everything else as it is."""

from __future__ import annotations

from dataclasses import fields

import pytest

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.limits import APIRateLimiter
from rxstreams.sources import Venue
from rxstreams.testing import fast_config


def test_durations_when_not_given_then_are_a_hundredth() -> None:
    """Every duration of a feed and of its backoff; a new one in StreamConfig must not be forgotten."""
    slow, fast = StreamConfig(), StreamConfig.of(fast_config())
    durations = {f.name for f in fields(StreamConfig) if f.name.endswith(("_timeout", "_interval"))}
    for field in fields(StreamConfig):
        before, after = getattr(slow, field.name), getattr(fast, field.name)
        if field.name in durations:
            assert after == pytest.approx(before / 100)
        elif field.name not in ("backoff", "rest_limiter", "settle"):
            assert after == before
    assert fast.settle == Venue.settle / 100
    assert fast.backoff == BackoffPolicy(initial=0.01, maximum=0.6, reset_after=0.6, max_retry_after=9.0)


def test_limiter_when_not_given_then_is_one_of_its_own_that_makes_nobody_wait() -> None:
    """The venue's is shared by all of the process."""
    one, other = (StreamConfig.of(fast_config()).rest_limiter for _ in range(2))
    assert one is not None
    assert one is not other
    assert one.config.limits == ((1000, 1.0),)
    assert (one.config.initial_backoff_seconds, one.config.max_backoff_seconds) == (0.05, 3.0)
    mine = APIRateLimiter()
    assert fast_config(rest_limiter=mine)["rest_limiter"] is mine


def test_options_when_given_then_win_and_are_not_divided() -> None:
    """What a test asks for is what it gets."""
    options = fast_config(url="ws://127.0.0.1:9/v2", silence_timeout=1.5, reconnect_attempts=3)
    assert (options["url"], options["silence_timeout"], options["reconnect_attempts"]) == (
        "ws://127.0.0.1:9/v2",
        1.5,
        3,
    )


def test_divisor_when_given_then_divides_by_it() -> None:
    """A busy machine may need more time."""
    assert fast_config(divisor=10)["connect_timeout"] == 1.0


@pytest.mark.parametrize("divisor", [0, -1, float("nan"), float("inf")])
def test_divisor_when_it_makes_no_sense_then_says_so(divisor: float) -> None:
    """Time can't be stopped."""
    with pytest.raises(ValueError, match="divisor"):
        fast_config(divisor=divisor)


def test_option_when_there_is_no_such_then_says_which_there_are() -> None:
    """A misspelt option is found here already."""
    with pytest.raises(TypeError, match="silence_time"):
        fast_config(silence_time=3)
