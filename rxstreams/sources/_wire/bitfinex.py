"""Bitfinex's messages, as they come."""

from __future__ import annotations

from typing import Literal

import msgspec


class Trade(msgspec.Struct, array_like=True, gc=False):
    """A trade of the channel ``trades`` and of ``/v2/trades/tBTCUSD/hist``: id, milliseconds, amount, price.

    The amount is negative where the taker sold. Arrays may grow at their end.

    ::

        [17470, "te", [401597395, 1574694478808, 0.005, 7245.3]]
        [17470, "tu", [401597395, 1574694478808, 0.005, 7245.3]]
        [17470, [[401597393, 1574694475039, 0.005, 7244.9], [401597392, 1574694470503, -0.01, 7245.3]]]

    The last one, newest first, is the snapshot that follows the subscription.

    Source: https://docs.bitfinex.com/reference/ws-public-trades and …/rest-public-trades, read 2026-11-28.
    """

    id: int
    mts: int
    amount: float
    price: float


class Executed(msgspec.Struct, array_like=True, gc=False):
    """A trade with its channel: what comes most."""

    channel: int
    kind: Literal["te"]
    trade: Trade


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A candle of the channel ``candles`` and of ``/v2/candles/trade:1m:tBTCUSD/hist``; note the order of the prices.

    ::

        [343351, [1574698260000, 7379.785503, 7383.8, 7388.3, 7379.785503, 1.68829482]]

    An array of such arrays, newest first, is the snapshot that follows the subscription.

    Source: https://docs.bitfinex.com/reference/ws-public-candles and …/rest-public-candles, read 2026-11-28.
    """

    mts: int
    open: float
    close: float
    high: float
    low: float
    volume: float


class Frame(msgspec.Struct, array_like=True):
    """Any array: a channel's number, then its data or a word; ``[17470, "hb"]`` comes every 15 seconds."""

    channel: int
    kind: msgspec.Raw
    payload: msgspec.Raw = msgspec.Raw(b"")


class Event(msgspec.Struct, rename={"channel_number": "chanId", "request": "subId"}):
    """Any object.

    ::

        {"event": "info", "version": 2, "serverId": "…", "platform": {"status": 1}}
        {"event": "subscribed", "channel": "trades", "chanId": 19111, "symbol": "tBTCUSD", "subId": "7", "pair": "…"}
        {"event": "subscribed", "channel": "candles", "chanId": 343351, "key": "trade:1m:tBTCUSD"}
        {"event": "unsubscribed", "status": "OK", "chanId": 19111}
        {"event": "error", "channel": "trades", "symbol": "tABCUSD", "msg": "symbol: invalid", "code": 10300}
        {"event": "pong", "ts": 1511545528111, "cid": 1234}
        {"event": "info", "code": 20051, "msg": "Stopping. Please try to reconnect"}

    Errors: 10300 refused, 10301 subscribed already (with the channel's number), 10302 no such channel, 10305 too many
    channels, 10400 and 10401 of unsubscribing. 20051: reconnect. 20060: a maintenance begins, which takes two minutes
    at most; clients are to pause. 20061: it is over, and all channels are to be subscribed to again.

    Source: https://docs.bitfinex.com/docs/ws-general, in part (the codes of "info": what several clients quote of it),
    the venue's own Python client (``subId``), and notes of others on the live feed of September 2026, read 2026-11-28.
    """

    event: str = ""
    channel: str = ""
    channel_number: int = 0
    symbol: str = ""
    key: str = ""
    request: str = ""
    code: int = 0
    msg: str = ""


class Refusal(msgspec.Struct, array_like=True):
    """What REST says when it refuses, with HTTP 500: ``["error", 10020, "symbol: invalid"]``.

    Too many requests: ``{"error": "ERR_RATE_LIMIT"}``.

    Source: notes of others on what it answered in September 2026, and https://docs.bitfinex.com/v1, read 2026-11-28.
    """

    word: Literal["error"]
    code: int
    reason: str


EXECUTED = msgspec.json.Decoder(Executed)
FRAMES = msgspec.json.Decoder(Frame)
EVENTS = msgspec.json.Decoder(Event)
CANDLES = msgspec.json.Decoder(Candle)
REST_TRADES = msgspec.json.Decoder(list[Trade])
REST_CANDLES = msgspec.json.Decoder(list[Candle])
REFUSALS = msgspec.json.Decoder(Refusal)
