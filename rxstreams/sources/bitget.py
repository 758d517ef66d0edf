"""Bitget spot, API v2: trades and candles.

API v2 is that of classic accounts, which Bitget only maintains; it recommends API v3, of the unified account. When v2
ends: not found. Public data needs no account.

Conventions, as recorded from API v1: a candle opens at the close before it, empty minutes are flat at the last close
with volume 0, and an open candle is followed by one of the next interval without a closed flag.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, StreamError, SubscriptionError
from rxstreams.instants import DAY, SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling, SpotPairs
from rxstreams.sources._wire.bitget import (
    Argument,
    Candles,
    Envelope,
    RestAnswer,
    Trade,
    Trades,
    candles_decoder,
    envelope_decoder,
    rest_answer_decoder,
    rest_candles_decoder,
    rest_trades_decoder,
    trades_decoder,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Conversation,
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

_MILLISECOND = 1_000_000
_TRADES = b'{"action":"update","arg":{"instType":"SPOT","channel":"trade",'
_QUOTES = ("USDT", "USDC", "USD1", "USDE", "EUR", "BRL", "TRY", "GBP", "BTC", "ETH", "BGB")
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "Buy": Side.BUY, "Sell": Side.SELL}
# What the socket and REST call them, and how many days back REST's newer candles go, less one; older ones are at
# another address. From six hours on they begin in UTC+8 without "utc". Left out are three days, weeks and months: on
# which day they begin was not found.
_INTERVALS = {
    "1m": ("candle1m", "1min", 29),
    "3m": ("", "3min", 29),
    "5m": ("candle5m", "5min", 29),
    "15m": ("candle15m", "15min", 51),
    "30m": ("candle30m", "30min", 61),
    "1h": ("candle1H", "1h", 82),
    "4h": ("candle4H", "4h", 239),
    "6h": ("candle6Hutc", "6Hutc", 359),
    "12h": ("candle12Hutc", "12Hutc", 359),
    "1d": ("candle1Dutc", "1Dutc", 359),
}
_TIMEFRAMES = {channel: timeframe for timeframe, (channel, _, _) in _INTERVALS.items() if channel}
# "Parameter NOPEUSDT does not exist", but of other parameters too; "The contract has been removed"; "symbol … is
# Invalid or not supported …".
_UNKNOWN_PARAMETER, _UNKNOWN_SYMBOL = "40034", ("40309", "42016")
# "… doesn't exist". 30016 ("Param error") was seen for channels that there are not.
_UNKNOWN_TOPIC = "30001"
_SURE_REACH = 7 * DAY
_NEWEST = "newest"
_order = attrgetter("timestamp", "trade_id")


class Bitget(SpotPairs, Venue):
    """Bitget spot.

    Limits: 10 messages a second, 240 subscriptions an hour, 1,000 topics a connection of which fewer than 50 are
    recommended, 4,096 bytes a request, which 40 topics stay below; 300 connections in 5 minutes, 100 at once. The
    client sends the text "ping" every 30 seconds, or is cut off after 2 minutes.

    REST: 10 requests a second for trades, 20 for candles, by address; no header tells what was counted. The newest 500
    trades have stamps in milliseconds, as the live ones; those before them have whole seconds, cut. So that all are
    alike, those of the newest are cut here too: of the second in which the time asked for lies, trades may be missing.
    They go back for 30 days; whether further than 7 days when no times are given: not found, so for what is older, an
    end before the time asked for is taken for a cut. (Contracts have such a rule.)

    Which trades its candles leave out: not found.

    Source: https://www.bitget.com/api-doc/common/websocket-intro and …/spot/market/Get-Market-Trades, read 2026-11-28.
    """

    name: ClassVar[str] = "bitget"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT", "ETH/USDC")
    url: ClassVar[str] = "wss://ws.bitget.com/v2/ws/public"
    rest_url: ClassVar[str] = "https://api.bitget.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((10, 1.0),)
    symbols_per_socket: ClassVar[int | None] = 40
    symbols_per_message: ClassVar[int] = 40
    messages_per_second: ClassVar[float] = 5.0
    connection_limit: ClassVar[tuple[int, float] | None] = (300, 300.0)
    heartbeat_interval: ClassVar[float | None] = 30.0
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_TIMEFRAMES.values())
    candle_fields: ClassVar[frozenset[str]] = frozenset({"quote_volume"})
    rest_timeframes: ClassVar[tuple[str, ...] | None] = tuple(_INTERVALS)
    rest_closes_candles: ClassVar[bool] = False  # the newest may be running, and nothing says so
    rest_resolution: ClassVar[int] = SECOND
    opens: ClassVar[Literal["first_trade", "previous_close"]] = "previous_close"
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    trades_reach: ClassVar[str] = "30 days"
    verified: ClassVar[str] = "trades and one-minute candles of ten symbols of its API v1, 2022-04-07, 53 minutes"
    documentation: ClassVar[tuple[str, str]] = ("https://www.bitget.com/api-doc/common/websocket-intro", "2026-11-28")
    spelling: ClassVar[PairSpelling] = PairSpelling("", quotes=_QUOTES)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; it can't carry a number."""
        return self._request("subscribe", channel, symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("unsubscribe", channel, symbols, request)

    def _request(self, operation: str, channel: Channel, symbols: Sequence[str], request: int) -> str:
        del request
        name = "trade" if channel.timeframe is None else _INTERVALS[str(channel.timeframe)][0]
        topics = [Argument("SPOT", name, self.to_venue_symbol(symbol)) for symbol in symbols]
        return msgspec.json.encode({"op": operation, "args": topics}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping, which is answered."""
        del request
        return "ping"

    def heartbeat_frame(self) -> str | None:
        """Return a ping."""
        return "ping"

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says that is the first one of its topic."""
        return self.conversation().parse(frame)

    def conversation(self) -> Conversation:
        """Return what tells a topic's first message, a snapshot of the past, from those that follow."""
        return _Conversation(self)

    def to_ticks(self, frame: bytes) -> tuple[str, list[PriceTick]]:
        """Return the spelling of the symbol of a frame with trades, and the trades."""
        message: Trades = decode(trades_decoder, frame, "expected Bitget trades")
        spelling = message.arg.inst_id
        try:
            return spelling, _ticks(self.from_venue_symbol(spelling), message.data)
        except ValueError as error:
            raise MessageError(f"expected Bitget trades: {error}", payload=frame) from error

    def to_candles(self, topic: Argument, frame: bytes) -> list[OHLCCandle]:
        """Return the candles of a frame."""
        message: Candles = decode(candles_decoder, frame, "expected Bitget candles")
        try:
            symbol, timeframe = self.from_venue_symbol(topic.inst_id), Timeframe(_TIMEFRAMES[topic.channel])
            return [_candle(symbol, timeframe, row, row[6:7], closed=False) for row in message.data]
        except ValueError as error:
            raise MessageError(f"expected Bitget candles: {error}", payload=frame) from error

    def to_answer(self, envelope: Envelope, frame: bytes) -> Message:
        """Return what the answer to a request says of one of its topics."""
        topic, event = envelope.arg, envelope.event
        if event == "error" and (topic is None or f"{envelope.code}" != _UNKNOWN_TOPIC or envelope.op == "unsubscribe"):
            # What passes is no reason to do without a symbol: it stays unanswered, and the session ends.
            return Unknown(kind=f"error: {envelope.code} {envelope.msg}")
        if topic is None or event not in ("error", "subscribe", "unsubscribe"):
            return Unknown(kind=f"{event} {envelope.code}".strip())
        try:
            symbols = (self.from_venue_symbol(topic.inst_id),)
        except ValueError as error:
            raise MessageError(f"expected a Bitget answer: {error}", payload=frame) from error
        if event == "error":
            return Rejected(symbols=symbols, reason=f"{envelope.code} {envelope.msg}")
        return Acknowledged(symbols=symbols, subscribed=event == "subscribe")

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for the newest trades, then for those before the lowest id so far."""
        del since, until
        query = {"symbol": self.to_venue_symbol(symbol)}
        if cursor is None:
            return RestRequest(path="/api/v2/spot/market/fills", query={**query, "limit": "500"})
        query["limit"] = "1000"
        if cursor != _NEWEST:
            query["idLessThan"] = cursor
        return RestRequest(path="/api/v2/spot/market/fills-history", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; the cursor is their lowest id. Without new ones the older ones are next."""
        rows: list[Trade] = decode(
            rest_trades_decoder, bytes(self._result(symbol, body).data), "expected Bitget REST trades"
        )
        try:
            ticks = _ticks(symbol, rows, self.rest_resolution)
            following = None if cursor else _NEWEST
            if rows:
                following = f"{min(int(row.trade_id) for row in rows)}"
        except ValueError as error:
            raise MessageError(f"expected Bitget REST trades: {error}", payload=body) from error
        return RestPage(items=ticks, cursor=following, backwards=bool(rows), reach=_SURE_REACH)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for the newest candles before an end: pages lead to the past."""
        _, granularity, days = _INTERVALS[str(self.check_timeframe(timeframe, rest=True))]
        now = time.time_ns()
        end = now if until is None else until
        if cursor is not None:
            end = int(cursor) * _MILLISECOND
        old = end < now - days * DAY
        query = {
            "symbol": self.to_venue_symbol(symbol),
            "granularity": granularity,
            # More than asked for shows that there are none between.
            "limit": str(min(max((end - since) // timeframe.nominal + 3, 3), 200 if old else 1000)),
        }
        if end != now:
            query["endTime"] = str(end // _MILLISECOND)
        return RestRequest(path=f"/api/v2/spot/market/{'history-' if old else ''}candles", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer."""
        answer = self._result(symbol, body)
        rows: list[list[str]] = decode(rest_candles_decoder, bytes(answer.data), "expected Bitget REST candles")
        try:
            candles = [_candle(symbol, timeframe, row, row[7:8], closed=True) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Bitget REST candles: {error}", payload=body) from error
        candles.sort(key=lambda candle: candle.open_time)
        oldest = str(candles[0].open_time // _MILLISECOND) if candles else None
        return RestPage(items=candles, cursor=oldest if oldest != cursor else None, backwards=True)

    def _result(self, symbol: str, body: bytes) -> RestAnswer:
        answer: RestAnswer = decode(rest_answer_decoder, body, "expected a Bitget REST answer")
        if answer.code == "00000":
            return answer
        error = self._refusal(symbol, answer)
        raise error or MessageError(f"Bitget refused the request: {answer.code} {answer.msg}", payload=body)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the code in an answer means."""
        del status
        try:
            return self._refusal(symbol, rest_answer_decoder.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _refusal(self, symbol: str, answer: RestAnswer) -> StreamError | None:
        words = f"{answer.code} {answer.msg}"
        names_it = answer.code == _UNKNOWN_PARAMETER and symbol and self.to_venue_symbol(symbol) in answer.msg
        if symbol and (names_it or answer.code in _UNKNOWN_SYMBOL):
            return SubscriptionError((symbol,), words)
        return RateLimited(f"Bitget refused the request: {words}") if answer.code == "429" else None


class _Conversation:
    """Reads the frames of one connection.

    A topic's first message is a snapshot of the past, which is passed over. A later one is an error: what it holds may
    be new.

    Memory: O(topics).
    """

    def __init__(self, venue: Bitget) -> None:
        self._venue = venue
        self._heard: set[tuple[str, str]] = set()  # channels and symbols of which something came

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._venue.unsubscribe_frame(channel, symbols, request)

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(_TRADES):
            return self._to_ticks(frame)
        if frame == b"pong":
            return (Heartbeat(),)
        envelope: Envelope = decode(envelope_decoder, frame, "expected a Bitget message")
        topic = envelope.arg
        if topic is not None and topic.inst_type.upper() != "SPOT":
            return (Unknown(kind=f"{topic.inst_type} {topic.channel}"),)
        if envelope.event:
            answer = self._venue.to_answer(envelope, frame)
            if topic is not None and envelope.event == "unsubscribe":
                self._heard.discard((topic.channel, topic.inst_id))
            return (answer,)
        if topic is None or (topic.channel != "trade" and topic.channel not in _TIMEFRAMES):
            return (Unknown(kind=topic.channel if topic else "?"),)
        if envelope.action == "snapshot" and (topic.channel, topic.inst_id) not in self._heard:
            self._heard.add((topic.channel, topic.inst_id))
            return (Unknown(kind=f"{'trade' if topic.channel == 'trade' else 'candle'} snapshot"),)
        if envelope.action != "update":
            what = f"a first snapshot or an update of {topic.channel}, got action {envelope.action!r}"
            raise MessageError(f"expected {what}", payload=frame)
        if topic.channel == "trade":
            return self._to_ticks(frame)
        self._heard.add((topic.channel, topic.inst_id))
        return self._venue.to_candles(topic, frame)

    def _to_ticks(self, frame: bytes) -> list[PriceTick]:
        spelling, ticks = self._venue.to_ticks(frame)
        self._heard.add(("trade", spelling))
        return ticks


def _ticks(symbol: str, rows: Iterable[Trade], resolution: int = _MILLISECOND) -> list[PriceTick]:
    """Return ticks in the order of their stamps, cut to a resolution, and ids, whatever that of the rows."""
    ticks = [_tick(symbol, row, resolution) for row in rows]
    ticks.sort(key=_order)
    return ticks


def _tick(symbol: str, row: Trade, resolution: int) -> PriceTick:
    price, stamp = float(row.price), int(row.ts) * _MILLISECOND
    if price <= 0:
        raise ValueError(f"a spot price must be over 0, got {row.price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=float(row.size),
        timestamp=stamp - stamp % resolution,
        exchange="bitget",
        trade_id=int(row.trade_id),
        side=_SIDES[row.side],
    )


def _candle(
    symbol: str, timeframe: Timeframe, row: Sequence[str], quote_volume: Sequence[str], *, closed: bool
) -> OHLCCandle:
    first, high, low, close, volume = map(float, row[1:6])
    (quote,) = map(float, quote_volume)
    if low <= 0:
        raise ValueError(f"a spot price must be over 0, got {low!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, int(row[0]) * _MILLISECOND),
        open=first,
        high=high,
        low=low,
        close=close,
        volume=volume,
        quote_volume=quote,
        exchange="bitget",
        closed=closed,
        complete=closed,
    )


FEEDS = Feeds(Bitget())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
