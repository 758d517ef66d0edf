"""Connections that a venue counts: each waits for its turn, no longer than sensible, and gives it back if it leaves."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

import pytest
from line_bench import PlainVenue
from reactivex import abc
from virtual_loop import limiter_here, now, one_window, pass_time, run

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.errors import HandshakeTimeout, StreamError
from rxstreams.limits import APIRateLimiter, RateLimitConfig, create_rate_limiter
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import _connection
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner, connect_once
from rxstreams.sources._connection_turns import connection_limiter, wait_for_turn
from rxstreams.sources.venue import Venue
from rxstreams.states import StreamState


class CountingVenue(PlainVenue):
    """Takes two connections in ten seconds."""

    name: ClassVar[str] = "counting"
    connection_limit: ClassVar[tuple[int, float] | None] = (2, 10.0)


class Ends(abc.ObserverBase[bytes]):
    """Notes how and when a connection ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Exception | None]] = []

    def on_next(self, value: bytes) -> None:
        """Nothing comes here."""

    def on_error(self, error: Exception) -> None:
        """Note it."""
        self.seen.append((now(), error))

    def on_completed(self) -> None:
        """Note it."""
        self.seen.append((now(), None))


class Owner:
    """A line, as far as it is asked before anything is open."""

    def on_state(self, state: StreamState) -> None:
        """Nothing is noted."""

    def pending(self) -> tuple[str, ...]:
        """Nothing is pending."""
        return ()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When transports were opened; each attempt fails."""
    times: list[float] = []

    async def open_transport(*_: object) -> None:
        times.append(now())
        raise StreamError("opened")

    monkeypatch.setattr(_connection, "open_transport", open_transport)
    return times


class Loop:
    """Stands for the scheduler of a connection: spawns tasks on the running loop."""

    now = None

    def spawn(self, coroutine: Any) -> abc.DisposableBase:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(coroutine())

        class _Task(abc.DisposableBase):
            def dispose(self) -> None:
                task.cancel()

        return _Task()


def context(venue: Venue | None = None, **options: Any) -> ConnectionContext:
    """Return what the connections of a feed share."""
    venue = venue or CountingVenue()
    config = StreamConfig.of(options)
    return ConnectionContext(
        venue=venue,
        url=config.url or venue.url,
        config=config,
        resolver=Resolver(),
        scheduler=cast("EventLoopThreadScheduler", Loop()),
        connect=connect_once,
    )


def use(monkeypatch: pytest.MonkeyPatch, limiter: APIRateLimiter) -> None:
    """Let all connections go through this limiter."""

    def find(venue: Venue, url: str, config: StreamConfig) -> APIRateLimiter:
        return limiter

    monkeypatch.setattr(_connection, "connection_limiter", find)


def connection(observer: Ends, **options: Any) -> Connection:
    """Return one attempt."""
    return Connection(context(**options), cast("ConnectionOwner", Owner()), observer)


def test_connections_when_the_venue_counts_them_then_each_waits_for_its_turn(
    monkeypatch: pytest.MonkeyPatch, opened: list[float]
) -> None:
    """Two at once, the next ones when the first are ten seconds old."""

    async def main() -> None:
        use(monkeypatch, limiter_here(one_window(2, 10.0)))
        ends = Ends()
        await asyncio.gather(*(connection(ends).run() for _ in range(5)))
        assert opened == [0.0, 0.0, 10.0, 10.0, 20.0]
        assert [str(error) for _, error in ends.seen] == ["opened"] * 5

    run(main)


def test_connection_when_disposed_while_it_waits_then_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, opened: list[float]
) -> None:
    """The one behind it comes when it would have come."""

    async def main() -> None:
        limiter = limiter_here(one_window(1, 10.0))
        use(monkeypatch, limiter)
        ends = Ends()
        subscriptions = [connect_once(context(), cast("ConnectionOwner", Owner())).subscribe(ends) for _ in range(3)]
        await pass_time(1.0)
        assert limiter.get_stats().waiting == 2
        subscriptions[1].dispose()
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        assert limiter.get_stats().waiting == 1
        await pass_time(20.0)
        assert opened == [0.0, 10.0]
        assert [at for at, _ in ends.seen] == [0.0, 10.0]

    run(main)


def test_connection_when_asked_to_end_while_it_waits_then_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, opened: list[float]
) -> None:
    """Nobody who stops a feed waits for a turn."""

    async def main() -> None:
        limiter = limiter_here(one_window(1, 1000.0))
        use(monkeypatch, limiter)
        ends = Ends()
        first, second = connection(ends), connection(ends)
        await first.run()
        running = asyncio.get_running_loop().create_task(second.run())
        await pass_time(3.0)
        await second.finish()
        await running
        assert ends.seen[1:] == [(3.0, None)]
        assert opened == [0.0]
        assert limiter.get_stats().waiting == 0

    run(main)


def test_connection_when_its_turn_does_not_come_then_is_an_error_that_is_retried(
    monkeypatch: pytest.MonkeyPatch, opened: list[float]
) -> None:
    """After as long as a server may make us wait for anything, whatever connecting itself may take."""

    async def main() -> None:
        use(monkeypatch, limiter_here(one_window(1, 1000.0)))
        ends = Ends()
        options: dict[str, Any] = {"backoff": BackoffPolicy(max_retry_after=60.0), "connect_timeout": 1.0}
        await connection(ends, **options).run()
        await connection(ends, **options).run()
        (at, error) = ends.seen[1]
        assert at == 60.0
        assert isinstance(error, HandshakeTimeout)
        assert error.retryable
        assert "no turn to connect within 60 s" in str(error)
        assert opened == [0.0]

    run(main)


def test_turn_when_too_many_wait_then_is_an_error_that_is_retried() -> None:
    """The limiter has a bound of its own."""

    async def main() -> None:
        limiter = limiter_here(one_window(1, 1000.0, max_waiting=1))
        await wait_for_turn(limiter, 60.0)
        waiting = asyncio.get_running_loop().create_task(wait_for_turn(limiter, 60.0))
        await pass_time(1.0)
        with pytest.raises(HandshakeTimeout):
            await wait_for_turn(limiter, 60.0)
        assert now() == 1.0
        waiting.cancel()

    run(main)


def test_limiter_when_the_address_is_the_venues_then_all_of_the_process_share_it() -> None:
    """By the venue and the address; whoever makes one of that name before decides what it allows."""
    own = connection_limiter(CountingVenue(), "ws://127.0.0.1:9", StreamConfig())
    assert own is not None
    assert (own.name, own.config.limits) == ("counting ws://127.0.0.1:9", ((2, 10.0),))
    assert connection_limiter(CountingVenue(), "ws://127.0.0.1:9", StreamConfig(connect_timeout=1.0)) is own
    assert connection_limiter(CountingVenue(), "ws://127.0.0.1:9/other", StreamConfig()) is not own
    mine = create_rate_limiter("counting ws://127.0.0.1:10", RateLimitConfig(max_calls_per_minute=6_000))
    assert connection_limiter(CountingVenue(), "ws://127.0.0.1:10", StreamConfig()) is mine


def test_limiter_when_the_address_is_ones_own_or_nothing_is_counted_then_there_is_none(opened: list[float]) -> None:
    """Then nobody waits."""
    own = StreamConfig(url="ws://127.0.0.1:9")
    assert connection_limiter(CountingVenue(), "ws://127.0.0.1:9", own) is None
    assert connection_limiter(PlainVenue(), "ws://127.0.0.1:9", StreamConfig()) is None

    async def main() -> None:
        ends = Ends()
        await asyncio.gather(*(connection(ends, url="ws://127.0.0.1:9").run() for _ in range(5)))
        assert opened == [0.0] * 5

    run(main)
