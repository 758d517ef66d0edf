"""``FakeExchange``: an exchange on 127.0.0.1 that breaks on command and remembers the truth."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain
from types import TracebackType
from typing import Literal, Self, TypeVar

from rxstreams.instants import Instant
from rxstreams.items import PriceTick
from rxstreams.testing._loop_thread import LoopThread
from rxstreams.testing._options import make_options, to_duration
from rxstreams.testing._server import Server
from rxstreams.testing._session import Session
from rxstreams.testing.faults import AnyFault
from rxstreams.testing.formats import Format, KrakenFormat
from rxstreams.testing.market import Market
from rxstreams.testing.records import ConnectionRecord, Published, ReceivedRequest

_T = TypeVar("_T")
_CALL_TIMEOUT = 10.0
_NOT_STARTED = "this FakeExchange was not started: use it as a context manager, or call start()"


class FakeExchange:
    """A WebSocket and REST server that plays trades in a venue's own wire format and breaks when it is told to.

    It lives on a thread and a loop of its own: use it from a test, a script or a notebook, as a context manager or
    with ``start`` and ``close``. Its market goes on whether or not anybody is connected; what a client misses, it
    misses. Every answer's time can be relied on: what is stamped before it was published before it.

    Args:
        trades: what it plays: a ``Market``, or ticks in the order of publication (a recording); None: nothing but what
            ``publish`` is given. Ticks without ``exchange`` or ``trade_id`` get the venue's name and the next id.
        format: the venue's wire format (``rxstreams.testing.formats``); None: Kraken's. Stamps are cut to the venue's
            resolution before anything else.
        symbols: those that it has; None: those of a market or a sequence of ticks, else any that a client spells with
            a slash.
        start: the exchange's first time. Trades up to it are its past. None: the market's, just before the first
            tick, or 2024-01-01.
        speed: seconds of exchange time that pass in a second. None: no clock runs; trades go out as fast as the
            clients read them, and the exchange's time is the newest stamp.
        wait_for: symbols that must be subscribed before it begins; None: 0 with a speed, 1 without.
        absence: without a speed: while fewer than ``wait_for`` symbols are subscribed, the market plays on for so many
            seconds of its own time and then waits. So each disconnection costs the same trades in each run. None: it
            plays on to the end.
        batch: trades in one message at most; only trades of one symbol within 10 ms share one.
        faults: the script of what goes wrong (``rxstreams.testing.faults``).
        heartbeat: wall seconds between the signs of life on a line without anything else; 0: none; None: one second
            of exchange time but at least 10 ms; 50 ms without a speed.
        at_end: after the last trade, "stay" connected or "close" all connections.
        close_code: with which they are closed.
        rest_lag: seconds of exchange time by which the REST answers are behind the market.
        rest_limit: REST requests taken in any so many seconds of the wall clock, as (calls, seconds); more are answered
            with 429 and a Retry-After in whole seconds, and not counted. None: no limit.
        keep: trades that are remembered: all in all, of each symbol and of each connection.
        max_pending_bytes: a client that leaves more unread is cut off; without a speed the market waits for it long
            before that.
        ssl_context: of a server; makes it ``wss`` and ``https``. Its SNI callback is replaced.
        host: the address to listen on.

    Raises:
        ValueError: an option is out of its range.
        TypeError: ``symbols`` is a single string.

    Memory: O(keep) for the market, each symbol and each connection.

    Example:
        >>> from rxstreams.testing import FakeExchange, Market
        >>> with FakeExchange(Market(["BTC/USD"], duration=60)) as exchange:
        ...     exchange.url.startswith("ws://127.0.0.1:")
        True
    """

    def __init__(
        self,
        trades: Market | Iterable[PriceTick] | None = None,
        *,
        format: Format | None = None,
        symbols: Iterable[str] | None = None,
        start: Instant | None = None,
        speed: float | None = None,
        wait_for: int | None = None,
        absence: float | timedelta | None = 60.0,
        batch: int = 1,
        faults: Iterable[AnyFault] = (),
        heartbeat: float | None = None,
        at_end: Literal["stay", "close"] = "stay",
        close_code: int = 1000,
        rest_lag: float | timedelta = 0.0,
        rest_limit: tuple[int, float | timedelta] | None = None,
        keep: int = 1_000_000,
        max_pending_bytes: int = 64 * 2**20,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._options = make_options(
            trades,
            format=format or KrakenFormat(),
            symbols=symbols,
            start=start,
            speed=speed,
            wait_for=wait_for,
            absence=absence,
            batch=batch,
            heartbeat=heartbeat,
            at_end=at_end,
            close_code=close_code,
            rest_lag=rest_lag,
            rest_limit=rest_limit,
            keep=keep,
            max_pending_bytes=max_pending_bytes,
            ssl_context=ssl_context,
            host=host,
        )
        self.faults: list[AnyFault] = list(faults)
        self._server: Server | None = None
        self._thread: LoopThread | None = None

    def start(self, timeout: float = _CALL_TIMEOUT) -> Self:
        """Begin to listen, and to play if nobody has to be waited for; returns itself.

        Raises:
            RuntimeError: it was started before.
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        if self._thread is not None:
            raise RuntimeError("a FakeExchange is started once: make a new one")

        async def main(ready: Callable[[], None]) -> None:
            self._server = Server(self._options, self.faults)
            await self._server.run(ready)

        self._thread = LoopThread("FakeExchange", main)
        self._thread.start(timeout)
        return self

    def close(self, timeout: float = _CALL_TIMEOUT) -> None:
        """Cut all connections and end its thread; what it remembers can still be read. Does nothing a second time.

        Raises:
            TimeoutError: the thread did not end within ``timeout`` seconds.
            RuntimeError: something went wrong inside; the cause says what.
        """
        self._stop(timeout)
        self._raise_error()

    def _stop(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.stop(timeout)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; a failure inside is raised unless another exception is on its way."""
        self._stop(_CALL_TIMEOUT)
        if error is None:
            self._raise_error()

    # Where it is.

    @property
    def url(self) -> str:
        """The WebSocket's address; host names that resolve to it work too."""
        scheme = "ws" if self._options.ssl_context is None else "wss"
        return f"{scheme}://{self._options.host}:{self._running.port}{self._options.format.path}"

    @property
    def rest_url(self) -> str:
        """The base of the REST API, without a slash at its end."""
        scheme = "http" if self._options.ssl_context is None else "https"
        return f"{scheme}://{self._options.host}:{self._running.rest_port}"

    @property
    def port(self) -> int:
        """The WebSocket's port."""
        return self._running.port

    # The truth.

    @property
    def time(self) -> int:
        """The exchange's time, nanoseconds since the epoch."""
        return self._running.clock.now()

    @property
    def finished(self) -> bool:
        """Whether it has published all that it was given to play."""
        return self._running.playback.finished

    @property
    def published(self) -> list[Published]:
        """Every trade that it published, in that order, with the exchange's time of it; a copy."""
        return self._running.engine.published.copy()

    @property
    def trades(self) -> list[PriceTick]:
        """The trades of ``published``, without the times; what ``candles_of`` takes."""
        return [tick for tick, _ in self._running.engine.published.copy()]

    @property
    def connections(self) -> list[ConnectionRecord]:
        """What is remembered of each WebSocket connection, in the order of being accepted; the records stay live."""
        return self._running.engine.connections.copy()

    @property
    def rest_requests(self) -> list[ReceivedRequest]:
        """The REST requests so far, in order; a copy."""
        return self._running.engine.rest_requests.copy()

    @property
    def rest_refused(self) -> int:
        """How many REST requests were refused because of ``rest_limit``."""
        return self._running.rest_window.refused

    def sent(self, connection: int | None = None, symbol: str | None = None) -> list[PriceTick]:
        """Return the trades that were written to the socket, in that order.

        Args:
            connection: number of the connection; None: all of them, one after the other.
            symbol: only its trades; None: of all symbols.
        """
        records = self.connections if connection is None else [self.connections[connection]]
        ticks = chain.from_iterable(record.sent.copy() for record in records)
        return [tick for tick in ticks if symbol is None or tick.symbol == symbol]

    def wait_until(self, predicate: Callable[[], object], timeout: float = 10.0, *, what: str = "") -> None:
        """Wait until a condition holds; it is looked at every 2 ms, on the calling thread.

        Args:
            predicate: the condition.
            timeout: seconds.
            what: what is waited for, in the error's words; "": the predicate's name.

        Raises:
            TimeoutError: it did not hold within ``timeout``; the message tells how the exchange stands.
            RuntimeError: something went wrong inside the exchange; the cause says what.
        """
        deadline = time.monotonic() + timeout
        while not predicate():
            self._raise_error()
            if time.monotonic() > deadline:
                what = what or getattr(predicate, "__name__", repr(predicate))
                raise TimeoutError(f"waited {timeout:g} s in vain for {what}; {self._describe()}")
            time.sleep(0.002)

    def wait_finished(self, timeout: float = 30.0) -> None:
        """Wait until all that it was given to play is published and sent; raises as ``wait_until``."""
        self.wait_until(lambda: self.finished, timeout, what="the end of the market")

    # What a test can do to it.

    def publish(self, *ticks: PriceTick) -> None:
        """Publish trades now, those of one symbol that follow each other in one message."""
        run: list[PriceTick] = []
        runs: list[list[PriceTick]] = []
        for tick in ticks:
            if not run or tick.symbol != run[0].symbol:
                run = []
                runs.append(run)
            run.append(tick)

        def publish() -> None:
            for each in runs:
                self._running.engine.publish(each)

        self._call(publish)

    def advance(self, seconds: float | timedelta) -> int:
        """Move the exchange's clock forward, publish what that makes due, and return the new time (ns)."""
        nanoseconds = to_duration("seconds", seconds)

        def advance() -> int:
            server = self._running
            server.clock.advance(nanoseconds)
            server.playback.clock_moved()
            return server.clock.now()

        return self._call(advance)

    def send(self, message: str | bytes) -> int:
        """Send any message to all clients (as text) and return how many there are."""
        data = message.encode() if isinstance(message, str) else message

        def send() -> int:
            sessions = [s for s in self._running.engine.sessions if s.wire.open]
            for session in sessions:
                session.send(data)
            return len(sessions)

        return self._call(send)

    def inject(self, *faults: AnyFault) -> None:
        """Add to the script; counts and times are those of the connection, not of this call."""
        self._call(lambda: self.faults.extend(faults))

    def drop_all(self, *, reset: bool = False) -> int:
        """Cut all connections without a close frame, after what was sent has left; return how many."""
        return self._each(lambda session: session.drop(reset=reset))

    def close_all(self, code: int = 1000, reason: str = "") -> int:
        """Close all connections with a close frame; return how many."""
        return self._each(lambda session: session.close(code, reason))

    def stall_all(self, *, probes: bool = False) -> int:
        """Fall silent on all connections, for good; with ``probes`` pings are still answered. Return how many."""
        return self._each(lambda session: session.stall(probes=probes))

    def refuse(self, refused: bool = True) -> None:
        """Stop accepting WebSocket connections, as if nobody listened on the port, or accept them again."""
        server = self._running
        if refused:
            self._call(server.stop_listening)
        else:
            self._loop_thread.wait(server.listen, _CALL_TIMEOUT)

    # Inside.

    def _each(self, action: Callable[[Session], None]) -> int:
        def act() -> int:
            sessions = [session for session in self._running.engine.sessions if session.wire.open]
            for session in sessions:
                action(session)
            return len(sessions)

        return self._call(act)

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError(_NOT_STARTED)
        return self._server

    @property
    def _loop_thread(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError(_NOT_STARTED)
        return self._thread

    def _call(self, function: Callable[[], _T]) -> _T:
        return self._loop_thread.call(function, _CALL_TIMEOUT)

    def _raise_error(self) -> None:
        if self._server is not None and self._server.error is not None:
            raise RuntimeError(f"the FakeExchange failed: {self._server.error!r}") from self._server.error

    def _describe(self) -> str:
        records = self.connections
        return (
            f"the exchange has published {len(self._running.engine.published)} trades"
            f"{' (all)' if self.finished else ''} and seen {len(records)} connections, of which "
            f"{sum(record.is_open for record in records)} are open"
        )
