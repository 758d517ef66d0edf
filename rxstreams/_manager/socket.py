"""What ``manager.ws`` is: the present connection, to be used from any event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rxstreams._manager.door import Door
from rxstreams.errors import StreamError
from rxstreams.scheduler import EventLoopThreadScheduler

_T = TypeVar("_T")


async def run_on(scheduler: EventLoopThreadScheduler, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Await a coroutine on a scheduler's loop, from whatever loop, which is not blocked.

    Raises:
        DisposedException: the scheduler was disposed.
    """
    if scheduler.on_thread:
        return await make()
    loop = scheduler.loop
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), loop))


class ManagedSocket:
    """The present connection of a manager, whichever that is."""

    def __init__(self, door: Door, scheduler: EventLoopThreadScheduler) -> None:
        self._door = door
        self._scheduler = scheduler

    async def send(self, data: str | bytes) -> None:
        """Send a text message, or bytes as a binary one; returns when the socket took it. From any event loop.

        Raises:
            StreamError: there is no open connection.
        """
        await run_on(self._scheduler, lambda: self._send(data))

    async def close(self, code: int = 1000) -> None:
        """Say goodbye to the server; the manager connects anew, as after every loss (``stop`` ends it).

        Does nothing where there is no open connection. From any event loop.
        """
        await run_on(self._scheduler, lambda: self._close(code))

    async def _send(self, data: str | bytes) -> None:
        connection = self._door.connection
        if connection is None or not connection.is_open:
            stream = self._door.stream
            raise StreamError(
                f"{stream.venue.name} is not connected (it is {stream.state.value}), so nothing can be sent: "
                "await start() first, and send what every new connection needs in _on_connect()"
            )
        await connection.send_raw(data)

    async def _close(self, code: int) -> None:
        connection = self._door.connection
        if connection is not None and connection.is_open:
            await connection.close(code)
