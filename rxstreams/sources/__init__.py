"""Sources: live feeds of the venues, and REST history.

A venue's module offers ``trades``, ``candles``, ``rest_trades``, ``rest_candles`` and ``to_ohlc``, and ``ohlc``: trades
made into candles as the venue makes them, which begin with its own::

    from rxstreams.sources import kraken
    feed = kraken.trades(["BTC/USD"])
    minutes = kraken.ohlc(["BTC/USD"], "1m", history="4h")
"""

from rxstreams.sources import (
    binance,
    binance_futures,
    bitfinex,
    bitget,
    bitstamp,
    bybit,
    coinbase,
    coinbase_advanced,
    deribit,
    gate,
    gemini,
    hyperliquid,
    kraken,
    okx,
)
from rxstreams.sources._venues import venue, venues
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Venue

__all__ = [
    "Stream",
    "Venue",
    "binance",
    "binance_futures",
    "bitfinex",
    "bitget",
    "bitstamp",
    "bybit",
    "coinbase",
    "coinbase_advanced",
    "deribit",
    "gate",
    "gemini",
    "hyperliquid",
    "kraken",
    "okx",
    "venue",
    "venues",
]
