"""Where an instant's interval begins and ends: the oracle's own arithmetic, which shares nothing with ``Timeframe``."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BILLION = 10**9
_FIRST_DAY = date(1970, 1, 1)
_FIRST_MONDAY = date(1970, 1, 5)
_DAY = timedelta(days=1)

Interval: TypeAlias = tuple[int, int]


def parse_length(timeframe: object) -> tuple[timedelta, int]:
    """Return length and months, one of them 0: of "5m", "M5", 5, timedelta(minutes=5), or what has "5m" as its text.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(timeframe, timedelta):
        return timeframe, 0
    if isinstance(timeframe, (int, float)) and not isinstance(timeframe, bool):
        return timedelta(seconds=round(timeframe * 60)), 0
    text = str(timeframe)
    if match := re.fullmatch(r"([1-9]\d*)M|MN([1-9]\d*)", text):
        return timedelta(0), int(match[1] or match[2])
    if match := re.fullmatch(r"([1-9]\d*)([smhdw])", text):
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]]), 0
    if match := re.fullmatch(r"([SMHDW])([1-9]\d*)", text):
        return timedelta(seconds=int(match[2]) * _SECONDS[match[1].lower()]), 0
    raise ValueError(f"expected a timeframe such as '5m', '1h', '1d' or 5 (minutes), got {timeframe!r}")


def interval_finder(timeframe: object, tz: str = "UTC", session_start: str = "00:00") -> Callable[[int], Interval]:
    """Return a function from an instant (ns) to its interval's begin and exclusive end (ns)."""
    length, months = parse_length(timeframe)
    # What a Timeframe brings leads over the defaults.
    tz = str(getattr(timeframe, "tz", tz))
    start = time.fromisoformat(str(getattr(timeframe, "session_start", session_start)))
    if tz == "UTC" and length % _DAY:
        return _even(length, start)
    sessions = _Sessions(ZoneInfo(tz), start)
    if months or not length % _DAY:
        return _whole_days(sessions, length // _DAY, months)
    if length > _DAY:
        raise ValueError(f"a timeframe in {tz} that is longer than a day must be whole days, got {timeframe!r}")
    return _parts_of_days(sessions, length // timedelta(seconds=1) * _BILLION)


def _even(length: timedelta, start: time) -> Callable[[int], Interval]:
    width = length // timedelta(seconds=1) * _BILLION
    # One of a whole number of days before the epoch is as good an origin as any.
    origin = (start.hour * 3600 + start.minute * 60 - (86_400 if start.hour >= 12 else 0)) * _BILLION
    return lambda instant: (
        origin + (instant - origin) // width * width,
        origin + ((instant - origin) // width + 1) * width,
    )


def _whole_days(sessions: _Sessions, days: int, months: int) -> Callable[[int], Interval]:
    def find(instant: int) -> Interval:
        day = sessions.day_of(instant)
        if months:
            first = ((day.year - 1970) * 12 + day.month - 1) // months * months
            return sessions.begin(_month(first)), sessions.begin(_month(first + months))
        origin = _FIRST_DAY if days % 7 else _FIRST_MONDAY
        begin = origin + (day - origin).days // days * days * _DAY
        return sessions.begin(begin), sessions.begin(begin + days * _DAY)

    return find


def _month(months: int) -> date:
    return date(1970 + months // 12, months % 12 + 1, 1)


def _parts_of_days(sessions: _Sessions, width: int) -> Callable[[int], Interval]:
    @cache
    def edges(day: date) -> list[int]:
        """List all edges of a session, its own included."""
        begin, end = sessions.begin(day), sessions.begin(day + _DAY)
        wall = sessions.wall(day)
        put_back = sessions.offset(begin) - sessions.offset(end - 1)
        steps = range((end - begin) // width + 86_400 * _BILLION // width + 2)
        if put_back >= 0 and put_back % width == 0:
            # The repeated hour's candles come twice: the distance in time is what counts.
            origin = (wall.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // _DAY * 86_400 * _BILLION
            origin += (wall.hour * 3600 + wall.minute * 60) * _BILLION - sessions.offset(begin)
            instants = {origin + step * width for step in steps}
        else:
            seconds = timedelta(seconds=width // _BILLION)
            instants = {first_instant_at(wall + step * seconds, sessions.zone) for step in steps}
        return sorted({begin, end} | {instant for instant in instants if begin < instant < end})

    def find(instant: int) -> Interval:
        of_session = edges(sessions.day_of(instant))
        place = bisect_right(of_session, instant)
        return of_session[place - 1], of_session[place]

    return find


class _Sessions:
    """The days of a zone, each of which begins at a time of day."""

    def __init__(self, zone: ZoneInfo, start: time) -> None:
        self.zone = zone
        self._start = start
        self._begins: dict[date, int] = {}

    def wall(self, day: date) -> datetime:
        """Return what the clocks show when a day begins; from noon on that is on the date before."""
        return datetime.combine(day - _DAY if self._start.hour >= 12 else day, self._start)

    def begin(self, day: date) -> int:
        """Return the instant (ns) at which a day begins."""
        if day not in self._begins:
            self._begins[day] = first_instant_at(self.wall(day), self.zone)
        return self._begins[day]

    def day_of(self, instant: int) -> date:
        """Return the last day that has begun."""
        day = datetime.fromtimestamp(instant // _BILLION, UTC).astimezone(self.zone).date() + 2 * _DAY
        while self.begin(day) > instant:
            day -= _DAY
        return day

    def offset(self, instant: int) -> int:
        """Return the zone's offset from UTC (ns)."""
        offset = datetime.fromtimestamp(instant // _BILLION, self.zone).utcoffset() or timedelta(0)
        return offset // timedelta(seconds=1) * _BILLION


def first_instant_at(wall: datetime, zone: ZoneInfo) -> int:
    """Return the first instant (ns) at which the zone's clocks show ``wall`` or, where they skip it, are past it."""
    # The two offsets that can be in force around it: no zone changes twice within two days.
    offsets = [(wall + shift).replace(tzinfo=zone).utcoffset() or timedelta(0) for shift in (-_DAY, _DAY)]
    candidates = sorted(wall.replace(tzinfo=UTC) - offset for offset in offsets)
    for instant in candidates:
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return int(instant.timestamp()) * _BILLION
    # It is skipped: the jump lies between the candidates.
    before, after = int(candidates[0].timestamp()), int(candidates[1].timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after * _BILLION
