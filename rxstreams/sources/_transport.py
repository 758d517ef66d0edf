"""The seam between a WebSocket library and everything above it, and the default: frames pushed by websockets.

Frames go to ``on_frame`` from where asyncio delivers the bytes: no queue and no task between the socket and the
operators, so a slow observer slows the socket down (TCP) and nothing can pile up.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Protocol

import aiohappyeyeballs
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.uri import WebSocketURI, parse_uri

from rxstreams.config import StreamConfig
from rxstreams.errors import HandshakeTimeout, StreamError
from rxstreams.resolver import Address, Resolver
from rxstreams.sources._classify import classify_handshake
from rxstreams.states import StreamState

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_HAPPY_EYEBALLS_DELAY = 0.25  # RFC 8305 section 8

# The library's own log lines repeat what our errors and events say.
_quiet = logging.getLogger("rxstreams.websockets")
_quiet.setLevel(logging.CRITICAL)


class Transport(Protocol):
    """An open WebSocket connection. Used on its loop's thread only."""

    async def send(self, frame: str) -> None:
        """Send a text frame; returns when the socket took it."""
        ...

    async def ping(self) -> None:
        """Send a ping and wait for its pong."""
        ...

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and wait until the connection is closed, at most ``close_timeout``."""
        ...

    def abort(self) -> None:
        """Cut the connection without a word."""
        ...


class TransportHandler(Protocol):
    """What an open connection calls, on its loop's thread."""

    def on_frame(self, frame: bytes) -> None:
        """Take one whole message."""
        ...

    def on_closed(self, closed: ConnectionClosed) -> None:
        """The connection has ended; nothing is called after it."""
        ...


class _PushedConnection(ClientConnection):
    """websockets' connection, with messages handed on where they arrive instead of queued for ``recv``."""

    handler: TransportHandler

    def __init__(self, protocol: ClientProtocol, **options: object) -> None:
        super().__init__(protocol, **options)  # type: ignore[arg-type]  # passed through as websockets gave them
        self._parts: list[bytes] = []
        self._cut: asyncio.TimerHandle | None = None

    def process_event(self, event: Event) -> None:
        if self.response is None or not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
        elif event.fin and not self._parts:
            self.handler.on_frame(event.data if isinstance(event.data, bytes) else bytes(event.data))
        else:
            self._parts.append(bytes(event.data))
            if event.fin:
                parts, self._parts = self._parts, []
                self.handler.on_frame(b"".join(parts))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A server that says goodbye and keeps TCP open would leave us waiting for ever.
        if self._cut is None and self.close_deadline is not None:
            self._cut = self.loop.call_at(self.close_deadline, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)
        if self.response is not None and self.protocol.handshake_exc is None:
            self.handler.on_closed(self.close_exc)


class _WebsocketsTransport:
    def __init__(self, connection: _PushedConnection) -> None:
        self._connection = connection

    async def send(self, frame: str) -> None:
        await self._connection.send(frame)

    async def ping(self) -> None:
        await (await self._connection.ping())

    async def close(self, code: int = 1000) -> None:
        await self._connection.close(code)

    def abort(self) -> None:
        self._connection.transport.abort()


async def open_transport(
    url: str,
    config: StreamConfig,
    resolver: Resolver,
    handler: TransportHandler,
    on_state: Callable[[StreamState], None],
) -> Transport:
    """Resolve, connect, shake hands and upgrade; each phase has ``connect_timeout`` and its own error.

    The certificate and SNI stay on the URL's host name whatever address it resolves to.

    Raises:
        StreamError: of the class that says what failed.
    """
    uri = parse_uri(url)
    where = f"{uri.host}:{uri.port}"
    connection: _PushedConnection | None = None

    def factory() -> _PushedConnection:
        nonlocal connection
        connection = _new_connection(uri, config, handler)
        return connection

    try:
        if config.proxy is not None:
            on_state(StreamState.RESOLVING)  # the proxy resolves the name
            on_state(StreamState.CONNECTING)
            return await _open_through_proxy(url, config, handler)
        on_state(StreamState.RESOLVING)
        addresses = await resolver.resolve(uri.host, uri.port)
        on_state(StreamState.CONNECTING)
        sock = await _open_socket(addresses, uri, config, resolver, where)
        await _start_protocol(sock, uri, config, factory, where)
        assert connection is not None  # made by _start_protocol
        async with _phase(config.connect_timeout, f"the WebSocket upgrade at {where}"):
            await connection.handshake(_pairs(config))
    except BaseException as error:
        if connection is not None and hasattr(connection, "transport"):
            connection.transport.abort()
        if isinstance(error, Exception):
            classified = classify_handshake(error, where)
            if classified is not error:
                raise classified from error
        raise
    if connection.state is State.OPEN:  # the server may have closed in the packet of its answer
        connection.start_keepalive()
    return _WebsocketsTransport(connection)


