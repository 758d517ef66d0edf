"""Buffers and managers with a writer at full speed and readers in other threads: no torn row, no torn moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks import OHLCBuffer, OHLCCacheManager
from rxstreams.timeframe import Timeframe

T0 = 1_735_689_600 * SECOND
ROUNDS = 500


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    """Let threads take turns a thousand times as often as usual, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def _candle(number: int, value: float, revision: int) -> OHLCCandle:
    """Return a candle in which every number is the same, so that a torn row can be told."""
    return OHLCCandle(
        symbol="A",
        timeframe=Timeframe(1),
        open_time=T0 + number * MINUTE,
        open=value,
        high=value,
        low=value,
        close=value,
        volume=value,
        trades=int(value),
        quote_volume=value,
        buy_volume=value,
        revision=revision,
        span=int(value),
        since=int(value),
    )


def _run(write: Callable[[], None], *readers: Callable[[], None]) -> None:
    """Let one thread write to the end and others read meanwhile and once after it; raise what any of them raises."""
    done = threading.Event()
    errors: list[BaseException] = []

    def write_once() -> None:
        try:
            write()
        except BaseException as error:
            errors.append(error)
        done.set()

    def read_on(read: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                read()
            read()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write_once, name="buffer-writer")]
    threads += [threading.Thread(target=read_on, args=(read,), name="buffer-reader") for read in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=50)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_buffer_when_read_at_full_speed_then_no_row_is_ever_torn() -> None:
    """Rows are appended, replaced, inserted out of order and thrown out while others read them."""
    buffer = OHLCBuffer("A", 1, max_candles=20)
    readings: list[int] = []

    def write() -> None:
        for number in range(ROUNDS):
            if number % 7 == 3:
                continue  # comes later, out of order
            for revision in range(3):
                buffer.on_next(_candle(number, number * 10.0 + revision, revision))
            if number % 7 == 5:
                buffer.on_next(_candle(number - 2, number * 10.0 + 9, 0))

    def read_candles() -> None:
        candles = buffer.candles()
        for candle in candles:
            numbers = {candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades}
            assert len(numbers | {candle.quote_volume, candle.buy_volume, candle.span}) == 1
        times = [candle.open_time for candle in candles]
        assert times == sorted(set(times))
        assert len(candles) <= 20
        readings.append(len(candles))

    def read_frame() -> None:
        frame = buffer.to_dataframe()
        values = frame[["open", "high", "low", "close", "volume", "trades", "quote_volume", "buy_volume"]].to_numpy()
        assert np.all(values == values[:, :1])
        assert frame.index.is_monotonic_increasing
        assert frame.index.is_unique

    _run(write, read_candles, read_frame)
    assert readings[-1] == 20
    assert len(readings) > 5


def test_buffer_when_trades_come_at_full_speed_then_the_forming_candle_is_never_torn() -> None:
    """Every trade has volume 1 and count 1, and none is late: the sums agree in every reading."""
    buffer = OHLCBuffer("A", 1, max_candles=50)
    last = 0.0

    def write() -> None:
        for number in range(ROUNDS * 40):
            buffer.update_from_trade(2.0, 1.0, T0 + number * SECOND)

    def read() -> None:
        nonlocal last
        frame = buffer.to_dataframe()
        assert (frame["volume"] == frame["trades"]).all()
        assert (frame["quote_volume"] == 2 * frame["volume"]).all()
        assert frame["closed"].iloc[:-1].all()
        assert not frame["closed"].iloc[-1:].any()
        whole = frame["trades"].iloc[1:-1]
        assert (whole == 60).all()
        newest = 0.0 if frame.empty else frame.index[-1].value + float(frame["trades"].iloc[-1]) * SECOND
        assert newest >= last
        last = newest

    _run(write, read)


def test_manager_when_read_at_full_speed_then_all_timeframes_show_one_moment() -> None:
    """Whoever asks for all timeframes at once gets the same trades in each of them."""
    manager = OHLCCacheManager(timeframes=(1, 5, 15))
    sums: list[float] = []

    def write() -> None:
        for number in range(ROUNDS * 20):
            for symbol in ("A", "B"):
                manager.on_next(PriceTick(symbol=symbol, price=1.0, volume=1.0, timestamp=T0 + number * 3 * SECOND))

    def read() -> None:
        rows = manager.get_multi_timeframe_candles("A")
        volumes = {sum(candle.volume for candle in candles) for candles in rows.values()}
        assert len(volumes) == 1
        sums.append(volumes.pop())

    def read_one() -> None:
        for timeframe in (15, 1, 5):
            frame = manager.to_dataframe("B", timeframe)
            assert (frame["volume"] == frame["trades"]).all()
            assert (frame["trades"].iloc[:-1] == 20 * timeframe).all()
            assert frame["closed"].iloc[:-1].all()
            assert not frame["closed"].iloc[-1:].any()

    _run(write, read, read_one)
    assert sums == sorted(sums)
    assert sums[-1] == ROUNDS * 20


def test_manager_when_two_sources_write_from_their_own_threads_then_nothing_is_lost() -> None:
    """A feed a venue, each on its own loop's thread, into one manager, with history coming in between."""
    manager = OHLCCacheManager(timeframes=(1, 5), max_candles=1000)
    count = ROUNDS * 10

    def write(exchange: str) -> Callable[[], None]:
        def run() -> None:
            for number in range(count):
                tick = PriceTick(
                    symbol="A", price=1.0, volume=1.0, timestamp=T0 + number * 7 * SECOND, exchange=exchange
                )
                manager.on_next(tick)

        return run

    def bootstrap() -> None:
        history: list[Any] = [
            OHLCCandle(
                symbol="A",
                timeframe=Timeframe(1),
                open_time=T0 - number * MINUTE,
                open=1.0,
                high=1.0,
                low=1.0,
                close=1.0,
                volume=1.0,
                complete=True,
                exchange="x",
            )
            for number in range(1, 31)
        ]
        manager.bootstrap(history)

    def write_both() -> None:
        writers = [threading.Thread(target=write(exchange), name="buffer-source") for exchange in ("x", "y")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(timeout=50)

    _run(write_both, bootstrap)
    for exchange, extra in (("x", 30), ("y", 0)):
        for timeframe in (1, 5):
            candles = manager.candles("A", timeframe, exchange=exchange)
            assert sum(candle.volume for candle in candles) == count + extra
