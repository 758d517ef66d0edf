"""The last keys that were seen: what ``deduplicate`` remembers."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable


class RecentKeys:
    """A set of keys that forgets the oldest when it is full.

    A key's age counts from when it was first added: seeing it again does not keep it longer.

    Args:
        size: keys that it holds at most; at least 1.

    Memory: O(size).
    """

    __slots__ = ("_in_order", "_known", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: set[Hashable] = set()
        # Beside the set, since the first key of a dict is slow to find once many before it have been deleted.
        self._in_order: deque[Hashable] = deque()

    def add(self, key: Hashable) -> bool:
        """Add a key; return whether it is new."""
        known = self._known
        if key in known:
            return False
        known.add(key)
        self._in_order.append(key)
        if len(known) > self._size:
            known.discard(self._in_order.popleft())
        return True

    def __contains__(self, key: Hashable) -> bool:
        return key in self._known

    def __len__(self) -> int:
        return len(self._known)
