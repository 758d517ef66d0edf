"""Instants: integer nanoseconds since the epoch, UTC, and the ways into and out of them.

Valid from 1900-01-01 to before 2262-01-01: an int64 of nanoseconds ends in April 2262, and the end of the last
candle must still fit.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    import numpy as np

Instant: TypeAlias = "int | datetime | np.datetime64"
"""What a time may be given as (a pandas Timestamp is a datetime); stored, it is always an int."""

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EARLIEST = -2_208_988_800 * SECOND  # 1900-01-01
LATEST = 9_214_646_400 * SECOND  # 2262-01-01, exclusive


def to_nanoseconds(value: object, name: str = "time") -> int:
    """Convert an instant to integer nanoseconds since the epoch, without a float on the way.

    Args:
        value: an int (nanoseconds), an aware datetime, a pandas Timestamp or a numpy datetime64.
        name: what to call it in an error.

    Raises:
        TypeError: it is none of these (floats and strings are refused: their unit would be a guess).
        ValueError: a datetime without a time zone, not-a-time, or outside 1900 to 2261.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        nanoseconds = int(value)
    elif isinstance(value, datetime):
        nanoseconds = _from_datetime(value, name)
    elif type(value).__module__ == "numpy":
        nanoseconds = _from_numpy(value, name)
    else:
        raise TypeError(
            f"{name} must be integer nanoseconds since the epoch, an aware datetime, a pandas Timestamp or a numpy "
            f"datetime64, got {value!r}"
        )
    if not EARLIEST <= nanoseconds < LATEST:
        raise ValueError(f"{name} must lie between 1900-01-01 and 2262-01-01 (UTC), got {value!r}")
    return nanoseconds


def _from_datetime(value: datetime, name: str) -> int:
    if value != value:  # pandas' NaT is a datetime
        raise ValueError(f"{name} must be a time, got {value!r}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{name} must know its time zone, got the naive {value!r}; add tzinfo=timezone.utc if it is UTC"
        )
    nanoseconds = (value - _EPOCH) // _MICROSECOND * 1000
    # A pandas Timestamp is a datetime with three more digits.
    return nanoseconds + int(getattr(value, "nanosecond", 0))


def _from_numpy(value: object, name: str) -> int:
    import numpy as np

    expected = f"{name} must be integer nanoseconds or a numpy datetime64, got {value!r}"
    if isinstance(value, np.timedelta64):  # one of numpy's integers
        raise TypeError(expected)
    if isinstance(value, np.integer):
        return int(cast("np.int64", value))
    if not isinstance(value, np.datetime64):
        raise TypeError(expected)
    time = cast("np.datetime64[Any]", value)  # type: ignore[redundant-cast]  # for pyright it is of unknown type
    if np.isnat(time):
        raise ValueError(f"{name} must be a time, got {value!r}")
    unit, _ = np.datetime_data(time.dtype)
    if unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us"):
        # A cast to a finer unit wraps around silently where it overflows, so compare in the value's own unit first.
        earliest = np.datetime64(EARLIEST // SECOND, "s").astype(time.dtype)
        latest = np.datetime64(LATEST // SECOND, "s").astype(time.dtype)
        if not earliest <= time <= latest:
            raise ValueError(f"{name} must lie between 1900-01-01 and 2262-01-01 (UTC), got {value!r}")
    return int(time.astype("datetime64[ns]").astype(np.int64))


def to_datetime(nanoseconds: int) -> datetime:
    """Return the instant as an aware UTC datetime; digits below a microsecond are cut."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def format_instant(nanoseconds: int) -> str:
    """Return the instant in ISO 8601 with as many fraction digits as it needs (3, 6, 9 or none)."""
    seconds, rest = divmod(nanoseconds, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if rest:
        digits = f"{rest:09d}"
        while digits.endswith("000"):
            digits = digits[:-3]
        text += f".{digits}"
    return f"{text}Z"


_WHOLE_SECONDS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}")


@lru_cache(maxsize=4096)
def _whole_seconds(text: str) -> int:
    # fromisoformat also takes forms with an offset or a fraction of their own.
    if not _WHOLE_SECONDS.fullmatch(text):
        raise ValueError(f"expected a time such as 2025-11-10T17:23:53, got {text!r}")
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


def parse_iso(text: str) -> int:
    """Parse ``2025-11-10T17:23:53.971744512Z`` to integer nanoseconds, every digit kept.

    Raises:
        ValueError: it is not an ISO 8601 time in UTC ("Z" or "+00:00") with seconds and at most nine digits after
            them, or out of range.
    """
    if text.endswith("Z"):
        body = text[:-1]
    elif text.endswith("+00:00"):
        body = text[:-6]
    else:
        raise ValueError(f"expected an ISO 8601 time in UTC, got {text!r}")
    nanoseconds = _whole_seconds(body[:19]) * SECOND
    fraction = body[19:]
    if fraction:
        digits = fraction[1:]
        if fraction[0] != "." or not digits.isdecimal() or not digits.isascii() or len(digits) > 9:
            raise ValueError(f"expected an ISO 8601 time in UTC with at most nine digits, got {text!r}")
        nanoseconds += int(digits.ljust(9, "0"))
    if not EARLIEST <= nanoseconds < LATEST:
        raise ValueError(f"a time must lie between 1900-01-01 and 2262-01-01 (UTC), got {text!r}")
    return nanoseconds


def parse_decimal_seconds(text: str) -> int:
    """Parse seconds since the epoch, written as a decimal number, to integer nanoseconds, without a float.

    Digits beyond the ninth are cut.

    Raises:
        ValueError: it is not a plain decimal number, or out of range.
    """
    whole, dot, fraction = text.partition(".")
    if not whole.isdecimal() or not text.isascii() or (dot and not fraction.isdecimal()):
        raise ValueError(f"expected seconds since the epoch as a decimal number, got {text!r}")
    nanoseconds = int(whole) * SECOND + int(fraction[:9].ljust(9, "0"))
    if not nanoseconds < LATEST:
        raise ValueError(f"a time must lie between 1970-01-01 and 2262-01-01 (UTC), got {text!r} seconds")
    return nanoseconds
