"""Timeframe, for any length, zone, session and instant: its intervals tile the line, and serves agrees with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rxstreams.instants import DAY, EARLIEST, HOUR, LATEST, SECOND
from rxstreams.timeframe import Timeframe

_ZONES = [
    "UTC",
    "America/New_York",
    "US/Eastern",
    "Europe/Berlin",
    "Australia/Sydney",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # changes by half an hour
    "America/St_Johns",  # changed at 00:01
    "America/Havana",  # changes at midnight
    "America/Asuncion",  # changed at midnight
    "Africa/Casablanca",  # changes for a month
    "Pacific/Apia",  # skipped a day
    "Etc/GMT",
]
_HOURS = [
    "1s",
    "7s",
    "45s",
    "1m",
    "7m",
    "15m",
    "30m",
    "45m",
    "1h",
    "90m",
    "2h",
    "3h",
    "4h",
    "5h",
    "7h",
    "8h",
    "12h",
    "14h",
    "23h",
]
_DAYS = ["1d", "2d", "3d", "10d", "1w", "2w", "3w", "1M", "2M", "3M"]
_SESSIONS = ["00:00", "00:01", "00:30", "01:30", "02:30", "09:30", "11:59", "12:00", "17:00", "23:45"]
_INSTANTS = st.integers(EARLIEST, LATEST - 1)


def _timeframes(values: list[str]) -> st.SearchStrategy[Timeframe]:
    return st.builds(
        Timeframe, st.sampled_from(values), tz=st.sampled_from(_ZONES), session_start=st.sampled_from(_SESSIONS)
    )


@cache
def _changes(tz: str) -> tuple[int, ...]:
    """Return the hours (ns) within which a zone's offset changes, from 1970 to 2037."""
    zone = ZoneInfo(tz)
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    found: list[int] = []
    before = begin.astimezone(zone).utcoffset()
    for day in range(68 * 365):
        if (begin + timedelta(days=day + 1)).astimezone(zone).utcoffset() != before:
            for hour in range(24):
                time = begin + timedelta(days=day, hours=hour)
                after = (time + timedelta(hours=1)).astimezone(zone).utcoffset()
                if after != before:
                    found.append(int(time.timestamp()) * SECOND)
                    before = after
    return tuple(found)


def _near_a_change(timeframe: Timeframe, number: int, distance: int) -> int:
    changes = _changes(timeframe.tz) or (0,)
    return changes[number % len(changes)] + distance


@settings(max_examples=400)
@given(
    timeframe=_timeframes(_HOURS + _DAYS),
    instant=_INSTANTS,
    near=st.one_of(st.none(), st.tuples(st.integers(0, 200), st.integers(-2 * DAY, 2 * DAY))),
)
def test_intervals_when_any_instant_is_asked_then_it_lies_in_exactly_one(
    timeframe: Timeframe, instant: int, near: tuple[int, int] | None
) -> None:
    """floor <= t < next, both are boundaries, the neighbours touch, and no instant between them floors elsewhere."""
    time = instant if near is None else _near_a_change(timeframe, *near)
    opens, closes = timeframe.floor(time), timeframe.next(time)
    assert opens <= time < closes
    assert timeframe.floor(opens) == opens
    assert timeframe.next(opens) == closes
    assert timeframe.floor(closes) == closes
    assert timeframe.floor(closes - 1) == opens
    assert timeframe.previous(closes) == opens
    assert timeframe.next(opens - 1) == opens
    assert timeframe.previous(opens) == timeframe.floor(opens - 1)
    assert opens % SECOND == closes % SECOND == 0


@settings(max_examples=200)
@given(
    timeframe=_timeframes([each for each in _HOURS if Timeframe(each).nominal >= HOUR // 4] + _DAYS),
    number=st.integers(0, 200),
    asked=st.lists(st.integers(-2 * DAY, 2 * DAY), min_size=1, max_size=30),
)
def test_intervals_when_asked_in_any_order_then_they_are_those_of_a_walk(
    timeframe: Timeframe, number: int, asked: list[int]
) -> None:
    """What is kept of earlier questions never changes an answer."""
    middle = _near_a_change(timeframe, number, 0)
    walk = [timeframe.floor(middle - 2 * DAY)]
    while walk[-1] <= middle + 2 * DAY:
        walk.append(timeframe.next(walk[-1]))
    for distance in asked:
        time = middle + distance
        assert timeframe.floor(time) == max(each for each in walk if each <= time)
        assert timeframe.next(time) == min(each for each in walk if each > time)


@settings(max_examples=300)
@given(timeframe=_timeframes(["1m", "15m", "30m", "1h", "2h", "3h", "4h", "8h", "12h", "1d"]), instant=_INSTANTS)
def test_start_when_the_clocks_do_not_change_then_it_is_a_local_multiple_from_the_session(
    timeframe: Timeframe, instant: int
) -> None:
    """On ordinary days the clocks show session_start plus a multiple of the length, and all intervals are as long."""
    zone = ZoneInfo(timeframe.tz)
    opens = timeframe.floor(instant)
    offsets = {
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=opens // SECOND, days=days)).astimezone(zone).utcoffset()
        for days in (-2, -1, 0, 1, 2)
    }
    assume(len(offsets) == 1)
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=opens // SECOND)).astimezone(zone)
    hours, minutes = map(int, timeframe.session_start.split(":"))
    since = timedelta(hours=local.hour - hours, minutes=local.minute - minutes, seconds=local.second)
    assert since % timedelta(seconds=timeframe.nominal // SECOND) == timedelta(0)
    assert timeframe.next(opens) - opens == timeframe.nominal


def _boundaries(longer: Timeframe, zones: set[str]) -> Iterator[int]:
    """Yield boundaries at every offset, on every kind of day: all, or for hours those around the changes."""
    if longer.nominal >= DAY:
        time = longer.floor(0)
        while time < 68 * 365 * DAY:
            yield time
            time = longer.next(time)
        return
    around = sorted({0, *(change for zone in zones for change in _changes(zone))})
    for change in around:
        time = longer.next(change - 30 * HOUR) if change else longer.next(0)
        while time < change + 30 * HOUR:
            yield time
            time = longer.next(time)


@settings(max_examples=150)
@given(
    shorter=_timeframes([each for each in _HOURS if "s" not in each] + _DAYS),
    longer=_timeframes([each for each in _HOURS if Timeframe(each).nominal >= HOUR // 4] + _DAYS),
    zone=st.sampled_from(_ZONES),
    same_zone=st.booleans(),
)
def test_serves_when_compared_with_the_boundaries_themselves_then_it_agrees(
    shorter: Timeframe, longer: Timeframe, zone: str, same_zone: bool
) -> None:
    """True: every boundary of the longer is one of the shorter. False: some is not."""
    if same_zone:
        shorter = Timeframe(shorter, tz=zone) if zone != "UTC" else Timeframe(shorter.name)
        longer = Timeframe(longer, tz=zone) if zone != "UTC" else Timeframe(longer.name)
    elif shorter.tz != "UTC" and longer.tz != shorter.tz and shorter.nominal < DAY:
        # What starts anew every day of another zone, and does not divide the day, serves no one there by definition.
        assume(DAY % shorter.nominal == 0)
    times = _boundaries(longer, {shorter.tz, longer.tz, "Europe/Berlin"})
    assert shorter.serves(longer) == all(shorter.floor(time) == time for time in times)
