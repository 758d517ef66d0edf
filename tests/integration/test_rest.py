"""REST over real sockets: what servers do wrong, what is shared, and what is left afterwards."""

from __future__ import annotations

import asyncio
import gzip
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
import reactivex
from aiohttp import web
from reactivex import Observable, operators
from rest_server import SOON, serve

from rxstreams import errors
from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.sources._rest import RestClient
from rxstreams.testing import AnyFault, FakeExchange, Market, fast_config
from rxstreams.testing import faults as f

T = TypeVar("T")

EMPTY = '{"error":[],"result":{"XXBTZUSD":[],"last":"1"}}'
TRADE = '{"error":[],"result":{"XXBTZUSD":[["1.5","2.0",%d.5,"b","m","",%d]],"last":"1"}}'


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-rest")
    yield scheduler
    scheduler.dispose()


class Ended:
    """What came out of an Observable."""

    def __init__(self, source: Observable[Any]) -> None:
        self.items: list[Any] = []
        self.error: Exception | None = None
        self.completed = False
        self._over = threading.Event()
        self.subscription = source.subscribe(self.items.append, self._fail, self._complete)

    def wait(self) -> Ended:
        """Wait for the end."""
        assert self._over.wait(20.0)
        return self

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._over.set()

    def _complete(self) -> None:
        self.completed = True
        self._over.set()


def config(url: str, **options: Any) -> StreamConfig:
    """Return a config with short waits, but with time for a busy machine to answer."""
    return StreamConfig.of(fast_config(rest_url=url, **{"connect_timeout": 5.0, **options}))


def client(scheduler: EventLoopThreadScheduler, url: str, **options: Any) -> RestClient:
    """Return a client that talks to a server of the test's."""
    return RestClient(kraken.Kraken(), config(url, **options), scheduler)


def limiter(calls: int, period: float) -> APIRateLimiter:
    """Return a limiter with one window that every priority may fill."""
    return APIRateLimiter(
        RateLimitConfig(
            max_calls_per_minute=None,
            max_calls_per_hour=None,
            windows=[(calls, period)],
            high_share=1.0,
            medium_share=1.0,
            low_share=1.0,
            initial_backoff_seconds=0.05,
            unanswered=0.0,
        )
    )


def wait_until_idle(scheduler: EventLoopThreadScheduler) -> None:
    """Wait until no task is left on the scheduler's loop."""
    idle = threading.Event()

    async def look() -> None:
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.005)
        idle.set()

    scheduler.spawn(look)
    assert idle.wait(SOON)


async def answer_empty(_: web.Request) -> web.StreamResponse:
    """No trades."""
    return web.Response(text=EMPTY)


# What goes wrong


