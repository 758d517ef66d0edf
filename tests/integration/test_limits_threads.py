"""One limiter, many threads, several event loops: nothing is exceeded, lost or held up for ever. In real time."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import random
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import reactivex as rx
from reactivex import Observable
from reactivex.subject import Subject

from rxstreams.errors import QuotaExceeded
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig, cache
from rxstreams.limits._line import Place
from rxstreams.operators._throttle_by_priority import throttle_by_priority
from rxstreams.scheduler import EventLoopThreadScheduler

_T = TypeVar("_T")
S = 1_000_000_000
CRITICAL, HIGH, MEDIUM, LOW = APIPriority


def _limiter(*windows: tuple[int, float], **options: Any) -> APIRateLimiter:
    usual: dict[str, Any] = {"max_calls_per_minute": None, "max_calls_per_hour": None, "unanswered": 0.05}
    return APIRateLimiter(RateLimitConfig(windows=windows, **(usual | options)))


def _in_thread(main: Callable[[], Coroutine[Any, Any, _T]]) -> Future[_T]:
    """Run a coroutine function on a loop and a thread of its own."""
    result: Future[_T] = Future()

    def work() -> None:
        try:
            result.set_result(asyncio.run(main()))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return result


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass within 20 s"
        time.sleep(0.002)


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual, so that they meet in the narrowest places."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


class Server:
    """Counts what reaches it, from whatever thread."""

    def __init__(self) -> None:
        self.counted: list[tuple[int, int]] = []

    def count(self, weight: int) -> None:
        self.counted.append((time.monotonic_ns(), weight))

    def most_within(self, period: float) -> int:
        """Return the largest weight that was counted in any window of that length."""
        most = total = 0
        counted = sorted(self.counted)
        first = 0
        for instant, weight in counted:
            total += weight
            while counted[first][0] <= instant - round(period * S):
                total -= counted[first][1]
                first += 1
            most = max(most, total)
        return most


def test_limiter_when_eight_threads_and_three_loops_use_it_at_once_then_no_window_is_exceeded() -> None:
    """Items through the operator, calls that wait, are refused or are cancelled: all are accounted for."""
    windows = ((30, 0.2), (70, 0.7))
    limiter = _limiter(*windows, ageing=0.5)
    server = Server()
    scheduler = EventLoopThreadScheduler("limits")
    streams: list[Subject[int]] = [Subject() for _ in range(8)]
    arrived: list[int] = []
    completed = threading.Event()

    def priority(item: int) -> APIPriority:
        return APIPriority(item % 4)

    def take(item: int) -> None:
        server.count(1)
        arrived.append(item)

    throttled: list[Observable[int]] = [
        stream.pipe(throttle_by_priority(limiter, priority=priority, scheduler=scheduler)) for stream in streams
    ]
    subscription = rx.merge(*throttled).subscribe(take, on_completed=completed.set)

    def emit(number: int) -> None:
        rng = random.Random(number)
        for item in range(12):
            time.sleep(rng.uniform(0, 0.02))
            streams[number].on_next(number * 100 + item)
            limiter.get_stats()
        streams[number].on_completed()

    async def call(weight: int, rng: random.Random) -> int:
        await asyncio.sleep(rng.uniform(0, 0.02))
        server.count(weight)
        await asyncio.sleep(rng.uniform(0, 0.02))
        return weight

    async def client(seed: int) -> dict[str, int]:
        rng = random.Random(seed)
        outcomes = {"answered": 0, "refused": 0, "cancelled": 0}
        for _ in range(10):
            weight = rng.choice([1, 1, 2, 3])
            waits = rng.random() < 0.8
            calling = limiter.execute(
                call, weight, rng, priority=rng.choice([CRITICAL, HIGH, MEDIUM, LOW]), weight=weight, wait=waits
            )
            try:
                answer = await asyncio.wait_for(calling, rng.choice([None, None, rng.uniform(0.001, 0.1)]))
                assert answer == weight
                outcomes["answered"] += 1
            except QuotaExceeded:
                assert not waits
                outcomes["refused"] += 1
            except TimeoutError:
                outcomes["cancelled"] += 1
        return outcomes

    async def clients(loop_number: int) -> list[dict[str, int]]:
        return await asyncio.gather(*(client(loop_number * 100 + number) for number in range(5)))

    with ThreadPoolExecutor(8) as threads:
        loops = [_in_thread(functools.partial(clients, number)) for number in range(3)]
        list(threads.map(emit, range(8)))
        outcomes = [outcome for loop in loops for outcome in loop.result(40)]
    assert completed.wait(40)
    subscription.dispose()
    scheduler.dispose()
    assert sorted(arrived) == [number * 100 + item for number in range(8) for item in range(12)]
    for kind in {item // 100 * 10 + item % 4 for item in arrived}:
        mine = [item for item in arrived if item // 100 * 10 + item % 4 == kind]
        assert mine == sorted(mine), "those of one stream and one priority go as they came"
    totals = {name: sum(outcome[name] for outcome in outcomes) for name in ("answered", "refused", "cancelled")}
    assert sum(totals.values()) == 150
    assert totals["answered"] > 0
    for limit, period in windows:
        assert server.most_within(period) <= limit
    stats = limiter.get_stats()
    assert (stats.running, stats.waiting) == (0, 0)
    _wait_until(lambda: [window.used for window in limiter.get_stats().windows] == [0, 0])


@pytest.mark.usefixtures("busy_switching")
def test_admission_when_threads_enter_and_leave_at_full_speed_then_every_weight_is_accounted_for() -> None:
    """Never more inside than the limit, and nothing left in the end."""
    limit = 20
    admission = _limiter((limit, 0.001))._admission
    inside: list[int] = []  # appending and popping need no lock, and the sum of what is inside is at least the weight
    most: list[int] = []

    def visit(number: int) -> int:
        rng = random.Random(number)
        admitted = 0
        for _ in range(400):
            place = Place(CRITICAL, rng.randint(1, 5), admission.clock())
            try:
                admission.enter(place)
            except QuotaExceeded:
                continue
            admitted += 1
            inside.extend([number] * place.weight)
            most.append(len(inside))
            for _ in range(place.weight):
                inside.remove(number)
            admission.leave([place])
        return admitted

    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(visit, range(8)))
    assert max(most) <= limit
    assert admission.admitted == sum(admitted)
    assert admission.refused == 8 * 400 - sum(admitted)
    assert admission.running == 0
    _wait_until(lambda: admission.used() == [0])


@pytest.mark.usefixtures("busy_switching")
def test_admission_when_threads_wait_at_full_speed_then_all_are_woken_in_order_and_none_is_forgotten() -> None:
    """Each thread's own calls are woken as they came; a wake-up that is lost would hold them up for ever."""
    admission = _limiter((10, 0.001))._admission
    woken: dict[int, list[Place]] = {number: [] for number in range(8)}
    places: dict[int, list[Place]] = {number: [] for number in range(8)}

    def visit(number: int) -> None:
        def wake(place: Place) -> None:
            woken[number].append(place)
            admission.take(place)
            admission.leave([place])

        for _ in range(200):
            place = Place(HIGH, 1, admission.clock(), wake)
            places[number].append(place)
            admission.post(place)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, range(8)))
    _wait_until(lambda: sum(map(len, woken.values())) == 8 * 200)
    assert woken == places
    assert (admission.running, admission.waiting) == (0, 0)


