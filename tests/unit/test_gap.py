"""A gap keeps what attempts have brought."""

from __future__ import annotations

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.recovery.gap import Gap

_MARGIN = 3 * SECOND


def _gap(start: int = 10) -> Gap:
    return Gap("A", since=SECOND, start=start * SECOND, began=0.0, last_id=None)


def _fetched(*stamps: int) -> list[PriceTick]:
    return [PriceTick(symbol="A", price=1.0, timestamp=stamp * SECOND) for stamp in stamps]


def test_gap_when_nothing_was_fetched_then_fetching_starts_at_its_beginning() -> None:
    """The first attempt."""
    assert _gap().resume_fetching(_MARGIN) == 10 * SECOND


def test_gap_when_an_attempt_was_cut_short_then_the_next_one_starts_before_its_newest_trade() -> None:
    """What is fetched again is not kept: of trades without ids nobody could tell which came twice."""
    gap = _gap()
    gap.fetched = _fetched(10, 14, 17, 17, 20)
    assert gap.resume_fetching(_MARGIN) == 17 * SECOND
    assert gap.fetched == _fetched(10, 14)


def test_gap_when_little_was_fetched_then_fetching_starts_at_its_beginning_again() -> None:
    """Never before it: what was before is known."""
    gap = _gap()
    gap.fetched = _fetched(10, 11)
    assert gap.resume_fetching(_MARGIN) == 10 * SECOND
    assert gap.fetched == []
