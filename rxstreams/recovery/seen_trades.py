"""Which trades of one symbol were delivered lately, so that none is delivered twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator

from rxstreams.items import PriceTick

_BEFORE_ALL = -1


class SeenTrades:
    """The newest trades of one symbol, by their ids; by time, price, volume and side where there are none.

    Two trades without ids may be alike in all of these. So they are counted: the n-th of them on one way is the n-th on
    another.

    Args:
        size: trades that are remembered; what is older than the oldest forgotten one counts as delivered.

    Attributes:
        newest: the newest stamp, nanoseconds; 0: there was none.
        last_id: the highest integer id; None: there was none.

    Memory: O(size).
    """

    __slots__ = ("_counts", "_forgotten", "_in_order", "_size", "last_id", "newest")

    def __init__(self, size: int = 2048) -> None:
        self.newest = 0
        self.last_id: int | None = None
        self._size = size
        self._counts: dict[Hashable, int] = {}
        self._in_order: deque[tuple[int, Hashable]] = deque()
        self._forgotten = _BEFORE_ALL

    def count(self, tick: PriceTick) -> int:
        """Return how many trades like this one were delivered lately: of one with an id one at most."""
        return self._counts.get(identity_of(tick), 0)

    def add(self, tick: PriceTick) -> bool:
        """Note a trade that came live; return whether it is new. One without an id always is."""
        # Every live trade passes here: what _note and _trim do, in one place.
        key: Hashable = tick.trade_id
        counts = self._counts
        timestamp = tick.timestamp
        if key is None:
            key = identity_of(tick)
            counts[key] = counts.get(key, 0) + 1
        elif key in counts:
            return False
        else:
            counts[key] = 1
            if isinstance(key, int) and (self.last_id is None or key > self.last_id):
                self.last_id = key
        if timestamp > self.newest:
            self.newest = timestamp
        in_order = self._in_order
        in_order.append((timestamp, key))
        if len(in_order) > self._size:
            self._trim()
        return True

    def merge(self, fetched: Iterable[PriceTick], held: Iterable[PriceTick]) -> list[PriceTick]:
        """Note the trades of two ways by which some came twice; return each new one once, the fetched ones first.

        Args:
            fetched: all trades from some time on, those that are known already among them.
            held: trades that came live and were not noted.
        """
        known: dict[Hashable, int] = {}
        recent = (tick for tick in fetched if tick.timestamp > self._forgotten)
        new = [*self._merge(recent, known, count_known=False), *self._merge(held, known, count_known=True)]
        self._trim()  # not before both were compared, however many they are
        return new

    def _merge(
        self, ticks: Iterable[PriceTick], known: dict[Hashable, int], *, count_known: bool
    ) -> Iterator[PriceTick]:
        """Note and yield the new ones; ``known`` keeps how many of each were known before the first way was merged."""
        met: Counter[Hashable] = Counter()
        for tick in ticks:
            key = identity_of(tick)
            count = self._counts.get(key, 0)
            before = known.setdefault(key, count)
            met[key] += 1
            is_new = not count if tick.trade_id is not None else met[key] + before * count_known > count
            if is_new:
                self._note(tick, key)
                yield tick

    def _note(self, tick: PriceTick, key: Hashable) -> None:
        timestamp = tick.timestamp
        if timestamp > self.newest:
            self.newest = timestamp
        trade_id = tick.trade_id
        if isinstance(trade_id, int) and (self.last_id is None or trade_id > self.last_id):
            self.last_id = trade_id
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        self._in_order.append((timestamp, key))

    def _trim(self) -> None:
        counts = self._counts
        while len(self._in_order) > self._size:
            stamp, old = self._in_order.popleft()
            if stamp > self._forgotten:
                self._forgotten = stamp
            counts[old] -= 1
            if not counts[old]:
                del counts[old]


def identity_of(tick: PriceTick) -> Hashable:
    """Return what tells a trade from the others of its symbol; twins without ids share it."""
    if tick.trade_id is not None:
        return tick.trade_id
    return (tick.timestamp, tick.price, tick.volume, tick.side)
