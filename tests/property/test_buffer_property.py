"""What holds of buffers and managers, whatever comes in whatever order."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from rxstreams.candles import CandleBuilder, CandleResampler
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks import OHLCBuffer, OHLCCacheManager
from rxstreams.tables import candles_to_frame
from rxstreams.timeframe import Timeframe

T0 = 1_735_689_600 * SECOND  # a boundary of every timeframe used here


class Update(NamedTuple):
    """One candle for a buffer: which interval, what it says, and whether it is history."""

    number: int
    price: float
    revision: int
    closed: bool
    complete: bool
    is_history: bool

    def candle(self) -> OHLCCandle:
        """Return it as an item."""
        return OHLCCandle(
            symbol="A",
            timeframe=Timeframe(1),
            open_time=T0 + self.number * MINUTE,
            open=self.price,
            high=self.price,
            low=self.price,
            close=self.price,
            closed=self.closed,
            complete=self.complete,
            revision=self.revision,
        )

    def replaces(self, stored: Update) -> bool:
        """Say whether it does, in the words of ``OHLCBuffer``'s docstrings."""
        if self.is_history and stored.is_history:
            return (self.closed, self.complete, self.revision) >= (stored.closed, stored.complete, stored.revision)
        if self.is_history:
            return self.complete and not stored.complete
        if stored.is_history:
            return self.complete or not stored.complete
        return (self.revision, self.closed, self.complete) >= (stored.revision, stored.closed, stored.complete)


@st.composite
def _updates(draw: st.DrawFn) -> Update:
    closed = draw(st.booleans())
    return Update(
        number=draw(st.integers(0, 12)),
        price=float(draw(st.integers(1, 9))),
        revision=draw(st.integers(0, 2)),
        closed=closed,
        complete=closed and draw(st.booleans()),
        is_history=draw(st.booleans()),
    )


