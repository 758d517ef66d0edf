"""The values of an item's fields, turned into plain ones where they come from numpy, Decimal and the like.

Each function takes the field's name and its value, and raises a TypeError or a ValueError that says what was found.
"""

from __future__ import annotations

import math
from numbers import Integral


def to_finite(name: str, value: object, *, may_be_negative: bool = True) -> float:
    """Return a price or a volume as a finite float."""
    if isinstance(value, (str, bytes, bool)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)  # type: ignore[arg-type]  # float() itself refuses what is no number
    except TypeError as error:
        raise TypeError(f"{name} must be a number, got {value!r}") from error
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    if number < 0.0 and not may_be_negative:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return number


def to_count(name: str, value: object) -> int:
    """Return a number of things as an int."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return int(value)


def to_text(name: str, value: object, *, may_be_empty: bool = True) -> str:
    """Return a text as a plain str."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    if not value and not may_be_empty:
        raise ValueError(f"{name} must not be empty")
    return str(value)


def to_bool(name: str, value: object) -> bool:
    """Return a truth value as a plain bool."""
    # numpy's bool is none of Python's.
    if isinstance(value, bool) or (type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")
