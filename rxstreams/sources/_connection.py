"""One connection = one subscription = one attempt: a cold Observable of frames.

Resolve, TCP, TLS, upgrade, subscribe, acknowledgements, data. Whatever ends it is an error of the tree; a server that
says goodbye is one too, since a market feed has no end. Only ``Connection.finish`` makes it complete.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from reactivex import Observable, abc
from websockets.exceptions import ConnectionClosed

from rxstreams.config import StreamConfig
from rxstreams.errors import Stalled, StreamError
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._classify import classify_close
from rxstreams.sources._connection_turns import connection_limiter, wait_for_turn
from rxstreams.sources._transport import Transport, open_transport
from rxstreams.sources._watchdog import Watchdog
from rxstreams.sources.venue import Unknown, Venue
from rxstreams.states import StreamState

logger = logging.getLogger("rxstreams")


class ConnectionOwner(Protocol):
    """Who a connection works for: a line. Called on the loop's thread."""

    def on_state(self, state: StreamState) -> None:
        """The connection has got so far."""
        ...

    def on_open(self, connection: Connection) -> list[str]:
        """The connection is open; return the frames that subscribe."""
        ...

    def pending(self) -> tuple[str, ...]:
        """Return the symbols that the venue has not acknowledged yet."""
        ...

    def next_request(self) -> int:
        """Return a number for a probe."""
        ...


@dataclass(frozen=True, kw_only=True)
class ConnectionContext:
    """What all connections of a feed share."""

    venue: Venue
    url: str
    config: StreamConfig
    resolver: Resolver
    scheduler: EventLoopThreadScheduler
    connect: Connect


Connect: TypeAlias = Callable[[ConnectionContext, ConnectionOwner], Observable[bytes]]
"""Makes the frames of one connection attempt."""

MakeConnection: TypeAlias = "Callable[[ConnectionContext, ConnectionOwner, abc.ObserverBase[bytes]], Connection]"
"""Makes one connection, for an observer of its frames."""


