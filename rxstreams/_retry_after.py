"""What HTTP headers say of times: Retry-After and Date."""

from __future__ import annotations

import email.utils


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110 section 10.2.3): a number or a date.

    Args:
        value: the header; None: there is none.
        now: the time that a date is measured from, seconds since the epoch.

    Returns:
        0.0 or more; None: there is no header, or it is neither.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - now)


def parse_date(value: str | None) -> int | None:
    """Return the time that a Date header says (RFC 9110 section 6.6.1), nanoseconds since the epoch.

    Returns:
        Whole seconds, cut; None: there is no header, or it is no date.
    """
    if value is None:
        return None
    try:
        return int(email.utils.parsedate_to_datetime(value.strip()).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        return None
