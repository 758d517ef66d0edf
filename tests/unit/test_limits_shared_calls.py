"""``APIRateLimiter.execute`` with a cache key: fresh answers, and calls that are shared."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from virtual_loop import Server, limiter_here, now, one_window, pass_time, run

from rxstreams.errors import QuotaExceeded
from rxstreams.limits import APIPriority

CRITICAL, HIGH, MEDIUM, LOW = APIPriority


def test_execute_when_the_answer_is_fresh_then_it_costs_nothing() -> None:
    """Not even while the limiter is frozen; it is fresh for cache_ttl from its arrival."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(latency=2)
        answer = await limiter.execute(server.fetch, cache_key="key", cache_ttl=5)
        limiter.freeze(4)
        await pass_time(4.999)
        assert await limiter.execute(server.fetch, cache_key="key", cache_ttl=5) == answer
        assert limiter.get_stats().windows[0].used == 1
        assert limiter.get_stats().cached == 1
        await pass_time(0.001)
        with pytest.raises(QuotaExceeded):
            await limiter.execute(server.fetch, cache_key="key", cache_ttl=5)
        assert server.times == [0]

    run(main)


@pytest.mark.parametrize("ttl", [None, 0])
def test_execute_when_no_ttl_is_given_then_the_answer_is_not_kept(ttl: float | None) -> None:
    """How old an answer may be is for the caller to say."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(5)), Server()
        assert await limiter.execute(server.fetch, cache_key="key", cache_ttl=ttl) == "answer 1 to x"
        assert await limiter.execute(server.fetch, cache_key="key", cache_ttl=60) == "answer 2 to x"

    run(main)


def test_execute_when_the_answer_is_none_then_it_is_cached_like_any_other() -> None:
    """None is an answer."""
    calls: list[None] = []

    async def call() -> None:
        calls.append(None)

    async def main() -> None:
        limiter = limiter_here(one_window(5))
        for _ in range(2):
            await limiter.execute(call, cache_key="key", cache_ttl=timedelta(seconds=5))
        assert len(calls) == 1

    run(main)


def test_execute_when_more_answers_than_fit_are_kept_then_the_least_used_goes() -> None:
    """The cache is bounded by cache_size."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(10, cache_size=2)), Server()

        async def get(key: str) -> str:
            return await limiter.execute(server.fetch, key, cache_key=key, cache_ttl=60)

        for key in ("a", "b", "a", "c", "a", "b"):
            await get(key)
        assert [what for _, what in server.calls] == ["a", "b", "c", "b"]

    run(main)


