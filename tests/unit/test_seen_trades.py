"""Which trades were delivered: with ids, without ids, and more than are remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import PriceTick
from rxstreams.recovery.seen_trades import SeenTrades, identity_of


def trade(stamp: int, trade_id: int | str | None = None, price: float = 1.0) -> PriceTick:
    """Return a trade."""
    return PriceTick(symbol="A", price=price, timestamp=stamp, trade_id=trade_id)


def test_trade_when_its_id_was_seen_then_is_not_new() -> None:
    """Whatever else it says."""
    seen = SeenTrades()
    assert seen.add(trade(1, 7))
    assert not seen.add(trade(2, 7, price=3.0))
    assert seen.add(trade(2, "7"))
    assert (seen.newest, seen.last_id) == (2, 7)


def test_merge_when_more_overlap_than_are_remembered_then_each_is_new_once() -> None:
    """A long hold of a busy symbol: nothing may be forgotten before both ways were compared."""
    seen = SeenTrades(size=10)
    seen.add(trade(1, 1))
    fetched = [trade(n, n) for n in range(1, 101)]
    held = [trade(n, n) for n in range(40, 121)]
    assert [tick.trade_id for tick in seen.merge(fetched, held)] == list(range(2, 121))


def test_merge_when_fetched_trades_are_older_than_what_is_remembered_then_they_are_known() -> None:
    """Nobody can say otherwise, and none may go out twice."""
    seen = SeenTrades(size=3)
    for number in range(1, 11):
        seen.add(trade(number, number))
    assert [tick.trade_id for tick in seen.merge([trade(n, n) for n in range(1, 13)], ())] == [11, 12]


def test_fetched_trade_without_id_when_the_line_brings_it_too_then_is_not_new_once() -> None:
    """What REST was ahead with comes on the line in a moment; the one after it is another trade."""
    seen = SeenTrades()
    assert [tick.timestamp for tick in seen.merge([trade(1), trade(2)], [trade(1)])] == [1, 2]
    assert not seen.add(trade(2))
    assert seen.add(trade(2))
    assert seen.add(trade(1))


def test_fetched_twins_when_the_line_has_brought_one_then_one_is_expected() -> None:
    """The n-th of them on one way is the n-th on the other."""
    seen = SeenTrades()
    assert len(seen.merge([trade(1)] * 3, [trade(1)])) == 3
    assert [seen.was_ahead(trade(1)) for _ in range(3)] == [True, True, False]


def test_trade_with_an_id_when_fetched_then_none_is_expected() -> None:
    """Its id tells that it came before."""
    seen = SeenTrades()
    seen.merge([trade(1, 1)], ())
    assert not seen.was_ahead(trade(1, 1))
    assert not seen.add(trade(1, 1))


def test_another_line_when_it_takes_over_then_is_expected_to_bring_what_it_has_not_brought_yet() -> None:
    """From a stamp on, trades without ids only."""
    seen = SeenTrades()
    for tick in (trade(1), trade(2), trade(3), trade(3), trade(4, 4)):
        assert seen.add(tick)
    seen.expect_again(2, {identity_of(trade(3)): 1})
    assert [seen.add(trade(stamp)) for stamp in (1, 2, 2, 3, 3)] == [True, False, True, False, True]
    assert not seen.was_ahead(trade(4, 4))


def test_another_line_when_it_has_brought_more_than_this_one_then_nothing_is_expected() -> None:
    """It is ahead itself."""
    seen = SeenTrades()
    seen.add(trade(2))
    seen.expect_again(0, {identity_of(trade(2)): 3})
    assert seen.add(trade(2))


def test_another_connection_when_it_begins_then_nothing_is_expected() -> None:
    """What came before its beginning it does not bring."""
    seen = SeenTrades()
    seen.merge([trade(1)], ())
    seen.expect_nothing()
    assert seen.add(trade(1))


def test_expected_trade_when_forgotten_then_is_expected_no_more() -> None:
    """Memory is bounded; the line is long past it."""
    seen = SeenTrades(size=2)
    seen.merge([trade(1)], ())
    assert [seen.add(trade(stamp)) for stamp in (2, 3, 4)] == [True] * 3
    assert not seen.was_ahead(trade(1))


@given(
    stamps=st.lists(st.integers(1, 4), max_size=12).map(sorted),
    known=st.integers(0, 12),
    first_held=st.integers(0, 12),
    last_fetched=st.integers(0, 12),
)
def test_merge_when_trades_have_no_ids_then_none_is_lost_and_none_doubled(
    stamps: list[int], known: int, first_held: int, last_fetched: int
) -> None:
    """A row of trades, many alike: the first came live, the last are held, a fetch holds the first of these too."""
    row = [trade(stamp) for stamp in stamps]
    known = min(known, len(row))
    first_held = max(known, min(first_held, len(row)))
    last_fetched = min(len(row), max(first_held + 1, last_fetched))
    while 0 < last_fetched < len(row) and row[last_fetched].timestamp == row[last_fetched - 1].timestamp:
        last_fetched += 1  # REST knows all trades of an instant or none
    seen = SeenTrades()
    for tick in row[:known]:
        assert seen.add(tick)
    new = seen.merge(row[:last_fetched], row[first_held:])
    assert sorted(tick.timestamp for tick in new) == [tick.timestamp for tick in row[known:]]
