"""Section 5 of the design, row by row, on real sockets: what happened, which error it is, whether we come back."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from rxstreams import errors
from rxstreams.backoff import BackoffPolicy
from rxstreams.errors import ObserverError, StreamError
from rxstreams.items import PriceTick
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.sources._feeds import Feeds
from rxstreams.sources.venue import RestPage
from rxstreams.states import StreamState
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD"]


async def find_nothing(host: str, port: int) -> list[str]:
    """Stand in for a name server that does not know the host."""
    raise OSError(-2, "Name or service not known")


def close_port(exchange: FakeExchange) -> None:
    """Let nobody listen on the exchange's port."""
    exchange.refuse()


@dataclass(frozen=True)
class Case:
    """How to provoke an error.

    Args:
        faults: the exchange's script, for its first connection.
        options: of the feed.
        scheme: to connect with, instead of the exchange's own.
        tls: whether the exchange speaks TLS, with a certificate that nobody trusts.
        prepare: called with the exchange before the feed connects.
        fatal: whether it ends the feed.
        observer_raises: whether the feed's observer does.
        of_history: whether it is no feed that it ends, but a fetch of the past.
    """

    faults: Sequence[f.AnyFault] = ()
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    scheme: str = ""
    tls: bool = False
    prepare: Callable[[FakeExchange], None] | None = None
    fatal: bool = False
    observer_raises: bool = False
    of_history: bool = False


CASES: dict[str, Case] = {
    "ResolveError": Case(options={"url": "ws://feed.example.test:9", "resolver": Resolver(lookup=find_nothing)}),
    "ConnectError": Case(prepare=close_port),
    "TLSError": Case(scheme="wss"),
    "CertificateError": Case(tls=True, fatal=True),
    "HandshakeTimeout": Case(faults=[f.SlowHandshake(30.0, connection=0)], options={"connect_timeout": 0.2}),
    "RateLimited": Case(faults=[f.HttpStatus(429, 0, connection=0)]),
    "ServerRejected": Case(faults=[f.HttpStatus(502, connection=0)]),
    "Refused": Case(faults=[f.HttpStatus(403, connection=0)], fatal=True),
    "ProtocolError": Case(
        faults=[f.HugeFrame(trades=1, size_bytes=100_000, connection=0)],
        options={"max_message_bytes": 50_000},
        fatal=True,
    ),
    "CleanClose": Case(faults=[f.CloseAfter(trades=1, code=1000, connection=0)]),
    "ConnectionLost": Case(faults=[f.DropAfter(trades=1, connection=0)]),
    "ServerRestart": Case(faults=[f.CloseAfter(trades=1, code=1012, connection=0)]),
    "PolicyViolation": Case(faults=[f.CloseAfter(trades=1, code=1008, reason="too fast", connection=0)]),
    "Stalled": Case(faults=[f.StallAfter(trades=1, connection=0)]),
    "MessageError": Case(faults=[f.Garbage(trades=1, repeat=True, connection=0)], options={"max_bad_share": 0.2}),
    "SubscriptionError": Case(faults=[f.RefuseSymbols(SYMBOLS)], fatal=True),
    "HistoryTooShort": Case(of_history=True, fatal=True),
    "ObserverError": Case(observer_raises=True, fatal=True),
}


class Client:
    """An observer that keeps what it gets."""

    def __init__(self, raises: bool = False) -> None:
        self.raises = raises
        self.ticks: list[PriceTick] = []
        self.error: Exception | None = None
        self.ended = threading.Event()

    def on_next(self, tick: PriceTick) -> None:
        """Keep it, or fail."""
        if self.raises and self.ticks:
            raise KeyError("a bug of the user")
        self.ticks.append(tick)

    def on_error(self, error: Exception) -> None:
        """Keep it."""
        self.error = error
        self.ended.set()


@contextmanager
def running(case: Case) -> Generator[tuple[FakeExchange, Stream[PriceTick], Client]]:
    """Connect a feed to an exchange that misbehaves."""
    context: ssl.SSLContext | None = None
    if case.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = trustme.CA().issue_cert("127.0.0.1")
        certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    market = Market(SYMBOLS, seed=3, rate=20.0)
    scheduler = EventLoopThreadScheduler("errors-table")
    client = Client(case.observer_raises)
    with FakeExchange(market, speed=20.0, faults=case.faults, ssl_context=context) as exchange:
        if case.prepare is not None:
            case.prepare(exchange)
        url = exchange.url.replace("ws://", f"{case.scheme}://") if case.scheme else exchange.url
        options = {**fast_config(url=url), **case.options}
        # The classes' own floors of 5 and 30 s are tested in virtual time; here the first wait is not waited for.
        feed = kraken.trades(SYMBOLS, scheduler=scheduler, **options)
        subscription = feed.subscribe(client.on_next, client.on_error)
        try:
            yield exchange, feed, client
        finally:
            subscription.dispose()
            scheduler.dispose()


