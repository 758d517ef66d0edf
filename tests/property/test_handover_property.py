"""Hand-overs in virtual time: connections of all kinds replaced by others, with and without losses in between."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import pytest
from msgspec.structs import replace
from reactivex import Observable
from reactivex import operators as ops
from simulated_venue import NoResolver, SimulatedRest, SimulatedVenue, VirtualLoop

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Acknowledged, Channel, Goodbye, Message
from rxstreams.states import StreamEvent
from rxstreams.testing import compare
from rxstreams.timeframe import Timeframe

LASTS = 1800.0  # seconds
ON_THE_WIRE = 10 * SECOND
HELD = 90 * SECOND  # of a gap that is open at the end


class Uncounted(Kraken):
    """Ids that prove nothing, and acknowledgements that don't say when."""

    contiguous_ids: ClassVar[bool] = False
    has_ids: ClassVar[bool] = True
    has_times: ClassVar[bool] = False

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Take away what the venue does not say."""
        for message in super().parse(frame):
            if isinstance(message, PriceTick):
                yield message if self.has_ids else without_id(message)
            elif not isinstance(message, Acknowledged):
                yield message
            elif self.acknowledges:
                yield message if self.has_times else replace(message, time=0)


class Anonymous(Uncounted):
    """No ids, but the time of each acknowledgement."""

    has_ids: ClassVar[bool] = False
    has_times: ClassVar[bool] = True


class AnonymousWithoutTimes(Uncounted):
    """Neither ids nor the times of acknowledgements."""

    has_ids: ClassVar[bool] = False


class Silent(AnonymousWithoutTimes):
    """Acknowledges nothing."""

    acknowledges: ClassVar[bool] = False


class Polite(Kraken):
    """Says when it will close a connection."""

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Read a goodbye."""
        return (Goodbye(reason="restart"),) if frame == b"goodbye" else super().parse(frame)


