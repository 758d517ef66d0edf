"""Gate's wire format, as its server writes it: the spot WebSocket of API v4 and the public REST endpoints.

Source: https://www.gate.com/docs/developers/apiv4/ws/en/ and https://www.gate.com/docs/developers/apiv4/en/, read
2026-11-28, checked against recorded messages.
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

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000
# Gate has 10 seconds, which are no whole minutes, and weeks, of which the beginning was not found.
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "8h": 480, "1d": 1440}
_INTERVAL_OF = {minutes: interval for interval, minutes in _INTERVALS.items()}
_TRADES, _CANDLES = "spot.trades", "spot.candlesticks"
_PER_PAGE = 1000
_MOST_SKIPPED = 100_000
_CONNECTION = "b2c2b0629e0c34a3"


class _Request(msgspec.Struct):
    time: int
    channel: str
    event: str = ""
    payload: list[str] = []
    id: int | None = None


class _Page(TradesQuery, frozen=True, kw_only=True):
    """A page of trades, newest first.

    Args:
        size: of a page; ``limit`` counts those before it too.
    """

    size: int


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class GateFormat:
    """``Format`` of Gate's spot market."""

    name = "gate"
    path = "/ws/v4/"
    resolution = 1_000
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = True
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = 1
    refuses_whole = True
    accepts_unknown = False

    def spellings(self, symbol: str) -> set[str]:
        """Return the one name that Gate has."""
        return {symbol.replace("/", "_")}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="invalid request body format")
        if request.channel == "spot.ping":
            return Ping(request=request.id)
        pairs, minutes = request.payload, 0
        if request.channel == _CANDLES:
            minutes = _INTERVALS.get(pairs[0], 0) if len(pairs) == 2 else 0
            pairs = pairs[1:]
        if (
            request.event not in ("subscribe", "unsubscribe")
            or not pairs
            or not (minutes or request.channel == _TRADES)
        ):
            return Malformed(reason="invalid argument", request=request.id, method=request.channel)
        return Subscribe(
            kind="candles" if minutes else "trades",
            symbols=tuple(pairs),
            minutes=minutes,
            request=request.id,
            active=request.event == "subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: Gate waits for the client."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message for all symbols."""
        del time_in
        return [_answer(request, symbols, time_out, {"result": {"status": "success"}})]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message for all symbols, which names the first one."""
        del time_in
        text = reason or f"unknown currency pair {symbols[0]}"
        return [_answer(request, symbols, time_out, {"error": {"code": 2, "message": text}, "result": None})]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Gate sends for a message that it does not take."""
        del time_in
        fields: dict[str, Any] = {} if command.request is None else {"id": command.request}
        error = {"code": 2 if command.method else 1, "message": command.reason}
        return _encode({**_times(time_out), **fields, "channel": command.method, "event": "", "error": error})

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a ping."""
        del command, time_in
        return _encode({**_times(time_out), "channel": "spot.pong", "event": "", "error": None, "result": None})

    def heartbeat(self) -> bytes | None:
        """Return nothing: Gate sends WebSocket pings only."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "spot.trades", which holds one trade."""
        del snapshot
        (tick,) = ticks
        number = number_of(tick.trade_id)
        result = {
            "id": number,
            "id_market": number,
            "create_time": tick.timestamp // _SECOND,
            "create_time_ms": _milliseconds(tick.timestamp),
            "side": str(tick.side or "buy"),
            "currency_pair": tick.symbol.replace("/", "_"),
            "amount": _plain(tick.volume),
            "price": _plain(tick.price),
            "range": f"{number}-{number}",
        }
        return _encode({**_times(tick.timestamp), "channel": _TRADES, "event": "update", "result": result})

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel "spot.candlesticks", which holds one candle."""
        del snapshot
        (row,) = rows
        result = {
            "t": str(row.open_time // _SECOND),
            "v": f"{row.quote_volume:.8f}",
            "c": _plain(row.close),
            "h": _plain(row.high),
            "l": _plain(row.low),
            "o": _plain(row.open),
            "n": f"{_INTERVAL_OF[minutes]}_{row.symbol.replace('/', '_')}",
            "a": f"{row.volume:.8f}",
            "w": row.close_time <= time,
        }
        return _encode({**_times(time), "channel": _CANDLES, "event": "update", "result": result})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for trades, candles or pairs asks for; both ends of its time belong to it."""
        del body
        if path == "/api/v4/spot/currency_pairs":
            return SymbolsQuery()
        try:
            if path == "/api/v4/spot/trades":
                return _trades_query(query)
            if path == "/api/v4/spot/candlesticks":
                return _candles_query(query)
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"{error}")
        return BadQuery(status=404, reason=f"no {path}")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return the trades of a page, newest first."""
        del more
        newest_first = list(reversed(ticks))
        if isinstance(query, _Page):
            newest_first = newest_first[query.limit - query.size :]
        rows = [
            {
                "id": str(tick.trade_id),
                "create_time": str(tick.timestamp // _SECOND),
                "create_time_ms": _milliseconds(tick.timestamp),
                "currency_pair": symbol.replace("/", "_"),
                "side": str(tick.side or "buy"),
                "amount": _plain(tick.volume),
                "price": _plain(tick.price),
                "sequence_id": str(tick.trade_id),
            }
            for tick in newest_first
        ]
        return _encode(rows)

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, oldest first."""
        del symbol, query, more
        return _encode(
            [
                [
                    str(row.open_time // _SECOND),
                    f"{row.quote_volume:.8f}",
                    *(_plain(price) for price in (row.close, row.high, row.low, row.open)),
                    f"{row.volume:.8f}",
                    "true" if row.close_time <= now else "false",
                ]
                for row in rows
            ]
        )

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the pairs."""
        pairs = [(symbol.replace("/", "_"), *symbol.split("/")) for symbol in symbols]
        return _encode(
            [{"id": name, "base": base, "quote": quote, "trade_status": "tradable"} for name, base, quote in pairs]
        )

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Gate's form."""
        if reason is None:
            return 400, _encode({"label": "INVALID_CURRENCY_PAIR", "message": "Invalid currency pair"})
        return 400, _encode({"label": "INVALID_PARAM_VALUE", "message": reason})


def _answer(request: Subscribe, symbols: Sequence[str], time: int, fields: dict[str, Any]) -> bytes:
    is_candles = request.kind == "candles"
    number: dict[str, Any] = {} if request.request is None else {"id": request.request}
    return _encode(
        {
            **_times(time),
            **number,
            "conn_id": _CONNECTION,
            "channel": _CANDLES if is_candles else _TRADES,
            "event": "subscribe" if request.active else "unsubscribe",
            "payload": [_INTERVAL_OF[request.minutes], *symbols] if is_candles else list(symbols),
            **fields,
        }
    )


def _times(time: int) -> dict[str, int]:
    return {"time": time // _SECOND, "time_ms": time // _MILLISECOND}


def _trades_query(query: Mapping[str, str]) -> TradesQuery:
    size, page = int(query.get("limit", "100")), int(query.get("page", "1"))
    if not 1 <= size <= _PER_PAGE or page < 1 or size * (page - 1) > _MOST_SKIPPED:
        raise ValueError(f"invalid limit {size} or page {page}")
    return _Page(
        symbol=query["currency_pair"],
        since=int(query["from"]) * _SECOND if "from" in query else None,
        until=(int(query["to"]) + 1) * _SECOND if "to" in query else None,
        limit=size * page,
        size=size,
        newest=True,
    )


def _candles_query(query: Mapping[str, str]) -> CandlesQuery:
    minutes = _INTERVALS[query.get("interval", "30m")]
    begin, end = (int(query[name]) if name in query else None for name in ("from", "to"))
    if "limit" in query and (begin, end) != (None, None):
        raise ValueError("limit conflicts with from and to")
    if begin is not None and end is not None and end - begin >= _PER_PAGE * minutes * 60:
        raise ValueError("Candlestick range too broad. Maximum 1000 data points are allowed")
    return CandlesQuery(
        symbol=query["currency_pair"],
        minutes=minutes,
        since=None if begin is None else begin * _SECOND,
        until=None if end is None else end * _SECOND + 1,
        limit=int(query.get("limit", "100")) if begin is None else _PER_PAGE,
    )


def _milliseconds(instant: int) -> str:
    whole, rest = divmod(instant, _MILLISECOND)
    return f"{whole}.{rest:06d}"


def _plain(number: float) -> str:
    """Without the zero that a float of a whole number has."""
    return plain(number).removesuffix(".0")
