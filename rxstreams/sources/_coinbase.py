"""What Coinbase's two APIs share: the spelling of products, and pages of candles, window by window."""

from __future__ import annotations

import time

from rxstreams.errors import UnknownSymbol
from rxstreams.instants import SECOND
from rxstreams.sources._spelling import PairSpelling
from rxstreams.symbols import split_symbol
from rxstreams.timeframe import Timeframe

_SPELLING = PairSpelling("-")
# Between the first and the last open of a window. One API gives 300 candles a page, the other 350, and refuses more.
# Whether the end is inclusive is not said: neither too many nor too few come if it is, and neighbours share a candle.
_INTERVALS = 299


def to_product(symbol: str) -> str:
    """Return ``BTC-USD`` for ``BTC/USD``.

    Raises:
        UnknownSymbol: it is no spot pair.
    """
    if split_symbol(symbol).settle:
        raise UnknownSymbol(f"expected a spot pair such as 'BTC/USD', got {symbol!r}; contracts are not offered here")
    product = _SPELLING.to_venue(symbol)
    if product.count("-") != 1:
        raise UnknownSymbol(f"expected a spot pair such as 'BTC/USD', got {symbol!r}")
    return product


def from_product(product: str) -> str:
    """Return ``BTC/USD`` for ``BTC-USD``.

    Raises:
        ValueError: it is no spot product; contracts are spelt ``BTC-PERP-INTX``.
    """
    if product.count("-") != 1:
        raise ValueError(f"expected a spot product such as 'BTC-USD', got {product!r}")
    return _SPELLING.from_venue(product)


def candle_window(timeframe: Timeframe, since: int, until: int | None, cursor: str | None) -> tuple[int, int, str]:
    """Return the first and the last open of a page of candles, seconds, and the cursor of the next one; "": none is.

    Coinbase has no candles of intervals without trades, so a page may be empty and others follow.

    Args:
        timeframe: of the candles; every one that Coinbase has is of an even length.
        since: where to begin, nanoseconds.
        until: where to stop, nanoseconds, exclusive; None: now.
        cursor: of the page; None: it is the first.
    """
    length = timeframe.nominal // SECOND
    now = time.time_ns() + timeframe.nominal
    end = (now if until is None else min(until, now)) // SECOND
    first = max(0, since // SECOND // length * length) if cursor is None else int(cursor)
    last = first + _INTERVALS * length
    return first, last, "" if last >= end else f"{last}"
