"""run and Ctrl-C: with a real signal, and in a process of its own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.abc import DisposableBase, ObserverBase, SchedulerBase
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.bridge import register_stoppable, run
from rxstreams.errors import ObserverError
from rxstreams.scheduler import EventLoopThreadScheduler

BOUND = 20.0
# What a wait that must not happen would take.
FOREVER = 40.0

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this platform can't signal a thread")


@pytest.fixture(autouse=True)
def python_handles_ctrl_c() -> Iterator[None]:
    """A shell may have started the tests with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """Where the feeds of these tests live."""
    made = EventLoopThreadScheduler("feeds")
    yield made
    made.dispose()


def press_ctrl_c(after: threading.Event, then: Callable[[], object] = lambda: None) -> threading.Thread:
    """Send this thread the signal as soon as the event is set."""
    target = threading.get_ident()

    def press() -> None:
        assert after.wait(BOUND)
        signal.pthread_kill(target, signal.SIGINT)
        then()

    thread = threading.Thread(target=press)
    thread.start()
    return thread


class Feed:
    """A source on a scheduler's thread that counts until it is stopped, as a Stream does it."""

    def __init__(self, scheduler: EventLoopThreadScheduler, *, completes: bool = True) -> None:
        self.scheduler = scheduler
        self.completes = completes
        self.running = threading.Event()
        self.stops = 0
        self.disposals = 0

    def source(self) -> Observable[int]:
        return Observable(self._subscribe)

    def _subscribe(self, observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        def action(number: int | None) -> int:
            assert number is not None
            observer.on_next(number)
            if number == 3:
                self.running.set()
            return number + 1

        def stop() -> None:
            self.stops += 1
            timer.dispose()
            if self.completes:
                self.scheduler.post(observer.on_completed)

        def count() -> None:
            self.disposals += 1

        timer = self.scheduler.schedule_periodic(0.001, action, 1)
        return CompositeDisposable(timer, register_stoppable(stop), Disposable(count))


def test_run_when_interrupted_then_the_feed_completes_and_operators_send_what_they_hold(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """The last, open list arrives, as an open candle would; nothing is raised."""
    feed = Feed(scheduler)
    lists: list[list[int]] = []
    presser = press_ctrl_c(feed.running)
    run(feed.source().pipe(ops.buffer_with_count(1_000_000)), lists.append)
    presser.join(BOUND)
    assert feed.stops == 1
    assert feed.disposals == 1
    assert len(lists) == 1
    assert lists[0][:3] == [1, 2, 3]


def test_run_when_interrupted_then_all_feeds_of_the_chain_are_stopped(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were merged, and the next one of a concat, which begins when the first one completes."""
    feeds = [Feed(scheduler) for _ in range(3)]
    lists: list[list[int]] = []
    presser = press_ctrl_c(feeds[0].running)
    monkeypatch.setattr("rxstreams.bridge._STOP_TIMEOUT", FOREVER)
    begin = time.monotonic()
    run(
        reactivex.merge(
            reactivex.concat(feeds[0].source(), feeds[2].source()),
            feeds[1].source(),
        ).pipe(ops.to_list()),
        lists.append,
    )
    assert time.monotonic() - begin < BOUND
    presser.join(BOUND)
    assert [feed.stops for feed in feeds] == [1, 1, 1]
    assert len(lists) == 1


def test_run_when_no_source_can_stop_then_ctrl_c_ends_it_at_once(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to wait for; the observer is not told that the source completed, since it did not."""
    monkeypatch.setattr("rxstreams.bridge._STOP_TIMEOUT", FOREVER)
    running = threading.Event()
    events: list[str] = []
    presser = press_ctrl_c(running)
    begin = time.monotonic()
    source = reactivex.interval(0.001, scheduler=scheduler).pipe(ops.do_action(lambda _: running.set()))
    run(source.pipe(ops.do_action(on_completed=lambda: events.append("completed"))))
    assert time.monotonic() - begin < BOUND
    presser.join(BOUND)
    assert events == []


def test_run_when_stopping_takes_long_then_the_feeds_stop_at_the_same_time(scheduler: EventLoopThreadScheduler) -> None:
    """Stream.stop waits until the feed has ended; with several feeds the waits must not add up."""
    barrier = threading.Barrier(3)
    running = threading.Event()
    seen: list[str] = []

    def subscribe(observer: ObserverBase[int], _: SchedulerBase | None = None) -> DisposableBase:
        def stop() -> None:
            barrier.wait(BOUND)  # passes only when all three are being stopped
            seen.append("stopped")
            observer.on_completed()

        return register_stoppable(stop)

    def last(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
        subscription = subscribe(observer)
        running.set()
        return subscription

    presser = press_ctrl_c(running)
    run(reactivex.merge(Observable[int](subscribe), Observable[int](subscribe), Observable[int](last)))
    presser.join(BOUND)
    assert seen == ["stopped"] * 3


def test_run_when_a_stopped_feed_does_not_complete_then_it_is_cut_off(
    scheduler: EventLoopThreadScheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait is bounded, and what happened is said."""
    monkeypatch.setattr("rxstreams.bridge._STOP_TIMEOUT", 0.1)
    feed = Feed(scheduler, completes=False)
    presser = press_ctrl_c(feed.running)
    with caplog.at_level(logging.WARNING, "rxstreams.bridge"):
        run(feed.source())
    presser.join(BOUND)
    assert feed.disposals == 1
    assert "did not complete within 0.1 s" in caplog.text


def test_run_when_interrupted_twice_then_the_second_one_is_raised(scheduler: EventLoopThreadScheduler) -> None:
    """Who presses again does not want to wait for the graceful end."""
    feed = Feed(scheduler, completes=False)
    target = threading.get_ident()

    def again() -> None:
        while not feed.stops:
            time.sleep(0.001)
        signal.pthread_kill(target, signal.SIGINT)

    presser = press_ctrl_c(feed.running, again)
    with pytest.raises(KeyboardInterrupt):
        run(feed.source())
    presser.join(BOUND)
    assert feed.disposals == 1


def test_run_when_the_source_fails_while_it_is_stopped_then_the_error_is_raised(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """An error while what is held is written must not be lost in the goodbye."""
    feed = Feed(scheduler)

    def fail(items: list[int]) -> None:
        raise OSError("disk full")

    presser = press_ctrl_c(feed.running)
    with pytest.raises(ObserverError, match="disk full"):
        run(feed.source().pipe(ops.to_list()), fail)
    presser.join(BOUND)


def test_run_when_the_observer_raises_on_another_thread_then_it_comes_out_here_and_not_there(
    scheduler: EventLoopThreadScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets no further item; the source's thread never sees the exception."""
    seen: list[int] = []

    def observer(item: int) -> None:
        seen.append(item)
        if item == 2:
            raise ZeroDivisionError("two")

    with pytest.raises(ObserverError, match="two") as caught:
        run(reactivex.from_iterable(range(1000), scheduler=scheduler), observer)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    scheduler.dispose()
    assert seen == [0, 1, 2]
    assert caplog.records == []

    feed = Feed(EventLoopThreadScheduler("another"))
    with pytest.raises(ObserverError, match="two"):
        run(feed.source(), observer)
    assert feed.disposals == 1
    feed.scheduler.dispose()
    assert caplog.records == []


def test_run_when_the_observer_exits_the_program_on_another_thread_then_run_exits(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """sys.exit() after a hundred candles means the program, not the feed's thread."""

    def observer(item: int) -> None:
        if item == 2:
            raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        run(Feed(scheduler).source(), observer)
    assert caught.value.code == 7


def test_run_when_called_on_another_thread_then_it_ends_with_the_source(scheduler: EventLoopThreadScheduler) -> None:
    """Ctrl-C does not get there, completion does."""
    items: list[int] = []
    source = reactivex.interval(0.001, scheduler=scheduler).pipe(ops.take(3))
    thread = threading.Thread(target=run, args=(source, items.append))
    thread.start()
    thread.join(BOUND)
    assert items == [0, 1, 2]


_SCRIPT = """
import signal, sys
import reactivex
from reactivex import operators as ops
from rxstreams.bridge import run
from rxstreams.scheduler import scheduler_for

# A shell may have started us with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
{body}
"""


def _interrupt_script(body: str, presses: int = 1) -> tuple[str, str, int, float]:
    """Press Ctrl-C at each "ready" that a script prints; return output, errors, exit code and how long it went on."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _SCRIPT.format(body=textwrap.dedent(body))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        killer = threading.Timer(FOREVER, process.kill)
        killer.start()
        try:
            for _ in range(presses):
                assert process.stdout.readline() == "ready\n", process.communicate()
                process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            out, err = process.communicate()
        finally:
            killer.cancel()
            killer.join()
        return out, err, process.returncode, time.monotonic() - pressed


def test_script_when_interrupted_then_it_goes_on_after_run_without_a_traceback() -> None:
    """What stands after run(...) still happens: reports are written, frames are shown."""
    out, err, code, took = _interrupt_script(
        """
        feed = reactivex.interval(0.001, scheduler=scheduler_for("venue"))
        run(feed, lambda item: print("ready") if item == 5 else None)
        print("after run")
        """
    )
    assert (out, err, code) == ("after run\n", "", 0)
    assert took < BOUND


def test_script_when_it_was_waiting_idly_then_ctrl_c_is_noticed_at_once() -> None:
    """Nothing happens but the signal."""
    out, err, code, took = _interrupt_script(
        """
        def never(_):
            print("ready")
            return reactivex.never()

        run(reactivex.defer(never))
        print("after run")
        """
    )
    assert (out, err, code) == ("after run\n", "", 0)
    assert took < BOUND


def test_script_when_a_feed_refuses_to_stop_then_a_second_ctrl_c_ends_it() -> None:
    """With the traceback that Python shows for it, and the exit code that shells know."""
    _, err, code, took = _interrupt_script(
        """
        from reactivex import Observable
        from rxstreams import bridge
        bridge._STOP_TIMEOUT = 3600

        def subscribe(observer, scheduler=None):
            registration = bridge.register_stoppable(lambda: print("ready"))
            print("ready")
            return registration

        run(Observable(subscribe))
        """,
        presses=2,
    )
    assert "KeyboardInterrupt" in err
    assert code == -signal.SIGINT
    assert took < BOUND
