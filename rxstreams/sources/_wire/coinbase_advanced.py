"""The messages of Coinbase Advanced Trade: as documented and, where its pages are silent, as others read them."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class Trade(msgspec.Struct, gc=False):
    """A trade, live or of ``…/ticker``, where ``bid``, ``ask`` and others stand beside it.

    ::

        {"trade_id": "1234567", "product_id": "BTC-USD", "price": "4000.50", "size": "0.25000000", "side": "BUY",
         "time": "2026-03-02T10:15:02.345678Z"}

    Whose side it says was not found in the documentation. It is the maker's: so say today's nautilus_trader
    (https://nautilustrader.io/docs/rust-api-latest/nautilus_coinbase/http/parse/fn.coinbase_side_to_aggressor.html,
    read 2026-11-28; it took it for the taker's before) and several clients that have compared live trades with the
    order book, one of them 282, of which 252 were the maker's side and not the taker's. It is the same market as
    Coinbase Exchange, whose trades say the maker's side by documentation. Against it: cryptofeed.

    Ids are numbers written as text; that they count every trade was not found.

    Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/websocket/market-trades.md and
    …/rest-api/products/get-market-trades.md, read 2026-11-28, of both only the beginning; the fields are those of
    nautilus_trader's test data.
    """

    trade_id: str
    product_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: str


class RestCandle(msgspec.Struct, gc=False):
    """A candle of ``…/candles``, which has the newest first.

    ::

        {"candles": [{"start": "1772446500", "low": "3999.5", "high": "4002", "open": "4000", "close": "4001.25",
         "volume": "3.5"}]}

    Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/get-public-product-candles.md,
    read 2026-11-28, only the beginning; the fields are those of nautilus_trader's test data.
    """

    start: str
    high: str
    low: str
    open: str
    close: str
    volume: str


class Candle(RestCandle, gc=False):
    """A candle of the channel ``candles``: the running state of five minutes, sent every second.

    ::

        {"channel": "candles", "client_id": "", "timestamp": "2026-03-02T10:15:05.000000Z", "sequence_num": 3,
         "events": [{"type": "update", "candles": [{"start": "1772446500", "high": "4002", "low": "3999.5",
         "open": "4000", "close": "4001.25", "volume": "3.50000000", "product_id": "BTC-USD"}]}]}

    After subscribing comes one with the type "snapshot".

    Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/websocket/candles.md, read 2026-11-28, only
    the beginning; the fields are those of nautilus_trader's test data.
    """

    product_id: str


class Message(msgspec.Struct):
    """What all messages have: the number that ``Envelope`` tells of."""

    sequence_num: int | UnsetType = UNSET


class TradesEvent(msgspec.Struct):
    type: Literal["snapshot", "update"]
    trades: list[Trade]


class Trades(Message, kw_only=True):
    """A message of the channel ``market_trades``: what was traded in a quarter of a second, in any order.

    ::

        {"channel": "market_trades", "client_id": "", "timestamp": "2026-03-02T10:15:02.345678Z", "sequence_num": 5,
         "events": [{"type": "update", "trades": [{"trade_id": "1234567", …}]}]}

    After subscribing comes one with the type "snapshot". The order inside an event was not found.
    """

    events: list[TradesEvent]


class CandlesEvent(msgspec.Struct):
    type: Literal["snapshot", "update"]
    candles: list[Candle]


class Candles(Message, kw_only=True):
    events: list[CandlesEvent]


class SubscriptionsEvent(msgspec.Struct):
    subscriptions: dict[str, list[str]]


class Subscriptions(Message, kw_only=True):
    """What the connection has now, after a subscription or the end of one.

    ::

        {"channel": "subscriptions", "client_id": "", "timestamp": "2026-03-02T10:15:00.000000Z", "sequence_num": 0,
         "events": [{"subscriptions": {"market_trades": ["BTC-USD", "ETH-USD"], "heartbeats": ["heartbeats"]}}]}

    Source: https://docs.cdp.coinbase.com/coinbase-business/advanced-trade-apis/websocket/websocket-overview, read
    2026-11-28, which names it; the fields are those that nautilus_trader's test data has.
    """

    events: list[SubscriptionsEvent]


class Envelope(Message, kw_only=True):
    """Any message: ``channel`` names its kind; an error has ``type`` instead, and says ``message``.

    ::

        {"channel": "heartbeats", "client_id": "", "timestamp": "2026-03-02T10:15:10.000000Z", "sequence_num": 0,
         "events": [{"current_time": "2026-03-02 10:15:10.000000000 +0000 UTC", "heartbeat_counter": 42}]}

    Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels, read
    2026-11-28. The form of an error was not found; this is the one of Coinbase Exchange.

    What ``sequence_num`` counts was not found in the documentation. Other clients have measured that it counts all
    messages of a connection, of all channels together, from 0 on; one says that it counts each channel's.
    """

    channel: str = ""
    type: str = ""
    message: str = ""


class RestTrades(msgspec.Struct):
    trades: list[Trade]


class RestCandles(msgspec.Struct):
    candles: list[RestCandle]


class Product(msgspec.Struct):
    product_id: str


class Products(msgspec.Struct):
    """The list of products: ``{"products": [{"product_id": "BTC-USD", …}], "num_products": 1}``.

    Source: https://github.com/bmoscon/cryptofeed, which reads it so; that it is public, as
    https://www.rubydoc.info/gems/coinbase-advanced/Coinbase/Advanced/REST/Resources/Public says.
    """

    products: list[Product]


class Refused(msgspec.Struct):
    """The body of an HTTP error: ``{"error": "NOT_FOUND", "error_details": "…", "message": "…"}``.

    Not documented; what it says of an unknown product was not found.
    """

    error: str
    error_details: str = ""
    message: str = ""
