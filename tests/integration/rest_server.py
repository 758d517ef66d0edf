"""An HTTP server for tests of REST: each answer is a coroutine, and its connections are counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

from aiohttp import web

SOON = 10.0  # seconds: what has to come has come by then, on a busy machine too

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestServer:
    """Remembers what it was asked, and on which connections; keeps them open as servers do.

    Args:
        handler: answers each request; cancelled when the client hangs up.

    Attributes:
        url: its base.
        paths: of the requests, with their queries, in order.
        clients: the address that each request came from: one for each connection.
        abandoned: requests whose client hung up before the answer was given.
    """

    def __init__(self, handler: Handler) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.clients: list[object] = []
        self.abandoned = 0
        self._handler = handler
        self._server: web.Server | None = None

    @property
    def connections(self) -> int:
        """How many are open now."""
        return 0 if self._server is None else len(self._server.connections)

    def wait_until(self, predicate: Callable[[], object], timeout: float = SOON) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + timeout
        while not predicate():
            assert time.monotonic() < deadline, f"in vain; paths: {self.paths}, open: {self.connections}"
            time.sleep(0.005)

    async def main(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
        await runner.setup()
        self._server = runner.server
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        assert request.transport is not None
        self.clients.append(request.transport.get_extra_info("peername"))
        try:
            return await self._handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.abandoned += 1
            raise


@contextmanager
def serve(handler: Handler) -> Generator[RestServer]:
    """Run a server on a thread of its own."""
    server, ready, stop = RestServer(handler), threading.Event(), asyncio.Event()
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=runner.run, args=(server.main(ready, stop),))
        thread.start()
        try:
            assert ready.wait(SOON)
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(SOON)
            assert not thread.is_alive()
