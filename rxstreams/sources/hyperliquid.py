"""Hyperliquid's perpetuals, WebSocket and info endpoint: trades and candles.

Not spoken: spot pairs ("@107"), which are numbers in a table of their own, and the perpetuals of other deployers
("xyz:TSLA"). "kPEPE" is a thousand PEPE: a coin of its own here.

REST has the newest 10 trades of a coin only (``recentTrades``), and so can't close gaps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from rxstreams.errors import MessageError, SubscriptionError, UnknownSymbol
from rxstreams.instants import DAY
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._wire.hyperliquid import (
    Answer,
    Asked,
    Candle,
    CandlesAsked,
    Envelope,
    Meta,
    Trade,
    Trades,
    answer_decoder,
    asked_decoder,
    candles_decoder,
    envelope_decoder,
    meta_decoder,
    rest_candles_decoder,
    text_decoder,
    trades_decoder,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Conversation,
    Heartbeat,
    Message,
    RestPage,
    RestRequest,
    Skipped,
    Unknown,
    Venue,
    check_open,
    decode,
)
from rxstreams.symbols import SymbolParts, split_symbol
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_CANDLES = 5000
_TRADES_PREFIX = b'{"channel":"trades","data":['
_COIN = re.compile(r"[A-Za-z0-9]+")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SIDES = {"A": Side.SELL, "B": Side.BUY}
_INTERVALS = {text: Timeframe(text) for text in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d")}


class Hyperliquid(Venue):
    """Hyperliquid's own perpetuals, which settle in USDC.

    Trades: ``tid`` is a hash of the two orders, unique together with coin and time only, so it is an id without an
    order. Each subscription begins with the newest old trades, in a message like any other: the first one after the
    acknowledgement. Whether there is one for a coin that never traded: not found, so the first message may be a live
    one, and the coverage begins after it.

    Candles: volume is in coins. Whether they open at their first trade, and what becomes of an interval without one:
    not found. There is no closed flag. The venue has candles of three days, of a week and of a month too; on which day
    those begin: not found, so they are left out. REST keeps the newest 5,000 of each timeframe.

    Whether a subscription to a coin that there is not is refused, and in which words: not found. So the list of coins
    is looked at, and an error ends no symbol: its request stays unanswered.

    Limits: 1,000 subscriptions and 2,000 messages a minute from one address, over all sockets; 100 sockets (other
    descriptions have 10, and 30 new ones a minute; the lower numbers are kept here). The server closes a connection on
    which it has sent nothing for 60 seconds. REST: 1,200 a minute, 20 for a request, and one more for 60 candles.

    Source: https://hyperliquid.gitbook.io/Hyperliquid-docs/for-developers/api/rate-limits, read 2026-11-28; of the
    lower numbers and of the 60 seconds: src/live/session.rs in https://docs.rs/crate/df-hyperliquid-core, read
    2026-11-28; of the old trades: https://github.com/tardis-dev/tardis-node/releases/tag/18.8.1, read 2026-11-28.
    """

    name: ClassVar[str] = "hyperliquid"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDC:USDC", "kPEPE/USDC:USDC")
    url: ClassVar[str] = "wss://api.hyperliquid.xyz/ws"
    rest_url: ClassVar[str] = "https://api.hyperliquid.xyz"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((1200, 60.0),)
    refuses_unknown: ClassVar[bool] = False
    symbols_per_socket: ClassVar[int | None] = 200
    symbols_per_message: ClassVar[int] = 1
    messages_per_second: ClassVar[float] = 20.0
    connection_limit: ClassVar[tuple[int, float] | None] = (30, 60.0)
    heartbeat_interval: ClassVar[float | None] = 30.0
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_INTERVALS)
    candle_fields: ClassVar[frozenset[str]] = frozenset({"trades"})
    has_rest_trades: ClassVar[bool] = False
    documentation: ClassVar[tuple[str, str]] = (
        "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return the coin: "BTC" for ``BTC/USDC:USDC``."""
        parts = split_symbol(symbol)
        if parts != SymbolParts(parts.base, "USDC", "USDC") or not _COIN.fullmatch(parts.base):
            raise UnknownSymbol(f"expected a perpetual such as 'BTC/USDC:USDC', got {symbol!r}")
        return parts.base

    def from_venue_symbol(self, spelling: str) -> str:
        """Return our symbol of a coin's perpetual."""
        return _symbol(spelling)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request, which is for one symbol and has no number."""
        del request
        return self._request("subscribe", channel, symbols)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del request
        return self._request("unsubscribe", channel, symbols)

    def _request(self, method: str, channel: Channel, symbols: Sequence[str]) -> str:
        (symbol,) = symbols
        subscription = {"type": "trades", "coin": self.to_venue_symbol(symbol)}
        if channel.timeframe is not None:
            subscription |= {"type": "candle", "interval": str(self.check_timeframe(channel.timeframe))}
        return msgspec.json.encode({"method": method, "subscription": subscription}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping, answered with a pong."""
        del request
        return self.heartbeat_frame()

    def heartbeat_frame(self) -> str | None:
        """Return a ping, so that the server has something to send."""
        return '{"method":"ping"}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says on a connection on which nothing was acknowledged yet."""
        return _Connection(self).parse(frame)

    def conversation(self) -> Conversation:
        """Return what knows for which coins the old trades have yet to come."""
        return _Connection(self)

    def rest_weight(self, request: RestRequest) -> int:
        """Return 20, and one for each 60 candles that may come."""
        asked: Asked = decode(asked_decoder, request.body or b"", "expected a Hyperliquid request")
        if asked.req is None:
            return 20
        width = _INTERVALS[asked.req.interval].nominal // _MILLISECOND
        count = min(_CANDLES, (asked.req.end_time - asked.req.start_time) // width + 1)
        return 20 + -(-count // 60)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request; the venue has the newest 5,000 and no more, so there is one page."""
        del cursor
        begin = max(0, since // _MILLISECOND)
        end = (time.time_ns() + DAY if until is None else until) // _MILLISECOND
        asked = CandlesAsked(
            self.to_venue_symbol(symbol), str(self.check_timeframe(timeframe, rest=True)), begin, max(begin, end)
        )
        return _post(Asked("candleSnapshot", asked))

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer, which may be a part of what was asked for."""
        del cursor
        rows: list[Candle] | None = decode(rest_candles_decoder, body, "expected Hyperliquid candles")
        if rows is None:
            # So it answers where it has no such coin: tests of src/live in df-hyperliquid-core, of another request.
            raise SubscriptionError((symbol,), "Hyperliquid answered null: it has no such coin")
        try:
            rows.sort(key=lambda row: row.open_time)
            candles = [_to_candle(row, closed=True) for row in rows]
            if any((candle.symbol, candle.timeframe) != (symbol, timeframe) for candle in candles):
                raise ValueError(f"asked for {timeframe} of {symbol} only")
        except ValueError as error:
            raise MessageError(f"expected Hyperliquid candles: {error}", payload=body) from error
        return RestPage(items=candles, reach=_CANDLES * timeframe.nominal)

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the list of perpetuals."""
        return _post(Asked("meta"))

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return the coins that are not delisted."""
        meta: Meta = decode(meta_decoder, body, "expected Hyperliquid's coins")
        return frozenset(coin.name for coin in meta.universe if not coin.delisted)


class _Connection:
    """Reads the messages of one connection. Memory: O(coins)."""

    def __init__(self, venue: Hyperliquid) -> None:
        self.unsubscribe_frame = venue.unsubscribe_frame  # needs nothing that a connection knows
        self._begun: set[str] = set()  # coins that are acknowledged, and whose old trades have not come

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(_TRADES_PREFIX):
            return self._to_ticks(frame)
        envelope: Envelope = decode(envelope_decoder, frame, "expected a Hyperliquid message")
        if envelope.channel == "trades":
            return self._to_ticks(frame)
        if envelope.channel == "candle":
            return _to_candles(bytes(envelope.data))
        if envelope.channel == "pong":
            return (Heartbeat(),)
        if envelope.channel == "subscriptionResponse":
            return (self._to_answer(bytes(envelope.data)),)
        if envelope.channel == "error":
            return (_to_error(bytes(envelope.data)),)
        return (Unknown(kind=envelope.channel or "?"),)

    def _to_ticks(self, frame: bytes) -> list[Message]:
        message: Trades = decode(trades_decoder, frame, "expected Hyperliquid trades")
        try:
            ticks: list[Message] = [_tick(trade) for trade in message.data]
        except ValueError as error:
            raise MessageError(f"expected Hyperliquid trades: {error}", payload=frame) from error
        if self._begun and message.data and message.data[0].coin in self._begun:
            self._begun.discard(message.data[0].coin)
            return [Skipped(symbols=(_symbol(message.data[0].coin),), kind="trade snapshot")]
        return ticks

    def _to_answer(self, data: bytes) -> Message:
        answer: Answer = decode(answer_decoder, data, "expected a Hyperliquid answer")
        kind, coin = answer.subscription.type, answer.subscription.coin
        if kind not in ("trades", "candle"):
            return Unknown(kind=f"{answer.method} {kind}")
        try:
            symbol = _symbol(coin)
        except ValueError as error:
            raise MessageError(f"expected a Hyperliquid answer: {error}", payload=data) from error
        is_begin = answer.method == "subscribe"
        if is_begin and kind == "trades":
            self._begun.add(coin)
        return Acknowledged(symbols=(symbol,), subscribed=is_begin)


def _symbol(coin: str) -> str:
    if not _COIN.fullmatch(coin):
        raise ValueError(f"expected a coin of a perpetual, got {coin!r}")
    return f"{coin}/USDC:USDC"


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"expected a number, got {text!r}")
    return float(text)


def _tick(trade: Trade) -> PriceTick:
    price = _number(trade.px)
    if price <= 0:
        raise ValueError(f"a price must be over 0, got {price!r}")
    return PriceTick(
        symbol=_symbol(trade.coin),
        price=price,
        volume=_number(trade.sz),
        timestamp=trade.time * _MILLISECOND,
        exchange="hyperliquid",
        trade_id=str(trade.tid),
        side=_SIDES[trade.side],
    )


def _to_candles(data: bytes) -> list[Message]:
    rows: Candle | list[Candle] = decode(candles_decoder, data, "expected Hyperliquid candles")
    try:
        return [_to_candle(row, closed=False) for row in (rows if isinstance(rows, list) else [rows])]
    except ValueError as error:
        raise MessageError(f"expected Hyperliquid candles: {error}", payload=data) from error


def _to_candle(row: Candle, *, closed: bool) -> OHLCCandle:
    timeframe = _INTERVALS.get(row.i)
    if timeframe is None:
        raise ValueError(f"no interval is called {row.i!r}")
    open_time = check_open(timeframe, row.open_time * _MILLISECOND)
    if timeframe.next(open_time) != (row.last + 1) * _MILLISECOND:
        raise ValueError(f"no {timeframe} lasts from {row.open_time} to {row.last} ms")
    return OHLCCandle(
        symbol=_symbol(row.s),
        timeframe=timeframe,
        open_time=open_time,
        open=_number(row.o),
        high=_number(row.h),
        low=_number(row.l),
        close=_number(row.c),
        volume=_number(row.v),
        trades=row.n,
        exchange="hyperliquid",
        closed=closed,
        complete=closed,
    )


def _to_error(data: bytes) -> Message:
    try:
        words: str = decode(text_decoder, data, "expected the words of an error")
    except MessageError:
        words = data.decode("utf-8", "replace")
    return Unknown(kind=f"error: {words}")


def _post(asked: Asked) -> RestRequest:
    fields = {"type": asked.type} if asked.req is None else asked
    return RestRequest(path="/info", body=msgspec.json.encode(fields))


FEEDS = Feeds(Hyperliquid())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
