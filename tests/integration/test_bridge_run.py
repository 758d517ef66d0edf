"""run: what it returns and raises, and how sources register to be stopped."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.abc import DisposableBase, ObserverBase, SchedulerBase
from reactivex.disposable import Disposable
from reactivex.observer import Observer
from reactivex.subject import Subject

from rxstreams.bridge import register_stoppable, run
from rxstreams.errors import ObserverError


class Recorder(ObserverBase[int]):
    """A sink that writes down what it gets."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def on_next(self, value: int) -> None:
        self.events.append(value)

    def on_error(self, error: Exception) -> None:
        self.events.append(error)

    def on_completed(self) -> None:
        self.events.append("completed")


class BareSink:
    """Has an on_next and nothing else."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def on_next(self, value: int) -> None:
        self.items.append(value)


def never_looking(numbers: Any) -> Observable[int]:
    """A source that emits inside subscribe and does not look whether it was disposed."""

    def subscribe(observer: ObserverBase[int], _: SchedulerBase | None = None) -> DisposableBase:
        for number in numbers:
            observer.on_next(number)
        observer.on_completed()
        return Disposable()

    return Observable(subscribe)


def test_run_when_the_source_completes_then_it_returns_after_the_observer_got_everything() -> None:
    """An observer gets items and the completion."""
    recorder = Recorder()
    run(reactivex.of(1, 2), recorder)
    assert recorder.events == [1, 2, "completed"]


def test_run_when_given_a_function_a_bare_sink_or_nothing_then_it_takes_them() -> None:
    """Whatever has an on_next is an observer; on_error and on_completed may be missing."""
    items: list[int] = []
    sink = BareSink()
    seen: list[int] = []
    run(reactivex.of(1, 2), items.append)
    run(reactivex.of(1, 2), sink)
    run(reactivex.of(1, 2).pipe(ops.do_action(seen.append)))
    run(reactivex.of(1, 2), Observer(seen.append))
    assert (items, sink.items, seen) == ([1, 2], [1, 2], [1, 2, 1, 2])


def test_run_when_the_source_fails_then_the_observer_is_told_and_the_same_error_is_raised() -> None:
    """on_error is not swallowed: what ended it comes out."""
    error = LookupError("nowhere")
    recorder = Recorder()
    with pytest.raises(LookupError) as caught:
        run(reactivex.concat(reactivex.of(1), reactivex.throw(error)), recorder)
    assert caught.value is error
    assert recorder.events == [1, error]
    with pytest.raises(LookupError):
        run(reactivex.throw(error), BareSink())


def test_run_when_the_error_is_no_exception_then_it_is_raised_as_one() -> None:
    """reactivex passes on whatever a source gives to on_error."""

    def subscribe(observer: ObserverBase[int], _: SchedulerBase | None = None) -> DisposableBase:
        observer.on_error("broken")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong on purpose
        return Disposable()

    with pytest.raises(RuntimeError, match="the source failed with 'broken'"):
        run(Observable[int](subscribe))


def test_run_when_the_observers_on_error_fails_then_the_sources_error_is_raised_and_the_other_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first error counts."""

    class Careless(Recorder):
        def on_error(self, error: Exception) -> None:
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "rxstreams.bridge"), pytest.raises(LookupError):
        run(reactivex.throw(LookupError("nowhere")), Careless())
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("source", [reactivex.of(*range(9)), never_looking(range(9)), never_looking(itertools.count())])
def test_run_when_the_observer_raises_then_it_ends_at_once_with_the_cause(source: Observable[int]) -> None:
    """Even an endless source that never looks up is stopped by it."""
    seen: list[int] = []
    error = ZeroDivisionError("three")

    def observer(item: int) -> None:
        seen.append(item)
        if item == 3:
            raise error

    with pytest.raises(ObserverError, match=r"the observer raised ZeroDivisionError\('three'\)") as caught:
        run(source, observer)
    assert caught.value.__cause__ is error
    assert seen == [0, 1, 2, 3]


def test_run_when_the_observer_raises_at_the_completion_then_it_is_raised() -> None:
    """A sink that fails to write what it kept must be heard."""

    class Failing(Recorder):
        def on_completed(self) -> None:
            raise OSError("disk full")

    with pytest.raises(ObserverError, match="disk full"):
        run(reactivex.of(1), Failing())


def test_run_when_the_observer_exits_the_program_then_run_lets_it() -> None:
    """sys.exit() is no error of the observer."""

    def observer(_: int) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        run(reactivex.of(1), observer)
    assert caught.value.code == 7


def test_run_when_interrupted_inside_a_source_that_emits_in_subscribe_then_it_is_disposed_and_returns() -> None:
    """Ctrl-C goes up through the source; its subscription is known although subscribe has not returned."""
    disposed: list[str] = []
    seen: list[int] = []

    def observer(item: int) -> None:
        seen.append(item)
        if item == 3:
            raise KeyboardInterrupt  # what Python's handler does, between any two instructions

    run(
        reactivex.from_iterable(itertools.count()).pipe(ops.finally_action(lambda: disposed.append("disposed"))),
        observer,
    )
    assert seen == [0, 1, 2, 3]
    assert disposed == ["disposed"]
    # The thread's trampoline is in order again.
    run(reactivex.of(10), seen.append)
    assert seen == [0, 1, 2, 3, 10]


