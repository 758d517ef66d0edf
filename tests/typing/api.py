"""The public API as mypy and pyright see it. It is never run: both check it strictly (``make types``).

The functions below are programs that users write. ``assert_type`` says what a checker has to make of an expression;
a line with an ignore is a mistake that a checker has to find (mypy's warn_unused_ignores complains when it does not).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_type

import pandas as pd
from reactivex import Observable
from reactivex import operators as ops

from rxstreams import (
    BackoffPolicy,
    EventLoopThreadScheduler,
    OHLCBuffer,
    OHLCCacheManager,
    OHLCCandle,
    PriceTick,
    Side,
    StreamConfig,
    StreamEvent,
    StreamState,
    StreamStats,
    SymbolMap,
    Timeframe,
    WebSocketManager,
    errors,
    get_websocket_manager,
    pipe,
    register_websocket_manager,
    run,
    to_async_iterable,
)
from rxstreams.operators import (
    deduplicate,
    detect_gaps,
    into,
    normalize_symbols,
    recover_gaps,
    redundant,
    resample,
    retry_with_backoff,
    to_ohlc,
)
from rxstreams.sources import Stream, Venue, kraken, venue, venues
from rxstreams.testing import FakeExchange, Market, candles_of

Trades = Observable[PriceTick]
Candles = Observable[OHLCCandle]


def _fetch(symbol: str, since: int) -> Trades:
    return kraken.rest_trades(symbol, since=since)


def _close(candle: OHLCCandle) -> float:
    return candle.close


def chains_know_what_flows(trades: Trades) -> None:
    """Trades become candles, candles stay candles, and a composed chain is an operator like any other."""
    assert_type(trades.pipe(to_ohlc(5)), Observable[OHLCCandle])
    assert_type(trades.pipe(to_ohlc(5), resample(60)), Observable[OHLCCandle])
    assert_type(trades.pipe(deduplicate(), to_ohlc("1m", fill="flat"), resample("1h", "1d")), Observable[OHLCCandle])
    assert_type(to_ohlc(timedelta(minutes=5)), Callable[[Observable[PriceTick]], Observable[OHLCCandle]])
    assert_type(resample(5, 60, emit="updates"), Callable[[Observable[OHLCCandle]], Observable[OHLCCandle]])
    assert_type(pipe(to_ohlc(5), resample(60)), Callable[[Observable[PriceTick]], Observable[OHLCCandle]])
    assert_type(trades.pipe(pipe(to_ohlc(5), resample(60))), Observable[OHLCCandle])
    assert_type(trades.pipe(to_ohlc(5), ops.map(_close)), Observable[float])


def operators_that_pass_items_on_keep_their_type(trades: Trades, candles: Candles, numbers: Observable[int]) -> None:
    """What goes in comes out, whatever it is."""
    policy = BackoffPolicy(initial=0.5, maximum=30.0, jitter="equal")
    assert_type(numbers.pipe(retry_with_backoff(policy, retry_on=(OSError, TimeoutError))), Observable[int])
    assert_type(trades.pipe(retry_with_backoff()), Observable[PriceTick])
    assert_type(trades.pipe(deduplicate(size=1_000)), Observable[PriceTick])
    assert_type(trades.pipe(normalize_symbols(SymbolMap({"BTC": ["BTC/USD", "XXBTZUSD"]}))), Observable[PriceTick])
    assert_type(candles.pipe(normalize_symbols({"BTC": ["BTC/USD"]})), Observable[OHLCCandle])
    assert_type(trades.pipe(into(OHLCCacheManager())), Observable[PriceTick])
    assert_type(candles.pipe(into(OHLCBuffer("BTC/USD", 5))), Observable[OHLCCandle])


def mistakes_are_found(trades: Trades, candles: Candles) -> None:
    """An operator on the wrong item, and an option or a word that does not exist."""
    candles.pipe(to_ohlc(5))  # type: ignore[arg-type]  # candles have no trades to build from
    trades.pipe(resample(60))  # type: ignore[arg-type]  # trades are no candles
    to_ohlc(5, fill="zero")  # type: ignore[arg-type]  # "skip" or "flat"
    to_ohlc(5, "updates")  # type: ignore[call-arg]  # options are keyword-only
    PriceTick("BTC/USD", 1.0)  # type: ignore[call-arg]  # so are fields
    BackoffPolicy(jitter="some")  # type: ignore[arg-type]  # "decorrelated", "full", "equal" or "none"


def sources_know_what_they_emit() -> None:
    """A feed is an Observable of its items, and has its own controls."""
    feed = kraken.trades(["BTC/USD", "ETH/USD"], silence_timeout=20.0)
    assert_type(feed, Stream[PriceTick])
    assert_type(feed.pipe(kraken.to_ohlc(5)), Observable[OHLCCandle])
    assert_type(kraken.trades(["BTC/USD"], history="5m", recover=False, max_age=82_800), Stream[PriceTick])
    assert_type(kraken.candles(["BTC/USD"], "1m"), Stream[OHLCCandle])
    assert_type(kraken.candles(["BTC/USD"], "5m", history=500), Stream[OHLCCandle])
    assert_type(kraken.ohlc(["BTC/USD"], "1m", history="4h"), Observable[OHLCCandle])
    assert_type(redundant(feed, kraken.trades(["BTC/USD"])), Observable[PriceTick])
    assert_type(feed.pipe(detect_gaps()), Observable[PriceTick])
    assert_type(feed.pipe(recover_gaps(_fetch, max_hold=timedelta(seconds=5))), Observable[PriceTick])
    assert_type(kraken.rest_trades("BTC/USD", since=datetime.now(UTC)), Observable[PriceTick])
    assert_type(kraken.rest_candles("BTC/USD", "1h", since=1_700_000_000_000_000_000), Observable[OHLCCandle])
    assert_type(venue("kraken").trades(["BTC/USD"]), Stream[PriceTick])
    assert_type(venues(), tuple[str, ...])
    assert_type(feed.events, Observable[StreamEvent])
    assert_type(feed.states, Observable[StreamState])
    assert_type(feed.stats, StreamStats)
    assert_type(feed.state, StreamState)
    assert_type(feed.error, Exception | None)
    assert_type(feed.venue, Venue)
    feed.add(["SOL/USD"])
    feed.remove(["ETH/USD"])
    feed.stop(timeout=timedelta(seconds=2))


class Manager(WebSocketManager):
    """A user's manager, whose methods return what they may return."""

    async def _on_connect(self) -> None:
        await self.ws.send("text")
        await self.ws.send(b"bytes")

    async def _send_subscribe(self, symbols: list[str]) -> None:
        assert_type(symbols, list[str])

    async def _send_unsubscribe(self, symbols: list[str]) -> None:
        await self.ws.close()

    async def _parse_message(self, data: dict[str, str]) -> PriceTick | None:
        return PriceTick(symbol=data["symbol"], price=float(data["price"]), timestamp=datetime.now(UTC))