@pytest.mark.parametrize(
    "fault",
    [
        f.RestStatus(500, request=1),
        f.RestStatus(408, request={1, 2}),
        f.RestStatus(503, request=1),
        f.RestStatus(429, retry_after=1, request=1),
        f.RestError(request=1),
        f.RestError("EGeneral:Internal error", request=1),
        f.DropRest(request={1, 2}),
    ],
    ids=["500", "408", "503", "429", "too many", "junk", "dropped"],
)
def test_fetch_when_a_page_fails_for_a_while_then_every_trade_comes_once(
    scheduler: EventLoopThreadScheduler, fault: AnyFault
) -> None:
    """Three pages; the second one is asked for again."""
    trades = list(Market(["BTC/USD"], seed=4, rate=2.0, duration=1500))
    with FakeExchange(trades, start=trades[-1].timestamp, faults=[fault]) as exchange:
        of = client(scheduler, exchange.rest_url)
        began = time.monotonic()
        got = Ended(of.trades("BTC/USD", trades[0].timestamp)).wait()
        took = time.monotonic() - began
        assert got.error is None
        assert [item.trade_id for item in got.items] == [trade.trade_id for trade in trades]
        failed = 2 if isinstance(fault, f.RestFault) and isinstance(fault.request, set) else 1
        queries = [request.query for request in exchange.rest_requests]
        assert len(queries) == 3 + failed
        assert queries[1] == queries[2] != queries[0]
        if isinstance(fault, f.RestStatus) and fault.retry_after is not None:
            assert took >= 1.0
        limited = (isinstance(fault, f.RestStatus) and fault.code in (429, 503)) or fault == f.RestError(request=1)
        assert of.limiter.get_stats().rate_limited == (1 if limited else 0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_fetch_when_the_server_refuses_for_good_then_it_ends_at_once(
    scheduler: EventLoopThreadScheduler, status: int
) -> None:
    """Asking again won't help; what came before stays."""
    trades = list(Market(["BTC/USD"], seed=4, rate=2.0, duration=600))
    with FakeExchange(trades, start=trades[-1].timestamp, faults=[f.RestStatus(status, request=1)]) as exchange:
        got = Ended(client(scheduler, exchange.rest_url).trades("BTC/USD", trades[0].timestamp)).wait()
        assert isinstance(got.error, errors.Refused)
        assert str(status) in str(got.error)
        assert [item.trade_id for item in got.items] == [trade.trade_id for trade in trades[:1000]]
        assert len(exchange.rest_requests) == 2


def test_fetch_when_the_server_redirects_then_nobody_else_is_asked(scheduler: EventLoopThreadScheduler) -> None:
    """A redirect is refused, wherever it leads."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(other.url + "/0/public/Trades")

    with serve(answer_empty) as other, serve(redirect) as server:
        got = Ended(client(scheduler, server.url).trades("BTC/USD", SECOND)).wait()
        assert isinstance(got.error, errors.Refused)
        assert (len(server.paths), other.paths) == (1, [])


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_fetch_when_the_answer_is_huge_then_it_is_not_read_to_the_end(
    scheduler: EventLoopThreadScheduler, packed: bool
) -> None:
    """Bounded by max_message_bytes, unpacked too."""
    piece = b" " * 2**20
    sent: list[int] = []

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"} if packed else {})
        await response.prepare(request)
        for _ in range(200):
            await response.write(gzip.compress(piece) if packed else piece)
            await asyncio.sleep(0)
            sent.append(1)
        return response

    with serve(flood) as server:
        of = client(scheduler, server.url, max_message_bytes=2**19)
        got = Ended(of.trades("BTC/USD", SECOND, attempts=1)).wait()
        assert isinstance(got.error, errors.MessageError)
        assert "524,288 bytes" in str(got.error)
        server.wait_until(lambda: server.connections == 0)
        assert len(sent) < 200


def test_fetch_when_the_server_trickles_then_it_takes_too_long(scheduler: EventLoopThreadScheduler) -> None:
    """Each piece comes in time, the whole does not: three times the timeout of a phase is the limit."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    with serve(trickle) as server:
        began = time.monotonic()
        of = client(scheduler, server.url, connect_timeout=0.4)
        got = Ended(of.trades("BTC/USD", SECOND, attempts=1)).wait()
        assert isinstance(got.error, errors.HandshakeTimeout)
        assert 1.2 <= time.monotonic() - began < SOON
        server.wait_until(lambda: server.connections == 0)
        assert server.abandoned == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf of it", errors.ConnectionLost),
        (b"", errors.ConnectionLost),
        (b"220 mail.example.com ESMTP\r\n", errors.ConnectError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", errors.MessageError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Encoding: gzip\r\n\r\n<html>", errors.ConnectionLost),
    ],
    ids=["half", "nothing", "another protocol", "no JSON", "not packed"],
)
def test_fetch_when_the_answer_is_none_then_the_error_says_which_way(
    scheduler: EventLoopThreadScheduler, answer: bytes, kind: type[errors.StreamError]
) -> None:
    """All of them may be better next time."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            source = client(scheduler, url).trades("BTC/USD", SECOND, attempts=1)
            got = await asyncio.to_thread(lambda: Ended(source).wait())
            assert isinstance(got.error, kind)
            assert got.error.retryable

    asyncio.run(main())


def test_fetch_when_the_name_is_not_known_then_says_so(scheduler: EventLoopThreadScheduler) -> None:
    """The resolver is the config's, as for the socket."""

    async def lookup(host: str, port: int) -> list[str]:
        if host == "known.example":
            return ["127.0.0.1"]
        raise OSError("no such name")

    with serve(answer_empty) as server:
        port = server.url.rpartition(":")[2]
        resolver = Resolver(lookup=lookup)
        good = client(scheduler, f"http://known.example:{port}", resolver=resolver)
        assert Ended(good.trades("BTC/USD", SECOND)).wait().completed
        bad = client(scheduler, f"http://unknown.example:{port}", resolver=resolver)
        got = Ended(bad.trades("BTC/USD", SECOND, attempts=2)).wait()
        assert isinstance(got.error, errors.ResolveError)
        assert len(server.paths) == 1


