"""Gate's messages, and their parts as ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.venue import check_open
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class Trade(msgspec.Struct, gc=False):
    """A trade of the channel ``spot.trades``, one a message.

    ::

        {"time": 1606292218, "time_ms": 1606292218231, "channel": "spot.trades", "event": "update", "result":
         {"id": 309143071, "id_market": 2390902, "create_time": 1606292218, "create_time_ms": "1606292218213.4578",
          "side": "sell", "currency_pair": "GT_USDT", "amount": "16.4700000000", "price": "0.4705000000",
          "range": "2390902-2390902"}}

    ``id_market`` counts the trades of one pair, and is in all messages since 2025; ``id``, which counted those of all
    pairs, is to go. ``range`` is from the first to the last trade that a message stands for. One for several was never
    seen, and REST has them one by one: so it is taken for an error, and the trades come from there.

    Source: https://www.gate.com/docs/developers/apiv4/ws/en/#public-trades-channel, read 2026-11-28.
    """

    id: int
    create_time_ms: str
    side: Literal["buy", "sell"]
    currency_pair: str
    amount: str
    price: str
    id_market: int | msgspec.UnsetType = msgspec.UNSET
    range: str | msgspec.UnsetType = msgspec.UNSET


class TradeMessage(msgspec.Struct):
    """A message with a trade."""

    channel: str
    event: str
    result: Trade


class Candle(msgspec.Struct, gc=False):
    """A candle of the channel ``spot.candlesticks``: the running state, every two seconds.

    ::

        {"time": 1606292600, "time_ms": 1606292600376, "channel": "spot.candlesticks", "event": "update", "result":
         {"t": "1606292580", "v": "2362.32035", "c": "19128.1", "h": "19128.1", "l": "19128.1", "o": "19128.1",
          "n": "1m_BTC_USDT", "a": "3.8283", "w": true}}

    ``v`` is the volume in quote, ``a`` that in base.

    Source: https://www.gate.com/docs/developers/apiv4/ws/en/#candlesticks-channel, read 2026-11-28.
    """

    t: str
    v: str
    c: str
    h: str
    l: str  # noqa: E741  # the name on the wire
    o: str
    n: str
    a: str
    w: bool = False


class CandleMessage(msgspec.Struct):
    """A message with a candle."""

    result: Candle


class Error(msgspec.Struct):
    """Why a request is refused: 1 for its form, 2 for an argument, 3 for the server's own fault, 4 for who asked."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct):
    """Any message: a channel's update or the answer to a request, one for all of its pairs.

    ::

        {"time": 1611541000, "time_ms": 1611541000001, "id": 7, "conn_id": "b2c2b0629e0c34a3", "channel": "spot.trades",
         "event": "subscribe", "payload": ["BTC_USDT"], "error": null, "result": {"status": "success"}}
        {"time": 1606292218, "time_ms": 1606292218231, "channel": "spot.trades", "event": "subscribe", "error":
         {"code": 2, "message": "unknown currency pair GIBBERISH_USD"}, "result": null}
        {"time": 1545404023, "channel": "spot.pong", "event": "", "error": null, "result": null}

    Source: https://www.gate.com/docs/developers/apiv4/ws/en/#server-response and …/#application-ping-pong, read
    2026-11-28. That "payload" is repeated is not documented, others have recorded it; the refusal is from
    https://docs.rs/barter-data/latest/src/barter_data/exchange/gateio/message.rs.html.
    """

    channel: str = ""
    event: str = ""
    id: int | None = None
    time_ms: int = 0
    error: Error | None = None
    payload: list[str] | None = None


class RestTrade(msgspec.Struct, gc=False):
    """A trade of the REST API; a page is a list of them.

    ::

        [{"id": "1232893232", "create_time": "1548000000", "create_time_ms": "1548000000123.456", "currency_pair":
          "BTC_USDT", "side": "buy", "amount": "0.15", "price": "0.03", "sequence_id": "588018"}]

    ``sequence_id`` is what the socket calls ``id_market``.

    Source: "Query market transaction records" of https://www.gate.com/docs/developers/apiv4/en/, and
    https://github.com/gate/gateapi-python/blob/master/docs/Trade.md, read 2026-11-28.
    """

    id: str
    create_time_ms: str
    side: Literal["buy", "sell"]
    amount: str
    price: str
    sequence_id: str = ""


