"""``redundant`` over two feeds of one exchange, each on a socket of its own, one of which is killed again and again."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator

import pytest
import reactivex
from reactivex.disposable import CompositeDisposable

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import redundant
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import Stream, kraken
from rxstreams.testing import DropAfter, FakeExchange, Market, compare, fast_config

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]
RATES = {"BTC/USD": 8.0, "ETH/USD": 2.0, "SOL/USD": 0.2}
KILLS = 8
MARGIN = 5 * SECOND  # of the exchange's time: that the survivor has brought since the other came back


@pytest.fixture
def schedulers() -> Iterator[list[EventLoopThreadScheduler]]:
    """Two loops of the test's own: the feeds are on two threads."""
    schedulers = [EventLoopThreadScheduler(f"test-redundant-{number}") for number in range(2)]
    yield schedulers
    for scheduler in schedulers:
        scheduler.dispose()


class Listener:
    """One feed and what it has brought."""

    def __init__(self, exchange: FakeExchange, scheduler: EventLoopThreadScheduler) -> None:
        self.feed: Stream[PriceTick] = kraken.trades(SYMBOLS, scheduler=scheduler, **fast_config(url=exchange.url))
        self.last: PriceTick | None = None

    def take(self, tick: PriceTick) -> None:
        """Keep the newest tick."""
        self.last = tick


def newest_since(listeners: list[Listener]) -> int:
    """Return when the line that came back last began; 0: one has brought nothing yet."""
    return max(each.last.since for each in listeners if each.last) if all(each.last for each in listeners) else 0


def are_level(listeners: list[Listener], after: int) -> bool:
    """Return whether a line has come back after an instant, and both have brought all since, and a margin."""
    begin = newest_since(listeners)
    return begin > after and all(each.last and each.last.timestamp > begin + MARGIN for each in listeners)


def has_accepted(exchange: FakeExchange, number: int) -> bool:
    """Return whether so many connections have been made."""
    return len(exchange.connections) >= number


@pytest.mark.parametrize("seed", range(2))
def test_feeds_when_one_after_the_other_is_killed_then_every_trade_comes_once_and_in_order(
    seed: int, schedulers: list[EventLoopThreadScheduler]
) -> None:
    """The other has it: no since rises, REST is not asked, and the candles are complete and true."""
    rng = random.Random(seed)
    ticks: list[PriceTick] = []
    with FakeExchange(Market(SYMBOLS, seed=seed, rate=RATES, duration=500), speed=40.0, wait_for=3) as exchange:
        listeners = [Listener(exchange, scheduler) for scheduler in schedulers]
        both = redundant(*(each.feed for each in listeners), scheduler=schedulers[0])
        subscriptions = CompositeDisposable(both.subscribe(ticks.append))
        for each in listeners:
            subscriptions.add(each.feed.subscribe(each.take))
        after, begin = 0, 0
        for number in range(KILLS):
            exchange.wait_until(functools.partial(are_level, listeners, after), 20.0, what="both lines")
            begin = begin or newest_since(listeners)
            after = newest_since(listeners)
            victim = rng.choice([each.number for each in exchange.connections if each.is_open])
            exchange.inject(DropAfter(trades=len(exchange.sent(victim)) + rng.randrange(1, 20), connection=victim))
            exchange.wait_until(functools.partial(has_accepted, exchange, number + 3), 20.0, what="a return")
        exchange.wait_finished()
        published = [trade for trade in exchange.trades if trade.timestamp >= begin]
        exchange.wait_until(lambda: bool(ticks) and ticks[-1].timestamp >= published[-1].timestamp)
        subscriptions.dispose()
        assert exchange.rest_requests == []

    assert len(published) > 2000
    for symbol in SYMBOLS:
        mine = [tick for tick in ticks if tick.symbol == symbol and tick.timestamp >= begin]
        assert [tick.trade_id for tick in mine] == [trade.trade_id for trade in published if trade.symbol == symbol]
        assert all(tick.since <= begin for tick in mine)
    candles: list[OHLCCandle] = []
    reactivex.from_iterable(ticks).pipe(kraken.to_ohlc("1m")).subscribe(candles.append)
    report = compare(candles, exchange.trades, "1m", fill="flat", start=begin, until=ticks[-1].timestamp)
    assert report.promise_kept, report
    assert report.complete >= 3 * 5
