"""``WebSocketManager`` on real sockets: what becomes of a message, and of a method of the subclass that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from manager_server import LOGIN, SOON, Exchange, PlainServer, plain_server, state, subscribed, tick_of, trade, until
from websockets.exceptions import ConnectionClosedError

from rxstreams import PriceTick, StreamEvent, errors
from rxstreams._manager import connection


@pytest.fixture
def server() -> Iterator[PlainServer]:
    """A server that does as it is told."""
    with plain_server() as server:
        yield server


class Gated(Exchange):
    """Waits with every trade until the gate is open."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.begun: list[float] = []
        self._gate = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def _parse_message(self, data: Any) -> PriceTick | None:
        self._loop = asyncio.get_running_loop()
        self.begun.append(data["price"])
        await self._gate.wait()
        return tick_of(data)

    def open_gate(self) -> None:
        """Let all trades pass that have come and will come."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._gate.set)


def bad_messages(manager: Exchange) -> list[StreamEvent]:
    """Return the list of the events of bad messages from now on."""
    events: list[StreamEvent] = []
    manager.events.subscribe(lambda event: events.append(event) if event.kind == "bad_message" else None)
    return events


# What a message becomes


def test_parse_when_it_returns_several_ticks_or_none_then_all_are_sent_in_order(server: PlainServer) -> None:
    """A list, a generator, one tick, nothing."""

    class Several(Exchange):
        async def _parse_message(self, data: Any) -> PriceTick | Iterable[PriceTick] | None:
            match data:
                case {"list": rows}:
                    return [tick_of(row) for row in rows]
                case {"lazy": rows}:
                    return (tick_of(row) for row in rows)
                case {"price": _}:
                    return tick_of(data)
                case _:
                    return None

    async def main() -> None:
        manager = Several(server.url)
        await manager.start()
        server.send({"list": [trade(1.0), trade(2.0, "ETH/USD")]}, {"list": []}, {"nothing": 1}, [])
        server.send({"lazy": [trade(3.0), trade(4.0)]}, trade(5.0))
        await until(lambda: len(manager.seen) == 5)
        assert manager.prices == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert (manager.stats.messages, manager.stats.ticks, manager.stats.parse_errors) == (6, 5, 0)
        await manager.stop()

    asyncio.run(main())


def test_parse_when_it_raises_then_it_is_counted_and_the_feed_goes_on(server: PlainServer) -> None:
    """The message, its cause and its text are told; the coverage begins anew, for a trade may be missing."""

    async def main() -> None:
        manager = Exchange(server.url)
        bad = bad_messages(manager)
        await manager.start()
        server.send(trade(1.0), {"price": 1.0}, trade(2.0))
        await until(lambda: manager.prices == [1.0, 2.0])
        assert manager.stats.parse_errors == 1
        assert server.connections == 1
        (event,) = bad
        assert isinstance(event.error, errors.MessageError)
        assert str(event.error) == """_parse_message raised KeyError('symbol'): {"price": 1.0}"""
        assert isinstance(event.error.__cause__, KeyError)
        first, second = manager.seen
        assert second.since > first.since
        assert second.span != first.span
        await manager.stop()

    asyncio.run(main())


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, TimeoutError])
def test_parse_when_it_raises_what_would_end_a_thread_then_the_feed_goes_on(
    server: PlainServer, raised: type[BaseException]
) -> None:
    """sys.exit() in a message's method ends neither the thread nor the connection, and stops no later message."""

    class Raising(Exchange):
        async def _parse_message(self, data: Any) -> PriceTick | None:
            if "raise" in data:
                raise raised
            return tick_of(data)

    async def main() -> None:
        manager = Raising(server.url)
        await manager.start()
        server.send({"raise": 1}, trade(1.0))
        await until(lambda: manager.prices == [1.0])
        assert manager.stats.parse_errors == 1
        await manager.stop()

    asyncio.run(main())


@pytest.mark.parametrize("returned", [5, {"price": 1.0}, "BTC/USD", [None]])
def test_parse_when_it_returns_something_else_than_ticks_then_it_is_counted(server: PlainServer, returned: Any) -> None:
    """The error says what was expected and what was found."""

    class Wrong(Exchange):
        async def _parse_message(self, data: Any) -> Any:
            return returned

    async def main() -> None:
        manager = Wrong(server.url)
        bad = bad_messages(manager)
        await manager.start()
        server.send("{}")
        await until(lambda: bad)
        assert "_parse_message must return a PriceTick, several of them or None, got " in bad[0].reason
        assert manager.stats.parse_errors == 1
        await manager.stop()

    asyncio.run(main())


