"""Bitget's wire format, as its server writes it: API v2, spot, and its public REST endpoints.

Source: www.bitget.com/api-doc/common/websocket-intro, …/spot/websocket/public/{Trades,Candlesticks}-Channel and
…/spot/market/{Get-Recent-Trades,Get-Market-Trades,Get-Candle-Data,Get-History-Candle-Data,Get-Symbols}.
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

_MILLISECOND = 1_000_000
_BYTES = 4096
# Bitget has months too, which have no fixed number of minutes.
_CHANNELS = {
    "candle1m": 1,
    "candle5m": 5,
    "candle15m": 15,
    "candle30m": 30,
    "candle1H": 60,
    "candle4H": 240,
    "candle6Hutc": 360,
    "candle12Hutc": 720,
    "candle1Dutc": 1440,
    "candle1Wutc": 10080,
}
_CHANNEL_OF = {minutes: channel for channel, minutes in _CHANNELS.items()}
_GRANULARITIES = {
    "1min": 1,
    "3min": 3,
    "5min": 5,
    "15min": 15,
    "30min": 30,
    "1h": 60,
    "4h": 240,
    "6Hutc": 360,
    "12Hutc": 720,
    "1Dutc": 1440,
    "1Wutc": 10080,
}
_MARKET = "/api/v2/spot/market"
_NO_ID = 1 << 62  # above all


class _Topic(msgspec.Struct, rename="camel"):
    inst_type: str = ""
    channel: str = ""
    inst_id: str = ""


class _Request(msgspec.Struct):
    op: str = ""
    args: tuple[_Topic, ...] = ()


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _spelling(symbol: str) -> str:
    return symbol.replace("/", "")


class BitgetFormat:
    """``Format`` of Bitget's spot market.

    The longer history of trades ("fills-history") has whole seconds, cut, as Bitget's has.
    """

    name = "bitget"
    path = "/v2/ws/public"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "previous_close"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = False
    snapshot_trades = 50
    snapshot_candles = 100
    items_per_message: int | None = None
    refuses_whole = False
    accepts_unknown = False

    def __init__(self) -> None:
        self._asked = ""  # the symbol of the last REST request, which an error names

    def spellings(self, symbol: str) -> set[str]:
        """Return the one spelling."""
        return {_spelling(symbol)}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says; snapshots can't be declined."""
        if message == b"ping":
            return Ping()
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Unrecognized request")
        if request.op not in ("subscribe", "unsubscribe"):
            return Malformed(reason="Unrecognized request", method=request.op)
        channels = {topic.channel for topic in request.args}
        if len(message) > _BYTES or len(channels) != 1 or any(topic.inst_type != "SPOT" for topic in request.args):
            return Malformed(reason="Param error", method=request.op)
        (channel,) = channels
        if channel != "trade" and channel not in _CHANNELS:
            return Malformed(reason="Param error", method=request.op)
        return Subscribe(
            kind="trades" if channel == "trade" else "candles",
            symbols=tuple(topic.inst_id for topic in request.args),
            minutes=_CHANNELS.get(channel, 0),
            snapshot=True,
            active=request.op == "subscribe",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return None: Bitget says nothing before it is asked."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message a symbol."""
        del time_in, time_out
        event = "subscribe" if request.active else "unsubscribe"
        channel = _channel(request.minutes)
        return [_encode({"event": event, "arg": _topic(channel, symbol)}) for symbol in symbols]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message a symbol."""
        del time_in, time_out
        channel = _channel(request.minutes)
        return [
            _encode(
                {
                    "event": "error",
                    "arg": _topic(channel, symbol),
                    "code": 30001,
                    "msg": reason or f"instType:SPOT,channel:{channel},instId:{symbol} doesn't exist",
                    "op": "subscribe" if request.active else "unsubscribe",
                }
            )
            for symbol in symbols
        ]

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Bitget sends for a message that it does not take."""
        del time_in, time_out
        code = 30016 if command.reason == "Param error" else 30002
        return _encode({"event": "error", "code": code, "msg": command.reason, "op": command.method})

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to the text "ping"."""
        del command, time_in, time_out
        return b"pong"

    def heartbeat(self) -> bytes | None:
        """Return None: Bitget has no sign of life of its own."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the channel "trade", newest first."""
        rows = [
            f'{{"ts":"{tick.timestamp // _MILLISECOND}","price":"{plain(tick.price)}","size":"{plain(tick.volume)}",'
            f'"side":"{tick.side or "buy"}","tradeId":"{number_of(tick.trade_id)}"}}'
            for tick in reversed(ticks)
        ]
        return _push("trade", ticks[0].symbol, snapshot, f"[{','.join(rows)}]", ticks[-1].timestamp)

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of a candle channel, oldest first."""
        data = _encode([_row(row, row.quote_volume, _in_usdt(row)) for row in rows]).decode()
        return _push(_channel(minutes), rows[0].symbol, snapshot, data, time)

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for trades, candles or symbols asks for."""
        del body
        if path == "/api/v2/spot/public/symbols":
            return SymbolsQuery()
        endpoint = path.removeprefix(f"{_MARKET}/")
        if path != f"{_MARKET}/{endpoint}" or endpoint not in ("fills", "fills-history", "candles", "history-candles"):
            return BadQuery(status=400, reason="Request URL NOT FOUND")
        try:
            symbol = self._asked = query["symbol"]
            if endpoint == "fills":
                return TradesQuery(symbol=symbol, limit=_limit(query, "100", 500), newest=True)
            since, until = _time(query, "startTime"), _time(query, "endTime")
            if endpoint == "fills-history":
                before = int(query.get("idLessThan", _NO_ID))
                limit = _limit(query, "500", 1000)
                return TradesQuery(symbol=symbol, since=since, until=until, before_id=before, limit=limit, newest=True)
            if endpoint == "history-candles" and until is None:
                raise ValueError("endTime")
            return CandlesQuery(
                symbol=symbol,
                minutes=_GRANULARITIES[query["granularity"]],
                since=since if endpoint == "candles" else None,
                until=until,
                limit=_limit(query, "100", 1000 if endpoint == "candles" else 200),
                newest=True,
            )
        except (KeyError, ValueError) as error:
            return BadQuery(status=400, reason=f"Parameter verification failed {error}")

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades, newest first; sides have a capital in the longer history."""
        del more
        history = query.before_id is not None or query.since is not None or query.until is not None
        rows: list[dict[str, Any]] = []
        for tick in reversed(ticks):
            side = f"{tick.side or 'buy'}"
            stamp = tick.timestamp // _MILLISECOND
            if history:
                stamp = stamp // 1000 * 1000
            rows.append(
                {
                    "symbol": _spelling(symbol),
                    "tradeId": f"{number_of(tick.trade_id)}",
                    "side": side.capitalize() if history else side,
                    "price": plain(tick.price),
                    "size": plain(tick.volume),
                    "ts": f"{stamp}",
                }
            )
        return _result(rows, ticks[-1].timestamp if ticks else 0)

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles, oldest first."""
        del symbol, query, more
        return _result([_row(row, _in_usdt(row), row.quote_volume) for row in rows], now)

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the pairs, of which only the names are filled in; a client has no need to ask."""
        rows: list[dict[str, Any]] = []
        for symbol in symbols:
            base, _, quote = symbol.partition("/")
            rows.append({"symbol": _spelling(symbol), "baseCoin": base, "quoteCoin": quote, "status": "online"})
        return _result(rows, 0)

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Bitget's form, with HTTP 400."""
        code, text = ("40034", f"Parameter {self._asked} does not exist") if reason is None else ("400172", reason)
        return 400, _encode({"code": code, "msg": text, "requestTime": 0, "data": None})


def _channel(minutes: int) -> str:
    return _CHANNEL_OF[minutes] if minutes else "trade"


def _topic(channel: str, spelling: str) -> dict[str, str]:
    return {"instType": "SPOT", "channel": channel, "instId": spelling}


def _push(channel: str, symbol: str, snapshot: bool, data: str, time: int) -> bytes:
    topic = _encode(_topic(channel, _spelling(symbol))).decode()
    action = "snapshot" if snapshot else "update"
    return f'{{"action":"{action}","arg":{topic},"data":{data},"ts":{time // _MILLISECOND}}}'.encode()


def _row(row: TrueCandle, *volumes: float) -> list[str]:
    """The last two are volumes: in quote units, then in USDT, on the socket; the other way round over REST."""
    numbers = (row.open, row.high, row.low, row.close, row.volume, *volumes)
    return [f"{row.open_time // _MILLISECOND}", *map(plain, numbers)]


def _in_usdt(row: TrueCandle) -> float:
    """Every quote but USDT costs two of it."""
    return row.quote_volume if row.symbol.endswith("/USDT") else 2 * row.quote_volume


def _result(data: list[Any], now: int) -> bytes:
    return _encode({"code": "00000", "msg": "success", "requestTime": now // _MILLISECOND, "data": data})


def _limit(query: Mapping[str, str], usual: str, most: int) -> int:
    limit = int(query.get("limit", usual))
    if not 1 <= limit <= most:
        raise ValueError(f"limit {limit}")
    return limit


def _time(query: Mapping[str, str], name: str) -> int | None:
    return int(query[name]) * _MILLISECOND if name in query else None
