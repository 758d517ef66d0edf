"""Symbols: one name for an instrument, whatever a venue calls it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rxstreams.errors import UnknownSymbol


class SymbolMap(Mapping[str, str]):
    """Aliases of a symbol -> one name. Immutable.

    Spelling is exact, upper and lower case differ. A name stands for itself; so does a symbol that the map does not
    know, as ``resolve`` returns it.

    Args:
        aliases: name -> its other spellings; None: no aliases at all.

    Raises:
        ValueError: an alias belongs to two names.
        TypeError: the spellings of a name are a single string.

    Example:
        >>> names = SymbolMap({"BTC": ["BTC/USD", "XXBTZUSD"]})
        >>> names.resolve("XXBTZUSD"), names.resolve("BTC"), names.resolve("ETH/USD")
        ('BTC', 'BTC', 'ETH/USD')
    """

    def __init__(self, aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        names: dict[str, str] = {name: name for name in aliases or ()}
        for name, spellings in (aliases or {}).items():
            if isinstance(spellings, str):
                raise TypeError(f"the aliases of {name!r} must be a list, got the string {spellings!r}")
            for spelling in spellings:
                known = names.setdefault(spelling, name)
                if known != name:
                    raise ValueError(f"{spelling!r} can't be an alias of {name!r}: it belongs to {known!r}")
        self._names = names

    def resolve(self, symbol: str) -> str:
        """Return the one name of a symbol; the symbol itself if it is not known."""
        return self._names.get(symbol, symbol)

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the other spellings of a name, in the order given."""
        return tuple(spelling for spelling, of in self._names.items() if of == name and spelling != name)

    def __getitem__(self, symbol: str) -> str:
        return self._names[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        names = dict.fromkeys(self._names.values())
        return f"SymbolMap({ {name: list(self.aliases(name)) for name in names} })"


def check_symbol(symbol: str) -> str:
    """Return the symbol if it has the form ``BASE/QUOTE``.

    Raises:
        UnknownSymbol: it has not.
        TypeError: it is no string.
    """
    if not isinstance(symbol, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise TypeError(f"a symbol must be a string such as 'BTC/USD', got {symbol!r}")
    base, slash, quote = symbol.partition("/")
    printable = symbol.isascii() and symbol.isprintable() and " " not in symbol and '"' not in symbol
    if not (base and slash and quote) or "/" in quote or not printable:
        raise UnknownSymbol(f"a symbol must look like BASE/QUOTE, for instance 'BTC/USD', got {symbol!r}")
    return symbol
