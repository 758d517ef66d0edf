"""What all connections of a ``WebSocketManager`` share: its hooks, its symbols, its Stream."""

from __future__ import annotations

import functools
from collections.abc import Container, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from reactivex import Observable

from rxstreams._manager.connection import HookedConnection
from rxstreams._manager.venue import EVERYTHING, make_venue
from rxstreams.config import StreamConfig
from rxstreams.errors import MessageError
from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._connection import ConnectionContext, ConnectionOwner, connect_once
from rxstreams.sources._line import Line
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Channel


class Hooks(Protocol):
    """What a user's subclass does. See ``WebSocketManager``."""

    async def _on_connect(self) -> None: ...
    async def _send_subscribe(self, symbols: list[str]) -> None: ...
    async def _send_unsubscribe(self, symbols: list[str]) -> None: ...
    def _parse_message(self, data: Any) -> Coroutine[Any, Any, PriceTick | Iterable[PriceTick] | None]: ...


class Door:
    """Between the user's hooks and a Stream. Used on the loop's thread only.

    What the hooks ask for are strings that mean something to the user only; ticks may name their symbols otherwise. So
    the Stream's line, which keeps the coverage of each symbol, is given those of the ticks, as they come.

    Attributes:
        hooks: the user's.
        wanted: what is to be asked for, on this and on every later connection.
        connection: the present one; None: there is none.
        parsed: what the hook has made of the frame that is being handed on.
        stream: the feed.

    Memory: O(symbols).
    """

    def __init__(self, hooks: Hooks, name: str, config: StreamConfig, scheduler: EventLoopThreadScheduler) -> None:
        self.hooks = hooks
        self.wanted: dict[str, None] = {}
        self.connection: HookedConnection | None = None
        self.parsed: list[PriceTick] | MessageError = []
        self.stream: Stream[PriceTick] = Stream(
            make_venue(name, self._take_parsed),
            [EVERYTHING],
            Channel("trades"),
            config,
            scheduler=scheduler,
            connect=self._connect,
        )
        self._line: Line | None = None
        self._left: set[str] = set()  # unsubscribed from, and not subscribed to again

    def add(self, symbols: Sequence[str]) -> None:
        """Want more symbols."""
        new = [symbol for symbol in symbols if symbol not in self.wanted]
        self.wanted.update(dict.fromkeys(new))
        self._left.difference_update(new)

    def remove(self, symbols: Sequence[str]) -> None:
        """Want symbols no more."""
        old = [symbol for symbol in symbols if symbol in self.wanted]
        for symbol in old:
            del self.wanted[symbol]
        self._left.update(old)
        self.doubt(self.wanted)

    def admit(self, ticks: Iterable[PriceTick]) -> None:
        """Have the line take the symbols of these ticks, but for those that were given up."""
        assert self._line is not None  # ticks come from a connection, and that from a line
        for tick in ticks:
            if not self._line.subscriptions.wants(tick.symbol) and tick.symbol not in self._left:
                self._line.add([tick.symbol])

    def doubt(self, sure: Container[str]) -> None:
        """Begin the coverage of symbols anew, each with its next tick, but for those that are sure.

        When a subscription comes or goes, nobody can say which ticks it is for unless they name their symbol as it was
        asked for: any other may have come by chance before, or may be missing from now on.
        """
        if self._line is not None:
            seen = self._line.subscriptions.wanted
            self._line.remove([symbol for symbol in seen if symbol != EVERYTHING and symbol not in sure])

    def _connect(self, context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        assert isinstance(owner, Line)  # a Stream's connections work for its lines
        self._line = owner
        return connect_once(context, owner, make=functools.partial(HookedConnection, door=self))

    def _take_parsed(self) -> list[PriceTick]:
        if isinstance(self.parsed, MessageError):
            raise self.parsed
        return self.parsed
