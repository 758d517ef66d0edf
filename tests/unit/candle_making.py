"""Short ways to write trades and candles, and to read what comes out, for the tests of ``to_ohlc`` and ``resample``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from reactivex import Observable
from reactivex.notification import OnCompleted, OnError, OnNext
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.timeframe import TimeframeLike

ALWAYS = 1
"""A ``since`` (nanoseconds) that covers every interval of these tests but one that starts at 0."""

_T = TypeVar("_T")
_U = TypeVar("_U")


def trade(
    seconds: float,
    price: float,
    symbol: str = "A",
    *,
    span: int = 1,
    since: float | None = None,
    volume: float = 1.0,
    exchange: str = "x",
    count: int = 1,
    side: Side | None = None,
) -> PriceTick:
    """Return a trade stamped so many seconds after the epoch, covered from ``since`` (seconds; None: for ever)."""
    return PriceTick(
        symbol=symbol,
        price=float(price),
        volume=volume,
        timestamp=round(seconds * SECOND),
        exchange=exchange,
        count=count,
        side=side,
        span=span,
        since=ALWAYS if since is None else round(since * SECOND),
    )


def child(
    seconds: float,
    prices: str,
    symbol: str = "A",
    *,
    timeframe: TimeframeLike = 1,
    volume: float = 1.0,
    trades: int = 1,
    closed: bool = True,
    complete: bool = True,
    revision: int = 0,
    span: int = 1,
    since: float | None = None,
    exchange: str = "x",
) -> OHLCCandle:
    """Return a candle that opens so many seconds after the epoch; prices: "open high low close", or one for all."""
    numbers = [float(price) for price in prices.split()]
    opens, high, low, close = numbers * 4 if len(numbers) == 1 else numbers
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=round(seconds * SECOND),
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=volume,
        trades=trades,
        quote_volume=volume * close,
        exchange=exchange,
        closed=closed,
        complete=complete,
        revision=revision,
        span=span,
        since=ALWAYS if since is None else round(since * SECOND),
    )


def show(candle: OHLCCandle) -> str:
    """Write a candle down: symbol, timeframe, open_time, prices, volume, trades, and what is known of it.

    "A 1m 60: 1 3 1 2 v4 n3 complete" is closed and complete; instead of "complete" it may be "closed" or "open". A
    revision follows as "r1".
    """
    state = ("complete" if candle.complete else "closed") if candle.closed else "open"
    assert candle.closed or not candle.complete
    revision = f" r{candle.revision}" if candle.revision else ""
    prices = f"{candle.open:g} {candle.high:g} {candle.low:g} {candle.close:g}"
    key = f"{candle.symbol} {candle.timeframe} {candle.open_time / SECOND:.15g}"
    return f"{key}: {prices} v{candle.volume:g} n{candle.trades} {state}{revision}"


Arrival = tuple[int, object]


def arriving(*items: PriceTick | OHLCCandle) -> list[Arrival]:
    """Let items arrive a virtual second apart, from 210 on."""
    return [(210 + number, item) for number, item in enumerate(items)]


def run(
    operator: Callable[[Observable[_T]], Observable[_U]],
    arrivals: Iterable[Arrival],
    *,
    completed: int | None = None,
    error: tuple[int, Exception] | None = None,
    disposed: float = 1000,
    use_scheduler: TestScheduler | None = None,
) -> list[tuple[float, str]]:
    """Subscribe at 200 in virtual time, and return every message with its time, written down."""
    scheduler = use_scheduler or TestScheduler()
    messages = [ReactiveTest.on_next(time, item) for time, item in arrivals]
    if completed is not None:
        messages.append(ReactiveTest.on_completed(completed))
    if error is not None:
        messages.append(ReactiveTest.on_error(*error))
    source: Observable[Any] = scheduler.create_hot_observable(*messages)
    results = scheduler.start(lambda: source.pipe(operator), disposed=disposed)
    return [(message.time, _write(message.value)) for message in results.messages]


def _write(notification: object) -> str:
    if isinstance(notification, OnNext):
        value: object = cast("OnNext[object]", notification).value
        return show(value) if isinstance(value, OHLCCandle) else repr(value)
    if isinstance(notification, OnError):
        return f"{type(notification.exception).__name__}: {notification.exception}"
    assert isinstance(notification, OnCompleted)
    return "completed"
