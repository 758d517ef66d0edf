"""The timer of ``to_ohlc(close_on="timer")``."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import ParamSpec

from reactivex import abc
from reactivex.disposable import SerialDisposable, SingleAssignmentDisposable

from rxstreams.candles import CandleBuilder
from rxstreams.instants import SECOND, to_nanoseconds
from rxstreams.items import PriceTick

_P = ParamSpec("_P")


class ClosingTimer:
    """Closes a builder's candles by a scheduler's clock, in turn with its ticks: they may be on different threads.

    One timer at most is pending, none when nothing is open.

    Args:
        builder: made with ``close_on="timer"``.
        send: sends what the builder has made.
        clock: the scheduler.

    Attributes:
        disposable: ends it.
    """

    def __init__(self, builder: CandleBuilder, send: Callable[[], None], clock: abc.SchedulerBase) -> None:
        self.disposable = SerialDisposable()
        self._builder = builder
        self._send = send
        self._clock = clock
        self._booked: int | None = None
        self._turns = _Turns()

    def in_turn(self, function: Callable[_P, object]) -> Callable[_P, None]:
        """Return a function that does the same in its turn."""

        def take_turn(*args: _P.args, **kwargs: _P.kwargs) -> None:
            self._turns.take(lambda: function(*args, **kwargs))

        return take_turn

    def after_each(self, add: Callable[[PriceTick], None]) -> Callable[[PriceTick], None]:
        """Return a function that adds a tick in its turn and sets the timer for what is open then."""

        def add_and_book(tick: PriceTick) -> None:
            try:
                add(tick)
            finally:  # an observer's exception must not leave a candle open
                self._book()

        return self.in_turn(add_and_book)

    def _book(self) -> None:
        due = self._builder.deadline
        if due == self._booked or self.disposable.is_disposed:
            return
        self._booked = due
        # Its place is taken first: a timer may fire, and book the next, before schedule_relative returns.
        pending = SingleAssignmentDisposable()
        self.disposable.disposable = pending
        if due is not None:
            wait = max(0, due - to_nanoseconds(self._clock.now)) / SECOND
            pending.disposable = self._clock.schedule_relative(
                wait, lambda _, __: self._turns.take(lambda: self._fire(due))
            )

    def _fire(self, due: int) -> None:
        if due != self._booked:  # taken back too late
            return
        self._booked = None
        # It has waited until then, whatever a wall clock that was set back says now.
        self._builder.advance(max(due, to_nanoseconds(self._clock.now)))
        self._send()
        self._book()


class _Turns:
    """Runs functions one after the other, whatever threads call, and holds no lock meanwhile.

    Who finds another one at work leaves its function to that one. An exception goes up where it was raised, after what
    waits has been run: a tick must not be lost because an observer failed over another one's candle.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_running = False

    def take(self, function: Callable[[], object]) -> None:
        """Run a function, or leave it to who is at work."""
        with self._lock:
            self._waiting.append(function)
            if self._is_running:
                return
            self._is_running = True
        errors: list[BaseException] = []
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    break
                function = self._waiting.popleft()
            try:
                function()
            except BaseException as error:
                errors.append(error)
        if len(errors) > 1:
            raise BaseExceptionGroup("several observers' exceptions while a timer and ticks took turns", errors)
        if errors:
            raise errors[0]
