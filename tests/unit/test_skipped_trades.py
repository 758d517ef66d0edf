"""Trades that came and were not passed on, since they may be old ones: what is covered all the same."""

from __future__ import annotations

from typing import Any

import pytest
from line_bench import A, B, Bench, PlainVenue, SilentVenue, trade
from recovery_bench import (
    C,
    OwnedBench,
    acknowledged,
    answer,
    begin,
    candles_of,
    closed,
    ids,
    push,
    running,
    sinces,
    streaming,
)

from rxstreams.sources.venue import Channel, Heartbeat, Skipped
from rxstreams.timeframe import Timeframe


def skipped(*symbols: str) -> Skipped:
    """Return the venue's message of trades that may be old or new."""
    return Skipped(symbols=symbols, kind="trade snapshot")


def told(bench: Bench) -> list[tuple[str, tuple[str, ...]]]:
    """Return the events but for states."""
    return [(event.kind, event.symbols) for event in bench.events if event.kind != "state"]


def test_symbol_when_it_has_delivered_nothing_yet_then_its_coverage_begins_after_the_next_stamp() -> None:
    """As after an acknowledgement without a time: nothing is lost, and nothing fetched."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(B, 1, 1), skipped(A), trade(B, 5, 2), trade(A, 6, 7))
    bench.wait(6.0)
    assert sinces(bench) == [7]  # 2 s of disorder after the stamp at 5 s
    assert sinces(bench, B) == [0, 0]
    assert (told(bench), bench.fetches) == ([], [])
    assert bench.feed.stats.unknown_messages == 1


@pytest.mark.parametrize("stamped", [False, True])
def test_symbol_when_skipped_before_its_acknowledgement_then_that_says_nothing_of_its_beginning(stamped: bool) -> None:
    """Whatever comes first."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(B, at=0), trade(B, 1, 1))
    bench.push(skipped(A), acknowledged(A, at=3))
    if stamped:
        bench.push(trade(B, 5, 2))
    bench.push(trade(A, 6, 7))
    assert sinces(bench) == [7 if stamped else 8]


def test_symbol_when_the_venue_acknowledges_nothing_then_its_first_trade_after_it_begins_its_coverage() -> None:
    """Nothing is covered before."""
    bench = Bench(SilentVenue(), recovers=True)
    bench.push(trade(B, 1, 1), skipped(A), trade(A, 6, 7))
    assert sinces(bench) == [8]
    assert bench.fetches == []


def test_symbol_when_it_has_delivered_trades_then_what_was_skipped_is_fetched() -> None:
    """A loss of its own: the other symbols and the connection go on."""
    bench = streaming(at=-1)
    candles = candles_of(bench)
    bench.push(trade(A, 3, 2), skipped(A), trade(B, 30, 2), trade(A, 31, 4))
    assert ids(bench) == [1, 2]
    assert ids(bench, B) == [1, 2]
    answer(bench, A, trade(A, 3, 2), trade(A, 29, 3), trade(A, 31, 4))
    bench.push(trade(A, 65, 5), trade(B, 66, 3))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert set(sinces(bench)) == {-1}
    assert set(sinces(bench, B)) == {-1}
    assert told(bench) == [("loss", (A,)), ("recovered", (A,))]
    assert len(bench.sockets) == 1
    assert closed(candles)[0][1:] == (3, False)  # the candles began after the first trade


def test_quiet_symbol_when_its_trade_was_skipped_then_that_is_sent_though_it_is_newer_than_the_line() -> None:
    """The line does not bring it again."""
    bench = Bench(PlainVenue(), recovers=True)
    candles = candles_of(bench)
    begin(bench, -1)
    bench.push(skipped(A))
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 5, 2))
    bench.push(trade(B, 8, 2), trade(A, 65, 3))
    assert ids(bench) == [1, 2, 3]
    assert closed(candles)[0] == (0, 2, True)


