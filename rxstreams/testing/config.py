"""``fast_config``: a feed's options with all durations divided, so that tests of faults last seconds."""

from __future__ import annotations

from typing import Any

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.limits import APIRateLimiter, RateLimitConfig
from rxstreams.sources import Venue

_DURATIONS = ("connect_timeout", "silence_timeout", "probe_timeout", "ping_interval", "ping_timeout", "close_timeout")


def fast_config(*, divisor: float = 100.0, **overrides: Any) -> dict[str, Any]:
    """Return keyword options for a feed: the defaults with all durations divided, and what is given beside.

    REST requests go through a limiter of their own, which allows 1,000 in a second and whose pauses are divided too:
    the venue's limits, shared by all of a process, would make tests wait for each other.

    ``max_hold`` and ``max_gap`` stay as they are: they bound what a slow machine may take, and nothing waits for them
    where all goes well.

    What a class of errors asks for by itself is not divided: 5 s after ``HandshakeTimeout`` and ``ServerRestart``,
    30 s after ``PolicyViolation``. Those waits are tested in virtual time.

    Args:
        divisor: what durations are divided by.
        overrides: fields of ``StreamConfig``; they win and are not divided.

    Raises:
        ValueError: the divisor is not positive, or an option is out of its range.
        TypeError: there is no such option.

    Example:
        >>> fast_config(url="ws://127.0.0.1:9")["silence_timeout"]
        0.3
    """
    if not 0 < divisor < float("inf"):
        raise ValueError(f"divisor must be a positive number, got {divisor!r}")
    defaults, policy, limits = StreamConfig(), BackoffPolicy(), RateLimitConfig()
    options: dict[str, Any] = {name: getattr(defaults, name) / divisor for name in _DURATIONS}
    options["settle"] = Venue.settle / divisor
    options["backoff"] = BackoffPolicy(
        initial=policy.initial / divisor,
        maximum=policy.maximum / divisor,
        reset_after=policy.reset_after / divisor,
        max_retry_after=policy.max_retry_after / divisor,
    )
    options["rest_limiter"] = APIRateLimiter(
        RateLimitConfig(
            max_calls_per_minute=None,
            max_calls_per_hour=None,
            windows=[(1_000, 1)],
            initial_backoff_seconds=limits.initial_backoff_seconds / divisor,
            max_backoff_seconds=limits.max_backoff_seconds / divisor,
        ),
        name="fast_config",
    )
    options |= overrides
    StreamConfig.of(options)
    return options
