"""``RateLimitConfig``, ``APIPriority`` and the limiters by name."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import timedelta
from typing import Any

import pytest

from rxstreams.errors import QuotaExceeded, RxStreamsError, StreamError
from rxstreams.limits import (
    APIPriority,
    APIRateLimiter,
    RateLimitConfig,
    create_rate_limiter,
    get_rate_limiter,
)


def _ceilings(config: RateLimitConfig, limit: int) -> list[int]:
    return [config.ceiling(priority, limit) for priority in APIPriority]


def test_config_when_nothing_is_given_then_it_has_a_minute_and_an_hour() -> None:
    """The defaults of the limiter that programs were written for."""
    assert RateLimitConfig().limits == ((30, 60.0), (500, 3600.0))
    assert RateLimitConfig().initial_backoff_seconds == 5.0


def test_config_when_further_windows_are_given_then_the_shortest_comes_first() -> None:
    """Named ones can be left out."""
    config = RateLimitConfig(max_calls_per_hour=None, windows=[(160_000, timedelta(days=1)), (10, 1)])
    assert config.limits == ((10, 1.0), (30, 60.0), (160_000, 86_400.0))


def test_ceiling_when_shares_are_the_defaults_then_they_are_100_95_80_and_60_percent() -> None:
    """Rounded up, and counted in decimals as they are written."""
    config = RateLimitConfig()
    assert _ceilings(config, 100) == [100, 95, 80, 60]
    assert _ceilings(config, 30) == [30, 29, 24, 18]
    assert _ceilings(config, 500) == [500, 475, 400, 300]


def test_ceiling_when_the_limit_is_one_then_every_priority_may_fill_it() -> None:
    """1 a second still admits all of them."""
    assert _ceilings(RateLimitConfig(low_share=0.01), 1) == [1, 1, 1, 1]


def test_ceiling_when_a_float_would_round_up_then_the_decimal_counts() -> None:
    """0.07 * 100 is a little over 7 in binary; 7 was meant."""
    assert 0.07 * 100 > 7
    assert RateLimitConfig(low_share=0.07).ceiling(APIPriority.LOW, 100) == 7


def test_config_when_durations_are_timedeltas_then_they_are_read_as_seconds() -> None:
    """Durations are seconds or timedelta everywhere."""
    config = RateLimitConfig(
        ageing=timedelta(minutes=1),
        initial_backoff_seconds=timedelta(seconds=2),
        max_backoff_seconds=timedelta(minutes=2),
        unanswered=timedelta(milliseconds=500),
    )
    assert (config.ageing, config.initial_backoff_seconds, config.max_backoff_seconds) == (60.0, 2.0, 120.0)
    assert config.unanswered == 0.5


def test_config_when_compared_then_values_count_and_it_can_be_hashed() -> None:
    """Two modules that ask for the same limiter write the same config twice."""
    first, second = (RateLimitConfig(max_calls_per_minute=10, windows=[(1, 1)]) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != RateLimitConfig(max_calls_per_minute=11, windows=[(1, 1)])


def test_config_when_changed_then_it_refuses() -> None:
    """A limiter has read it already."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        RateLimitConfig().low_share = 1.0  # type: ignore[misc]  # what is being tested


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_calls_per_minute": 0}, "max_calls_per_minute must be 1 or more, or None"),
        ({"max_calls_per_hour": -5}, "max_calls_per_hour must be 1 or more, or None"),
        ({"max_calls_per_minute": 1.5}, "max_calls_per_minute must be a whole number, or None"),
        ({"max_calls_per_minute": None, "max_calls_per_hour": None}, "a limiter needs a window"),
        ({"windows": [(0, 1)]}, "a window's limit must be 1 or more"),
        ({"windows": [(1, 0)]}, "a window's period must be more than 0"),
        ({"windows": [5]}, "each of windows must be a pair"),
        ({"windows": [(1, 2, 3)]}, "each of windows must be a pair"),
        ({"windows": "10/s"}, "windows must be pairs"),
        ({"windows": 10}, "windows must be pairs"),
        ({"critical_share": 1.1}, "critical_share must be more than 0 and at most 1"),
        ({"low_share": 0}, "low_share must be more than 0"),
        ({"low_share": float("nan")}, "low_share must be more than 0"),
        ({"high_share": "95%"}, "high_share must be a number"),
        ({"medium_share": 0.5}, "low_share must be more than 0 and at most 0.5"),
        ({"ageing": 0}, "ageing must be more than 0"),
        ({"initial_backoff_seconds": 0}, "initial_backoff_seconds must be more than 0"),
        ({"max_backoff_seconds": 1}, "max_backoff_seconds must be at least initial_backoff_seconds"),
        ({"backoff_multiplier": 0.5}, "multiplier must be 1 or more"),
        ({"backoff_jitter": "some"}, "jitter must be one of"),
        ({"max_waiting": 0}, "max_waiting must be 1 or more"),
        ({"cache_size": 0}, "cache_size must be 1 or more"),
        ({"unanswered": -1}, "unanswered must be 0 or more"),
        ({"is_rate_limit_error": 429}, "is_rate_limit_error must be a function"),
    ],
)
def test_config_when_an_option_is_wrong_then_it_says_what_was_expected(options: Any, message: str) -> None:
    """Where it is written, not when the first call is made."""
    with pytest.raises((TypeError, ValueError), match=message):
        RateLimitConfig(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": {"max_calls_per_minute": 5}}, "config must be a RateLimitConfig"),
        ({"config": 0}, "config must be a RateLimitConfig"),
        ({"name": 5}, "name must be a string"),
        ({"scheduler": "asyncio"}, "scheduler must be a scheduler"),
        ({"clock": 0.0}, "clock must be a function"),
        ({"rng": 0.5}, "rng must be a function"),
    ],
)
def test_limiter_when_an_argument_is_wrong_then_it_says_what_was_expected(options: Any, message: str) -> None:
    """Options are checked when the thing is built."""
    with pytest.raises(TypeError, match=message):
        APIRateLimiter(**options)


