"""Recovery in virtual time: a venue that loses connections, and REST that lags, fails or is down."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import pytest
from simulated_venue import SKIPPED, NoResolver, SimulatedRest, SimulatedVenue, VirtualLoop

from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Channel, Message, Skipped, Venue
from rxstreams.states import StreamEvent
from rxstreams.testing import Report, compare

CHAINS: dict[str, dict[str, Any]] = {
    "plain": {},
    "flat": {"fill": "flat"},
    "previous": {"opens": "previous_close", "fill": "flat"},
    "no grace": {"grace": 0.0},
}


class UncountedKraken(Kraken):
    """A venue whose ids prove nothing."""

    contiguous_ids: ClassVar[bool] = False


class CutKraken(UncountedKraken):
    """The same, and its REST API cuts stamps so much that many are alike."""

    rest_resolution: ClassVar[int] = 10 * SECOND


class SkippingKraken(Kraken):
    """A venue that says of some trades that they may be old ones, and no more."""

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Read such a frame, or any other."""
        if frame.startswith(SKIPPED):
            return (Skipped(symbols=(frame.removeprefix(SKIPPED).decode(),), kind="trade"),)
        return super().parse(frame)


class SkippingUncountedKraken(SkippingKraken):
    """The same, with ids that prove nothing."""

    contiguous_ids: ClassVar[bool] = False


class UnorderedKraken(Kraken):
    """A venue that sends trades in no order."""

    ordered: ClassVar[bool] = False


class UnorderedUncountedKraken(UncountedKraken):
    """A venue that sends trades in no order, with ids that prove nothing."""

    ordered: ClassVar[bool] = False


@dataclass
class Run:
    """A feed over some virtual hours, and all that came out of it."""

    venue: SimulatedVenue
    rest: SimulatedRest
    feed: Stream[PriceTick]
    ticks: list[PriceTick] = field(default_factory=list[PriceTick])
    events: list[StreamEvent] = field(default_factory=list[StreamEvent])
    candles: Mapping[str, list[OHLCCandle]] = field(default_factory=lambda: defaultdict(list))
    parents: list[OHLCCandle] = field(default_factory=list[OHLCCandle])

    def kinds(self, kind: str) -> list[StreamEvent]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def has_tick(self, symbol: str, since: int) -> bool:
        """Return whether a trade of a symbol has come from a time on."""
        return any(tick.symbol == symbol and tick.timestamp >= since for tick in reversed(self.ticks))

    def reports(self) -> dict[str, Report]:
        """Hold every chain's candles against the truth."""
        trades = [trade.tick() for trade in self.venue.trades]
        found: dict[str, Report] = {}
        for name, options in CHAINS.items():
            rules = {key: value for key, value in options.items() if key in ("fill", "opens")}
            found[name] = compare(self.candles[name], trades, "1m", until=self.venue.now(), **rules)
        found["parents"] = compare(self.parents, trades, "5m", until=self.venue.now())
        return found


