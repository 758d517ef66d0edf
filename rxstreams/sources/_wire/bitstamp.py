"""Bitstamp's messages, as they come."""

from __future__ import annotations

from typing import Literal

import msgspec


class Trade(msgspec.Struct, gc=False):
    """A trade of the channel ``live_trades_btcusd``; each message has one.

    The numbers are taken from their texts: some JSON numbers had rounding errors (``0.0015847299999999999``).
    ``timestamp`` is not read: it has been seconds, and milliseconds.

    ::

        {"data": {"id": 216000477, "timestamp": "1641343699", "amount": 0.0792, "amount_str": "0.07920000",
         "price": 3805.44, "price_str": "3805.44", "type": 0, "microtimestamp": "1641343699596000",
         "buy_order_id": 1443875737346049, "sell_order_id": 1443875731320832},
         "channel": "live_trades_ethusd", "event": "trade"}

    Source: recordings of 2022; 0 is buy, 1 is sell: a copy of https://www.bitstamp.net/websocket/v2/, read 2026-11-28.
    """

    id: int
    amount_str: str
    price_str: str
    type: Literal[0, 1]
    microtimestamp: str


class Live(msgspec.Struct):
    """A trade and its channel."""

    data: Trade
    channel: str
    event: Literal["trade"]


class Envelope(msgspec.Struct):
    """Any message. None carries the number of a request; errors don't name the channel either.

    ::

        {"event": "bts:subscription_succeeded", "channel": "live_trades_btcusd", "data": {}}
        {"event": "bts:unsubscription_succeeded", "channel": "live_trades_btcusd", "data": {}}
        {"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}
        {"event": "bts:error", "channel": "", "data": {"code": null, "message": "Invalid channel provided."}}
        {"event": "bts:request_reconnect", "channel": "", "data": ""}

    A market that does not exist is acknowledged, and silent; an error is said of what is no channel's name, such as one
    in upper case. After ``bts:request_reconnect`` the server closes the connection within seconds.

    Source: recordings of 2022, and notes of others on https://www.bitstamp.net/websocket/v2/ and the live feed of
    September 2026, read 2026-11-28.
    """

    event: str = ""
    channel: str = ""


class Error(msgspec.Struct):
    """An error: a code, which may be null, and a message."""

    data: dict[str, str | int | None]


class RestTrade(msgspec.Struct, gc=False):
    """A trade of ``/api/v2/transactions/btcusd/``, newest first, stamped in whole seconds.

    ::

        [{"date": "1551814435", "tid": "83581898", "price": "0.03532850", "type": "1", "amount": "0.85945907"}]

    Finer stamps, at another endpoint: not found.

    Source: ccxt's bitstamp class, and quotations of https://www.bitstamp.net/api/#transactions, read 2026-11-28.
    """

    date: str
    tid: str
    price: str
    type: Literal["0", "1"]
    amount: str


class RestCandle(msgspec.Struct, gc=False):
    """A candle of ``/api/v2/ohlc/btcusd/?step=60&limit=1000&start=1593961440``, oldest first, the running one too.

    ::

        {"data": {"pair": "BTC/USD", "ohlc": [{"high": "9064.77", "timestamp": "1593961440", "volume": "18.49436608",
         "low": "9040.87", "close": "9064.77", "open": "9040.87"}]}}

    ``start`` and ``end`` together: ``end`` alone is regarded.

    Source: ccxt's bitstamp class, and notes of others on https://www.bitstamp.net/api/, read 2026-11-28.
    """

    timestamp: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class Ohlc(msgspec.Struct):
    """The candles of an answer."""

    ohlc: list[RestCandle]


class Candles(msgspec.Struct):
    """An answer with candles."""

    data: Ohlc


class Market(msgspec.Struct):
    """A row of ``/api/v2/markets/``.

    ``[{"name": "BTC/USD-PERP", "market_symbol": "btcusd-perp", "market_type": "PERPETUAL", "trading": "Enabled"}]``

    Source: notes of others on what it answered in September 2026, read 2026-11-28.
    """

    market_symbol: str


class Refusal(msgspec.Struct):
    """What REST says when it refuses: a code such as "400.002", and an explanation."""

    response_code: str = ""
    response_explanation: str = ""


ENVELOPES = msgspec.json.Decoder(Envelope)
LIVE = msgspec.json.Decoder(Live)
ERRORS = msgspec.json.Decoder(Error)
REST_TRADES = msgspec.json.Decoder(list[RestTrade])
REST_CANDLES = msgspec.json.Decoder(Candles)
MARKETS = msgspec.json.Decoder(list[Market])
REFUSALS = msgspec.json.Decoder(Refusal)
