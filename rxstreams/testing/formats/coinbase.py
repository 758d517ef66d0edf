"""Coinbase Exchange's wire format: the channels ``matches`` and ``heartbeat``, REST trades and candles.

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/{overview,channels} and
https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/{get-product-trades,get-product-candles},
checked against recorded messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from rxstreams.instants import MINUTE, SECOND, parse_iso
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

_MINUTES = frozenset({1, 5, 15, 60, 360, 1440})
_MILLISECOND = 1_000_000
_CANDLES_LIMIT = 300
_TRADES_LIMIT = 1000
_MAKERS = {"buy": "sell", "sell": "buy"}


class _Channel(msgspec.Struct):
    name: str
    product_ids: tuple[str, ...] = ()


class _Request(msgspec.Struct):
    type: str = ""
    product_ids: tuple[str, ...] = ()
    channels: tuple[str | _Channel, ...] = ()


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _product(symbol: str) -> str:
    return symbol.replace("/", "-")


class CoinbaseFormat:
    """``Format`` of Coinbase Exchange.

    Its server lists all subscriptions of a connection in each answer; this one lists those of the request.
    """

    name = "coinbase"
    path = "/"
    resolution = 1000
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "skip"
    closes_candles = False
    snapshot_trades = 1
    snapshot_candles = 0
    items_per_message: int | None = 1
    refuses_whole = True
    accepts_unknown = False

    def spellings(self, symbol: str) -> set[str]:
        """Return the product."""
        return {_product(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says: the products of the channel ``matches``."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Malformed JSON")
        if request.type not in ("subscribe", "unsubscribe"):
            return Malformed(reason="Type has to be either subscribe or unsubscribe", method=request.type)
        if not request.channels:
            return Malformed(reason="No channels provided", method=request.type)
        products: list[str] = []
        for channel in request.channels:
            if isinstance(channel, _Channel):
                products += channel.product_ids if channel.name == "matches" else ()
            elif channel == "matches":
                products += request.product_ids
        if not products:
            reason = "You need to specify at least one product ID for channel matches"
            return Malformed(reason=reason, method=request.type)
        active = request.type == "subscribe"
        return Subscribe(kind="trades", symbols=tuple(products), snapshot=active, active=active)

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: the client speaks first."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message for all."""
        del time_in, time_out
        if not request.active:
            return [_subscriptions(())]
        return [_subscriptions(symbols)]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message that names the first product; the end of what is not there is no error."""
        del time_in, time_out
        if not request.active:
            return [_subscriptions(())]
        return [_error("Failed to subscribe", f"{symbols[0]} {reason or 'is not a valid product'}")]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that the venue sends for a message that it does not take."""
        del time_in, time_out
        return _error("Failed to subscribe" if command.method else command.reason, command.reason)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Never called: there is no ping as a message."""
        del command, time_in, time_out
        return _error("Failed to subscribe", "unknown type")

    def heartbeat(self) -> bytes | None:
        """Return a message of the channel ``heartbeat``."""
        return (
            b'{"type":"heartbeat","last_trade_id":0,"product_id":"BTC-USD","sequence":1,'
            b'"time":"2014-11-07T08:19:28.464459Z"}'
        )

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel ``matches``; the sequence, which nobody reads, is the trade's id."""
        (tick,) = ticks
        number = number_of(tick.trade_id)
        return _encode(
            {
                "type": "last_match" if snapshot else "match",
                "trade_id": number,
                "maker_order_id": f"00000000-0000-4000-8000-{number % 10**12:012d}",
                "taker_order_id": f"00000000-0000-4000-9000-{number % 10**12:012d}",
                "side": _MAKERS[tick.side or "buy"],
                "size": plain(tick.volume),
                "price": plain(tick.price),
                "product_id": _product(tick.symbol),
                "sequence": number,
                "time": iso(tick.timestamp),
            }
        )

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Never called: it has no live candles."""
        raise NotImplementedError("Coinbase Exchange has no live candles")

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for trades, candles or products asks for."""
        del body
        parts = path.strip("/").split("/")
        if parts == ["products"]:
            return SymbolsQuery()
        if len(parts) != 3 or parts[0] != "products" or parts[2] not in ("trades", "candles"):
            return BadQuery(status=404, reason="NotFound")
        try:
            return _trades_query(parts[1], query) if parts[2] == "trades" else _candles_query(parts[1], query)
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"Bad request: {error}")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, the newest first, with milliseconds only, as in the documentation."""
        del symbol, query, more
        return _encode(
            [
                {
                    "trade_id": number_of(tick.trade_id),
                    "side": _MAKERS[tick.side or "buy"],
                    "size": plain(tick.volume),
                    "price": plain(tick.price),
                    "time": iso(tick.timestamp // _MILLISECOND * _MILLISECOND),
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
                [row.open_time // SECOND, row.low, row.high, row.open, row.close, round(row.volume, 8)]
                for row in reversed(rows)
            ]
        )

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the products."""
        products: list[dict[str, Any]] = []
        for symbol in symbols:
            base, _, quote = symbol.partition("/")
            products.append(
                {"id": _product(symbol), "base_currency": base, "quote_currency": quote, "status": "online"}
            )
        return _encode(products)

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error; an unknown product is not found."""
        return (404, _encode({"message": "NotFound"})) if reason is None else (400, _encode({"message": reason}))


def _trades_query(product: str, query: Mapping[str, str]) -> TradesQuery:
    limit = int(query.get("limit", str(_TRADES_LIMIT)))
    if not 1 <= limit <= _TRADES_LIMIT:
        raise ValueError(f"limit {limit}")
    before, after = query.get("before"), query.get("after")
    return TradesQuery(
        symbol=product,
        after_id=None if before is None else int(before),
        before_id=None if after is None else int(after),
        limit=limit,
        newest=True,
    )


def _candles_query(product: str, query: Mapping[str, str]) -> CandlesQuery:
    minutes, rest = divmod(int(query.get("granularity", "60")), 60)
    if rest or minutes not in _MINUTES:
        raise ValueError("unsupported granularity")
    if "start" not in query or "end" not in query:  # then both are ignored
        return CandlesQuery(symbol=product, minutes=minutes, limit=_CANDLES_LIMIT)
    first, last = parse_iso(query["start"]), parse_iso(query["end"])
    if (last - first) // (minutes * MINUTE) > _CANDLES_LIMIT:
        raise ValueError("granularity too small for the requested time range")
    return CandlesQuery(symbol=product, minutes=minutes, since=first, until=last + 1, limit=_CANDLES_LIMIT + 1)


def _subscriptions(products: Sequence[str]) -> bytes:
    channels = [{"name": name, "product_ids": list(products)} for name in ("matches", "heartbeat")] if products else []
    return _encode({"type": "subscriptions", "channels": channels})


def _error(message: str, reason: str) -> bytes:
    return _encode({"type": "error", "message": message, "reason": reason})