def test_limiter_when_a_caller_waits_on_an_idle_loop_then_it_is_woken() -> None:
    """Nothing else happens on that loop: without ``call_soon_threadsafe`` it would sleep on."""

    async def main() -> float:
        limiter = _limiter((1, 0.2))
        started = time.monotonic()
        for _ in range(3):
            async with limiter.acquire(priority=HIGH):
                pass
        return time.monotonic() - started

    assert 0.4 <= _in_thread(main).result(20) < 10


def test_limiter_when_a_call_ends_on_one_loop_then_those_who_wait_on_others_go() -> None:
    """The one that frees the place and those that take it are strangers."""
    limiter = _limiter((1, 0.1))
    order: list[str] = []

    async def call(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0.05)

    async def main(name: str, priority: APIPriority) -> None:
        await limiter.execute(call, name, priority=priority, wait=True)

    first = _in_thread(lambda: main("first", LOW))
    _wait_until(lambda: limiter.get_stats().running == 1)
    low = _in_thread(lambda: main("low", LOW))
    _wait_until(lambda: limiter.get_stats().waiting == 1)
    high = _in_thread(lambda: main("high", HIGH))
    for each in (first, low, high):
        each.result(20)
    assert order == ["first", "high", "low"]


# Loops that go away


def test_closed_loop_when_its_callers_were_waiting_then_others_are_not_held_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was closed without cancelling its tasks, the worst that can be done."""
    caplog.set_level(logging.CRITICAL, "asyncio")  # it complains about the tasks
    limiter = _limiter((4, 3600))
    loop = asyncio.new_event_loop()

    async def nothing() -> None: ...

    tasks: list[asyncio.Task[None]] = []

    async def begin() -> None:
        async with limiter.acquire(weight=2):
            pass
        tasks.extend(
            loop.create_task(limiter.execute(nothing, priority=CRITICAL, weight=4, wait=True, cache_key=key))
            for key in (None, "key")
        )
        await asyncio.sleep(0.01)

    loop.run_until_complete(begin())
    assert limiter.get_stats().waiting == 2
    patient = _in_thread(lambda: limiter.execute(nothing, priority=LOW, wait=True))
    _wait_until(lambda: limiter.get_stats().waiting == 3)
    loop.close()
    patient.result(20)
    assert limiter.get_stats().waiting == 0
    tasks.clear()
    gc.collect()


@pytest.mark.parametrize("is_collected", [False, True])
def test_closed_loop_when_a_call_was_running_then_it_ends_for_the_limiter(
    is_collected: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Else its weight would count for ever. It is found by looking, or collected before."""
    caplog.set_level(logging.CRITICAL, "asyncio")
    limiter = _limiter((1, 0.2))
    loop = asyncio.new_event_loop()

    async def forever() -> None:
        await asyncio.Event().wait()

    async def nothing() -> None: ...

    async def begin() -> asyncio.Task[None]:
        task = loop.create_task(limiter.execute(forever))
        await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(begin())
    patient = _in_thread(lambda: limiter.execute(nothing, wait=True))
    _wait_until(lambda: limiter.get_stats().waiting == 1)
    loop.close()
    tasks = [task]
    del task
    if is_collected:
        tasks.clear()
        gc.collect()
        assert limiter.get_stats().running == 0
    patient.result(20)
    tasks.clear()
    gc.collect()


