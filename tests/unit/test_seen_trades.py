"""Which trades were delivered: with ids, without ids, and more than are remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import PriceTick
from rxstreams.recovery.seen_trades import SeenTrades


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
