"""History for the buffers from an Observable: waited for, merged as a whole or not at all."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.disposable import Disposable

from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks import OHLCBuffer, OHLCCacheManager

SOON = 10.0


def candle(number: int, price: float = 7.0, *, symbol: str = "A", closed: bool = True, **fields: Any) -> OHLCCandle:
    """Return a five-minute candle of a venue's own."""
    fields = {"complete": closed} | fields
    return OHLCCandle(
        symbol=symbol,
        timeframe="5m",
        open_time=number * 5 * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        closed=closed,
        **fields,
    )


def shown(buffer: OHLCBuffer) -> list[tuple[int, float, bool, bool]]:
    """Return place, price, closed and complete of a buffer's candles."""
    return [(c.open_time // (5 * MINUTE), c.close, c.closed, c.complete) for c in buffer.candles()]


def test_bootstrap_when_given_an_observable_then_waits_for_its_end() -> None:
    """It emits on another thread, as a fetch over REST does."""
    go_on = threading.Event()

    def subscribe(observer: Any, scheduler: Any = None) -> Disposable:
        def emit() -> None:
            assert go_on.wait(SOON)
            for number in range(3):
                observer.on_next(candle(number))
            observer.on_completed()

        threading.Thread(target=emit).start()
        go_on.set()
        return Disposable()

    buffer = OHLCBuffer("A", timeframe="5m")
    assert buffer.bootstrap(Observable(subscribe)) == 3
    assert shown(buffer) == [(number, 7.0, True, True) for number in range(3)]


def test_bootstrap_when_live_candles_are_there_then_they_join_what_the_observable_brings() -> None:
    """A complete candle beats an incomplete one; the forming one stays, for the answer is older than it."""
    buffer = OHLCBuffer("A", timeframe="5m")
    buffer.on_next(candle(1, 1.0, complete=False, span=3, since=8 * MINUTE))
    buffer.on_next(candle(2, 2.0, span=3, since=8 * MINUTE))
    buffer.on_next(candle(3, 3.0, closed=False, span=3, since=8 * MINUTE))
    history = [candle(0), candle(1), candle(2), candle(3, closed=False)]
    assert buffer.bootstrap(reactivex.from_iterable(history)) == 2
    assert shown(buffer) == [(0, 7.0, True, True), (1, 7.0, True, True), (2, 2.0, True, True), (3, 3.0, False, False)]
    buffer.on_next(candle(3, 4.0, span=3, since=8 * MINUTE))
    assert shown(buffer)[-1] == (3, 4.0, True, True)
    assert {c.since for c in buffer.candles()[1:]} == {0}  # whole from the first historic candle on


def test_bootstrap_when_the_observable_fails_then_raises_its_error_and_takes_nothing() -> None:
    """Half a history would look like a hole."""
    buffer = OHLCBuffer("A", timeframe="5m")
    source = reactivex.concat(reactivex.of(candle(0)), reactivex.throw(ConnectionError("gone")))
    with pytest.raises(ConnectionError, match="gone"):
        buffer.bootstrap(source)
    assert len(buffer) == 0
    with pytest.raises(ConnectionError, match="gone"):
        OHLCCacheManager().bootstrap(source)


def test_bootstrap_when_the_observable_does_not_end_then_is_left_after_the_timeout() -> None:
    """A live feed is no history."""
    left = threading.Event()
    source: Observable[OHLCCandle] = reactivex.merge(reactivex.of(candle(0)), reactivex.never()).pipe(
        ops.finally_action(left.set)
    )
    buffer = OHLCBuffer("A", timeframe="5m")
    with pytest.raises(TimeoutError, match=r"did not end within 0\.01 s"):
        buffer.bootstrap(source, timeout=0.01)
    assert left.is_set()
    assert len(buffer) == 0


def test_bootstrap_when_the_observable_is_empty_then_nothing_happens() -> None:
    """The venue has no candles yet."""
    assert OHLCBuffer("A", timeframe="5m").bootstrap(reactivex.empty()) == 0
    assert OHLCCacheManager().bootstrap(reactivex.empty()) == 0


def test_bootstrap_when_the_manager_gets_several_keys_then_each_goes_into_its_buffer() -> None:
    """One Observable of several requests; longer candles are built from what came."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    histories = [reactivex.from_iterable([candle(n, symbol=symbol) for n in range(6)]) for symbol in ("A", "B")]
    assert manager.bootstrap(reactivex.merge(*histories)) == 12
    for symbol in ("A", "B"):
        assert [c.complete for c in manager.candles(symbol, "15m")] == [True, True]


def test_bootstrap_when_something_is_no_candle_then_says_so() -> None:
    """A feed of trades, say."""
    trades = reactivex.of(PriceTick(symbol="A", price=1.0, timestamp=MINUTE))
    for sink in (OHLCBuffer("A", timeframe="5m"), OHLCCacheManager()):
        with pytest.raises(TypeError, match="a history is made of OHLCCandle, got PriceTick"):
            sink.bootstrap(cast("Observable[OHLCCandle]", trades))


@pytest.mark.parametrize("timeout", [0, -1.0, "soon"])
def test_bootstrap_when_the_timeout_is_none_then_is_refused(timeout: Any) -> None:
    """Before anything is subscribed to."""
    with pytest.raises((TypeError, ValueError), match="timeout"):
        OHLCBuffer("A", timeframe="5m").bootstrap(reactivex.never(), timeout=timeout)