def test_parse_when_frames_are_no_json_then_it_gets_them_as_they_are(server: PlainServer) -> None:
    """Text that is none as str, binary as bytes; half an object is a broken message and does not come."""
    got: list[Any] = []

    class Noting(Exchange):
        async def _parse_message(self, data: Any) -> None:
            got.append(data)

    async def main() -> None:
        manager = Noting(server.url)
        bad = bad_messages(manager)
        await manager.start()
        server.send("pong", b"\x1f\x8b\x00", '{"a": 1}', b'{"a": 2}', '{"a": ', "[1,", "7", "")
        await until(lambda: len(got) == 6)
        assert got == ["pong", b"\x1f\x8b\x00", {"a": 1}, {"a": 2}, 7, ""]
        assert manager.stats.parse_errors == 2
        assert bad[0].reason.startswith("expected JSON, got a frame that is none")
        await manager.stop()

    asyncio.run(main())


def test_messages_when_most_are_bad_then_the_connection_is_made_anew(server: PlainServer) -> None:
    """``max_bad_share`` holds here as for every feed."""

    class Wrong(Exchange):
        async def _parse_message(self, data: Any) -> None:
            raise ValueError("never right")

    async def main() -> None:
        manager = Wrong(server.url)
        await manager.start()
        server.send(*["{}"] * 11)
        await until(lambda: server.connections == 2)
        assert dict(manager.stats.reconnects) == {"MessageError": 1}
        await manager.stop()

    asyncio.run(main())


# A method that waits


def test_parse_when_it_waits_then_later_messages_keep_their_order(server: PlainServer) -> None:
    """The first waits longest, and is still the first."""

    class Waiting(Exchange):
        async def _parse_message(self, data: Any) -> PriceTick:
            async with asyncio.timeout(SOON):  # needs a task around it, as aiohttp does
                await asyncio.sleep(0.05 if data["price"] == 0 else 0.001 * (data["price"] % 2))
            return tick_of(data)

    async def main() -> None:
        manager = Waiting(server.url)
        await manager.start()
        prices = [float(n) for n in range(20)]
        server.send(*map(trade, prices))
        await until(lambda: len(manager.seen) == 20)
        assert manager.prices == prices
        assert manager.stats.parse_errors == 0
        await manager.stop()

    asyncio.run(main())


def test_parse_when_the_connection_is_lost_while_it_waits_then_what_had_come_is_sent_first(
    server: PlainServer,
) -> None:
    """Received is received: on the old span, and before anything of the next connection."""

    async def main() -> None:
        manager = Gated(server.url, connect_timeout=SOON)
        await manager.start()
        server.send(trade(1.0), trade(2.0), trade(3.0))
        await until(lambda: manager.begun == [1.0])
        server.drop()
        await until(lambda: not manager.is_connected)
        manager.open_gate()
        await until(lambda: server.connections == 2 and manager.is_connected)
        server.send(trade(4.0))
        await until(lambda: len(manager.seen) == 4)
        assert manager.prices == [1.0, 2.0, 3.0, 4.0]
        assert [tick.span == manager.seen[0].span for tick in manager.seen] == [True, True, True, False]
        await manager.stop()

    asyncio.run(main())


@pytest.mark.parametrize("lost", [False, True])
def test_stop_when_messages_still_wait_then_they_are_sent_first(server: PlainServer, lost: bool) -> None:
    """``ticks`` completes after the last of them, also where the connection was lost before stop was called."""

    async def main() -> None:
        manager = Gated(server.url, connect_timeout=SOON)
        await manager.start()
        server.send(trade(1.0), trade(2.0))
        await until(lambda: manager.begun == [1.0])
        if lost:
            server.drop()
            await until(lambda: not manager.is_connected)
        stopping = asyncio.create_task(manager.stop(timeout=SOON))
        await until(lambda: not manager.is_connected)
        await asyncio.sleep(0.05)
        assert not stopping.done()
        manager.open_gate()
        await asyncio.wait_for(stopping, SOON / 2)
        assert manager.prices == [1.0, 2.0]
        assert state(manager) == "stopped"
        assert server.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("stubborn", [False, True])
