"""OKX, API v5: spot, perpetual swaps and futures.

Volumes of derivatives are numbers of contracts, in trades and candles alike, as OKX gives them: how much of the base
one contract stands for is in its list of instruments only. The ``quote_volume`` of a derivative's candle is money all
the same, so its ``vwap`` says nothing.

Conventions: a candle carries a flag that says closed. An interval without a trade is flat at the close before it: so
says the documentation of the running one. At what a candle opens: not found, taken to be its first trade. Which trades
its candles leave out: not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.items import PriceTick
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._wire.okx import (
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
    to_candle,
    to_symbol,
    to_tick,
    to_whole,
    trades_decoder,
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
    decode,
)
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_TRADES_PER_PAGE = 100
_CANDLES_PER_PAGE = 300
# Days and their halves and quarters begin in UTC+8 unless the name ends with "utc". Left out: weeks and several days or
# months, for on which day those begin was not found.
_BARS = {
    "1m": "1m",
    "3m": "3m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1H",
    "2h": "2H",
    "4h": "4H",
    "6h": "6Hutc",
    "12h": "12Hutc",
    "1d": "1Dutc",
}
_CANDLES = {f"candle{bar}": name for name, bar in _BARS.items()}
_TRADES = ("trades-all", "trades")
_UPGRADE = "64008"  # of a notice: the connection will soon be closed
_TRADES_BEGIN = (b'{"arg":{"channel":"trades-all","instId":"', b'{"arg":{"channel":"trades","instId":"')
# "channel:tickers,instId:LTC-USD doesn't exist", today "Wrong URL or channel:candle1s,instId:BTC-USDT-SWAP doesn't
# exist. Please use the correct URL, channel and parameters referring to API document.": one bad instrument each.
# Source: https://github.com/okxapi/python-okx/issues/21 and https://github.com/sieblyio/okx-api/issues/106.
_NO_INSTRUMENT = re.compile(r"instId:([^\s,]+)")
# Of refusals: "Wrong URL or channel … doesn't exist" and "Instrument ID … doesn't exist". All others are of what was
# asked too often, of a server that is busy, or of unknown meaning: they don't say that an instrument is not there.
_UNKNOWN_INSTRUMENT = ("60018", "51001")
_REPEATED = "trade snapshot"


class Okx(Venue):
    """OKX: spot, perpetual swaps and futures, of which the volumes are numbers of contracts.

    Live trades are those of the channel ``trades-all``: each one, with the ids of the REST API. Ids count up one by
    one: the documentation counts them so, and 71 of 71 recorded ones of the channel ``trades`` do, by its ``count``.

    Limits: three connections a second; 480 requests an hour on a connection, each of at most 64 KB; it is closed when
    nothing was pushed for 30 s, which an answered ping prevents. Symbols a socket, requests a second: not found; the
    figures here are cautious.

    REST: 20 requests in 2 s by address for past trades and past candles each; here that is all of them together. No
    header tells what was counted. Trades reach three months back, candles some years. A page of candles may be shorter
    than asked for (the older ones had a limit of 100), so only an empty one is the end.

    Source: https://www.okx.com/docs-v5/en/#overview-websocket-connect, read 2026-11-28.
    """

    name: ClassVar[str] = "okx"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC")
    url: ClassVar[str] = "wss://ws.okx.com:8443/ws/v5/business"
    rest_url: ClassVar[str] = "https://www.okx.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((20, 2.0),)
    symbols_per_socket: ClassVar[int | None] = 300
    symbols_per_message: ClassVar[int] = 100
    messages_per_second: ClassVar[float] = 3.0
    connection_limit: ClassVar[tuple[int, float] | None] = (3, 1.0)
    contiguous_ids: ClassVar[bool] = True
    heartbeat_interval: ClassVar[float | None] = 20.0
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_BARS)
    candle_fields: ClassVar[frozenset[str]] = frozenset({"quote_volume"})
    closes_candles: ClassVar[bool] = True
    rest_closes_candles: ClassVar[bool] = True
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    trades_reach: ClassVar[str] = "three months"
    documentation: ClassVar[tuple[str, str]] = (
        "https://www.okx.com/docs-v5/en/#order-book-trading-market-data",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``BTC-USDT`` for ``BTC/USDT``, ``BTC-USDT-SWAP`` for ``BTC/USDT:USDT``."""
        parts = split_symbol(symbol)
        if parts.strike:
            raise UnknownSymbol(f"okx has pairs, swaps and futures here, got the option {symbol!r}")
        kind = f"-{parts.expiry or 'SWAP'}" if parts.settle else ""
        spelling = f"{parts.base}-{parts.quote}{kind}"
        try:
            meant = to_symbol(spelling)
        except ValueError:
            meant = ""
        if meant != symbol:
            raise UnknownSymbol(f"okx spells {symbol!r} {spelling!r}, which means {meant or 'nothing'!r}")
        return spelling

    def from_venue_symbol(self, spelling: str) -> str:
        """Return ``BTC/USD:BTC-251226`` for ``BTC-USD-251226``; what settles in what is told by the quote."""
        return to_symbol(spelling)

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("subscribe", channel, symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("unsubscribe", channel, symbols, request)

    def _request(self, method: str, channel: Channel, symbols: Sequence[str], request: int) -> str:
        name = "trades-all" if channel.timeframe is None else f"candle{_BARS[str(channel.timeframe)]}"
        arguments = [{"channel": name, "instId": self.to_venue_symbol(symbol)} for symbol in symbols]
        return msgspec.json.encode({"id": str(request), "op": method, "args": arguments}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping, which is no JSON and has no number; answered with ``pong``."""
        del request
        return "ping"

    def heartbeat_frame(self) -> str | None:
        """Return a ping."""
        return "ping"

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says, on a connection of which nothing is known."""
        return _Connection(self).parse(frame)

    def conversation(self) -> Conversation:
        """Return what knows the repeated trades that come after subscribing."""
        return _Connection(self)

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page: the newest one by time, the older ones by trade id, so that none is lost."""
        del since
        query = {"instId": self.to_venue_symbol(symbol), "limit": str(_TRADES_PER_PAGE)}
        if cursor is not None:
            query |= {"type": "1", "after": cursor}
        elif until is not None:
            query |= {"type": "2", "after": _milliseconds(until)}
        return RestRequest(path="/api/v5/market/history-trades", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; a short one is the end of what the venue has, unless it has trade 1."""
        del cursor
        rows: list[Trade] = _rest_rows(symbol, body, rest_trades_decoder)
        try:
            ticks = sorted((to_tick(symbol, row, 1) for row in rows), key=_number_of)
        except ValueError as error:
            raise MessageError(f"expected OKX trades: {error}", payload=body) from error
        if len(rows) >= _TRADES_PER_PAGE:
            return RestPage(items=ticks, cursor=str(ticks[0].trade_id), backwards=True)
        # An answer without trades proves nothing: only trade 1 has none before it.
        return RestPage(items=ticks, backwards=True, truncated=not ticks or _number_of(ticks[0]) > 1)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for a page: of the newest 1,440 candles, or, behind them, of the history."""
        del since
        bar = _BARS[str(self.check_timeframe(timeframe, rest=True))]
        endpoint, _, before = (cursor or "candles:").partition(":")
        query = {"instId": self.to_venue_symbol(symbol), "bar": bar, "limit": str(_CANDLES_PER_PAGE)}
        if before or until is not None:
            query["after"] = before or _milliseconds(until or 0)
        return RestRequest(path=f"/api/v5/market/{endpoint}", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; the venue says which are closed."""
        rows: list[list[str]] = _rest_rows(symbol, body, rest_candles_decoder)
        try:
            candles = sorted(
                (to_candle(symbol, timeframe, row, is_past=True) for row in rows), key=lambda each: each.open_time
            )
        except ValueError as error:
            raise MessageError(f"expected OKX candles: {error}", payload=body) from error
        endpoint, _, before = (cursor or "candles:").partition(":")
        oldest = str(candles[0].open_time // _MILLISECOND) if candles else before
        if endpoint == "candles" and len(rows) < _CANDLES_PER_PAGE:
            return RestPage(items=candles, cursor=f"history-candles:{oldest}", backwards=True)
        if not candles or (before and int(oldest) >= int(before)):  # no older one came
            return RestPage(items=candles, backwards=True, truncated=True)
        return RestPage(items=candles, cursor=f"{endpoint}:{oldest}", backwards=True)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the code in the body means."""
        del status
        try:
            answer: RestAnswer = decode(rest_answer_decoder, body, "expected an OKX REST answer")
        except MessageError:
            return None
        return _explain(symbol, answer)


class _Connection:
    """Reads the messages of one connection.

    Right after a subscription OKX sends the last trade that there was, however old it is; in a recording, 0.7, 10 and
    25 s. The documentation does not say so, and nothing in the message tells it from a new one. (The recording is of
    the channel ``trades``; of ``trades-all``: not found, taken to be the same.) So the first trade after a symbol's
    acknowledgement is taken for such a repeated one, unless

    - it is the first that there ever was: nothing was before it;
    - it is not older than another symbol's trade that has come since that acknowledgement;
    - the venue has answered a ping since, for the repeated one comes at once.

    If it is not older than the acknowledgement, either may be true: it is left out, and the coverage of its symbol
    begins anew behind it, which costs a fetch a symbol and connection.

    Memory: O(symbols), until the next ping.
    """

    __slots__ = ("_newest", "_unproven", "unsubscribe_frame")

    def __init__(self, venue: Okx) -> None:
        self.unsubscribe_frame = venue.unsubscribe_frame  # needs nothing that a connection knows
        self._newest = 0  # stamp of the trades so far
        self._unproven: dict[str, int] = {}  # symbol of which no trade has come -> newest stamp when it was accepted

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(_TRADES_BEGIN):
            message: Trades = decode(trades_decoder, frame, "expected OKX trades")
            if message.data is not None and not message.event:
                return self._to_ticks(message.arg.channel, message.data, frame)
        if frame == b"pong":
            self._unproven.clear()
            return (Heartbeat(),)
        envelope: Envelope = decode(envelope_decoder, frame, "expected an OKX message")
        if envelope.event:
            return (self._to_answer(envelope, frame),)
        channel = envelope.arg.channel if envelope.arg is not None else ""
        if channel in _TRADES:
            message = decode(trades_decoder, frame, "expected OKX trades")
            if message.data is None:
                raise MessageError("expected OKX trades, got none", payload=frame)
            return self._to_ticks(channel, message.data, frame)
        if channel in _CANDLES:
            return _to_candles(frame)
        return (Unknown(kind=channel or "?"),)

    def _to_ticks(self, channel: str, trades: list[Trade], frame: bytes) -> list[Message]:
        is_summed = channel == "trades"
        try:
            ticks = [to_tick(to_symbol(row.inst_id), row, to_whole(row.count) if is_summed else 1) for row in trades]
        except ValueError as error:
            raise MessageError(f"expected OKX trades: {error}", payload=frame) from error
        if self._unproven and ticks:
            left_out = self._leave_out(ticks)
            if left_out is not None:
                return [left_out]
        for tick in ticks:
            self._newest = max(self._newest, tick.timestamp)
        return list(ticks)

    def _leave_out(self, ticks: list[PriceTick]) -> Message | None:
        """Return what is said of trades that may be repeated ones; None: they are new."""
        first = ticks[0]
        then = self._unproven.pop(first.symbol, None)
        if then is None:
            return None
        if first.timestamp <= then and len(ticks) == 1:
            return Unknown(kind=_REPEATED)
        is_first_of_all = first.trade_id == first.count
        if first.timestamp > then and (is_first_of_all or then < self._newest <= first.timestamp):
            return None
        return Skipped(symbols=(first.symbol,), kind=_REPEATED)

    def _to_answer(self, envelope: Envelope, frame: bytes) -> Message:
        request = int(envelope.id) if envelope.id.isdecimal() else 0
        if envelope.event == "error":
            return _to_refusal(envelope, request)
        if envelope.event == "notice" and envelope.code == _UPGRADE:
            return Goodbye(reason=envelope.msg)
        if envelope.event not in ("subscribe", "unsubscribe") or envelope.arg is None:
            return Unknown(kind=envelope.event)
        try:
            symbol = to_symbol(envelope.arg.inst_id)
        except ValueError as error:
            raise MessageError(f"expected an OKX answer: {error}", payload=frame) from error
        subscribed = envelope.event == "subscribe"
        if envelope.arg.channel in _TRADES:
            self._unproven.pop(symbol, None)
            if subscribed:
                self._unproven[symbol] = self._newest
        return Acknowledged(symbols=(symbol,), request=request, subscribed=subscribed)


def _to_refusal(envelope: Envelope, request: int) -> Message:
    """Return a refusal of one instrument or of a whole request; what says nothing of instruments refuses nothing."""
    if envelope.code in _UNKNOWN_INSTRUMENT:
        found = _NO_INSTRUMENT.search(envelope.msg)
        if found is not None:
            try:
                return Rejected(symbols=(to_symbol(found[1]),), reason=envelope.msg, request=request)
            except ValueError:
                pass  # it is in no form of ours, so the request has to say whose it was
        if request:
            return Rejected(reason=envelope.msg, request=request)
    return Unknown(kind=f"error: {envelope.msg} ({envelope.code})")


def _to_candles(frame: bytes) -> list[Message]:
    message: Candles = decode(candles_decoder, frame, "expected OKX candles")
    timeframe = Timeframe(_CANDLES[message.arg.channel])
    try:
        symbol = to_symbol(message.arg.inst_id)
        return [to_candle(symbol, timeframe, row, is_past=False) for row in message.data]
    except ValueError as error:
        raise MessageError(f"expected OKX candles: {error}", payload=frame) from error


def _rest_rows(symbol: str, body: bytes, decoder: msgspec.json.Decoder[Any]) -> list[Any]:
    answer: RestAnswer = decode(rest_answer_decoder, body, "expected an OKX REST answer")
    if answer.code != "0":
        error = _explain(symbol, answer)
        raise error or MessageError(f"OKX refused the request: {answer.msg} ({answer.code})", payload=body)
    rows: list[Any] = decode(decoder, bytes(answer.data), "expected rows of an OKX REST answer")
    return rows


def _explain(symbol: str, answer: RestAnswer) -> StreamError | None:
    if answer.code == "51001":
        return SubscriptionError((symbol,), answer.msg or "no such instrument")
    if answer.code in ("50011", "50061"):
        return RateLimited(f"OKX refused the request: {answer.msg}")
    return None


def _number_of(tick: PriceTick) -> int:
    return tick.trade_id if isinstance(tick.trade_id, int) else 0


def _milliseconds(instant: int) -> str:
    """Return the first millisecond that is not before an instant."""
    return str(-(-instant // _MILLISECOND))


FEEDS = Feeds(Okx())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
