"""A line that broke: what it missed is fetched, proven to be all, and sent before what is held."""

from __future__ import annotations

import pytest
from line_bench import T0, A, B, Bench, PlainVenue, SilentVenue, trade
from recovery_bench import CountedVenue, acknowledged, ids, streaming

from rxstreams._spans import run_of
from rxstreams.errors import (
    HistoryTooShort,
    MessageError,
    Refused,
    ServerRejected,
    StreamError,
    SubscriptionError,
)
from rxstreams.instants import SECOND
from rxstreams.sources.venue import Channel
from rxstreams.timeframe import Timeframe


def kinds(bench: Bench) -> list[tuple[str, tuple[str, ...]]]:
    """Return the events but for states."""
    return [(event.kind, event.symbols) for event in bench.events if event.kind != "state"]


def test_gap_when_the_fetch_holds_the_first_live_trade_then_is_closed() -> None:
    """Fetched first, then held, each once, all with the old since."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4), trade(A, 72, 5))
    assert ids(bench) == [1]
    (fetch,) = bench.fetches
    assert (fetch.symbol, fetch.since) == (A, T0 + 1)  # 2 s of disorder before the newest stamp, not before the since
    fetch.answer(trade(A, 1, 1), trade(A, 30, 2), trade(A, 60, 3), trade(A, 71, 4))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert {tick.since for tick in bench.ticks} == {T0 + 1}
    assert all(tick.received for tick in bench.ticks)
    bench.push(trade(A, 73, 6))
    assert bench.ticks[-1].since == T0 + 1
    assert kinds(bench) == [("loss", (A, B)), ("recovered", (A,))]


def test_gap_when_the_fetch_lags_behind_then_it_is_repeated() -> None:
    """It must hold the first live trade, or a later one: else trades between them may be missing."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.fetches[0].answer(trade(A, 1, 1), trade(A, 30, 2))
    assert ids(bench) == [1]
    bench.wait(2.6)
    assert len(bench.fetches) == 2
    bench.fetches[1].answer(trade(A, 1, 1), trade(A, 30, 2), trade(A, 60, 3), trade(A, 71, 4))
    assert ids(bench) == [1, 2, 3, 4]


def test_gap_when_the_fetch_is_far_ahead_of_the_socket_then_the_rest_comes_from_the_socket() -> None:
    """Sent at once, it would be the clock of the other symbols, which are not so far."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    published = ((1, 1), (30, 2), (60, 3), (71, 4), (90, 5), (99, 6))
    bench.fetches[0].answer(*(trade(A, at, number) for at, number in published))
    assert ids(bench) == [1, 2, 3, 4]
    bench.push(trade(A, 90, 5), trade(A, 99, 6))
    assert ids(bench) == [1, 2, 3, 4, 5, 6]


def test_quiet_symbol_when_its_line_is_back_then_is_fetched_after_the_settling() -> None:
    """Nothing is held, so only time proves that REST knows what was published before the return."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.wait(4.9)
    assert bench.fetches == []
    bench.wait(0.2)
    assert [fetch.symbol for fetch in bench.fetches] == [A, B]
    bench.fetches[1].answer(trade(B, 2, 1), trade(B, 40, 2))
    bench.fetches[0].answer(trade(A, 1, 1))
    assert ids(bench, B) == [1, 2]
    assert kinds(bench) == [("loss", (A, B)), ("recovered", (B,)), ("recovered", (A,))]
    bench.push(trade(A, 80, 2))
    assert bench.ticks[-1].since == T0 + 1


def test_span_when_all_gaps_are_closed_then_the_old_run_goes_on() -> None:
    """Until then it is in a stage of its own; after it a tick is the clock of all that was before."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 2))
    bench.fetches[0].answer(trade(A, 1, 1), trade(A, 71, 2))
    bench.push(trade(A, 72, 3))
    between = bench.ticks[-1].span
    bench.wait(5.1)
    bench.fetches[1].answer(trade(B, 2, 1))
    bench.push(trade(A, 80, 4))
    before, after = bench.ticks[0].span, bench.ticks[-1].span
    assert before < between < after
    assert run_of(before) == run_of(between) == run_of(after)


def test_span_when_a_gap_is_lost_then_another_run_begins() -> None:
    """Nothing that comes may close a candle that misses a trade."""
    bench = streaming(max_hold=10.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.wait(10.1)
    bench.push(trade(A, 72, 5))
    assert ids(bench) == [1, 4, 5]
    assert {tick.since for tick in bench.ticks[2:]} == {T0 + 70 * SECOND + 1}
    assert run_of(bench.ticks[-1].span) != run_of(bench.ticks[0].span)
    assert ("lost", (A,)) in kinds(bench)


def test_gap_when_the_fetch_fails_then_it_is_tried_until_the_holding_ends() -> None:
    """What is held goes out as it came, and the reason is told with its cause."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    for _ in range(100):
        for fetch in bench.fetches:
            if fetch.running:
                fetch.fail(ServerRejected("503"))
        bench.wait(0.1)
    assert ids(bench) == [1, 4]
    lost = next(event for event in bench.events if event.kind == "lost" and event.symbols == (A,))
    assert lost.reason == "it was not recovered within 10 s: 503"
    assert isinstance(lost.error, ServerRejected)
    assert len(bench.fetches) > 5


