"""Kraken's own candles over connections that break: each interval once, in order, and complete where it can be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sinks import OHLCBuffer
from rxstreams.sources import kraken
from rxstreams.sources.stream import Stream
from rxstreams.states import StreamEvent
from rxstreams.testing import FakeExchange, Market, candles_of, fast_config
from rxstreams.testing import faults as f
from rxstreams.testing.candles import TrueCandle

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]
RATES = {"BTC/USD": 1.0, "ETH/USD": 0.1, "SOL/USD": 0.01}
T0 = 1_735_689_600 * SECOND  # 2025-01-01


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-candles")
    yield scheduler
    scheduler.dispose()


class Run:
    """A feed of candles, all that it sent, and what happened to it."""

    def __init__(
        self,
        exchange: FakeExchange,
        scheduler: EventLoopThreadScheduler,
        symbols: list[str] = SYMBOLS,
        *,
        history: int = 0,
        **options: Any,
    ) -> None:
        self.exchange = exchange
        self.candles: list[OHLCCandle] = []
        self.parents: list[OHLCCandle] = []
        self.events: list[StreamEvent] = []
        options = {"url": exchange.url, "rest_url": exchange.rest_url} | options
        config: dict[str, Any] = fast_config(**options)
        self.feed: Stream[OHLCCandle] = kraken.candles(symbols, "1m", history=history, scheduler=scheduler, **config)
        self.feed.events.subscribe(self.events.append)
        self.feed.pipe(resample("5m")).subscribe(self.parents.append)
        self.feed.subscribe(self.candles.append)

    def settle(self) -> None:
        """Wait until nothing has come for a while: attempts follow each other much faster."""
        before, since = (-1, -1), time.monotonic()

        def is_quiet() -> bool:
            nonlocal before, since
            now = (len(self.candles), len(self.exchange.rest_requests))
            if now != before:
                before, since = now, time.monotonic()
            return time.monotonic() > since + 0.3

        self.exchange.wait_until(is_quiet, 20.0)

    def closed(self, symbol: str = SYMBOLS[0]) -> list[OHLCCandle]:
        """Return the closed candles of a symbol, as they came."""
        return [candle for candle in self.candles.copy() if candle.symbol == symbol and candle.closed]

    def lost(self) -> set[str]:
        """Return the symbols of which something is lost."""
        return {symbol for event in self.events if event.kind == "lost" for symbol in event.symbols}

    def truth(self, timeframe: str) -> dict[tuple[str, int], TrueCandle]:
        """Return what the exchange's candles are, by symbol and open time."""
        true = candles_of(self.exchange.trades, timeframe, fill="flat", until=self.exchange.time)
        return {(candle.symbol, candle.open_time): candle for candle in true}

    def check(self) -> None:
        """Each closed interval once, in order, without a hole; what is called complete is true."""
        truth = self.truth("1m")
        for symbol in {candle.symbol for candle in self.candles}:
            closed = self.closed(symbol)
            times = [candle.open_time for candle in closed]
            assert times == sorted(set(times))
            if times and symbol not in self.lost():
                assert times == list(range(times[0], times[-1] + 1, MINUTE))
            for candle in closed:
                if candle.complete:
                    assert_same(candle, truth[symbol, candle.open_time])
        longer = self.truth("5m")
        for parent in self.parents:
            if parent.complete:
                assert_same(parent, longer[parent.symbol, parent.open_time])


def assert_same(candle: OHLCCandle, true: TrueCandle) -> None:
    """Compare with the truth; the volume is rounded on the wire."""
    assert (candle.open, candle.high, candle.low, candle.close) == (true.open, true.high, true.low, true.close)
    assert candle.trades == true.trades
    assert candle.volume == pytest.approx(true.volume, abs=1e-6)


def trade(minutes: float, price: float, symbol: str = SYMBOLS[0]) -> PriceTick:
    """Return a trade so many minutes after the start."""
    return PriceTick(symbol=symbol, price=price, volume=1.0, timestamp=T0 + round(minutes * MINUTE))


def market(seed: int) -> Market:
    """Return ten minutes of one busy, one slow and one quiet symbol."""
    return Market(SYMBOLS, seed=seed, rate=RATES, duration=600)


