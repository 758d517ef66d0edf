"""``Timeframe``: the length of a candle, and where its intervals begin and end."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from functools import total_ordering
from numbers import Real
from typing import NamedTuple, NoReturn, TypeAlias, final

from rxstreams._boundaries import Boundaries
from rxstreams._calendar import DAY_SECONDS, Grid, find_zone
from rxstreams.instants import SECOND

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY_SECONDS, "w": 7 * DAY_SECONDS}
_MONTH_SECONDS = 2_629_746  # a twelfth of the Gregorian calendar's mean year
_LONGEST = 366 * DAY_SECONDS
_TEXT = re.compile(r"([0-9]{1,9})([smhdwMSHDW])|(MN|[SMHDW])([0-9]{1,9})")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"})
_ACCEPTED = "'30s', '5m', '1h', '1d', '1w', '1M', 'M5', 'H1', a number of minutes or a timedelta"


class _Key(NamedTuple):
    seconds: int  # 0: it is months
    months: int
    tz: str
    session_start: str


@final
@total_ordering
class Timeframe:
    """The length of a candle, and where its intervals begin and end. Immutable.

    The intervals tile the time line: each starts where the one before ends. In UTC they are counted from the epoch
    (from the session's start on 1970-01-01), weeks from the first Monday after it, months from January 1970. In another
    zone they follow the local clocks: a day that loses or gains an hour has 23 or 25; a start that the clocks skip is
    the first instant after the jump; one that they show twice is the first of the two. There, hours, minutes and
    seconds are counted anew from every session's start: over a change of the clocks the "4h" around it has three or
    five hours, while an "1h" of the repeated hour comes twice; a last interval that does not fit is cut.

    Equal timeframes are one and the same object, so comparing and hashing cost nothing; they are ordered by length.

    Args:
        value: a number of minutes (5, 0.5), a string such as "30s", "5m", "1h", "1d", "1w", "1M" ("m" minutes, "M"
            months) or "M5", "H1", "MN1", a timedelta, or another Timeframe, which brings its zone and session. A whole
            number of seconds, at most a year. Whole weeks start on a Monday however they are written: "7d" is "1w".
        tz: the time zone's IANA name.
        session_start: the local time, "HH:MM", at which days start. From "12:00" on it belongs to the next date: with
            "17:00" the week starts on Sunday at 17:00 and the month on the evening before the first.

    Raises:
        ValueError: no such timeframe or zone; zero, negative, not finite, not whole seconds or more than a year; longer
            than a day and no whole days in a zone; a session_start that is no time of day.
        TypeError: a value of another type; True and False are no numbers here.

    Attributes:
        name: the canonical name, "1h" for 60; without zone and session.
        tz: the time zone's name.
        session_start: "HH:MM".
        length: nanoseconds; None where intervals differ: months, and every timeframe in another zone than UTC.
        nominal: nanoseconds; without changes of the clocks, and a month as a twelfth of the mean year.

    Example:
        >>> Timeframe(60), Timeframe("M5") < Timeframe("1h")
        (Timeframe('1h'), True)
        >>> day = Timeframe("1d", tz="America/New_York", session_start="17:00")
        >>> start = day.floor(1_741_500_000_000_000_000)  # Sunday 2025-03-09: clocks went forward at 2:00
        >>> (day.next(start) - start) / 3_600_000_000_000
        23.0
    """

    __slots__ = ("_boundaries", "_grid", "_key", "_origin", "length", "name", "nominal", "session_start", "tz")

    name: str
    tz: str
    session_start: str
    length: int | None
    nominal: int
    _key: _Key
    _boundaries: Boundaries
    _origin: int
    _grid: Grid

    def __new__(cls, value: TimeframeLike, *, tz: str = "UTC", session_start: str = "00:00") -> Timeframe:
        """Return the one object that stands for it."""
        seconds, months = _parse(value)
        if isinstance(value, Timeframe):
            # The defaults of the parameters say nothing, so they take nothing away.
            tz = value.tz if tz == "UTC" else tz
            session_start = value.session_start if session_start == "00:00" else session_start
        tz = "UTC" if str(tz) in _UTC_NAMES else str(tz)  # a ZoneInfo's text is its name
        key = _Key(seconds, months, tz, str(session_start))
        known = _instances.get(key)
        # Of two threads that make the same one at once, both get the first.
        return known if known is not None else _instances.setdefault(key, cls._make(key, value))

    @classmethod
    def _make(cls, key: _Key, value: object) -> Timeframe:
        seconds, months, tz, session_start = key
        time_of_day = _TIME_OF_DAY.fullmatch(session_start)
        if not time_of_day:
            raise ValueError(f"session_start must be a time of day from '00:00' to '23:59', got {session_start!r}")
        shift = int(time_of_day[1]) * 3600 + int(time_of_day[2]) * 60
        if shift >= DAY_SECONDS // 2:  # the session belongs to the next date
            shift -= DAY_SECONDS
        boundaries = Boundaries(seconds, months, find_zone(tz), shift)
        if not boundaries.is_even and seconds > DAY_SECONDS and not boundaries.days:
            raise ValueError(f"a timeframe in {tz} that is longer than a day must be whole days, got {value!r}")
        self = super().__new__(cls)
        put = object.__setattr__
        put(self, "_key", key)
        put(self, "_boundaries", boundaries)
        put(self, "name", _name(seconds, months))
        put(self, "tz", tz)
        put(self, "session_start", session_start)
        put(self, "nominal", (seconds or months * _MONTH_SECONDS) * SECOND)
        put(self, "length", seconds * SECOND if boundaries.is_even else None)
        put(self, "_origin", boundaries.origin * SECOND)
        put(self, "_grid", boundaries.grid())
        return self

    @property
    def minutes(self) -> int | float:
        """The nominal length in minutes; an int where it is whole."""
        minutes, rest = divmod(self.nominal, 60 * SECOND)
        return self.nominal / (60 * SECOND) if rest else minutes

    def floor(self, instant: int) -> int:
        """Return the start of the interval that an instant lies in: its open_time. Both in nanoseconds."""
        length = self.length
        if length is not None:
            return instant - (instant - self._origin) % length
        return self._grid.interval(instant)[0]

    def next(self, instant: int) -> int:
        """Return the first boundary after an instant: the close_time of its interval. Both in nanoseconds."""
        length = self.length
        if length is not None:
            return instant - (instant - self._origin) % length + length
        return self._grid.interval(instant)[1]

    def previous(self, instant: int) -> int:
        """Return the last boundary before an instant; of an open_time, that of the interval before. In nanoseconds."""
        return self.floor(instant - 1)

    def serves(self, longer: Timeframe) -> bool:
        """Say whether every boundary of ``longer`` is one of this, so that these candles can build those.

        All offsets that the zones have had since 1970 count: "1h" does not serve a day in Asia/Kolkata, "30m" does.
        Every timeframe serves itself.
        """
        return self._boundaries.serve(longer._boundaries)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Timeframe):
            return NotImplemented
        return (self.nominal, self._key) < (other.nominal, other._key)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Timeframe is immutable: can't set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Timeframe is immutable: can't delete {name}")

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.name, self.tz, self.session_start)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        tz = "" if self.tz == "UTC" else f", tz={self.tz!r}"
        session = "" if self.session_start == "00:00" else f", session_start={self.session_start!r}"
        return f"Timeframe({self.name!r}{tz}{session})"


TimeframeLike: TypeAlias = Timeframe | str | int | float | timedelta

_instances: dict[_Key, Timeframe] = {}


def _restore(name: str, tz: str, session_start: str) -> Timeframe:
    return Timeframe(name, tz=tz, session_start=session_start)


def _parse(value: object) -> tuple[int, int]:
    """Return seconds and months; one of them is 0."""
    if isinstance(value, Timeframe):
        return value._key.seconds, value._key.months
    if isinstance(value, str):
        seconds, months = _parse_text(value)
    elif isinstance(value, timedelta):
        seconds, rest = divmod(value, timedelta(seconds=1))
        months = 0
        if rest != timedelta(0):
            raise ValueError(f"a timeframe must be a finite, whole number of seconds, got {value!r}")
    elif not isinstance(value, bool) and isinstance(value, Real):
        seconds, months = _seconds_of_minutes(value), 0
    else:
        raise TypeError(f"expected a timeframe such as {_ACCEPTED}, got {value!r}")
    if not 0 < seconds + months * _MONTH_SECONDS <= _LONGEST:
        raise ValueError(f"a timeframe must be longer than 0 and at most a year (366d, 52w, 12M), got {value!r}")
    return seconds, months


def _parse_text(text: str) -> tuple[int, int]:
    found = _TEXT.fullmatch(text)
    if not found:
        raise ValueError(f"expected a timeframe such as {_ACCEPTED}, got {text!r}")
    count, unit = (int(found[1]), found[2]) if found[1] else (int(found[4]), found[3])
    if unit == "MN" or (unit == "M" and found[1]):
        return 0, count
    return count * _UNITS[unit.lower()], 0


def _seconds_of_minutes(minutes: Real) -> int:
    try:
        seconds = float(minutes) * 60
    except OverflowError:
        seconds = math.inf
    # 0.35 minutes are 21 seconds, though not quite in floating point.
    if not math.isfinite(seconds) or abs(seconds - round(seconds)) > 1e-6:
        raise ValueError(f"a timeframe must be a finite, whole number of seconds, got {minutes!r} minutes")
    return round(seconds)


def _name(seconds: int, months: int) -> str:
    if months:
        return f"{months}M"
    unit = next(unit for unit in ("w", "d", "h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
