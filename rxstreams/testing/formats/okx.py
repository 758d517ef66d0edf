"""OKX's wire format, as its server writes it: the business WebSocket of API v5 and the public REST endpoints.

Source: https://www.okx.com/docs-v5/en/#order-book-trading-market-data, read 2026-11-28, checked against recorded
messages; refusals of an instrument: https://github.com/sieblyio/okx-api/issues/106.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from rxstreams.errors import UnknownSymbol
from rxstreams.items import PriceTick
from rxstreams.symbols import split_symbol
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
from rxstreams.testing.formats._text import plain

_MILLISECOND = 1_000_000
# Weeks and months are left out: on which day those begin was not found.
_BARS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1H": 60,
    "2H": 120,
    "4H": 240,
    "6Hutc": 360,
    "12Hutc": 720,
    "1Dutc": 1440,
}
_BAR_OF = {minutes: bar for bar, minutes in _BARS.items()}
_TRADES = "trades-all"
_TRADES_LIMIT = 100
_CANDLES_LIMIT = 300
_CONNECTION = "a4d3ae55"


class _Argument(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str


class _Request(msgspec.Struct):
    op: str
    args: list[_Argument]
    id: str = ""


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class OkxFormat:
    """``Format`` of OKX's pairs, swaps and futures; one contract is one unit of the base here."""

    name = "okx"
    path = "/ws/v5/business"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = True
    snapshot_trades = 0  # what comes after subscribing goes with the answer
    snapshot_candles = 1
    items_per_message: int | None = 1
    refuses_whole = False
    accepts_unknown = False

    def spellings(self, symbol: str) -> set[str]:
        """Return the one name that OKX has; what it can't have is taken as it is."""
        try:
            return {_instrument(symbol)}
        except UnknownSymbol:
            return {symbol}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says; the running candle is sent to everybody at once."""
        if message == b"ping":
            return Ping()
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason=f"Invalid request: {message.decode(errors='replace')}")
        number = int(request.id) if request.id.isdecimal() else None
        channels = {each.channel for each in request.args}
        channel = next(iter(channels), "")
        minutes = _BARS.get(channel.removeprefix("candle"), 0) if channel.startswith("candle") else 0
        # A server takes several channels in a request; FakeExchange takes one.
        if request.op not in ("subscribe", "unsubscribe") or len(channels) != 1 or not (minutes or channel == _TRADES):
            return Malformed(reason=f"Invalid request: {message.decode(errors='replace')}", request=number)
        return Subscribe(
            kind="candles" if minutes else "trades",
            symbols=tuple(each.inst_id for each in request.args),
            minutes=minutes,
            request=number,
            snapshot=minutes > 0,
            active=request.op == "subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: OKX waits for the client."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message a symbol, and then, for trades, the last one that there was.

        That one looks like a new one, and is sent whatever its age. Here it is from before the exchange's first.
        """
        del time_in
        event = "subscribe" if request.active else "unsubscribe"
        answers = [
            _answer(request.request, {"event": event, "arg": {"channel": _channel(request), "instId": symbol}})
            for symbol in symbols
        ]
        if request.active and request.kind == "trades":
            answers += [_trades(symbol, [_last(symbol, time_out)]) for symbol in symbols]
        return answers

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message a symbol."""
        del time_in, time_out
        start = "Wrong URL or " if reason is None else f"{reason}: "
        return [
            _answer(
                request.request,
                {
                    "event": "error",
                    "code": "60018",
                    "msg": f"{start}channel:{_channel(request)},instId:{symbol} doesn't exist. Please use the correct "
                    "URL, channel and parameters referring to API document.",
                },
            )
            for symbol in symbols
        ]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that OKX sends for a message that it does not take."""
        del time_in, time_out
        return _answer(command.request, {"event": "error", "code": "60012", "msg": command.reason})

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a ping, which is no JSON."""
        del command, time_in, time_out
        return b"pong"

    def heartbeat(self) -> bytes | None:
        """Return nothing: OKX answers pings, and sends no sign of life by itself."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "trades-all"; that of a snapshot looks like any other."""
        del snapshot
        name = _instrument(ticks[0].symbol)
        return _trades(name, [_trade(name, tick) for tick in ticks])

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of a candle channel."""
        del snapshot
        name = _instrument(rows[0].symbol)
        data = [_candle(row, time) for row in rows]
        return _encode({"arg": {"channel": f"candle{_BAR_OF[minutes]}", "instId": name}, "data": data})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for past trades, candles or instruments asks for."""
        del body
        endpoint = path.rpartition("/")[2]
        if path == "/api/v5/public/instruments":
            return SymbolsQuery()
        try:
            if path == "/api/v5/market/history-trades":
                return _trades_query(query)
            if path not in ("/api/v5/market/candles", "/api/v5/market/history-candles"):
                return BadQuery(status=404, reason=f"no {endpoint}")
            return CandlesQuery(
                symbol=query["instId"],
                minutes=_BARS[query.get("bar", "1m")],
                until=int(query["after"]) * _MILLISECOND if "after" in query else None,
                limit=_limit(query, 100, _CANDLES_LIMIT),
            )
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"Parameter {error} error")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, newest first."""
        del query, more
        name = _instrument(symbol)
        return _encode({"code": "0", "msg": "", "data": [_trade(name, tick) for tick in reversed(ticks)]})

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, newest first."""
        del symbol, query, more
        return _encode({"code": "0", "msg": "", "data": [_candle(row, now) for row in reversed(rows)]})

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the instruments, of all types together; OKX wants to be asked for each type."""
        rows: list[dict[str, str]] = []
        for symbol in symbols:
            parts = split_symbol(symbol)
            kind = "FUTURES" if parts.expiry else "SWAP" if parts.settle else "SPOT"
            rows.append({"instType": kind, "instId": _instrument(symbol), "settleCcy": parts.settle, "state": "live"})
        return _encode({"code": "0", "msg": "", "data": rows})

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in OKX's form: of an unknown instrument with HTTP 200, of anything else as of the system."""
        if reason is None:
            text = "Instrument ID, Instrument ID code or Spread ID doesn't exist."
            return 200, _encode({"code": "51001", "msg": text, "data": []})
        return 500, _encode({"code": "50026", "msg": reason, "data": []})


