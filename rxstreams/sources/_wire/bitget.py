"""The messages of Bitget's API v2: as documented and, where its pages are silent, as others have recorded them."""

from __future__ import annotations

from typing import Literal

import msgspec


class Argument(msgspec.Struct, rename="camel"):
    """A topic: a kind of market, a channel and a symbol."""

    inst_type: str
    channel: str
    inst_id: str


class Envelope(msgspec.Struct):
    """Any message: a channel's update, or the answer for one topic of a request.

    ::

        {"event": "subscribe", "arg": {"instType": "SPOT", "channel": "trade", "instId": "BTCUSDT"}}
        {"event": "error", "arg": {"instType": "SPOT", "channel": "trade", "instId": "NOPEUSDT"}, "code": 30001,
         "msg": "instType:SPOT,channel:trade,instId:NOPEUSDT doesn't exist", "op": "subscribe"}

    Beside these there is the text "pong", the answer to the text "ping".

    Source: https://www.bitget.com/api-doc/common/websocket-intro, read 2026-11-28; that errors name the topic and have
    numbers as codes, as others have recorded it.
    """

    event: str = ""
    action: str = ""
    arg: Argument | None = None
    code: int | str = ""
    msg: str = ""
    op: str = ""


class Trade(msgspec.Struct, rename="camel", gc=False):
    """A trade of the channel ``trade``: one of the fills of a taker's order.

    ::

        {"action": "snapshot", "arg": {"instType": "SPOT", "channel": "trade", "instId": "BTCUSDT"}, "data": [
         {"ts": "1695709835822", "price": "26293.4", "size": "0.0013", "side": "buy", "tradeId": "1000000000"}],
         "ts": 1695711090682}

    The first message after subscribing is a snapshot of past trades, which can't be declined; updates follow. In which
    order the trades of a message come: not found; ids grow with time.

    REST has the same, with "Buy" and "Sell" in the longer history.

    Source: https://www.bitget.com/api-doc/spot/websocket/public/Trades-Channel and
    …/spot/market/{Get-Recent-Trades,Get-Market-Trades}, read 2026-11-28.
    """

    ts: str
    price: str
    size: str
    side: Literal["buy", "sell", "Buy", "Sell"]
    trade_id: str


class Trades(msgspec.Struct):
    """An update of the channel ``trade``."""

    arg: Argument
    data: list[Trade]


class Candles(msgspec.Struct):
    """Candles: start, open, high, low, close, volume, volume in quote units, volume in USDT.

    ::

        {"action": "snapshot", "arg": {"instType": "SPOT", "channel": "candle1m", "instId": "ETHUSDT"}, "data": [
         ["1695672780000", "2200.1", "2200.1", "2200.1", "2200.1", "0", "0", "0"]], "ts": 1695702747821}

    An update is sent every second in which there are trades, and once an interval where there are none.

    Source: https://www.bitget.com/api-doc/spot/websocket/public/Candlesticks-Channel, read 2026-11-28.
    """

    data: list[list[str]]


class RestAnswer(msgspec.Struct, rename="camel"):
    """An answer of the REST API. An error comes with HTTP 400.

    ::

        {"code": "00000", "msg": "success", "requestTime": 1695808949356, "data": [{"symbol": "BFTUSDT", "tradeId": "1",
         "side": "buy", "price": "2.38735", "size": "2470.6224", "ts": "1622097282536"}]}

    Candles are rows as on the socket, but the last two are the other way round: volume in USDT, in quote units.

    Source: https://www.bitget.com/api-doc/spot/market/{Get-Recent-Trades,Get-Candle-Data}, read 2026-11-28; the error
    codes from ccxt's exception table.
    """

    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


envelope_decoder = msgspec.json.Decoder(Envelope)
trades_decoder = msgspec.json.Decoder(Trades)
candles_decoder = msgspec.json.Decoder(Candles)
rest_answer_decoder = msgspec.json.Decoder(RestAnswer)
rest_trades_decoder = msgspec.json.Decoder(list[Trade])
rest_candles_decoder = msgspec.json.Decoder(list[list[str]])
