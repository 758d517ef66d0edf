"""Bybit's wire formats, as its servers write them: API v5, spot and linear contracts, and the public REST endpoints.

Source: bybit-exchange.github.io/docs/v5/websocket/public/{trade,kline}, …/v5/ws/connect and
…/v5/market/{recent-trade,kline}; the fields ``RPI`` and ``seq`` and the refusals as others have recorded them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
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
    TradesQuery,
)
from rxstreams.testing.formats._text import plain

_MILLISECOND = 1_000_000
# Bybit has months too, which have no fixed number of minutes.
_MINUTES = {
    "1": 1,
    "3": 3,
    "5": 5,
    "15": 15,
    "30": 30,
    "60": 60,
    "120": 120,
    "240": 240,
    "360": 360,
    "720": 720,
    "D": 1440,
    "W": 10080,
}
_NAMES = {minutes: name for name, minutes in _MINUTES.items()}
_CANDLES_LIMIT = 1000
_CONNECTION = "d9avt13c3kkqi46e1u9g-ge1kf"
_NUMBER = re.compile(r"\d{1,18}")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class _Request(msgspec.Struct):
    op: str = ""
    args: tuple[str, ...] = ()
    req_id: str = ""


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return _encode(text).decode()


def _side(tick: PriceTick) -> str:
    return "Sell" if tick.side == "sell" else "Buy"


def _direction(before: float, price: float) -> str:
    return "PlusTick" if price > before else "MinusTick" if price < before else "ZeroPlusTick"


class BybitFormat:
    """``Format`` of Bybit's spot market."""

    name = "bybit"
    path = "/v5/public/spot"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "previous_close"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = True
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = None
    refuses_whole = True
    accepts_unknown = False
    category = "spot"
    recent_trades = 60
    topics = 10

    def spellings(self, symbol: str) -> set[str]:
        """Return the one spelling."""
        return {self._spelling(symbol)}

    def _spelling(self, symbol: str) -> str:
        return symbol.replace("/", "")

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="error:request is not json")
        number = int(request.req_id) if _NUMBER.fullmatch(request.req_id) else None
        if request.op == "ping":
            return Ping(request=number)
        if request.op not in ("subscribe", "unsubscribe"):
            return Malformed(reason=f"error:unknown op,op:{request.op}", request=number, method=request.op)
        if not request.args or len(request.args) > self.topics:
            return Malformed(reason="args size >10", request=number, method=request.op)
        kinds: set[tuple[Literal["trades", "candles"], int]] = set()
        symbols: list[str] = []
        for topic in request.args:
            parts = topic.split(".", 2)
            if parts[0] == "publicTrade" and len(parts) == 2:
                kinds.add(("trades", 0))
            elif parts[0] == "kline" and len(parts) == 3 and parts[1] in _MINUTES:
                kinds.add(("candles", _MINUTES[parts[1]]))
            else:
                return Malformed(reason=f"error:handler not found,topic:{topic}", request=number, method=request.op)
            symbols.append(parts[-1])
        if len(kinds) > 1:
            return Malformed(reason="error:several kinds in one request", request=number, method=request.op)
        ((kind, minutes),) = kinds
        return Subscribe(
            kind=kind, symbols=tuple(symbols), minutes=minutes, request=number, active=request.op == "subscribe"
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return None: Bybit says nothing before it is asked."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message, which names no symbols."""
        del time_in, time_out
        operation = _operation(request)
        return [self._answer(True, self._accepted(operation), request.request, operation)] if symbols else []

    def _accepted(self, operation: str) -> str:
        return operation

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message, for the request as a whole; its text has one of the topics."""
        del time_in, time_out
        if not symbols:
            return []
        topic = "publicTrade" if request.kind == "trades" else f"kline.{_NAMES[request.minutes]}"
        text = reason or self._unknown(f"{topic}.{symbols[0]}")
        return [self._answer(False, text, request.request, _operation(request))]

    def _unknown(self, topic: str) -> str:
        return f"Invalid symbol :[{topic}]"

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Bybit sends for a message that it does not take."""
        del time_in, time_out
        return self._answer(False, command.reason, command.request, command.method)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a "ping" message."""
        del time_in, time_out
        return self._answer(True, "pong", command.request, "ping")

    def _answer(self, success: bool, text: str, request: int | None, operation: str) -> bytes:
        answer: dict[str, Any] = {"success": success, "ret_msg": text, "conn_id": _CONNECTION}
        if request is not None:
            answer["req_id"] = str(request)
        return _encode(answer | {"op": operation})

    def heartbeat(self) -> bytes | None:
        """Return None: Bybit has no sign of life of its own."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "publicTrade"; every one is called a snapshot."""
        del snapshot
        spelling = _quoted(self._spelling(ticks[0].symbol))
        rows = [
            f'{{"i":{_quoted(str(tick.trade_id))},"T":{tick.timestamp // _MILLISECOND},"p":"{plain(tick.price)}",'
            f'"v":"{plain(tick.volume)}","S":"{_side(tick)}","seq":{tick.timestamp // _MILLISECOND},"s":{spelling},'
            f'"BT":false,"RPI":false}}'
            for tick in ticks
        ]
        time = ticks[-1].timestamp // _MILLISECOND
        head = f'{{"topic":"publicTrade.{spelling[1:-1]}","ts":{time},"type":"snapshot","data":['
        return f"{head}{','.join(rows)}]}}".encode()

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel "kline"; every one is called a snapshot."""
        del snapshot
        now = time // _MILLISECOND
        data = [
            {
                "start": row.open_time // _MILLISECOND,
                "end": row.close_time // _MILLISECOND - 1,
                "interval": _NAMES[minutes],
                "open": plain(row.open),
                "close": plain(row.close),
                "high": plain(row.high),
                "low": plain(row.low),
                "volume": plain(row.volume),
                "turnover": plain(row.quote_volume),
                "confirm": row.close_time <= time,
                "timestamp": min(now, row.close_time // _MILLISECOND - 1),
            }
            for row in rows
        ]
        topic = f"kline.{_NAMES[minutes]}.{self._spelling(rows[0].symbol)}"
        return _encode({"type": "snapshot", "topic": topic, "data": data, "ts": now})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for recent trades or candles asks for."""
        del body
        if path not in ("/v5/market/recent-trade", "/v5/market/kline"):
            return BadQuery(status=404, reason="Path not found")
        try:
            symbol, category = query["symbol"], query["category"]
            if category != self.category:
                raise ValueError(category)
            if path.endswith("recent-trade"):
                limit = int(query.get("limit", str(min(self.recent_trades, 500))))
                return TradesQuery(symbol=symbol, limit=_between(limit, self.recent_trades), newest=True)
            return CandlesQuery(
                symbol=symbol,
                minutes=_MINUTES[query["interval"]],
                since=int(query["start"]) * _MILLISECOND if "start" in query else None,
                until=(int(query["end"]) + 1) * _MILLISECOND if "end" in query else None,
                limit=_between(int(query.get("limit", "200")), _CANDLES_LIMIT),
                newest=True,
            )
        except (KeyError, ValueError) as error:
            return BadQuery(status=200, reason=f"params error: {error}")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, newest first."""
        del query, more
        rows = [
            {
                "execId": str(tick.trade_id),
                "symbol": self._spelling(symbol),
                "price": plain(tick.price),
                "size": plain(tick.volume),
                "side": _side(tick),
                "time": str(tick.timestamp // _MILLISECOND),
                "isBlockTrade": False,
                "isRPITrade": False,
            }
            for tick in reversed(ticks)
        ]
        return self._result({"list": rows}, ticks[-1].timestamp if ticks else 0)

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, newest first."""
        del query, more
        data = [
            [
                str(row.open_time // _MILLISECOND),
                plain(row.open),
                plain(row.high),
                plain(row.low),
                plain(row.close),
                plain(row.volume),
                plain(row.quote_volume),
            ]
            for row in reversed(rows)
        ]
        return self._result({"symbol": self._spelling(symbol), "list": data}, now)

    def _result(self, result: dict[str, Any], now: int) -> bytes:
        answer = {"retCode": 0, "retMsg": "OK", "result": {"category": self.category, **result}, "retExtInfo": {}}
        return _encode(answer | {"time": now // _MILLISECOND})

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the instruments, of which only the spelling is filled in; a client has no need to ask."""
        return self._result({"list": [{"symbol": self._spelling(symbol)} for symbol in symbols]}, 0)

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Bybit's form: with HTTP 200."""
        answer: dict[str, Any] = {
            "retCode": 10001,
            "retMsg": reason or "Not supported symbols",
            "result": {},
            "retExtInfo": {},
        }
        return 200, _encode(answer | {"time": 0})


class BybitLinearFormat(BybitFormat):
    """``Format`` of Bybit's linear contracts."""

    name = "bybit_linear"
    path = "/v5/public/linear"
    category = "linear"
    recent_trades = 1000
    topics = 1000

    def _spelling(self, symbol: str) -> str:
        return _contract(symbol)

    def _accepted(self, operation: str) -> str:
        del operation
        return ""

    def _unknown(self, topic: str) -> str:
        return f"error:handler not found,topic:{topic}"

    def _answer(self, success: bool, text: str, request: int | None, operation: str) -> bytes:
        number = "" if request is None else str(request)
        answer = {"success": success, "ret_msg": text, "conn_id": _CONNECTION, "req_id": number, "op": operation}
        return _encode(answer)

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "publicTrade"; it tells too whether the price rose or fell."""
        del snapshot
        spelling = _quoted(self._spelling(ticks[0].symbol))
        before = [ticks[0], *ticks]
        rows = [
            f'{{"T":{tick.timestamp // _MILLISECOND},"s":{spelling},"S":"{_side(tick)}","v":"{plain(tick.volume)}",'
            f'"p":"{plain(tick.price)}","L":"{_direction(last.price, tick.price)}","i":{_quoted(str(tick.trade_id))},'
            f'"BT":false,"RPI":false,"seq":{tick.timestamp // _MILLISECOND}}}'
            for last, tick in zip(before, ticks, strict=False)
        ]
        time = ticks[-1].timestamp // _MILLISECOND
        head = f'{{"topic":"publicTrade.{spelling[1:-1]}","type":"snapshot","ts":{time},"data":['
        return f"{head}{','.join(rows)}]}}".encode()


def _operation(request: Subscribe) -> str:
    return "subscribe" if request.active else "unsubscribe"


def _between(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise ValueError(f"limit {limit}")
    return limit


@lru_cache(maxsize=4096)
def _contract(symbol: str) -> str:
    """``BTC/USDT:USDT`` is ``BTCUSDT``, ``BTC/USDC:USDC-261225`` ``BTC-25DEC26``."""
    pair, _, contract = symbol.partition(":")
    base, _, quote = pair.partition("/")
    name = base if quote == "USDC" else base + quote
    expiry = contract.partition("-")[2]
    if not expiry:
        return f"{base}PERP" if quote == "USDC" else name
    return f"{name}-{int(expiry[4:])}{_MONTHS[int(expiry[2:4]) - 1]}{expiry[:2]}"
