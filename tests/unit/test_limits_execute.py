"""``APIRateLimiter``: calls that are made, refused or wait, in virtual time; bad input."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
from datetime import timedelta
from typing import Any

import pytest
from virtual_loop import Server, StatusError, limiter_here, now, one_window, pass_time, run

from rxstreams.errors import ConnectionLost, QuotaExceeded, RateLimited
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig, RateLimitStats, WindowStats

CRITICAL, HIGH, MEDIUM, LOW = APIPriority


# The call itself


def test_execute_when_there_is_room_then_it_returns_what_the_call_returns() -> None:
    """Arguments pass, also by keyword."""

    async def call(first: int, *, second: int) -> int:
        return first + second

    async def main() -> int:
        return await limiter_here().execute(call, 1, second=2)

    assert run(main) == 3


def test_execute_when_the_call_runs_then_it_is_on_the_callers_loop_and_in_its_context() -> None:
    """Sessions belong to a loop, and tracing to a context."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def call() -> tuple[asyncio.AbstractEventLoop, str]:
        return asyncio.get_running_loop(), variable.get()

    async def main() -> None:
        variable.set("mine")
        here = (asyncio.get_running_loop(), "mine")
        limiter = limiter_here()
        assert await limiter.execute(call) == here
        assert await limiter.execute(call, cache_key="key") == here
        assert await limiter.execute(call, wait=True, cache_key="key") == here

    run(main)


def test_execute_when_the_call_raises_then_its_error_comes_out_and_its_weight_counts() -> None:
    """The server has seen it."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(2)), Server(KeyError("no such symbol"))
        with pytest.raises(KeyError, match="no such symbol"):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().windows[0].used == 1
        assert limiter.get_stats().running == 0

    run(main)


def test_execute_when_the_function_is_not_async_then_it_says_so() -> None:
    """A function that blocks would hold up the loop, and its answer would come too late for the limiter."""

    async def main() -> None:
        with pytest.raises(TypeError, match=r"fn must be an async function, got one that returned 5"):
            await limiter_here().execute(lambda: 5)  # type: ignore[arg-type, return-value]  # what is being tested

    run(main)


def test_execute_when_the_quota_is_used_up_then_it_is_refused_and_nothing_is_called() -> None:
    """QuotaExceeded says when to ask again."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(2)), Server()
        await limiter.execute(server.fetch)
        await pass_time(3)
        await limiter.execute(server.fetch)
        with pytest.raises(QuotaExceeded) as raised:
            await limiter.execute(server.fetch)
        assert raised.value.retry_after == pytest.approx(7.0)
        await pass_time(raised.value.retry_after)
        await limiter.execute(server.fetch)
        assert server.times == [0, 3, 10]
        assert limiter.get_stats().refused == 1

    run(main)


