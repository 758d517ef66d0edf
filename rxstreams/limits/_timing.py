"""A limiter's clock and timers, from a scheduler or from the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from reactivex import abc
from reactivex.scheduler import VirtualTimeScheduler

from rxstreams.instants import SECOND, to_nanoseconds
from rxstreams.scheduler import scheduler_for


def clock_of(scheduler: abc.SchedulerBase | None, clock: Callable[[], float] | None) -> Callable[[], int]:
    """Return a clock of nanoseconds: the one given in seconds, else the scheduler's if it is virtual, else monotonic.

    A real scheduler's ``now`` is the wall clock, which may be set back.
    """
    if clock is not None:
        return lambda: round(clock() * SECOND)
    if isinstance(scheduler, VirtualTimeScheduler):
        return lambda: to_nanoseconds(scheduler.now)
    return time.monotonic_ns


def timer_of(
    scheduler: abc.SchedulerBase | None,
) -> Callable[[float, Callable[[], None]], abc.DisposableBase]:
    """Return what calls a function after so many seconds: on the scheduler; None: on rxstreams' own, when needed."""

    def start(seconds: float, function: Callable[[], None]) -> abc.DisposableBase:
        def run(_scheduler: abc.SchedulerBase, _state: object = None) -> None:
            function()

        return (scheduler or scheduler_for("rxstreams")).schedule_relative(seconds, run)

    return start
