"""What an answer must show before a gap counts as closed by it: at its beginning, at its end, and between them."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from rxstreams.items import PriceTick
from rxstreams.recovery.gap import Gap
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.recovery.seen_trades import identity_of


class Shortfall(enum.StrEnum):
    """What an answer lacks; "": nothing."""

    NOTHING = ""
    LATE = "what was fetched does not contain the last trade that was known before"
    SHORT = "what was fetched does not lead up to what came live since then"
    HOLE = "trades are missing from what was fetched, by their ids"


def shortfall_of(
    gap: Gap, fetched: Sequence[PriceTick], plan: RecoveryPlan, *, settled: bool, is_all: bool = False
) -> Shortfall:
    """Return what a fetch lacks to prove that it holds all that is missing.

    It must begin with what is known: contain the last known trade, or its follower by ids that count. It must end with
    what came live: contain some of that; where nothing came, only the time tells. Ids that count must not jump between.

    Args:
        gap: that it is for.
        fetched: what it has brought, together with earlier ones.
        plan: the options.
        settled: whether it was begun long enough after the line's return.
        is_all: whether it is all that there is: then it may begin later, but before the line was lost.
    """
    missing = gap.first_missing(fetched) if plan.contiguous else None
    if missing is not None:
        leads_on = any(isinstance(tick.trade_id, int) and tick.trade_id > missing for tick in fetched)
        return Shortfall.HOLE if leads_on else Shortfall.SHORT
    if plan.contiguous and gap.is_closed_by_ids(fetched):
        return Shortfall.NOTHING
    if not _begins_with_the_known(gap, fetched, plan, is_all=is_all):
        return Shortfall.LATE
    return Shortfall.NOTHING if _leads_to_the_live(gap, fetched, settled=settled) else Shortfall.SHORT


def reaches_loss(gap: Gap, fetched: Sequence[PriceTick], plan: RecoveryPlan) -> bool:
    """Return whether a fetch begins before the line was lost; a cut stamp lies as early as its trade, or earlier."""
    return bool(fetched) and fetched[0].timestamp + plan.resolution - 1 <= gap.lost_at


def _begins_with_the_known(gap: Gap, fetched: Sequence[PriceTick], plan: RecoveryPlan, *, is_all: bool) -> bool:
    identities = {identity_of(tick) for tick in fetched}
    if gap.link is not None and gap.link not in identities:
        return False
    if gap.anchor is None or gap.anchor in identities:
        return True
    if plan.contiguous and gap.last_id is not None and gap.last_id + 1 in identities:
        return True
    return is_all and reaches_loss(gap, fetched, plan)


def _leads_to_the_live(gap: Gap, fetched: Sequence[PriceTick], *, settled: bool) -> bool:
    live = gap.held_live
    if not live:
        return settled
    # By the stamps with which they came live: those of fetched ones may be cut. A later one that did not come live
    # proves nothing: where the two ways name trades differently, all of them would be sent twice.
    first = live[0].timestamp
    held = {identity_of(tick) for tick in live if tick.timestamp >= first}
    return any(identity_of(tick) in held for tick in fetched)
