"""EventLoopThreadScheduler.dispose: from everywhere, within a bound, and what becomes of the tasks."""

from __future__ import annotations

import asyncio
import logging
import selectors
import threading
import time
from collections.abc import AsyncGenerator

import pytest
from reactivex.abc import SchedulerBase
from reactivex.internal import DisposedException

from rxstreams.scheduler import EventLoopThreadScheduler

BOUND = 20.0
# What a wait that must not happen would take; a test that takes half of it has caught one.
FOREVER = 40.0


def flush(scheduler: EventLoopThreadScheduler) -> None:
    """Wait until the thread has done all that was handed over so far."""
    done = threading.Event()
    assert scheduler.post(done.set)
    assert done.wait(BOUND)


def thread_of(scheduler: EventLoopThreadScheduler) -> threading.Thread:
    """Return the thread of a running scheduler."""
    found: list[threading.Thread] = []
    scheduler.post(lambda: found.append(threading.current_thread()))
    flush(scheduler)
    return found[0]


def test_dispose_when_called_on_its_own_thread_then_the_thread_ends(caplog: pytest.LogCaptureFixture) -> None:
    """It can't wait for itself; it ends when the action that called it returns."""
    scheduler = EventLoopThreadScheduler("own")
    thread = thread_of(scheduler)
    seen: list[str] = []

    def action(_: SchedulerBase, __: object) -> None:
        scheduler.dispose(FOREVER)
        seen.append("returned")

    begin = time.monotonic()
    scheduler.schedule(action)
    thread.join(BOUND)
    assert not thread.is_alive()
    assert time.monotonic() - begin < BOUND
    assert seen == ["returned"]
    assert caplog.records == []


def test_dispose_when_called_inside_a_task_then_the_task_is_cancelled_and_the_thread_ends() -> None:
    """The task that disposes the scheduler is one of those that get to clean up."""
    scheduler = EventLoopThreadScheduler("own")
    thread = thread_of(scheduler)
    seen: list[str] = []

    async def work() -> None:
        scheduler.dispose(FOREVER)
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append("cleaned")

    scheduler.spawn(work)
    thread.join(BOUND)
    assert not thread.is_alive()
    assert seen == ["cleaned"]


def test_dispose_when_the_handler_of_exceptions_calls_it_then_the_thread_ends() -> None:
    """SystemExit gets there outside of the loop, where asyncio does not know that a loop is at home on this thread."""
    seen: list[BaseException] = []

    def give_up(error: BaseException) -> None:
        seen.append(error)
        scheduler.dispose(FOREVER)
        seen.append(error)

    def leave(_: SchedulerBase, __: object) -> None:
        raise SystemExit(3)

    scheduler = EventLoopThreadScheduler("own", on_exception=give_up)
    thread = thread_of(scheduler)
    scheduler.schedule(leave)
    thread.join(BOUND)
    assert not thread.is_alive()
    assert [type(error) for error in seen] == [SystemExit, SystemExit]


def test_dispose_when_two_schedulers_dispose_each_other_then_neither_waits() -> None:
    """Both are in dispose at the same moment: waiting for each other would take until the timeout."""
    one, two = EventLoopThreadScheduler("one"), EventLoopThreadScheduler("two")
    threads = [thread_of(one), thread_of(two)]
    barrier = threading.Barrier(2)

    def dispose(other: EventLoopThreadScheduler) -> None:
        barrier.wait(BOUND)
        other.dispose(FOREVER)

    begin = time.monotonic()
    one.post(dispose, two)
    two.post(dispose, one)
    for thread in threads:
        thread.join(FOREVER)
    assert time.monotonic() - begin < BOUND
    assert not any(thread.is_alive() for thread in threads)


def test_dispose_when_the_caller_runs_a_loop_then_that_loop_is_not_blocked() -> None:
    """A notebook's loop, say: the scheduler's thread is stuck, and dispose returns all the same."""
    scheduler = EventLoopThreadScheduler("stuck")
    thread = thread_of(scheduler)
    release = threading.Event()
    scheduler.post(release.wait, FOREVER)

    async def cell() -> float:
        begin = time.monotonic()
        scheduler.dispose(FOREVER)
        return time.monotonic() - begin

    assert asyncio.run(cell()) < BOUND
    release.set()
    thread.join(BOUND)
    assert not thread.is_alive()


