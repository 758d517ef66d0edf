"""What holds of every policy, whatever goes wrong in whatever order."""

from __future__ import annotations

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.backoff import BackoffPolicy, Jitter
from rxstreams.errors import (
    CleanClose,
    ConnectionLost,
    HandshakeTimeout,
    PolicyViolation,
    RateLimited,
    Refused,
    ServerRestart,
    StreamError,
)

_classes: st.SearchStrategy[type[StreamError]] = st.sampled_from(
    [CleanClose, ConnectionLost, HandshakeTimeout, PolicyViolation, RateLimited, Refused, ServerRestart]
)
_uptimes = st.one_of(st.just(0.0), st.floats(0, 200))


@st.composite
def _errors(draw: st.DrawFn) -> StreamError:
    return draw(_classes)(uptime=draw(_uptimes), retry_after=draw(st.none() | st.floats(0, 1_000)))


@st.composite
def _policies(draw: st.DrawFn) -> BackoffPolicy:
    initial = draw(st.floats(0, 10))
    return BackoffPolicy(
        initial=initial,
        maximum=initial + draw(st.floats(0, 100)),
        jitter=draw(st.sampled_from(get_args(Jitter))),
        multiplier=draw(st.floats(1, 1e6)),
        max_attempts=draw(st.none() | st.integers(0, 8)),
        reset_after=draw(st.floats(1e-3, 100)),
        max_retry_after=draw(st.floats(0, 1_000)),
    )


@given(_policies(), st.lists(_errors(), max_size=30), st.integers())
def test_waits_when_anything_fails_then_they_keep_their_bounds(
    policy: BackoffPolicy, errors: list[StreamError], seed: int
) -> None:
    """Never below what the error demands, never above the maximum but for that demand, never too many in a row."""
    backoff = policy.start(random.Random(seed).random)
    granted = 0
    for error in errors:
        if error.uptime >= policy.reset_after:
            granted = 0
        wait = backoff.next_wait(error)
        demand = max(error.floor, error.retry_after or 0.0)
        if wait is None:
            assert backoff.reason
            continue
        granted += 1
        assert backoff.attempts == granted
        assert demand <= wait <= max(policy.maximum, demand)
        assert error.retryable
        assert (error.retry_after or 0.0) <= policy.max_retry_after
        assert policy.max_attempts is None or granted <= policy.max_attempts


@given(_policies(), st.lists(_errors(), max_size=20), st.lists(_classes, min_size=1, max_size=5), st.integers())
def test_waits_when_a_connection_has_stayed_up_then_the_past_is_forgotten(
    policy: BackoffPolicy, before: list[StreamError], after: list[type[StreamError]], seed: int
) -> None:
    """After a good connection everything goes as if nothing had ever failed."""
    rng = random.Random()
    used, fresh = policy.start(rng.random), policy.start(random.Random(seed).random)
    for error in before:
        used.next_wait(error)
    rng.seed(seed)  # from here on both draw the same numbers
    first = after[0](uptime=policy.reset_after)
    expected = [fresh.next_wait(first), *(fresh.next_wait(each()) for each in after[1:])]
    assert [used.next_wait(first), *(used.next_wait(each()) for each in after[1:])] == expected


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50), st.floats(0.01, 10), st.floats(0, 100))
def test_decorrelated_when_computed_by_hand_then_it_is_the_published_formula(
    draws: list[float], initial: float, more: float
) -> None:
    """sleep = min(cap, random_between(base, sleep * 3)), sleep starting at base."""
    backoff = BackoffPolicy(initial=initial, maximum=initial + more).start(iter(draws).__next__)
    sleep = initial
    for draw in draws:
        sleep = min(initial + more, initial + (sleep * 3 - initial) * draw)
        wait = backoff.next_wait(ConnectionLost())
        assert wait == pytest.approx(sleep)
