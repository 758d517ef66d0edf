"""Shared state that many threads change, and what follows from its changes, which is done outside of the lock."""

from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from reactivex.abc import DisposableBase
from reactivex.disposable import SerialDisposable, SingleAssignmentDisposable

_log = logging.getLogger("rxstreams.limits")


class Rounds:
    """Lets the state be changed in *rounds*, one at a time, under one lock.

    Each round first does what was posted, then ``advance``. What follows from it (``effects``: waking somebody; the
    timer) is done after the lock was let go, in the order of the rounds, by one thread at a time.

    A finaliser runs wherever Python likes, even inside a round of its own thread. It posts, which never waits, and the
    round that it came into finds what it posted.

    Args:
        advance: brings the state up to a time; returns when it wants to be called again at the latest; None: never.
        clock: nanoseconds; never goes back.
        start_timer: calls a function after so many seconds, on whatever thread.

    Attributes:
        effects: what is to be done outside of the lock; appended to in rounds; must not raise.
    """

    def __init__(
        self,
        advance: Callable[[int], int | None],
        clock: Callable[[], int],
        start_timer: Callable[[float, Callable[[], None]], DisposableBase],
    ) -> None:
        self.effects: deque[Callable[[], None]] = deque()
        self._advance = advance
        self._clock = clock
        self._start_timer = start_timer
        # Reentrant: for finalisers, and for a signal's handler, which may come at any point of this very thread.
        self._lock = threading.RLock()
        self._owner = 0  # the thread that is in the middle of a round
        self._inbox: deque[Callable[[int], None]] = deque()
        self._settling = False
        self._timer = SerialDisposable()
        self._due: int | None = None
        self._booked: int | None = None

    @contextmanager
    def round(self) -> Generator[int]:
        """Enter a round; gives its time. What was changed is brought up to date, and followed up, when it is left."""
        try:
            with self._begin() as now:
                try:
                    yield now
                finally:
                    self._due = self._advance(now)
        finally:
            self._settle()

    def post(self, change: Callable[[int], None]) -> None:
        """Have a change, given the time, made in the next round, which is now if nobody else is at it."""
        self._inbox.append(change)
        if self._owner != threading.get_ident():
            self._settle()

    @contextmanager
    def _begin(self) -> Generator[int]:
        with self._lock:
            outer, self._owner = self._owner, threading.get_ident()
            try:
                now = self._clock()
                while self._inbox:
                    self._inbox.popleft()(now)
                self._due = self._advance(now)
                yield now
            finally:
                self._owner = outer

    def _settle(self) -> None:
        """Do rounds and what follows from them until nothing is left; leave it to another thread that is at it."""
        # Whoever stops looks once more: what was left to it in between would be left for good.
        while self._inbox or self.effects or self._is_due_elsewhen():
            with self._lock:
                if self._settling:
                    return
                self._settling = True
            try:
                while (effect := self._next_effect()) is not None:
                    effect()
            finally:
                self._settling = False

    def _next_effect(self) -> Callable[[], None] | None:
        with self._begin() as now:
            if self.effects:
                return self.effects.popleft()
            if self._is_due_elsewhen():
                self._booked = self._due
                return functools.partial(self._book, self._due, now)
        return None

    def _is_due_elsewhen(self) -> bool:
        due, booked = self._due, self._booked
        # A timer that fires too early does no harm, and saves setting another one with every little change.
        return due != booked and (due is None or booked is None or due < booked)

    def _book(self, due: int | None, now: int) -> None:
        # Its place is taken first: the timer may fire before start_timer returns.
        pending = SingleAssignmentDisposable()
        self._timer.disposable = pending
        if due is None:
            return
        # In whole microseconds, rounded up: a virtual clock has no smaller ones, and would stand still.
        seconds = -(-(due - now) // 1000) / 1_000_000
        try:
            pending.disposable = self._start_timer(seconds, functools.partial(self._fire, due))
        except Exception:
            # Raised to whoever happened to end a call, it would take away that call's answer.
            _log.exception("no timer: calls that wait are looked at only when others come or end")

    def _fire(self, due: int) -> None:
        def look(_: int) -> None:
            if self._booked == due:
                self._booked = None

        self.post(look)
