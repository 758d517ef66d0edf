"""The attempts to close gaps: in turns, each until one is good."""

from __future__ import annotations

from collections.abc import Callable

from reactivex.disposable import SingleAssignmentDisposable

from rxstreams.errors import BufferOverflow, MessageError
from rxstreams.items import PriceTick
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan


class GapFetches:
    """Fetches for the gaps of one line.

    Args:
        fetch: of the missing trades.
        plan: the options.
        clock: of the pauses.
        turns: shared by all who fetch from one server.
        rng: for the jitter of the pauses.
        on_begin: called when a gap's fetch begins.
        judge: called with a gap, what was fetched for it, and whether that was begun after the settling; returns
            whether it is good. If it is not, another fetch follows.
    """

    def __init__(
        self,
        fetch: Fetch,
        plan: RecoveryPlan,
        clock: RecoveryClock,
        turns: FetchTurns,
        rng: Callable[[], float],
        *,
        on_begin: Callable[[Gap], None],
        judge: Callable[[Gap, list[PriceTick], bool], bool],
    ) -> None:
        self._fetch = fetch
        self._plan = plan
        self._clock = clock
        self._turns = turns
        self._rng = rng
        self._on_begin = on_begin
        self._judge = judge

    def want(self, gap: Gap) -> None:
        """Fetch for a gap when it is its turn, unless that is so already."""
        if gap.live and not gap.is_over and not gap.wanted:
            self._turns.ask(gap, lambda: self._attempt(gap))

    def want_soon(self, gap: Gap) -> None:
        """Fetch for a gap after a pause, each time a longer one."""
        if gap.backoff is None:
            gap.backoff = self._plan.backoff.start(self._rng)
        wait = gap.backoff.next_wait(TimeoutError(), verdict=True)
        gap.wanted = True

        def again() -> None:
            gap.wanted = False
            self.want(gap)

        gap.pause.disposable = self._clock.after(wait or 0.0, again)

    def _attempt(self, gap: Gap) -> None:
        self._on_begin(gap)
        start = gap.resume_fetching(self._plan.margin)
        fetched, settled = gap.fetched, gap.settled
        all_fetched: Callable[[None], None] = self._clock.in_turn(lambda _: self._on_all(gap, fetched, settled))
        attempt = SingleAssignmentDisposable()
        gap.attempt.disposable = attempt  # before it begins: it may be over, and another one running, when this returns
        try:
            attempt.disposable = self._fetch(gap.symbol, start).subscribe(
                self._clock.in_turn(lambda tick: self._on_fetched(gap, start, tick)),
                self._clock.in_turn(lambda error: self._on_failed(gap, error)),
                lambda: all_fetched(None),
                scheduler=self._clock.scheduler,
            )
        except Exception as error:  # what the user's function raises, or returns instead of an Observable
            self._on_failed(gap, error)

    def _on_fetched(self, gap: Gap, start: int, tick: object) -> None:
        if not gap.wanted:
            return
        if not isinstance(tick, PriceTick) or tick.symbol != gap.symbol:
            self._on_failed(gap, MessageError(f"expected trades of {gap.symbol} to be fetched, got {tick!r}"))
        elif len(gap.fetched) >= self._plan.max_held:
            self._on_failed(gap, BufferOverflow(f"more than {self._plan.max_held:,} trades are missing"))
        elif tick.timestamp >= start:
            gap.fetched.append(tick)

    def _on_failed(self, gap: Gap, error: Exception) -> None:
        if gap.wanted:
            gap.error = error
            self._end_attempt(gap)

    def _on_all(self, gap: Gap, fetched: list[PriceTick], settled: bool) -> None:
        if gap.wanted and not self._judge(gap, fetched, settled):
            gap.error = None
            self._end_attempt(gap)

    def _end_attempt(self, gap: Gap) -> None:
        gap.stop_fetching()
        self._turns.give_back(gap)
        self.want_soon(gap)