@pytest.mark.parametrize(
    "faults",
    [
        [f.DropAfter(trades=160), f.CloseAfter(exchange_seconds=140.0, code=1001)],
        [f.StallAfter(trades=120, connection=range(4))],
        [f.DropAfter(exchange_seconds=150.0, reset=True), f.RestStatus(500, request={1, 3})],
        [f.DropAfter(exchange_seconds=150.0), f.RestStatus(429, request={0, 2, 5})],
        [f.DropAfter(exchange_seconds=150.0), f.SlowRest(0.05), f.DropRest(request={2, 3})],
        [f.DropAfter(exchange_seconds=150.0), f.Garbage(trades=200, repeat=True)],
    ],
    ids=["drops", "stalls", "REST errors", "REST limits", "slow REST", "garbage"],
)
def test_candles_when_the_line_breaks_then_each_interval_comes_once_and_complete(
    scheduler: EventLoopThreadScheduler, faults: list[Any]
) -> None:
    """Also the first one, and those that closed while the line was down: they are the venue's own."""
    with FakeExchange(market(3), speed=120.0, faults=faults, rest_lag=2.0) as exchange:
        run = Run(exchange, scheduler)
        exchange.wait_finished()
        run.settle()
        run.feed.stop()
        run.check()
        assert sum(event.kind == "loss" for event in run.events) >= 1
        assert run.lost() == set()
        assert len(run.closed()) >= 7
        assert all(candle.complete for symbol in SYMBOLS for candle in run.closed(symbol))
        assert any(candle.span == 0 for candle in run.closed())  # from REST
        assert any(candle.span for candle in run.closed())
        assert any(parent.complete for parent in run.parents)