def test_symbol_when_its_trades_were_skipped_then_no_other_closes_its_candle_meanwhile() -> None:
    """It may lack one of them."""
    bench = Bench(PlainVenue(), recovers=True)
    candles = candles_of(bench)
    begin(bench, -1)
    bench.push(skipped(A), trade(B, 65, 2))
    assert closed(candles) == []
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2))
    bench.push(trade(B, 66, 3))
    assert closed(candles) == [(0, 2, True)]


def test_gap_when_its_symbol_is_skipped_before_its_acknowledgement_then_nothing_is_fetched_yet() -> None:
    """The line does not deliver it before that."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(B, at=70), skipped(A))
    bench.wait(5.1)
    assert [fetch.symbol for fetch in bench.fetches] == [B]
    bench.push(acknowledged(A, at=76))
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 70, 2))
    assert ids(bench) == [1, 2]


@pytest.mark.parametrize("recovers", [True, False])
def test_symbol_when_what_was_skipped_can_not_be_had_then_its_coverage_begins_after_the_next_stamp(
    recovers: bool,
) -> None:
    """It is lost, and the other symbols' coverage goes on."""
    bench = Bench(PlainVenue(), recovers=recovers)
    candles = candles_of(bench)
    begin(bench, -1)
    bench.push(skipped(A), trade(A, 31, 4))
    bench.wait(11.0)
    bench.push(trade(A, 65, 5), trade(B, 66, 3), trade(A, 125, 6), trade(B, 126, 4))
    assert sinces(bench) == [-1, 33, 33, 33]
    assert set(sinces(bench, B)) == {-1}
    assert told(bench) == [("loss", (A,)), ("lost", (A,))]
    assert closed(candles)[:2] == [(0, 2, False), (1, 1, True)]


def test_gap_when_its_symbol_is_skipped_after_a_fetch_began_then_that_is_not_enough() -> None:
    """It may have been made before what was skipped was published."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.wait(5.1)
    (early,) = running(bench)
    bench.push(skipped(A))
    assert not early.running
    assert told(bench) == [("loss", (A, B))]
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 75.05, 2))
    bench.push(trade(A, 90, 3))
    assert ids(bench) == [1, 2, 3]
    assert set(sinces(bench)) == {0}


def test_gap_when_its_symbol_is_skipped_after_a_live_trade_then_the_fetch_must_reach_what_follows() -> None:
    """The trade that came before it proves nothing of what came after that."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.push(trade(A, 71, 3), skipped(A), trade(A, 73, 5))
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2), trade(A, 71, 3))
    assert ids(bench) == [1]
    bench.wait(1.0)
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2), trade(A, 71, 3), trade(A, 72, 4), trade(A, 73, 5))
    assert ids(bench) == [1, 2, 3, 4, 5]


def test_gap_when_its_symbol_was_skipped_and_it_is_lost_then_the_coverage_begins_after_that() -> None:
    """Not at the acknowledgement."""
    bench = streaming()
    bench.lose()
    bench.push(acknowledged(A, B, at=70), skipped(A))
    bench.push(trade(A, 71, 3))
    bench.wait(11.0)
    bench.push(trade(A, 100, 4))
    assert sinces(bench) == [0, 73, 73]


