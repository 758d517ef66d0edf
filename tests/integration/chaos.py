"""A feed in a bad world: 200,000 trades, 100 faults, and what came of it. All of a run follows from its seed.

Each venue may be the one that breaks; a run has 20 symbols of its kind, of which the fifth and the fifteenth are quiet.
"""

from __future__ import annotations

import gc
import logging
import random
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal

from reactivex import Observable
from venue_world import symbols_of

from rxstreams.backoff import BackoffPolicy
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.sources import venue
from rxstreams.states import StreamEvent
from rxstreams.testing import (
    AnyFault,
    CloseAfter,
    CutFrame,
    DropAfter,
    DropRest,
    Duplicate,
    FakeExchange,
    Garbage,
    Market,
    RestStatus,
    SlowAck,
    SlowRest,
    StaleRest,
    StallAfter,
    compare,
    fast_config,
)
from rxstreams.testing.formats import format_of

TRADES = 200_000
SYMBOLS = 20
_QUIET = {4: 1 / 90, 14: 1 / 500}  # trades a second
_PER_SOCKET = 10
_RATE = 20.0  # trades a second of all symbols together: 200,000 are almost three hours
_PATIENCE = 45.0
_ABSENCE = 60.0  # seconds of the market that a broken line costs, at most
_STALE, _SETTLE = 0.08, 0.1  # seconds by which the half of all REST answers is behind, and that the feed allows for
_MINUTE = 60 * SECOND
_TAIL = 10 * SECOND
_BREAKS = [*["drop"] * 12, *["reset"] * 8, *["cut"] * 4, *["cut and reset"] * 4, *["stall"] * 6, *["close"] * 4]
_STAY = [*["duplicate"] * 12, *["garbage"] * 8, *["late acknowledgement"] * 7, *["early data"] * 7]
_REST = [
    *["too many"] * 7,
    *["too many for 0 s"] * 4,
    "too many for 1 s",
    *["unavailable"] * 4,
    *["cut"] * 6,
    *["slow"] * 6,
]
BREAKS = len(_BREAKS)
FAULTS = BREAKS + len(_STAY) + len(_REST)


@dataclass
class Outcome:
    """What came of a run.

    Everything in ``wrong`` is not as it should be; what is in ``broken`` as well breaks the promise: something that is
    called true is not.
    """

    seed: int
    wrong: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])
    published: int = 0
    arrived: int = 0
    losses: int = 0
    recovered: int = 0
    struck: int = 0
    missed: int = 0
    refused: int = 0
    bad_messages: int = 0
    duplicates: int = 0
    complete: int = 0
    revisions: int = 0
    seconds: float = 0.0


def market(seed: int, symbols: Sequence[str]) -> Market:
    """Return a market without end: two symbols are quiet, the others are busy, each at its own rate."""
    rng = random.Random(f"rates {seed}")
    weights = {number: rng.uniform(0.6, 1.6) for number in range(len(symbols)) if number not in _QUIET}
    scale = _RATE / sum(weights.values())
    rates = {symbol: _QUIET.get(number) or weights[number] * scale for number, symbol in enumerate(symbols)}
    return Market(symbols, seed=seed, rate=rates)


def past(seed: int, symbols: Sequence[str]) -> list[PriceTick]:
    """Return a trade of each symbol, a minute before the market: pages of a venue that has traded are never empty."""
    before = market(seed, symbols).start - _MINUTE
    return [PriceTick(symbol=each, price=1.0, volume=1.0, timestamp=before, trade_id=999_999) for each in symbols]


def script(seed: int, trades: int = TRADES) -> list[AnyFault]:
    """Return 100 faults in an order and at times that the seed decides; that every other REST answer lags comes on top.

    Each connection from the first on is broken by one fault; the times are such that the last one strikes before nine
    tenths of the trades are played.
    """
    rng = random.Random(f"faults {seed}")
    breaks = rng.sample(_BREAKS, len(_BREAKS))
    weights = [rng.uniform(0.1, 2.0) for _ in breaks]
    lives = [round(0.8 * trades * weight / sum(weights)) for weight in weights]
    faults: list[AnyFault] = [StaleRest(_STALE, request=range(0, 10_000, 2))]
    for number, (kind, life) in enumerate(zip(breaks, lives, strict=True)):
        faults.append(_break(kind, number, life, rng))
    # The first acknowledgements are in time: with them the coverage begins.
    for kind, number in zip(_STAY, _spread(len(_STAY), range(2, len(breaks)), rng), strict=True):
        faults.append(_annoyance(kind, number, lives[number], rng))
    for kind, request in zip(_REST, rng.sample(range(3 * len(breaks)), len(_REST)), strict=True):
        faults.append(_rest_fault(kind, request, rng))
    return faults


