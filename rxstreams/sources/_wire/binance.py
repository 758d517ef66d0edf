"""What the messages of Binance's venues look like, spot and futures alike."""

from __future__ import annotations

import msgspec


class RestTrade(msgspec.Struct, gc=False):
    """An aggregate trade, as REST gives it: deals of one price and one taking side in one row.

    ::

        {"a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781, "T": 1498793709153, "m": true,
         "M": true}

    ``f`` and ``l`` are the ids of the first and the last deal in it, ``m`` says that the buyer was the maker. Spot has
    ``M``, futures ``nq``, neither is read. Rows that were there twice have price and quantity 0, and -1 for both ids.

    Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints, read 2026-11-28;
    the rows with -1: its CHANGELOG.md of 2022-04-12.
    """

    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741  (the venue's name)
    T: int
    m: bool


class Trade(RestTrade, gc=False):
    """An aggregate trade of the stream ``SYMBOL@aggTrade``, which has the ids that REST has.

    ::

        {"e": "aggTrade", "E": 1672515782136, "s": "BNBBTC", "a": 12345, "p": "0.001", "q": "100", "f": 100, "l": 105,
         "T": 1672515782136, "m": true, "M": true}

    Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md, read 2026-11-28.
    """

    s: str


class Kline(msgspec.Struct, gc=False):
    """What is read of a candle of the socket."""

    t: int
    s: str
    i: str
    o: str
    c: str
    h: str
    l: str  # noqa: E741  (the venue's name)
    v: str
    n: int
    x: bool
    q: str
    V: str


class Candle(msgspec.Struct):
    """A candle of the stream ``SYMBOL@kline_INTERVAL``, again and again while it runs, and once more when it is over.

    ::

        {"e": "kline", "E": 1672515782136, "s": "BNBBTC", "k": {"t": 1672515780000, "T": 1672515839999, "s": "BNBBTC",
         "i": "1m", "f": 100, "L": 200, "o": "0.0010", "c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000",
         "n": 100, "x": false, "q": "1.0000", "V": "500", "Q": "0.500", "B": "123456"}}

    ``x`` says that it is closed; ``T`` is a millisecond short of its end; ``V`` is the volume that takers bought.
    Recorded: the closed one came 0.2 to 2.0 s after the minute. Without a trade ``f`` and ``L`` are -1 and ``n`` is 0.

    Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md, read 2026-11-28.
    """

    k: Kline


class Error(msgspec.Struct):
    """An error, as REST has it in its body and the socket in ``error`` or at the top.

    ::

        {"code": -1121, "msg": "Invalid symbol."}

    Source: https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, read 2026-11-28.
    """

    code: int
    msg: str = ""


class Envelope(msgspec.Struct):
    """Any message: an event, an event in the wrapping of combined streams, or the answer to a request.

    ::

        {"result": null, "id": 1}
        {"code": 2, "msg": "Invalid request: too many parameters", "id": 1}
        {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 1}
        {"stream": "bnbbtc@aggTrade", "data": {"e": "aggTrade", …}}
        {"e": "serverShutdown", "E": 1770123456789}

    An answer names its request, not its symbols. The third form is not documented, but what clients have seen.

    Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md and
    https://developers.binance.com/legacy-docs/binance-spot-api-docs/web-socket-streams, read 2026-11-28.
    """

    e: str = ""
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: Error | None = None
    code: int | None = None
    msg: str = ""


class Event(msgspec.Struct):
    """What is looked at first: the kind of an event; some have none."""

    e: str = ""


class Symbol(msgspec.Struct):
    """A row of the list of symbols."""

    symbol: str


class ExchangeInfo(msgspec.Struct):
    """The list of symbols, cut to what is read.

    ::

        {"timezone": "UTC", "serverTime": 1565246363776, "rateLimits": [], "exchangeFilters": [],
         "symbols": [{"symbol": "ETHBTC", "status": "TRADING", "baseAsset": "ETH", "quoteAsset": "BTC", …}]}

    Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints, read 2026-11-28.
    """

    symbols: list[Symbol]


# open time, open, high, low, close, volume, close time, quote volume, trades, volume and quote volume that takers
# bought, nothing. Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints,
# read 2026-11-28.
RestCandle = tuple[int, str, str, str, str, str, int, str, int, str, str, str]

ENVELOPES = msgspec.json.Decoder(Envelope)
EVENTS = msgspec.json.Decoder(Event)
TRADES = msgspec.json.Decoder(Trade)
CANDLES = msgspec.json.Decoder(Candle)
ERRORS = msgspec.json.Decoder(Error)
REST_TRADES = msgspec.json.Decoder(list[RestTrade])
REST_CANDLES = msgspec.json.Decoder(list[RestCandle])
EXCHANGE_INFOS = msgspec.json.Decoder(ExchangeInfo)
