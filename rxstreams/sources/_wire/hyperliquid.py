"""Hyperliquid's messages as they are on the wire."""

from __future__ import annotations

from typing import Literal

import msgspec


class Trade(msgspec.Struct, gc=False):
    """A trade; ``side`` is the aggressor's, B for buy and A for sell.

    ::

        {"channel": "trades", "data": [{"coin": "BTC", "side": "A", "px": "64000.5", "sz": "0.16",
         "time": 1795857833971, "hash": "0x01…", "tid": 7001, "users": ["0x02…", "0x03…"]}]}

    Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/notation (side, px, sz), read 2026-11-28;
    the fields: src/markets/trades.rs and its tests in https://docs.rs/crate/df-hyperliquid-core, read 2026-11-28.
    """

    coin: str
    side: Literal["A", "B"]
    px: str
    sz: str
    time: int
    tid: int


class Candle(msgspec.Struct, gc=False, rename={"open_time": "t", "last": "T"}):
    """The running state of the present interval; ``T`` is the last millisecond of it.

    ::

        {"channel": "candle", "data": {"t": 1795857780000, "T": 1795857839999, "s": "BTC", "i": "1m", "o": "64000.5",
         "c": "64005.0", "h": "64010.0", "l": "63990.0", "v": "12.5", "n": 189}}

    Whether the channel's data is one of them or a list differs between descriptions: both are taken.
    Source: the page "Info endpoint" of https://hyperliquid.gitbook.io/hyperliquid-docs (candle snapshot), read
    2026-11-28; of the channel: programs that read it.
    """

    open_time: int
    last: int
    s: str
    i: str
    o: str
    c: str
    h: str
    l: str  # noqa: E741 - the venue's name
    v: str
    n: int


class Subscription(msgspec.Struct):
    """What is subscribed to; an answer repeats it.

    ::

        {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": {"type": "trades", "coin":
         "BTC"}}}
        {"channel": "error", "data": "Already subscribed: {\\"type\\":\\"trades\\",\\"coin\\":\\"UNI\\"}"}

    Source: https://hyperliquid.gitbook.io/Hyperliquid-docs/for-developers/api/websocket/subscriptions, read 2026-11-28;
    of the channel ``error``, which it does not describe: https://github.com/gemwalletcom/wallet/issues/462, read
    2026-11-28. The words for a coin that there is not: not found.
    """

    type: str
    coin: str = ""


class Answer(msgspec.Struct):
    """The answer to a request to subscribe, or not to any more."""

    method: Literal["subscribe", "unsubscribe"]
    subscription: Subscription


class Envelope(msgspec.Struct):
    """Any message."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw()


class Trades(msgspec.Struct):
    """A message of the channel ``trades``."""

    data: list[Trade]


class Coin(msgspec.Struct):
    """A perpetual."""

    name: str
    delisted: bool = msgspec.field(name="isDelisted", default=False)


class Meta(msgspec.Struct):
    """The perpetuals: ``{"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}, …]}``."""

    universe: list[Coin]


class CandlesAsked(msgspec.Struct, rename="camel"):
    """Which candles are asked for."""

    coin: str
    interval: str
    start_time: int
    end_time: int


class Asked(msgspec.Struct):
    """A request to the info endpoint: ``{"type": "meta"}``, or with ``req`` for candles."""

    type: str
    req: CandlesAsked | None = None


envelope_decoder = msgspec.json.Decoder(Envelope)
trades_decoder = msgspec.json.Decoder(Trades)
candles_decoder = msgspec.json.Decoder(Candle | list[Candle])
rest_candles_decoder = msgspec.json.Decoder(list[Candle] | None)
answer_decoder = msgspec.json.Decoder(Answer)
text_decoder = msgspec.json.Decoder(str)
meta_decoder = msgspec.json.Decoder(Meta)
asked_decoder = msgspec.json.Decoder(Asked)
