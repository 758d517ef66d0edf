"""What ``redundant`` is inside, without Rx: several feeds of the same symbols in, each trade once out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import msgspec

from rxstreams._spans import is_settled, run_of
from rxstreams.items import PriceTick
from rxstreams.operators._merged_groups import Groups
from rxstreams.operators._merged_parts import NEVER, Held, MergedSymbol, Part, Run
from rxstreams.operators._recent import RecentKeys

_TOLERANCE = 1e-3  # seconds; clocks are read with less than all digits


class MergedFeeds:
    """Merges feeds. Not safe over threads.

    A part (one symbol on one run of one feed) is *joined* once everything before its ``since`` has been sent; from then
    on all it brings goes out at once, unless it is known already. Until then its ticks are held.

    Args:
        feeds: how many; they are numbered from 0.
        key, hold, size: as in ``redundant``; hold in seconds.
        send: called with every tick that goes out.
        now: tells the scheduler's time, seconds.

    Memory: O(symbols * feeds + size).
    """

    def __init__(
        self,
        feeds: int,
        key: Callable[[PriceTick], Hashable],
        hold: float,
        size: int,
        *,
        send: Callable[[PriceTick], object],
        now: Callable[[], float],
    ) -> None:
        self._active = feeds
        self._key = key
        self._hold = hold
        self._size = size
        self._send = send
        self._now = now
        self._known = RecentKeys(size)
        self._groups = Groups()
        self._symbols: dict[str, dict[str, MergedSymbol]] = {}
        self._runs: dict[tuple[int, int], Run] = {}
        # Symbols of which something is held, in the order in which that began.
        self._waiting: dict[MergedSymbol, None] = {}
        self._held = 0

    @property
    def is_waiting(self) -> bool:
        """Whether anything is held."""
        return bool(self._waiting)

    def take(self, feed: int, tick: PriceTick) -> None:
        """Take a tick of a feed."""
        run = self._run_of(feed, tick.span)
        key = self._key(tick)
        if key is None:
            key = _count_twin(tick, run.twins)
        symbol = self._symbol_of(tick)
        part = self._part_of(symbol, run, tick)
        if tick.span and tick.timestamp > run.clock:
            run.clock = tick.timestamp
        if part.joined:
            self._deliver(symbol, part, tick, key)
        elif key not in self._known:
            part.held.append(Held(tick, key, self._now() if self._hold else 0.0))
            self._held += 1
            self._waiting.setdefault(symbol)
        if self._waiting:
            for waiting in tuple(self._waiting):
                self._settle(waiting)
            if not self._hold or self._held > self._size:
                self._relieve()

    def expire(self) -> None:
        """Let out what has waited for too long."""
        due = self._now() - self._hold + _TOLERANCE
        for symbol in tuple(self._waiting):
            while overdue := [part for part in symbol.parts.values() if part.held and part.held[0].taken <= due]:
                self._restart(symbol, _earliest(overdue))

    def wait(self) -> float | None:
        """Return the seconds until ``expire`` has something to do; None: nothing is held."""
        heads = [part.held[0].taken for symbol in self._waiting for part in symbol.parts.values() if part.held]
        return max(0.0, min(heads) + self._hold - self._now()) if heads else None

    def end(self, feed: int) -> None:
        """Forget a feed: what it has held goes out, and nothing waits for it any more."""
        self._active -= 1
        for by_symbol in self._symbols.values():
            for symbol in by_symbol.values():
                part = symbol.parts.get(feed)
                if part is not None:
                    if part.held:
                        self._restart(symbol, part)
                    symbol.reached = symbol.proven()
                    symbol.leave(part)
                    del symbol.parts[feed]
                self._settle(symbol)
        self._runs = {key: run for key, run in self._runs.items() if run.feed != feed}

    # Who it is about

    def _run_of(self, feed: int, span: int) -> Run:
        if is_settled(span):
            span = run_of(span)  # nothing was missed between its settled stages
        run = self._runs.get((feed, span))
        if run is None:
            run = self._runs[feed, span] = Run(feed, span, RecentKeys(self._size))
        return run

    def _symbol_of(self, tick: PriceTick) -> MergedSymbol:
        by_symbol = self._symbols.get(tick.exchange)
        if by_symbol is None:
            by_symbol = self._symbols[tick.exchange] = {}
        symbol = by_symbol.get(tick.symbol)
        if symbol is None:
            symbol = by_symbol[tick.symbol] = MergedSymbol()
        return symbol

    def _part_of(self, symbol: MergedSymbol, run: Run, tick: PriceTick) -> Part:
        """Return the symbol's part on the feed, brought up to the tick's span and since."""
        part = symbol.parts.get(run.feed)
        is_first = part is None or part.run is not run
        if part is None:
            part = symbol.parts[run.feed] = Part(run)
            run.users += 1
        since = part.coverage.follow(tick)
        is_news = is_first and since != part.since  # not a line's new span that goes on with the old coverage
        if is_first or since > part.since:
            if part.held:
                self._restart(symbol, part)
            part.is_broken = not is_first
            if part.run is not run:
                # On its old run it was covered as far as that has got; on the same run it was not.
                symbol.reached = symbol.proven()
                self._use(part, run)
            symbol.leave(part)
        part.since = since
        if not part.joined and not part.held and since <= symbol.proven():
            symbol.join(part)
            if is_news and since < symbol.since <= tick.timestamp:
                symbol.since = since  # from there to this tick nothing was published
        return part

    def _use(self, part: Part, run: Run) -> None:
        old, part.run = part.run, run
        run.users += 1
        old.users -= 1
        if not old.users:
            self._runs.pop((old.feed, old.span), None)

    # What goes out

    def _deliver(self, symbol: MergedSymbol, part: Part, tick: PriceTick, key: Hashable) -> None:
        """Send a tick of a joined part, unless it has been sent."""
        if self._known.add(key):
            span = self._groups.span_of(symbol, part.run, tick.timestamp)
            if tick.timestamp > symbol.newest:
                symbol.newest = tick.timestamp
            symbol.is_broken = False
            self._send(msgspec.structs.replace(tick, span=span, since=symbol.since))
        if tick.timestamp > symbol.reached:
            symbol.reached = tick.timestamp

    def _settle(self, symbol: MergedSymbol) -> None:
        """Let out what can be let out: what is known, what is proven, and what no other feed could prove any more."""
        while True:
            proven = symbol.proven()
            holding: list[Part] = []
            for part in symbol.parts.values():
                while part.held and part.held[0].key in self._known:
                    part.held.popleft()
                    self._held -= 1
                if not part.joined and part.since <= proven:
                    break
                if part.held:
                    holding.append(part)
            else:
                if not holding:
                    self._waiting.pop(symbol, None)
                # A feed that holds nothing may prove it yet, also one that never had the symbol; not the first tick.
                may_be_proven = symbol.reached > NEVER and len(holding) < self._active
                if not holding or may_be_proven:
                    return
                part = _earliest(holding)
            self._release(symbol, part)

    def _restart(self, symbol: MergedSymbol, part: Part) -> None:
        """Let out what a part holds though something before it may be missing: the coverage begins anew with it."""
        self._release(symbol, part)
        self._settle(symbol)

    def _release(self, symbol: MergedSymbol, part: Part) -> None:
        if part.since > symbol.proven():
            symbol.since = part.since
            symbol.is_broken = part.is_broken
        symbol.join(part)
        held = part.held
        while held:
            tick, key, _ = held.popleft()
            self._held -= 1
            self._deliver(symbol, part, tick, key)

    def _relieve(self) -> None:
        """Let out what was held first until no more is held than may be."""
        allowed = self._size if self._hold else 0
        while self._held > allowed:
            symbol = next(iter(self._waiting))
            self._restart(symbol, _earliest(part for part in symbol.parts.values() if part.held))


def _earliest(parts: Iterable[Part]) -> Part:
    """Return the part whose coverage reaches back furthest."""
    return min(parts, key=lambda part: part.since)


def _count_twin(tick: PriceTick, twins: RecentKeys) -> Hashable:
    """Return what a trade without an id goes by: what it says, and the how-many-eth of its kind it is on its run."""
    number = 1
    while not twins.add(
        key := (tick.exchange, tick.symbol, tick.timestamp, tick.price, tick.volume, tick.side, number)
    ):
        number += 1
    return key
