"""``WebSocketManager``: a feed from a server of one's own, in four methods."""

from __future__ import annotations

import abc
import asyncio
import inspect
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar, overload

from reactivex import Observable

from rxstreams._durations import to_seconds
from rxstreams._manager.door import Door
from rxstreams._manager.run import ManagerRun, TickCallback
from rxstreams._manager.socket import ManagedSocket, run_on
from rxstreams.config import StreamConfig
from rxstreams.items import PriceTick
from rxstreams.registry import Registry
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for
from rxstreams.states import StreamEvent, StreamState, StreamStats

_T = TypeVar("_T")


class WebSocketManager(abc.ABC):
    """A feed from any WebSocket server: a subclass says what to send and what a message means.

    Connecting, reconnecting with backoff, the thread of its own and the statistics are those of every feed
    (``rxstreams.sources.Stream``). The four methods below are called on that thread's loop, never at the same time as
    themselves. For new code a ``Venue`` is the better way: it can say what its acknowledgements mean and fetch what
    was missed, so that its candles are complete more often.

    Args:
        config: ``url`` is needed; ``name`` is for messages, the thread and the registry; "": the class's name.
        scheduler: its loop; None: one of its own, shared by the managers of the same name.

    Attributes:
        config: as given.
        name: of the manager.
        ws: the present connection: ``await self.ws.send(...)`` and ``close()`` work in the methods below as well as
            from any other event loop.

    Raises:
        ValueError: the config has no ``url``, or sets ``symbols_per_socket``: there is one socket.
        TypeError: an argument has the wrong type.

    Example:
        >>> import json
        >>> from datetime import UTC, datetime
        >>> class MyExchange(WebSocketManager):
        ...     async def _on_connect(self):
        ...         await self.ws.send('{"op": "login"}')
        ...
        ...     async def _send_subscribe(self, symbols):
        ...         await self.ws.send(json.dumps({"op": "subscribe", "symbols": symbols}))
        ...
        ...     async def _send_unsubscribe(self, symbols):
        ...         await self.ws.send(json.dumps({"op": "unsubscribe", "symbols": symbols}))
        ...
        ...     async def _parse_message(self, data):
        ...         if "price" in data:
        ...             now = datetime.now(UTC)
        ...             return PriceTick(symbol=data["symbol"], price=data["price"], timestamp=now)
        >>> manager = MyExchange(StreamConfig(url="wss://stream.example.com", name="my-exchange"))
        >>> ticks = manager.on_tick(print)     # then: await manager.start(); await manager.subscribe(["BTC/USD"])
        >>> manager.state
        <StreamState.DISCONNECTED: 'disconnected'>

    Memory: O(symbols), and 100,000 frames while ``_parse_message`` waits for something.
    """

    def __init__(self, config: StreamConfig, *, scheduler: EventLoopThreadScheduler | None = None) -> None:
        if not isinstance(config, StreamConfig):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
            raise TypeError(f"config must be a StreamConfig, got {config!r}")
        if not config.url:
            raise ValueError("a WebSocketManager needs StreamConfig(url='wss://...'), got no url")
        if config.symbols_per_socket is not None:
            raise ValueError(f"a WebSocketManager has one socket, got symbols_per_socket={config.symbols_per_socket}")
        # Plain attributes: a subclass may well assign them once more.
        self.config = config
        self.name = config.name or type(self).__name__
        # Mangled: what a subclass calls its own attributes must not matter.
        self.__scheduler = scheduler or scheduler_for(self.name)
        self.__door = Door(self, self.name, config, self.__scheduler)
        self.ws = ManagedSocket(self.__door, self.__scheduler)
        self.__lock = threading.Lock()
        self.__callbacks: list[TickCallback] = []
        self.__run: ManagerRun | None = None

    # What a subclass says

    @abc.abstractmethod
    async def _on_connect(self) -> None:
        """Send what comes first on a new connection: a login, settings.

        Raises:
            StreamError: what its class says: another attempt, or the end (``Refused``: the login is wrong).
            OSError, TimeoutError: the network failed: another attempt.
            Exception: a bug: the feed ends with an ObserverError. The same holds for the two methods below.
        """

    @abc.abstractmethod
    async def _send_subscribe(self, symbols: list[str]) -> None:
        """Send what subscribes to symbols; after a reconnection, to all that are wanted."""

    @abc.abstractmethod
    async def _send_unsubscribe(self, symbols: list[str]) -> None:
        """Send what ends the subscription to symbols."""

    @abc.abstractmethod
    async def _parse_message(self, data: Any) -> PriceTick | Iterable[PriceTick] | None:  # whatever the server sends
        """Return what a message says: a tick, several, or None. Called for one message after the other.

        Messages that arrive while it waits for something keep their order. What it raises is counted in
        ``stats.parse_errors``; the feed goes on, and the coverage of all symbols begins anew.

        Args:
            data: the decoded JSON; a text that is none (``pong``) as str, a binary frame as bytes. A frame that
                begins like an object or an array and is broken does not come here: it is counted.
        """

    # What users call

    async def start(self) -> None:
        """Connect, and stay connected until ``stop``; does nothing if it is running.

        Returns when the connection is up and ``_on_connect`` has run, or the first attempt has failed and the next one
        is waited for. In a method of the subclass it does not wait.

        Raises:
            StreamError: the first attempt failed for good: refused, an invalid certificate, a bug in a method.
        """
        while True:
            with self.__lock:
                run = self.__run
                if run is None or run.has_ended:
                    run = self.__run = ManagerRun(self.__door.stream, self.__scheduler, self.__callbacks)
            if self.__scheduler.on_thread:
                return
            if not run.is_stopping:
                await run.wait_until_ready()
                return
            await run.wait_for_end()

    async def stop(self, timeout: float | timedelta = 5.0) -> None:
        """Say goodbye (1000), take what still arrives, complete ``ticks``. May be called at any time, and again.

        Args:
            timeout: seconds after which the connection is cut off. In a method of the subclass it does not wait.
        """
        seconds = to_seconds("timeout", timeout)
        with self.__lock:
            if self.__run is not None:
                self.__run.is_stopping = True
        stop = self.__door.stream.stop
        if self.__scheduler.on_thread:
            stop(seconds)
        else:
            await asyncio.to_thread(stop, seconds)

    async def subscribe(self, symbols: Iterable[str]) -> None:
        """Want symbols: on this connection and, until ``unsubscribe``, on every later one; also before ``start``.

        Returns when ``_send_subscribe`` has run; at once while there is no connection, and in a method of the subclass.

        Raises:
            TypeError: a single string was given, or something else than strings.
            ObserverError: ``_send_subscribe`` raised; the feed has ended.
        """
        await self.__change(self.__door.add, symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Want symbols no more; those that are not subscribed to are ignored. Raises and returns as ``subscribe``.

        From then on ticks of these symbols are dropped.
        """
        await self.__change(self.__door.remove, symbols)

    def on_tick(self, callback: Callable[[PriceTick], _T]) -> Callable[[PriceTick], _T]:
        """Call a function with every tick, on the feed's thread. May be called at any time; works as a decorator.

        One that raises is logged and called no more until the next ``start``; all others go on.

        Returns:
            The callback itself.

        Raises:
            TypeError: it is no function, or a coroutine function: on whose loop should it run? For those there is
                ``async for tick in to_async_iterable(manager.ticks)``.
        """
        if not callable(callback):
            raise TypeError(f"callback must be a function, got {callback!r}")
        if inspect.iscoroutinefunction(callback):
            raise TypeError(
                f"callback must be a plain function, got the coroutine function {callback!r}; on a loop of your own "
                "write: async for tick in to_async_iterable(manager.ticks)"
            )
        with self.__lock:
            self.__callbacks.append(callback)
            if self.__run is not None and not self.__run.has_ended:
                self.__run.add(callback)
        return callback

    @property
    def ticks(self) -> Observable[PriceTick]:
        """The feed as an Observable, for operators and sinks; like every feed it connects when it is subscribed to."""
        return self.__door.stream

    @property
    def events(self) -> Observable[StreamEvent]:
        """What happens to the feed; does not connect."""
        return self.__door.stream.events

    @property
    def state(self) -> StreamState:
        """Where the connection is in its life."""
        return self.__door.stream.state

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open."""
        connection = self.__door.connection
        return connection is not None and connection.is_open

    @property
    def stats(self) -> StreamStats:
        """What the feed has done so far."""
        return self.__door.stream.stats

    @property
    def error(self) -> Exception | None:
        """What ended the feed; None: it has not failed."""
        return self.__door.stream.error

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is wanted, in the order in which it was subscribed to."""
        return tuple(self.__door.wanted)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.config.url!r}, {self.state.value})"

    async def __change(self, change: Callable[[list[str]], None], symbols: Iterable[str]) -> None:
        names = _checked(symbols)
        on_own_thread = self.__scheduler.on_thread

        async def apply() -> None:
            change(names)
            connection = self.__door.connection
            if connection is None or not connection.is_open:
                return
            if on_own_thread:
                connection.look()  # the method that asks may be what the change has to wait for
            else:
                await connection.settle()

        await run_on(self.__scheduler, apply)


def _checked(symbols: Iterable[str]) -> list[str]:
    if isinstance(symbols, str):
        raise TypeError(f"symbols must be a list of symbols, got the string {symbols!r}; write [{symbols!r}]")
    names = list(dict.fromkeys(symbols))
    for name in names:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
            raise TypeError(f"a symbol must be a string, got {name!r}")
    return names


_named: Registry[WebSocketManager] = Registry("WebSocket manager")


@overload
def register_websocket_manager(name: WebSocketManager) -> WebSocketManager: ...
@overload
def register_websocket_manager(name: str, manager: WebSocketManager) -> WebSocketManager: ...
def register_websocket_manager(
    name: str | WebSocketManager, manager: WebSocketManager | None = None
) -> WebSocketManager:
    """Let every part of a program find a manager by its name.

    Args:
        name: not empty; left out (the manager comes first): the manager's own.
        manager: what is found under it; one may have several names.

    Returns:
        The manager.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the name is empty, or belongs to another manager.

    Memory: O(names); a manager stays as long as the program runs.
    """
    known, given = (name.name, name) if isinstance(name, WebSocketManager) and manager is None else (name, manager)
    if isinstance(known, WebSocketManager) or not isinstance(given, WebSocketManager):
        raise TypeError(f"expected a name and a WebSocketManager, got {name!r} and {manager!r}")
    registered = _named.get_or_create(known, lambda: given)
    if registered is not given:
        raise ValueError(
            f"the WebSocket manager {known!r} is there already: {registered!r}, got {given!r}; use another name"
        )
    return given


def get_websocket_manager(name: str) -> WebSocketManager | None:
    """Return the manager that was registered under that name; None: there is none.

    Raises:
        TypeError: the name is no string.
        ValueError: the name is empty.
    """
    return _named.get(name)
