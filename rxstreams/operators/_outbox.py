"""Between what makes candles (pure, many at a time) and an observer: ``to_ohlc`` and ``resample`` share it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex import abc

_InT = TypeVar("_InT")
_OutT = TypeVar("_OutT")


class Outbox(Generic[_OutT]):
    """Candles wait here until their maker is done with the item that caused them.

    So whatever an observer does (raise, dispose, send another item) finds the maker in order, and what the maker raises
    is not mistaken for an observer's exception.

    Args:
        observer: gets what is put in.
    """

    def __init__(self, observer: abc.ObserverBase[_OutT]) -> None:
        self._observer = observer
        self._made: deque[_OutT] = deque()
        self._failed = False
        self.put: Callable[[_OutT], None] = self._made.append

    def send(self) -> None:
        """Send all that waits."""
        made = self._made
        if made:
            on_next = self._observer.on_next
            while made:
                on_next(made.popleft())

    def guard(self, add: Callable[[_InT], None]) -> Callable[[_InT], None]:
        """Return a function that hands an item to the maker and sends what comes of it; the first error is the last."""

        def take(item: _InT) -> None:
            if self._failed:  # a source that is being subscribed to can't be stopped yet
                return
            try:
                add(item)
            except Exception as error:
                self._failed = True
                self.send()
                self._observer.on_error(error)
            else:
                self.send()

        return take

    def ender(self, flush: Callable[[], None]) -> Callable[[], None]:
        """Return a function that sends what the maker has left, and completes."""

        def end() -> None:
            if not self._failed:
                flush()
                self.send()
                self._observer.on_completed()

        return end
