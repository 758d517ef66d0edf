"""``kraken.ohlc`` with a history: the first long candle of a feed that begins in its middle."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from reactivex import Observable

from rxstreams.errors import NotServed, UnknownSymbol
from rxstreams.instants import HOUR, MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.testing import AnyFault, FakeExchange, Market, RestStatus, StaleRest, candles_of, fast_config

SYMBOLS = ["BTC/USD", "ETH/USD"]
DAY = 1_709_596_800 * SECOND  # 2024-03-05
START = DAY + 11 * HOUR + 37 * MINUTE + 25 * SECOND
"""When the feed begins: in the middle of a minute, of a quarter, and of the four hours from eight on."""
SPEED = 600.0


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A loop of the test's own."""
    scheduler = EventLoopThreadScheduler("test-ohlc")
    yield scheduler
    scheduler.dispose()


def trades(begin: int = DAY + 7 * HOUR, until: int = DAY + 12 * HOUR + 5 * MINUTE, seed: int = 5) -> list[PriceTick]:
    """Return a market that has a past when the feed begins."""
    rate = dict.fromkeys(SYMBOLS, 0.2)
    return list(Market(SYMBOLS, seed=seed, start=begin, rate=rate, duration=(until - begin) / SECOND))


def collect(exchange: FakeExchange, chain: Observable[OHLCCandle]) -> list[OHLCCandle]:
    """Return what comes until the market has ended, and what came of its last trades."""
    candles: list[OHLCCandle] = []
    errors: list[Exception] = []
    with chain.subscribe(candles.append, errors.append):
        exchange.wait_finished()
        last = max(tick.timestamp for tick in exchange.trades) // MINUTE * MINUTE

        def is_over() -> bool:
            closed = {c.symbol for c in list(candles) if c.timeframe.minutes == 1 and c.open_time == last - 2 * MINUTE}
            return len(closed) == len(SYMBOLS)

        exchange.wait_until(is_over, 20.0, what="the last minutes")
    assert errors == []
    return candles


def check(candles: list[OHLCCandle], published: list[PriceTick]) -> None:
    """Fail if a candle that says it is complete is not the true one."""
    for minutes in {candle.timeframe.minutes for candle in candles}:
        truth = {(c.symbol, c.open_time): c for c in candles_of(published, minutes, fill="flat")}
        for candle in candles:
            if candle.timeframe.minutes == minutes and candle.complete:
                true = truth[candle.symbol, candle.open_time]
                for name in ("open", "high", "low", "close", "trades", "close_time"):
                    assert getattr(candle, name) == getattr(true, name), (name, candle, true)
                assert math.isclose(candle.volume, true.volume, rel_tol=1e-12, abs_tol=1e-12)
                # As exact as the venue's average price, which has five decimals.
                assert math.isclose(candle.quote_volume, true.quote_volume, rel_tol=1e-6)


def first(candles: list[OHLCCandle], minutes: int) -> dict[str, OHLCCandle]:
    """Return the first candle of a timeframe, of each symbol, as it came first."""
    found: dict[str, OHLCCandle] = {}
    for candle in candles:
        if candle.timeframe.minutes == minutes:
            found.setdefault(candle.symbol, candle)
    assert sorted(found) == SYMBOLS
    return found


def options(exchange: FakeExchange, **overrides: Any) -> dict[str, Any]:
    """Return a feed's options; a busy machine may take its time to connect."""
    return fast_config(url=exchange.url, rest_url=exchange.rest_url, connect_timeout=5.0, **overrides)


