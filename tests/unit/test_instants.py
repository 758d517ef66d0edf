"""Instants: the ways into and out of integer nanoseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxstreams.instants import (
    EARLIEST,
    LATEST,
    SECOND,
    format_instant,
    parse_decimal_seconds,
    parse_iso,
    to_datetime,
    to_nanoseconds,
)

_TIME = 1_762_795_433_971_744_512  # 2025-11-10T17:23:53.971744512Z
_BEFORE = -315_619_199_876_543_211  # 1960-01-01T00:00:00.123456789Z
_UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}


def test_limits_when_read_as_dates_then_they_are_new_years_days() -> None:
    """1900 and 2262, and the end of the last candle of a month still fits an int64."""
    assert format_instant(EARLIEST) == "1900-01-01T00:00:00Z"
    assert format_instant(LATEST) == "2262-01-01T00:00:00Z"
    assert LATEST + 31 * 86_400 * SECOND < 2**63


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("time", [_TIME, _BEFORE, -1, 0, LATEST - 1])
@pytest.mark.parametrize("tz", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_to_nanoseconds_when_a_pandas_timestamp_of_any_unit_then_nothing_of_it_is_lost(
    unit: Any, time: int, tz: str
) -> None:
    """pandas 3 picks microseconds by itself; a Timestamp of nanoseconds has three digits more than a datetime."""
    step = SECOND // _UNITS_PER_SECOND[unit]
    cut = time // step * step
    stamp = pd.Timestamp(cut, unit="ns", tz="UTC").as_unit(unit).tz_convert(tz)
    assert stamp.unit == unit
    assert to_nanoseconds(stamp) == cut


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("time", [_TIME, _BEFORE, -1, 0, LATEST - 1])
def test_to_nanoseconds_when_a_numpy_datetime_then_nothing_of_it_is_lost(unit: Any, time: int) -> None:
    """Units from seconds to nanoseconds."""
    step = SECOND // _UNITS_PER_SECOND[unit]
    assert to_nanoseconds(np.datetime64(time // step, unit)) == time // step * step


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.datetime64("1990", "Y"), "1990-01-01T00:00:00Z"),
        (np.datetime64("2261", "Y"), "2261-01-01T00:00:00Z"),
        (np.datetime64("1900", "Y"), "1900-01-01T00:00:00Z"),
        (np.datetime64("1968-05", "M"), "1968-05-01T00:00:00Z"),
        (np.datetime64(-20, "W"), "1969-08-14T00:00:00Z"),
        (np.datetime64("2025-11-10", "D"), "2025-11-10T00:00:00Z"),
        (np.datetime64("2025-11-10T17", "h"), "2025-11-10T17:00:00Z"),
        (np.datetime64("2025-11-10T17:23", "m"), "2025-11-10T17:23:00Z"),
        (np.ones(1, "datetime64[25s]")[0], "1970-01-01T00:00:25Z"),
        (np.datetime64(1_999, "ps"), "1970-01-01T00:00:00.000000001Z"),
        (np.datetime64(-1, "as"), "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_to_nanoseconds_when_a_numpy_datetime_of_a_coarse_or_fine_unit_then_it_is_right(
    value: Any, expected: str
) -> None:
    """Years to attoseconds; what is finer than a nanosecond is cut towards the past."""
    assert format_instant(to_nanoseconds(value)) == expected


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("count", [2**62, -(2**62) - 5, 2**63 - 1, -(2**63) + 1])
def test_to_nanoseconds_when_a_numpy_datetime_would_overflow_then_a_value_error(unit: Any, count: int) -> None:
    """numpy's own conversion wraps around silently, to an innocent date."""
    if unit == "ns" and EARLIEST <= count < LATEST:
        assert to_nanoseconds(np.datetime64(count, unit)) == count
        return
    with pytest.raises(ValueError, match="time must lie between 1900-01-01 and 2262-01-01"):
        to_nanoseconds(np.datetime64(count, unit))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (EARLIEST, EARLIEST),
        (LATEST - 1, LATEST - 1),
        (np.int64(_TIME), _TIME),
        (np.int32(-5), -5),
        (np.uint64(_TIME), _TIME),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), -1000),
        (datetime(2025, 11, 10, 22, 53, 53, 971744, timezone(timedelta(hours=5, minutes=30))), _TIME - 512),
        (datetime(2261, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), LATEST - 1000),
        (pd.Timestamp("2025-11-10", tz="UTC"), _TIME // (86_400 * SECOND) * 86_400 * SECOND),
    ],
)
def test_to_nanoseconds_when_an_int_or_a_datetime_then_it_is_exact(value: Any, expected: int) -> None:
    """No float on the way."""
    result = to_nanoseconds(value)
    assert result == expected
    assert type(result) is int


@pytest.mark.parametrize(
    "value",
    [
        LATEST,
        EARLIEST - 1,
        2**63,
        np.uint64(2**63),
        datetime(2262, 1, 1, tzinfo=UTC),
        datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
        pd.Timestamp("9999-01-01", tz="UTC"),
        pd.Timestamp(2**63 - 1, unit="ns", tz="UTC"),
        np.datetime64("2262-01-01T00:00:00.000", "ms"),
        np.datetime64("2262", "Y"),
        np.datetime64("1899", "Y"),
    ],
)
def test_to_nanoseconds_when_out_of_range_then_a_value_error_shows_it(value: object) -> None:
    """From 1900 to before 2262."""
    with pytest.raises(ValueError, match="since must lie between 1900-01-01 and 2262-01-01") as caught:
        to_nanoseconds(value, "since")
    assert str(caught.value).endswith(f"got {value!r}")