def test_create_when_a_name_is_asked_for_again_then_it_is_the_same_limiter() -> None:
    """With the same config, or with none."""
    name = uuid.uuid4().hex
    config = RateLimitConfig(max_calls_per_minute=10)
    limiter = create_rate_limiter(name, config)
    assert limiter.config is config
    assert limiter.name == name
    assert create_rate_limiter(name, RateLimitConfig(max_calls_per_minute=10)) is limiter
    assert create_rate_limiter(name) is limiter
    assert get_rate_limiter(name) is limiter


def test_create_when_no_config_is_given_then_it_has_the_defaults() -> None:
    """A name is enough."""
    assert create_rate_limiter(uuid.uuid4().hex).config == RateLimitConfig()


def test_create_when_the_name_has_another_config_then_it_is_an_error() -> None:
    """Never a silent replacement, nor a silent reuse."""
    name = uuid.uuid4().hex
    limiter = create_rate_limiter(name)
    with pytest.raises(ValueError, match="is there already") as raised:
        create_rate_limiter(name, RateLimitConfig(max_calls_per_minute=10))
    assert "max_calls_per_minute=10" in str(raised.value)
    assert get_rate_limiter(name) is limiter


def test_get_when_the_name_is_unknown_then_it_is_none() -> None:
    """As all get_ functions do."""
    assert get_rate_limiter(uuid.uuid4().hex) is None


@pytest.mark.parametrize("name", ["", 5, None])
def test_create_when_the_name_is_wrong_then_it_says_so(name: Any) -> None:
    """A name is a string that is not empty."""
    with pytest.raises((TypeError, ValueError), match="a name must"):
        create_rate_limiter(name)


def test_quota_exceeded_when_raised_then_it_is_ours_and_no_stream_error() -> None:
    """A refused call is nothing that a feed should be retried for."""
    error = QuotaExceeded("full", retry_after=2.5)
    assert isinstance(error, RxStreamsError)
    assert not issubclass(QuotaExceeded, StreamError)
    assert (str(error), error.retry_after) == ("full", 2.5)


def test_priority_when_compared_then_the_more_urgent_is_smaller() -> None:
    """Four of them, in one order."""
    assert sorted(APIPriority) == [APIPriority.CRITICAL, APIPriority.HIGH, APIPriority.MEDIUM, APIPriority.LOW]
