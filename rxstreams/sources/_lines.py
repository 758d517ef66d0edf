"""The lines of a feed: which symbol is on which socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from rxstreams.sources._line import Line

MakeLine: TypeAlias = Callable[[int, tuple[str, ...]], Line]
"""Makes a line of a number for some symbols."""


class Lines:
    """Each has as many symbols as go on one socket. Everything happens on the loop's thread.

    Args:
        limits: symbols on one socket, of which the smallest counts; None: no limit.

    Memory: O(lines).
    """

    def __init__(self, *limits: int | None) -> None:
        self._capacity = min((limit for limit in limits if limit is not None), default=1 << 30)
        self._lines: list[Line] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._lines))  # what is done to one may end others

    def __contains__(self, line: object) -> bool:
        return line in self._lines

    def open(self, symbols: Sequence[str], make: MakeLine) -> None:
        """Open as many lines as symbols need."""
        for start in range(0, len(symbols), self._capacity):
            line = make(self._next, tuple(symbols[start : start + self._capacity]))
            self._next += 1
            self._lines.append(line)
            line.start()

    def add(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Put symbols where there is room; return those that need new lines."""
        left = list(symbols)
        for line in self:
            room = self._capacity - len(line.subscriptions.wanted)
            part, left = left[:room], left[room:]
            if part:
                line.add(part)
        return tuple(left)

    def discard(self, line: Line) -> None:
        """Forget a line."""
        if line in self._lines:
            self._lines.remove(line)

    def dispose(self) -> None:
        """End all of them, and report nothing."""
        lines, self._lines = self._lines, []
        for line in lines:
            line.dispose()
