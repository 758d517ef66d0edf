"""EventLoopThreadScheduler: what runs where, in which order, and what an exception does."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.abc import DisposableBase, SchedulerBase
from reactivex.disposable import Disposable

from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for

BOUND = 20.0  # seconds; far more than anything here takes, far less than a test's limit


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """A scheduler that fails its test when an exception goes unnoticed."""
    errors: list[BaseException] = []
    made = EventLoopThreadScheduler("under-test", on_exception=errors.append)
    yield made
    made.dispose()
    assert errors == []


@pytest.fixture
def errors() -> list[BaseException]:
    """What the scheduler ``reporting`` reported."""
    return []


@pytest.fixture
def reporting(errors: list[BaseException]) -> Iterator[EventLoopThreadScheduler]:
    """A scheduler whose exceptions are looked at."""
    made = EventLoopThreadScheduler("reporting", on_exception=errors.append)
    yield made
    made.dispose()


def flush(scheduler: EventLoopThreadScheduler) -> None:
    """Wait until the thread has done all that was handed over so far."""
    done = threading.Event()
    assert scheduler.post(done.set)
    assert done.wait(BOUND)


class Busy:
    """Occupies a scheduler's thread until it is released."""

    def __init__(self, scheduler: EventLoopThreadScheduler) -> None:
        started = threading.Event()
        self._release = threading.Event()

        def occupy() -> None:
            started.set()
            self._release.wait(BOUND * 2)

        assert scheduler.post(occupy)
        assert started.wait(BOUND)

    def release(self) -> None:
        self._release.set()


def _do_nothing(scheduler: SchedulerBase, state: object) -> None:
    pass