# Shared calls


def test_shared_call_when_callers_are_on_several_loops_then_one_call_answers_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It runs on the loop of whoever came first; the others are woken, and need not look whether it is over."""
    monkeypatch.setattr(cache, "_POLL", 1000.0)
    limiter = _limiter((1, 3600))
    go = threading.Event()
    calls: list[int] = []

    async def call() -> str:
        calls.append(threading.get_ident())
        while not go.is_set():
            await asyncio.sleep(0.002)
        return "answer"

    async def main() -> tuple[str, int]:
        return await limiter.execute(call, cache_key="key"), threading.get_ident()

    first = _in_thread(main)
    _wait_until(lambda: bool(calls))
    others = [_in_thread(main) for _ in range(4)]
    _wait_until(lambda: limiter.get_stats().joined == 4)
    go.set()
    results = [each.result(20) for each in (first, *others)]
    assert {answer for answer, _ in results} == {"answer"}
    assert calls == [results[0][1]]


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_shared_call_when_its_loop_goes_away_then_a_caller_on_another_loop_takes_over(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio.run cancels what is left; a loop that is closed without that says nothing at all."""
    caplog.set_level(logging.CRITICAL, "asyncio")
    limiter = _limiter((10, 3600))
    calls: list[str] = []

    async def call(name: str) -> str:
        calls.append(name)
        if name == "first":
            await asyncio.Event().wait()
        return name

    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[str]:
        task = loop.create_task(limiter.execute(call, "first", cache_key="key"))
        while not calls:
            await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(begin())
    second = _in_thread(lambda: limiter.execute(call, "second", cache_key="key"))
    _wait_until(lambda: limiter.get_stats().joined == 1)
    if how == "cancelled":
        everything = asyncio.all_tasks(loop)
        for each in everything:
            each.cancel()
        loop.run_until_complete(asyncio.wait(everything))
    loop.close()
    assert second.result(20) == "second"
    assert calls == ["first", "second"]
    assert task.cancelled() == (how == "cancelled")
    del task
    gc.collect()


def test_shared_call_when_joined_just_before_it_waits_then_it_is_as_urgent_as_the_joiner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The joiner came from another thread, after the call had read its priority and before it stood in the line."""
    limiter = _limiter((1, 0.3))
    order: list[str] = []

    async def call(name: str) -> None:
        order.append(name)

    async def critical() -> None:
        await limiter.execute(call, "not made", priority=CRITICAL, cache_key="key")

    joiners: list[Future[None]] = []
    queue = limiter._admission.queue

    def queue_late(place: Place, most: int) -> None:
        if place.rank == LOW:
            joiners.append(_in_thread(critical))
            _wait_until(lambda: limiter.get_stats().joined == 1)
        queue(place, most)

    monkeypatch.setattr(limiter._admission, "queue", queue_late)

    async def main() -> None:
        await limiter.execute(call, "filler", priority=HIGH)
        high = asyncio.create_task(limiter.execute(call, "high", priority=HIGH, wait=True))
        await asyncio.sleep(0)
        shared = asyncio.create_task(limiter.execute(call, "shared", priority=LOW, cache_key="key", wait=True))
        await asyncio.gather(high, shared)

    _in_thread(main).result(20)
    joiners[0].result(20)
    assert order == ["filler", "shared", "high"]


def test_freeze_when_one_loop_is_told_429_then_all_loops_pause() -> None:
    """It concerns the whole host."""
    limiter = _limiter((100, 1), initial_backoff_seconds=0.3, backoff_jitter="none")
    frozen = threading.Event()

    class TooManyRequests(Exception):
        status = 429

    async def fail() -> None:
        raise TooManyRequests

    async def nothing() -> None: ...

    async def unlucky() -> None:
        with pytest.raises(TooManyRequests):
            await limiter.execute(fail)
        frozen.set()

    async def other() -> float:
        with pytest.raises(QuotaExceeded):
            await limiter.execute(nothing, priority=CRITICAL)
        started = time.monotonic()
        await limiter.execute(nothing, wait=True)
        return time.monotonic() - started

    _in_thread(unlucky).result(20)
    assert frozen.is_set()
    assert 0 < _in_thread(other).result(20) < 10
    assert limiter.get_stats().frozen_for == 0.0
