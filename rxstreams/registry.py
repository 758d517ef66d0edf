"""The one ``Registry`` of named things: schedulers, limiters, managers, venues."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Registry(Generic[_T]):
    """Things that are found by their name, from any thread.

    One name means one thing for as long as it is registered: another thing under the same name is an error, never a
    silent replacement.

    Args:
        kind: what the things are, in the singular; used in messages.

    Example:
        >>> colours = Registry[str]("colour")
        >>> colours.get_or_create("sky", lambda: "blue")
        'blue'
        >>> colours.register("sky", "grey")
        Traceback (most recent call last):
        ...
        ValueError: the colour 'sky' is already registered as 'blue', got 'grey'; remove it first or use another name
        >>> list(colours)
        ['sky']

    Memory: O(names); a thing stays until it is removed.
    """

    def __init__(self, kind: str = "thing") -> None:
        self._kind = kind
        self._things: dict[str, _T] = {}
        # Reentrant, since a factory may look up another thing of the same kind.
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            # Another thread may hold the lock at the moment of a fork; in the child nobody would ever release it.
            os.register_at_fork(after_in_child=self._renew_lock)

    def get(self, name: str) -> _T | None:
        """Return the thing of that name; None: there is none."""
        return self._things.get(self._checked(name))

    def get_or_create(self, name: str, factory: Callable[[], _T]) -> _T:
        """Return the thing of that name; where there is none, make it and keep it.

        Args:
            name: not empty.
            factory: makes the thing; called at most once, under the registry's lock: it must not wait for a thread
                that uses this registry. What it raises comes out here, and nothing is kept.

        Raises:
            TypeError: the name is no string.
            ValueError: the name is empty.
        """
        with self._lock:
            if self._checked(name) not in self._things:
                # The assignment comes last: the factory itself may have registered the name.
                return self.register(name, factory())
            return self._things[name]

    def register(self, name: str, thing: _T) -> _T:
        """Keep the thing under that name, and return what is now registered.

        The same thing, or one that is equal to it, may be registered again: the first one stays.

        Raises:
            TypeError: the name is no string.
            ValueError: the name is empty, or belongs to another thing.
        """
        with self._lock:
            existing = self._things.setdefault(self._checked(name), thing)
            if existing is not thing and existing != thing:
                raise ValueError(
                    f"the {self._kind} {name!r} is already registered as {existing!r}, got {thing!r}; "
                    "remove it first or use another name"
                )
            return existing

    def remove(self, name: str, thing: _T | None = None) -> bool:
        """Forget a name.

        Args:
            name: an unknown one is no error.
            thing: only while the name means this very thing, so that a newer one is not removed; None: whatever it is.

        Returns:
            Whether it was there, and is now forgotten.
        """
        with self._lock:
            if self._checked(name) not in self._things or (thing is not None and self._things[name] is not thing):
                return False
            del self._things[name]
            return True

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names as they are now, in the order in which they were registered."""
        with self._lock:
            return iter(list(self._things))

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __repr__(self) -> str:
        return f"Registry({self._kind!r}, {list(self)!r})"

    @staticmethod
    def _checked(name: str) -> str:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise TypeError(f"a name must be a string, got {name!r}")
        if not name:
            raise ValueError("a name must not be empty")
        return name

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()
