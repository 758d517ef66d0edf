"""Which of two candles of one open time a buffer keeps, and with which revision."""

from __future__ import annotations

import pytest

from rxstreams.sinks._precedence import Origin, settled_revision
from rxstreams.sinks._ring import Row

LIVE, HISTORY, DERIVED = Origin.LIVE, Origin.HISTORY, Origin.DERIVED


def _row(origin: Origin, revision: int, state: str, price: float = 1.0) -> Row:
    closed, complete = state != "open", state == "complete"
    return Row(0, price, price, price, price, 1.0, 1, 1.0, 0.0, 0, 0, revision, closed, complete, origin)


@pytest.mark.parametrize(
    ("new", "stored", "expected"),
    [
        # a higher revision wins whatever it claims; of one revision, what claims as much
        (_row(LIVE, 1, "open"), _row(LIVE, 0, "complete"), 1),
        (_row(LIVE, 0, "complete"), _row(LIVE, 1, "open"), None),
        (_row(LIVE, 1, "closed"), _row(LIVE, 1, "open"), 1),
        (_row(LIVE, 1, "closed"), _row(LIVE, 1, "closed"), 1),
        (_row(LIVE, 1, "closed"), _row(LIVE, 1, "complete"), None),
        (_row(LIVE, 1, "open"), _row(LIVE, 1, "closed"), None),
        # live and history
        (_row(LIVE, 0, "open"), _row(HISTORY, 5, "closed"), 0),
        (_row(LIVE, 0, "closed"), _row(HISTORY, 0, "complete"), None),
        (_row(LIVE, 0, "complete"), _row(HISTORY, 5, "complete"), 0),
        (_row(HISTORY, 0, "complete"), _row(LIVE, 3, "closed"), 3),
        (_row(HISTORY, 4, "complete"), _row(LIVE, 3, "open"), 4),
        (_row(HISTORY, 9, "complete"), _row(LIVE, 0, "complete"), None),
        (_row(HISTORY, 9, "closed"), _row(LIVE, 0, "open"), None),
        # history and history
        (_row(HISTORY, 0, "closed"), _row(HISTORY, 5, "open"), 0),
        (_row(HISTORY, 5, "open"), _row(HISTORY, 0, "closed"), None),
        (_row(HISTORY, 0, "closed"), _row(HISTORY, 1, "closed"), None),
        (_row(HISTORY, 1, "closed"), _row(HISTORY, 1, "closed"), 1),
        # derived candles
        (_row(LIVE, 0, "open"), _row(DERIVED, 4, "complete"), 0),
        (_row(DERIVED, 9, "complete"), _row(LIVE, 0, "open"), None),
        (_row(DERIVED, 0, "closed"), _row(HISTORY, 2, "complete"), None),
        (_row(DERIVED, 0, "complete"), _row(HISTORY, 2, "complete"), 2),
        (_row(DERIVED, 0, "open"), _row(HISTORY, 0, "closed"), 0),
        (_row(HISTORY, 0, "complete"), _row(DERIVED, 2, "closed"), 2),
        (_row(HISTORY, 0, "complete"), _row(DERIVED, 2, "complete"), None),
        (_row(DERIVED, 0, "open", 2.0), _row(DERIVED, 0, "open"), 0),
        (_row(DERIVED, 0, "closed", 2.0), _row(DERIVED, 0, "open"), 0),
        (_row(DERIVED, 7, "closed", 2.0), _row(DERIVED, 3, "closed"), 4),
        (_row(DERIVED, 7, "closed"), _row(DERIVED, 3, "complete"), 4),
        (_row(DERIVED, 7, "closed"), _row(DERIVED, 3, "closed"), 3),
    ],
)
def test_row_when_it_meets_the_stored_one_then_the_table_decides(new: Row, stored: Row, expected: int | None) -> None:
    """None: the stored one stays; else the revision with which the new one is kept."""
    assert settled_revision(new, stored) == expected
