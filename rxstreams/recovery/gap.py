"""One symbol's gap: what is held while its missing trades are fetched, and what is known of both."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import pairwise

from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.backoff import Backoff
from rxstreams.items import PriceTick
from rxstreams.recovery.seen_trades import identity_of


class Gap:
    """The trades of one symbol that are missing between two runs of its line.

    Attributes:
        symbol: whose trades are missing.
        is_over: whether it was closed, lost or forgotten.
        since: where the coverage before it begins: what is told again when it is closed, nanoseconds.
        start: from when on trades may be missing, nanoseconds; cut as the stamps of fetched trades are.
        last_id: of the last known trade, where ids are integers; None: not known.
        anchor: tells the last known trade that a fetch from ``start`` on must contain; None: there is none.
        link: tells the last trade that earlier attempts have brought, which the running one must contain; None: none.
        lost_at: no trade stamped before it was missed, nanoseconds; 0: not known.
        shortfall: what the last answer lacked, in words; "": nothing, or there was none.
        has_seen_hole: whether an answer led on beyond a trade that is missing, by ids that count.
        began: when the line broke, seconds of the scheduler's clock.
        held: what came live since then.
        fetched: what attempts have brought so far, oldest first.
        fallback: since of the run that was lost last while the gap was open; 0: none was.
        fallback_lost_at: ``lost_at`` of that loss.
        is_jump: whether it began on a living line, by a jump of the ids.
        is_broken: whether the line has broken since then.
        live: whether the line delivers the symbol again.
        settled: whether it has done so for long enough that REST knows what was published before.
        attempt, pause, settling, deadline: the running fetch, and what ends the pause before the next one, the settling
            and the holding.
        backoff: the waits between the attempts; None: none has failed yet.
        wanted: whether an attempt is running or waits for its turn.
        error: what the last attempt failed by; None: it did not.
    """

    __slots__ = (
        "_beyond",
        "_first_live",
        "_following",
        "_leads_on",
        "_newest_id",
        "anchor",
        "attempt",
        "backoff",
        "began",
        "deadline",
        "error",
        "fallback",
        "fallback_lost_at",
        "fetched",
        "has_deadline",
        "has_seen_hole",
        "held",
        "is_broken",
        "is_jump",
        "is_over",
        "last_id",
        "link",
        "live",
        "lost_at",
        "pause",
        "settled",
        "settling",
        "shortfall",
        "since",
        "start",
        "symbol",
        "wanted",
    )

    def __init__(
        self,
        symbol: str,
        *,
        since: int,
        start: int,
        began: float,
        last_id: int | None,
        is_jump: bool = False,
        resolution: int = 1,
        lost_at: int = 0,
    ) -> None:
        self.symbol = symbol
        self.last_id = last_id
        self.anchor: Hashable | None = None
        self.link: Hashable | None = None
        self.lost_at = lost_at
        self.shortfall = ""
        self.has_seen_hole = False
        self.is_over = False
        self.since = since
        start = max(start, since)
        self.start = start - start % resolution
        self.began = began
        self.held: list[PriceTick] = []
        self.fetched: list[PriceTick] = []
        self.fallback = 0
        self.fallback_lost_at = 0
        self.is_jump = is_jump
        self.is_broken = False
        self.live = False
        self.settled = False
        self.attempt = SerialDisposable()
        self.pause = SerialDisposable()
        self.settling = SerialDisposable()
        self.deadline = SerialDisposable()
        self.has_deadline = False
        self.backoff: Backoff | None = None
        self.wanted = False
        self.error: Exception | None = None
        self._first_live = 0
        # Of contiguous ids: the first that is missing, and those held beyond it.
        self._following = 0 if last_id is None else last_id + 1
        self._beyond: set[int] = set()
        self._newest_id = last_id
        self._leads_on = False  # whether what came since the line's last return has the newest id of all

    def interrupt(self, fallback: int, lost_at: int) -> None:
        """Note that the line broke once more."""
        self.stop_fetching()
        self.settling.disposable = Disposable()
        self.live = self.settled = False
        self.is_broken = True
        if fallback:
            self.fallback, self.fallback_lost_at = fallback, lost_at
        self._first_live = len(self.held)
        self._leads_on = False

    @property
    def has_live(self) -> bool:
        """Whether anything has come since the line's last return."""
        return len(self.held) > self._first_live

    @property
    def held_before(self) -> list[PriceTick]:
        """What came before the line broke last."""
        return self.held[: self._first_live]

    @property
    def held_live(self) -> list[PriceTick]:
        """What has come since the line's last return."""
        return self.held[self._first_live :]

    def first_missing(self, fetched: Iterable[PriceTick]) -> int | None:
        """Return the first contiguous id that is left out after the last known trade; None: none is.

        Where no trade was known: within what came since the last return.
        """
        ids = {tick.trade_id for tick in fetched if isinstance(tick.trade_id, int)}
        if self.last_id is not None:
            ids |= self._beyond
            following = self._following
            while following in ids:
                following += 1
            return following if any(number > following for number in ids) else None
        live = [tick.trade_id for tick in self.held_live if isinstance(tick.trade_id, int)]
        if not live:
            return None
        first, last = min(live), max(live)
        ids.update(live)
        counted = sorted(number for number in ids if first <= number <= last)
        return next((one + 1 for one, other in pairwise(counted) if other > one + 1), None)

    def is_closed_by_ids(self, fetched: Iterable[PriceTick] = ()) -> bool:
        """Return whether contiguous ids lead without a jump from the last known trade to what came live.

        What has older ids than that, since it was overtaken or since the venue has begun to count anew, proves nothing.
        """
        if self.last_id is None or not self._leads_on:
            return False
        return self.first_missing(fetched) is None if fetched else not self._beyond

    @property
    def newest_id(self) -> int | None:
        """The highest integer id that is held; None: there is none."""
        return max((tick.trade_id for tick in self.held if isinstance(tick.trade_id, int)), default=None)

    def resume_fetching(self, margin: int) -> int:
        """Return from when on to fetch, nanoseconds.

        What earlier attempts have brought is kept: else a long gap could never be closed where each attempt is cut
        short. Of its last ``margin`` nanoseconds trades may have been missing; those are fetched again.
        """
        newest = self.fetched[-1] if self._begins_well() else None
        if newest is None:
            self.fetched, self.link = [], None
            return self.start
        start = max(self.start, newest.timestamp - margin)
        self.link = identity_of(newest) if start > self.start else None
        self.fetched = [tick for tick in self.fetched if tick.timestamp < start]
        return start

    def _begins_well(self) -> bool:
        """Return whether anything was fetched, and can be gone on with."""
        if self.anchor is None:
            return bool(self.fetched)
        return any(identity_of(tick) == self.anchor for tick in self.fetched)

    def stop_fetching(self) -> None:
        """End the attempt, or the pause before it."""
        self.attempt.disposable = Disposable()
        self.pause.disposable = Disposable()

    def dispose(self) -> None:
        """End it, with all timers and the attempt."""
        self.is_over = True
        for each in (self.attempt, self.pause, self.settling, self.deadline):
            each.dispose()

    def hold(self, tick: PriceTick) -> None:
        """Keep a trade back."""
        self.held.append(tick)
        trade_id = tick.trade_id
        if not isinstance(trade_id, int):
            return
        if self._newest_id is None or trade_id > self._newest_id:
            self._newest_id = trade_id
            self._leads_on = True
        if trade_id >= self._following:
            self._beyond.add(trade_id)
            while self._following in self._beyond:
                self._beyond.discard(self._following)
                self._following += 1