def test_fetch_when_the_proxy_is_down_then_the_server_is_not_asked_without_it(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """A proxy is there to hide somebody, or to let somebody out at all."""
    with serve(answer_empty) as server, serve(answer_empty) as proxy:
        through = Ended(client(scheduler, server.url, proxy=proxy.url).trades("BTC/USD", SECOND)).wait()
        assert through.completed
        assert (server.paths, len(proxy.paths)) == ([], 1)
    with serve(answer_empty) as server:
        of = client(scheduler, server.url, proxy=proxy.url)
        got = Ended(of.trades("BTC/USD", SECOND, attempts=2)).wait()
        assert isinstance(got.error, errors.ConnectError)
        assert server.paths == []


def test_fetch_when_the_observer_raises_then_no_page_is_asked_for_again(
    scheduler: EventLoopThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """An OSError of its own is none of the server's; the log tells."""

    def fail(_: PriceTick) -> None:
        raise ConnectionResetError("the observer's own")

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=TRADE % (10, 1))

    with serve(answer) as server, caplog.at_level(logging.ERROR):
        client(scheduler, server.url).trades("BTC/USD", SECOND).subscribe(fail)
        server.wait_until(lambda: caplog.records and server.connections == 0)
        assert len(server.paths) == 1
        assert "an observer of" in caplog.records[0].getMessage()


def test_fetch_when_an_operators_function_raises_then_its_error_arrives(scheduler: EventLoopThreadScheduler) -> None:
    """As in any chain."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=TRADE % (10, 1))

    def fail(_: PriceTick) -> None:
        raise ConnectionResetError("the function's own")

    with serve(answer) as server:
        got = Ended(client(scheduler, server.url).trades("BTC/USD", SECOND).pipe(operators.map(fail))).wait()
        assert isinstance(got.error, ConnectionResetError)
        server.wait_until(lambda: server.connections == 0)


# What is shared


def test_fetches_when_one_follows_another_then_each_closes_its_connection(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Nobody is left who could need it."""
    with serve(answer_empty) as server:
        of = client(scheduler, server.url)
        for _ in range(3):
            assert Ended(of.trades("BTC/USD", SECOND)).wait().completed
            server.wait_until(lambda: server.connections == 0)
        assert len(set(server.clients)) == 3


def test_fetches_when_the_connections_are_held_then_all_use_the_same(scheduler: EventLoopThreadScheduler) -> None:
    """A feed holds them for as long as it is subscribed to; another client with the same options shares them."""
    with serve(answer_empty) as server:
        held = client(scheduler, server.url).hold()
        for _ in range(3):
            assert Ended(client(scheduler, server.url).trades("BTC/USD", SECOND)).wait().completed
        assert (len(set(server.clients)), server.connections) == (1, 1)
        other = client(scheduler, server.url, headers={"X-Me": "2"})
        assert Ended(other.trades("BTC/USD", SECOND)).wait().completed
        assert len(set(server.clients)) == 2
        held.dispose()
        server.wait_until(lambda: server.connections == 0)


def test_fetches_when_they_run_at_once_then_they_share_a_session(scheduler: EventLoopThreadScheduler) -> None:
    """The pages of both go over two connections, however many they are."""

    async def answer(request: web.Request) -> web.StreamResponse:
        since = int(request.query["since"]) // SECOND
        if since >= 8:
            return web.Response(text=EMPTY)
        rows = [f'["1.5","2.0",{since + 1}.5,"b","m","",{since * 1000 + n}]' for n in range(1000)]
        return web.Response(
            text=f'{{"error":[],"result":{{"P":[{",".join(rows)}],"last":"{(since + 1) * SECOND + 1}"}}}}'
        )

    with serve(answer) as server:
        of = client(scheduler, server.url)
        fetches = [Ended(of.trades(symbol, SECOND)) for symbol in ("BTC/USD", "ETH/USD")]
        assert [len(each.wait().items) for each in fetches] == [8000, 8000]
        assert len(server.paths) == 18
        assert len(set(server.clients)) <= 2


# The limiter


def test_fetches_when_they_are_many_then_the_server_never_counts_too_many() -> None:
    """On two loops, by the server's own count."""
    schedulers = [EventLoopThreadScheduler(f"test-rest-{n}") for n in range(2)]
    with FakeExchange(symbols=["BTC/USD"], rest_limit=(5, 0.4)) as exchange:
        shared = limiter(5, 0.4)
        clients = [client(each, exchange.rest_url, rest_limiter=shared) for each in schedulers]
        fetches = [Ended(clients[n % 2].trades("BTC/USD", SECOND)) for n in range(20)]
        assert all(each.wait().completed for each in fetches)
        assert len(exchange.rest_requests) == 20
        assert exchange.rest_refused == 0
    for each in schedulers:
        each.dispose()


def test_fetches_when_the_server_counts_too_many_then_they_wait_and_go_on(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Somebody else uses the same address: the limiter can't know before the server says it."""
    with FakeExchange(symbols=["BTC/USD"], rest_limit=(3, 1.0)) as exchange:
        of = client(scheduler, exchange.rest_url, rest_limiter=limiter(1000, 1.0))
        fetches = [Ended(of.trades("BTC/USD", SECOND)) for _ in range(6)]
        assert all(each.wait().completed for each in fetches)
        assert exchange.rest_refused >= 1
        taken = [request.monotonic for request in exchange.rest_requests if request.status == 200]
        assert len(taken) == 6
        assert taken[3] - taken[0] >= 1.0  # Retry-After has whole seconds


def test_fetches_when_several_wait_then_the_most_urgent_goes_first(scheduler: EventLoopThreadScheduler) -> None:
    """A recovery overtakes the history that somebody loads."""
    free = threading.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        while not free.is_set():
            await asyncio.sleep(0.005)
        return web.Response(text=EMPTY)

    with serve(answer) as server:
        of = client(scheduler, server.url, rest_limiter=limiter(1, 0.05))

        def fetch(symbol: str, priority: APIPriority) -> Ended:
            waiting = of.limiter.get_stats().waiting
            fetching = Ended(of.trades(symbol, SECOND, priority=priority))
            server.wait_until(lambda: of.limiter.get_stats().waiting == waiting + 1)
            return fetching

        first = Ended(of.trades("FIRST/USD", SECOND))
        server.wait_until(lambda: server.paths)
        fetches = [fetch("ONE/USD", APIPriority.MEDIUM), fetch("TWO/USD", APIPriority.MEDIUM)]
        fetches.append(fetch("HIGH/USD", APIPriority.HIGH))
        free.set()
        assert all(each.wait().completed for each in [first, *fetches])
        assert ["FIRST" in server.paths[0], "HIGH" in server.paths[1]] == [True, True]
        assert ["ONE" in server.paths[2], "TWO" in server.paths[3]] == [True, True]


# The end


async def think(_: web.Request) -> web.StreamResponse:
    """Answer never."""
    await asyncio.sleep(60.0)
    raise AssertionError("nobody waits so long")


def test_fetch_when_it_is_disposed_in_the_middle_then_nothing_is_left(scheduler: EventLoopThreadScheduler) -> None:
    """The request is cut off at once, and its place in the limiter is free."""
    with serve(think) as server:
        of = client(scheduler, server.url, rest_limiter=limiter(1, 0.01))
        got = Ended(of.trades("BTC/USD", SECOND))
        server.wait_until(lambda: server.paths)
        waiting = Ended(of.trades("ETH/USD", SECOND))
        server.wait_until(lambda: of.limiter.get_stats().waiting)
        waiting.subscription.dispose()
        got.subscription.dispose()
        server.wait_until(lambda: server.abandoned == 1 and server.connections == 0)
        server.wait_until(lambda: _is_free(of.limiter))
        assert (len(server.paths), got.items, got.error, got.completed) == (1, [], None, False)


def _is_free(of: APIRateLimiter) -> bool:
    stats = of.get_stats()
    return not (stats.running or stats.waiting)


def test_fetch_when_somebody_has_enough_then_the_rest_is_not_asked_for(scheduler: EventLoopThreadScheduler) -> None:
    """``take`` disposes from within the page."""
    trades = list(Market(["BTC/USD"], seed=4, rate=2.0, duration=1500))
    with FakeExchange(trades, start=trades[-1].timestamp) as exchange:
        source = client(scheduler, exchange.rest_url).trades("BTC/USD", trades[0].timestamp)
        got = Ended(source.pipe(operators.take(5))).wait()
        assert [item.trade_id for item in got.items] == [trade.trade_id for trade in trades[:5]]
        wait_until_idle(scheduler)
        assert len(exchange.rest_requests) == 1


@pytest.mark.parametrize("where", ["asking", "waiting"])
def test_fetch_when_the_scheduler_is_disposed_then_the_observer_hears_of_it(where: str) -> None:
    """While the server thinks, and while it waits for its turn: what came is not all there is."""
    scheduler = EventLoopThreadScheduler("test-rest-disposed")
    with serve(think) as server:
        of = client(scheduler, server.url, rest_limiter=limiter(1, 0.01))
        got = [Ended(of.trades("BTC/USD", SECOND)) for _ in range(2)]
        server.wait_until(lambda: server.paths and of.limiter.get_stats().waiting)
        scheduler.dispose()
        error = got[0 if where == "asking" else 1].wait().error
        assert isinstance(error, errors.ConnectError)
        assert "not asked to the end" in str(error)
        server.wait_until(lambda: server.connections == 0)


def test_fetches_when_chained_then_the_next_begins_when_the_one_before_has_ended(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """reactivex subscribes to the next one inside on_completed of the one before, on the loop's own thread."""
    with serve(answer_empty) as server:
        of = client(scheduler, server.url)
        assert Ended(reactivex.concat(*[of.trades("BTC/USD", SECOND) for _ in range(3)])).wait().completed
        assert len(server.paths) == 3
        server.wait_until(lambda: server.connections == 0)


_EXIT = """
import sys, threading
from rxstreams.sources import kraken
assert "aiohttp" not in sys.modules
fetch = kraken.rest_trades("BTC/USD", since=1, rest_url=sys.argv[1])
fetch.subscribe(print, lambda error: print(type(error).__name__))
sys.stdin.readline()
assert "aiohttp" in sys.modules
"""


def test_process_when_it_ends_in_the_middle_of_a_fetch_then_it_ends_in_silence() -> None:
    """No warning of anything unclosed, no traceback of a cancelled task, and no wait for the server."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", _EXIT]
    pipe = subprocess.PIPE
    with (
        serve(think) as server,
        subprocess.Popen([*command, server.url], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process,
    ):
        try:
            server.wait_until(lambda: server.paths, 40.0)  # a busy machine takes its time to start it
            out, err = process.communicate("\n", SOON)
        finally:
            process.kill()
        assert (process.returncode, out, err) == (0, "ConnectError\n", "")
