"""Binance's spot messages, written from its documentation, for the suite that every venue passes.

Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md and
https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints, read 2026-11-28.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from venue_case import Page, Sample, VenueCase

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.binance import Binance
from rxstreams.sources.venue import Acknowledged, Goodbye, Unknown
from rxstreams.testing.formats.binance import BinanceFormat
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_OPEN_TIME = 1_762_795_380_000  # 2025-11-10T17:23:00Z

FIRST = PriceTick(
    symbol="BNB/BTC",
    price=0.00951,
    volume=12.5,
    timestamp=1_762_795_433_971 * _MILLISECOND,
    exchange="binance",
    trade_id=12345,
    side=Side.SELL,
    count=6,
)
TRADE: Mapping[str, Any] = {
    "e": "aggTrade",
    "E": 1_762_795_433_972,
    "s": "BNBBTC",
    "a": 12345,
    "p": "0.00951000",
    "q": "12.50000000",
    "f": 100,
    "l": 105,
    "T": 1_762_795_433_971,
    "m": True,
    "M": True,
}
KLINE: Mapping[str, Any] = {
    "t": _OPEN_TIME,
    "T": _OPEN_TIME + 59_999,
    "s": "BNBBTC",
    "i": "1m",
    "f": 100,
    "L": 200,
    "o": "0.0010",
    "c": "0.0020",
    "h": "0.0025",
    "l": "0.0010",
    "v": "1000",
    "n": 101,
    "x": False,
    "q": "1.5000",
    "V": "500",
    "Q": "0.500",
    "B": "123456",
}
CANDLE = OHLCCandle(
    symbol="BNB/BTC",
    timeframe=Timeframe("1m"),
    open_time=_OPEN_TIME * _MILLISECOND,
    open=0.001,
    high=0.0025,
    low=0.001,
    close=0.002,
    volume=1000.0,
    trades=101,
    quote_volume=1.5,
    buy_volume=500.0,
    exchange="binance",
    closed=False,
)
EMPTY: Mapping[str, Any] = {
    **{"f": -1, "L": -1, "o": "0.0020", "h": "0.0020", "l": "0.0020", "v": "0", "n": 0, "x": True},
    **{"q": "0", "V": "0", "Q": "0"},
}
EMPTY_CANDLE = replace(
    CANDLE, open=0.002, high=0.002, low=0.002, volume=0.0, trades=0, quote_volume=0.0, buy_volume=0.0, closed=True
)


def encode(message: object) -> bytes:
    """Return a message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def kline(**changes: object) -> bytes:
    """Return a message with a candle."""
    return encode({"e": "kline", "E": _OPEN_TIME + 60_500, "s": KLINE["s"], "k": {**KLINE, **changes}})


def wrapped(stream: str, event: Mapping[str, Any]) -> bytes:
    """Return an event in the wrapping of combined streams."""
    return encode({"stream": stream, "data": event})


def rest_trades(row: Mapping[str, Any], count: int, since: int = 12345) -> bytes:
    """Return a REST answer with so many trades, whose ids follow one another."""
    rows = [{key: row[key] for key in row if key not in ("e", "E", "s")} | {"a": since + at} for at in range(count)]
    return encode(rows)


def rest_candles(count: int) -> bytes:
    """Return a REST answer with so many candles of one minute."""
    rows: list[Sequence[object]] = [
        [
            *(_OPEN_TIME + at * 60_000, "0.0010", "0.0025", "0.0010", "0.0020", "1000"),
            *(_OPEN_TIME + at * 60_000 + 59_999, "1.5000", 101, "500", "0.500", "0"),
        ]
        for at in range(count)
    ]
    return encode(rows)


def candles(count: int, candle: OHLCCandle) -> tuple[OHLCCandle, ...]:
    """Return the candles of ``rest_candles``; the time of the answer decides which of them is still running."""
    step = 60_000 * _MILLISECOND
    return tuple(
        replace(candle, closed=True, complete=True, open_time=candle.open_time + at * step) for at in range(count)
    )


