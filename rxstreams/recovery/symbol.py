"""One symbol of a line whose gaps are closed."""

from __future__ import annotations

from rxstreams.items import PriceTick
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.recovery.seen_trades import SeenTrades


class RecoveredSymbol:
    """What was delivered of it, and its gap.

    Attributes:
        name: of the symbol.
        seen: the trades that were delivered lately.
        span: of the last trade that was sent; 0: none was.
        gap: that is open; None: there is none.
    """

    __slots__ = ("gap", "name", "seen", "span")

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen = SeenTrades()
        self.span = 0
        self.gap: Gap | None = None

    def jumps_to(self, tick: PriceTick) -> bool:
        """Return whether ids that count show that trades before this one are missing."""
        last_id = self.seen.last_id
        return last_id is not None and isinstance(tick.trade_id, int) and tick.trade_id > last_id + 1

    def open_gap(
        self,
        plan: RecoveryPlan,
        *,
        since: int,
        began: float,
        start: int | None = None,
        is_jump: bool = False,
        lost_at: int = 0,
    ) -> Gap:
        """Begin a gap.

        Args:
            plan: the options.
            since: where the coverage before it begins, nanoseconds: no earlier trade is missing.
            began: when the line broke, seconds of the scheduler's clock.
            start: from when on trades may be missing, nanoseconds; None: from the symbol's own last trade. Not from the
                line's: one that a living connection has swallowed is found too.
            is_jump: whether it begins on a living line, by a jump of the ids.
            lost_at: no trade stamped before it was missed when the line broke, nanoseconds; 0: not known.
        """
        gap = self.gap = Gap(
            self.name,
            since=since,
            start=self.seen.newest - plan.disorder if start is None else start,
            began=began,
            last_id=self.seen.last_id,
            is_jump=is_jump,
            resolution=plan.resolution,
            lost_at=lost_at,
        )
        gap.anchor = self.seen.newest_since(gap.start)
        return gap
