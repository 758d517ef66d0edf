"""Coinbase Advanced Trade's wire format: ``market_trades``, ``candles`` and ``heartbeats``, REST trades and candles.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels and
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from rxstreams.instants import MINUTE, SECOND
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
from rxstreams.testing.formats._text import iso, number_of, plain

_CHANNELS: dict[str, Literal["trades", "candles"]] = {"market_trades": "trades", "candles": "candles"}
_NAMES = {kind: name for name, kind in _CHANNELS.items()}
_MAKERS = {"buy": "SELL", "sell": "BUY"}
_LIVE_MINUTES = 5
_MINUTES = {
    "ONE_MINUTE": 1,
    "FIVE_MINUTE": 5,
    "FIFTEEN_MINUTE": 15,
    "THIRTY_MINUTE": 30,
    "ONE_HOUR": 60,
    "TWO_HOUR": 120,
    "SIX_HOUR": 360,
    "ONE_DAY": 1440,
}
_CANDLES_LIMIT = 350
_TRADES_LIMIT = 1000
_PRODUCTS = "/api/v3/brokerage/market/products"


class _Request(msgspec.Struct):
    type: str = ""
    product_ids: tuple[str, ...] = ()
    channel: str = ""


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _product(symbol: str) -> str:
    return symbol.replace("/", "-")


class CoinbaseAdvancedFormat:
    """``Format`` of Coinbase Advanced Trade.

    Its server lists all subscriptions of a connection in each answer; this one lists those of the request. It numbers
    the messages of each connection; here a message goes to all connections alike, so its number stays 0. Inside a
    message the newest item comes first: what a client must not rely on.
    """

    name = "coinbase_advanced"
    path = "/"
    resolution = 1000
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "skip"
    closes_candles = False
    snapshot_trades = 50
    snapshot_candles = 100
    items_per_message: int | None = None
    refuses_whole = False
    accepts_unknown = True

    def spellings(self, symbol: str) -> set[str]:
        """Return the product."""
        return {_product(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says; a subscription to ``heartbeats`` is what its pings are."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="failure to parse the message")
        if request.type not in ("subscribe", "unsubscribe"):
            return Malformed(reason="unknown type", method=request.type)
        active = request.type == "subscribe"
        if request.channel == "heartbeats" and active:
            return Ping()
        kind = _CHANNELS.get(request.channel)
        if kind is None or not request.product_ids:
            return Malformed(reason="unknown channel, or no product", method=request.type)
        minutes = _LIVE_MINUTES if kind == "candles" else 0
        return Subscribe(kind=kind, symbols=request.product_ids, minutes=minutes, snapshot=active, active=active)

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: the client speaks first."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message for all."""
        del time_in
        listed = {_NAMES[request.kind]: list(symbols)} if request.active else {}
        return [_message("subscriptions", {"subscriptions": listed}, time_out)]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one error for all; the end of what is not there is none."""
        del time_in
        if not request.active:
            return [_message("subscriptions", {"subscriptions": {}}, time_out)]
        return [_error(f"{', '.join(symbols)}: {reason or 'unknown product'}")]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return an error."""
        del time_in, time_out
        return _error(command.reason)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the first message of the channel ``heartbeats``."""
        del command, time_in
        return _heartbeat(time_out)

    def heartbeat(self) -> bytes | None:
        """Return a message of the channel ``heartbeats``."""
        return _heartbeat(0)

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel ``market_trades``."""
        rows = [_trade(tick) for tick in reversed(ticks)]
        event = {"type": "snapshot" if snapshot else "update", "trades": rows}
        return _message("market_trades", event, ticks[-1].timestamp)

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel ``candles``."""
        del minutes
        candles = [{**_candle(row), "product_id": _product(row.symbol)} for row in reversed(rows)]
        return _message("candles", {"type": "snapshot" if snapshot else "update", "candles": candles}, time)

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for trades, candles or products asks for."""
        del body
        if path == _PRODUCTS:
            return SymbolsQuery()
        product, _, endpoint = path.removeprefix(f"{_PRODUCTS}/").partition("/")
        if not path.startswith(f"{_PRODUCTS}/") or endpoint not in ("ticker", "candles"):
            return BadQuery(status=404, reason="unknown path")
        try:
            return _trades_query(product, query) if endpoint == "ticker" else _candles_query(product, query)
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"invalid argument: {error}")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, the newest first."""
        del symbol, query, more
        rows = [{**_trade(tick), "bid": "", "ask": ""} for tick in reversed(ticks)]
        return _encode({"trades": rows, "best_bid": "", "best_ask": ""})

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, the newest first."""
        del symbol, query, now, more
        return _encode({"candles": [_candle(row) for row in reversed(rows)]})

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the products."""
        products = [{"product_id": _product(symbol), "product_type": "SPOT"} for symbol in symbols]
        return _encode({"products": products, "num_products": len(products)})

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error; an unknown product is not found."""
        status, error = (404, "NOT_FOUND") if reason is None else (400, "INVALID_ARGUMENT")
        message = reason or "valid product_id is required"
        return status, _encode({"error": error, "error_details": message, "message": message})


def _heartbeat(time: int) -> bytes:
    event = {"current_time": iso(time).replace("T", " ").replace("Z", " +0000 UTC"), "heartbeat_counter": 1}
    return _message("heartbeats", event, time)


def _message(channel: str, event: dict[str, Any], time: int) -> bytes:
    message = {"channel": channel, "client_id": "", "timestamp": iso(time), "sequence_num": 0}
    return _encode({**message, "events": [event]})


def _trade(tick: PriceTick) -> dict[str, Any]:
    return {
        "trade_id": str(number_of(tick.trade_id)),
        "product_id": _product(tick.symbol),
        "price": plain(tick.price),
        "size": plain(tick.volume),
        "side": _MAKERS[tick.side or "buy"],
        "time": iso(tick.timestamp),
    }


def _candle(row: TrueCandle) -> dict[str, Any]:
    return {
        "start": str(row.open_time // SECOND),
        "high": plain(row.high),
        "low": plain(row.low),
        "open": plain(row.open),
        "close": plain(row.close),
        "volume": f"{row.volume:.8f}",
    }


def _trades_query(product: str, query: Mapping[str, str]) -> TradesQuery:
    limit = int(query["limit"])
    if not 1 <= limit <= _TRADES_LIMIT:
        raise ValueError(f"limit {limit}")
    if "start" not in query or "end" not in query:  # then both are ignored
        return TradesQuery(symbol=product, limit=limit, newest=True)
    since, until = int(query["start"]) * SECOND, int(query["end"]) * SECOND
    return TradesQuery(symbol=product, since=since, until=until, limit=limit, newest=True)


def _candles_query(product: str, query: Mapping[str, str]) -> CandlesQuery:
    minutes = _MINUTES[query["granularity"]]
    first, last = int(query["start"]) * SECOND, int(query["end"]) * SECOND
    if (last - first) // (minutes * MINUTE) >= _CANDLES_LIMIT:
        raise ValueError(f"number of candles requested should be less than {_CANDLES_LIMIT}")
    return CandlesQuery(symbol=product, minutes=minutes, since=first, until=last + 1, limit=_CANDLES_LIMIT)


def _error(message: str) -> bytes:
    return _encode({"type": "error", "message": message})
