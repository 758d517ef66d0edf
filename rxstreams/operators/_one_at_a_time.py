"""Items of a source, fetches and timers, each perhaps on a thread of its own, go through one at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from reactivex import abc

from rxstreams.errors import ObserverError
from rxstreams.operators._outbox import Outbox

_InT = TypeVar("_InT")
_OutT = TypeVar("_OutT")


class OneAtATime(ABC, Generic[_InT, _OutT]):
    """Takes the items of a source and sends what comes of them to an observer: base of operators that fetch and wait.

    Args:
        observer: who is sent it.
        name: of the operator, in errors.
        on_lost: called with a symbol and a reason; None: nobody is told.

    Attributes:
        lock: to be held by whatever comes from elsewhere than the source; what is made meanwhile is sent before it is
            given back, so the order stays.
        send: puts an item where it waits for that.
    """

    def __init__(
        self, observer: abc.ObserverBase[_OutT], name: str, on_lost: Callable[[str, str], object] | None
    ) -> None:
        outbox: Outbox[_OutT] = Outbox(observer)
        self.send = outbox.put
        self.lock = _Turn(outbox.send)
        self._observer = observer
        self._name = name
        self._on_lost = on_lost
        self._take_guarded = outbox.guard(self._take)
        self._complete = outbox.ender(self._flush)

    def on_next(self, item: _InT) -> None:
        """Take the next item of the source."""
        with self.lock:
            self._take_guarded(item)

    def on_error(self, error: Exception) -> None:
        """Pass an error on; what is held is dropped."""
        with self.lock:
            self.dispose()
            self._observer.on_error(error)

    def on_completed(self) -> None:
        """Send what is held and complete."""
        with self.lock:
            self._complete()

    def on_lost(self, symbol: str, reason: str) -> None:
        """Tell that something is missing for good."""
        if self._on_lost is None:
            return
        try:
            self._on_lost(symbol, reason)
        except Exception as error:
            failure = ObserverError(f"on_lost of {self._name} raised {error!r}")
            failure.__cause__ = error
            self.on_error(failure)

    @abstractmethod
    def dispose(self) -> None:
        """Drop everything."""

    @abstractmethod
    def _take(self, item: _InT) -> None:
        """Work on an item of the source."""

    @abstractmethod
    def _flush(self) -> None:
        """Put what is held into the outbox."""


class _Turn(AbstractContextManager[None]):
    """A lock that may be taken again by who has it; what has been made is sent when it is given back for good.

    Not before: an observer's exception must not go through the fetch that answered at once, and be taken for its own.
    """

    def __init__(self, send: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._send = send

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, kind: object, *_: object) -> None:
        self._depth -= 1
        try:
            if not self._depth and kind is None:  # an observer that has just raised is not sent the next at once
                self._send()
        finally:
            self._lock.release()
