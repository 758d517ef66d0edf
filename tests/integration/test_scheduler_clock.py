"""EventLoopThreadScheduler and time: the loop's monotonic clock for what is relative, the wall clock for what is not.

Most of these run on a loop whose time jumps to the next timer instead of waiting for it.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from reactivex.abc import DisposableBase, SchedulerBase

from rxstreams.scheduler import EventLoopThreadScheduler

BOUND = 20.0
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop that passes idle time by putting its clock forward."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        loop = self

        class JumpingSelector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                if timeout is None or timeout <= 0:
                    return super().select(timeout)
                ready = super().select(0)
                if not ready:
                    loop.elapsed += timeout
                return ready

        super().__init__(JumpingSelector())

    def time(self) -> float:
        return self.elapsed


class Clocks:
    """A scheduler on a jumping loop, and a wall clock that stands still until it is set."""

    def __init__(self) -> None:
        self.wall = NOON
        self.errors: list[BaseException] = []
        self.scheduler = EventLoopThreadScheduler("jumping", loop_factory=JumpingLoop, on_exception=self.errors.append)

    def on_thread(self, function: Callable[[], Any]) -> Any:
        """Call a function on the scheduler's thread, where the loop's time can't pass meanwhile."""
        results: list[Any] = []
        done = threading.Event()

        def call() -> None:
            results.append(function())
            done.set()

        assert self.scheduler.post(call)
        assert done.wait(BOUND)
        return results[0]

    def pass_time(self, seconds: float) -> None:
        """Let the loop's clock go on as if something had occupied the thread."""
        loop = self.scheduler.loop
        assert isinstance(loop, JumpingLoop)
        loop.elapsed += seconds

    def time(self) -> float:
        return self.scheduler.loop.time()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clocks]:
    """The two clocks, apart."""
    made = Clocks()
    monkeypatch.setattr("reactivex.scheduler.scheduler.default_now", lambda: made.wall)
    yield made
    made.scheduler.dispose()
    assert made.errors == []


def _note_time(clocks: Clocks, times: list[float], done: threading.Event) -> Callable[[SchedulerBase, object], None]:
    def action(_: SchedulerBase, __: object) -> None:
        times.append(clocks.time())
        done.set()

    return action


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)])
@pytest.mark.parametrize("duetime", [50.0, timedelta(seconds=50)])
def test_relative_when_the_wall_clock_steps_then_the_delay_is_as_asked(
    clocks: Clocks, step: timedelta, duetime: float | timedelta
) -> None:
    """Fifty seconds are fifty seconds."""
    times: list[float] = []
    done = threading.Event()

    def arm() -> None:
        clocks.scheduler.schedule_relative(duetime, _note_time(clocks, times, done))
        clocks.wall += step

    clocks.on_thread(arm)
    assert done.wait(BOUND)
    assert times == [pytest.approx(50.0, abs=0.1)]


@pytest.mark.parametrize("as_seconds", [False, True])
@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)])
def test_absolute_when_scheduled_then_the_time_left_is_measured_once(
    clocks: Clocks, as_seconds: bool, step: timedelta
) -> None:
    """The wall clock says how long it is until then; a later step of it moves nothing."""
    times: list[float] = []
    done = threading.Event()
    duetime = NOON + timedelta(seconds=50)

    def arm() -> None:
        clocks.scheduler.schedule_absolute(
            duetime.timestamp() if as_seconds else duetime, _note_time(clocks, times, done)
        )
        clocks.wall += step

    clocks.on_thread(arm)
    assert done.wait(BOUND)
    assert times == [pytest.approx(50.0, abs=0.1)]


def test_absolute_when_the_time_is_past_then_the_action_runs_at_once(clocks: Clocks) -> None:
    """As everywhere in reactivex."""
    times: list[float] = []
    done = threading.Event()
    clocks.on_thread(
        lambda: clocks.scheduler.schedule_absolute(NOON - timedelta(days=1), _note_time(clocks, times, done))
    )
    assert done.wait(BOUND)
    assert times == [0.0]


def test_absolute_when_the_datetime_is_naive_then_it_is_refused(clocks: Clocks) -> None:
    """Its zone would be a guess."""
    with pytest.raises(ValueError, match="duetime must know its time zone"):
        clocks.scheduler.schedule_absolute(datetime(2025, 3, 1), lambda _, __: None)


@pytest.mark.parametrize("kind", ["relative", "periodic"])
def test_dispose_when_the_timer_is_due_already_and_another_thread_disposes_it_then_it_does_not_run(
    clocks: Clocks, kind: str
) -> None:
    """The loop has taken both out; the message that would cancel the second comes too late, the flag does not."""
    occupied, release = threading.Event(), threading.Event()
    seen: list[str] = []
    second: list[DisposableBase] = []

    def occupy(_: SchedulerBase, __: object) -> None:
        occupied.set()
        release.wait(BOUND)

    def arm() -> None:
        clocks.scheduler.schedule_relative(0.9, occupy)
        if kind == "relative":
            second.append(clocks.scheduler.schedule_relative(1.0, lambda _, __: seen.append("ran")))
        else:
            second.append(clocks.scheduler.schedule_periodic(1.0, lambda _: seen.append("ran")))
        clocks.pass_time(2.0)

    clocks.scheduler.post(arm)
    assert occupied.wait(BOUND)
    second[0].dispose()
    release.set()
    clocks.on_thread(lambda: None)
    clocks.on_thread(lambda: None)
    assert seen == []


