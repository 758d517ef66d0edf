"""``to_ohlc``: which candles go out, in which order, how they look, and what the operator promises to Rx."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
import reactivex
from candle_making import arriving, child, run, show, trade
from reactivex import Observable, abc, operators
from reactivex.disposable import Disposable
from reactivex.subject import Subject
from reactivex.testing import TestScheduler

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.operators import to_ohlc
from rxstreams.timeframe import Timeframe


def test_candle_when_its_symbol_trades_in_a_later_interval_then_it_closes_before_that_counts() -> None:
    """The first trade of the next interval sends the candle and is not in it."""
    arrivals = arriving(trade(60, 10), trade(70, 12), trade(80, 9), trade(119.999999999, 11), trade(125, 50))
    assert run(to_ohlc(1), arrivals) == [(214, "A 1m 60: 10 12 9 11 v4 n4 complete")]


def test_candle_when_a_trade_is_stamped_at_the_boundary_then_it_is_in_the_later_interval() -> None:
    """open_time is inclusive, close_time exclusive."""
    arrivals = arriving(trade(119, 1), trade(120, 2), trade(179, 3), trade(180, 4))
    assert run(to_ohlc(1), arrivals) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "A 1m 120: 2 3 2 3 v2 n2 complete"),
    ]


def test_candle_when_empty_intervals_follow_then_they_are_skipped() -> None:
    """By default nothing stands for an interval without a trade."""
    assert run(to_ohlc(1), arriving(trade(60, 1), trade(400, 2), trade(430, 3))) == [
        (211, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (212, "A 1m 360: 2 2 2 2 v1 n1 complete"),
    ]


def test_candle_when_trades_come_out_of_order_then_open_and_close_go_by_their_stamps() -> None:
    """Open is the lowest (timestamp, arrival), close the highest, so the last to arrive decides neither."""
    arrivals = arriving(
        trade(80, 5),
        trade(75, 9),
        trade(62, 7),
        trade(62, 1),
        trade(90, 4),
        trade(90, 6),
        trade(85, 2),
        trade(120, 0.5),
    )
    assert run(to_ohlc(1), arrivals) == [(217, "A 1m 60: 7 9 1 6 v7 n7 complete")]


def test_candle_when_it_closes_then_it_carries_sums_exchange_span_and_since() -> None:
    """Every field comes from the trades: counts are added, the taker's side is kept apart, the last tick is quoted."""
    got: list[OHLCCandle] = []
    ticks = [
        trade(60, 10, volume=2, count=3, side=Side.BUY, since=50),
        trade(61, 20, volume=0.5, side=Side.SELL, since=50),
        trade(62, 30, volume=1, span=7, since=55),
        trade(63, 40, volume=1, span=7, since=55, side=Side.BUY),
        trade(120, 40, span=7, since=55),
    ]
    reactivex.from_iterable(ticks).pipe(to_ohlc("1m")).subscribe(got.append)
    assert got[0] == OHLCCandle(
        symbol="A",
        timeframe=Timeframe("1m"),
        open_time=60 * SECOND,
        open=10.0,
        high=40.0,
        low=10.0,
        close=40.0,
        volume=4.5,
        trades=6,
        quote_volume=100.0,
        buy_volume=3.0,
        exchange="x",
        closed=True,
        complete=True,
        revision=0,
        span=7,
        since=55 * SECOND,
    )


