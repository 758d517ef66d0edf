"""Who may fetch next: those first who hold something back."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Protocol


class Waiting(Protocol):
    """Somebody who has to fetch.

    Attributes:
        wanted: whether a fetch is running or waits for its turn.
    """

    wanted: bool

    @property
    def held(self) -> Sized:
        """What it holds back meanwhile."""
        ...


class FetchTurns:
    """Lets so many fetches run at a time, so that none of them ages in the limiter's queue.

    Args:
        most: fetches that run at a time.

    Memory: O(those who wait).
    """

    def __init__(self, most: int = 4) -> None:
        self._free = most
        self._waiting: dict[Waiting, Callable[[], None]] = {}
        self._running: set[Waiting] = set()

    def ask(self, gap: Waiting, begin: Callable[[], None]) -> None:
        """Call ``begin`` when it is the gap's turn, perhaps at once."""
        gap.wanted = True
        self._waiting[gap] = begin
        self._go_on()

    def give_back(self, *gaps: Waiting) -> None:
        """End the turns of gaps, or their waiting for one."""
        for gap in gaps:
            gap.wanted = False
            self._waiting.pop(gap, None)
            if gap in self._running:
                self._running.remove(gap)
                self._free += 1
        self._go_on()

    def _go_on(self) -> None:
        while self._free and self._waiting:
            gap = next((each for each in self._waiting if each.held), None) or next(iter(self._waiting))
            begin = self._waiting.pop(gap)
            self._free -= 1
            self._running.add(gap)
            begin()
