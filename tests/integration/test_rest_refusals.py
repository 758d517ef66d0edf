"""REST over real sockets: what is posted, what a refusal says, and the list of a venue that refuses nothing."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
import pytest
from aiohttp import web
from reactivex import Observable
from rest_server import SOON, serve

from rxstreams import errors
from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream
from rxstreams.sources._rest import RestClient
from rxstreams.sources.venue import Channel, Message, RestPage, RestRequest, Venue, decode
from rxstreams.testing import fast_config

_list = msgspec.json.Decoder(list[str])


class PostingVenue(Venue):
    """Asks by POST, and says of some refusals what they mean."""

    name: ClassVar[str] = "posting"
    url: ClassVar[str] = "ws://127.0.0.1:9"
    refuses_unknown: ClassVar[bool] = False
    acknowledges: ClassVar[bool] = False
    documentation: ClassVar[tuple[str, str]] = ("", "")

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return nothing."""
        return ""

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return nothing."""
        return ""

    def parse(self, frame: bytes) -> list[Message]:
        """Return nothing."""
        return []

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return a question with a body."""
        return RestRequest(path="/info", query={"of": symbol}, body=b'{"since": %d}' % since)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return an empty page, if it is a list."""
        decode(_list, body, "expected a list")
        return RestPage(items=())

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> errors.StreamError | None:
        """Return what some bodies mean."""
        if b"no such pair" in body:
            return errors.SubscriptionError((symbol,), f"HTTP {status}: no such pair")
        if b"slow down" in body:
            return errors.RateLimited("slow down", retry_after=0.05)
        return None

    def symbols_request(self) -> RestRequest | None:
        """Return the question for all symbols."""
        return RestRequest(path="/symbols")

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return the list."""
        found: list[str] = decode(_list, body, "expected a list of symbols")
        return frozenset(found)


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-rest-refusals")
    yield scheduler
    scheduler.dispose()


def config(rest_url: str, **options: Any) -> StreamConfig:
    """Return a config with short waits, but with time for a busy machine to answer."""
    return StreamConfig.of(fast_config(rest_url=rest_url, **{"connect_timeout": 5.0, **options}))


def end_of(source: Observable[Any]) -> Exception | None:
    """Return the error by which an Observable ends; None: it completes."""
    ends: list[Exception | None] = []
    over = threading.Event()

    def end(error: Exception | None = None) -> None:
        ends.append(error)
        over.set()

    source.subscribe(on_error=end, on_completed=end)
    assert over.wait(SOON)
    return ends[0]


def fetch(scheduler: EventLoopThreadScheduler, url: str, **options: Any) -> tuple[Exception | None, RestClient]:
    """Fetch trades; return how it ended, and the client."""
    client = RestClient(PostingVenue(), config(url, **options), scheduler)
    return end_of(client.trades("A/USD", SECOND, attempts=2)), client


def always(status: int, text: str, content_type: str = "application/json") -> Callable[[web.Request], Any]:
    """Return a handler that says the same to everybody."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type)

    return answer


def test_request_when_it_has_a_body_then_that_is_posted_as_json(scheduler: EventLoopThreadScheduler) -> None:
    """With the query beside it."""
    got: list[tuple[str, str, str, bytes]] = []

    async def take(request: web.Request) -> web.StreamResponse:
        got.append((request.method, request.path_qs, request.content_type, await request.read()))
        return web.json_response([])

    with serve(take) as server:
        assert fetch(scheduler, server.url)[0] is None
    assert got == [("POST", "/info?of=A/USD", "application/json", b'{"since": 1000000000}')]


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_refusal_when_the_venue_explains_it_then_its_error_comes_at_once(
    scheduler: EventLoopThreadScheduler, status: int
) -> None:
    """With the symbol that was asked for."""
    with serve(always(status, '{"error": "no such pair"}')) as server:
        error, _ = fetch(scheduler, server.url)
        assert isinstance(error, errors.SubscriptionError)
        assert (error.symbols, error.reason) == (("A/USD",), f"HTTP {status}: no such pair")
        assert len(server.paths) == 1


def test_refusal_when_it_is_one_for_its_rate_then_the_limiter_is_frozen(scheduler: EventLoopThreadScheduler) -> None:
    """Though its status says something else."""
    with serve(always(400, '{"error": "slow down"}')) as server:
        error, client = fetch(scheduler, server.url)
        assert isinstance(error, errors.RateLimited)
        assert len(server.paths) == 2
        assert client.limiter.get_stats().rate_limited == 2


def test_refusal_when_nobody_explains_it_then_its_beginning_is_shown(scheduler: EventLoopThreadScheduler) -> None:
    """In one line, cut."""
    with serve(always(400, '{"error":\n  "' + "x" * 500 + '"}')) as server:
        error, _ = fetch(scheduler, server.url)
        assert isinstance(error, errors.Refused)
        text = str(error)
        assert text.startswith(f'{server.url}/info answered HTTP 400: {{"error": "xxx')
        assert text.endswith("x…")
        assert len(text) < 300


@pytest.mark.parametrize("status", [500, 502])
def test_failure_of_the_server_when_nobody_explains_it_then_it_is_tried_again(
    scheduler: EventLoopThreadScheduler, status: int
) -> None:
    """Its body is only asked about."""
    with serve(always(status, "<html>Bad Gateway</html>", "text/html")) as server:
        error, _ = fetch(scheduler, server.url)
        assert isinstance(error, errors.ServerRejected)
        assert str(error) == f"{server.url}/info answered HTTP {status}"
        assert len(server.paths) == 2


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (403, errors.Refused, "answered HTTP 403 with an HTML page: <html> <title>Denied</title>"),
        (200, errors.MessageError, "expected a list, got an HTML page: \n<html>"),
    ],
)
def test_answer_when_it_is_an_html_page_then_the_error_says_so(
    scheduler: EventLoopThreadScheduler, status: int, kind: type[errors.StreamError], says: str
) -> None:
    """A firewall's, a proxy's, or that of a wrong address."""
    with serve(always(status, "\n<html>\n<title>Denied</title></html>", "text/html")) as server:
        error, _ = fetch(scheduler, server.url)
        assert isinstance(error, kind)
        assert says in str(error)


@pytest.mark.parametrize("status", [429, 418, 408, 425, 503, 302])
def test_refusal_when_its_status_says_all_then_its_body_is_not_waited_for(
    scheduler: EventLoopThreadScheduler, status: int
) -> None:
    """It would never end; a redirect's neither."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"no such pair")
            await asyncio.sleep(0.02)

    with serve(trickle) as server:
        error, _ = fetch(scheduler, server.url, connect_timeout=60.0)
        assert not isinstance(error, errors.SubscriptionError)
        assert isinstance(error, errors.StreamError)


