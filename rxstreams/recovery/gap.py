"""One symbol's gap: what is held while its missing trades are fetched, and when they are proven to be all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
        start: from when on trades may be missing, nanoseconds.
        last_id: of the last known trade, where ids are integers; None: not known.
        began: when the line broke, seconds of the scheduler's clock.
        held: what came live since then.
        fetched: what attempts have brought so far, oldest first.
        fallback: since of the run that was lost last while the gap was open; 0: none was.
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
        "attempt",
        "backoff",
        "began",
        "deadline",
        "error",
        "fallback",
        "fetched",
        "has_deadline",
        "held",
        "is_broken",
        "is_jump",
        "is_over",
        "live",
        "pause",
        "settled",
        "settling",
        "since",
        "start",
        "symbol",
        "wanted",
    )

    def __init__(
        self, symbol: str, *, since: int, start: int, began: float, last_id: int | None, is_jump: bool = False
    ) -> None:
        self.symbol = symbol
        self.is_over = False
        self.since = since
        self.start = max(start, since)
        self.began = began
        self.held: list[PriceTick] = []
        self.fetched: list[PriceTick] = []
        self.fallback = 0
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

    def interrupt(self, fallback: int) -> None:
        """Note that the line broke once more."""
        self.stop_fetching()
        self.settling.disposable = Disposable()
        self.live = self.settled = False
        self.is_broken = True
        self.fallback = fallback or self.fallback
        self._first_live = len(self.held)

    @property
    def has_live(self) -> bool:
        """Whether anything has come since the line's last return."""
        return len(self.held) > self._first_live

    @property
    def held_before(self) -> list[PriceTick]:
        """What came before the line broke last."""
        return self.held[: self._first_live]

    def has_hole(self, fetched: Iterable[PriceTick]) -> bool:
        """Return whether contiguous ids jump within what has come since the line's last return."""
        live = {tick.trade_id for tick in self.held[self._first_live :] if isinstance(tick.trade_id, int)}
        if not live:
            return False
        first, last = min(live), max(live)
        live.update(tick.trade_id for tick in fetched if isinstance(tick.trade_id, int))
        return sum(first <= number <= last for number in live) <= last - first

    @property
    def newest_id(self) -> int | None:
        """The highest integer id that is held; None: there is none."""
        return max((tick.trade_id for tick in self.held if isinstance(tick.trade_id, int)), default=None)

    def resume_fetching(self, margin: int) -> int:
        """Return from when on to fetch, nanoseconds.

        What earlier attempts have brought is kept: else a long gap could never be closed where each attempt is cut
        short. Of its last ``margin`` nanoseconds trades may have been missing; those are fetched again.
        """
        if not self.fetched:
            return self.start
        start = max(self.start, self.fetched[-1].timestamp - margin)
        self.fetched = [tick for tick in self.fetched if tick.timestamp < start]
        return start

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
        if isinstance(trade_id, int) and trade_id >= self._following:
            self._beyond.add(trade_id)
            while self._following in self._beyond:
                self._beyond.discard(self._following)
                self._following += 1

    def is_closed_by_ids(self, fetched: Iterable[PriceTick] = ()) -> bool:
        """Return whether contiguous ids lead without a jump from the last known trade to all that is held."""
        if not self._following or not self.has_live:
            return False
        known = self._beyond.union(tick.trade_id for tick in fetched)
        following = self._following
        while following in known:
            following += 1
        return all(trade_id < following for trade_id in self._beyond)

    def is_proven_by(self, fetched: Sequence[PriceTick], *, settled: bool, disorder: int) -> bool:
        """Return whether a fetch has reached the live stream.

        Args:
            fetched: what it has brought.
            settled: whether it was started long enough after the line's return.
            disorder: nanoseconds by which the venue's stamps may step back.
        """
        live = self.held[self._first_live :]
        if not live:
            return settled
        first = live[0].timestamp
        held = {identity_of(tick) for tick in live}
        return any(
            tick.timestamp > first + disorder or (tick.timestamp >= first and identity_of(tick) in held)
            for tick in fetched
        )
