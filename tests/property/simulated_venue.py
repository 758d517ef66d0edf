"""A venue in virtual time that loses connections, refuses symbols and answers late, for tests of what is covered."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace
from reactivex import Observable, abc
from reactivex.disposable import Disposable
from reactivex.testing import TestScheduler

from rxstreams.errors import ConnectionLost, HistoryTooShort, ServerRejected
from rxstreams.instants import SECOND, format_instant
from rxstreams.items import PriceTick
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner
from rxstreams.sources.venue import Unknown
from rxstreams.states import StreamState

START = 1_735_689_600 * SECOND  # 2025-01-01T00:00:00Z
SKIPPED = b"skipped "


class VirtualLoop(TestScheduler):
    """An event loop's thread in virtual time: posted functions run at once."""

    on_thread = True

    def post(self, function: Callable[..., object], *arguments: object) -> bool:
        """Run it."""
        function(*arguments)
        return True

    def spawn(self, coroutine: Callable[[], Coroutine[Any, Any, None]]) -> abc.DisposableBase:
        """Step a coroutine that never waits to its end."""
        with pytest.raises(StopIteration):
            coroutine().send(None)
        return cast("abc.DisposableBase", None)

    def at(self, delay: float, action: Callable[[], object]) -> None:
        """Do something after a delay in seconds."""

        def act(*_: object) -> None:
            action()

        self.schedule_relative(max(delay, 1e-6), act)


class NoResolver:
    """Looks up nothing: there is no network here."""

    def prefetch_url(self, url: str) -> None:
        """Do nothing."""


@dataclass
class Trade:
    """A trade as the venue knows it."""

    symbol: str
    timestamp: int
    price: float
    volume: float
    trade_id: int
    published: int

    def tick(self) -> PriceTick:
        """Return it as REST gives it."""
        return PriceTick(
            symbol=self.symbol,
            price=self.price,
            volume=self.volume,
            timestamp=self.timestamp,
            exchange="kraken",
            trade_id=self.trade_id,
            side="buy",
        )

    def frame(self) -> bytes:
        """Return it as the socket brings it."""
        data = {
            "symbol": self.symbol,
            "side": "buy",
            "price": self.price,
            "qty": self.volume,
            "trade_id": self.trade_id,
            "timestamp": format_instant(self.timestamp),
        }
        return json.dumps({"channel": "trade", "type": "update", "data": [data]}, separators=(",", ":")).encode()


@dataclass
class Coverage:
    """From when to when a connection carried a symbol, in the venue's time."""

    begin: int
    end: int = 1 << 62


