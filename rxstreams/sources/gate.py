"""Gate spot, API v4: trades and candles.

Conventions: a candle opens at its first trade, and empty intervals are flat at the last close with volume 0: so they
are in recorded messages. It carries a flag that says closed, which may be missing. Where days and eight hours begin was
not found: they are taken to begin in UTC, and any other beginning is an error. Weeks are left out: "7d" counts from the
epoch, a Thursday (so Gate's client libraries say of its futures). Which trades its candles leave out: not found.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from rxstreams.errors import HistoryTooShort, MessageError, RateLimited, StreamError, SubscriptionError
from rxstreams.instants import DAY, SECOND
from rxstreams.items import PriceTick
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling, SpotPairs
from rxstreams.sources._wire.gate import (
    CandleMessage,
    Envelope,
    RestError,
    RestTrade,
    Trade,
    TradeMessage,
    candle_decoder,
    envelope_decoder,
    rest_candles_decoder,
    rest_error_decoder,
    rest_trades_decoder,
    to_candle,
    to_past_candle,
    to_tick,
    to_trade_id,
    to_whole,
    trade_decoder,
)
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

_MILLISECOND = 1_000_000
_PER_PAGE = 1000
_LAST_PAGE = 101  # limit times (page - 1) is 100,000 at most
_CANDLES_BACK = 9_990  # "Maximum 10000 points ago are allowed"; a few less, for clocks differ
_FORGOTTEN = "forgotten"
_DAYS_BACK = 30  # "By default, queries the last 30 days"
_PERIOD = 10.0
_INTERVALS = {
    "10s": "10s",
    "1m": "1m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1h",
    "4h": "4h",
    "8h": "8h",
    "1d": "1d",
}
_TIMEFRAMES = {interval: name for name, interval in _INTERVALS.items()}
_IS_TRADE = b'"channel":"spot.trades","event":"update"'
_HEAD = 160
_UNKNOWN_PAIR = re.compile(r"(?:unknown|invalid) currency pair:?(?: (\S+))?", re.IGNORECASE)
_CLOCK = re.compile(r"\btime\b|\btimestamp\b|expired", re.IGNORECASE)


class Gate(SpotPairs, Venue):
    """Gate spot.

    Limits of its public WebSocket: "unlimited" messages; symbols a socket, connections: not found; the figures here
    are cautious. A request for candles names one pair, so all requests here do. The server finds out by WebSocket pings
    whether the client lives.

    REST: 200 requests in 10 seconds from one address for each endpoint; here that is all of them together. Headers tell
    what is left. Trades: 30 days if no time is named; whether more are had by naming one was not found. Candles: the
    newest 10,000 of each timeframe.

    A refusal ends a pair only if it says that the pair is unknown. Requests carry our time, and one that is more than a
    minute off is refused; with which code was not found: the words of such an error are kept.

    Source: https://www.gate.com/docs/developers/apiv4/en/ and …/ws/en/, read 2026-11-28; 200 for public endpoints and
    the 10,000 candles are not there: others have measured them.
    """

    name: ClassVar[str] = "gate"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT", "ETH/USDT")
    url: ClassVar[str] = "wss://api.gateio.ws/ws/v4/"
    rest_url: ClassVar[str] = "https://api.gateio.ws"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((200, _PERIOD),)
    symbols_per_socket: ClassVar[int | None] = 250
    symbols_per_message: ClassVar[int] = 1
    messages_per_second: ClassVar[float] = 50.0
    contiguous_ids: ClassVar[bool] = True  # "Continuous Growth within a Single Market ID"
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_INTERVALS)
    candle_fields: ClassVar[frozenset[str]] = frozenset({"quote_volume"})
    closes_candles: ClassVar[bool] = True
    rest_closes_candles: ClassVar[bool] = True
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    trades_reach: ClassVar[str] = "30 days"
    documentation: ClassVar[tuple[str, str]] = ("https://www.gate.com/docs/developers/apiv4/ws/en/", "2026-11-28")
    spelling: ClassVar[PairSpelling] = PairSpelling("_")

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request; a request for candles takes one pair."""
        return self._request("subscribe", channel, symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("unsubscribe", channel, symbols, request)

    def _request(self, event: str, channel: Channel, symbols: Sequence[str], request: int) -> str:
        pairs = [self.to_venue_symbol(symbol) for symbol in symbols]
        fields: dict[str, Any] = {"channel": "spot.trades", "event": event, "payload": pairs}
        if channel.timeframe is not None:
            fields |= {"channel": "spot.candlesticks", "payload": [_INTERVALS[str(channel.timeframe)], *pairs]}
        # A time that is more than a minute off is refused, and the documentation wants one.
        return msgspec.json.encode({"time": int(time.time()), "id": request, **fields}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping, answered by ``spot.pong``."""
        return f'{{"time":{int(time.time())},"id":{request},"channel":"spot.ping"}}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if _IS_TRADE in frame[:_HEAD]:
            message: TradeMessage = decode(trade_decoder, frame, "expected a Gate trade")
            if message.channel == "spot.trades" and message.event == "update":
                return self._to_ticks(message.result, frame)
        envelope: Envelope = decode(envelope_decoder, frame, "expected a Gate message")
        if envelope.event == "update" and envelope.channel == "spot.trades":
            message = decode(trade_decoder, frame, "expected a Gate trade")
            return self._to_ticks(message.result, frame)
        if envelope.event == "update" and envelope.channel == "spot.candlesticks":
            return self._to_candles(frame)
        if envelope.channel == "spot.pong":
            return (Heartbeat(),)
        if envelope.event in ("subscribe", "unsubscribe"):
            return (self._to_answer(envelope, frame),)
        if envelope.channel in ("spot.trades", "spot.candlesticks"):
            failed = "" if envelope.error is None else f": {envelope.error.message} ({envelope.error.code})"
            raise MessageError(f"{envelope.channel} said {envelope.event or 'nothing'!r}{failed}", payload=frame)
        return (Unknown(kind=envelope.channel or "?"),)

    def _to_ticks(self, trade: Trade, frame: bytes) -> list[Message]:
        try:
            symbol = self.from_venue_symbol(trade.currency_pair)
            return [to_tick(symbol, trade, to_trade_id(trade))]
        except ValueError as error:
            raise MessageError(f"expected a Gate trade: {error}", payload=frame) from error

    def _to_candles(self, frame: bytes) -> list[Message]:
        message: CandleMessage = decode(candle_decoder, frame, "expected a Gate candle")
        row = message.result
        try:
            interval, _, pair = row.n.partition("_")
            timeframe = _TIMEFRAMES.get(interval)
            if timeframe is None:
                raise ValueError(f"an interval {interval!r}")
            columns = [row.t, row.v, row.c, row.h, row.l, row.o, row.a]
            return [to_candle(self.from_venue_symbol(pair), Timeframe(timeframe), columns, closed=row.w)]
        except ValueError as error:
            raise MessageError(f"expected a Gate candle: {error}", payload=frame) from error

    def _to_answer(self, envelope: Envelope, frame: bytes) -> Message:
        request = envelope.id or 0
        subscribed = envelope.event == "subscribe"
        pairs = envelope.payload or []
        if envelope.channel == "spot.candlesticks":
            pairs = pairs[1:]
        error = envelope.error
        try:
            if error is None:
                symbols = tuple(self.from_venue_symbol(pair) for pair in pairs)
                # To the end of the millisecond: what was published in it may have been missed.
                accepted = (envelope.time_ms + 1) * _MILLISECOND - 1 if envelope.time_ms else 0
                return Acknowledged(symbols=symbols, time=accepted, request=request, subscribed=subscribed)
        except ValueError as wrong:
            raise MessageError(f"expected a Gate answer: {wrong}", payload=frame) from wrong
        found = _UNKNOWN_PAIR.search(error.message)
        if not subscribed or found is None:
            hint = "; is this machine's clock right?" if _CLOCK.search(error.message) else ""
            return Unknown(kind=f"error: {envelope.event}: {error.message} ({error.code}){hint}")
        if request or not found[1]:  # the number tells all that were asked for; others are asked for again
            return Rejected(reason=error.message, request=request)
        return Rejected(symbols=(found[1].replace("_", "/"),), reason=error.message)

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page of a stretch of time, in whole seconds.

        The cursor names stretch and page, and with a sign for their order the last trade that has come.
        """
        begin, end, page, edge = (cursor or "::1:").split(":")
        # Whether both ends belong to it is not documented.
        begin = begin or str(max(0, since // SECOND - 1))
        query = {"currency_pair": self.to_venue_symbol(symbol), "limit": str(_PER_PAGE), "from": begin, "page": page}
        if end or until is not None:
            query["to"] = end or str(-(-(until or 0) // SECOND))
        # Without an end, the newest trade of the answer tells the time.
        now = "" if until is None else str(time.time_ns())
        return RestRequest(path="/api/v4/spot/trades", query=query, cursor=f"{begin}:{end}:{page}:{edge}:{now}")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; whether they come newest first is not documented, so it is looked at.

        Newest first, the trades of the meantime would shift the pages: so the stretch ends with the newest of the first
        page, and what has come already is left out.
        """
        rows: list[RestTrade] = decode(rest_trades_decoder, body, "expected Gate's REST trades")
        try:
            ticks = [to_tick(symbol, row, to_whole(row.sequence_id or row.id)) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Gate's REST trades: {error}", payload=body) from error
        begin, end, page, edge, now = (cursor or "::1::").split(":")
        if not ticks:
            return RestPage(items=(), truncated=_is_far(begin, int(now or 0)))
        backwards = edge[0] == "<" if edge else len(ticks) < 2 or _number_of(ticks[0]) > _number_of(ticks[-1])
        ticks.sort(key=_number_of)
        oldest, newest = ticks[0], ticks[-1]
        truncated = _is_far(begin, max(newest.timestamp, int(now or 0)))
        if edge:
            last = int(edge[1:])
            ticks = [tick for tick in ticks if (_number_of(tick) < last if backwards else _number_of(tick) > last)]
        if len(rows) < _PER_PAGE:
            return RestPage(items=ticks, backwards=backwards, truncated=truncated)
        stretch, page = (begin, end), str(int(page) + 1)
        if backwards:
            end = end or str(newest.timestamp // SECOND + 1)
            edge = f"<{_number_of(oldest)}"
        else:
            edge = f">{_number_of(newest)}"
        if int(page) > _LAST_PAGE:
            page = "1"
            if backwards:
                end = str(oldest.timestamp // SECOND + 1)
            else:
                begin = str(newest.timestamp // SECOND - 1)
            if (begin, end) == stretch:  # a second with more trades than can be had
                if not backwards:
                    raise MessageError(f"Gate does not give all trades of {symbol} of one second", payload=body)
                return RestPage(items=ticks, backwards=True, truncated=True)
        cursor = f"{begin}:{end}:{page}:{edge}"
        return RestPage(items=ticks, cursor=cursor, backwards=backwards, truncated=truncated)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for at most 1,000 candles, and with it where the next ones end; both ends belong to it."""
        interval = _INTERVALS[str(self.check_timeframe(timeframe, rest=True))]
        length = timeframe.nominal // SECOND
        newest = timeframe.floor(time.time_ns()) // SECOND
        end = newest if until is None else min(newest, timeframe.floor(max(0, until - 1)) // SECOND)
        if cursor is not None:
            end = int(cursor)
        first = timeframe.floor(max(0, since)) // SECOND
        begin = max(first, end - (_PER_PAGE - 1) * length)
        reach = newest - _CANDLES_BACK * length
        if end >= reach:
            begin = max(begin, reach)
        begin = min(begin, end)
        following = "" if begin <= first else _FORGOTTEN if begin == reach else str(begin - length)
        pair = self.to_venue_symbol(symbol)
        query = {"currency_pair": pair, "interval": interval, "from": str(begin), "to": str(end)}
        return RestRequest(path="/api/v4/spot/candlesticks", query=query, cursor=following)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; the venue says which are closed; ``cursor`` says where the next ones end."""
        rows: list[list[str]] = decode(rest_candles_decoder, body, "expected Gate's REST candles")
        try:
            candles = sorted((to_past_candle(symbol, timeframe, row) for row in rows), key=lambda each: each.open_time)
        except ValueError as error:
            raise MessageError(f"expected Gate's REST candles: {error}", payload=body) from error
        if cursor == _FORGOTTEN:
            return RestPage(items=candles, backwards=True, truncated=True)
        return RestPage(items=candles, cursor=cursor or None, backwards=True)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the label in the body means."""
        del status
        try:
            error: RestError = decode(rest_error_decoder, body, "expected a Gate error")
        except MessageError:
            return None
        if error.label == "INVALID_CURRENCY_PAIR":
            return SubscriptionError((symbol,), error.message or error.label)
        if error.label == "TOO_MANY_REQUESTS":
            return RateLimited(f"Gate refused the request: {error.message or error.label}")
        if "too long ago" in error.message:
            return HistoryTooShort(f"gate's candles of {symbol}: {error.message}")
        return None

    def used_weight(self, headers: Mapping[str, str]) -> Mapping[float, int]:
        """Return what the headers say was used of an endpoint's requests.

        Source: "Rate Limit" of https://www.gate.com/docs/developers/apiv4/en/, read 2026-11-28.
        """
        found = {name.lower(): value for name, value in headers.items()}
        try:
            limit = to_whole(found.get("x-gate-ratelimit-limit", ""))
            left = to_whole(found.get("x-gate-ratelimit-requests-remain", ""))
        except ValueError:
            return {}
        return {_PERIOD: max(0, limit - left)}


def _is_far(begin: str, now: int) -> bool:
    """Return whether a stretch begins so far back that its first trades may be forgotten."""
    return bool(begin) and int(begin) * SECOND < now - _DAYS_BACK * DAY


def _number_of(tick: PriceTick) -> int:
    return tick.trade_id if isinstance(tick.trade_id, int) else 0


FEEDS = Feeds(Gate())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