@pytest.mark.parametrize("lags", ["nothing", "all", "candles"])
def test_ohlc_when_it_begins_in_the_middle_then_the_first_candles_are_complete(
    scheduler: EventLoopThreadScheduler, lags: str
) -> None:
    """Of one minute, a quarter and four hours, and all that follow; REST may be behind by minutes."""
    # The trades of both symbols are asked for first: those answers are true. Their candles then are six minutes old.
    stale: list[AnyFault] = [StaleRest(10.0, request=range(2, 6))] if lags == "candles" else []
    lag = 150.0 if lags == "all" else 0.0
    begin = START - 6 * MINUTE
    with FakeExchange(trades(), start=begin, speed=SPEED, wait_for=2, rest_lag=lag, faults=stale) as exchange:
        exchange.advance(6 * 60)
        feed = kraken.ohlc(SYMBOLS, "1m", history="4h", scheduler=scheduler, **options(exchange))
        candles = collect(exchange, feed.pipe(resample("1m", "15m", "4h")))
        check(candles, exchange.trades)
    for minutes in (1, 15, 240):
        for candle in first(candles, minutes).values():
            assert candle.complete
            assert candle.closed
            assert candle.open_time == DAY + 8 * HOUR
    closed = [candle for candle in candles if candle.closed]
    assert all(candle.complete for candle in closed)
    for symbol in SYMBOLS:  # none is missing, none comes twice
        opened = [c.open_time for c in closed if c.symbol == symbol and c.timeframe.minutes == 1]
        assert opened == list(range(DAY + 8 * HOUR, opened[-1] + MINUTE, MINUTE))
        assert opened[-1] >= DAY + 12 * HOUR
    asked = [request for request in exchange.rest_requests if request.path.endswith("OHLC")]
    assert len(asked) > len(SYMBOLS) if lags == "candles" else len(asked) == len(SYMBOLS)


