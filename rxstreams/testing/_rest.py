"""The REST side of a ``FakeExchange``: one request a connection, answered from the engine's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request

from rxstreams.testing._feeds import page_of
from rxstreams.testing._wire import Wire
from rxstreams.testing.faults import DropRest, RestError, RestFault, RestStatus, SlowRest
from rxstreams.testing.formats import BadQuery, TradesQuery
from rxstreams.testing.records import ReceivedRequest

if TYPE_CHECKING:
    from rxstreams.testing._engine import Engine

_JSON = {"Content-Type": "application/json"}


class RestSession:
    """One REST request.

    Args:
        engine: the exchange.
        wire: the connection, just accepted.
        lag: nanoseconds of exchange time by which the answers are behind.
    """

    def __init__(self, engine: Engine, wire: Wire, lag: int) -> None:
        self._engine = engine
        self._wire = wire
        self._lag = lag

    def on_request(self, request: Request) -> None:
        """Answer, as the script says."""
        engine = self._engine
        engine.catch_up()
        number = len(engine.rest_requests)
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        faults = [f for f in engine.faults if isinstance(f, RestFault) and f.concerns(number)]
        status, body = self._answer(parts.path, query)
        headers = dict(_JSON)
        for fault in faults:
            if isinstance(fault, RestStatus):
                status, body = fault.code, b"refused\n"
                if fault.retry_after is not None:
                    headers["Retry-After"] = f"{fault.retry_after}"
            elif isinstance(fault, RestError):
                status, body = 200, engine.format.rest_error(fault.message)
            elif isinstance(fault, DropRest):
                status = 0
        delay = sum(fault.seconds for fault in faults if isinstance(fault, SlowRest))
        record = ReceivedRequest(parts.path, query, engine.monotonic(), engine.clock.now(), status)
        engine.rest_requests.append(record)
        if delay:
            engine.later(delay, self._send, status, body, headers)
        else:
            self._send(status, body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        if status:
            self._wire.respond(status, body, headers)
        else:
            self._wire.drop(reset=True)

    def _answer(self, path: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        engine, fmt = self._engine, self._engine.format
        query = fmt.rest_query(path, parameters)
        if isinstance(query, BadQuery):
            return query.status, fmt.rest_error(query.reason)
        symbol = engine.lookup(query.symbol)
        if symbol is None:
            return 200, fmt.rest_error(None)
        now = engine.clock.now() - self._lag
        if isinstance(query, TradesQuery):
            ticks = page_of(engine.history(symbol), query.since, now, query.limit)
            return 200, fmt.rest_trades(symbol, ticks, query.since)
        rows = engine.candles(symbol, query.minutes, now=now, limit=query.limit)
        since = query.since
        return 200, fmt.rest_candles(symbol, [r for r in rows if since is None or r.open_time > since], query.minutes)

    def on_message(self, message: bytes) -> None:
        """Never called: there is no WebSocket here."""

    def on_ping(self, answered: bool) -> None:
        """Never called: there is no WebSocket here."""

    def on_close_frame(self, code: int, reason: str) -> None:
        """Never called: there is no WebSocket here."""

    def on_lost(self) -> None:
        """Nothing is kept of it."""
