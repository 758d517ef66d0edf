"""What every sink keeps to, whatever it keeps: one suite over all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import pytest
import reactivex as rx
from reactivex import abc
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams import sinks
from rxstreams.bridge import run
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks import OHLCBuffer, OHLCCacheManager, get_ohlc_cache_manager
from rxstreams.tables import CANDLE_DTYPES
from rxstreams.timeframe import Timeframe

T0 = 1_735_689_600 * SECOND


def _ticks() -> list[Any]:
    return [
        PriceTick(symbol="A", price=1.0 + number, volume=1.0, timestamp=T0 + number * MINUTE, span=1, since=T0)
        for number in range(12)
    ]


def _candles() -> list[Any]:
    return [
        OHLCCandle(
            symbol="A",
            timeframe=Timeframe(5),
            open_time=T0 + number * 5 * MINUTE,
            open=1.0,
            high=2.0,
            low=1.0,
            close=1.5,
            volume=1.0,
        )
        for number in range(3)
    ]


class Case(NamedTuple):
    """A sink, what to feed it with, and how to read it."""

    name: str
    sink: type[Any]
    make: Callable[[], Any]
    items: Callable[[], list[Any]]
    read: Callable[[Any], pd.DataFrame]


def _read_buffer(buffer: OHLCBuffer) -> pd.DataFrame:
    return buffer.to_dataframe()


def _read_manager(manager: OHLCCacheManager) -> pd.DataFrame:
    return manager.to_dataframe("A", 5)


def _read_longer(manager: OHLCCacheManager) -> pd.DataFrame:
    return manager.to_dataframe("A", 15)


CASES = [
    Case("buffer of candles", OHLCBuffer, OHLCBuffer, _candles, _read_buffer),
    Case("buffer of trades", OHLCBuffer, lambda: OHLCBuffer("A", 5), _ticks, _read_buffer),
    Case("manager of candles", OHLCCacheManager, OHLCCacheManager, _candles, _read_manager),
    Case("manager of trades", OHLCCacheManager, OHLCCacheManager, _ticks, _read_manager),
    Case("manager, built candles", OHLCCacheManager, OHLCCacheManager, _ticks, _read_longer),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Every sink in turn."""
    found: Case = request.param
    return found


def test_sinks_when_listed_then_each_stands_in_this_suite() -> None:
    """A sink that is added must keep the contract too."""
    exported = [getattr(sinks, name) for name in sinks.__all__]
    observers = [each for each in exported if isinstance(each, type) and hasattr(each, "on_next")]
    assert set(observers) == {each.sink for each in CASES}
    for sink in (*(each.make() for each in CASES), get_ohlc_cache_manager("contract")):
        assert isinstance(sink, abc.ObserverBase)


def test_sink_when_subscribed_then_it_takes_every_item_in_order_and_the_end(case: Case) -> None:
    """``source.subscribe(sink)`` gives what the same items give one by one."""
    by_hand, subscribed = case.make(), case.make()
    for item in case.items():
        by_hand.on_next(item)
    rx.from_iterable(case.items()).subscribe(subscribed)
    pd.testing.assert_frame_equal(case.read(subscribed), case.read(by_hand))
    assert len(case.read(subscribed)) >= 1
    assert (subscribed.error, subscribed.completed) == (None, True)
    assert (by_hand.error, by_hand.completed) == (None, False)


def test_sink_when_run_then_it_is_used_although_it_is_empty(case: Case) -> None:
    """An empty buffer has the length 0 and so counts as false: nobody may take it for no sink at all."""
    sink = case.make()
    run(rx.from_iterable(case.items()), sink)
    assert sink.completed
    assert len(case.read(sink)) >= 1


def test_sink_when_the_source_fails_then_it_keeps_the_error_and_what_it_has(case: Case) -> None:
    """Why the data stopped can be read where the data is."""
    failure = OSError("gone")
    sink = case.make()
    rx.concat(rx.from_iterable(case.items()), rx.throw(failure)).subscribe(sink)
    assert (sink.error, sink.completed) == (failure, False)
    assert len(case.read(sink)) >= 1


def test_sink_when_subscribed_in_virtual_time_then_it_uses_no_clock_of_its_own(case: Case) -> None:
    """Rows appear with the item that brings them, and at no other time."""
    scheduler = TestScheduler()
    sink = case.make()
    first, *_ = case.items()
    source = scheduler.create_cold_observable(ReactiveTest.on_next(100, first), ReactiveTest.on_completed(10_000))
    source.subscribe(sink, scheduler=scheduler)
    scheduler.advance_to(99)
    assert len(case.read(sink)) == 0
    scheduler.advance_to(101)
    before = case.read(sink)
    assert len(before) == 1
    scheduler.advance_to(9_999)
    pd.testing.assert_frame_equal(case.read(sink), before)


def test_sink_when_disposed_and_subscribed_again_then_it_goes_on(case: Case) -> None:
    """The subscription is the caller's; the sink outlives it."""
    sink, whole = case.make(), case.make()
    items = case.items()
    half = len(items) // 2
    first: Subject[Any] = Subject()
    subscription = first.subscribe(sink)
    for item in items[:half]:
        first.on_next(item)
    subscription.dispose()
    first.on_next(items[-1])
    rx.from_iterable(items[half:]).subscribe(sink)
    rx.from_iterable(items).subscribe(whole)
    pd.testing.assert_frame_equal(case.read(sink), case.read(whole))


def test_sink_when_something_else_comes_then_the_producer_hears_of_it_and_nothing_changes(case: Case) -> None:
    """An exception in ``on_next`` goes up into the producer, as reactivex has it."""
    sink = case.make()
    source: Subject[Any] = Subject()
    source.subscribe(sink)
    for item in case.items():
        source.on_next(item)
    before = case.read(sink)
    with pytest.raises(TypeError, match=f"an {case.sink.__name__} takes PriceTick and OHLCCandle, got None"):
        source.on_next(None)
    pd.testing.assert_frame_equal(case.read(sink), before)


def test_sink_when_read_then_the_answer_is_a_copy(case: Case) -> None:
    """Whatever a reader does to it stays with the reader; whatever comes later does not change it."""
    sink = case.make()
    *items, last = case.items()
    for item in items:
        sink.on_next(item)
    frame = case.read(sink)
    kept = frame.copy()
    sink.on_next(last)
    pd.testing.assert_frame_equal(frame, kept)
    frame.loc[:, "close"] = -1.0
    assert (case.read(sink)["close"] > 0).all()


def test_sink_when_it_has_nothing_then_its_frame_has_the_same_dtypes(case: Case) -> None:
    """Index datetime64[ns, UTC] and the columns as documented, with rows and without."""
    sink = case.make()
    empty = case.read(sink)
    for item in case.items():
        sink.on_next(item)
    for frame in (empty, case.read(sink)):
        assert str(frame.index.dtype) == "datetime64[ns, UTC]"
        assert frame.index.name == "open_time"
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(CANDLE_DTYPES)
    assert len(empty) == 0


def test_sink_when_written_in_one_thread_then_it_can_be_read_in_another(case: Case) -> None:
    """Nothing in it belongs to the thread that made it."""
    sink = case.make()

    def write() -> None:
        for item in case.items():
            sink.on_next(item)

    thread = threading.Thread(target=write, name="writer")
    thread.start()
    thread.join(timeout=30)
    assert len(case.read(sink)) >= 1
