"""Which of two candles of one open time a buffer keeps: a pure function of where they came from and what they claim."""

from __future__ import annotations

import enum

from rxstreams.sinks._ring import Row


class Origin(enum.IntEnum):
    """Where a row came from."""

    LIVE = 0
    """Sent by a source, or built from its trades."""
    HISTORY = 1
    """Given to ``bootstrap``."""
    DERIVED = 2
    """Built by a manager from the candles of a shorter timeframe."""


def settled_revision(new: Row, stored: Row) -> int | None:
    """Return the revision that a new row is kept with, or None if the stored one stays.

    ========  =========  ====================================================================================
    new       stored     the new one is kept
    ========  =========  ====================================================================================
    live      live       if its (revision, closed, complete) is not less: nothing older, nothing weaker
    live      history    unless the stored one is complete and it is not
    live      derived    always: a venue's own candle, or the chain's, stands above one that we put together
    history   history    if its (closed, complete, revision) is not less
    history   others     if it is complete and the stored one is not: history fills what the line missed
    derived   live       never
    derived   history    unless the stored one is complete and it is not
    derived   derived    always: it was built from what is known now
    ========  =========  ====================================================================================

    Of equal claims the later one is kept. A live row keeps its own revision, so that the corrections that follow it
    are recognised. History does not let the revision fall. A derived row counts for itself how often its prices or
    flags have changed after it was closed.
    """
    if new.origin == stored.origin:
        if new.origin == Origin.DERIVED:
            changed = new[:9] != stored[:9] or new.complete != stored.complete
            return stored.revision + (stored.closed and changed)
        if new.origin == Origin.HISTORY:
            newer = (new.closed, new.complete, new.revision) >= (stored.closed, stored.complete, stored.revision)
        else:
            newer = (new.revision, new.closed, new.complete) >= (stored.revision, stored.closed, stored.complete)
        return new.revision if newer else None
    if new.origin == Origin.HISTORY:
        kept = new.complete and not stored.complete
    elif stored.origin == Origin.HISTORY:
        kept = new.complete or not stored.complete
    else:
        kept = new.origin == Origin.LIVE
    if not kept:
        return None
    return new.revision if new.origin == Origin.LIVE else max(new.revision, stored.revision)