def test_parse_when_it_never_ends_then_a_lost_connection_is_made_anew_all_the_same(
    server: PlainServer, stubborn: bool
) -> None:
    """After ``connect_timeout`` it is cancelled, heeds it or not; what waited behind it is lost with the connection."""

    class Stuck(Gated):
        async def _parse_message(self, data: Any) -> PriceTick | None:
            try:
                return await super()._parse_message(data)
            except asyncio.CancelledError:
                if not stubborn:
                    raise
                return tick_of(data)

    async def main() -> None:
        manager = Stuck(server.url, connect_timeout=0.2)
        await manager.start()
        server.send(trade(1.0), trade(2.0))
        await until(lambda: manager.begun == [1.0])
        server.drop()
        await until(lambda: server.connections == 2 and manager.is_connected)
        assert manager.begun == [1.0]
        manager.open_gate()
        server.send(trade(3.0))
        await until(lambda: manager.prices == [3.0])
        await manager.stop()

    asyncio.run(main())


def test_messages_when_too_many_wait_then_the_rest_is_dropped_and_told(
    server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held is bounded; the coverage begins anew where something was thrown away, and nothing is reordered."""
    monkeypatch.setattr(connection, "MAX_WAITING", 3)

    async def main() -> None:
        manager = Gated(server.url)
        bad = bad_messages(manager)
        await manager.start()
        server.send(trade(0.0))
        await until(lambda: manager.begun == [0.0])
        server.send(*(trade(float(n)) for n in range(1, 10)), "end")
        await manager.ws.send("all of it has come")
        server.expect(LOGIN, "all of it has come")
        await asyncio.sleep(0.1)
        manager.open_gate()
        await until(lambda: bad)
        server.send(trade(10.0))
        await until(lambda: manager.prices[-1:] == [10.0])
        assert manager.prices == [0.0, 1.0, 2.0, 3.0, 10.0]
        assert bad[0].reason == "_parse_message was too slow: 7 frames were thrown away"
        assert manager.seen[-1].span != manager.seen[-2].span
        await manager.stop()

    asyncio.run(main())


def test_parse_when_it_calls_the_manager_then_nothing_waits_for_itself(server: PlainServer) -> None:
    """It may subscribe, send, and stop its own manager."""

    class Commanding(Exchange):
        async def _parse_message(self, data: Any) -> PriceTick | None:
            await self.subscribe([data["symbol"]])
            await self.ws.send("thanks")
            if data["price"] == 2.0:
                await self.stop()
            return tick_of(data)

    async def main() -> None:
        manager = Commanding(server.url)
        await manager.start()
        server.send(trade(1.0, "A"))
        await until(lambda: manager.prices == [1.0])
        server.send(trade(2.0, "A"))
        await until(lambda: state(manager) == "stopped")
        assert manager.prices == [1.0, 2.0]
        assert manager.symbols == ("A",)

    asyncio.run(main())


# A method that fails


def test_on_connect_when_it_raises_then_the_feed_ends_and_start_raises(server: PlainServer) -> None:
    """A bug is not mended by connecting again, and no callback that joins a moment too late does so."""

    calls: list[int] = []

    class Broken(Exchange):
        async def _on_connect(self) -> None:
            calls.append(1)
            raise KeyError("token")

    async def main() -> None:
        manager = Broken(server.url)
        for _ in range(200):
            manager.on_tick(str)
        with pytest.raises(
            errors.ObserverError, match=r"test-manager: _on_connect raised KeyError\('token'\)"
        ) as raised:
            await manager.start()
        assert isinstance(raised.value.__cause__, KeyError)
        assert state(manager) == "failed"
        assert manager.error is raised.value
        manager.on_tick(str)
        await asyncio.sleep(0.1)
        assert len(calls) == 1
        assert server.connections <= 1

    asyncio.run(main())


@pytest.mark.parametrize("hook", ["_send_subscribe", "_send_unsubscribe"])
def test_subscribing_when_its_method_raises_then_the_caller_is_told_and_the_feed_ends(
    server: PlainServer, hook: str
) -> None:
    """Whoever asked for the symbols gets the error."""

    class Broken(Exchange):
        async def _fail(self, symbols: list[str]) -> None:
            raise ValueError(symbols)

    setattr(Broken, hook, Broken._fail)

    async def main() -> None:
        manager = Broken(server.url)
        await manager.start()
        if hook == "_send_unsubscribe":
            await manager.subscribe(["A"])
        change = manager.subscribe if hook == "_send_subscribe" else manager.unsubscribe
        with pytest.raises(errors.ObserverError, match=rf"{hook} raised ValueError\(\['A'\]\)"):
            await change(["A"])
        assert state(manager) == "failed"
        assert server.connections <= 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("raised", "counted"),
    [
        (OSError("no route"), "ConnectionLost"),
        (TimeoutError(), "ConnectionLost"),
        (ConnectionClosedError(None, None), "ConnectionLost"),
        (errors.ServerRejected("busy"), "ServerRejected"),
    ],
)
def test_on_connect_when_the_network_fails_in_it_then_another_attempt_is_made(
    server: PlainServer, raised: Exception, counted: str
) -> None:
    """It is as if the connection itself had failed."""

    calls: list[int] = []

    class Unlucky(Exchange):
        async def _on_connect(self) -> None:
            calls.append(1)
            if len(calls) == 1:
                raise raised
            await super()._on_connect()

    async def main() -> None:
        manager = Unlucky(server.url)
        await manager.start()
        await until(lambda: state(manager) == "streaming")
        _, message = server.receive()
        assert message == LOGIN
        assert len(calls) == 2
        assert dict(manager.stats.reconnects) == {counted: 1}
        await manager.stop()

    asyncio.run(main())


def test_on_connect_when_it_raises_refused_then_the_feed_ends_with_it(server: PlainServer) -> None:
    """A method may say by itself that another attempt is of no use."""

    class Rejected(Exchange):
        async def _on_connect(self) -> None:
            raise errors.Refused("the key is not valid")

    async def main() -> None:
        manager = Rejected(server.url)
        with pytest.raises(errors.Refused, match="the key is not valid"):
            await manager.start()
        assert state(manager) == "failed"

    asyncio.run(main())


def test_on_connect_when_the_server_closes_meanwhile_then_its_reason_counts(server: PlainServer) -> None:
    """That nothing can be sent on a closed connection is the consequence, not the cause."""

    calls: list[int] = []

    class Late(Exchange):
        async def _on_connect(self) -> None:
            calls.append(1)
            while len(calls) == 1:
                await asyncio.sleep(0.001)
                await self.ws.send("x")

    async def main() -> None:
        manager = Late(server.url)
        starting = asyncio.create_task(manager.start())
        await until(lambda: server.connections == 1)
        await asyncio.to_thread(server.close_newest, 1001)
        await starting
        await until(lambda: state(manager) == "streaming")
        assert dict(manager.stats.reconnects) == {"CleanClose": 1}
        await manager.stop()

    asyncio.run(main())


def test_on_connect_when_it_waits_for_an_answer_then_the_answer_comes_to_parse(server: PlainServer) -> None:
    """Messages come while it runs, and the symbols are asked for only after it."""

    class LoggingIn(Exchange):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            self.accepted = asyncio.Event()

        async def _on_connect(self) -> None:
            await super()._on_connect()
            await asyncio.wait_for(self.accepted.wait(), SOON)

        async def _parse_message(self, data: Any) -> None:
            if data == {"login": "accepted"}:
                self.accepted.set()

    async def main() -> None:
        manager = LoggingIn(server.url)
        await manager.subscribe(["A"])
        starting = asyncio.create_task(manager.start())
        await asyncio.to_thread(server.expect, LOGIN)
        assert state(manager) == "subscribing"
        assert server.has_received_nothing()
        await asyncio.to_thread(server.send, {"login": "accepted"})
        await starting
        server.expect(subscribed("A"))
        await manager.stop()

    asyncio.run(main())


@pytest.mark.parametrize("raised", [SystemExit, asyncio.CancelledError])
def test_on_connect_when_it_raises_what_would_end_a_thread_then_the_feed_ends(
    server: PlainServer, raised: Callable[[], BaseException]
) -> None:
    """start says so instead of waiting for ever."""

    class Exiting(Exchange):
        async def _on_connect(self) -> None:
            raise raised()

    async def main() -> None:
        manager = Exiting(server.url)
        with pytest.raises(errors.ObserverError, match="_on_connect raised"):
            await asyncio.wait_for(manager.start(), SOON)
        assert state(manager) == "failed"

    asyncio.run(main())
