"""``resample``: which candles go out, from which children, in which order, and what it promises to Rx."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import reactivex
from candle_making import arriving, child, run, show, trade
from reactivex import Observable, abc, operators
from reactivex.disposable import Disposable
from reactivex.subject import Subject
from reactivex.testing import TestScheduler

from rxstreams.errors import NotServed
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle
from rxstreams.operators import resample, to_ohlc
from rxstreams.timeframe import Timeframe


def test_candle_when_the_child_that_ends_with_it_comes_then_it_closes() -> None:
    """Open of the first child, close of the last, extremes and sums of all."""
    arrivals = arriving(
        child(300, "5 6 4 5.5", volume=1, trades=2),
        child(360, "5.5 9 5 8", volume=2, trades=3),
        child(540, "8 8 1 2", volume=4, trades=5),
        child(600, "2"),
    )
    assert run(resample(5), arrivals) == [(212, "A 5m 300: 5 9 1 2 v7 n10 complete")]


def test_candle_when_it_closes_then_it_carries_sums_exchange_span_and_since() -> None:
    """Span and since are those of the last child."""
    got: list[OHLCCandle] = []
    children = [
        OHLCCandle(
            symbol="A",
            timeframe="1m",
            open_time=60 * minute * SECOND,
            open=2.0,
            high=4.0,
            low=1.0,
            close=3.0,
            volume=10.0,
            trades=7,
            quote_volume=25.0,
            buy_volume=4.0,
            exchange="x",
            complete=True,
            span=span,
            since=since,
        )
        for minute, span, since in ((5, 1, 200), (9, 2, 100 * SECOND))
    ]
    reactivex.from_iterable(children).pipe(resample(timedelta(minutes=5))).subscribe(got.append)
    assert got == [
        OHLCCandle(
            symbol="A",
            timeframe=Timeframe("5m"),
            open_time=300 * SECOND,
            open=2.0,
            high=4.0,
            low=1.0,
            close=3.0,
            volume=20.0,
            trades=14,
            quote_volume=50.0,
            buy_volume=8.0,
            exchange="x",
            closed=True,
            complete=True,
            revision=0,
            span=2,
            since=100 * SECOND,
        )
    ]


def test_several_when_one_child_ends_them_then_they_go_out_in_ascending_order() -> None:
    """Itself first, as its timeframe was asked for; then from the shortest to the longest, however they were named."""
    arrivals = arriving(*(child(minute * 60, str(minute), volume=1) for minute in range(60, 120)))
    messages = run(resample(60, 1, "5m", 15), arrivals)
    assert [text for time, text in messages if time == 210 + 59] == [
        "A 1m 7140: 119 119 119 119 v1 n1 complete",
        "A 5m 6900: 115 119 115 119 v5 n5 complete",
        "A 15m 6300: 105 119 105 119 v15 n15 complete",
        "A 1h 3600: 60 119 60 119 v60 n60 complete",
    ]
    assert len(messages) == 60 + 12 + 4 + 1


def test_base_when_it_was_not_asked_for_then_it_does_not_go_out() -> None:
    """Only what is named passes."""
    assert run(resample(2), arriving(child(60, "1"), child(120, "2"))) == [(210, "A 2m 0: 1 1 1 1 v1 n1 closed")]
    assert run(resample(1), arriving(child(60, "1"), child(120, "2"))) == [
        (210, "A 1m 60: 1 1 1 1 v1 n1 complete"),
        (211, "A 1m 120: 2 2 2 2 v1 n1 complete"),
    ]


def test_candle_when_its_timeframe_is_not_its_symbols_base_then_it_passes_uncounted() -> None:
    """What another resample has made goes through; the base is decided for each symbol by itself."""
    arrivals = arriving(
        child(60, "1"),
        child(0, "7", timeframe=5),
        child(0, "8", "B", timeframe=5),
        child(60, "9", "B"),
        child(540, "2"),
        child(300, "9", "B", timeframe=5),
    )
    assert run(resample(10), arrivals) == [
        (211, "A 5m 0: 7 7 7 7 v1 n1 complete"),
        (213, "B 1m 60: 9 9 9 9 v1 n1 complete"),
        (214, "A 10m 0: 1 2 1 2 v2 n2 closed"),
        (215, "B 10m 0: 8 9 8 9 v2 n2 closed"),
    ]


def test_chain_when_two_resamples_follow_each_other_then_the_first_ones_candles_pass_the_second() -> None:
    """The base named in both goes through both and is the base of both."""
    children = [child(minute * 60, str(minute)) for minute in range(60, 75)]
    chained: list[str] = []
    direct: list[str] = []
    source = reactivex.from_iterable(children)
    source.pipe(resample(1, 5), resample(1, 15)).subscribe(lambda c: chained.append(show(c)))
    source.pipe(resample(1, 5, 15)).subscribe(lambda c: direct.append(show(c)))
    assert sorted(chained) == sorted(direct)
    assert len(direct) == 15 + 3 + 1


def test_symbol_when_two_exchanges_have_it_then_each_has_its_own_candles() -> None:
    """The key is (exchange, symbol)."""
    got: list[OHLCCandle] = []
    children = [child(seconds, "1", exchange=name) for seconds in (60, 120, 180) for name in ("kraken", "binance")]
    reactivex.from_iterable(children).pipe(resample(2)).subscribe(got.append)
    assert [(c.exchange, c.open_time // SECOND, c.trades) for c in got if c.closed] == [
        ("kraken", 0, 1),
        ("binance", 0, 1),
        ("kraken", 120, 2),
        ("binance", 120, 2),
    ]


def test_not_served_when_the_base_has_no_such_boundary_then_the_error_names_both() -> None:
    """Two-minute candles can't build five-minute ones, nor minutes, and 5m candles no 2m ones."""
    for timeframe in (5, 1):
        [(time, text)] = run(resample(timeframe), arriving(child(120, "1", timeframe=2), child(240, "1", timeframe=2)))
        assert time == 210
        assert text.startswith(
            f"NotServed: candles of Timeframe('2m') can't build candles of Timeframe('{timeframe}m')"
        )
    assert issubclass(NotServed, ValueError)


