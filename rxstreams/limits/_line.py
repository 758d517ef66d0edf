"""Calls that wait, most urgent first, ageing as they do. Pure: no clock, no lock."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Callable

# Longer than any clock runs, in nanoseconds: without ageing no wait makes up for a priority.
_NEVER = 1 << 80


class State(enum.Enum):
    """How far a call has come."""

    WAITING = enum.auto()
    GRANTED = enum.auto()  # charged, but its caller does not know yet
    RUNNING = enum.auto()
    OVER = enum.auto()


class Place:
    """One call's place in the line, and in the windows once it is admitted.

    Args:
        rank: its priority; 0 is the most urgent.
        weight: what it costs.
        since: when it began to wait.
        wake: called once, outside of any lock, when it is granted; raises RuntimeError if its loop was closed.
        is_gone: says whether whoever asked can't be reached any more (its loop was closed); None: always there.

    Attributes:
        entered: when it was admitted.
    """

    __slots__ = ("entered", "is_gone", "key", "number", "rank", "since", "state", "wake", "weight")

    def __init__(
        self,
        rank: int,
        weight: int,
        since: int,
        wake: Callable[[Place], object] | None = None,
        is_gone: Callable[[], bool] | None = None,
    ) -> None:
        self.rank = rank
        self.weight = weight
        self.since = since
        self.wake = wake
        self.is_gone = is_gone
        self.state = State.WAITING
        self.entered = 0
        self.key = 0
        self.number = -1

    @property
    def is_in_line(self) -> bool:
        """Whether it stands in the line."""
        return self.number >= 0


class Line:
    """The order of those who wait: by priority, each ``ageing`` of waiting making up for one of it, then by arrival.

    Both of two that wait age alike, so their order never changes: it is that of ``since + rank * ageing``.

    Args:
        ageing: nanoseconds; None: priority alone decides.

    Memory: O(places), twice that at most.
    """

    def __init__(self, ageing: int | None) -> None:
        self._ageing = ageing or _NEVER
        self._heap: list[tuple[int, int, Place]] = []
        self._numbers = itertools.count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def key(self, rank: int, since: int) -> int:
        """Return where such a place stands: before all whose key is larger."""
        return since + rank * self._ageing

    def level(self, place: Place, now: int) -> int:
        """Return the rank that a place has come to by waiting. Who stands before another one has no larger one."""
        return max(0, place.rank - max(0, now - place.since) // self._ageing)

    def next_level(self, place: Place, now: int) -> int | None:
        """Return when its level falls next; None: never."""
        if self._ageing == _NEVER or self.level(place, now) == 0:
            return None
        return place.since + ((now - place.since) // self._ageing + 1) * self._ageing

    def head(self) -> Place | None:
        """Return who is next; None: nobody waits."""
        heap = self._heap
        while heap and heap[0][2].number != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def put(self, place: Place) -> None:
        """Add one that is not in the line."""
        self._count += 1
        self._push(place)

    def remove(self, place: Place) -> None:
        """Take one that is in the line out of it, wherever it stands."""
        self._count -= 1
        place.number = -1
        if len(self._heap) > 2 * self._count + 16:
            self._heap = [entry for entry in self._heap if entry[2].number == entry[1]]
            heapq.heapify(self._heap)

    def promote(self, place: Place, rank: int, now: int) -> bool:
        """Have one stand where a newcomer of that rank would, if that is further in front; return whether it is."""
        if self.key(rank, now) >= place.key:
            return False
        place.rank = rank
        place.since = now
        self._push(place)
        return True

    def _push(self, place: Place) -> None:
        place.key = self.key(place.rank, place.since)
        place.number = next(self._numbers)
        heapq.heappush(self._heap, (place.key, place.number, place))
