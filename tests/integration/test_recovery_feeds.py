"""Recovery in a feed, one story at a time: what the socket misses is fetched, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from plain_client import START, tick

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import AnyFault, DropRest, FakeExchange, RestFault, RestStatus, SlowRest, StaleRest, fast_config

_BTC, _ETH, _ADA = "BTC/USD", "ETH/USD", "ADA/USD"
_HELD_OPEN = 5.0  # seconds that REST takes to answer where a recovery is to stay open; no test waits for it


class World:
    """A feed of two symbols, and an exchange whose time is moved by what the test publishes."""

    def __init__(self, exchange: FakeExchange, feed: Stream[PriceTick]) -> None:
        self.exchange = exchange
        self.feed = feed
        self.ticks: list[PriceTick] = []
        self.events: list[StreamEvent] = []
        self.errors: list[Exception] = []
        self.completed = threading.Event()
        self._next = {_BTC: 1, _ETH: 1, _ADA: 1}
        self._events = feed.events.subscribe(self._on_event)
        self.subscription = feed.subscribe(self.ticks.append, self.errors.append, self.completed.set)
        self.wait_connected()

    def _on_event(self, event: StreamEvent) -> None:
        if event.kind != "state":
            self.events.append(event)

    def close(self) -> None:
        """Tidy up."""
        self.subscription.dispose()
        self._events.dispose()

    def trade(self, *symbols: str) -> None:
        """Publish a trade of each symbol, a tenth of a second after what was before."""
        for symbol in symbols:
            passed = sum(self._next.values()) / 10
            self.exchange.publish(tick(passed, symbol=symbol, trade_id=self._next[symbol]))
            self._next[symbol] += 1

    def wait_connected(self, number: int = 1, symbols: tuple[str, ...] = (_BTC, _ETH)) -> None:
        """Wait until so many connections were opened and the last one is sent the symbols."""

        def is_connected() -> bool:
            records = self.exchange.connections
            return len(records) >= number and records[-1].symbols == set(symbols)

        self.wait(is_connected)
        self.wait(lambda: self.feed.state is StreamState.STREAMING)

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        self.exchange.wait_until(condition)

    def lose(self, *missed: str) -> None:
        """Cut the connection, publish trades that it misses, and wait for the next one."""
        before = len(self.exchange.connections)
        self.exchange.refuse()
        assert self.exchange.drop_all() == 1
        self.wait(lambda: self.exchange.connections[-1].closed)
        self.trade(*missed)
        self.exchange.refuse(False)
        self.wait_connected(before + 1)

    def ids(self, symbol: str) -> list[int | str | None]:
        """Return the ids that have come."""
        return [each.trade_id for each in self.ticks.copy() if each.symbol == symbol]

    def kinds(self, *kinds: str) -> list[tuple[str, tuple[str, ...]]]:
        """Return the events of some kinds, and their symbols."""
        return [(event.kind, event.symbols) for event in self.events.copy() if event.kind in kinds]

    def sinces(self, symbol: str) -> list[int]:
        """Return the different sinces, as they came."""
        return list(dict.fromkeys(each.since for each in self.ticks.copy() if each.symbol == symbol))


@contextmanager
def world(*faults: AnyFault, **options: Any) -> Generator[World]:
    """Run a feed of two symbols, connected."""
    scheduler = EventLoopThreadScheduler("test-recovery")
    try:
        with FakeExchange(symbols=[_BTC, _ETH, _ADA], faults=faults, start=START) as exchange:
            config = fast_config(url=exchange.url, rest_url=exchange.rest_url, connect_timeout=10.0, **options)
            running = World(exchange, kraken.trades([_BTC, _ETH], scheduler=scheduler, **config))
            try:
                yield running
            finally:
                running.close()
    finally:
        scheduler.dispose()


def test_gap_when_closed_then_the_feed_tells_of_the_loss_and_of_each_symbol() -> None:
    """The missed trades come between the others, with the since of before; the span is the old one again."""
    with world() as it:
        it.trade(_BTC, _ETH, _BTC)
        it.lose(_BTC, _ETH, _BTC)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == [1, 2, 3, 4, 5] and it.ids(_ETH) == [1, 2, 3])
        assert it.kinds("loss", "recovered", "lost")[0] == ("loss", (_BTC, _ETH))
        assert sorted(it.kinds("loss", "recovered", "lost")[1:]) == [("recovered", (_BTC,)), ("recovered", (_ETH,))]
        assert len({(each.since, each.symbol) for each in it.ticks}) == 2
        assert it.feed.stats.ticks == 8


def test_gap_when_a_symbol_is_quiet_then_its_missed_trade_comes_without_another() -> None:
    """Nothing live has to come: after a while REST knows all that there was."""
    with world() as it:
        it.trade(_BTC, _ETH)
        it.lose(_ETH)
        it.wait(lambda: it.ids(_ETH) == [1, 2])
        it.wait(lambda: len(it.kinds("recovered")) == 2)
        assert it.ids(_BTC) == [1]


def test_gap_when_nothing_was_missed_then_contiguous_ids_prove_it_without_a_request() -> None:
    """The symbol that trades on at once needs no fetch."""
    with world(settle=_HELD_OPEN) as it:
        it.trade(_BTC, _ETH)
        it.lose()
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == it.ids(_ETH) == [1, 2])
        assert it.exchange.rest_requests == []
        assert len(it.kinds("recovered")) == 2


@pytest.mark.parametrize("fault", [RestStatus(503), RestStatus(429), DropRest(), RestStatus(429, retry_after=1)])
def test_gap_when_rest_comes_back_in_time_then_nothing_is_lost(fault: RestFault) -> None:
    """Its first requests fail, in whatever way; the symbols are held until one succeeds."""
    with world(replace(fault, request=range(2))) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == it.ids(_ETH) == [1, 2, 3])
        assert it.kinds("lost") == []
        assert [request.status == 200 for request in it.exchange.rest_requests[:3]] == [False, False, True]


def test_gap_when_rest_lags_then_it_is_asked_until_it_has_reached_what_came_live() -> None:
    """The first answers lack the trades that were missed last; none of them counts."""
    with world(StaleRest(0.5), settle=1.0) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == it.ids(_ETH) == [1, 2, 3])
        assert len(it.exchange.rest_requests) > 2
        assert len(it.kinds("recovered")) == 2
        assert it.feed.stats.ticks == 6


def test_gap_when_rest_is_down_for_too_long_then_it_is_lost_and_the_next_one_is_recovered() -> None:
    """What was held goes out with a new since; a later loss starts from there."""
    with world(RestStatus(503), max_hold=0.2) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == [1, 3] and it.ids(_ETH) == [1, 2])
        # The ids of one of them prove that it missed nothing.
        assert sorted(it.kinds("recovered", "lost")) == [("lost", (_BTC,)), ("recovered", (_ETH,))]
        it.exchange.faults.clear()
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == [1, 3, 4, 5] and it.ids(_ETH) == [1, 2, 3, 4])
        assert [kind for kind, symbols in it.kinds("loss", "recovered", "lost") if _BTC in symbols] == [
            "loss",
            "lost",
            "loss",
            "recovered",
        ]
        first, second = it.sinces(_BTC)
        assert first < second <= START + 4 * SECOND
        assert len(it.sinces(_ETH)) == 1
        assert it.errors == []


def test_gaps_when_several_follow_each_other_then_each_is_closed() -> None:
    """Four losses, and one since from the first trade to the last."""
    with world() as it:
        it.trade(_BTC, _ETH)
        for _ in range(4):
            it.lose(_BTC, _ETH, _BTC)
            it.trade(_ETH)
        it.trade(_BTC)
        it.wait(lambda: it.ids(_BTC) == list(range(1, 11)) and it.ids(_ETH) == list(range(1, 10)))
        assert len(it.kinds("loss")) == 4
        assert it.kinds("lost") == []
        assert len(it.sinces(_BTC)) == len(it.sinces(_ETH)) == 1


def test_gap_when_the_line_breaks_again_meanwhile_then_it_is_one_longer_gap() -> None:
    """What was held stays held; what was being fetched is asked for anew; each symbol is recovered once."""
    with world(SlowRest(_HELD_OPEN, request=range(2))) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == it.ids(_ETH) == [1, 2, 3, 4, 5])
        assert sorted(it.kinds("loss", "recovered", "lost")) == [
            ("loss", (_BTC, _ETH)),
            ("loss", (_BTC, _ETH)),
            ("recovered", (_BTC,)),
            ("recovered", (_ETH,)),
        ]
        assert len(it.sinces(_BTC)) == len(it.sinces(_ETH)) == 1


def test_gap_when_the_line_breaks_between_two_pages_then_the_first_one_is_not_fetched_again() -> None:
    """Else a gap of many pages on a line that breaks often could never be closed."""
    # The quiet symbol's turn does not come in this test; the second request is the second page.
    with world(SlowRest(_HELD_OPEN, request=1), settle=_HELD_OPEN) as it:
        it.trade(_BTC, _ETH)
        it.lose(*[_BTC] * 1500)
        it.trade(_BTC)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.lose(_BTC)
        it.trade(_BTC)
        it.wait(lambda: it.ids(_BTC) == list(range(1, 1505)))
        first, _, resumed = (int(request.query["since"]) for request in it.exchange.rest_requests)
        page = 1000 * SECOND // 10
        margin = round((2 + _HELD_OPEN) * SECOND)  # of which the venue may have known too little
        assert first <= START
        assert START + page - margin - SECOND < resumed < START + page
        assert len(it.sinces(_BTC)) == 1


def test_symbol_when_added_during_a_recovery_then_it_comes_at_once_and_the_others_are_recovered() -> None:
    """It was never on the line, so it has no gap."""
    with world(SlowRest(0.5, request=range(2))) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.feed.add([_ADA])
        it.wait_connected(2, (_BTC, _ETH, _ADA))
        it.trade(_ADA, _BTC)
        it.wait(lambda: it.ids(_ADA) == [1])
        assert it.ids(_BTC) == [1]
        it.wait(lambda: it.ids(_BTC) == [1, 2, 3, 4] and it.ids(_ETH) == [1, 2, 3])
        assert it.kinds("lost") == []
        assert it.sinces(_ADA) > it.sinces(_BTC)


def test_symbol_when_removed_during_a_recovery_then_nothing_of_it_comes_any_more() -> None:
    """Neither what was held nor what is fetched; the other one is recovered."""
    with world(SlowRest(0.5, request=range(2))) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.feed.remove([_BTC])
        it.wait_connected(2, (_ETH,))
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_ETH) == [1, 2, 3, 4])
        assert it.ids(_BTC) == [1]
        assert it.kinds("recovered", "lost") == [("recovered", (_ETH,))]


def test_feed_when_stopped_during_a_recovery_then_what_was_held_comes_and_it_completes() -> None:
    """With a new since, for something is missing; the request that was under way is given up."""
    with world(SlowRest(_HELD_OPEN)) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.feed.stop()
        assert it.completed.is_set()
        assert it.ids(_BTC) == it.ids(_ETH) == [1, 3]
        assert sorted(it.kinds("recovered", "lost")) == [("lost", (_BTC,)), ("lost", (_ETH,))]
        assert {event.reason for event in it.events if event.kind == "lost"} == {"the feed was stopped"}
        assert len(it.sinces(_BTC)) == len(it.sinces(_ETH)) == 2


def test_feed_when_disposed_during_a_recovery_then_nothing_more_comes_and_nothing_is_left() -> None:
    """An abort: no trade, no event, no request (``tests/leaks.py`` looks for tasks and sockets)."""
    with world(SlowRest(_HELD_OPEN)) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC, _ETH)
        it.trade(_BTC, _ETH)
        it.wait(lambda: len(it.exchange.rest_requests) == 2)
        it.subscription.dispose()
        it.wait(lambda: it.exchange.connections[-1].closed)
        it.wait(lambda: it.feed.state is StreamState.STOPPED)
        assert it.ids(_BTC) == it.ids(_ETH) == [1]
        assert it.kinds("recovered", "lost") == []
        assert not it.completed.is_set()
        assert it.errors == []


def test_feed_when_nothing_is_to_be_recovered_then_no_request_is_made() -> None:
    """``recover=False``: each loss begins the coverage anew."""
    with world(recover=False) as it:
        it.trade(_BTC, _ETH)
        it.lose(_BTC)
        it.trade(_BTC, _ETH)
        it.wait(lambda: it.ids(_BTC) == [1, 3] and it.ids(_ETH) == [1, 2])
        assert it.exchange.rest_requests == []
        assert len(it.sinces(_BTC)) == len(it.sinces(_ETH)) == 2
