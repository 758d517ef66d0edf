"""Durations as options are given (seconds or timedelta), turned into seconds and checked where they are given."""

from __future__ import annotations

import math
from datetime import timedelta


def to_seconds(name: str, value: object, *, positive: bool = False) -> float:
    """Return a duration in seconds.

    Args:
        name: what to call it in an error.
        value: seconds or a timedelta; finite and not negative.
        positive: whether 0 is refused too.

    Raises:
        TypeError: it is neither a number nor a timedelta.
        ValueError: it is negative, NaN or infinite, or 0 where that is refused.
    """
    # A bool is an int to Python; as a duration it is a mistake.
    if not isinstance(value, (int, float, timedelta)) or isinstance(value, bool):
        raise TypeError(f"{name} must be seconds or a timedelta, got {value!r}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not math.isfinite(seconds) or seconds < 0 or (positive and seconds == 0):
        least = "more than 0" if positive else "0 or more"
        raise ValueError(f"{name} must be {least} seconds and finite, got {value!r}")
    return seconds
