"""``deduplicate``: every item once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, overload

from reactivex import Observable, abc

from rxstreams.errors import ObserverError
from rxstreams.items import PriceTick
from rxstreams.operators._recent import RecentKeys

_T = TypeVar("_T")


def trade_key(tick: PriceTick) -> Hashable:
    """Return what tells a trade from all others: (exchange, symbol, trade_id); None if it has no id.

    Raises:
        TypeError: it is no PriceTick.
    """
    if not isinstance(tick, PriceTick):  # pyright: ignore[reportUnnecessaryIsInstance]  # operators are not typed at run time
        raise TypeError(
            f"deduplicate takes PriceTick items unless it is given a key, got {type(tick).__name__} {tick!r}"
        )
    return None if tick.trade_id is None else (tick.exchange, tick.symbol, tick.trade_id)


@overload
def deduplicate(*, size: int = 100_000) -> Callable[[Observable[PriceTick]], Observable[PriceTick]]: ...
@overload
def deduplicate(
    key: Callable[[_T], Hashable], *, size: int = 100_000
) -> Callable[[Observable[_T]], Observable[_T]]: ...
def deduplicate(
    key: Callable[[Any], Hashable] = trade_key, *, size: int = 100_000
) -> Callable[[Observable[Any]], Observable[Any]]:
    """Drop items that were seen before.

    ::

        ticks          -1--2--2--3--1--4--     numbers are ids
        deduplicate()  -1--2-----3-----4--

    Args:
        key: a function of an item that returns what it is known by, hashable; None: it has nothing of the kind, and is
            never taken for a duplicate. By default (exchange, symbol, trade_id), and None for a trade without an id.
        size: keys that are remembered at most, at least 1; all symbols share them. With the next one the oldest is
            forgotten, and an item of that key would pass again.

    Emits:
        The items of the source that are new, the same objects, at once. Completes and fails with it.

    Raises:
        TypeError: key is no function, or size no integer.
        ValueError: size is less than 1.

    Errors:
        TypeError: without a key of your own, an item is no PriceTick. ObserverError: ``key`` raised, or returned what
        can't be hashed; the cause is that exception.

    Memory: O(size), for each subscription: some 150 bytes for the key of a trade.

    Example:
        >>> import reactivex
        >>> from rxstreams.operators import deduplicate
        >>> _ = reactivex.of("a", "b", "A", "c").pipe(deduplicate(str.lower)).subscribe(print)
        a
        b
        c
    """
    _check(key, size)

    def operator(source: Observable[Any]) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            is_new = RecentKeys(size).add
            send = observer.on_next
            has_failed = False

            def on_next(item: Any) -> None:
                nonlocal has_failed
                if has_failed:  # a source that is being subscribed to can't be stopped yet
                    return
                try:
                    found = key(item)
                    passes = found is None or is_new(found)
                except Exception as error:
                    has_failed = True
                    observer.on_error(_judge(error, key))
                    return
                if passes:
                    send(item)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return operator


def _judge(error: Exception, key: Callable[[Any], Hashable]) -> Exception:
    if key is trade_key:
        return error
    bug = ObserverError(f"the key of deduplicate raised {error!r}")
    bug.__cause__ = error
    return bug


def _check(key: object, size: object) -> None:
    if not callable(key):
        raise TypeError(f"key must be a function of an item, got {key!r}")
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"size must be an integer, got {size!r}")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size!r}")
