"""What the limiter makes of HTTP 429 and its kin: the pause, its growth, trying again."""

from __future__ import annotations

import asyncio
import email.utils
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from virtual_loop import Server, StatusError, limiter_here, one_window, pass_time, run

from rxstreams.errors import QuotaExceeded, RateLimited
from rxstreams.limits import APIPriority

CRITICAL, HIGH, MEDIUM, LOW = APIPriority


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("429"),
        StatusError(status=429),
        StatusError(status=418),
        StatusError(status_code=429),
        StatusError(response=SimpleNamespace(status_code=418)),
    ],
    ids=["RateLimited", "status", "418", "status_code", "response"],
)
def test_rate_limit_error_when_a_call_gets_one_then_nobody_is_admitted_for_a_while(error: Exception) -> None:
    """It comes out; the pause is the backoff, with its jitter: here half of 5 s."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(100)), Server(error)
        with pytest.raises(type(error)):
            await limiter.execute(server.fetch)
        with pytest.raises(QuotaExceeded) as raised:
            await limiter.execute(server.fetch, priority=CRITICAL)
        assert raised.value.retry_after == limiter.get_stats().frozen_for == 2.5
        assert limiter.get_stats().rate_limited == 1

    run(main)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("429", retry_after=7),
        StatusError(status=429, headers={"Retry-After": "7"}),
        StatusError(status=429, headers={"retry-after": "7"}),
        StatusError(response=SimpleNamespace(status_code=429, headers={"Retry-After": "7"})),
        StatusError(status=429, retry_after=timedelta(seconds=7)),
    ],
    ids=["RateLimited", "headers", "lower case", "response", "timedelta"],
)
def test_rate_limit_error_when_the_server_says_how_long_then_that_is_the_pause(error: Exception) -> None:
    """However the error carries it."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(100)), Server(error)
        with pytest.raises(type(error)):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().frozen_for == 7.0

    run(main)


@pytest.mark.parametrize(
    "error",
    [StatusError(status=500), StatusError(status="429"), ValueError("429"), StatusError(status=True), OSError()],
)
def test_other_error_when_a_call_gets_one_then_nothing_is_frozen(error: Exception) -> None:
    """Only what is known to be one is taken for a rate-limit error."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(100)), Server(error)
        with pytest.raises(type(error)):
            await limiter.execute(server.fetch, wait=True)
        assert limiter.get_stats().frozen_for == 0.0
        assert await limiter.execute(server.fetch) == "answer 2 to x"

    run(main)


def test_rate_limit_error_when_the_user_knows_it_then_the_limiter_believes_it() -> None:
    """Some servers answer 200 and say it in the body."""

    def judge(error: Exception) -> bool:
        return "EAPI:Rate limit" in str(error)

    async def main() -> None:
        config = one_window(100, is_rate_limit_error=judge)
        limiter, server = limiter_here(config), Server(ValueError("EAPI:Rate limit exceeded"), ValueError("other"))
        with pytest.raises(ValueError, match="Rate limit"):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().frozen_for == 2.5
        await pass_time(2.5)
        with pytest.raises(ValueError, match="other"):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().frozen_for == 0.0

    run(main)


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"Retry-After": "soon"}, {"Retry-After": None}, {}, None, 5])
def test_rate_limit_error_when_the_server_does_not_say_how_long_then_it_is_the_backoff(headers: object) -> None:
    """Also where it says something that is no pause, which would have it asked again at once."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(100)), Server(StatusError(status=429, headers=headers))
        with pytest.raises(StatusError):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().frozen_for == 2.5

    run(main)


def test_rate_limit_error_when_the_server_names_a_date_then_the_pause_lasts_until_then() -> None:
    """The other form of Retry-After; in whole seconds, by the wall clock."""
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    async def main() -> float:
        limiter = limiter_here(one_window(100))
        with pytest.raises(StatusError):
            await limiter.execute(Server(StatusError(status=418, headers={"Retry-After": date})).fetch)
        return limiter.get_stats().frozen_for

    assert 3400 < run(main) <= 3600


