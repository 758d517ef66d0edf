"""Connections that a venue counts: each waits for its turn before it opens."""

from __future__ import annotations

import asyncio

from rxstreams.config import StreamConfig
from rxstreams.errors import HandshakeTimeout, QuotaExceeded
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig, create_rate_limiter, get_rate_limiter
from rxstreams.sources.venue import Venue


def connection_limiter(venue: Venue, url: str, config: StreamConfig) -> APIRateLimiter | None:
    """Return what all connections of this process to a venue's address go through; None: nothing counts them.

    It has the venue's ``connection_limit`` and the name "VENUE ADDRESS"; whoever makes a limiter of that name before
    (``create_rate_limiter``) decides what it allows. For a ``url`` of one's own the venue's limit does not hold.
    """
    if venue.connection_limit is None or config.url:
        return None
    name = f"{venue.name} {url}"
    return get_rate_limiter(name) or create_rate_limiter(
        name,
        RateLimitConfig(max_calls_per_minute=None, max_calls_per_hour=None, windows=(venue.connection_limit,)),
    )


async def wait_for_turn(limiter: APIRateLimiter, patience: float) -> None:
    """Return when another connection may be opened; whoever is cancelled leaves its place to others.

    Args:
        limiter: of the connections.
        patience: seconds.

    Raises:
        HandshakeTimeout: it was not its turn in that time, or too many wait.
    """
    try:
        async with asyncio.timeout(patience), limiter.acquire(priority=APIPriority.CRITICAL):
            pass  # what counts is that it is opened, not how long it stays so
    except (TimeoutError, QuotaExceeded) as error:
        raise HandshakeTimeout(f"{limiter!r}: no turn to connect within {patience:g} s") from error
