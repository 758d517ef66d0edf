"""Instants, for any time: every way in and out gives the same nanoseconds."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

_INSTANTS = st.integers(EARLIEST, LATEST - 1)


@given(time=_INSTANTS, offset=st.integers(-23 * 60, 23 * 60))
def test_instant_when_it_goes_through_any_type_then_it_comes_back(time: int, offset: int) -> None:
    """pandas and numpy keep nanoseconds, a datetime microseconds, in every zone."""
    zone = timezone(timedelta(minutes=offset))
    assert to_nanoseconds(pd.Timestamp(time, unit="ns", tz="UTC").tz_convert(zone)) == time
    assert to_nanoseconds(np.datetime64(time, "ns")) == time
    assert to_nanoseconds(to_datetime(time).astimezone(zone)) == time // 1000 * 1000


@given(time=_INSTANTS)
def test_instant_when_written_as_iso_then_it_is_read_back_and_pandas_agrees(time: int) -> None:
    """The text is what an independent reader takes for the same time."""
    text = format_instant(time)
    assert parse_iso(text) == parse_iso(text.replace("Z", "+00:00")) == time
    assert pd.Timestamp(text).as_unit("ns").value == time


@given(seconds=st.integers(0, LATEST // SECOND - 1), digits=st.text("0123456789", max_size=15))
def test_decimal_seconds_when_written_then_they_are_what_exact_arithmetic_gives(seconds: int, digits: str) -> None:
    """Digits beyond the ninth are cut."""
    text = f"{seconds}.{digits}" if digits else str(seconds)
    assert parse_decimal_seconds(text) == int(Decimal(text) * SECOND)


@given(count=st.integers(-(2**63) + 1, 2**63 - 1), unit=st.sampled_from(["W", "D", "h", "m", "s", "ms", "us", "ns"]))
def test_numpy_datetime_when_its_unit_is_coarse_then_it_is_exact_or_refused(count: int, unit: Any) -> None:
    """Never a date that numpy's overflow made up."""
    seconds: dict[str, Any] = {"W": 604_800, "D": 86_400, "h": 3600, "m": 60, "s": 1}
    time = count * seconds[unit] * SECOND if unit in seconds else count * {"ms": 10**6, "us": 1000, "ns": 1}[unit]
    value = np.datetime64(count, unit)
    if EARLIEST <= time < LATEST:
        assert to_nanoseconds(value) == time
    else:
        with pytest.raises(ValueError, match="must lie between"):
            to_nanoseconds(value)


@given(time=_INSTANTS)
def test_datetime_when_made_of_an_instant_then_it_is_the_microsecond_before_it(time: int) -> None:
    """Never after it, never more than a microsecond before."""
    made = to_datetime(time)
    assert made.tzinfo is UTC
    assert 0 <= time - to_nanoseconds(made) < 1000
