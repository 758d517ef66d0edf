"""What ``redundant`` knows of its lines: their runs, and each symbol's part on each feed."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from rxstreams.candles.coverage import Coverage
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.operators._merged_groups import Group
from rxstreams.operators._recent import RecentKeys

DISORDER = 2 * SECOND
"""How far the trades of several symbols on one line may be out of order: what ``to_ohlc`` allows for, too."""
NEVER = -(1 << 63)


@dataclass(eq=False, slots=True)
class Run:
    """One unbroken run of one line: a span of a feed.

    Attributes:
        feed: the feed's number.
        span: on that feed, of its settled stages or of one other; 0: history, no line.
        clock: the newest stamp on it, of any symbol.
        users: symbols whose newest tick from this feed came on it.
        looks_at: the stamp from which on it looks after groups that have been left behind.
        twins: the trades without ids, counted.
    """

    feed: int
    span: int
    twins: RecentKeys
    clock: int = NEVER
    users: int = 0
    looks_at: int = NEVER


class Held(NamedTuple):
    """A tick that waits for another line, what it is known by, and since when (seconds of the scheduler) it waits."""

    tick: PriceTick
    key: Hashable
    taken: float


class Part:
    """A symbol's part on one feed.

    Attributes:
        coverage: follows its ticks.
        run: what its newest tick came on.
        since: where that run's coverage of the symbol begins.
        joined: whether that is inside what has been sent without a hole.
        is_broken: whether ``since`` has risen on one and the same run, since it was joined.
        held: what waits for that, in the order of arrival.
    """

    __slots__ = ("coverage", "held", "is_broken", "joined", "run", "since")

    def __init__(self, run: Run) -> None:
        self.coverage = Coverage()
        self.run = run
        self.since = 0
        self.joined = False
        self.is_broken = False
        self.held: deque[Held] = deque()


class MergedSymbol:
    """One symbol over all feeds.

    Attributes:
        since: from here on everything has been sent, up to ``proven``.
        reached: the newest stamp that a joined part has delivered.
        newest: the newest stamp that was sent.
        parts: by the number of the feed; feeds that never had the symbol, or have ended, are not among them.
        group: whose span its last tick was sent with; None: with none.
        runs: those that cover it; None: to be found out.
        is_broken: whether a run has lost something after the symbol's last tick and goes on as if it had not.
    """

    __slots__ = ("group", "is_broken", "newest", "parts", "reached", "runs", "since")

    def __init__(self) -> None:
        self.since = 0
        self.reached = NEVER
        self.newest = NEVER
        self.parts: dict[int, Part] = {}
        self.group: Group | None = None
        self.runs: frozenset[Run] | None = None
        self.is_broken = False

    def proven(self) -> int:
        """Return up to where (exclusive) it has been sent without a hole.

        By what joined parts have delivered: the symbol's own trades, and those of other symbols after which, on an
        ordered line, no older one can come.
        """
        proven = self.reached
        for part in self.parts.values():
            if part.joined and part.run.clock - DISORDER > proven:
                proven = part.run.clock - DISORDER
        return proven

    def is_covered_by(self, run: Run) -> bool:
        """Return whether the run has brought the symbol and nothing of it is missing since."""
        part = self.parts.get(run.feed)
        return part is not None and part.joined and part.run is run

    def covering(self) -> frozenset[Run]:
        """Return the runs that cover it."""
        runs = self.runs
        if runs is None:
            runs = self.runs = frozenset(part.run for part in self.parts.values() if part.joined)
        return runs

    def join(self, part: Part) -> None:
        """Count a part among those that cover the symbol."""
        part.joined = True
        part.is_broken = False
        self.runs = None

    def leave(self, part: Part) -> None:
        """Count a part no more."""
        part.joined = False
        self.runs = None
        if self.group is not None:
            self.group.admitted.clear()
