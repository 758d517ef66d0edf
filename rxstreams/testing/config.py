"""``fast_config``: a feed's options with all durations divided, so that tests of faults last seconds."""

from __future__ import annotations

from typing import Any

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig

_DURATIONS = ("connect_timeout", "silence_timeout", "probe_timeout", "ping_interval", "ping_timeout", "close_timeout")


def fast_config(*, divisor: float = 100.0, **overrides: Any) -> dict[str, Any]:
    """Return keyword options for a feed: the defaults with all durations divided, and what is given beside.

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
    defaults, policy = StreamConfig(), BackoffPolicy()
    options: dict[str, Any] = {name: getattr(defaults, name) / divisor for name in _DURATIONS}
    options["backoff"] = BackoffPolicy(
        initial=policy.initial / divisor,
        maximum=policy.maximum / divisor,
        reset_after=policy.reset_after / divisor,
        max_retry_after=policy.max_retry_after / divisor,
    )
    options |= overrides
    StreamConfig.of(options)
    return options
