"""Calls of an API that allows few of them: the important ones first, answers kept for a while.

python limits.py
"""
# ruff: noqa: T201  # a program of a user's, that prints

from __future__ import annotations

import asyncio

from rxstreams import APIPriority, APIRateLimiter, RateLimitConfig, create_rate_limiter, get_rate_limiter

CALLS: list[str] = []


async def fetch_data(symbol: str) -> dict[str, str]:
    """Stand for a request."""
    CALLS.append(symbol)
    return {"symbol": symbol, "number": str(len(CALLS))}


async def main() -> None:
    """Call until the quota is tight."""
    limiter: APIRateLimiter = create_rate_limiter(
        "my-api",
        RateLimitConfig(max_calls_per_minute=10, max_calls_per_hour=500, initial_backoff_seconds=5.0),
    )
    print("singleton:", create_rate_limiter("my-api") is limiter, get_rate_limiter("my-api") is limiter)
    print("unknown:", get_rate_limiter("nobody"))

    first = await limiter.execute(fetch_data, "BTC/USD", priority=APIPriority.HIGH, cache_key="btc-data", cache_ttl=0.2)
    again = await limiter.execute(fetch_data, "BTC/USD", priority=APIPriority.HIGH, cache_key="btc-data", cache_ttl=0.2)
    print("from the cache:", first == again, "calls:", len(CALLS))
    await asyncio.sleep(0.3)
    later = await limiter.execute(fetch_data, "BTC/USD", priority=APIPriority.HIGH, cache_key="btc-data", cache_ttl=0.2)
    print("after its time:", later != first, "calls:", len(CALLS))

    low = 0
    try:
        for _ in range(10):
            await limiter.execute(fetch_data, "DOGE/USD", priority=APIPriority.LOW)
            low += 1
    except Exception as error:
        print("low priority refused after:", low, type(error).__name__)
    await limiter.execute(fetch_data, "ETH/USD", priority=APIPriority.HIGH)
    print("high priority still admitted, calls:", len(CALLS))
    print(limiter.get_stats())


if __name__ == "__main__":
    asyncio.run(main())
