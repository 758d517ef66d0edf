"""The trades of one line: passed on, or held while what the line has missed is fetched."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence

from reactivex import abc

from rxstreams.items import PriceTick
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.gap_recovery import GapRecovery
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.recovery.seen_trades import identity_of
from rxstreams.sources._line_coverage import LineCoverage
from rxstreams.sources._meter import Meter
from rxstreams.sources._native_candles import Report
from rxstreams.sources._trade_order import TradeOrder
from rxstreams.timeframe import Timeframe

logger = logging.getLogger("rxstreams")


class LineTrades:
    """Stands between a line and its feed. Everything happens on the loop's thread.

    Args:
        coverage: of the line.
        send: sends a trade to the observers.
        report: tells what was recovered and what is lost.
        meter: counts.
        fetch: of missed trades; None: none is fetched.
        plan: the options of the recovery.
        scheduler: of its waiting.
        turns: shared by all lines of the feed.
        history: the running interval of this timeframe is fetched when a symbol's coverage begins; None: nothing is.
        begun: symbols for which that was done, by any line of the feed.
        ordered: whether they come in the order of their stamps; else they are sorted before they go out.

    Attributes:
        newest_sent: the newest stamp that was sent, nanoseconds; 0: nothing was.

    Memory: O(symbols), and what is held.
    """

    def __init__(
        self,
        coverage: LineCoverage,
        send: Callable[[PriceTick], None],
        report: Report,
        meter: Meter,
        *,
        fetch: Fetch | None,
        plan: RecoveryPlan,
        scheduler: abc.SchedulerBase,
        turns: FetchTurns,
        history: Timeframe | None = None,
        begun: set[str] | None = None,
        ordered: bool = True,
    ) -> None:
        self.newest_sent = 0
        self._begun = set[str]() if begun is None else begun
        self._coverage = coverage
        self._order = (
            None
            if ordered
            else TradeOrder(
                send, scheduler, disorder=plan.disorder, max_held=plan.max_held, on_overflow=self._on_overflow
            )
        )
        self._send = send if self._order is None else self._order.add
        self._report = report
        self._meter = meter
        self._fetches = fetch is not None
        self._history = history if self._fetches else None
        self._without_time: set[str] = set()  # acknowledged so: the first stamp tells which interval is running
        self._recovery = GapRecovery(fetch, plan, self, RecoveryClock(scheduler), turns)
        self.add = self._recovery.take if self._history is None else self._look_back_and_take

    def knows(self, tick: PriceTick) -> bool:
        """Return whether a trade was delivered, as far as that can be told."""
        return self._recovery.count(tick) > 0

    def join(self, ticks: Sequence[PriceTick], since: int) -> Iterator[PriceTick]:
        """Yield what another connection has brought meanwhile and this one has not; go on with that one.

        Args:
            ticks: what it has brought.
            since: the earliest stamp of what it brings, nanoseconds.
        """
        came: defaultdict[str, Counter[Hashable]] = defaultdict(Counter)
        for tick in ticks:
            came[tick.symbol][identity_of(tick)] += 1
        self._recovery.expect_again(since, came)
        met: Counter[tuple[str, Hashable]] = Counter()
        for tick in ticks:
            key = (tick.symbol, identity_of(tick))
            met[key] += 1
            if not self._recovery.is_forgotten(tick) and met[key] > self._recovery.count(tick):
                yield tick

    @property
    def has_gaps(self) -> bool:
        """Whether anything is being recovered."""
        return self._recovery.has_gaps

    @property
    def may_continue(self) -> bool:
        """Whether all that was covered before the last loss may still be recovered."""
        return self._fetches and self._recovery.has_gaps

    def lose(self, covered: Mapping[str, int], *, is_living: bool = False) -> None:
        """Note that the line broke, or that trades of any symbol may be missing on the living one."""
        if self._order is not None and not is_living:
            self._order.flush()  # nothing comes any more that could go before them
        self._recovery.lose(covered, newest=self._coverage.newest, is_living=is_living)

    def doubt(self, symbol: str, since: int) -> bool:
        """Note that trades of one symbol may be missing on the living line; return whether that opened a gap."""
        has_opened = self._recovery.doubt(symbol, since, self._coverage.newest)
        if has_opened:
            self._coverage.unsettle()  # no other's tick closes its candles meanwhile
        return has_opened

    def forget(self, symbols: Collection[str]) -> None:
        """Drop symbols and what is held of them: nobody wants them any more."""
        self._recovery.forget(symbols)
        if self._order is not None:
            self._order.forget(symbols)

    def flush(self) -> None:
        """Send what is held: the line has ended."""
        self._recovery.flush()
        if self._order is not None:
            self._order.flush()

    def dispose(self) -> None:
        """Drop everything; nothing is taken any more."""
        self._recovery.dispose()
        if self._order is not None:
            self._order.dispose()

    def resume(self, symbols: Iterable[str]) -> None:
        """Note that the line delivers symbols, again or for the first time."""
        for symbol in symbols:
            is_new = not self._recovery.resume(symbol)
            if is_new and self._history is not None and symbol not in self._begun:
                self._begun.add(symbol)  # once: what was sent before would be sent again
                acknowledged = self._coverage.acknowledged_at(symbol)
                if acknowledged:
                    self._recovery.reach_back(symbol, self._history.floor(acknowledged))
                else:
                    self._without_time.add(symbol)

    def _on_overflow(self, ticks: int) -> None:
        self._meter.unsorted += ticks
        logger.warning("%d trades were sent before their time to be sorted was over: more than max_held waited", ticks)

    def _look_back_and_take(self, tick: PriceTick) -> None:
        if self._history is not None and tick.symbol in self._without_time:
            self._without_time.discard(tick.symbol)
            self._recovery.reach_back(tick.symbol, self._history.floor(tick.timestamp))
        self._recovery.take(tick)

    # What the recovery calls

    def on_tick(self, tick: PriceTick) -> None:
        """Send a trade on."""
        self._meter.ticks += 1
        if tick.timestamp > self.newest_sent:
            self.newest_sent = tick.timestamp
        self._send(tick)

    def on_recovered(self, symbol: str, since: int) -> int:
        """Let the old coverage stand again."""
        self._coverage.set_since(symbol, since)
        self._report("recovered", symbols=(symbol,))
        return self._coverage.span

    def horizon(self, symbol: str) -> int:
        """Return the time after which every trade comes on this line."""
        return self._coverage.horizon(symbol)

    def on_lost(self, symbol: str, reason: str, error: Exception | None, *, is_jump: bool) -> int:
        """Tell that trades are missing for good."""
        self._report("lost", symbols=(symbol,), reason=reason, error=error)
        if self._fetches:
            logger.warning("trades of %s are lost: %s", symbol, reason)
        return self._coverage.span if is_jump else self._coverage.lose()

    def on_jump(self, symbol: str, since: int) -> int:
        """Begin a symbol's coverage anew, and let no other's tick close its candles meanwhile."""
        self._coverage.set_since(symbol, max(since, self._coverage.since.get(symbol, 0)))
        return self._coverage.unsettle()

    def on_settled(self) -> None:
        """Let the old run go on."""
        self._coverage.settle()

    def on_duplicate(self) -> None:
        """Count a trade that came once more."""
        self._meter.duplicates += 1
