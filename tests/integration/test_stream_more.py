"""A feed on a real socket, at awkward moments: a packet that says too much, a stop that overtakes a subscription."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import aiohappyeyeballs
import pytest
from reactivex import Observer
from reactivex.internal import DisposedException

from rxstreams import bridge, errors
from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.sources._feeds import Feeds
from rxstreams.sources.venue import Channel, Message, Venue
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD"]
T0 = 1_735_689_600 * SECOND
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class ByUrl(Venue):
    """A venue whose address alone subscribes: it sends at once and acknowledges nothing."""

    name: ClassVar[str] = "by_url"
    url: ClassVar[str] = "ws://127.0.0.1:9"
    acknowledges: ClassVar[bool] = False
    documentation: ClassVar[tuple[str, str]] = ("", "")

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return something."""
        return "hello"

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return something."""
        return "bye"

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return a trade that is stamped with the frame's number of seconds."""
        return [PriceTick(symbol="A/USD", price=1.0, timestamp=T0 + int(frame) * SECOND, exchange="by_url")]


class Mute(ByUrl):
    """A venue with a bug in its subscribe message."""

    name: ClassVar[str] = "mute"

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Fail."""
        raise KeyError("channel")


class PacketServer:
    """Accepts connections one by one and sends each one the answer to its upgrade and more in one packet."""

    def __init__(self, *more: bytes, hang_up: bool = False) -> None:
        self._more = more
        self._hang_up = hang_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self.ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for more in self._more:
            client, _ = self._listener.accept()
            with client:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += client.recv(4096)
                (key,) = [line[19:] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")]
                answer = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
                client.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n" + more
                )
                client.settimeout(10.0)
                with contextlib.suppress(OSError):
                    while not self._hang_up and client.recv(4096):
                        pass
            self.ended.release()

    def close(self) -> None:
        """Wait for the thread."""
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        self._listener.close()


@contextlib.contextmanager
def packets(*more: bytes, hang_up: bool = False) -> Generator[PacketServer]:
    """Run a server for as many connections as there are packets."""
    server = PacketServer(*more, hang_up=hang_up)
    yield server
    server.close()


def text(payload: bytes) -> bytes:
    """Return a server's text frame."""
    return bytes([0x81, len(payload)]) + payload


def close_frame(code: int) -> bytes:
    """Return a server's close frame."""
    return b"\x88\x02" + code.to_bytes(2, "big")


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-stream-more")
    yield scheduler
    scheduler.dispose()


def feed_of(venue: Venue, url: str, scheduler: EventLoopThreadScheduler, **options: Any) -> Stream[PriceTick]:
    """Return a feed of one symbol."""
    return Feeds(venue).trades(["A/USD"], scheduler=scheduler, **{**fast_config(url=url), **options})


def connect(exchange: FakeExchange, scheduler: EventLoopThreadScheduler, **options: Any) -> Stream[PriceTick]:
    """Return a feed of the exchange."""
    return kraken.trades(SYMBOLS, scheduler=scheduler, **{**fast_config(url=exchange.url), **options})


def market(symbols: Sequence[str] = SYMBOLS) -> Market:
    """Return a market in which every symbol is busy."""
    return Market(list(symbols), seed=5, rate=dict.fromkeys(symbols, 5.0))


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def tasks_of(scheduler: EventLoopThreadScheduler) -> list[str]:
    """Return what is running on a scheduler's loop."""
    found: list[str] = []
    done = threading.Event()

    def look() -> None:
        found.extend(repr(task) for task in asyncio.all_tasks(scheduler.loop))
        done.set()

    scheduler.post(look)
    assert done.wait(5.0)
    return found