@asynccontextmanager
async def _phase(seconds: float, what: str) -> AsyncGenerator[None]:
    """Bound a phase of connecting and name it when it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise HandshakeTimeout(f"{what} took longer than {seconds:g} s") from error


async def _open_socket(
    addresses: list[Address], uri: WebSocketURI, config: StreamConfig, resolver: Resolver, where: str
) -> socket.socket:
    """Connect to the first address that answers; those that were tried before it are tried last next time."""
    infos = [address.addr_info for address in addresses]
    try:
        async with _phase(config.connect_timeout, f"the TCP connection to {where}"):
            sock = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]  # bare tuples
                infos,
                happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY if len(infos) > 1 else None,
                interleave=0,  # the resolver has put them in order, refused ones last
            )
    except (OSError, StreamError):
        resolver.demote(uri.host, uri.port, addresses[0])
        raise
    try:
        peer = sock.getpeername()[0]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:  # the server has hung up already
        sock.close()
        raise
    for address in addresses:
        if address.addr_info[4][0] == peer:
            break
        resolver.demote(uri.host, uri.port, address)
    return sock


@lru_cache(maxsize=1)
def _default_context() -> ssl.SSLContext:
    """Return Python's default, made once: reading all its certificates blocks the loop for tens of milliseconds."""
    return ssl.create_default_context()


async def _start_protocol(
    sock: socket.socket,
    uri: WebSocketURI,
    config: StreamConfig,
    factory: Callable[[], _PushedConnection],
    where: str,
) -> None:
    loop = asyncio.get_running_loop()
    try:
        if uri.secure:
            context = config.ssl_context or _default_context()
            async with _phase(config.connect_timeout, f"the TLS handshake with {where}"):
                try:
                    await loop.create_connection(factory, sock=sock, ssl=context, server_hostname=uri.host)
                except (ConnectionError, EOFError) as error:
                    raise ssl.SSLError(ssl.SSL_ERROR_EOF, "the server hung up") from error
        else:
            await loop.create_connection(factory, sock=sock)
    except BaseException:
        sock.close()
        raise


def _new_connection(uri: WebSocketURI, config: StreamConfig, handler: TransportHandler) -> _PushedConnection:
    protocol = ClientProtocol(uri, max_size=config.max_message_bytes, logger=_quiet)
    connection = _PushedConnection(
        protocol,
        ping_interval=config.ping_interval,
        ping_timeout=config.ping_timeout,
        close_timeout=config.close_timeout,
    )
    connection.handler = handler
    return connection


def _pairs(config: StreamConfig) -> list[tuple[str, str]]:
    """Return the headers, also those that stand there twice."""
    pairs = config.headers.items() if isinstance(config.headers, Mapping) else config.headers
    return list(pairs)


class _ConnectOnce(connect):
    """websockets' connect, without its following of redirects: whoever answers with one is not our venue."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _open_through_proxy(url: str, config: StreamConfig, handler: TransportHandler) -> Transport:
    """Let websockets talk to the proxy: its phases can't be told apart, so one timeout bounds them all."""

    class ProxiedConnection(_PushedConnection):
        def __init__(self, protocol: ClientProtocol, **options: object) -> None:
            super().__init__(protocol, **options)
            self.handler = handler

    tls: dict[str, Any] = {"ssl": config.ssl_context} if config.ssl_context is not None else {}
    connection = await _ConnectOnce(
        url,
        proxy=config.proxy,
        compression=None,
        additional_headers=_pairs(config),
        open_timeout=3 * config.connect_timeout,
        ping_interval=config.ping_interval,
        ping_timeout=config.ping_timeout,
        close_timeout=config.close_timeout,
        max_size=config.max_message_bytes,
        logger=_quiet,
        create_connection=ProxiedConnection,
        **tls,
    )
    assert isinstance(connection, ProxiedConnection)  # what create_connection made
    return _WebsocketsTransport(connection)
