"""Bitstamp, WebSocket API v2 and HTTP API v2: live trades, past trades and past candles; no live candles.

Its REST trades are stamped in whole seconds, the live ones in microseconds. The ids are the same on both ways and
ascend, so trades that came twice are told by them, and a page is put in order by (second, id). A stamp cut to the
second never leaves its minute. Of a recovered trade that came live too the live stamp stands; any other is stamped up
to a second too early, but never before the trades that it followed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import ClassVar, Literal

from rxstreams.errors import MessageError, RateLimited, StreamError, UnknownSymbol
from rxstreams.instants import DAY, MINUTE, SECOND, parse_decimal_seconds
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling
from rxstreams.sources._wire.bitstamp import (
    ENVELOPES,
    ERRORS,
    LIVE,
    MARKETS,
    REFUSALS,
    REST_CANDLES,
    REST_TRADES,
    Candles,
    Envelope,
    Error,
    Live,
    Market,
    Refusal,
    RestCandle,
    RestTrade,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Goodbye,
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
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_TRADES = "live_trades_"
_PERPETUAL = "-perp"
_CANDLES_PER_PAGE = 1000
# Whether there are others (its list is not read for it): not found. A pair with another is taken as it is asked for.
_QUOTES = ("USD", "EUR", "GBP", "BTC", "ETH", "USDT", "USDC", "RLUSD", "PYUSD")
_SIDES = {0: Side.BUY, 1: Side.SELL, "0": Side.BUY, "1": Side.SELL}
# {"response_code": "400.002", "response_explanation": "Request rejected due to exceeded rate limit."}, and those of one
# client's and one market's limit; with which HTTP status they come: not found.
# Source: https://www.bitstamp.net/api/, the table of response codes, read 2026-11-28.
_TOO_MANY = frozenset({"400.002", "400.067", "400.068"})
# What ``time=`` may be -> how old the wanted trades are at most for it to be tried first; whether it was long enough is
# seen by the answer. And what is tried next.
_REACHES = (("minute", 40 * SECOND), ("hour", 58 * MINUTE))
_LONGER = {"minute": "hour", "hour": "day"}


class Bitstamp(Venue):
    """Bitstamp: spot, and perpetuals that settle in their quote (``BTC/USD:USD`` is ``btcusd-perp``).

    REST candles open at their first trade (an example has 9064.66 after a close of 9064.77). Empty intervals: not found
    in its documentation; taken as flat, because a thousand 15-minute candles in a row were answered without a hole.
    Which trades they leave out: not found. They have no closed flag and no number of trades. Those of three days are
    left out here: on which days they begin was not found.

    Limits: 1,024 channels a connection, the next one closes it without a word; some room is left for changes. Messages
    of a client below 512 bytes. Subscriptions a second: not found; twenty at once were answered in the recordings.
    Connections: not found. It lives 90 days at most. The server sends WebSocket pings; a client need not send anything.

    Whether trades come in the order of their stamps is not documented; in the recordings they do.

    REST trades are those of the last minute, hour or day before the answer. How soon REST knows a trade: not found.

    The venue acknowledges markets that it does not have, so its list is looked at, and an error, which does not name a
    channel, ends no symbol: its request stays unanswered. REST answers 404 for such a market, with a page of the server
    before the API: it may mean anything else too.

    Source: notes of others on https://www.bitstamp.net/websocket/v2/ and https://www.bitstamp.net/api/, of September
    2026, read 2026-11-28.
    """

    name: ClassVar[str] = "bitstamp"
    url: ClassVar[str] = "wss://ws.bitstamp.net"
    rest_url: ClassVar[str] = "https://www.bitstamp.net"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USD", "ETH/EUR", "BTC/USD:USD")
    refuses_unknown: ClassVar[bool] = False
    symbols_per_socket: ClassVar[int | None] = 1000
    symbols_per_message: ClassVar[int] = 1
    messages_per_second: ClassVar[float] = 20.0
    disorder: ClassVar[float] = 2.0
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    rest_timeframes: ClassVar[tuple[str, ...] | None] = (
        *("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"),
    )
    trades_reach: ClassVar[str] = "1 day"
    rest_resolution: ClassVar[int] = SECOND
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((400, 1.0), (10_000, 600.0))
    documentation: ClassVar[tuple[str, str]] = ("https://www.bitstamp.net/websocket/v2/", "2026-11-28")

    def __init__(self) -> None:
        self._pairs = PairSpelling("", quotes=_QUOTES, lower=True)

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``btcusd`` for ``BTC/USD``, ``btcusd-perp`` for ``BTC/USD:USD``."""
        parts = split_symbol(symbol)
        spelling = self._pairs.to_venue(f"{parts.base}/{parts.quote}")
        if not parts.settle:
            return spelling
        if parts.settle != parts.quote or parts.expiry:
            raise UnknownSymbol(f"expected a spot pair or a perpetual such as 'BTC/USD:USD', got {symbol!r}")
        return spelling + _PERPETUAL

    def from_venue_symbol(self, spelling: str) -> str:
        """Return the symbol, the inverse."""
        if not spelling.endswith(_PERPETUAL):
            return self._pairs.from_venue(spelling)
        pair = self._pairs.from_venue(spelling.removesuffix(_PERPETUAL))
        return f"{pair}:{pair.partition('/')[2]}"

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; the venue sends no snapshot."""
        del channel, request
        return self._frame("bts:subscribe", symbols)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del channel, request
        return self._frame("bts:unsubscribe", symbols)

    def _frame(self, event: str, symbols: Sequence[str]) -> str:
        return f'{{"event":"{event}","data":{{"channel":"{_TRADES}{self.to_venue_symbol(symbols[0])}"}}}}'

    def probe_frame(self, request: int) -> str | None:
        """Return the client's heartbeat, which the venue answers."""
        del request
        return '{"event":"bts:heartbeat"}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.endswith(b'"event":"trade"}') and b'},"channel":"live_trades_' in frame:
            return (self._to_tick(frame),)
        envelope: Envelope = decode(ENVELOPES, frame, "expected a Bitstamp message")
        event, is_ours = envelope.event, envelope.channel.startswith(_TRADES)
        if event == "bts:heartbeat":
            return (Heartbeat(),)
        if event == "bts:request_reconnect":
            return (Goodbye(reason=event),)
        if event == "bts:error":
            error: Error = decode(ERRORS, frame, "expected a Bitstamp error")
            return (Unknown(kind=f"error: {error.data.get('message')}"),)
        if is_ours and event == "trade":
            return (self._to_tick(frame),)
        if is_ours and event in ("bts:subscription_succeeded", "bts:unsubscription_succeeded"):
            subscribed = event == "bts:subscription_succeeded"
            return (Acknowledged(symbols=(self._symbol_of(envelope.channel, frame),), subscribed=subscribed),)
        if is_ours:  # on a channel of trades nothing else is documented, so it may hold one
            return (Skipped(symbols=(self._symbol_of(envelope.channel, frame),), kind=event or "?"),)
        return (Unknown(kind=event or "?"),)

    def _symbol_of(self, channel: str, frame: bytes) -> str:
        try:
            return self.from_venue_symbol(channel.removeprefix(_TRADES))
        except ValueError as error:
            raise MessageError(f"expected the channel of a Bitstamp market: {error}", payload=frame) from error

    def _to_tick(self, frame: bytes) -> PriceTick:
        message: Live = decode(LIVE, frame, "expected a Bitstamp trade")
        trade = message.data
        try:
            symbol = self._symbol_of(message.channel, frame)
            stamp = parse_decimal_seconds(f"{trade.microtimestamp[:-6]}.{trade.microtimestamp[-6:]}")
            return _tick(symbol, trade.price_str, trade.amount_str, stamp, trade.id, trade.type)
        except ValueError as error:
            raise MessageError(f"expected a Bitstamp trade: {error}", payload=frame) from error

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for the last minute, hour or day: the shortest that may reach back to ``since``.

        It may be answered much later than it is made, and by another clock. ``cursor`` is a longer one, after an answer
        that was not seen to reach so far.
        """
        del until
        age = time.time_ns() - since
        span = cursor or next((span for span, reach in _REACHES if age <= reach), "day")
        path = f"/api/v2/transactions/{self.to_venue_symbol(symbol)}/"
        return RestRequest(path=path, query={"time": span}, cursor=f"{since}|{span}")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer, by second and id; of one that may be too short none, and which is next.

        ``cursor`` is the time that was asked for, and the span. A trade from before that time shows that all since then
        are there.
        """
        rows: list[RestTrade] = decode(REST_TRADES, body, "expected Bitstamp trades")
        try:
            ticks = [
                _tick(symbol, row.price, row.amount, parse_decimal_seconds(row.date), int(row.tid), row.type)
                for row in rows
            ]
        except ValueError as error:
            raise MessageError(f"expected Bitstamp trades: {error}", payload=body) from error
        ticks.sort(key=attrgetter("timestamp", "trade_id"))
        since, _, span = (cursor or "").partition("|")
        if not since or (ticks and ticks[0].timestamp + SECOND <= int(since)):
            return RestPage(items=ticks)
        if span in _LONGER:
            return RestPage(items=(), cursor=_LONGER[span])
        return RestPage(items=ticks, reach=DAY)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for the page that begins at ``since``; an ``end`` would push ``start`` aside."""
        del until
        step = int(self.check_timeframe(timeframe, rest=True).minutes) * 60
        start = since // SECOND // step * step if cursor is None else int(cursor)
        query = {"step": str(step), "limit": str(_CANDLES_PER_PAGE), "start": str(max(0, start))}
        return RestRequest(path=f"/api/v2/ohlc/{self.to_venue_symbol(symbol)}/", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; a full page is not the last."""
        del cursor
        answer: Candles = decode(REST_CANDLES, body, "expected Bitstamp candles")
        try:
            candles = [_candle(symbol, timeframe, row) for row in answer.data.ohlc]
        except ValueError as error:
            raise MessageError(f"expected Bitstamp candles: {error}", payload=body) from error
        candles.sort(key=attrgetter("open_time"))
        is_full = len(candles) >= _CANDLES_PER_PAGE
        return RestPage(items=candles, cursor=str(candles[-1].close_time // SECOND) if is_full else None)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what a rate limit's code means."""
        del symbol, status
        try:
            refusal: Refusal = decode(REFUSALS, body, "expected a Bitstamp error")
        except MessageError:
            return None
        if refusal.response_code not in _TOO_MANY:
            return None
        return RateLimited(f"Bitstamp refused: {refusal.response_code} {refusal.response_explanation}")

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the list of markets."""
        return RestRequest(path="/api/v2/markets/")

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return the names of all markets, also of those where trading is halted."""
        rows: list[Market] = decode(MARKETS, body, "expected Bitstamp markets")
        return frozenset(row.market_symbol for row in rows)


def _tick(symbol: str, price: str, volume: str, timestamp: int, trade_id: int, side: int | str) -> PriceTick:
    tick = PriceTick(
        symbol=symbol,
        price=float(price),
        volume=float(volume),
        timestamp=timestamp,
        exchange="bitstamp",
        trade_id=trade_id,
        side=_SIDES[side],
    )
    if tick.price <= 0:
        raise ValueError(f"a price must be over 0, got {price!r}")
    return tick


def _candle(symbol: str, timeframe: Timeframe, row: RestCandle) -> OHLCCandle:
    candle = OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, parse_decimal_seconds(row.timestamp)),
        open=float(row.open),
        high=float(row.high),
        low=float(row.low),
        close=float(row.close),
        volume=float(row.volume),
        exchange="bitstamp",
        closed=True,
        complete=True,
    )
    if candle.low <= 0:
        raise ValueError(f"prices must be over 0, got {row.low!r}")
    return candle


FEEDS = Feeds(Bitstamp())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
