"""Who a recovery works for, and who fetches for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from reactivex import Observable

from rxstreams.items import PriceTick

Fetch: TypeAlias = Callable[[str, int], Observable[PriceTick]]
"""Returns the trades of a symbol from a time (nanoseconds) on, oldest first, up to the newest; cold."""


class RecoveryOwner(Protocol):
    """Called one thing at a time."""

    def on_tick(self, tick: PriceTick) -> None:
        """Send a trade on."""
        ...

    def on_recovered(self, symbol: str, since: int) -> int:
        """The gap is closed: ``since`` stands again, also for what comes. Return the span of what was missing."""
        ...

    def horizon(self, symbol: str) -> int:
        """Return the time after which every trade of a symbol comes on the line itself, nanoseconds."""
        ...

    def on_lost(self, symbol: str, reason: str, error: Exception | None, *, is_jump: bool) -> int:
        """The gap stays open: what follows has the since with which it came. Return the span of what was held."""
        ...

    def on_jump(self, symbol: str, since: int) -> int:
        """A trade is missing on a living line: ``since`` stands unless it is recovered. Return the span from now on."""
        ...

    def on_settled(self) -> None:
        """No gap is open any more."""
        ...

    def on_duplicate(self) -> None:
        """A trade came once more and was dropped."""
        ...
