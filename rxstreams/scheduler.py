"""``EventLoopThreadScheduler``: an asyncio event loop on its own daemon thread, as a reactivex scheduler."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from reactivex import typing
from reactivex.abc import DisposableBase
from reactivex.internal import DisposedException
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from rxstreams._loop_thread import LoopThread, SpawnedTask
from rxstreams._process import watch
from rxstreams._scheduled import PeriodicAction, SingleAction
from rxstreams.registry import Registry

_S = TypeVar("_S")

_log = logging.getLogger("rxstreams.scheduler")


class EventLoopThreadScheduler(PeriodicScheduler, DisposableBase):
    """Run actions, timers and coroutines on an asyncio event loop that has a daemon thread of its own.

    The thread starts with the first use. Everything that is scheduled, posted or spawned runs on it, one thing at a
    time, so what lives there needs no locks. Every method may be called from any thread, also from an action.

    What it promises:

    * After ``dispose`` of what ``schedule*`` returned, the action does not begin any more, even where it was queued
      behind a busy one; nothing is waited for. (One that is running at that moment goes on to its end.)
    * An exception ends the action that raised it and nothing else: it is reported, and the loop goes on.
    * Relative and periodic times follow the loop's monotonic clock: a step of the wall clock does not touch them.
    * At the interpreter's exit tasks are cancelled and get a few seconds to clean up; a stuck one can't hold the exit.
    * In a forked child the loop is forgotten: what was scheduled, spawned and subscribed stays with the parent, and
      the child's first use starts a thread of its own.

    A scheduler that was used keeps its thread until ``dispose`` or the interpreter's exit.

    Args:
        name: the thread's name, and in messages; not empty.
        loop_factory: makes the loop, on its thread, for instance ``uvloop.new_event_loop``; None:
            ``asyncio.new_event_loop``.
        on_exception: called with every exception that nothing else handles, usually on the scheduler's thread; None:
            it is logged as an error to the logger ``rxstreams.scheduler``.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: the name is empty.

    Example:
        >>> import reactivex
        >>> scheduler = EventLoopThreadScheduler("example")
        >>> reactivex.timer(0.01, scheduler=scheduler).run()
        0
        >>> scheduler.dispose()
    """

    def __init__(
        self,
        name: str = "rxstreams",
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        on_exception: Callable[[BaseException], None] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise TypeError(f"name must be a string, got {name!r}")
        if not name:
            raise ValueError("name must not be empty")
        for option, value in (("loop_factory", loop_factory), ("on_exception", on_exception)):
            if value is not None and not callable(value):
                raise TypeError(f"{option} must be a function or None, got {value!r}")
        self.name = name
        self._loop_factory = loop_factory or asyncio.new_event_loop
        self._on_exception = on_exception
        self._is_disposed = False
        self._thread: LoopThread | None = None
        # Reentrant: a signal's handler, or the garbage collector, may dispose at any point of this very thread.
        self._lock = threading.RLock()
        watch(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, running; its thread is started when needed.

        Raises:
            DisposedException: the scheduler was disposed.
        """
        return self._living_thread().loop

    @property
    def on_thread(self) -> bool:
        """Whether the caller is on the scheduler's own thread, where it must not block."""
        return self._thread is not None and self._thread.on_thread

    @property
    def is_disposed(self) -> bool:
        """Whether ``dispose`` was called, or somebody stopped and closed the loop: nothing runs any more."""
        return self._is_disposed or (self._thread is not None and self._thread.closing)

    def schedule(self, action: typing.ScheduledAction[_S], state: _S | None = None) -> DisposableBase:
        """Run an action as soon as the thread gets to it, after all that was handed over before.

        Args:
            action: called with the scheduler and the state; what it returns is disposed with what this returns.
            state: for the action.

        Returns:
            What takes it back.

        Raises:
            DisposedException: the scheduler was disposed.
        """
        thread = self._living_thread()
        item = SingleAction(self, thread, action, state)
        self._hand_over(thread, item.run)
        return item

    def schedule_relative(
        self, duetime: typing.RelativeTime, action: typing.ScheduledAction[_S], state: _S | None = None
    ) -> DisposableBase:
        """Run an action after a while, by the monotonic clock.

        Args:
            duetime: seconds or timedelta from now; 0 or less: as soon as possible.
            action: as for ``schedule``; so are the state and what is returned.
            state: for the action.

        Raises:
            DisposedException: the scheduler was disposed.
            ValueError: the time is NaN.
        """
        seconds = _checked_seconds("duetime", self.to_seconds(duetime))
        if seconds <= 0.0:
            return self.schedule(action, state)
        thread = self._living_thread()
        item = SingleAction(self, thread, action, state)
        self._start(thread, item.start, seconds, time.monotonic())
        return item

    def schedule_absolute(
        self, duetime: typing.AbsoluteTime, action: typing.ScheduledAction[_S], state: _S | None = None
    ) -> DisposableBase:
        """Run an action at a time of the wall clock.

        The time left is measured now and then follows the monotonic clock: a later step of the wall clock does not
        move the action.

        Args:
            duetime: an aware datetime, or seconds since the epoch; in the past: as soon as possible.
            action: as for ``schedule``; so are the state and what is returned.
            state: for the action.

        Raises:
            DisposedException: the scheduler was disposed.
            ValueError: a datetime without a time zone, or NaN.
        """
        if isinstance(duetime, datetime) and duetime.utcoffset() is None:
            raise ValueError(f"duetime must know its time zone, got the naive {duetime!r}")
        return self.schedule_relative(self.to_seconds(duetime) - self.now.timestamp(), action, state)

    def schedule_periodic(
        self, period: typing.RelativeTime, action: typing.ScheduledPeriodicAction[_S], state: _S | None = None
    ) -> DisposableBase:
        """Run an action again and again: the n-th time n periods from now, however long each run takes.

        Where a run outlasts its period, the times that it missed are skipped and the next ones stay where they were::

            times   0----1----2----3----4----5----6
            runs    -----[==]-[=========]----[==]-[==]

        Args:
            period: seconds or timedelta; 0 or less: again and again as soon as possible.
            action: called with the state, returns the next one; an exception ends the repetition.
            state: for the first run.

        Returns:
            What ends it.

        Raises:
            DisposedException: the scheduler was disposed.
            ValueError: the period is NaN.
        """
        seconds = _checked_seconds("period", self.to_seconds(period))
        thread = self._living_thread()
        item = PeriodicAction(thread, action, state, seconds)
        self._start(thread, item.start, time.monotonic())
        return item

    def spawn(self, coro_fn: Callable[[], Coroutine[Any, Any, None]]) -> DisposableBase:
        """Run a coroutine as a task on the loop.

        Args:
            coro_fn: makes the coroutine, on the scheduler's thread. An exception of either, other than
                CancelledError, goes to ``on_exception``.

        Returns:
            What cancels the task, once; it does not wait for the task's end. Before the task's turn nothing is made.

        Raises:
            DisposedException: the scheduler was disposed.
        """
        thread = self._living_thread()
        task = SpawnedTask(thread, coro_fn, self._report)
        self._hand_over(thread, task.start)
        return task

    def post(self, fn: Callable[..., object], *args: object) -> bool:
        """Call a function on the scheduler's thread, in the order of the calls; never waits.

        Returns:
            Whether it was accepted, which means that it is called even if ``dispose`` comes next (unless the loop is
            stuck); False, and nothing done: the scheduler was disposed.
        """
        try:
            return self._living_thread().post(fn, *args)
        except DisposedException:
            return False

    def dispose(self, timeout: float = 5.0) -> None:
        """Cancel all tasks, let them clean up, close the loop and end the thread; for good.

        May be called more than once and from anywhere. What was scheduled and has not begun is dropped; scheduling on
        a disposed scheduler raises DisposedException, as with reactivex's EventLoopScheduler, and ``post`` returns
        False.

        Args:
            timeout: seconds that the tasks get to clean up, and that the caller waits at most for the thread's end. A
                caller whose thread runs an event loop (this one, another scheduler's, a notebook's) does not wait at
                all. A thread that is stuck is logged and left behind; being a daemon it can't hold the exit.

        Raises:
            ValueError: the timeout is negative or NaN.
        """
        if not timeout >= 0.0:
            raise ValueError(f"timeout must be 0 or more seconds, got {timeout!r}")
        thread = self._close(timeout)
        if thread is not None:
            thread.join(timeout)

    def __repr__(self) -> str:
        condition = "disposed" if self.is_disposed else "running" if self._thread else "not started"
        return f"EventLoopThreadScheduler({self.name!r}, {condition})"

    def _living_thread(self) -> LoopThread:
        thread = self._thread
        if thread is not None and not thread.closing:
            return thread
        with self._lock:
            if self._thread is None and not self._is_disposed:
                self._thread = LoopThread(self.name, self._loop_factory, self._report)
            thread = self._thread
            if thread is not None and not self._is_disposed:
                return thread
            if thread is not None:
                thread.close(0.0)  # a signal's handler may have disposed the scheduler while its thread was starting
        raise self._disposed_error()

    def _hand_over(self, thread: LoopThread, function: Callable[..., object], *args: object) -> None:
        if not thread.post(function, *args):
            raise self._disposed_error()

    def _start(self, thread: LoopThread, start: Callable[..., None], *args: float) -> None:
        """Arm a timer: on the loop's thread at once, elsewhere by a message to it."""
        if thread.on_thread and not thread.closing:
            start(*args)
        else:
            self._hand_over(thread, start, *args)

    def _disposed_error(self) -> DisposedException:
        return DisposedException(f"the scheduler {self.name!r} was disposed: it runs nothing any more")

    def _close(self, timeout: float) -> LoopThread | None:
        with self._lock:
            self._is_disposed = True
            if self._thread is not None:
                self._thread.close(timeout)
            return self._thread

    def _report(self, error: BaseException) -> None:
        if self._on_exception is not None:
            try:
                self._on_exception(error)
            except BaseException:  # sys.exit() here would end the thread, not the program
                _log.exception("on_exception of the scheduler %r failed; it was given %r", self.name, error)
        else:
            _log.error("uncaught exception on the thread of the scheduler %r", self.name, exc_info=error)

    def _forget_thread(self) -> LoopThread | None:
        self._lock = threading.RLock()  # the old one may have been held by a thread that does not exist in the child
        thread, self._thread = self._thread, None
        return thread


_named: Registry[EventLoopThreadScheduler] = Registry("scheduler")


def scheduler_for(name: str) -> EventLoopThreadScheduler:
    """Return the scheduler of that name, shared by all who ask; made with the first question.

    A feed asks for its exchange's name, so the feeds of one exchange share a thread. One that was disposed is replaced.

    Args:
        name: not empty.

    Raises:
        TypeError: the name is no string.
        ValueError: the name is empty.

    Example:
        >>> scheduler_for("kraken") is scheduler_for("kraken")
        True
    """
    while True:
        scheduler = _named.get_or_create(name, functools.partial(EventLoopThreadScheduler, name))
        if not scheduler.is_disposed:
            return scheduler
        _named.remove(name, scheduler)


def _checked_seconds(name: str, seconds: float) -> float:
    if math.isnan(seconds):
        raise ValueError(f"{name} must be a number of seconds, got {seconds!r}")
    return seconds