def test_execute_when_it_waits_then_it_is_called_as_soon_as_there_is_room() -> None:
    """Most urgent first; a call that takes long frees its place one period after its end."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(latency=2)
        async with asyncio.TaskGroup() as group:
            for priority in (MEDIUM, LOW, CRITICAL, HIGH):
                group.create_task(limiter.execute(server.fetch, priority.name, priority=priority, wait=True))
        assert server.calls == [(0, "MEDIUM"), (12, "CRITICAL"), (24, "HIGH"), (36, "LOW")]

    run(main)


def test_execute_when_too_many_wait_then_it_is_refused() -> None:
    """The queue is bounded by max_waiting."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1, max_waiting=2)), Server()
        await limiter.execute(server.fetch)
        waiting = [asyncio.create_task(limiter.execute(server.fetch, wait=True)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QuotaExceeded, match="2 calls are waiting already"):
            await limiter.execute(server.fetch, wait=True)
        assert limiter.get_stats().waiting == 2
        await asyncio.gather(*waiting)
        assert server.times == [0, 10, 20]

    run(main)


def test_execute_when_calls_are_those_of_the_docstring_then_they_go_as_it_draws_them() -> None:
    """The marble of APIRateLimiter: five in 20; LOW may fill three of them."""

    async def main() -> list[tuple[float, object]]:
        limiter, server = limiter_here(one_window(5, 20, high_share=0.95, medium_share=0.8, low_share=0.6)), Server()
        refused: list[float] = []

        async def call(time: float, priority: APIPriority) -> None:
            await pass_time(time)
            try:
                await limiter.execute(server.fetch, priority.name, priority=priority)
            except QuotaExceeded:
                refused.append(now())

        low = [call(time, LOW) for time in (0, 2, 4, 6, 23, 24)]
        high = [call(time, HIGH) for time in (9, 11, 13)]
        await asyncio.gather(*low, *high)
        assert refused == [6, 13, 23]
        return server.calls

    assert run(main) == [(0, "LOW"), (2, "LOW"), (4, "LOW"), (9, "HIGH"), (11, "HIGH"), (24, "LOW")]


# Cancelling


def test_execute_when_a_waiting_caller_is_cancelled_then_its_place_is_free() -> None:
    """The heavy call that stood first held the light one up."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(4)), Server()
        await limiter.execute(server.fetch, weight=2)
        heavy = asyncio.create_task(limiter.execute(server.fetch, "heavy", weight=4, wait=True))
        light = asyncio.create_task(limiter.execute(server.fetch, "light", wait=True))
        await pass_time(3)
        heavy.cancel()
        await light
        assert heavy.cancelled()
        assert server.calls[1:] == [(3, "light")]
        assert limiter.get_stats().windows[0].used == 3

    run(main)


def test_execute_when_a_caller_is_cancelled_just_as_it_is_granted_then_nothing_is_charged() -> None:
    """The grant is on its way to it; the next one gets it at the same instant."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server()
        await limiter.execute(server.fetch)
        first = asyncio.create_task(limiter.execute(server.fetch, "first", wait=True))
        second = asyncio.create_task(limiter.execute(server.fetch, "second", wait=True))
        await asyncio.sleep(0)
        granted: list[float] = []

        def cancel_when_granted() -> None:
            if limiter.get_stats().running:
                granted.append(now())
                first.cancel()
            else:
                asyncio.get_running_loop().call_soon(cancel_when_granted)

        asyncio.get_running_loop().call_at(10, cancel_when_granted)
        await second
        assert first.cancelled()
        assert granted == [10]
        assert server.calls[1:] == [(10, "second")]

    run(main)


def test_execute_when_a_running_call_is_cancelled_then_it_counts_a_little_longer() -> None:
    """Its request may still be on its way: one period after its end, plus a second."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(latency=100)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await limiter.execute(server.fetch)
        assert limiter.get_stats().running == 0
        await limiter.execute(Server().fetch, wait=True)
        assert now() == 14

    run(main)


@pytest.mark.parametrize(
    ("error", "free"),
    [(ConnectionLost(), 11.0), (StatusError(status=404), 10.0), (ValueError("not JSON"), 11.0)],
)
def test_execute_when_a_call_fails_then_it_counts_longer_unless_the_server_answered(
    error: Exception, free: float
) -> None:
    """A status is an answer: the server has counted the call by then."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(error)
        with pytest.raises(type(error)):
            await limiter.execute(server.fetch)
        await limiter.execute(server.fetch, wait=True)
        assert server.times == [0, free]

    run(main)


# acquire, observe, stats


def test_acquire_when_entered_then_it_waits_for_room_and_counts_until_left() -> None:
    """One period after the end of the block."""

    async def main() -> None:
        limiter = limiter_here(one_window(1))
        times: list[float] = []
        for _ in range(2):
            async with limiter.acquire(priority=HIGH):
                times.append(now())
                await pass_time(2)
        assert times == [0, 12]

    run(main)


def test_acquire_when_it_does_not_wait_then_it_is_refused() -> None:
    """Nothing in the block runs."""

    async def main() -> None:
        limiter = limiter_here(one_window(1))
        async with limiter.acquire():
            with pytest.raises(QuotaExceeded):
                async with limiter.acquire(wait=False):
                    pytest.fail("it was let in")

    run(main)


def test_acquire_when_a_rate_limit_error_leaves_it_then_the_limiter_is_frozen() -> None:
    """And the error comes out, whether it waits or not."""

    async def main() -> None:
        limiter = limiter_here(one_window(5))
        with pytest.raises(RateLimited):
            async with limiter.acquire():
                raise RateLimited("429", retry_after=9)
        assert limiter.get_stats().frozen_for == 9.0

    run(main)


def test_observe_when_the_server_has_counted_more_then_less_is_left() -> None:
    """Its count is of one window, named by its length."""

    async def main() -> None:
        limiter = limiter_here(RateLimitConfig(high_share=1.0))
        limiter.observe(29)
        limiter.observe(499, period=timedelta(hours=1))
        await limiter.execute(Server().fetch, priority=HIGH)
        with pytest.raises(QuotaExceeded, match=r"30 of 30 in 60 s .*; 500 of 500 in 3600 s"):
            await limiter.execute(Server().fetch, priority=HIGH)

    run(main)


def test_stats_when_asked_for_then_they_say_how_the_limiter_stands() -> None:
    """All of it, in one look."""

    async def main() -> RateLimitStats:
        limiter = limiter_here(RateLimitConfig(max_calls_per_minute=3, max_calls_per_hour=100))
        server = Server(latency=2)
        await limiter.execute(server.fetch, cache_key="key", cache_ttl=60, priority=CRITICAL)
        await limiter.execute(server.fetch, cache_key="key")
        running = asyncio.create_task(limiter.execute(server.fetch, weight=2, priority=CRITICAL))
        await pass_time(1)
        waiting = asyncio.create_task(limiter.execute(server.fetch, wait=True))
        await asyncio.sleep(0)
        with pytest.raises(QuotaExceeded):
            await limiter.execute(server.fetch)
        stats = limiter.get_stats()
        await asyncio.gather(running, waiting)
        return stats

    assert run(main) == RateLimitStats(
        windows=(WindowStats(limit=3, period=60.0, used=3), WindowStats(limit=100, period=3600.0, used=3)),
        running=1,
        waiting=1,
        frozen_for=0.0,
        admitted=2,
        refused=1,
        rate_limited=0,
        cached=1,
        joined=0,
    )


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": "urgent"}, "priority must be one of APIPriority.CRITICAL, APIPriority.HIGH"),
        ({"priority": 1}, "priority must be one of"),
        ({"priority": None}, "priority must be one of"),
        ({"weight": 0}, "weight must be 1 or more"),
        ({"weight": 1.5}, "weight must be a whole number"),
        ({"weight": 19, "priority": LOW}, "weight must be at most 18, all that LOW may fill of the smallest window"),
        ({"weight": 31, "priority": CRITICAL}, "weight must be at most 30"),
    ],
)
def test_call_when_an_option_is_wrong_then_it_is_refused_at_once(options: Any, message: str) -> None:
    """Also a weight that could never be admitted: it would wait for ever."""

    async def main() -> None:
        limiter, server = limiter_here(), Server()
        with pytest.raises((TypeError, ValueError), match=message):
            await limiter.execute(server.fetch, wait=True, **options)
        with pytest.raises((TypeError, ValueError), match=message):
            limiter.acquire(**options)
        assert server.calls == []

    run(main)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache_ttl": 5}, "cache_ttl needs a cache_key"),
        ({"cache_key": "k", "cache_ttl": -1}, "cache_ttl must be 0 or more"),
        ({"cache_key": ["k"]}, "unhashable"),
    ],
)
def test_execute_when_a_cache_option_is_wrong_then_it_says_so(options: Any, message: str) -> None:
    """Before anything is called."""

    async def main() -> None:
        server = Server()
        with pytest.raises((TypeError, ValueError), match=message):
            await limiter_here().execute(server.fetch, **options)
        assert server.calls == []

    run(main)


