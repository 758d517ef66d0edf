"""The comparison at the end of the demo finds what is wrong: each kind of fault is put in by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import reactivex
from msgspec.structs import replace

from rxstreams._cli.audit import Audit, audit
from rxstreams._cli.demo import DEFAULT_SEED, TIMEFRAMES, make_market
from rxstreams._cli.verdict import describe
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.sources import kraken
from rxstreams.states import EventKind, StreamEvent, StreamState
from rxstreams.timeframe import Timeframe

_MINUTE = 60 * 10**9
_LINES = (("BTC/USD", "ETH/USD", "BCH/USD"), ("SOL/USD", "XRP/USD", "ADA/USD"))


class World:
    """A demo that went well: trades of two lines; the first was down for a minute, and what it missed was fetched."""

    def __init__(self) -> None:
        market = make_market(DEFAULT_SEED)
        begin, end = market.start + 4 * _MINUTE + 10**9, market.start + 5 * _MINUTE
        self.published = [replace(tick, exchange="kraken") for tick in market]
        self.sent: list[list[PriceTick]] = [[], [], []]
        self.arrived: list[PriceTick] = []
        missed: list[PriceTick] = []
        for tick in self.published:
            if tick.symbol in _LINES[1]:
                self.sent[1].append(tick)
                self._receive(2, tick)
            elif tick.timestamp < begin:
                self.sent[0].append(tick)
                self._receive(1, tick)
            elif tick.timestamp < end:
                missed.append(tick)
            else:
                self.sent[2].append(tick)
                for each in (*missed, tick):
                    self._receive(1, each)
                missed.clear()
        self.events = [
            _event("bad_message"),
            _event("loss", *_LINES[0]),
            *(_event("recovered", symbol) for symbol in _LINES[0]),
        ]
        self.candles: list[OHLCCandle] = []
        chain = reactivex.from_iterable(self.arrived).pipe(kraken.to_ohlc("1m"), resample("1m", "5m"))
        chain.subscribe(self.candles.append)
        self.candles = [candle for candle in self.candles if candle.closed]

    def _receive(self, span: int, tick: PriceTick) -> None:
        self.arrived.append(replace(tick, span=span, since=self.published[0].timestamp))

    def audit(self) -> Audit:
        """Compare."""
        return audit(
            published=self.published,
            sent=self.sent,
            arrived=self.arrived,
            candles=self.candles,
            events=self.events,
            timeframes=TIMEFRAMES,
            fill="flat",
            opens="first_trade",
        )

    def place(self, timeframe: str = "1m", *, symbol: str = "BTC/USD") -> int:
        """Return where a complete candle is."""
        return next(
            place
            for place, candle in enumerate(self.candles)
            if (candle.symbol, candle.timeframe, candle.complete) == (symbol, Timeframe(timeframe), True)
        )


def _event(kind: EventKind, *symbols: str, reason: str = "") -> StreamEvent:
    return StreamEvent(kind=kind, state=StreamState.STREAMING, symbols=symbols, reason=reason)


@pytest.fixture
def world() -> World:
    """A demo that went well."""
    return World()


def test_audit_when_all_is_well_then_there_is_no_difference(world: World) -> None:
    """A line misses trades, they are fetched, and every candle is complete but those that began before the feed."""
    result = world.audit()
    assert result.differences == ()
    assert result.published == result.sent + result.missed == result.arrived
    assert result.missed == result.fetched > 100
    assert (result.losses, result.bad_messages, result.recovered) == (1, 1, 3)
    assert result.complete_wrong == 0
    assert result.complete > 50
    assert result.closed == result.complete + result.incomplete
    assert {(each.symbol, str(each.timeframe)) for each in result.touched} == {
        (symbol, timeframe) for symbol in ("BTC/USD", "ETH/USD") for timeframe in ("1m", "5m")
    }
    of_minutes = [each for each in result.touched if str(each.timeframe) == "1m"]
    assert all(each.sent is not None and each.sent.complete for each in of_minutes)
    missed_of_btc = sum(each.missed for each in of_minutes if each.symbol == "BTC/USD")
    assert sum(each.missed for each in of_minutes) == result.missed
    assert 0 < missed_of_btc < result.missed


def _lose_a_trade(world: World) -> None:
    del world.arrived[500]


def _double_a_trade(world: World) -> None:
    world.arrived.insert(501, world.arrived[500])


def _swap_two_trades(world: World) -> None:
    place = next(place for place, (one, two) in enumerate(pairwise(world.arrived)) if one.symbol == two.symbol)
    world.arrived[place : place + 2] = world.arrived[place + 1], world.arrived[place]


def _invent_a_trade(world: World) -> None:
    world.arrived.append(replace(world.arrived[-1], trade_id=1))


def _change_a_price(world: World) -> None:
    place = world.place()
    candle = world.candles[place]
    world.candles[place] = replace(candle, high=candle.high + 0.5)


def _lose_a_trade_of_a_candle(world: World) -> None:
    place = world.place("5m", symbol="SOL/USD")
    world.candles[place] = replace(world.candles[place], trades=world.candles[place].trades - 1)


def _call_a_recovered_candle_incomplete(world: World) -> None:
    place = world.place()
    world.candles[place] = replace(world.candles[place], complete=False)


def _begin_the_coverage_anew(world: World) -> None:
    world.arrived[-1] = replace(world.arrived[-1], since=world.arrived[-1].timestamp)


def _give_a_gap_up(world: World) -> None:
    world.events.append(_event("lost", "BTC/USD", reason="it was not recovered within 10 s"))


def _leave_a_candle_out(world: World) -> None:
    del world.candles[world.place()]


def _take_a_promise_back(world: World) -> None:
    place = world.place()
    candle = world.candles[place]
    world.candles.insert(place, replace(candle, volume=candle.volume / 2))
    world.candles[place + 1] = replace(candle, revision=1)


def _skip_a_revision(world: World) -> None:
    place = world.place()
    world.candles.insert(place + 1, replace(world.candles[place], revision=2))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lose_a_trade, "was published and never arrived"),
        (_double_a_trade, "arrived more than once"),
        (_swap_two_trades, "the order was not kept"),
        (_invent_a_trade, "arrived and was never published"),
        (_change_a_price, "says complete and is not the true one"),
        (_lose_a_trade_of_a_candle, "says complete and is not the true one"),
        (_call_a_recovered_candle_incomplete, "lacks nothing and says incomplete"),
        (_begin_the_coverage_anew, "began anew"),
        (_give_a_gap_up, "trades of BTC/USD are lost: it was not recovered within 10 s"),
        (_leave_a_candle_out, "was never sent"),
        (_take_a_promise_back, "said complete, and a revision changed it"),
        (_skip_a_revision, "revision 2 does not follow on the one before"),
    ],
)
def test_audit_when_something_is_spoilt_then_the_difference_is_named(
    world: World, spoil: Callable[[World], None], message: str
) -> None:
    """One fault of each kind, and the difference that it makes."""
    spoil(world)
    result = world.audit()
    assert any(message in difference for difference in result.differences), result.differences
    text = "\n".join(line for line, _ in describe(result))
    assert message in text
    assert "the true one." not in text


def test_audit_when_a_candle_has_no_true_one_then_it_is_named(world: World) -> None:
    """A flat candle before a symbol's first trade is made of nothing."""
    place = world.place(symbol="ADA/USD")
    candle = world.candles[place]
    first = next(tick for tick in world.arrived if tick.symbol == "ADA/USD")
    # A trade that came to us and that nobody published: the truth starts later than the candles.
    world.published = [tick for tick in world.published if tick.trade_id != first.trade_id]
    result = world.audit()
    assert any(f"{candle.symbol} 1m" in each and "there is no such candle" in each for each in result.differences)