def test_not_served_when_a_zone_has_other_offsets_then_it_is_an_error() -> None:
    """India's midnight is at 18:30 UTC: no hour ends there, half an hour does."""
    kolkata = Timeframe("1d", tz="Asia/Kolkata")
    [(_, text)] = run(resample(kolkata), arriving(child(3600, "1", timeframe=60)))
    assert text.startswith(
        "NotServed: candles of Timeframe('1h') can't build candles of Timeframe('1d', tz='Asia/Kolkata')"
    )
    assert run(resample(kolkata), arriving(child(3600, "1", timeframe=30))) == []


def test_source_when_several_serve_then_the_longest_is_used_and_the_sums_agree() -> None:
    """An hour from quarters, not from tens, which don't serve thirds of it; all sums are those of the minutes."""
    got: list[OHLCCandle] = []
    children = [child(minute * 60, f"{minute % 7 + 1}", volume=0.1 * minute) for minute in range(60, 180)]
    reactivex.from_iterable(children).pipe(resample(4, 10, 15, 30, 60)).subscribe(got.append)
    by_timeframe = {str(c.timeframe): 0 for c in got}
    for candle in got:
        by_timeframe[str(candle.timeframe)] += candle.trades
    assert by_timeframe == {"4m": 120, "10m": 120, "15m": 120, "30m": 120, "1h": 120}
    assert all(c.complete for c in got)


def test_updates_when_asked_for_then_every_child_sends_the_open_candles() -> None:
    """Each timeframe's, ascending; the child that ends one sends it closed."""
    arrivals = arriving(child(240, "1"), child(300, "3"), child(360, "2"))
    assert run(resample(2, 6, emit="updates"), arrivals, completed=300) == [
        (210, "A 2m 240: 1 1 1 1 v1 n1 open"),
        (210, "A 6m 0: 1 1 1 1 v1 n1 open"),
        (211, "A 2m 240: 1 3 1 3 v2 n2 complete"),
        (211, "A 6m 0: 1 3 1 3 v2 n2 closed"),
        (212, "A 2m 360: 2 2 2 2 v1 n1 open"),
        (212, "A 6m 360: 2 2 2 2 v1 n1 open"),
        (300, "A 2m 360: 2 2 2 2 v1 n1 open"),
        (300, "A 6m 360: 2 2 2 2 v1 n1 open"),
        (300, "completed"),
    ]


def test_updates_when_the_children_are_open_themselves_then_they_count_as_they_are() -> None:
    """An open child is replaced by its next state, and never added twice."""
    arrivals = arriving(
        child(60, "5 6 4 5"),
        child(120, "5", closed=False, complete=False, volume=1),
        child(120, "5 9 5 9", closed=False, complete=False, volume=2),
        child(120, "5 9 1 2", volume=3),
        child(180, "2", closed=False, complete=False),
    )
    assert run(resample(4, emit="updates"), arrivals) == [
        (210, "A 4m 0: 5 6 4 5 v1 n1 open"),
        (211, "A 4m 0: 5 6 4 5 v2 n2 open"),
        (212, "A 4m 0: 5 9 4 9 v3 n2 open"),
        (213, "A 4m 0: 5 9 1 2 v4 n2 open"),
        (214, "A 4m 0: 5 9 1 2 v5 n3 open"),
    ]


