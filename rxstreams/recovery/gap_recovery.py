"""The recovery of one line: each of its symbols is passed on, or held while its gap is being fetched."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterable, Mapping

from msgspec.structs import force_setattr

from rxstreams._spans import aside, next_span
from rxstreams.items import PriceTick
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.gap_fetches import GapFetches
from rxstreams.recovery.gap_proof import Shortfall, shortfall_of
from rxstreams.recovery.missed_trades import missed_trades
from rxstreams.recovery.owner import Fetch, RecoveryOwner
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.recovery.symbol import RecoveredSymbol


class GapRecovery:
    """Closes the gaps of one line, symbol by symbol. Everything happens one after the other, on one thread.

    That a line broke is told by ``lose``, its return for a symbol by ``resume``; from then on the symbol's trades are
    held, its missing ones fetched, and both go out in order. That has succeeded only if the fetch is proven to have
    reached the live stream.

    Args:
        fetch: of the missing trades; None: nothing can be fetched, and every gap is lost.
        plan: the options.
        owner: who is told.
        clock: of all waiting.
        turns: shared by all who fetch from one server.
        rng: for the jitter of the attempts.

    Memory: O(symbols), and while there are gaps ``max_held`` trades held, and as many fetched for each at most.
    """

    def __init__(
        self,
        fetch: Fetch | None,
        plan: RecoveryPlan,
        owner: RecoveryOwner,
        clock: RecoveryClock,
        turns: FetchTurns,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._plan = plan
        self._owner = owner
        self._send = owner.on_tick
        self._clock = clock
        self._turns = turns
        self._fetches = (
            None
            if fetch is None
            else GapFetches(
                fetch,
                plan,
                clock,
                turns,
                rng,
                on_begin=self._set_deadline,
                judge=self._judge,
                on_hopeless=lambda gap: self._give_up(gap, "it can't be recovered"),
            )
        )
        self._symbols: dict[str, RecoveredSymbol] = {}
        self._held = 0
        self._is_disposed = False
        self._open = 0
        self._contiguous = plan.contiguous

    @property
    def has_gaps(self) -> bool:
        """Whether a gap is open."""
        return self._open > 0

    # What the line tells

    def take(self, tick: PriceTick) -> None:
        """Take a live trade, stamped as if its gap, if it has one, stayed open."""
        if self._is_disposed:
            return
        symbol = self._symbols.get(tick.symbol)
        if symbol is None:
            symbol = self._symbols[tick.symbol] = RecoveredSymbol(tick.symbol)
        seen = symbol.seen
        if symbol.gap is not None:
            self._hold(symbol, symbol.gap, tick)
            return
        last_id = seen.last_id
        if self._contiguous and last_id is not None and tick.trade_id != last_id + 1 and symbol.jumps_to(tick):
            self._open_jump(symbol, tick)
        elif seen.add(tick):
            symbol.span = tick.span
            self._send(tick)
        else:
            self._owner.on_duplicate()

    def count(self, tick: PriceTick) -> int:
        """Return how many trades like this one were delivered lately: of one with an id one at most."""
        symbol = self._symbols.get(tick.symbol)
        return 0 if symbol is None else symbol.seen.count(tick)

    def expect_again(self, since: int, came: Mapping[str, Mapping[Hashable, int]]) -> None:
        """Expect the line to bring trades without ids that another connection has brought before.

        Args:
            since: from this stamp on, nanoseconds.
            came: symbol -> identity -> how often it has brought it already.
        """
        for name, symbol in self._symbols.items():
            symbol.seen.expect_again(since, came.get(name, {}))

    def is_forgotten(self, tick: PriceTick) -> bool:
        """Return whether a trade is so old that it counts as delivered."""
        symbol = self._symbols.get(tick.symbol)
        return symbol is not None and tick.timestamp <= symbol.seen.forgotten

    def lose(self, covered: Mapping[str, int], away: float = 0.0, *, newest: int = 0, is_living: bool = False) -> None:
        """Note that the line broke.

        Args:
            covered: symbol -> since, for the symbols that it covered.
            away: seconds for which it has been broken already.
            newest: the newest stamp that came on it, nanoseconds; 0: not known.
            is_living: whether it is the same connection that goes on.
        """
        if self._is_disposed:
            return
        for name in covered:
            self._symbols.setdefault(name, RecoveredSymbol(name))
        self._give_turns_back(self._symbols.values())
        for name, symbol in self._symbols.items():
            if not is_living:
                symbol.seen.expect_nothing()
            self._lose(symbol, covered.get(name, 0), newest, away)

    def doubt(self, name: str, since: int, newest: int) -> bool:
        """Note that trades of one symbol may be missing on the living line; return whether that opened a gap.

        Args:
            name: of the symbol.
            since: where its coverage began; 0: it had none. If nothing was delivered since then, there is nothing that
                a gap could be closed to.
            newest: the newest stamp that came on the line, nanoseconds.
        """
        if self._is_disposed:
            return False
        symbol = self._symbols.setdefault(name, RecoveredSymbol(name))
        had_gap = symbol.gap is not None
        self._give_turns_back((symbol,))
        self._lose(symbol, since if had_gap or symbol.seen.newest >= since else 0, newest)
        return symbol.gap is not None and not had_gap

    def resume(self, name: str) -> bool:
        """Note that the line delivers a symbol, again or for the first time; return whether there is a gap to close."""
        if self._is_disposed:
            return False
        symbol = self._symbols.setdefault(name, RecoveredSymbol(name))
        gap = symbol.gap
        if gap is None:
            symbol.seen.last_id = None
        elif not gap.live:
            self._begin(symbol, gap)
        return gap is not None

    def reach_back(self, name: str, since: int) -> None:
        """Begin a symbol's coverage at a time that has passed: its trades since then are fetched."""
        symbol = self._symbols.setdefault(name, RecoveredSymbol(name))
        if symbol.gap is None:
            gap = self._open_gap(symbol, since, self._clock.now(), start=since)
            self._begin(symbol, gap)

    def forget(self, names: Iterable[str]) -> None:
        """Drop symbols and what is held of them: nobody wants them any more."""
        symbols = [symbol for name in names if (symbol := self._symbols.pop(name, None)) is not None]
        self._give_turns_back(symbols)
        for symbol in symbols:
            if symbol.gap is not None:
                self._held -= len(symbol.gap.held)
                self._close(symbol, symbol.gap)
        self._check_settled()

    def flush(self) -> None:
        """Give all gaps up; what is held goes out."""
        symbols = list(self._symbols.values())
        self._give_turns_back(symbols)
        for symbol in symbols:
            if symbol.gap is not None:
                symbol.gap.fallback = 0
                self._give_up(symbol.gap, "the feed was stopped")

    def dispose(self) -> None:
        """Drop everything; nothing is taken any more."""
        self._is_disposed = True
        self.forget(tuple(self._symbols))

    # Holding

    def _lose(self, symbol: RecoveredSymbol, since: int, newest: int, away: float = 0.0) -> None:
        lost_at = max(0, newest - self._plan.disorder)
        if symbol.gap is not None:
            symbol.gap.interrupt(since, lost_at)
        elif since:
            self._open_gap(symbol, since, self._clock.now() - away, lost_at=lost_at)
        else:
            symbol.seen.last_id = None  # nobody knows what was missed

    def _begin(self, symbol: RecoveredSymbol, gap: Gap) -> None:
        gap.live = True
        away = self._clock.now() - gap.began
        if self._fetches is None:
            self._give_up(gap, "nothing is fetched for this feed")
        elif away > self._plan.max_gap:
            self._give_up(gap, f"it was away for {away:.0f} s, max_gap is {self._plan.max_gap:g} s")
        else:
            gap.settling.disposable = self._clock.after(self._plan.settle, lambda: self._settle(gap))
            if gap.has_live:  # the line was quicker than its acknowledgement
                self._look(symbol, gap)

    def _settle(self, gap: Gap) -> None:
        gap.settled = True
        self._want(gap)

    def _hold(self, symbol: RecoveredSymbol, gap: Gap, tick: PriceTick) -> None:
        if symbol.seen.count(tick) if tick.trade_id is not None else symbol.seen.was_ahead(tick):
            self._owner.on_duplicate()
            return
        gap.hold(tick)
        self._held += 1
        self._set_deadline(gap)
        if self._held > self._plan.max_held:
            self._give_up(gap, f"more than {self._plan.max_held:,} trades were held")
        elif gap.live:
            self._look(symbol, gap)

    def _look(self, symbol: RecoveredSymbol, gap: Gap) -> None:
        """Close the gap if the ids prove that nothing is missing, else fetch."""
        if self._contiguous and gap.is_closed_by_ids():
            self._succeed(symbol, gap, ())
        else:
            self._want(gap)

    def _want(self, gap: Gap) -> None:
        if self._fetches is not None:
            self._fetches.want(gap)

    def _set_deadline(self, gap: Gap) -> None:
        if not gap.has_deadline:
            gap.has_deadline = True
            reason = f"it was not recovered within {self._plan.max_hold:g} s"
            gap.deadline.disposable = self._clock.after(self._plan.max_hold, lambda: self._give_up(gap, reason))

    def _open_jump(self, symbol: RecoveredSymbol, tick: PriceTick) -> None:
        """Hold a trade that shows that others before it are missing: they may only have been overtaken."""
        since = tick.since
        floor = self._floor(tick)
        span = self._owner.on_jump(symbol.name, floor)
        gap = self._open_gap(symbol, since, self._clock.now(), is_jump=True)
        force_setattr(tick, "span", span)
        force_setattr(tick, "since", max(since, floor))
        gap.live = True
        gap.wanted = True  # not before the pause is over
        self._hold(symbol, gap, tick)
        if self._fetches is None:
            self._give_up(gap, "nothing is fetched for this feed")
        elif not gap.is_over:
            self._fetches.want_soon(gap)

    def _judge(self, gap: Gap, fetched: list[PriceTick], settled: bool, is_all: bool) -> bool:
        """Close a gap if a fetch is proven to hold all that is missing; return whether it is."""
        shortfall = gap.shortfall = shortfall_of(gap, fetched, self._plan, settled=settled, is_all=is_all)
        if shortfall is Shortfall.NOTHING:
            self._succeed(self._symbols[gap.symbol], gap, fetched)
            return True
        gap.has_seen_hole = gap.has_seen_hole or shortfall is Shortfall.HOLE
        if shortfall is not Shortfall.SHORT:
            gap.fetched = []  # the next attempt brings it anew
        return False

    # The end of a gap

    def _succeed(self, symbol: RecoveredSymbol, gap: Gap, fetched: Iterable[PriceTick]) -> None:
        self._held -= len(gap.held)
        self._close(symbol, gap)
        horizon = self._owner.horizon(symbol.name)
        missed = missed_trades(gap, fetched, self._plan, horizon=horizon, seen=symbol.seen)
        span = self._owner.on_recovered(symbol.name, gap.since)
        received = time.time_ns()
        ticks = symbol.seen.merge(missed, gap.held)
        ticks.sort(key=lambda tick: tick.timestamp)
        for tick in ticks:
            force_setattr(tick, "since", gap.since)
            force_setattr(tick, "span", span)
            if not tick.received:
                force_setattr(tick, "received", received)
            symbol.span = span
            self._send(tick)
        self._check_settled()

    def _give_up(self, gap: Gap, reason: str) -> None:
        if gap.is_over:
            return
        symbol = self._symbols[gap.symbol]
        self._held -= len(gap.held)
        self._close(symbol, gap)
        seen = symbol.seen
        if not gap.has_seen_hole:  # else what is missing may have been published as late as what follows it here
            seen.last_id = None
        if gap.error is not None or gap.shortfall:
            reason = f"{reason}: {gap.error or gap.shortfall}"
        span = self._owner.on_lost(symbol.name, reason, gap.error, is_jump=gap.is_jump and not gap.is_broken)
        floor = 0
        # What came before the line broke last is on a span of its own: what followed it there is not known.
        before = len(gap.held_before)
        spans = [next_span()] * before
        if gap.is_jump:
            # So that what a clock has closed since the symbol's last trade is taken back, on whatever run that was.
            spans[:1] = [aside(symbol.span)]
        for number, tick in enumerate(gap.held):
            if self._contiguous and symbol.jumps_to(tick):
                floor = self._floor(tick)
                if gap.live and number >= before:
                    span = self._owner.on_jump(symbol.name, floor)
            if seen.merge((), (tick,)):
                if tick.since < floor:
                    force_setattr(tick, "since", floor)
                symbol.span = spans[number] if number < len(spans) else span
                force_setattr(tick, "span", symbol.span)
                self._send(tick)
        if not gap.live and gap.fallback and self._symbols.get(symbol.name) is symbol:
            # It broke again before this one was closed: what came between is covered, and may be joined.
            start = max(seen.newest - self._plan.disorder, gap.fallback)
            since, lost_at = max(gap.fallback, floor), gap.fallback_lost_at
            self._open_gap(symbol, since, gap.began, start=start, lost_at=lost_at)
        self._check_settled()

    def _give_turns_back(self, symbols: Iterable[RecoveredSymbol]) -> None:
        """Give them back together, so that none goes to a gap whose own turn is about to end."""
        self._turns.give_back(*(symbol.gap for symbol in symbols if symbol.gap is not None))

    def _open_gap(
        self,
        symbol: RecoveredSymbol,
        since: int,
        began: float,
        *,
        start: int | None = None,
        is_jump: bool = False,
        lost_at: int = 0,
    ) -> Gap:
        self._open += 1
        return symbol.open_gap(self._plan, since=since, began=began, start=start, is_jump=is_jump, lost_at=lost_at)

    def _floor(self, tick: PriceTick) -> int:
        """Return where the coverage begins after trades that are missing before this one, for good."""
        timestamp: int = tick.timestamp
        return timestamp + self._plan.disorder + 1

    def _check_settled(self) -> None:
        if not self._open:
            self._owner.on_settled()

    def _close(self, symbol: RecoveredSymbol, gap: Gap) -> None:
        symbol.gap = None
        self._open -= 1
        self._turns.give_back(gap)
        gap.dispose()
