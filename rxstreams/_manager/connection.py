"""One connection of a ``WebSocketManager``: the user's hooks send, and read every frame in its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from reactivex import abc
from websockets.exceptions import ConnectionClosed

from rxstreams._manager.venue import decode_frame, to_ticks
from rxstreams.errors import ConnectionLost, MessageError, ObserverError, StreamError
from rxstreams.items import PriceTick
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner

if TYPE_CHECKING:
    from rxstreams._manager.door import Door

logger = logging.getLogger("rxstreams")

# More than one read of the socket can bring, so that only a hook that waits can fill it.
MAX_WAITING = 100_000


class Overflow:
    """Stands where frames were thrown away."""

    def __init__(self) -> None:
        self.frames = 0


class Inbox(abc.ObserverBase[bytes]):
    """Frames that wait for the hook, and how the connection ended. Memory: O(``MAX_WAITING``)."""

    def __init__(self) -> None:
        self.waiting: deque[bytes | Overflow] = deque()
        self.filled = asyncio.Event()
        self.has_ended = False
        self.error: Exception | None = None

    def on_next(self, value: bytes) -> None:
        """Keep a frame, or count it where there is no room."""
        self.filled.set()
        if len(self.waiting) < MAX_WAITING:
            self.waiting.append(value)
            return
        last = self.waiting[-1]
        if not isinstance(last, Overflow):
            last = Overflow()
            self.waiting.append(last)
            logger.warning("_parse_message is too slow: %d frames wait, more are thrown away", MAX_WAITING)
        last.frames += 1

    def on_error(self, error: Exception) -> None:
        """Note what ended the connection; the frames before it come first."""
        self.error = error
        self.on_completed()

    def on_completed(self) -> None:
        """Note the end; the frames before it come first."""
        self.has_ended = True
        self.filled.set()


class HookedConnection(Connection):
    """A connection that sends nothing by itself and hands nothing on before the hooks have seen it."""

    def __init__(
        self, context: ConnectionContext, owner: ConnectionOwner, observer: abc.ObserverBase[bytes], door: Door
    ) -> None:
        self._inbox = Inbox()
        super().__init__(context, owner, self._inbox)
        self._receiver = observer
        self._door = door
        self._asked: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def is_open(self) -> bool:
        """Whether it is open: it can be sent to."""
        return self._transport is not None and self._end is not None and not self._end.done()

    async def run(self) -> None:
        """Live from the look-up to the end, then hand on what still waits, then the end."""
        self._door.connection = self
        parsing = asyncio.get_running_loop().create_task(self._parse_all())
        try:
            await super().run()
            await asyncio.wait([parsing], timeout=self._context.config.connect_timeout)
            if not parsing.done():
                logger.warning("%s: _parse_message does not end; it is cancelled", self._context.venue.name)
        finally:
            parsing.cancel()
            if self._door.connection is self:
                self._door.connection = None
            disposed, self.disposed = self.disposed, True
            if not disposed:
                self._hand_on_end()
            self._settle_all(self._inbox.error)

    def send(self, frames: Iterable[str]) -> None:
        """Send nothing: what a line wants sent is the hooks' business."""

    async def send_raw(self, data: str | bytes) -> None:
        """Send what a user wants sent.

        Raises:
            ConnectionLost: the connection is not open any more.
        """
        assert self._transport is not None  # is_open was asked
        try:
            await self._transport.send(cast("str", data))  # websockets sends bytes as a binary frame
        except ConnectionClosed as error:
            raise ConnectionLost(f"the connection to {self._context.venue.name} is closed: {error}") from error

    async def close(self, code: int) -> None:
        """Say goodbye; what follows is what follows every loss."""
        assert self._transport is not None  # is_open was asked
        await self._transport.close(code)

    async def settle(self) -> None:
        """Have the hooks ask for what has changed; return when they have, or the connection has ended."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.look()
        await waiter

    def look(self) -> None:
        """Have the hooks ask for what has changed."""
        self._changed.set()

    async def _send_queued(self) -> None:
        """Call the hooks that send, one after the other: it takes the place of sending a venue's frames."""
        hook = "_on_connect"
        try:
            await self._door.hooks._on_connect()
            while True:
                wanted, asked = self._door.wanted, self._asked
                old = [symbol for symbol in asked if symbol not in wanted]
                new = [symbol for symbol in wanted if symbol not in asked]
                if old:
                    hook = "_send_unsubscribe"
                    self._asked = {symbol: None for symbol in asked if symbol in wanted}
                    await self._door.hooks._send_unsubscribe(old)
                    # What was on its way then has arrived by then.
                    asyncio.get_running_loop().call_later(self._context.venue.disorder, self._doubt)
                elif new:
                    hook = "_send_subscribe"
                    self._asked = {**asked, **dict.fromkeys(new)}
                    await self._door.hooks._send_subscribe(new)
                    self._door.doubt(asked)
                else:
                    await self._wait_for_changes()
        except BaseException as error:
            _raise_if_cancelled(error)
            self._on_hook_error(hook, error)

    def _doubt(self) -> None:
        if not self.disposed:
            self._door.doubt(self._door.wanted)

    async def _wait_for_changes(self) -> None:
        self._last_sent = asyncio.get_running_loop().time()
        self.check_streaming()
        self._settle_all(None)
        self._changed.clear()
        await self._changed.wait()

    def _settle_all(self, error: Exception | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if isinstance(error, ObserverError):
                waiter.set_exception(error)
            else:
                waiter.set_result(None)  # after a loss: what has changed is remembered for the next connection

    def _on_hook_error(self, hook: str, error: BaseException) -> None:
        # A connection that has ended already keeps its own reason: that nothing can be sent on it is only what follows.
        if isinstance(error, StreamError):
            self.fail(error)
        elif isinstance(error, (OSError, ConnectionClosed)):
            lost = ConnectionLost(f"{self._context.venue.name}: {hook} failed: {error!r}")
            lost.__cause__ = error
            self.fail(lost)
        else:
            wrong = ObserverError(f"{self._context.venue.name}: {hook} raised {error!r}")
            wrong.__cause__ = error
            self.fail(wrong)

    async def _parse_all(self) -> None:
        # One long-lived task awaits one call after the other. A step by hand where the frame arrives would save it for
        # frames that come alone, but a hook that is in no task can't use asyncio.timeout.
        inbox = self._inbox
        while True:
            while inbox.waiting:
                frame = inbox.waiting.popleft()
                parsed = await self._parse(frame)
                if self.disposed:
                    return
                self._hand_on(b"" if isinstance(frame, Overflow) else frame, parsed)
            if inbox.has_ended:
                return
            inbox.filled.clear()
            await inbox.filled.wait()

    async def _parse(self, frame: bytes | Overflow) -> list[PriceTick] | MessageError:
        if isinstance(frame, Overflow):
            return MessageError(f"_parse_message was too slow: {frame.frames:,} frames were thrown away")
        try:
            return to_ticks(await self._door.hooks._parse_message(decode_frame(frame)))
        except MessageError as error:
            return error
        except BaseException as error:
            _raise_if_cancelled(error)
            bad = MessageError(f"_parse_message raised {error!r}", payload=frame)
            bad.__cause__ = error
            return bad

    def _hand_on(self, frame: bytes, parsed: list[PriceTick] | MessageError) -> None:
        self._door.parsed = parsed
        if isinstance(parsed, list):
            self._door.admit(parsed)
        try:
            self._receiver.on_next(frame)
        except Exception as error:
            logger.exception("%s: a bug while handling a frame", self._context.venue.name)
            self.fail(error)

    def _hand_on_end(self) -> None:
        error = self._inbox.error
        if error is None or self._finishing:  # it was asked to end while frames of a lost connection still waited
            self._receiver.on_completed()
        else:
            self._receiver.on_error(error)


def _raise_if_cancelled(error: BaseException) -> None:
    """Raise the error if it is the cancellation of this task, and not one that a hook has come across."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