def test_schedule_when_called_then_the_action_gets_scheduler_and_state_on_the_daemon_thread(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The thread has the scheduler's name, is a daemon, and starts with the first use only."""
    assert "under-test" not in {thread.name for thread in threading.enumerate()}
    assert not scheduler.on_thread
    seen: list[object] = []
    done = threading.Event()

    def action(given: SchedulerBase, state: str | None) -> None:
        seen.extend([given, state, threading.current_thread().name, threading.current_thread().daemon])
        seen.append(scheduler.on_thread)
        done.set()

    scheduler.schedule(action, "state")
    assert done.wait(BOUND)
    assert seen == [scheduler, "state", "under-test", True, True]
    assert not scheduler.on_thread


def test_loop_when_many_threads_start_it_at_once_then_there_is_one(scheduler: EventLoopThreadScheduler) -> None:
    """Two first users must not start two threads."""
    barrier = threading.Barrier(8)
    loops: list[asyncio.AbstractEventLoop] = []

    def first_use() -> None:
        barrier.wait(BOUND)
        loops.append(scheduler.loop)

    threads = [threading.Thread(target=first_use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert loops == [scheduler.loop] * 8
    assert [thread.name for thread in threading.enumerate()].count("under-test") == 1


def test_handing_over_when_done_in_turn_from_two_threads_then_the_order_is_kept(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """post, schedule and spawn share one queue, whichever thread they are called from."""
    seen: list[int] = []

    def note(number: int) -> Callable[[SchedulerBase, object], None]:
        return lambda _, __: seen.append(number)

    async def note_three() -> None:
        seen.append(3)

    def on_thread() -> None:
        scheduler.schedule(note(1))
        scheduler.post(seen.append, 2)
        scheduler.spawn(note_three)
        scheduler.schedule_relative(0, note(4))

    scheduler.post(on_thread)
    flush(scheduler)
    flush(scheduler)
    flush(scheduler)
    # A task takes its first step one turn after it was made.
    assert sorted(seen) == [1, 2, 3, 4]
    assert [number for number in seen if number != 3] == [1, 2, 4]
    seen.clear()
    busy = Busy(scheduler)
    for number in range(100):
        if number % 2:
            scheduler.post(seen.append, number)
        else:
            scheduler.schedule(note(number))
    busy.release()
    flush(scheduler)
    assert seen == list(range(100))


@pytest.mark.parametrize("kind", ["schedule", "relative", "absolute", "periodic", "spawn"])
def test_dispose_when_the_action_waits_behind_a_busy_one_then_it_never_runs(
    scheduler: EventLoopThreadScheduler, kind: str
) -> None:
    """The flag is looked at on the loop's thread, and dispose does not wait for it: the busy action ends after it."""
    seen: list[str] = []

    def action(_: SchedulerBase, __: object) -> None:
        seen.append("ran")

    def periodic(_: object) -> None:
        seen.append("ran")

    async def task() -> None:
        seen.append("ran")

    def make_task() -> Coroutine[Any, Any, None]:
        seen.append("made")
        return task()

    busy = Busy(scheduler)
    item: DisposableBase
    if kind == "schedule":
        item = scheduler.schedule(action)
    elif kind == "relative":
        item = scheduler.schedule_relative(timedelta(microseconds=1), action)
    elif kind == "absolute":
        item = scheduler.schedule_absolute(scheduler.now, action)
    elif kind == "periodic":
        item = scheduler.schedule_periodic(0.0, periodic)
    else:
        item = scheduler.spawn(make_task)
    item.dispose()
    item.dispose()
    busy.release()
    for _ in range(3):
        flush(scheduler)
    assert seen == []


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_dispose_when_both_are_due_and_the_first_disposes_the_second_then_the_second_never_runs(
    scheduler: EventLoopThreadScheduler, delay: float
) -> None:
    """The loop has both in its hands already: only the flag can stop the second."""
    seen: list[str] = []
    second: list[DisposableBase] = []
    first_ran = threading.Event()

    def dispose_second(_: SchedulerBase, __: object) -> None:
        seen.append("first")
        second[0].dispose()
        first_ran.set()

    def arm() -> None:
        scheduler.schedule_relative(delay, dispose_second)
        second.append(scheduler.schedule_relative(delay, lambda _, __: seen.append("second")))
        if delay:  # both fall due while the thread is occupied
            threading.Event().wait(delay * 2)

    scheduler.post(arm)
    assert first_ran.wait(BOUND)
    flush(scheduler)
    assert seen == ["first"]


def test_dispose_when_a_timer_is_armed_then_the_loop_forgets_it(scheduler: EventLoopThreadScheduler) -> None:
    """A cancelled timer of an hour does not keep its state for an hour: the cancel is posted to the loop's thread."""

    class State:
        pass

    state = State()
    gone = weakref.ref(state)
    item = scheduler.schedule_relative(3600, _do_nothing, state)
    flush(scheduler)
    item.dispose()
    del item, state
    flush(scheduler)
    gc.collect()
    assert gone() is None


def test_dispose_when_the_timer_is_disposed_before_it_is_armed_then_the_loop_never_gets_it(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The message that would arm it finds it dead."""
    busy = Busy(scheduler)
    item = scheduler.schedule_relative(3600, _do_nothing)
    item.dispose()
    busy.release()
    flush(scheduler)
    scheduled: list[asyncio.TimerHandle] = scheduler.loop._scheduled  # type: ignore[attr-defined]  # CPython's own heap
    assert scheduled == []


def test_dispose_when_the_action_returned_a_disposable_then_it_is_disposed_too(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """At once in the caller's thread when the action has run, else on the loop's thread as soon as it returns."""
    disposed: list[str] = []
    item = scheduler.schedule(lambda _, __: Disposable(lambda: disposed.append("after")))
    flush(scheduler)
    assert disposed == []
    item.dispose()
    assert disposed == ["after"]

    running, go_on = threading.Event(), threading.Event()

    def action(_: SchedulerBase, __: object) -> DisposableBase:
        running.set()
        go_on.wait(BOUND)
        return Disposable(lambda: disposed.append("meanwhile"))

    item = scheduler.schedule(action)
    assert running.wait(BOUND)
    item.dispose()
    go_on.set()
    flush(scheduler)
    assert disposed == ["after", "meanwhile"]


def test_exception_when_raised_anywhere_then_it_is_reported_and_the_loop_goes_on(
    reporting: EventLoopThreadScheduler, errors: list[BaseException]
) -> None:
    """An action, a timer, a posted function, a coroutine and the function that should make one."""
    failures = [ValueError(str(number)) for number in range(5)]

    def fail(number: int) -> None:
        raise failures[number]

    async def fail_in_task() -> None:
        fail(3)

    def fail_to_make() -> None:
        fail(4)

    reporting.schedule(lambda _, __: fail(0))
    reporting.schedule_relative(0.001, lambda _, __: fail(1))
    reporting.post(fail, 2)
    reporting.spawn(fail_in_task)
    reporting.spawn(fail_to_make)  # type: ignore[arg-type]  # it raises before it returns
    done = threading.Event()
    reporting.schedule_relative(0.05, lambda _, __: done.set())
    assert done.wait(BOUND)
    assert sorted(map(str, errors)) == ["0", "1", "2", "3", "4"]
    assert set(errors) == set(failures)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_exception_when_it_would_end_the_thread_then_the_loop_goes_on(
    reporting: EventLoopThreadScheduler, errors: list[BaseException], error: BaseException
) -> None:
    """asyncio lets SystemExit out of the loop; the thread must not end silently with it."""

    def fail(_: SchedulerBase, __: object) -> None:
        raise error

    async def fail_in_task() -> None:
        if not isinstance(error, asyncio.CancelledError):
            raise error

    reporting.schedule(fail)
    flush(reporting)
    assert errors == [error]
    reporting.spawn(fail_in_task)
    flush(reporting)
    flush(reporting)
    assert errors in ([error], [error, error])
    assert threading.active_count() >= 2


def test_exception_when_no_handler_is_given_then_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The default says whose thread it was, with the traceback."""
    scheduler = EventLoopThreadScheduler("quiet")

    def fail(_: SchedulerBase, __: object) -> None:
        raise LookupError("nowhere")

    with caplog.at_level(logging.ERROR, "rxstreams.scheduler"):
        scheduler.schedule(fail)
        flush(scheduler)
    scheduler.dispose()
    [record] = [record for record in caplog.records if record.name == "rxstreams.scheduler"]
    assert "'quiet'" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_exception_when_the_handler_itself_fails_then_both_are_logged_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    """A bug in on_exception is one more exception, no end."""

    def fail_to_handle(error: BaseException) -> None:
        raise kind("bad handler")

    scheduler = EventLoopThreadScheduler("careless", on_exception=fail_to_handle)

    def fail(_: SchedulerBase, __: object) -> None:
        raise LookupError("nowhere")

    scheduler.schedule(fail)
    flush(scheduler)
    flush(scheduler)
    scheduler.dispose()
    assert "LookupError('nowhere')" in caplog.text
    assert "bad handler" in caplog.text


def test_loop_when_somebody_stops_it_then_it_goes_on(scheduler: EventLoopThreadScheduler) -> None:
    """Only dispose ends the thread."""
    scheduler.loop.call_soon_threadsafe(scheduler.loop.stop)
    flush(scheduler)
    flush(scheduler)


def test_loop_when_somebody_stops_and_closes_it_then_the_scheduler_says_that_it_is_disposed(
    reporting: EventLoopThreadScheduler, errors: list[BaseException]
) -> None:
    """The thread ends instead of running in circles."""
    reporting.loop.run_forever = reporting.loop.close  # type: ignore[method-assign]  # the moment between two runs
    reporting.loop.call_soon_threadsafe(reporting.loop.stop)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "reporting"]
    thread.join(BOUND)
    assert not thread.is_alive()
    assert reporting.is_disposed
    assert reporting.post(print) is False
    assert errors == []


def test_spawn_when_disposed_then_the_task_is_cancelled_once_and_cleans_up(scheduler: EventLoopThreadScheduler) -> None:
    """A second dispose must not hit the task in the middle of its farewell."""
    seen: list[str] = []
    started, cleaning, go_on, ended = (threading.Event() for _ in range(4))

    async def work() -> None:
        try:
            started.set()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cleaning.set()
            while not go_on.is_set():
                await asyncio.sleep(0)
            seen.append("cleaned")
            raise
        finally:
            ended.set()

    task = scheduler.spawn(work)
    assert started.wait(BOUND)
    task.dispose()
    assert cleaning.wait(BOUND)
    task.dispose()
    flush(scheduler)
    go_on.set()
    assert ended.wait(BOUND)
    assert seen == ["cleaned"]


def test_spawn_when_disposed_from_within_the_task_then_its_next_await_is_its_last(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """As when an observer disposes inside on_next, which the task itself called."""
    seen: list[str] = []
    ended = threading.Event()
    task: list[DisposableBase] = []

    async def work() -> None:
        try:
            task[0].dispose()
            seen.append("goes on to its next await")
            await asyncio.sleep(0)
            seen.append("not reached")
        finally:
            ended.set()

    busy = Busy(scheduler)
    task.append(scheduler.spawn(work))
    busy.release()
    assert ended.wait(BOUND)
    assert seen == ["goes on to its next await"]


def test_spawn_when_nobody_else_refers_to_the_task_then_it_is_not_collected(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """asyncio keeps only weak references to tasks: a task and its future would vanish together."""
    futures: list[weakref.ref[asyncio.Future[None]]] = []
    ended = threading.Event()

    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        futures.append(weakref.ref(future))
        await future
        ended.set()

    scheduler.spawn(work)
    flush(scheduler)
    flush(scheduler)
    gc.collect()
    future = futures[0]()
    assert future is not None
    scheduler.post(future.set_result, None)
    assert ended.wait(BOUND)


def test_interval_when_given_the_scheduler_then_reactivex_accepts_it(scheduler: EventLoopThreadScheduler) -> None:
    """reactivex.interval wants a PeriodicScheduler, and take() disposes it from within its own action."""
    threads: list[bool] = []
    items = (
        reactivex.interval(0.001, scheduler=scheduler)
        .pipe(ops.do_action(lambda _: threads.append(scheduler.on_thread)), ops.take(3), ops.to_list())
        .run()
    )
    assert items == [0, 1, 2]
    assert threads == [True, True, True]
    for _ in range(3):
        flush(scheduler)
    assert len(threads) == 3


def test_periodic_when_the_action_fails_then_it_is_reported_and_ends(
    reporting: EventLoopThreadScheduler, errors: list[BaseException]
) -> None:
    """As with reactivex's own: an exception ends the repetition; here only the repetition."""
    runs: list[int | None] = []

    def action(state: int | None) -> int:
        runs.append(state)
        if state == 2:
            raise ValueError("two")
        return (state or 0) + 1

    reporting.schedule_periodic(0.0, action, 0)
    for _ in range(8):
        flush(reporting)
    assert runs == [0, 1, 2]
    assert [str(error) for error in errors] == ["two"]


def test_scheduler_for_when_asked_twice_then_it_is_the_same_until_disposed() -> None:
    """One scheduler a name; a disposed one is replaced."""
    first = scheduler_for("venue-one")
    assert first.name == "venue-one"
    assert scheduler_for("venue-one") is first
    assert scheduler_for("venue-two") is not first
    flush(first)
    first.dispose()
    second = scheduler_for("venue-one")
    assert second is not first
    flush(second)
    assert scheduler_for("venue-one") is second
    second.dispose()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": 5}, TypeError, "name must be a string, got 5"),
        ({"loop_factory": 5}, TypeError, "loop_factory must be a function or None, got 5"),
        ({"on_exception": "log"}, TypeError, "on_exception must be a function or None, got 'log'"),
    ],
)
def test_options_when_wrong_then_they_are_refused_at_once(
    options: dict[str, str], error: type[Exception], message: str
) -> None:
    """The mistake is reported where it is made."""
    with pytest.raises(error, match=message):
        EventLoopThreadScheduler(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("period", [float("nan")])
def test_time_when_not_a_number_then_it_is_refused(scheduler: EventLoopThreadScheduler, period: float) -> None:
    """NaN would corrupt the order of the loop's timers, silently."""
    with pytest.raises(ValueError, match="duetime must be a number of seconds, got nan"):
        scheduler.schedule_relative(period, _do_nothing)
    with pytest.raises(ValueError, match="period must be a number of seconds, got nan"):
        scheduler.schedule_periodic(period, lambda _: None)


def test_loop_factory_when_it_makes_no_loop_then_the_caller_learns_at_once() -> None:
    """Not only when a wait for it is given up."""
    scheduler = EventLoopThreadScheduler("empty", loop_factory=lambda: None)  # type: ignore[arg-type,return-value]  # pyright: ignore[reportArgumentType]  # wrong on purpose
    with pytest.raises(AttributeError, match="NoneType"):
        scheduler.post(print)
    assert "empty" not in {thread.name for thread in threading.enumerate()}


def test_loop_factory_when_it_fails_then_the_caller_gets_the_error_and_may_try_again() -> None:
    """The error comes out where the thread was needed, and leaves no thread behind."""
    attempts: list[str] = []

    def make() -> asyncio.AbstractEventLoop:
        attempts.append(threading.current_thread().name)
        if len(attempts) == 1:
            raise OSError("no more files")
        return asyncio.new_event_loop()

    scheduler = EventLoopThreadScheduler("fragile", loop_factory=make)
    with pytest.raises(OSError, match="no more files"):
        scheduler.post(print)
    flush(scheduler)
    # On Windows a loop made on the main thread takes over the signals' wake-up.
    assert attempts == ["fragile", "fragile"]
    scheduler.dispose()
