"""A feed on one line whose frames, and whose answers from REST, a test gives by hand, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from reactivex import Observable, abc
from reactivex.disposable import Disposable
from reactivex.testing import TestScheduler

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.errors import ConnectionLost
from rxstreams.instants import SECOND
from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner
from rxstreams.sources._symbol_check import ListSymbols
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Channel, Message, Unknown, Venue
from rxstreams.states import StreamEvent

T0 = 1_735_689_600 * SECOND
A, B = "A/USD", "B/USD"


class PlainVenue(Venue):
    """A venue whose frames are looked up in a table, with 2 s of disorder."""

    name: ClassVar[str] = "plain"
    url: ClassVar[str] = "ws://127.0.0.1:9"
    documentation: ClassVar[tuple[str, str]] = ("", "")

    def __init__(self) -> None:
        self.table: dict[bytes, Callable[[], Iterable[Message]]] = {}

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return nothing that anybody reads."""
        return f"subscribe {request}"

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return nothing that anybody reads."""
        return f"unsubscribe {request}"

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Look it up."""
        return self.table[frame]()


class SilentVenue(PlainVenue):
    """Acknowledges nothing."""

    acknowledges: ClassVar[bool] = False


class VirtualLoop(TestScheduler):
    """Posted functions run at once."""

    on_thread = True

    def post(self, function: Callable[..., object], *arguments: object) -> bool:
        """Run it."""
        function(*arguments)
        return True


@dataclass
class HandFetch:
    """A fetch that the test answers by hand."""

    symbol: str
    since: int
    observer: abc.ObserverBase[PriceTick]
    subscription: Disposable = field(default_factory=Disposable)

    @property
    def running(self) -> bool:
        """Whether anybody waits for it."""
        return not self.subscription.is_disposed

    def answer(self, *ticks: PriceTick) -> None:
        """Bring these and complete."""
        for tick in ticks:
            self.observer.on_next(tick)
        self.observer.on_completed()

    def fail(self, error: Exception) -> None:
        """Fail."""
        self.observer.on_error(error)


class Bench:
    """A feed of two symbols on one line, whose frames the test pushes by hand."""

    def __init__(
        self,
        venue: PlainVenue,
        channel: Channel = Channel("trades"),  # noqa: B008  # immutable
        *,
        recovers: bool = False,
        list_symbols: ListSymbols | None = None,
        **options: Any,
    ) -> None:
        self.venue = venue
        self.fetches: list[HandFetch] = []
        self.ticks: list[PriceTick] = []
        self.events: list[StreamEvent] = []
        self.sent: list[str] = []
        self.sockets: list[abc.ObserverBase[bytes]] = []
        self.failed: list[Exception] = []
        self.words: list[str] = []
        self.loop = cast("EventLoopThreadScheduler", VirtualLoop())
        self.feed: Stream[PriceTick] = Stream(
            venue,
            [A, B],
            channel,
            StreamConfig(backoff=BackoffPolicy(initial=1.0, jitter="none"), **options),
            scheduler=self.loop,
            connect=self.connect,
            fetch=self.fetch if recovers else None,
            list_symbols=list_symbols,
        )
        self.feed.events.subscribe(self.events.append)
        self.subscription = self.feed.subscribe(self.ticks.append)

    def connect(self, context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        """Open at once."""

        def subscribe(
            observer: abc.ObserverBase[bytes], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            self.sockets.append(observer)
            self.sent += owner.on_open(cast("Connection", self))
            return Disposable()

        return Observable(subscribe)

    def fetch(self, symbol: str, since: int) -> Observable[PriceTick]:
        """Ask the test."""

        def subscribe(
            observer: abc.ObserverBase[PriceTick], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            fetch = HandFetch(symbol, since, observer)
            self.fetches.append(fetch)
            return fetch.subscription

        return Observable(subscribe)

    def lose(self, away: float = 60.0) -> None:
        """Break the connection, come back within a second, and let so many seconds pass in all."""
        self.sockets[-1].on_error(ConnectionLost("broke", uptime=100.0))
        self.wait(away)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        cast("VirtualLoop", self.loop).advance_by(seconds)

    def send(self, frames: list[str]) -> None:
        """Stand in for the connection's."""
        self.sent += frames

    def check_streaming(self) -> None:
        """Stand in for the connection's."""

    def note_words(self, message: Unknown) -> None:
        """Stand in for the connection's."""
        self.words.append(message.kind)

    def fail(self, error: Exception) -> None:
        """Stand in for the connection's."""
        self.failed.append(error)

    def push(self, *messages: Message | Exception) -> None:
        """Receive a frame that says this."""

        def say() -> Iterable[Message]:
            for message in messages:
                if isinstance(message, Exception):
                    raise message
                yield message

        self.venue.table[b"frame"] = say
        self.sockets[-1].on_next(b"frame")

    def covered(self) -> list[tuple[str, float]]:
        """Return symbol and since of the ticks so far, in seconds after T0; of an instant: just after it."""
        return [(tick.symbol, round((tick.since - T0) / SECOND, 6)) for tick in self.ticks]


def trade(symbol: str, seconds: float, trade_id: int | None = None) -> PriceTick:
    """Return a trade."""
    timestamp = T0 + int(seconds * SECOND)
    return PriceTick(symbol=symbol, price=1.0, timestamp=timestamp, exchange="plain", trade_id=trade_id)
