"""Binance's futures messages, written from its documentation, for the suite that every venue passes.

Source:
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Aggregate-Trade-Streams,
https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Kline-Candlestick-Data, read
2026-11-28. Candles and answers on the socket are those of spot, as recorded ones are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cases_binance import (
    ABSENT,
    CANDLE,
    EMPTY_CANDLE,
    UNKNOWN_SYMBOL,
    candles,
    encode,
    rest_candles,
    rest_trades,
    samples,
)
from msgspec.structs import replace
from venue_case import Page, VenueCase

from rxstreams.items import PriceTick, Side
from rxstreams.sources.binance_futures import BinanceFutures
from rxstreams.testing.formats.binance_futures import BinanceFuturesFormat

FUTURES_TRADE: Mapping[str, Any] = {
    "e": "aggTrade",
    "E": 1_762_795_433_972,
    "a": 5933014,
    "s": "BTCUSDT",
    "p": "105433.10",
    "q": "0.250",
    "nq": "0.125",
    "f": 100,
    "l": 105,
    "T": 1_762_795_433_871,
    "m": True,
}
FUTURES_FIRST = PriceTick(
    symbol="BTC/USDT:USDT",
    exchange="binance_futures",
    price=105433.1,
    volume=0.25,
    timestamp=1_762_795_433_871_000_000,
    trade_id=5933014,
    side=Side.SELL,
    count=6,
)
FUTURES_CANDLE = replace(CANDLE, symbol="BTC/USDT:USDT", exchange="binance_futures")
FUTURES_EMPTY = replace(EMPTY_CANDLE, symbol="BTC/USDT:USDT", exchange="binance_futures")
FUTURES_INFO = encode(
    {
        "timezone": "UTC",
        "symbols": [
            {"symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "marginAsset": "USDT"},
            {"symbol": "BTCUSDT_251226", "pair": "BTCUSDT", "contractType": "CURRENT_QUARTER", "marginAsset": "USDT"},
        ],
    }
)

CASE = VenueCase(
    venue=BinanceFutures(),
    format=BinanceFuturesFormat,
    spellings={
        "BTC/USDT:USDT": "BTCUSDT",
        "BTC/USDT:USDT-251226": "BTCUSDT_251226",
        "ETH/USDC:USDC": "ETHUSDC",
        "ETH/BTC:BTC": "ETHBTC",
        "BTC/U:U": "BTCU",
    },
    malformed_symbols=("BTC/USDT", "BTC/USD:BTC", "BTC/USDT:USDC", "BTC/USDT:USDT-251226-60000-C"),
    samples=samples(FUTURES_TRADE, FUTURES_FIRST, FUTURES_CANDLE, FUTURES_EMPTY),
    absent=ABSENT,
    trade_pages=(
        Page(
            symbol="BTC/USDT:USDT",
            body=rest_trades(FUTURES_TRADE, 2, 5933014),
            items=(FUTURES_FIRST, replace(FUTURES_FIRST, trade_id=5933015)),
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT:USDT",
            body=rest_candles(2),
            items=candles(2, FUTURES_CANDLE),
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=UNKNOWN_SYMBOL,
    symbols=(FUTURES_INFO, frozenset({"BTCUSDT", "BTCUSDT_251226"})),
)
