"""What REST answers for a gap must begin with what is known, whatever it begins with instead."""

from __future__ import annotations

from typing import ClassVar

import pytest
from line_bench import A, B, Bench, PlainVenue, trade
from msgspec.structs import replace
from recovery_bench import (
    CountedVenue,
    acknowledged,
    answer,
    begin,
    candles_of,
    closed,
    ids,
    running,
    sinces,
    streaming,
)

from rxstreams.errors import HistoryTooShort, MessageError, Refused, ServerRejected
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.sources.venue import Channel
from rxstreams.states import StreamEvent
from rxstreams.timeframe import Timeframe

LATE = "what was fetched does not contain the last trade that was known before"
SHORT = "what was fetched does not lead up to what came live since then"
HOLE = "trades are missing from what was fetched, by their ids"


class CutVenue(PlainVenue):
    """Its REST API writes whole seconds."""

    rest_resolution: ClassVar[int] = SECOND


def lost(bench: Bench, symbol: str = A) -> list[StreamEvent]:
    """Return what was told of lost gaps of a symbol."""
    return [event for event in bench.events if event.kind == "lost" and event.symbols == (symbol,)]


def away(bench: Bench, *live: PriceTick, at: float = 70) -> None:
    """Lose the connection, come back at a time, and bring trades."""
    bench.lose()
    bench.push(acknowledged(A, B, at=at))
    if live:
        bench.push(*live)


def keep_answering(bench: Bench, symbol: str, *trades: PriceTick) -> None:
    """Answer all fetches of a symbol with the same until the holding ends."""
    for _ in range(120):
        for fetch in running(bench, symbol):
            fetch.answer(*(tick for tick in trades if tick.timestamp >= fetch.since))
        bench.wait(0.1)


@pytest.mark.parametrize("venue", [PlainVenue, CountedVenue])
def test_quiet_symbol_when_the_answer_is_empty_then_its_gap_is_not_closed(venue: type[PlainVenue]) -> None:
    """It has traded, and a good answer says so; a later one has the trade that was missed."""
    bench = Bench(venue(), recovers=True)
    candles = candles_of(bench)
    begin(bench, -1)
    away(bench)
    bench.wait(5.1)
    answer(bench, B, trade(B, 2, 1))
    answer(bench, A)
    assert ids(bench) == [1]
    bench.wait(1.0)
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2))
    bench.push(trade(A, 130, 3))
    assert ids(bench) == [1, 2, 3]
    assert closed(candles) == [(0, 2, True)]


def test_quiet_symbol_when_all_answers_are_empty_then_its_gap_is_lost_and_says_why() -> None:
    """After ``max_hold``, as one that can't be fetched."""
    bench = streaming()
    away(bench)
    bench.wait(5.1)
    keep_answering(bench, A)
    (event,) = lost(bench)
    assert event.reason == f"it was not recovered within 10 s: {LATE}"
    bench.push(trade(A, 90, 3))
    assert sinces(bench) == [0, 70]


def test_gap_when_the_answer_begins_too_late_then_is_fetched_again_from_its_beginning() -> None:
    """Though it contains what came live: trades of before its own beginning are missing."""
    bench = streaming()
    away(bench, trade(A, 71, 4))
    answer(bench, A, trade(A, 60, 3), trade(A, 71, 4))
    assert ids(bench) == [1]
    bench.wait(1.0)
    (fetch,) = running(bench)
    assert fetch.since == bench.fetches[0].since
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2), trade(A, 60, 3), trade(A, 71, 4))
    assert ids(bench) == [1, 2, 3, 4]


def test_gap_when_rest_names_trades_differently_then_none_of_them_comes_twice() -> None:
    """Its ids are not the socket's: nothing tells which trade is which, so the gap is lost."""
    bench = streaming()
    away(bench, trade(A, 71, 4), trade(A, 75, 5))
    other = [trade(A, at, 1000 + number) for number, at in enumerate((1, 30, 71, 75, 90))]
    keep_answering(bench, A, *other)
    assert ids(bench) == [1, 4, 5]
    assert lost(bench)[0].reason.endswith(LATE)


