"""Limiters by name."""

from __future__ import annotations

from rxstreams.limits.config import RateLimitConfig
from rxstreams.limits.limiter import APIRateLimiter
from rxstreams.registry import Registry

_named: Registry[APIRateLimiter] = Registry("rate limiter")


def create_rate_limiter(name: str, config: RateLimitConfig | None = None) -> APIRateLimiter:
    """Return the limiter of that name, made with the first question and shared by all who ask.

    Args:
        name: not empty.
        config: what is allowed; None: that of the limiter that is there, else the defaults.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the name is empty, or its limiter has another config.

    Example:
        >>> limiter = create_rate_limiter("my-api", RateLimitConfig(max_calls_per_minute=30))
        >>> create_rate_limiter("my-api") is limiter
        True
    """
    limiter = _named.get_or_create(name, lambda: APIRateLimiter(config, name=name))
    if config is not None and config != limiter.config:
        raise ValueError(
            f"the rate limiter {name!r} is there already, with {limiter.config!r}, got {config!r}; use another name"
        )
    return limiter


def get_rate_limiter(name: str) -> APIRateLimiter | None:
    """Return the limiter of that name; None: there is none.

    Raises:
        TypeError: the name is no string.
        ValueError: the name is empty.
    """
    return _named.get(name)