def _spread(count: int, connections: Sequence[int], rng: random.Random) -> list[int]:
    """Return so many different connections, as far as there are so many."""
    return rng.sample(connections, min(count, len(connections)))


def _break(kind: str, number: int, life: int, rng: random.Random) -> AnyFault:
    if kind == "stall":
        return StallAfter(life, connection=number)
    if kind == "close":
        return CloseAfter(life, code=rng.choice((1000, 1001, 1011)), connection=number)
    if kind.startswith("cut"):
        return CutFrame(life, reset=kind != "cut", connection=number)
    return DropAfter(life, reset=kind == "reset", connection=number)


def _annoyance(kind: str, number: int, life: int, rng: random.Random) -> AnyFault:
    if kind == "duplicate":
        return Duplicate(rng.randint(1, life), copies=rng.randint(1, 3), connection=number)
    if kind == "garbage":
        return Garbage(rng.randrange(life), connection=number)
    data: Literal["after", "before"] = "before" if kind == "early data" else "after"
    return SlowAck(rng.uniform(0.01, 0.07), data, connection=number)


def _rest_fault(kind: str, request: int, rng: random.Random) -> AnyFault:
    if kind == "too many":
        return RestStatus(429, request=request)
    if kind.startswith("too many for"):
        return RestStatus(429, retry_after=int(kind[-3]), request=request)
    if kind == "unavailable":
        return RestStatus(503, request=request)
    return DropRest(request=request) if kind == "cut" else SlowRest(rng.uniform(0.01, 0.08), request=request)


def options(exchange_url: str, rest_url: str) -> dict[str, Any]:
    """Return the options of the feed.

    What only a slow machine would run into is not divided: it must not decide over the outcome.
    """
    return fast_config(
        url=exchange_url,
        rest_url=rest_url,
        symbols_per_socket=_PER_SOCKET,
        backoff=BackoffPolicy(initial=0.01, maximum=0.05),
        connect_timeout=2.0,
        ping_timeout=5.0,
        settle=_SETTLE,
        max_hold=30.0,
    )


@contextmanager
def exchange(seed: int, symbols: Sequence[str], trades: int = TRADES, name: str = "kraken") -> Generator[FakeExchange]:
    """Run an exchange that plays and breaks, in a venue's format."""
    played = market(seed, symbols)
    with FakeExchange(
        chain(past(seed, symbols), islice(played, trades)),
        format=format_of(name),
        symbols=symbols,
        start=played.start,
        faults=script(seed, trades),
        wait_for=len(symbols),
        absence=_ABSENCE,
        batch=10,
    ) as running:
        yield running


@dataclass
class Received:
    """What came out of the feed, in as little room as it takes.

    Args:
        symbols: all of the feed.
        fill, opens: conventions of the candles.
    """

    symbols: Sequence[str]
    fill: Literal["skip", "flat"]
    opens: Literal["first_trade", "previous_close"]
    candles: list[OHLCCandle] = field(default_factory=list[OHLCCandle])
    events: list[StreamEvent] = field(default_factory=list[StreamEvent])
    errors: list[Exception] = field(default_factory=list[Exception])
    gaps: set[str] = field(default_factory=set[str])
    ids: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    sinces: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def chain(self) -> Callable[[Observable[PriceTick]], Observable[OHLCCandle]]:
        """What makes candles."""
        return to_ohlc("1m", fill=self.fill, opens=self.opens)

    def on_event(self, event: StreamEvent) -> None:
        """Keep it, and which gaps are open."""
        self.events.append(event)
        if event.kind in ("loss", "bad_message"):
            first = event.line * _PER_SOCKET
            self.gaps.update(self.symbols[first : first + _PER_SOCKET])
        elif event.kind in ("recovered", "lost"):
            self.gaps.difference_update(event.symbols)

    def on_tick(self, tick: PriceTick) -> None:
        """Keep what tells it from others, and its promise."""
        self.ids[tick.symbol].append(int(tick.trade_id or 0))
        self.sinces[tick.symbol].add(tick.since)

    @property
    def count(self) -> int:
        """How many trades came."""
        return sum(map(len, self.ids.values()))


