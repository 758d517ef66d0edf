"""Kraken's messages, as they come."""

from __future__ import annotations

from typing import Literal

import msgspec


class Trade(msgspec.Struct, gc=False):
    """A trade of the channel ``trade``.

    ::

        {"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD", "side": "buy", "price": 105944.20,
         "qty": 0.00027625, "ord_type": "limit", "trade_id": 10218208, "timestamp": "2023-10-06T17:35:55.440295Z"}]}

    Source: https://docs.kraken.com/api/docs/websocket-v2/trade, read 2026-11-23.
    """

    symbol: str
    side: Literal["buy", "sell"]
    price: float
    qty: float
    trade_id: int
    timestamp: str


class Candle(msgspec.Struct, gc=False):
    """A candle of the channel ``ohlc``: the running state of the present interval, sent on each trade.

    ::

        {"channel": "ohlc", "type": "update", "data": [{"symbol": "BTC/USD", "interval": 1,
         "interval_begin": "2023-10-04T16:25:00.000000000Z", "open": 106038.2, "high": 106044.3, "low": 106038.1,
         "close": 106040.1, "volume": 30927.68066226, "vwap": 106039.6, "trades": 12}]}

    Source: https://docs.kraken.com/api/docs/websocket-v2/ohlc, read 2026-11-23.
    """

    symbol: str
    interval: int
    interval_begin: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int


class Result(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class Envelope(msgspec.Struct):
    """Any message: a channel's update or the answer to a request.

    ::

        {"method": "subscribe", "req_id": 1, "result": {"channel": "trade", "snapshot": false, "symbol": "BTC/USD"},
         "success": true, "time_in": "2023-09-25T09:04:31.742599Z", "time_out": "2023-09-25T09:04:31.742648Z"}
        {"error": "Currency pair not supported ABC/USD", "method": "subscribe", "req_id": 1, "success": false,
         "symbol": "ABC/USD", "time_in": "…", "time_out": "…"}
        {"channel": "heartbeat"}

    Source: https://docs.kraken.com/api/docs/websocket-v2/trade and …/heartbeat, …/ping, read 2026-11-23.
    """

    channel: str = ""
    type: str = ""
    method: str = ""
    success: bool = True
    error: str = ""
    symbol: str = ""
    result: Result | None = None
    req_id: int = 0
    time_out: str = ""


class Trades(msgspec.Struct):
    channel: str
    type: str
    data: list[Trade]


class Candles(msgspec.Struct):
    data: list[Candle]


class RestAnswer(msgspec.Struct):
    """An answer of the REST API; a list of rows under the pair's name, and the cursor of the next page.

    ::

        {"error": [], "result": {"XXBTZUSD": [["30243.4", "0.34507674", 1688669597.8277369, "b", "m", "", 61044952]],
         "last": "1688671969993150842"}}

    Source: https://docs.kraken.com/api/docs/rest-api/get-recent-trades, read 2026-11-23.
    """

    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


# price, volume, time, side, order type, miscellaneous, trade id
RestTrade = tuple[str, str, msgspec.Raw, str, str, str, int]
# time, open, high, low, close, vwap, volume, count; the last row is the interval that is still running.
# Source: https://docs.kraken.com/api/docs/rest-api/get-ohlc-data, read 2026-11-23.
RestCandle = tuple[int, str, str, str, str, str, str, int]

ENVELOPES = msgspec.json.Decoder(Envelope)
TRADES = msgspec.json.Decoder(Trades)
CANDLES = msgspec.json.Decoder(Candles)
REST_ANSWERS = msgspec.json.Decoder(RestAnswer)
REST_TRADES = msgspec.json.Decoder(list[RestTrade])
REST_CANDLES = msgspec.json.Decoder(list[RestCandle])
CURSORS = msgspec.json.Decoder(str | int)