def test_candles_when_rest_is_down_then_live_goes_on_and_says_what_is_missing(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Held for max_hold, then sent incomplete."""
    faults: list[Any] = [f.DropAfter(exchange_seconds=150.0), f.RestStatus(503)]
    with FakeExchange(market(4), speed=120.0, faults=faults) as exchange:
        run = Run(exchange, scheduler, max_hold=0.3)
        exchange.wait_finished()
        run.feed.stop()
        run.check()
        assert SYMBOLS[0] in run.lost()
        assert any(candle.complete for candle in run.closed())
        assert any(not candle.complete for candle in run.closed())
        reason = next(event.reason for event in run.events if event.kind == "lost")
        assert reason.startswith("candles from 2024-01-01T00:")


def test_history_when_wanted_then_comes_first_and_live_joins_it(scheduler: EventLoopThreadScheduler) -> None:
    """The last closed intervals, oldest first; after them no hole and nothing twice, and hours from both are whole."""
    with FakeExchange(symbols=SYMBOLS[:1], start=T0) as exchange:
        exchange.publish(*(trade(quarter / 4 + 0.1, 100.0 + quarter) for quarter in range(4 * 50)))
        run = Run(exchange, scheduler, SYMBOLS[:1], history=20)
        exchange.wait_until(lambda: len(run.closed()) >= 20)
        assert [(c.open_time - T0) // MINUTE for c in run.closed()] == list(range(29, 49))
        assert all(candle.complete and candle.span == 0 for candle in run.closed())
        exchange.publish(*(trade(quarter / 4 + 0.1, 100.0 + quarter) for quarter in range(4 * 50, 4 * 66)))
        exchange.wait_until(lambda: len(run.closed()) >= 36)
        run.check()
        assert [(c.open_time - T0) // MINUTE for c in run.closed()] == list(range(29, 65))
        assert all(candle.complete for candle in run.closed())
        assert {candle.since for candle in run.candles} == {T0 + 29 * MINUTE}
        parents = [((p.open_time - T0) // MINUTE, p.complete) for p in run.parents]
        assert parents == [(25, False), *((minute, True) for minute in range(30, 61, 5))]
        run.feed.stop()


def test_history_when_fewer_candles_exist_then_they_all_come(scheduler: EventLoopThreadScheduler) -> None:
    """That is nothing to complain about; nor is a symbol without any."""
    with FakeExchange(symbols=SYMBOLS[:2], start=T0) as exchange:
        exchange.publish(trade(0.5, 1.0), trade(2.5, 2.0))
        run = Run(exchange, scheduler, SYMBOLS[:2], history=500)
        exchange.wait_until(lambda: len(run.closed()) >= 2)
        exchange.publish(trade(3.5, 3.0), trade(3.6, 4.0, SYMBOLS[1]), trade(4.5, 5.0), trade(4.6, 6.0, SYMBOLS[1]))
        exchange.wait_until(lambda: len(run.closed()) >= 4 and len(run.closed(SYMBOLS[1])) >= 1)
        assert [(c.close, c.complete) for c in run.closed()] == [(1.0, True), (1.0, True), (2.0, True), (3.0, True)]
        assert [(c.close, c.complete) for c in run.closed(SYMBOLS[1])] == [(4.0, True)]
        assert run.lost() == set()
        run.feed.stop()


def test_history_when_rest_fails_for_good_then_live_goes_on(scheduler: EventLoopThreadScheduler) -> None:
    """The event "lost" tells from when on candles are missing."""
    with FakeExchange(symbols=SYMBOLS[:1], start=T0, faults=[f.RestStatus(500)]) as exchange:
        exchange.publish(*(trade(minute + 0.1, float(minute)) for minute in range(1, 10)))
        run = Run(exchange, scheduler, SYMBOLS[:1], history=5, max_hold=0.2)
        exchange.wait_until(lambda: bool(run.lost()))
        exchange.publish(trade(9.5, 9.0), trade(10.5, 10.0), trade(11.5, 11.0))
        exchange.wait_until(lambda: len(run.closed()) >= 2)
        assert [(c.close, c.complete) for c in run.closed()] == [(9.0, False), (10.0, True)]
        reason = next(event.reason for event in run.events if event.kind == "lost")
        assert reason.startswith("candles from 2025-01-01T00:04:00Z on: they were not fetched within 0.2 s")
        run.feed.stop()


def test_restart_when_in_the_middle_of_a_minute_then_the_first_candle_is_the_venues(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """What was traded before the new line, and between the two, is in it."""
    with FakeExchange(symbols=SYMBOLS[:1], start=T0) as exchange:
        exchange.publish(*(trade(minute + 0.1, 50.0 + minute) for minute in range(10)))
        first = Run(exchange, scheduler, SYMBOLS[:1], history=3)
        exchange.wait_until(lambda: len(first.closed()) >= 3)
        exchange.publish(trade(9.3, 99.0))
        exchange.wait_until(lambda: first.candles[-1].close == 99.0)
        first.feed.stop()
        exchange.publish(trade(9.5, 11.0))  # nobody is there
        second = Run(exchange, scheduler, SYMBOLS[:1], history=3)
        exchange.wait_until(lambda: len(second.closed()) >= 3)
        exchange.publish(trade(9.7, 60.0), trade(10.2, 61.0), trade(11.2, 62.0))
        exchange.wait_until(lambda: len(second.closed()) >= 5)
        second.check()
        candle = second.closed()[3]
        assert (candle.open_time, candle.open, candle.high, candle.low, candle.close) == (
            (T0 + 9 * MINUTE, 59.0, 99.0, 11.0, 60.0)
        )
        assert all(candle.complete for candle in second.closed())
        second.feed.stop()


def test_history_when_the_feed_is_stopped_while_it_is_fetched_then_ends_all_the_same(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """What is held goes out, and nothing waits."""
    with FakeExchange(symbols=SYMBOLS[:1], start=T0, faults=[f.SlowRest(30.0)]) as exchange:
        exchange.publish(trade(5.1, 1.0))
        run = Run(exchange, scheduler, SYMBOLS[:1], history=3)
        exchange.wait_until(lambda: bool(exchange.rest_requests))
        exchange.publish(trade(5.5, 2.0))
        exchange.wait_until(lambda: run.feed.stats.messages >= 3)
        run.feed.stop()
        assert [(candle.close, candle.closed) for candle in run.candles] == [(2.0, False)]


def test_bootstrap_when_a_live_feed_fills_the_buffer_then_history_joins_it(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """REST history into a buffer that is live already: no hole, no double, and the forming candle stays."""
    with FakeExchange(symbols=SYMBOLS[:1], start=T0) as exchange:
        exchange.publish(*(trade(minute + 0.1, float(minute)) for minute in range(1, 30)))
        buffer = OHLCBuffer(SYMBOLS[0], timeframe="1m", exchange="kraken")
        config = fast_config(url=exchange.url)  # nothing else may ask REST
        feed = kraken.candles(SYMBOLS[:1], "1m", scheduler=scheduler, **config)
        feed.subscribe(buffer)
        exchange.wait_until(lambda: feed.state.value == "streaming")
        exchange.publish(*(trade(minute + 0.5, float(minute)) for minute in range(29, 33)))
        exchange.wait_until(lambda: len(buffer) >= 4)
        assert [candle.complete for candle in buffer.candles()] == [False, True, True, False]
        rest = kraken.rest_candles(
            SYMBOLS[0], "1m", since=T0, scheduler=scheduler, **fast_config(rest_url=exchange.rest_url)
        )
        assert buffer.bootstrap(rest, timeout=10.0) == 29
        rows = buffer.candles()
        assert [(c.open_time - T0) // MINUTE for c in rows] == list(range(1, 33))
        assert [c.close for c in rows] == [float(minute) for minute in range(1, 33)]
        assert [c.complete for c in rows] == [True] * 31 + [False]
        assert rows[28].trades == 2  # the venue's, not the half that was seen live
        feed.stop()


@pytest.mark.parametrize("options", [{"rest_url": ""}, {"recover": False}])
def test_history_when_no_rest_may_be_asked_then_is_refused(options: dict[str, Any]) -> None:
    """At once, not when it is subscribed to."""
    config: dict[str, Any] = {"url": "ws://127.0.0.1:9", "rest_url": "http://127.0.0.1:9"} | options
    with pytest.raises(ValueError, match="history=5 comes over REST"):
        kraken.candles(SYMBOLS, history=5, **config)


@pytest.mark.parametrize("history", [-1, 2.5, True])
def test_history_when_it_is_no_count_then_is_refused(history: Any) -> None:
    """It counts intervals."""
    with pytest.raises((TypeError, ValueError), match="history must"):
        kraken.candles(SYMBOLS, history=history)
