"""Native candles in virtual time: lines that break, frames that are lost, and REST that lags, fails or is down."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from simulated_venue import START, NoResolver, VirtualLoop

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.errors import ConnectionLost, MessageError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Acknowledged, Channel, Message, Unknown, Venue
from rxstreams.states import StreamEvent
from rxstreams.testing import candles_of
from rxstreams.testing.candles import TrueCandle
from rxstreams.timeframe import Timeframe

SYMBOLS = ("A/USD", "B/USD", "C/USD")
PACES = (0.7, 6.0, 25.0)  # seconds between two trades of each
BASE, LONGER = "10s", "30s"
WIDTH = 10 * SECOND
LASTS = 600.0  # seconds of each simulation
PAST = 120.0  # seconds that the market has traded before

Fill = Literal["flat", "skip"]


class PlainVenue(Venue):
    """Its frames are looked up; without a flag, flat."""

    name: ClassVar[str] = "plain"
    url: ClassVar[str] = "ws://127.0.0.1:9"
    documentation: ClassVar[tuple[str, str]] = ("", "")
    fill: ClassVar[Fill] = "flat"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return nothing that anybody reads."""
        return "subscribe"

    unsubscribe_frame = subscribe_frame

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what was put there for it."""
        if frame == b"garbage":
            raise MessageError("garbage")
        return self.messages


class FlaggingVenue(PlainVenue):
    """Says which candles are closed, and has none of intervals without trades."""

    fill: ClassVar[Fill] = "skip"
    closes_candles: ClassVar[bool] = True


class ChangingVenue(FlaggingVenue):
    """Sends late trades in updates of candles after which those of later intervals came."""

    closes_candles: ClassVar[bool] = False
    candles_may_change: ClassVar[bool] = True


@dataclass
class Simulation:
    """A market, its venue's candle channel and REST API, and a feed of it."""

    seed: int
    venue: PlainVenue
    history: int = 0
    rest_fails: float = 0.0
    lag: float = 0.5
    broken: float = 0.02
    acknowledges_time: bool = True
    sent: list[OHLCCandle] = field(default_factory=list[OHLCCandle])
    parents: list[OHLCCandle] = field(default_factory=list[OHLCCandle])
    events: list[StreamEvent] = field(default_factory=list[StreamEvent])

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.loop = VirtualLoop()
        self.socket: abc.ObserverBase[bytes] | None = None
        self.up = False
        self.trades = {symbol: self.make_trades(symbol, pace) for symbol, pace in zip(SYMBOLS, PACES, strict=True)}
        self.final = {symbol: self.truth(symbol, BASE) for symbol in SYMBOLS}
        self.stamps = {symbol: [trade.timestamp for trade in trades] for symbol, trades in self.trades.items()}

    def make_trades(self, symbol: str, pace: float) -> list[PriceTick]:
        """Return a random walk; some trades lie on the edge of an interval."""
        rng, time, price = self.rng, -PAST, 100.0
        trades: list[PriceTick] = []
        while (time := time + rng.expovariate(1 / pace)) < LASTS:
            if rng.random() < 0.05:
                time = float(-(-time // 10) * 10)
            price = round(price + rng.choice((-1.0, 0.0, 1.0)), 2)
            stamp = START + round(time * 1000) * SECOND // 1000
            volume = rng.randrange(1, 100) / 8
            trades.append(PriceTick(symbol=symbol, price=price, volume=volume, timestamp=stamp, exchange="plain"))
        return trades

    @property
    def now(self) -> int:
        """The venue's time."""
        return START + round(self.loop.to_seconds(self.loop.now) * SECOND)

    def truth(self, symbol: str, timeframe: str) -> dict[int, TrueCandle]:
        """Return the venue's candles of all trades, by open time."""
        until = START + round(LASTS + 60.0) * SECOND
        trades = self.trades[symbol]
        return {c.open_time: c for c in candles_of(trades, timeframe, fill=self.venue.fill, until=until)}

    def state(self, symbol: str, now: int) -> TrueCandle | None:
        """Return the candle of the interval that holds an instant, of the trades up to it; None: there are none."""
        first = bisect_left(self.stamps[symbol], now // WIDTH * WIDTH)
        trades = self.trades[symbol][first : bisect_right(self.stamps[symbol], now)]
        return candles_of(trades, BASE)[0] if trades else None

    # The venue

    def connect(self, context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        """Open a moment after the subscription, acknowledge, and break some time later."""
        rng = self.rng

        def subscribe(observer: abc.ObserverBase[bytes], scheduler: Any = None) -> abc.DisposableBase:
            alive = [True]

            def if_alive(action: Callable[[], None]) -> Callable[[], None]:
                return lambda: action() if alive[0] else None

            def open() -> None:
                self.socket = observer
                owner.on_open(cast("Connection", self))
                for symbol in SYMBOLS:
                    self.loop.at(rng.choice((0.01, 0.5, 3.0)) * rng.random(), if_alive(lambda s=symbol: acknowledge(s)))  # type: ignore[misc]  # mypy can't infer lambda defaults

            def acknowledge(symbol: str) -> None:
                self.subscribed.add(symbol)
                time = self.now if self.acknowledges_time else 0
                self.push(Acknowledged(symbols=(symbol,), time=time))

            def die() -> None:
                alive[0] = False
                self.socket = None
                self.subscribed.clear()
                observer.on_error(ConnectionLost("simulated"))

            self.loop.at(rng.expovariate(1 / 8.0), if_alive(open))
            self.loop.at(rng.expovariate(1 / 70.0) + 10.0, if_alive(die))

            def dispose() -> None:
                alive[0] = False

            return Disposable(dispose)

        return Observable(subscribe)

    def send(self, frames: list[str]) -> None:
        """Stand in for the connection's."""

    def check_streaming(self) -> None:
        """Stand in for the connection's."""

    def note_words(self, message: Unknown) -> None:
        """Stand in for the connection's."""

    def fail(self, error: Exception) -> None:
        """Stand in for the connection's."""

    def push(self, *messages: Message) -> None:
        """Let a message arrive, or garbage in its place."""
        if self.socket is None:
            return
        if not isinstance(messages[0], Acknowledged) and self.rng.random() < self.broken:
            self.socket.on_next(b"garbage")
            return
        self.venue.messages = list(messages)
        self.socket.on_next(b"frame")

    def to_candle(self, true: TrueCandle, *, closed: bool = False, timeframe: str = BASE) -> OHLCCandle:
        """Return a candle as the venue's parser makes it."""
        return OHLCCandle(
            symbol=true.symbol,
            timeframe=timeframe,
            open_time=true.open_time,
            open=true.open,
            high=true.high,
            low=true.low,
            close=true.close,
            volume=true.volume,
            trades=true.trades,
            exchange=true.exchange,
            closed=closed,
            complete=closed,
        )

    def is_late(self, trade: PriceTick) -> bool:
        """Return whether a trade is told of late: one that ends its interval, of a venue whose candles may change."""
        if not self.venue.candles_may_change or trade.timestamp // SECOND % 3:
            return False
        stamps = self.stamps[trade.symbol]
        following = bisect_right(stamps, trade.timestamp)
        return following < len(stamps) and stamps[following] // WIDTH > trade.timestamp // WIDTH

    def on_trade(self, trade: PriceTick) -> None:
        """Send the running state of a candle."""
        if trade.symbol in self.subscribed:
            state = self.state(trade.symbol, trade.timestamp)
            assert state is not None
            self.push(self.to_candle(state))

    def on_boundary(self, symbol: str) -> None:
        """Say that a candle is closed, if the venue says so."""
        end = self.now // WIDTH * WIDTH
        if self.venue.closes_candles and symbol in self.subscribed:
            state = self.state(symbol, end - 1)
            if state is not None:
                self.push(self.to_candle(state, closed=True))

    def fetch(self, symbol: str, since: int, on_time: Callable[[int], object]) -> Observable[OHLCCandle]:
        """Answer what was so some time ago, or fail, or say nothing."""
        chance = self.rng.random()
        if chance < self.rest_fails:
            if chance < self.rest_fails / 3:
                return reactivex.never()
            return reactivex.timer(0.05).pipe(ops.flat_map(lambda _: reactivex.throw(ConnectionLost("REST"))))
        on_time(self.now)
        now = self.now - round(self.rng.random() * self.lag * SECOND)
        candles = [true for true in self.final[symbol].values() if since <= true.open_time <= now]
        rows = [self.to_candle(true, closed=True) for true in candles if true.close_time <= now]
        running = self.state(symbol, now) or (candles[-1] if candles and self.venue.fill == "flat" else None)
        if running is not None and running.open_time >= since and running.close_time > now:
            rows.append(self.to_candle(running))
        return reactivex.timer(self.rng.choice((0.01, 0.3))).pipe(ops.flat_map(lambda _: reactivex.from_iterable(rows)))

    def run(self) -> Simulation:
        """Play it all."""
        self.subscribed: set[str] = set()
        random.seed(self.seed)  # the jitter of the attempts
        feed: Stream[OHLCCandle] = Stream(
            self.venue,
            SYMBOLS,
            Channel("candles", Timeframe(BASE), self.history),
            StreamConfig(backoff=BackoffPolicy(initial=0.5, maximum=20.0), resolver=cast("Resolver", NoResolver())),
            scheduler=cast("EventLoopThreadScheduler", self.loop),
            connect=self.connect,
            fetch_candles=None if self.rest_fails >= 1.0 else self.fetch,
        )
        feed.events.subscribe(self.events.append)
        feed.subscribe(self.sent.append)
        feed.pipe(resample(LONGER)).subscribe(self.parents.append)
        for trade in sorted((t for trades in self.trades.values() for t in trades), key=lambda t: t.timestamp):
            after = (trade.timestamp - START) / SECOND
            if after > 0:
                late = 3.0 if self.is_late(trade) else 1e-4
                self.loop.at(after + late, lambda t=trade: self.on_trade(t))  # type: ignore[misc]  # mypy can't infer lambda defaults
        for number in range(int(LASTS) // 10):
            for place, symbol in enumerate(SYMBOLS):
                self.loop.at(10.0 * number + 1e-5 * place, lambda s=symbol: self.on_boundary(s))  # type: ignore[misc]  # mypy can't infer lambda defaults
        self.loop.advance_to(LASTS + 15.0)
        return self

    # What came of it

    def closed(self, symbol: str) -> list[OHLCCandle]:
        """Return the closed candles of a symbol, as they came."""
        return [candle for candle in self.sent if candle.symbol == symbol and candle.closed]

    def lost(self, symbol: str) -> bool:
        """Return whether candles of a symbol were lost for good."""
        return any(event.kind == "lost" and symbol in event.symbols for event in self.events)

    def check(self) -> None:
        """Hold everything against the truth."""
        for symbol in SYMBOLS:
            closed = self.closed(symbol)
            times = [candle.open_time for candle in closed]
            assert times == sorted(set(times))
            truth = self.final[symbol]
            for candle in closed:
                if candle.complete:
                    assert same(candle, truth[candle.open_time]), (symbol, candle, truth[candle.open_time])
            if closed and not self.lost(symbol):
                assert times == [time for time in truth if times[0] <= time <= times[-1]]
                # Only the first one, if even REST did not help, may be wanting.
                assert all(candle.complete for candle in closed[self.rest_fails >= 1.0 :])
            self.check_order(symbol)
            longer = self.truth(symbol, LONGER)
            for parent in self.parents:
                if parent.symbol == symbol and parent.closed and parent.complete:
                    true = longer.get(parent.open_time)
                    assert true is not None
                    assert same(parent, true), (parent, true)

    def check_order(self, symbol: str) -> None:
        """Open candles are never of an interval that was closed before."""
        end = 0
        for candle in self.sent:
            if candle.symbol == symbol:
                assert candle.open_time >= end
                assert candle.closed or not candle.complete
                end = candle.close_time if candle.closed else end


def same(candle: OHLCCandle, true: TrueCandle) -> bool:
    """Return whether a candle has the true prices and volume."""
    return (candle.open, candle.high, candle.low, candle.close, candle.trades, candle.volume) == (
        (true.open, true.high, true.low, true.close, true.trades, true.volume)
    )


VENUES: list[type[PlainVenue]] = [PlainVenue, FlaggingVenue, ChangingVenue]
SEEDS = range(6)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", SEEDS)
def test_native_candles_when_rest_answers_then_each_interval_comes_once_and_complete(
    seed: int, venue: type[PlainVenue]
) -> None:
    """Whatever the line does: no hole, nothing twice, in order, and everything is true."""
    simulation = Simulation(seed, venue(), acknowledges_time=bool(seed % 2)).run()
    simulation.check()
    assert not any(event.kind == "lost" for event in simulation.events)
    assert sum(event.kind == "loss" for event in simulation.events) >= 2
    assert len(simulation.closed(SYMBOLS[0])) >= 40


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", SEEDS)
def test_native_candles_when_rest_fails_and_lags_then_what_is_called_complete_is_true(
    seed: int, venue: type[PlainVenue]
) -> None:
    """Half of the requests fail or hang, and answers are up to 8 s old."""
    simulation = Simulation(seed, venue(), rest_fails=0.5, lag=8.0, broken=0.05).run()
    simulation.check()
    assert any(candle.complete for candle in simulation.sent)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", SEEDS)
def test_native_candles_when_there_is_no_rest_then_what_is_called_complete_is_true(
    seed: int, venue: type[PlainVenue]
) -> None:
    """Most candles are complete all the same: those that no loss has touched; none of those that may change."""
    simulation = Simulation(seed, venue(), rest_fails=1.0).run()
    simulation.check()
    closed = simulation.closed(SYMBOLS[0])
    assert any(candle.complete for candle in closed) is not venue.candles_may_change
    assert any(not candle.complete for candle in closed)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", SEEDS)
def test_native_candles_when_history_is_wanted_then_live_joins_it(seed: int, venue: type[PlainVenue]) -> None:
    """From the fifth interval before the line's beginning on; also where only REST tells the time: ours is far off."""
    simulation = Simulation(seed, venue(), history=5, lag=2.0, acknowledges_time=bool(seed % 2)).run()
    simulation.check()
    for symbol in SYMBOLS:
        assert simulation.closed(symbol)[0].span == 0
    closed = simulation.closed(SYMBOLS[0])
    begun = next(c.open_time for c in simulation.sent if c.symbol == SYMBOLS[0] and c.span)
    before = {time for time in simulation.final[SYMBOLS[0]] if begun - 5 * WIDTH <= time < begun}
    assert before <= {candle.open_time for candle in closed}
