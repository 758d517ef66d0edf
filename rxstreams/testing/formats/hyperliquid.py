"""Hyperliquid's wire format, as its server writes it: WebSocket and the info endpoint.

Source: the pages and programs that ``rxstreams/sources/hyperliquid.py`` names, checked against a recorded answer.
"""

from __future__ import annotations

from collections import deque
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

_MILLISECOND = 1_000_000
_MINUTE = 60_000 * _MILLISECOND
_HOURS = (1, 2, 4, 8, 12)
_INTERVALS = {**{f"{n}m": n for n in (1, 3, 5, 15, 30)}, **{f"{n}h": n * 60 for n in _HOURS}, "1d": 1440}
_NAMES = {minutes: name for name, minutes in _INTERVALS.items()}
_RECENT = 10
_CANDLES_LIMIT = 5000
_NO_HASH = "0x" + "0" * 64
_NOBODY = "0x" + "0" * 40


class _Subscription(msgspec.Struct):
    type: Literal["trades", "candle"]
    coin: str
    interval: str = ""


class _Request(msgspec.Struct):
    method: Literal["subscribe", "unsubscribe", "ping"]
    subscription: _Subscription | None = None


class _CandlesAsked(msgspec.Struct, rename="camel"):
    coin: str
    interval: str
    start_time: int
    end_time: int | None = None


class _Info(msgspec.Struct):
    type: str
    coin: str = ""
    req: _CandlesAsked | None = None


_decode = msgspec.json.Decoder(_Request).decode
_decode_info = msgspec.json.Decoder(_Info).decode
_encode = msgspec.json.Encoder().encode


def _coin(symbol: str) -> str:
    return symbol.partition("/")[0]


def _text(number: float) -> str:
    """The shortest decimal that reads back as the same number, never with an exponent."""
    return format(Decimal(repr(number)), "f")


def _trade(tick: PriceTick) -> dict[str, Any]:
    return {
        "coin": _coin(tick.symbol),
        "side": "A" if tick.side == "sell" else "B",
        "px": _text(tick.price),
        "sz": _text(tick.volume),
        "time": tick.timestamp // _MILLISECOND,
        "hash": _NO_HASH,
        "tid": int(tick.trade_id or 0),
        "users": [_NOBODY, _NOBODY],
    }


def _candle(row: TrueCandle, minutes: int) -> dict[str, Any]:
    return {
        "t": row.open_time // _MILLISECOND,
        "T": row.close_time // _MILLISECOND - 1,
        "s": _coin(row.symbol),
        "i": _NAMES[minutes],
        "o": _text(row.open),
        "c": _text(row.close),
        "h": _text(row.high),
        "l": _text(row.low),
        "v": _text(row.volume),
        "n": row.trades,
    }


