"""How servers write times and numbers as text."""

from __future__ import annotations

import time
from decimal import Decimal
from functools import lru_cache

_SECOND = 1_000_000_000


@lru_cache(maxsize=4096)
def whole_seconds(seconds: int) -> str:
    """Return ``2025-11-10T17:23:53`` for seconds since the epoch."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def iso(instant: int) -> str:
    """Return ``2025-11-10T17:23:53.971744Z``: six digits after the point, nine where they are needed."""
    seconds, rest = divmod(instant, _SECOND)
    digits = f"{rest:09d}"
    return f"{whole_seconds(seconds)}.{digits if rest % 1000 else digits[:6]}Z"


def plain(number: float) -> str:
    """Return the shortest decimal that reads back as the same number, never with an exponent."""
    return format(Decimal(repr(number)), "f")


def number_of(trade_id: int | str | None) -> int:
    """Return a trade's id as a number.

    Raises:
        ValueError: it is none.
    """
    try:
        return trade_id if isinstance(trade_id, int) else int(trade_id or "")
    except ValueError:
        raise ValueError(f"the venue's trade ids are numbers, got {trade_id!r}") from None
