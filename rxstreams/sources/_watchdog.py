"""Notices that a connection has gone silent: stale after half the time, probed after all of it, then given up."""

from __future__ import annotations

import time
from collections.abc import Callable

from reactivex import abc
from reactivex.disposable import SerialDisposable

_CHECKS = 8


class Watchdog:
    """Watches one connection from its subscribe on. Works in the scheduler's time; costs one addition a frame.

    ::

        frames  --x-x-----------------------x--      silence_timeout = 8 checks
        calls   ----------stale---probe-----alive    (a probe that is not answered: stalled)

    Args:
        scheduler: whose time it is.
        silence_timeout: seconds without a frame after which the server is probed.
        probe_timeout: seconds that the answer may take.
        on_stale: called after half of ``silence_timeout``.
        on_alive: called when frames come again.
        probe: sends something that the server answers with a frame.
        on_stalled: called when nothing came after all; the watchdog is over then.

    Attributes:
        seen: the number of frames so far; whoever receives them adds to it.
    """

    def __init__(
        self,
        scheduler: abc.SchedulerBase,
        *,
        silence_timeout: float,
        probe_timeout: float,
        on_stale: Callable[[], None],
        on_alive: Callable[[], None],
        probe: Callable[[], None],
        on_stalled: Callable[[], None],
    ) -> None:
        self.seen = 0
        self._scheduler = scheduler
        self._interval = silence_timeout / _CHECKS
        self._probe_timeout = probe_timeout
        self._on_stale = on_stale
        self._on_alive = on_alive
        self._probe = probe
        self._on_stalled = on_stalled
        self._timer = SerialDisposable()
        self._last = 0
        self._quiet = 0
        self._expected = 0.0
        self._lag = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._schedule(self._interval)

    def dispose(self) -> None:
        """Stop watching."""
        self._timer.dispose()

    @property
    def lag(self) -> float:
        """Seconds by which a check has been late at most: how long the loop was busy with something else."""
        overdue = time.monotonic() - self._expected if self._expected else 0.0
        return max(self._lag, overdue, 0.0)

    def _schedule(self, delay: float) -> None:
        self._expected = time.monotonic() + delay
        self._timer.disposable = self._scheduler.schedule_relative(delay, self._check)

    def _check(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        del scheduler, state
        self._lag = self.lag
        if self.seen != self._last:
            self._last = self.seen
            if self._quiet >= _CHECKS // 2:
                self._on_alive()
            self._quiet = 0
            self._schedule(self._interval)
            return
        self._quiet += 1
        if self._quiet > _CHECKS:
            self._expected = 0.0
            self._on_stalled()
            return
        if self._quiet == _CHECKS // 2:
            self._on_stale()
        if self._quiet == _CHECKS:
            self._probe()
            self._schedule(self._probe_timeout)
        else:
            self._schedule(self._interval)
