"""Gemini: the trade streams of its WebSocket API, and REST trades and candles.

The market data feeds v1 and v2 (``wss://api.gemini.com/v2/marketdata``), which had live candles, are archived: the
documentation says that the API at ``wss://ws.gemini.com`` has replaced them, and to start with that one. It has no
candles, so there are no live ones here.

Conventions of its REST candles: not found in words. In the documentation's example, of a perpetual, intervals without
trades are flat at the last close with volume 0, and so they are taken here; that a candle opens at its first trade is
an assumption too. Where six hours and days begin was not found: they are taken to begin in UTC, and any other beginning
is an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rxstreams.errors import MessageError, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.instants import DAY, MINUTE
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling
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
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_TRADES_PER_PAGE = 500
_PROBE = "ping"
# A time in milliseconds where nanoseconds are due would be one of January 1970.
_EARLIEST = 10**17
_OK = 200
# What an error may say of a symbol that is not there; the text itself was not found.
_NO_SYMBOL = re.compile(
    r"(invalid|unknown|unsupported) ?(symbol|stream)|not a valid symbol|no such (symbol|stream)", re.IGNORECASE
)
_DAYS_BACK = 7
_TIME_FRAMES = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1hr", "6h": "6hr", "1d": "1day"}
_QUOTES = ("USD", "GUSD", "USDT", "USDC", "RLUSD", "DAI", "EUR", "GBP", "SGD", "BTC", "ETH", "BCH", "LTC", "SOL", "FIL")
# Of its list these alone would be split wrongly, before "gusd".
_IRREGULAR = {"paxgusd": "PAXG/USD", "moodengusd": "MOODENG/USD"}
_IRREGULAR_SPELLINGS = {symbol: spelling for spelling, symbol in _IRREGULAR.items()}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "auction": None, "block": None}


class _Error(msgspec.Struct):
    code: int
    msg: str


class _Message(msgspec.Struct, gc=False):
    """Any message: a trade, which has no name of its own in the schema, or the answer to a request, which has an id.

    ::

        {"e": "trade", "E": 1751508438600117161, "s": "btcusd", "t": 123456789, "p": "45000.50", "q": "0.25",
         "m": true}
        {"id": 1, "status": 200, "result": {}}
        {"id": 1, "status": 400, "error": {"code": -1002, "msg": "…"}}

    ``E`` is nanoseconds, ``t`` the trade's id, ``m`` whether the buyer was the maker; ``e`` is in an example, not in
    the schema. The result of a subscription is not described, nor whether old trades come after it.

    Source: https://github.com/gemini/developer-platform/blob/main/specs/asyncapi/websocket.yaml, version 0.10.7, and
    …/conformance/websocket, read 2026-11-28.
    """

    id: int | str | UnsetType = UNSET
    status: int = 0
    error: _Error | None = None
    e: str = ""
    E: int | UnsetType = UNSET
    s: str | UnsetType = UNSET
    t: int | UnsetType = UNSET
    p: str | UnsetType = UNSET
    q: str | UnsetType = UNSET
    m: bool | UnsetType = UNSET


class _RestTrade(msgspec.Struct, gc=False):
    """A trade of ``/v1/trades/SYMBOL``, which has the newest first.

    ::

        [{"timestamp": 1547146811, "timestampms": 1547146811357, "tid": 5335307668, "price": "3610.85",
          "amount": "0.27413495", "exchange": "gemini", "type": "buy"}]

    ``type`` is the taker's side; auctions and blocks, which other clients know, have none. Broken trades are left out.

    The page says that of the trades after a time "the most recent" come. What comes are the oldest of them: so at
    https://github.com/ccxt/ccxt/pull/15765, and with the id 0 it is "the earliest". Should the page be right, a full
    one would end in this minute; then it is said that older ones may be missing.

    Source: https://github.com/gemini/developer-platform/blob/main/specs/openapi/rest.yaml and
    https://developer.gemini.com/trading/rest-api/market-data/list-trades, read 2026-11-28.
    """

    timestampms: int
    tid: int
    price: str
    amount: str
    type: Literal["buy", "sell", "auction", "block"]


class _Refused(msgspec.Struct):
    """The body of an HTTP error.

    ::

        {"result": "error", "reason": "UnsupportedNetwork", "message": "UnsupportedNetwork: INVALIDTOKEN"}

    What it says of an unknown symbol was not found: see ``_NO_SYMBOL``.

    Source: https://github.com/gemini/developer-platform/blob/main/specs/openapi/rest.yaml, read 2026-11-28.
    """

    reason: str = ""
    message: str = ""


# time in milliseconds, open, high, low, close, volume; the newest row first.
# Source: https://developer.gemini.com/rest-api/trading/market-data/list-derivative-candles, read 2026-11-28; those of
# spot markets are of the same form.
_RestCandle = tuple[int, float, float, float, float, float]

_message = msgspec.json.Decoder(_Message)
_rest_trades = msgspec.json.Decoder(list[_RestTrade])
_rest_candles = msgspec.json.Decoder(list[_RestCandle])
_symbols = msgspec.json.Decoder(list[str])
_refused = msgspec.json.Decoder(_Refused)


class Gemini(Venue):
    """Gemini, spot.

    Trades of the stream have nanoseconds, those of REST milliseconds. That both name the same ids was not found: it is
    an assumption, for both are called the trade's id. If it were wrong, recovered trades would not be known again, and
    those of the overlap would count twice.

    What is answered to an unknown symbol was not found, so feeds ask for the list, and an error refuses a symbol only
    if its words say that there is none such. Trades that its candles leave out: not found.

    Limits of the WebSocket, and whether it sends signs of life: not found; the figures here are cautious. There is a
    ping as a message.

    REST: 120 requests a minute, and one a second as advice; no header tells what was counted. Trades are had of the
    last seven days, the oldest of them first, 500 a page. Of candles there is one page, the newest; how many was not
    found, and the documentation contradicts itself in the names of hours and days (``1hr``, as Gemini's own programs
    write, or ``1h``).

    Source: https://developer.gemini.com/websocket/archived/v2.md and …/websocket/streams.md (its beginning), read
    2026-11-28; the limits are from https://rollout.com/integration-guides/gemini/api-essentials, the names of the time
    frames from https://github.com/gemini/developer-platform/blob/main/skills/gemini-candles/SKILL.md.
    """

    name: ClassVar[str] = "gemini"
    url: ClassVar[str] = "wss://ws.gemini.com"
    rest_url: ClassVar[str] = "https://api.gemini.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((5, 5.0), (100, 60.0))
    refuses_unknown: ClassVar[bool] = False
    symbols_per_socket: ClassVar[int | None] = 250
    symbols_per_message: ClassVar[int] = 50
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    rest_timeframes: ClassVar[tuple[str, ...] | None] = tuple(_TIME_FRAMES)
    trades_reach: ClassVar[str] = "seven days"
    rest_resolution: ClassVar[int] = _MILLISECOND
    documentation: ClassVar[tuple[str, str]] = ("https://developer.gemini.com/websocket/streams.md", "2026-11-28")

    def __init__(self) -> None:
        self._spelling = PairSpelling("", quotes=_QUOTES, lower=True)

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``btcusd`` for ``BTC/USD``."""
        if split_symbol(symbol).settle:
            raise UnknownSymbol(f"gemini has spot pairs such as 'BTC/USD' here, got {symbol!r}")
        spelling = _IRREGULAR_SPELLINGS.get(symbol) or self._spelling.to_venue(symbol)
        meant = _IRREGULAR.get(spelling, symbol)
        if meant != symbol:
            raise UnknownSymbol(f"{symbol!r} would be spelt {spelling!r}, which means {meant!r}; did you mean that?")
        return spelling

    def from_venue_symbol(self, spelling: str) -> str:
        """Return ``BTC/USD`` for ``btcusd``, or for ``BTCUSD``."""
        lower = spelling.lower()
        return _IRREGULAR.get(lower) or self._spelling.from_venue(lower)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del channel
        return self._request("subscribe", symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        del channel
        return self._request("unsubscribe", symbols, request)

    def _request(self, method: str, symbols: Sequence[str], request: int) -> str:
        streams = [f"{self.to_venue_symbol(symbol)}@trade" for symbol in symbols]
        return msgspec.json.encode({"id": request, "method": method, "params": streams}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping; its id is text, so that its answer can't be taken for that of a subscription."""
        del request
        return f'{{"id":"{_PROBE}","method":"ping","params":{{}}}}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        message: _Message = decode(_message, frame, "expected a Gemini message")
        if message.id is not UNSET:
            return (_to_answer(message.id, message, frame),)
        fields = (message.s, message.t, message.p, message.q, message.m)
        # One of them alone may be in messages of other kinds; two are a trade that lacks the rest.
        if message.e == "trade" or (not message.e and sum(field is not UNSET for field in fields) > 1):
            return (self._to_tick(message, frame),)
        return (Unknown(kind=message.e or "?"),)

    def _to_tick(self, message: _Message, frame: bytes) -> PriceTick:
        stamp, symbol, number = message.E, message.s, message.t
        price, volume, sold = message.p, message.q, message.m
        if (
            isinstance(stamp, UnsetType)
            or isinstance(symbol, UnsetType)
            or isinstance(number, UnsetType)
            or isinstance(price, UnsetType)
            or isinstance(volume, UnsetType)
            or isinstance(sold, UnsetType)
        ):
            raise MessageError("expected a Gemini trade with E, s, t, p, q and m", payload=frame)
        try:
            if stamp < _EARLIEST:
                raise ValueError(f"a time must be in nanoseconds, got {stamp}")
            side = Side.SELL if sold else Side.BUY
            return _tick(self.from_venue_symbol(symbol), price, volume, stamp, number, side)
        except ValueError as error:
            raise MessageError(f"expected a Gemini trade: {error}", payload=frame) from error

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page; times and ids are exclusive there, so a time is moved back."""
        query = {"limit_trades": str(_TRADES_PER_PAGE)}
        if cursor is None:
            query["timestamp"] = str(max(0, since // _MILLISECOND - 1))
        else:
            query["since_tid"] = cursor
        # Without an end, the newest trade of the last page tells the time.
        now = 0 if until is None else time.time_ns()
        path = f"/v1/trades/{self.to_venue_symbol(symbol)}"
        return RestRequest(path=path, query=query, cursor=f"{since}:{now}:{cursor or ''}")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; a full page goes on after its last id."""
        rows: list[_RestTrade] = decode(_rest_trades, body, "expected Gemini trades")
        rows.sort(key=lambda row: (row.timestampms, row.tid))
        try:
            ticks = [
                _tick(symbol, row.price, row.amount, row.timestampms * _MILLISECOND, row.tid, _SIDES[row.type])
                for row in rows
            ]
        except ValueError as error:
            raise MessageError(f"expected Gemini trades: {error}", payload=body) from error
        since, now, after = (cursor or "::").split(":")
        full = len(rows) >= _TRADES_PER_PAGE
        newest = ticks[-1].timestamp if ticks else 0
        truncated = bool(since) and int(since) < max(newest, int(now)) - _DAYS_BACK * DAY
        if full and not after and newest > time.time_ns() - MINUTE:
            truncated = True  # the newest ones, not the oldest
        following = str(max(row.tid for row in rows)) if full else None
        return RestPage(items=ticks, cursor=following, truncated=truncated)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request; there is one page, of the newest candles."""
        del since, until, cursor
        chosen = self.check_timeframe(timeframe, rest=True)
        return RestRequest(path=f"/v2/candles/{self.to_venue_symbol(symbol)}/{_TIME_FRAMES[str(chosen)]}")

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; there are no older ones."""
        del cursor
        rows: list[_RestCandle] = decode(_rest_candles, body, "expected Gemini candles")
        try:
            candles = [_rest_candle(symbol, timeframe, row) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Gemini candles: {error}", payload=body) from error
        candles.sort(key=lambda candle: candle.open_time)
        return RestPage(items=candles, truncated=True)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return that the symbol is unknown, if the error says so."""
        if status not in (400, 404) or not symbol:
            return None
        try:
            refused: _Refused = decode(_refused, body, "expected an error of Gemini")
        except MessageError:
            return None
        said = f"{refused.reason}: {refused.message}"
        return SubscriptionError((symbol,), said) if _NO_SYMBOL.search(said) else None

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the list of symbols."""
        return RestRequest(path="/v1/symbols")

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return all symbols, those of perpetuals too, in lower case."""
        listed: list[str] = decode(_symbols, body, "expected Gemini's symbols")
        return frozenset(symbol.lower() for symbol in listed)


def _tick(symbol: str, price: str, volume: str, timestamp: int, number: int, side: Side | None) -> PriceTick:
    value = float(price)
    if value <= 0:
        raise ValueError(f"a spot price must be over 0, got {price!r}")
    return PriceTick(
        symbol=symbol,
        price=value,
        volume=float(volume),
        timestamp=timestamp,
        exchange="gemini",
        trade_id=number,
        side=side,
    )


def _to_answer(request: int | str | UnsetType, message: _Message, frame: bytes) -> Message:
    if request == _PROBE:
        return Heartbeat()
    if not isinstance(request, int) or request <= 0:
        raise MessageError(f"expected the number of a request, got {request!r}", payload=frame)
    if message.status == _OK and message.error is None:
        return Acknowledged(symbols=(), request=request)
    reason = f"status {message.status}" if message.error is None else f"{message.error.msg} ({message.error.code})"
    if not _NO_SYMBOL.search(reason):
        return Unknown(kind=f"error: {reason}, status {message.status}")
    return Rejected(symbols=(), reason=reason, request=request)


def _rest_candle(symbol: str, timeframe: Timeframe, row: _RestCandle) -> OHLCCandle:
    if row[3] <= 0:
        raise ValueError(f"a spot price must be over 0, got {row[3]!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, row[0] * _MILLISECOND),
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=row[5],
        exchange="gemini",
        closed=True,
        complete=True,
    )


FEEDS = Feeds(Gemini())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
