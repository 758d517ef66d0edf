"""Which of the trades that were fetched for a gap are sent when it is closed."""

from __future__ import annotations

from collections.abc import Iterable

from rxstreams.items import PriceTick
from rxstreams.recovery.cut_stamps import place_cut_trades
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.recovery.seen_trades import SeenTrades


def missed_trades(
    gap: Gap, fetched: Iterable[PriceTick], plan: RecoveryPlan, *, horizon: int, seen: SeenTrades
) -> list[PriceTick]:
    """Return those that the line will not bring itself, stamped so that they stand in their place.

    What it will bring must not go out before it: as a clock it would be ahead of the other symbols. A cut stamp may lie
    before the horizon where the trade does not. Those go out all the same, for some may be missing: what the line
    brings once more is dropped, and none of them is stamped after the horizon.

    Args:
        gap: that is closed.
        fetched: for it; some are known already.
        plan: the options.
        horizon: all that is stamped after it comes on the line itself, nanoseconds.
        seen: what was delivered of the symbol.
    """
    newest_id = gap.newest_id if plan.contiguous else None
    missed = [tick for tick in fetched if tick.timestamp <= horizon or _is_older(tick, newest_id)]
    if plan.resolution == 1:
        return missed
    return place_cut_trades(missed, plan.resolution, since=gap.since, delivered=seen.stamps(), held=gap.held)


def _is_older(tick: PriceTick, newest_id: int | None) -> bool:
    return newest_id is not None and isinstance(tick.trade_id, int) and tick.trade_id < newest_id
