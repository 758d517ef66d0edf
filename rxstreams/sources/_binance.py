"""What Binance's venues share: streams of aggregate trades and candles, pages of both, error bodies, weights.

Its spot and futures markets speak one protocol, at other addresses and with other limits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, StreamError, SubscriptionError
from rxstreams.instants import DAY, HOUR
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._wire.binance import (
    CANDLES,
    ENVELOPES,
    ERRORS,
    EVENTS,
    EXCHANGE_INFOS,
    REST_CANDLES,
    REST_TRADES,
    TRADES,
    Candle,
    Envelope,
    Error,
    Event,
    ExchangeInfo,
    RestCandle,
    RestTrade,
    Trade,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Goodbye,
    Message,
    RestPage,
    RestRequest,
    Unknown,
    Venue,
    check_open,
    decode,
)
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_MINUTE = 60.0
_TRADES_PER_PAGE = 1000
_USED_WEIGHT = "x-mbx-used-weight-1m"
_INVALID_SYMBOL = -1121
_NO_DEAL = -1
_TOO_MANY_REQUESTS = -1003
# A time without trades that is taken for one where the venue may as well have left some out.
_SURE_QUIET = HOUR


class BinanceVenue(Venue):
    """What both venues do. Theirs are addresses, spellings, limits and what their trades stand for.

    Attributes:
        api: what the paths of its REST API begin with.
        candles_per_page: how many candles are asked for at a time.
        sure_reach: how far back its past trades surely go, nanoseconds; 0: to the first.
    """

    api: ClassVar[str]
    candles_per_page: ClassVar[int]
    sure_reach: ClassVar[int] = 0
    refuses_unknown: ClassVar[bool] = False  # a stream that will never send is acknowledged like any other
    contiguous_ids: ClassVar[bool] = True  # not documented; all that were recorded, over REST and live, are
    candle_fields: ClassVar[frozenset[str]] = frozenset({"trades", "quote_volume", "buy_volume"})
    closes_candles: ClassVar[bool] = True
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    rest_closes_candles: ClassVar[bool] = False  # the last may be running, and nothing says so

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; Binance sends no snapshots."""
        return self._request("SUBSCRIBE", channel, symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("UNSUBSCRIBE", channel, symbols, request)

    def _request(self, method: str, channel: Channel, symbols: Sequence[str], request: int) -> str:
        stream = "aggTrade" if channel.timeframe is None else f"kline_{channel.timeframe}"
        streams = [f"{self.to_venue_symbol(symbol).lower()}@{stream}" for symbol in symbols]
        return msgspec.json.encode({"method": method, "params": streams, "id": request}).decode()

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(b'{"e":"aggTrade"'):
            return (self._to_tick(frame),)
        envelope: Envelope = decode(ENVELOPES, frame, "expected a Binance message")
        if envelope.stream:
            data = bytes(envelope.data)
            event: Event = decode(EVENTS, data, "expected the data of a Binance stream")
            return (self._to_item(event.e, data),)
        if envelope.error is not None or envelope.code is not None or bytes(envelope.result):
            return (_to_answer(envelope),)
        return (self._to_item(envelope.e, frame),)

    def _to_item(self, kind: str, frame: bytes) -> Message:
        if kind == "aggTrade":
            return self._to_tick(frame)
        if kind == "kline":
            return self._to_candle(frame)
        if kind == "serverShutdown":
            return Goodbye(reason=kind)
        return Unknown(kind=kind or "?")

    def _to_tick(self, frame: bytes) -> PriceTick:
        trade: Trade = decode(TRADES, frame, "expected a Binance trade")
        try:
            return self._tick(self.from_venue_symbol(trade.s), trade)
        except ValueError as error:
            raise MessageError(f"expected a Binance trade: {error}", payload=frame) from error

    def _tick(self, symbol: str, trade: RestTrade) -> PriceTick:
        price = float(trade.p)
        if price <= 0.0:
            raise ValueError(f"a price must be over 0, got {trade.p!r}")
        if trade.l < trade.f:
            raise ValueError(f"the last of its deals is before the first: {trade.l} < {trade.f}")
        return PriceTick(
            symbol=symbol,
            price=price,
            volume=float(trade.q),
            timestamp=trade.T * _MILLISECOND,
            exchange=self.name,
            trade_id=trade.a,
            side=Side.SELL if trade.m else Side.BUY,
            count=trade.l - trade.f + 1,
        )

    def _to_candle(self, frame: bytes) -> OHLCCandle:
        message: Candle = decode(CANDLES, frame, "expected a Binance candle")
        kline = message.k
        try:
            if kline.i not in self.candle_timeframes:
                raise ValueError(f"no timeframe of it was asked for: {kline.i!r}")
            timeframe = Timeframe(kline.i)
            return OHLCCandle(
                symbol=self.from_venue_symbol(kline.s),
                timeframe=timeframe,
                open_time=check_open(timeframe, kline.t * _MILLISECOND),
                open=float(kline.o),
                high=float(kline.h),
                low=_low(kline.l),
                close=float(kline.c),
                volume=float(kline.v),
                trades=kline.n,
                quote_volume=float(kline.q),
                buy_volume=float(kline.V),
                exchange=self.name,
                closed=kline.x,
            )
        except ValueError as error:
            raise MessageError(f"expected a Binance candle: {error}", payload=frame) from error

    def used_weight(self, headers: Mapping[str, str]) -> Mapping[float, int]:
        """Return what the server has counted in the present minute, from all of our address."""
        for name, value in headers.items():
            if name.lower() == _USED_WEIGHT and value.isascii() and value.isdecimal():
                return {_MINUTE: int(value)}
        return {}

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page: the first by time, the others by id, so that none is lost between two.

        An end is not asked for: futures take one only within an hour of the start.

        What is handed on: "since SINCE", or "old SINCE" where that is over a day ago; "newest SINCE"; "before FIRST
        SINCE" to look at the trade before the first one.
        """
        del until
        path, query = f"{self.api}/aggTrades", {"symbol": self.to_venue_symbol(symbol)}
        kind, _, rest = (cursor or "").partition(" ")
        if kind == "newest":
            return RestRequest(path=path, query={**query, "limit": "1"})
        if kind == "before":
            before = int(rest.partition(" ")[0]) - 1
            return RestRequest(path=path, query={**query, "fromId": str(before), "limit": "1"})
        query["limit"] = str(_TRADES_PER_PAGE)
        if cursor is not None:
            return RestRequest(path=path, query={**query, "fromId": cursor})
        query["startTime"] = str(max(0, since // _MILLISECOND))
        handed_on = "old" if since < time.time_ns() - DAY else "since"
        return RestRequest(path=path, query=query, cursor=f"{handed_on} {since}")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; a full page goes on after its last id.

        A first page that begins long after the start, or is empty though that is old, is no proof that there were no
        trades: then the one before is looked at first.
        """
        rows: list[RestTrade] = decode(REST_TRADES, body, "expected Binance trades")
        lead = _lead(rows, *(cursor or "").split(" "))
        if lead is not None:
            return lead
        try:
            # Duplicates are left in their places, and marked by ids of deals that none has.
            ticks = [self._tick(symbol, row) for row in rows if not row.f == row.l == _NO_DEAL]
        except ValueError as error:
            raise MessageError(f"expected Binance trades: {error}", payload=body) from error
        following = str(rows[-1].a + 1) if len(rows) >= _TRADES_PER_PAGE else None
        return RestPage(items=ticks, cursor=following, reach=self.sure_reach)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for a page; start and end are those of open times, both inclusive."""
        query = {
            "symbol": self.to_venue_symbol(symbol),
            "interval": str(self.check_timeframe(timeframe, rest=True)),
            "startTime": str(max(0, since // _MILLISECOND)) if cursor is None else cursor,
            "limit": str(self.candles_per_page),
        }
        if until is not None:
            query["endTime"] = str(max(0, (until - 1) // _MILLISECOND))
        return RestRequest(path=f"{self.api}/klines", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; a full page goes on after its last open time."""
        del cursor
        rows: list[RestCandle] = decode(REST_CANDLES, body, "expected Binance candles")
        try:
            candles = [self._rest_candle(symbol, timeframe, row) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Binance candles: {error}", payload=body) from error
        return RestPage(items=candles, cursor=str(rows[-1][0] + 1) if len(rows) >= self.candles_per_page else None)

    def _rest_candle(self, symbol: str, timeframe: Timeframe, row: RestCandle) -> OHLCCandle:
        return OHLCCandle(
            symbol=symbol,
            timeframe=timeframe,
            open_time=check_open(timeframe, row[0] * _MILLISECOND),
            open=float(row[1]),
            high=float(row[2]),
            low=_low(row[3]),
            close=float(row[4]),
            volume=float(row[5]),
            trades=row[8],
            quote_volume=float(row[7]),
            buy_volume=float(row[9]),
            exchange=self.name,
            complete=True,
        )

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the code in the body means: no such symbol, or too many requests."""
        del status
        try:
            error: Error = decode(ERRORS, body, "expected a Binance error")
        except MessageError:
            return None
        if error.code == _INVALID_SYMBOL and symbol:
            return SubscriptionError((symbol,), error.msg)
        if error.code == _TOO_MANY_REQUESTS:
            return RateLimited(f"Binance refused the request: {error.msg}")
        return None

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return all symbols of the list, whether they are traded at the moment or not."""
        info: ExchangeInfo = decode(EXCHANGE_INFOS, body, "expected a list of Binance symbols")
        return frozenset(each.symbol for each in info.symbols)


def _lead(rows: Sequence[RestTrade], kind: str, *handed_on: str) -> RestPage | None:
    """Return a page without trades that leads on to a proof, or is one; None: the answer is a page of trades.

    Args:
        rows: of the answer.
        kind: of the cursor.
        handed_on: what stands behind it; the last is the earliest time wanted.
    """
    if kind not in ("since", "old", "newest", "before"):
        return None
    since = int(handed_on[-1])
    if kind == "before":
        is_proven = bool(rows) and since > rows[0].T * _MILLISECOND
        return RestPage(items=(), cursor=handed_on[0], truncated=not is_proven)
    if not rows:
        return RestPage(items=(), cursor=f"newest {since}") if kind == "old" else RestPage(items=())
    first, late = rows[0].a, rows[0].T * _MILLISECOND - since
    if kind == "newest" and late < 0:
        return RestPage(items=())
    if kind != "newest" and late <= _SURE_QUIET:
        return None
    return RestPage(items=(), cursor=f"before {first} {since}" if first > 0 else str(first))


def _to_answer(envelope: Envelope) -> Message:
    request = envelope.id if isinstance(envelope.id, int) else 0
    if envelope.error is None and envelope.code is None:
        if request and bytes(envelope.result) == b"null":
            return Acknowledged(symbols=(), request=request)
        return Unknown(kind="result")
    # Unknown symbols are not refused, so an error is never theirs: the request stays unanswered, and is made again.
    return Unknown(kind=f"error: {envelope.msg if envelope.error is None else envelope.error.msg}")


def _low(text: str) -> float:
    """Return the lowest price; with it all others are over 0."""
    low = float(text)
    if low <= 0.0:
        raise ValueError(f"a price must be over 0, got {text!r}")
    return low