@dataclass
class SimulatedConnection:
    """One attempt to the simulated venue; has what a line needs of a connection."""

    venue: SimulatedVenue
    owner: ConnectionOwner
    observer: abc.ObserverBase[bytes]
    latency: float
    alive: bool = True
    disposed: bool = False
    symbols: dict[str, Coverage] = field(default_factory=dict[str, Coverage])
    heard: set[str] = field(default_factory=set[str])

    def open(self) -> None:
        """Shake hands and subscribe."""
        if self.disposed:
            return
        for state in (StreamState.RESOLVING, StreamState.CONNECTING, StreamState.CONNECTED):
            self.owner.on_state(state)
        self.venue.connections.append(self)
        frames = self.owner.on_open(cast("Connection", self))
        self.owner.on_state(StreamState.SUBSCRIBING)
        self.send(frames)
        rng, loop = self.venue.rng, self.venue.loop
        if rng.random() < self.venue.death_rate:
            loop.at(rng.expovariate(1 / 400.0), self.die)

    def send(self, frames: list[str]) -> None:
        """Let the requests travel; the venue takes its time for each."""
        for frame in frames:
            request = json.loads(frame)
            for symbol in request["params"]["symbol"]:
                wait = self.latency + self.venue.rng.choice(self.venue.answer_times) * self.venue.rng.random()
                self.venue.loop.at(wait, lambda r=request, s=symbol: self.answer(r["method"], s, r["req_id"]))  # type: ignore[misc]  # mypy can't infer lambda defaults

    def answer(self, method: str, symbol: str, request: int) -> None:
        """Take a request: the venue's side."""
        if not self.alive:
            return
        now = self.venue.now()
        if symbol in self.venue.refused and method == "subscribe":
            self.deliver(
                {
                    "method": method,
                    "req_id": request,
                    "success": False,
                    "symbol": symbol,
                    "error": f"Currency pair not supported {symbol}",
                }
            )
            return
        if method == "subscribe":
            self.symbols.setdefault(symbol, self.venue.cover(symbol, now))
        else:
            self.end_coverage(symbol, now)
        stamp = format_instant(now)
        result = {"channel": "trade", "symbol": symbol}
        self.deliver({"method": method, "req_id": request, "success": True, "result": result, "time_out": stamp})

    def refuse(self, symbol: str) -> None:
        """Refuse a symbol that was accepted before."""
        if symbol in self.symbols and self.alive:
            self.end_coverage(symbol, self.venue.now())
            self.deliver(
                {
                    "method": "subscribe",
                    "success": False,
                    "symbol": symbol,
                    "error": f"Currency pair not supported {symbol}",
                }
            )

    def end_coverage(self, symbol: str, now: int) -> None:
        """Send the symbol no more."""
        coverage = self.symbols.pop(symbol, None)
        if coverage is not None:
            coverage.end = now

    def deliver(self, message: dict[str, Any] | bytes) -> None:
        """Put a message on the wire: it arrives after the latency, in order, if the connection still lives then."""
        frame = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
        if isinstance(message, bytes) and self.venue.happens(self.venue.garble_rate):
            frame = b"garbled"
        self.venue.loop.at(self.latency, lambda: self.arrive(frame))

    def arrive(self, frame: bytes) -> None:
        """The client's side of a delivery."""
        if self.alive and not self.disposed:
            self.observer.on_next(frame)

    def die(self) -> None:
        """Stop delivering; the client notices later."""
        if not self.alive or self.disposed:
            return
        self.alive = False
        self.close()
        notice = self.venue.rng.choice((0.0, 1.0, 30.0)) * self.venue.rng.random()
        self.venue.loop.at(notice, lambda: None if self.disposed else self.observer.on_error(ConnectionLost("died")))

    def close(self) -> None:
        """End all coverage: what is on the wire is lost as well."""
        for symbol in list(self.symbols):
            self.end_coverage(symbol, self.venue.now() - int(self.latency * SECOND))

    def check_streaming(self) -> None:
        """The line calls this after acknowledgements."""
        if not self.owner.pending():
            self.owner.on_state(StreamState.STREAMING)

    def note_words(self, message: Unknown) -> None:
        """The line calls this with messages that it does not use."""

    def dispose(self) -> None:
        """The client leaves."""
        self.disposed = True
        self.alive = False
        self.close()