def test_rate_limit_error_when_the_pause_is_short_then_the_call_counts_one_period_from_its_end() -> None:
    """It was answered: nothing of it is on its way any more."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(1)), Server(RateLimited("429", retry_after=1))
        await limiter.execute(server.fetch, wait=True)
        assert server.times == [0, 10]

    run(main)


def test_rate_limit_error_when_the_users_judge_raises_then_its_place_is_free_all_the_same() -> None:
    """Its own error comes out; the call has ended."""

    def judge(error: Exception) -> bool:
        raise LookupError("a bug")

    async def main() -> None:
        limiter, server = limiter_here(one_window(5, is_rate_limit_error=judge)), Server(ValueError())
        with pytest.raises(LookupError, match="a bug"):
            await limiter.execute(server.fetch)
        assert limiter.get_stats().running == 0

    run(main)


def test_rate_limit_error_when_it_comes_again_then_the_pause_grows_until_a_call_succeeds() -> None:
    """By the multiplier, up to the maximum; then it begins anew."""

    async def main() -> None:
        errors: list[Exception | None] = [RateLimited("429") for _ in range(4)]
        limiter = limiter_here(one_window(100, max_backoff_seconds=15, backoff_jitter="none"))
        server = Server(*errors, None, RateLimited("429"))
        pauses: list[float] = []
        for _ in range(6):
            try:
                await limiter.execute(server.fetch)
            except RateLimited:
                pauses.append(limiter.get_stats().frozen_for)
                await pass_time(pauses[-1])
        assert pauses == [5, 10, 15, 15, 5]

    run(main)


def test_rate_limit_error_when_many_calls_get_it_at_once_then_it_is_one_incident() -> None:
    """Ten answers of 429 to calls that were on their way are no reason to wait a thousand times as long."""

    async def main() -> None:
        limiter = limiter_here(one_window(100, backoff_jitter="none", max_backoff_seconds=10_000))
        server = Server(*(RateLimited("429") for _ in range(10)), latency=1)
        await asyncio.gather(*(limiter.execute(server.fetch) for _ in range(10)), return_exceptions=True)
        assert limiter.get_stats().frozen_for == 5.0
        assert limiter.get_stats().rate_limited == 10
        await pass_time(5)
        with pytest.raises(RateLimited):
            await limiter.execute(Server(RateLimited("429")).fetch)
        assert limiter.get_stats().frozen_for == 10.0

    run(main)


def test_rate_limit_error_when_an_older_call_succeeds_then_the_backoff_is_not_forgiven() -> None:
    """It was admitted before the server said no."""

    async def main() -> None:
        limiter = limiter_here(one_window(100, backoff_jitter="none"))
        slow = asyncio.create_task(limiter.execute(Server(latency=7).fetch))
        await pass_time(1)
        with pytest.raises(RateLimited):
            await limiter.execute(Server(RateLimited("429")).fetch)
        await slow
        with pytest.raises(RateLimited):
            await limiter.execute(Server(RateLimited("429")).fetch)
        assert limiter.get_stats().frozen_for == 10.0

    run(main)


def test_rate_limit_error_when_the_caller_waits_then_it_is_tried_again_after_the_pause() -> None:
    """As often as it takes; it keeps its turn before those that came later."""

    async def main() -> None:
        limiter = limiter_here(one_window(1, 1, backoff_jitter="none"))
        server = Server(RateLimited("429", retry_after=20), RateLimited("429"))
        first = asyncio.create_task(limiter.execute(server.fetch, "first", wait=True))
        await pass_time(0.5)
        later = asyncio.create_task(limiter.execute(server.fetch, "later", wait=True))
        assert await first == "answer 3 to first"
        await later
        assert server.calls == [(0, "first"), (20, "first"), (25, "first"), (26, "later")]

    run(main)


def test_rate_limit_error_when_those_who_share_a_call_wait_then_it_is_tried_again_once_for_all() -> None:
    """Whoever does not wait gets the error."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(100)), Server(RateLimited("429", retry_after=20), latency=1)
        results = await asyncio.gather(
            limiter.execute(server.fetch, cache_key="key"),
            *(limiter.execute(server.fetch, cache_key="key", wait=True) for _ in range(3)),
            return_exceptions=True,
        )
        assert isinstance(results[0], RateLimited)
        assert results[1:] == ["answer 2 to x"] * 3
        assert server.times == [0, 21]

    run(main)


def test_rate_limit_error_when_everything_is_judged_as_one_then_a_refusal_is_still_a_refusal() -> None:
    """What the limiter itself raises is no answer of the server: trying again at once would never end."""

    def judge(_: Exception) -> bool:
        return True

    async def main() -> None:
        limiter = limiter_here(one_window(1, max_waiting=1, is_rate_limit_error=judge))
        server = Server()
        await limiter.execute(server.fetch)
        waiting = asyncio.create_task(limiter.execute(server.fetch, wait=True))
        await asyncio.sleep(0)
        with pytest.raises(QuotaExceeded):
            await limiter.execute(server.fetch, wait=True)
        await waiting

    run(main)


def test_freeze_when_called_then_it_holds_for_all_and_the_longest_counts() -> None:
    """Seconds or timedelta."""

    async def main() -> None:
        limiter, server = limiter_here(one_window(5)), Server()
        limiter.freeze(timedelta(seconds=8))
        limiter.freeze(3)
        await limiter.execute(server.fetch, wait=True, priority=CRITICAL)
        assert server.times == [8]

    run(main)
