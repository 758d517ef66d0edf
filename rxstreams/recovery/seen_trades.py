"""Which trades of one symbol were delivered lately, so that none is delivered twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping

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
        forgotten: the newest stamp of which trades were forgotten, nanoseconds.

    Memory: O(size).
    """

    __slots__ = ("_ahead", "_counts", "_in_order", "_size", "forgotten", "last_id", "newest")

    def __init__(self, size: int = 2048) -> None:
        self.newest = 0
        self.last_id: int | None = None
        self._size = size
        self._counts: dict[Hashable, int] = {}
        # Trades without ids that came by another way before the line brings them.
        self._ahead: dict[Hashable, int] = {}
        self._in_order: deque[tuple[int, Hashable]] = deque()
        self.forgotten = _BEFORE_ALL

    def count(self, tick: PriceTick) -> int:
        """Return how many trades like this one were delivered lately: of one with an id one at most."""
        return self._counts.get(identity_of(tick), 0)

    def newest_since(self, start: int) -> Hashable | None:
        """Return what tells the newest trade that is remembered; None: there is none stamped from a time on."""
        if self.newest < start:
            return None
        found: Hashable | None = None
        newest = start - 1
        for timestamp, key in reversed(self._in_order):
            if timestamp > newest:
                newest, found = timestamp, key
                if newest == self.newest:
                    break
        return found

    def stamps(self) -> dict[Hashable, int]:
        """Return the stamps with which trades were delivered lately, by ``identity_of``."""
        return {key: timestamp for timestamp, key in self._in_order}

    def add(self, tick: PriceTick) -> bool:
        """Note a trade that came live; return whether it is new."""
        # Every live trade passes here: what _note and _trim do, in one place.
        key: Hashable = tick.trade_id
        counts = self._counts
        timestamp = tick.timestamp
        if key is None:
            if self._ahead and self.was_ahead(tick):
                return False
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

    def was_ahead(self, tick: PriceTick) -> bool:
        """Return whether the line brings a trade without an id that came by another way before; it does so once."""
        key = identity_of(tick)
        times = self._ahead.get(key, 0)
        if times > 1:
            self._ahead[key] = times - 1
        elif times:
            del self._ahead[key]
        return times > 0

    def expect_again(self, since: int, came: Mapping[Hashable, int]) -> None:
        """Expect the line to bring the trades without ids from a time on that another one has brought before.

        Args:
            since: nanoseconds.
            came: how often it has brought each of them already, by ``identity_of``.
        """
        for timestamp, key in self._in_order:
            if timestamp >= since and _is_without_id(key):
                self._ahead[key] = max(0, self._counts[key] - came.get(key, 0))

    def expect_nothing(self) -> None:
        """Forget what was expected: the line is another one."""
        self._ahead.clear()

    def merge(self, fetched: Iterable[PriceTick], held: Iterable[PriceTick]) -> list[PriceTick]:
        """Note the trades of two ways by which some came twice; return each new one once, the fetched ones first.

        Args:
            fetched: all trades from some time on, those that are known already among them.
            held: trades that came live and were not noted.
        """
        before: dict[Hashable, int] = {}
        recent = (tick for tick in fetched if tick.timestamp > self.forgotten)
        from_fetched = self._note_new(recent, before, counts_before=False)
        only_fetched = Counter(identity_of(tick) for tick in from_fetched if tick.trade_id is None)
        held = list(held)
        from_held = self._note_new(held, before, counts_before=True)
        only_fetched.subtract(Counter(map(identity_of, held)))
        only_fetched.update(Counter(map(identity_of, from_held)))
        for key, times in only_fetched.items():
            if times > 0 and _is_without_id(key):
                self._ahead[key] = self._ahead.get(key, 0) + times
        self._trim()  # not before both were compared, however many they are
        return [*from_fetched, *from_held]

    def _note_new(
        self, ticks: Iterable[PriceTick], before: dict[Hashable, int], *, counts_before: bool
    ) -> list[PriceTick]:
        """Note and return the new ones; ``before`` keeps how many of each were known when the first way was merged."""
        new: list[PriceTick] = []
        met: Counter[Hashable] = Counter()
        for tick in ticks:
            key = identity_of(tick)
            count = self._counts.get(key, 0)
            known = before.setdefault(key, count)
            met[key] += 1
            if not count if tick.trade_id is not None else met[key] + known * counts_before > count:
                self._note(tick, key)
                new.append(tick)
        return new

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
            if stamp > self.forgotten:
                self.forgotten = stamp
            counts[old] -= 1
            if not counts[old]:
                del counts[old]
                self._ahead.pop(old, None)


def identity_of(tick: PriceTick) -> Hashable:
    """Return what tells a trade from the others of its symbol; twins without ids share it."""
    if tick.trade_id is not None:
        return tick.trade_id
    return (tick.timestamp, tick.price, tick.volume, tick.side)


def _is_without_id(identity: Hashable) -> bool:
    return isinstance(identity, tuple)
