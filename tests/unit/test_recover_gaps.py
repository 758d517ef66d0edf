"""``recover_gaps`` in virtual time: the whole timed list of what comes out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.limits import APIRateLimiter, RateLimitConfig
from rxstreams.operators import recover_gaps

SINCE = SECOND + 1
on_next: Any = ReactiveTest.on_next  # reactivex types its times as whole numbers
on_error: Any = ReactiveTest.on_error
on_completed: Any = ReactiveTest.on_completed


def trade(number: int, since: int = SINCE, symbol: str = "A", span: int = 1, exchange: str = "x") -> PriceTick:
    """Return a trade, stamped with its number in seconds."""
    return PriceTick(
        symbol=symbol,
        price=1.0,
        timestamp=number * SECOND,
        exchange=exchange,
        trade_id=number,
        since=since,
        span=span,
    )


def after(seconds: int) -> int:
    """Return the since of a line that came back then."""
    return seconds * SECOND + 1


class Rest:
    """Fetches that answer after a while with what is given for each attempt."""

    def __init__(self, clock: TestScheduler, *answers: Any, delay: float = 1.0) -> None:
        self.asked: list[tuple[float, str, int]] = []
        self._clock = clock
        self._answers: list[Any] = list(answers)
        self._delay = delay

    def __call__(self, symbol: str, since: int) -> Observable[PriceTick]:
        """Answer the next attempt."""

        def subscribe(
            observer: abc.ObserverBase[PriceTick], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            self.asked.append((self._clock.clock, symbol, since // SECOND))
            answer: Any = self._answers.pop(0) if self._answers else []

            def act(*_: object) -> None:
                if isinstance(answer, Exception):
                    observer.on_error(answer)
                    return
                for item in answer:
                    observer.on_next(item)
                observer.on_completed()

            return self._clock.schedule_relative(self._delay, act)

        return Observable(subscribe)


def note_in(lost: list[tuple[str, str]]) -> Callable[[str, str], None]:
    """Return an ``on_lost`` that keeps what it is told."""

    def note(symbol: str, reason: str) -> None:
        lost.append((symbol, reason))

    return note


def no_trades(symbol: str, since: int) -> Observable[PriceTick]:
    """Fetch nothing."""
    return reactivex.empty()


def run(
    clock: TestScheduler, messages: list[Any], operator: Callable[[Any], Observable[PriceTick]]
) -> list[tuple[float, Any]]:
    """Return when, and what: id and since of trades, "|" or the error."""
    source = clock.create_hot_observable(*messages)
    result = clock.start(lambda: source.pipe(operator), disposed=2000.0)
    return [(message.time, _short(message)) for message in result.messages]


def _short(message: Any) -> Any:
    kind = message.value.kind
    if kind == "N":
        tick: PriceTick = message.value.value
        return (tick.trade_id, tick.since)
    return "|" if kind == "C" else message.value.exception


def test_gap_when_the_fetch_reaches_the_held_tick_then_all_go_out_in_order() -> None:
    """At once before, held meanwhile, and at once after; the old since stands for all that follows."""
    clock = TestScheduler()
    rest = Rest(clock, [trade(n) for n in range(1, 8)])
    gap = after(5)
    messages = [
        on_next(210, trade(2)),
        on_next(220, trade(6, gap)),
        on_next(220.5, trade(7, gap)),
        on_next(230, trade(8, gap)),
    ]
    assert run(clock, messages, recover_gaps(rest, scheduler=clock)) == [
        (210, (2, SINCE)),
        (221, (3, SINCE)),
        (221, (4, SINCE)),
        (221, (5, SINCE)),
        (221, (6, SINCE)),
        (221, (7, SINCE)),
        (230, (8, SINCE)),
    ]
    assert rest.asked == [(220, "A", 1)]


def test_source_when_its_coverage_does_not_break_then_the_same_objects_pass() -> None:
    """Nothing is fetched, nothing copied."""
    clock = TestScheduler()
    ticks = [trade(2), trade(3), trade(4)]
    source = clock.create_hot_observable(*(on_next(210 + n, tick) for n, tick in enumerate(ticks)), on_completed(220))
    found: list[PriceTick] = []
    source.pipe(recover_gaps(Rest(clock), scheduler=clock)).subscribe(found.append)
    clock.start()
    assert len(found) == 3
    assert all(one is other for one, other in zip(found, ticks, strict=True))


def test_gap_when_fetches_fail_then_it_is_lost_after_the_holding() -> None:
    """The ticks go out as they came, and the reason is told."""
    clock = TestScheduler()
    rest = Rest(clock, *[ConnectionError("no route")] * 99)
    lost: list[tuple[str, str]] = []
    operator = recover_gaps(rest, max_hold=10, on_lost=note_in(lost), scheduler=clock)
    messages = [on_next(210, trade(2)), on_next(220, trade(6, after(5))), on_next(240, trade(7, after(5)))]
    assert run(clock, messages, operator) == [(210, (2, SINCE)), (230, (6, after(5))), (240, (7, after(5)))]
    assert lost == [("A", "it was not recovered within 10 s: no route")]
    assert len(rest.asked) > 2


def test_gap_when_another_follows_after_a_lost_one_then_it_is_closed_to_the_new_since() -> None:
    """What was lost stays lost."""
    clock = TestScheduler()
    rest = Rest(clock, [trade(n) for n in range(6, 10)])
    operator = recover_gaps(rest, max_gap=3, scheduler=clock)
    messages = [
        on_next(210, trade(2)),
        on_next(220, trade(6, after(5))),  # away for 4 s
        on_next(230, trade(9, after(8))),
    ]
    assert run(clock, messages, operator) == [
        (210, (2, SINCE)),
        (220, (6, after(5))),
        (231, (7, after(5))),
        (231, (8, after(5))),
        (231, (9, after(5))),
    ]


def test_unstamped_ticks_when_the_span_changes_then_it_is_a_gap() -> None:
    """Since 0 means just after the symbol's first tick, of each span."""
    clock = TestScheduler()
    rest = Rest(clock, [trade(n) for n in range(2, 7)])
    messages = [on_next(210, trade(2, 0, span=1)), on_next(220, trade(6, 0, span=2)), on_next(230, trade(7, 0, span=2))]
    found = run(clock, messages, recover_gaps(rest, scheduler=clock))
    assert [tick_id for _, (tick_id, _) in found] == [2, 3, 4, 5, 6, 7]
    assert {since for _, (_, since) in found[1:]} == {2 * SECOND + 1}


