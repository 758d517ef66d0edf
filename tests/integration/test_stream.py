"""A feed on a real socket: sharing, stopping, symbols that come and go, states, statistics."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from reactivex import operators as ops

from rxstreams.errors import SubscriptionError
from rxstreams.items import PriceTick
from rxstreams.operators import resample
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.states import LEGAL_TRANSITIONS, StreamEvent, StreamState
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD"]
RATES = dict.fromkeys(SYMBOLS, 5.0)


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-stream")
    yield scheduler
    scheduler.dispose()


def market() -> Market:
    """Return a market in which every symbol is busy."""
    return Market(SYMBOLS, seed=5, rate=RATES)


def connect(
    exchange: FakeExchange, scheduler: EventLoopThreadScheduler, symbols: list[str] = SYMBOLS, **options: Any
) -> Stream[PriceTick]:
    """Return a feed of the exchange."""
    return kraken.trades(symbols, scheduler=scheduler, **{**fast_config(url=exchange.url), **options})


def test_feed_when_two_subscribe_then_one_socket_serves_both(scheduler: EventLoopThreadScheduler) -> None:
    """The first connects, the last disconnects, with 1000."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        first: list[PriceTick] = []
        second: list[PriceTick] = []
        one = feed.subscribe(first.append)
        two = feed.subscribe(second.append)
        exchange.wait_until(lambda: len(second) > 20)
        one.dispose()
        seen = len(second)
        exchange.wait_until(lambda: len(second) > seen + 20)
        assert len(exchange.connections) == 1
        assert second[: len(first)] == first[: len(second)]
        two.dispose()
        exchange.wait_until(lambda: exchange.connections[0].closed is not None)
        assert exchange.connections[0].close_code == 1000


def test_feed_when_subscribed_late_then_its_since_begins_at_the_newest_stamp(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """A late subscriber has not seen what its line sent before; the early one has."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        early: list[PriceTick] = []
        late: list[PriceTick] = []
        feed.subscribe(early.append)
        exchange.wait_until(lambda: len(early) > 50)
        feed.subscribe(late.append)
        exchange.wait_until(lambda: len(late) > 20)
        newest = max(tick.timestamp for tick in early[: early.index(_by_id(early, late[0]))])
        assert {tick.since for tick in late} == {newest + 1}
        assert _by_id(early, late[0]).since < late[0].since
        assert late[0].span == early[0].span


def _by_id(ticks: list[PriceTick], like: PriceTick) -> PriceTick:
    return next(t for t in ticks if (t.symbol, t.trade_id) == (like.symbol, like.trade_id))


def test_feed_when_stopped_then_completes_and_chains_flush(scheduler: EventLoopThreadScheduler) -> None:
    """Graceful: close 1000, open candles go out as open; a second stop does nothing."""
    with FakeExchange(market(), speed=60.0) as exchange:
        feed = connect(exchange, scheduler)
        done = threading.Event()
        candles: list[Any] = []
        feed.pipe(kraken.to_ohlc("1m"), resample(1, 5)).subscribe(candles.append, on_completed=done.set)
        exchange.wait_until(lambda: any(c.closed for c in candles), 20.0)
        feed.stop()
        feed.stop()
        assert done.is_set()
        assert feed.state is StreamState.STOPPED
        assert feed.error is None
        assert not candles[-1].closed
        assert not candles[-1].complete
        exchange.wait_until(lambda: exchange.connections[0].closed is not None)
        assert exchange.connections[0].close_code == 1000


def test_feed_when_subscribed_again_after_a_stop_then_connects_again(scheduler: EventLoopThreadScheduler) -> None:
    """A stopped feed is not used up."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        for _ in range(2):
            ticks: list[PriceTick] = []
            feed.subscribe(ticks.append)
            exchange.wait_until(lambda: len(ticks) > 5)  # noqa: B023  # used at once
            feed.stop()
        assert len(exchange.connections) == 2


def test_feed_when_stopped_from_its_own_thread_then_does_not_hang(scheduler: EventLoopThreadScheduler) -> None:
    """``take_until`` by hand: stop inside on_next."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        done = threading.Event()
        ticks: list[PriceTick] = []

        def take(tick: PriceTick) -> None:
            ticks.append(tick)
            if len(ticks) == 3:
                feed.stop()

        feed.subscribe(take, on_completed=done.set)
        assert done.wait(10.0)


def test_feed_when_disposed_inside_on_next_then_nothing_more_comes(scheduler: EventLoopThreadScheduler) -> None:
    """``take(3)`` disposes from inside the third item."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        ticks: list[PriceTick] = []
        done = threading.Event()
        feed.pipe(ops.take(3)).subscribe(ticks.append, on_completed=done.set)
        assert done.wait(10.0)
        exchange.wait_until(lambda: exchange.connections[0].closed is not None)
        assert len(ticks) == 3


def test_feed_when_symbols_exceed_a_socket_then_they_are_split(scheduler: EventLoopThreadScheduler) -> None:
    """Each socket is a line with a span of its own."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler, symbols_per_socket=2)
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: {t.symbol for t in ticks} == set(SYMBOLS))
        assert len(exchange.connections) == 2
        spans = {symbol: {t.span for t in ticks if t.symbol == symbol} for symbol in SYMBOLS}
        assert spans["BTC/USD"] == spans["ETH/USD"] != spans["SOL/USD"] == spans["XRP/USD"]


def test_feed_when_symbols_are_added_and_removed_then_the_lines_follow(scheduler: EventLoopThreadScheduler) -> None:
    """A removed symbol sends nothing any more and changes the span of its line; an added one begins at its answer."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler, ["BTC/USD", "ETH/USD"])
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: len(ticks) > 10)
        feed.add(["SOL/USD"])
        exchange.wait_until(lambda: any(t.symbol == "SOL/USD" for t in ticks))
        first = next(t for t in ticks if t.symbol == "SOL/USD")
        assert first.since > ticks[0].since
        assert first.span == ticks[0].span
        feed.remove(["ETH/USD"])
        exchange.wait_until(lambda: ticks[-1].span != first.span)
        mark = len(ticks)
        exchange.wait_until(lambda: len(ticks) > mark + 20)
        assert {t.symbol for t in ticks[mark:]} == {"BTC/USD", "SOL/USD"}
        assert {t.since for t in ticks[mark:] if t.symbol == "BTC/USD"} == {ticks[0].since}
        assert feed.symbols == ("BTC/USD", "SOL/USD")
        assert len(exchange.connections) == 1


