"""The operators that ``test_operator_contract`` tries, and what it tries them with.

To add an operator, add a Case to ``CASES``: how it is built, and items that make it send something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from reactivex import Observable, empty
from reactivex import operators as ops
from reactivex.observer import Observer
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams.backoff import BackoffPolicy
from rxstreams.bridge import pipe
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig
from rxstreams.operators import (
    deduplicate,
    detect_gaps,
    into,
    normalize_symbols,
    prepend_history,
    recover_gaps,
    redundant,
    resample,
    retry_with_backoff,
    throttle_by_priority,
    to_ohlc,
)
from rxstreams.timeframe import Timeframe

Operator = Callable[[Observable[Any]], Observable[Any]]

FIRST, APART = 210, 10
"""When the first item comes, and how long after it the next."""


def tick(second: int, symbol: str = "A") -> PriceTick:
    """Return a trade, stamped so many seconds after the first item's time less one; that number is its id."""
    stamp = (FIRST + second - 1) * SECOND
    return PriceTick(symbol=symbol, price=1.0 + second, volume=1.0, timestamp=stamp, trade_id=second, span=1, since=1)


def candle(minute: int) -> OHLCCandle:
    """Return a candle of that minute."""
    return OHLCCandle(
        symbol="A",
        timeframe=Timeframe(1),
        open_time=minute * MINUTE,
        open=1.0,
        high=3.0,
        low=1.0,
        close=2.0,
        volume=1.0,
        span=1,
        since=1,
        complete=True,
    )


def _half(number: int) -> int:
    return number // 2


def _ignore(*_: object) -> None: ...


def make_sink(keep: Callable[[Any], None] = _ignore) -> Observer[Any]:
    """Return an observer that does nothing at the end."""
    return Observer(keep, _ignore, _ignore)


def _throttled(clock: TestScheduler) -> Operator:
    limiter = APIRateLimiter(RateLimitConfig(max_calls_per_minute=60), scheduler=clock)
    return throttle_by_priority(limiter, priority=APIPriority.HIGH, scheduler=clock)


def _prepending(clock: TestScheduler) -> Operator:
    past = clock.create_cold_observable(ReactiveTest.on_next(1, candle(0)), ReactiveTest.on_completed(2))
    return prepend_history(lambda symbol, timeframe, since: past, 5, scheduler=clock)


def _recovering(clock: TestScheduler) -> Operator:
    return recover_gaps(lambda symbol, since: empty(), scheduler=clock)


def _without_span(each: PriceTick) -> PriceTick:
    return msgspec.structs.replace(each, span=0)


def _beside_one_that_has_ended(_: TestScheduler) -> Operator:
    # Every subscription has spans of its own, which are not compared here.
    return lambda source: redundant(source, empty()).pipe(ops.map(_without_span))


TICKS: list[Any] = [*(tick(second) for second in range(0, 90, 10)), tick(90, "B"), tick(130)]
CANDLES: list[Any] = [candle(minute) for minute in range(9)]
_TWINS: list[Any] = [each for each in TICKS for _ in range(2)]
RETRY = BackoffPolicy(initial=1.0, jitter="none")


@dataclass(frozen=True)
class Case:
    """An operator, and what it is tried with.

    Args:
        name: the operator's, and what is special about the case.
        make: builds it; gets the virtual clock.
        items: one each ``APART`` virtual seconds; the operator sends something for them before the source ends.
        wrong_item: of another type than it takes; None: it takes anything.
        uses_time: whether it sends by the clock, too.
    """

    name: str
    make: Callable[[TestScheduler], Operator]
    items: list[Any]
    wrong_item: object = None
    uses_time: bool = False


CASES: list[Case] = [
    Case("to_ohlc", lambda _: to_ohlc("30s"), TICKS, wrong_item="A"),
    Case("to_ohlc flat updates", lambda _: to_ohlc("15s", fill="flat", emit="updates"), TICKS, wrong_item=candle(1)),
    Case("to_ohlc timer", lambda clock: to_ohlc("30s", close_on="timer", scheduler=clock), TICKS, "A", uses_time=True),
    Case("resample", lambda _: resample(2, 3), CANDLES, wrong_item=tick(1)),
    Case("resample updates", lambda _: resample(3, emit="updates"), CANDLES, wrong_item="A"),
    Case("pipe", lambda _: pipe(to_ohlc("15s"), resample("30s", 1)), TICKS, wrong_item=candle(1)),
    Case("deduplicate", lambda _: deduplicate(), _TWINS, wrong_item=candle(1)),
    Case("deduplicate key", lambda _: deduplicate(_half, size=3), list(range(20))),
    Case("detect_gaps", lambda _: detect_gaps(), TICKS, wrong_item=candle(1)),
    Case("redundant", _beside_one_that_has_ended, _TWINS, wrong_item=candle(1)),
    Case("normalize_symbols", lambda _: normalize_symbols({"BTC/USD": ["A"]}), TICKS, wrong_item="A"),
    Case("normalize_symbols candles", lambda _: normalize_symbols({"BTC/USD": ["A"]}), CANDLES, wrong_item=1.5),
    Case("into", lambda _: into(make_sink()), [1, 2, 3]),
    Case("throttle_by_priority", _throttled, [1, 2, 3], uses_time=True),
    Case("prepend_history", _prepending, CANDLES[1:], wrong_item=tick(1), uses_time=True),
    Case("recover_gaps", _recovering, TICKS, wrong_item="A", uses_time=True),
    Case("retry_with_backoff", lambda clock: retry_with_backoff(RETRY, scheduler=clock), [1, 2, 3]),
]


def arriving(items: list[Any], later: int = 0) -> list[Recorded[Any]]:
    """Let items arrive from ``FIRST`` on, or so much later."""
    return [ReactiveTest.on_next(FIRST + number * APART + later, item) for number, item in enumerate(items)]


def run(
    case: Case, *messages: Recorded[Any], subscribed: float = 200, disposed: float = 1000
) -> tuple[list[Any], list[tuple[float, float]]]:
    """Run a new operator on a source of its own; return what came, and when the source was subscribed to and left."""
    clock = TestScheduler()
    source = clock.create_hot_observable(*messages)
    operator = case.make(clock)
    observer = clock.start(lambda: source.pipe(operator), subscribed=subscribed, disposed=disposed)
    return observer.messages, [(each.subscribe, each.unsubscribe) for each in source.subscriptions]


def error_of(message: Any) -> Exception:
    """Return the error that a recorded message is."""
    assert message.value.kind == "E", message
    error: Exception = message.value.exception
    return error
