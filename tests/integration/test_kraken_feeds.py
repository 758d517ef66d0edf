"""Kraken's own candles and its REST history, against the simulated exchange."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
import trustme
from reactivex import Observable
from venue_world import START, trade, world

from rxstreams.errors import CertificateError, ConnectError, HandshakeTimeout, RateLimited, SubscriptionError
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.states import StreamState
from rxstreams.testing import FakeExchange, Market, candles_of, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD"]
T = TypeVar("T")


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-kraken")
    yield scheduler
    scheduler.dispose()


def collect(source: Observable[T]) -> tuple[list[T], Exception | None]:
    """Return all items of an Observable and what ended it."""
    items: list[T] = []
    errors: list[Exception] = []
    ended = threading.Event()

    def fail(error: Exception) -> None:
        errors.append(error)
        ended.set()

    source.subscribe(items.append, fail, ended.set)
    assert ended.wait(20.0)
    return items, errors[0] if errors else None


def test_candles_when_the_venue_sends_its_own_then_closed_complete_ones_are_true(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """Closed by the next interval; the first, which began before the feed, is incomplete."""
    market = Market(SYMBOLS, seed=2, rate=dict.fromkeys(SYMBOLS, 1.0), duration=900)
    with FakeExchange(market, speed=120.0) as exchange:
        feed = kraken.candles(SYMBOLS, "1m", scheduler=scheduler, **fast_config(url=exchange.url))
        candles: list[OHLCCandle] = []
        feed.subscribe(candles.append)
        exchange.wait_finished()
        feed.stop()
        truth = {(c.symbol, c.open_time): c for c in candles_of(exchange.trades, "1m")}
        closed = [candle for candle in candles if candle.closed]
        assert len(closed) == len({(c.symbol, c.open_time) for c in closed}) >= 20
        for candle in closed:
            true = truth[candle.symbol, candle.open_time]
            assert (candle.open, candle.high, candle.low, candle.close, candle.trades) == (
                (true.open, true.high, true.low, true.close, true.trades)
            )
            assert candle.complete is (candle.since <= candle.open_time)
        assert sum(candle.complete for candle in closed) >= len(closed) - 4
        assert any(not candle.closed for candle in candles)


def test_gap_when_one_order_filled_several_at_one_instant_then_their_order_and_the_close_are_true() -> None:
    """REST has finer stamps than the socket: by them the last one, taken from there, would stand before the others."""
    symbol = "BTC/USD"
    with world("kraken", symbols=[symbol]) as it:
        feed = it.feeds.trades([symbol], **it.options())
        ticks: list[PriceTick] = []
        candles: list[OHLCCandle] = []
        feed.subscribe(ticks.append)
        feed.pipe(it.feeds.to_ohlc("1m")).subscribe(candles.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(symbol, 61.0, 1, 1.0))
        it.exchange.wait_until(lambda: len(ticks) == 1)
        it.exchange.refuse()
        it.exchange.drop_all()
        it.exchange.wait_until(lambda: it.exchange.connections[-1].closed)
        it.exchange.publish(trade(symbol, 62.0, 2, 2.0))
        it.exchange.refuse(False)
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == {symbol}, 20.0)
        it.exchange.publish(*(trade(symbol, 63.0, number, price) for number, price in ((3, 3.0), (4, 4.0), (5, 9.0))))
        it.exchange.wait_until(lambda: len(ticks) == 5, 20.0)
        it.exchange.publish(trade(symbol, 130.0, 6, 5.0))
        it.exchange.wait_until(lambda: any(candle.closed for candle in candles))
        feed.stop()
    assert [tick.trade_id for tick in ticks] == [1, 2, 3, 4, 5, 6]
    assert [tick.timestamp for tick in ticks[2:5]] == [START + 63 * SECOND] * 3
    closed = [candle for candle in candles if candle.closed and candle.open_time == START + MINUTE]
    assert [candle.close for candle in closed] == [9.0]


def test_rest_trades_when_they_fill_several_pages_then_come_once_and_in_order(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """2,500 trades are three pages of at most 1,000."""
    trades = list(Market(SYMBOLS[:1], seed=4, rate=2.0, duration=1500))
    with FakeExchange(trades, start=trades[-1].timestamp) as exchange:
        got, error = collect(
            kraken.rest_trades("BTC/USD", since=trades[0].timestamp, scheduler=scheduler, rest_url=exchange.rest_url)
        )
        assert error is None
        assert len(exchange.rest_requests) == len(trades) // 1000 + 1 >= 3
    keys = [(t.trade_id, t.timestamp, t.price, t.volume, t.side) for t in got]
    assert keys == [(t.trade_id, t.timestamp, t.price, t.volume, t.side) for t in trades]
    assert {(t.symbol, t.exchange, t.span, t.since) for t in got} == {("BTC/USD", "kraken", 0, 0)}


def test_rest_trades_when_bounded_then_both_ends_hold(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """``since`` is inclusive, ``until`` exclusive."""
    trades = list(Market(SYMBOLS[:1], seed=4, rate=2.0, duration=300))
    first, last = trades[10].timestamp, trades[50].timestamp
    with FakeExchange(trades, start=trades[-1].timestamp) as exchange:
        got, error = collect(
            kraken.rest_trades("BTC/USD", since=first, until=last, scheduler=scheduler, rest_url=exchange.rest_url)
        )
    assert error is None
    assert [t.trade_id for t in got] == [t.trade_id for t in trades if first <= t.timestamp < last]


def test_rest_candles_when_fetched_then_equal_the_truth(scheduler: EventLoopThreadScheduler) -> None:
    """All but the running one are closed and complete; empty minutes are flat."""
    trades = list(Market(SYMBOLS[:1], seed=4, rate=0.05, duration=1800))
    with FakeExchange(trades, start=trades[-1].timestamp) as exchange:
        got, error = collect(
            kraken.rest_candles(
                "BTC/USD", "1m", since=trades[0].timestamp, scheduler=scheduler, rest_url=exchange.rest_url
            )
        )
    assert error is None
    truth = {c.open_time: c for c in candles_of(trades, "1m", fill="flat")}
    assert len(got) >= 20
    assert [c.closed for c in got] == [True] * (len(got) - 1) + [False]
    for candle in got:
        true = truth[candle.open_time]
        assert (candle.open, candle.close, candle.trades) == (true.open, true.close, true.trades)
        assert candle.complete is candle.closed


def test_rest_when_it_fails_then_the_error_says_what(scheduler: EventLoopThreadScheduler) -> None:
    """An unknown pair, a limit, a closed port; what had come before is not lost."""
    tick = PriceTick(symbol="BTC/USD", price=1.0, timestamp=60 * MINUTE)
    limited = [f.RestStatus(429, retry_after=7, request=1)]
    with FakeExchange([tick], start=61 * MINUTE, faults=limited) as exchange:
        options: dict[str, Any] = {"scheduler": scheduler, "rest_url": exchange.rest_url, "attempts": 1}
        _, error = collect(kraken.rest_trades("ABC/USD", since=SECOND, **options))
        assert isinstance(error, SubscriptionError)
        _, error = collect(kraken.rest_trades("BTC/USD", since=SECOND, **options))
        assert isinstance(error, RateLimited)
        assert error.retry_after == 7.0
    _, error = collect(kraken.rest_candles("BTC/USD", since=SECOND, **options))
    assert isinstance(error, ConnectError)


def test_candle_when_a_trade_of_the_acknowledgements_instant_was_missed_then_is_incomplete(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The exchange published it just before it took the subscription, on the very edge of the candle."""
    ticks = [
        PriceTick(symbol="BTC/USD", price=price, volume=1.0, timestamp=MINUTE * 10_000 + seconds * SECOND)
        for price, seconds in ((7.0, 60), (8.0, 61), (9.0, 121))
    ]
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        exchange.publish(ticks[0])
        feed = kraken.trades(["BTC/USD"], scheduler=scheduler, **fast_config(url=exchange.url))
        candles: list[OHLCCandle] = []
        feed.pipe(kraken.to_ohlc("1m")).subscribe(candles.append)
        exchange.wait_until(lambda: feed.state.value == "streaming")
        exchange.publish(*ticks[1:])
        exchange.wait_until(lambda: bool(candles))
    assert (candles[0].open, candles[0].closed, candles[0].complete) == (8.0, True, False)


