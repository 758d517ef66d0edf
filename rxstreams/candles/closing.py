"""When the clock of a line closes a candle: a queue of deadlines for each span.

A settled span (``rxstreams._spans``) takes over what was booked on the earlier ones of its run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from rxstreams._spans import is_settled, run_of

NEVER = (1 << 63) - 1
"""Later than every timestamp."""


class Line:
    """What is due on one span.

    Attributes:
        span: its number; 0: not a line, nothing is ever due.
        deadline: a tick stamped later than this closes something (or finds out that it is closed already).
        queue: (close_time, order), a heap; an entry whose owner has moved on is dropped when it surfaces.
        members: owners that are on this line.
    """

    __slots__ = ("deadline", "members", "queue", "span")

    def __init__(self, span: int) -> None:
        self.span = span
        self.deadline = NEVER
        self.queue: list[tuple[int, int]] = []
        self.members = 0


UNARMED = Line(0)
"""For everything on span 0: history has no clock."""


class Owner(Protocol):
    """What stands in the queues: something that is due at one time on one line.

    Attributes:
        order: its number in the order of first appearance.
        due: close_time of what it has open; None: nothing.
        line: where that is booked.
    """

    order: int
    due: int | None
    line: Line


_OwnerT = TypeVar("_OwnerT", bound=Owner)


def key_of(owner: Owner) -> tuple[int, int]:
    """Return what several due owners go by: (close_time, first appearance)."""
    return (NEVER if owner.due is None else owner.due, owner.order)


class Lines(Generic[_OwnerT]):
    """The deadlines of all lines. Memory O(owners): a line without owners is forgotten.

    Args:
        grace: nanoseconds that a line's clock must be past a close_time.
        owners: everything that can be due, by its order; may grow.
    """

    def __init__(self, grace: int, owners: Sequence[_OwnerT]) -> None:
        self._grace = grace
        self._owners = owners
        self._lines: dict[int, Line] = {}
        self._settled: dict[int, int] = {}  # run -> its latest settled span, for runs that have lines

    def arm(self, owner: _OwnerT, span: int, due: int) -> Line:
        """Book what the owner has open on the line of that span, instead of whatever it had booked before."""
        owner.due = due
        line = owner.line
        if line.span != span:
            line = self._join(span)  # may take the owner's own line over
            if owner.line is not line:
                self._leave(owner.line)
                owner.line = line
                line.members += 1
        if line.span:
            heappush(line.queue, (due, owner.order))
            line.deadline = line.queue[0][0] + self._grace
        return line

    def soonest_due(self, span: int, timestamp: int) -> _OwnerT | None:
        """Return the first owner, by (close_time, first appearance), that a tick of this span and time closes."""
        line = self._lines.get(span) or self._take_over(span)
        if line is None or timestamp <= line.deadline:
            return None
        queue = line.queue
        while queue:
            due, order = queue[0]
            owner = self._owners[order]
            if owner.due == due and owner.line is line:
                line.deadline = due + self._grace
                return owner if timestamp > line.deadline else None
            heappop(queue)
        line.deadline = NEVER
        return None

    def _join(self, span: int) -> Line:
        if not span:
            return UNARMED
        # What arrives on an earlier span of a run that has been settled since belongs to all of it.
        span = max(span, self._settled.get(run_of(span), span))
        line = self._lines.get(span) or self._take_over(span)
        if line is None:
            line = self._lines[span] = Line(span)
            if is_settled(span):
                self._settled[run_of(span)] = span
        return line

    def _take_over(self, span: int) -> Line | None:
        """Return the line of a settled span that is new, with all that is booked on its run; None: nothing is."""
        if not span or not is_settled(span):
            return None
        run = run_of(span)
        earlier = [line for number, line in self._lines.items() if number < span and run_of(number) == run]
        if not earlier:
            return None
        line = self._lines[span] = Line(span)
        self._settled[run] = span
        for old in earlier:
            line.queue += old.queue
            line.members += old.members
            del self._lines[old.span]
        heapify(line.queue)
        line.deadline = line.queue[0][0] + self._grace if line.queue else NEVER
        for owner in self._owners:
            if owner.line in earlier:
                owner.line = line
        return line

    def _leave(self, line: Line) -> None:
        if line.span:
            line.members -= 1
            if not line.members:
                del self._lines[line.span]
                if not any(run_of(number) == run_of(line.span) for number in self._lines):
                    self._settled.pop(run_of(line.span), None)


class Timers(Generic[_OwnerT]):
    """The deadlines by the local clock, for candles of all spans.

    Args:
        grace: nanoseconds that the clock must be past a close_time.
        owners: everything that can be due, by its order; may grow.
    """

    def __init__(self, grace: int, owners: Sequence[_OwnerT]) -> None:
        self._grace = grace
        self._owners = owners
        self._queue: list[tuple[int, int]] = []

    def arm(self, owner: _OwnerT) -> None:
        """Book what the owner has open."""
        if owner.due is not None:
            heappush(self._queue, (owner.due, owner.order))

    def deadline(self) -> int | None:
        """Return when the next candle closes; None: none is open."""
        queue = self._queue
        while queue:
            due, order = queue[0]
            if self._owners[order].due == due:
                return due + self._grace
            heappop(queue)
        return None

    def pop_due(self, now: int) -> Iterator[_OwnerT]:
        """Yield the owners that are due, by (close_time, first appearance)."""
        while (deadline := self.deadline()) is not None and deadline <= now:
            _, order = heappop(self._queue)
            yield self._owners[order]
