"""What the tests of ``FakeExchange`` share: a client without any cleverness, short markets, single trades."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from rxstreams.items import PriceTick
from rxstreams.testing import FakeExchange, Market

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND
SYMBOLS = ("BTC/USD", "ETH/USD", "ADA/USD")
SOON = 5.0  # seconds: what has to come has come by then, on a busy machine too


class Client:
    """A client without any cleverness: it reports what came, message by message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, method: str, **fields: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps({"method": method, **fields}))

    def subscribe(self, *symbols: str, channel: str = "trade", snapshot: bool = False, **params: Any) -> None:
        """Ask for symbols."""
        params |= {"channel": channel, "symbol": list(symbols), "snapshot": snapshot}
        self.send("subscribe", params=params, req_id=1)

    def receive(self, timeout: float = SOON) -> dict[str, Any]:
        """Return the next message."""
        return cast("dict[str, Any]", json.loads(self.socket.recv(timeout)))

    def until(self, *, method: str = "", channel: str = "") -> dict[str, Any]:
        """Return the next message of a kind; heartbeats alone don't keep a test waiting for ever."""
        deadline = time.monotonic() + SOON
        while True:
            message = self.receive(deadline - time.monotonic())
            if message.get("method", "") == method and message.get("channel", "") == channel:
                return message

    def trades(self, count: int) -> list[dict[str, Any]]:
        """Return the next trades, out of however many messages."""
        rows: list[dict[str, Any]] = []
        while len(rows) < count:
            rows += self.until(channel="trade")["data"]
        assert len(rows) == count
        return rows

    def all_trades(self) -> list[dict[str, Any]]:
        """Return the trades that come before the connection ends."""
        rows: list[dict[str, Any]] = []
        while True:
            try:
                rows += self.until(channel="trade")["data"]
            except ConnectionClosed:
                return rows

    def end(self) -> tuple[int | None, str]:
        """Return the close code and reason with which the server ended the connection; None: there was none."""
        received = self.closed().rcvd
        return (None, "") if received is None else (received.code, received.reason)

    def closed(self) -> ConnectionClosed:
        """Read to the end of the connection and return the error that says how it ended."""
        deadline = time.monotonic() + SOON
        while True:
            try:
                self.socket.recv(deadline - time.monotonic())
            except ConnectionClosed as closed:
                return closed


@contextmanager
def client(exchange: FakeExchange, **options: Any) -> Generator[Client]:
    """Connect; options are those of websockets, ``uri`` among them."""
    options = {"proxy": None, "ping_interval": None, "close_timeout": 1, "max_size": None, "max_queue": None, **options}
    uri: str = options.pop("uri", exchange.url)
    # What connect() returns depends on an option that none of the tests gives.
    with cast("ClientConnection", connect(uri, **options)) as connection:
        yield Client(connection)


def ids(rows: Iterable[dict[str, Any]]) -> list[int]:
    """Return the trades' ids."""
    return [row["trade_id"] for row in rows]


def market(seconds: float = 60, **options: Any) -> Market:
    """Make a short market."""
    return Market(SYMBOLS, duration=seconds, **{"seed": 1, **options})


def tick(seconds: float = 0, price: float = 10.0, **fields: Any) -> PriceTick:
    """Make a trade so many seconds after the usual start."""
    fields = {"symbol": "BTC/USD", "volume": 1.0, "side": "buy", **fields}
    return PriceTick(price=price, timestamp=START + round(seconds * SECOND), **fields)


def rest(exchange: FakeExchange, path: str) -> dict[str, Any]:
    """Ask the REST API."""
    with urllib.request.urlopen(exchange.rest_url + path, timeout=SOON) as answer:
        return cast("dict[str, Any]", json.loads(answer.read()))
