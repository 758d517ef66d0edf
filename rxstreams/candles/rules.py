"""The options of a ``CandleBuilder``, checked once and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from rxstreams._durations import to_seconds
from rxstreams.instants import SECOND
from rxstreams.timeframe import Timeframe

Emit: TypeAlias = Literal["closed", "updates"]
Fill: TypeAlias = Literal["skip", "flat"]
Opens: TypeAlias = Literal["first_trade", "previous_close"]
Late: TypeAlias = Literal["revise", "drop", "raise"]
CloseOn: TypeAlias = Literal["ticks", "timer"]

_REVISABLE = 10 * SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class CandleRules:
    """How trades become candles; what each option means stands with ``to_ohlc``.

    Args:
        timeframe: the candles' length.
        emit, fill, max_fill, opens, late, close_on: as in ``to_ohlc``.
        grace: nanoseconds.

    Raises:
        ValueError: an option has none of its values.
        TypeError: max_fill is no int.
    """

    timeframe: Timeframe
    emit: Emit = "closed"
    grace: int = 2 * SECOND
    fill: Fill = "skip"
    max_fill: int = 1500
    opens: Opens = "first_trade"
    late: Late = "revise"
    close_on: CloseOn = "ticks"

    def __post_init__(self) -> None:
        check_choice("emit", self.emit, Emit)
        check_choice("fill", self.fill, Fill)
        check_choice("opens", self.opens, Opens)
        check_choice("late", self.late, Late)
        check_choice("close_on", self.close_on, CloseOn)
        if type(self.max_fill) is not int:
            raise TypeError(f"max_fill must be an int, got {self.max_fill!r}")
        if self.max_fill < 1:
            raise ValueError(f'max_fill must be at least 1, got {self.max_fill!r}; fill="skip" fills nothing')

    @property
    def carries(self) -> bool:
        """Whether a candle opens at the price of the trade before it."""
        return self.opens == "previous_close"


def check_choice(name: str, value: object, choices: object) -> None:
    """Raise ValueError unless the value is one of a Literal's."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(repr(choice) for choice in allowed)}, got {value!r}")


def to_grace(value: float | timedelta) -> int:
    """Convert a grace period, seconds or a timedelta, to nanoseconds.

    Raises:
        TypeError: it is neither.
        ValueError: it is negative, infinite or not a number.
    """
    return round(to_seconds("grace", value) * SECOND)


def is_revisable(timeframe: Timeframe, close_time: int, newest: int) -> bool:
    """Whether a candle that ended at ``close_time`` can still be corrected when its symbol has got to ``newest``.

    It can for the longer of two timeframes and 10 s.
    """
    return newest - close_time <= _REVISABLE or newest <= timeframe.next(timeframe.next(close_time))
