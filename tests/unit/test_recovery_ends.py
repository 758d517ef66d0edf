"""What ends a recovery: the feed's own end, in the middle of a frame too, a removal, and one more loss."""

from __future__ import annotations

import pytest
from line_bench import A, B, Bench, PlainVenue, trade
from recovery_bench import CountedVenue, acknowledged, answer, ids, running, sinces, streaming

from rxstreams.errors import MessageError
from rxstreams.items import PriceTick
from rxstreams.sources.venue import Message, Rejected
from rxstreams.states import StreamState


@pytest.mark.parametrize(
    "rest",
    [trade(A, 30, 5), MessageError("not understood"), Rejected(symbols=(B,), reason="delisted")],
    ids=["trade", "bad", "refusal"],
)
def test_frame_when_its_observer_fails_then_the_rest_of_it_goes_nowhere(rest: Message | MessageError) -> None:
    """The line is gone: no gap is opened, nothing is fetched, and nobody who comes later gets anything of it."""
    bench = Bench(CountedVenue(), recovers=True)
    bench.subscription.dispose()

    def fail(tick: PriceTick) -> None:
        raise RuntimeError("a bug of the observer")

    bench.feed.subscribe(fail, lambda error: None)
    bench.push(acknowledged(A, B, at=-1))
    bench.push(trade(A, 1, 1), rest, trade(A, 31, 6), MessageError("not understood either"))
    assert bench.feed.state is StreamState.STOPPED
    assert all(event.kind == "state" for event in bench.events)
    assert bench.feed.symbols == (A, B)
    assert (bench.feed.stats.ticks, bench.feed.stats.parse_errors) == (1, 0)
    late: list[PriceTick] = []
    bench.feed.subscribe(late.append)
    bench.wait(60.0)
    assert bench.fetches == []
    assert late == []


def test_feed_when_disposed_while_many_are_recovered_then_no_other_fetch_begins() -> None:
    """A turn that comes free goes to nobody who is about to be dropped."""
    symbols = [f"S{number}/USD" for number in range(20)]
    bench = Bench(PlainVenue(), recovers=True)
    bench.feed.add(symbols)
    bench.push(acknowledged(*symbols, at=0))
    bench.push(*(trade(symbol, 1, 1) for symbol in symbols))
    bench.lose()
    bench.push(acknowledged(*symbols, at=70))
    bench.wait(5.1)
    assert len(bench.fetches) == 4
    bench.subscription.dispose()
    assert len(bench.fetches) == 4
    assert not any(fetch.running for fetch in bench.fetches)


def test_many_symbols_when_removed_while_they_are_recovered_then_only_the_others_are_fetched() -> None:
    """Their turns go to those that stay."""
    symbols = [f"S{number}/USD" for number in range(20)]
    bench = Bench(PlainVenue(), recovers=True)
    bench.feed.add(symbols)
    bench.push(acknowledged(*symbols, at=0))
    bench.push(*(trade(symbol, 1, 1) for symbol in symbols))
    bench.lose()
    bench.push(acknowledged(*symbols, at=70))
    bench.wait(5.1)
    bench.feed.remove(symbols[:18])
    assert [fetch.symbol for fetch in bench.fetches] == symbols[:4] + symbols[18:]


def test_symbol_when_its_observer_removes_it_while_its_gap_is_given_up_then_it_is_gone() -> None:
    """No gap of it is left open, which would keep the line from ever being handed over."""
    bench = Bench(PlainVenue(), recovers=True, max_hold=20.0, max_age=300.0)
    bench.feed.subscribe(lambda tick: bench.feed.remove([A]) if tick.trade_id == 4 else None)
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(A, 1, 1), trade(B, 2, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.lose()  # its holding ends while the line is away
    assert ids(bench) == [1, 4]
    bench.push(acknowledged(B, at=140))
    bench.push(trade(B, 141, 5))
    answer(bench, B, trade(B, 2, 1), trade(B, 141, 5))
    assert ids(bench, B) == [1, 5]
    connections = len(bench.sockets)
    bench.wait(301.0)
    assert len(bench.sockets) > connections


def test_gap_when_a_connection_dies_before_its_acknowledgement_then_the_one_before_it_may_still_be_joined() -> None:
    """It covered nothing, so what was held is still the newest that is known."""
    bench = streaming(max_hold=100.0)
    bench.lose(2.0)
    bench.push(acknowledged(A, B, at=3))
    bench.push(trade(A, 71, 4))
    bench.lose(2.0)
    bench.lose(100.0)  # opened, and acknowledged nothing
    assert ids(bench) == [1, 4]
    bench.push(acknowledged(A, B, at=140))
    bench.push(trade(A, 141, 7))
    (fetch,) = running(bench)
    fetch.answer(trade(A, 71, 4), trade(A, 100, 5), trade(A, 120, 6), trade(A, 141, 7))
    assert ids(bench) == [1, 4, 5, 6, 7]
    assert sinces(bench) == [0, 3, 3, 3, 3]