def _instrument(symbol: str) -> str:
    parts = split_symbol(symbol)
    if parts.strike:
        raise UnknownSymbol(f"there are no options here, got {symbol!r}")
    return f"{parts.base}-{parts.quote}" + (f"-{parts.expiry or 'SWAP'}" if parts.settle else "")


def _channel(request: Subscribe) -> str:
    return f"candle{_BAR_OF[request.minutes]}" if request.kind == "candles" else _TRADES


def _answer(request: int | None, fields: dict[str, object]) -> bytes:
    number: dict[str, object] = {} if request is None else {"id": str(request)}
    return _encode({**number, **fields, "connId": _CONNECTION})


def _trades(name: str, rows: list[dict[str, str]]) -> bytes:
    return _encode({"arg": {"channel": _TRADES, "instId": name}, "data": rows})


def _last(name: str, time: int) -> dict[str, str]:
    """Return a trade of the past, 25 seconds old as one that was recorded."""
    stamp = str(time // _MILLISECOND - 25_000)
    return {"instId": name, "tradeId": "0", "px": "1", "sz": "1", "side": "buy", "source": "0", "ts": stamp}


def _trade(name: str, tick: PriceTick) -> dict[str, str]:
    return {
        "instId": name,
        "tradeId": str(tick.trade_id),
        "px": _plain(tick.price),
        "sz": _plain(tick.volume),
        "side": str(tick.side or "buy"),
        "source": "0",
        "ts": str(tick.timestamp // _MILLISECOND),
    }


def _candle(row: TrueCandle, time: int) -> list[str]:
    is_pair = not split_symbol(row.symbol).settle
    return [
        str(row.open_time // _MILLISECOND),
        *(_plain(price) for price in (row.open, row.high, row.low, row.close)),
        f"{row.volume:.8f}",
        f"{row.quote_volume if is_pair else row.volume:.8f}",
        f"{row.quote_volume:.8f}",
        "1" if row.close_time <= time else "0",
    ]


def _trades_query(query: Mapping[str, str]) -> TradesQuery:
    kind, after = query.get("type", "1"), query.get("after")
    if kind not in ("1", "2"):
        raise ValueError("type")
    return TradesQuery(
        symbol=query["instId"],
        until=int(after) * _MILLISECOND if after is not None and kind == "2" else None,
        before_id=int(after) if after is not None and kind == "1" else None,
        limit=_limit(query, _TRADES_LIMIT, _TRADES_LIMIT),
        newest=True,
    )


def _limit(query: Mapping[str, str], default: int, most: int) -> int:
    limit = int(query.get("limit", str(default)))
    if not 1 <= limit <= most:
        raise ValueError("limit")
    return limit


def _plain(number: float) -> str:
    """Without the zero that a float of a whole number has."""
    return plain(number).removesuffix(".0")
