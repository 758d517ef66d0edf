"""The oracle: recorded Kraken trades, over a real WebSocket, into candles that equal Kraken's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from reactivex import Observable

from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.testing import FakeExchange, candles_of, fast_config
from rxstreams.timeframe import Timeframe

SYMBOL = "BTC/USDT"


def read_trades(recordings: Path) -> list[PriceTick]:
    """Return the 1,000 recorded trades."""
    body = (recordings / "kraken_rest" / "http_trades.json").read_bytes()
    return list(kraken.Kraken().parse_rest_trades(SYMBOL, body, None).items)


def read_candles(recordings: Path) -> dict[int, OHLCCandle]:
    """Return Kraken's own candles by their open time."""
    body = (recordings / "kraken_rest" / "http_ohlc.json").read_bytes()
    items = kraken.Kraken().parse_rest_candles(SYMBOL, Timeframe("1m"), body, None).items
    return {candle.open_time: candle for candle in items}


def play(trades: list[PriceTick], chain: Callable[[Observable[PriceTick]], Observable[OHLCCandle]]) -> list[OHLCCandle]:
    """Send the trades over a real socket in Kraken's format and return what comes out of a chain."""
    scheduler = EventLoopThreadScheduler("oracle")
    candles: list[OHLCCandle] = []
    ended = threading.Event()
    seen: list[PriceTick] = []
    try:
        with FakeExchange(trades, symbols=[SYMBOL]) as exchange:
            feed = kraken.trades([SYMBOL], scheduler=scheduler, **fast_config(url=exchange.url))
            feed.subscribe(seen.append)
            feed.pipe(chain).subscribe(candles.append, on_completed=ended.set)
            exchange.wait_until(lambda: len(seen) == len(trades), 30.0, what="all trades")
            feed.stop()
            assert ended.is_set()
    finally:
        scheduler.dispose()
    return candles


@pytest.mark.recordings
def test_kraken_trades_when_sent_over_a_socket_then_candles_equal_krakens_own(recordings: Path) -> None:
    """272 minutes with trades and 137 flat ones; the first and the last minute of the window are partial."""
    trades = read_trades(recordings)
    theirs = read_candles(recordings)
    first, last = (Timeframe("1m").floor(tick.timestamp) for tick in (trades[0], trades[-1]))
    ours = {c.open_time: c for c in play(trades, kraken.to_ohlc(1)) if first < c.open_time < last}
    assert set(ours) == {time for time in theirs if first < time < last}
    traded = {time for time, candle in theirs.items() if candle.trades and time in ours}
    for time, mine in ours.items():
        true = theirs[time]
        assert (mine.open, mine.high, mine.low, mine.close, mine.trades) == (
            (true.open, true.high, true.low, true.close, true.trades)
        ), mine
        assert mine.volume == pytest.approx(true.volume, rel=1e-12, abs=0.0)
        if time in traded:
            assert abs(mine.vwap - true.vwap) <= 0.1
        assert mine.closed
        assert mine.complete, mine
    assert (len(traded), len(ours) - len(traded)) == (272, 137)


@pytest.mark.recordings
def test_kraken_trades_when_resampled_then_equal_an_independent_aggregation(recordings: Path) -> None:
    """``pipe(to_ohlc(5), resample(60))`` of the same socket against the oracle that shares no code with it."""
    trades = read_trades(recordings)
    got = {c.open_time: c for c in play(trades, lambda s: s.pipe(kraken.to_ohlc(5), resample(60)))}
    until = trades[-1].timestamp // (60 * MINUTE) * 60 * MINUTE
    true = {c.open_time: c for c in candles_of(trades, "1h", until=until) if c.open_time < until}
    assert len(true) >= 6
    for time, candle in true.items():
        mine = got[time]
        assert (mine.open, mine.high, mine.low, mine.close, mine.trades) == (
            (candle.open, candle.high, candle.low, candle.close, candle.trades)
        )
        assert mine.volume == pytest.approx(candle.volume, rel=1e-12, abs=0.0)
        assert mine.closed
        assert mine.complete is (time > trades[0].timestamp)
