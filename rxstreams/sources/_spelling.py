"""How venues spell pairs: with a separator or without one, in lower case, with names of their own for assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import ClassVar

from rxstreams.errors import UnknownSymbol
from rxstreams.symbols import check_symbol

_CACHED = 4096


class PairSpelling:
    """The spellings of one venue, both ways: ``BTC/USDT`` ↔ ``btcusdt``.

    Without a separator a spelling is split before the longest of the known ``quotes`` that it ends with. A pair whose
    quote is none of them is taken as it is given, and its spelling is remembered: so new assets need no new release.

    Args:
        separator: between base and quote; "": there is none.
        quotes: the venue's names of its quote assets; only needed without a separator.
        assets: the venue's names of assets that it calls otherwise than everybody: ``{"BTC": "XBT"}``.
        lower: whether it writes in lower case.

    Memory: O(symbols).

    Example:
        >>> spelling = PairSpelling("", quotes=["USD", "USDT"], assets={"BTC": "XBT"}, lower=True)
        >>> spelling.to_venue("BTC/USDT"), spelling.from_venue("xbtusdt")
        ('xbtusdt', 'BTC/USDT')
    """

    def __init__(
        self,
        separator: str,
        *,
        quotes: Iterable[str] = (),
        assets: Mapping[str, str] | None = None,
        lower: bool = False,
    ) -> None:
        self._separator = separator
        self._quotes = tuple(sorted(set(quotes), key=len, reverse=True))
        self._names = dict(assets or {})
        self._assets = {theirs: ours for ours, theirs in self._names.items()}
        self._lower = lower
        self._learned: dict[str, str] = {}
        self.from_venue = lru_cache(_CACHED)(self._from_venue)
        """Return our symbol for a spelling; raises ValueError if it can't be split."""

    def to_venue(self, symbol: str) -> str:
        """Return the venue's spelling of ``BASE/QUOTE``.

        Raises:
            UnknownSymbol: it does not have that form, or its spelling is that of another symbol.
        """
        base, quote = check_symbol(symbol).split("/")
        if ":" in symbol:
            raise UnknownSymbol(f"expected a spot pair such as 'BTC/USD', got the contract {symbol!r}")
        spelling = f"{self._names.get(base, base)}{self._separator}{self._names.get(quote, quote)}"
        if self._lower:
            spelling = spelling.lower()
        try:
            meant = self.from_venue(spelling)
        except ValueError:
            if self._separator:
                raise UnknownSymbol(f"{symbol!r} would be spelt {spelling!r}, which means no symbol") from None
            meant = self._learned.setdefault(spelling, symbol)
        if meant != symbol:
            raise UnknownSymbol(f"{symbol!r} would be spelt {spelling!r}, which means {meant!r}; did you mean that?")
        return spelling

    def _from_venue(self, spelling: str) -> str:
        learned = self._learned.get(spelling)
        if learned is not None:
            return learned
        text = spelling.upper() if self._lower else spelling
        if self._separator:
            base, _, quote = text.partition(self._separator)
        else:
            quote = next((each for each in self._quotes if text.endswith(each) and len(text) > len(each)), "")
            base = text.removesuffix(quote)
        if not base or not quote:
            raise ValueError(f"expected the spelling of a pair, got {spelling!r}")
        return f"{self._assets.get(base, base)}/{self._assets.get(quote, quote)}"


class SpotPairs:
    """Mixed into a venue that has nothing but spot pairs: it spells them by its ``spelling``."""

    spelling: ClassVar[PairSpelling]

    def to_venue_symbol(self, symbol: str) -> str:
        """Return the venue's spelling; raises UnknownSymbol if it is no spot pair."""
        return self.spelling.to_venue(symbol)

    def from_venue_symbol(self, spelling: str) -> str:
        """Return our symbol; raises ValueError if it can't be one of the venue's."""
        return self.spelling.from_venue(spelling)
