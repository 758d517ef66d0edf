"""Stamps that a venue's REST API cuts, and what is known of them all the same."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from msgspec.structs import force_setattr

from rxstreams.items import PriceTick
from rxstreams.recovery.seen_trades import identity_of


def place_cut_trades(
    fetched: Sequence[PriceTick],
    resolution: int,
    *,
    since: int,
    delivered: Mapping[Hashable, int],
    held: Sequence[PriceTick],
) -> list[PriceTick]:
    """Stamp fetched trades so that they stand in their place among those that came live, and return them.

    One that came live too gets its stamp from there. Any other gets the newest one of those before it, if that lies
    within the stretch that its own was cut to: it never seems earlier than what it followed, nor later than it was, and
    never leaves its interval.

    Those of the stretch in which the coverage begins are left out where a delivered trade follows: in the coverage they
    would have been delivered before it, so they were made before. Where none follows nobody knows, and they stay.

    Args:
        fetched: trades in the order of their ids.
        resolution: to which their stamps were cut, nanoseconds.
        since: where the coverage begins, nanoseconds.
        delivered: the stamps of those that were delivered lately, by ``identity_of``.
        held: those that came live and were not.
    """
    exact = dict(delivered)
    exact.update((identity_of(tick), tick.timestamp) for tick in held)
    identities = [identity_of(tick) for tick in fetched]
    last = max((place for place, identity in enumerate(identities) if identity in delivered), default=-1)
    placed: list[PriceTick] = []
    newest = 0
    for place, (tick, identity) in enumerate(zip(fetched, identities, strict=True)):
        cut = tick.timestamp
        stamp = exact.get(identity)
        if stamp is None:
            if place < last and cut < since:
                continue
            stamp = newest if cut < newest < cut + resolution else cut
        newest = max(newest, stamp)
        if stamp != cut:
            force_setattr(tick, "timestamp", stamp)
        placed.append(tick)
    return placed
