"""Timeframe in zones: days, weeks, months and hours over changes of the clocks; which timeframe serves which."""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from rxstreams._calendar import LocalClock, find_history
from rxstreams.instants import HOUR, MINUTE, SECOND
from rxstreams.timeframe import Timeframe

_DAY = timedelta(days=1)
# Both changes of the clocks; Kolkata has none, so any week and month of it will do.
_CHANGES = {
    "America/New_York": ("2025-03-09", "2025-11-02"),
    "Europe/Berlin": ("2025-03-30", "2025-10-26"),
    "Australia/Sydney": ("2025-10-05", "2025-04-06"),
    "Asia/Kolkata": ("2025-03-09", "2025-11-02"),
}
_ZONES_AND_CHANGES = [(zone, day) for zone, days in _CHANGES.items() for day in days]


def _pandas(wall: datetime, tz: str) -> int:
    """Return the instant of a wall time by pandas' rules, an implementation of its own."""
    # ambiguous=True is daylight time, which comes first where clocks go back.
    local = pd.Timestamp(wall).tz_localize(tz, ambiguous=True, nonexistent="shift_forward")
    return int(local.tz_convert("UTC").as_unit("ns").value)


def _session(day: datetime, start: str) -> datetime:
    hours, minutes = map(int, start.split(":"))
    return day + timedelta(hours=hours, minutes=minutes) - (_DAY if hours >= 12 else timedelta(0))


