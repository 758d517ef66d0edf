"""Kraken spot, WebSocket API v2 and REST: trades and candles.

Conventions, verified against recorded trades and candles: a candle opens at its first trade, empty minutes are flat at
the last close with volume 0, and an open candle is followed by one of the next interval without a closed flag.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, SubscriptionError
from rxstreams.instants import SECOND, parse_decimal_seconds, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Heartbeat,
    Message,
    Rejected,
    RestPage,
    RestRequest,
    Unknown,
    Venue,
    decode,
)
from rxstreams.timeframe import Timeframe

# The REST API names two assets as ISO 4217 would; WebSocket v2 names them as everybody does.
_REST_ASSETS = {"BTC": "XBT", "DOGE": "XDG"}
_TRADES_PER_PAGE = 1000
# With HTTP 200: "EAPI:Rate limit exceeded", "EGeneral:Too many requests", and "EService: Throttled: 1764306000", whose
# number is the time from which on it may be asked again.
# Source: https://docs.kraken.com/exchange/guides/rest/ratelimits, read 2026-11-28; the second one is not documented
# (https://github.com/knowm/XChange/issues/4369).
_TOO_MANY = ("Rate limit exceeded", "Too many requests", "Throttled")
_THROTTLED = re.compile(r"Throttled:\s*\[?(\d{1,12})\b")
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "b": Side.BUY, "s": Side.SELL}


class _Trade(msgspec.Struct, gc=False):
    """A trade of the channel ``trade``.

    ::

        {"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD", "side": "buy", "price": 105944.20,
         "qty": 0.00027625, "ord_type": "limit", "trade_id": 10218208, "timestamp": "2023-10-06T17:35:55.440295Z"}]}

    Source: https://docs.kraken.com/api/docs/websocket-v2/trade, read 2026-11-23.
    """

    symbol: str
    side: Literal["buy", "sell"]
    price: float
    qty: float
    trade_id: int
    timestamp: str


class _Candle(msgspec.Struct, gc=False):
    """A candle of the channel ``ohlc``: the running state of the present interval, sent on each trade.

    ::

        {"channel": "ohlc", "type": "update", "data": [{"symbol": "BTC/USD", "interval": 1,
         "interval_begin": "2023-10-04T16:25:00.000000000Z", "open": 106038.2, "high": 106044.3, "low": 106038.1,
         "close": 106040.1, "volume": 30927.68066226, "vwap": 106039.6, "trades": 12}]}

    Source: https://docs.kraken.com/api/docs/websocket-v2/ohlc, read 2026-11-23.
    """

    symbol: str
    interval: int
    interval_begin: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int


class _Result(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class _Envelope(msgspec.Struct):
    """Any message: a channel's update or the answer to a request.

    ::

        {"method": "subscribe", "req_id": 1, "result": {"channel": "trade", "snapshot": false, "symbol": "BTC/USD"},
         "success": true, "time_in": "2023-09-25T09:04:31.742599Z", "time_out": "2023-09-25T09:04:31.742648Z"}
        {"error": "Currency pair not supported ABC/USD", "method": "subscribe", "req_id": 1, "success": false,
         "symbol": "ABC/USD", "time_in": "…", "time_out": "…"}
        {"channel": "heartbeat"}

    Source: https://docs.kraken.com/api/docs/websocket-v2/trade and …/heartbeat, …/ping, read 2026-11-23.
    """

    channel: str = ""
    type: str = ""
    method: str = ""
    success: bool = True
    error: str = ""
    symbol: str = ""
    result: _Result | None = None
    req_id: int = 0
    time_out: str = ""


class _Trades(msgspec.Struct):
    channel: str
    type: str
    data: list[_Trade]


class _Candles(msgspec.Struct):
    data: list[_Candle]


class _RestAnswer(msgspec.Struct):
    """An answer of the REST API; a list of rows under the pair's name, and the cursor of the next page.

    ::

        {"error": [], "result": {"XXBTZUSD": [["30243.4", "0.34507674", 1688669597.8277369, "b", "m", "", 61044952]],
         "last": "1688671969993150842"}}

    Source: https://docs.kraken.com/api/docs/rest-api/get-recent-trades, read 2026-11-23.
    """

    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


# price, volume, time, side, order type, miscellaneous, trade id
_RestTrade = tuple[str, str, msgspec.Raw, str, str, str, int]
# time, open, high, low, close, vwap, volume, count; the last row is the interval that is still running.
# Source: https://docs.kraken.com/api/docs/rest-api/get-ohlc-data, read 2026-11-23.
_RestCandle = tuple[int, str, str, str, str, str, str, int]

_envelope = msgspec.json.Decoder(_Envelope)
_trades = msgspec.json.Decoder(_Trades)
_candles = msgspec.json.Decoder(_Candles)
_rest_answer = msgspec.json.Decoder(_RestAnswer)
_rest_trades = msgspec.json.Decoder(list[_RestTrade])
_rest_candles = msgspec.json.Decoder(list[_RestCandle])
_cursor = msgspec.json.Decoder(str | int)


class Kraken(Venue):
    """Kraken spot.

    Symbols a socket, subscribe messages a second: not found in its documentation; the figures here are cautious.

    REST: the public endpoints are limited by IP address, and Trades and OHLC by pair too; one call a second "would
    remain within the rate limits". How many may come at once: not found; here 15 in 15 seconds, of all pairs together.
    No header tells what was counted.

    Source: https://support.kraken.com/articles/206548367-what-are-the-api-rate-limits-, read 2026-11-28.
    """

    name: ClassVar[str] = "kraken"
    url: ClassVar[str] = "wss://ws.kraken.com/v2"
    rest_url: ClassVar[str] = "https://api.kraken.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((15, 15.0),)
    symbols_per_socket: ClassVar[int | None] = 250
    symbols_per_message: ClassVar[int] = 50
    messages_per_second: ClassVar[float] = 10.0
    contiguous_ids: ClassVar[bool] = True  # "a sequence number"; 1,000 of 1,000 recorded ones
    candle_timeframes: ClassVar[tuple[str, ...]] = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "15d")
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    verified: ClassVar[str] = "its own REST trades and one-minute candles of XBT/USDT, 2025-11-10/11, 409 minutes"
    documentation: ClassVar[tuple[str, str]] = ("https://docs.kraken.com/api/docs/websocket-v2/trade", "2026-11-23")

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; snapshots are refused, since they repeat old trades."""
        return self._request("subscribe", channel, symbols, request, {"snapshot": False})

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("unsubscribe", channel, symbols, request, {})

    def _request(
        self, method: str, channel: Channel, symbols: Sequence[str], request: int, extra: dict[str, Any]
    ) -> str:
        params: dict[str, Any] = {"channel": "trade", "symbol": list(symbols), **extra}
        if channel.timeframe is not None:
            params |= {"channel": "ohlc", "interval": int(channel.timeframe.minutes)}
        return msgspec.json.encode({"method": method, "params": params, "req_id": request}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return an application ping, answered with a pong (https://docs.kraken.com/api/docs/websocket-v2/ping)."""
        return f'{{"method":"ping","req_id":{request}}}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(b'{"channel":"trade"'):
            return _to_ticks(frame)
        envelope: _Envelope = decode(_envelope, frame, "expected a Kraken message")
        if envelope.channel == "trade":
            return _to_ticks(frame)
        if envelope.channel == "ohlc":
            return _to_candles(frame)
        if envelope.channel == "heartbeat" or envelope.method == "pong":
            return (Heartbeat(),)
        if envelope.method in ("subscribe", "unsubscribe"):
            return (_to_answer(envelope, frame),)
        if envelope.channel == "status":
            return ()
        return (Unknown(kind=envelope.channel or envelope.method or "?"),)

    def rest_trades_request(self, symbol: str, since: int, cursor: str | None) -> RestRequest:
        """Return the request for a page; ``since`` is exclusive there, so it is moved back by a nanosecond.

        The cursor too: one order fills several at the same nanosecond, and a page may end between them.
        """
        first = since if cursor is None else int(cursor)
        query = {"pair": _rest_pair(symbol), "count": str(_TRADES_PER_PAGE), "since": str(max(0, first - 1))}
        return RestRequest(path="/0/public/Trades", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer."""
        rows, last = _rest_result(symbol, body, _rest_trades)
        try:
            ticks = [
                _tick(
                    symbol, float(row[0]), float(row[1]), parse_decimal_seconds(bytes(row[2]).decode()), row[3], row[6]
                )
                for row in rows
            ]
            int(last)
        except (ValueError, KeyError) as error:
            raise MessageError(f"expected Kraken trades: {error}", payload=body) from error
        return RestPage(items=ticks, cursor=last if len(rows) >= _TRADES_PER_PAGE and last != cursor else None)

    def rest_candles_request(self, symbol: str, timeframe: Timeframe, since: int, cursor: str | None) -> RestRequest:
        """Return the request; the venue has the last 720 intervals and no more, so there is one page."""
        del cursor
        query = {
            "pair": _rest_pair(symbol),
            "interval": str(int(self.check_timeframe(timeframe).minutes)),
            "since": str(max(0, since // SECOND - 1)),
        }
        return RestRequest(path="/0/public/OHLC", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; the one whose interval is still running is not closed."""
        del cursor
        rows, last = _rest_result(symbol, body, _rest_candles)
        try:
            candles = [_rest_candle(symbol, timeframe, row, closed=row[0] <= int(last)) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Kraken candles: {error}", payload=body) from error
        return RestPage(items=candles)


def _to_ticks(frame: bytes) -> list[Message]:
    message: _Trades = decode(_trades, frame, "expected Kraken trades")
    if message.type != "update":
        return [Unknown(kind=f"trade {message.type}")]  # a snapshot repeats the past: never live ticks
    try:
        return [
            _tick(trade.symbol, trade.price, trade.qty, parse_iso(trade.timestamp), trade.side, trade.trade_id)
            for trade in message.data
        ]
    except ValueError as error:
        raise MessageError(f"expected Kraken trades: {error}", payload=frame) from error


def _tick(symbol: str, price: float, volume: float, timestamp: int, side: str, trade_id: int) -> PriceTick:
    if price <= 0:
        raise ValueError(f"a spot price must be over 0, got {price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=volume,
        timestamp=timestamp,
        exchange="kraken",
        trade_id=trade_id,
        side=_SIDES[side],
    )


def _to_candles(frame: bytes) -> list[Message]:
    message: _Candles = decode(_candles, frame, "expected Kraken candles")
    try:
        return [
            OHLCCandle(
                symbol=candle.symbol,
                timeframe=Timeframe(candle.interval),
                open_time=parse_iso(candle.interval_begin),
                open=candle.open,
                high=candle.high,
                low=candle.low,
                close=candle.close,
                volume=candle.volume,
                trades=candle.trades,
                quote_volume=candle.vwap * candle.volume,
                exchange="kraken",
                closed=False,
            )
            for candle in message.data
        ]
    except ValueError as error:
        raise MessageError(f"expected Kraken candles: {error}", payload=frame) from error


def _to_answer(envelope: _Envelope, frame: bytes) -> Message:
    subscribed = envelope.method == "subscribe"
    symbol = envelope.result.symbol if envelope.result is not None else envelope.symbol
    if envelope.success:
        try:
            time = parse_iso(envelope.time_out) if envelope.time_out else 0
        except ValueError as error:
            raise MessageError(f"expected a Kraken answer: {error}", payload=frame) from error
        return Acknowledged(symbols=(symbol,), time=time, request=envelope.req_id, subscribed=subscribed)
    if not subscribed:
        return Unknown(kind="unsubscribe refused")
    return Rejected(symbols=(symbol,) if symbol else (), reason=envelope.error, request=envelope.req_id)


def _rest_pair(symbol: str) -> str:
    return "".join(_REST_ASSETS.get(asset, asset) for asset in symbol.split("/"))


def _rest_result(symbol: str, body: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[list[Any], str]:
    answer: _RestAnswer = decode(_rest_answer, body, "expected a Kraken REST answer")
    if answer.error:
        reason = ", ".join(answer.error)
        if "Unknown asset pair" in reason:
            raise SubscriptionError((symbol,), reason)
        if any(words in reason for words in _TOO_MANY):
            raise RateLimited(f"Kraken refused the request: {reason}", retry_after=_throttled_for(reason))
        raise MessageError(f"Kraken refused the request: {reason}", payload=body)
    rows: list[Any] | None = None
    last = ""
    for key, raw in answer.result.items():
        if key == "last":
            last = str(decode(_cursor, bytes(raw), "expected a cursor"))
        else:
            rows = decode(decoder, bytes(raw), "expected rows of a Kraken REST answer")
    if rows is None or not last:
        raise MessageError("expected rows and 'last' in a Kraken REST answer", payload=body)
    return rows, last


def _throttled_for(reason: str) -> float | None:
    """Return the seconds until the time that the server names; None: it names none."""
    named = _THROTTLED.search(reason)
    return None if named is None else max(0.0, int(named[1]) - time.time())


def _rest_candle(symbol: str, timeframe: Timeframe, row: _RestCandle, *, closed: bool) -> OHLCCandle:
    volume = float(row[6])
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=row[0] * SECOND,
        open=float(row[1]),
        high=float(row[2]),
        low=float(row[3]),
        close=float(row[4]),
        volume=volume,
        trades=row[7],
        quote_volume=float(row[5]) * volume,
        exchange="kraken",
        closed=closed,
        complete=closed,
    )


FEEDS = Feeds(Kraken())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