def test_feed_when_a_symbol_is_refused_then_the_others_go_on(scheduler: EventLoopThreadScheduler) -> None:
    """An event names it and says why."""
    refusing = [f.RefuseSymbols(["ETH/USD"], "Currency pair not supported")]
    with FakeExchange(market(), speed=20.0, faults=refusing) as exchange:
        feed = connect(exchange, scheduler)
        events: list[StreamEvent] = []
        ticks: list[PriceTick] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: {t.symbol for t in ticks} == {"BTC/USD", "SOL/USD", "XRP/USD"})
        (refused,) = [event for event in events if event.kind == "refused"]
        assert (refused.symbols, refused.reason) == (("ETH/USD",), "Currency pair not supported")
        assert isinstance(refused.error, SubscriptionError)
        assert "ETH/USD" not in feed.symbols


def test_feed_when_it_lives_and_breaks_then_its_states_are_legal(scheduler: EventLoopThreadScheduler) -> None:
    """The current state first; every transition of a line stands in the table."""
    breaking = [f.DropAfter(trades=5, connection=0), f.StallAfter(trades=5, connection=1)]
    with FakeExchange(market(), speed=20.0, faults=breaking) as exchange:
        feed = connect(exchange, scheduler)
        states: list[StreamState] = []
        events: list[StreamEvent] = []
        feed.states.subscribe(states.append)
        feed.events.subscribe(events.append)
        exchange.wait_until(lambda: bool(states))
        assert states == [StreamState.DISCONNECTED]
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: len({t.span for t in ticks}) == 3, 20.0)
        feed.stop()
        line = [StreamState.DISCONNECTED] + [e.state for e in events if e.kind == "state"]
        for before, after in itertools.pairwise(line):
            assert after in LEGAL_TRANSITIONS[before], (before, after)
        assert line[-1] is StreamState.STOPPED
        assert StreamState.STALE in line
        assert [e.kind for e in events if e.kind not in ("state", "lost")] == ["loss", "loss"]
        assert states[0] is StreamState.DISCONNECTED
        assert states[-1] is StreamState.STOPPED


