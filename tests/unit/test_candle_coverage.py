"""Where the coverage of a venue's own candles begins: a candle witnesses for its own symbol only."""

from __future__ import annotations

import pytest

from rxstreams.instants import MINUTE, SECOND
from rxstreams.sources._line_coverage import LineCoverage
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Channel
from rxstreams.timeframe import Timeframe

A, B = "A/USD", "B/USD"


@pytest.fixture
def coverage() -> LineCoverage:
    """Return that of a line with two symbols, both just acknowledged, A with a time and B without."""
    subscriptions = Subscriptions(Kraken(), Channel("candles", Timeframe("1m")), (A, B))
    subscriptions.open()
    coverage = LineCoverage(subscriptions, 2 * SECOND)
    coverage.begin(may_continue=False)
    for symbol, time in ((A, 10 * MINUTE), (B, 0)):
        subscriptions.acknowledge(Acknowledged(symbols=(symbol,), time=time))
        coverage.acknowledge(symbol, time)
    return coverage


def test_candle_when_the_acknowledgement_has_a_time_then_is_covered_from_there(coverage: LineCoverage) -> None:
    """A candle that opens after it is whole."""
    assert coverage.since_of_candle(A, 11 * MINUTE) == 10 * MINUTE + 1
    assert coverage.newest == 11 * MINUTE


def test_candle_when_it_has_none_then_its_own_first_one_begins_the_coverage(coverage: LineCoverage) -> None:
    """It may have missed the start of that one, not of the next."""
    coverage.since_of_candle(A, 11 * MINUTE)
    assert coverage.since_of_candle(B, 10 * MINUTE) == 10 * MINUTE + 1
    assert coverage.since_of_candle(B, 11 * MINUTE) == 10 * MINUTE + 1


def test_candle_when_a_frame_was_lost_then_another_symbols_older_candle_covers_nothing(coverage: LineCoverage) -> None:
    """What was lost may have been A's candle of minute 12; B's of minute 11 may have been published after it."""
    coverage.since_of_candle(A, 11 * MINUTE)
    coverage.doubt()
    assert coverage.since_of_candle(B, 11 * MINUTE) == 11 * MINUTE + 1
    assert coverage.since_of_candle(A, 13 * MINUTE) == 13 * MINUTE + 1


def test_candle_when_it_overtakes_the_acknowledgement_then_covers_nothing_yet() -> None:
    """Not yet confirmed; and one that is not wanted is not for the line at all."""
    subscriptions = Subscriptions(Kraken(), Channel("candles", Timeframe("1m")), (A,))
    subscriptions.open()
    coverage = LineCoverage(subscriptions, 2 * SECOND)
    coverage.begin(may_continue=False)
    assert coverage.since_of_candle(A, 11 * MINUTE) == 11 * MINUTE + 1
    assert coverage.since_of_candle(A, 12 * MINUTE) == 12 * MINUTE + 1
    assert coverage.since_of_candle(B, 12 * MINUTE) is None