def test_rest_when_something_else_goes_wrong_then_the_observer_hears_of_it(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in a venue's parser: whoever waits for the end must not wait for ever."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(kraken.Kraken, "parse_rest_trades", fail)
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        _, error = collect(kraken.rest_trades("BTC/USD", since=SECOND, scheduler=scheduler, rest_url=exchange.rest_url))
    assert isinstance(error, ZeroDivisionError)


def test_rest_when_the_loop_is_closed_in_between_then_is_no_completion(scheduler: EventLoopThreadScheduler) -> None:
    """What came is not all there is."""
    ended: list[Exception | None] = []
    done = threading.Event()
    with FakeExchange(symbols=["BTC/USD"], faults=[f.SlowRest(30.0)]) as exchange:
        source = kraken.rest_trades("BTC/USD", since=SECOND, scheduler=scheduler, rest_url=exchange.rest_url)

        def end(error: Exception | None = None) -> None:
            ended.append(error)
            done.set()

        source.subscribe(lambda tick: None, end, end)
        exchange.wait_until(lambda: bool(exchange.rest_requests))
        scheduler.dispose()
        assert done.wait(5.0)
    assert isinstance(ended[0], ConnectError)


def test_rest_when_disposed_in_between_then_says_nothing(scheduler: EventLoopThreadScheduler) -> None:
    """An abort is neither an end nor an error."""
    ended: list[object] = []
    with FakeExchange(symbols=["BTC/USD"], faults=[f.SlowRest(30.0)]) as exchange:
        source = kraken.rest_trades("BTC/USD", since=SECOND, scheduler=scheduler, rest_url=exchange.rest_url)
        subscription = source.subscribe(ended.append, ended.append, lambda: ended.append("completed"))
        exchange.wait_until(lambda: bool(exchange.rest_requests))
        subscription.dispose()
        left = threading.Event()

        async def look() -> None:
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)
            left.set()

        scheduler.spawn(look)
        assert left.wait(5.0)
    assert ended == []


def test_rest_when_the_answer_takes_too_long_then_is_a_timeout(scheduler: EventLoopThreadScheduler) -> None:
    """Not some other failure of the connection."""
    with FakeExchange(symbols=["BTC/USD"], faults=[f.SlowRest(30.0)]) as exchange:
        _, error = collect(
            kraken.rest_trades(
                "BTC/USD",
                since=SECOND,
                attempts=1,
                scheduler=scheduler,
                rest_url=exchange.rest_url,
                connect_timeout=0.2,
            )
        )
    assert isinstance(error, HandshakeTimeout)


def test_rest_when_the_certificate_is_not_trusted_then_says_so(scheduler: EventLoopThreadScheduler) -> None:
    """Fatal, as on the socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # pyOpenSSL's type is unknown
    with FakeExchange(symbols=["BTC/USD"], ssl_context=context) as exchange:
        _, error = collect(kraken.rest_trades("BTC/USD", since=SECOND, scheduler=scheduler, rest_url=exchange.rest_url))
    assert isinstance(error, CertificateError)