def test_stats_when_a_feed_has_run_then_count_what_happened(scheduler: EventLoopThreadScheduler) -> None:
    """Messages, bytes, ticks, errors by class, age and uptime."""
    breaking = [f.DropAfter(trades=5, connection=0), f.Garbage(trades=2, connection=0)]
    with FakeExchange(market(), speed=20.0, faults=breaking) as exchange:
        feed = connect(exchange, scheduler)
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        # A span until the garbage, one after it, one of the second connection.
        exchange.wait_until(lambda: len({t.span for t in ticks}) == 3, 20.0)
        stats = feed.stats
        assert stats.ticks >= len(ticks) - 1 > 0
        assert stats.messages > stats.ticks // 4
        assert stats.bytes > 100 * stats.messages // 4
        assert stats.parse_errors == 1
        assert dict(stats.reconnects) == {"ConnectionLost": 1}
        assert stats.connects == 2
        assert stats.lag_p99 >= stats.lag_p50 > 0
        assert stats.uptime > 0
        assert stats.last_event_age is not None


def test_error_when_nobody_handles_it_then_it_is_logged_once(
    scheduler: EventLoopThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """reactivex would raise it in the feed's thread."""
    with FakeExchange(market(), speed=20.0, faults=[f.HttpStatus(403)]) as exchange:
        feed = connect(exchange, scheduler)
        with caplog.at_level(logging.ERROR, "rxstreams"):
            feed.subscribe(lambda tick: None)
            exchange.wait_until(lambda: feed.state is StreamState.FAILED)
            exchange.wait_until(lambda: any("nobody handles" in r.message for r in caplog.records))
        assert len([r for r in caplog.records if "nobody handles" in r.message]) == 1


def test_add_when_the_feed_is_not_connected_then_it_is_for_the_symbol_later(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Remembered, not lost."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler, ["BTC/USD"])
        feed.add(["ETH/USD"])
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: {t.symbol for t in ticks} == {"BTC/USD", "ETH/USD"})


def test_feed_when_the_server_is_silent_but_answers_probes_then_never_reconnects(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """One quiet pair must not reconnect for ever."""
    quiet = [f.StallAfter(trades=1, probes=True, connection=0)]
    with FakeExchange(market(), speed=20.0, faults=quiet) as exchange:
        feed = connect(exchange, scheduler)
        states: list[StreamState] = []
        feed.states.subscribe(states.append)
        feed.subscribe(lambda tick: None)
        exchange.wait_until(lambda: states.count(StreamState.STALE) >= 3, 20.0)
        assert len(exchange.connections) == 1


def test_sixteen_threads_when_they_subscribe_and_leave_then_nothing_is_left(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """From any thread, at once."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)

        def come_and_go() -> None:
            for _ in range(5):
                got = threading.Event()
                subscription = feed.subscribe(lambda tick: got.set())  # noqa: B023  # one a round
                got.wait(5.0)
                subscription.dispose()

        threads = [threading.Thread(target=come_and_go) for _ in range(16)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
        assert time.monotonic() - begun < 30.0
        exchange.wait_until(lambda: all(c.closed is not None for c in exchange.connections))
        assert feed.state is StreamState.STOPPED


def test_feed_when_its_scheduler_is_disposed_then_completes(scheduler: EventLoopThreadScheduler) -> None:
    """Whoever waits for it must not wait for ever; the socket closes with 1000."""
    with FakeExchange(market(), speed=20.0) as exchange:
        feed = connect(exchange, scheduler)
        ticks: list[PriceTick] = []
        done = threading.Event()
        feed.subscribe(ticks.append, on_completed=done.set)
        exchange.wait_until(lambda: bool(ticks))
        scheduler.dispose()
        assert done.wait(5.0)
        exchange.wait_until(lambda: exchange.connections[0].closed is not None)
        assert exchange.connections[0].close_code == 1000
