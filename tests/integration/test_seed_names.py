"""Each of the sixteen names that the seed gives does what its description promises, through the public name."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from manager_server import Exchange, PlainServer, plain_server, trade, until

import rxstreams
from rxstreams import (
    APIPriority,
    APIRateLimiter,
    OHLCBuffer,
    OHLCCacheManager,
    OHLCCandle,
    PriceTick,
    RateLimitConfig,
    StreamConfig,
    StreamState,
    StreamStats,
    WebSocketManager,
    create_rate_limiter,
    get_ohlc_cache_manager,
    get_rate_limiter,
    get_websocket_manager,
    register_websocket_manager,
)
from rxstreams.errors import QuotaExceeded

MIDNIGHT = datetime(2025, 1, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAMES = [
    "StreamState",
    "StreamConfig",
    "PriceTick",
    "StreamStats",
    "WebSocketManager",
    "get_websocket_manager",
    "register_websocket_manager",
    "OHLCCandle",
    "OHLCBuffer",
    "OHLCCacheManager",
    "get_ohlc_cache_manager",
    "APIPriority",
    "RateLimitConfig",
    "APIRateLimiter",
    "create_rate_limiter",
    "get_rate_limiter",
]


@pytest.fixture
def server() -> Iterator[PlainServer]:
    """A server that does as it is told."""
    with plain_server() as server:
        yield server


def test_names_when_looked_up_then_all_sixteen_are_public() -> None:
    """A program of the seed's changes its import and nothing else."""
    assert len(NAMES) == 16
    assert sorted(set(NAMES) - set(rxstreams.__all__)) == []


# Streaming


def test_stream_state_when_a_connection_lives_then_it_names_every_stage(server: PlainServer) -> None:
    """An enum of the stages of a connection's life, in the order of that life."""

    async def main() -> list[StreamState]:
        manager = Exchange(server.url)
        stages: list[StreamState] = [manager.state]
        manager.events.subscribe(lambda event: stages.append(event.state) if event.kind == "state" else None)
        await manager.start()
        await manager.stop()
        return stages

    s = StreamState
    assert asyncio.run(main()) == [
        *(s.DISCONNECTED, s.RESOLVING, s.CONNECTING, s.CONNECTED),
        *(s.SUBSCRIBING, s.STREAMING, s.STOPPED),
    ]


def test_stream_config_when_built_then_it_is_an_immutable_dataclass_with_defaults() -> None:
    """The configuration of one stream; -1 attempts never give up."""
    config = StreamConfig(url="wss://stream.example.com/v2", name="my-exchange", reconnect_attempts=-1)
    assert dataclasses.is_dataclass(config)
    assert config == StreamConfig(url="wss://stream.example.com/v2", name="my-exchange")
    assert config.policy.max_attempts is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested


def test_price_tick_when_given_a_datetime_then_timestamp_is_an_int_and_time_the_datetime() -> None:
    """The one difference to the seed's tick."""
    tick = PriceTick(symbol="BTC/USD", price=50_000.0, volume=0.5, timestamp=MIDNIGHT, exchange="my_exchange")
    assert (tick.symbol, tick.price, tick.volume, tick.exchange) == ("BTC/USD", 50_000.0, 0.5, "my_exchange")
    assert tick.timestamp == int(MIDNIGHT.timestamp()) * 1_000_000_000
    assert tick.time == MIDNIGHT


def test_stream_stats_when_read_then_they_tell_what_the_stream_has_done(server: PlainServer) -> None:
    """A snapshot of runtime statistics and health."""

    async def main() -> StreamStats:
        manager = Exchange(server.url)
        assert manager.stats == StreamStats()
        await manager.start()
        server.send(trade(1.0), {"heartbeat": 1}, {"price": "broken"})
        await until(lambda: manager.stats.parse_errors)
        stats = manager.stats
        await manager.stop()
        return stats

    stats = asyncio.run(main())
    assert (stats.messages, stats.ticks, stats.parse_errors, stats.connects) == (3, 1, 1, 1)
    assert stats.bytes > 0
    assert stats.uptime > 0
    assert stats.last_event_age is not None
    assert dict(stats.reconnects) == {}


def test_websocket_manager_when_a_method_is_missing_then_it_can_not_be_built() -> None:
    """An abstract base with four methods to implement, all of them coroutines."""
    names = {"_on_connect", "_send_subscribe", "_send_unsubscribe", "_parse_message"}
    assert WebSocketManager.__abstractmethods__ == names
    for name in sorted(names):
        assert inspect.iscoroutinefunction(getattr(WebSocketManager, name))
        others: dict[str, Any] = {each: getattr(Exchange, each) for each in names - {name}}
        with pytest.raises(TypeError, match=name):
            type("Incomplete", (WebSocketManager,), others)(StreamConfig(url="ws://127.0.0.1:9"))


