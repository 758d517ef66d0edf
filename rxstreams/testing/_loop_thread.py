"""An asyncio loop on a daemon thread of its own, whose every wait is bounded."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

_T = TypeVar("_T")
_NOT_RUNNING = "the FakeExchange does not run (any more)"


class LoopThread:
    """Run one coroutine on a thread of its own, and calls from other threads beside it.

    Args:
        name: of the thread.
        main: the coroutine function; it calls its argument when it is ready, and ends soon after it is cancelled.
    """

    def __init__(self, name: str, main: Callable[[Callable[[], None]], Coroutine[object, object, None]]) -> None:
        self._main = main
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether calls can be made."""
        return self._thread.is_alive()

    def start(self, timeout: float) -> None:
        """Start and wait until the coroutine is ready; raises what it raised before that."""
        self._thread.start()
        try:
            self._ready.result(timeout)
        except BaseException:
            self.stop(timeout)
            raise

    def call(self, function: Callable[[], _T], timeout: float) -> _T:
        """Call a function on the loop's thread and return what it returns; at once if this is that thread.

        Raises:
            RuntimeError: the loop does not run.
            TimeoutError: it took longer than ``timeout``.
        """
        if threading.current_thread() is self._thread:
            return function()
        if self._loop is None or not self._thread.is_alive():
            raise RuntimeError(_NOT_RUNNING)
        outcome: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def run() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return outcome.result(timeout)

    def wait(self, function: Callable[[], Coroutine[object, object, _T]], timeout: float) -> _T:
        """Run a coroutine function on the loop and wait for what it returns; never call it on the loop's thread.

        Raises:
            RuntimeError: the loop does not run.
            TimeoutError: it took longer than ``timeout``; it was cancelled.
        """
        if self._loop is None or not self._thread.is_alive():
            raise RuntimeError(_NOT_RUNNING)
        outcome = asyncio.run_coroutine_threadsafe(function(), self._loop)
        try:
            return outcome.result(timeout)
        except TimeoutError:
            outcome.cancel()
            raise

    def stop(self, timeout: float) -> None:
        """Cancel the coroutine and wait for the thread's end.

        Raises:
            TimeoutError: it is still alive after ``timeout`` seconds.
        """
        loop, task = self._loop, self._task
        if loop is not None and task is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it ended in this very moment
                loop.call_soon_threadsafe(task.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"the thread {self._thread.name!r} did not end within {timeout:g} s")

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._supervise())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _supervise(self) -> None:
        self._task = asyncio.current_task()
        await self._main(lambda: self._ready.set_result(None))