def test_dispose_when_the_thread_is_stuck_then_it_gives_up_at_the_timeout_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A blocking call on the loop's thread can't be ended from outside, but it can be left behind."""
    scheduler = EventLoopThreadScheduler("stuck")
    thread = thread_of(scheduler)
    release = threading.Event()
    scheduler.post(release.wait, FOREVER)
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING, "rxstreams.scheduler"):
        scheduler.dispose(0.1)
    assert 0.1 <= time.monotonic() - begin < BOUND
    assert "the thread 'stuck' did not end within 0.1 s" in caplog.text
    release.set()
    thread.join(BOUND)
    assert not thread.is_alive()


def test_dispose_when_it_was_disposed_or_never_used_then_nothing_happens() -> None:
    """Idempotent, and no thread is started to be ended."""
    unused = EventLoopThreadScheduler("unused")
    assert repr(unused) == "EventLoopThreadScheduler('unused', not started)"
    unused.dispose()
    assert "unused" not in {thread.name for thread in threading.enumerate()}

    used = EventLoopThreadScheduler("used")
    thread = thread_of(used)
    loop = used.loop
    assert repr(used) == "EventLoopThreadScheduler('used', running)"
    before = used.is_disposed
    used.dispose()
    used.dispose(0)
    assert [before, used.is_disposed] == [False, True]
    assert repr(used) == "EventLoopThreadScheduler('used', disposed)"
    assert not thread.is_alive()
    assert loop.is_closed()


@pytest.mark.parametrize("used", [False, True])
def test_scheduling_when_disposed_then_it_is_an_error_and_post_is_refused(used: bool) -> None:
    """As with reactivex's EventLoopScheduler; the message names the scheduler."""
    scheduler = EventLoopThreadScheduler("gone")
    if used:
        flush(scheduler)
    scheduler.dispose()

    def action(_: SchedulerBase, __: object) -> None:
        pytest.fail("ran on a disposed scheduler")

    async def work() -> None:
        pytest.fail("ran on a disposed scheduler")

    message = "scheduler 'gone' was disposed"
    with pytest.raises(DisposedException, match=message):
        scheduler.schedule(action)
    with pytest.raises(DisposedException, match=message):
        scheduler.schedule_relative(0.001, action)
    with pytest.raises(DisposedException, match=message):
        scheduler.schedule_absolute(scheduler.now, action)
    with pytest.raises(DisposedException, match=message):
        scheduler.schedule_periodic(0.001, lambda _: None)
    with pytest.raises(DisposedException, match=message):
        scheduler.spawn(work)
    with pytest.raises(DisposedException, match=message):
        _ = scheduler.loop
    assert scheduler.post(pytest.fail, "ran on a disposed scheduler") is False


def test_dispose_when_work_is_queued_then_posts_run_and_scheduled_actions_are_dropped() -> None:
    """A post that was accepted is kept, as it may be somebody's farewell; an action is abandoned, as in reactivex."""
    scheduler = EventLoopThreadScheduler("busy")
    thread = thread_of(scheduler)
    release = threading.Event()
    seen: list[str] = []
    scheduler.post(release.wait, FOREVER)
    scheduler.schedule(lambda _, __: seen.append("scheduled"))
    scheduler.schedule_relative(0.0001, lambda _, __: seen.append("relative"))
    scheduler.schedule_periodic(0.0, lambda _: seen.append("periodic"))
    assert scheduler.post(seen.append, "posted")
    scheduler.dispose(0)
    release.set()
    thread.join(BOUND)
    assert not thread.is_alive()
    assert seen == ["posted"]


def test_dispose_when_posts_race_with_it_then_each_accepted_one_runs() -> None:
    """True from post is a promise, up to the last moment before dispose."""
    for _ in range(50):
        scheduler = EventLoopThreadScheduler("race")
        flush(scheduler)
        barrier = threading.Barrier(2)
        ran: list[int] = []
        accepted = 0

        def dispose(scheduler: EventLoopThreadScheduler = scheduler, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(BOUND)
            scheduler.dispose()

        disposer = threading.Thread(target=dispose)
        disposer.start()
        barrier.wait(BOUND)
        while scheduler.post(ran.append, accepted):
            accepted += 1
        disposer.join(BOUND)
        assert ran == list(range(accepted))


def test_dispose_when_tasks_are_running_then_they_clean_up_before_it_returns() -> None:
    """Spawned ones, those of others, and asynchronous generators; then the loop is closed."""
    scheduler = EventLoopThreadScheduler("clean")
    seen: list[str] = []
    ready = threading.Event()

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            seen.append(name)

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0.01)
            seen.append("generator")

    generators: list[AsyncGenerator[int, None]] = []
    others: list[asyncio.Task[None]] = []

    async def start_others() -> None:
        generators.append(numbers())
        await anext(generators[0])
        others.append(asyncio.create_task(linger("other")))
        await asyncio.sleep(0)
        ready.set()

    scheduler.spawn(lambda: linger("spawned"))
    scheduler.spawn(start_others)
    assert ready.wait(BOUND)
    loop = scheduler.loop
    scheduler.dispose(FOREVER)
    assert seen == ["spawned", "other", "generator"]
    assert loop.is_closed()


