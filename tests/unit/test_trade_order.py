"""Trades of a venue that sends them in no order: sorted within its disorder, late ones at once, bounded."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from line_bench import T0, A, B, Bench, PlainVenue, trade
from reactivex.testing import TestScheduler
from recovery_bench import acknowledged, candles_of, closed, ids, stamps

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.sources._trade_order import TradeOrder


class Desk:
    """An order with 2 s of disorder; keeps what comes out, with the time at which it did."""

    def __init__(self, max_held: int = 1000) -> None:
        self.clock = TestScheduler()
        self.out: list[tuple[float, float, Any]] = []
        self.overflows: list[int] = []
        self.order = TradeOrder(
            self._note, self.clock, disorder=2 * SECOND, max_held=max_held, on_overflow=self.overflows.append
        )

    def _note(self, tick: PriceTick) -> None:
        self.out.append((round(self.clock.clock, 3), (tick.timestamp - T0) / SECOND, tick.trade_id))

    def take(self, *stamps: float, symbol: str = A, **fields: Any) -> None:
        """Take trades without ids."""
        for stamp in stamps:
            self.order.add(tick(stamp, symbol=symbol, **fields))

    @property
    def stamps(self) -> list[float]:
        """What came out so far."""
        return [stamp for _, stamp, _ in self.out]


def tick(
    stamp: float, trade_id: int | str | None = None, *, symbol: str = A, span: int = 1, since: int = 1
) -> PriceTick:
    """Return a trade that a line has stamped."""
    timestamp = T0 + round(stamp * SECOND)
    return PriceTick(symbol=symbol, price=1.0, timestamp=timestamp, trade_id=trade_id, span=span, since=since)


def test_trades_when_they_come_in_no_order_then_each_waits_for_the_disorder_and_comes_sorted() -> None:
    """Two seconds after it came, or with one stamped after it that came before; of all symbols of the line."""
    desk = Desk()
    desk.take(10.0)
    desk.clock.advance_to(0.5)
    desk.take(9.5, symbol=B)
    desk.clock.advance_to(1.0)
    desk.take(10.5)
    desk.clock.advance_to(1.999)
    assert desk.out == []
    desk.clock.advance_to(9.0)
    assert desk.out == [(2.0, 9.5, None), (2.0, 10.0, None), (3.0, 10.5, None)]


def test_trades_when_one_is_stamped_more_than_the_disorder_later_then_they_come_at_once() -> None:
    """None of before can come any more; one exactly so much later shows nothing yet."""
    desk = Desk()
    desk.take(10.0, 9.0, 10.2, 12.0)
    assert desk.stamps == [9.0]
    desk.take(12.1)
    assert desk.out == [(0.0, 9.0, None), (0.0, 10.0, None)]
    desk.clock.advance_to(2.0)
    assert desk.stamps == [9.0, 10.0, 10.2, 12.0, 12.1]


def test_trades_when_of_one_stamp_then_their_numbers_decide_and_then_their_arrival() -> None:
    """Also where the ids are texts of digits; other texts say nothing."""
    desk = Desk()
    for trade_id in (12, 9, 10):
        desk.order.add(tick(1.0, trade_id))
    for text in ("12", "9", "10"):
        desk.order.add(tick(1.5, text))
    for text in ("c", "a", "b"):
        desk.order.add(tick(2.0, text))
    desk.clock.advance_to(2.0)
    assert [trade_id for _, _, trade_id in desk.out] == [9, 10, 12, "9", "10", "12", "c", "a", "b"]


def test_trade_when_it_comes_later_than_the_disorder_then_is_sent_at_once() -> None:
    """It is late, and those that wait are not sent for it."""
    desk = Desk()
    desk.take(10.0, 12.5)
    assert desk.stamps == [10.0]
    desk.take(9.0, 11.0)
    assert desk.stamps == [10.0, 9.0]
    desk.clock.advance_to(2.0)
    assert desk.stamps == [10.0, 9.0, 11.0, 12.5]


@pytest.mark.parametrize("change", [{"span": 2}, {"since": 2}])
def test_trades_when_span_or_since_changes_then_those_of_before_come_before(change: dict[str, Any]) -> None:
    """They say what is known of what lies between."""
    desk = Desk()
    desk.take(10.0)
    desk.take(9.9, **change)
    assert desk.stamps == [10.0]
    desk.take(10.1, 9.8, **change)
    desk.clock.advance_to(2.0)
    assert desk.stamps == [10.0, 9.8, 9.9, 10.1]


def test_trades_when_more_wait_than_allowed_then_all_go_out_sorted_and_are_counted() -> None:
    """The memory is bounded."""
    desk = Desk(max_held=3)
    desk.take(1.3, 1.2, 1.1)
    assert desk.out == []
    desk.take(1.0)
    assert desk.stamps == [1.0, 1.1, 1.2, 1.3]
    assert desk.overflows == [4]
    desk.take(1.5, 1.4)
    desk.clock.advance_to(2.0)
    assert desk.stamps == [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]


def test_memory_when_trades_are_sent_early_then_nothing_is_kept_of_them() -> None:
    """Stamps run ten times as fast as the clock: hardly anything waits."""
    desk = Desk()
    for number in range(5000):
        desk.clock.advance_to(number / 1000)
        desk.take(number / 100)
    kept = vars(desk.order)
    assert max(len(each) for each in (kept["_waiting"], kept["_arrived"])) <= 700
    desk.clock.advance_to(20.0)
    assert len(desk.out) == 5000
    assert [len(each) for each in (kept["_waiting"], kept["_arrived"])] == [0, 0]


def test_order_when_symbols_are_forgotten_then_only_the_others_come() -> None:
    """Whoever removed them wants nothing of them."""
    desk = Desk()
    desk.take(1.0, 3.0)
    desk.take(2.0, 1.5, symbol=B)
    desk.order.forget((A,))
    desk.clock.advance_to(9.0)
    assert desk.stamps == [1.5, 2.0]


def test_order_when_disposed_then_nothing_comes_any_more() -> None:
    """Also if whoever is sent a trade does so."""
    desk = Desk()
    desk.take(1.0)
    desk.order.dispose()
    desk.clock.advance_to(9.0)
    assert desk.out == []

    clock, out = TestScheduler(), list[PriceTick]()

    def end(item: PriceTick) -> None:
        out.append(item)
        order.dispose()

    order = TradeOrder(end, clock, disorder=2 * SECOND, max_held=9, on_overflow=lambda _: None)
    for stamp in (1.0, 2.0):
        order.add(tick(stamp))
    clock.advance_to(9.0)
    assert len(out) == 1


# On a line


class UnorderedVenue(PlainVenue):
    """Sends trades in no order."""

    ordered: ClassVar[bool] = False


def unordered(**options: Any) -> Bench:
    """Return a feed of such a venue that was acknowledged at 0 s."""
    bench = Bench(UnorderedVenue(), recovers=True, **options)
    bench.push(acknowledged(A, B, at=0))
    return bench


def test_feed_when_its_venue_sends_no_order_then_candles_are_right_at_once() -> None:
    """The open is that of the first trade, and no candle is corrected."""
    bench = unordered()
    candles = candles_of(bench)
    for stamp, number in ((61.0, 3), (59.5, 1), (60.2, 2), (121.5, 5), (119.9, 4), (190.0, 6)):
        bench.push(trade(A, stamp, number))
        bench.wait(0.5)
    bench.wait(5.0)
    assert ids(bench) == [1, 2, 3, 4, 5, 6]
    assert [(c.trades, c.complete) for c in candles if c.closed] == [(1, False), (3, True), (1, True)]
    assert bench.feed.stats.unsorted == 0


def test_feed_when_the_acknowledgement_has_no_time_then_since_is_that_of_the_newest_that_came() -> None:
    """It is stamped when a trade comes, not when it is sent: a trade that came before may be newer."""
    bench = Bench(UnorderedVenue(), recovers=True)
    bench.push(trade(B, 20.0, 1))
    bench.push(acknowledged(A, B))
    bench.push(trade(A, 19.0, 1))
    bench.wait(3.0)
    assert bench.covered() == [(A, 22.0), (B, 22.0)]


def test_feed_when_its_line_breaks_then_what_waits_goes_out_and_the_gap_is_closed() -> None:
    """What is held of the new connection and what was fetched comes in order."""
    bench = unordered()
    bench.push(trade(A, 5.0, 2), trade(A, 4.5, 1), trade(B, 5.0, 1))
    bench.lose(30.0)
    assert ids(bench) == [1, 2]
    bench.push(acknowledged(A, B, at=40))
    bench.push(trade(A, 42.0, 6), trade(A, 41.0, 5))
    (fetch,) = bench.fetches
    assert fetch.since == T0 + 3 * SECOND
    fetch.answer(*(trade(A, stamp, number) for stamp, number in ((4.5, 1), (5, 2), (20, 3), (30, 4), (41, 5), (42, 6))))
    bench.wait(3.0)
    assert ids(bench) == [1, 2, 3, 4, 5, 6]
    assert {item.since for item in bench.ticks if item.symbol == A} == {T0 + 1}


def test_recovered_trades_when_other_symbols_wait_then_do_not_overtake_them() -> None:
    """As clocks of the line they would close the others' candles."""
    bench = unordered()
    candles = candles_of(bench)
    bench.push(trade(A, 5.0, 1), trade(B, 6.0, 1))
    bench.lose(30.0)
    bench.push(acknowledged(A, B, at=40))
    bench.push(trade(A, 59.0, 3))
    bench.wait(5.1)
    by_symbol = {fetch.symbol: fetch for fetch in bench.fetches if fetch.running}
    by_symbol[B].answer(trade(B, 6.0, 1), trade(B, 50, 2))
    bench.push(trade(B, 60.5, 5), trade(B, 59.9, 4), trade(B, 59.8, 3))
    by_symbol[A].answer(trade(A, 5.0, 1), trade(A, 30, 2), trade(A, 59, 3), trade(A, 60.4, 4))
    bench.push(trade(A, 60.4, 4), trade(A, 130, 5), trade(B, 131, 6))
    bench.wait(9.0)
    assert sorted(stamps(bench, B)) == stamps(bench, B)
    assert closed(candles, A)[0] == (0, 3, False)
    assert closed(candles, B)[0] == (0, 4, False)
    assert len([c for c in candles if c.closed]) == len(closed(candles, A)) + len(closed(candles, B))


