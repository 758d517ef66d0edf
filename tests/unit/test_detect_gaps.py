"""``detect_gaps``: what a jump of ids does to ``since``, and what candles make of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
import reactivex
from reactivex import Observable
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams.errors import ObserverError
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import detect_gaps, to_ohlc
from rxstreams.operators._detect_gaps import contiguous_id
from rxstreams.testing import compare

on_next, on_error, on_completed = ReactiveTest.on_next, ReactiveTest.on_error, ReactiveTest.on_completed


def _trade(
    trade_id: int | str | None,
    timestamp: int,
    symbol: str = "A",
    *,
    exchange: str = "x",
    span: int = 1,
    since: int = 100,
) -> PriceTick:
    return PriceTick(
        symbol=symbol, price=1.0, timestamp=timestamp, exchange=exchange, trade_id=trade_id, span=span, since=since
    )


def _run(operator: Callable[[Observable[Any]], Observable[Any]], *messages: Recorded[Any]) -> list[Any]:
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*messages)
    return scheduler.start(lambda: source.pipe(operator)).messages


def _sinces(*ticks: PriceTick) -> list[int]:
    came: list[PriceTick] = []
    reactivex.from_iterable(ticks).pipe(detect_gaps()).subscribe(came.append)
    return [tick.since for tick in came]


def test_ids_when_they_are_contiguous_then_the_very_ticks_pass() -> None:
    """Nothing is copied; a first id may be any, and a new span that goes on with the next id is no jump."""
    ticks = [_trade(7, 110), _trade(8, 120), _trade(9, 130, span=2, since=100)]
    messages = [on_next(210 + 10 * number, tick) for number, tick in enumerate(ticks)]
    result = _run(detect_gaps(), *messages, on_completed(250))
    assert result == [*messages, on_completed(250)]
    for sent, tick in zip(result, ticks, strict=False):
        assert sent.value.value is tick


def test_ids_when_they_jump_then_since_rises_to_just_after_that_tick_and_stays() -> None:
    """A level: every later tick carries it; all else of the ticks is as it was."""
    late = msgspec.structs.replace(_trade(3, 125), since=141)
    assert _run(
        detect_gaps(),
        on_next(210, _trade(1, 110)),
        on_next(220, _trade(2, 120)),
        on_next(230, _trade(5, 140)),
        on_next(240, _trade(6, 150)),
        on_next(250, _trade(3, 125)),
        on_completed(260),
    ) == [
        on_next(210, _trade(1, 110)),
        on_next(220, _trade(2, 120)),
        on_next(230, _trade(5, 140, since=141)),
        on_next(240, _trade(6, 150, since=141)),
        on_next(250, late),
        on_completed(260),
    ]


def test_ids_when_they_step_back_or_repeat_then_nothing_changes() -> None:
    """Late or doubled trades are no jump, and what follows the highest isn't either."""
    ids = [5, 3, 5, 4, 6, 1, 7]
    assert _sinces(*(_trade(trade_id, 110 + number) for number, trade_id in enumerate(ids))) == [100] * 7


def test_ids_when_a_tick_has_none_then_it_proves_nothing() -> None:
    """It is neither a jump nor does it hide one; a since that has risen stands on it, too."""
    ids: list[int | str | None] = [1, None, "9", 2, 4, None, "x"]
    assert _sinces(*(_trade(trade_id, 110 + number) for number, trade_id in enumerate(ids))) == [100] * 4 + [115] * 3


def test_ids_when_they_jump_after_a_newer_stamp_then_since_rises_beyond_that() -> None:
    """Where trades step back in time, a missing one may be as new as the newest."""
    assert _sinces(_trade(1, 110), _trade(2, 130), _trade(4, 125)) == [100, 100, 131]


def test_symbols_when_one_jumps_then_the_others_are_untouched() -> None:
    """Each (exchange, symbol) has ids of its own."""
    ticks = [
        _trade(1, 110),
        _trade(50, 111, "B"),
        _trade(9, 112, exchange="y"),
        _trade(3, 120),
        _trade(51, 121, "B"),
        _trade(10, 122, exchange="y"),
    ]
    assert _sinces(*ticks) == [100, 100, 100, 121, 100, 100]


