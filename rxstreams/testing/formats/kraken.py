"""Kraken's wire format, as its server writes it: WebSocket API v2 and the public REST endpoints Trades and OHLC.

Source: docs.kraken.com/api/docs/websocket-v2/{trade,ohlc,ping,heartbeat,status} and
docs.kraken.com/api/docs/rest-api/{get-recent-trades,get-ohlc-data}, checked against recorded messages.
"""

from __future__ import annotations

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
    SymbolsQuery,
    TradesQuery,
)
from rxstreams.testing.formats._text import iso, number_of, plain, whole_seconds

_SECOND = 1_000_000_000
# Kraken has weeks and fifteen days too; on which day those begin is not documented, so nobody can be held to it.
_INTERVALS = (1, 5, 15, 30, 60, 240, 1440)
_TRADES_LIMIT = 1000
_SECONDS_BELOW = 10**11
_CANDLES_LIMIT = 720
# Kraken's first assets and fiat currencies carry a class letter in REST's names.
_LEGACY_ASSETS = frozenset(["XBT", "ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "MLN", "REP", "XDG"])
_LEGACY_FIAT = frozenset(["USD", "EUR", "GBP", "CAD", "JPY", "AUD"])
_OLD_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_NEW_NAMES = {old: new for new, old in _OLD_NAMES.items()}


class _Params(msgspec.Struct):
    channel: str = ""
    symbol: tuple[str, ...] = ()
    snapshot: bool = True
    interval: int = 1


class _Request(msgspec.Struct):
    method: str = ""
    params: _Params | None = None
    req_id: int | None = None


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return _encode(text).decode()


def _pair_name(symbol: str) -> str:
    base, _, quote = symbol.partition("/")
    base, quote = _OLD_NAMES.get(base, base), _OLD_NAMES.get(quote, quote)
    if base in _LEGACY_ASSETS and quote in _LEGACY_FIAT:
        return f"X{base}Z{quote}"
    return f"{base}{quote}"


def _exact(instant: int) -> int:
    """Return the time of a trade of which the WebSocket writes the microsecond: trades of one order share it."""
    return instant + 300 + instant // 1_000 % 4 * 100


def _written_after(instant: int) -> int:
    """Return the first microsecond whose trades are later than an instant, by their exact times."""
    cut = instant // 1_000 * 1_000
    return cut if _exact(cut) > instant else cut + 1_000


class KrakenFormat:
    """``Format`` of Kraken's spot market.

    What is published is cut to microseconds, as the WebSocket writes it; REST has finer times, which are made up here.
    """

    name = "kraken"
    path = "/v2"
    resolution = 1_000  # what the WebSocket writes
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = False
    snapshot_trades = 50
    snapshot_candles = _CANDLES_LIMIT
    items_per_message: int | None = None
    refuses_whole = False
    accepts_unknown = False

    def spellings(self, symbol: str) -> set[str]:
        """Return old and new names (XBT, BTC), with and without a slash, and REST's own name."""
        base, _, quote = symbol.partition("/")
        names = {symbol, symbol.replace("/", ""), _pair_name(symbol)}
        for left in {base, _OLD_NAMES.get(base, base), _NEW_NAMES.get(base, base)}:
            for right in {quote, _OLD_NAMES.get(quote, quote), _NEW_NAMES.get(quote, quote)}:
                names |= {f"{left}/{right}", f"{left}{right}"}
        return names

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Malformed request")
        params = request.params or _Params()
        if request.method == "ping":
            return Ping(request=request.req_id)
        if request.method not in ("subscribe", "unsubscribe"):
            return Malformed(reason="Unsupported method", request=request.req_id, method=request.method)
        if params.channel not in ("trade", "ohlc"):
            return Malformed(reason="Channel field is invalid", request=request.req_id, method=request.method)
        if not params.symbol:
            return Malformed(reason="Symbol(s) not found", request=request.req_id, method=request.method)
        candles = params.channel == "ohlc"
        if candles and params.interval not in _INTERVALS:
            return Malformed(reason="Interval not supported", request=request.req_id, method=request.method)
        return Subscribe(
            kind="candles" if candles else "trades",
            symbols=params.symbol,
            minutes=params.interval if candles else 0,
            request=request.req_id,
            snapshot=params.snapshot,
            active=request.method == "subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return the status message that Kraken opens with."""
        row = {"api_version": "v2", "connection_id": 10**18 + connection, "system": "online", "version": "2.0.10"}
        return _encode({"channel": "status", "type": "update", "data": [row]})

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message a symbol."""
        messages: list[bytes] = []
        for symbol in symbols:
            result: dict[str, Any] = {"channel": "ohlc" if request.kind == "candles" else "trade"}
            if request.kind == "candles":
                result["interval"] = request.minutes
            if request.active:
                result["snapshot"] = request.snapshot
            result["symbol"] = symbol
            messages.append(_answer(_method(request), request.request, {"result": result}, True, time_in, time_out))
        return messages

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message a symbol."""
        return [
            _answer(
                _method(request),
                request.request,
                {"error": reason or f"Currency pair not supported {symbol}", "symbol": symbol},
                False,
                time_in,
                time_out,
            )
            for symbol in symbols
        ]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Kraken sends for a message that it does not take."""
        return _answer(command.method, command.request, {"error": command.reason}, False, time_in, time_out)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to a "ping" message."""
        return _answer("pong", command.request, {}, None, time_in, time_out)

    def heartbeat(self) -> bytes | None:
        """Return the sign of life that Kraken sends about once a second where nothing else is sent."""
        return b'{"channel":"heartbeat"}'

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "trade"."""
        rows = [
            f'{{"symbol":{_quoted(tick.symbol)},"side":"{tick.side or "buy"}","price":{tick.price!r},'
            f'"qty":{tick.volume!r},"ord_type":"limit","trade_id":{number_of(tick.trade_id)},'
            f'"timestamp":"{iso(tick.timestamp)}"}}'
            for tick in ticks
        ]
        kind = "snapshot" if snapshot else "update"
        return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'.encode()

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of the channel "ohlc"."""
        data = [
            {
                "symbol": row.symbol,
                "open": row.open,
                "high": row.high,
                "low": row.low,
                "close": row.close,
                "trades": row.trades,
                "volume": round(row.volume, 8),
                "vwap": round(row.quote_volume / row.volume, 5) if row.volume else 0.0,
                "interval_begin": f"{whole_seconds(row.open_time // _SECOND)}.000000000Z",
                "interval": minutes,
                "timestamp": f"{whole_seconds(row.close_time // _SECOND)}.000000Z",
            }
            for row in rows
        ]
        kind = "snapshot" if snapshot else "update"
        return _encode({"channel": "ohlc", "type": kind, "timestamp": iso(time), "data": data})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for Trades, OHLC or AssetPairs asks for; "since" is exclusive there."""
        del body
        if path == "/0/public/AssetPairs":
            return SymbolsQuery()
        if path not in ("/0/public/Trades", "/0/public/OHLC"):
            return BadQuery(status=404, reason="EGeneral:Unknown method")
        try:
            pair = query["pair"]
            since = int(query["since"]) if "since" in query else None
            if path.endswith("OHLC"):
                minutes = int(query.get("interval", "1"))
                if minutes not in _INTERVALS:
                    raise ValueError(minutes)
                since = None if since is None else since * _SECOND + 1
                # The newest ones, however long ago "since" is.
                return CandlesQuery(symbol=pair, minutes=minutes, since=since, limit=_CANDLES_LIMIT, newest=True)
            count = int(query.get("count", str(_TRADES_LIMIT)))
            if not 1 <= count <= _TRADES_LIMIT:
                raise ValueError(count)
        except (KeyError, ValueError):
            return BadQuery(status=200, reason="EGeneral:Invalid arguments")
        if since is None:
            return TradesQuery(symbol=pair, limit=count, newest=True)
        if since < _SECONDS_BELOW:
            since *= _SECOND  # it takes seconds too
        # The next page begins after the last stamp of this one.
        return TradesQuery(symbol=pair, since=_written_after(since), limit=count, whole_stamps=True)

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades; their times have the precision of a float of seconds, as Kraken's, and ``last`` has all."""
        del more
        rows = [
            [
                plain(tick.price),
                plain(tick.volume),
                _exact(tick.timestamp) / _SECOND,
                "s" if tick.side == "sell" else "b",
                "l",
                "",
                number_of(tick.trade_id),
            ]
            for tick in ticks
        ]
        last = _exact(ticks[-1].timestamp) if ticks else (query.since or 1) - 1
        return _encode({"error": [], "result": {_pair_name(symbol): rows, "last": str(last)}})

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles; ``last`` is the open time of the last interval that is over."""
        del more
        data = [
            [
                row.open_time // _SECOND,
                plain(row.open),
                plain(row.high),
                plain(row.low),
                plain(row.close),
                f"{row.quote_volume / row.volume:.5f}" if row.volume else "0.0",
                f"{row.volume:.8f}",
                row.trades,
            ]
            for row in rows
        ]
        seconds = query.minutes * 60
        last = (now // _SECOND // seconds - 1) * seconds
        return _encode({"error": [], "result": {_pair_name(symbol): data, "last": last}})

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the pairs under REST's names, with their old WebSocket names ("wsname")."""
        pairs: dict[str, dict[str, str]] = {}
        for symbol in symbols:
            base, quote = (_OLD_NAMES.get(asset, asset) for asset in symbol.split("/"))
            name = _pair_name(symbol)
            pairs[name] = {"altname": f"{base}{quote}", "wsname": f"{base}/{quote}", "status": "online"}
        return _encode({"error": [], "result": pairs})

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Kraken's form; its HTTP status is 200."""
        return 200, _encode({"error": [reason or "EQuery:Unknown asset pair"]})


def _method(request: Subscribe) -> str:
    return "subscribe" if request.active else "unsubscribe"


def _answer(
    method: str, request: int | None, fields: dict[str, Any], success: bool | None, time_in: int, time_out: int
) -> bytes:
    answer: dict[str, Any] = {"method": method} if method else {}
    answer |= fields
    if success is not None:
        answer["success"] = success
    answer |= {"time_in": iso(time_in), "time_out": iso(time_out)}
    if request is not None:
        answer["req_id"] = request
    return _encode(answer)