@pytest.mark.parametrize("value", [datetime(2025, 11, 10), pd.Timestamp("2025-11-10"), pd.Timestamp(_TIME)])
def test_to_nanoseconds_when_a_datetime_is_naive_then_a_value_error_says_what_to_do(value: object) -> None:
    """Its zone would be a guess."""
    with pytest.raises(ValueError, match=r"time must know its time zone, got the naive .* add tzinfo=timezone.utc"):
        to_nanoseconds(value)


@pytest.mark.parametrize("value", [pd.NaT, np.datetime64("NaT"), np.datetime64("NaT", "ns"), np.datetime64("NaT", "D")])
def test_to_nanoseconds_when_not_a_time_then_a_value_error(value: object) -> None:
    """NaT is neither 1677 nor nothing."""
    with pytest.raises(ValueError, match="time must be a time, got "):
        to_nanoseconds(value)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1.0, float("nan"), "2025-11-10T17:23:53Z", b"0", date(2025, 11, 10), timedelta(1)),
        *(np.float64(1), np.True_, np.timedelta64(5, "ns"), np.array(5), np.array(5, "datetime64[ns]"), np.str_("1")),
    ],
)
def test_to_nanoseconds_when_of_a_wrong_type_then_a_type_error_shows_it(value: object) -> None:
    """A float's unit would be a guess, a string's form too."""
    with pytest.raises(TypeError, match="time must be integer nanoseconds") as caught:
        to_nanoseconds(value)
    assert str(caught.value).endswith(f"got {value!r}")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (_TIME, "2025-11-10T17:23:53.971744512Z"),
        (_TIME // 1000 * 1000, "2025-11-10T17:23:53.971744Z"),
        (_TIME // 10**6 * 10**6, "2025-11-10T17:23:53.971Z"),
        (_TIME // SECOND * SECOND + 500_000_000, "2025-11-10T17:23:53.500Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (_BEFORE, "1960-01-01T00:00:00.123456789Z"),
    ],
)
def test_format_instant_when_read_then_it_has_the_digits_that_it_needs(time: int, text: str) -> None:
    """None, three, six or nine; and it can be read back."""
    assert format_instant(time) == text
    assert parse_iso(text) == time


def test_to_datetime_when_there_are_nanoseconds_then_they_are_cut() -> None:
    """Towards the past, before the epoch too."""
    assert to_datetime(_TIME) == datetime(2025, 11, 10, 17, 23, 53, 971744, tzinfo=UTC)
    assert to_datetime(-1) == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-10T17:23:53Z", _TIME // SECOND * SECOND),
        ("2025-11-10 17:23:53+00:00", _TIME // SECOND * SECOND),
        ("2025-11-10T17:23:53.9Z", _TIME // SECOND * SECOND + 900_000_000),
        ("2025-11-10T17:23:53.971744512+00:00", _TIME),
        ("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999_999_999),
        ("1969-12-31T23:59:59.000000001Z", -999_999_999),
        ("2261-12-31T23:59:59.999999999Z", LATEST - 1),
        ("1900-01-01T00:00:00Z", EARLIEST),
    ],
)
def test_parse_iso_when_utc_then_every_digit_counts(text: str, expected: int) -> None:
    """One to nine digits after the seconds, or none."""
    assert parse_iso(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "Z", "now", "2025-11-10T17:23:53", "2025-11-10T17:23:53+01:00", "2025-11-10T17:23:53-00:00"),
        *("2025-11-10Z", "2025-11-10T17:23Z", "2025-11-10x17:23:53Z", "2025-11-10t17:23:53z", "2025-W46-1T17:23:53Z"),
        *(
            "2025-11-10T17:23:53.Z",
            "2025-11-10T17:23:53,5Z",
            "2025-11-10T17:23:53.1234567890Z",
            "2025-11-10T17:23:53.٥Z",
        ),
        *("2025-11-10T17:23:53.1-2Z", "2025-02-29T00:00:00Z", "2025-11-10T24:00:00Z", "2025-11-10T23:59:60Z"),
        *("2025-11-10T17+05:00Z", "20251110T172353.971Z", "2025-11-10T17:23:53+00:00Z", " 2025-11-10T17:23:53Z"),
        *("2262-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "٢٠٢٥-11-10T17:23:53Z"),
    ],
)
def test_parse_iso_when_not_a_whole_utc_time_then_a_value_error(text: str) -> None:
    """Forms that Python would take for something else are refused: a second offset, a fraction of its own."""
    with pytest.raises(ValueError, match=r"."):
        parse_iso(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1762795433.971744512", _TIME),
        ("1762795433.97", _TIME // SECOND * SECOND + 970_000_000),
        ("1762795433.9717445129", _TIME),
        ("1762795433", _TIME // SECOND * SECOND),
        ("0.000000001", 1),
        ("9214646399.999999999", LATEST - 1),
    ],
)
def test_parse_decimal_seconds_when_a_decimal_number_then_every_digit_counts(text: str, expected: int) -> None:
    """A float has 16 digits, this has 19; what is finer than a nanosecond is cut."""
    assert parse_decimal_seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", ".5", "5.", "-1", "+1", "1e9", "1_000", " 1", "1 ", "1.2.3", "0x10", "nan", "inf", "١", "1.٥"),
        *("9214646400", "1762795433971", "9" * 400),
    ],
)
def test_parse_decimal_seconds_when_no_plain_number_or_out_of_range_then_a_value_error(text: str) -> None:
    """Milliseconds for seconds are out of range, too."""
    with pytest.raises(ValueError, match=r"."):
        parse_decimal_seconds(text)
