"""The messages of Bybit's API v5: as documented and, where its pages are silent, as others have recorded them."""

from __future__ import annotations

from typing import Literal

import msgspec

INTERVALS = {
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "720": "12h",
    "D": "1d",
    "M": "1M",
}
"""Bybit's name of an interval -> that of its timeframe; it has weeks too, of which the first day was not found."""


class Trade(msgspec.Struct, gc=False):
    """A trade of the channel ``publicTrade``; those of one message are ordered by the time of their matching.

    ::

        {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1672304486868, "data": [{"T": 1672304486865,
         "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "L": "PlusTick",
         "i": "20f43950-d8dd-5b31-9112-a178eb6023af", "BT": false}]}

    Every message has the type "snapshot", and holds new trades only; whether old ones come after subscribing: not
    found. Ids are numbers written as text for spot, UUIDs for contracts.

    Source: https://bybit-exchange.github.io/docs/v5/websocket/public/trade, read 2026-11-28.
    """

    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: str
    p: str
    i: str


class Trades(msgspec.Struct):
    """An update of the channel ``publicTrade``."""

    data: list[Trade]


class Kline(msgspec.Struct, gc=False):
    """A candle of the channel ``kline``: the running state, every 1 to 60 seconds, and once more when it has closed.

    ::

        {"topic": "kline.5.BTCUSDT", "data": [{"start": 1672324800000, "end": 1672325099999, "interval": "5",
         "open": "16649.5", "close": "16677", "high": "16677", "low": "16608", "volume": "2.081",
         "turnover": "34666.4005", "confirm": false, "timestamp": 1672324988882}], "ts": 1672324988882,
         "type": "snapshot"}

    Source: https://bybit-exchange.github.io/docs/v5/websocket/public/kline, read 2026-11-28.
    """

    start: int
    interval: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    confirm: bool


class Klines(msgspec.Struct):
    """An update of the channel ``kline``; only its topic names the symbol."""

    topic: str
    data: list[Kline]


class Envelope(msgspec.Struct):
    """Any message: a channel's update or the answer to a request, which names no symbols.

    One bad topic refuses the whole request, and so does one that is subscribed to already
    (https://github.com/ccxt/ccxt/issues/30284). The answers, of spot and of linear; refusals are in no documentation::

        {"success": true, "ret_msg": "subscribe", "conn_id": "2324d924-…", "req_id": "10001", "op": "subscribe"}
        {"success": true, "ret_msg": "", "conn_id": "3cd84cb1-…", "req_id": "", "op": "subscribe"}
        {"success": true, "ret_msg": "pong", "conn_id": "0970e817-…", "op": "ping"}
        {"success": true, "ret_msg": "pong", "conn_id": "465772b1-…", "req_id": "", "op": "ping"}
        {"success": false, "ret_msg": "Invalid symbol :[publicTrade.NOPEUSDT]", "req_id": "6", "op": "subscribe"}
        {"success": false, "ret_msg": "error:handler not found,topic:publicTrade.NOPEUSDT", "conn_id": "db29396o-…",
         "req_id": "6", "op": "subscribe"}
        {"success": false, "ret_msg": "error:already subscribed,topic:publicTrade.BTCUSDT", "req_id": "7",
         "op": "subscribe"}

    Source: https://bybit-exchange.github.io/docs/v5/ws/connect, read 2026-11-28; refusals as others have recorded them.
    """

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


class RestAnswer(msgspec.Struct, rename="camel"):
    """An answer of the REST API, with HTTP 200 whatever it says.

    ::

        {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}, "retExtInfo": {}, "time": 1726147060461}

    Source: https://bybit-exchange.github.io/docs/v5/market/kline and …/v5/error, read 2026-11-28; the example is from
    ccxt's exception table.
    """

    ret_code: int
    ret_msg: str
    result: msgspec.Raw


class RestTrade(msgspec.Struct, rename="camel", gc=False):
    """A trade of ``/v5/market/recent-trade``; in which order they come: not found.

    ::

        {"execId": "2100000000007764263", "symbol": "BTCUSDT", "price": "16618.49", "size": "0.00012", "side": "Buy",
         "time": "1672052955758", "isBlockTrade": false}

    Source: https://bybit-exchange.github.io/docs/v5/market/recent-trade, read 2026-11-28.
    """

    exec_id: str
    symbol: str
    price: str
    size: str
    side: Literal["Buy", "Sell"]
    time: str


class RestTrades(msgspec.Struct, rename={"rows": "list"}):
    """A page of them."""

    rows: list[RestTrade]


class RestKlines(msgspec.Struct, rename={"rows": "list"}):
    """Candles, newest first: start, open, high, low, close, volume, turnover.

    ::

        {"symbol": "BTCUSD", "category": "inverse", "list": [["1670608800000", "17071", "17073", "17027", "17055.5",
         "268611", "15.74462667"]]}

    Source: https://bybit-exchange.github.io/docs/v5/market/kline, read 2026-11-28.
    """

    symbol: str
    rows: list[tuple[str, str, str, str, str, str, str]]


envelope_decoder = msgspec.json.Decoder(Envelope)
trades_decoder = msgspec.json.Decoder(Trades)
klines_decoder = msgspec.json.Decoder(Klines)
rest_answer_decoder = msgspec.json.Decoder(RestAnswer)
rest_trades_decoder = msgspec.json.Decoder(RestTrades)
rest_klines_decoder = msgspec.json.Decoder(RestKlines)
