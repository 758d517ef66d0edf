"""Deribit's names of instruments, and its messages as they are on the wire."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from rxstreams.symbols import SymbolParts

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)(?:_(?P<quote>[A-Z0-9]+))?"
    r"(?:-(?:PERPETUAL|(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d\d)(?:-(?P<strike>\d+(?:d\d+)?)-(?P<kind>[CP]))?))?"
)


class Instrument(NamedTuple):
    """What its name says of an instrument.

    Args:
        symbol: ours.
        is_in_quote: whether the amounts of its trades are in USD.
    """

    symbol: str
    is_in_quote: bool


@lru_cache(maxsize=8192)
def instrument_of(name: str) -> Instrument:
    """Return what a name says.

    Source: https://docs.deribit.com/articles/json-rpc-overview ("Instrument naming"), read 2026-11-28; of linear
    contracts and spot pairs: docs/integrations/deribit.md in https://github.com/nautechsystems/nautilus_trader.

    Raises:
        ValueError: no instrument that is spoken of here can be called so.
    """
    found = _NAME.fullmatch(name)
    if found is None or (found["quote"] is None and "-" not in name):
        raise ValueError(f"expected the name of an instrument, got {name!r}")
    base, quote, strike = found["base"], found["quote"], found["strike"]
    settle = "" if "-" not in name else quote or base
    expiry = ""
    if found["day"] is not None:
        month = _MONTHS.index(found["month"]) + 1
        expiry = f"{date(2000 + int(found['year']), month, int(found['day'])):%y%m%d}"
    parts = SymbolParts(base, quote or "USD", settle, expiry, (strike or "").replace("d", "."), found["kind"] or "")
    return Instrument(str(parts), quote is None and strike is None)


def spell(parts: SymbolParts) -> str:
    """Return the name of what a symbol says, whether there can be such an instrument or not."""
    is_inverse = parts.settle == parts.base and parts.quote == "USD"
    name = parts.base if is_inverse else f"{parts.base}_{parts.quote}"
    if not parts.settle:
        return name
    if not parts.expiry:
        return f"{name}-PERPETUAL"
    year, month, day = parts.expiry[:2], int(parts.expiry[2:4]), int(parts.expiry[4:])
    name = f"{name}-{day}{_MONTHS[(month - 1) % 12]}{year}"
    return f"{name}-{parts.strike.replace('.', 'd')}-{parts.kind}" if parts.strike else name


def parts_of(channel: str) -> tuple[str, str]:
    """Return instrument and interval of "trades.BTC-PERPETUAL.100ms" or "chart.trades.BTC-PERPETUAL.1"."""
    name, _, interval = channel.removeprefix("chart.").removeprefix("trades.").rpartition(".")
    return name, interval


class Trade(msgspec.Struct, gc=False):
    """A trade, as the channel and REST send it.

    ::

        {"trade_seq": 77, "trade_id": "4001", "timestamp": 1764321833971, "price": 64000.5, "amount": 640.0,
         "direction": "sell", "instrument_name": "BTC-PERPETUAL", "index_price": 64001.2, "mark_price": 64000.9,
         "tick_direction": 2, "contracts": 64.0}

    Optional are ``iv`` (options), ``liquidation`` ("M", "T", "MT"), ``block_trade_id``, ``combo_id``.
    Source: https://docs.deribit.com/subscriptions/trades/tradesinstrument_nameinterval, read 2026-11-28; the fields:
    public_trade.json in https://github.com/api-evangelist/deribit, read 2026-11-28, and recorded messages.
    """

    instrument_name: str
    trade_seq: int
    timestamp: int
    price: float
    amount: float
    direction: Literal["buy", "sell"]


class TradesParams(msgspec.Struct):
    """What that message carries."""

    data: list[Trade]


class Trades(msgspec.Struct):
    """A message of ``trades.INSTRUMENT.100ms``: the trades of the last 100 ms, each for itself."""

    params: TradesParams


class Candle(msgspec.Struct, gc=False):
    """The running state of the present interval, sent as it changes; flat where the interval has no trade.

    ::

        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "chart.trades.BTC-PERPETUAL.1", "data":
         {"tick": 1764321780000, "open": 64000.5, "high": 64010.0, "low": 63990.0, "close": 64005.0,
          "volume": 0.5, "cost": 32000.0}}}

    Source: https://docs.deribit.com/subscriptions/market-data/charttradesinstrument_nameresolution, read 2026-11-28;
    the fields: recorded messages.
    """

    tick: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    cost: float


class CandleParams(msgspec.Struct):
    """What a candle's message carries."""

    channel: str
    data: Candle


class CandleMessage(msgspec.Struct):
    """A message of ``chart.trades.INSTRUMENT.RESOLUTION``."""

    params: CandleParams


class Error(msgspec.Struct):
    """What is wrong with a request."""

    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw()


class ErrorData(msgspec.Struct):
    """Which parameter is wrong, and how."""

    reason: str = ""
    param: str = ""


class ChannelName(msgspec.Struct):
    """The channel of a notification."""

    channel: str = ""


class Envelope(msgspec.Struct):
    """Any message: a notification, or the answer to a request, over HTTP too; ``usOut`` is when it was sent, in µs.

    ::

        {"jsonrpc": "2.0", "id": 4097, "result": ["trades.BTC-PERPETUAL.100ms"], "usIn": 1764321833980500,
         "usOut": 1764321833981000, "usDiff": 500, "testnet": false}
        {"jsonrpc": "2.0", "id": 4097, "error": {"code": 11050, "message": "bad_request"}, "testnet": false, "usIn": …}
        {"jsonrpc": "2.0", "id": 4096, "result": {"version": "1.2.26"}, "testnet": false, "usIn": …}

    Source: https://docs.deribit.com/articles/json-rpc-overview, read 2026-11-28.
    """

    id: int = 0
    method: str = ""
    params: ChannelName | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: Error | None = None
    sent: int = msgspec.field(name="usOut", default=0)


class RestTrades(msgspec.Struct):
    """The result of ``public/get_last_trades_by_instrument(_and_time)``.

    Source: https://docs.deribit.com/api-reference/market-data/public-get_last_trades_by_instrument_and_time,
    read 2026-11-28.
    """

    trades: list[Trade]
    has_more: bool


class Chart(msgspec.Struct):
    """The result of ``public/get_tradingview_chart_data``: a column a field; "no_data" where there is none.

    Source: https://docs.deribit.com/api-reference/market-data/public-get_tradingview_chart_data, read 2026-11-28.
    """

    status: Literal["ok", "no_data"]
    ticks: list[int] = []
    open: list[float] = []
    high: list[float] = []
    low: list[float] = []
    close: list[float] = []
    volume: list[float] = []
    cost: list[float] = []


trades_decoder = msgspec.json.Decoder(Trades)
candle_decoder = msgspec.json.Decoder(CandleMessage)
envelope_decoder = msgspec.json.Decoder(Envelope)
channels_decoder = msgspec.json.Decoder(list[str])
error_data_decoder = msgspec.json.Decoder(ErrorData)
rest_trades_decoder = msgspec.json.Decoder(RestTrades)
chart_decoder = msgspec.json.Decoder(Chart)
