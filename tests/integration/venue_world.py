"""A venue on this machine: an exchange that speaks its format, and what a feed of it receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeVar

from reactivex import Observable

from rxstreams.instants import HOUR, SECOND
from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import venue
from rxstreams.symbols import SymbolParts, split_symbol
from rxstreams.testing import FakeExchange, Market, fast_config
from rxstreams.testing.formats import format_of

T = TypeVar("T")

# Some venues ask for a stretch of time that has an end: then it is the present.
START = (time.time_ns() // HOUR - 3) * HOUR


def symbols_of(name: str, count: int) -> tuple[str, ...]:
    """Return made-up symbols of the kind that a venue has."""
    parts = split_symbol(venue(name).venue.examples[0])
    symbols: list[str] = []
    for number in range(count):
        base = f"S{number}"
        settle = base if parts.settle == parts.base else parts.settle
        symbols.append(str(SymbolParts(base, parts.quote, settle, *parts[3:])))
    return tuple(symbols)


def market_of(symbols: Iterable[str], seconds: float, *, seed: int = 3, rates: Iterable[float] = (2.0, 0.5)) -> Market:
    """Return trades of some symbols that begin at ``START``."""
    names = tuple(symbols)
    return Market(names, seed=seed, start=START, duration=seconds, rate=dict(zip(names, rates, strict=True)))


class World:
    """An exchange, and the feeds of its venue.

    Attributes:
        feeds: of the venue.
        exchange: it.
        scheduler: of the feeds.
    """

    def __init__(self, name: str, exchange: FakeExchange, scheduler: EventLoopThreadScheduler) -> None:
        self.feeds = venue(name)
        self.exchange = exchange
        self.scheduler = scheduler

    def options(self, **changes: Any) -> dict[str, Any]:
        """Return the options of a feed."""
        config: dict[str, Any] = {"url": self.exchange.url, "rest_url": self.exchange.rest_url, "connect_timeout": 10.0}
        return {"scheduler": self.scheduler, **fast_config(**{**config, **changes})}

    def collect(self, source: Observable[T]) -> tuple[list[T], Exception | None]:
        """Return all items of an Observable that ends, and the error that it ended with."""
        items: list[T] = []
        errors: list[Exception] = []
        ended = threading.Event()

        def fail(error: Exception) -> None:
            errors.append(error)
            ended.set()

        source.subscribe(items.append, fail, ended.set)
        assert ended.wait(20.0)
        return items, errors[0] if errors else None


@contextmanager
def world(name: str, trades: Any = None, **options: Any) -> Generator[World]:
    """Run an exchange that speaks as the venue does."""
    scheduler = EventLoopThreadScheduler(f"test-{name}")
    chosen: dict[str, Any] = {"start": START, **options}
    try:
        with FakeExchange(trades, format=format_of(name), **chosen) as exchange:
            yield World(name, exchange, scheduler)
    finally:
        scheduler.dispose()


def plain(ticks: Iterable[PriceTick]) -> list[tuple[Any, ...]]:
    """Return what tells trades apart; ids as text, for some venues' are."""
    return [(t.symbol, str(t.trade_id), t.price, t.volume, t.timestamp, t.side, t.count) for t in ticks]


def trade(symbol: str, seconds: float, number: int, price: float = 100.0) -> PriceTick:
    """Return a trade so many seconds after ``START``."""
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=0.5,
        timestamp=START + round(seconds * 1000) * SECOND // 1000,
        trade_id=number,
        side="buy",
    )
