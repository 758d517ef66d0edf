"""How long to wait before the next attempt: ``BackoffPolicy`` and the jitter formulas. Pure: no clock, no thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from rxstreams._durations import to_seconds
from rxstreams.errors import CleanClose, StreamError

Jitter: TypeAlias = Literal["decorrelated", "full", "equal", "none"]


@dataclass(frozen=True, kw_only=True, init=False)
class BackoffPolicy:
    """How the waits between attempts grow, and when it is time to give up. Immutable, so one serves many feeds.

    ``n`` counts the backoffs since the last reset from 0, ``previous`` is the last of them (at first ``initial``),
    ``target = min(maximum, initial * multiplier**n)``; all classes of errors share both counts:

    ============== =============================================
    jitter         wait
    ============== =============================================
    decorrelated   min(maximum, uniform(initial, 3 * previous))
    full           uniform(0, target)
    equal          target / 2 + uniform(0, target / 2)
    none           target
    ============== =============================================

    The class of the error has its say (``rxstreams.errors``): its own ``initial``, a ``floor`` below which no wait
    falls, its own ``max_attempts``, and the first failure in a row, if it is a ``CleanClose``, waits
    uniform(0, initial). A ``retry_after`` is kept: ``max(backoff, retry_after)``. Only the floor and Retry-After lead
    over ``maximum``.

    A server that accepts and drops at once must not be dialled in a hot loop. So nothing is reset when a connection
    opens, only when one *stayed* open for ``reset_after``.

    Args:
        initial: seconds or timedelta of the first wait; 0 with "none" or "full" means no wait at all.
        maximum: cap of the backoff, seconds or timedelta.
        jitter: the formula. Keep one that is random wherever clients of one server could fall into step.
        multiplier: growth of the target from one attempt to the next; "decorrelated" does not use it.
        max_attempts: attempts in a row, without a reset, before it gives up; None: no limit; 0: no second attempt.
        reset_after: after a connection that stayed open so long, seconds or timedelta, everything is counted anew.
        max_retry_after: a server that asks for a longer pause, seconds or timedelta, is not asked again.

    Raises:
        ValueError: a value is out of its range.
        TypeError: a value has the wrong type.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) for the formulas; RFC 6455 section
        7.2.3 for the random first delay.

    Example:
        >>> backoff = BackoffPolicy(jitter="none", maximum=5).start(lambda: 0.5)
        >>> [backoff.next_wait(ConnectionResetError()) for _ in range(4)]
        [1.0, 2.0, 4.0, 5.0]
    """

    initial: float
    maximum: float
    jitter: Jitter
    multiplier: float
    max_attempts: int | None
    reset_after: float
    max_retry_after: float

    # Written out, so that a timedelta may be given and a float is what is read.
    def __init__(
        self,
        *,
        initial: float | timedelta = 1.0,
        maximum: float | timedelta = 60.0,
        jitter: Jitter = "decorrelated",
        multiplier: float = 2.0,
        max_attempts: int | None = None,
        reset_after: float | timedelta = 60.0,
        max_retry_after: float | timedelta = 900.0,
    ) -> None:
        keep = super().__setattr__  # the class is frozen
        keep("initial", to_seconds("initial", initial))
        keep("maximum", to_seconds("maximum", maximum))
        keep("jitter", jitter)
        keep("multiplier", multiplier)
        keep("max_attempts", max_attempts)
        keep("reset_after", to_seconds("reset_after", reset_after, positive=True))
        keep("max_retry_after", to_seconds("max_retry_after", max_retry_after))
        if self.maximum < self.initial:
            raise ValueError(f"maximum must be at least initial ({self.initial:g} s), got {maximum!r}")
        if jitter not in get_args(Jitter):
            raise ValueError(f"jitter must be one of {', '.join(get_args(Jitter))}, got {jitter!r}")
        _check_multiplier(multiplier)
        if max_attempts is not None:
            _check_attempts(max_attempts)

    def start(self, rng: Callable[[], float]) -> Backoff:
        """Return a new count of failures, for one line.

        Args:
            rng: returns floats from 0.0 to below 1.0, as ``random.random`` does.
        """
        return Backoff(self, rng)


class Backoff:
    """The failures of one line since its last good connection, and the wait that follows from them.

    Made by ``BackoffPolicy.start``. Not thread-safe: a line fails in one place at a time. Memory: O(classes of errors).

    Attributes:
        attempts: granted in a row since the last reset.
        reason: in words, why the last ``next_wait`` gave up; "": it did not.
    """

    __slots__ = ("_backoffs", "_by_class", "_policy", "_previous", "_rng", "attempts", "reason")

    def __init__(self, policy: BackoffPolicy, rng: Callable[[], float]) -> None:
        self._policy = policy
        self._rng = rng
        self.reason = ""
        self._reset()

    def next_wait(
        self, error: Exception, *, uptime: float | None = None, verdict: bool | float | None = None
    ) -> float | None:
        """Count a failure and return the seconds to wait before the next attempt.

        Args:
            error: what ended the attempt.
            uptime: seconds that the connection had been open; None: what the error says (0.0 if it is no StreamError).
            verdict: whether to try again, or the very wait in seconds, instead of what the error's class says; None:
                that (of the errors that are not ours, OSError and TimeoutError may pass by themselves).

        Returns:
            The wait; None: give up, and ``reason`` says why. It is None if the error is fatal, ``max_attempts`` or the
            class's own limit is used up, or the server wants a longer pause than ``max_retry_after``. A wait given as
            the verdict is bound by ``max_attempts`` only.
        """
        if uptime is None:
            uptime = error.uptime if isinstance(error, StreamError) else 0.0
        if uptime >= self._policy.reset_after:
            self._reset()
        chosen = None if verdict is None or isinstance(verdict, bool) else verdict
        self.reason = self._objection(error, _is_retryable(error) if verdict is None else verdict is not False)
        if not self.reason and chosen is None:
            self.reason = self._objection_of_class(error)
        if self.reason:
            return None
        self.attempts += 1
        self._by_class[type(error)] = self._by_class.get(type(error), 0) + 1
        return self._wait(error) if chosen is None else chosen

    def _reset(self) -> None:
        self.attempts = 0
        self._backoffs = 0
        self._previous = 0.0
        # Of each class: another one in between does not forgive three violations of the venue's policy.
        self._by_class: dict[type[Exception], int] = {}

    def _objection(self, error: Exception, retryable: bool) -> str:
        if not retryable:
            return f"{type(error).__name__} is not retried"
        limit = self._policy.max_attempts
        if limit is not None and self.attempts >= limit:
            return f"max_attempts is {limit}"
        return ""

    def _objection_of_class(self, error: Exception) -> str:
        if not isinstance(error, StreamError):
            return ""
        limit = error.max_attempts
        if limit is not None and self._by_class.get(type(error), 0) >= limit:
            return f"{type(error).__name__} is retried {limit} times"
        longest = self._policy.max_retry_after
        if error.retry_after is not None and error.retry_after > longest:
            return f"the server asks to wait {error.retry_after:g} s, max_retry_after is {longest:g} s"
        return ""

    def _wait(self, error: Exception) -> float:
        initial = self._policy.initial
        if not isinstance(error, StreamError):
            return self._backoff(initial)
        if error.initial is not None:
            initial = error.initial
        # The line was good until the server said goodbye: come back soon, but not all clients at once.
        goodbye = isinstance(error, CleanClose) and self.attempts == 1
        wait = self._uniform(0.0, initial) if goodbye else self._backoff(initial)
        return max(wait, error.floor, error.retry_after or 0.0)

    def _backoff(self, initial: float) -> float:
        policy = self._policy
        if policy.jitter == "decorrelated":
            wait = min(policy.maximum, self._uniform(initial, 3 * max(self._previous, initial)))
        else:
            target = self._target(initial)
            fixed = {"full": 0.0, "equal": 0.5, "none": 1.0}[policy.jitter]
            wait = self._uniform(fixed * target, target)
        # What floor and Retry-After add is not kept: the next wait would stay at the maximum for it.
        self._previous = wait
        self._backoffs += 1
        return wait

    def _target(self, initial: float) -> float:
        policy = self._policy
        try:
            return min(policy.maximum, initial * policy.multiplier**self._backoffs)
        except OverflowError:
            return policy.maximum if initial else 0.0

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._rng()


def _is_retryable(error: Exception) -> bool:
    return error.retryable if isinstance(error, StreamError) else isinstance(error, OSError)  # TimeoutError is one


def _check_multiplier(value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"multiplier must be a number, got {value!r}")
    if not 1 <= value < math.inf:
        raise ValueError(f"multiplier must be 1 or more and finite, got {value!r}")


def _check_attempts(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"max_attempts must be a whole number or None (no limit), got {value!r}")
    if value < 0:
        raise ValueError(f"max_attempts must be 0 or more, or None (no limit), got {value!r}")
