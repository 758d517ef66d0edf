"""What makes the boundaries of a timeframe, as numbers: enough to find them, and to say whether one serves another."""

from __future__ import annotations

from datetime import UTC, tzinfo
from math import gcd
from typing import NamedTuple

from rxstreams._calendar import DAY_SECONDS, FIRST_MONDAY, DayGrid, Grid, HourGrid, LocalClock, MonthGrid, find_history


class Boundaries(NamedTuple):
    """Where intervals begin and end.

    Args:
        seconds: the length; 0: it is months.
        months: the length; 0: it is seconds.
        zone: the time zone.
        shift: wall time at which the session of 1970-01-01 starts, seconds; negative: on the evening before.
    """

    seconds: int
    months: int
    zone: tzinfo
    shift: int

    @property
    def days(self) -> int:
        """Its length in days; 0: it is months or no whole number of days."""
        return 0 if self.seconds % DAY_SECONDS else self.seconds // DAY_SECONDS

    @property
    def is_even(self) -> bool:
        """Whether all intervals have the same length."""
        return self.zone is UTC and not self.months

    @property
    def origin(self) -> int:
        """The wall time of a boundary."""
        return self._anchor * DAY_SECONDS + self.shift

    @property
    def _anchor(self) -> int:
        return FIRST_MONDAY if self.days and self.days % 7 == 0 else 0

    @property
    def _step(self) -> int:
        """What the distances between the wall times of its boundaries are multiples of; the least such."""
        if self.months:
            return DAY_SECONDS
        # In a zone, what is no whole days starts anew every day.
        return self.seconds if self.is_even or self.days else gcd(self.seconds, DAY_SECONDS)

    @property
    def _starts_anew(self) -> bool:
        """Whether there is a boundary at the start of every session that it contains."""
        return not self.is_even or self.days > 0 or DAY_SECONDS % self.seconds == 0

    def grid(self) -> Grid:
        """Return what finds its intervals."""
        clock = LocalClock(self.zone)
        if self.months:
            return MonthGrid(clock, self.shift, self.months)
        if self.days:
            return DayGrid(clock, self.shift, self.days, self._anchor)
        return HourGrid(clock, self.shift, self.seconds)

    def serve(self, longer: Boundaries) -> bool:
        """Say whether every boundary of ``longer`` is one of these."""
        if self == longer:
            return True
        same_clocks = self.zone is longer.zone or find_history(self.zone) == find_history(longer.zone)
        if same_clocks and not self.is_even and longer._starts_anew:
            return self._serve_under_same_clocks(longer)
        return self._serve_by_instants(longer)

    def _serve_under_same_clocks(self, longer: Boundaries) -> bool:
        apart = longer.shift - self.shift
        if self.months:
            return bool(longer.months) and apart == 0 and longer.months % self.months == 0
        if self.days:
            if longer.months:
                return apart == 0 and self.days == 1
            return bool(longer.days) and apart == 0 and _fits(self.days, longer.days, longer._anchor - self._anchor)
        # Every session of either starts anew: these are the starts of the longer, by the clocks, from a start of ours.
        first = apart % DAY_SECONDS
        starts = (first,) if longer.months or longer.days else range(first, first + DAY_SECONDS, longer.seconds)
        return all(start % DAY_SECONDS % self.seconds == 0 for start in starts)

    def _serve_by_instants(self, longer: Boundaries) -> bool:
        """Compare by the instants in UTC at which these begin, which must be evenly spaced at every offset."""
        step = self._step
        if self.months or (step != self.seconds):
            return False
        ours, theirs = find_history(self.zone), find_history(longer.zone)
        origin = self.origin - ours.first
        if any((self.origin - offset - origin) % step for offset in ours.offsets):
            return False
        if any(not _fits(step, longer._step, longer.origin - offset - origin) for offset in theirs.offsets):
            return False
        # Where the clocks skip a start, an interval begins at the jump, whatever the offset.
        grid = longer.grid()
        begins = (instant for instant, _ in theirs.changes if grid.starts_at(instant))
        return all((instant - origin) % step == 0 for instant in begins)


def _fits(shorter: int, longer: int, apart: int) -> bool:
    return longer % shorter == 0 and apart % shorter == 0
