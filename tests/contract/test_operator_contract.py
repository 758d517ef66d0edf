"""What every operator keeps to, whatever it does: one suite over all of them, which are listed in operator_cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from operator_cases import APART, CASES, FIRST, RETRY, Case, Operator, arriving, error_of, make_sink, run, tick
from reactivex import Observable, abc, empty
from reactivex.disposable import SerialDisposable
from reactivex.observer import Observer
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams import operators
from rxstreams.operators import (
    deduplicate,
    into,
    normalize_symbols,
    prepend_history,
    recover_gaps,
    redundant,
    resample,
    retry_with_backoff,
    to_ohlc,
)

on_error, on_completed = ReactiveTest.on_error, ReactiveTest.on_completed

_LATER = 5  # a second source's items come this much later

_any_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


class _Bug(Exception):
    """What a user's function or observer raises here."""


def test_cases_when_listed_then_every_public_operator_is_among_them() -> None:
    """None can be forgotten."""
    public = {name for name in operators.__all__ if inspect.isfunction(getattr(operators, name))}
    assert public <= {case.name.split()[0] for case in CASES}


@_any_case
def test_case_when_its_items_come_then_it_sends_something(case: Case) -> None:
    """The tests below have something to look at."""
    messages, _ = run(case, *arriving(case.items))
    assert len(messages) >= 3
    assert all(message.value.kind == "N" for message in messages)


@_any_case
def test_operator_when_used_on_two_sources_then_they_share_nothing(case: Case) -> None:
    """One value, two sources with interleaved items: each result is as if it were alone."""
    clock = TestScheduler()
    operator = case.make(clock)
    arrivals = [arriving(case.items), arriving(case.items, _LATER)]
    results = [clock.create_observer(), clock.create_observer()]
    for messages, result in zip(arrivals, results, strict=True):
        clock.create_hot_observable(*messages).pipe(operator).subscribe(result, scheduler=clock)
    clock.start()
    for messages, result in zip(arrivals, results, strict=True):
        assert result.messages == run(case, *messages)[0]


@_any_case
def test_result_when_subscribed_to_again_then_the_subscriptions_share_nothing(case: Case) -> None:
    """At once, while the first goes on, and after it has been disposed."""
    clock = TestScheduler()
    messages = [*arriving(case.items), on_completed(900)]
    result = clock.create_hot_observable(*messages).pipe(case.make(clock))
    times = [200, 200, 233, 263]
    observers = [clock.create_observer() for _ in times]
    subscriptions = [SerialDisposable() for _ in times]
    for time, observer, subscription in zip(times, observers, subscriptions, strict=True):

        def subscribe(_: Any, __: Any, observer: Any = observer, subscription: Any = subscription) -> None:
            subscription.disposable = result.subscribe(observer, scheduler=clock)

        clock.schedule_absolute(time, subscribe)
    clock.schedule_absolute(253, lambda _, __: subscriptions[0].dispose())
    clock.start()
    for time, observer, until in zip(times, observers, (253, 1000, 1000, 1000), strict=True):
        assert observer.messages == run(case, *messages, subscribed=time, disposed=until)[0]


@_any_case
def test_result_when_disposed_at_any_moment_then_nothing_more_comes(case: Case) -> None:
    """Between items and timers: what came before is what comes without it, and the source is left at once."""
    whole, _ = run(case, *arriving(case.items))
    for moment in range(203, 420, 5):
        messages, subscriptions = run(case, *arriving(case.items), on_completed(900), disposed=moment)
        assert messages == [message for message in whole if message.time < moment]
        assert subscriptions == [(200, moment)]


@_any_case
def test_result_when_disposed_inside_on_next_then_that_was_the_last(case: Case) -> None:
    """Even if one item caused several, the next does not come."""
    whole, _ = run(case, *arriving(case.items))
    for number in range(len(whole)):
        clock = TestScheduler()
        source = clock.create_hot_observable(*arriving(case.items), on_completed(900))
        subscription = SerialDisposable()
        came: list[Any] = []

        def take(item: Any, came: Any = came, subscription: Any = subscription, number: int = number) -> None:
            came.append(item)
            if len(came) > number:
                subscription.dispose()

        ends: list[object] = []
        observer = Observer(take, ends.append, functools.partial(ends.append, "completed"))
        subscription.disposable = source.pipe(case.make(clock)).subscribe(observer, scheduler=clock)
        clock.start()
        assert came == [message.value.value for message in whole[: number + 1]]
        assert ends == []
        assert [each.unsubscribe for each in source.subscriptions] == [whole[number].time]


