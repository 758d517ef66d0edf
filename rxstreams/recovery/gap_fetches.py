"""The attempts to close gaps: in turns, each until one is good."""

from __future__ import annotations

from collections.abc import Callable

from reactivex.disposable import SingleAssignmentDisposable

from rxstreams.errors import BufferOverflow, HistoryTooShort, MessageError, StreamError
from rxstreams.items import PriceTick
from rxstreams.recovery.clock import RecoveryClock
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.gap_proof import reaches_loss
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
        judge: called with a gap, what was fetched for it, whether that was begun after the settling, and whether it is
            all that there is; returns whether it is good. If it is not, another fetch follows.
        on_hopeless: called with a gap that no other fetch will close.
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
        judge: Callable[[Gap, list[PriceTick], bool, bool], bool],
        on_hopeless: Callable[[Gap], None],
    ) -> None:
        self._fetch = fetch
        self._plan = plan
        self._clock = clock
        self._turns = turns
        self._rng = rng
        self._on_begin = on_begin
        self._judge = judge
        self._on_hopeless = on_hopeless

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
                self._clock.in_turn(lambda error: self._on_failed(gap, error, fetched, settled=settled)),
                lambda: all_fetched(None),
                scheduler=self._clock.scheduler,
            )
        except Exception as error:  # what the user's function raises, or returns instead of an Observable
            self._on_failed(gap, error, fetched, settled=settled)

    def _on_fetched(self, gap: Gap, start: int, tick: object) -> None:
        if not gap.wanted:
            return
        if not isinstance(tick, PriceTick) or tick.symbol != gap.symbol:
            self._fail(gap, MessageError(f"expected trades of {gap.symbol} to be fetched, got {tick!r}"))
        elif len(gap.fetched) >= self._plan.max_held:
            self._fail(gap, BufferOverflow(f"more than {self._plan.max_held:,} trades are missing"))
        elif tick.timestamp >= start:
            gap.fetched.append(tick)

    def _on_failed(self, gap: Gap, error: Exception, fetched: list[PriceTick], *, settled: bool) -> None:
        if not gap.wanted:
            return
        if not isinstance(error, StreamError) or error.retryable:
            self._fail(gap, error)
            return
        gap.error = error
        if not self._is_enough(gap, error, fetched, settled=settled):
            self._on_hopeless(gap)

    def _fail(self, gap: Gap, error: Exception) -> None:
        gap.error = error
        self._end_attempt(gap)

    def _is_enough(self, gap: Gap, error: StreamError, fetched: list[PriceTick], *, settled: bool) -> bool:
        """Return whether what came before an error that is for good is an answer all the same, and take it."""
        if not isinstance(error, HistoryTooShort):
            # What would have come after it is not known: only what came live can prove it.
            return gap.has_live and self._judge(gap, fetched, False, False)
        if not reaches_loss(gap, fetched, self._plan):
            return False
        self._on_all(gap, fetched, settled, is_all=True)
        return True

    def _on_all(self, gap: Gap, fetched: list[PriceTick], settled: bool, *, is_all: bool = False) -> None:
        if gap.wanted and not self._judge(gap, fetched, settled, is_all):
            gap.error = None
            self._end_attempt(gap)

    def _end_attempt(self, gap: Gap) -> None:
        gap.stop_fetching()
        self._turns.give_back(gap)
        self.want_soon(gap)
