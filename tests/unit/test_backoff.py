"""The waits between attempts: the formulas, what each class of error asks for, and when it is time to give up."""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rxstreams.backoff import Backoff, BackoffPolicy, Jitter
from rxstreams.errors import (
    BufferOverflow,
    CleanClose,
    ConnectError,
    ConnectionLost,
    HandshakeTimeout,
    PolicyViolation,
    RateLimited,
    Refused,
    ServerRestart,
    StreamError,
)


def _start(rng: float = 0.5, **options: Any) -> Backoff:
    return BackoffPolicy(**options).start(lambda: rng)


def _waits(backoff: Backoff, *errors: Exception) -> list[float | None]:
    return [backoff.next_wait(error) for error in errors]


# The options


def test_policy_when_made_without_options_then_it_has_the_documented_defaults() -> None:
    """The defaults are those of the design."""
    assert BackoffPolicy() == BackoffPolicy(
        initial=1.0,
        maximum=60.0,
        jitter="decorrelated",
        multiplier=2.0,
        max_attempts=None,
        reset_after=60.0,
        max_retry_after=900.0,
    )


def test_policy_when_given_timedeltas_then_it_keeps_seconds() -> None:
    """Durations may be timedelta and are read as float seconds."""
    second = timedelta(seconds=1)
    policy = BackoffPolicy(
        initial=second / 2, maximum=10 * second, reset_after=20 * second, max_retry_after=30 * second
    )
    assert (policy.initial, policy.maximum, policy.reset_after, policy.max_retry_after) == (0.5, 10.0, 20.0, 30.0)
    assert isinstance(BackoffPolicy(initial=2).initial, float)


