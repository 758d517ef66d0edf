"""``LoopThread``: one asyncio event loop on one daemon thread, ended within a bound. The engine of the scheduler.

Two rules keep it free of deadlocks: work is handed over and never waited for, and a thread that runs an event loop
never waits for the end of another one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from reactivex.abc import DisposableBase

_log = logging.getLogger("rxstreams.scheduler")

_START_TIMEOUT = 10.0
# Far more than tasks that leave the loop while they are being cancelled; a broken loop would fail every time.
_CLEAN_UP_ATTEMPTS = 100
# Shares of the time given to close(), at whose end each part of the cleaning up gives way to the next.
_SPAWNED_UNTIL = 0.6
_OTHERS_UNTIL = 0.9
_GENERATORS_UNTIL = 0.95


class LoopThread:
    """Start a daemon thread and run an event loop on it until ``close``.

    The thread is a daemon, since one that is not would hang the interpreter's exit for ever.

    Args:
        name: the thread's.
        loop_factory: makes the loop; called on the new thread (on Windows a loop made on the main thread takes over
            the signals).
        report: gets every exception that nothing else handles.

    Attributes:
        loop: the running loop.
        closing: ``close`` was called (or the process forked): nothing is accepted any more.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        name: str,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
        report: Callable[[BaseException], None],
    ) -> None:
        self.closing = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._report = report
        self._lock = threading.RLock()
        self._stopped = False
        self._timeout = 0.0
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._main, args=(loop_factory, ready), name=name, daemon=True)
        self._thread.start()
        self._ident = self._thread.ident
        try:
            ready.result(_START_TIMEOUT)
        except BaseException:
            ready.add_done_callback(self._give_up)
            raise

    @property
    def on_thread(self) -> bool:
        """Whether the caller is on this thread."""
        return threading.get_ident() == self._ident

    def post(self, function: Callable[..., object], *args: object) -> bool:
        """Call a function on the loop's thread, after all that was posted before, from whatever thread.

        Returns:
            Whether it was accepted; then it runs, even if ``close`` is called next.
        """
        # Under the lock nothing that was accepted can come after the stop that close() posts.
        with self._lock:
            if self.closing:
                return False
            if self.on_thread:
                self.loop.call_soon(function, *args)
            else:
                self.loop.call_soon_threadsafe(function, *args)
            return True

    def close(self, timeout: float) -> None:
        """Accept nothing more, and have the thread end its tasks within ``timeout`` seconds; does not wait."""
        with self._lock:
            if self.closing:
                return
            self.closing = True
            self._timeout = timeout
            with suppress(RuntimeError):  # somebody closed the loop behind our back: the thread is ending anyway
                self.loop.call_soon_threadsafe(self._stop)

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, at most ``timeout`` seconds; not at all where that would block a loop."""
        if self.on_thread or _runs_a_loop():
            return
        self._thread.join(timeout)
        if timeout and self._thread.is_alive():
            _log.warning(
                "the thread %r did not end within %g s: something blocks its event loop; it is left behind",
                self._thread.name,
                timeout,
            )

    def abandon(self) -> None:
        """Forget the loop in a forked child, where its thread does not exist; whoever calls keeps a reference.

        The loop is never closed there: child and parent share its epoll object, closing would take the parent's
        self-pipe out of it, and the parent would sleep through every wake-up.
        """
        self._lock = threading.RLock()  # the old one may have been held by a thread that is gone
        self.closing = True
        self._ident = None

    def _main(
        self, loop_factory: Callable[[], asyncio.AbstractEventLoop], ready: Future[asyncio.AbstractEventLoop]
    ) -> None:
        try:
            self.loop = loop = loop_factory()
            loop.set_exception_handler(self._handle_exception)
        except BaseException as error:
            ready.set_exception(error)
            return
        ready.set_result(loop)
        broken = False
        while not (broken or self._stopped or loop.is_closed()):
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                self._report(error)  # out of a callback: it must not end the thread, silently and for good
            except BaseException as error:
                self._report(error)  # out of the loop itself, which would fail again at once
                broken = True
        with self._lock:
            self.closing = True
        if not (broken or loop.is_closed()):
            self._run_clean_up()
        loop.close()

    def _run_clean_up(self) -> None:
        cleaning = self.loop.create_task(self._clean_up(self.loop.time()))
        for _ in range(_CLEAN_UP_ATTEMPTS):
            # Whatever a task does while it is being cancelled (SystemExit, loop.stop()), the others get their turn.
            try:
                self.loop.run_until_complete(cleaning)
            except BaseException as error:
                self._report(error)
            if cleaning.done():
                break

    def _give_up(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        """End the thread that nobody waits for any more, if it starts after all."""
        if ready.exception() is None:
            self.close(0.0)

    def _stop(self) -> None:
        self._stopped = True
        self.loop.stop()

    async def _clean_up(self, started: float) -> None:
        """Cancel the tasks and let them finish, then end the asynchronous generators."""
        loop = self.loop

        def until(share: float) -> float:
            return started + share * self._timeout - loop.time()

        # First those that were spawned: what they themselves started (a farewell to the server, shielded) is theirs
        # to await. One that is being cancelled already must not be hit again in the middle of its farewell.
        spawned = set(self.tasks)
        for task in spawned:
            if not task.cancelling():
                task.cancel()
        await _wait(spawned, until(_SPAWNED_UNTIL))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await _wait(others, until(_OTHERS_UNTIL))
        for task in others:
            if not task.done():
                _log.warning("%r does not end although it was cancelled; it is left behind", task)
        with suppress(TimeoutError):
            await asyncio.wait_for(loop.shutdown_asyncgens(), max(0.0, until(_GENERATORS_UNTIL)))

    def _handle_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._report(error)
        else:
            loop.default_exception_handler(context)


class SpawnedTask(DisposableBase):
    """A coroutine that is run as a task of a loop's thread; ``dispose`` cancels it, once, and never waits.

    A coroutine that was disposed before its turn is never made.
    """

    def __init__(
        self,
        thread: LoopThread,
        coro_fn: Callable[[], Coroutine[Any, Any, None]],
        report: Callable[[BaseException], None],
    ) -> None:
        self._thread = thread
        self._coro_fn = coro_fn
        self._report = report
        self._dead = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make the coroutine and its task; called on the loop's thread."""
        if self._dead:
            return
        # The loop itself keeps only a weak reference to a task, which may vanish in the middle of its work.
        self._task = self._thread.loop.create_task(self._coro_fn())
        self._thread.tasks.add(self._task)
        self._task.add_done_callback(self._finish)

    def dispose(self) -> None:
        """Cancel the task; on the loop's thread at once, elsewhere by a message to it."""
        self._dead = True
        if self._thread.on_thread:
            self._cancel()
        else:
            # Refused when the thread is ending, which cancels all its tasks.
            self._thread.post(self._cancel)

    def _cancel(self) -> None:
        # Once only: a second cancellation would hit the task in the middle of its farewell.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._thread.tasks.discard(task)
        self._task = None
        error = None if task.cancelled() else task.exception()
        # SystemExit and KeyboardInterrupt also leave the loop, where the thread reports them.
        if isinstance(error, Exception):
            self._report(error)


async def _wait(tasks: Iterable[asyncio.Task[Any]], timeout: float) -> None:
    pending = [task for task in tasks if not task.done()]
    if pending:
        await asyncio.wait(pending, timeout=max(0.0, timeout))


def _runs_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
