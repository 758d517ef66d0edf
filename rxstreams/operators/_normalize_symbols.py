"""``normalize_symbols``: one name for every symbol."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import force_setattr
from reactivex import Observable, abc

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.symbols import SymbolMap

_ItemT = TypeVar("_ItemT", PriceTick, OHLCCandle)


def normalize_symbols(
    aliases: SymbolMap | Mapping[str, Iterable[str]],
) -> Callable[[Observable[_ItemT]], Observable[_ItemT]]:
    """Give every tick or candle the one name of its symbol.

    ::

        ticks                               --XXBTZUSD--BTC/USD--SOL/USD--
        normalize_symbols({"BTC/USD":
                           ["XXBTZUSD"]})   --BTC/USD---BTC/USD--SOL/USD--

    It is for the spellings of one market. Ticks of different markets under one name would make candles of both that are
    called complete while one of them is lost.

    Args:
        aliases: a SymbolMap, or what one is made of: the aliases of each name. A symbol that is none of them passes
            unchanged.

    Emits:
        A copy of the item with another symbol, or the item itself where that is the name already. Completes and fails
        with the source.

    Raises:
        ValueError: two names claim one alias.
        TypeError: it is no mapping of strings.

    Errors:
        TypeError: an item is neither a PriceTick nor an OHLCCandle.

    Memory: O(1).

    Example:
        >>> import reactivex
        >>> from rxstreams.items import PriceTick
        >>> from rxstreams.operators import normalize_symbols
        >>> tick = PriceTick(symbol="XXBTZUSD", price=105_000, timestamp=0)
        >>> reactivex.of(tick).pipe(normalize_symbols({"BTC/USD": ["XXBTZUSD"]})).run().symbol
        'BTC/USD'
    """
    resolve = (aliases if isinstance(aliases, SymbolMap) else SymbolMap(aliases)).resolve

    def operator(source: Observable[_ItemT]) -> Observable[_ItemT]:
        def subscribe(
            observer: abc.ObserverBase[_ItemT], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            send = observer.on_next

            def on_next(item: Any) -> None:  # whatever its type says, anything may come
                if item.__class__ is not PriceTick and item.__class__ is not OHLCCandle:
                    observer.on_error(
                        TypeError(
                            f"normalize_symbols takes PriceTick or OHLCCandle items, got {type(item).__name__} {item!r}"
                        )
                    )
                    return
                name = resolve(item.symbol)
                if name != item.symbol:
                    item = copy.copy(item)
                    force_setattr(item, "symbol", name)  # nobody else has seen the copy yet
                send(item)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return operator
