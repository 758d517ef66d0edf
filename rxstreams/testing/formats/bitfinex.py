"""Bitfinex's wire format, as its server writes it: WebSocket API v2 and the public REST endpoints trades and candles.

Source: https://docs.bitfinex.com/reference/{ws,rest}-public-{trades,candles}, recorded messages, and what is named in
``rxstreams/sources/_wire/bitfinex.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

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
    TradesQuery,
)

_MILLISECOND = 1_000_000
_LIMIT = 10_000
_FIRST_NUMBER = 205_000
# Bitfinex has weeks, fourteen days and months too; on which days those begin is not documented.
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "3h": 180, "6h": 360, "12h": 720, "1D": 1440}
_NAMES = {minutes: name for name, minutes in _INTERVALS.items()}
_REST_TRADES = re.compile(r"/v2/trades/(t[^/]+)/hist")
_REST_CANDLES = re.compile(r"/v2/candles/trade:(\w+):(t[^/]+)/hist")
_ASSETS = {
    **{"USDT": "UST", "USDC": "UDC", "IOTA": "IOT", "ALGO": "ALG", "ATOM": "ATO", "DASH": "DSH", "MANA": "MNA"},
    **{"SNGLS": "SNG", "MDOGE": "DOG"},
}


class _Request(msgspec.Struct, rename={"number": "chanId", "sub_id": "subId"}):
    event: str = ""
    channel: str = ""
    symbol: str = ""
    key: str = ""
    number: int = 0
    sub_id: str = ""
    cid: int | None = None


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _spelling(symbol: str) -> str:
    pair, _, settle = symbol.partition(":")
    base, quote = (_ASSETS.get(asset, asset) for asset in pair.split("/"))
    if settle:
        return f"t{base}F0:{quote}F0"
    return f"t{base}{'' if len(base) == len(quote) == 3 else ':'}{quote}"


class BitfinexFormat:
    """``Format`` of Bitfinex. It numbers the channels once, for all its connections.

    Memory: O(channels).
    """

    name = "bitfinex"
    path = "/ws/2"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "skip"
    closes_candles = False
    snapshot_trades = 30
    snapshot_candles = 240
    items_per_message: int | None = 1
    refuses_whole = False
    accepts_unknown = False

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._channels: dict[int, tuple[str, int]] = {}

    def _number(self, spelling: str, minutes: int) -> int:
        channel = (spelling, minutes)
        number = self._numbers.setdefault(channel, _FIRST_NUMBER + len(self._numbers))
        self._channels[number] = channel
        return number

    def spellings(self, symbol: str) -> set[str]:
        """Return the one spelling."""
        return {_spelling(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="")
        number = int(request.sub_id) if request.sub_id.isdecimal() else None
        if request.event == "ping":
            return Ping(request=request.cid)
        if request.event == "unsubscribe":
            known = self._channels.get(request.number)
            if known is None:
                return Malformed(reason="unsubscribe: invalid", method="10400")
            spelling, minutes = known
            return Subscribe(
                kind="candles" if minutes else "trades", symbols=(spelling,), minutes=minutes, active=False
            )
        if request.event != "subscribe":
            return Malformed(reason=f"event: invalid ({request.event})", method="10000")
        if request.channel == "trades":
            return Subscribe(kind="trades", symbols=(request.symbol,), request=number, snapshot=True)
        word, _, rest = request.key.partition(":")
        length, _, spelling = rest.partition(":")
        if request.channel != "candles" or word != "trade" or length not in _INTERVALS:
            reason = "key: invalid" if request.channel == "candles" else "channel: unknown"
            return Malformed(reason=reason, request=number, method="10300")
        return Subscribe(kind="candles", symbols=(spelling,), minutes=_INTERVALS[length], request=number, snapshot=True)

    def greeting(self, connection: int) -> bytes | None:
        """Return the message that Bitfinex opens with."""
        server = f"083bd8d4-aca7-4690-a573-{connection:012x}"
        return _encode({"event": "info", "version": 2, "serverId": server, "platform": {"status": 1}})

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message a channel, with its number; none says when."""
        del time_in, time_out
        answers: list[bytes] = []
        for spelling in symbols:
            number = self._number(spelling, request.minutes)
            if request.active:
                answers.append(_encode({"event": "subscribed", **_named(request, spelling), "chanId": number}))
            else:
                answers.append(_encode({"event": "unsubscribed", "status": "OK", "chanId": number}))
        return answers

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one error a channel, which repeats the request."""
        del time_in, time_out
        if not request.active:
            return [_error("unsubscribe: invalid", 10400, {}) for _ in symbols]
        return [_error(reason or "symbol: invalid", 10300, _named(request, spelling)) for spelling in symbols]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error for a message that Bitfinex does not take; what is no JSON is not answered."""
        del time_in, time_out
        if not command.reason:
            return None
        numbered = {} if command.request is None else {"subId": str(command.request)}
        return _error(command.reason, int(command.method), numbered)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a ping."""
        del time_in
        numbered = {} if command.request is None else {"cid": command.request}
        return _encode({"event": "pong", "ts": time_out // _MILLISECOND, **numbered})

    def heartbeat(self) -> bytes | None:
        """Return the sign of life of a channel; None: there is no channel yet."""
        number = next(iter(self._channels), None)
        return None if number is None else _encode([number, "hb"])

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return one executed trade, or a snapshot, newest first."""
        number = self._number(_spelling(ticks[0].symbol), 0)
        if snapshot:
            return _encode([number, [_row(tick) for tick in reversed(ticks)]])
        (tick,) = ticks
        return _encode([number, "te", _row(tick)])

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return the state of one candle, or a snapshot, newest first."""
        del time
        number = self._number(_spelling(rows[0].symbol), minutes)
        if snapshot:
            return _encode([number, [_candle(row) for row in reversed(rows)]])
        (row,) = rows
        return _encode([number, _candle(row)])

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for the history of trades or candles asks for."""
        del body
        path = unquote(path)
        trades, candles = _REST_TRADES.fullmatch(path), _REST_CANDLES.fullmatch(path)
        if trades is None and candles is None:
            return BadQuery(status=404, reason="Cannot GET")
        try:
            since = int(query["start"]) * _MILLISECOND if "start" in query else None
            until = int(query["end"]) * _MILLISECOND + 1 if "end" in query else None
            limit, sort = int(query.get("limit", "100")), int(query.get("sort", "-1"))
        except ValueError:
            return BadQuery(status=500, reason="start: invalid")
        if not 1 <= limit <= _LIMIT:
            return BadQuery(status=500, reason="limit: invalid")
        newest = sort < 0
        if trades is not None:
            return TradesQuery(symbol=trades[1], since=since, until=until, limit=limit, newest=newest)
        assert candles is not None  # one of the two
        if candles[1] not in _INTERVALS:
            return BadQuery(status=500, reason="key: invalid")
        minutes = _INTERVALS[candles[1]]
        return CandlesQuery(symbol=candles[2], minutes=minutes, since=since, until=until, limit=limit, newest=newest)

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, in the order that was asked for."""
        del symbol, more
        return _encode([_row(tick) for tick in (reversed(ticks) if query.newest else ticks)])

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, in the order that was asked for, the running one too."""
        del symbol, now, more
        return _encode([_candle(row) for row in (reversed(rows) if query.newest else rows)])

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the list of pairs."""
        return _encode([[_spelling(symbol).removeprefix("t") for symbol in symbols]])

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Bitfinex's form."""
        return 500, _encode(["error", 10020, reason or "symbol: invalid"])


def _named(request: Subscribe, spelling: str) -> dict[str, Any]:
    if request.kind == "trades":
        named = {"channel": "trades", "symbol": spelling, "pair": spelling.removeprefix("t")}
    else:
        named = {"channel": "candles", "key": f"trade:{_NAMES[request.minutes]}:{spelling}"}
    return named if request.request is None else {**named, "subId": str(request.request)}


def _error(reason: str, code: int, named: Mapping[str, Any]) -> bytes:
    return _encode({**named, "event": "error", "msg": reason, "code": code})


def _row(tick: PriceTick) -> list[int | float]:
    amount = -tick.volume if tick.side == "sell" else tick.volume
    return [int(tick.trade_id or 0), tick.timestamp // _MILLISECOND, amount, tick.price]


def _candle(row: TrueCandle) -> list[int | float]:
    return [row.open_time // _MILLISECOND, row.open, row.close, row.high, row.low, round(row.volume, 8)]
