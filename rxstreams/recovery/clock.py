"""The time in which a recovery waits, and the lock under which what it waited for happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from reactivex import abc

_T = TypeVar("_T")


class RecoveryClock:
    """A scheduler's clock.

    Args:
        scheduler: whose.
        lock: held while anything happens, where timers and fetches have threads of their own; None: they have not.
    """

    def __init__(self, scheduler: abc.SchedulerBase, lock: AbstractContextManager[object] | None = None) -> None:
        self.scheduler = scheduler
        self._lock: AbstractContextManager[object] = nullcontext() if lock is None else lock

    def now(self) -> float:
        """Return the time in seconds."""
        return self.scheduler.to_seconds(self.scheduler.now)

    def after(self, seconds: float, action: Callable[[], None]) -> abc.DisposableBase:
        """Do something after a while, in its turn."""

        def act(*_: object) -> None:
            with self._lock:
                action()

        return self.scheduler.schedule_relative(seconds, act)

    def in_turn(self, function: Callable[[_T], None]) -> Callable[[_T], None]:
        """Return a function that does the same in its turn."""

        def call(value: _T) -> None:
            with self._lock:
                function(value)

        return call