class SimulatedVenue:
    """A venue that publishes random trades and loses connections."""

    def __init__(self, rng: random.Random, loop: VirtualLoop, symbols: list[str], death_rate: float) -> None:
        self.rng = rng
        self.loop = loop
        self.death_rate = death_rate
        self.drop_rate = 0.0  # share of the trades that a living connection swallows
        self.skip_rate = 0.0  # share of the trades that arrive as a frame that says only that a trade was left out
        self.garble_rate = 0.0  # share of the trades that arrive as a frame that nobody can read
        self.disorder = 0.0  # seconds by which stamps step back at most
        self.latencies: tuple[float, ...] = (0.01, 0.1, 0.4)  # seconds; each connection has one of them
        self.answer_times: tuple[float, ...] = (0.0, 0.05, 0.5, 8.0)  # seconds at most, for a subscription
        self.trades: list[Trade] = []
        self.last_ids: dict[str, int] = defaultdict(lambda: 1000)
        self.connections: list[SimulatedConnection] = []
        self.refused: set[str] = set()
        self.coverages: dict[str, list[Coverage]] = defaultdict(list)
        for symbol in symbols:
            # From busy to quiet: mean seconds between trades, up to several candles.
            self.schedule(symbol, rng.choice((2.0, 10.0, 45.0, 200.0, 500.0)), 100.0)

    def now(self) -> int:
        """The venue's clock, in whole microseconds."""
        return START + int(self.loop.clock * 1e6) * 1000

    def happens(self, share: float) -> bool:
        """Draw whether something happens that happens so often."""
        return share > 0 and self.rng.random() < share

    def schedule(self, symbol: str, mean: float, price: float) -> None:
        """Plan the next trade of a symbol."""

        def publish() -> None:
            following = round(price + self.rng.choice((-0.5, 0.0, 0.5)), 1)
            self.last_ids[symbol] += 1
            now = self.now()
            back = int(self.rng.random() * self.disorder * 1e6) * 1000 if self.happens(self.disorder / 8) else 0
            volume = self.rng.randrange(1, 9) / 8
            trade = Trade(symbol, now - back, following, volume, self.last_ids[symbol], now)
            self.trades.append(trade)
            for connection in self.connections:
                if connection.alive and symbol in connection.symbols:
                    if self.happens(self.skip_rate):
                        connection.deliver(SKIPPED + symbol.encode())
                    # Only a trade between two others can be missed by anybody.
                    elif symbol not in connection.heard or self.rng.random() >= self.drop_rate:
                        connection.deliver(trade.frame())
                    connection.heard.add(symbol)
            self.schedule(symbol, mean, following)

        self.loop.at(self.rng.expovariate(1 / mean), publish)

    def cover(self, symbol: str, begin: int) -> Coverage:
        """Note that a connection carries a symbol from now on."""
        coverage = Coverage(begin)
        self.coverages[symbol].append(coverage)
        return coverage

    def connect(self, context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        """Stand in for ``connect_once``."""
        del context

        def subscribe(
            observer: abc.ObserverBase[bytes], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            connection = SimulatedConnection(self, owner, observer, self.rng.choice(self.latencies))
            self.loop.at(self.rng.choice((0.05, 2.0, 20.0)) * self.rng.random(), connection.open)
            return cast("abc.DisposableBase", connection)

        return Observable(subscribe)


@dataclass
class SimulatedRest:
    """The venue's history: behind its socket by ``lag`` seconds, failing now and then, or down.

    Args:
        venue: whose.
        lag: seconds by which it is behind.
        failures: share of the requests that fail.
        is_down: whether all fail.
        resolution: nanoseconds to which it cuts stamps.
        empty: share of the answers that hold nothing.
        late: share of the answers that begin later than was asked.
        reach: seconds after which it forgets trades; None: it forgets none.
        can_notice: whether a symbol's trade from a time on has reached the client. Where none has, nobody could notice
            that an answer begins too late, and it does not.
        hiccups: answers that were empty, or began late.
    """

    venue: SimulatedVenue
    lag: float = 0.0
    failures: float = 0.0
    is_down: bool = False
    resolution: int = 1
    requests: int = 0
    empty: float = 0.0
    late: float = 0.0
    reach: float | None = None
    can_notice: Callable[[str, int], bool] = lambda symbol, since: False
    hiccups: int = 0

    def fetch(self, symbol: str, since: int) -> Observable[PriceTick]:
        """Answer after a while with what is known then."""

        def subscribe(
            observer: abc.ObserverBase[PriceTick], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            self.requests += 1
            subscription = Disposable()
            rng = self.venue.rng

            def answer() -> None:
                if subscription.is_disposed:
                    return
                if self.is_down or rng.random() < self.failures:
                    observer.on_error(ServerRejected("503"))
                    return
                forgotten = self.forgotten()
                for tick in self.known(symbol, max(since, forgotten)):
                    observer.on_next(tick)
                if since < forgotten:
                    observer.on_error(HistoryTooShort("older ones are not kept"))
                    return
                observer.on_completed()

            self.venue.loop.at(rng.choice((0.02, 0.3, 1.5)) * rng.random(), answer)
            return subscription

        return Observable(subscribe)

    def forgotten(self) -> int:
        """Return the time before which it has forgotten all trades, nanoseconds."""
        return 0 if self.reach is None else self.venue.now() - int(self.reach * SECOND)

    def known(self, symbol: str, since: int) -> list[PriceTick]:
        """Return what it gives of the trades from a time on."""
        newest = self.venue.now() - int(self.lag * SECOND)
        ticks: list[PriceTick] = []
        for trade in self.venue.trades:
            stamp = trade.timestamp - trade.timestamp % self.resolution
            if trade.symbol == symbol and since <= stamp and trade.published <= newest:
                ticks.append(replace(trade.tick(), timestamp=stamp))
        if not self.can_notice(symbol, since):
            return ticks
        if self.venue.happens(self.empty):
            self.hiccups += 1
            return []
        if self.venue.happens(self.late):
            self.hiccups += 1
            return ticks[self.venue.rng.randrange(len(ticks) + 1) :]
        return ticks