def test_since_when_the_sources_own_has_risen_with_the_jump_then_it_stands() -> None:
    """After a reconnection the source knows best; a later jump counts again."""
    ticks = [
        _trade(1, 110),
        _trade(5, 140, span=2, since=135),
        _trade(6, 150, span=2, since=135),
        _trade(8, 160, span=2, since=135),
    ]
    assert _sinces(*ticks) == [100, 135, 135, 161]


def test_since_when_the_sources_own_has_not_risen_with_a_new_span_then_a_jump_counts() -> None:
    """A new span alone explains nothing."""
    assert _sinces(_trade(1, 110), _trade(3, 140, span=2)) == [100, 141]


def test_since_when_the_sources_own_becomes_larger_then_it_stands() -> None:
    """The same object passes again."""
    ticks = [_trade(1, 110), _trade(3, 120), _trade(4, 130, span=2, since=125)]
    assert _sinces(*ticks) == [100, 121, 125]


def test_since_when_it_is_zero_then_each_span_begins_with_its_first_tick() -> None:
    """One that a jump has raised must not reach back over a reconnection that says only "from the first tick on"."""
    ticks = [
        _trade(1, 110, since=0),
        _trade(2, 115, since=0),
        _trade(4, 120, since=0),
        _trade(5, 130, since=0),
        _trade(6, 140, since=0, span=2),
    ]
    assert _sinces(*ticks) == [0, 0, 121, 121, 0]


