"""Gemini's wire format: the trade streams of its WebSocket API, REST trades, candles and symbols.

Source: https://github.com/gemini/developer-platform/tree/main/specs, and as in ``rxstreams/sources/gemini.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from rxstreams.items import PriceTick
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.formats._format import (
    BadQuery,
    CandlesQuery,
    Command,
    Malformed,
    Ping,
    RestQuery,
    Subscribe,
    SymbolsQuery,
    TradesQuery,
)
from rxstreams.testing.formats._text import number_of, plain

_MILLISECOND = 1_000_000
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1hr": 60, "6hr": 360, "1day": 1440}
_TRADES_LIMIT = 500
_CANDLES_LIMIT = 1440
_STREAM = "@trade"


class _Request(msgspec.Struct):
    id: int | str
    method: str
    params: tuple[str, ...] | dict[str, Any] = ()


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _spelling(symbol: str) -> str:
    return symbol.replace("/", "").lower()


class GeminiFormat:
    """``Format`` of Gemini's spot market: its streams stamp nanoseconds, its REST API milliseconds."""

    name = "gemini"
    path = "/"
    resolution = 1
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = False
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = 1
    refuses_whole = True
    accepts_unknown = True

    def spellings(self, symbol: str) -> set[str]:
        """Return the symbol in lower and in upper case."""
        return {_spelling(symbol), _spelling(symbol).upper()}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Malformed request")
        number = request.id if isinstance(request.id, int) else None
        method = request.method.lower()
        if method == "ping":
            return Ping(request=number)
        if method not in ("subscribe", "unsubscribe"):
            return Malformed(reason="Unknown method", request=number, method=method)
        streams = request.params
        if isinstance(streams, dict) or not streams or not all(each.endswith(_STREAM) for each in streams):
            return Malformed(reason="Invalid params", request=number, method=method)
        symbols = tuple(each.removesuffix(_STREAM) for each in streams)
        return Subscribe(kind="trades", symbols=symbols, request=number, active=method == "subscribe")

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: the client speaks first."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message for the whole request."""
        del symbols, time_in, time_out
        return [_encode({"id": request.request, "status": 200, "result": None})]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message for the whole request."""
        del time_in, time_out
        return [_error(request.request, reason or f"Unknown symbol {symbols[0]}")]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that the venue sends for a message that it does not take."""
        del time_in, time_out
        return _error(command.request, command.reason)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a ping; the id is the text that clients give theirs."""
        del time_in, time_out
        return _encode({"id": "ping" if command.request is None else command.request, "status": 200, "result": {}})

    def heartbeat(self) -> bytes | None:
        """Return nothing: it has none."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of a trade stream."""
        del snapshot
        (tick,) = ticks
        return _encode(
            {
                "e": "trade",
                "E": tick.timestamp,
                "s": _spelling(tick.symbol),
                "t": number_of(tick.trade_id),
                "p": plain(tick.price),
                "q": plain(tick.volume),
                "m": tick.side == "sell",
            }
        )

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Never called: it has no live candles."""
        raise NotImplementedError("Gemini has no live candles")

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for trades, candles or symbols asks for."""
        del body
        parts = path.strip("/").split("/")
        if parts == ["v1", "symbols"]:
            return SymbolsQuery()
        try:
            if len(parts) == 3 and parts[:2] == ["v1", "trades"]:
                return _trades_query(parts[2], query)
            if len(parts) == 4 and parts[:2] == ["v2", "candles"]:
                return CandlesQuery(symbol=parts[2], minutes=_MINUTES[parts[3]], limit=_CANDLES_LIMIT)
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"Bad request: {error}")
        return BadQuery(status=404, reason="EndpointNotFound")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, the newest first."""
        del symbol, query, more
        return _encode(
            [
                {
                    "timestamp": tick.timestamp // (1000 * _MILLISECOND),
                    "timestampms": tick.timestamp // _MILLISECOND,
                    "tid": number_of(tick.trade_id),
                    "price": plain(tick.price),
                    "amount": plain(tick.volume),
                    "exchange": "gemini",
                    "type": str(tick.side or "auction"),
                }
                for tick in reversed(ticks)
            ]
        )

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, the newest first."""
        del symbol, query, now, more
        return _encode(
            [
                [row.open_time // _MILLISECOND, row.open, row.high, row.low, row.close, round(row.volume, 8)]
                for row in reversed(rows)
            ]
        )

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the list of symbols, in lower case."""
        return _encode([_spelling(symbol) for symbol in symbols])

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error; that of an unknown symbol is made up, for it was not found."""
        name, message = ("InvalidSymbol", "not a valid symbol") if reason is None else ("BadRequest", reason)
        return 400, _encode({"result": "error", "reason": name, "message": message})


def _trades_query(symbol: str, query: Mapping[str, str]) -> TradesQuery:
    limit = min(int(query.get("limit_trades", "50")), _TRADES_LIMIT)
    if "since_tid" in query:
        return TradesQuery(symbol=symbol, after_id=int(query["since_tid"]), limit=limit)
    if "timestamp" in query:
        return TradesQuery(symbol=symbol, since=(int(query["timestamp"]) + 1) * _MILLISECOND, limit=limit)
    return TradesQuery(symbol=symbol, limit=limit, newest=True)


def _error(request: int | None, message: str) -> bytes:
    return _encode({"id": request or "unknown", "status": 400, "error": {"code": -1002, "msg": message}})