def test_policy_when_changed_then_it_refuses_but_can_be_replaced() -> None:
    """A policy is a value: one may serve many feeds."""
    policy = BackoffPolicy(initial=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.initial = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested
    replaced = dataclasses.replace(policy, max_attempts=4)
    assert replaced == BackoffPolicy(initial=2, max_attempts=4)
    assert hash(replaced) == hash(BackoffPolicy(initial=2, max_attempts=4))
    assert repr(policy).startswith("BackoffPolicy(initial=2.0, maximum=60.0, jitter='decorrelated', ")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"initial": -1}, ValueError, "initial must be 0 or more seconds and finite, got -1"),
        ({"initial": math.nan}, ValueError, "initial must be 0 or more seconds and finite, got nan"),
        ({"initial": "1"}, TypeError, "initial must be seconds or a timedelta, got '1'"),
        ({"initial": True}, TypeError, "initial must be seconds or a timedelta, got True"),
        ({"initial": 5, "maximum": 4}, ValueError, r"maximum must be at least initial \(5 s\), got 4"),
        ({"maximum": math.inf}, ValueError, "maximum must be 0 or more seconds and finite, got inf"),
        ({"jitter": "half"}, ValueError, "jitter must be one of decorrelated, full, equal, none, got 'half'"),
        ({"multiplier": 0.5}, ValueError, "multiplier must be 1 or more and finite, got 0.5"),
        ({"multiplier": math.nan}, ValueError, "multiplier must be 1 or more and finite, got nan"),
        ({"multiplier": timedelta(1)}, TypeError, "multiplier must be a number, got "),
        ({"max_attempts": -1}, ValueError, r"max_attempts must be 0 or more, or None \(no limit\), got -1"),
        ({"max_attempts": 2.0}, TypeError, r"max_attempts must be a whole number or None \(no limit\), got 2.0"),
        ({"max_attempts": True}, TypeError, r"max_attempts must be a whole number or None \(no limit\), got True"),
        ({"reset_after": 0}, ValueError, "reset_after must be more than 0 seconds and finite, got 0"),
        ({"max_retry_after": -1}, ValueError, "max_retry_after must be 0 or more seconds and finite, got -1"),
    ],
)
def test_policy_when_an_option_is_wrong_then_the_error_names_it(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Options are checked when the policy is made; the message says what was expected and what was found."""
    with pytest.raises(error, match=message):
        BackoffPolicy(**options)


# The formulas


@pytest.mark.parametrize(
    ("jitter", "rng", "expected"),
    [
        ("none", 0.7, [1, 2, 4, 8, 10, 10]),
        ("full", 0.0, [0, 0, 0, 0, 0, 0]),
        ("full", 0.5, [0.5, 1, 2, 4, 5, 5]),
        ("full", 1.0, [1, 2, 4, 8, 10, 10]),
        ("equal", 0.0, [0.5, 1, 2, 4, 5, 5]),
        ("equal", 0.5, [0.75, 1.5, 3, 6, 7.5, 7.5]),
        ("equal", 1.0, [1, 2, 4, 8, 10, 10]),
        ("decorrelated", 0.0, [1, 1, 1, 1, 1, 1]),
        ("decorrelated", 0.5, [2, 3.5, 5.75, 9.125, 10, 10]),
        ("decorrelated", 1.0, [3, 9, 10, 10, 10, 10]),
    ],
)
def test_jitter_when_attempts_fail_in_a_row_then_the_waits_follow_its_formula(
    jitter: Jitter, rng: float, expected: list[float]
) -> None:
    """Each formula, at both ends and in the middle of its randomness."""
    backoff = _start(rng, jitter=jitter, maximum=10)
    assert _waits(backoff, *[ConnectionLost()] * 6) == expected


def test_multiplier_when_it_is_given_then_the_target_grows_by_it() -> None:
    """1.5 grows slower than 2; 1 does not grow."""
    assert _waits(_start(jitter="none", multiplier=1.5), *[OSError()] * 3) == [1, 1.5, 2.25]
    assert _waits(_start(jitter="none", multiplier=1), *[OSError()] * 3) == [1, 1, 1]


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
def test_next_wait_when_a_feed_fails_for_months_then_it_stays_at_the_maximum(jitter: Jitter) -> None:
    """The power overflows a float after a thousand attempts; the wait must not."""
    backoff = _start(1.0, jitter=jitter)
    assert _waits(backoff, *[OSError()] * 3_000)[-1] == 60


def test_initial_when_it_is_zero_then_there_is_no_wait_ever() -> None:
    """0 grows to 0, also where the power overflows."""
    assert set(_waits(_start(jitter="none", initial=0), *[OSError()] * 2_000)) == {0}


# What the classes of errors ask for


def test_previous_when_the_class_of_the_error_changes_then_it_goes_on_from_the_same() -> None:
    """All classes share ``previous``: changing its mind does not make a bad server quick to dial."""
    backoff = _start(1.0)
    assert _waits(backoff, ConnectionLost(), ConnectError(), OSError()) == [3, 9, 27]


@pytest.mark.parametrize(("rng", "expected"), [(0.0, [5, 5, 1]), (1.0, [15, 45, 60])])
def test_handshake_timeout_when_it_comes_first_then_the_backoff_starts_from_five_seconds(
    rng: float, expected: list[float]
) -> None:
    """An overloaded server gets 5 s at least; the next class has its own lower end again."""
    assert _waits(_start(rng), HandshakeTimeout(), HandshakeTimeout(), ConnectionLost()) == expected


def test_own_initial_when_the_previous_wait_was_shorter_then_the_range_still_begins_at_it() -> None:
    """After a wait of 1 s a handshake timeout waits 5 to 15 s, not 5 down to 3."""
    backoff = BackoffPolicy().start(iter([0.0, 1.0]).__next__)
    assert _waits(backoff, ConnectionLost(), HandshakeTimeout()) == [1, 15]


def test_own_initial_when_it_is_over_the_maximum_then_the_maximum_caps_it() -> None:
    """The maximum is the user's word."""
    assert _waits(_start(maximum=10), PolicyViolation()) == [10]
    assert _waits(_start(maximum=10, jitter="none"), PolicyViolation()) == [10]


@pytest.mark.parametrize(("rng", "expected"), [(0.0, [5, 5, 5]), (0.5, [5, 5, 5.75]), (1.0, [5, 9, 27])])
def test_server_restart_when_the_backoff_is_shorter_then_it_waits_five_seconds(
    rng: float, expected: list[float]
) -> None:
    """The floor lifts the wait and is not kept in ``previous``."""
    assert _waits(_start(rng), *[ServerRestart()] * 3) == expected


@pytest.mark.parametrize(("rng", "expected"), [(0.0, [0.0, 1, 1]), (0.5, [0.5, 2, 3.5]), (1.0, [1, 3, 9])])
def test_clean_close_when_it_is_the_first_failure_then_it_comes_back_within_the_initial_wait(
    rng: float, expected: list[float]
) -> None:
    """The first time after uniform(0, initial), and then the backoff from its beginning."""
    assert _waits(_start(rng), *[CleanClose()] * 3) == expected


def test_clean_close_when_it_follows_other_failures_then_it_waits_like_them() -> None:
    """The quick return is for a line that was good, not for a server in trouble that learnt to say goodbye."""
    assert _waits(_start(1.0), ConnectError(), CleanClose(), CleanClose()) == [3, 9, 27]


def test_clean_close_when_the_connection_had_proven_itself_then_it_is_the_first_again() -> None:
    """A venue that cuts every connection once a day finds us back at once, every day."""
    backoff = _start(0.5)
    assert [backoff.next_wait(CleanClose(uptime=86_400)) for _ in range(3)] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("error", [RateLimited(retry_after=120), ConnectError(retry_after=120)])
def test_retry_after_when_it_is_longer_than_the_backoff_then_it_is_kept_in_full(error: StreamError) -> None:
    """Retry-After is not capped by ``maximum``, whichever error carries it, and does not lift what follows."""
    assert _waits(_start(0.5), error, ConnectionLost()) == [120, 3.5]


def test_retry_after_when_it_is_shorter_than_the_backoff_then_the_backoff_holds() -> None:
    """The longer of the two counts; an answer without Retry-After waits for the backoff."""
    assert _waits(_start(1.0), RateLimited(retry_after=1), RateLimited(), RateLimited(retry_after=0)) == [3, 9, 27]


def test_retry_after_when_it_is_over_its_limit_then_it_gives_up() -> None:
    """At the limit it still waits; over it the feed ends, and the reason gives both numbers."""
    backoff = _start()
    assert _waits(backoff, RateLimited(retry_after=900), RateLimited(retry_after=901)) == [900, None]
    assert backoff.reason == "the server asks to wait 901 s, max_retry_after is 900 s"
    assert _waits(_start(), RateLimited(retry_after=math.inf)) == [None]


@pytest.mark.parametrize(("rng", "expected"), [(0.0, [30, 30, 30, None]), (1.0, [60, 60, 60, None])])
def test_policy_violation_when_it_comes_a_fourth_time_then_it_gives_up(
    rng: float, expected: list[float | None]
) -> None:
    """Three attempts, each after 30 s at least."""
    backoff = _start(rng)
    assert _waits(backoff, *[PolicyViolation()] * 4) == expected
    assert backoff.reason == "PolicyViolation is retried 3 times"


def test_policy_violation_when_others_come_in_between_then_they_do_not_forgive_it() -> None:
    """A refused connection between two violations says nothing about our behaviour."""
    errors = [PolicyViolation(), ConnectError(), PolicyViolation(), CleanClose(), PolicyViolation(), ConnectError()]
    backoff = _start()
    assert None not in _waits(backoff, *errors)
    assert backoff.next_wait(PolicyViolation()) is None


def test_policy_violation_when_a_connection_stayed_up_then_it_counts_from_one() -> None:
    """A good connection forgives, also when a violation ended it."""
    backoff = _start()
    assert None not in _waits(backoff, *[PolicyViolation()] * 3, PolicyViolation(uptime=60), *[PolicyViolation()] * 2)
    assert backoff.next_wait(PolicyViolation()) is None


@pytest.mark.parametrize("error", [Refused(), KeyError("bug"), BufferOverflow()])
def test_next_wait_when_the_error_is_fatal_or_a_bug_then_it_gives_up_at_once(error: Exception) -> None:
    """Neither a refusal nor a bug goes away by trying again."""
    backoff = _start()
    assert backoff.next_wait(error) is None
    assert backoff.reason == f"{type(error).__name__} is not retried"
    assert backoff.attempts == 0


# Counting and resetting


def test_max_attempts_when_they_are_used_up_then_it_gives_up_and_says_so() -> None:
    """Attempts are counted over all classes, from the last reset."""
    backoff = _start(max_attempts=2)
    assert _waits(backoff, ConnectError(), OSError()) == [2, 3.5]
    assert backoff.attempts == 2
    assert backoff.reason == ""
    assert backoff.next_wait(ConnectError()) is None
    assert backoff.reason == "max_attempts is 2"
    assert backoff.next_wait(ConnectionLost(uptime=60)) is not None


def test_max_attempts_when_it_is_zero_then_nothing_is_tried_again() -> None:
    """0 means one connection and no other, however good it was."""
    assert _start(max_attempts=0).next_wait(ConnectionLost(uptime=1e6)) is None


@pytest.mark.parametrize(("uptime", "expected"), [(59.999, 27.0), (60.0, 3.0), (1e6, 3.0)])
def test_reset_when_the_connection_stayed_up_then_it_needs_the_whole_of_reset_after(
    uptime: float, expected: float
) -> None:
    """A connection that opens proves nothing; one that stays open for ``reset_after`` does."""
    backoff = _start(1.0)
    assert _waits(backoff, ConnectionLost(), ConnectionLost(), ConnectionLost(uptime=uptime)) == [3, 9, expected]
    assert backoff.attempts == (3 if expected > 20 else 1)


def test_next_wait_when_the_uptime_is_given_then_it_counts_instead_of_the_errors_own() -> None:
    """An error of another library knows no uptime; its caller does."""
    backoff = _start(1.0)
    assert [backoff.next_wait(OSError(), uptime=uptime) for uptime in (0, 0, 60, 0)] == [3, 9, 3, 9]
    assert backoff.next_wait(ConnectionLost(uptime=60), uptime=0) == 27


def test_verdict_when_it_is_given_then_it_overrules_the_class() -> None:
    """True retries a bug, False ends what is retryable; the limits of the class still hold."""
    assert _start().next_wait(KeyError(), verdict=True) == 2
    assert _start().next_wait(ConnectionLost(), verdict=False) is None
    assert _start().next_wait(RateLimited(retry_after=901), verdict=True) is None


def test_verdict_when_it_is_a_wait_then_only_max_attempts_bounds_it() -> None:
    """A wait that was chosen is taken as it is, counts as an attempt, and leaves the backoff where it was."""
    backoff = _start(max_attempts=2)
    assert backoff.next_wait(RateLimited(retry_after=901), verdict=0.0) == 0
    assert backoff.next_wait(ConnectionLost()) == 2
    assert backoff.next_wait(ConnectionLost(), verdict=7.0) is None


# A server that accepts and drops


def _connections(backoff: Backoff, error: Callable[[], Exception], until: float) -> list[float]:
    times, now = [0.0], 0.0
    while (wait := backoff.next_wait(error())) is not None and now + wait < until:
        now += wait
        times.append(now)
    return times


def _most_in_any(window: float, times: list[float]) -> int:
    return max(sum(start <= time <= start + window for time in times[i:]) for i, start in enumerate(times))


@pytest.mark.parametrize("error", [ConnectionLost, CleanClose])
def test_backoff_when_the_server_accepts_and_drops_for_ten_minutes_then_it_is_dialled_seldom(
    error: type[StreamError],
) -> None:
    """At most 10 connections in any 12 s, the end included, for every one of 1,000 seeds; 5 in the first 10 s by the
    median. Measured: 9 at worst, 4 by the median.
    """
    runs = [_connections(BackoffPolicy().start(random.Random(seed).random), error, 600) for seed in range(1_000)]
    assert max(_most_in_any(12, times) for times in runs) <= 10
    assert statistics.median(sum(time < 10 for time in times) for times in runs) <= 5