def test_symbols_when_one_is_held_then_the_others_pass() -> None:
    """By exchange and symbol."""
    clock = TestScheduler()
    rest = Rest(clock, [trade(n) for n in range(1, 7)])
    messages = [
        on_next(210, trade(2)),
        on_next(211, trade(2, symbol="B")),
        on_next(212, trade(2, exchange="y")),
        on_next(220, trade(6, after(5))),
        on_next(220.2, trade(7, symbol="B")),
        on_next(220.3, trade(7, exchange="y")),
    ]
    found = run(clock, messages, recover_gaps(rest, scheduler=clock))
    assert [(at, tick_id) for at, (tick_id, _) in found] == [
        (210, 2),
        (211, 2),
        (212, 2),
        (220.2, 7),
        (220.3, 7),
        (221, 3),
        (221, 4),
        (221, 5),
        (221, 6),
    ]


def test_source_when_it_completes_in_a_gap_then_what_is_held_goes_out() -> None:
    """Completion flushes."""
    clock = TestScheduler()
    messages = [on_next(210, trade(2)), on_next(220, trade(6, after(5))), on_completed(220.5)]
    assert run(clock, messages, recover_gaps(Rest(clock), scheduler=clock)) == [
        (210, (2, SINCE)),
        (220.5, (6, after(5))),
        (220.5, "|"),
    ]


def test_source_when_it_fails_in_a_gap_then_the_error_passes_at_once() -> None:
    """What is held is dropped."""
    clock = TestScheduler()
    error = RuntimeError("broken")
    messages = [on_next(210, trade(2)), on_next(220, trade(6, after(5))), on_error(220.5, error)]
    assert run(clock, messages, recover_gaps(Rest(clock), scheduler=clock)) == [(210, (2, SINCE)), (220.5, error)]


def test_limiter_when_it_has_no_room_then_the_fetch_waits_for_its_turn() -> None:
    """HIGH, like all recovery."""
    clock = TestScheduler()
    limiter = APIRateLimiter(
        RateLimitConfig(max_calls_per_minute=None, max_calls_per_hour=None, windows=((1, 5.0),)), scheduler=clock
    )
    rest = Rest(clock, [trade(n) for n in range(1, 7)], [trade(n, symbol="B") for n in range(1, 7)])
    messages = [
        on_next(210, trade(2)),
        on_next(211, trade(2, symbol="B")),
        on_next(220, trade(6, after(5))),
        on_next(220, trade(6, after(5), symbol="B")),
    ]
    found = run(clock, messages, recover_gaps(rest, limiter=limiter, scheduler=clock))
    assert len(found) == 10
    (first, *_), (second, *_) = rest.asked
    assert second - first >= 5.0


def test_fetch_when_it_raises_or_returns_junk_then_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """The ticks go out after the holding, and nothing is raised at the source."""
    caplog.set_level(logging.ERROR)
    lost: list[tuple[str, str]] = []

    def raising(symbol: str, since: int) -> Observable[PriceTick]:
        raise KeyError(symbol)

    functions: list[Callable[[str, int], Any]] = [
        raising,
        lambda symbol, since: None,
        lambda symbol, since: reactivex.of("x"),
    ]
    for function in functions:
        clock = TestScheduler()
        operator = recover_gaps(function, max_hold=1, on_lost=note_in(lost), scheduler=clock)
        messages = [on_next(210, trade(2)), on_next(220, trade(6, after(5)))]
        assert run(clock, messages, operator) == [(210, (2, SINCE)), (221, (6, after(5)))]
    assert len(lost) == 3
    assert "expected trades of A" in lost[2][1]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"fetch": "url"}, TypeError, "fetch must be a function"),
        ({"limiter": 5}, TypeError, "limiter must be an APIRateLimiter"),
        ({"on_lost": 5}, TypeError, "on_lost must be a function"),
        ({"max_hold": 0}, ValueError, "max_hold must be more than 0"),
        ({"max_gap": -1}, ValueError, "max_gap must be 0 or more"),
        ({"max_held": 0}, ValueError, "max_held must be at least 1"),
        ({"disorder": "2"}, TypeError, "disorder must be seconds or a timedelta"),
    ],
)
def test_options_when_wrong_then_raise_where_they_are_given(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Not at the first gap."""
    fetch = options.pop("fetch", no_trades)
    with pytest.raises(error, match=words):
        recover_gaps(fetch, **options)
