"""OKX's messages, their parts as ours, and the spelling of its instruments."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.venue import check_open
from rxstreams.symbols import SymbolParts
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_EXPIRY = re.compile(r"\d{6}")


class Argument(msgspec.Struct, rename="camel"):
    """Names a channel and an instrument."""

    channel: str = ""
    inst_id: str = ""


class Trade(msgspec.Struct, rename="camel", gc=False):
    """A trade: of the channel ``trades-all``, one a message, or of the REST API.

    ::

        {"arg": {"channel": "trades-all", "instId": "BTC-USDT"}, "data": [{"instId": "BTC-USDT",
         "tradeId": "130639474", "px": "42219.9", "sz": "0.12060306", "side": "buy", "source": "0",
         "ts": "1630048897897"}]}

    The channel ``trades`` adds up what one order took at one price: ``"count": "3"`` there, with the id of the last of
    them. So its trades could not be matched with REST's, and it is read, but not subscribed to.

    Source: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-all-trades-channel, …-ws-trades-channel
    and …-get-trades-history, read 2026-11-28.
    """

    inst_id: str
    trade_id: str
    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: str
    count: str = "1"


class Trades(msgspec.Struct):
    """A message of the channels ``trades-all`` and ``trades``, or the answer to a subscription to them."""

    arg: Argument
    data: list[Trade] | None = None
    event: str = ""


class Candles(msgspec.Struct):
    """Candles of a channel such as ``candle1m``: the running state, once a second at most.

    ::

        {"arg": {"channel": "candle1Dutc", "instId": "BTC-USDT"}, "data": [["1597026383085", "8533.02", "8553.74",
         "8527.17", "8548.26", "45247", "529.5858061", "5529.5858061", "0"]]}

    The columns: time of the open, open, high, low, close, volume (base; of derivatives, contracts), volume in another
    unit (quote; of derivatives, base), volume in quote, and "1" for closed.

    Source: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-candlesticks-channel, read 2026-11-28.
    """

    arg: Argument
    data: list[list[str]]


class Envelope(msgspec.Struct):
    """Any message: a channel's update or the answer to a request, one for each of its instruments.

    ::

        {"id": "1512", "event": "subscribe", "arg": {"channel": "trades-all", "instId": "BTC-USDT"},
         "connId": "a4d3ae55"}
        {"id": "1512", "event": "error", "code": "60012", "msg": "Invalid request: …", "connId": "a4d3ae55"}
        {"event": "error", "msg": "Wrong URL or channel:candle1s,instId:BTC-USDT-SWAP doesn't exist. …",
         "code": "60018", "connId": "2b5dc6ac"}
        {"event": "notice", "code": "64008", "msg": "The connection will soon be closed for a service upgrade. …",
         "connId": "a4d3ae55"}

    Whether the good instruments of a request go on beside a bad one: not found in the documentation; the answers name
    one each, so that is taken for granted. The notice comes 30 seconds before the end, for those who connect anew.

    Source: as for the trades; of the last error: https://github.com/sieblyio/okx-api/issues/106; of the notice:
    https://web3.okx.com/zh-hans/onchainos/dev-docs-v5/dex-api/dex-websocket, read 2026-11-28, which is of another API
    of the venue; nautilus_trader knows the code of this one too.
    """

    event: str = ""
    arg: Argument | None = None
    code: str = ""
    msg: str = ""
    id: str = ""


class RestAnswer(msgspec.Struct):
    """An answer of the REST API, rows newest first: trades, or candles with the columns of ``Candles``.

    ::

        {"code": "0", "msg": "", "data": [{"instId": "BTC-USDT", "side": "sell", "sz": "0.00001", "source": "0",
         "px": "29963.2", "tradeId": "242720720", "ts": "1654161646974"}]}
        {"code": "51001", "msg": "Instrument ID, Instrument ID code or Spread ID doesn't exist.", "data": []}

    Source: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history, …-get-candlesticks,
    …-get-candlesticks-history and …/#error-code, read 2026-11-28.
    """

    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


envelope_decoder = msgspec.json.Decoder(Envelope)
trades_decoder = msgspec.json.Decoder(Trades)
candles_decoder = msgspec.json.Decoder(Candles)
rest_answer_decoder = msgspec.json.Decoder(RestAnswer)
rest_trades_decoder = msgspec.json.Decoder(list[Trade])
rest_candles_decoder = msgspec.json.Decoder(list[list[str]])


@lru_cache(maxsize=4096)
def to_symbol(spelling: str) -> str:
    """Return our symbol for an instrument's name.

    Raises:
        ValueError: it is no pair, swap or future.
    """
    base, _, rest = spelling.partition("-")
    quote, _, kind = rest.partition("-")
    if not base or not quote or "_" in quote or not (kind in ("", "SWAP") or _EXPIRY.fullmatch(kind)):
        raise ValueError(f"expected an OKX pair, swap or future, got {spelling!r}")
    if not kind:
        return f"{base}/{quote}"
    return str(SymbolParts(base, quote, base if quote == "USD" else quote, "" if kind == "SWAP" else kind))


def to_tick(symbol: str, trade: Trade, count: int) -> PriceTick:
    """Return a trade as ours; raises ValueError if it is none."""
    price = float(trade.px)
    if price <= 0:
        raise ValueError(f"a price must be over 0, got {price!r}")
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=float(trade.sz),
        timestamp=to_whole(trade.ts) * _MILLISECOND,
        exchange="okx",
        trade_id=to_whole(trade.trade_id),
        side=_SIDES[trade.side],
        count=count,
    )


def to_candle(symbol: str, timeframe: Timeframe, row: list[str], *, is_past: bool) -> OHLCCandle:
    """Return a candle as ours; one of the past is complete if it is closed. Raises ValueError if it is none."""
    if len(row) < 9 or row[8] not in ("0", "1"):
        raise ValueError(f"expected nine columns, the last one 0 or 1, got {row!r}")
    closed = row[8] == "1"
    low = float(row[3])
    if low <= 0:
        raise ValueError(f"a price must be over 0, got {low!r}")
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=check_open(timeframe, to_whole(row[0]) * _MILLISECOND),
        open=float(row[1]),
        high=float(row[2]),
        low=low,
        close=float(row[4]),
        volume=float(row[5]),
        quote_volume=float(row[7]),
        exchange="okx",
        closed=closed,
        complete=closed and is_past,
    )


def to_whole(text: str) -> int:
    """Return a number that is written as digits; raises ValueError if there is anything else."""
    if not (text.isdecimal() and text.isascii()):
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(text)