def _check(timeframe: Timeframe, starts: list[datetime], tz: str, start: str) -> None:
    instants = [_pandas(_session(day, start), tz) for day in starts]
    for opens, closes in pairwise(instants):
        hours = range(opens, min(closes, opens + 48 * HOUR), HOUR // 4)
        for inside in (*hours, opens + 1, (opens + closes) // 2, closes - 1):
            timeframe.floor(0)  # else the answer is the one that is kept
            assert timeframe.floor(inside) == opens
            assert timeframe.next(inside) == closes
        assert timeframe.previous(closes) == opens


@pytest.mark.parametrize("start", ["00:00", "01:30", "02:30", "09:30", "12:00", "17:00", "23:45"])
@pytest.mark.parametrize(("tz", "change"), _ZONES_AND_CHANGES)
def test_days_weeks_and_months_when_the_clocks_change_then_they_start_as_pandas_says(
    tz: str, change: str, start: str
) -> None:
    """Days, two days, weeks, months and quarters around each change, at several starts of the session."""
    middle = datetime.fromisoformat(change)

    def make(value: str) -> Timeframe:
        return Timeframe(value, tz=tz, session_start=start)

    _check(make("1d"), [middle + count * _DAY for count in range(-4, 5)], tz, start)
    even = middle - ((middle - datetime(1970, 1, 1)).days % 2) * _DAY
    _check(make("2d"), [even + count * _DAY for count in range(-4, 5, 2)], tz, start)
    monday = middle - middle.weekday() * _DAY
    _check(make("1w"), [monday + count * _DAY for count in range(-14, 15, 7)], tz, start)
    firsts = [first.to_pydatetime() for first in pd.date_range("2025-01-01", "2026-01-01", freq="MS")]
    _check(make("1M"), firsts, tz, start)
    _check(make("3M"), firsts[::3], tz, start)
    _check(make("12M"), firsts[::12], tz, start)


@pytest.mark.parametrize(
    ("tz", "start", "hours"),
    [
        ("America/New_York", "00:00", {"2025-03-09": 23, "2025-11-02": 25, "2025-06-01": 24}),
        ("America/New_York", "17:00", {"2025-03-09": 23, "2025-11-02": 25, "2025-03-10": 24}),
        ("Europe/Berlin", "00:00", {"2025-03-30": 23, "2025-10-26": 25}),
        ("Australia/Sydney", "00:00", {"2025-10-05": 23, "2025-04-06": 25}),
        ("Australia/Lord_Howe", "00:00", {"2025-10-05": 23.5, "2025-04-06": 24.5}),
        ("Asia/Kolkata", "00:00", {"2025-03-09": 24}),
        # 02:30 does not exist on that day: the session starts at 03:00, and the one before is cut there.
        ("America/New_York", "02:30", {"2025-03-08": 23.5, "2025-03-09": 23.5, "2025-03-10": 24}),
        # 01:30 exists twice: the first counts.
        ("America/New_York", "01:30", {"2025-11-01": 24, "2025-11-02": 25}),
        # Midnight is shown twice, since 01:00 goes back to it; and skipped, since it goes on to 01:00.
        ("America/Havana", "00:00", {"2025-11-01": 24, "2025-11-02": 25, "2025-03-08": 24, "2025-03-09": 23}),
    ],
)
def test_day_when_the_clocks_change_then_it_has_the_hours_that_it_had(
    tz: str, start: str, hours: dict[str, float]
) -> None:
    """Lengths that are known from the calendar, asked for at noon."""
    timeframe = Timeframe("1d", tz=tz, session_start=start)
    for day, expected in hours.items():
        noon = int(datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(tz)).timestamp()) * SECOND
        assert (timeframe.next(noon) - timeframe.floor(noon)) / HOUR == expected, day


def test_week_when_the_session_starts_at_17_in_new_york_then_it_runs_from_sunday_to_sunday() -> None:
    """The trading week, and the month from the evening before the first."""
    zone = ZoneInfo("America/New_York")
    wednesday = int(datetime(2025, 3, 12, 12, tzinfo=zone).timestamp()) * SECOND
    opens = Timeframe("1w", tz="America/New_York", session_start="17:00").floor(wednesday)
    assert datetime.fromtimestamp(opens // SECOND, zone).isoformat() == "2025-03-09T17:00:00-04:00"
    opens = Timeframe("1M", tz="America/New_York", session_start="17:00").floor(wednesday)
    assert datetime.fromtimestamp(opens // SECOND, zone).isoformat() == "2025-02-28T17:00:00-05:00"


def test_day_when_a_whole_date_was_skipped_then_it_has_no_interval() -> None:
    """Samoa went from 29 to 31 December 2011."""
    zone = ZoneInfo("Pacific/Apia")
    timeframe = Timeframe("1d", tz="Pacific/Apia")
    first = timeframe.floor(int(datetime(2011, 12, 29, 12, tzinfo=zone).timestamp()) * SECOND)
    second = timeframe.next(first)
    assert datetime.fromtimestamp(second // SECOND, zone).isoformat() == "2011-12-31T00:00:00+14:00"
    assert second - first == timeframe.next(second) - second == 24 * HOUR
    assert timeframe.previous(second) == first


def _starts(timeframe: Timeframe, day: str) -> list[str]:
    """Return local time and offset of each start within a session, found one by one."""
    zone = ZoneInfo(timeframe.tz)
    session = Timeframe("1d", tz=timeframe.tz, session_start=timeframe.session_start)
    noon = int(datetime.fromisoformat(f"{day}T11:59").replace(tzinfo=zone).timestamp()) * SECOND
    time, end = session.floor(noon), session.next(noon)
    found: list[str] = []
    while time < end:
        local = datetime.fromtimestamp(time // SECOND, zone)
        found.append(f"{local:%H:%M}{local:%z}"[:8])
        assert timeframe.floor(time) == time
        following = timeframe.next(time)
        for inside in range(time, following, 5 * MINUTE):
            timeframe.floor(0)  # else the answer is the one that is kept
            assert timeframe.floor(inside) == time
        time = following
    assert time == end
    return found


# 01:30 is in the hour that is repeated: the first counts.
_NINETY_MINUTES = (
    "21:00-04 22:30-04 00:00-04 01:30-04 03:00-05 04:30-05 06:00-05 07:30-05 09:00-05 10:30-05 12:00-05 13:30-05 "
    "15:00-05 16:30-05 18:00-05 19:30-05"
)


@pytest.mark.parametrize(
    ("value", "tz", "start", "day", "expected"),
    [
        ("4h", "America/New_York", "00:00", "2025-03-09", "00:00-05 04:00-04 08:00-04 12:00-04 16:00-04 20:00-04"),
        ("4h", "America/New_York", "00:00", "2025-11-02", "00:00-04 04:00-05 08:00-05 12:00-05 16:00-05 20:00-05"),
        ("4h", "America/New_York", "17:00", "2025-11-02", "17:00-04 21:00-04 01:00-04 05:00-05 09:00-05 13:00-05"),
        ("90m", "America/New_York", "21:00", "2025-11-02", _NINETY_MINUTES),
        ("4h", "America/New_York", "22:00", "2025-03-09", "22:00-05 03:00-04 06:00-04 10:00-04 14:00-04 18:00-04"),
        ("4h", "America/Havana", "00:00", "2025-11-02", "00:00-04 04:00-05 08:00-05 12:00-05 16:00-05 20:00-05"),
        ("5h", "America/New_York", "00:00", "2025-03-09", "00:00-05 05:00-04 10:00-04 15:00-04 20:00-04"),
        ("8h", "Australia/Lord_Howe", "00:00", "2025-04-06", "00:00+11 08:00+10 16:00+10"),
        ("6h", "Asia/Kolkata", "09:15", "2025-03-09", "09:15+05 15:15+05 21:15+05 03:15+05"),
    ],
)
def test_hours_when_the_clocks_change_then_they_start_at_local_multiples_from_the_session(
    value: str, tz: str, start: str, day: str, expected: str
) -> None:
    """An interval over the change is shorter or longer; the next session starts anew."""
    assert _starts(Timeframe(value, tz=tz, session_start=start), day) == expected.split()


def test_hours_when_the_clocks_go_back_by_one_then_the_repeated_hour_comes_twice() -> None:
    """25 hours, 50 half hours; forward 23 hours."""
    back = _starts(Timeframe("1h", tz="Europe/Berlin"), "2025-10-26")
    assert back[:5] == ["00:00+02", "01:00+02", "02:00+02", "02:00+01", "03:00+01"]
    assert len(back) == 25
    assert len(_starts(Timeframe("30m", tz="Europe/Berlin"), "2025-10-26")) == 50
    forward = _starts(Timeframe("1h", tz="Europe/Berlin"), "2025-03-30")
    assert forward[:4] == ["00:00+01", "01:00+01", "03:00+02", "04:00+02"]
    assert len(forward) == 23


def test_hours_when_the_clocks_go_back_by_half_an_hour_then_only_half_hours_come_twice() -> None:
    """Lord Howe goes back from 02:00 to 01:30: the hour from 01:00 has 90 minutes."""
    hours = Timeframe("1h", tz="Australia/Lord_Howe")
    assert _starts(hours, "2025-04-06")[:4] == ["00:00+11", "01:00+11", "02:00+10", "03:00+10"]
    halves = _starts(Timeframe("30m", tz="Australia/Lord_Howe"), "2025-04-06")
    assert halves[2:6] == ["01:00+11", "01:30+11", "01:30+10", "02:00+10"]


def test_hours_when_the_clocks_go_back_over_midnight_then_the_new_session_goes_on() -> None:
    """St. John's went from 00:01 back to 23:01: the day had begun at the first midnight."""
    assert _starts(Timeframe("1h", tz="America/St_Johns"), "2010-11-07")[:3] == ["00:00-02", "00:00-03", "01:00-03"]
    assert _starts(Timeframe("2h", tz="America/St_Johns"), "2010-11-07")[:3] == ["00:00-02", "02:00-03", "04:00-03"]


def test_day_when_the_clocks_go_back_over_midnight_then_it_goes_on() -> None:
    """St. John's shows the last hour of the day before again: it is the first of the new day, which had begun."""
    timeframe = Timeframe("1d", tz="America/St_Johns")
    midnight = int(datetime(2010, 11, 7, tzinfo=ZoneInfo("America/St_Johns")).timestamp()) * SECOND
    for minutes in range(0, 25 * 60, 10):
        timeframe.floor(0)  # else the answer is the one that is kept
        assert timeframe.floor(midnight + minutes * MINUTE) == midnight
    assert timeframe.next(midnight) == midnight + 25 * HOUR


def test_hours_when_in_kolkata_then_they_are_those_of_its_clocks() -> None:
    """An offset of half an hour shifts them against UTC."""
    assert Timeframe("1h", tz="Asia/Kolkata").floor(0) == -30 * MINUTE
    assert Timeframe("15m", tz="Asia/Kolkata").floor(1) == 0


@pytest.mark.parametrize("tz", ["America/Recife", "Africa/Casablanca", "Asia/Gaza", "America/St_Johns", "Asia/Kolkata"])
def test_history_when_a_zone_changed_often_then_every_offset_and_change_is_found(tz: str) -> None:
    """Recife had a week of summer in 2000: looking every six hours finds no more."""
    zone = ZoneInfo(tz)
    history = find_history(zone)
    clock = LocalClock(zone)
    offsets = [history.first]
    for instant, offset in history.changes:
        assert clock.offset(instant - 1) == offsets[-1] != offset == clock.offset(instant)
        offsets.append(offset)
    found = [history.first]
    for quarter in range(69 * 365 * 4):
        if (offset := clock.offset(quarter * 6 * 3600)) != found[-1]:
            found.append(offset)
    assert offsets[: len(found)] == found


def test_floor_when_many_threads_ask_for_different_times_then_each_gets_its_own() -> None:
    """What is kept of the last answer never mixes with another's."""
    timeframe = Timeframe("1h", tz="America/New_York")
    expected = {time: (time // HOUR * HOUR, time // HOUR * HOUR + HOUR) for time in range(7, 24 * 60 * HOUR, 37 * HOUR)}
    wrong: list[int] = []

    def ask() -> None:
        for _ in range(20):
            for time, (opens, closes) in expected.items():
                if timeframe.floor(time) != opens or timeframe.next(time) != closes:
                    wrong.append(time)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def _new_york(value: str, start: str = "00:00") -> Timeframe:
    return Timeframe(value, tz="America/New_York", session_start=start)


@pytest.mark.parametrize(
    ("shorter", "longer", "expected"),
    [
        (Timeframe("1h"), Timeframe("1h"), True),
        (Timeframe("1h"), Timeframe("4h"), True),
        (Timeframe("4h"), Timeframe("1h"), False),
        (Timeframe("7m"), Timeframe("1h"), False),
        (Timeframe("1m"), Timeframe("1M"), True),
        (Timeframe("1d"), Timeframe("1w"), True),
        (Timeframe("2d"), Timeframe("1w"), False),
        (Timeframe("2d"), Timeframe("2w"), True),
        (Timeframe("4d"), Timeframe("4w"), True),
        (Timeframe("3d"), Timeframe("3w"), False),  # three weeks are counted from the Monday, day 4
        (Timeframe("1d"), Timeframe("1M"), True),
        (Timeframe("1w"), Timeframe("1M"), False),
        (Timeframe("2d"), Timeframe("1M"), False),
        (Timeframe("1M"), Timeframe("3M"), True),
        (Timeframe("2M"), Timeframe("3M"), False),
        (Timeframe("1M"), Timeframe("52w"), False),
        (Timeframe("1h"), Timeframe("1d", session_start="17:00"), True),
        (Timeframe("1h"), Timeframe("1d", session_start="17:30"), False),
        (Timeframe("1h"), Timeframe("1d", tz="Asia/Kolkata"), False),
        (Timeframe("30m"), Timeframe("1d", tz="Asia/Kolkata"), True),
        (Timeframe("30m"), Timeframe("1d", tz="Asia/Kathmandu"), False),
        (Timeframe("15m"), Timeframe("1d", tz="Asia/Kathmandu"), True),
        (Timeframe("1m"), Timeframe("1d", tz="Africa/Monrovia"), False),  # -00:44:30 until 1972
        (Timeframe("30s"), Timeframe("1d", tz="Africa/Monrovia"), True),
        (Timeframe("1h"), _new_york("1d", "17:00"), True),
        (Timeframe("1h"), _new_york("4h"), True),
        (Timeframe("4h"), _new_york("1d"), False),
        (Timeframe("1d"), _new_york("1d"), False),
        (_new_york("1d", "17:00"), _new_york("1w", "17:00"), True),
        (_new_york("1d", "17:00"), _new_york("1M", "17:00"), True),
        (_new_york("1d", "17:00"), _new_york("1w"), False),
        (_new_york("1d", "17:00"), Timeframe("1d"), False),
        (_new_york("1h"), _new_york("1d", "17:00"), True),
        (_new_york("4h"), _new_york("1d", "17:00"), False),
        (_new_york("4h", "17:00"), _new_york("1w", "17:00"), True),
        (_new_york("5h"), _new_york("1d"), True),
        (_new_york("5h"), _new_york("10h"), True),
        (_new_york("7h"), _new_york("14h", "07:00"), True),  # 07:00 and 21:00
        (_new_york("7h"), _new_york("14h", "08:00"), False),
        (_new_york("7h"), _new_york("14h", "21:00"), False),  # 21:00 and 11:00
        (_new_york("7h"), _new_york("1d", "21:00"), True),
        (_new_york("1h"), Timeframe("4h"), True),
        (_new_york("2h"), Timeframe("4h"), False),
        (_new_york("2h", "01:00"), Timeframe("4h"), False),  # at one of the two offsets only
        (Timeframe("30m"), Timeframe("1d", tz="America/St_Johns"), True),
        (Timeframe("30m"), Timeframe("1h", tz="America/St_Johns"), False),  # at 00:01 the clocks skipped 01:00
        (Timeframe("1m"), Timeframe("1h", tz="America/St_Johns"), True),
        (_new_york("1d"), Timeframe("1d", tz="US/Eastern"), True),
        (_new_york("1d"), Timeframe("1d", tz="America/Chicago"), False),
        (_new_york("1M"), _new_york("3M"), True),
        (_new_york("1M"), _new_york("3M", "17:00"), False),
        (Timeframe("1d", tz="Asia/Kolkata"), Timeframe("1d", session_start="18:30"), True),
        (Timeframe("10h", tz="Etc/GMT"), Timeframe("20h"), False),  # one starts anew every day, the other does not
        (Timeframe("1h", tz="Etc/GMT"), Timeframe("20h"), True),
    ],
)
def test_serves_when_asked_then_every_boundary_of_the_longer_must_be_one_of_the_shorter(
    shorter: Timeframe, longer: Timeframe, expected: bool
) -> None:
    """At every offset that the zone has had since 1970."""
    assert shorter.serves(longer) is expected
