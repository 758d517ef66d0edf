"""``APIPriority``: how urgent a call is."""

from __future__ import annotations

import enum


class APIPriority(enum.IntEnum):
    """How urgent a call is; the smaller, the more urgent.

    Each may fill its own share of every window (``RateLimitConfig``), so that the less urgent are refused first when
    quota runs tight.

    Example:
        >>> APIPriority.HIGH < APIPriority.LOW
        True
    """

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3


def checked_priority(value: object) -> APIPriority:
    """Return the priority.

    Raises:
        TypeError: it is none; a plain number or a name is refused too, as a typing error would go unnoticed.
    """
    if not isinstance(value, APIPriority):
        raise TypeError(f"priority must be one of {', '.join(_names())}, got {value!r}")
    return value


def checked_count(name: str, value: object, *, least: int = 1, otherwise: str = "") -> int:
    """Return a number of things.

    Args:
        name: what to call it in an error.
        value: what was given.
        least: the smallest that is right.
        otherwise: what else would have been right, for the error, as ", or None (no such window)".

    Raises:
        TypeError: it is no whole number.
        ValueError: it is less than that.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number{otherwise}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more{otherwise}, got {value!r}")
    return value


def _names() -> list[str]:
    return [f"APIPriority.{each.name}" for each in APIPriority]
