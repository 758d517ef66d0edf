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
from rxstreams.sources._wire.kraken import (
    CANDLES,
    CURSORS,
    ENVELOPES,
    REST_ANSWERS,
    REST_CANDLES,
    REST_TRADES,
    TRADES,
    Candles,
    Envelope,
    RestAnswer,
    RestCandle,
    Trades,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Heartbeat,
    Message,
    Rejected,
    RestPage,
    RestRequest,
    Skipped,
    Unknown,
    Venue,
    check_open,
    decode,
)
from rxstreams.timeframe import Timeframe

# The REST API names two assets as ISO 4217 would; WebSocket v2 names them as everybody does.
_REST_ASSETS = {"BTC": "XBT", "DOGE": "XDG"}
_TRADES_PER_PAGE = 1000
_CANDLES_KEPT = 720
# With HTTP 200: "EAPI:Rate limit exceeded", "EGeneral:Too many requests", and "EService: Throttled: 1764306000", whose
# number is the time from which on it may be asked again.
# Source: https://docs.kraken.com/exchange/guides/rest/ratelimits, read 2026-11-28; the second one is not documented
# (https://github.com/knowm/XChange/issues/4369).
_TOO_MANY = ("Rate limit exceeded", "Too many requests", "Throttled")
# Words of a refusal that are about the symbol. "Already subscribed" is none, and what else there is passes.
# Source: https://docs.kraken.com/api/docs/websocket-v2/trade, read 2026-11-23 ("Currency pair not supported ABC/USD").
_NO_SUCH_PAIR = "Currency pair"
_SUBSCRIBED = "Already subscribed"
_MICROSECOND = 1_000
_THROTTLED = re.compile(r"Throttled:\s*\[?(\d{1,12})\b")
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "b": Side.BUY, "s": Side.SELL}


class Kraken(Venue):
    """Kraken spot.

    REST stamps trades in seconds, as a binary float of the nanoseconds; the socket cuts them to microseconds. So they
    are cut here too, or a recovered trade would stand behind the live ones of the same order. As the float has been
    rounded, one in eight is a microsecond late all the same: of a trade that came live too the live stamp stands.

    Weeks and fifteen days are left out: on which days they begin was not found.

    Only a refusal that names the pair as unknown ends a symbol. Others ("Exceeded msg rate", "Internal error") leave
    the request unanswered; how they read in API v2: not found.

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
    candle_timeframes: ClassVar[tuple[str, ...]] = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    candle_fields: ClassVar[frozenset[str]] = frozenset({"trades", "quote_volume"})
    rest_closes_candles: ClassVar[bool] = True  # by "last"
    rest_resolution: ClassVar[int] = _MICROSECOND
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
        envelope: Envelope = decode(ENVELOPES, frame, "expected a Kraken message")
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
        if envelope.error:
            return (Unknown(kind=f"error: {envelope.error}"),)
        return (Unknown(kind=envelope.channel or envelope.method or "?"),)

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page; ``since`` is exclusive there, so it is moved back by a nanosecond.

        The cursor too: one order fills several at the same nanosecond, and a page may end between them.
        """
        del until
        first = since if cursor is None else int(cursor)
        query = {"pair": _rest_pair(symbol), "count": str(_TRADES_PER_PAGE), "since": str(max(0, first - 1))}
        return RestRequest(path="/0/public/Trades", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; their stamps are cut as the socket's are, the cursor is not."""
        del cursor
        rows, last = _rest_result(symbol, body, REST_TRADES)
        try:
            ticks = [
                _tick(symbol, float(row[0]), float(row[1]), _cut(bytes(row[2]).decode()), row[3], row[6])
                for row in rows
            ]
            int(last)
        except (ValueError, KeyError) as error:
            raise MessageError(f"expected Kraken trades: {error}", payload=body) from error
        return RestPage(items=ticks, cursor=last if len(rows) >= _TRADES_PER_PAGE else None)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request; the venue has the last 720 intervals and no more, so there is one page."""
        del until, cursor
        query = {
            "pair": _rest_pair(symbol),
            "interval": str(int(self.check_timeframe(timeframe, rest=True).minutes)),
            "since": str(max(0, since // SECOND - 1)),
        }
        return RestRequest(path="/0/public/OHLC", query=query, cursor=str(since))

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; the one whose interval is still running is not closed.

        As many as there are may be too few for what was asked for: ``cursor`` is that time.
        """
        rows, last = _rest_result(symbol, body, REST_CANDLES)
        try:
            candles = [_rest_candle(symbol, timeframe, row, closed=row[0] <= int(last)) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Kraken candles: {error}", payload=body) from error
        is_short = len(candles) >= _CANDLES_KEPT and candles[0].open_time - timeframe.nominal >= int(cursor or 0)
        return RestPage(items=candles, truncated=is_short)


def _to_ticks(frame: bytes) -> list[Message]:
    message: Trades = decode(TRADES, frame, "expected Kraken trades")
    if message.type != "update":  # not asked for: a snapshot repeats the past, and may hold what was not sent yet
        symbols = dict.fromkeys(trade.symbol for trade in message.data)
        return [Skipped(symbols=tuple(symbols), kind=f"trade {message.type}")]
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
    message: Candles = decode(CANDLES, frame, "expected Kraken candles")
    try:
        return [
            OHLCCandle(
                symbol=candle.symbol,
                timeframe=Timeframe(candle.interval),
                open_time=check_open(Timeframe(candle.interval), parse_iso(candle.interval_begin)),
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


def _to_answer(envelope: Envelope, frame: bytes) -> Message:
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
    if symbol and envelope.error.startswith(_SUBSCRIBED):
        return Acknowledged(symbols=(symbol,), request=envelope.req_id)
    # What answers no request of ours, and names a symbol, says that nothing more will come of it.
    if symbol and (envelope.error.startswith(_NO_SUCH_PAIR) or not envelope.req_id):
        return Rejected(symbols=(symbol,), reason=envelope.error, request=envelope.req_id)
    return Unknown(kind=f"error: {envelope.error}")


def _cut(seconds: str) -> int:
    return parse_decimal_seconds(seconds) // _MICROSECOND * _MICROSECOND


def _rest_pair(symbol: str) -> str:
    return "".join(_REST_ASSETS.get(asset, asset) for asset in symbol.split("/"))


def _rest_result(symbol: str, body: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[list[Any], str]:
    answer: RestAnswer = decode(REST_ANSWERS, body, "expected a Kraken REST answer")
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
            last = str(decode(CURSORS, bytes(raw), "expected a cursor"))
        else:
            rows = decode(decoder, bytes(raw), "expected rows of a Kraken REST answer")
    if rows is None or not last:
        raise MessageError("expected rows and 'last' in a Kraken REST answer", payload=body)
    return rows, last


def _throttled_for(reason: str) -> float | None:
    """Return the seconds until the time that the server names; None: it names none."""
    named = _THROTTLED.search(reason)
    return None if named is None else max(0.0, int(named[1]) - time.time())


def _rest_candle(symbol: str, timeframe: Timeframe, row: RestCandle, *, closed: bool) -> OHLCCandle:
    volume = float(row[6])
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, row[0] * SECOND),
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
