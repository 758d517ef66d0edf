"""What the tests of ``WebSocketManager`` share: a plain server that obeys, and a subclass that notes all."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from rxstreams import PriceTick, StreamConfig, WebSocketManager
from rxstreams.testing import fast_config

T = TypeVar("T")
SOON = 10.0  # seconds: what has to come has come by then, on a busy machine too


class PlainServer:
    """A WebSocket server in a thread of its own.

    Attributes:
        url: where it is.
        status: of the answer to the next upgrade; None: it is accepted.
        codes: close codes of the connections that have ended, in that order; None: there was none.
    """

    def __init__(self) -> None:
        self.status: HTTPStatus | None = None
        self.codes: list[int | None] = []
        self._sockets: list[ServerConnection] = []
        self._received: queue.Queue[tuple[int, Any]] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: Server = self._do(self._start())
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return len(self._sockets)

    def receive(self) -> tuple[int, Any]:
        """Return the next message that came, with the number of its connection, from 1; JSON is decoded."""
        return self._received.get(timeout=SOON)

    def expect(self, *messages: Any, connection: int = 1) -> None:
        """Check that exactly these messages come next, on that connection."""
        assert [self.receive() for _ in messages] == [(connection, message) for message in messages]

    def has_received_nothing(self) -> bool:
        """Return whether no message is left to receive."""
        return self._received.empty()

    def send(self, *payloads: Any) -> None:
        """Send to the newest connection: str and bytes as they are, all else as JSON."""

        async def send() -> None:
            newest = await self._newest()
            for payload in payloads:
                is_raw = isinstance(payload, str | bytes)
                await newest.send(payload if is_raw else json.dumps(payload))

        self._do(send())

    def drop(self) -> None:
        """Cut the newest connection."""

        async def drop() -> None:
            (await self._newest()).transport.abort()

        self._do(drop())

    def close_newest(self, code: int) -> None:
        """Say goodbye to the newest connection."""

        async def close() -> None:
            await (await self._newest()).close(code)

        self._do(close())

    def close(self) -> None:
        """End the server and its thread."""

        async def close() -> None:
            self._server.close()
            await self._server.wait_closed()

        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SOON)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(SOON)

    async def _newest(self) -> ServerConnection:
        await until(lambda: self._sockets)  # a client may be told a little earlier that it is connected
        return self._sockets[-1]

    async def _start(self) -> Server:
        return await serve(self._handle, "127.0.0.1", 0, process_request=self._answer, ping_interval=None)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        return None if self.status is None else connection.respond(self.status, "")

    async def _handle(self, socket: ServerConnection) -> None:
        self._sockets.append(socket)
        number = len(self._sockets)
        try:
            async for message in socket:
                is_json = isinstance(message, str) and message.startswith("{")
                self._received.put((number, json.loads(message) if is_json else message))
        except ConnectionClosed:
            pass
        finally:
            self.codes.append(socket.close_code)


@contextmanager
def plain_server() -> Generator[PlainServer]:
    """Run a server."""
    server = PlainServer()
    try:
        yield server
    finally:
        server.close()


class Exchange(WebSocketManager):
    """A manager as users write it, which keeps the ticks it has sent."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(StreamConfig(**fast_config(url=url, name="test-manager", **options)))
        self.seen: list[PriceTick] = []
        self.on_tick(self.seen.append)

    async def _on_connect(self) -> None:
        await self.ws.send('{"op": "login"}')

    async def _send_subscribe(self, symbols: list[str]) -> None:
        await self.ws.send(json.dumps({"op": "subscribe", "symbols": symbols}))

    async def _send_unsubscribe(self, symbols: list[str]) -> None:
        await self.ws.send(json.dumps({"op": "unsubscribe", "symbols": symbols}))

    async def _parse_message(self, data: Any) -> PriceTick | Iterable[PriceTick] | None:
        return tick_of(data) if "price" in data else None

    @property
    def prices(self) -> list[float]:
        """The prices of all ticks so far."""
        return [tick.price for tick in self.seen]


LOGIN = {"op": "login"}


def subscribed(*symbols: str) -> dict[str, Any]:
    """Return the message that subscribes."""
    return {"op": "subscribe", "symbols": list(symbols)}


def unsubscribed(*symbols: str) -> dict[str, Any]:
    """Return the message that unsubscribes."""
    return {"op": "unsubscribe", "symbols": list(symbols)}


def trade(price: float, symbol: str = "BTC/USD") -> dict[str, Any]:
    """Return a trade as the server sends it."""
    return {"symbol": symbol, "price": price}


def tick_of(data: dict[str, Any]) -> PriceTick:
    """Return the tick of a trade, stamped now."""
    return PriceTick(symbol=data["symbol"], price=data["price"], timestamp=time.time_ns())


def state(manager: WebSocketManager) -> str:
    """Return the state's name; a checker takes a property for a constant."""
    return manager.state.value


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail when it does not within reason."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)
