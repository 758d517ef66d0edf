"""``RateLimitStats``: how a limiter stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WindowStats:
    """One window of a limiter.

    Args:
        limit: weight allowed in one period.
        period: seconds.
        used: weight that counts now; more than the limit only where the server said so (``observe``).
    """

    limit: int
    period: float
    used: int


@dataclass(frozen=True, kw_only=True)
class RateLimitStats:
    """How a limiter stands, and what it has done so far.

    Args:
        windows: the shortest first.
        running: calls that were admitted and have not ended.
        waiting: calls, and items of ``throttle_by_priority``, that wait for room.
        frozen_for: seconds for which nobody is admitted.
        admitted: calls so far, and items.
        refused: calls that got ``QuotaExceeded``.
        rate_limited: calls that the server refused for their rate.
        cached: calls answered from the cache.
        joined: calls that shared the answer of one that was on its way.
    """

    windows: tuple[WindowStats, ...]
    running: int
    waiting: int
    frozen_for: float
    admitted: int
    refused: int
    rate_limited: int
    cached: int
    joined: int
