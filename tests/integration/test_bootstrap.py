"""``kraken.trades(symbols, history=...)``: a program that starts, or starts again, in the middle of an interval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.states import StreamEvent
from rxstreams.testing import FakeExchange, Market, compare, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD", "XRP/USD"]
RATES = {"BTC/USD": 5.0, "ETH/USD": 1.0, "XRP/USD": 0.03}
MARKET = Market(SYMBOLS, seed=11, rate=RATES, duration=1000)


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-bootstrap")
    yield scheduler
    scheduler.dispose()


def start_at(seconds: float, **options: Any) -> FakeExchange:
    """Return an exchange whose market has been trading for so long when the first symbols are subscribed to."""
    return FakeExchange(MARKET, start=MARKET.start + int(seconds * SECOND), wait_for=3, **options)


def run(
    exchange: FakeExchange, scheduler: EventLoopThreadScheduler, timeframe: str, **options: Any
) -> tuple[list[OHLCCandle], list[StreamEvent], list[PriceTick]]:
    """Return the closed candles, events and trades of a feed that runs to the market's end."""
    settings = fast_config(url=exchange.url, rest_url=exchange.rest_url, connect_timeout=5.0)
    feed = kraken.trades(SYMBOLS, scheduler=scheduler, **{**settings, **options})
    candles: list[OHLCCandle] = []
    events: list[StreamEvent] = []
    ticks: list[PriceTick] = []
    feed.events.subscribe(events.append)
    feed.subscribe(ticks.append)
    feed.pipe(kraken.to_ohlc(timeframe)).subscribe(candles.append)
    exchange.wait_finished()
    exchange.wait_until(lambda: len([e for e in events if e.kind in ("recovered", "lost")]) >= 3)
    feed.stop()
    return [candle for candle in candles if candle.closed], events, ticks


@pytest.mark.parametrize(("timeframe", "history"), [("1m", "1m"), ("5m", "5m"), ("15m", True)])
def test_first_candle_when_history_is_asked_for_then_equals_the_venues(
    scheduler: EventLoopThreadScheduler, timeframe: str, history: str | bool
) -> None:
    """From the middle of an interval, REST a little behind: every candle is complete, the first one included."""
    with start_at(97.0, rest_lag=0.7) as exchange:
        candles, _, ticks = run(exchange, scheduler, timeframe, history=history)
        first = min(candle.open_time for candle in candles)
        until = exchange.time - 5 * SECOND  # what nobody's clock has closed yet
        report = compare(candles, exchange.trades, timeframe, fill="flat", start=first, until=until)
        assert report.promise_kept
        assert report.missing == []
        assert not report.incomplete_right
        assert not report.incomplete_wrong
        assert not report.retracted
        assert first == candles[0].timeframe.floor(MARKET.start + 97 * SECOND)
        for symbol in SYMBOLS:
            ids = [tick.trade_id for tick in ticks if tick.symbol == symbol]
            assert len(ids) == len(set(ids))


def test_first_candle_when_a_program_starts_again_in_the_middle_of_a_minute_then_equals_the_venues(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """What the first run has closed and what the second begins with join without a hole."""
    with start_at(0.0, speed=200.0) as exchange:
        settings = fast_config(url=exchange.url, rest_url=exchange.rest_url, connect_timeout=5.0)
        candles: list[OHLCCandle] = []
        for _ in range(2):
            feed = kraken.trades(SYMBOLS, history="1m", scheduler=scheduler, **settings)
            feed.pipe(kraken.to_ohlc("1m")).subscribe(candles.append)
            enough = len(candles) + 9
            exchange.wait_until(lambda: len(candles) > enough, 20.0)  # noqa: B023  # called at once
            feed.stop()
        closed = [candle for candle in candles if candle.closed]
        last = max(candle.open_time for candle in closed)
        report = compare(closed, exchange.trades, "1m", fill="flat", until=last)
        assert report.promise_kept
        assert not report.incomplete_right
        assert not report.incomplete_wrong


def test_first_candle_when_rest_is_down_then_is_incomplete_and_the_feed_goes_on(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """What could not be had is told; nothing else suffers."""
    with start_at(97.0, faults=[f.RestStatus(500)]) as exchange:
        candles, events, _ = run(exchange, scheduler, "1m", history="1m", max_hold=0.5)
        assert {event.symbols[0] for event in events if event.kind == "lost"} == set(SYMBOLS)
        report = compare(candles, exchange.trades, "1m", fill="flat")
        assert report.promise_kept
        first = min(candle.open_time for candle in candles)
        assert not any(candle.complete for candle in candles if candle.open_time == first)
        assert report.complete_right > len(candles) // 2


def test_history_when_longer_than_an_hour_then_is_refused_with_the_other_way() -> None:
    """A day of trades is not fetched by mistake."""
    with pytest.raises(ValueError, match=r"history must be an hour at most, got 4h; longer candles begin with .* ohlc"):
        kraken.trades(["BTC/USD"], history="4h")