@_any_case
def test_source_when_it_fails_then_its_error_passes_and_nothing_is_flushed(case: Case) -> None:
    """After each number of items: what they caused, then the very error."""
    whole, _ = run(case, *arriving(case.items))
    for number in range(len(case.items) + 1):
        error = RuntimeError("lost")
        moment = FIRST + number * APART - 3
        messages, subscriptions = run(case, *arriving(case.items)[:number], on_error(moment, error))
        caused = [message for message in whole if message.time < moment]
        assert messages[:-1] == caused
        assert messages[-1].time == moment
        assert error_of(messages[-1]) is error
        assert subscriptions == [(200, moment)]


@_any_case
def test_source_when_it_completes_then_the_result_completes_at_once(case: Case) -> None:
    """After each number of items: what they caused, what was held, the end."""
    whole, _ = run(case, *arriving(case.items))
    for number in range(len(case.items) + 1):
        moment = FIRST + number * APART - 3
        messages, subscriptions = run(case, *arriving(case.items)[:number], on_completed(moment))
        caused = [message for message in whole if message.time < moment]
        assert messages[: len(caused)] == caused
        assert messages[-1] == on_completed(moment)
        assert {(message.time, message.value.kind) for message in messages[len(caused) : -1]} <= {(moment, "N")}
        assert subscriptions == [(200, moment)]


@_any_case
def test_source_when_subscribed_to_then_it_gets_the_scheduler(case: Case) -> None:
    """What is given to ``subscribe`` goes all the way up."""
    given: list[object] = []
    clock, marker = TestScheduler(), TestScheduler()

    def subscribe(_: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None) -> Any:
        given.append(scheduler)

    Observable[Any](subscribe).pipe(case.make(clock)).subscribe(scheduler=marker)
    assert len(given) == 1
    assert given[0] is marker


@pytest.mark.parametrize("case", [case for case in CASES if not case.uses_time], ids=lambda case: case.name)
def test_source_when_it_sends_all_while_it_is_subscribed_to_then_nothing_is_missing(case: Case) -> None:
    """There is nothing to dispose yet; the result is the same."""

    def subscribe(observer: abc.ObserverBase[Any], _: object = None) -> Any:
        for item in case.items:
            observer.on_next(item)
        observer.on_completed()

    came: list[Any] = []
    Observable[Any](subscribe).pipe(case.make(TestScheduler())).subscribe(
        came.append, on_completed=lambda: came.append("completed")
    )
    messages, _ = run(case, *arriving(case.items), on_completed(900))
    assert came == [*(message.value.value for message in messages[:-1]), "completed"]


@_any_case
def test_observer_when_it_raises_then_the_producer_gets_it_and_it_is_no_error_of_the_stream(case: Case) -> None:
    """Whoever sends decides what becomes of an observer's bug; an operator neither swallows nor converts it."""
    source: Subject[Any] = Subject()
    ends: list[object] = []

    def take(_: Any) -> None:
        raise _Bug

    clock = TestScheduler()
    source.pipe(case.make(clock)).subscribe(take, ends.append, lambda: ends.append("completed"), scheduler=clock)

    def send_all() -> None:
        for item in case.items:
            source.on_next(item)
        clock.advance_by(100.0)  # where an operator hops to a scheduler, that is the producer

    with pytest.raises(_Bug):
        send_all()
    assert ends == []


_typed = [case for case in CASES if case.wrong_item is not None]


@pytest.mark.parametrize("case", _typed, ids=lambda case: case.name)
def test_items_when_one_is_of_a_wrong_type_then_a_type_error_ends_it(case: Case) -> None:
    """It says what came instead; the source is left at once."""
    whole, _ = run(case, *arriving(case.items[:2]))
    items = [*case.items[:2], case.wrong_item, *case.items[2:]]
    messages, subscriptions = run(case, *arriving(items), on_completed(900))
    moment = FIRST + 2 * APART
    assert messages[:-1] == [message for message in whole if message.time < moment]
    assert messages[-1].time == moment
    assert subscriptions == [(200, moment)]
    error = error_of(messages[-1])
    assert type(error) is TypeError
    assert type(case.wrong_item).__name__ in str(error)