def run(
    seed: int,
    *,
    lag: float = 0.0,
    failures: float = 0.0,
    down_at: float | None = None,
    venue_class: type[Venue] = Kraken,
    max_hold: float = 10.0,
    drop_rate: float = 0.0,
    disorder: float = 0.0,
    hours: float = 2.0,
    empty: float = 0.0,
    late: float = 0.0,
    reach: float | None = None,
    skip_rate: float = 0.0,
) -> Run:
    """Run a feed of several symbols, from busy to quiet, that dies every few minutes."""
    rng = random.Random(seed)
    loop = VirtualLoop()
    symbols = [f"S{n}/USD" for n in range(rng.randrange(3, 9))]
    venue = SimulatedVenue(rng, loop, symbols, death_rate=1.0)
    venue.drop_rate = drop_rate
    venue.skip_rate = skip_rate
    venue.disorder = disorder
    rest = SimulatedRest(
        venue, lag, failures, resolution=venue_class.rest_resolution, empty=empty, late=late, reach=reach
    )
    config = StreamConfig(
        symbols_per_socket=-(-len(symbols) // rng.randrange(1, 4)),
        backoff=BackoffPolicy(initial=0.5, maximum=20.0, jitter="none"),
        resolver=cast("Resolver", NoResolver()),
        max_hold=max_hold,
    )
    feed: Stream[PriceTick] = Stream(
        venue_class(),
        symbols,
        Channel("trades"),
        config,
        scheduler=cast("EventLoopThreadScheduler", loop),
        connect=venue.connect,
        fetch=rest.fetch,
    )
    result = Run(venue, rest, feed)
    rest.can_notice = result.has_tick
    feed.events.subscribe(result.events.append)
    feed.subscribe(result.ticks.append)
    for name, options in CHAINS.items():
        feed.pipe(to_ohlc("1m", **options)).subscribe(result.candles[name].append)
    feed.pipe(to_ohlc("1m"), resample("5m")).subscribe(result.parents.append)
    if down_at is not None:
        loop.at(down_at, lambda: setattr(rest, "is_down", True))
    loop.advance_to(hours * 3600.0)
    return result


def check_trades(result: Run, *, all_of_them: bool) -> None:
    """Every symbol's trades came once and in order; all of them from its first one on, up to what is still held."""
    published: dict[str, list[int]] = defaultdict(list)
    arrived: dict[str, list[int]] = defaultdict(list)
    for trade in result.venue.trades:
        published[trade.symbol].append(trade.trade_id)
    for tick in result.ticks:
        assert isinstance(tick.trade_id, int)
        arrived[tick.symbol].append(tick.trade_id)
    for symbol, ids in arrived.items():
        assert ids == sorted(set(ids)), f"{symbol}: doubled or out of order"
        if all_of_them:
            first = published[symbol].index(ids[0])
            assert ids == published[symbol][first : first + len(ids)], f"{symbol}: trades are missing"


def check_promise(result: Run) -> dict[str, Report]:
    """No candle says complete and is not the true one, in its last revision."""
    reports = result.reports()
    for name, report in reports.items():
        assert report.promise_kept, f"{name}: {report}"
    return reports


@pytest.mark.parametrize("venue_class", [Kraken, UncountedKraken, CutKraken])
@pytest.mark.parametrize("lag", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_recovery_when_rest_lags_then_nothing_is_lost_and_all_is_complete(
    seed: int, lag: float, venue_class: type[Venue]
) -> None:
    """Dozens of deaths: each trade once, in order; each candle after a symbol's since complete and never changed."""
    result = run(seed, lag=lag, venue_class=venue_class, max_hold=60.0)  # longer than any absence
    assert len(result.kinds("loss")) > 5
    assert result.kinds("lost") == []
    check_trades(result, all_of_them=True)
    begin = max(tick.since for tick in result.ticks)
    for name, report in check_promise(result).items():
        assert report.retracted == [], name
        late = [d.candle for d in report.incomplete_wrong if d.candle.open_time >= begin]
        assert late == [], name
    for name in ("plain", "no grace"):
        unproven = [c for c in last_revisions(result.candles[name]) if not c.complete and c.open_time >= begin]
        assert unproven == [], name


@pytest.mark.parametrize("venue_class", [Kraken, UncountedKraken, CutKraken])
@pytest.mark.parametrize("seed", range(6))
def test_recovery_when_rest_fails_often_then_the_promise_holds(seed: int, venue_class: type[Venue]) -> None:
    """Some gaps are lost, some are not: no trade is doubled, no candle is called complete that is not."""
    result = run(seed, lag=2.0, failures=0.7, venue_class=venue_class)
    check_trades(result, all_of_them=False)
    check_promise(result)


@pytest.mark.parametrize("venue_class", [Kraken, UncountedKraken, CutKraken])
@pytest.mark.parametrize("seed", range(4))
def test_recovery_when_answers_are_empty_or_begin_late_then_nothing_is_lost_where_a_later_one_is_good(
    seed: int, venue_class: type[Venue]
) -> None:
    """Half of them, each with the venue's word that it is all: none of them closes a gap."""
    result = run(seed, lag=0.5, venue_class=venue_class, max_hold=60.0, empty=0.25, late=0.25)
    assert result.rest.hiccups > 10
    assert result.kinds("recovered")
    check_promise(result)
    if not result.kinds("lost"):
        check_trades(result, all_of_them=True)


@pytest.mark.parametrize("venue_class", [Kraken, UncountedKraken, CutKraken])
@pytest.mark.parametrize("seed", range(4))
def test_recovery_when_all_answers_are_bad_then_the_promise_holds(seed: int, venue_class: type[Venue]) -> None:
    """Every gap that has a known trade before it is lost, and says so."""
    result = run(seed, venue_class=venue_class, empty=0.5, late=1.0)
    assert result.kinds("lost")
    check_trades(result, all_of_them=False)
    check_promise(result)


@pytest.mark.parametrize("venue_class", [Kraken, UncountedKraken, CutKraken])
@pytest.mark.parametrize("reach", [30.0, 120.0, 600.0])
@pytest.mark.parametrize("seed", range(3))
def test_recovery_when_rest_forgets_what_is_old_then_the_promise_holds(
    seed: int, reach: float, venue_class: type[Venue]
) -> None:
    """Some symbols were quiet for longer, some losses last longer; answers are bad now and then as well."""
    result = run(seed, lag=0.5, venue_class=venue_class, reach=reach, empty=0.1, late=0.1, drop_rate=0.0)
    assert result.kinds("recovered")
    check_trades(result, all_of_them=False)
    check_promise(result)


@pytest.mark.parametrize("venue_class", [SkippingKraken, SkippingUncountedKraken])
@pytest.mark.parametrize(("failures", "max_hold"), [(0.0, 60.0), (0.7, 10.0)])
@pytest.mark.parametrize("seed", range(3))
def test_recovery_when_living_lines_skip_trades_then_the_promise_holds(
    seed: int, failures: float, max_hold: float, venue_class: type[Venue]
) -> None:
    """Each is fetched, or the coverage of its symbol begins anew; no connection is lost for it."""
    result = run(
        seed, lag=1.0, failures=failures, max_hold=max_hold, venue_class=venue_class, skip_rate=0.02, disorder=1.0
    )
    assert result.feed.stats.unknown_messages > 10
    check_promise(result)
    sent = [(tick.symbol, tick.trade_id) for tick in result.ticks]
    assert len(set(sent)) == len(sent)


@pytest.mark.parametrize("venue_class", [UnorderedKraken, UnorderedUncountedKraken])
@pytest.mark.parametrize("seed", range(4))
def test_recovery_when_the_venue_sends_no_order_then_trades_come_sorted_and_the_promise_holds(
    seed: int, venue_class: type[Venue]
) -> None:
    """Each trade once; each candle after a symbol's since complete; few are late, where a line broke."""
    result = run(seed, lag=1.0, venue_class=venue_class, max_hold=60.0, disorder=1.9)
    assert len(result.kinds("loss")) > 5
    assert result.kinds("lost") == []
    published = {(trade.symbol, trade.trade_id) for trade in result.venue.trades}
    sent = [(tick.symbol, tick.trade_id) for tick in result.ticks]
    assert len(set(sent)) == len(sent)
    end = result.ticks[-1].timestamp - 120 * SECOND  # later ones may still be held
    begin = max(tick.since for tick in result.ticks)
    known = {(t.symbol, t.trade_id) for t in result.venue.trades if begin <= t.timestamp < end}
    assert known <= set(sent) <= published
    stamps: dict[str, int] = {}
    late = 0
    for tick in result.ticks:
        late += tick.timestamp < stamps.get(tick.symbol, 0)
        stamps[tick.symbol] = max(tick.timestamp, stamps.get(tick.symbol, 0))
    overtaken = sum(trade.timestamp < trade.published for trade in result.venue.trades)
    assert overtaken > 50
    assert late < 2 * len(result.kinds("loss")) < overtaken
    for name, report in check_promise(result).items():
        wrong = [d.candle for d in report.incomplete_wrong if d.candle.open_time >= begin]
        assert wrong == [], name


@pytest.mark.parametrize("seed", range(6))
def test_recovery_when_rest_is_down_for_good_then_only_what_overlaps_a_loss_is_incomplete(seed: int) -> None:
    """After the last recovered gap every loss is lost; the feed lives on and says so."""
    result = run(seed, down_at=1800.0)
    check_trades(result, all_of_them=False)
    check_promise(result)
    assert result.kinds("lost")
    assert result.feed.error is None
    # From the last thing known of the old connection to the acknowledgement on the new one.
    losses: dict[str, list[tuple[int, int]]] = defaultdict(list)
    newest: dict[str, PriceTick] = {}
    for tick in result.ticks:
        before = newest.get(tick.symbol)
        if before is not None and tick.since > before.since:
            losses[tick.symbol].append((before.timestamp, tick.since))
        newest[tick.symbol] = tick
    begin = {symbol: min(t.since for t in result.ticks if t.symbol == symbol) for symbol in newest}
    for candle in last_revisions(result.candles["plain"]):
        touched = any(a < candle.close_time and candle.open_time < b for a, b in losses[candle.symbol])
        if candle.open_time >= begin[candle.symbol] and not touched:
            assert candle.complete, repr(candle)


@pytest.mark.parametrize("seed", range(10, 18))
def test_recovery_when_living_lines_swallow_trades_then_the_promise_holds(seed: int) -> None:
    """A loss that shows with a symbol's next trade only, perhaps minutes later, or on the next connection."""
    result = run(seed, lag=0.5, drop_rate=0.01, max_hold=60.0)
    check_trades(result, all_of_them=True)
    heard = {tick.symbol: tick.timestamp for tick in result.ticks}
    for name, report in result.reports().items():
        # Of what came after a symbol's last trade nobody can know yet.
        known = [d for d in report.complete_wrong if d.candle.close_time <= heard[d.candle.symbol]]
        assert known == [], name


def last_revisions(candles: list[OHLCCandle]) -> list[OHLCCandle]:
    """Return the closed candles, each in its last revision."""
    return list({(c.symbol, c.open_time): c for c in candles if c.closed}.values())
