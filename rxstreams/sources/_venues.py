"""The venues by their names."""

from __future__ import annotations

from rxstreams.errors import UnknownVenue
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
from rxstreams.sources._feeds import Feeds

_FEEDS: dict[str, Feeds] = {
    "binance": binance.FEEDS,
    "binance_futures": binance_futures.FEEDS,
    "bitfinex": bitfinex.FEEDS,
    "bitget": bitget.FEEDS,
    "bitstamp": bitstamp.FEEDS,
    "bybit": bybit.FEEDS,
    "bybit_linear": bybit.LINEAR,
    "coinbase": coinbase.FEEDS,
    "coinbase_advanced": coinbase_advanced.FEEDS,
    "deribit": deribit.FEEDS,
    "gate": gate.FEEDS,
    "gemini": gemini.FEEDS,
    "hyperliquid": hyperliquid.FEEDS,
    "kraken": kraken.FEEDS,
    "okx": okx.FEEDS,
}


def venue(name: str) -> Feeds:
    """Return what can be had from the venue of that name: ``venue("kraken").trades(["BTC/USD"])``.

    Raises:
        UnknownVenue: there is none; the message lists those that there are.
    """
    try:
        return _FEEDS[name]
    except KeyError:
        raise UnknownVenue(f"no venue is called {name!r}; there are {', '.join(venues())}") from None


def venues() -> tuple[str, ...]:
    """Return the names of all venues, sorted."""
    return tuple(sorted(_FEEDS))
