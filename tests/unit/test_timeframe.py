"""Timeframe: what is accepted, its names, order and identity, and its fixed intervals in UTC."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from rxstreams.instants import DAY, HOUR, MINUTE, SECOND
from rxstreams.timeframe import Timeframe, TimeframeLike

_NEW_YORK_DAY = Timeframe("1d", tz="America/New_York", session_start="17:00")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "1m"),
        (5, "5m"),
        (60, "1h"),
        (90, "90m"),
        (1440, "1d"),
        (10080, "1w"),
        (0.5, "30s"),
        (0.35, "21s"),
        (1 / 3, "20s"),
        (np.int64(5), "5m"),
        (np.float32(0.5), "30s"),
        ("30s", "30s"),
        ("60s", "1m"),
        ("5m", "5m"),
        ("1h", "1h"),
        ("24h", "1d"),
        ("36h", "36h"),
        ("1d", "1d"),
        ("7d", "1w"),
        ("366d", "366d"),
        ("52w", "52w"),
        ("1M", "1M"),
        ("12M", "12M"),
        ("1H", "1h"),
        ("1D", "1d"),
        ("1W", "1w"),
        ("05m", "5m"),
        ("S30", "30s"),
        ("M5", "5m"),
        ("M15", "15m"),
        ("H1", "1h"),
        ("H4", "4h"),
        ("D1", "1d"),
        ("W1", "1w"),
        ("MN1", "1M"),
        ("MN3", "3M"),
        (timedelta(minutes=5), "5m"),
        (timedelta(days=1), "1d"),
        (pd.Timedelta("1h"), "1h"),
        (Timeframe("1h"), "1h"),
    ],
)
def test_timeframe_when_written_in_any_way_then_it_has_its_canonical_name(value: TimeframeLike, name: str) -> None:
    """Numbers are minutes, "m" is minutes, "M" months, and each length has one name."""
    timeframe = Timeframe(value)
    assert str(timeframe) == timeframe.name == name
    assert repr(timeframe) == f"Timeframe({name!r})"
    assert Timeframe(name) is timeframe


@pytest.mark.parametrize(
    "value",
    ["", "5", "m", "5x", "1mo", "-5m", "+5m", "5 m", "5m ", "5m\n", "1.5h", "٥m", "m5", "MN", "hour", "1234567890s"],
)
def test_timeframe_when_the_text_is_none_then_a_value_error_names_it_and_what_is_accepted(value: str) -> None:
    """What is not understood is never guessed."""
    with pytest.raises(ValueError, match="expected a timeframe such as '30s', '5m'") as caught:
        Timeframe(value)
    assert str(caught.value).endswith(f"got {value!r}")


@pytest.mark.parametrize(
    "value",
    [
        *("0m", "0M", "M0", 0, 0.0, -5, timedelta(0), timedelta(days=-1), "367d", "53w", "13M", 527_041, 1e300),
        *(float("nan"), float("inf"), float("-inf"), 10**400, 0.001, 1.0001, 1e-9),
        *(timedelta(milliseconds=100), timedelta(seconds=1, microseconds=1), pd.Timedelta(1, "ns")),
    ],
)
def test_timeframe_when_the_length_is_impossible_then_a_value_error_says_so(value: TimeframeLike) -> None:
    """Zero, negative, not finite, more than a year and parts of a second are refused."""
    with pytest.raises(ValueError, match=r"a timeframe must be .*, got "):
        Timeframe(value)


@pytest.mark.parametrize("value", [True, False, None, b"5m", [5], (5, "m"), np.datetime64("2025-01-01"), object()])
def test_timeframe_when_the_type_is_wrong_then_a_type_error_says_what_is_accepted(value: TimeframeLike) -> None:
    """True is no minute."""
    with pytest.raises(TypeError, match="expected a timeframe such as"):
        Timeframe(value)


@pytest.mark.parametrize("tz", ["", "Mars/Olympus", "America", "../etc/passwd", "america/new_york ", "EST5EDT4"])
def test_timeframe_when_the_zone_is_unknown_then_a_value_error_names_it(tz: str) -> None:
    """A zone is an IANA name."""
    with pytest.raises(ValueError, match="expected a time zone such as 'America/New_York', got ") as caught:
        Timeframe("1d", tz=tz)
    assert repr(tz) in str(caught.value)


@pytest.mark.parametrize("start", ["", "24:00", "9:30", "09:60", "17", "17:00:00", "-1:00", "٠٩:٠٠"])
def test_timeframe_when_the_session_start_is_no_time_of_day_then_a_value_error_names_it(start: str) -> None:
    """It is written HH:MM."""
    with pytest.raises(ValueError, match="session_start must be a time of day from '00:00' to '23:59', got ") as caught:
        Timeframe("1d", session_start=start)
    assert repr(start) in str(caught.value)


def test_timeframe_when_longer_than_a_day_and_no_whole_days_then_only_utc_takes_it() -> None:
    """In a zone every session starts anew, so nothing can be half a day longer than one."""
    assert Timeframe("36h").length == 36 * HOUR
    with pytest.raises(ValueError, match="a timeframe in Asia/Kolkata that is longer than a day must be whole days"):
        Timeframe("36h", tz="Asia/Kolkata")


def test_timeframe_when_in_a_zone_then_it_shows_and_differs() -> None:
    """The name is the length; repr and equality know the zone and the session."""
    plain, zoned = Timeframe("1d"), Timeframe("1d", tz="America/New_York")
    assert str(zoned) == str(_NEW_YORK_DAY) == "1d"
    assert repr(zoned) == "Timeframe('1d', tz='America/New_York')"
    assert repr(_NEW_YORK_DAY) == "Timeframe('1d', tz='America/New_York', session_start='17:00')"
    assert len({plain, zoned, _NEW_YORK_DAY, Timeframe("1d", session_start="17:00")}) == 4
    assert plain != zoned != _NEW_YORK_DAY
    assert Timeframe("1d", tz="Etc/UTC") is plain


def test_timeframe_when_made_of_another_then_zone_and_session_come_along() -> None:
    """What is given replaces, what is not given stays."""
    assert Timeframe(_NEW_YORK_DAY) is _NEW_YORK_DAY
    assert Timeframe(_NEW_YORK_DAY, tz="Europe/Berlin").session_start == "17:00"
    assert Timeframe(_NEW_YORK_DAY, session_start="18:00").tz == "America/New_York"
    assert Timeframe(Timeframe("1w"), tz="America/New_York", session_start="17:00").tz == "America/New_York"


def test_timeframe_when_pickled_or_copied_then_it_is_the_same_object() -> None:
    """Equality is identity, in every way an object can be made."""
    for timeframe in (Timeframe(5), Timeframe("1M"), _NEW_YORK_DAY):
        assert pickle.loads(pickle.dumps(timeframe)) is timeframe
        assert copy.deepcopy(timeframe) is copy.copy(timeframe) is timeframe


def test_timeframe_when_made_by_many_threads_at_once_then_all_get_the_same_object() -> None:
    """Identity holds across threads."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for seconds in range(601, 651):
            barrier = threading.Barrier(4)
            made: list[Timeframe] = []

            def make(seconds: int, barrier: threading.Barrier, made: list[Timeframe]) -> None:
                barrier.wait()
                made.append(Timeframe(f"{seconds}s"))

            threads = [threading.Thread(target=make, args=(seconds, barrier, made)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(made) == 4
            assert len({id(each) for each in made}) == 1
    finally:
        sys.setswitchinterval(interval)


def test_timeframe_when_changed_then_an_attribute_error() -> None:
    """It is immutable."""
    timeframe = Timeframe(5)
    with pytest.raises(AttributeError, match="immutable: can't set length"):
        timeframe.length = 1
    with pytest.raises(AttributeError, match="immutable: can't set color"):
        setattr(timeframe, "color", "red")  # noqa: B010  # the plain assignment is no valid program to begin with
    with pytest.raises(AttributeError, match="immutable: can't delete name"):
        del timeframe.name
    assert timeframe.length == 5 * MINUTE


def test_timeframes_when_sorted_then_the_shorter_comes_first() -> None:
    """The order is by nominal length; a month is longer than 30 days and shorter than 31."""
    names = ["1s", "30s", "1m", "5m", "1h", "4h", "1d", "1w", "30d", "1M", "31d", "3M", "52w", "12M", "366d"]
    assert [str(each) for each in sorted(map(Timeframe, reversed(names)))] == names
    assert Timeframe("1m") < Timeframe("1h") <= Timeframe("1h") < Timeframe("1M") > Timeframe("1w") >= Timeframe("7d")
    # Of the same length they have an order too, so that sorting is stable.
    assert (Timeframe("1d") < _NEW_YORK_DAY) != (Timeframe("1d") > _NEW_YORK_DAY)
    with pytest.raises(TypeError):
        assert Timeframe("1m") < 5


def test_timeframe_when_asked_for_its_length_then_only_even_intervals_have_one() -> None:
    """length is None where intervals differ; nominal and minutes are always there."""
    assert Timeframe("1w").length == 7 * DAY
    assert Timeframe("1d", session_start="17:00").length == DAY
    assert Timeframe("1M").length is None
    assert _NEW_YORK_DAY.length is None
    assert Timeframe("1h", tz="Asia/Kolkata").length is None
    assert _NEW_YORK_DAY.nominal == DAY
    assert Timeframe("12M").nominal == 365.2425 * DAY
    assert (Timeframe(5).minutes, Timeframe("1d").minutes, Timeframe("30s").minutes) == (5, 1440, 0.5)
    assert isinstance(Timeframe("1h").minutes, int)


@pytest.mark.parametrize(
    ("value", "instant", "floor"),
    [
        ("5m", _at("2025-03-09 12:34:56"), _at("2025-03-09 12:30")),
        ("7m", 0, 0),
        ("7m", 7 * MINUTE - 1, 0),
        ("1h", -1, -HOUR),
        ("1h", -HOUR, -HOUR),
        ("1h", -HOUR - 1, -2 * HOUR),
        ("36h", _at("1970-01-02 13:00"), _at("1970-01-02 12:00")),
        ("1d", _at("1969-12-31 23:59:59"), _at("1969-12-31")),
        ("1w", _at("1970-01-01"), _at("1969-12-29")),
        ("1w", _at("1970-01-05"), _at("1970-01-05")),
        ("1w", _at("2025-03-09 23:59:59"), _at("2025-03-03")),
        ("2w", _at("1970-01-18 23:59:59"), _at("1970-01-05")),
        ("1M", _at("2024-02-29 12:00"), _at("2024-02-01")),
        ("1M", _at("1969-12-31 23:59:59"), _at("1969-12-01")),
        ("3M", _at("2025-06-30 23:59:59"), _at("2025-04-01")),
        ("5M", _at("1970-06-01"), _at("1970-06-01")),
        ("5M", _at("1970-05-31 23:59:59"), _at("1970-01-01")),
        ("12M", _at("1905-05-05"), _at("1905-01-01")),
    ],
)
def test_floor_when_in_utc_then_it_is_counted_from_the_epoch(value: str, instant: int, floor: int) -> None:
    """Negative instants and exact edges are right, to the nanosecond."""
    timeframe = Timeframe(value)
    assert timeframe.floor(instant) == floor
    assert timeframe.floor(floor) == floor
    following = timeframe.next(instant)
    assert timeframe.floor(following) == following
    assert timeframe.floor(following - 1) == floor
    assert timeframe.next(floor) == following
    assert timeframe.previous(following) == floor
    assert timeframe.previous(floor) == timeframe.floor(floor - 1) < floor


def test_floor_when_a_utc_session_starts_late_then_it_belongs_to_the_next_date() -> None:
    """From noon on a session is that of the next date, before noon that of its own."""
    month = Timeframe("1M", session_start="17:00")
    assert month.floor(_at("2025-01-31 17:00")) == _at("2025-01-31 17:00")
    assert month.floor(_at("2025-01-31 16:59:59")) == _at("2024-12-31 17:00")
    assert Timeframe("1w", session_start="17:00").floor(_at("2025-03-10")) == _at("2025-03-09 17:00")
    assert Timeframe("1w", session_start="11:59").floor(_at("2025-03-10 12:00")) == _at("2025-03-10 11:59")
    assert Timeframe("1d", session_start="12:00").floor(_at("2025-03-10 11:00")) == _at("2025-03-09 12:00")
    assert Timeframe("2d", session_start="12:00").floor(0) == -12 * HOUR
    assert Timeframe("1h", session_start="09:30").floor(_at("2025-03-10 10:00")) == _at("2025-03-10 09:30")