def connect_once(
    context: ConnectionContext, owner: ConnectionOwner, *, make: MakeConnection | None = None
) -> Observable[bytes]:
    """Return a cold Observable that opens one connection a subscription and emits the frames it receives.

    Args:
        context: what all connections of the feed share.
        owner: who the connection works for.
        make: makes the connection; None: ``Connection`` does.

    Emits:
        Whole messages as bytes, on the loop's thread.

    Errors:
        StreamError: always, unless ``Connection.finish`` was called: then it completes.
    """

    def subscribe(observer: abc.ObserverBase[bytes], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        del scheduler  # a connection lives on its own loop
        connection = (make or Connection)(context, owner, observer)
        task = context.scheduler.spawn(connection.run)

        class _Disposal(abc.DisposableBase):
            def dispose(self) -> None:
                connection.disposed = True
                task.dispose()

        return _Disposal()

    return Observable(subscribe)


class Connection:
    """One attempt, from the look-up to the close. All of it happens on its loop's thread."""

    def __init__(self, context: ConnectionContext, owner: ConnectionOwner, observer: abc.ObserverBase[bytes]) -> None:
        self.disposed = False
        self._context = context
        self._owner = owner
        self._observer = observer
        # What comes together with the server's answer to the upgrade waits until the line is ready for it.
        self._early: list[bytes] = []
        self._emit: Callable[[bytes], None] = self._early.append
        self._outbox: deque[str] = deque()
        self._outbox_filled = asyncio.Event()
        self._last_sent = 0.0
        self._last_words = ""
        self._finishing = False
        self._streaming = False
        self._opened_at = 0.0
        self._transport: Transport | None = None
        self._end: asyncio.Future[Exception | None] | None = None
        config = context.config
        self._watchdog = Watchdog(
            context.scheduler,
            silence_timeout=config.silence_timeout,
            probe_timeout=config.probe_timeout,
            on_stale=lambda: self._on_silence(StreamState.STALE),
            on_alive=lambda: self._on_silence(StreamState.STREAMING),
            probe=self._probe,
            on_stalled=self._on_stalled,
        )

    async def run(self) -> None:
        """Live from the look-up to the end, and say what the end was."""
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        error: Exception | None
        try:
            error = await self._open_and_live()
        except Exception as failed:  # what the network can't cause ends the feed as it is
            error = failed
            if self._transport is not None:
                self._transport.abort()
        except asyncio.CancelledError:
            await self._leave()
            if not self.disposed:  # the loop is being closed: whoever waits for this feed must not wait for ever
                self._observer.on_completed()
            raise
        finally:
            self._watchdog.dispose()
        if self.disposed:
            return
        if error is None or self._finishing:
            self._observer.on_completed()
        else:
            self._observer.on_error(error)

    def send(self, frames: list[str]) -> None:
        """Queue frames; they leave in order, at the venue's rate."""
        self._outbox.extend(frames)
        self._outbox_filled.set()

    def note_words(self, message: Unknown) -> None:
        """Keep what the venue says of an error: if an acknowledgement does not come, it may be why."""
        if message.kind.startswith("error"):
            self._last_words = message.kind.removeprefix("error").lstrip(" :") or message.kind

    def check_streaming(self) -> None:
        """Go on to STREAMING if everything was sent and is acknowledged."""
        if not self._streaming and self._last_sent and not self._outbox and not self._owner.pending():
            self._streaming = True
            self._on_state(StreamState.STREAMING)

    async def finish(self) -> None:
        """Say goodbye (1000), take what still arrives, and complete."""
        self._finishing = True
        if self._transport is None:
            self._finish(None)
        else:
            await self._transport.close(1000)

    def fail(self, error: Exception) -> None:
        """Cut the connection and end with this error."""
        if self._transport is not None:
            self._transport.abort()
        if isinstance(error, StreamError):
            error.uptime = self._uptime
        self._finish(error)

    # What the transport calls.

    def on_frame(self, frame: bytes) -> None:
        """Hand a message on; nothing that goes wrong above may reach the transport."""
        if self.disposed:
            return
        self._watchdog.seen += 1
        try:
            self._emit(frame)
        except Exception as error:
            logger.exception("%s: a bug while handling a frame", self._context.venue.name)
            self.fail(error)

    def on_closed(self, closed: ConnectionClosed) -> None:
        """The transport is gone."""
        self._finish(classify_close(closed, self._context.venue, self._uptime, self._watchdog.lag))

    # The life of the connection.

    async def _open_and_live(self) -> Exception | None:
        assert self._end is not None  # set by run
        context = self._context
        loop = asyncio.get_running_loop()
        if not await self._has_turn(self._end):
            return None
        self._transport = await open_transport(context.url, context.config, context.resolver, self, self._on_state)
        self._opened_at = loop.time()
        self._on_state(StreamState.CONNECTED)
        self.send(self._owner.on_open(self))
        self._on_state(StreamState.SUBSCRIBING)
        self._watchdog.start()
        self._emit = self._observer.on_next
        for frame in self._early:
            self.on_frame(frame)
        self._early.clear()
        workers = [loop.create_task(self._send_queued()), loop.create_task(self._await_acknowledgements())]
        if context.venue.heartbeat_interval is not None:
            workers.append(loop.create_task(self._send_heartbeats(context.venue.heartbeat_interval)))
        try:
            return await self._end
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _has_turn(self, end: asyncio.Future[Exception | None]) -> bool:
        """Wait until the venue takes another connection; return False if this one is not wanted any more."""
        context = self._context
        limiter = connection_limiter(context.venue, context.url, context.config)
        if limiter is None:
            return True
        # As long as a server may make us wait for anything else.
        turn = asyncio.ensure_future(wait_for_turn(limiter, context.config.backoff.max_retry_after))
        try:
            await asyncio.wait((turn, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)
        if end.done():
            return False
        turn.result()
        return True

    async def _send_queued(self) -> None:
        pause = 1.0 / self._context.venue.messages_per_second
        loop = asyncio.get_running_loop()
        while True:
            while self._outbox:
                self._last_sent = loop.time()  # before it, too: a send that has to wait is not one left unanswered
                await self._send_frame(self._outbox.popleft())
                self._last_sent = loop.time()
                await asyncio.sleep(pause if self._outbox else 0)
                if not self._outbox:
                    # A frame queued right after the last one must keep the pause as well.
                    await asyncio.sleep(max(0.0, self._last_sent + pause - loop.time()))
            self.check_streaming()
            self._outbox_filled.clear()
            await self._outbox_filled.wait()

    async def _send_frame(self, frame: str) -> None:
        assert self._transport is not None  # only an open connection sends
        try:
            await self._transport.send(frame)
        except ConnectionClosed:
            return  # on_closed tells why

    async def _await_acknowledgements(self) -> None:
        """Give up when the venue leaves a subscription unanswered, also that of a symbol added later."""
        timeout = self._context.config.connect_timeout
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(timeout / 20)
            pending = self._owner.pending()
            if pending and not self._outbox and loop.time() > self._last_sent + timeout:
                named = ", ".join(pending[:5]) + ("…" if len(pending) > 5 else "")
                name = self._context.venue.name
                said = f"; it said: {self._last_words}" if self._last_words else ""
                error = f"{name} did not acknowledge the subscription to {named} within {timeout:g} s{said}"
                self.fail(Stalled(error))
                return

    async def _send_heartbeats(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            frame = self._context.venue.heartbeat_frame()
            if frame is not None:
                await self._send_frame(frame)

    def _probe(self) -> None:
        asyncio.get_running_loop().create_task(self._send_probe()).add_done_callback(_forget)

    async def _send_probe(self) -> None:
        frame = self._context.venue.probe_frame(self._owner.next_request())
        if frame is not None:
            await self._send_frame(frame)
        elif self._transport is not None:
            await self._transport.ping()
            self._watchdog.seen += 1  # a pong is no frame, but the answer that we asked for

    def _on_stalled(self) -> None:
        config = self._context.config
        self.fail(
            Stalled(
                f"{self._context.venue.name} sent nothing for {config.silence_timeout:g} s "
                f"and did not answer a probe within {config.probe_timeout:g} s"
            )
        )

    def _on_state(self, state: StreamState) -> None:
        if not self.disposed:
            self._owner.on_state(state)

    def _on_silence(self, state: StreamState) -> None:
        if self._streaming:  # before that, the acknowledgements have a timeout of their own
            self._on_state(state)

    def _finish(self, error: Exception | None) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(error)

    async def _leave(self) -> None:
        """Leave politely when disposed: cancelling websockets' own close would send 1011."""
        if self._transport is not None:
            closing = asyncio.ensure_future(self._transport.close(1000))
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                self._transport.abort()

    @property
    def _uptime(self) -> float:
        return asyncio.get_running_loop().time() - self._opened_at if self._opened_at else 0.0


def _forget(task: asyncio.Task[None]) -> None:
    """Look at a task's exception, so that asyncio does not complain: the connection's end tells the same."""
    if not task.cancelled():
        task.exception()