def test_now_when_asked_then_it_is_the_wall_clock(clocks: Clocks) -> None:
    """reactivex's contract: absolute times are ordinary datetimes."""
    assert clocks.scheduler.now == NOON


def _run_periodic(clocks: Clocks, period: float | timedelta, count: int, each: Callable[[int], None]) -> list[float]:
    """Return the loop's times of the first ``count`` runs of a periodic action that calls ``each`` in every run."""
    times: list[float] = []
    done = threading.Event()
    item: list[DisposableBase] = []

    def action(number: int | None) -> int:
        assert number is not None
        times.append(clocks.time())
        if len(times) == count:
            item[0].dispose()
            done.set()
        each(number)
        return number + 1

    clocks.on_thread(lambda: item.append(clocks.scheduler.schedule_periodic(period, action, 1)))
    assert done.wait(BOUND)
    clocks.on_thread(lambda: None)
    return times


@pytest.mark.parametrize("period", [1.0, timedelta(seconds=1)])
def test_periodic_when_each_run_takes_half_a_period_then_it_does_not_drift(
    clocks: Clocks, period: float | timedelta
) -> None:
    """The n-th run is n periods after the start; a chain of relative delays would give 1, 2.5, 4, 5.5."""
    times = _run_periodic(clocks, period, 100, lambda _: clocks.pass_time(0.5))
    assert times == [pytest.approx(float(number), abs=0.1) for number in range(1, 101)]


def test_periodic_when_a_run_outlasts_its_period_then_missed_times_are_skipped_and_the_rest_stays(
    clocks: Clocks,
) -> None:
    """No burst to catch up, and no shift."""
    times = _run_periodic(clocks, 1.0, 5, lambda number: clocks.pass_time(2.5 if number == 2 else 0.0))
    assert times == [pytest.approx(float(number), abs=0.1) for number in (1, 2, 5, 6, 7)]


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
def test_periodic_when_the_wall_clock_steps_then_it_keeps_its_pace(clocks: Clocks, step: timedelta) -> None:
    """reactivex's own correction by the wall clock would stall for an hour, or race."""

    def each(_: int) -> None:
        clocks.wall += step

    assert _run_periodic(clocks, 1.0, 4, each) == [pytest.approx(float(number), abs=0.1) for number in range(1, 5)]


def test_periodic_when_the_period_is_zero_then_others_get_their_turn_between_the_runs(clocks: Clocks) -> None:
    """Again and again as soon as possible, which is not: nothing else."""
    order: list[str] = []
    done = threading.Event()
    item: list[DisposableBase] = []

    def action(number: int | None) -> int:
        assert number is not None
        order.append(f"run {number}")
        clocks.scheduler.post(order.append, f"other {number}")
        if number == 3:
            item[0].dispose()
            clocks.scheduler.post(done.set)
        return number + 1

    clocks.on_thread(lambda: item.append(clocks.scheduler.schedule_periodic(0.0, action, 1)))
    assert done.wait(BOUND)
    assert order == ["run 1", "other 1", "run 2", "other 2", "run 3", "other 3"]


@pytest.mark.parametrize(("busy", "expected"), [(0.0, 200.0), (150.0, 50.0), (500.0, 0.0)])
@pytest.mark.parametrize("kind", ["relative", "periodic"])
def test_delay_when_the_thread_was_busy_meanwhile_then_it_counts_from_the_call(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch, kind: str, busy: float, expected: float
) -> None:
    """A message that lay in the queue for 150 of its 200 seconds waits only for the rest."""
    monotonic = 1000.0
    for module in ("rxstreams.scheduler", "rxstreams._scheduled"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: monotonic))
    times: list[float] = []
    started, release, done = (threading.Event() for _ in range(3))
    item: list[DisposableBase] = []

    def occupy() -> None:
        started.set()
        release.wait(BOUND)

    def periodic(_: object) -> None:
        times.append(clocks.time())
        item[0].dispose()
        done.set()

    clocks.scheduler.post(occupy)
    assert started.wait(BOUND)
    if kind == "relative":
        clocks.scheduler.schedule_relative(200.0, _note_time(clocks, times, done))
    else:
        item.append(clocks.scheduler.schedule_periodic(200.0, periodic))
    monotonic += busy
    release.set()
    assert done.wait(BOUND)
    # Of the periodic times, those that are past are skipped: 500 seconds late, the next is the third, in 100.
    assert times == [100.0 if kind == "periodic" and busy == 500.0 else expected]
