"""Names are resolved ahead; the certificate, SNI and Host stay on the name."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import trustme

from rxstreams.items import PriceTick
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing import faults as f

HOST = "feed.example.test"
SYMBOLS = ["BTC/USD"]
MARKET = Market(SYMBOLS, seed=1, rate=20.0)


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-resolving")
    yield scheduler
    scheduler.dispose()


class Names:
    """A name server: answers late, badly, or with a dead address first."""

    def __init__(self, *, delay: float = 0.0, addresses: list[str] | None = None) -> None:
        self.delay = delay
        self.addresses = addresses or ["127.0.0.1"]
        self.broken = False
        self.asked: list[float] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        """Look a name up."""
        assert host == HOST
        self.asked.append(time.monotonic())
        await asyncio.sleep(self.delay)
        if self.broken:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self.addresses


def connect(
    exchange: FakeExchange,
    scheduler: EventLoopThreadScheduler,
    resolver: Resolver,
    ssl_context: ssl.SSLContext | None = None,
) -> tuple[Stream[PriceTick], list[PriceTick]]:
    """Connect to the exchange by a name that only the test knows."""
    url = exchange.url.replace("127.0.0.1", HOST)
    feed = kraken.trades(
        SYMBOLS, scheduler=scheduler, **fast_config(url=url, resolver=resolver, ssl_context=ssl_context)
    )
    ticks: list[PriceTick] = []
    feed.subscribe(ticks.append)
    return feed, ticks


def test_second_attempt_when_the_lookup_takes_300_ms_then_waits_for_none(scheduler: EventLoopThreadScheduler) -> None:
    """The name is looked up again during the backoff, or still known: resolving takes no time the second time."""
    names = Names(delay=0.3)
    with FakeExchange(MARKET, speed=20.0, faults=[f.DropAfter(trades=3, connection=0)]) as exchange:
        feed, ticks = connect(exchange, scheduler, Resolver(lookup=names))
        phases: list[tuple[str, int]] = []
        feed.events.subscribe(lambda event: phases.append((event.state.value, event.time)))
        exchange.wait_until(lambda: len({tick.span for tick in ticks}) == 2, what="a second connection")
        begun = [time for state, time in phases if state == "resolving"]
        resolved = [time for state, time in phases if state == "connecting"]
        assert resolved[1] - begun[1] < 0.15e9 < resolved[0] - begun[0]


def test_second_attempt_when_the_lookup_fails_then_uses_the_stale_address(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The address is past its time to live and the name server is down."""
    names = Names()
    with FakeExchange(MARKET, speed=20.0, faults=[f.DropAfter(trades=3, connection=0)]) as exchange:
        feed, ticks = connect(exchange, scheduler, Resolver(lookup=names, ttl=0.001))
        exchange.wait_until(lambda: bool(ticks))
        names.broken = True
        exchange.wait_until(lambda: len({tick.span for tick in ticks}) == 2, what="a second connection")
        assert len(names.asked) >= 2
        assert dict(feed.stats.reconnects) == {"ConnectionLost": 1}


def test_attempt_when_the_first_address_is_dead_then_the_next_one_is_tried(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Refused on one loopback address, taken on the other; the dead one is tried last from then on."""
    names = Names(addresses=["127.0.0.2", "127.0.0.1"])
    resolver = Resolver(lookup=names)
    with FakeExchange(MARKET, speed=20.0, faults=[f.DropAfter(trades=3, connection=0)]) as exchange:
        feed, ticks = connect(exchange, scheduler, resolver)
        exchange.wait_until(lambda: len({tick.span for tick in ticks}) == 2, what="a second connection")
        assert "ConnectError" not in feed.stats.reconnects
        order = asyncio.run_coroutine_threadsafe(resolver.resolve(HOST, exchange.port), scheduler.loop).result(5.0)
        assert [address.addr_info[4][0] for address in order] == ["127.0.0.1", "127.0.0.2"]


def test_tls_when_the_address_is_resolved_by_us_then_name_and_certificate_are_checked(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """SNI and Host carry the name; a certificate for another name is refused for good."""
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert(HOST)
    certificate.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    with FakeExchange(MARKET, speed=20.0, ssl_context=server) as exchange:
        _, ticks = connect(exchange, scheduler, Resolver(lookup=Names()), client)
        exchange.wait_until(lambda: bool(ticks))
        (record,) = exchange.connections
        assert record.server_name == HOST
        assert record.headers["host"] == f"{HOST}:{exchange.port}"
        other = kraken.trades(SYMBOLS, scheduler=scheduler, **fast_config(url=exchange.url, ssl_context=client))
        errors: list[Exception] = []
        other.subscribe(lambda tick: None, errors.append)
        exchange.wait_until(lambda: bool(errors))
        assert type(errors[0]).__name__ == "CertificateError"
        assert "127.0.0.1" in str(errors[0])