def test_candles_when_the_lines_clock_had_closed_one_that_misses_a_trade_then_it_is_taken_back() -> None:
    """The next trade of the symbol shows the jump: complete goes, with a revision."""
    ticks = [
        _trade(1, 70 * SECOND),
        _trade(7, 130 * SECOND, "B"),  # closes A's minute; A's trade 2 was lost
        _trade(3, 140 * SECOND),
    ]
    candles: list[OHLCCandle] = []
    reactivex.from_iterable(ticks).pipe(detect_gaps(), to_ohlc("1m")).subscribe(candles.append)
    assert [(c.symbol, c.open_time // MINUTE, c.complete, c.revision) for c in candles if c.closed] == [
        ("A", 1, True, 0),
        ("A", 1, False, 1),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_candles_when_a_line_loses_trades_without_a_word_then_none_is_complete_that_misses_one(seed: int) -> None:
    """Busy and quiet symbols, losses between two trades that one span brings, reconnections that say so."""
    rng = random.Random(seed)
    published, brought = _simulate(rng, rate=rng.choice((0.001, 0.02, 0.2)))
    candles: list[OHLCCandle] = []
    options: dict[str, Any] = rng.choice(({}, {"opens": "previous_close"}, {"fill": "flat"}))
    reactivex.from_iterable(brought).pipe(detect_gaps(), to_ohlc("1m", **options)).subscribe(candles.append)
    report = compare(candles, published, "1m", until=published[-1].timestamp, **options)
    assert report.promise_kept, report
    assert report.complete > 20
    blind: list[OHLCCandle] = []
    reactivex.from_iterable(brought).pipe(to_ohlc("1m", **options)).subscribe(blind.append)
    trusting = compare(blind, published, "1m", until=published[-1].timestamp, **options)
    assert trusting.complete > report.complete
    assert not trusting.promise_kept


def _simulate(rng: random.Random, *, rate: float) -> tuple[list[PriceTick], list[PriceTick]]:
    """Return what a venue published and what one line brought of it; the last trades of a span are not lost."""
    published: list[PriceTick] = []
    lost: set[int] = set()
    means = {"A": 1.0, "B": 10.0, "C": 60.0, "D": 250.0}
    due = {symbol: rng.expovariate(1 / mean) for symbol, mean in means.items()}
    ids = dict.fromkeys(means, 0)
    span, since, up_from, down_from = 1, 1, 0.0, rng.expovariate(1 / 1500.0)
    latest: dict[str, list[int]] = {symbol: [] for symbol in means}  # lost since the symbol's last trade on the span
    while (moment := min(due.values())) < 7200.0:
        symbol = min(due, key=lambda each: due[each])
        due[symbol] += rng.expovariate(1 / means[symbol])
        ids[symbol] += 1
        stamp = int(moment * 1e6) * 1000
        if moment > down_from:
            up_from, down_from = down_from + rng.random() * 60.0, down_from + 60.0 + rng.expovariate(1 / 1500.0)
            span, since = span + 1, int(up_from * 1e6) * 1000 + 1
            for numbers in latest.values():
                lost.difference_update(numbers)
                numbers.clear()
        number = len(published)
        price = float(rng.randrange(90, 110))
        published.append(
            PriceTick(
                symbol=symbol,
                price=price,
                volume=1.0,
                timestamp=stamp,
                trade_id=ids[symbol],
                span=span if moment >= up_from else 0,
                since=since,
            )
        )
        if moment >= up_from and rng.random() < rate and ids[symbol] > 1:
            lost.add(number)
            latest[symbol].append(number)
        elif moment >= up_from:
            latest[symbol].clear()
    for numbers in latest.values():
        lost.difference_update(numbers)
    # The first trade of a symbol on a span is not lost either: that jump is the source's to explain.
    firsts: set[tuple[str, int]] = set()
    brought: list[PriceTick] = []
    for number, tick in enumerate(published):
        is_first = (tick.symbol, tick.span) not in firsts
        if tick.span and (number not in lost or is_first):
            firsts.add((tick.symbol, tick.span))
            brought.append(tick)
    return published, brought


def test_source_when_it_fails_then_its_error_passes() -> None:
    """The same object, at once."""
    error = RuntimeError("lost")
    result = _run(detect_gaps(), on_next(210, _trade(1, 110)), on_error(220, error))
    assert result == [on_next(210, _trade(1, 110)), on_error(220, error)]
    assert result[-1].value.exception is error


def test_key_when_given_then_it_says_the_id() -> None:
    """Any integer of a tick; None: it proves nothing."""
    ticks = [_trade(f"t{number}", 110 + number) for number in (1, 2, 5)]
    came: list[PriceTick] = []
    numbered = detect_gaps(lambda tick: int(str(tick.trade_id)[1:]))
    reactivex.from_iterable(ticks).pipe(numbered).subscribe(came.append)
    assert [tick.since for tick in came] == [100, 100, 116]


def _raise(tick: PriceTick) -> int:
    raise ZeroDivisionError(tick)


def _return_text(tick: PriceTick) -> str:
    return str(tick.trade_id)


@pytest.mark.parametrize("key", [_raise, _return_text])
def test_key_when_it_raises_or_returns_no_int_then_an_observer_error_carries_the_cause(key: Any) -> None:
    """A user's bug is not retried; nothing comes after it."""
    result = _run(detect_gaps(key), on_next(210, _trade(1, 110)), on_next(220, _trade(2, 120)))
    assert [message.time for message in result] == [210]
    error = result[0].value.exception
    assert isinstance(error, ObserverError)
    assert isinstance(error.__cause__, ZeroDivisionError | TypeError)
    assert str(error).startswith("the key of detect_gaps raised ")


def test_contiguous_id_when_asked_then_it_is_the_trade_id_if_that_is_a_number() -> None:
    """It can be used in a key of one's own."""
    assert contiguous_id(_trade(7, 110)) == 7
    assert contiguous_id(_trade("7", 110)) is None
    assert contiguous_id(_trade(None, 110)) is None


def test_key_when_it_is_no_function_then_it_is_refused_when_the_operator_is_built() -> None:
    """Not at the first subscription."""
    with pytest.raises(TypeError, match="key must be a function of a tick, got 'trade_id'"):
        detect_gaps(cast(Any, "trade_id"))