@pytest.mark.parametrize("case", _typed, ids=lambda case: case.name)
def test_items_when_the_source_goes_on_after_a_wrong_one_then_nothing_comes_of_them(case: Case) -> None:
    """A source that sends all it has while it is being subscribed to can't be stopped."""
    came: list[Any] = []

    def subscribe(observer: abc.ObserverBase[Any], _: object = None) -> Any:
        for item in [case.wrong_item, *case.items]:
            observer.on_next(item)
        observer.on_completed()

    Observable[Any](subscribe).pipe(case.make(TestScheduler())).subscribe(
        came.append, came.append, lambda: came.append("completed")
    )
    assert [type(each) for each in came] == [TypeError]


_WRONG: Any = int  # what type checkers would refuse
_BAD_OPTIONS: list[Callable[[], object]] = [
    lambda: to_ohlc("soon"),
    lambda: to_ohlc(5, grace=-1),
    lambda: to_ohlc(5, max_fill=0),
    lambda: resample(),
    lambda: resample("soon"),
    lambda: deduplicate(size=0),
    lambda: deduplicate(size=True),
    lambda: normalize_symbols({"A": ["C"], "B": ["C"]}),
    lambda: into(_WRONG),
    lambda: recover_gaps(_WRONG, max_held=0),
    lambda: recover_gaps(_WRONG, max_hold=0),
    lambda: redundant(empty()),
    lambda: prepend_history(_WRONG, "soon"),
    lambda: retry_with_backoff(RETRY, retry_on=_WRONG),
]


@pytest.mark.parametrize("build", _BAD_OPTIONS)
def test_options_when_wrong_then_they_are_refused_when_the_operator_is_built(build: Callable[[], object]) -> None:
    """Not at the first subscription."""
    with pytest.raises((ValueError, TypeError)):
        build()


_Called = Callable[..., Any]
_CALLBACKS: list[tuple[str, Callable[[TestScheduler, _Called], Operator], list[Recorded[Any]]]] = [
    (
        "to_ohlc on_late",
        lambda _, bug: to_ohlc("30s", late="drop", on_late=bug),
        arriving([tick(0), tick(40), tick(5), tick(6)]),
    ),
    ("deduplicate key", lambda _, bug: deduplicate(bug), arriving([1, 2, 3])),
    ("into sink", lambda _, bug: into(make_sink(bug)), arriving([1, 2, 3])),
    (
        "retry_with_backoff retry_on",
        lambda clock, bug: retry_with_backoff(RETRY, retry_on=bug, scheduler=clock),
        [on_error(220, OSError())],
    ),
    (
        "retry_with_backoff on_retry",
        lambda clock, bug: retry_with_backoff(RETRY, on_retry=bug, scheduler=clock),
        [on_error(220, OSError())],
    ),
]


@pytest.mark.parametrize(("name", "make", "messages"), _CALLBACKS, ids=[name for name, _, __ in _CALLBACKS])
def test_users_function_when_it_raises_then_that_ends_it(
    name: str, make: Callable[[TestScheduler, _Called], Operator], messages: list[Recorded[Any]]
) -> None:
    """The error is its exception or carries it; it is called once, and the source is left at once."""
    called: list[object] = []

    def bug(*arguments: object) -> Any:
        called.append(arguments)
        raise _Bug(name)

    clock = TestScheduler()
    source = clock.create_hot_observable(*messages)
    result: list[Any] = clock.start(lambda: source.pipe(make(clock, bug))).messages
    error: BaseException | None = error_of(result[-1])
    assert all(message.value.kind == "N" for message in result[:-1])
    if not isinstance(error, _Bug):
        error = error.__cause__ if error else None
    assert isinstance(error, _Bug)
    assert len(called) == 1
    assert [each.unsubscribe for each in source.subscriptions] == [result[-1].time]