def test_history_when_rest_names_trades_differently_then_none_of_them_comes_twice() -> None:
    """No trade is known before it, but one of those that came live must be in it, not only later ones."""
    bench = Bench(PlainVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    bench.push(acknowledged(A, B, at=25))
    bench.push(trade(A, 26, 5), trade(A, 27, 6))
    keep_answering(bench, A, trade(A, 10, 100), trade(A, 26, 101), trade(A, 27, 102), trade(A, 40, 103))
    assert ids(bench) == [5, 6]
    assert lost(bench)[0].reason.endswith(SHORT)


def test_gap_when_nothing_is_known_of_its_symbol_then_an_empty_answer_closes_it() -> None:
    """A symbol that has never traded; so does one that traded only before its coverage began."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(trade(B, 1, 1))
    bench.push(acknowledged(A, B, at=10))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    bench.wait(5.1)
    answer(bench, A)
    answer(bench, B)
    assert [event.symbols for event in bench.events if event.kind == "recovered"] == [(A,), (B,)]


def test_gap_when_an_attempt_broke_that_had_begun_too_late_then_nothing_of_it_is_kept() -> None:
    """Else every later one would begin too late as well."""
    bench = streaming(settle=0.5)
    away(bench, trade(A, 71, 6))
    (fetch,) = running(bench)
    for tick in (trade(A, 40, 3), trade(A, 50, 4), trade(A, 60, 5)):
        fetch.observer.on_next(tick)
    fetch.fail(ServerRejected("503"))
    bench.wait(1.0)
    assert running(bench)[0].since == fetch.since
    published = [(1, 1), (30, 2), (40, 3), (50, 4), (60, 5), (71, 6)]
    answer(bench, A, *(trade(A, at, number) for at, number in published))
    assert ids(bench) == [1, 2, 3, 4, 5, 6]


def test_gap_when_the_rest_of_a_broken_attempt_begins_too_late_then_all_is_fetched_again() -> None:
    """It must contain the newest trade that the first part has brought."""
    bench = streaming(settle=0.5)
    away(bench, trade(A, 71, 6))
    (fetch,) = running(bench)
    for tick in (trade(A, 1, 1), trade(A, 30, 2), trade(A, 40, 3)):
        fetch.observer.on_next(tick)
    fetch.fail(ServerRejected("503"))
    bench.wait(1.0)
    (second,) = running(bench)
    assert second.since > fetch.since
    second.answer(trade(A, 60, 5), trade(A, 71, 6))
    assert ids(bench) == [1]
    bench.wait(1.0)
    assert running(bench)[0].since == fetch.since
    published = [(1, 1), (30, 2), (40, 3), (50, 4), (60, 5), (71, 6)]
    answer(bench, A, *(trade(A, at, number) for at, number in published))
    assert ids(bench) == [1, 2, 3, 4, 5, 6]


def test_gap_when_the_line_breaks_again_then_the_last_trade_of_before_must_be_fetched() -> None:
    """Not one that came between: what was missed before that is wanted as well."""
    bench = streaming(max_hold=100.0)
    away(bench, trade(A, 71, 4))
    bench.lose()
    bench.push(acknowledged(A, B, at=140))
    bench.push(trade(A, 141, 6))
    answer(bench, A, trade(A, 60, 3), trade(A, 71, 4), trade(A, 100, 5), trade(A, 141, 6))
    assert ids(bench) == [1]
    bench.wait(1.0)
    published = [(1, 1), (30, 2), (60, 3), (71, 4), (100, 5), (141, 6)]
    answer(bench, A, *(trade(A, at, number) for at, number in published))
    assert ids(bench) == [1, 2, 3, 4, 5, 6]


def test_bad_frame_when_the_answer_is_empty_then_what_was_in_it_is_fetched_again() -> None:
    """As after a loss of the connection."""
    bench = streaming()
    bench.push(trade(A, 30, 2), MessageError("not understood"))
    bench.wait(5.1)
    answer(bench, A)
    bench.wait(1.0)
    answer(bench, A, trade(A, 30, 2), trade(A, 31, 3))
    assert ids(bench) == [1, 2, 3]


def test_history_when_it_was_sent_then_its_last_trade_must_be_in_the_next_gap_s_answer() -> None:
    """It was delivered, though not by the line; its cut stamp is not its own."""
    bench = Bench(CutVenue(), Channel("trades", running=Timeframe("1m")), recovers=True)
    bench.push(acknowledged(A, B, at=25))
    bench.wait(5.1)
    answer(bench, A, trade(A, 10, 3), trade(A, 20, 4))
    answer(bench, B)
    assert ids(bench) == [3, 4]
    away(bench, trade(A, 96.5, 9), at=95)
    answer(bench, A, trade(A, 96, 9))
    assert ids(bench) == [3, 4]
    bench.wait(1.0)
    answer(bench, A, trade(A, 20, 4), trade(A, 50, 8), trade(A, 96, 9))
    assert ids(bench) == [3, 4, 8, 9]


def test_cut_stamps_when_the_last_known_trade_is_fetched_with_one_then_it_is_found() -> None:
    """By its id."""
    bench = streaming(CutVenue())
    bench.push(trade(A, 12.7, 2))
    away(bench)
    bench.wait(5.1)
    answer(bench, A, trade(A, 12, 2))
    assert [event.symbols for event in bench.events if event.kind == "recovered"] == [(A,)]


def test_trades_without_ids_when_the_last_known_one_is_not_fetched_then_the_gap_stays_open() -> None:
    """It is told by time, price, volume and side."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(A, 1))
    away(bench, trade(A, 71))
    answer(bench, A, replace(trade(A, 1), price=2.0), trade(A, 71))
    assert len(bench.ticks) == 1
    bench.wait(1.0)
    answer(bench, A, trade(A, 1), trade(A, 71))
    assert len(bench.ticks) == 2


def test_contiguous_ids_when_the_answer_begins_right_after_the_last_known_trade_then_is_good() -> None:
    """Nothing lies between them."""
    bench = streaming(CountedVenue())
    away(bench)
    bench.wait(5.1)
    answer(bench, A, trade(A, 30, 2), trade(A, 31, 3))
    assert ids(bench) == [1, 2, 3]


@pytest.mark.parametrize("is_settled", [False, True])
def test_contiguous_ids_when_the_answer_has_a_hole_then_is_not_good_though_made_late(is_settled: bool) -> None:
    """The missing trade shows: the gap is lost, and the coverage begins after the hole."""
    bench = streaming(CountedVenue())
    candles = candles_of(bench)
    away(bench)
    if is_settled:
        bench.wait(5.1)
    bench.push(trade(A, 71, 4))
    published = [trade(A, 1, 1), trade(A, 60.5, 3), trade(A, 71, 4)]
    keep_answering(bench, A, *published)
    assert ids(bench) == [1, 4]
    assert lost(bench)[0].reason.endswith(HOLE)
    bench.push(trade(A, 72, 5), trade(A, 125, 6), trade(A, 185, 7))
    assert sinces(bench) == [0, 73, 73, 73, 73]
    assert [candle for candle in closed(candles) if candle[2]] == [(2, 1, True)]


def test_contiguous_ids_when_a_quiet_symbol_s_answer_has_a_hole_then_its_gap_is_not_closed() -> None:
    """The hole shows without any live trade; the next answer has none."""
    bench = streaming(CountedVenue())
    away(bench)
    bench.wait(5.1)
    answer(bench, A, trade(A, 1, 1), trade(A, 61, 3))
    assert ids(bench) == [1]
    bench.wait(1.0)
    answer(bench, A, trade(A, 1, 1), trade(A, 30, 2), trade(A, 61, 3))
    assert ids(bench) == [1, 2, 3]


def test_contiguous_ids_when_the_live_ones_are_older_then_they_prove_nothing() -> None:
    """The venue has begun to count anew."""
    bench = streaming(CountedVenue())
    bench.push(trade(A, 3, 2), trade(A, 4, 3))
    away(bench, trade(A, 71, 0))
    assert ids(bench) == [1, 2, 3]
    assert len(running(bench)) == 1


def test_history_when_it_is_too_short_but_reaches_the_loss_then_is_an_answer() -> None:
    """A symbol that was quiet for longer than REST remembers: its coverage goes on."""
    bench = streaming()
    bench.push(trade(B, 200, 2))
    away(bench, trade(A, 271, 3), at=270)
    (fetch,) = running(bench)
    for tick in (trade(A, 198, 2), trade(A, 271, 3)):
        fetch.observer.on_next(tick)
    fetch.fail(HistoryTooShort("its own begin later"))
    assert ids(bench) == [1, 2, 3]
    assert sinces(bench) == [0, 0, 0]
    assert lost(bench) == []


@pytest.mark.parametrize("first", [199, 198.5])
def test_history_when_it_begins_after_the_loss_then_the_gap_is_hopeless(first: float) -> None:
    """The line's newest stamp less its disorder: a trade of before its beginning may be missing."""
    bench = streaming()
    bench.push(trade(B, 200, 2))
    away(bench, trade(A, 271, 3), at=270)
    (fetch,) = running(bench)
    for tick in (trade(A, first, 2), trade(A, 271, 3)):
        fetch.observer.on_next(tick)
    error = HistoryTooShort("its own begin later")
    fetch.fail(error)
    assert ids(bench) == [1, 3]
    assert lost(bench)[0].reason == f"it can't be recovered: {error}"


def test_cut_history_when_its_first_trade_may_be_of_after_the_loss_then_the_gap_is_hopeless() -> None:
    """A cut stamp says within which second."""
    bench = streaming(CutVenue())
    bench.push(trade(B, 200, 2))
    away(bench, trade(A, 271, 3), at=270)
    (fetch,) = running(bench)
    for tick in (trade(A, 198, 2), trade(A, 271, 3)):
        fetch.observer.on_next(tick)
    fetch.fail(HistoryTooShort("its own begin later"))
    assert ids(bench) == [1, 3]


def test_history_when_it_is_too_short_and_lags_behind_then_is_fetched_again() -> None:
    """It is judged as any other answer."""
    bench = streaming()
    bench.push(trade(B, 200, 2))
    away(bench, trade(A, 271, 4), at=270)
    (fetch,) = running(bench)
    fetch.observer.on_next(trade(A, 198, 2))
    fetch.fail(HistoryTooShort("its own begin later"))
    assert ids(bench) == [1]
    bench.wait(1.0)
    (fetch,) = running(bench)
    for tick in (trade(A, 198, 2), trade(A, 260, 3), trade(A, 271, 4)):
        fetch.observer.on_next(tick)
    fetch.fail(HistoryTooShort("its own begin later"))
    assert ids(bench) == [1, 2, 3, 4]


@pytest.mark.parametrize(("has_live", "expected"), [(True, [1, 2, 3]), (False, [1])])
def test_fetch_when_it_fails_for_good_after_it_reached_what_is_live_then_that_is_enough(
    has_live: bool, expected: list[int]
) -> None:
    """Where nothing has come live, nobody knows what the pages after it would have held."""
    bench = streaming()
    away(bench)
    bench.wait(5.1)
    if has_live:
        bench.push(trade(A, 76, 3))
    (fetch,) = running(bench)
    for tick in (trade(A, 1, 1), trade(A, 30, 2), trade(A, 76, 3)):
        fetch.observer.on_next(tick)
    fetch.fail(Refused("HTTP 403"))
    assert ids(bench) == expected


def test_busy_symbol_when_thousands_of_trades_were_delivered_then_its_newest_must_be_fetched() -> None:
    """Older ones are forgotten."""
    bench = streaming()
    bench.push(*(trade(A, 10 + number / 100, number + 2) for number in range(3000)))
    away(bench, trade(A, 101, 3003), at=100)
    answer(bench, A, trade(A, 50, 3002), trade(A, 101, 3003))
    assert ids(bench)[-1] == 3001
    bench.wait(1.0)
    answer(bench, A, trade(A, 39.99, 3001), trade(A, 50, 3002), trade(A, 101, 3003))
    assert ids(bench)[-3:] == [3001, 3002, 3003]
