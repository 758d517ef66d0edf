"""Sends each item to every observer, and keeps their faults apart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex import abc

from rxstreams.errors import ObserverError

T = TypeVar("T")
logger = logging.getLogger("rxstreams")


class Hub(Generic[T]):
    """One-to-many, without a lock: everything happens on the thread of one loop.

    An observer that raises loses its own subscription and nobody else's; it gets an ``ObserverError``.

    Args:
        name: for the log.
        on_observer_error: called with the error after the observer was removed.
    """

    def __init__(self, name: str, on_observer_error: Callable[[ObserverError], None] | None = None) -> None:
        self.name = name
        self._on_observer_error = on_observer_error
        self._observers: tuple[abc.ObserverBase[T], ...] = ()

    def __len__(self) -> int:
        return len(self._observers)

    def add(self, observer: abc.ObserverBase[T]) -> None:
        """Send it everything from now on."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: abc.ObserverBase[T]) -> bool:
        """Send it nothing any more; return whether it was there."""
        before = len(self._observers)
        self._observers = tuple(o for o in self._observers if o is not observer)
        return len(self._observers) < before

    def on_next(self, item: T) -> None:
        """Send an item to every observer."""
        for observer in self._observers:
            try:
                observer.on_next(item)
            except BaseException as error:  # sys.exit() in one of them must not take items from the others
                self._fail(observer, error)

    def send(self, observer: abc.ObserverBase[T], item: T) -> None:
        """Send an item to one of the observers."""
        try:
            observer.on_next(item)
        except BaseException as error:
            self._fail(observer, error)

    def on_error(self, error: Exception) -> None:
        """Send the error to every observer and forget them; log it once if one of them does not handle it."""
        observers, self._observers = self._observers, ()
        unhandled = not observers
        for observer in observers:
            try:
                observer.on_error(error)
            except BaseException as raised:
                # reactivex's default for a missing on_error is to raise the error itself.
                unhandled = unhandled or raised is error
                if raised is not error:
                    logger.error("%s: an observer's on_error raised", self.name, exc_info=raised)
        if unhandled:
            logger.error("%s failed and nobody handles it: %s", self.name, error, exc_info=error)

    def on_completed(self) -> None:
        """Send the completion to every observer and forget them."""
        observers, self._observers = self._observers, ()
        for observer in observers:
            try:
                observer.on_completed()
            except BaseException as error:
                logger.error("%s: an observer's on_completed raised", self.name, exc_info=error)

    def _fail(self, observer: abc.ObserverBase[T], cause: BaseException) -> None:
        error = ObserverError(f"an observer of {self.name} raised {cause!r}")
        error.__cause__ = cause
        if not self.remove(observer):
            return
        logger.error("%s; its subscription has ended", error, exc_info=cause)
        try:
            observer.on_error(error)
        except BaseException as raised:
            if raised is not error:
                logger.error("%s: an observer's on_error raised", self.name, exc_info=raised)
        if self._on_observer_error is not None:
            self._on_observer_error(error)
