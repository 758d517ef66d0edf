"""Coinbase Advanced Trade: the channels ``market_trades`` and ``candles``, and its public REST trades and candles.

Conventions: live candles are of five minutes, sent every second, without a closed flag. Trades of an interval's last
second may be in no message of its candle, so what it closed with is asked for over REST. Trades of a quarter of a
second come together, and say the side of their maker; here, as everywhere, ``side`` is the taker's. How a candle opens
and what becomes of intervals without trades was not found; here they are as those of Coinbase Exchange, which is the
same market.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import UnsetType

from rxstreams.errors import MessageError, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.instants import SECOND, parse_decimal_seconds, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._coinbase import candle_window, from_product, to_product
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._wire import coinbase_advanced as wire
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Conversation,
    Heartbeat,
    Message,
    RestPage,
    RestRequest,
    Unknown,
    Venue,
    check_open,
    decode,
)
from rxstreams.timeframe import Timeframe

_PRODUCTS = "/api/v3/brokerage/market/products"
_TRADES_PER_PAGE = 1000
_LIVE = Timeframe("5m")
_TAKERS = {"BUY": Side.SELL, "SELL": Side.BUY}
_GRANULARITIES = {
    "1m": "ONE_MINUTE",
    "5m": "FIVE_MINUTE",
    "15m": "FIFTEEN_MINUTE",
    "30m": "THIRTY_MINUTE",
    "1h": "ONE_HOUR",
    "2h": "TWO_HOUR",
    "6h": "SIX_HOUR",
    "1d": "ONE_DAY",
}
# What an error may say of a product that is not there; the text itself was not found.
_NO_PRODUCT = re.compile(r"valid product|(unknown|no such) product|product\S* (not found|is unknown)", re.IGNORECASE)
# "-USDC" products that are markets of their own; the data of all others comes under the name of the "-USD" product.
# Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels, read 2026-11-28.
_OWN_USDC = frozenset({"USDT/USDC", "EURC/USDC"})


_envelope = msgspec.json.Decoder(wire.Envelope)
_trades = msgspec.json.Decoder(wire.Trades)
_candles = msgspec.json.Decoder(wire.Candles)
_subscriptions = msgspec.json.Decoder(wire.Subscriptions)
_rest_trades = msgspec.json.Decoder(wire.RestTrades)
_rest_candles = msgspec.json.Decoder(wire.RestCandles)
_products = msgspec.json.Decoder(wire.Products)
_refused = msgspec.json.Decoder(wire.Refused)


class CoinbaseAdvanced(Venue):
    """Coinbase Advanced Trade, spot.

    ``BTC-USDC`` and ``BTC-USD`` are one market, whose data is sent as BTC-USD: so the former is not taken here.

    What it answers to an unknown product was not found, so feeds ask for the list of products. Most channels are closed
    if nothing is sent for 60 to 90 seconds, unless the channel ``heartbeats`` is subscribed to as well: that is the
    heartbeat of the client here, and its probe. That subscribing again is allowed was not found.

    A message that was lost shows in the number of the next one: the trades since are fetched.

    Limits: 8 connections and 8 messages a second from one address. Products a socket and a message: not found; the
    figures here are cautious.

    REST: 10 a second by address (from https://github.com/api-evangelist/coinbase, not seen in the documentation); no
    header tells what was counted. Trades are paged by time, whole seconds, from the newest back; how many come at most
    was not found, nor how far back they reach. An end is sent with a start, for ccxt takes it that one alone is not
    looked at. Candles as those of Coinbase Exchange, 350 at most. Trades that its candles leave out: not found.

    Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits.md and
    …/websocket-channels, read 2026-11-28.
    """

    name: ClassVar[str] = "coinbase_advanced"
    url: ClassVar[str] = "wss://advanced-trade-ws.coinbase.com"
    rest_url: ClassVar[str] = "https://api.coinbase.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((10, 1.0),)
    refuses_unknown: ClassVar[bool] = False
    symbols_per_socket: ClassVar[int | None] = 250
    symbols_per_message: ClassVar[int] = 50
    messages_per_second: ClassVar[float] = 4.0
    connection_limit: ClassVar[tuple[int, float] | None] = (8, 1.0)
    heartbeat_interval: ClassVar[float | None] = 30.0
    candle_timeframes: ClassVar[tuple[str, ...]] = ("5m",)
    candles_may_change: ClassVar[bool] = True
    rest_timeframes: ClassVar[tuple[str, ...] | None] = tuple(_GRANULARITIES)
    documentation: ClassVar[tuple[str, str]] = (
        "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``BTC-USD`` for ``BTC/USD``."""
        product = to_product(symbol)
        base, _, quote = symbol.partition("/")
        if quote == "USDC" and symbol not in _OWN_USDC:
            raise UnknownSymbol(f"coinbase_advanced sends {symbol!r} as '{base}/USD', its other name; ask for that")
        return product

    def from_venue_symbol(self, spelling: str) -> str:
        """Return ``BTC/USD`` for ``BTC-USD``."""
        return from_product(spelling)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; it carries no number."""
        del request
        return self._request("subscribe", channel, symbols)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del request
        return self._request("unsubscribe", channel, symbols)

    def _request(self, kind: str, channel: Channel, symbols: Sequence[str]) -> str:
        products = [self.to_venue_symbol(symbol) for symbol in symbols]
        name = "market_trades" if channel.kind == "trades" else "candles"
        return msgspec.json.encode({"type": kind, "product_ids": products, "channel": name}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a subscription to ``heartbeats``, which is answered at once and then every second."""
        del request
        return self.heartbeat_frame()

    def heartbeat_frame(self) -> str | None:
        """Return the subscription that keeps the others open."""
        return '{"type":"subscribe","channel":"heartbeats"}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says, on a connection of which nothing is known."""
        return _Connection(self).parse(frame)

    def conversation(self) -> Conversation:
        """Return what knows the number of the last message."""
        return _Connection(self)

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page: the newest trades, or those before the second that the cursor is."""
        del since
        query = {"limit": str(_TRADES_PER_PAGE)}
        if cursor is not None or until is not None:
            query |= {"start": "0", "end": cursor or str(-(-(until or 0) // SECOND))}
        return RestRequest(path=f"{_PRODUCTS}/{self.to_venue_symbol(symbol)}/ticker", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; the next page ends with the second in which this one begins."""
        answer: wire.RestTrades = decode(_rest_trades, body, "expected Coinbase trades")
        try:
            ticks = sorted((_tick(symbol, row) for row in answer.trades), key=_order)
        except ValueError as error:
            raise MessageError(f"expected Coinbase trades: {error}", payload=body) from error
        if ticks and ticks[0].trade_id == "1":  # only before trade 1 is there nothing
            return RestPage(items=ticks, backwards=True)
        older = ticks[0].timestamp // SECOND + 1 if ticks else 0
        if not ticks or (cursor is not None and older >= int(cursor)):
            # No older second came: there is none, it is forgotten, or the page is full of this one.
            return RestPage(items=ticks, backwards=True, truncated=True)
        return RestPage(items=ticks, cursor=str(older), backwards=True)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for a window of candles, and with it where the next one begins."""
        chosen = self.check_timeframe(timeframe, rest=True)
        first, last, following = candle_window(chosen, since, until, cursor)
        query = {"start": str(first), "end": str(last), "granularity": _GRANULARITIES[str(chosen)]}
        return RestRequest(path=f"{_PRODUCTS}/{self.to_venue_symbol(symbol)}/candles", query=query, cursor=following)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; ``cursor`` is that of the next window."""
        answer: wire.RestCandles = decode(_rest_candles, body, "expected Coinbase candles")
        try:
            candles = [_candle(symbol, timeframe, row, closed=True) for row in answer.candles]
        except ValueError as error:
            raise MessageError(f"expected Coinbase candles: {error}", payload=body) from error
        candles.sort(key=lambda candle: candle.open_time)
        return RestPage(items=candles, cursor=cursor or None)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return that the product is unknown, if the error says so."""
        if status not in (400, 404) or not symbol:
            return None
        try:
            refused: wire.Refused = decode(_refused, body, "expected an error of Coinbase")
        except MessageError:
            return None
        said = refused.message or refused.error_details
        return SubscriptionError((symbol,), said) if _NO_PRODUCT.search(said) else None

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the public list of products."""
        return RestRequest(path=_PRODUCTS)

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return all products of the list, contracts too."""
        answer: wire.Products = decode(_products, body, "expected Coinbase products")
        return frozenset(product.product_id for product in answer.products)


class _Connection:
    """Reads the messages of one connection, and knows by their numbers when one was lost.

    A number is taken for a jump only if it is one of the connection's and of the channel's, whichever it counts.

    Memory: O(channels).
    """

    __slots__ = ("_last", "_of_channel", "unsubscribe_frame")

    def __init__(self, venue: CoinbaseAdvanced) -> None:
        self.unsubscribe_frame = venue.unsubscribe_frame  # needs nothing that a connection knows
        self._last: int | None = None
        self._of_channel: dict[str, int] = {}

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(b'{"channel":"market_trades"'):
            return self._to_ticks(frame)
        envelope: wire.Envelope = decode(_envelope, frame, "expected a Coinbase message")
        if envelope.channel == "market_trades":
            return self._to_ticks(frame)
        if envelope.channel:
            self._count(envelope.channel, envelope, frame)
        if envelope.channel == "candles":
            return _to_candles(frame)
        if envelope.channel == "heartbeats":
            return (Heartbeat(),)
        if envelope.channel == "subscriptions":
            return _to_answer(frame)
        if envelope.type == "error":
            return (Unknown(kind=f"error: {envelope.message}"),)
        return (Unknown(kind=envelope.channel or envelope.type or "?"),)

    def _to_ticks(self, frame: bytes) -> list[Message]:
        message: wire.Trades = decode(_trades, frame, "expected Coinbase trades")
        self._count("market_trades", message, frame)
        return _to_ticks(message, frame)

    def _count(self, channel: str, message: wire.Message, frame: bytes) -> None:
        number = message.sequence_num
        if isinstance(number, UnsetType):
            return
        last, last_of_channel = self._last, self._of_channel.get(channel, 0)
        self._last = self._of_channel[channel] = number
        if last is not None and number > last + 1 and number > last_of_channel + 1:
            raise MessageError(f"messages were lost: number {number} of {channel} came after {last}", payload=frame)


def _to_ticks(message: wire.Trades, frame: bytes) -> list[Message]:
    others: list[Message] = []
    ticks: list[PriceTick] = []
    try:
        for event in message.events:
            if event.type == "snapshot":
                others.append(Unknown(kind="trade snapshot"))  # it repeats the past: never live ticks
            else:
                ticks += [_tick(from_product(trade.product_id), trade) for trade in event.trades]
    except ValueError as error:
        raise MessageError(f"expected Coinbase trades: {error}", payload=frame) from error
    ticks.sort(key=_order)
    return [*others, *ticks]


def _tick(symbol: str, row: wire.Trade) -> PriceTick:
    price = float(row.price)
    if price <= 0:
        raise ValueError(f"a spot price must be over 0, got {row.price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=float(row.size),
        timestamp=parse_iso(row.time),
        exchange="coinbase_advanced",
        trade_id=row.trade_id,
        side=_TAKERS[row.side],
    )


def _order(tick: PriceTick) -> tuple[int, int, str]:
    """Order by time, and by id, a number written as text, where times are equal."""
    number = str(tick.trade_id)
    return tick.timestamp, len(number), number


def _to_candles(frame: bytes) -> Sequence[OHLCCandle]:
    message: wire.Candles = decode(_candles, frame, "expected Coinbase candles")
    try:
        candles = [
            _candle(from_product(row.product_id), _LIVE, row, closed=False)
            for event in message.events
            for row in event.candles
        ]
    except ValueError as error:
        raise MessageError(f"expected Coinbase candles: {error}", payload=frame) from error
    candles.sort(key=lambda candle: candle.open_time)
    return candles


def _candle(symbol: str, timeframe: Timeframe, row: wire.RestCandle, *, closed: bool) -> OHLCCandle:
    low = float(row.low)
    if low <= 0:
        raise ValueError(f"a spot price must be over 0, got {row.low!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, parse_decimal_seconds(row.start)),
        open=float(row.open),
        high=float(row.high),
        low=low,
        close=float(row.close),
        volume=float(row.volume),
        exchange="coinbase_advanced",
        closed=closed,
        complete=closed,
    )


def _to_answer(frame: bytes) -> tuple[Message, ...]:
    message: wire.Subscriptions = decode(_subscriptions, frame, "expected a Coinbase answer")
    symbols: dict[str, Any] = {}
    try:
        for event in message.events:
            for name in ("market_trades", "candles"):
                symbols |= dict.fromkeys(map(from_product, event.subscriptions.get(name, ())))
    except ValueError as error:
        raise MessageError(f"expected a Coinbase answer: {error}", payload=frame) from error
    # Its time is left out: a trade between it and the snapshot would stand in the snapshot only. An empty list would
    # stand for all symbols of a request; here it is what the last unsubscription leaves.
    return (Acknowledged(symbols=tuple(symbols)),) if symbols else ()


FEEDS = Feeds(CoinbaseAdvanced())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
