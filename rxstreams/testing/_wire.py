"""One accepted TCP connection of a ``FakeExchange``: HTTP and WebSocket by websockets' I/O-free protocol.

Everything is synchronous, so what was sent when can be told exactly; and everything that a well-behaved server would
never do (fall silent, cut, reset) is one method.
"""

from __future__ import annotations

import asyncio
import http
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds: closing sends RST
_CLOSE_TIMEOUT = 1.0
_quiet = logging.getLogger("rxstreams.testing.wire")
_quiet.setLevel(logging.CRITICAL)  # faults are this server's trade: none of them is worth a line in the log


class WireHandler(Protocol):
    """What happens on a ``Wire``; called on the loop's thread."""

    def on_request(self, request: Request) -> None:
        """Answer with ``accept`` or ``respond``, now or later."""
        ...

    def on_message(self, message: bytes) -> None:
        """Take a whole message from the client."""
        ...

    def on_ping(self, answered: bool) -> None:
        """Count a WebSocket ping."""
        ...

    def on_close_frame(self, code: int, reason: str) -> None:
        """Note how the client said goodbye."""
        ...

    def on_lost(self) -> None:
        """Forget the connection: it is gone."""
        ...


def text_frame(message: bytes) -> bytes:
    """Return the WebSocket frame of a text message, to be sent on several connections."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)


class Wire(asyncio.Protocol):
    """Speak HTTP/1.1 and WebSocket on one connection.

    Args:
        wires: where it stands while it is connected.
        new_handler: makes what handles it, once it is connected.

    Attributes:
        muted: send nothing any more, whatever happens, and answer nothing.
    """

    transport: asyncio.Transport

    def __init__(self, wires: set[Wire], new_handler: Callable[[Wire], WireHandler]) -> None:
        self.muted = False
        self._wires = wires
        self._new_handler = new_handler
        self._handler: WireHandler
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=None, logger=_quiet)
        self._request: Request | None = None
        self._parts: list[bytes] = []
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._scheduled = False
        self._closing = False
        self._drained: asyncio.Future[None] | None = None
        self._cut: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and not self._closing

    @property
    def pending_bytes(self) -> int:
        """What was sent and has not left this process."""
        return self.transport.get_write_buffer_size() + self._outgoing_bytes

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for in its TLS handshake; None: no TLS, or no name."""
        tls = self.transport.get_extra_info("ssl_object")
        return cast("str | None", getattr(tls, "requested_name", None))

    def accept(self) -> bool:
        """Answer 101; return False where the request is no proper upgrade (the protocol answers 4xx)."""
        if self._request is None or self._closing or self._protocol.state is not State.CONNECTING:
            return False
        self._protocol.send_response(self._protocol.accept(self._request))
        self._flush_protocol()
        return self.open

    def respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer with a whole HTTP response and close."""
        if self._closing or self._protocol.state is not State.CONNECTING:
            return
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        fields = Headers([("Connection", "close"), ("Content-Length", str(len(body))), *headers.items()])
        self._protocol.send_response(Response(status, phrase, fields, body))
        self._flush_protocol()

    def send(self, frame: bytes) -> bool:
        """Send a serialized frame, unless muted or closed; frames of one round of the loop leave together."""
        if self.muted or not self.open:
            return False
        self._outgoing.append(frame)
        self._outgoing_bytes += len(frame)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        return True

    def mute(self) -> None:
        """Send nothing any more; what was sent before still leaves."""
        self._flush()
        self.muted = True

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the connection is cut if the client does not answer within a second."""
        if not self.open:
            return
        self._protocol.send_close(code, reason)
        self._flush_protocol()
        self._cut = self._loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)

    def drop(self, *, reset: bool) -> None:
        """Cut the connection without a close frame, after what was sent has left."""
        if self._closing:
            return
        self._flush()
        self.muted = True
        self._closing = True
        if reset:
            self._reset_when_flushed(self._loop.time() + _CLOSE_TIMEOUT)
        else:
            self._cut = self._loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)
            self.transport.close()

    def abort(self) -> None:
        """Close the socket at once; what has not left is lost."""
        self._closing = True
        self.transport.abort()

    async def drain(self) -> None:
        """Wait until the client has read most of what was sent, or is gone."""
        if self._drained is not None:
            await self._drained

    def _reset_when_flushed(self, deadline: float) -> None:
        if self.transport.get_write_buffer_size() and self._loop.time() < deadline:
            self._cut = self._loop.call_later(0.001, self._reset_when_flushed, deadline)
            return
        sock = cast("socket.socket | None", self.transport.get_extra_info("socket"))
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _flush(self) -> None:
        self._scheduled = False
        if self._outgoing:
            frames, self._outgoing, self._outgoing_bytes = self._outgoing, [], 0
            if not self.transport.is_closing():
                self.transport.write(b"".join(frames))

    def _flush_protocol(self) -> None:
        """Write what the protocol wants to say (handshake, pong, close) after what was sent before it."""
        said = self._protocol.data_to_send()
        if self.muted:
            return
        self._flush()
        for data in said:
            if self.transport.is_closing():
                return
            if data:
                self.transport.write(data)
            else:
                self._closing = True
                self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast("asyncio.Transport", transport)
        self._wires.add(self)
        self._handler = self._new_handler(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._closing:
            return
        self._protocol.receive_data(data)
        events = self._protocol.events_received()
        self._flush_protocol()
        for event in events:
            if isinstance(event, Request):
                self._request = event
                self._handler.on_request(event)
            elif isinstance(event, Frame):
                self._on_frame(event)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PING:
            self._handler.on_ping(not self.muted)
        elif frame.opcode is Opcode.CLOSE:
            close = self._protocol.close_rcvd
            assert close is not None
            self._handler.on_close_frame(close.code, close.reason)
        elif frame.opcode is not Opcode.PONG:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                if not self.muted:
                    self._handler.on_message(message)

    def eof_received(self) -> None:
        """Called by asyncio, which then closes the transport."""
        self._protocol.receive_eof()
        self._protocol.data_to_send()
        self._closing = True

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        del exc
        self._closing = True
        self._wires.discard(self)
        if self._cut is not None:
            self._cut.cancel()
        self.resume_writing()
        self._handler.on_lost()


def remember_server_names(context: ssl.SSLContext) -> None:
    """Make a server's context note the host name that each client asks for (``Wire.server_name``)."""

    def on_name(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        del context
        tls.requested_name = name  # type: ignore[union-attr]

    context.sni_callback = on_name