class PoliteAndAnonymous(AnonymousWithoutTimes):
    """The same of the venue that says the least."""

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Read a goodbye."""
        if frame == b"goodbye":
            yield Goodbye(reason="restart")
        else:
            yield from super().parse(frame)


VENUES: list[type[Kraken]] = [Kraken, Uncounted, Anonymous, AnonymousWithoutTimes, Silent]


def without_id(tick: PriceTick) -> PriceTick:
    """Return the same without its id."""
    return replace(tick, trade_id=None)


@dataclass
class Audience:
    """Candles of one kind, of which each is compared with the truth."""

    timeframe: str
    fill: Literal["skip", "flat"] = "skip"
    candles: list[OHLCCandle] = field(default_factory=list[OHLCCandle])

    def join(self, feed: Stream[PriceTick]) -> Audience:
        """Make them from now on."""
        minutes = feed.pipe(to_ohlc("1m", fill=self.fill))
        chain = minutes if self.timeframe == "1m" else minutes.pipe(resample(self.timeframe))
        chain.subscribe(self.candles.append)
        return self


@dataclass
class Handovers:
    """A feed whose connections are replaced every minute, and all that came of it."""

    seed: int
    venue: Kraken
    disorder: float = 0.0
    death_rate: float = 0.0
    garble_rate: float = 0.0
    drop_rate: float = 0.0
    rest_fails: float = 0.0
    history: bool = False
    meddles: bool = False
    max_age: float | None = 60.0
    closes: bool = False  # some time after it has said goodbye
    ticks: list[PriceTick] = field(default_factory=list[PriceTick])
    events: Counter[str] = field(default_factory=Counter[str])
    audiences: list[Audience] = field(default_factory=list["Audience"])

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        random.seed(self.seed)  # the age of each connection, and the jitter of the attempts
        self.loop = VirtualLoop()
        self.symbols = [f"S{number}/USD" for number in range(self.rng.randrange(4, 7))]
        self.market = SimulatedVenue(self.rng, self.loop, self.symbols, self.death_rate)
        self.market.disorder = self.disorder
        self.market.garble_rate = self.garble_rate
        self.market.drop_rate = self.drop_rate
        if self.venue.acknowledges:
            self.market.latencies = self.rng.choice(((0.01, 0.1, 0.4), (0.01, 5.0)))
        else:
            self.market.answer_times = (0.0, 0.05)  # one can only believe that it has subscribed at once
        self.rest = SimulatedRest(self.market, self.rng.choice((0.0, 1.0, 4.0)), self.rest_fails)

    def run(self) -> Handovers:
        """Play it all, with a late subscriber."""
        feed: Stream[PriceTick] = Stream(
            self.venue,
            self.symbols,
            Channel("trades", running=Timeframe("1m") if self.history else None),
            StreamConfig(
                backoff=BackoffPolicy(initial=0.5, maximum=5.0, jitter="none"),
                resolver=cast("Resolver", NoResolver()),
                max_age=self.max_age,
                max_hold=60.0,
                max_bad_share=1.0,
            ),
            scheduler=cast("EventLoopThreadScheduler", self.loop),
            connect=self.market.connect,
            fetch=self.fetch,
        )
        self.feed = feed
        feed.events.subscribe(self.on_event)
        feed.subscribe(self.ticks.append)
        self.join()
        self.loop.at(self.rng.random() * LASTS, self.join)
        if self.max_age is None:
            self.loop.at(60.0, self.say_goodbye)
        if self.meddles:
            self.loop.at(30.0, self.meddle)
        self.loop.advance_to(LASTS)
        return self

    def fetch(self, symbol: str, since: int) -> Observable[PriceTick]:
        """Ask REST, which knows no more ids than the socket."""
        if getattr(self.venue, "has_ids", True):
            return self.rest.fetch(symbol, since)
        return self.rest.fetch(symbol, since).pipe(ops.map(without_id))

    def on_event(self, event: StreamEvent) -> None:
        """Count it."""
        self.events[event.kind] += 1

    def join(self) -> None:
        """Make candles from now on."""
        for audience in (Audience("1m"), Audience("1m", "flat"), Audience("5m")):
            self.audiences.append(audience.join(self.feed))

    def meddle(self) -> None:
        """Remove a symbol or add it again, now and then."""
        symbol = self.rng.choice(self.symbols)
        (self.feed.remove if self.rng.random() < 0.5 else self.feed.add)([symbol])
        self.loop.at(self.rng.expovariate(1 / 120.0), self.meddle)

    def say_goodbye(self) -> None:
        """Tell all clients that their connections will be closed, and perhaps do it."""
        for connection in self.market.connections:
            if connection.alive and not connection.disposed:
                connection.deliver(b"goodbye")
                if self.closes:
                    self.loop.at(self.rng.uniform(0.0, 60.0), connection.die)
        self.loop.at(self.rng.uniform(50.0, 100.0), self.say_goodbye)

    # What came of it

    def check_promise(self) -> None:
        """No candle says complete and is not the true one, in its last revision."""
        trades = [trade.tick() for trade in self.market.trades]
        heard = {tick.symbol: tick.timestamp for tick in self.ticks}
        until = self.market.now() - ON_THE_WIRE
        for audience in self.audiences:
            report = compare(audience.candles, trades, audience.timeframe, until=until, fill=audience.fill)
            # What a living line swallows shows with its symbol's next trade.
            known = [d for d in report.complete_wrong if d.candle.close_time <= heard[d.candle.symbol]]
            assert [str(d) for d in known] == []
            assert report.out_of_order == []
            assert [candle for candle in report.extra if candle.complete] == []

    def check_trades(self, *, all_of_them: bool) -> None:
        """Every trade came once, in order up to the disorder; all of them since the symbol's first, up to the end."""
        published: dict[str, dict[tuple[int, float, float], int]] = defaultdict(dict)
        for number, trade in enumerate(self.market.trades):
            published[trade.symbol][trade.timestamp, trade.price, trade.volume] = number
        newest: dict[str, int] = defaultdict(int)
        arrived: dict[str, list[int]] = defaultdict(list)
        for tick in self.ticks:
            assert tick.timestamp >= newest[tick.symbol] - self.disorder * SECOND, "out of order"
            newest[tick.symbol] = max(newest[tick.symbol], tick.timestamp)
            arrived[tick.symbol].append(published[tick.symbol][tick.timestamp, tick.price, tick.volume])
        for symbol, numbers in arrived.items():
            assert len(numbers) == len(set(numbers)), f"{symbol}: doubled"
            if all_of_them:
                first = min(numbers)
                due = {
                    number
                    for number in published[symbol].values()
                    if number >= first and self.market.trades[number].published < self.market.now() - HELD
                }
                assert due <= set(numbers), f"{symbol}: trades are missing"
        assert arrived


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(2))
def test_hand_over_when_nothing_breaks_then_nobody_notices(seed: int, venue: type[Kraken]) -> None:
    """Some twenty connections one after another: each trade once, in order, on one since, without asking REST."""
    result = Handovers(seed, venue(), disorder=2.0 * (seed % 2)).run()
    assert result.feed.stats.connects > 10
    assert set(result.events) == {"state"}
    assert result.rest.requests == 0
    result.check_trades(all_of_them=True)
    result.check_promise()
    begun = {tick.symbol: tick.since for tick in reversed(result.ticks)}
    assert all(tick.since == begun[tick.symbol] for tick in result.ticks)
    candles = result.audiences[0].candles
    assert all(candle.complete for candle in candles if candle.closed and candle.open_time >= max(begun.values()))