def test_register_stoppable_when_called_outside_of_run_then_nothing_happens() -> None:
    """Without a run nobody asks."""
    calls: list[str] = []
    register_stoppable(lambda: calls.append("stopped")).dispose()
    assert calls == []


def test_register_stoppable_when_the_subscription_is_over_then_it_is_not_called() -> None:
    """A source that was disposed has nothing to stop."""
    calls: list[str] = []

    def subscribe(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        register_stoppable(lambda: calls.append("stopped")).dispose()
        raise KeyboardInterrupt

    run(Observable[int](subscribe))
    assert calls == []


def test_register_stoppable_when_a_stop_fails_then_it_is_logged_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One feed's bug does not cost the other its graceful end."""

    def fail() -> None:
        raise ZeroDivisionError

    def subscribe(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        def stop() -> None:
            deadline = time.monotonic() + 20.0
            while "ZeroDivisionError" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.001)
            observer.on_completed()

        register_stoppable(fail)
        register_stoppable(stop)
        raise KeyboardInterrupt

    recorder = Recorder()
    monkeypatch.setattr("rxstreams.bridge._STOP_TIMEOUT", 40.0)
    with caplog.at_level(logging.ERROR, "rxstreams.bridge"):
        run(Observable[int](subscribe), recorder)
    assert recorder.events == ["completed"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("interrupted", [False, True])
def test_register_stoppable_when_the_run_is_over_then_it_does_nothing(interrupted: bool) -> None:
    """The context of a run outlives it, in every task that was started inside."""
    contexts: list[contextvars.Context] = []
    called = threading.Event()

    def subscribe(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        contexts.append(contextvars.copy_context())
        if interrupted:
            register_stoppable(observer.on_completed)
            raise KeyboardInterrupt
        observer.on_completed()
        return Disposable()

    run(Observable[int](subscribe))
    contexts[0].run(register_stoppable, called.set).dispose()
    assert not called.wait(0.05)


def test_run_when_a_loop_runs_on_this_thread_then_it_says_what_to_write_instead() -> None:
    """As in a notebook: blocking would stop the loop that shows the results."""
    source: Subject[int] = Subject()

    async def cell() -> None:
        run(source)

    with pytest.raises(RuntimeError, match=r"observable\.subscribe\(observer\), or async for .* to_async_iterable"):
        asyncio.run(cell())
    assert source.observers == []


def test_run_when_called_inside_on_next_then_it_is_refused_instead_of_waiting_for_itself() -> None:
    """The inner source would be queued behind the outer one, on the same thread, for ever."""
    with pytest.raises(ObserverError, match=r"run\(\) was called inside a subscription on the same thread"):
        run(reactivex.of(1), lambda _: run(reactivex.of(2)))


@pytest.mark.parametrize("timeout", [0.01, timedelta(milliseconds=10)])
def test_run_when_the_time_is_over_then_it_stops_gracefully_and_raises(timeout: float | timedelta) -> None:
    """As with Ctrl-C, what operators hold is sent; then the caller learns why it ended."""
    items: list[list[int]] = []

    def subscribe(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        observer.on_next(1)
        return register_stoppable(observer.on_completed)

    with pytest.raises(TimeoutError, match=r"timeout of 0\.01 s"):
        run(Observable[int](subscribe).pipe(ops.to_list()), items.append, timeout=timeout)
    assert items == [[1]]


def test_run_when_the_time_is_over_and_nothing_can_stop_then_it_is_disposed_at_once() -> None:
    """Without a source that registered there is nothing to wait for."""
    source: Subject[int] = Subject()
    recorder = Recorder()
    with pytest.raises(TimeoutError):
        run(source, recorder, timeout=0.01)
    assert source.observers == []
    assert recorder.events == []


def test_run_when_it_completes_in_time_then_the_timeout_does_not_matter() -> None:
    """No error."""
    run(reactivex.of(1), timeout=60)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((5,), {}, TypeError, r"run\(\) takes an Observable, got 5"),
        ((reactivex.never(), 5), {}, TypeError, "observer must be an observer, a sink or a function, got 5"),
        ((reactivex.never(),), {"timeout": 0}, ValueError, "timeout must be more than 0 seconds, got 0"),
        ((reactivex.never(),), {"timeout": float("nan")}, ValueError, "timeout must be more than 0 seconds, got nan"),
        ((reactivex.never(),), {"timeout": "1"}, TypeError, "timeout must be seconds, a timedelta or None, got '1'"),
        ((reactivex.never(),), {"timeout": True}, TypeError, "timeout must be seconds, a timedelta or None, got True"),
    ],
)
def test_run_when_an_argument_is_wrong_then_it_is_refused_before_anything_is_subscribed(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """The mistake is reported where it is made."""
    with pytest.raises(error, match=message):
        run(*arguments, **options)