def test_symbols_when_interleaved_then_each_has_its_own_candles() -> None:
    """One symbol's trade in a later interval closes nothing of another one's."""
    arrivals = arriving(
        trade(60, 1, "A", span=0), trade(61, 10, "B", span=0), trade(125, 2, "A", span=0), trade(126, 20, "B", span=0)
    )
    assert run(to_ohlc(1), arrivals) == [
        (212, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (213, "B 1m 60: 10 10 10 10 v1 n1 complete"),
    ]


def test_symbol_when_two_exchanges_trade_it_then_each_has_its_own_candles() -> None:
    """The key is (exchange, symbol), also where two strings of an exchange's name are equal but not the same."""
    got: list[OHLCCandle] = []
    names = ("kraken", "binance", "".join(["kra", "ken"]))
    ticks = [trade(60 + i, 1 + i, exchange=names[i % 3], span=0) for i in range(9)]
    ticks += [trade(120, 5, exchange=name, span=0) for name in names[:2]]
    reactivex.from_iterable(ticks).pipe(to_ohlc(1)).subscribe(got.append)
    assert [(c.exchange, c.open, c.close, c.trades, c.closed) for c in got] == [
        ("kraken", 1.0, 9.0, 6, True),
        ("binance", 2.0, 8.0, 3, True),
        ("kraken", 5.0, 5.0, 1, False),
        ("binance", 5.0, 5.0, 1, False),
    ]


def test_updates_when_asked_for_then_every_change_sends_the_open_candle_too() -> None:
    """Each trade sends its candle with closed=False; the one that closes a candle sends that first."""
    arrivals = arriving(trade(60, 1), trade(61, 3), trade(120, 2))
    assert run(to_ohlc(1, emit="updates"), arrivals, completed=300) == [
        (210, "A 1m 60: 1 1 1 1 v1 n1 open"),
        (211, "A 1m 60: 1 3 1 3 v2 n2 open"),
        (212, "A 1m 60: 1 3 1 3 v2 n2 complete"),
        (212, "A 1m 120: 2 2 2 2 v1 n1 open"),
        (300, "A 1m 120: 2 2 2 2 v1 n1 open"),
        (300, "completed"),
    ]


def test_completion_when_candles_are_open_then_they_go_out_unfinished_in_order() -> None:
    """By (close_time, first appearance), with closed=False and complete=False."""
    arrivals = arriving(
        trade(185, 1, "C", span=0), trade(60, 2, "A", span=0), trade(61, 3, "B", span=0), trade(62, 4, "A", span=0)
    )
    assert run(to_ohlc(1), arrivals, completed=300) == [
        (300, "A 1m 60: 2 4 2 4 v2 n2 open"),
        (300, "B 1m 60: 3 3 3 3 v1 n1 open"),
        (300, "C 1m 180: 1 1 1 1 v1 n1 open"),
        (300, "completed"),
    ]


def test_completion_when_nothing_came_then_it_just_completes() -> None:
    """An empty source has no candles."""
    assert run(to_ohlc(1), [], completed=300) == [(300, "completed")]


def test_error_when_the_source_fails_then_it_passes_and_nothing_more_is_sent() -> None:
    """Open candles are thrown away: nobody knows what they lack."""
    arrivals = arriving(trade(60, 1), trade(61, 2))
    assert run(to_ohlc(1), arrivals, error=(300, OSError("gone"))) == [(300, "OSError: gone")]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (child(60, "1"), "to_ohlc takes PriceTick items, got OHLCCandle; use resample() for candles"),
        ([trade(60, 1)], "to_ohlc takes PriceTick items, got list"),
        (None, "to_ohlc takes PriceTick items, got NoneType"),
    ],
)
def test_item_when_it_is_no_trade_then_a_type_error_says_what_is_expected(item: object, message: str) -> None:
    """As the first item and in the middle of trades of the same symbol."""
    assert run(to_ohlc(1), [(210, item)]) == [(210, f"TypeError: {message}")]
    arrivals = [(210, trade(60, 1)), (211, item), (212, trade(130, 1))]
    assert run(to_ohlc(1), arrivals) == [(211, f"TypeError: {message}")]