class HyperliquidFormat:
    """``Format`` of Hyperliquid's perpetuals.

    Every acknowledgement of trades is followed by old ones, which nothing tells from new ones. So they come from here:
    those that this exchange has sent last, and a made-up one for a coin of which it has sent none, as if it had traded
    before.

    Memory: O(symbols).
    """

    name = "hyperliquid"
    path = "/ws"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "skip"
    closes_candles = False
    snapshot_trades = _RECENT
    snapshot_candles = 0
    items_per_message: int | None = None
    refuses_whole = False
    accepts_unknown = True

    def __init__(self) -> None:
        self._recent: dict[str, deque[dict[str, Any]]] = {}

    def spellings(self, symbol: str) -> set[str]:
        """Return the coin."""
        return {_coin(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Error parsing JSON into valid websocket request")
        if request.method == "ping":
            return Ping()
        wanted = request.subscription
        if wanted is None or (wanted.type == "candle" and wanted.interval not in _INTERVALS):
            return Malformed(reason="Invalid subscription", method=request.method)
        return Subscribe(
            kind="candles" if wanted.type == "candle" else "trades",
            symbols=(wanted.coin,),
            minutes=_INTERVALS[wanted.interval] if wanted.type == "candle" else 0,
            active=request.method == "subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: Hyperliquid waits for a request."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return the answer and, for trades, the old ones, the newest first."""
        del time_in
        method = "subscribe" if request.active else "unsubscribe"
        messages: list[bytes] = []
        for coin in symbols:
            answer = {"method": method, "subscription": _subscription(request, coin)}
            messages.append(_encode({"channel": "subscriptionResponse", "data": answer}))
            if request.active and request.kind == "trades":
                old = [*reversed(self._recent.get(coin, ()))] or [_made_up(coin, time_out - _MINUTE)]
                messages.append(_encode({"channel": "trades", "data": old}))
        return messages

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return an error a symbol, which repeats what was asked for."""
        del time_in, time_out
        words = reason or "Invalid subscription"
        return [_error(f"{words} {_encode(_subscription(request, coin)).decode()}") for coin in symbols]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Hyperliquid sends for what it does not understand."""
        del time_in, time_out
        return _error(command.reason)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a ping."""
        del command, time_in, time_out
        return b'{"channel":"pong"}'

    def heartbeat(self) -> bytes | None:
        """Return nothing: the server sends no signs of life of its own."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel of trades."""
        del snapshot
        rows = [_trade(tick) for tick in ticks]
        for row in rows[-_RECENT:]:
            self._recent.setdefault(row["coin"], deque(maxlen=_RECENT)).append(row)
        return _encode({"channel": "trades", "data": rows})

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel of candles: one of them, or a list where there are several."""
        del time, snapshot
        data = [_candle(row, minutes) for row in rows]
        return _encode({"channel": "candle", "data": data[0] if len(data) == 1 else data})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request to the info endpoint asks for."""
        del query
        if path != "/info":
            return BadQuery(status=404, reason="")
        try:
            asked = _decode_info(body)
            if asked.type == "meta":
                return SymbolsQuery()
            if asked.type == "recentTrades":
                return TradesQuery(symbol=asked.coin, limit=_RECENT, newest=True)
            if asked.type != "candleSnapshot" or asked.req is None:
                raise ValueError(asked.type)
            end = asked.req.end_time
            return CandlesQuery(
                symbol=asked.req.coin,
                minutes=_INTERVALS[asked.req.interval],
                since=asked.req.start_time * _MILLISECOND,
                until=None if end is None else (end + 1) * _MILLISECOND,
                limit=_CANDLES_LIMIT,
                newest=True,
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError):
            return BadQuery(status=422, reason="Failed to deserialize the JSON body into the target type")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return the newest trades, the newest first."""
        del symbol, query, more
        return _encode([_trade(tick) for tick in reversed(ticks)])

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return the candles, the oldest first; of all that there are the newest 5,000 are kept."""
        del symbol, more
        width = query.minutes * _MINUTE
        oldest = (now // width - _CANDLES_LIMIT + 1) * width
        return _encode([_candle(row, query.minutes) for row in rows if row.open_time >= oldest])

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the perpetuals."""
        coins = [{"szDecimals": 5, "name": _coin(symbol), "maxLeverage": 40} for symbol in symbols]
        return _encode({"universe": coins})

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return what stands for a coin that there is not, or words."""
        return (200, b"null") if reason is None else (422, reason.encode())


def _subscription(request: Subscribe, coin: str) -> dict[str, str]:
    if request.kind == "trades":
        return {"type": "trades", "coin": coin}
    return {"type": "candle", "interval": _NAMES[request.minutes], "coin": coin}


def _error(text: str) -> bytes:
    return _encode({"channel": "error", "data": text})


def _made_up(coin: str, time: int) -> dict[str, Any]:
    tick = PriceTick(symbol=f"{coin}/USDC:USDC", price=1.0, volume=1.0, timestamp=time, trade_id=0)
    return _trade(tick)
