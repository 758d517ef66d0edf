"""The mistakes that people make: each gets an error that says what was expected and found, and nothing hangs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import reactivex
from reactivex import Observable, Subject

from rxstreams import errors
from rxstreams.bridge import pipe, run
from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken, venue
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing import faults as f
from rxstreams.timeframe import Timeframe

TICK = PriceTick(symbol="BTC/USD", price=1.0, timestamp=MINUTE)
CANDLE = OHLCCandle(symbol="BTC/USD", timeframe=Timeframe("5m"), open_time=0, open=1.0, high=1.0, low=1.0, close=1.0)
# Mistakes that a type checker would see: untyped callers make them.
UNTYPED: dict[str, Any] = {"fill": "zero"}
FLOAT_TIME: dict[str, Any] = {"timestamp": 1.5e9}
PIPED: tuple[Any, ...] = (reactivex.of(1), resample(60))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: PriceTick(symbol="A/B", price=1.0, timestamp=datetime(2025, 1, 1)), ValueError, r"naive.*2025"),
        (lambda: PriceTick(symbol="A/B", price=math.nan, timestamp=1), ValueError, "price.*nan"),
        (lambda: PriceTick(symbol="A/B", price=1.0, volume=math.inf, timestamp=1), ValueError, "volume.*inf"),
        (
            lambda: PriceTick(symbol="A/B", price=1.0, timestamp=datetime(2262, 1, 1, tzinfo=UTC)),
            ValueError,
            r"timestamp.*2262-01-01.*2262",
        ),
        (lambda: PriceTick(symbol="A/B", price=1.0, **FLOAT_TIME), TypeError, "timestamp.*nanoseconds"),
        (lambda: to_ohlc("5x"), ValueError, "5x"),
        (lambda: to_ohlc(0), ValueError, "0"),
        (lambda: to_ohlc("1d", **UNTYPED), ValueError, "zero"),
        (lambda: resample(), (ValueError, TypeError), "timeframe"),
        (lambda: resample("1h", "soon"), ValueError, "soon"),
        (lambda: Timeframe("1d", tz="Mars/Olympus"), ValueError, "Mars/Olympus"),
        (lambda: venue("krakken"), errors.UnknownVenue, "krakken.*kraken"),
        (lambda: kraken.trades(["BTC-USD"]), errors.UnknownSymbol, "BTC-USD"),
        (lambda: kraken.trades(["BTC/USD"], url="localhost:80"), ValueError, "localhost:80"),
        (lambda: pipe(*PIPED), TypeError, "pipe"),
    ],
)
def test_mistake_when_made_then_the_error_names_it(make: Callable[[], Any], kind: Any, message: str) -> None:
    """At once, where it was made: not at the first subscription, and not never."""
    with pytest.raises(kind, match=f"(?s){message}"):
        make()


@pytest.mark.parametrize(
    ("source", "operator", "message"),
    [
        (CANDLE, to_ohlc(5), "to_ohlc takes PriceTick items, got OHLCCandle"),
        (TICK, resample(60), "resample.*OHLCCandle.*got PriceTick"),
        ("BTC", to_ohlc(5), "PriceTick.*str"),
    ],
)
def test_operator_when_it_gets_the_wrong_item_then_says_so(source: Any, operator: Any, message: str) -> None:
    """To on_error; it neither crashes nor swallows."""
    caught: list[Exception] = []
    items: Observable[Any] = reactivex.of(source)
    got: list[Any] = []
    items.pipe(operator).subscribe(got.append, caught.append)
    assert got == []
    with pytest.raises(TypeError, match=message):
        raise caught[0]


def test_resample_when_the_base_does_not_serve_then_names_both_and_keeps_what_came() -> None:
    """5 minutes don't make 7; what other symbols had sent before is not lost."""
    source: Subject[OHLCCandle] = Subject()
    got: list[OHLCCandle] = []
    caught: list[Exception] = []
    source.pipe(resample(5, 7)).subscribe(got.append, caught.append)
    source.on_next(CANDLE)
    (error,) = caught
    assert isinstance(error, errors.NotServed)
    assert "5m" in str(error)
    assert "7m" in str(error)


def test_run_when_the_port_is_closed_then_ends_with_what_failed() -> None:
    """With a limit on the attempts it ends; it does not hang and does not hide the address."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        exchange.refuse()
        scheduler = EventLoopThreadScheduler("test-bad-input")
        try:
            feed = kraken.trades(
                ["BTC/USD"], scheduler=scheduler, **fast_config(url=exchange.url, reconnect_attempts=1)
            )
            with pytest.raises(errors.ConnectError, match=rf"127\.0\.0\.1:{exchange.port}"):
                run(feed, timeout=20.0)
        finally:
            scheduler.dispose()


def test_symbols_when_all_are_refused_then_the_error_names_them_and_the_reason() -> None:
    """What the venue said, in its words."""
    with FakeExchange(Market(["BTC/USD"], rate=10.0), speed=10.0) as exchange:
        scheduler = EventLoopThreadScheduler("test-bad-input")
        try:
            feed = kraken.trades(["ABC/USD", "DEF/USD"], scheduler=scheduler, **fast_config(url=exchange.url))
            with pytest.raises(errors.SubscriptionError, match=r"DEF/USD|ABC/USD"):
                run(feed, timeout=20.0)
        finally:
            scheduler.dispose()


def test_feed_when_it_fails_for_good_then_what_was_received_stays() -> None:
    """Candles that had gone out stay in the list; the error comes after them."""
    closing = [f.CloseAfter(trades=200, code=1007, connection=0)]
    with FakeExchange(Market(["BTC/USD"], rate=5.0), speed=60.0, faults=closing) as exchange:
        scheduler = EventLoopThreadScheduler("test-bad-input")
        try:
            got: list[Any] = []
            ended = threading.Event()

            def fail(error: Exception) -> None:
                got.append(error)
                ended.set()

            feed = kraken.trades(["BTC/USD"], scheduler=scheduler, **fast_config(url=exchange.url))
            feed.pipe(kraken.to_ohlc("10s")).subscribe(got.append, fail)
            assert ended.wait(20.0)
        finally:
            scheduler.dispose()
    assert isinstance(got[-1], errors.ProtocolError)
    assert len(got) >= 3
    assert all(isinstance(item, OHLCCandle) for item in got[:-1])