def test_gap_when_another_loss_comes_meanwhile_then_it_is_one_longer_gap() -> None:
    """The running fetch is given up; what was held stays held."""
    bench = streaming(max_hold=100.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    first = bench.fetches[0]
    bench.lose()
    assert not first.running
    bench.push(acknowledged(A, B, at=140))
    bench.push(trade(A, 141, 7))
    second = bench.fetches[-1]
    assert second.since == first.since
    published = ((1, 1), (30, 2), (60, 3), (71, 4), (100, 5), (120, 6), (141, 7))
    second.answer(*(trade(A, at, number) for at, number in published))
    assert ids(bench) == [1, 2, 3, 4, 5, 6, 7]
    assert {tick.since for tick in bench.ticks} == {T0 + 1}


def test_gap_when_the_holding_ends_while_the_line_is_away_then_what_was_held_is_covered_by_itself() -> None:
    """The first gap is lost; the second one begins where its own connection did, and may be closed."""
    bench = streaming(max_hold=20.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.lose()  # away for a minute
    assert ids(bench) == [1, 4]
    bench.push(acknowledged(A, B, at=140))
    bench.push(trade(A, 141, 7))
    bench.fetches[-1].answer(trade(A, 71, 4), trade(A, 100, 5), trade(A, 120, 6), trade(A, 141, 7))
    assert ids(bench) == [1, 4, 5, 6, 7]
    assert {tick.since for tick in bench.ticks if tick.symbol == A and tick.trade_id != 1} == {T0 + 70 * SECOND + 1}


def test_trades_when_they_have_no_ids_then_twins_are_counted() -> None:
    """The n-th of two that are alike on one way is the n-th on the other."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, at=0))
    bench.push(trade(A, 1), trade(A, 1))
    bench.lose()
    bench.push(acknowledged(A, at=70))
    bench.push(trade(A, 71), trade(A, 71), trade(A, 72))
    bench.fetches[0].answer(trade(A, 1), trade(A, 1), trade(A, 1), trade(A, 50), trade(A, 50), trade(A, 71))
    assert [(tick.timestamp - T0) // SECOND for tick in bench.ticks] == [1, 1, 1, 50, 50, 71, 71, 72]


def test_contiguous_ids_when_they_do_not_jump_then_nothing_is_fetched() -> None:
    """The next id proves that nothing was missed."""
    bench = streaming(CountedVenue())
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 2), trade(A, 72, 3))
    assert ids(bench) == [1, 2, 3]
    assert bench.fetches == []
    assert bench.ticks[-1].since == T0 + 1


def test_contiguous_ids_when_they_jump_on_a_living_line_then_the_missing_ones_are_fetched() -> None:
    """A loss that no connection tells of."""
    bench = streaming(CountedVenue())
    bench.push(trade(A, 3, 2), trade(A, 5, 5), trade(B, 5, 2))
    assert ids(bench) == [1, 2]
    assert ids(bench, B) == [1, 2]
    bench.wait(0.8)
    (fetch,) = bench.fetches
    fetch.answer(trade(A, 3, 2), trade(A, 4, 3), trade(A, 4.5, 4), trade(A, 5, 5))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert {tick.since for tick in bench.ticks} == {T0 + 1}


def test_contiguous_ids_when_a_trade_was_only_overtaken_then_nothing_is_fetched() -> None:
    """It comes in a moment, and all go out in order."""
    bench = streaming(CountedVenue())
    bench.push(trade(A, 5, 3))
    bench.push(trade(A, 4, 2))
    bench.wait(10.0)
    assert ids(bench) == [1, 2, 3]
    assert bench.fetches == []


def test_contiguous_ids_when_the_missing_trade_is_nowhere_then_since_rises() -> None:
    """From the jump on, and what the line's clock had closed as complete is taken back by the candles' rules."""
    bench = streaming(CountedVenue(), max_hold=3.0)
    bench.push(trade(A, 5, 4), trade(A, 6, 5))
    bench.wait(4.0)
    assert ids(bench) == [1, 4, 5]
    assert [tick.since for tick in bench.ticks[2:]] == [T0 + 7 * SECOND + 1] * 2
    assert run_of(bench.ticks[-1].span) == run_of(bench.ticks[0].span)


def test_trade_when_it_comes_twice_then_is_sent_once() -> None:
    """Live, and in a gap; counted in the statistics."""
    bench = streaming()
    bench.push(trade(A, 1, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 1, 1))  # a server that repeats the past: it proves nothing
    assert bench.fetches == []
    bench.push(trade(A, 71, 2), trade(A, 71, 2))
    bench.fetches[0].answer(trade(A, 1, 1), trade(A, 71, 2))
    assert ids(bench) == [1, 2]
    assert bench.feed.stats.duplicates == 2


@pytest.mark.parametrize("junk", [trade(B, 30, 2), "trade", None])
def test_fetch_when_it_brings_junk_then_is_a_failed_attempt(junk: object) -> None:
    """Another symbol's trade, or none at all: named, and nothing of it is sent."""
    bench = streaming(max_hold=1.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.fetches[0].observer.on_next(junk)  # type: ignore[arg-type]  # what a user's function may send
    assert not bench.fetches[0].running
    bench.wait(1.1)
    assert ids(bench) == [1, 4]
    lost = next(event for event in bench.events if event.kind == "lost" and event.symbols == (A,))
    assert "expected trades of A/USD to be fetched" in lost.reason


def test_fetch_when_it_never_ends_then_the_holding_does() -> None:
    """Nothing waits for ever."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.wait(10.1)
    assert ids(bench) == [1, 4]
    assert not any(fetch.running for fetch in bench.fetches if fetch.symbol == A)


def test_gap_when_too_much_is_held_then_is_lost() -> None:
    """Memory is bounded: what is held goes out."""
    bench = streaming(max_held=3)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(*(trade(A, 71 + n, 4 + n) for n in range(4)))
    assert ids(bench) == [1, 4, 5, 6, 7]


def test_gap_when_the_line_was_away_too_long_then_is_lost_at_once() -> None:
    """``max_gap``."""
    bench = streaming(max_gap=30.0)
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    assert ids(bench) == [1, 4]
    assert bench.fetches == []


def test_symbol_when_removed_while_it_is_recovered_then_is_forgotten() -> None:
    """Its fetch is given up, and what is held of it is not wanted; added again it begins anew."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.feed.remove([A])
    assert not bench.fetches[0].running
    bench.feed.add([A])
    bench.push(acknowledged(A, at=80))
    bench.push(trade(A, 81, 9))
    assert ids(bench) == [1, 9]
    assert bench.ticks[-1].since == T0 + 80 * SECOND + 1


def test_symbol_when_added_while_others_are_recovered_then_begins_at_its_acknowledgement() -> None:
    """There is nothing that it could have missed."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, at=0))
    bench.push(trade(A, 1, 1))
    bench.lose()
    bench.push(acknowledged(A, at=70))
    bench.push(trade(A, 71, 4))
    bench.feed.add(["C/USD"])
    bench.push(acknowledged("C/USD", at=72))
    bench.push(trade("C/USD", 73, 1))
    assert bench.ticks[-1].symbol == "C/USD"
    assert bench.ticks[-1].since == T0 + 72 * SECOND + 1


def test_subscription_when_disposed_while_recovering_then_nothing_is_left() -> None:
    """No fetch, no timer that does anything."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    bench.subscription.dispose()
    assert not any(fetch.running for fetch in bench.fetches)
    bench.wait(100.0)
    assert ids(bench) == [1]


def test_frame_when_it_cannot_be_parsed_then_what_it_held_is_fetched() -> None:
    """A loss without a disconnection (decision 0005): the coverage goes on."""
    bench = streaming()
    bench.push(MessageError("not understood"))
    bench.push(trade(A, 10, 3))
    bench.fetches[0].answer(trade(A, 1, 1), trade(A, 5, 2), trade(A, 10, 3))
    assert ids(bench) == [1, 2, 3]
    assert {tick.since for tick in bench.ticks} == {T0 + 1}


def test_venue_when_it_acknowledges_nothing_then_is_recovered_too() -> None:
    """From its subscription on; the coverage is that of the symbol's first tick."""
    bench = Bench(SilentVenue(), recovers=True)
    bench.push(trade(A, 1, 1), trade(A, 5, 2))
    bench.lose(1.5)
    bench.push(trade(A, 71, 5))
    bench.fetches[0].answer(trade(A, 5, 2), trade(A, 30, 3), trade(A, 60, 4), trade(A, 71, 5))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert len({tick.since for tick in bench.ticks}) == 1


def test_trades_when_the_connection_ends_before_its_acknowledgement_then_nothing_is_claimed() -> None:
    """What came without one is covered by nothing, so there is nothing to recover."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(trade(A, 1, 1))
    bench.lose()
    bench.push(acknowledged(A, at=70))
    bench.push(trade(A, 71, 4))
    assert ids(bench) == [1, 4]
    assert bench.ticks[-1].since == T0 + 70 * SECOND + 1


def test_fetch_when_it_repeats_itself_then_each_trade_is_sent_once() -> None:
    """Pages that overlap."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 3))
    bench.fetches[0].answer(trade(A, 1, 1), *[trade(A, 30, 2)] * 3, trade(A, 71, 3), trade(A, 71, 3))
    assert ids(bench) == [1, 2, 3]


def test_many_symbols_when_all_are_fetched_then_those_go_first_that_hold_something() -> None:
    """A few fetches at a time; a quiet symbol delays nobody."""
    symbols = [f"S{n}/USD" for n in range(10)]
    bench = Bench(PlainVenue(), recovers=True)
    bench.feed.add(symbols)
    bench.push(acknowledged(*symbols, at=0))
    bench.push(*(trade(symbol, 1, 1) for symbol in symbols))
    bench.lose()
    bench.push(acknowledged(*symbols, at=70))
    bench.wait(5.1)
    assert len(bench.fetches) == 4
    bench.push(trade(symbols[9], 75, 2))
    bench.fetches[0].answer()
    assert [fetch.symbol for fetch in bench.fetches] == [*symbols[:4], symbols[9]]


def test_history_when_the_line_is_acknowledged_then_the_running_interval_is_fetched_first() -> None:
    """Its coverage begins with the interval: the first candle is complete. Another connection does not do so again."""
    bench = Bench(PlainVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    bench.push(acknowledged(A, B, at=25))
    bench.push(trade(A, 26, 5))
    (fetch,) = bench.fetches
    assert (fetch.symbol, fetch.since) == (A, T0)
    fetch.answer(trade(A, 0, 3), trade(A, 20, 4), trade(A, 26, 5), trade(A, 27, 6))
    assert ids(bench) == [3, 4, 5]
    assert {tick.since for tick in bench.ticks} == {T0}
    bench.push(trade(A, 27, 6))
    assert ids(bench) == [3, 4, 5, 6]
    bench.wait(5.1)
    bench.fetches[-1].answer(trade(B, 3, 1))
    assert ids(bench, B) == [1]
    bench.lose()
    bench.push(acknowledged(A, B, at=95))
    bench.push(trade(A, 96, 9))
    assert bench.fetches[-1].since == T0 + 25 * SECOND  # the newest stamp less the disorder


def test_history_when_the_acknowledgement_has_no_time_then_the_first_stamp_tells_the_interval() -> None:
    """Never the local clock."""
    bench = Bench(SilentVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    bench.push(trade(A, 86, 5))
    (fetch,) = bench.fetches
    assert fetch.since == T0 + 60 * SECOND
    fetch.answer(trade(A, 61, 4), trade(A, 86, 5))
    assert ids(bench) == [4, 5]
    assert {tick.since for tick in bench.ticks} == {T0 + 60 * SECOND}


def test_history_when_it_can_not_be_had_then_the_coverage_begins_at_the_acknowledgement() -> None:
    """As without it."""
    bench = Bench(PlainVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    bench.push(acknowledged(A, at=25))
    bench.push(trade(A, 26, 5))
    bench.wait(10.1)
    assert [tick.since for tick in bench.ticks] == [T0 + 25 * SECOND + 1]
    assert ("lost", (A,)) in kinds(bench)


@pytest.mark.parametrize(
    "error",
    [HistoryTooShort("its own begin at noon"), Refused("HTTP 403"), SubscriptionError((A,), "unknown")],
    ids=lambda error: type(error).__name__,
)
def test_gap_when_the_fetch_fails_for_good_then_is_lost_at_once(error: StreamError) -> None:
    """No other fetch will be better: nothing is held for it, and what was fetched is thrown away."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 4))
    (fetch,) = bench.fetches
    fetch.observer.on_next(trade(A, 65, 3))
    fetch.fail(error)
    assert ids(bench) == [1, 4]
    assert bench.ticks[-1].since == T0 + 70 * SECOND + 1
    (lost,) = [event for event in bench.events if event.kind == "lost"]
    assert (lost.symbols, lost.error) == ((A,), error)
    assert lost.reason == f"it can't be recovered: {error}"
    bench.push(trade(A, 72, 5))
    assert ids(bench) == [1, 4, 5]
    bench.wait(4.0)
    assert len(bench.fetches) == 1
    bench.wait(2.0)
    assert [each.symbol for each in bench.fetches] == [A, B]