def test_item_when_it_fails_at_once_in_a_cold_source_then_nothing_follows() -> None:
    """A source that sends all inside subscribe can't be stopped, but what comes after the error is not looked at."""
    dropped: list[PriceTick] = []
    ticks: list[Any] = [trade(60, 1), trade(300, 1), "nonsense", trade(60, 1), trade(60, 2)]

    def subscribe(observer: abc.ObserverBase[PriceTick], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        for tick in ticks:
            observer.on_next(tick)
        observer.on_completed()
        return Disposable()

    got: list[object] = []
    Observable(subscribe).pipe(to_ohlc(1, on_late=dropped.append)).subscribe(
        lambda c: got.append(show(c)), got.append, lambda: got.append("completed")
    )
    assert [str(each) for each in got] == [
        "A 1m 60: 1 1 1 1 v1 n1 complete",
        "to_ohlc takes PriceTick items, got str",
    ]
    assert dropped == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"emit": "all"}, ValueError, "emit must be 'closed' or 'updates', got 'all'"),
        ({"fill": None}, ValueError, "fill must be 'skip' or 'flat', got None"),
        ({"opens": "first"}, ValueError, "opens must be 'first_trade' or 'previous_close', got 'first'"),
        ({"late": "ignore"}, ValueError, "late must be 'revise' or 'drop' or 'raise', got 'ignore'"),
        ({"close_on": "clock"}, ValueError, "close_on must be 'ticks' or 'timer', got 'clock'"),
        ({"grace": -1}, ValueError, "grace must be 0 or more seconds and finite, got -1"),
        ({"grace": timedelta(seconds=-1)}, ValueError, "grace must be 0 or more"),
        ({"grace": float("nan")}, ValueError, "grace must be 0 or more"),
        ({"grace": "2s"}, TypeError, "grace must be seconds or a timedelta, got '2s'"),
        ({"max_fill": 0}, ValueError, "max_fill must be at least 1, got 0"),
        ({"max_fill": 1.5}, TypeError, "max_fill must be an int, got 1.5"),
        ({"max_fill": True}, TypeError, "max_fill must be an int, got True"),
        ({"on_late": 3}, TypeError, "on_late must be a function or None, got 3"),
        ({"timeframe": "5x"}, ValueError, "5x"),
        ({"timeframe": 0}, ValueError, "timeframe"),
    ],
)
def test_option_when_it_is_wrong_then_building_the_operator_raises(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not at the first subscription, and the message says what is accepted."""
    with pytest.raises(error) as caught:
        to_ohlc(**cast("dict[str, Any]", {"timeframe": 1} | options))
    assert message in str(caught.value)


def test_operator_when_used_twice_then_the_uses_share_nothing() -> None:
    """One operator value on two sources, and its result subscribed to twice: four independent streams."""
    operator = to_ohlc(1)
    ticks = [trade(60, 1), trade(70, 2), trade(120, 3)]
    first = reactivex.from_iterable(ticks).pipe(operator)
    second = reactivex.from_iterable(ticks[:2]).pipe(operator)
    got: list[list[str]] = []
    for source in (first, second, first, second):
        candles: list[str] = []
        source.pipe(operators.map(show)).subscribe(candles.append)
        got.append(candles)
    whole = ["A 1m 60: 1 2 1 2 v2 n2 complete", "A 1m 120: 3 3 3 3 v1 n1 open"]
    assert got == [whole, ["A 1m 60: 1 2 1 2 v2 n2 open"]] * 2


def test_dispose_when_called_inside_on_next_then_nothing_more_arrives() -> None:
    """One tick may cause several candles; the rest of them is not sent."""
    source: Subject[PriceTick] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        subscription.dispose()

    subscription = source.pipe(to_ohlc(1, fill="flat")).subscribe(on_next)
    source.on_next(trade(60, 1))
    source.on_next(trade(600, 2))
    source.on_next(trade(700, 2))
    assert got == ["A 1m 60: 1 1 1 1 v1 n1 complete"]
    assert source.observers == []


def test_dispose_when_the_result_is_disposed_then_the_source_is_too() -> None:
    """The subscription at the source ends at 400."""
    scheduler = TestScheduler()
    source = cast("Any", scheduler.create_hot_observable)()
    scheduler.start(lambda: source.pipe(to_ohlc(1)), disposed=400)
    assert [(s.subscribe, s.unsubscribe) for s in source.subscriptions] == [(200, 400)]


def test_observer_when_it_raises_then_the_exception_goes_up_and_no_candle_is_lost() -> None:
    """It is not sent to on_error, and what the same tick caused besides goes out before the next candle."""
    source: Subject[PriceTick] = Subject()
    got: list[str] = []
    errors: list[Exception] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        if len(got) == 1:
            raise KeyError("a bug of the observer")

    source.pipe(to_ohlc(1, fill="flat")).subscribe(on_next, errors.append)
    source.on_next(trade(60, 1))
    with pytest.raises(KeyError, match="a bug of the observer"):
        source.on_next(trade(185, 2))
    assert got == ["A 1m 60: 1 1 1 1 v1 n1 complete"]
    source.on_next(trade(186, 3))
    source.on_next(trade(240, 3))
    assert got[1:] == ["A 1m 120: 1 1 1 1 v0 n0 complete", "A 1m 180: 2 3 2 3 v2 n2 complete"]
    assert errors == []


def test_observer_when_it_sends_a_tick_back_then_it_is_counted_in_its_turn() -> None:
    """A loop through the observer finds the builder in order."""
    source: Subject[PriceTick] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        if len(got) == 1:
            source.on_next(trade(310, 9))

    source.pipe(to_ohlc(1, fill="flat")).subscribe(on_next)
    source.on_next(trade(60, 1))
    source.on_next(trade(190, 2))
    assert got == [
        "A 1m 60: 1 1 1 1 v1 n1 complete",
        "A 1m 120: 1 1 1 1 v0 n0 complete",
        "A 1m 180: 2 2 2 2 v1 n1 complete",
        "A 1m 240: 2 2 2 2 v0 n0 complete",
    ]


def test_scheduler_when_given_to_subscribe_then_it_reaches_the_source() -> None:
    """Operators must forward it, or the sources above run on another clock."""
    seen: list[object] = []

    def subscribe(_: abc.ObserverBase[PriceTick], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        seen.append(scheduler)
        return Disposable()

    scheduler = TestScheduler()
    Observable(subscribe).pipe(to_ohlc(1)).subscribe(scheduler=scheduler)
    Observable(subscribe).pipe(to_ohlc(1, close_on="timer")).subscribe(scheduler=scheduler)
    assert seen == [scheduler, scheduler]
