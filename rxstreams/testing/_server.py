"""The async side of a ``FakeExchange``: its two listening sockets and its tasks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

from rxstreams.testing._clock import Clock
from rxstreams.testing._engine import Engine
from rxstreams.testing._options import Options
from rxstreams.testing._playback import Playback
from rxstreams.testing._rest import RestSession, RestWindow
from rxstreams.testing._rest_wire import RestWire
from rxstreams.testing._wire import Wire, WireHandler, remember_server_names
from rxstreams.testing.faults import AnyFault

_LAST_WORDS = 2.0  # seconds that closing waits for the sockets to go


class Server:
    """Listen, play, and close again.

    Args:
        options: of the exchange.
        faults: the script; a list that tests add to.
    """

    def __init__(self, options: Options, faults: list[AnyFault]) -> None:
        self.options = options
        self.clock = Clock(options.start, options.speed, asyncio.get_running_loop().time)
        self.engine = Engine(
            format=options.format,
            clock=self.clock,
            symbols=options.symbols,
            keep=options.keep,
            faults=faults,
            max_pending_bytes=options.max_pending_bytes,
        )
        self.playback = Playback(
            self.engine,
            options.source,
            paced=options.speed is not None,
            wait_for=options.wait_for,
            absence=options.absence,
            batch=options.batch,
            heartbeat=options.heartbeat,
        )
        self.rest_window = RestWindow(options.rest_limit)
        self.error: BaseException | None = None
        self.port = 0
        self.rest_port = 0
        self._wires: set[Wire] = set()
        self._listener: asyncio.Server | None = None
        self._held_port: socket.socket | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_error)
        if self.options.ssl_context is not None:
            remember_server_names(self.options.ssl_context)
        try:
            self._held_port, self.port = _hold_port(self.options.host)
            await self.listen()
            rest = await loop.create_server(self._new_rest_wire, self.options.host, 0, ssl=self.options.ssl_context)
            self.rest_port = rest.sockets[0].getsockname()[1]
            try:
                ready()
                await self._play()
            finally:
                rest.close()
        finally:
            await self._shut_down()

    async def listen(self) -> None:
        """Accept WebSocket connections."""
        if self._listener is None:
            self._listener = await asyncio.get_running_loop().create_server(
                self._new_wire, self.options.host, self.port, ssl=self.options.ssl_context, reuse_address=True
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Accept no more WebSocket connections: the port answers as if nobody were there. Open ones stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _play(self) -> None:
        pulse = asyncio.create_task(self.playback.pulse())
        pulse.add_done_callback(self._on_pulse_end)
        try:
            await self.playback.run()
            if self.options.at_end == "close":
                for session in self.engine.sessions.copy():
                    session.close(self.options.close_code, "")
            await pulse
        except Exception as error:
            self.error = error
            await asyncio.get_running_loop().create_future()  # keep serving; the error comes out where a test waits
        finally:
            pulse.cancel()

    def _on_pulse_end(self, pulse: asyncio.Task[None]) -> None:
        if not pulse.cancelled() and self.error is None:
            self.error = pulse.exception()

    async def _shut_down(self) -> None:
        self.engine.cancel_timers()
        self.stop_listening()
        if self._held_port is not None:
            self._held_port.close()
        for session in self.engine.sessions:
            session.record.cut_by = session.record.cut_by or "shutdown"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await asyncio.sleep(0.001)  # what was accepted at the last moment becomes a wire
                while self._wires:
                    for wire in self._wires:
                        wire.abort()
                    await asyncio.sleep(0.001)

    def _new_wire(self) -> Wire:
        return Wire(self._wires, self.engine.new_session)

    def _new_rest_wire(self) -> RestWire:
        def new_session(wire: Wire) -> WireHandler:
            assert isinstance(wire, RestWire)
            return RestSession(self.engine, wire, self.options.rest_lag, self.rest_window)

        return RestWire(self._wires, new_session)

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, (OSError, asyncio.CancelledError)):
            return  # a client's socket went away, or its TLS handshake was under way when we closed: our daily bread
        if self.error is None and isinstance(error, BaseException):
            self.error = error
        loop.default_exception_handler(context)


def _hold_port(host: str) -> tuple[socket.socket | None, int]:
    """Bind a port and don't listen: while nobody else does, it refuses connections and nobody can take it."""
    if sys.platform != "linux":
        # Elsewhere a second socket could not be bound to it; then a port is free for a moment while it refuses.
        return None, 0
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, 0))
    except BaseException:
        held.close()
        raise
    return held, held.getsockname()[1]
