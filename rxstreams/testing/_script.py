"""The faults that are meant for one connection, and which of them are due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rxstreams.testing.faults import AnyFault, Duplicate, Fault, TimedFault

_F = TypeVar("_F", bound=Fault)
_SECOND = 1_000_000_000


class Script:
    """One connection's view of the exchange's faults.

    Args:
        faults: all of them; tests add to the list, at any time.
        number: the connection's.
    """

    def __init__(self, faults: Sequence[AnyFault], number: int) -> None:
        self._faults = faults
        self._number = number
        self._struck: dict[int, int] = {}
        self._read = 0
        self._own: list[Fault] = []
        self._timed: list[tuple[int, TimedFault]] = []

    def first(self, kind: type[_F]) -> _F | None:
        """Return the first fault of a kind that is meant for this connection."""
        return next(iter(self.all(kind)), None)

    def all(self, kind: type[_F]) -> list[_F]:
        """Return all faults of a kind that are meant for this connection."""
        self._read_on()
        return [fault for fault in self._own if isinstance(fault, kind)]

    def _read_on(self) -> None:
        """Take in what was added to the list; asked for every message, so each fault is looked at once."""
        for place in range(self._read, len(self._faults)):
            fault = self._faults[place]
            if isinstance(fault, Fault) and fault.concerns(self._number):
                self._own.append(fault)
                if isinstance(fault, TimedFault):
                    self._timed.append((place, fault))
        self._read = len(self._faults)

    def take_due(self, *, sent: int, subscribed: bool, wall: float, exchange: int) -> TimedFault | None:
        """Return a fault whose time has come and note that it strikes.

        Args:
            sent: trades that the connection was sent.
            subscribed: whether it has symbols.
            wall: seconds since it was accepted.
            exchange: nanoseconds of the exchange's clock since then.
        """
        self._read_on()
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
                return fault
        return None
