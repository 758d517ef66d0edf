"""``SlidingWindow``: how much of "so many calls in so long a time" is used up. Pure: no clock, no lock."""

from __future__ import annotations

from bisect import insort
from datetime import timedelta

from rxstreams._durations import to_seconds
from rxstreams.instants import SECOND
from rxstreams.limits.priority import checked_count


class SlidingWindow:
    """The exact log of what counts towards one limit.

    A call holds its weight from its start until one period after it *ended*: the server counted it somewhere between,
    and no earlier release is safe. So in no window of that length, by the caller's clock or by the server's, is there
    more than the limit, which a token bucket does not promise: its "5 a second" lets 9 through.

    All times are integer nanoseconds of one clock that never goes back; its origin does not matter. Not thread-safe.

    Args:
        limit: weight allowed in one period, at least 1.
        period: seconds or timedelta, more than 0.

    Raises:
        ValueError: a value is out of its range.
        TypeError: a value has the wrong type.

    Memory: O(limit), one entry a call.

    Example:
        >>> window = SlidingWindow(2, 60)
        >>> window.start(2)
        >>> window.end(2, 5_000_000_000)  # it took five seconds
        >>> window.wait(6_000_000_000, 1) / 1e9
        59.0
    """

    __slots__ = ("_ended", "_log", "_running", "limit", "period", "period_ns")

    def __init__(self, limit: int, period: float | timedelta) -> None:
        self.limit = checked_count("limit", limit)
        self.period = to_seconds("period", period, positive=True)
        self.period_ns = max(1, round(self.period * SECOND))
        self._running = 0
        # (when it stops counting, weight), sorted; _ended is the sum of the weights.
        self._log: list[tuple[int, int]] = []
        self._ended = 0

    def used(self, now: int) -> int:
        """Return the weight that counts now."""
        log = self._log
        over = 0
        while over < len(log) and log[over][0] <= now:
            self._ended -= log[over][1]
            over += 1
        if over:
            del log[:over]
        return self._ended + self._running

    def wait(self, now: int, weight: int, ceiling: int | None = None) -> int:
        """Return the nanoseconds until a call of that weight may fit; 0: it fits now.

        It is exact while no call is running, and else a lower bound, as nobody knows when those will end.

        Args:
            now: the time.
            weight: of the call; more than the ceiling never fits.
            ceiling: what may be used with it; None: the limit.
        """
        excess = self.used(now) + weight - (self.limit if ceiling is None else ceiling)
        if excess <= 0:
            return 0
        for expires, freed in self._log:
            excess -= freed
            if excess <= 0:
                return expires - now
        return self.period_ns

    def start(self, weight: int) -> None:
        """Charge a call that starts; whether it fits was asked before."""
        self._running += weight

    def end(self, weight: int, ended: int) -> None:
        """Let the weight of a call that was started go, one period after its end."""
        self._running -= weight
        self._keep(ended, weight)

    def take_back(self, weight: int) -> None:
        """Let the weight of a call go at once: nothing was sent."""
        self._running -= weight

    def observe(self, used: int, now: int) -> None:
        """Count at least as much as the server does: what is missing was used by others, who share its limit.

        It counts for a whole period from now. A smaller number changes nothing: calls that are on their way, or an
        answer that was overtaken by a newer one, look just like that.

        Args:
            used: what the server says is used in this window.
            now: the time.
        """
        missing = used - self.used(now)
        if missing > 0:
            self._keep(now, missing)

    def __repr__(self) -> str:
        return f"SlidingWindow({self.limit}, {self.period:g})"

    def _keep(self, ended: int, weight: int) -> None:
        insort(self._log, (ended + self.period_ns, weight))
        self._ended += weight