def test_ohlc_when_updates_are_wanted_then_the_first_one_is_held_as_well(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The history comes with the first trade, not with the first candle that closes."""
    stale: list[AnyFault] = [StaleRest(150 / SPEED)]
    with FakeExchange(trades(), start=START, speed=SPEED, wait_for=2, faults=stale) as exchange:
        feed = kraken.ohlc(
            SYMBOLS,
            history="1h",
            emit="updates",
            scheduler=scheduler,
            **options(exchange),
        )
        candles = collect(exchange, feed.pipe(resample("1m", "1h")))
        check(candles, exchange.trades)
    assert all(candle.complete for candle in first(candles, 60).values())
    for symbol in SYMBOLS:
        own = [candle for candle in candles if candle.symbol == symbol and candle.timeframe.minutes == 1]
        opens = [candle.open_time for candle in own]
        assert opens == sorted(opens)
        assert opens[0] == DAY + 11 * HOUR
        assert all(candle.complete is candle.closed for candle in own)
        assert any(not candle.closed for candle in own)


@pytest.mark.parametrize("how", ["refused", "limited"])
def test_ohlc_when_rest_is_down_then_it_goes_on_without(
    scheduler: EventLoopThreadScheduler, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first candles are incomplete and say so; what follows is complete."""
    caplog.set_level(logging.WARNING, "rxstreams")
    down = RestStatus(503) if how == "refused" else RestStatus(429, retry_after=100)
    with FakeExchange(trades(), start=START, speed=SPEED, wait_for=2, faults=[down]) as exchange:
        feed = kraken.ohlc(
            SYMBOLS,
            history="4h",
            scheduler=scheduler,
            **options(exchange, max_hold=0.2),
        )
        candles = collect(exchange, feed.pipe(resample("1m", "15m", "4h")))
        check(candles, exchange.trades)
    for minutes in (1, 15, 240):
        assert not any(candle.complete for candle in first(candles, minutes).values())
    for symbol in SYMBOLS:
        minutes_of = [c for c in candles if c.symbol == symbol and c.timeframe.minutes == 1 and c.closed]
        assert minutes_of[0].open_time == START // MINUTE * MINUTE
        assert [candle.complete for candle in minutes_of] == [False] + [True] * (len(minutes_of) - 1)
        assert any(candle.complete for candle in candles if candle.symbol == symbol and candle.timeframe.minutes == 15)
    warnings = [record.getMessage() for record in caplog.records if "before the first live one" in record.getMessage()]
    assert sorted(warning.split(" of ")[1].split(" are ")[0] for warning in warnings) == SYMBOLS


def test_ohlc_when_the_venue_has_no_more_then_what_it_has_comes_first(
    scheduler: EventLoopThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one-minute candles the last 720: since the beginning of a day at one o'clock that is not enough."""
    caplog.set_level(logging.WARNING, "rxstreams")
    begin = DAY + 13 * HOUR + 20 * SECOND
    played = trades(DAY - HOUR, begin + 6 * MINUTE, seed=6)
    with FakeExchange(played, start=begin, speed=SPEED / 2, wait_for=2) as exchange:
        feed = kraken.ohlc(
            SYMBOLS,
            history="1d",
            scheduler=scheduler,
            **options(exchange),
        )
        candles = collect(exchange, feed.pipe(resample("1m", "1h")))
        check(candles, exchange.trades)
    for symbol, candle in first(candles, 1).items():
        assert DAY + HOUR <= candle.open_time < DAY + HOUR + 5 * MINUTE
        assert candle.since == candle.open_time
        own = [each for each in candles if each.symbol == symbol and each.closed]
        assert {each.since for each in own} == {candle.open_time}
        hours = [each for each in own if each.timeframe.minutes == 60]
        expected = [False] * (candle.open_time > DAY + HOUR)
        assert [each.complete for each in hours] == expected + [True] * (len(hours) - len(expected))
        assert len(hours) == 12
    warnings = [record.getMessage() for record in caplog.records if "before the first live one" in record.getMessage()]
    assert len(warnings) == len(SYMBOLS)
    assert all("the venue's candles begin at 2024-03-05T01:0" in warning for warning in warnings)


def test_ohlc_when_no_history_is_wanted_then_rest_is_not_asked(scheduler: EventLoopThreadScheduler) -> None:
    """It is the feed's trades and the venue's to_ohlc; a REST API is not needed."""
    with FakeExchange(trades(), start=START, speed=SPEED, wait_for=2) as exchange:
        feed = kraken.ohlc(SYMBOLS, scheduler=scheduler, **fast_config(url=exchange.url, connect_timeout=5.0))
        candles = collect(exchange, feed)
        check(candles, exchange.trades)
        assert exchange.rest_requests == []
    for candle in first(candles, 1).values():
        assert candle.open_time == START // MINUTE * MINUTE
        assert not candle.complete


_WS: dict[str, Any] = {"url": "ws://127.0.0.1:9"}
_REST: dict[str, Any] = {"rest_url": "http://127.0.0.1:9", **_WS}
_BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: kraken.ohlc(SYMBOLS, history="4h", **_WS), ValueError, "rest_url"),
    (lambda: kraken.ohlc(SYMBOLS, history="4h", recover=False, **_REST), ValueError, "recover=True"),
    (lambda: kraken.ohlc(SYMBOLS, "4h", history="1d", **_REST), ValueError, "an hour at most"),
    (lambda: kraken.ohlc(SYMBOLS, "7m", history="1h", **_REST), NotServed, "7m"),
    (lambda: kraken.ohlc(SYMBOLS, "2m", history="1h", **_REST), ValueError, "no past candles of"),
    (lambda: kraken.ohlc(SYMBOLS, history="soon", **_REST), ValueError, "soon"),
    (lambda: kraken.ohlc(SYMBOLS, emit="often"), ValueError, "often"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused at run time too
    (lambda: kraken.ohlc(SYMBOLS, colour="red"), TypeError, "colour"),
    (lambda: kraken.ohlc([]), UnknownSymbol, "symbol"),
]


@pytest.mark.parametrize(("build", "error", "words"), _BAD)
def test_ohlc_when_its_options_are_wrong_then_they_are_refused_at_once(
    build: Callable[[], Any], error: type[Exception], words: str
) -> None:
    """The message says what is missing."""
    with pytest.raises(error, match=words):
        build()