def test_execute_when_there_is_no_function_then_it_says_so() -> None:
    """A coroutine can't be made a second time."""

    async def main() -> None:
        coroutine = Server().fetch()
        with pytest.raises(TypeError, match="fn must be a function"):
            await limiter_here().execute(coroutine)  # type: ignore[arg-type]  # what is being tested
        coroutine.close()

    run(main)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("observe", [-1], "used must be 0 or more"),
        ("observe", [1.5], "used must be a whole number"),
        ("observe", [1, 61], r"period must be that of a window \(60, 3600 s\)"),
        ("freeze", [-1], "duration must be 0 or more"),
        ("freeze", ["5"], "duration must be seconds or a timedelta"),
    ],
)
def test_method_when_an_argument_is_wrong_then_it_says_what_was_expected(
    method: str, arguments: list[object], message: str
) -> None:
    """Numbers from headers are easily misread."""
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(APIRateLimiter(), method)(*arguments)


# Everything at once


@pytest.mark.parametrize("seed", range(30))
def test_execute_when_calls_take_their_time_both_ways_then_the_server_never_counts_too_many(seed: int) -> None:
    """Requests and answers take 20 to 900 ms, some are cancelled or fail; two windows, at the client and the server."""
    rng = random.Random(seed)
    limits = ((5, 1.0), (12, 4.0))
    received: list[tuple[float, int]] = []
    sent: list[tuple[float, int]] = []

    async def request(weight: int, *, there: float, back: float, fails: bool) -> None:
        loop = asyncio.get_running_loop()
        sent.append((loop.time(), weight))
        # What has been sent arrives, whether or not the client still wants to know.
        loop.call_later(there, lambda: received.append((loop.time(), weight)))
        await pass_time(there + back)
        if fails:
            raise ConnectionLost

    async def client(limiter: APIRateLimiter) -> None:
        for _ in range(rng.randrange(1, 8)):
            await pass_time(rng.choice([0, 0, rng.uniform(0, 2)]))
            weight = rng.choice([1, 1, 1, 2, 3])
            call = limiter.execute(
                request,
                weight,
                there=rng.uniform(0.02, 0.9),
                back=rng.uniform(0.02, 0.9),
                fails=rng.random() < 0.1,
                priority=rng.choice([CRITICAL, HIGH, MEDIUM, LOW]),
                weight=weight,
                wait=rng.random() < 0.8,
            )
            with contextlib.suppress(TimeoutError, ConnectionLost, QuotaExceeded):
                await asyncio.wait_for(call, rng.choice([None, None, rng.uniform(0.1, 5)]))

    async def main() -> RateLimitStats:
        config = RateLimitConfig(max_calls_per_minute=None, max_calls_per_hour=None, windows=limits, ageing=2)
        limiter = limiter_here(config)
        await asyncio.gather(*(client(limiter) for _ in range(12)))
        await pass_time(10)
        return limiter.get_stats()

    stats = run(main)
    assert len(sent) > 10
    assert (stats.running, stats.waiting, [window.used for window in stats.windows]) == (0, 0, [0, 0])
    for counted in (sent, received):
        for limit, period in limits:
            for last, _ in counted:
                # A nanosecond of tolerance: these times are floats.
                within = sum(weight for time, weight in counted if last - period + 1e-9 < time <= last)
                assert within <= limit