def test_get_websocket_manager_when_the_name_is_unknown_then_it_is_none() -> None:
    """Being asked for registers nothing, and neither does being built with a name."""
    Exchange("ws://127.0.0.1:9")
    assert get_websocket_manager("test-manager") is None
    with pytest.raises(ValueError, match="must not be empty"):
        get_websocket_manager("")


def test_register_websocket_manager_when_called_then_it_is_found_by_that_name() -> None:
    """Under a name of its own or under one that is given; again is no error, another manager is."""
    one, other = Exchange("ws://127.0.0.1:9"), Exchange("ws://127.0.0.1:9")
    one.name = "seed-names-own"
    assert register_websocket_manager(one) is one
    assert register_websocket_manager("seed-names-given", one) is one
    assert register_websocket_manager("seed-names-given", one) is one
    assert get_websocket_manager("seed-names-own") is get_websocket_manager("seed-names-given") is one
    with pytest.raises(ValueError, match=r"'seed-names-given' is there already: Exchange\(.*use another name"):
        register_websocket_manager("seed-names-given", other)
    assert get_websocket_manager("seed-names-given") is one
    register: Any = register_websocket_manager
    for wrong in [("only-a-name",), (one, "the other way round"), (one, other), ("x", "y"), (5, one)]:
        with pytest.raises(TypeError):
            register(*wrong)


# Candles


def test_ohlc_candle_when_built_then_it_holds_one_interval() -> None:
    """Open, high, low, close, volume, and from when to when."""
    candle = OHLCCandle(
        symbol="AAPL", timeframe=5, open_time=MIDNIGHT, open=1.0, high=4.0, low=0.5, close=2.0, volume=10.0, trades=3
    )
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (1.0, 4.0, 0.5, 2.0, 10.0)
    assert candle.time == MIDNIGHT
    assert candle.close_time - candle.open_time == 5 * 60 * 1_000_000_000
    with pytest.raises(ValueError, match="high"):
        OHLCCandle(symbol="AAPL", timeframe=5, open_time=MIDNIGHT, open=1.0, high=0.9, low=0.5, close=0.7)


def test_ohlc_buffer_when_it_is_full_then_the_oldest_candle_makes_room() -> None:
    """A ring for one symbol, filled by trades."""
    buffer = OHLCBuffer("AAPL", interval_minutes=5, max_candles=3)
    for minute in range(0, 30, 5):
        buffer.update_from_trade(price=100.0 + minute, volume=1, timestamp=MIDNIGHT + minute * MINUTE)
    frame = buffer.to_dataframe(count=200)
    assert frame["close"].tolist() == [115.0, 120.0, 125.0]
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert buffer.to_dataframe(count=1).index[0] == MIDNIGHT + 25 * MINUTE


def test_ohlc_buffer_when_fed_by_an_exchange_and_a_rest_answer_then_it_holds_both() -> None:
    """Native candles of an exchange's feed, after a history from REST."""
    buffer = OHLCBuffer("AAPL", interval_minutes=5)
    values: Any = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    history = [
        OHLCCandle(symbol="AAPL", timeframe=5, open_time=MIDNIGHT + n * 5 * MINUTE, closed=True, **values)
        for n in range(3)
    ]
    assert buffer.bootstrap(history) == 3
    buffer.update_from_candle(open_time=MIDNIGHT + 15 * MINUTE, volume=7.0, **values)
    assert buffer.to_dataframe()["volume"].tolist() == [0.0, 0.0, 0.0, 7.0]


def test_ohlc_buffer_when_read_from_another_thread_then_it_sees_whole_candles() -> None:
    """Thread-safe: a reader never sees half of a trade."""
    buffer = OHLCBuffer("AAPL", interval_minutes=1, max_candles=50)
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            # Each trade has its own number as price and as volume: n trades of a candle sum up to what they must.
            torn.extend(each for each in buffer.candles() if each.volume != each.trades * each.close)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(20_000):
        minute = n // 20
        buffer.update_from_trade(float(minute + 1), float(minute + 1), MIDNIGHT + minute * MINUTE)
    done.set()
    reader.join(10.0)
    assert torn == []
    assert len(buffer) == 50


