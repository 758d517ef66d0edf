"""Where local days, months and hours begin: the zone arithmetic under ``Timeframe``, in whole seconds since the epoch.

A *wall time* is what the zone's clocks show, counted in seconds from 1970-01-01 00:00 as they show it. Everything rests
on ``LocalClock.first``: the first instant at which the clocks show a wall time or, where they skip it, are past it.
Taken as a function of the wall time it never falls, so intervals that are cut there leave no hole and don't overlap.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rxstreams.instants import SECOND

DAY_SECONDS = 86_400
FIRST_MONDAY = 4
"""The day number of 1970-01-05; that of 1970-01-01 is 0."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = datetime(1970, 1, 1)
_FIRST_ORDINAL = date(1970, 1, 1).toordinal()


def find_zone(name: str) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        ValueError: there is no such zone.
    """
    if name == "UTC":
        return UTC  # needs no time zone database
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError) as error:
        raise ValueError(f"expected a time zone such as 'America/New_York', got {name!r}") from error


class LocalClock:
    """What the clocks of a zone show.

    Args:
        zone: the time zone.
    """

    __slots__ = ("_zone",)

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def offset(self, instant: int) -> int:
        """Return the offset from UTC that is in force at the instant."""
        return _to_seconds((_EPOCH + timedelta(seconds=instant)).astimezone(self._zone).utcoffset())

    def first(self, wall: int) -> int:
        """Return the first instant at which the clocks show ``wall`` or, where they skip it, are past it."""
        shown = (_WALL_EPOCH + timedelta(seconds=wall)).replace(tzinfo=self._zone)
        earlier, later = _to_seconds(shown.utcoffset()), _to_seconds(shown.replace(fold=1).utcoffset())
        if earlier >= later:  # the two differ where it exists twice, and the first is at the greater offset
            return wall - earlier
        # It is skipped (PEP 495: then the offsets are those before and after the jump). The jump lies in between.
        before, after = wall - later, wall - earlier
        while after - before > 1:
            middle = (before + after) // 2
            if self.offset(middle) == earlier:
                before = middle
            else:
                after = middle
        return after


def _to_seconds(offset: timedelta | None) -> int:
    assert offset is not None  # only a naive time has none
    return offset.days * DAY_SECONDS + offset.seconds


class Grid:
    """Intervals that are not all of the same length, found one at a time.

    The last one is kept, so that asking for it again costs two comparisons. It is one tuple, replaced as a whole:
    several threads may ask at once without a lock.

    Args:
        clock: of the zone.
        shift: wall time at which the session of 1970-01-01 starts, seconds; negative: on the evening before.
    """

    __slots__ = ("_clock", "_current", "_shift")

    def __init__(self, clock: LocalClock, shift: int) -> None:
        self._clock = clock
        self._shift = shift
        self._current = (0, 0)

    def interval(self, instant: int) -> tuple[int, int]:
        """Return inclusive start and exclusive end of the interval around an instant, all in nanoseconds."""
        current = self._current
        if current[0] <= instant < current[1]:
            return current
        opens, closes = self._find(int(instant // SECOND))
        current = self._current = (opens * SECOND, closes * SECOND)
        return current

    def starts_at(self, instant: int) -> bool:
        """Say whether an interval starts at an instant, given in seconds."""
        return self._find(instant)[0] == instant

    def _find(self, instant: int) -> tuple[int, int]:
        raise NotImplementedError

    def _start(self, day: int) -> int:
        """Return the instant at which the session of a day starts."""
        return self._clock.first(day * DAY_SECONDS + self._shift)

    def _day(self, instant: int) -> int:
        """Return the last day whose session has started by then."""
        day = (instant + self._clock.offset(instant) - self._shift) // DAY_SECONDS
        # Clocks that are put back over a session's start show the day before again; the session goes on.
        while self._start(day + 1) <= instant:
            day += 1
        return day


class DayGrid(Grid):
    """Whole days or weeks.

    Args:
        clock, shift: as for ``Grid``.
        days: their number.
        anchor: the number of a day on which an interval starts.
    """

    __slots__ = ("_anchor", "_days")

    def __init__(self, clock: LocalClock, shift: int, days: int, anchor: int) -> None:
        super().__init__(clock, shift)
        self._days = days
        self._anchor = anchor

    def _find(self, instant: int) -> tuple[int, int]:
        day = self._day(instant)
        day -= (day - self._anchor) % self._days
        return self._start(day), self._start(day + self._days)


class MonthGrid(Grid):
    """Calendar months, counted from January 1970.

    Args:
        clock, shift: as for ``Grid``.
        months: their number.
    """

    __slots__ = ("_months",)

    def __init__(self, clock: LocalClock, shift: int, months: int) -> None:
        super().__init__(clock, shift)
        self._months = months

    def _find(self, instant: int) -> tuple[int, int]:
        on = date.fromordinal(self._day(instant) + _FIRST_ORDINAL)
        month = (on.year - 1970) * 12 + on.month - 1
        month -= month % self._months
        return self._start(_first_day(month)), self._start(_first_day(month + self._months))


def _first_day(month: int) -> int:
    return date(1970 + month // 12, month % 12 + 1, 1).toordinal() - _FIRST_ORDINAL


class _Session(NamedTuple):
    opens: int
    closes: int
    wall: int
    offset: int
    regular: bool


class HourGrid(Grid):
    """Hours, minutes or seconds, counted from each session's start by the local clocks.

    Where these are put back by a multiple of the step, the intervals of the repeated hour come twice; other intervals
    get longer. The last of a session is cut at its end.

    Args:
        clock, shift: as for ``Grid``.
        step: seconds, less than a day.
    """

    __slots__ = ("_session", "_step")

    def __init__(self, clock: LocalClock, shift: int, step: int) -> None:
        super().__init__(clock, shift)
        self._step = step
        self._session = _Session(0, 0, 0, 0, True)

    def _find(self, instant: int) -> tuple[int, int]:
        session = self._session
        if not session.opens <= instant < session.closes:
            session = self._session = self._find_session(instant)
        step, wall = self._step, session.wall
        if session.regular:
            start = instant - (instant + session.offset - wall) % step
            end = start + step
        else:
            first = self._clock.first
            wall += (instant + self._clock.offset(instant) - wall) // step * step
            while (end := first(wall + step)) <= instant:
                wall += step
            start = first(wall)
        return max(session.opens, start), min(session.closes, end)

    def _find_session(self, instant: int) -> _Session:
        day = self._day(instant)
        opens, closes = self._start(day), self._start(day + 1)
        offset = self._clock.offset(opens)
        back = offset - self._clock.offset(closes - 1)
        regular = back == 0 or (back > 0 and back % self._step == 0)
        return _Session(opens, closes, day * DAY_SECONDS + self._shift, offset, regular)


class ZoneHistory(NamedTuple):
    """The offsets that a zone has had since 1970, and will have by today's rules until 2040.

    Args:
        first: the offset on 1970-01-01.
        changes: instant of each change and the offset from then on.
    """

    first: int
    changes: tuple[tuple[int, int], ...]

    @property
    def offsets(self) -> frozenset[int]:
        """All of them."""
        return frozenset({self.first, *(offset for _, offset in self.changes)})


# No zone has changed its offset twice within six days since 1970, so looking every third day finds every change.
_LOOK_EVERY = 3 * DAY_SECONDS
_LOOK_UNTIL = 70 * 366 * DAY_SECONDS


@cache
def find_history(zone: tzinfo) -> ZoneHistory:
    """Return the offsets of a zone."""
    clock = LocalClock(zone)
    first = before = clock.offset(0)
    changes: list[tuple[int, int]] = []
    if zone is not UTC:
        for looked in range(_LOOK_EVERY, _LOOK_UNTIL, _LOOK_EVERY):
            if clock.offset(looked) != before:
                early, late = looked - _LOOK_EVERY, looked
                while late - early > 1:
                    middle = (early + late) // 2
                    if clock.offset(middle) == before:
                        early = middle
                    else:
                        late = middle
                before = clock.offset(late)
                changes.append((late, before))
    return ZoneHistory(first, tuple(changes))