def test_open_children_when_updates_are_not_sent_then_they_count_at_the_end() -> None:
    """As to_ohlc sends them on completion: in the forming state of every timeframe, and in nothing closed."""
    arrivals = arriving(
        child(180, "1"), child(240, "2", closed=False, complete=False), child(240, "3", closed=False, complete=False)
    )
    assert run(resample(2, 4, 8), arrivals, completed=300) == [
        (210, "A 2m 120: 1 1 1 1 v1 n1 complete"),
        (210, "A 4m 0: 1 1 1 1 v1 n1 closed"),
        (300, "A 2m 240: 3 3 3 3 v1 n1 open"),
        (300, "A 4m 240: 3 3 3 3 v1 n1 open"),
        (300, "A 8m 0: 1 3 1 3 v2 n2 open"),
        (300, "completed"),
    ]


def test_completion_when_candles_are_open_then_they_go_out_by_timeframe_time_and_first_appearance() -> None:
    """With closed=False and complete=False; then the completion."""
    arrivals = arriving(child(360, "1", "B"), child(60, "2", "C"), child(60, "3", "A"))
    assert run(resample(3, 6), arrivals, completed=300) == [
        (300, "C 3m 0: 2 2 2 2 v1 n1 open"),
        (300, "A 3m 0: 3 3 3 3 v1 n1 open"),
        (300, "B 3m 360: 1 1 1 1 v1 n1 open"),
        (300, "C 6m 0: 2 2 2 2 v1 n1 open"),
        (300, "A 6m 0: 3 3 3 3 v1 n1 open"),
        (300, "B 6m 360: 1 1 1 1 v1 n1 open"),
        (300, "completed"),
    ]


def test_error_when_the_source_fails_then_it_passes_and_nothing_more_is_sent() -> None:
    """Open candles are thrown away."""
    assert run(resample(5), arriving(child(60, "1")), error=(300, OSError("gone"))) == [(300, "OSError: gone")]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (trade(60, 1), "resample takes OHLCCandle items, got PriceTick; use to_ohlc() for trades"),
        ((1, 2), "resample takes OHLCCandle items, got tuple"),
    ],
)
def test_item_when_it_is_no_candle_then_a_type_error_says_what_is_expected(item: object, message: str) -> None:
    """As the first item and later, and nothing follows."""
    assert run(resample(5), [(210, item), (220, child(240, "1"))]) == [(210, f"TypeError: {message}")]
    arrivals = [(210, child(180, "1")), (211, item), (212, child(240, "1"))]
    assert run(resample(5), arrivals) == [(211, f"TypeError: {message}")]


