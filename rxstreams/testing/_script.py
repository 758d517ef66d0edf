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
        faults: all of them; looked at anew each time, since tests add to it.
        number: the connection's.
    """

    def __init__(self, faults: Sequence[AnyFault], number: int) -> None:
        self._faults = faults
        self._number = number
        self._struck: dict[int, int] = {}

    def first(self, kind: type[_F]) -> _F | None:
        """Return the first fault of a kind that is meant for this connection."""
        return next((f for f in self._faults if isinstance(f, kind) and f.concerns(self._number)), None)

    def all(self, kind: type[_F]) -> list[_F]:
        """Return all faults of a kind that are meant for this connection."""
        return [f for f in self._faults if isinstance(f, kind) and f.concerns(self._number)]

    def take_due(self, *, sent: int, subscribed: bool, wall: float, exchange: int) -> TimedFault | None:
        """Return a fault whose time has come and note that it strikes.

        Args:
            sent: trades that the connection was sent.
            subscribed: whether it has symbols.
            wall: seconds since it was accepted.
            exchange: nanoseconds of the exchange's clock since then.
        """
        for place, fault in enumerate(self._faults):
            if not isinstance(fault, TimedFault) or not fault.concerns(self._number):
                continue
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