def run(seed: int, trades: int = TRADES, name: str = "kraken") -> Outcome:
    """Run, and compare with the truth; every other seed by the venue's own conventions of candles."""
    logging.getLogger("rxstreams").setLevel(logging.CRITICAL)
    gc.disable()  # it would look again and again at all that the exchange remembers; a run is over soon
    began = time.monotonic()
    outcome = Outcome(seed)
    feeds, symbols = venue(name), symbols_of(name, SYMBOLS)
    own = feeds.venue if seed % 2 else None
    received = Received(symbols, own.fill if own else "skip", own.opens if own else "first_trade")
    with exchange(seed, symbols, trades, name) as running:
        feed = feeds.trades(symbols, **options(running.url, running.rest_url))
        with feed.events.subscribe(received.on_event):
            feed.subscribe(received.on_tick, received.errors.append)
            feed.pipe(received.chain).subscribe(received.candles.append, received.errors.append)
            try:
                running.wait_finished(_PATIENCE)
                running.wait_until(lambda: not received.gaps, 10.0, what="the last gaps to be closed")
                # On each line a trade that shows that everything before it is over.
                end = running.time + _TAIL
                running.publish(
                    *(PriceTick(symbol=symbol, price=1.0, timestamp=end) for symbol in symbols[::_PER_SOCKET])
                )
                running.wait_until(lambda: received.count >= trades + 2, 10.0, what="all trades to come")
            except TimeoutError as error:
                outcome.wrong.append(str(error))
            feed.stop()
        outcome.duplicates = feed.stats.duplicates
        published = running.trades[len(symbols) :]
        outcome.missed = len(published) - len({(tick.symbol, tick.trade_id) for tick in running.sent()})
        outcome.struck = sum(record.cut_by in ("drop", "close", "stall") for record in running.connections)
        outcome.refused = sum(request.status != 200 for request in running.rest_requests)
    kinds = Counter(event.kind for event in received.events)
    outcome.published, outcome.arrived = len(published), received.count
    outcome.losses, outcome.recovered, outcome.bad_messages = kinds["loss"], kinds["recovered"], kinds["bad_message"]
    outcome.wrong += [
        f"lost, says the feed: {event.symbols} {event.reason}" for event in received.events if event.kind == "lost"
    ]
    outcome.wrong += [
        f"a message could not be read: {event.reason}"
        for event in received.events
        if event.kind == "bad_message" and not event.reason.startswith("expected ")
    ]
    outcome.wrong += [f"an error came: {error!r}" for error in received.errors]
    _check(outcome, received, published)
    outcome.wrong += outcome.broken
    outcome.wrong, outcome.broken = outcome.wrong[-10:], outcome.broken[:10]
    outcome.seconds = time.monotonic() - began
    gc.enable()
    return outcome


def _check(outcome: Outcome, received: Received, published: Sequence[PriceTick]) -> None:
    until = (published[-1].timestamp - _TAIL) // _MINUTE * _MINUTE
    for symbol in received.symbols:
        ticks = [tick for tick in published if tick.symbol == symbol]
        ids, sinces = received.ids[symbol], received.sinces[symbol]
        if not ids:
            outcome.wrong += [f"{symbol}: nothing came of {len(ticks)} trades"] * bool(ticks)
            continue
        since = min(sinces)
        if len(sinces) > 1:
            outcome.wrong.append(f"{symbol}: {len(sinces)} different sinces")
        # What was published before the coverage begins may come or not.
        came = set(ids)
        covered = [tick for tick in ticks if tick.timestamp >= since or tick.trade_id in came]
        _compare_ids(outcome, symbol, [tick.trade_id for tick in covered], list(ids))
        _judge(outcome, received, covered, since, until)


def _judge(outcome: Outcome, received: Received, ticks: Sequence[PriceTick], since: int, until: int) -> None:
    symbol = ticks[0].symbol
    own = [candle for candle in received.candles if candle.symbol == symbol]
    report = compare(own, ticks, "1m", fill=received.fill, opens=received.opens, start=since, until=until)
    outcome.complete += report.complete_right
    outcome.revisions += report.revisions
    for what, found, into in (
        ("complete and wrong", report.complete_wrong, outcome.broken),
        ("incomplete and wrong", report.incomplete_wrong, outcome.wrong),
        ("missing", report.missing, outcome.wrong),
        ("too many", report.extra, outcome.broken),
        ("complete and changed later", report.retracted, outcome.wrong),
        ("revised out of order", report.out_of_order, outcome.broken),
    ):
        if found:
            into.append(f"{symbol}: {len(found)} candles {what}, the first {found[0]}")
    # An open from before the coverage can't be proven.
    unproven = report.incomplete_right - (received.opens == "previous_close")
    if unproven > 0 or report.unclosed:
        outcome.wrong.append(f"{symbol}: {unproven} true ones incomplete, {report.unclosed} not closed")


def _compare_ids(outcome: Outcome, symbol: str, expected: list[Any], got: list[int]) -> None:
    lost = set(expected) - set(got)
    doubled = [each for each, count in Counter(got).items() if count > 1]
    if lost:
        outcome.wrong.append(f"{symbol}: {len(lost)} lost {sorted(lost)[:3]}")
    if doubled or [each for each in expected if each not in lost] != got:
        outcome.broken.append(f"{symbol}: {len(doubled)} doubled {doubled[:3]}, order kept: {got == sorted(got)}")
