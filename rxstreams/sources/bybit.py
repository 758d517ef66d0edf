"""Bybit, API v5: spot, and the linear contracts (perpetuals and futures that settle in USDT or USDC).

The functions of this module are those of spot; ``bybit.linear`` offers the same for linear contracts:
``bybit.linear.trades(["BTC/USDT:USDT"])``.

Conventions: a candle carries a flag that says closed, and its end is one millisecond short of the next one's start. It
opens at the close before it: so it is with the three neighbours in the documentation's REST example (inverse contracts,
one hour); in words, or for spot: not found. Whether empty intervals are sent flat: not found, taken to be so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling, SpotPairs
from rxstreams.sources._wire.bybit import (
    INTERVALS,
    Envelope,
    Klines,
    RestAnswer,
    RestKlines,
    RestTrades,
    Trades,
    envelope_decoder,
    klines_decoder,
    rest_answer_decoder,
    rest_klines_decoder,
    rest_trades_decoder,
    trades_decoder,
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
    check_open,
    decode,
)
from rxstreams.symbols import SymbolParts, split_symbol
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_CANDLES_PER_PAGE = 1000
_BANNED_FOR = 600.0
_QUOTES = (
    *("USDT", "USDC", "USDE", "USD1", "USDQ", "USDR", "RLUSD", "DAI"),
    *("EUR", "BRL", "PLN", "TRY", "BTC", "ETH", "MNT"),
)
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_INTERVAL_OF = {timeframe: interval for interval, timeframe in INTERVALS.items()}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBER = re.compile(r"[0-9]{1,18}")
_FUTURE = re.compile(rf"([^-]+)-([1-9]\d?)({'|'.join(_MONTHS)})(\d\d)")
# What refusals say of symbols that there are not; in no documentation, only in others' recordings.
_NO_SUCH_TOPIC = re.compile(r"invalid symbol|invalid topic|handler not found", re.IGNORECASE)
_NO_SUCH_SYMBOL = re.compile(r"not supported symbols|symbol (is )?invalid", re.IGNORECASE)
_ALREADY = "already subscribed"
# An answer says by its id alone what it answers: the number of the request, then how many topics that had.
_REQUESTS = 1000


class Bybit(SpotPairs, Venue):
    """Bybit spot.

    Limits: ten topics a request; the topics of a connection have 21,000 characters together, so 500 symbols are safe;
    500 connections in 5 minutes. Subscribe messages a second: not found; the figure here is cautious. The client
    should send a ping every 20 seconds.

    REST: 600 requests in 5 seconds from one address, of all markets together, so each of the two venues here takes less
    than half. The headers X-Bapi-Limit… count something else (requests a second of a user), so none is read. Past
    trades are only the newest ones; fewer than were asked for are no proof that there are no older ones.

    Weeks are left out: on which day they begin was not found. Months begin on the first, as others have recorded.

    Which trades its candles leave out (block trades, for example): not found; ``trades`` has them all.

    Source: https://bybit-exchange.github.io/docs/v5/ws/connect and …/v5/rate-limit, read 2026-11-28.
    """

    name: ClassVar[str] = "bybit"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT", "ETH/USDC")
    url: ClassVar[str] = "wss://stream.bybit.com/v5/public/spot"
    rest_url: ClassVar[str] = "https://api.bybit.com"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((250, 5.0),)
    symbols_per_socket: ClassVar[int | None] = 500
    symbols_per_message: ClassVar[int] = 10
    messages_per_second: ClassVar[float] = 10.0
    connection_limit: ClassVar[tuple[int, float] | None] = (500, 300.0)
    heartbeat_interval: ClassVar[float | None] = 20.0
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_INTERVAL_OF)
    candle_fields: ClassVar[frozenset[str]] = frozenset({"quote_volume"})
    closes_candles: ClassVar[bool] = True
    rest_closes_candles: ClassVar[bool] = False  # the newest may be running, and nothing says so
    opens: ClassVar[Literal["first_trade", "previous_close"]] = "previous_close"
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    trades_reach: ClassVar[str] = "the newest 60"
    documentation: ClassVar[tuple[str, str]] = (
        "https://bybit-exchange.github.io/docs/v5/websocket/public/trade",
        "2026-11-28",
    )
    spelling: ClassVar[PairSpelling] = PairSpelling("", quotes=_QUOTES)
    category: ClassVar[str] = "spot"
    recent_trades: ClassVar[int] = 60

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("subscribe", channel, symbols, request)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("unsubscribe", channel, symbols, request)

    def _request(self, operation: str, channel: Channel, symbols: Sequence[str], request: int) -> str:
        topic = "publicTrade" if channel.timeframe is None else f"kline.{_INTERVAL_OF[str(channel.timeframe)]}"
        topics = [f"{topic}.{self.to_venue_symbol(symbol)}" for symbol in symbols]
        number = str(request * _REQUESTS + len(topics))
        return msgspec.json.encode({"req_id": number, "op": operation, "args": topics}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a ping, which is answered."""
        return f'{{"req_id":"{request}","op":"ping"}}'

    def heartbeat_frame(self) -> str | None:
        """Return a ping."""
        return '{"op":"ping"}'

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(b'{"topic":"publicTrade.'):
            return self._to_ticks(frame)
        envelope: Envelope = decode(envelope_decoder, frame, "expected a Bybit message")
        kind = envelope.topic.partition(".")[0]
        if kind == "publicTrade":
            return self._to_ticks(frame)
        if kind == "kline":
            return self._to_candles(frame)
        if kind:
            return (Unknown(kind=kind),)
        if envelope.op in ("ping", "pong"):
            return (Heartbeat(),)
        if envelope.op in ("subscribe", "unsubscribe"):
            return (self._to_answer(envelope, frame),)
        return (Unknown(kind=envelope.op or "?"),)

    def _to_ticks(self, frame: bytes) -> list[Message]:
        message: Trades = decode(trades_decoder, frame, "expected Bybit trades")
        try:
            return [
                self._tick(self.from_venue_symbol(row.s), row.p, row.v, row.T, row.S, row.i) for row in message.data
            ]
        except ValueError as error:
            raise MessageError(f"expected Bybit trades: {error}", payload=frame) from error

    def _tick(self, symbol: str, price: str, volume: str, milliseconds: int, side: str, trade_id: str) -> PriceTick:
        number = float(price)
        if number <= 0 or not trade_id:
            raise ValueError(f"a trade has a price over 0 and an id, got {price!r} and {trade_id!r}")
        return PriceTick(
            symbol=symbol,
            price=number,
            volume=float(volume),
            timestamp=milliseconds * _MILLISECOND,
            exchange=self.name,
            trade_id=trade_id,
            side=_SIDES[side],
        )

    def _to_candles(self, frame: bytes) -> list[Message]:
        message: Klines = decode(klines_decoder, frame, "expected Bybit candles")
        try:
            symbol = self.from_venue_symbol(message.topic.split(".", 2)[2])
            return [
                self._candle(
                    symbol,
                    Timeframe(INTERVALS[row.interval]),
                    row.start,
                    (row.open, row.high, row.low, row.close, row.volume, row.turnover),
                    closed=row.confirm,
                    complete=False,
                )
                for row in message.data
            ]
        except (ValueError, LookupError) as error:
            raise MessageError(f"expected Bybit candles: {error}", payload=frame) from error

    def _candle(
        self,
        symbol: str,
        timeframe: Timeframe,
        milliseconds: int,
        values: Sequence[str],
        *,
        closed: bool,
        complete: bool,
    ) -> OHLCCandle:
        first, high, low, close, volume, turnover = map(float, values)
        if low <= 0:
            raise ValueError(f"a price must be over 0, got {low!r}")
        return OHLCCandle(
            symbol=symbol,
            timeframe=timeframe,
            open_time=check_open(timeframe, milliseconds * _MILLISECOND),
            open=first,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=turnover,
            exchange=self.name,
            closed=closed,
            complete=complete,
        )

    def _to_answer(self, envelope: Envelope, frame: bytes) -> Message:
        subscribed = envelope.op == "subscribe"
        number = int(envelope.req_id) if _NUMBER.fullmatch(envelope.req_id) else 0
        request, topics = divmod(number, _REQUESTS)
        if envelope.success is None:
            raise MessageError("expected a Bybit answer with 'success'", payload=frame)
        if envelope.success:
            return Acknowledged(symbols=(), request=request, subscribed=subscribed)
        if subscribed and _NO_SUCH_TOPIC.search(envelope.ret_msg):
            return Rejected(reason=envelope.ret_msg, request=request)
        if subscribed and request and _ALREADY in envelope.ret_msg:
            if topics == 1:
                return Acknowledged(symbols=(), request=request)
            # None of the others was taken: they are asked for again, in halves, until the one that was is alone.
            return Rejected(reason=envelope.ret_msg, request=request)
        # What passes is no reason to do without a symbol: the request stays unanswered, and the session ends.
        return Unknown(kind=f"error: {envelope.ret_msg}")

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for the newest trades; there is no way to older ones."""
        del since, until, cursor
        query = {"category": self.category, "symbol": self.to_venue_symbol(symbol), "limit": str(self.recent_trades)}
        return RestRequest(path="/v5/market/recent-trade", query=query)

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer; that there are no older ones it never says."""
        del cursor
        answer: RestTrades = decode(
            rest_trades_decoder, bytes(self._result(symbol, body).result), "expected Bybit REST trades"
        )
        try:
            self._check(symbol, *{row.symbol for row in answer.rows})
            # Newest first, as they are taken to come, so that those of one millisecond keep their order.
            ticks = [
                self._tick(symbol, row.price, row.size, int(row.time), row.side, row.exec_id)
                for row in reversed(answer.rows)
            ]
        except ValueError as error:
            raise MessageError(f"expected Bybit REST trades: {error}", payload=body) from error
        ticks.sort(key=lambda tick: tick.timestamp)
        return RestPage(items=ticks, backwards=True, truncated=True)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for the newest candles before an end: pages lead to the past.

        With a start too, which of the candles between them come where they are more than a page is not documented.
        """
        end = until if cursor is None else int(cursor) * _MILLISECOND
        intervals = ((time.time_ns() if end is None else end) - since) // timeframe.nominal
        query = {
            "category": self.category,
            "symbol": self.to_venue_symbol(symbol),
            "interval": _INTERVAL_OF[str(self.check_timeframe(timeframe, rest=True))],
            # One more than asked for shows that there are none between.
            "limit": str(min(max(intervals + 2, 2), _CANDLES_PER_PAGE)),
        }
        if end is not None:
            query["end"] = str((end - 1) // _MILLISECOND)
        return RestRequest(path="/v5/market/kline", query=query)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer."""
        page: RestKlines = decode(
            rest_klines_decoder, bytes(self._result(symbol, body).result), "expected Bybit REST candles"
        )
        try:
            self._check(symbol, page.symbol)
            candles = [
                self._candle(symbol, timeframe, int(row[0]), row[1:], closed=True, complete=True) for row in page.rows
            ]
        except ValueError as error:
            raise MessageError(f"expected Bybit REST candles: {error}", payload=body) from error
        candles.sort(key=lambda candle: candle.open_time)
        oldest = str(candles[0].open_time // _MILLISECOND) if candles else None
        return RestPage(items=candles, cursor=oldest if oldest != cursor else None, backwards=True)

    def _check(self, symbol: str, *spellings: str) -> None:
        if any(spelling != self.to_venue_symbol(symbol) for spelling in spellings):
            raise ValueError(f"the answer is for {', '.join(sorted(spellings))}")

    def _result(self, symbol: str, body: bytes) -> RestAnswer:
        answer: RestAnswer = decode(rest_answer_decoder, body, "expected a Bybit REST answer")
        if answer.ret_code == 0:
            return answer
        reason = f"{answer.ret_code} {answer.ret_msg}"
        if answer.ret_code == 10001 and _NO_SUCH_SYMBOL.search(answer.ret_msg):
            raise SubscriptionError((symbol,), reason)
        if answer.ret_code in (10006, 10018):
            raise RateLimited(f"Bybit refused the request: {reason}")
        raise MessageError(f"Bybit refused the request: {reason}", payload=body)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return a rate limit for the ban of ten minutes that too many requests lead to; other refusals have 200."""
        del symbol
        if status == 403 and b"access too frequent" in body:
            return RateLimited("Bybit has banned this address: access too frequent", retry_after=_BANNED_FOR)
        return None


class BybitLinear(Bybit):
    """Bybit's linear contracts: perpetuals and futures that settle in USDT or USDC; volumes are in the base asset.

    A request may have any number of topics; how many symbols are good in one, since a bad one refuses them all: 50.
    The other limits, and what was not found, are those of spot.

    Source: https://bybit-exchange.github.io/docs/v5/ws/connect, read 2026-11-28. Spellings: BTCUSDT and BTCPERP are
    perpetuals in USDT and USDC, BTCUSDT-26DEC25 and BTC-26DEC25 futures; the rule in words: not found.
    """

    name: ClassVar[str] = "bybit_linear"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT:USDT", "BTC/USDC:USDC", "BTC/USDT:USDT-261225")
    url: ClassVar[str] = "wss://stream.bybit.com/v5/public/linear"
    symbols_per_message: ClassVar[int] = 50
    trades_reach: ClassVar[str] = "the newest 1,000"
    category: ClassVar[str] = "linear"
    recent_trades: ClassVar[int] = 1000

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``BTCUSDT`` for ``BTC/USDT:USDT``, ``BTCPERP`` for ``BTC/USDC:USDC``, and with a date for futures."""
        base, quote, settle, expiry, strike, _ = split_symbol(symbol)
        if settle != quote or quote not in ("USDT", "USDC") or strike:
            raise UnknownSymbol(
                f"{self.name} has contracts such as 'BTC/USDT:USDT', 'BTC/USDC:USDC' and 'BTC/USDT:USDT-261225', "
                f"got {symbol!r}"
            )
        name = f"{base}USDT" if quote == "USDT" else base
        if not expiry:
            return name if quote == "USDT" else f"{base}PERP"
        year, month, day = expiry[:2], int(expiry[2:4]), int(expiry[4:])
        if not 1 <= month <= 12 or not 1 <= day <= 31:
            raise UnknownSymbol(f"expected a date such as 261225 at the end of {symbol!r}")
        return f"{name}-{day}{_MONTHS[month - 1]}{year}"

    def from_venue_symbol(self, spelling: str) -> str:
        """Return our symbol, the inverse of ``to_venue_symbol``."""
        future = _FUTURE.fullmatch(spelling)
        name, expiry = spelling, ""
        if future is not None:
            name = future[1]
            expiry = f"{future[4]}{_MONTHS.index(future[3]) + 1:02d}{int(future[2]):02d}"
        quote = "USDT" if name.endswith("USDT") else "USDC"
        base = name.removesuffix("USDT") if quote == "USDT" else name if future else name.removesuffix("PERP")
        if not base or (base == spelling and not future):
            raise ValueError(f"expected the spelling of a linear contract, got {spelling!r}")
        return str(SymbolParts(base, quote, quote, expiry))


FEEDS = Feeds(Bybit())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc

LINEAR = Feeds(BybitLinear())
linear = LINEAR