def test_history_when_the_symbol_is_skipped_then_is_fetched_as_before() -> None:
    """Its first candle is complete."""
    bench = Bench(PlainVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    candles = candles_of(bench)
    bench.push(acknowledged(A, B, at=5), skipped(A))
    bench.push(trade(A, 6, 5))
    answer(bench, A, trade(A, 1, 3), trade(A, 5.5, 4), trade(A, 6, 5))
    bench.push(trade(A, 65, 6))
    assert ids(bench) == [3, 4, 5, 6]
    assert closed(candles) == [(0, 3, True)]


def test_symbol_when_it_is_not_wanted_then_what_was_skipped_of_it_means_nothing() -> None:
    """It was removed meanwhile."""
    bench = streaming()
    bench.push(skipped(C))
    assert told(bench) == []
    assert bench.fetches == []
    bench.feed.add([C])
    bench.push(acknowledged(C, at=40), trade(C, 41, 1))
    assert sinces(bench, C) == [40]


def overlapping(**options: Any) -> OwnedBench:
    """Return a feed whose next connection has just been opened and acknowledged."""
    bench = OwnedBench(PlainVenue(), max_age=100.0, **options)
    begin(bench)
    bench.wait(101.0)
    push(bench, 1, acknowledged(A, B, at=121))
    return bench


def test_next_connection_when_it_skips_trades_then_takes_over_once_the_old_one_has_brought_what_follows() -> None:
    """What was skipped must have come on the old one."""
    bench = overlapping()
    push(bench, 0, trade(B, 121.5, 2))
    push(bench, 1, trade(B, 121.5, 2), skipped(A), trade(B, 126, 3), trade(A, 127, 4))
    push(bench, 0, trade(B, 126, 3))
    assert bench.feed.stats.ticks == 4
    push(bench, 1, trade(B, 190, 9))
    assert ids(bench, B) == [1, 2, 3]  # not taken over yet
    push(bench, 0, trade(A, 124, 2), trade(A, 125, 3), trade(A, 127, 4))
    push(bench, 1, trade(B, 191, 10))
    assert ids(bench) == [1, 2, 3, 4]
    assert ids(bench, B) == [1, 2, 3, 9, 10]


def test_next_connection_when_a_quiet_symbol_s_trades_were_skipped_then_both_must_be_well_past_them() -> None:
    """By twice the disorder: a skipped one may be stamped so much later than the next stamp, and come so much late."""
    bench = overlapping()
    push(bench, 1, trade(B, 130, 2), skipped(A), trade(B, 131, 3))
    push(bench, 0, trade(B, 130, 2), trade(B, 131, 3))
    for socket in (1, 0):
        push(bench, socket, trade(B, 135, 4))
    push(bench, 1, trade(B, 135.5, 5))
    assert ids(bench, B) == [1, 2, 3, 4]  # not taken over yet
    push(bench, 0, trade(A, 132.9, 2), trade(B, 135.5, 5))
    push(bench, 1, trade(B, 136, 6))
    push(bench, 1, trade(B, 137, 7))
    assert ids(bench) == [1, 2]
    assert ids(bench, B) == [1, 2, 3, 4, 5, 6, 7]


def test_next_connection_when_it_skips_trades_before_its_acknowledgement_then_that_s_time_says_nothing() -> None:
    """As on the first connection."""
    bench = OwnedBench(PlainVenue(), max_age=100.0)
    begin(bench)
    bench.wait(101.0)
    push(bench, 1, acknowledged(B, at=121))
    push(bench, 0, trade(B, 130, 2))
    push(bench, 1, trade(B, 130, 2), skipped(A), acknowledged(A, at=121.5))
    push(bench, 1, trade(B, 131, 3))
    assert ids(bench, B) == [1, 2]


def test_next_connection_when_it_skips_trades_after_its_acknowledgement_then_that_s_time_says_nothing() -> None:
    """They may have been published after it."""
    bench = overlapping()
    push(bench, 0, trade(B, 124, 2))
    push(bench, 1, trade(B, 124, 2), skipped(A))
    push(bench, 1, trade(B, 125, 3))
    assert ids(bench, B) == [1, 2]


def test_next_connection_when_it_skips_trades_after_one_that_the_old_one_has_brought_then_that_proves_nothing() -> None:
    """What was skipped may not have come there yet."""
    bench = overlapping()
    push(bench, 1, trade(A, 122, 2))
    push(bench, 0, trade(A, 122, 2))
    push(bench, 1, Heartbeat())
    push(bench, 1, skipped(A))
    push(bench, 0, trade(B, 124, 2))
    push(bench, 1, trade(B, 124, 2))
    push(bench, 1, trade(B, 125, 3))
    assert ids(bench, B) == [1, 2]