@given(st.lists(_updates(), max_size=60), st.integers(1, 15))
def test_buffer_when_candles_come_in_any_order_then_it_is_a_sorted_table_with_a_limit(
    updates: list[Update], max_candles: int
) -> None:
    """A dict and a few comparisons say what the ring must hold."""
    buffer = OHLCBuffer(max_candles=max_candles)
    table: dict[int, Update] = {}
    ignored = 0
    for update in updates:
        stored = table.get(update.number)
        full = len(table) == max_candles and stored is None and update.number < min(table)
        taken = not full and (stored is None or update.replaces(stored))
        if taken:
            kept = update
            if stored is not None and update.is_history:
                kept = update._replace(revision=max(update.revision, stored.revision * (not stored.is_history)))
            table[update.number] = kept
            if len(table) > max_candles:
                del table[min(table)]
        if update.is_history:
            assert buffer.bootstrap([update.candle()]) == taken
        else:
            buffer.on_next(update.candle())
            ignored += not taken
        assert buffer.ignored == ignored
        assert len(buffer) == len(table)
    assert [
        ((candle.open_time - T0) // MINUTE, candle.close, candle.revision, candle.closed, candle.complete)
        for candle in buffer.candles()
    ] == [table[number][:5] for number in sorted(table)]


_TRADES = st.lists(
    st.tuples(st.integers(-100, 300), st.integers(1, 9), st.sampled_from("AB"), st.integers(1, 2)), max_size=60
)


def _read_after(*numbers: int) -> list[bool]:
    return [number in numbers for number in range(60)]


@example([(0, 1, "A", 1), (60, 1, "A", 1), (-1, 1, "A", 1)], _read_after(1), 1)  # late for a ring that is full
@example([(0, 1, "A", 1), (180, 1, "B", 1)], _read_after(), 40)  # the line closes what is built, too
@example(  # the newest child is on another line than the clock
    [
        (0, 1, "A", 1),
        (-13, 1, "A", 1),
        (-89, 1, "A", 1),
        (-100, 1, "A", 1),
        (207, 1, "A", 1),
        (270, 1, "A", 1),
        (0, 1, "A", 2),
        (84, 1, "A", 2),
        (61, 1, "B", 1),
    ],
    _read_after(8),
    40,
)
@given(_TRADES, st.lists(st.booleans(), min_size=60, max_size=60), st.integers(1, 40))
def test_manager_when_fed_by_trades_then_it_holds_what_builder_and_resampler_make(
    trades: list[tuple[int, int, str, int]], readings: list[bool], max_candles: int
) -> None:
    """The last versions of the newest candles, late trades and quiet symbols included."""
    made: dict[tuple[str, Timeframe], dict[int, OHLCCandle]] = {}

    def keep(candle: OHLCCandle) -> None:
        made.setdefault((candle.symbol, candle.timeframe), {})[candle.open_time] = candle

    resampler = CandleResampler(1, 2, 6, on_candle=keep, emit="updates")
    builder = CandleBuilder(1, on_candle=resampler.add)
    manager = OHLCCacheManager(timeframes=(1, 2, 6), max_candles=max_candles)

    shown: dict[str, OHLCCandle] = {}

    def show(symbol: str, *, only_new: bool) -> None:
        # A forming candle is a child too: when it begins, and as it is when it is read.
        forming, last = builder.open_candle(symbol), shown.get(symbol)
        is_new = forming is not None and (last is None or forming.open_time > last.open_time)
        if forming is not None and (is_new or (not only_new and forming != last)):
            resampler.add(forming)
            shown[symbol] = forming

    def read(symbol: str) -> list[list[tuple[Any, ...]]]:
        show(symbol, only_new=False)
        rows = manager.get_multi_timeframe_candles(symbol)
        return [[_said(candle) for candle in candles] for candles in rows.values()]

    time = T0
    for (gap, price, symbol, span), is_read in zip(trades, readings, strict=False):
        time += gap * SECOND
        tick = PriceTick(symbol=symbol, price=float(price), volume=1.0, timestamp=time, span=span, since=T0 - 1)
        builder.add(tick)
        show(symbol, only_new=True)
        manager.on_next(tick)
        if is_read:
            read(symbol)
    for symbol in "AB":
        found = read(symbol)
        tables = [made.get((symbol, Timeframe(timeframe)), {}) for timeframe in (1, 2, 6)]
        assert found == [[_said(table[open_time]) for open_time in sorted(table)[-max_candles:]] for table in tables]


def _said(candle: OHLCCandle) -> tuple[Any, ...]:
    """Return what a candle says, but for its revision and coverage."""
    return (*_numbers(candle), candle.open_time, candle.closed, candle.complete)


def _numbers(candle: OHLCCandle) -> tuple[float, ...]:
    return (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades, candle.quote_volume)


class Market:
    """What really happens at a venue, and what its line and its REST answers tell of it.

    Args:
        timeframes: in minutes, ascending.
        max_candles: of the manager.
        by_candles: whether the manager gets candles, else ticks.
    """

    def __init__(self, timeframes: tuple[int, ...], max_candles: int, by_candles: bool) -> None:
        self.lengths = [Timeframe(timeframe) for timeframe in timeframes]
        self.manager = OHLCCacheManager(timeframes=timeframes, max_candles=max_candles)
        self.builder = CandleBuilder(timeframes[0], on_candle=self.manager.on_next)
        self.feed = self.builder.add if by_candles else self.manager.on_next
        self.truth: list[dict[int, list[PriceTick]]] = [{} for _ in timeframes]
        self.now = self.last = T0
        self.since = T0
        self.span = 1
        self.is_live = True

    def trade(self, gap: float, price: int, volume: int) -> None:
        """Trade, and tell those who listen."""
        self.now += round(gap * SECOND) + 1
        tick = PriceTick(
            symbol="A",
            price=float(price),
            volume=float(volume),
            timestamp=self.now,
            span=self.span,
            since=self.since,
        )
        self.last = self.now
        for length, candles in zip(self.lengths, self.truth, strict=True):
            candles.setdefault(length.floor(self.now), []).append(tick)
        if self.is_live:
            self.feed(tick)

    def switch(self, gap: float) -> None:
        """Lose the line, or get it back some time after the last trade."""
        self.is_live = not self.is_live
        if self.is_live:
            self.now += round(gap * SECOND) + 1
            self.span += 1
            self.since = self.now

    def tell_history(self, level: int, first: int, last: int, as_frame: bool) -> None:
        """Answer a REST request for some of the intervals that had trades, counted back from now."""
        level %= len(self.lengths)
        length, candles = self.lengths[level], self.truth[level]
        open_times = sorted(candles)[max(0, len(candles) - first) : len(candles) - min(last, first)]
        history = [self._true_candle(length, open_time, candles[open_time]) for open_time in open_times]
        if as_frame:
            self.manager.bootstrap(candles_to_frame(history), symbol="A", timeframe=length)
        else:
            self.manager.bootstrap(reversed(history))

    def _true_candle(self, length: Timeframe, open_time: int, ticks: list[PriceTick]) -> OHLCCandle:
        is_closed = length.next(open_time) <= self.now
        prices = [tick.price for tick in ticks]
        return OHLCCandle(
            symbol="A",
            timeframe=length,
            open_time=open_time,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=sum(tick.volume for tick in ticks),
            trades=len(ticks),
            quote_volume=sum(tick.price * tick.volume for tick in ticks),
            closed=is_closed,
            complete=is_closed,
        )

    def check(self) -> None:
        """Hold the manager to the promise: what it calls complete is the truth."""
        for length, truth in zip(self.lengths, self.truth, strict=True):
            candles = self.manager.candles("A", length)
            times = [candle.open_time for candle in candles]
            assert times == sorted(set(times))
            assert len(times) <= self.manager.max_candles
            for candle in candles:
                assert candle.open_time in truth
                if candle.complete:
                    true = self._true_candle(length, candle.open_time, truth[candle.open_time])
                    assert _numbers(candle) == _numbers(true), f"{candle} is not {true}"


@given(
    st.integers(0, 2**32),
    st.sampled_from([(1, 2, 4), (1, 3, 6, 12), (1, 5, 15), (1, 4)]),
    st.sampled_from([1, 2, 3, 5, 5, 8, 8, 20, 500]),
    st.booleans(),
)
def test_manager_when_history_and_a_line_with_losses_are_mixed_then_complete_is_never_false(
    seed: int, timeframes: tuple[int, ...], max_candles: int, by_candles: bool
) -> None:
    """Rings too short for a longer candle, history with holes, before and after live candles: the promise holds."""
    rng = random.Random(seed)  # hypothesis' own lists are too short on average for what is hard here
    market = Market(timeframes, max_candles, by_candles)
    for _ in range(rng.randrange(20, 150)):
        action = rng.random()
        gap = rng.choice((1, 5, 30, 60, 130, 200)) * rng.random()
        if action < 0.75:
            market.trade(gap, rng.randint(1, 50), rng.randint(1, 9))
        elif action < 0.82:
            market.switch(gap)
        else:
            first = rng.choice((2, 3, 5, 9, 30))
            level = rng.choice((0, 0, 0, 1, 2))
            market.tell_history(level, first, rng.choice((0, 0, 1, 2, first - 1)), as_frame=rng.random() < 0.3)
            market.check()
    market.check()
