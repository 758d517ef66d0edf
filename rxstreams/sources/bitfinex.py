"""Bitfinex, WebSocket API v2 and REST API v2: trades and candles of spot pairs and perpetuals.

A subscription is answered with the number of a channel, and what follows names only that: each connection has its own
parser, which keeps the numbers. A trade comes twice, as "te" when it was executed and again as "tu"; both carry the
same id, time, amount and price, and "te" comes first, so that is the one taken, and "tu" is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import ClassVar, TypeVar

import msgspec

from rxstreams.errors import MessageError, RateLimited, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._wire.bitfinex import (
    CANDLES,
    EVENTS,
    EXECUTED,
    FRAMES,
    REFUSALS,
    REST_CANDLES,
    REST_TRADES,
    Candle,
    Event,
    Executed,
    Frame,
    Refusal,
    Trade,
)
from rxstreams.sources.venue import (
    Acknowledged,
    Channel,
    Conversation,
    Goodbye,
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
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_Row = TypeVar("_Row")
_Item = TypeVar("_Item", PriceTick, OHLCCandle)

_MILLISECOND = 1_000_000
_PER_PAGE = 10_000
_BLOCKED_FOR = 60.0  # an address that asked too often
_CONNECT_ANEW = (20051, 20061)  # the server is restarted; a maintenance is over
_SPELLING = re.compile(r"t(?:([A-Z0-9]{3})([A-Z0-9]{3})|([A-Z0-9]+):([A-Z0-9]+))")
# Ours -> the venue's. Weeks ("1W"), fourteen days ("14D") and months ("1M") are left out: on which days they begin was
# not found.
_TIMEFRAMES = {name: name for name in ("1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h")} | {"1d": "1D"}
# What a refusal (10300) that is about the symbol begins with: "symbol: invalid", say.
_ABOUT_THE_SYMBOL = ("symbol:", "key:", "pair:")
_SUBSCRIBE_FAILED, _SUBSCRIBED = 10300, 10301
_OUR_TIMEFRAMES = {theirs: Timeframe(ours) for ours, theirs in _TIMEFRAMES.items()}
# The venue's names of assets that it calls otherwise than others do.
# Source: ccxt's bitfinex class, read 2026-11-28. The venue's own list is ``/v2/conf/pub:map:currency:sym``.
_OUR_ASSETS = {
    **{"UST": "USDT", "UDC": "USDC", "TSD": "TUSD", "EUT": "EURT", "EUS": "EURS", "TERRAUST": "USTC", "XCH": "XCHF"},
    **{"ALG": "ALGO", "AMP": "AMPL", "ATO": "ATOM", "BCHABC": "XEC", "BCHN": "BCH", "DAT": "DATA", "DOG": "MDOGE"},
    **{"DSH": "DASH", "EDO": "PNT", "IDX": "ID", "IOT": "IOTA", "IQX": "IQ", "LUNA": "LUNC", "LUNA2": "LUNA"},
    **{"MNA": "MANA", "PAS": "PASS", "QSH": "QASH", "QTM": "QTUM", "RBT": "RBTC", "SNG": "SNGLS", "STJ": "STORJ"},
    **{"VSY": "VSYS", "WAX": "WAXP", "YYW": "YOYOW"},
}
_THEIR_ASSETS = {ours: theirs for theirs, ours in _OUR_ASSETS.items()}


class Bitfinex(Venue):
    """Bitfinex: spot (``BTC/USDT`` is ``tBTCUST``) and perpetuals (``BTC/USDT:USDT`` is ``tBTCF0:USTF0``).

    Conventions: a candle opens at its first trade; there is none of an interval without trades (a maintainer says so,
    https://github.com/bitfinexcom/bitfinex-api-py/issues/198); it has no closed flag and no number of trades. After one
    of the next interval one of the last interval may still be sent, for a late trade
    (https://github.com/bitfinexcom/bitfinex-api-node/issues/324). Which trades candles leave out: not found.

    Snapshots can't be refused. One of candles is not used: the running candle comes with its next trade.

    A subscription is ended by the number of its channel, which its connection keeps.

    When a maintenance begins (20060), nothing is done: clients are to pause, for two minutes at most. When it is over
    (20061), all channels are to be subscribed to again, which a new connection does.

    Only a refusal of a symbol ends it. Other errors (10000 and 10001 unknown, 10008 concurrency, 10302 no such channel,
    10305 too many channels, 11000 not ready) leave the request unanswered.

    Limits: 25 channels a connection, 20 connections a minute (then 60 s of refusals); subscriptions a second: not
    found. REST: by address, 15 requests a minute for trades, 30 for candles; here they share one budget, in which
    trades count twice. No header tells what was counted.

    Whether trades come in the order of their stamps is not documented. Ids count the trades of all pairs. Of trades of
    one millisecond REST has no order; here it is that of their ids.

    Source: https://docs.bitfinex.com/docs/ws-public, …/reference/rest-public-trades, …/reference/rest-public-candles;
    of the 60 s and the headers: notes of others, of September 2026. All read 2026-11-28.
    """

    name: ClassVar[str] = "bitfinex"
    url: ClassVar[str] = "wss://api-pub.bitfinex.com/ws/2"
    rest_url: ClassVar[str] = "https://api-pub.bitfinex.com"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USD", "ETH/USDT", "DOGE/USD", "BTC/USDT:USDT")
    symbols_per_socket: ClassVar[int | None] = 25
    symbols_per_message: ClassVar[int] = 1
    messages_per_second: ClassVar[float] = 10.0
    connection_limit: ClassVar[tuple[int, float] | None] = (20, 60.0)
    settle: ClassVar[float] = 10.0  # ids are given a second or two after "te", and answers may come from a cache of 5 s
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_TIMEFRAMES)
    candles_may_change: ClassVar[bool] = True
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((30, 60.0),)
    documentation: ClassVar[tuple[str, str]] = ("https://docs.bitfinex.com/docs/ws-public", "2026-11-28")

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``tBTCUSD``, ``tDOGE:USD`` where a name is no three letters long, ``tBTCF0:USTF0`` of a perpetual."""
        parts = split_symbol(symbol)
        base, quote = (_THEIR_ASSETS.get(asset, asset) for asset in (parts.base, parts.quote))
        if parts.settle:
            spelling = f"t{base}F0:{quote}F0"
        else:
            spelling = f"t{base}{'' if len(base) == len(quote) == 3 else ':'}{quote}"
        try:
            meant = self.from_venue_symbol(spelling)
        except ValueError as error:
            raise UnknownSymbol(f"{symbol!r} would be spelt {spelling!r}, which means no symbol") from error
        if meant != symbol:
            raise UnknownSymbol(f"{symbol!r} would be spelt {spelling!r}, which means {meant!r}; did you mean that?")
        return spelling

    def from_venue_symbol(self, spelling: str) -> str:
        """Return the symbol, the inverse."""
        return _from_spelling(spelling)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request, with its number, which the answer repeats."""
        spelling = self.to_venue_symbol(symbols[0])
        if channel.timeframe is None:
            what = {"channel": "trades", "symbol": spelling}
        else:
            timeframe = _TIMEFRAMES[str(self.check_timeframe(channel.timeframe))]
            what = {"channel": "candles", "key": f"trade:{timeframe}:{spelling}"}
        return msgspec.json.encode({"event": "subscribe", **what, "subId": str(request)}).decode()

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Return None, as a connection that has no channels does."""
        return _Connection().unsubscribe_frame(channel, symbols, request)

    def probe_frame(self, request: int) -> str:
        """Return an application ping, answered with a pong."""
        return f'{{"event":"ping","cid":{request}}}'

    def conversation(self) -> Conversation:
        """Return what keeps the numbers of one connection's channels."""
        return _Connection()

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what the first frame of a connection says."""
        return _Connection().parse(frame)

    def rest_weight(self, request: RestRequest) -> int:
        """Return 2 for trades, 1 for candles."""
        return 2 if request.path.startswith("/v2/trades/") else 1

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for the page that begins at ``since``, or where the last one ended."""
        return RestRequest(path=f"/v2/trades/{self.to_venue_symbol(symbol)}/hist", query=_range(since, until, cursor))

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer, by time and id; a full page is followed by one that begins at its end."""
        del cursor
        rows = _rest_rows(REST_TRADES, symbol, body)
        ticks = _items(lambda row: _to_tick(symbol, row), rows, body)
        ticks.sort(key=attrgetter("timestamp", "trade_id"))
        return RestPage(items=ticks, cursor=str(max(row.mts for row in rows)) if len(rows) >= _PER_PAGE else None)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for the page of candles that begins at ``since``."""
        length = _TIMEFRAMES[str(self.check_timeframe(timeframe, rest=True))]
        path = f"/v2/candles/trade:{length}:{self.to_venue_symbol(symbol)}/hist"
        return RestRequest(path=path, query=_range(since, until, cursor))

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer."""
        del cursor
        rows = _rest_rows(REST_CANDLES, symbol, body)
        candles = _items(lambda row: _to_candle(symbol, timeframe, row, closed=True), rows, body)
        candles.sort(key=attrgetter("open_time"))
        return RestPage(items=candles, cursor=str(max(row.mts for row in rows) + 1) if len(rows) >= _PER_PAGE else None)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the body says, whatever the status."""
        del status
        return _explain(symbol, body)


class _Connection:
    """Keeps which channel of one connection has which number.

    Memory: O(channels).
    """

    def __init__(self) -> None:
        self._channels: dict[int, tuple[str, Timeframe | None]] = {}
        self._ending: set[int] = set()  # those that the venue was asked to end, and has not ended yet
        self._begun: set[int] = set()  # those of which the snapshot has not come

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Return the message that names the channel's number; None: it is not acknowledged."""
        del request
        wanted = (symbols[0], channel.timeframe)
        for number, named in self._channels.items():
            if named == wanted and number not in self._ending:
                self._ending.add(number)
                return f'{{"event":"unsubscribe","chanId":{number}}}'
        return None

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if b',"te",' in frame[:24]:
            return self._on_trade(frame)
        if not frame.lstrip().startswith(b"["):
            return self._on_event(frame)
        message: Frame = decode(FRAMES, frame, "expected a Bitfinex message")
        kind = bytes(message.kind)
        if kind == b'"hb"':
            return (Heartbeat(),)
        symbol, timeframe = self._channels.get(message.channel, ("", None))
        if not symbol or not kind.startswith((b"[", b'"')):
            return (Unknown(kind="data of an unknown channel" if not symbol else "?"),)
        if kind == b'"te"':
            return self._on_trade(frame)
        if kind == b'"tu"':
            return ()
        if kind.startswith(b'"'):
            return (Unknown(kind=kind.decode("utf-8", "replace").strip('"')),)
        if timeframe is None:
            if message.channel in self._begun:
                self._begun.discard(message.channel)
                return (Unknown(kind="trade snapshot"),)
            return (Skipped(symbols=(symbol,), kind="another trade snapshot"),)
        if kind[1:].lstrip()[:1] in (b"[", b"]"):
            return (Unknown(kind="candle snapshot"),)
        candle: Candle = decode(CANDLES, kind, "expected a Bitfinex candle")
        return _items(lambda row: _to_candle(symbol, timeframe, row, closed=False), (candle,), frame)

    def _on_trade(self, frame: bytes) -> Iterable[Message]:
        message: Executed = decode(EXECUTED, frame, "expected a Bitfinex trade")
        symbol, timeframe = self._channels.get(message.channel, ("", None))
        if not symbol or timeframe is not None:
            return (Unknown(kind="data of an unknown channel"),)
        return _items(lambda trade: _to_tick(symbol, trade), (message.trade,), frame)

    def _on_event(self, frame: bytes) -> Iterable[Message]:
        event: Event = decode(EVENTS, frame, "expected a Bitfinex message")
        request = int(event.request) if event.request.isdecimal() else 0
        if event.event == "subscribed" or (event.event == "error" and event.code == _SUBSCRIBED):
            named = _named(event)
            if named is None:
                return (Unknown(kind=f"subscribed {event.channel}"),)
            if event.channel_number <= 0:
                raise MessageError("expected the number of a Bitfinex channel", payload=frame)
            self._channels[event.channel_number] = named
            if event.code != _SUBSCRIBED:
                self._begun.add(event.channel_number)
            return (Acknowledged(symbols=(named[0],), request=request),)
        if event.event == "unsubscribed":
            self._ending.discard(event.channel_number)
            self._begun.discard(event.channel_number)
            symbol, _ = self._channels.pop(event.channel_number, ("", None))
            return (Acknowledged(symbols=(symbol,), subscribed=False),) if symbol else ()
        if event.event == "error":
            named = _named(event)
            is_final = event.code == _SUBSCRIBE_FAILED and event.msg.startswith(_ABOUT_THE_SYMBOL)
            if is_final and (named is not None or request):
                return (Rejected(symbols=named[:1] if named else (), reason=event.msg, request=request),)
            return (Unknown(kind=f"error: {event.msg} ({event.code})"),)
        if event.event == "pong":
            return (Heartbeat(),)
        if event.event == "info" and not event.code:
            return ()
        if event.event == "info" and event.code in _CONNECT_ANEW:
            return (Goodbye(reason=event.msg),)
        return (Unknown(kind=f"{event.event} {event.code or ''}".strip() or "?"),)


def _named(event: Event) -> tuple[str, Timeframe | None] | None:
    """Return symbol and timeframe of the channel that an event names; None: it is none of ours."""
    try:
        if event.channel == "trades":
            return _from_spelling(event.symbol), None
        if event.channel == "candles" and event.key.startswith("trade:"):
            _, length, spelling = event.key.split(":", 2)
            return _from_spelling(spelling), _OUR_TIMEFRAMES[length]
    except (ValueError, KeyError):
        return None
    return None


@lru_cache(4096)
def _from_spelling(spelling: str) -> str:
    found = _SPELLING.fullmatch(spelling)
    if found is None:
        raise ValueError(f"expected a pair such as tBTCUSD or tDOGE:USD, got {spelling!r}")
    base, quote = found[1] or found[3], found[2] or found[4]
    is_perpetual = base.endswith("F0") and quote.endswith("F0") and len(base) > 2 < len(quote)
    if is_perpetual:
        base, quote = base[:-2], quote[:-2]
    base, quote = _OUR_ASSETS.get(base, base), _OUR_ASSETS.get(quote, quote)
    return f"{base}/{quote}:{quote}" if is_perpetual else f"{base}/{quote}"


def _range(since: int, until: int | None, cursor: str | None) -> dict[str, str]:
    """Return the query of a page; both ends are inclusive there."""
    start = str(max(0, since // _MILLISECOND)) if cursor is None else cursor
    end = {} if until is None else {"end": str(max(0, (until - 1) // _MILLISECOND))}
    return {"start": start, **end, "limit": str(_PER_PAGE), "sort": "1"}


def _rest_rows(decoder: msgspec.json.Decoder[list[_Row]], symbol: str, body: bytes) -> list[_Row]:
    refused = _explain(symbol, body)
    if refused is not None:
        raise refused
    rows: list[_Row] = decode(decoder, body, "expected rows of a Bitfinex REST answer")
    return rows


def _items(make: Callable[[_Row], _Item], rows: Iterable[_Row], payload: bytes) -> list[_Item]:
    try:
        return [make(row) for row in rows]
    except ValueError as error:
        raise MessageError(f"expected Bitfinex data: {error}", payload=payload) from error


def _explain(symbol: str, body: bytes) -> StreamError | None:
    if b"ERR_RATE_LIMIT" in body[:200]:
        return RateLimited("Bitfinex refused the request: ERR_RATE_LIMIT", retry_after=_BLOCKED_FOR)
    if not body.startswith(b'["error"'):
        return None
    refusal: Refusal = decode(REFUSALS, body, "expected a Bitfinex error")
    if refusal.reason.startswith("ratelimit"):
        return RateLimited(f"Bitfinex refused the request: {refusal.reason}", retry_after=_BLOCKED_FOR)
    return SubscriptionError((symbol,), refusal.reason) if symbol and refusal.reason.startswith("symbol:") else None


def _to_tick(symbol: str, trade: Trade) -> PriceTick:
    if trade.price <= 0:
        raise ValueError(f"a price must be over 0, got {trade.price!r}")
    return PriceTick(
        symbol=symbol,
        price=trade.price,
        volume=abs(trade.amount),
        timestamp=trade.mts * _MILLISECOND,
        exchange="bitfinex",
        trade_id=trade.id,
        side=Side.SELL if trade.amount < 0 else Side.BUY,
    )


def _to_candle(symbol: str, timeframe: Timeframe, candle: Candle, *, closed: bool) -> OHLCCandle:
    if candle.low <= 0:
        raise ValueError(f"prices must be over 0, got {candle.low!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, candle.mts * _MILLISECOND),
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        exchange="bitfinex",
        closed=closed,
        complete=closed,
    )


FEEDS = Feeds(Bitfinex())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
