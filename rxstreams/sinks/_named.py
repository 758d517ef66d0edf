"""The named cache managers: one a name, for every part of a program that asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rxstreams.registry import Registry
from rxstreams.sinks.ohlc_cache_manager import OHLCCacheManager
from rxstreams.symbols import SymbolMap
from rxstreams.timeframe import TimeframeLike

_managers: Registry[OHLCCacheManager] = Registry("OHLC cache manager")


def get_ohlc_cache_manager(
    name: str = "default",
    *,
    symbol_map: Mapping[str, Iterable[str]] | SymbolMap | None = None,
    max_candles: int | None = None,
    timeframes: Iterable[TimeframeLike] | None = None,
) -> OHLCCacheManager:
    """Return the cache manager of that name; the first call makes it.

    Args:
        name: not empty.
        symbol_map, max_candles, timeframes: as in ``OHLCCacheManager``; None: its default where it is made here, and
            whatever it has where it is there already.

    Raises:
        ValueError: the name is empty, an option is not valid, or differs from that of the manager that is there.
        TypeError: an option is of the wrong type.

    Example:
        >>> get_ohlc_cache_manager("notebook", max_candles=1000) is get_ohlc_cache_manager("notebook")
        True

    Memory: O(names); a manager stays as long as the program runs.
    """
    options: dict[str, Any] = {"symbol_map": symbol_map, "max_candles": max_candles, "timeframes": timeframes}
    wanted = OHLCCacheManager(**{option: value for option, value in options.items() if value is not None})
    manager = _managers.get_or_create(name, lambda: wanted)
    for option, value in options.items():
        if value is not None and getattr(manager, option) != getattr(wanted, option):
            raise ValueError(
                f"the OHLC cache manager {name!r} has {option}={getattr(manager, option)!r}, "
                f"got {getattr(wanted, option)!r}; use another name"
            )
    return manager
