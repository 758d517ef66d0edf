"""``RateLimitConfig``: the one place for a limiter's options."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import cast

from rxstreams._durations import to_seconds
from rxstreams.backoff import BackoffPolicy, Jitter
from rxstreams.limits.priority import APIPriority, checked_count

_MINUTE = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, init=False)
class RateLimitConfig:
    """What a limiter allows. Immutable; two of the same values are equal.

    A priority may fill its *share* of every window: ``max(1, ceil(limit * share))`` of its limit, counting what all
    priorities together have used. So the less urgent are refused first, and "1 a second" still admits all of them.

    Args:
        max_calls_per_minute: weight allowed in any 60 s; None: no such window.
        max_calls_per_hour: weight allowed in any 3,600 s; None: no such window.
        windows: further ones, each a pair of limit and period (seconds or timedelta), as ``[(10, 1), (5_000, 86400)]``.
        critical_share: part of each limit that CRITICAL calls may fill, more than 0 and at most 1.
        high_share: the same of HIGH calls, at most as large as the one before; so on for the next two.
        medium_share: of MEDIUM calls.
        low_share: of LOW calls.
        ageing: seconds or timedelta after which a waiting call counts as one priority more urgent, in its turn and its
            share, so that none waits for ever; None: it does not age.
        initial_backoff_seconds: seconds or timedelta of the first pause after a rate-limit error that does not say how
            long to wait.
        max_backoff_seconds: cap of that pause, seconds or timedelta. A Retry-After is obeyed however long it is.
        backoff_multiplier: growth of the pause from one such error to the next; a call that succeeds resets it.
        backoff_jitter: formula of ``BackoffPolicy``.
        max_waiting: calls that may wait for room (``wait=True``); more are refused. Items of ``throttle_by_priority``
            have a bound of their own.
        cache_size: answers kept at most; the least recently used goes first.
        unanswered: seconds or timedelta for which the request of a call that was cancelled, or failed without an HTTP
            status, may still be on its way: it counts as having ended so much later.
        is_rate_limit_error: says of an exception of a call whether the server refused it for its rate, besides those
            known anyway (``RateLimited``, and HTTP 429 or 418 by their ``status``, ``status_code`` or
            ``response.status_code``); must not have side effects. None: only those.

    Raises:
        ValueError: a value is out of its range, shares do not fall, or there is no window at all.
        TypeError: a value has the wrong type.

    Example:
        >>> RateLimitConfig(max_calls_per_minute=1200, max_calls_per_hour=None, windows=[(10, 1)]).limits
        ((10, 1.0), (1200, 60.0))
    """

    max_calls_per_minute: int | None
    max_calls_per_hour: int | None
    windows: tuple[tuple[int, float], ...]
    critical_share: float
    high_share: float
    medium_share: float
    low_share: float
    ageing: float | None
    initial_backoff_seconds: float
    max_backoff_seconds: float
    backoff_multiplier: float
    backoff_jitter: Jitter
    max_waiting: int
    cache_size: int
    unanswered: float
    is_rate_limit_error: Callable[[Exception], bool] | None

    # Written out, so that a timedelta may be given and a float is what is read.
    def __init__(
        self,
        *,
        max_calls_per_minute: int | None = 30,
        max_calls_per_hour: int | None = 500,
        windows: Iterable[tuple[int, float | timedelta]] = (),
        critical_share: float = 1.0,
        high_share: float = 0.95,
        medium_share: float = 0.80,
        low_share: float = 0.60,
        ageing: float | timedelta | None = 30.0,
        initial_backoff_seconds: float | timedelta = 5.0,
        max_backoff_seconds: float | timedelta = 300.0,
        backoff_multiplier: float = 2.0,
        backoff_jitter: Jitter = "equal",
        max_waiting: int = 1_000,
        cache_size: int = 1_000,
        unanswered: float | timedelta = 1.0,
        is_rate_limit_error: Callable[[Exception], bool] | None = None,
    ) -> None:
        keep = super().__setattr__  # the class is frozen
        keep("max_calls_per_minute", _checked_limit("max_calls_per_minute", max_calls_per_minute))
        keep("max_calls_per_hour", _checked_limit("max_calls_per_hour", max_calls_per_hour))
        keep("windows", _checked_windows(windows))
        keep("critical_share", _checked_share("critical_share", critical_share, 1.0))
        keep("high_share", _checked_share("high_share", high_share, self.critical_share))
        keep("medium_share", _checked_share("medium_share", medium_share, self.high_share))
        keep("low_share", _checked_share("low_share", low_share, self.medium_share))
        keep("ageing", None if ageing is None else to_seconds("ageing", ageing, positive=True))
        keep("initial_backoff_seconds", to_seconds("initial_backoff_seconds", initial_backoff_seconds, positive=True))
        keep("max_backoff_seconds", to_seconds("max_backoff_seconds", max_backoff_seconds))
        keep("backoff_multiplier", backoff_multiplier)
        keep("backoff_jitter", backoff_jitter)
        keep("max_waiting", checked_count("max_waiting", max_waiting))
        keep("cache_size", checked_count("cache_size", cache_size))
        keep("unanswered", to_seconds("unanswered", unanswered))
        keep("is_rate_limit_error", is_rate_limit_error)
        self._check()

    @property
    def limits(self) -> tuple[tuple[int, float], ...]:
        """All windows as (limit, period in seconds), the shortest first."""
        named = ((self.max_calls_per_minute, _MINUTE), (self.max_calls_per_hour, _HOUR))
        given = [(limit, period) for limit, period in named if limit is not None]
        return tuple(sorted((*given, *self.windows), key=lambda each: each[1]))

    @property
    def backoff(self) -> BackoffPolicy:
        """How the pauses after rate-limit errors grow."""
        return BackoffPolicy(
            initial=self.initial_backoff_seconds,
            maximum=self.max_backoff_seconds,
            jitter=self.backoff_jitter,
            multiplier=self.backoff_multiplier,
        )

    def ceiling(self, priority: APIPriority, limit: int) -> int:
        """Return how much of a limit may be used once a call of that priority is counted."""
        share = (self.critical_share, self.high_share, self.medium_share, self.low_share)[priority]
        # As written, not as stored: 0.07 * 100 is a little over 7.
        return max(1, math.ceil(limit * Fraction(str(share))))

    def _check(self) -> None:
        if not self.limits:
            raise ValueError("a limiter needs a window: max_calls_per_minute, max_calls_per_hour or one in windows")
        if self.max_backoff_seconds < self.initial_backoff_seconds:
            raise ValueError(
                f"max_backoff_seconds must be at least initial_backoff_seconds ({self.initial_backoff_seconds:g}), "
                f"got {self.max_backoff_seconds!r}"
            )
        if self.is_rate_limit_error is not None and not callable(self.is_rate_limit_error):
            raise TypeError(f"is_rate_limit_error must be a function or None, got {self.is_rate_limit_error!r}")
        _ = self.backoff  # checks what is left


def _checked_limit(name: str, value: object) -> int | None:
    return None if value is None else checked_count(name, value, otherwise=", or None (no such window)")


def _checked_windows(value: object) -> tuple[tuple[int, float], ...]:
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise TypeError(f"windows must be pairs of limit and period, got {value!r}")
    windows: list[tuple[int, float]] = []
    for each in cast("Iterable[object]", value):
        pair = cast("Sequence[object]", each) if isinstance(each, (tuple, list)) else ()
        if len(pair) != 2:
            raise TypeError(f"each of windows must be a pair of limit and period, got {each!r}")
        limit = checked_count("a window's limit", pair[0])
        windows.append((limit, to_seconds("a window's period", pair[1], positive=True)))
    return tuple(windows)


def _checked_share(name: str, value: object, largest: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 < value <= largest:
        raise ValueError(
            f"{name} must be more than 0 and at most {largest:g}, as the less urgent may not fill more, got {value!r}"
        )
    return float(value)