def test_execute_when_the_same_key_is_in_flight_then_one_call_answers_all() -> None:
    """Ten callers, one call, one weight."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(latency=3)
        answers = await asyncio.gather(*(limiter.execute(server.fetch, cache_key="key") for _ in range(10)))
        assert set(answers) == {"answer 1 to x"}
        assert (limiter.get_stats().joined, limiter.get_stats().windows[0].used) == (9, 1)
        assert now() == 3

    run(main)


def test_execute_when_a_shared_call_fails_then_all_get_its_error_and_nothing_is_kept() -> None:
    """The next one calls again."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(5)), Server(KeyError("no"), latency=1)
        results = await asyncio.gather(
            *(limiter.execute(server.fetch, cache_key="key", cache_ttl=60) for _ in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [KeyError] * 3
        assert await limiter.execute(server.fetch, cache_key="key", cache_ttl=60) == "answer 2 to x"

    run(main)


def test_execute_when_the_first_of_several_callers_is_cancelled_then_the_others_get_the_answer() -> None:
    """Also the one who began the call; it is not made a second time."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(5)), Server(latency=5)
        tasks = [asyncio.create_task(limiter.execute(server.fetch, cache_key="key")) for _ in range(3)]
        await pass_time(1)
        tasks[0].cancel()
        tasks[2].cancel()
        assert await tasks[1] == "answer 1 to x"
        assert (tasks[0].cancelled(), tasks[2].cancelled(), now()) == (True, True, 5)

    run(main)


def test_execute_when_the_last_caller_is_cancelled_then_the_call_is_cancelled_too() -> None:
    """Nobody wants it any more; who asks next makes a new one, even while the old one is tidying up."""
    cancelled: list[float] = []

    async def call() -> None:
        try:
            await pass_time(5)
        except asyncio.CancelledError:
            cancelled.append(now())
            await pass_time(20)
            raise

    async def main() -> None:
        limiter, server = limiter_here(one_window(5)), Server()
        tasks = [asyncio.create_task(limiter.execute(call, cache_key="key")) for _ in range(2)]
        for delay, task in enumerate(tasks, 1):
            await pass_time(delay)
            task.cancel()
        await pass_time(0.5)
        assert await limiter.execute(server.fetch, cache_key="key") == "answer 1 to x"
        assert (cancelled, now()) == ([3], 3.5)

    run(main)


def test_execute_when_the_last_caller_of_a_waiting_call_is_cancelled_then_its_place_is_free() -> None:
    """As without a key."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(4)), Server()
        await limiter.execute(server.fetch, weight=2)
        heavy = asyncio.create_task(limiter.execute(server.fetch, cache_key="heavy", weight=4, wait=True))
        light = asyncio.create_task(limiter.execute(server.fetch, wait=True))
        await pass_time(3)
        heavy.cancel()
        await light
        assert now() == 3

    run(main)


def test_execute_when_a_call_cancels_itself_then_only_its_own_caller_sees_that() -> None:
    """The others make the call themselves."""
    calls: list[str] = []

    async def call(name: str) -> str:
        calls.append(name)
        await pass_time(1)
        if name == "first":
            raise asyncio.CancelledError
        return name

    async def main() -> None:
        limiter = limiter_here(one_window(5))
        tasks = [asyncio.create_task(limiter.execute(call, name, cache_key="key")) for name in ("first", "second")]
        await asyncio.wait(tasks)
        assert tasks[0].cancelled()
        assert await tasks[1] == "second"
        assert calls == ["first", "second"]

    run(main)


def test_execute_when_a_waiting_call_is_joined_then_it_takes_the_most_urgent_priority() -> None:
    """Whoever is in a hurry would have to wait for its turn otherwise."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server()
        await limiter.execute(server.fetch, "filler")
        shared = [asyncio.create_task(limiter.execute(server.fetch, "shared", priority=LOW, cache_key="k", wait=True))]
        medium = asyncio.create_task(limiter.execute(server.fetch, "medium", priority=MEDIUM, wait=True))
        await pass_time(1)
        shared += [
            asyncio.create_task(limiter.execute(server.fetch, "no", priority=priority, cache_key="k"))
            for priority in (LOW, CRITICAL, HIGH)
        ]
        await asyncio.gather(*shared, medium)
        assert server.calls == [(0, "filler"), (10, "shared"), (20, "medium")]

    run(main)


def test_execute_when_a_call_is_joined_before_it_began_to_wait_then_it_is_as_urgent_all_the_same() -> None:
    """Both came in the same turn of the loop."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server()
        await limiter.execute(server.fetch, "filler")
        medium = limiter.execute(server.fetch, "medium", priority=MEDIUM, wait=True)
        low = limiter.execute(server.fetch, "shared", priority=LOW, cache_key="k", wait=True)
        critical = limiter.execute(server.fetch, "no", priority=CRITICAL, cache_key="k", wait=True)
        await asyncio.gather(medium, low, critical)
        assert [what for _, what in server.calls] == ["filler", "shared", "medium"]

    run(main)


def test_execute_when_the_call_that_was_joined_is_refused_then_the_joiner_tries_itself() -> None:
    """It may wait, or be more urgent."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server()
        await limiter.execute(server.fetch)
        refused = limiter.execute(server.fetch, cache_key="key")
        patient = limiter.execute(server.fetch, cache_key="key", wait=True)
        results = await asyncio.gather(refused, patient, return_exceptions=True)
        assert isinstance(results[0], QuotaExceeded)
        assert results[1] == "answer 2 to x"
        assert server.times == [0, 10]

    run(main)