def samples(trade: Mapping[str, Any], first: PriceTick, candle: OHLCCandle, empty: OHLCCandle) -> tuple[Sample, ...]:
    """Return the messages, which differ little between spot and futures."""
    stream = f"{trade['s'].lower()}@aggTrade"
    accepted = Acknowledged(symbols=(), request=7)
    symbol = trade["s"]
    too_many = "Invalid request: too many parameters"
    shutdown = {"e": "serverShutdown", "E": 1_770_123_456_789}
    goodbye = (Goodbye(reason="serverShutdown"),)
    ticker = {"u": 400900217, "s": symbol, "b": "25.3519", "B": "31.21", "a": "25.3652", "A": "40.66"}
    return (
        Sample(kind="acknowledgement", frame=b'{"result":null,"id":7}', expected=(accepted,)),
        Sample(kind="one trade", frame=encode(trade), expected=(first,)),
        Sample(kind="one trade", frame=wrapped(stream, trade), expected=(first,)),
        Sample(
            kind="one trade",
            frame=encode({**dict(reversed(list(trade.items()))), "m": False, "l": trade["f"]}),
            expected=(replace(first, side=Side.BUY, count=1),),
        ),
        Sample(kind="open candle", frame=kline(s=symbol), expected=(candle,)),
        Sample(kind="closed candle", frame=kline(s=symbol, x=True), expected=(replace(candle, closed=True),)),
        Sample(kind="closed candle", frame=kline(s=symbol, **EMPTY), expected=(empty,)),
        Sample(kind="goodbye", frame=encode(shutdown), expected=goodbye),
        Sample(kind="goodbye", frame=wrapped("!serverShutdown", shutdown), expected=goodbye),
        Sample(
            kind="unknown kind",
            frame=encode({"code": 2, "msg": too_many, "id": 7}),
            expected=(Unknown(kind=f"error: {too_many}"),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"error":{"code":4,"msg":"Too many subscriptions"},"id":7}',
            expected=(Unknown(kind="error: Too many subscriptions"),),
        ),
        Sample(kind="unknown kind", frame=encode(ticker), expected=(Unknown(kind="?"),)),
        Sample(kind="unknown kind", frame=b'{"result":["bnbbtc@aggTrade"],"id":3}', expected=(Unknown(kind="result"),)),
    )


ABSENT = {
    "refusal": "unknown symbols are acknowledged; other errors are none of a symbol's",
    "heartbeat": "the server sends pings of the WebSocket protocol, no messages",
    "probe answer": "it is probed by pings of the WebSocket protocol",
    "several trades": "a message carries one aggregate trade",
    "trade snapshot": "nothing of the past is sent after subscribing",
    "candle snapshot": "nothing of the past is sent after subscribing",
}
EXCHANGE_INFO = encode(
    {
        "timezone": "UTC",
        "serverTime": 1565246363776,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [
            {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"},
            {"symbol": "BNBBTC", "status": "BREAK", "baseAsset": "BNB", "quoteAsset": "BTC"},
        ],
    }
)
UNKNOWN_SYMBOL = (400, b'{"code":-1121,"msg":"Invalid symbol."}')

CASE = VenueCase(
    venue=Binance(),
    format=BinanceFormat,
    spellings={
        "BTC/USDT": "BTCUSDT",
        "BNB/BTC": "BNBBTC",
        "ADA/EUR": "ADAEUR",
        "FDUSD/USDT": "FDUSDUSDT",
        "BTC/FDUSD": "BTCFDUSD",
        "1000SATS/TRY": "1000SATSTRY",
        "ETH/U": "ETHU",
    },
    malformed_symbols=("BTC/USDT:USDT", "BTC/USDT:USDT-251226", "BTCUS/DT"),
    samples=samples(TRADE, FIRST, CANDLE, EMPTY_CANDLE),
    absent=ABSENT,
    trade_pages=(
        Page(symbol="BNB/BTC", body=rest_trades(TRADE, 2), items=(FIRST, replace(FIRST, trade_id=12346))),
        Page(
            symbol="BNB/BTC", body=rest_trades(TRADE, 1, 13345), items=(replace(FIRST, trade_id=13345),), asked="13345"
        ),
        Page(
            symbol="BNB/BTC",
            body=encode(
                [
                    {"a": 12344, "p": "0.00000000", "q": "0.00000000", "f": -1, "l": -1, "T": 1, "m": True, "M": True},
                    {key: TRADE[key] for key in ("a", "p", "q", "f", "l", "T", "m", "M")},
                ]
            ),
            items=(FIRST,),
        ),
    ),
    candle_pages=(Page(symbol="BNB/BTC", body=rest_candles(2), items=candles(2, CANDLE)),),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=UNKNOWN_SYMBOL,
    symbols=(EXCHANGE_INFO, frozenset({"BTCUSDT", "BNBBTC"})),
)
