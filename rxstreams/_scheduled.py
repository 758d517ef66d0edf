"""What ``EventLoopThreadScheduler`` hands out: actions on their way to the loop's thread, and the means to stop them.

``dispose`` may come from any thread at any moment. It sets a flag, which the loop's thread looks at before it runs the
action; taking a timer out of the loop is posted to that thread and only saves memory. So nothing waits, and nothing
begins after it. Where both sides write one field and read another, each writes first: one of them sees the other.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

from reactivex import typing
from reactivex.abc import DisposableBase, SchedulerBase

from rxstreams._loop_thread import LoopThread


class _Item(DisposableBase):
    __slots__ = ("_dead", "_handle", "_thread")

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._dead = False
        self._handle: asyncio.Handle | None = None

    def dispose(self) -> None:
        """Make sure that the action does not begin any more."""
        if self._dead:
            return
        self._dead = True
        if self._handle is None:
            return
        if self._thread.on_thread:
            self._cancel()
        else:
            self._thread.post(self._cancel)

    def _arm(self, handle: asyncio.Handle) -> None:
        self._handle = handle
        if self._dead:
            self._cancel()

    def _cancel(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()


class SingleAction(_Item):
    """An action that runs once; disposing it also disposes what the action returned."""

    __slots__ = ("_action", "_result", "_scheduler", "_state")

    def __init__(
        self, scheduler: SchedulerBase, thread: LoopThread, action: typing.ScheduledAction[Any], state: Any
    ) -> None:
        super().__init__(thread)
        self._scheduler = scheduler
        self._action = action
        self._state = state
        self._result: DisposableBase | None = None

    def start(self, seconds: float, asked: float) -> None:
        """Arm the timer, on the loop's thread; ``asked`` is the monotonic time at which it was asked for."""
        left = max(0.0, seconds - (time.monotonic() - asked))
        self._arm(self._thread.loop.call_later(left, self.run))

    def run(self) -> None:
        """Run the action, on the loop's thread, unless it or the scheduler was disposed."""
        if self._dead or self._thread.closing:
            return
        self._handle = None
        result = self._action(self._scheduler, self._state)
        if isinstance(result, DisposableBase):
            self._result = result
            if self._dead:
                result.dispose()  # type: ignore[unreachable]  # mypy can't know that others set the flag meanwhile

    def dispose(self) -> None:
        """Make sure that the action does not begin any more, and dispose what it returned."""
        super().dispose()
        result = self._result
        if result is not None:
            result.dispose()


class PeriodicAction(_Item):
    """An action that runs again and again, at whole multiples of its period after the start."""

    __slots__ = ("_action", "_count", "_origin", "_period", "_state")

    def __init__(
        self, thread: LoopThread, action: typing.ScheduledPeriodicAction[Any], state: Any, period: float
    ) -> None:
        super().__init__(thread)
        self._action = action
        self._state = state
        self._period = period
        self._origin = 0.0
        self._count = 0

    def start(self, asked: float) -> None:
        """Arm the first timer, on the loop's thread; ``asked`` is the monotonic time at which it was asked for."""
        self._origin = self._thread.loop.time() - (time.monotonic() - asked)
        self._arm_next()

    def _run(self) -> None:
        if self._dead or self._thread.closing:
            return
        try:
            self._state = self._action(self._state)
        except BaseException:
            self._dead = True
            raise
        self._arm_next()

    def _arm_next(self) -> None:
        loop = self._thread.loop
        if self._period <= 0.0:
            self._arm(loop.call_soon(self._run))
            return
        self._count += 1
        now = loop.time()
        if self._origin + self._count * self._period < now:
            self._count = math.ceil((now - self._origin) / self._period)
        self._arm(loop.call_at(self._origin + self._count * self._period, self._run))
