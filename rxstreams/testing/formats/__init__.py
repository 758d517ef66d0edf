"""The wire formats that a ``FakeExchange`` speaks, one module a venue."""

from rxstreams.testing.formats._format import (
    BadQuery,
    CandlesQuery,
    Command,
    Format,
    Malformed,
    Ping,
    RestQuery,
    Subscribe,
    SymbolsQuery,
    TradesQuery,
)
from rxstreams.testing.formats._named import format_of
from rxstreams.testing.formats.binance import BinanceFormat
from rxstreams.testing.formats.binance_futures import BinanceFuturesFormat
from rxstreams.testing.formats.bitfinex import BitfinexFormat
from rxstreams.testing.formats.bitget import BitgetFormat
from rxstreams.testing.formats.bitstamp import BitstampFormat
from rxstreams.testing.formats.bybit import BybitFormat, BybitLinearFormat
from rxstreams.testing.formats.coinbase import CoinbaseFormat
from rxstreams.testing.formats.coinbase_advanced import CoinbaseAdvancedFormat
from rxstreams.testing.formats.deribit import DeribitFormat
from rxstreams.testing.formats.gate import GateFormat
from rxstreams.testing.formats.gemini import GeminiFormat
from rxstreams.testing.formats.hyperliquid import HyperliquidFormat
from rxstreams.testing.formats.kraken import KrakenFormat
from rxstreams.testing.formats.okx import OkxFormat

__all__ = [
    "BadQuery",
    "BinanceFormat",
    "BinanceFuturesFormat",
    "BitfinexFormat",
    "BitgetFormat",
    "BitstampFormat",
    "BybitFormat",
    "BybitLinearFormat",
    "CandlesQuery",
    "CoinbaseAdvancedFormat",
    "CoinbaseFormat",
    "Command",
    "DeribitFormat",
    "Format",
    "GateFormat",
    "GeminiFormat",
    "HyperliquidFormat",
    "KrakenFormat",
    "Malformed",
    "OkxFormat",
    "Ping",
    "RestQuery",
    "Subscribe",
    "SymbolsQuery",
    "TradesQuery",
    "format_of",
]
