"""The REST side of a ``FakeExchange``: one request a connection, answered from the engine's memory."""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request

from rxstreams.testing._pages import page_of
from rxstreams.testing._rest_wire import RestWire
from rxstreams.testing.faults import DropRest, RestBody, RestError, RestFault, RestStatus, SlowRest, StaleRest
from rxstreams.testing.formats import BadQuery, SymbolsQuery, TradesQuery
from rxstreams.testing.records import ReceivedRequest

if TYPE_CHECKING:
    from rxstreams.testing._engine import Engine

_JSON = {"Content-Type": "application/json"}
_SECOND = 1_000_000_000


class RestWindow:
    """What the server counts: requests by the time at which they came.

    Args:
        limit: how many are taken in any so many seconds; None: all.

    Attributes:
        refused: how many were not taken.
    """

    def __init__(self, limit: tuple[int, float] | None) -> None:
        self.refused = 0
        self._limit = limit
        self._taken: deque[float] = deque()

    def take(self, now: float) -> float | None:
        """Take a request, or refuse it and return the seconds until there is room; None: it is taken."""
        if self._limit is None:
            return None
        calls, period = self._limit
        while self._taken and self._taken[0] <= now - period:
            self._taken.popleft()
        if len(self._taken) < calls:
            self._taken.append(now)
            return None
        self.refused += 1
        return self._taken[0] + period - now


class RestSession:
    """One REST request.

    Args:
        engine: the exchange.
        wire: the connection, just accepted.
        lag: nanoseconds of exchange time by which the answers are behind.
        window: of all requests of the exchange.
    """

    def __init__(self, engine: Engine, wire: RestWire, lag: int, window: RestWindow) -> None:
        self._engine = engine
        self._wire = wire
        self._lag = lag
        self._window = window

    def on_request(self, request: Request) -> None:
        """Answer, as the script says."""
        engine = self._engine
        engine.catch_up()
        number = len(engine.rest_requests)
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        faults = [f for f in engine.faults if isinstance(f, RestFault) and f.concerns(number)]
        stale = [fault.seconds for fault in faults if isinstance(fault, StaleRest)]
        known = engine.time_ago(max(stale)) if stale else engine.clock.now()
        status, body = self._answer(parts.path, query, min(known, engine.clock.now() - self._lag))
        headers = {**_JSON, "Date": formatdate(engine.clock.now() // _SECOND, usegmt=True)}
        wait = self._window.take(engine.monotonic())
        if wait is not None:
            faults = []
            status, body, headers["Retry-After"] = 429, b"too many requests\n", f"{math.ceil(wait)}"
        for fault in faults:
            if isinstance(fault, RestStatus):
                status, body = fault.code, b"refused\n"
                if fault.retry_after is not None:
                    headers["Retry-After"] = f"{fault.retry_after}"
            elif isinstance(fault, RestError):
                status, body = engine.format.rest_error(fault.message)
            elif isinstance(fault, RestBody):
                status, body = fault.code, fault.body.encode()
                headers["Content-Type"] = fault.content_type
            elif isinstance(fault, DropRest):
                status = 0
        delay = sum(fault.seconds for fault in faults if isinstance(fault, SlowRest))
        wire, now = self._wire, engine.clock.now()
        record = ReceivedRequest(parts.path, query, engine.monotonic(), now, status, wire.method, wire.body)
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

    def _answer(self, path: str, parameters: dict[str, str], now: int) -> tuple[int, bytes]:
        engine, fmt = self._engine, self._engine.format
        query = fmt.rest_query(path, parameters, self._wire.body)
        if isinstance(query, BadQuery):
            return query.status, fmt.rest_error(query.reason)[1]
        if isinstance(query, SymbolsQuery):
            return 200, fmt.rest_symbols(engine.symbols)
        symbol = engine.lookup(query.symbol)
        if symbol is None:
            return fmt.rest_error(None)
        if isinstance(query, TradesQuery):
            ticks, more = page_of(engine.history(symbol), query, now)
            return 200, fmt.rest_trades(symbol, ticks, query, more=more)
        rows, more = engine.candles(symbol, query, now=now)
        return 200, fmt.rest_candles(symbol, rows, query, now=now, more=more)

    def on_message(self, message: bytes) -> None:
        """Never called: there is no WebSocket here."""

    def on_ping(self, answered: bool) -> None:
        """Never called: there is no WebSocket here."""

    def on_close_frame(self, code: int, reason: str) -> None:
        """Never called: there is no WebSocket here."""

    def on_lost(self) -> None:
        """Nothing is kept of it."""
