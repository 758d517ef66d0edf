"""An observer of a feed, and from when on it sees each symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace
from reactivex import abc

from rxstreams.items import OHLCCandle, PriceTick

T = TypeVar("T", PriceTick, OHLCCandle)


class FeedObserver(abc.ObserverBase[T]):
    """Stands between a feed and one of its observers.

    Attributes:
        disposed: whether its subscription was disposed.
        floors: symbol -> where its coverage begins for this observer, nanoseconds; empty: as the feed's.
    """

    def __init__(self, observer: abc.ObserverBase[T]) -> None:
        self.disposed = False
        self.floors: dict[str, int] = {}
        self._on_next: Callable[[T], None] = observer.on_next
        self.on_error = observer.on_error  # type: ignore[method-assign]  # nothing to add to it
        self.on_completed = observer.on_completed  # type: ignore[method-assign]  # nothing to add to it

    def on_next(self, value: T) -> None:
        """Send an item on, its coverage beginning where this observer came."""
        if self.floors:
            floor = self.floors.get(value.symbol, 0)
            if value.since < floor:
                value = replace(value, since=floor)
        self._on_next(value)

    def on_error(self, error: Exception) -> None:
        """Replaced by the observer's own."""

    def on_completed(self) -> None:
        """Replaced by the observer's own."""