class RestError(msgspec.Struct):
    """An error of the REST API, with HTTP 4xx: ``{"label": "INVALID_CURRENCY_PAIR", "message": "…"}``.

    Source: the list of labels in https://www.gate.com/docs/developers/apiv4/, read 2026-11-28.
    """

    label: str = ""
    message: str = ""


envelope_decoder = msgspec.json.Decoder(Envelope)
trade_decoder = msgspec.json.Decoder(TradeMessage)
candle_decoder = msgspec.json.Decoder(CandleMessage)
rest_trades_decoder = msgspec.json.Decoder(list[RestTrade])
# Time of the open in seconds, volume in quote, close, high, low, open, volume in base, "true" for closed.
# Source: https://www.gate.com/docs/developers/apiv4/en/#market-k-line-chart, read 2026-11-28.
rest_candles_decoder = msgspec.json.Decoder(list[list[str]])
rest_error_decoder = msgspec.json.Decoder(RestError)


def to_tick(symbol: str, trade: Trade | RestTrade, trade_id: int) -> PriceTick:
    """Return a trade as ours; raises ValueError if it is none."""
    price = float(trade.price)
    if price <= 0:
        raise ValueError(f"a spot price must be over 0, got {price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=float(trade.amount),
        timestamp=to_nanoseconds(trade.create_time_ms),
        exchange="gate",
        trade_id=trade_id,
        side=_SIDES[trade.side],
    )


def to_trade_id(trade: Trade) -> int:
    """Return the number of the one trade of a message; raises ValueError if it stands for several, or has none."""
    number = trade.id if isinstance(trade.id_market, msgspec.UnsetType) else trade.id_market
    if number <= 0:
        raise ValueError(f"a trade's number must be over 0, got {number}")
    if not isinstance(trade.range, msgspec.UnsetType):
        first, dash, last = trade.range.partition("-")
        if not dash or to_whole(first) != to_whole(last):
            raise ValueError(f"expected one trade a message, got the range {trade.range!r}")
    return number


def to_past_candle(symbol: str, timeframe: Timeframe, row: list[str]) -> OHLCCandle:
    """Return a candle of the REST API as ours, complete if it is closed; raises ValueError if it is none."""
    if len(row) < 8 or row[7] not in ("true", "false"):
        raise ValueError(f"expected eight columns, the last one true or false, got {row!r}")
    closed = row[7] == "true"
    return to_candle(symbol, timeframe, row, closed=closed, complete=closed)


def to_candle(
    symbol: str, timeframe: Timeframe, row: Sequence[str], *, closed: bool, complete: bool = False
) -> OHLCCandle:
    """Return a candle as ours, from columns in the order of the REST API; raises ValueError if it is none."""
    low = float(row[4])
    if low <= 0:
        raise ValueError(f"a spot price must be over 0, got {low!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, to_whole(row[0]) * SECOND),
        open=float(row[5]),
        high=float(row[3]),
        low=low,
        close=float(row[2]),
        volume=float(row[6]),
        quote_volume=float(row[1]),
        exchange="gate",
        closed=closed,
        complete=complete,
    )


def to_nanoseconds(text: str) -> int:
    """Return milliseconds with digits after the point as nanoseconds, the digits beyond the sixth cut.

    Raises:
        ValueError: it is no plain decimal number.
    """
    whole, dot, fraction = text.partition(".")
    if dot:
        to_whole(fraction)
    return to_whole(whole) * _MILLISECOND + int(fraction[:6].ljust(6, "0"))


def to_whole(text: str) -> int:
    """Return a number that is written as digits; raises ValueError if there is anything else."""
    if not (text.isdecimal() and text.isascii()):
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(text)
