"""The options of gap recovery, checked in one place."""

from __future__ import annotations

from datetime import timedelta

from rxstreams._durations import to_seconds
from rxstreams._fields import to_count
from rxstreams.backoff import BackoffPolicy
from rxstreams.instants import SECOND


class RecoveryPlan:
    """How gaps are recovered.

    Args:
        max_gap: seconds or timedelta; a line that was away for longer is not recovered.
        max_hold: seconds or timedelta for which what comes live is held back at most.
        max_held: trades that are held back at a time, and that a fetch may bring, at most.
        settle: seconds or timedelta after which REST knows what was published before a line's return.
        disorder: seconds or timedelta by which the venue's stamps may step back.
        contiguous: whether the venue's ids count every trade of a symbol.
        resolution: nanoseconds to which the stamps of fetched trades are cut. Where they are (more than 1), trades have
            ids, the same on both ways, and are fetched in their order.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range.

    Attributes:
        disorder: in nanoseconds.
        margin: nanoseconds before the newest fetched trade from which on it is not sure that all were fetched; whole
            multiples of the resolution.
        backoff: the waits between the attempts of one gap.
    """

    def __init__(
        self,
        *,
        max_gap: float | timedelta,
        max_hold: float | timedelta,
        max_held: int,
        settle: float | timedelta,
        disorder: float | timedelta,
        contiguous: bool,
        resolution: int = 1,
    ) -> None:
        self.max_gap = to_seconds("max_gap", max_gap)
        self.max_hold = to_seconds("max_hold", max_hold, positive=True)
        self.max_held = to_count("max_held", max_held)
        self.settle = to_seconds("settle", settle)
        self.disorder = round(to_seconds("disorder", disorder) * SECOND)
        self.contiguous = contiguous
        self.resolution = to_count("resolution", resolution)
        if not self.resolution:
            raise ValueError(f"resolution must be at least 1, got {resolution!r}")
        margin = self.disorder + round(self.settle * SECOND)
        self.margin = margin + -margin % self.resolution
        pace = max(self.settle, 0.02)
        self.backoff = BackoffPolicy(initial=pace / 20, maximum=pace / 2)
        if not self.max_held:
            raise ValueError(f"max_held must be at least 1, got {max_held!r}")
