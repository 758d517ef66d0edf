"""Symbols: the form ``BASE/QUOTE`` that they have here, and the aliases under which venues know them.

Derivatives carry on: ``BTC/USDT:USDT`` is the perpetual swap of BTC/USDT that settles in USDT, ``BTC/USD:BTC`` the
inverse one, ``BTC/USDT:USDT-251226`` the future that expires on 2025-12-26, and ``BTC/USD:BTC-251226-60000-C`` the call
on it at 60,000 (``P``: the put).

Source: the unified symbols of ccxt, https://docs.rs/ccxt-core/latest/ccxt_core/symbol/formatter, read 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, NoReturn, final

from rxstreams.errors import UnknownSymbol

_FORM = re.compile(r"[^\s/]+/[^\s/]+")
_PARTS = re.compile(r"([^\s/:]+)/([^\s/:]+)(?::([^\s/:-]+)(?:-(\d{6})(?:-([\d.]+)-([CP]))?)?)?")


def check_symbol(symbol: str) -> str:
    """Return the symbol if it has the form ``BASE/QUOTE``.

    Lower case is refused: "btc/usd" and "BTC/USD" would be two symbols, and venues know only one of them. Mixed case
    passes, for some assets are written so ("kPEPE/USDC").

    Raises:
        UnknownSymbol: it has another form; the message shows the right one.
        TypeError: it is no string.

    Example:
        >>> check_symbol("BTC/USD")
        'BTC/USD'
        >>> check_symbol("btc-usd")
        Traceback (most recent call last):
            ...
        rxstreams.errors.UnknownSymbol: expected a symbol in the form 'BTC/USD', got 'btc-usd'; did you mean 'BTC/USD'?
    """
    _check_text("a symbol", symbol)
    if _FORM.fullmatch(symbol) and not symbol.islower():
        return symbol
    likely = re.sub(r"[-_:]", "/", symbol.strip().upper())
    hint = f"; did you mean {likely!r}?" if _FORM.fullmatch(likely) else ""
    raise UnknownSymbol(f"expected a symbol in the form 'BTC/USD', got {symbol!r}{hint}")


class SymbolParts(NamedTuple):
    """What a symbol consists of.

    Args:
        base, quote: the two assets.
        settle: what a derivative settles in; "": it is a spot pair.
        expiry: ``YYMMDD``; "": it has none.
        strike, kind: of an option: the price, and "C" or "P"; "": it is none.
    """

    base: str
    quote: str
    settle: str = ""
    expiry: str = ""
    strike: str = ""
    kind: str = ""

    def __str__(self) -> str:
        """Return the symbol."""
        contract = "-".join(part for part in (self.settle, self.expiry, self.strike, self.kind) if part)
        return f"{self.base}/{self.quote}" + (f":{contract}" if contract else "")


def split_symbol(symbol: str) -> SymbolParts:
    """Return the parts of a symbol.

    Raises:
        UnknownSymbol: it has another form; the message shows the right one.
        TypeError: it is no string.

    Example:
        >>> split_symbol("BTC/USD:BTC-251226-60000-C")
        SymbolParts(base='BTC', quote='USD', settle='BTC', expiry='251226', strike='60000', kind='C')
        >>> str(split_symbol("BTC/USDT"))
        'BTC/USDT'
    """
    found = _PARTS.fullmatch(check_symbol(symbol))
    if found is None:
        raise UnknownSymbol(
            "expected a symbol such as 'BTC/USDT', 'BTC/USDT:USDT' (perpetual), 'BTC/USDT:USDT-251226' (future) or "
            f"'BTC/USD:BTC-251226-60000-C' (option), got {symbol!r}"
        )
    return SymbolParts(*(part or "" for part in found.groups()))


@final
class SymbolMap:
    """One name for every symbol, whatever a venue calls it. Immutable.

    A name stands for itself, and so does a symbol that no one claims. Upper and lower case differ, as they do for
    venues: where one writes "btcusdt", list it.

    Args:
        aliases: the aliases of each name, ``{"BTC/USD": ["XBT/USD", "XXBTZUSD"]}``; None: no aliases.

    Raises:
        ValueError: two names claim one alias, or one name is an alias of another.
        TypeError: a name or an alias is no string, or the aliases of a name are a single string.

    Example:
        >>> symbols = SymbolMap({"BTC": ["BTC/USD", "BTCUSD", "XXBTZUSD"]})
        >>> symbols["XXBTZUSD"], symbols["BTC"], symbols["ETH/USD"]
        ('BTC', 'BTC', 'ETH/USD')
        >>> symbols.aliases("BTC")
        ('BTC/USD', 'BTCUSD', 'XXBTZUSD')
    """

    __slots__ = ("_aliases", "_names")

    _names: Mapping[str, str]
    _aliases: Mapping[str, tuple[str, ...]]

    def __init__(self, aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        _check_mapping(aliases)
        names: dict[str, str] = {}
        known: dict[str, tuple[str, ...]] = {}
        for name, others in (aliases or {}).items():
            _check_text("a name", name)
            if isinstance(others, (str, bytes)):
                raise TypeError(f"the aliases of {name!r} must be several strings such as [{others!r}], got {others!r}")
            mine = tuple(dict.fromkeys(others))
            for alias in (name, *mine):
                _check_text(f"an alias of {name!r}", alias)
                owner = names.setdefault(alias, name)
                if owner != name:
                    raise ValueError(f"{alias!r} can't stand for both {owner!r} and {name!r}")
            known[name] = tuple(alias for alias in mine if alias != name)
        object.__setattr__(self, "_names", MappingProxyType(names))
        object.__setattr__(self, "_aliases", MappingProxyType(known))

    def resolve(self, symbol: str) -> str:
        """Return the name of a symbol; itself if no one claims it."""
        return self._names.get(symbol, symbol)

    __getitem__ = resolve

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the aliases of a name, in their order and without itself; none for an unknown name."""
        return self._aliases.get(name, ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolMap) and self._names == other._names

    def __hash__(self) -> int:
        return hash(frozenset(self._names.items()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a SymbolMap is immutable: can't set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a SymbolMap is immutable: can't delete {name}")

    def __reduce__(self) -> tuple[object, ...]:
        return SymbolMap, (dict(self._aliases),)

    def __repr__(self) -> str:
        return f"SymbolMap({ {name: list(aliases) for name, aliases in self._aliases.items()} })"


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, got {value!r}")
    if not value:
        raise ValueError(f"{what} must not be empty")


def _check_mapping(value: object) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"expected the aliases of each name, such as {{'BTC/USD': ['XBT/USD']}}, got {value!r}")
