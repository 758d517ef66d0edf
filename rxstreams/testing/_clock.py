"""The exchange's clock: it runs at a speed of its own, or stands still and is moved."""

from __future__ import annotations

from collections.abc import Callable

_SECOND = 1_000_000_000


class Clock:
    """Exchange time in nanoseconds.

    Args:
        start: its first time.
        speed: seconds of exchange time that pass in one second; None: it stands still and is moved.
        monotonic: the wall clock, seconds.
    """

    def __init__(self, start: int, speed: float | None, monotonic: Callable[[], float]) -> None:
        self._time = start
        self._speed = speed
        self._monotonic = monotonic
        self._running_since: float | None = None

    @property
    def running(self) -> bool:
        """Whether it was started."""
        return self._running_since is not None

    def start(self) -> None:
        """Let time pass."""
        if self._running_since is None:
            self._running_since = self._monotonic()

    def now(self) -> int:
        """Return exchange time; it never goes back."""
        if self._speed is None or self._running_since is None:
            return self._time
        return self._time + int((self._monotonic() - self._running_since) * self._speed * _SECOND)

    def reach(self, instant: int) -> None:
        """Move a clock that stands still forward to an instant; a running one is not touched."""
        if self._speed is None and instant > self._time:
            self._time = instant

    def advance(self, nanoseconds: int) -> None:
        """Jump forward."""
        self._time += nanoseconds

    def wait_for(self, instant: int) -> float:
        """Return the seconds of wall time until an instant; 0.0: it is past, or the clock stands still."""
        if self._speed is None:
            return 0.0
        return max(0.0, (instant - self.now()) / _SECOND / self._speed)
