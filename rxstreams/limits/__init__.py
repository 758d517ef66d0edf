"""Limits: calls to a server that counts them, urgent ones first, never more than it allows."""

from rxstreams.limits.config import RateLimitConfig
from rxstreams.limits.limiter import APIRateLimiter
from rxstreams.limits.named import create_rate_limiter, get_rate_limiter
from rxstreams.limits.priority import APIPriority
from rxstreams.limits.stats import RateLimitStats, WindowStats
from rxstreams.limits.window import SlidingWindow

__all__ = [
    "APIPriority",
    "APIRateLimiter",
    "RateLimitConfig",
    "RateLimitStats",
    "SlidingWindow",
    "WindowStats",
    "create_rate_limiter",
    "get_rate_limiter",
]
