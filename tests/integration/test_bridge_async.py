"""to_async_iterable: items from other threads for async for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.abc import DisposableBase, ObserverBase, SchedulerBase
from reactivex.disposable import Disposable
from reactivex.subject import Subject

from rxstreams.bridge import to_async_iterable
from rxstreams.errors import BufferOverflow, ObserverError
from rxstreams.scheduler import EventLoopThreadScheduler

_T = TypeVar("_T")

BOUND = 20.0


def run_bounded(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine on a loop of its own; fail when it takes too long."""

    async def bounded() -> _T:
        async with asyncio.timeout(BOUND):
            return await main()

    return asyncio.run(bounded())


async def collect(items: AsyncIterator[_T]) -> list[_T]:
    """Return everything."""
    return [item async for item in items]


async def collect_into(seen: list[_T], items: AsyncIterator[_T]) -> None:
    """Keep what comes, also when the end is an error."""
    async for item in items:
        seen.append(item)  # noqa: PERF401  # a comprehension would keep nothing then


@pytest.fixture
def scheduler() -> Iterator[EventLoopThreadScheduler]:
    """Another thread to emit on."""
    made = EventLoopThreadScheduler("emitting")
    yield made
    made.dispose()


class Switchboard:
    """A source that is emitted on by hand, from any thread, and counts its subscriptions."""

    def __init__(self) -> None:
        self.observers: list[ObserverBase[int]] = []
        self.subscribed = threading.Event()
        self.disposed = threading.Event()

    def source(self) -> Observable[int]:
        def subscribe(observer: ObserverBase[int], scheduler: SchedulerBase | None = None) -> DisposableBase:
            self.observers.append(observer)
            self.subscribed.set()
            return Disposable(self.disposed.set)

        return Observable(subscribe)

    def emit(self, *items: int) -> None:
        for item in items:
            self.observers[0].on_next(item)


def test_iteration_when_items_come_from_another_thread_then_all_arrive_in_order(
    scheduler: EventLoopThreadScheduler,
) -> None:
    """More than the loop takes in one turn, with pauses, to the completion."""
    source = reactivex.merge(
        reactivex.from_iterable(range(1000), scheduler=scheduler),
        reactivex.timer(0.01, scheduler=scheduler).pipe(ops.map(lambda _: 1000)),
        reactivex.timer(0.02, scheduler=scheduler).pipe(ops.map(lambda _: 1001)),
    )

    async def main() -> list[int]:
        return await collect(to_async_iterable(source, maxsize=2000, overflow="error"))

    assert run_bounded(main) == list(range(1002))


def test_iteration_when_the_loop_is_idle_then_an_item_wakes_it_at_once() -> None:
    """Not when the loop happens to wake up for something else: here a timer that comes much later."""
    board = Switchboard()
    order: list[str] = []

    def emit() -> None:
        assert board.subscribed.wait(BOUND)
        threading.Event().wait(0.05)  # by now the loop sleeps until its timer
        board.emit(1)

    async def main() -> None:
        asyncio.get_running_loop().call_later(2 * BOUND, order.append, "timer")
        async for _ in to_async_iterable(board.source()):
            order.append("item")
            break

    thread = threading.Thread(target=emit)
    thread.start()
    run_bounded(main)
    thread.join(BOUND)
    assert order == ["item"]


def test_iteration_when_the_end_comes_to_an_idle_loop_then_it_ends_at_once() -> None:
    """Completion and errors wake it too."""
    for end in ("on_completed", "on_error"):
        board = Switchboard()
        order: list[str] = []

        def finish(board: Switchboard = board, end: str = end) -> None:
            assert board.subscribed.wait(BOUND)
            threading.Event().wait(0.05)
            if end == "on_error":
                board.observers[0].on_error(LookupError("nowhere"))
            else:
                board.observers[0].on_completed()

        async def main(board: Switchboard = board, order: list[str] = order) -> None:
            asyncio.get_running_loop().call_later(2 * BOUND, order.append, "timer")
            with contextlib.suppress(LookupError):
                await collect(to_async_iterable(board.source()))
            order.append("end")

        thread = threading.Thread(target=finish)
        thread.start()
        run_bounded(main)
        thread.join(BOUND)
        assert order == ["end"]
        assert board.disposed.is_set()