def test_dispose_when_a_task_says_farewell_through_a_shielded_one_then_neither_is_cut_off() -> None:
    """A connection closes with 1000 in a task of its own; cancelling that one too would cut the farewell off."""
    scheduler = EventLoopThreadScheduler("polite")
    seen: list[str] = []
    started = threading.Event()

    async def farewell() -> None:
        for _ in range(10):
            await asyncio.sleep(0.001)
        seen.append("closed with 1000")

    async def connection() -> None:
        try:
            started.set()
            await asyncio.sleep(3600)
        finally:
            await asyncio.shield(asyncio.create_task(farewell()))
            seen.append("connection ended")

    subscription = scheduler.spawn(connection)
    assert started.wait(BOUND)
    # The usual order: the subscription first, and at once the scheduler, while the farewell is under way.
    subscription.dispose()
    scheduler.dispose(FOREVER)
    assert seen == ["closed with 1000", "connection ended"]


@pytest.mark.parametrize("where", ["task", "generator"])
def test_dispose_when_something_refuses_to_end_then_it_still_ends_within_the_timeout(
    caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """Stubborn tasks are left behind and named; the others were given their time."""
    scheduler = EventLoopThreadScheduler("stubborn")
    thread = thread_of(scheduler)
    ready = threading.Event()

    async def refuse() -> None:
        for _ in range(3):
            try:
                ready.set()
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(3600)

    generators: list[AsyncGenerator[int, None]] = []

    async def start_generator() -> None:
        generators.append(numbers())
        await anext(generators[0])
        ready.set()

    scheduler.spawn(refuse if where == "task" else start_generator)
    assert ready.wait(BOUND)
    loop = scheduler.loop
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING, "rxstreams.scheduler"):
        scheduler.dispose(1.0)
    thread.join(BOUND)
    assert time.monotonic() - begin < BOUND
    assert not thread.is_alive()
    assert loop.is_closed()
    assert ("does not end although it was cancelled" in caplog.text) == (where == "task")


def test_dispose_when_a_task_fails_while_cleaning_up_then_it_is_reported_and_the_others_clean_up() -> None:
    """Even SystemExit, which leaves the loop, must not cost the others their farewell."""
    errors: list[BaseException] = []
    scheduler = EventLoopThreadScheduler("failing", on_exception=errors.append)
    seen: list[str] = []

    async def fail(error: BaseException) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise error

    async def stop_the_loop() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            asyncio.get_running_loop().stop()

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            seen.append("cleaned")

    scheduler.spawn(lambda: fail(ValueError("while cleaning up")))
    scheduler.spawn(lambda: fail(SystemExit(3)))
    scheduler.spawn(stop_the_loop)
    scheduler.spawn(linger)
    flush(scheduler)
    flush(scheduler)
    loop = scheduler.loop
    scheduler.dispose(FOREVER)
    assert seen == ["cleaned"]
    assert loop.is_closed()
    kinds = {type(error) for error in errors}
    assert {ValueError, SystemExit} <= kinds


def test_dispose_when_a_task_was_spawned_just_before_then_it_never_starts_or_is_cancelled() -> None:
    """No coroutine is left that was never awaited (warnings are errors here)."""
    for _ in range(20):
        scheduler = EventLoopThreadScheduler("late")
        seen: list[str] = []

        async def work(seen: list[str] = seen) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                seen.append("cleaned")

        scheduler.spawn(work)
        scheduler.dispose(FOREVER)
        assert seen in ([], ["cleaned"])


def test_loop_when_it_breaks_then_it_is_reported_and_the_thread_ends() -> None:
    """A loop that fails whenever it runs must not be run in circles; the scheduler counts as disposed."""
    errors: list[BaseException] = []
    broken = threading.Event()

    class BreakingSelector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if broken.is_set():
                raise OSError("bad file descriptor")
            return super().select(timeout)

    scheduler = EventLoopThreadScheduler(
        "broken", loop_factory=lambda: asyncio.SelectorEventLoop(BreakingSelector()), on_exception=errors.append
    )
    thread = thread_of(scheduler)
    scheduler.post(broken.set)
    thread.join(BOUND)
    assert not thread.is_alive()
    assert scheduler.is_disposed
    assert {str(error) for error in errors} == {"bad file descriptor"}
    assert scheduler.post(print) is False
    broken.clear()


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
def test_dispose_when_the_timeout_is_no_duration_then_it_is_refused(timeout: float) -> None:
    """The scheduler stays as it is."""
    scheduler = EventLoopThreadScheduler("kept")
    with pytest.raises(ValueError, match="timeout must be 0 or more seconds"):
        scheduler.dispose(timeout)
    assert not scheduler.is_disposed