def test_ohlc_cache_manager_when_symbols_have_several_names_then_they_share_a_buffer() -> None:
    """Many symbols and timeframes; the longer ones are made of the shorter."""
    manager = OHLCCacheManager(symbol_map={"BTC": ["BTC/USD", "BTCUSD", "XXBTZUSD"]}, max_candles=500)
    for minute in range(0, 250, 5):
        spelling = ("BTC/USD", "BTCUSD", "XXBTZUSD", "BTC")[minute // 5 % 4]
        manager.update_from_trade(spelling, 50_000.0 + minute, 0.5, MIDNIGHT + minute * MINUTE)
    manager.update_from_trade("ETH/USD", 3_000.0, 1.0, MIDNIGHT)
    manager.aggregate_higher_timeframes("BTC")
    candles = manager.get_multi_timeframe_candles("XXBTZUSD")
    assert {minutes: len(each) for minutes, each in candles.items()} == {5: 50, 15: 17, 60: 5, 240: 2, 1440: 1}
    assert all(not each[-1].closed for each in candles.values())
    assert sorted(manager.symbols()) == ["BTC", "ETH/USD"]
    assert candles[60][0].volume == 6.0


def test_get_ohlc_cache_manager_when_called_twice_then_it_is_the_same_one() -> None:
    """The first call makes the one manager for the whole program."""
    manager = get_ohlc_cache_manager()
    assert isinstance(manager, OHLCCacheManager)
    assert get_ohlc_cache_manager() is manager


# Limits


def test_api_priority_when_quota_is_tight_then_the_lower_is_refused_first() -> None:
    """Four levels; each may use more of the quota than the next."""
    assert [each.name for each in APIPriority] == ["CRITICAL", "HIGH", "MEDIUM", "LOW"]

    async def fetch() -> None:
        """Stand for a call."""

    async def admitted(priority: APIPriority) -> int:
        limiter = APIRateLimiter(RateLimitConfig(max_calls_per_minute=100))
        for count in range(200):
            try:
                await limiter.execute(fetch, priority=priority)
            except QuotaExceeded:
                return count
        return 200

    counts = [asyncio.run(admitted(priority)) for priority in APIPriority]
    assert counts == [100, 95, 80, 60]


def test_rate_limit_config_when_built_then_it_is_a_dataclass_of_the_seeds_options() -> None:
    """Calls a minute, calls an hour, and the first pause after an error."""
    config = RateLimitConfig(max_calls_per_minute=30, max_calls_per_hour=500, initial_backoff_seconds=5.0)
    assert dataclasses.is_dataclass(config)
    assert config.limits == ((30, 60.0), (500, 3600.0))
    assert config.initial_backoff_seconds == 5.0
    assert RateLimitConfig() == RateLimitConfig()


def test_api_rate_limiter_when_it_is_used_then_it_caches_and_backs_off() -> None:
    """An answer is kept under its key; a rate-limit error stops all calls for a while and reaches the caller."""

    class TooMany(Exception):
        status = 429

    calls: list[str] = []

    async def fetch(symbol: str) -> str:
        calls.append(symbol)
        if symbol == "too many":
            raise TooMany
        return f"data of {symbol}"

    async def main() -> None:
        limiter = APIRateLimiter(RateLimitConfig(max_calls_per_minute=30, initial_backoff_seconds=5.0))
        options: dict[str, Any] = {"priority": APIPriority.HIGH, "cache_key": "btc", "cache_ttl": 30}
        assert await limiter.execute(fetch, "BTC/USD", **options) == "data of BTC/USD"
        assert await limiter.execute(fetch, "BTC/USD", **options) == "data of BTC/USD"
        assert calls == ["BTC/USD"]
        with pytest.raises(TooMany):
            await limiter.execute(fetch, "too many")
        with pytest.raises(QuotaExceeded):
            await limiter.execute(fetch, "ETH/USD", priority=APIPriority.CRITICAL)
        stats = limiter.get_stats()
        assert (stats.admitted, stats.cached, stats.rate_limited, stats.refused) == (2, 1, 1, 1)
        assert stats.frozen_for > 0

    asyncio.run(main())


def test_create_rate_limiter_when_called_twice_then_it_is_one_limiter_a_name() -> None:
    """The name decides; another config for it is an error."""
    config = RateLimitConfig(max_calls_per_minute=30)
    limiter = create_rate_limiter("seed-names", config)
    assert isinstance(limiter, APIRateLimiter)
    assert create_rate_limiter("seed-names", config) is limiter
    assert create_rate_limiter("seed-names") is limiter
    assert create_rate_limiter("seed-names-other", config) is not limiter
    with pytest.raises(ValueError, match="use another name"):
        create_rate_limiter("seed-names", RateLimitConfig(max_calls_per_minute=31))


def test_get_rate_limiter_when_asked_then_it_finds_what_was_created() -> None:
    """None for a name that nobody has created."""
    limiter = create_rate_limiter("seed-names-found")
    assert get_rate_limiter("seed-names-found") is limiter
    assert get_rate_limiter("seed-names-unknown") is None
