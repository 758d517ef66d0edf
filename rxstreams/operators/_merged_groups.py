"""The spans of ``redundant``'s result: which of its symbols a tick's clock may speak for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rxstreams._spans import next_span
from rxstreams.instants import SECOND

if TYPE_CHECKING:
    from rxstreams.operators._merged_parts import MergedSymbol, Run

_LEFT_BEHIND = 2 * SECOND


class Group:
    """Symbols whose last tick was sent with the same span.

    A tick goes out with this span only if its run covers every member: then whatever was published of them before this
    tick has been sent before it, and it may close their candles.

    Attributes:
        span: its number.
        clock: the newest stamp sent with it.
        members: its symbols.
        admitted: runs that are known to cover all members.
    """

    __slots__ = ("admitted", "clock", "members", "span")

    def __init__(self) -> None:
        self.span = next_span()
        self.clock = -(1 << 63)
        self.members: set[MergedSymbol] = set()
        self.admitted: set[Run] = set()

    def admits(self, run: Run) -> bool:
        """Return whether a tick of the run may go out with this span: it has got as far, and covers every member."""
        if run.clock < self.clock:
            return False
        if run not in self.admitted:
            if not all(symbol.is_covered_by(run) for symbol in self.members):
                return False
            self.admitted.add(run)
        return True


class Groups:
    """Finds the span of each tick that is sent.

    Symbols covered by the same runs share a group, so that each of these runs can close the candles of all. When a line
    is lost and comes back, its symbols move to a new group one by one, as they trade. Those that don't are left
    behind; every 2 s of the venue's time a run that covers a group left behind sends one of its ticks with that span.

    Memory: O(symbols).
    """

    def __init__(self) -> None:
        self._groups: set[Group] = set()
        self._homes: dict[frozenset[Run], Group] = {}

    def span_of(self, symbol: MergedSymbol, run: Run, timestamp: int) -> int:
        """Return the span of the symbol's next tick, which came on that run (one that covers it)."""
        if not run.span:
            self._move(symbol, None)
            return 0
        group = symbol.group
        if timestamp < symbol.newest:
            # Who builds candles may take a late tick for news of its line, or not: the symbol stays where it is.
            return group.span if group is not None and group.admits(run) else next_span()
        # A loss that shows on the span on which candles were closed takes those back.
        stays = symbol.is_broken and group is not None and group.admits(run)
        chosen = group if group is not None and stays else self._choose(symbol, run, timestamp)
        if chosen is not group:
            self._move(symbol, chosen)
            chosen.admitted = {run}
        chosen.clock = max(chosen.clock, timestamp)
        return chosen.span

    def _choose(self, symbol: MergedSymbol, run: Run, timestamp: int) -> Group:
        if timestamp >= run.looks_at:
            behind = self._left_behind(symbol, run, timestamp)
            if behind is not None:
                return behind
            run.looks_at = timestamp + _LEFT_BEHIND
        runs = symbol.covering()
        home = self._homes.get(runs)
        if home is not None and home.admits(run):
            return home
        fresh = Group()
        if home is None or run.clock >= home.clock:  # a run that is merely slow must not scatter the others
            self._homes = {runs: group for runs, group in self._homes.items() if group.members}
            self._homes[runs] = fresh
        return fresh

    def _left_behind(self, symbol: MergedSymbol, run: Run, timestamp: int) -> Group | None:
        """Return the group that has waited longest for a tick, if this one can be it."""
        found: Group | None = None
        for group in self._groups:
            if (
                group.clock + _LEFT_BEHIND <= timestamp
                and (found is None or group.clock < found.clock)
                and not (len(group.members) == 1 and symbol in group.members)
                and group.admits(run)
            ):
                found = group
        return found

    def _move(self, symbol: MergedSymbol, group: Group | None) -> None:
        old, symbol.group = symbol.group, group
        if old is not None:
            old.members.discard(symbol)
            if not old.members:
                self._groups.discard(old)
        if group is not None:
            group.members.add(symbol)
            self._groups.add(group)
