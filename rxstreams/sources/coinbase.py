"""Coinbase Exchange: the channel ``matches``, and REST trades and candles.

Conventions: intervals without trades have no candle (documented); that a candle opens at its first trade was not found
in words. It has no live candles. A trade says the side of its maker; here, as everywhere, ``side`` is the taker's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, StreamError, SubscriptionError
from rxstreams.instants import SECOND, format_instant, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._coinbase import candle_window, from_product, to_product
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
    check_open,
    decode,
)
from rxstreams.timeframe import Timeframe

_TRADES_PER_PAGE = 1000
_TAKERS = {"buy": Side.SELL, "sell": Side.BUY}
# What the reason of an error says of a product that is not there: other reasons may name one that is.
_PRODUCT = re.compile(r"(?<![\w-])[A-Z0-9]+-[A-Z0-9]+(?![\w-])")
_NO_PRODUCT = re.compile(r"not a valid product|invalid product|delisted", re.IGNORECASE)


class _RestTrade(msgspec.Struct, gc=False):
    """A trade of ``/products/ID/trades``, which has the newest first. ``side`` is the maker's.

    ::

        [{"time": "2020-03-20T00:36:59.860Z", "trade_id": 86327327, "price": "6225.32000000", "size": "0.06469797",
          "side": "sell"}]

    Source: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades,
    read 2026-11-28.
    """

    trade_id: int
    side: Literal["buy", "sell"]
    size: str
    price: str
    time: str


class _Match(_RestTrade, gc=False):
    """A trade of the channel ``matches``; ``side`` is the maker's. After subscribing the last one comes again.

    ::

        {"type": "match", "trade_id": 10, "maker_order_id": "ac928c66-…", "taker_order_id": "132fb6ae-…",
         "side": "sell", "size": "5.23512", "price": "400.23", "product_id": "BTC-USD", "sequence": 50,
         "time": "2014-11-07T08:19:27.028459Z"}
        {"type": "last_match", "trade_id": 10, …}

    Recorded in 2021, 107 of them, with these fields. Each one's side was the opposite of what the channel ``ticker``
    gave the same trade, which is the taker's. The ids of a product count every one of its trades.

    Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels, of which this part was not seen, but what is
    quoted of it about the side in https://github.com/c9s/bbgo/pull/2148.
    """

    product_id: str


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Envelope(msgspec.Struct):
    """Any message: its type, and what says whether a subscription was taken.

    ::

        {"type": "subscriptions", "channels": [{"name": "matches", "product_ids": ["BTC-USD", "ETH-USD"]}]}
        {"type": "error", "message": "Failed to subscribe", "reason": "GIBBERISH-USD is not a valid product"}
        {"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": "BTC-USD",
         "time": "2014-11-07T08:19:28.464459Z"}

    ``subscriptions`` lists all that the connection has, after an unsubscription too, and names no request. What an
    error does to the other products of its request was not found.

    Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels, read 2026-11-28, for the heartbeat; answer
    and error are from https://docs.rs/barter-data/latest/src/barter_data/exchange/coinbase/subscription.rs.html.
    """

    type: str = ""
    channels: list[_Channel] = []
    message: str = ""
    reason: str = ""


class _Refused(msgspec.Struct):
    """The body of an HTTP error: ``{"message": "NotFound"}``; of a path that is not there another one."""

    message: str


# time, low, high, open, close, volume; the newest row first (the page tells neither the volume nor the order; both are
# as other clients read them).
# Source: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles,
# read 2026-11-28.
_RestCandle = tuple[int, float, float, float, float, float]

_envelope = msgspec.json.Decoder(_Envelope)
_match = msgspec.json.Decoder(_Match)
_rest_trades = msgspec.json.Decoder(list[_RestTrade])
_rest_candles = msgspec.json.Decoder(list[_RestCandle])
_refused = msgspec.json.Decoder(_Refused)


class Coinbase(Venue):
    """Coinbase Exchange, spot.

    Each message subscribes to one product: an error names a product and no request, so nothing is left in doubt. The
    channel ``heartbeat`` comes along, a sign of life a second and product.

    Messages of ``matches`` may be dropped or come out of order, as the documentation is quoted by
    https://github.com/0xd3lbow/CoinbaseWebsocket; ids show what is missing, and it is fetched. In the recording none
    was missing or out of order. Trades that its candles leave out: not found.

    Limits: 8 requests a second from one address (20 at once), here the connections, and 100 messages a second from a
    client. Products a socket: not found, only the advice to spread them; 250 is a cautious figure.

    REST: 10 a second by address (15 at once); no header tells what was counted. Trades are paged from the newest back,
    by id, to the first. Their stamps are in milliseconds in the documentation and in answers of 2020, those of the
    socket in microseconds; whether they still are was not found. Candles come in windows of 300 intervals.

    Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits, …/best-practices,
    https://docs.cdp.coinbase.com/exchange/introduction/rate-limits-overview and …/rest-api/pagination, read 2026-11-28.
    """

    name: ClassVar[str] = "coinbase"
    url: ClassVar[str] = "wss://ws-feed.exchange.coinbase.com"
    rest_url: ClassVar[str] = "https://api.exchange.coinbase.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((10, 1.0),)
    symbols_per_socket: ClassVar[int | None] = 250
    symbols_per_message: ClassVar[int] = 1
    messages_per_second: ClassVar[float] = 50.0
    connection_limit: ClassVar[tuple[int, float] | None] = (8, 1.0)
    contiguous_ids: ClassVar[bool] = True  # 97 of 97 recorded ones
    rest_resolution: ClassVar[int] = 1_000_000
    rest_timeframes: ClassVar[tuple[str, ...] | None] = ("1m", "5m", "15m", "1h", "6h", "1d")
    documentation: ClassVar[tuple[str, str]] = (
        "https://docs.cdp.coinbase.com/exchange/websocket-feed/channels",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``BTC-USD`` for ``BTC/USD``."""
        return to_product(symbol)

    def from_venue_symbol(self, spelling: str) -> str:
        """Return ``BTC/USD`` for ``BTC-USD``."""
        return from_product(spelling)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; it carries no number."""
        del channel, request
        return _request("subscribe", symbols)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del channel, request
        return _request("unsubscribe", symbols)

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(b'{"type":"match"'):
            return (_to_tick(frame),)
        envelope: _Envelope = decode(_envelope, frame, "expected a Coinbase message")
        kind = envelope.type
        if kind == "match":
            return (_to_tick(frame),)
        if kind == "heartbeat":
            return (Heartbeat(),)
        if kind == "subscriptions":
            return _to_answer(envelope, frame)
        if kind == "error":
            return (_to_refusal(envelope),)
        # The last trade before the subscription repeats the past: never a live tick.
        return (Unknown(kind="trade snapshot" if kind == "last_match" else kind or "?"),)

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page: the newest trades, or those before the id that the cursor is."""
        del since, until
        query = {"limit": str(_TRADES_PER_PAGE)}
        if cursor is not None:
            query["after"] = cursor
        return RestRequest(path=f"/products/{to_product(symbol)}/trades", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; the next page is older, until trade 1."""
        rows: list[_RestTrade] = decode(_rest_trades, body, "expected Coinbase trades")
        rows.sort(key=lambda row: row.trade_id)
        try:
            ticks = [_tick(symbol, row) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Coinbase trades: {error}", payload=body) from error
        if not rows or (cursor is not None and rows[0].trade_id >= int(cursor)):
            # Nothing older came: only before trade 1 is there nothing.
            return RestPage(items=ticks, backwards=True, truncated=cursor != "1")
        return RestPage(items=ticks, cursor=str(rows[0].trade_id), backwards=True)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for a window of candles, and with it where the next one begins."""
        chosen = self.check_timeframe(timeframe, rest=True)
        first, last, following = candle_window(chosen, since, until, cursor)
        query = {
            "granularity": str(chosen.nominal // SECOND),
            "start": format_instant(first * SECOND),
            "end": format_instant(last * SECOND),
        }
        return RestRequest(path=f"/products/{to_product(symbol)}/candles", query=query, cursor=following)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; ``cursor`` is that of the next window."""
        rows: list[_RestCandle] = decode(_rest_candles, body, "expected Coinbase candles")
        try:
            candles = [_rest_candle(symbol, timeframe, row) for row in sorted(rows)]
        except ValueError as error:
            raise MessageError(f"expected Coinbase candles: {error}", payload=body) from error
        return RestPage(items=candles, cursor=cursor or None)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return that the product is unknown: HTTP 404 with the message that it is not found."""
        if status != 404 or not symbol:
            return None
        try:
            refused: _Refused = decode(_refused, body, "expected an error of Coinbase")
        except MessageError:
            return None
        return SubscriptionError((symbol,), refused.message) if refused.message == "NotFound" else None


def _request(kind: str, symbols: Sequence[str]) -> str:
    products = [to_product(symbol) for symbol in symbols]
    channels: list[dict[str, Any]] = [{"name": name, "product_ids": products} for name in ("matches", "heartbeat")]
    return msgspec.json.encode({"type": kind, "channels": channels}).decode()


def _to_tick(frame: bytes) -> PriceTick:
    match: _Match = decode(_match, frame, "expected a Coinbase trade")
    try:
        return _tick(from_product(match.product_id), match)
    except ValueError as error:
        raise MessageError(f"expected a Coinbase trade: {error}", payload=frame) from error


def _tick(symbol: str, row: _RestTrade) -> PriceTick:
    price = float(row.price)
    if price <= 0:
        raise ValueError(f"a spot price must be over 0, got {row.price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=float(row.size),
        timestamp=parse_iso(row.time),
        exchange="coinbase",
        trade_id=row.trade_id,
        side=_TAKERS[row.side],
    )


def _to_answer(envelope: _Envelope, frame: bytes) -> tuple[Message, ...]:
    try:
        symbols = [
            from_product(product)
            for channel in envelope.channels
            if channel.name == "matches"
            for product in channel.product_ids
        ]
    except ValueError as error:
        raise MessageError(f"expected a Coinbase answer: {error}", payload=frame) from error
    # An empty list would stand for all symbols of a request; here it is what the last unsubscription leaves.
    return (Acknowledged(symbols=tuple(symbols)),) if symbols else ()


def _to_refusal(envelope: _Envelope) -> Message:
    named = _PRODUCT.search(envelope.reason)
    if named is None or not _NO_PRODUCT.search(envelope.reason):
        return Unknown(kind=f"error: {envelope.message}: {envelope.reason}")
    return Rejected(symbols=(from_product(named[0]),), reason=envelope.reason)


def _rest_candle(symbol: str, timeframe: Timeframe, row: _RestCandle) -> OHLCCandle:
    if row[1] <= 0:
        raise ValueError(f"a spot price must be over 0, got {row[1]!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, row[0] * SECOND),
        low=row[1],
        high=row[2],
        open=row[3],
        close=row[4],
        volume=row[5],
        exchange="coinbase",
        closed=True,
        complete=True,
    )


FEEDS = Feeds(Coinbase())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