def test_iteration_when_a_burst_comes_then_the_loop_is_woken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wake-up costs a system call; a thousand items of one burst need one."""
    board = Switchboard()
    wakeups: list[object] = []

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def counting(*args: Any, **options: Any) -> asyncio.Handle:
            wakeups.append(args)
            return wake(*args, **options)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
        items = to_async_iterable(board.source())
        first = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        thread = threading.Thread(target=board.emit, args=range(1000))
        thread.start()
        thread.join(BOUND)  # the loop is occupied by this, as by any other work
        board.observers[0].on_completed()
        return [await first, *await collect(items)]

    assert run_bounded(main) == list(range(1000))
    assert len(wakeups) == 1


def test_iteration_when_the_source_fails_then_what_came_before_is_delivered_first() -> None:
    """The same error object is raised."""
    error = LookupError("nowhere")

    async def main() -> list[int]:
        seen: list[int] = []
        source = reactivex.concat(reactivex.of(1, 2), reactivex.throw(error))
        with pytest.raises(LookupError) as caught:
            await collect_into(seen, to_async_iterable(source))
        assert caught.value is error
        return seen

    assert run_bounded(main) == [1, 2]


@pytest.mark.parametrize("waiting", [True, False])
def test_iteration_when_the_task_is_cancelled_then_the_subscription_is_disposed(waiting: bool) -> None:
    """Whether it waits for an item or is in the loop's body."""
    board = Switchboard()

    async def consume() -> None:
        async for _ in to_async_iterable(board.source()):
            await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        if not waiting:
            board.emit(1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not board.disposed.is_set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert board.disposed.is_set()

    run_bounded(main)


def test_iteration_when_left_by_break_then_the_subscription_is_disposed() -> None:
    """As soon as nothing refers to the iterator; with aclosing at once."""
    for closing in (False, True):
        board = Switchboard()

        async def main(board: Switchboard = board, closing: bool = closing) -> None:
            async def consume() -> None:
                if closing:
                    async with contextlib.aclosing(to_async_iterable(board.source())) as items:
                        async for _ in items:
                            break
                    assert board.disposed.is_set()
                else:
                    async for _ in to_async_iterable(board.source()):
                        break

            task = asyncio.create_task(consume())
            await asyncio.sleep(0)
            board.emit(1, 2, 3)
            await task
            for _ in range(3):
                await asyncio.sleep(0)
            assert board.disposed.is_set()

        run_bounded(main)


def test_iteration_when_items_never_run_out_then_others_on_the_loop_still_get_their_turn() -> None:
    """Where there is always an item, the consumer never waits; without a turn a cancellation would never come."""
    subject: Subject[int] = Subject()
    consuming = asyncio.Event()

    async def consume() -> None:
        async for item in to_async_iterable(subject):
            assert item < 1_000_000, "nobody else got a turn"
            consuming.set()
            subject.on_next(item + 1)  # the next one is there before it is asked for

    async def main() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        subject.on_next(0)
        await consuming.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert subject.observers == []

    run_bounded(main)


def test_overflow_when_dropping_the_oldest_then_the_newest_arrive_and_the_rest_is_counted() -> None:
    """In order; on_drop gets each item that was thrown away."""
    dropped: list[int] = []

    async def main() -> tuple[list[int], int]:
        items = to_async_iterable(reactivex.of(*range(10)), maxsize=3, on_drop=dropped.append)
        return await collect(items), items.dropped

    assert run_bounded(main) == ([7, 8, 9], 7)
    assert dropped == list(range(7))


def test_overflow_when_only_the_latest_counts_then_one_item_waits() -> None:
    """Whatever maxsize says."""

    async def main() -> tuple[list[int], int]:
        items = to_async_iterable(reactivex.of(*range(10)), maxsize=3, overflow="latest")
        return await collect(items), items.dropped

    assert run_bounded(main) == ([9], 9)


def test_overflow_when_it_is_an_error_then_the_waiting_items_come_first_and_the_source_is_disposed() -> None:
    """Even an endless source that emits inside subscribe ends by it."""
    disposed: list[str] = []
    source = reactivex.from_iterable(itertools.count()).pipe(ops.finally_action(lambda: disposed.append("disposed")))

    async def main() -> list[int]:
        seen: list[int] = []
        items = to_async_iterable(source, maxsize=3, overflow="error")
        with pytest.raises(BufferOverflow, match="3 items were waiting"):
            await collect_into(seen, items)
        assert items.dropped == 0
        return seen

    assert run_bounded(main) == [0, 1, 2]
    assert disposed == ["disposed"]


def test_overflow_when_nothing_is_asked_for_then_the_first_drop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once, and not silently."""

    async def main() -> list[int]:
        return await collect(to_async_iterable(reactivex.of(*range(10)), maxsize=3))

    with caplog.at_level(logging.WARNING, "rxstreams.bridge"):
        assert run_bounded(main) == [7, 8, 9]
    assert len([record for record in caplog.records if record.name == "rxstreams.bridge"]) == 1


def test_overflow_when_on_drop_raises_then_the_iteration_fails_with_the_cause() -> None:
    """The source's thread does not get to see it."""
    error = ZeroDivisionError("zero")

    def fail(_: int) -> None:
        raise error

    async def main() -> None:
        board = Switchboard()
        items = to_async_iterable(board.source(), maxsize=1, on_drop=fail)
        first = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0)
        board.emit(1)
        assert await first == 1
        board.emit(2, 3, 4)
        assert await anext(items) == 3
        with pytest.raises(ObserverError, match="on_drop raised") as caught:
            await anext(items)
        assert caught.value.__cause__ is error
        assert board.disposed.is_set()

    run_bounded(main)


