"""Bitstamp's wire format, as its server writes it: WebSocket API v2, and the endpoints transactions, ohlc and markets.

Source: recorded messages, and what is named in ``rxstreams/sources/_wire/bitstamp.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
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

_SECOND = 1_000_000_000
_MICROSECOND = 1_000
_CHANNEL = re.compile(r"live_trades_([a-z0-9-]+)")
_REST_PATH = re.compile(r"/api/v2/(transactions|ohlc)/([A-Za-z0-9-]+)/")
_TIMES = {"minute": 60 * _SECOND, "hour": 3600 * _SECOND, "day": 86_400 * _SECOND}
_STEPS = (60, 180, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 259200)
_CANDLES_LIMIT = 1000
_TRADES_LIMIT = 1_000_000  # a day has no limit of trades that is documented
_NOT_FOUND = (
    b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
    b"<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class _Data(msgspec.Struct):
    channel: str = ""


class _Request(msgspec.Struct):
    event: str = ""
    data: _Data | None = None


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _spelling(symbol: str) -> str:
    pair, _, settle = symbol.partition(":")
    return pair.replace("/", "").lower() + ("-perp" if settle else "")


def _decimals(number: float, least: int) -> str:
    """The shortest decimal that reads back as the same number, with at least so many digits after the point."""
    whole, _, fraction = format(Decimal(repr(number)), "f").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(least, '0')}"


def _kind(tick: PriceTick) -> int:
    return 1 if tick.side == "sell" else 0


class BitstampFormat:
    """``Format`` of Bitstamp. Its REST trades have whole seconds: one that is written there loses the rest."""

    name = "bitstamp"
    path = "/"
    resolution = _MICROSECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = False
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = 1
    refuses_whole = False
    accepts_unknown = True

    def spellings(self, symbol: str) -> set[str]:
        """Return the name of the market; REST does not tell upper from lower case."""
        spelling = _spelling(symbol)
        return {spelling, spelling.upper()}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Incorrect JSON format.")
        if request.event == "bts:heartbeat":
            return Ping()
        if (
            request.event not in ("bts:subscribe", "bts:unsubscribe")
            or request.data is None
            or not request.data.channel
        ):
            return Malformed(reason="Bad subscription string.", method=request.event)
        named = _CHANNEL.fullmatch(request.data.channel)
        if named is None:
            return Malformed(reason="Invalid channel provided.", method=request.event)
        return Subscribe(kind="trades", symbols=(named[1],), active=request.event == "bts:subscribe")

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: Bitstamp waits for the client."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message a channel; none says when."""
        del time_in, time_out
        event = "bts:subscription_succeeded" if request.active else "bts:unsubscription_succeeded"
        return [_encode({"event": event, "channel": f"live_trades_{symbol}", "data": {}}) for symbol in symbols]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one error a symbol; it does not say of which."""
        del request, time_in, time_out
        return [_error(reason or "Invalid channel provided.") for _ in symbols]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Bitstamp sends for a message that it does not take."""
        del time_in, time_out
        return _error(command.reason)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a client's heartbeat."""
        del command, time_in, time_out
        return b'{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}'

    def heartbeat(self) -> bytes | None:
        """Return nothing: of itself, Bitstamp sends pings of the WebSocket protocol only."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "live_trades"; there are no snapshots."""
        (tick,) = ticks
        if snapshot:
            raise ValueError("Bitstamp sends no snapshot of trades")
        micros = tick.timestamp // _MICROSECOND
        data = {
            "id": int(tick.trade_id or 0),
            "timestamp": str(micros // 1_000_000),
            "amount": tick.volume,
            "amount_str": _decimals(tick.volume, 8),
            "price": tick.price,
            "price_str": _decimals(tick.price, 2),
            "type": _kind(tick),
            "microtimestamp": str(micros),
            "buy_order_id": 1443875737346049,
            "sell_order_id": 1443875731320832,
        }
        return _encode({"data": data, "channel": f"live_trades_{_spelling(tick.symbol)}", "event": "trade"})

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Raise: Bitstamp has no live candles."""
        raise NotImplementedError("Bitstamp has no live candles")

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request asks for; "minute", "hour" and "day" are counted back from when it is answered."""
        del body
        if path == "/api/v2/markets/":
            return SymbolsQuery()
        named = _REST_PATH.fullmatch(path)
        if named is None:
            return BadQuery(status=404, reason="Not found.")
        if named[1] == "transactions":
            age = _TIMES.get(query.get("time", "hour"))
            if age is None:
                return BadQuery(status=400, reason="Invalid time.")
            return TradesQuery(symbol=named[2], age=age, limit=_TRADES_LIMIT, newest=True)
        try:
            step, limit = int(query["step"]), int(query["limit"])
            start = int(query["start"]) * _SECOND if "start" in query else None
            end = int(query["end"]) * _SECOND + 1 if "end" in query else None
        except (KeyError, ValueError):
            return BadQuery(status=400, reason="Missing or malformed parameter.")
        if step not in _STEPS or not 1 <= limit <= _CANDLES_LIMIT:
            return BadQuery(status=400, reason="Unknown step or limit.")
        if end is not None:
            start = None  # both together: the end alone is regarded
        return CandlesQuery(
            symbol=named[2], minutes=step // 60, since=start, until=end, limit=limit, newest=start is None
        )

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, newest first, in whole seconds."""
        del symbol, query, more
        rows = [
            {
                "date": str(tick.timestamp // _SECOND),
                "tid": str(tick.trade_id),
                "amount": _decimals(tick.volume, 8),
                "type": str(_kind(tick)),
                "price": _decimals(tick.price, 2),
            }
            for tick in reversed(ticks)
        ]
        return _encode(rows)

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, oldest first, the running one too."""
        del query, now, more
        ohlc = [
            {
                "timestamp": str(row.open_time // _SECOND),
                "open": _decimals(row.open, 2),
                "high": _decimals(row.high, 2),
                "low": _decimals(row.low, 2),
                "close": _decimals(row.close, 2),
                "volume": f"{row.volume:.8f}",
            }
            for row in rows
        ]
        return _encode({"data": {"pair": symbol.partition(":")[0], "ohlc": ohlc}})

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the list of markets."""
        return _encode([_market(symbol) for symbol in symbols])

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Bitstamp's form; of an unknown market there is only a page."""
        if reason is None:
            return 404, _NOT_FOUND
        return 400, _encode({"status": "error", "reason": reason, "response_code": "400.001"})


def _error(message: str) -> bytes:
    return _encode({"event": "bts:error", "channel": "", "data": {"code": None, "message": message}})


def _market(symbol: str) -> dict[str, Any]:
    pair, _, settle = symbol.partition(":")
    base, _, counter = pair.partition("/")
    return {
        "name": f"{pair}-PERP" if settle else pair,
        "market_symbol": _spelling(symbol),
        "base_currency": base,
        "counter_currency": counter,
        "market_type": "PERPETUAL" if settle else "SPOT",
        "trading": "Enabled",
    }
