"""What ``to_async_iterable`` is made of: a bounded queue between the source's threads and the consumer's loop."""

from __future__ import annotations

import asyncio
import enum
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, Literal, TypeAlias, TypeVar

from reactivex.abc import ObservableBase, ObserverBase
from reactivex.disposable import SingleAssignmentDisposable

from rxstreams._subscribing import subscribe_held, to_exception
from rxstreams.errors import BufferOverflow, ObserverError

_T = TypeVar("_T")

Overflow: TypeAlias = Literal["drop_oldest", "latest", "error"]

_log = logging.getLogger("rxstreams.bridge")

# Items in a row after which the loop gets a turn: where they come faster than they are consumed, the consumer never has
# to wait, and neither its own cancellation nor anybody else on the loop would be served.
_TURN = 128


class AsyncItems(AsyncIterator[_T]):
    """The items of an Observable, for ``async for``; made by ``to_async_iterable``."""

    def __init__(self, source: ObservableBase[_T], queue: ItemQueue[_T]) -> None:
        self._queue = queue
        self._items = _iterate(source, queue)

    @property
    def dropped(self) -> int:
        """Items thrown away so far, because the body of the loop was too slow."""
        return self._queue.dropped

    def __anext__(self) -> Awaitable[_T]:
        return self._items.__anext__()

    async def aclose(self) -> None:
        """Dispose the subscription and end the iteration."""
        await self._items.aclose()


async def _iterate(source: ObservableBase[_T], queue: ItemQueue[_T]) -> AsyncGenerator[_T, None]:
    try:
        queue.open(source)
        in_a_row = 0
        while (item := queue.take()) is not _Nothing.EVER:
            if item is _Nothing.YET:
                await queue.wait()
                in_a_row = 0
                continue
            yield item
            in_a_row += 1
            if in_a_row == _TURN:
                await asyncio.sleep(0)
                in_a_row = 0
    finally:
        queue.close()
    if queue.error is not None:
        raise queue.error


class _Nothing(enum.Enum):
    """Why there is no item."""

    YET = enum.auto()
    EVER = enum.auto()


class ItemQueue(ObserverBase[_T], Generic[_T]):
    """The queue: an observer on whatever thread the source emits, read on one event loop.

    Args:
        maxsize: items that may wait.
        overflow: what becomes of them when another one comes.
        on_drop: called with every item that is thrown away, on the source's thread; None: the first is logged.
    """

    def __init__(self, maxsize: int, overflow: Overflow, on_drop: Callable[[_T], object] | None) -> None:
        self.dropped = 0
        self.error: Exception | None = None
        self._maxsize = 1 if overflow == "latest" else maxsize
        self._fails = overflow == "error"
        self._on_drop = on_drop
        self._items: deque[_T] = deque()
        # Reentrant: a signal's handler may emit at any point of the consumer's own thread.
        self._lock = threading.RLock()
        self._waiting = False
        self._ended = False
        self._subscription = SingleAssignmentDisposable()

    def open(self, source: ObservableBase[_T]) -> None:
        """Subscribe, on the consumer's loop."""
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        subscribe_held(source, self, self._subscription)

    def close(self) -> None:
        """Dispose the subscription and forget what was not taken."""
        with self._lock:
            self._ended = True
            self._items.clear()
        self._subscription.dispose()

    def take(self) -> _T | _Nothing:
        """Return the oldest item. Where there is none yet, whatever comes next ends ``wait``."""
        with self._lock:
            if self._items:
                return self._items.popleft()
            self._waiting = not self._ended
            return _Nothing.EVER if self._ended else _Nothing.YET

    async def wait(self) -> None:
        """Wait until it is worth asking again."""
        await self._event.wait()
        self._event.clear()

    def on_next(self, value: _T) -> None:
        """Queue an item."""
        dropped: list[_T] = []
        with self._lock:
            if self._ended:
                return
            full = len(self._items) >= self._maxsize
            over = full and self._fails
            if over:
                self._end(BufferOverflow(f"{self._maxsize} items were waiting when the next one came"))
            else:
                if full:
                    dropped.append(self._items.popleft())
                    self.dropped += 1
                self._items.append(value)
                over = not self._wake()
        # Disposing and user code stay outside of the lock.
        if over:
            self._subscription.dispose()
        elif dropped:
            self._tell(dropped[0])

    def on_error(self, error: Exception) -> None:
        """End with an error, after what is queued."""
        with self._lock:
            self._end(to_exception(error))

    def on_completed(self) -> None:
        """End, after what is queued."""
        with self._lock:
            self._end(None)

    def _tell(self, item: _T) -> None:
        if self._on_drop is None:
            if self.dropped == 1:
                _log.warning("to_async_iterable: items come faster than they are consumed and are dropped")
            return
        try:
            self._on_drop(item)
        except Exception as error:
            failure = ObserverError(f"on_drop raised {error!r}")
            failure.__cause__ = error
            with self._lock:
                self._end(failure)
            self._subscription.dispose()

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self.error = error
            self._wake()

    def _wake(self) -> bool:
        """Wake the consumer, once for all that comes until it has taken everything; return whether it still lives."""
        if self._waiting:
            self._waiting = False
            try:
                self._loop.call_soon_threadsafe(self._event.set)
            except RuntimeError:  # its loop was closed in the middle of the iteration
                self._ended = True
                self._items.clear()
        return not self._ended
