"""``max_age``: a connection is replaced by another one without a hole, without a double, and without asking REST."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count

import pytest
from venue_world import symbols_of, trade, world

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import FakeExchange, Market, compare, fast_config
from rxstreams.testing import faults as f

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD"]
# A busy machine must not look like a dead server: here connections end by their age and by nothing else.
PATIENT = {
    "connect_timeout": 1.0,
    "ping_timeout": 20.0,
    "silence_timeout": 20.0,
    "probe_timeout": 5.0,
    "close_timeout": 5.0,
}
RATES = {"BTC/USD": 5.0, "ETH/USD": 5.0, "SOL/USD": 1.0, "XRP/USD": 0.004}


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-handover")
    yield scheduler
    scheduler.dispose()


def ids_of(ticks: list[PriceTick]) -> dict[str, list[int | str | None]]:
    """Return the ids of each symbol in the order in which they came."""
    found: dict[str, list[int | str | None]] = defaultdict(list)
    for tick in ticks:
        found[tick.symbol].append(tick.trade_id)
    return found


@pytest.mark.parametrize("sockets", [1, 2])
def test_connection_when_it_has_reached_its_age_then_the_next_one_goes_on(
    scheduler: EventLoopThreadScheduler, sockets: int
) -> None:
    """Several times in a row, with a symbol that hardly trades: one span, one since, every trade once, in order."""
    with FakeExchange(Market(SYMBOLS, seed=4, rate=RATES), speed=60.0) as exchange:
        options = fast_config(
            url=exchange.url, rest_url=exchange.rest_url, max_age=0.4, symbols_per_socket=4 // sockets
        )
        feed = kraken.trades(SYMBOLS, scheduler=scheduler, **options)
        ticks: list[PriceTick] = []
        events: list[StreamEvent] = []
        candles: list[OHLCCandle] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        feed.pipe(to_ohlc("10s")).subscribe(candles.append)
        exchange.wait_until(lambda: len(exchange.connections) >= 5 * sockets, 30.0)
        exchange.wait_until(lambda: sum(record.is_open for record in exchange.connections) == sockets, 10.0)
        feed.stop()
        published = ids_of(exchange.trades)
        for symbol, arrived in ids_of(ticks).items():
            first = published[symbol].index(arrived[0])
            assert arrived == published[symbol][first : first + len(arrived)]
        assert len({tick.span for tick in ticks}) == sockets
        assert all(len({t.since for t in ticks if t.symbol == symbol}) == 1 for symbol in SYMBOLS[:3])
        assert [event.kind for event in events if event.kind in ("loss", "recovered", "lost")] == []
        assert exchange.rest_requests == []
        used = [record for record in exchange.connections if record.sent]  # the last one may not have come so far
        exchange.wait_until(lambda: {record.close_code for record in used} == {1000}, 10.0)
        report = compare(candles, exchange.trades, "10s")
        assert report.promise_kept
        assert report.complete > 10
        assert not report.retracted


def test_handover_when_the_next_connection_is_refused_then_the_present_one_stays(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """It is tried again later; nothing is lost meanwhile."""
    refusing = [f.HttpStatus(503, connection=range(1, 3)), f.AcceptThenDrop(connection=3)]
    with FakeExchange(Market(SYMBOLS, seed=4, rate=RATES), speed=60.0, faults=refusing) as exchange:
        feed = kraken.trades(SYMBOLS, scheduler=scheduler, **fast_config(url=exchange.url, max_age=0.2, **PATIENT))
        ticks: list[PriceTick] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: len(exchange.connections) >= 5, 30.0)
        exchange.wait_until(lambda: not exchange.connections[0].is_open, 10.0)
        feed.stop()
        published = ids_of(exchange.trades)
        for symbol, arrived in ids_of(ticks).items():
            first = published[symbol].index(arrived[0])
            assert arrived == published[symbol][first : first + len(arrived)]
        assert "loss" not in {event.kind for event in events}


def test_handover_when_symbols_change_meanwhile_then_begins_anew(scheduler: EventLoopThreadScheduler) -> None:
    """The next connection has the symbols of now."""
    with FakeExchange(Market(SYMBOLS, seed=4, rate=dict.fromkeys(SYMBOLS, 5.0)), speed=60.0) as exchange:
        slow = f.SlowAck(1.0, connection=1)
        exchange.inject(slow)
        feed = kraken.trades(SYMBOLS[:3], scheduler=scheduler, **fast_config(url=exchange.url, max_age=0.2, **PATIENT))
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        exchange.wait_until(lambda: len(exchange.connections) >= 2, 10.0)
        feed.add(SYMBOLS[3:])
        feed.remove(SYMBOLS[:1])
        exchange.wait_until(lambda: not exchange.connections[0].is_open, 30.0)
        seen = len(ticks)
        exchange.wait_until(lambda: {t.symbol for t in ticks[seen:]} == set(SYMBOLS[1:]), 10.0)
        feed.stop()


@pytest.mark.parametrize(
    ("name", "goodbye"),
    [
        ("binance", '{"e":"serverShutdown","E":1770123456789}'),
        ("binance_futures", '{"e":"serverShutdown","E":1770123456789}'),
        ("bitfinex", '{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}'),
        ("bitstamp", '{"event":"bts:request_reconnect","channel":"","data":""}'),
        ("okx", '{"event":"notice","code":"64008","msg":"The connection will soon be closed.","connId":"a4d3ae55"}'),
    ],
)
def test_goodbye_when_the_venue_says_it_then_the_next_connection_goes_on(name: str, goodbye: str) -> None:
    """Each venue in its own words, and no age is set: one span, one since, every trade once, and no gap to fetch."""
    symbols = symbols_of(name, 2)
    with world(name, symbols=symbols) as it:
        feed = it.feeds.trades(symbols, **it.options(**PATIENT))
        ticks: list[PriceTick] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        numbers = count(1)

        def publish() -> None:
            number = next(numbers)
            it.exchange.publish(*(trade(symbol, 0.1 * number, number) for symbol in symbols))

        publish()
        publish()
        it.exchange.wait_until(lambda: len(ticks) == 4)
        assert it.exchange.send(goodbye) == 1
        it.exchange.wait_until(lambda: len(it.exchange.connections) == 2)
        it.exchange.wait_until(lambda: it.exchange.connections[1].symbols == set(symbols))

        def is_handed_over() -> bool:
            publish()  # each trade is an occasion to compare the two
            return not it.exchange.connections[0].is_open

        it.exchange.wait_until(is_handed_over)
        publish()
        last = next(numbers)
        it.exchange.wait_until(lambda: len(ticks) >= 2 * (last - 1))
        feed.stop()
        assert it.exchange.connections[0].close_code == 1000
        assert len(it.exchange.connections) == 2
    assert {symbol: [str(number) for number in found] for symbol, found in ids_of(ticks).items()} == {
        symbol: [str(number) for number in range(1, last)] for symbol in symbols
    }
    assert len({tick.span for tick in ticks}) == 1
    assert {event.kind for event in events} == {"state"}


def test_feed_when_disposed_in_a_handover_then_nothing_is_left(scheduler: EventLoopThreadScheduler) -> None:
    """Both connections are closed."""
    with FakeExchange(
        Market(SYMBOLS, seed=4, rate=RATES), speed=20.0, faults=[f.SlowAck(1.0, connection=1)]
    ) as exchange:
        feed = kraken.trades(SYMBOLS, scheduler=scheduler, **fast_config(url=exchange.url, max_age=0.1, **PATIENT))
        ticks: list[PriceTick] = []
        subscription = feed.subscribe(ticks.append)
        exchange.wait_until(lambda: len(exchange.connections) >= 2, 10.0)
        subscription.dispose()
        exchange.wait_until(lambda: not any(record.is_open for record in exchange.connections), 10.0)
