"""A hand-over in virtual time: what the next connection brings until it takes over, and when it may."""

from __future__ import annotations

import time
from typing import cast

import pytest
from line_bench import A, B, PlainVenue, SilentVenue, trade
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
    sinces,
    stamps,
)

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.sources._handover import Handover
from rxstreams.states import StreamState


def overlapping(venue: PlainVenue | None = None, *, more: tuple[str, ...] = ()) -> OwnedBench:
    """Return a feed whose next connection has just been opened."""
    bench = OwnedBench(venue or PlainVenue(), max_age=100.0)
    if more:
        bench.feed.add(more)
        bench.push(acknowledged(*more, at=0))
    begin(bench)
    bench.wait(101.0)
    assert len(bench.sockets) == 2
    return bench


@pytest.mark.parametrize("have_ids", [True, False])
def test_next_connection_when_it_is_behind_then_what_the_old_one_brought_comes_once(have_ids: bool) -> None:
    """It brings it again after it took over; without ids too, where no trade looks like a repetition."""
    bench = OwnedBench(PlainVenue(), max_age=100.0)
    candles = candles_of(bench)

    def tick(symbol: str, seconds: float, number: int) -> PriceTick:
        return trade(symbol, seconds, number if have_ids else None)

    bench.push(acknowledged(A, B, at=0))
    bench.push(tick(A, 1, 1), tick(B, 2, 1))
    bench.wait(101.0)
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 0, tick(A, 121.5, 2), tick(B, 121.6, 2), tick(A, 125, 3))
    push(bench, 1, tick(A, 121.5, 2))
    push(bench, 1, tick(B, 121.6, 2))
    assert stamps(bench) == [1, 121.5, 125]
    push(bench, 1, tick(A, 125, 3), tick(A, 190, 4))
    assert stamps(bench) == [1, 121.5, 125, 190]
    assert stamps(bench, B) == [2, 121.6]
    assert set(sinces(bench)) == {0}
    assert closed(candles) == [(0, 1, False), (2, 2, True)]


def test_twins_without_ids_when_one_connection_takes_over_then_each_of_them_is_sent() -> None:
    """Two that are alike, both behind on the next connection, and a third one that only this one brings."""
    bench = overlapping()
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 0, trade(A, 121.5), trade(B, 121.6), trade(A, 125), trade(A, 125))
    push(bench, 1, trade(A, 121.5), trade(B, 121.6), trade(A, 125))
    assert stamps(bench) == [1, 121.5, 125, 125]
    push(bench, 1, trade(A, 125), trade(A, 125), trade(A, 126))
    assert stamps(bench) == [1, 121.5, 125, 125, 125, 126]


def test_trade_without_id_when_stamped_before_the_first_one_then_comes_once() -> None:
    """Stamps step back by up to the venue's disorder, and nothing was acknowledged that would tell the beginning."""
    bench = OwnedBench(SilentVenue(), max_age=100.0)
    bench.push(trade(A, 1), trade(B, 2))
    bench.wait(101.0)
    push(bench, 0, trade(A, 121.5), trade(B, 121.6), trade(B, 120.2))
    push(bench, 1, trade(A, 121.5), trade(B, 121.6))
    push(bench, 1, trade(B, 120.2), trade(B, 190))
    assert stamps(bench, B) == [2, 121.6, 120.2, 190]


def test_acknowledgement_when_it_has_no_time_and_the_old_line_lags_then_it_is_at_the_next_stamp() -> None:
    """Not at the newest one before it, which the old connection may have reached without having caught up."""
    bench = overlapping(more=(C,))
    push(bench, 0, trade(C, 3, 1), trade(A, 100, 2))
    # The old connection is 15 s late.
    push(bench, 1, acknowledged(B), trade(B, 110, 2))
    push(bench, 1, acknowledged(A, C))  # at 120
    push(bench, 0, trade(B, 110, 2))
    push(bench, 1, trade(B, 121, 3))
    push(bench, 0, trade(C, 116, 2))
    push(bench, 1, trade(B, 122, 4))
    push(bench, 0, trade(A, 118, 3))
    assert ids(bench) == [1, 2, 3]
    push(bench, 1, trade(A, 185, 4))
    assert ids(bench) == [1, 2, 3]
    push(bench, 0, trade(A, 185, 4))
    push(bench, 1, trade(A, 186, 5))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert ids(bench, B) == [1, 2, 3, 4]
    assert ids(bench, C) == [1, 2]