async def managers_are_sources_too(candles: OHLCCacheManager) -> None:
    """A manager's callbacks get ticks, its ticks go through operators, and it is found by its name."""
    manager = Manager(StreamConfig(url="wss://feed.example.test", name="mine"))
    manager.on_tick(lambda tick: assert_type(tick, PriceTick))

    @manager.on_tick
    def keep(tick: PriceTick) -> None:
        candles.on_next(tick)

    await manager.subscribe(symbol for symbol in ("BTC/USD", "ETH/USD"))
    await manager.start()
    await manager.stop(timeout=timedelta(seconds=2))
    assert_type(manager.ticks.pipe(to_ohlc(5)), Observable[OHLCCandle])
    assert_type(manager.state, StreamState)
    assert_type(manager.stats, StreamStats)
    assert_type(manager.error, Exception | None)
    assert_type(manager.symbols, tuple[str, ...])
    register_websocket_manager(manager)
    register_websocket_manager("mine", manager)
    assert_type(get_websocket_manager("mine"), WebSocketManager | None)
    register_websocket_manager("mine")  # type: ignore[call-overload]  # pyright: ignore  # a name alone


def sinks_take_what_they_keep(trades: Trades, candles: Candles) -> None:
    """A sink is an observer of both kinds of item, wherever an observer goes."""
    buffers = OHLCCacheManager(symbol_map={"BTC": ["BTC/USD"]}, timeframes=[5, "1h", timedelta(days=1)])
    run(candles, buffers)
    run(trades, buffers)
    run(trades, lambda tick: tick.price, timeout=10)
    candles.subscribe(buffers).dispose()
    trades.subscribe(buffers).dispose()
    assert_type(buffers.to_dataframe("BTC", "1h", count=10), pd.DataFrame)
    buffer = OHLCBuffer("BTC/USD", 5, max_candles=100)
    candles.subscribe(buffer).dispose()
    buffer.update_from_trade(100.0, 1.0, datetime.now(UTC), side=Side.BUY)
    assert_type(buffer.to_dataframe(count=10), pd.DataFrame)
    assert_type(buffer.candles(), list[OHLCCandle])
    assert_type(buffer.latest(), OHLCCandle | None)


def items_have_plain_fields(tick: PriceTick, candle: OHLCCandle) -> None:
    """Times are integers; the datetime is an attribute beside them."""
    stamp: int = tick.timestamp
    assert_type(stamp, int)
    assert_type(tick.time, datetime)
    assert_type(tick.side, Side | None)
    opened: int = candle.open_time
    assert_type(opened, int)
    assert_type(candle.close_time, int)
    assert_type(candle.timeframe, Timeframe)
    assert_type(candle.vwap, float)
    assert_type(candle.complete, bool)
    PriceTick(symbol="BTC/USD", price=1, timestamp=pd.Timestamp("2024-01-01", tz="UTC"), side=Side.SELL)


async def asyncio_programs_iterate(candles: Candles) -> None:
    """``async for`` over an Observable gives its items."""
    async for candle in to_async_iterable(candles, maxsize=100, overflow="drop_oldest"):
        assert_type(candle, OHLCCandle)
        await asyncio.sleep(0)


def errors_are_caught_by_class(candles: Candles) -> None:
    """One base for all, one for what breaks a feed, and what is known of it."""
    try:
        run(candles)
    except errors.RateLimited as error:
        assert_type(error.retry_after, float | None)
    except errors.StreamError as error:
        assert_type(error.retryable, bool)
        assert_type(error.uptime, float)


def tests_of_users_have_an_exchange() -> Iterator[None]:
    """FakeExchange is a context manager that gives itself."""
    with FakeExchange(Market(["BTC/USD"], duration=60), wait_for=1) as exchange:
        assert_type(exchange, FakeExchange)
        assert_type(exchange.trades, list[PriceTick])
        assert_type([candle.close for candle in candles_of(exchange.trades, "1m")], list[float])
        assert_type(exchange.url, str)
        yield


def options_have_types() -> None:
    """A config and a scheduler are built with keywords."""
    assert_type(StreamConfig(url="wss://feed.example.test", connect_timeout=5.0), StreamConfig)
    scheduler = EventLoopThreadScheduler("mine")
    kraken.trades(["BTC/USD"], scheduler=scheduler)
    assert_type(Timeframe("1d", tz="America/New_York", session_start="17:00"), Timeframe)