class ForgetfulKraken(kraken.Kraken):
    """Gives the newest page of trades and no other one."""

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer, as if older ones were not given any more."""
        page = super().parse_rest_trades(symbol, body, cursor)
        return RestPage(items=page.items, truncated=True)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.of_history])
def test_history_when_it_cannot_be_had_then_the_error_is_the_tables(name: str) -> None:
    """What there is has come before it."""
    expected: type[StreamError] = getattr(errors, name)
    scheduler = EventLoopThreadScheduler("errors-table")
    trades = list(Market(SYMBOLS[:1], seed=3, rate=1.0, duration=60))
    client = Client()
    with FakeExchange(trades, start=trades[-1].timestamp) as exchange:
        past = Feeds(ForgetfulKraken()).rest_trades(
            SYMBOLS[0],
            since=trades[0].timestamp - 1,
            scheduler=scheduler,
            **fast_config(rest_url=exchange.rest_url, connect_timeout=5.0),
        )
        past.subscribe(client.on_next, client.on_error)
        try:
            assert client.ended.wait(10.0)
        finally:
            scheduler.dispose()
    assert type(client.error) is expected
    assert not expected.retryable
    assert [tick.trade_id for tick in client.ticks] == [trade.trade_id for trade in trades]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.of_history])
def test_connection_when_it_breaks_then_the_error_is_the_tables(name: str) -> None:
    """A fatal error ends the feed with it; any other is counted, and the feed is on its way back."""
    case = CASES[name]
    expected: type[StreamError] = getattr(errors, name)
    with running(case) as (exchange, feed, client):
        if case.fatal:
            assert client.ended.wait(10.0), feed.state
            assert type(client.error) is expected
            assert feed.stats.reconnects == {}
            exchange.wait_until(lambda: feed.state in (StreamState.FAILED, StreamState.STOPPED), 5.0)
        else:
            exchange.wait_until(lambda: feed.stats.reconnects.get(name), 10.0, what=name)
            assert client.error is None
            assert not expected.retryable or feed.error is None


@pytest.mark.parametrize(
    "name", ["RateLimited", "ServerRejected", "CleanClose", "ConnectionLost", "Stalled", "MessageError", "ConnectError"]
)
def test_feed_when_the_error_passes_then_trades_come_again(name: str) -> None:
    """A second connection brings trades; those of before and after carry different spans."""
    case = CASES[name]
    with running(case) as (exchange, feed, client):
        exchange.wait_until(lambda: feed.stats.reconnects.get(name), 10.0, what=name)
        exchange.refuse(False)
        before = len(client.ticks)
        exchange.wait_until(lambda: len(client.ticks) > before + 5, 20.0, what="trades after it")
        spans = {tick.span for tick in client.ticks}
        assert len(spans) >= (2 if before else 1)
        assert 0 not in spans


def test_observer_when_it_raises_then_nothing_reconnects_and_the_socket_closes_politely() -> None:
    """A bug of the user is no fault of the network."""
    with running(CASES["ObserverError"]) as (exchange, feed, client):
        assert client.ended.wait(10.0)
        assert isinstance(client.error, ObserverError)
        assert isinstance(client.error.__cause__, KeyError)
        exchange.wait_until(lambda: exchange.connections[0].closed is not None, 5.0, what="the close")
        assert len(exchange.connections) == 1
        assert exchange.connections[0].close_code == 1000
        assert feed.stats.observer_errors == 1
        assert feed.error is client.error


def test_one_bad_frame_when_it_comes_then_it_is_counted_and_the_stream_goes_on() -> None:
    """Nothing already received is lost, nothing after it either."""
    case = Case(faults=[f.Garbage(trades=3, connection=0)])
    with running(case) as (exchange, feed, client):
        exchange.wait_until(lambda: len(client.ticks) > 20, 10.0, what="trades after the bad frame")
        assert feed.stats.parse_errors == 1
        assert len(exchange.connections) == 1


def test_attempts_when_they_are_used_up_then_the_last_error_ends_the_feed() -> None:
    """``reconnect_attempts=2``: the first attempt and two more."""
    options = {"reconnect_attempts": 2, "backoff": BackoffPolicy(initial=0.01, maximum=0.02)}
    with running(Case(prepare=close_port, options=options)) as (_, feed, client):
        assert client.ended.wait(10.0)
        assert type(client.error) is errors.ConnectError
        assert feed.stats.reconnects == {"ConnectError": 2}
        assert feed.state is StreamState.FAILED
