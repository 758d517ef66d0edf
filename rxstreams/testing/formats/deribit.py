"""Deribit's wire format, as its server writes it: JSON-RPC over WebSocket and HTTP.

Source: the pages that ``rxstreams/sources/deribit.py`` names, checked against recorded messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from rxstreams.errors import UnknownSymbol
from rxstreams.items import PriceTick
from rxstreams.symbols import SymbolParts, split_symbol
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
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_RESOLUTIONS = {**{str(n): n for n in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)}, "1D": 1440}
_TRADES_LIMIT = 1000
_CANDLES_LIMIT = 5001
_CHANNEL = re.compile(r"trades\.([A-Z0-9_d-]+)\.(?:100ms|agg2)|chart\.trades\.([A-Z0-9_d-]+)\.(1D|\d+)")
_BY_TIME = "/public/get_last_trades_by_instrument_and_time"
_BY_NUMBER = "/public/get_last_trades_by_instrument"
_CHART = "/public/get_tradingview_chart_data"
_INVALID = -32602


class _Params(msgspec.Struct):
    channels: tuple[str, ...] = ()
    instrument_name: str = ""
    start_timestamp: int | None = None
    end_timestamp: int | None = None
    start_seq: int | None = None
    count: int = 10
    sorting: Literal["asc", "desc", "default"] = "default"
    resolution: str = ""


class _Request(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    id: int
    method: str
    params: _Params = msgspec.field(default_factory=_Params)


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _name(symbol: str) -> str:
    """Return the name of the instrument; the symbol itself where there can be none."""
    try:
        parts = split_symbol(symbol)
    except UnknownSymbol:
        return symbol
    if not parts.settle:
        return f"{parts.base}_{parts.quote}"
    name = parts.base if _is_inverse(parts) else f"{parts.base}_{parts.quote}"
    if not parts.expiry:
        return f"{name}-PERPETUAL"
    month = _MONTHS[int(parts.expiry[2:4]) - 1]
    name = f"{name}-{int(parts.expiry[4:])}{month}{parts.expiry[:2]}"
    return "-".join(part for part in (name, parts.strike.replace(".", "d"), parts.kind) if part)


def _is_inverse(parts: SymbolParts) -> bool:
    return parts.settle == parts.base


@lru_cache(maxsize=4096)
def _counts_dollars(symbol: str) -> bool:
    parts = split_symbol(symbol)
    return _is_inverse(parts) and not parts.strike


def _amount(tick: PriceTick) -> float:
    """Return what is traded in the unit of the instrument: the shortest amount of USD that is this volume."""
    if not _counts_dollars(tick.symbol):
        return tick.volume
    exact = tick.volume * tick.price
    volume = round(tick.volume, 10)
    amounts = (round(exact, digits) for digits in range(13))
    return next((amount for amount in amounts if round(amount / tick.price, 10) == volume), exact)


def _trade(tick: PriceTick) -> dict[str, Any]:
    amount = _amount(tick)
    return {
        "trade_seq": int(tick.trade_id or 0),
        "trade_id": f"{tick.trade_id}",
        "timestamp": tick.timestamp // _MILLISECOND,
        "tick_direction": 1,
        "price": tick.price,
        "mark_price": tick.price,
        "instrument_name": _name(tick.symbol),
        "index_price": tick.price,
        "direction": f"{tick.side or 'buy'}",
        "contracts": amount,
        "amount": amount,
    }


class DeribitFormat:
    """``Format`` of Deribit.

    Ids are those of the client, and say nothing to the server.
    """

    name = "deribit"
    path = "/ws/api/v2"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = False
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = 1  # a message of candles holds one
    refuses_whole = False
    accepts_unknown = False

    def spellings(self, symbol: str) -> set[str]:
        """Return the name of the instrument."""
        return {_name(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="bad_request")
        if request.method == "public/test":
            return Ping(request=request.id)
        if request.method not in ("public/subscribe", "public/unsubscribe"):
            return Malformed(reason="Method not found", request=request.id, method=request.method)
        found = [_CHANNEL.fullmatch(channel) for channel in request.params.channels]
        kinds = {match and match[3] for match in found}
        minutes = {_RESOLUTIONS.get(kind) if kind else 0 for kind in kinds}
        # One kind a request: this server keeps no more than that of it.
        if None in found or len(kinds) != 1 or None in minutes:
            return Malformed(reason="Invalid params", request=request.id, method=request.method)
        (length,) = minutes
        return Subscribe(
            kind="candles" if length else "trades",
            symbols=tuple(match[1] or match[2] for match in found if match),
            minutes=length or 0,
            request=request.id,
            active=request.method == "public/subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return nothing: Deribit waits for a request."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return the one answer, with the channels that there are."""
        return [_answer(request.request, time_in, time_out, result=[_channel(request, name) for name in symbols])]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return an answer without channels if all are refused; else nothing: they are missing in the other answer."""
        del reason
        all_refused = len(symbols) == len(request.symbols)
        return [_answer(request.request, time_in, time_out, result=[])] if all_refused else []

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Deribit sends for a request that it does not take."""
        code = {"Method not found": -32601, "Invalid params": _INVALID}.get(command.reason, 11050)
        error = {"code": code, "message": command.reason}
        return _answer(command.request, time_in, time_out, error=error)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to public/test."""
        return _answer(command.request, time_in, time_out, result={"version": "1.2.26"})

    def heartbeat(self) -> bytes | None:
        """Return nothing: heartbeats have to be asked for."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel of trades."""
        del snapshot
        return _notification(f"trades.{_name(ticks[0].symbol)}.100ms", [_trade(tick) for tick in ticks])

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel of candles; it holds one."""
        del time, snapshot
        (row,) = rows
        candle = {
            "volume": row.volume,
            "tick": row.open_time // _MILLISECOND,
            "open": row.open,
            "low": row.low,
            "high": row.high,
            "cost": row.quote_volume,
            "close": row.close,
        }
        resolution = "1D" if minutes == _RESOLUTIONS["1D"] else str(minutes)
        return _notification(f"chart.trades.{_name(row.symbol)}.{resolution}", candle)

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a REST request asks for; its path begins below "/api/v2" or with it."""
        del query
        path = path.removeprefix("/api/v2")
        try:
            request = _decode(body)
            params = request.params
            if path not in (_BY_TIME, _BY_NUMBER, _CHART) or request.method != path[1:]:
                return BadQuery(status=400, reason="Method not found")
            if path == _BY_NUMBER:
                if params.start_seq is None:
                    raise ValueError("start_seq")
                return TradesQuery(
                    symbol=params.instrument_name, after_id=params.start_seq - 1, limit=_count(params.count)
                )
            if params.start_timestamp is None or params.end_timestamp is None:
                raise ValueError("start_timestamp")
            since = params.start_timestamp * _MILLISECOND
            until = (params.end_timestamp + 1) * _MILLISECOND
            if path == _CHART:
                return CandlesQuery(
                    symbol=params.instrument_name,
                    minutes=_RESOLUTIONS[params.resolution],
                    since=since,
                    until=until,
                    limit=_CANDLES_LIMIT,
                    newest=False,
                )
            return TradesQuery(symbol=params.instrument_name, since=since, until=until, limit=_count(params.count))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError):
            return BadQuery(status=400, reason="Invalid params")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades; the answer is as old as the newest of them, for what time it is is not told here."""
        del symbol
        number = _first(query)
        sent = ticks[-1].timestamp if ticks else query.since or 0
        return _answer(number, sent, sent, result={"trades": [_trade(tick) for tick in ticks], "has_more": more})

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return a chart: a column a field."""
        del symbol, more
        chart = {
            "volume": [row.volume for row in rows],
            "ticks": [row.open_time // _MILLISECOND for row in rows],
            "status": "ok" if rows else "no_data",
            "open": [row.open for row in rows],
            "low": [row.low for row in rows],
            "high": [row.high for row in rows],
            "cost": [row.quote_volume for row in rows],
            "close": [row.close for row in rows],
        }
        end = (query.until or 0) // _MILLISECOND - 1
        return _answer(end, now, now, result=chart)

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the instruments, as public/get_instruments does; rxstreams does not ask for them."""
        return _answer(1, 0, 0, result=[{"instrument_name": _name(symbol), "is_active": True} for symbol in symbols])

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Deribit's form."""
        error: dict[str, Any] = {"code": 11050, "message": reason or "bad_request"}
        if reason is None:
            error = {"code": _INVALID, "message": "Invalid params"}
            error["data"] = {"reason": "instrument not found", "param": "instrument_name"}
        return 400, _answer(None, 0, 0, error=error)


def _count(count: int) -> int:
    if not 1 <= count <= _TRADES_LIMIT:
        raise ValueError(f"expected a count from 1 to {_TRADES_LIMIT}, got {count}")
    return count


def _first(query: TradesQuery) -> int:
    """Return the id of the request, which this server is not told any more: that of a rxstreams client."""
    return (query.since or 0) // _MILLISECOND if query.after_id is None else query.after_id + 1


def _channel(request: Subscribe, name: str) -> str:
    if request.kind == "trades":
        return f"trades.{name}.100ms"
    return f"chart.trades.{name}.{'1D' if request.minutes == _RESOLUTIONS['1D'] else request.minutes}"


def _notification(channel: str, data: object) -> bytes:
    return _encode({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def _answer(number: int | None, time_in: int, time_out: int, **what: object) -> bytes:
    answer: dict[str, object] = {"jsonrpc": "2.0"}
    if number is not None:
        answer["id"] = number
    begin, end = time_in // 1000, time_out // 1000
    return _encode({**answer, **what, "usIn": begin, "usOut": end, "usDiff": end - begin, "testnet": False})
