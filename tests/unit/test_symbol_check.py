"""Symbols that a venue does not have: named by its list where it says nothing, found by asking again where it does."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest
from line_bench import A, B, Bench, PlainVenue, SilentVenue, trade
from reactivex import Observable, abc
from reactivex.disposable import Disposable
from recovery_bench import C, OwnedBench, acknowledged, begin, ids, push, sinces

from rxstreams.config import StreamConfig
from rxstreams.errors import ServerRejected, SubscriptionError
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._fetching import listed_symbols
from rxstreams.sources._symbol_check import SymbolCheck
from rxstreams.sources.venue import Acknowledged, Channel, Rejected, RestRequest
from rxstreams.states import StreamState
from rxstreams.timeframe import Timeframe


class QuietVenue(PlainVenue):
    """Says nothing about symbols that it does not have; spells without a slash."""

    refuses_unknown: ClassVar[bool] = False
    rest_url: ClassVar[str] = "http://127.0.0.1:9"

    def to_venue_symbol(self, symbol: str) -> str:
        """Return it without the slash."""
        return symbol.replace("/", "")

    def symbols_request(self) -> RestRequest | None:
        """Return what asks for the list."""
        return RestRequest(path="/symbols")


class Lists:
    """Answers the requests for the list by hand."""

    def __init__(self) -> None:
        self.asked: list[abc.ObserverBase[frozenset[str]]] = []
        self.left: list[Disposable] = []

    def __call__(self) -> Observable[frozenset[str]]:
        """Ask the test."""

        def subscribe(
            observer: abc.ObserverBase[frozenset[str]], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            self.asked.append(observer)
            self.left.append(Disposable())
            return self.left[-1]

        return Observable(subscribe)

    def answer(self, *spellings: str) -> None:
        """Bring the list that was asked for last."""
        self.asked[-1].on_next(frozenset(spellings))
        self.asked[-1].on_completed()


def quiet(**options: Any) -> tuple[Bench, Lists]:
    """Return a running feed of A and B at a venue that refuses nothing."""
    lists = Lists()
    bench = Bench(QuietVenue(), list_symbols=lists, **options)
    bench.push(acknowledged(A, B, at=0))
    return bench, lists


def refused(bench: Bench) -> list[tuple[tuple[str, ...], str]]:
    """Return what was refused, and why."""
    return [(event.symbols, event.reason) for event in bench.events if event.kind == "refused"]


def test_feed_when_the_list_lacks_a_symbol_then_it_ends_as_if_the_venue_had_refused_it() -> None:
    """The others go on, on a new span."""
    bench, lists = quiet()
    bench.push(trade(A, 1, 1))
    lists.answer("AUSD", "CUSD")
    assert refused(bench) == [((B,), "plain has no symbol B/USD")]
    (error,) = [event.error for event in bench.events if event.kind == "refused"]
    assert isinstance(error, SubscriptionError)
    assert bench.feed.symbols == (A,)
    bench.push(trade(A, 2, 2), trade(B, 2, 1))
    assert [tick.symbol for tick in bench.ticks] == [A, A]
    assert len(lists.asked) == 1
    bench.lose()
    assert len(lists.asked) == 1


def test_feed_when_the_list_has_none_of_its_symbols_then_fails() -> None:
    """As it would if the venue had refused them all."""
    bench, lists = quiet()
    failed: list[Exception] = []
    bench.feed.subscribe(on_error=failed.append)
    lists.answer("CUSD")
    assert [str(error) for error in failed] == ["the venue refused A/USD, B/USD: plain has no symbol A/USD, B/USD"]
    assert bench.feed.state is StreamState.FAILED


def test_list_when_it_comes_then_symbols_that_were_removed_meanwhile_are_not_touched() -> None:
    """Nobody wants to hear of them."""
    bench, lists = quiet()
    bench.feed.remove([B])
    lists.answer("AUSD")
    assert refused(bench) == []


def test_symbols_when_added_then_the_list_is_asked_for_again_unless_it_is_on_its_way() -> None:
    """Once for all that wait for it."""
    bench, lists = quiet(symbols_per_socket=2)
    bench.feed.add([C])
    bench.feed.add([A])
    assert len(lists.asked) == 1
    lists.answer("AUSD", "BUSD")
    assert refused(bench) == [((C,), "plain has no symbol C/USD")]
    bench.feed.add(["D/USD"])
    assert len(lists.asked) == 2
    lists.answer("AUSD", "BUSD", "DUSD")
    assert bench.feed.symbols == (A, B, "D/USD")


@pytest.mark.parametrize("how", ["failed", "empty"])
def test_feed_when_the_list_cannot_be_had_then_warns_and_goes_on(caplog: pytest.LogCaptureFixture, how: str) -> None:
    """Once; a list without anything in it is none."""
    bench, lists = quiet()
    with caplog.at_level(logging.WARNING, "rxstreams"):
        if how == "failed":
            lists.asked[0].on_error(ServerRejected("HTTP 500"))
        else:
            lists.answer()
    (record,) = caplog.records
    assert record.getMessage() == (
        "plain.trades: the list of symbols can't be had, so one that plain does not have is not told: "
        + {"failed": "HTTP 500", "empty": "it is empty"}[how]
    )
    bench.push(trade(B, 1, 1))
    assert ids(bench, B) == [1]
    bench.feed.add([C])
    assert len(lists.asked) == 2


def test_list_when_the_feed_has_ended_then_nobody_waits_for_it() -> None:
    """The request is given up, and whoever comes back asks anew."""
    bench, lists = quiet()
    bench.subscription.dispose()
    assert lists.left[0].is_disposed
    bench.feed.subscribe(bench.ticks.append)
    assert len(lists.asked) == 2
    lists.answer("AUSD", "BUSD")
    assert refused(bench) == []


def test_list_when_the_feed_is_one_of_candles_then_it_is_asked_for_as_well() -> None:
    """A venue that says nothing says nothing there either."""
    lists = Lists()
    bench = Bench(QuietVenue(), Channel("candles", Timeframe("1m")), list_symbols=lists)
    lists.answer("AUSD")
    assert bench.feed.symbols == (A,)


class OutspokenVenue(QuietVenue):
    """Refuses what it does not have."""

    refuses_unknown: ClassVar[bool] = True


class ListlessVenue(QuietVenue):
    """Has no list."""

    def symbols_request(self) -> RestRequest | None:
        """Return None."""
        return None


@pytest.mark.parametrize(
    ("venue", "options", "asks"),
    [
        (QuietVenue(), {}, True),
        (OutspokenVenue(), {}, False),
        (ListlessVenue(), {}, False),
        (QuietVenue(), {"url": "ws://127.0.0.1:9"}, False),
        (QuietVenue(), {"url": "ws://127.0.0.1:9", "rest_url": "http://127.0.0.1:9"}, True),
        (QuietVenue(), {"recover": False}, False),
    ],
    ids=["quiet", "outspoken", "no list", "own socket", "own REST", "no REST wanted"],
)
def test_list_when_it_is_not_needed_or_cannot_be_asked_for_then_it_is_not(
    venue: QuietVenue, options: dict[str, Any], asks: bool
) -> None:
    """The same REST API that gaps are recovered from."""
    scheduler = EventLoopThreadScheduler("never-started")
    assert (listed_symbols(venue, StreamConfig.of(options), scheduler) is not None) is asks


def test_check_when_nothing_is_to_be_compared_then_nothing_is_asked_for() -> None:
    """Neither without symbols nor without a list."""
    lists = Lists()
    check = SymbolCheck(QuietVenue(), "feed", lambda _: pytest.fail("nothing is unknown"))
    check.check((), lists)
    check.check((A,), None)
    assert lists.asked == []


# Requests that are refused as a whole


def test_request_when_it_is_refused_as_a_whole_then_the_good_symbol_goes_on() -> None:
    """Each half is asked for again; the bad one is told once, alone."""
    bench = Bench(PlainVenue())
    bench.push(Rejected(reason="bad request", request=1))
    assert bench.sent == ["subscribe 1", "subscribe 2", "subscribe 3"]
    assert refused(bench) == []
    bench.push(Acknowledged(symbols=(), request=2, time=acknowledged(at=5).time))
    bench.push(Rejected(reason="unknown pair", request=3))
    assert refused(bench) == [((B,), "unknown pair")]
    bench.push(trade(A, 6, 1))
    assert sinces(bench) == [5]
    assert bench.feed.symbols == (A,)


def test_request_when_which_one_is_refused_is_not_said_then_an_acknowledgement_may_tell() -> None:
    """Then the other one was it."""
    bench = Bench(PlainVenue())
    bench.feed.add([C])
    bench.push(Rejected(reason="unknown pair"))
    assert refused(bench) == []
    bench.push(acknowledged(A, B, at=5))
    assert refused(bench) == [((C,), "unknown pair")]


def test_symbols_when_taken_back_after_they_were_taken_for_confirmed_then_are_recovered_from_there() -> None:
    """Of a venue that acknowledges nothing: all of the line begins anew, with the trades that were missed."""
    bench = OwnedBench(SilentVenue())
    bench.push(trade(A, 1, 1), trade(B, 2, 1))
    bench.push(Rejected(reason="too many at once", request=1))
    assert bench.sent == ["subscribe 1", "subscribe 2", "subscribe 3"]
    bench.push(trade(A, 30, 5))
    (fetch,) = [each for each in bench.fetches if each.symbol == A]
    fetch.answer(trade(A, 1, 1), trade(A, 15, 3), trade(A, 30, 5))
    assert ids(bench) == [1, 3, 5]
    assert len(set(sinces(bench))) == 1


def test_symbols_when_acknowledged_by_name_then_a_nameless_refusal_of_the_request_is_not_of_them() -> None:
    """It was of others that were asked for together with them."""
    bench = Bench(PlainVenue())
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(A, 1, 1))
    bench.push(Rejected(reason="too many", request=1))
    bench.push(trade(A, 10, 2))
    assert refused(bench) == []
    assert sinces(bench) == [0, 0]


def test_hand_over_when_the_next_connection_acknowledges_whole_requests_then_takes_over() -> None:
    """By the number of its own request; one that is refused there ends the attempt and nothing else."""
    bench = OwnedBench(PlainVenue(), max_age=100.0)
    begin(bench)
    bench.wait(101.0)
    push(bench, 1, Rejected(reason="too many", request=1))
    bench.wait(10.0)
    assert len(bench.sockets) == 3
    assert refused(bench) == []
    push(bench, 2, Acknowledged(symbols=(), request=1, time=acknowledged(at=121).time))
    for socket in (0, 2):
        push(bench, socket, trade(A, 121.5, 2), trade(B, 121.6, 2))
    push(bench, 2, trade(A, 122, 3))
    assert ids(bench) == [1, 2, 3]