def test_iterator_when_made_twice_or_not_used_then_each_iteration_subscribes_for_itself() -> None:
    """Nothing is subscribed before the first item is asked for."""
    board = Switchboard()
    source = board.source()
    to_async_iterable(source)
    assert board.observers == []

    async def main() -> None:
        iterators = [to_async_iterable(source) for _ in range(2)]
        tasks = [asyncio.ensure_future(anext(each)) for each in iterators]
        await asyncio.sleep(0)
        assert len(board.observers) == 2
        for number, observer in enumerate(board.observers):
            observer.on_next(number)
        assert await asyncio.gather(*tasks) == [0, 1]
        for each in iterators:
            await each.aclose()

    run_bounded(main)


def test_items_when_emitted_after_the_end_then_nothing_happens() -> None:
    """A producer on another thread may be a moment behind."""
    board = Switchboard()

    async def main() -> None:
        items = to_async_iterable(board.source())
        first = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0)
        board.emit(1)
        assert await first == 1
        await items.aclose()
        board.emit(2)
        board.observers[0].on_completed()
        with pytest.raises(StopAsyncIteration):
            await anext(items)

    run_bounded(main)


def test_items_when_the_consumers_loop_was_closed_then_the_producer_is_not_hurt() -> None:
    """The next item disposes the subscription instead of raising in the source's thread."""
    board = Switchboard()
    loop = asyncio.new_event_loop()
    items = to_async_iterable(board.source())

    async def wait() -> int:
        return await anext(items)

    task = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    board.emit(1)
    assert board.disposed.is_set()
    # What was left hanging is cleared away, or it would be reported as never finished.
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # asyncio's own
    with contextlib.suppress(BaseException):
        task.get_coro().close()  # pyright: ignore[reportOptionalMemberAccess]  # it has one


def test_iteration_when_run_in_a_cell_on_the_loop_that_also_emits_then_it_works() -> None:
    """A Subject that is fed by another task of the same loop, as in a notebook."""
    subject: Subject[int] = Subject()

    async def feed() -> None:
        for number in range(3):
            await asyncio.sleep(0)
            subject.on_next(number)
        subject.on_completed()

    async def cell() -> list[int]:
        reader = asyncio.create_task(collect(to_async_iterable(subject)))
        await feed()
        return await reader

    assert run_bounded(cell) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"maxsize": 0}, ValueError, "maxsize must be at least 1, got 0"),
        ({"maxsize": 1.5}, TypeError, r"maxsize must be an integer, got 1\.5"),
        ({"maxsize": True}, TypeError, "maxsize must be an integer, got True"),
        ({"overflow": "block"}, ValueError, "overflow must be one of 'drop_oldest', 'latest', 'error', got 'block'"),
        ({"on_drop": 5}, TypeError, "on_drop must be a function or None, got 5"),
        ({"source": 5}, TypeError, r"to_async_iterable\(\) takes an Observable, got 5"),
    ],
)
def test_options_when_wrong_then_they_are_refused_at_once(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not only when the iteration starts."""
    arguments: dict[str, Any] = {"source": reactivex.never(), **options}
    with pytest.raises(error, match=message):
        to_async_iterable(**arguments)