def test_feed_when_it_is_stopped_then_what_waits_goes_out_before_the_completion() -> None:
    """Nothing that has come is lost."""
    bench = unordered()
    bench.push(trade(A, 5.0, 2), trade(A, 4.5, 1))
    assert ids(bench) == []
    bench.sockets[-1].on_completed()
    assert ids(bench) == [1, 2]


def test_feed_when_an_observer_ends_it_while_the_line_breaks_then_nothing_follows() -> None:
    """What waits goes out at that moment."""
    bench = unordered()
    subscription = bench.feed.subscribe(lambda _: end())

    def end() -> None:
        bench.subscription.dispose()
        subscription.dispose()

    bench.push(trade(A, 5.0, 2), trade(A, 4.5, 1))
    bench.lose()
    assert ids(bench) == [1]
    assert [event.kind for event in bench.events if event.kind == "loss"] == []
    assert len(bench.sockets) == 1


def test_symbol_when_it_is_removed_then_what_waits_of_it_is_dropped() -> None:
    """The others' goes out, on the span that it had."""
    bench = unordered()
    bench.push(trade(A, 5.0, 1), trade(B, 5.0, 1))
    bench.feed.remove([B])
    bench.push(trade(A, 5.5, 2))
    bench.wait(3.0)
    assert [(item.symbol, item.trade_id) for item in bench.ticks] == [(A, 1), (A, 2)]
    assert bench.ticks[0].span != bench.ticks[1].span


def test_feed_when_more_wait_than_max_held_then_counts_them() -> None:
    """In its statistics."""
    bench = unordered(max_held=2)
    bench.push(trade(A, 5.0, 3), trade(A, 4.9, 2), trade(A, 4.8, 1))
    assert ids(bench) == [1, 2, 3]
    assert bench.feed.stats.unsorted == 3