def test_feed_when_trades_come_with_the_answer_to_the_upgrade_then_they_belong_to_the_line(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """In one packet: they are on the line like all others, in order, after the state says so."""
    with packets(text(b"1") + text(b"2")) as server:
        feed = feed_of(ByUrl(), server.url, scheduler)
        got: list[tuple[int, bool, StreamState]] = []
        subscription = feed.subscribe(lambda tick: got.append((tick.timestamp, tick.span > 0, feed.state)))
        wait_until(lambda: len(got) == 2)
        subscription.dispose()
    assert got == [(T0 + n * SECOND, True, StreamState.SUBSCRIBING) for n in (1, 2)]


def test_feed_when_the_close_comes_with_the_answer_to_the_upgrade_then_nothing_is_left_running(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The trade before it is delivered, the error is that of the close code, and no ping is waiting for its time."""
    with packets(text(b"1") + close_frame(1012), hang_up=True) as server:
        feed = feed_of(ByUrl(), server.url, scheduler, reconnect_attempts=0, ping_interval=20.0)
        ticks: list[PriceTick] = []
        caught: list[Exception] = []
        feed.subscribe(ticks.append, caught.append)
        wait_until(lambda: bool(caught))
    assert [type(error) for error in caught] == [errors.ServerRestart]
    assert len(ticks) == 1
    wait_until(lambda: tasks_of(scheduler) == [])


def test_feed_when_the_venue_cannot_say_what_to_subscribe_then_fails_and_closes_its_socket(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """A bug is no reason to come back, nor to keep a socket open."""
    with packets(b"") as server:
        feed = feed_of(Mute(), server.url, scheduler, ping_interval=20.0)
        caught: list[Exception] = []
        feed.subscribe(lambda tick: None, caught.append)
        wait_until(lambda: bool(caught))
        assert isinstance(caught[0], KeyError)
        assert server.ended.acquire(timeout=5.0)
    wait_until(lambda: tasks_of(scheduler) == [])


def test_error_when_the_connection_is_refused_then_keeps_its_cause(scheduler: EventLoopThreadScheduler) -> None:
    """What the system said is what a user has to look at."""
    with FakeExchange(market()) as exchange:
        exchange.refuse()
        feed = connect(exchange, scheduler, reconnect_attempts=0)
        caught: list[Exception] = []
        feed.subscribe(lambda tick: None, caught.append)
        wait_until(lambda: bool(caught))
    assert isinstance(caught[0], errors.ConnectError)
    assert isinstance(caught[0].__cause__, ConnectionRefusedError)


def test_socket_when_the_server_hung_up_at_once_then_is_closed(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no peer any more, so that asking for it fails."""
    sockets: list[socket.socket] = []

    async def start_connection(*_: Any, **__: Any) -> socket.socket:
        sockets.append(socket.socket())
        return sockets[0]

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", start_connection)
    feed = feed_of(ByUrl(), "ws://127.0.0.1:9", scheduler, reconnect_attempts=0)
    caught: list[Exception] = []
    feed.subscribe(lambda tick: None, caught.append)
    wait_until(lambda: bool(caught))
    assert isinstance(caught[0], errors.ConnectError)
    assert sockets[0].fileno() == -1


def test_stop_when_it_overtakes_a_subscription_then_waits_for_its_end_all_the_same(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The end of an older subscription, handled in between, is not the end that it waits for."""
    with FakeExchange(market(), speed=20.0, faults=[f.SlowHandshake(30.0, connection=1)]) as exchange:
        feed = connect(exchange, scheduler)
        ticks: list[PriceTick] = []
        old = feed.subscribe(ticks.append)
        exchange.wait_until(lambda: bool(ticks))
        go = threading.Event()
        scheduler.post(go.wait, 10.0)
        old.dispose()
        done = threading.Event()

        def complete_slowly() -> None:
            time.sleep(0.1)
            done.set()

        feed.subscribe(lambda tick: None, on_completed=complete_slowly)
        threading.Timer(0.2, go.set).start()
        feed.stop()
        assert done.is_set()
        assert feed.state is StreamState.STOPPED


def test_stop_when_two_threads_call_it_then_both_return_after_the_end(scheduler: EventLoopThreadScheduler) -> None:
    """One end, one completion."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        ticks: list[PriceTick] = []
        completions: list[float] = []
        returns: list[int] = []
        feed.subscribe(ticks.append, on_completed=lambda: completions.append(time.monotonic()))
        exchange.wait_until(lambda: bool(ticks))

        def stop() -> None:
            feed.stop()
            returns.append(len(completions))

        threads = [threading.Thread(target=stop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
        assert returns == [1, 1]


@pytest.mark.parametrize("state", ["resolving", "connecting", "backing_off", "subscribing"])
def test_stop_when_not_streaming_yet_then_completes_at_once(scheduler: EventLoopThreadScheduler, state: str) -> None:
    """Whatever the line is waiting for, and nothing of it is left."""
    faults: dict[str, list[f.AnyFault]] = {
        "connecting": [f.SlowHandshake(30.0)],
        "backing_off": [f.HttpStatus(502)],
        "subscribing": [f.NoAck()],
    }
    slow = BackoffPolicy(initial=30.0)
    with FakeExchange(market(), speed=20.0, faults=faults.get(state, [])) as exchange:
        feed = connect(exchange, scheduler, backoff=slow, connect_timeout=30.0)
        done = threading.Event()
        feed.subscribe(lambda tick: None, on_completed=done.set)
        if state != "resolving":
            wait_until(lambda: feed.state.value == state)
        begun = time.monotonic()
        feed.stop()
        assert done.is_set()
        assert time.monotonic() - begun < 4.0
        wait_until(lambda: tasks_of(scheduler) == [])


def test_feed_when_a_run_was_stopped_before_it_subscribes_then_stops(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come while a chain is still subscribing: who registers then is stopped at once."""

    def register(stop: Callable[[], None]) -> Any:
        stop()
        return contextlib.nullcontext()

    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        monkeypatch.setattr(bridge, "register_stoppable", register)
        done = threading.Event()
        with contextlib.suppress(AttributeError):  # the stand-in can't be disposed
            feed.subscribe(lambda tick: None, on_completed=done.set)
        assert done.wait(5.0)


def test_feed_when_its_scheduler_was_disposed_before_then_the_subscription_fails() -> None:
    """Nothing would ever come, so it says so; the same for its events and states."""
    scheduler = EventLoopThreadScheduler("test-stream-more")
    feed = feed_of(ByUrl(), "ws://127.0.0.1:9", scheduler)
    scheduler.dispose()
    caught: list[Exception] = []
    feed.subscribe(Observer(on_error=caught.append))
    feed.states.subscribe(Observer(on_error=caught.append))
    assert [type(error) for error in caught] == [DisposedException] * 2


def test_add_when_the_venue_does_not_answer_then_the_error_names_the_symbol(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Streaming goes on until then; the symbols that are answered are not blamed."""
    with FakeExchange(market([*SYMBOLS, "SOL/USD"]), speed=20.0) as exchange:
        feed = connect(exchange, scheduler, connect_timeout=0.5)
        events: list[StreamEvent] = []
        ticks: list[PriceTick] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        exchange.inject(f.NoAck())
        feed.add(["SOL/USD"])
        wait_until(lambda: any(event.kind == "loss" for event in events))
        (loss, *_) = [event for event in events if event.kind == "loss"]
        assert isinstance(loss.error, errors.Stalled)
        assert "SOL/USD" in loss.reason
        assert "BTC/USD" not in loss.reason


def test_line_when_refused_for_good_then_the_event_knows_its_time(scheduler: EventLoopThreadScheduler) -> None:
    """One socket of two; the feed goes on with the other."""
    with FakeExchange(market(), speed=20.0, faults=[f.HttpStatus(403, connection=0)]) as exchange:
        feed = connect(exchange, scheduler, symbols_per_socket=1)
        events: list[StreamEvent] = []
        ticks: list[PriceTick] = []
        feed.events.subscribe(events.append)
        begun = time.time_ns()
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: bool(ticks) and any(event.kind == "refused" for event in events))
        (refused,) = [event for event in events if event.kind == "refused"]
        assert begun <= refused.time <= time.time_ns()
        assert feed.symbols == tuple({tick.symbol for tick in ticks})
        assert feed.state is StreamState.STREAMING


def test_feed_when_it_comes_and_goes_then_no_task_is_left(scheduler: EventLoopThreadScheduler) -> None:
    """After disposes at any moment of connecting."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        for round_ in range(30):
            subscription = feed.subscribe(lambda tick: None)
            time.sleep(round_ * 0.001)
            subscription.dispose()
        wait_until(lambda: tasks_of(scheduler) == [])
        wait_until(lambda: all(c.closed is not None for c in exchange.connections))


def test_config_when_headers_repeat_then_all_are_sent(scheduler: EventLoopThreadScheduler) -> None:
    """Pairs are taken so that a name may stand there twice."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                seen.append(client.recv(65536).decode())

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        feed = feed_of(ByUrl(), url, scheduler, headers=[("X-Key", "1"), ("X-Key", "2")], reconnect_attempts=0)
        ended = threading.Event()
        feed.subscribe(lambda tick: None, lambda error: ended.set())
        thread.join(10.0)
        assert ended.wait(10.0)
    assert [line for line in seen[0].split("\r\n") if line.startswith("X-Key")] == ["X-Key: 1", "X-Key: 2"]


def test_feed_when_a_redirect_comes_through_a_proxy_then_is_refused(scheduler: EventLoopThreadScheduler) -> None:
    """As without a proxy: whoever answers with one is not our venue."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                for answer in (
                    b"HTTP/1.1 200 OK\r\n\r\n",
                    b"HTTP/1.1 302 Found\r\nLocation: ws://feed.example.test/2\r\nContent-Length: 0\r\n\r\n",
                ):
                    asked.append(client.recv(65536))
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        feed = feed_of(
            ByUrl(),
            "ws://feed.example.test/1",
            scheduler,
            proxy=f"http://127.0.0.1:{listener.getsockname()[1]}",
            reconnect_attempts=0,
        )
        caught: list[Exception] = []
        feed.subscribe(lambda tick: None, caught.append)
        wait_until(lambda: bool(caught))
        thread.join(10.0)
    assert [type(error) for error in caught] == [errors.Refused]
    assert len(asked) == 2


def test_retries_when_none_are_allowed_then_the_first_failure_ends_it(scheduler: EventLoopThreadScheduler) -> None:
    """``reconnect_attempts=0``."""
    with FakeExchange(market(), faults=[f.HttpStatus(502)]) as exchange:
        feed = connect(exchange, scheduler, reconnect_attempts=0)
        caught: list[Exception] = []
        feed.subscribe(lambda tick: None, caught.append)
        wait_until(lambda: bool(caught))
    assert [type(error) for error in caught] == [errors.ServerRejected]
    assert feed.error is caught[0]
    assert StreamConfig(reconnect_attempts=0).policy.max_attempts == 0


def test_tls_when_the_server_has_none_then_says_so_and_reads_the_certificates_once(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them blocks the loop, for all feeds on it, at each reconnection."""
    read: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def create() -> ssl.SSLContext:
        read.append(make())
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", create)
    with FakeExchange(market()) as exchange:
        url = exchange.url.replace("ws://", "wss://")
        feed = connect(exchange, scheduler, url=url, reconnect_attempts=2)
        caught: list[Exception] = []
        feed.subscribe(lambda tick: None, caught.append)
        wait_until(lambda: bool(caught))
    assert isinstance(caught[0], errors.TLSError)
    assert re.fullmatch(r"the TLS handshake with 127\.0\.0\.1:\d+ failed: [\w ]+", str(caught[0]))
    assert len(read) <= 1