def test_quiet_symbol_when_the_venue_acknowledges_nothing_then_does_not_hinder_the_hand_over() -> None:
    """It is subscribed to at the next stamp; once both are past that, nothing of it can be missing."""
    bench = overlapping(SilentVenue())
    for number in range(2, 5):
        for socket in (0, 1):
            push(bench, socket, trade(A, 100 + 2 * number, number))
    push(bench, 1, trade(A, 190, 5), trade(B, 191, 2))
    assert ids(bench) == [1, 2, 3, 4, 5]
    assert ids(bench, B) == [1, 2]


def test_next_connection_when_it_is_never_proven_then_the_attempts_become_rare() -> None:
    """Each holds a connection open for a minute, which the venue counts."""
    bench = overlapping()
    for minute in range(60):
        push(bench, 0, trade(A, 200 + 60 * minute, 2 + minute))  # that the next one is not acknowledged
        bench.wait(60.0)
    assert 20 <= len(bench.sockets) <= 27
    assert ids(bench) == [1, *range(2, 62)]


def test_busy_symbol_when_its_first_trade_is_forgotten_then_it_stays_joined() -> None:
    """A quiet one may keep the hand-over waiting for longer than trades are remembered; then nothing is kept."""
    bench = overlapping()
    push(bench, 1, acknowledged(A, B, at=110))
    for number in range(2, 2102):
        for socket in (0, 1):
            push(bench, socket, trade(A, 110 + number / 2000, number))
    for socket in (0, 1):
        push(bench, socket, trade(B, 113, 2), trade(A, 114, 2102))
    push(bench, 1, trade(A, 115, 2103))
    assert ids(bench) == list(range(1, 2104))
    assert cast("Handover", bench.owners[1]).held == []


def test_state_when_the_old_connection_was_stale_then_it_is_that_of_the_next_one() -> None:
    """It said so once, before it took over."""
    bench = overlapping()
    bench.owners[0].on_state(StreamState.STREAMING)
    bench.owners[0].on_state(StreamState.STALE)
    bench.owners[1].on_state(StreamState.SUBSCRIBING)
    push(bench, 1, acknowledged(A, B, at=121))
    bench.owners[1].on_state(StreamState.STREAMING)
    states = [bench.feed.state]
    for socket in (0, 1):
        push(bench, socket, trade(A, 121.5, 2), trade(B, 121.6, 2))
    states.append(bench.feed.state)
    assert states == [StreamState.STALE, StreamState.STREAMING]


def test_feed_when_an_observer_ends_it_during_the_take_over_then_nothing_more_is_taken() -> None:
    """The line is gone, though much is held still."""
    bench = overlapping()

    def end(tick: PriceTick) -> None:
        if tick.trade_id == 3:
            bench.subscription.dispose()
            subscription.dispose()

    subscription = bench.feed.subscribe(end)
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 1, trade(B, 121.6, 2), trade(A, 121.5, 2), *(trade(A, 122, number) for number in range(3, 10)))
    push(bench, 0, trade(B, 121.6, 2), trade(A, 121.5, 2))
    taken = bench.feed.stats.ticks
    push(bench, 1, trade(A, 123, 10))
    assert ids(bench) == [1, 2, 3]
    assert bench.feed.stats.ticks == taken + 1


def test_trade_when_it_was_held_with_a_stamp_of_tomorrow_then_is_a_bad_message_of_the_line_that_took_over() -> None:
    """As on any connection: refused and counted, and the next connection stays."""
    bench = overlapping()
    tomorrow = PriceTick(symbol=A, price=1.0, timestamp=time.time_ns() + 86_400 * SECOND, trade_id=9)
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 0, trade(A, 121.5, 2), trade(B, 121.6, 2))
    push(bench, 1, trade(A, 121.5, 2), trade(B, 121.6, 2), tomorrow)
    assert bench.feed.stats.parse_errors == 1
    push(bench, 1, trade(A, 190, 3))  # held: what the bad message may have hidden is fetched first
    answer(bench, A, trade(A, 121.5, 2), trade(A, 190, 3))
    assert ids(bench) == [1, 2, 3]
    assert len(bench.sockets) == 2
