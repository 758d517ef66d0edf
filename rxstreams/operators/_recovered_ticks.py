"""The inside of ``recover_gaps``: every symbol of a source with the recovery of its gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace
from reactivex import Observable, abc
from reactivex import operators as ops

from rxstreams.candles.coverage import Coverage
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.operators._one_at_a_time import OneAtATime
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.gap_recovery import GapRecovery
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan


class RecoveredTicks(OneAtATime[PriceTick, PriceTick]):
    """Takes the ticks of a source and sends them, with those that were missing, to an observer.

    Args:
        observer: who is sent them.
        fetch: of the missing ones.
        plan: the options.
        on_lost: called with symbol and reason.
        clock: of the waiting.
    """

    def __init__(
        self,
        observer: abc.ObserverBase[PriceTick],
        fetch: Fetch,
        plan: RecoveryPlan,
        on_lost: Callable[[str, str], object] | None,
        clock: abc.SchedulerBase,
    ) -> None:
        super().__init__(observer, "recover_gaps", on_lost)
        self.plan = plan
        self.clock = RecoveryClock(clock, self.lock)
        self.turns = FetchTurns()
        self.newest = 0
        self._fetch = fetch
        self._series: dict[str, dict[str, _Series]] = {}

    def dispose(self) -> None:
        """Drop everything."""
        with self.lock:
            for series in self._all():
                series.recovery.dispose()

    def fetch(self, symbol: str, since: int) -> Observable[PriceTick]:
        """Fetch copies: the recovery stamps them, and these may be somebody else's as well."""
        return cast("Observable[PriceTick]", self._fetch(symbol, since).pipe(ops.map(_copy)))

    def _take(self, item: PriceTick) -> None:
        tick = item
        if not isinstance(tick, PriceTick):  # pyright: ignore[reportUnnecessaryIsInstance]  # operators are not typed at run time
            raise TypeError(f"recover_gaps takes PriceTick items, got {type(tick).__name__} {tick!r}")
        by_symbol = self._series.get(tick.exchange)
        if by_symbol is None:
            by_symbol = self._series[tick.exchange] = {}
        series = by_symbol.get(tick.symbol)
        if series is None:
            series = by_symbol[tick.symbol] = _Series(self)
        if tick.timestamp > self.newest:
            self.newest = tick.timestamp
        series.take(tick)

    def _flush(self) -> None:
        for series in self._all():
            series.recovery.flush()

    def _all(self) -> list[_Series]:
        return [series for by_symbol in self._series.values() for series in by_symbol.values()]


class _Series:
    """One symbol of the source, and the recovery of its gaps.

    Attributes:
        recovery: its engine.
        accepted: since of the source, as far as it was seen: a higher one is a gap.
        restored: since that stands instead; 0: the source's own.
        span: of its last tick.
        newest: its newest stamp.
    """

    def __init__(self, feed: RecoveredTicks) -> None:
        self._feed = feed
        self.recovery = GapRecovery(feed.fetch, feed.plan, self, feed.clock, feed.turns)
        self.accepted = 0
        self.restored = 0
        self.span = 0
        self.newest = 0
        self._coverage = Coverage()

    def on_tick(self, tick: PriceTick) -> None:
        """Send a tick on."""
        self._feed.send(tick)

    def take(self, tick: PriceTick) -> None:
        """Take the symbol's next tick."""
        since = self._coverage.follow(tick)
        if self.newest and since > self.accepted and since > self.newest:
            away = (tick.timestamp - self.newest) / SECOND
            self.recovery.lose({tick.symbol: self.restored or self.accepted}, away)
            self.recovery.resume(tick.symbol)
            self.restored = 0
        self.accepted = max(self.accepted, since)
        self.newest = max(self.newest, tick.timestamp)
        self.span = tick.span
        if self.recovery.has_gaps:
            tick = replace(tick)  # the recovery stamps what it holds, and this one may be somebody else's as well
        elif self.restored:
            tick = replace(tick, since=self.restored)
        self.recovery.take(tick)

    def on_recovered(self, symbol: str, since: int) -> int:
        """Let the old since stand."""
        del symbol
        self.restored = since
        return self.span

    def horizon(self, symbol: str) -> int:
        """Leave what is newer than the source to the source."""
        del symbol
        return self._feed.newest

    def on_lost(self, symbol: str, reason: str, error: Exception | None, *, is_jump: bool) -> int:
        """Tell it."""
        del error, is_jump
        self._feed.on_lost(symbol, reason)
        return self.span

    def on_jump(self, symbol: str, since: int) -> int:
        """Never called: ids are not counted here."""
        raise NotImplementedError

    def on_settled(self) -> None:
        """Nothing to do: spans are the source's."""

    def on_duplicate(self) -> None:
        """A trade that comes twice goes out once."""


def _copy(tick: object) -> object:
    return replace(tick) if isinstance(tick, PriceTick) else tick
