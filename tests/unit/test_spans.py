"""Runs of a line and their stages."""

from __future__ import annotations

from reactivex.subject import Subject

from rxstreams._spans import is_settled, next_span, run_of, settle, unsettle
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc


def test_stages_when_a_run_is_doubted_and_settled_then_alternate() -> None:
    """Odd while trades may be missing, even when none is; always later than before, and of the same run."""
    run = next_span()
    doubted = unsettle(run)
    doubted_again = unsettle(doubted)
    settled = settle(doubted_again)
    assert run < doubted < doubted_again < settled
    assert [is_settled(span) for span in (run, doubted, doubted_again, settled)] == [True, False, False, True]
    assert {run_of(span) for span in (run, doubted, doubted_again, settled)} == {run}
    assert settle(settled) == settled


def test_runs_when_numbers_are_small_then_each_is_its_own() -> None:
    """As a user may choose them."""
    assert [run_of(span) for span in (1, 2, 3)] == [1, 2, 3]
    assert all(is_settled(span) for span in (0, 1, 2, 3))
    assert next_span() != next_span()


class Chain:
    """Minutes of several symbols, and three of them in one."""

    def __init__(self) -> None:
        self.ticks: Subject[PriceTick] = Subject()
        self.candles: list[OHLCCandle] = []
        self.ticks.pipe(to_ohlc("1m"), resample("1m", "3m")).subscribe(self.candles.append)

    def tick(self, symbol: str, seconds: float, span: int) -> None:
        """Send a trade; everything is covered from the beginning."""
        stamp = int(seconds * SECOND) + 720 * SECOND
        self.ticks.on_next(PriceTick(symbol=symbol, price=1.0, timestamp=stamp, span=span, since=1))

    def sent(self) -> list[tuple[str, str, int, bool]]:
        """Return symbol, timeframe, minute and complete of what was sent."""
        return [(c.symbol, str(c.timeframe), c.open_time // (60 * SECOND) - 12, c.complete) for c in self.candles]


def test_quiet_symbol_when_its_run_goes_on_then_its_candle_is_closed_by_the_lines_clock() -> None:
    """B was quiet over the loss: A's tick of the settled stage closes its candle, of the doubted one not."""
    chain, run = Chain(), next_span()
    chain.tick("B", 10, run)
    chain.tick("A", 20, run)
    chain.tick("A", 70, unsettle(run))
    assert chain.sent() == [("A", "1m", 0, True)]
    chain.tick("A", 71, settle(unsettle(run)))
    assert chain.sent() == [("A", "1m", 0, True), ("B", "1m", 0, True)]


def test_quiet_symbol_when_it_traded_in_the_doubted_stage_then_its_parent_waits_for_it() -> None:
    """B's minute 2 was opened while the line was doubted: the parent of its minutes 0 to 2 is not closed without it."""
    chain, run = Chain(), next_span()
    doubted = unsettle(run)
    chain.tick("B", 10, run)
    chain.tick("B", 70, run)
    chain.tick("A", 75, run)
    chain.tick("B", 130, doubted)
    chain.tick("A", 131, doubted)
    settled = settle(doubted)
    chain.tick("A", 250, settled)
    chain.tick("A", 310, settled)
    of_b = [(timeframe, minute, complete) for symbol, timeframe, minute, complete in chain.sent() if symbol == "B"]
    assert of_b == [("1m", 0, True), ("1m", 1, True), ("1m", 2, True), ("3m", 0, True)]
    parent = next(c for c in chain.candles if c.symbol == "B" and str(c.timeframe) == "3m")
    assert parent.trades == 3
    assert not any(candle.revision for candle in chain.candles)


def test_quiet_symbol_when_another_run_begins_then_its_candle_stays_open() -> None:
    """Trades of it may be missing."""
    chain = Chain()
    chain.tick("B", 10, next_span())
    other = next_span()
    chain.tick("A", 20, other)
    chain.tick("A", 300, other)
    assert "B" not in {symbol for symbol, *_ in chain.sent()}


def test_late_item_when_it_carries_an_earlier_stage_then_it_joins_the_run() -> None:
    """What arrives on a stage that is over belongs to all of the run, and is closed by its clock."""
    chain, run = Chain(), next_span()
    settled = settle(unsettle(run))
    chain.tick("A", 10, run)
    chain.tick("A", 20, settled)
    chain.tick("B", 21, run)
    chain.tick("A", 70, settled)
    assert ("B", "1m", 0, True) in chain.sent()
