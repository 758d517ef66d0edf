"""Between Rx and the rest of Python: ``run`` for scripts, ``to_async_iterable`` for asyncio, ``pipe`` for chains."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, get_args

from reactivex.abc import ObservableBase, ObserverBase
from reactivex.scheduler import CurrentThreadScheduler

from rxstreams._async_items import AsyncItems, ItemQueue, Overflow
from rxstreams._pipe import pipe
from rxstreams._session import Receiver, Session
from rxstreams._stopping import Stops, register_stoppable

_T = TypeVar("_T")

_log = logging.getLogger("rxstreams.bridge")

_STOP_TIMEOUT = 5.0


def run(
    observable: ObservableBase[_T],
    observer: ObserverBase[_T] | Receiver[_T] | Callable[[_T], object] | None = None,
    *,
    timeout: float | timedelta | None = None,
) -> None:
    """Subscribe, and block the calling thread until the end: completion, an error or Ctrl-C.

    Ctrl-C ends it gracefully and without a traceback: the feeds behind the chain are asked to stop, so that they
    complete and operators send what they hold (an open candle goes to the sink); after that, or after 5 seconds, the
    subscription is disposed and ``run`` returns. A source that can't stop gracefully is disposed at once, and what
    operators hold is lost. A second Ctrl-C while it stops is raised as KeyboardInterrupt::

        source    ---1---2---3---
        Ctrl-C                 ^
        observer  ---1---2---3--(what operators hold)|
        run       [            blocks                ] returns

    Ctrl-C reaches Python's main thread only; elsewhere ``run`` waits for completion, error or timeout.

    Args:
        observable: a feed or a chain.
        observer: a sink or another observer, or a function that is called with every item; None: nothing is done with
            them. Called on the source's thread. An exception that it raises ends the subscription.
        timeout: seconds or timedelta after which it stops as with Ctrl-C, then raises TimeoutError; None: no limit.
            (A source that emits inside ``subscribe``, on this thread, can't be interrupted by it.)

    Raises:
        Exception: what came through ``on_error``, after the observer has been told.
        ObserverError: the observer raised; the cause is its exception.
        TimeoutError: the time is over, and the source was stopped.
        RuntimeError: an event loop or an Observable is running on this thread, which would be blocked.
        TypeError, ValueError: an argument is wrong.

    Example:
        >>> import reactivex
        >>> run(reactivex.of(1, 2, 3), print)
        1
        2
        3
    """
    if not isinstance(observable, ObservableBase):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
        raise TypeError(f"run() takes an Observable, got {observable!r}")
    session = Session(observer)
    limit = _to_seconds("timeout", timeout)
    _refuse_to_block()
    stops = Stops()
    timed_out = False
    try:
        try:
            begin = time.monotonic()
            contextvars.copy_context().run(_subscribe, session, observable, stops)
            timed_out = not session.wait(None if limit is None else begin + limit)
        except KeyboardInterrupt:
            _log.info("interrupted; stopping")
        if not session.ended and stops.stop() and not session.wait(time.monotonic() + _STOP_TIMEOUT):
            _log.warning("the source did not complete within %g s of being stopped; it is cut off", _STOP_TIMEOUT)
    finally:
        stops.close()
        session.close()
    if session.error is not None:
        raise session.error
    if timed_out:
        raise TimeoutError(f"run() reached its timeout of {limit:g} s and stopped the source")


def _subscribe(session: Session[_T], observable: ObservableBase[_T], stops: Stops) -> None:
    stops.make_current()
    session.subscribe_to(observable)


def _refuse_to_block() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "run() would block the event loop that is running on this thread (a notebook's, perhaps); write "
            "observable.subscribe(observer), or async for item in to_async_iterable(observable)"
        )
    if not CurrentThreadScheduler.singleton().schedule_required():
        raise RuntimeError(
            "run() was called inside a subscription on the same thread, which would wait for itself; "
            "use an operator such as flat_map"
        )


def _to_seconds(name: str, value: float | timedelta | None) -> float | None:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
        raise TypeError(f"{name} must be seconds, a timedelta or None, got {value!r}")
    if not seconds > 0.0:
        raise ValueError(f"{name} must be more than 0 seconds, got {value!r}")
    return seconds


def to_async_iterable(
    source: ObservableBase[_T],
    *,
    maxsize: int = 1024,
    overflow: Overflow = "drop_oldest",
    on_drop: Callable[[_T], object] | None = None,
) -> AsyncItems[_T]:
    """Iterate over an Observable with ``async for``, on whatever threads it emits.

    It is subscribed to when the iteration starts, and disposed when it ends: with the source, with an exception in the
    task, with its cancellation, and after a ``break`` as soon as nothing refers to the iterator any more (at once with
    ``contextlib.aclosing``). An idle loop is woken at once, one time for all that comes until it has caught up::

        source    ---1-2-3-----------4---|
        the body  ---[ 1 ][ 2 ][ 3 ]-[4]-  ends

    Args:
        source: a feed or a chain.
        maxsize: items that may wait while the loop's body is busy.
        overflow: what happens when there is no room for an item. "drop_oldest": the longest waiting one is thrown
            away. "latest": only the newest ever waits, whatever ``maxsize``. "error": the iteration fails after the
            items that wait. (A source that emits all it has inside ``subscribe`` gives the body no turn meanwhile.)
        on_drop: called with every item that is thrown away, on the source's thread; what it raises ends the iteration
            as ObserverError. None: the first one is logged.

    Returns:
        An asynchronous iterator with ``aclose()`` and ``dropped``, the number of items thrown away. It raises what
        comes through ``on_error``, or BufferOverflow, after the items that came before.

    Raises:
        TypeError, ValueError: an argument is wrong.

    Memory: O(maxsize).

    Example:
        >>> import asyncio
        >>> import reactivex
        >>> async def main():
        ...     return [item async for item in to_async_iterable(reactivex.of(1, 2, 3))]
        >>> asyncio.run(main())
        [1, 2, 3]
    """
    if not isinstance(source, ObservableBase):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
        raise TypeError(f"to_async_iterable() takes an Observable, got {source!r}")
    if isinstance(maxsize, bool) or not isinstance(maxsize, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
        raise TypeError(f"maxsize must be an integer, got {maxsize!r}")
    if maxsize < 1:
        raise ValueError(f"maxsize must be at least 1, got {maxsize!r}")
    if overflow not in get_args(Overflow):
        raise ValueError(f"overflow must be one of {', '.join(map(repr, get_args(Overflow)))}, got {overflow!r}")
    if on_drop is not None and not callable(on_drop):
        raise TypeError(f"on_drop must be a function or None, got {on_drop!r}")
    return AsyncItems(source, ItemQueue(maxsize, overflow, on_drop))


__all__ = ["AsyncItems", "pipe", "register_stoppable", "run", "to_async_iterable"]
