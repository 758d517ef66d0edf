"""The faults that are meant for one connection, and which of them are due."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TypeVar

from rxstreams.testing.faults import AnyFault, Duplicate, Fault, TimedFault

_F = TypeVar("_F", bound=Fault)
_SECOND = 1_000_000_000


class Script:
    """One connection's view of the exchange's faults.

    Args:
        faults: all of them; tests change the list, at any time.
        number: the connection's.
    """

    def __init__(self, faults: Sequence[AnyFault], number: int) -> None:
        self._faults = faults
        self._number = number
        self._struck: dict[int, int] = {}
        self._read = 0
        self._own: list[Fault] = []
        self._timed: list[tuple[int, TimedFault]] = []
        self._due_from = sys.maxsize

    def first(self, kind: type[_F]) -> _F | None:
        """Return the first fault of a kind that is meant for this connection."""
        return next(iter(self.all(kind)), None)

    def all(self, kind: type[_F]) -> list[_F]:
        """Return all faults of a kind that are meant for this connection."""
        if self._read != len(self._faults):
            self._read_again()
        return [fault for fault in self._own if isinstance(fault, kind)]

    @property
    def due_from(self) -> int:
        """How many trades must have been sent for any timed fault to be due; 0: some go by a clock.

        Asked twice for every message, so that the rest of the work is done only then.
        """
        if self._read != len(self._faults):
            self._read_again()
        return self._due_from

    def _read_again(self) -> None:
        own = [
            (place, fault)
            for place, fault in enumerate(self._faults)
            if isinstance(fault, Fault) and fault.concerns(self._number)
        ]
        self._own = [fault for _, fault in own]
        self._timed = [(place, fault) for place, fault in own if isinstance(fault, TimedFault)]
        self._read = len(self._faults)
        self._update()

    def _update(self) -> None:
        struck = self._struck
        self._due_from = min(
            (
                (fault.trades or 0) * (struck.get(place, 0) + 1)
                for place, fault in self._timed
                if fault.repeat or place not in struck
            ),
            default=sys.maxsize,
        )

    def take_due(self, *, sent: int, subscribed: bool, wall: float, exchange: int) -> TimedFault | None:
        """Return a fault whose time has come and note that it strikes.

        Args:
            sent: trades that the connection was sent.
            subscribed: whether it has symbols.
            wall: seconds since it was accepted.
            exchange: nanoseconds of the exchange's clock since then.
        """
        for place, fault in self._timed:
            times = self._struck.get(place, 0)
            if times and not fault.repeat:
                continue
            if fault.trades is not None:
                due = subscribed and sent >= fault.trades * (times + 1)
            elif fault.seconds is not None:
                due = wall >= fault.seconds
            else:
                due = exchange >= (fault.exchange_seconds or 0) * _SECOND
            if due and not (isinstance(fault, Duplicate) and not sent):
                self._struck[place] = times + 1
                self._update()
                return fault
        return None