def test_verdict_when_trades_of_many_candles_were_missed_then_twelve_are_listed(world: World) -> None:
    """The rest is a number."""
    start = world.published[0].timestamp
    gone = {
        tick.trade_id for tick in world.published if tick.symbol == "BTC/USD" and tick.timestamp >= start + 6 * _MINUTE
    }
    world.sent = [[tick for tick in of_line if tick.trade_id not in gone] for of_line in world.sent]
    result = world.audit()
    lines = [line for line, _ in describe(result)]
    assert len(result.touched) > 14
    assert sum("missed" in line and "USD" in line for line in lines) == 12
    assert f"  … and {len(result.touched) - 12} more" in lines
    ascii_lines = [line for line, _ in describe(result, ascii_only=True)]
    assert "".join(ascii_lines).isascii()


def test_market_when_it_is_the_default_then_two_symbols_are_quiet_for_over_three_candles() -> None:
    """One of each line: the demo shows flat candles, over a break and over a living line."""
    stamps: dict[str, list[int]] = {}
    for tick in make_market(DEFAULT_SEED):
        stamps.setdefault(tick.symbol, []).append(tick.timestamp)
    assert len(stamps) == 6
    quiet = [symbol for symbol, times in stamps.items() if max(two - one for one, two in pairwise(times)) > 3 * _MINUTE]
    assert sorted(quiet) == ["ADA/USD", "BCH/USD"]
    assert [sum(symbol in line for symbol in quiet) for line in _LINES] == [1, 1]