@pytest.mark.parametrize(
    ("timeframes", "options", "error", "message"),
    [
        ((), {}, ValueError, "resample needs at least one timeframe"),
        ((5,), {"emit": "all"}, ValueError, "emit must be 'closed' or 'updates', got 'all'"),
        ((5,), {"grace": -1}, ValueError, "grace must be 0 or more"),
        ((5,), {"grace": None}, TypeError, "grace must be seconds or a timedelta, got None"),
        (("5x",), {}, ValueError, "5x"),
    ],
)
def test_option_when_it_is_wrong_then_building_the_operator_raises(
    timeframes: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not at the first subscription."""
    with pytest.raises(error) as caught:
        resample(*timeframes, **options)
    assert message in str(caught.value)


def test_timeframes_when_one_is_given_twice_then_it_is_built_once() -> None:
    """5 and "5m" are the same."""
    assert run(resample(5, "5m"), arriving(child(240, "1"))) == [(210, "A 5m 0: 1 1 1 1 v1 n1 closed")]


def test_operator_when_used_twice_then_the_uses_share_nothing() -> None:
    """One operator value on two sources, and its result subscribed to twice."""
    operator = resample(2)
    children = [child(120, "1"), child(180, "2")]
    first = reactivex.from_iterable(children).pipe(operator)
    second = reactivex.from_iterable(children[:1]).pipe(operator)
    got: list[list[str]] = []
    for source in (first, second, first, second):
        candles: list[str] = []
        source.pipe(operators.map(show)).subscribe(candles.append)
        got.append(candles)
    assert got == [["A 2m 120: 1 2 1 2 v2 n2 complete"], ["A 2m 120: 1 1 1 1 v1 n1 open"]] * 2


def test_dispose_when_called_inside_on_next_then_nothing_more_arrives() -> None:
    """One child may end several candles; the rest of them is not sent."""
    source: Subject[OHLCCandle] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        subscription.dispose()

    subscription = source.pipe(resample(5, 10)).subscribe(on_next)
    source.on_next(child(540, "1"))
    assert got == ["A 5m 300: 1 1 1 1 v1 n1 complete"]
    assert source.observers == []


def test_observer_when_it_raises_then_the_exception_goes_up_and_no_candle_is_lost() -> None:
    """It is not sent to on_error, and what the same child caused follows with the next one."""
    source: Subject[OHLCCandle] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        if len(got) == 1:
            raise KeyError("a bug of the observer")

    source.pipe(resample(5, 10)).subscribe(on_next)
    with pytest.raises(KeyError, match="a bug of the observer"):
        source.on_next(child(540, "1"))
    source.on_next(child(600, "1"))
    assert got == ["A 5m 300: 1 1 1 1 v1 n1 complete", "A 10m 0: 1 1 1 1 v1 n1 closed"]


def test_scheduler_when_given_to_subscribe_then_it_reaches_the_source() -> None:
    """Operators must forward it."""
    seen: list[object] = []

    def subscribe(_: abc.ObserverBase[OHLCCandle], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        seen.append(scheduler)
        return Disposable()

    scheduler = TestScheduler()
    Observable(subscribe).pipe(resample(5)).subscribe(scheduler=scheduler)
    assert seen == [scheduler]


def test_trades_when_they_go_through_both_operators_then_hours_equal_their_trades() -> None:
    """The chain of the first example."""
    ticks = [trade(3600 + 37 * number, number % 11 + 1, span=0, since=1) for number in range(400)]
    got: list[str] = []
    reactivex.from_iterable(ticks).pipe(to_ohlc(5), resample(5, 60)).subscribe(lambda c: got.append(show(c)))
    hours = [text for text in got if " 1h " in text]
    assert hours[0] == f"A 1h 3600: 1 11 1 {97 % 11 + 1} v98 n98 complete"
    assert len(hours) == 5
    assert hours[-1].endswith("open")


def test_flat_children_when_others_have_trades_then_all_prices_are_those_of_the_trades() -> None:
    """An hour opens with its first trade, whether its empty minutes were filled or not."""
    flat: dict[str, Any] = {"volume": 0.0, "trades": 0}
    arrivals = arriving(
        child(300, "9", **flat),
        child(360, "5 6 4 5"),
        child(420, "5", **flat),
        child(480, "7"),
        child(540, "7", **flat),
    )
    assert run(resample(5), arrivals) == [(214, "A 5m 300: 5 7 4 7 v2 n2 complete")]
    arrivals = arriving(child(300, "9", **flat), child(540, "9", **flat), child(600, "8"), child(840, "8", **flat))
    assert run(resample(5), arrivals) == [
        (211, "A 5m 300: 9 9 9 9 v0 n0 complete"),
        (213, "A 5m 600: 8 8 8 8 v1 n1 complete"),
    ]


def test_children_when_their_source_counts_no_trades_then_all_of_them_give_prices() -> None:
    """An index has neither volume nor trades, and none of its candles is a filled one."""
    bare: dict[str, Any] = {"volume": 0.0, "trades": 0}
    arrivals = arriving(child(300, "9", **bare), child(360, "5 6 4 5", **bare), child(540, "7", **bare))
    assert run(resample(5), arrivals) == [(212, "A 5m 300: 9 9 4 7 v0 n0 complete")]


def test_filled_trades_when_resampled_then_the_hours_equal_those_without_filling() -> None:
    """Except where nothing was traded at all: there a flat one stands."""
    ticks = [trade(3600 + 173 * number, number % 11 + 1, span=0, since=1) for number in range(200)]
    ticks = [tick for tick in ticks if not 14_400 <= tick.timestamp // SECOND < 18_000]
    skipped: list[str] = []
    filled: list[str] = []
    source = reactivex.from_iterable(ticks)
    source.pipe(to_ohlc(1), resample(60), operators.map(show)).subscribe(skipped.append)
    source.pipe(to_ohlc(1, fill="flat"), resample(60), operators.map(show)).subscribe(filled.append)
    assert [text for text in filled if " v0 " not in text] == skipped
    assert len(filled) == len(skipped) + 1
