"""Deribit, JSON-RPC over WebSocket and HTTP: perpetuals, futures, options and spot pairs; trades and candles.

Volumes are in base currency everywhere: those of trades add up to those of candles, and price times volume is in quote
currency. Deribit itself states a trade's ``amount`` in USD for inverse perpetuals and futures, which is divided by the
price here, and in base currency for linear contracts, options and spot pairs. Its candles have both: ``volume`` in
base, ``cost`` in quote currency. The prices of inverse options are in base currency, as Deribit states them.

Not spoken: combos ("BTC-FS-25DEC26_PERP"), whose price may be negative; but each of their legs comes as a trade of its
own instrument too. Block trades and liquidations come among the trades, at their own prices.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from rxstreams.errors import MessageError, RateLimited, ServerRejected, StreamError, SubscriptionError, UnknownSymbol
from rxstreams.instants import DAY, to_nanoseconds
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._wire.deribit import (
    Candle,
    CandleMessage,
    Chart,
    Envelope,
    Error,
    ErrorData,
    RestTrades,
    Trade,
    Trades,
    candle_decoder,
    channels_decoder,
    chart_decoder,
    envelope_decoder,
    error_data_decoder,
    instrument_of,
    parts_of,
    rest_trades_decoder,
    spell,
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
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_DAY_MS = DAY // _MILLISECOND
_TRADES_PER_PAGE = 1000
# A page has 5,001 at most (ccxt's deribit.ts counts on 5,000); which end is cut off where there are more: not found.
_CANDLES_PER_PAGE = 5000
_TRADES_PREFIX = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.'
_OURS = ("trades.", "chart.trades.")
_RESOLUTIONS = {
    **{f"{minutes}m": str(minutes) for minutes in (1, 3, 5, 10, 15, 30)},
    **{f"{hours}h": str(hours * 60) for hours in (1, 2, 3, 6, 12)},
    "1d": "1D",
}
_TIMEFRAMES = {resolution: Timeframe(text) for text, resolution in _RESOLUTIONS.items()}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_VOLUME_DIGITS = 10  # a hundredth of a satoshi; a quotient's last bits are noise
# An answer says what it answers by the id alone. So the id of a request says what was asked: its number, then one bit
# for the end of subscriptions, then how many channels there are. A probe asks for none.
_REQUESTS, _ENDING = 4096, 2048
_TOO_MANY = 10028
# retry, settlement_in_progress, matching_engine_queue_full, too_many_concurrent_requests, system_maintenance,
# internal_server_error, temporarily_unavailable, timed_out; and JSON-RPC's own internal error. Sources:
# https://github.com/TundraSoft/tundra-connect/wiki/Deribit-Errors, and DERIBIT_RETRY_ERROR_CODES of nautilus_trader.
_LATER = frozenset({_TOO_MANY, 10040, 10041, 10047, 10066, 11051, 11094, 13028, 13888, -32603})
# What may be said of an instrument that there is not: invalid_or_unsupported_instrument, and "not_found" of whatever
# code, and of a subscription, which has no other parameters than its channels, "Invalid params".
_NO_SUCH_INSTRUMENT, _NOT_FOUND, _INVALID_PARAMS = 10020, "not_found", -32602


class Deribit(Venue):
    """Deribit, without an account.

    Trades: the id is ``trade_seq``, "the sequence number of the trade within instrument", by which losses show and
    pages go on; as every instrument counts its own, it says nothing without the symbol. (``trade_id``, which REST and
    socket state too, counts the trades of a whole currency.) The channel ``raw`` needs an account; ``100ms`` sends the
    same trades in batches. Whether it begins with old trades: not found.

    Candles open at their first trade; an interval without one is flat at the last close; there is no closed flag. In
    two of six recorded ones cost / volume lies above the high: trades at agreed prices (blocks, legs of combos) seem to
    count in their volume and not in their prices, so candles made of trades may differ there; how: not found. Nor was
    found at which hour a daily candle begins; one that does not begin at midnight (UTC) is an error.

    Only errors that may be about an instrument end a symbol; which of them it is, and whether they come at all, was not
    found. Any other leaves the request unanswered. Which symbols are missing in the answer to a request can't be told
    here, since an answer names only those that there are.

    Limits: 32 connections from one address, HTTP requests among them. Subscribe messages: 3.3 a second, 10 at once, and
    other requests 20 a second, with an account; without one it is the address that is limited, and how is not said, so
    the figures here are cautious. Channels of a message, or of a socket: no limit was found.

    Heartbeats of the server have to be asked for, and then to be answered; ``public/test`` serves as a probe instead.

    Source: https://docs.deribit.com/articles/rate-limits and …/connection-management-best-practices, read 2026-11-28.
    """

    name: ClassVar[str] = "deribit"
    examples: ClassVar[tuple[str, ...]] = (
        "BTC/USD:BTC",
        "BTC/USD:BTC-261225",
        "BTC/USD:BTC-261225-100000-C",
        "BTC/USDC:USDC",
        "BTC/USDC",
    )
    url: ClassVar[str] = "wss://www.deribit.com/ws/api/v2"
    rest_url: ClassVar[str] = "https://www.deribit.com/api/v2"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((5, 1.0),)
    symbols_per_socket: ClassVar[int | None] = 500
    symbols_per_message: ClassVar[int] = 100
    messages_per_second: ClassVar[float] = 3.0
    contiguous_ids: ClassVar[bool] = True
    candle_timeframes: ClassVar[tuple[str, ...]] = tuple(_RESOLUTIONS)
    candle_fields: ClassVar[frozenset[str]] = frozenset({"quote_volume"})
    fill: ClassVar[Literal["skip", "flat"]] = "flat"
    trades_reach: ClassVar[str] = "24 hours"
    documentation: ClassVar[tuple[str, str]] = (
        "https://docs.deribit.com/subscriptions/trades/tradesinstrument_nameinterval",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return the name of the instrument: "BTC-26DEC25-60000-C" for ``BTC/USD:BTC-251226-60000-C``."""
        spelling = spell(split_symbol(symbol))
        try:
            meant = instrument_of(spelling).symbol
        except ValueError:
            meant = ""
        if meant != symbol:
            raise UnknownSymbol(
                "expected a symbol such as 'BTC/USD:BTC' (inverse), 'BTC/USDC:USDC' (linear) or 'BTC/USDC' (spot), "
                f"got {symbol!r}"
            )
        return spelling

    def from_venue_symbol(self, spelling: str) -> str:
        """Return our symbol for the name of an instrument."""
        return instrument_of(spelling).symbol

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("public/subscribe", channel, symbols, request * _REQUESTS)

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the request."""
        return self._request("public/unsubscribe", channel, symbols, request * _REQUESTS + _ENDING)

    def _request(self, method: str, channel: Channel, symbols: Sequence[str], number: int) -> str:
        names = map(self.to_venue_symbol, symbols)
        if channel.timeframe is None:
            channels = [f"trades.{name}.100ms" for name in names]
        else:
            resolution = _RESOLUTIONS[str(self.check_timeframe(channel.timeframe))]
            channels = [f"chart.trades.{name}.{resolution}" for name in names]
        return _call(method, number + len(channels), {"channels": channels}).decode()

    def probe_frame(self, request: int) -> str | None:
        """Return a request that needs no account (https://docs.deribit.com/api-reference/supporting/public-test)."""
        return _call("public/test", request * _REQUESTS, {}).decode()

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says."""
        if frame.startswith(_TRADES_PREFIX):
            return _to_ticks(frame)
        envelope: Envelope = decode(envelope_decoder, frame, "expected a Deribit message")
        if envelope.method == "subscription":
            channel = envelope.params.channel if envelope.params is not None else ""
            if channel.startswith("trades."):
                return _to_ticks(frame)
            if channel.startswith("chart.trades."):
                return (_to_candle(frame),)
            return (Unknown(kind=channel.partition(".")[0] or "?"),)
        if envelope.method == "heartbeat":
            return (Heartbeat(),)
        if envelope.method or (envelope.error is None and not bytes(envelope.result)):
            return (Unknown(kind=envelope.method or "?"),)
        try:
            return _to_answers(envelope)
        except ValueError as error:
            raise MessageError(f"expected a Deribit answer: {error}", payload=frame) from error

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for a page: the first one by time, the next ones by ``trade_seq``."""
        params: dict[str, Any] = {"instrument_name": self.to_venue_symbol(symbol)}
        paging = {"count": _TRADES_PER_PAGE, "sorting": "asc"}
        if cursor is not None:
            first = int(cursor)
            return _post("public/get_last_trades_by_instrument", first, {**params, "start_seq": first, **paging})
        begin = max(0, since // _MILLISECOND)
        end = (time.time_ns() + DAY if until is None else until) // _MILLISECOND + 1
        params |= {"start_timestamp": begin, "end_timestamp": max(begin, end)}
        return _post("public/get_last_trades_by_instrument_and_time", begin, {**params, **paging})

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer.

        Without an account there are those of the last 24 hours, and who asks for older ones hears nothing of it. That
        is documented for public/get_last_trades_by_currency_and_time, and taken to hold for one instrument as well.
        """
        answer = _rest_answer(symbol, body)
        result: RestTrades = decode(rest_trades_decoder, bytes(answer.result), "expected Deribit trades")
        try:
            rows = sorted(result.trades, key=lambda trade: trade.trade_seq)
            ticks = [_tick(trade) for trade in rows]
            if any(tick.symbol != symbol for tick in ticks):
                raise ValueError(f"asked for trades of {symbol} only")
        except ValueError as error:
            raise MessageError(f"expected Deribit trades: {error}", payload=body) from error
        following = str(rows[-1].trade_seq + 1) if rows and result.has_more else None
        is_too_old = cursor is None and answer.id < answer.sent // 1000 - _DAY_MS
        return RestPage(items=ticks, cursor=following, truncated=is_too_old)

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for so many intervals that none is cut off; its id says where they end."""
        resolution = _RESOLUTIONS[str(self.check_timeframe(timeframe, rest=True))]
        begin = max(0, since // _MILLISECOND) if cursor is None else int(cursor)
        end = begin + _CANDLES_PER_PAGE * timeframe.nominal // _MILLISECOND - 1
        # One candle too many shows that this was the last page.
        last = end if until is None else until // _MILLISECOND + 1
        end = min(end, last) if last >= begin else end
        params: dict[str, Any] = {
            "instrument_name": self.to_venue_symbol(symbol),
            "start_timestamp": begin,
            "end_timestamp": end,
            "resolution": resolution,
        }
        return _post("public/get_tradingview_chart_data", end, params)

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer; pages go on up to when it was sent.

        So an instrument that was listed long after the time asked for is found behind pages without candles.
        """
        del cursor
        answer = _rest_answer(symbol, body)
        chart: Chart = decode(chart_decoder, bytes(answer.result), "expected a Deribit chart")
        columns = (chart.ticks, chart.open, chart.high, chart.low, chart.close, chart.volume, chart.cost)
        try:
            rows = [Candle(*row) for row in zip(*columns, strict=True)]
            candles = [_to_ohlc(symbol, timeframe, row, closed=True) for row in rows]
        except ValueError as error:
            raise MessageError(f"expected Deribit candles: {error}", payload=body) from error
        return RestPage(items=candles, cursor=str(answer.id + 1) if 0 < answer.id * 1000 < answer.sent else None)

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what the error in an answer says; errors come with HTTP 400."""
        del status
        try:
            answer: Envelope = decode(envelope_decoder, body, "expected a Deribit answer")
        except MessageError:
            return None
        return _explain(symbol, answer.error) if answer.error is not None else None


def _call(method: str, number: int, params: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def _post(method: str, number: int, params: dict[str, Any]) -> RestRequest:
    return RestRequest(path=f"/{method}", body=_call(method, number, params))


def _to_ticks(frame: bytes) -> list[Message]:
    message: Trades = decode(trades_decoder, frame, "expected Deribit trades")
    try:
        return [_tick(trade) for trade in message.params.data]
    except ValueError as error:
        raise MessageError(f"expected Deribit trades: {error}", payload=frame) from error


def _tick(trade: Trade) -> PriceTick:
    symbol, is_in_quote = instrument_of(trade.instrument_name)
    price, volume = trade.price, trade.amount
    if price <= 0:
        raise ValueError(f"a price must be over 0, got {price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=round(volume / price, _VOLUME_DIGITS) if is_in_quote else volume,
        timestamp=trade.timestamp * _MILLISECOND,
        exchange="deribit",
        trade_id=trade.trade_seq,
        side=_SIDES[trade.direction],
    )


def _to_candle(frame: bytes) -> Message:
    message: CandleMessage = decode(candle_decoder, frame, "expected a Deribit candle")
    try:
        name, resolution = parts_of(message.params.channel)
        timeframe = _TIMEFRAMES.get(resolution)
        if timeframe is None:
            raise ValueError(f"no resolution is called {resolution!r}")
        return _to_ohlc(instrument_of(name).symbol, timeframe, message.params.data, closed=False)
    except ValueError as error:
        raise MessageError(f"expected a Deribit candle: {error}", payload=frame) from error


def _to_ohlc(symbol: str, timeframe: Timeframe, row: Candle, *, closed: bool) -> OHLCCandle:
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, row.tick * _MILLISECOND),
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.cost,
        exchange="deribit",
        closed=closed,
        complete=closed,
    )


def _to_answers(envelope: Envelope) -> tuple[Message, ...]:
    request, rest = divmod(envelope.id, _REQUESTS)
    asked, is_ending = rest % _ENDING, rest >= _ENDING
    if envelope.error is not None:
        code, words = envelope.error.code, envelope.error.message
        # What passes is no reason to do without a symbol: the request stays unanswered, and the session ends.
        if not asked or is_ending or not (code in (_NO_SUCH_INSTRUMENT, _INVALID_PARAMS) or words == _NOT_FOUND):
            return (Unknown(kind=f"error: {words} ({code})"),)
        return (Rejected(reason=f"{words} ({code})", request=request),)
    if not asked:
        return (Heartbeat(),)
    channels: list[str] = decode(
        channels_decoder, bytes(envelope.result), "expected the channels of a Deribit subscription"
    )
    names = [parts_of(channel)[0] for channel in channels if channel.startswith(_OURS)]
    symbols = tuple(dict.fromkeys(instrument_of(name).symbol for name in names))
    sent = to_nanoseconds(envelope.sent * 1000, "usOut")
    answers: list[Message] = []
    if symbols:
        answers.append(Acknowledged(symbols=symbols, time=sent, request=request, subscribed=not is_ending))
    if len(symbols) < asked:
        reason = "Deribit left it out of the subscribed channels: it has no such instrument"
        answers.append(Unknown(kind="unsubscribe refused") if is_ending else Rejected(reason=reason, request=request))
    return tuple(answers)


def _rest_answer(symbol: str, body: bytes) -> Envelope:
    answer: Envelope = decode(envelope_decoder, body, "expected a Deribit answer")
    if answer.error is not None:
        explained = _explain(symbol, answer.error)
        raise explained or MessageError(f"Deribit refused the request: {answer.error.message}", payload=body)
    return answer


def _explain(symbol: str, error: Error) -> StreamError | None:
    """Return what an error means; its ``data`` names the parameter that is wrong.

    Source: https://docs.deribit.com/articles/errors, read 2026-11-28. Which code stands for an instrument that it does
    not have is not said there.
    """
    try:
        data: ErrorData = decode(error_data_decoder, bytes(error.data), "expected the data of an error")
    except MessageError:
        data = ErrorData()
    words = f"{error.message} ({error.code}): {data.param} {data.reason}".rstrip(": ")
    if error.code == _TOO_MANY:
        return RateLimited(f"Deribit refused the request: {words}")
    if error.code in _LATER:
        return ServerRejected(f"Deribit refused the request: {words}")
    if error.code == _NO_SUCH_INSTRUMENT or error.message == _NOT_FOUND or data.param == "instrument_name":
        return SubscriptionError((symbol,), words)
    return None


FEEDS = Feeds(Deribit())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