@pytest.mark.parametrize("venue", [Polite, PoliteAndAnonymous])
@pytest.mark.parametrize("seed", range(3))
def test_hand_over_when_the_venue_asks_for_it_then_nobody_notices(seed: int, venue: type[Kraken]) -> None:
    """Without ``max_age``: each goodbye is followed by another connection, without a loss and without asking REST."""
    result = Handovers(seed, venue(), max_age=None).run()
    assert result.feed.stats.connects > 10
    assert set(result.events) == {"state"}
    assert result.rest.requests == 0
    result.check_trades(all_of_them=True)
    result.check_promise()


@pytest.mark.parametrize("venue", [Polite, PoliteAndAnonymous])
@pytest.mark.parametrize("seed", range(3))
def test_hand_over_when_the_venue_closes_soon_after_its_goodbye_then_nothing_is_lost(
    seed: int, venue: type[Kraken]
) -> None:
    """Sometimes before the next connection has taken over."""
    result = Handovers(seed, venue(), disorder=2.0 * (seed % 2), max_age=None, closes=True).run()
    assert result.feed.stats.connects > result.events["loss"]
    assert result.events["lost"] == 0
    result.check_trades(all_of_them=True)
    result.check_promise()


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", [3, 4, 13])
def test_hand_over_when_connections_die_too_then_nothing_is_lost(seed: int, venue: type[Kraken]) -> None:
    """Before it, during it and after it; with frames that nobody can read, and ids that living lines swallow."""
    swallows = 0.003 if venue.contiguous_ids else 0.0
    result = Handovers(
        seed, venue(), disorder=2.0 * (seed % 2), death_rate=1.0, garble_rate=0.003, drop_rate=swallows
    ).run()
    assert result.events["loss"]
    assert result.events["lost"] == 0
    assert result.feed.stats.connects > result.events["loss"] + 5
    result.check_trades(all_of_them=True)
    result.check_promise()


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", [0, 20])
def test_hand_over_when_rest_fails_and_symbols_come_and_go_then_the_promise_holds(
    seed: int, venue: type[Kraken]
) -> None:
    """Some gaps are lost, and each symbol begins with its running minute."""
    result = Handovers(
        seed, venue(), death_rate=1.0, garble_rate=0.003, rest_fails=0.6, history=True, meddles=True
    ).run()
    assert result.feed.stats.connects > 5
    result.check_trades(all_of_them=False)
    result.check_promise()