def test_refusal_when_its_body_never_ends_then_what_came_in_time_is_taken(scheduler: EventLoopThreadScheduler) -> None:
    """No longer than one phase of connecting may take."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        while True:
            await response.write(b"no such pair ")
            await asyncio.sleep(0.05)

    with serve(trickle) as server:
        began = time.monotonic()
        error, _ = fetch(scheduler, server.url, connect_timeout=0.4)
        assert isinstance(error, errors.SubscriptionError)
        assert 0.4 <= time.monotonic() - began < SOON
        server.wait_until(lambda: server.connections == 0)


def test_refusal_when_its_body_is_huge_then_only_its_beginning_is_read(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KiB."""
    sizes: list[int] = []

    def note(self: PostingVenue, symbol: str, status: int, body: bytes) -> None:
        sizes.append(len(body))

    monkeypatch.setattr(PostingVenue, "explain_refusal", note)
    with serve(always(400, "x" * 2_000_000)) as server:
        error, _ = fetch(scheduler, server.url)
        assert isinstance(error, errors.Refused)
    assert sizes == [64 * 1024]


# The list of symbols


def feed_of(scheduler: EventLoopThreadScheduler, url: str, symbols: Sequence[str]) -> tuple[Stream[Any], list[Any]]:
    """Return a feed whose socket leads nowhere, and the events that it tells."""
    options = config(url, url="ws://127.0.0.1:9")
    feed: Stream[Any] = Stream(PostingVenue(), symbols, Channel("trades"), options, scheduler=scheduler)
    events: list[Any] = []
    feed.events.subscribe(events.append)
    return feed, events


def test_feed_when_its_venue_has_a_list_then_unknown_symbols_end_though_nothing_is_connected(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The list is asked for beside the connection, once, through the limiter."""
    with serve(always(200, '["A/USD"]')) as server:
        feed, events = feed_of(scheduler, server.url, ["A/USD", "B/USD"])
        subscription = feed.subscribe()
        try:
            server.wait_until(lambda: any(event.kind == "refused" for event in events))
            assert feed.symbols == ("A/USD",)
            (refused,) = [event for event in events if event.kind == "refused"]
            assert (refused.symbols, refused.reason) == (("B/USD",), "posting has no symbol B/USD")
            assert server.paths == ["/symbols"]
        finally:
            subscription.dispose()


def test_feed_when_the_list_cannot_be_read_then_goes_on(
    scheduler: EventLoopThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """After as many attempts as any page has."""
    with caplog.at_level(logging.WARNING, "rxstreams"), serve(always(200, "<html>")) as server:
        feed, events = feed_of(scheduler, server.url, ["A/USD"])
        subscription = feed.subscribe()
        try:
            server.wait_until(lambda: any("the list of symbols" in each.getMessage() for each in caplog.records))
            assert len(server.paths) == 5
            assert feed.symbols == ("A/USD",)
            assert [event for event in events if event.kind == "refused"] == []
        finally:
            subscription.dispose()
