"""Candles of random trades: equal to what plain grouping gives, however they come, over all options and timeframes."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pandas as pd
import pytest
import reactivex
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rxstreams.candles import CandleBuilder, CandleResampler
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.operators import resample, to_ohlc
from rxstreams.timeframe import Timeframe

START = 1_700_000_000 // 86_400 * 86_400 * SECOND
Key = tuple[str, int]


class Truth(NamedTuple):
    """A candle as plain grouping has it."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    buy_volume: float
    trades: int


def true_candles(
    ticks: Sequence[PriceTick], length: int, *, fill: str = "skip", opens: str = "first_trade"
) -> dict[Key, Truth]:
    """Group trades by symbol and interval; sort each group by (timestamp, arrival); add up exactly."""
    candles: dict[Key, Truth] = {}
    for symbol in {tick.symbol for tick in ticks}:
        mine = sorted((tick for tick in ticks if tick.symbol == symbol), key=lambda tick: tick.timestamp)
        stamps = [tick.timestamp for tick in mine]
        first, last = stamps[0] // length * length, stamps[-1] // length * length
        for start in range(first, last + length, length):
            a, b = bisect_right(stamps, start - 1), bisect_right(stamps, start + length - 1)
            group = mine[a:b]
            before = mine[a - 1].price if a else None
            if not group:
                if fill == "flat" and before is not None:
                    candles[symbol, start] = Truth(before, before, before, before, 0.0, 0.0, 0.0, 0)
                continue
            prices = [tick.price for tick in group]
            if opens == "previous_close" and before is not None:
                prices.insert(0, before)
            candles[symbol, start] = Truth(
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                math.fsum(tick.volume for tick in group),
                math.fsum(tick.volume * tick.price for tick in group),
                math.fsum(tick.volume for tick in group if tick.side is Side.BUY),
                sum(tick.count for tick in group),
            )
    return candles


def close_to(candle: OHLCCandle, true: Truth) -> bool:
    """Prices and counts exactly; sums to 1e-12."""
    exact = (candle.open, candle.high, candle.low, candle.close, candle.trades)
    if exact != (true.open, true.high, true.low, true.close, true.trades):
        return False
    sums = (candle.volume, candle.quote_volume, candle.buy_volume)
    return all(math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-300) for a, b in zip(sums, true[4:7], strict=True))


def random_trades(rng: random.Random, *, symbols: int, count: int, pace: float, disorder: float) -> list[PriceTick]:
    """Return trades with holes in them, in the order of arrival.

    Args:
        rng: the source of chance.
        symbols: how many.
        count: how many trades.
        pace: mean seconds between two trades; now and then there is a hole of 40 times that.
        disorder: seconds that a trade may come too late.
    """
    time = START + rng.randrange(3600 * SECOND)
    price = dict.fromkeys(range(symbols), 100.0)
    ticks: list[tuple[float, PriceTick]] = []
    for _ in range(count):
        step = rng.expovariate(1 / pace) * (40 if rng.random() < 0.02 else 1)
        time += rng.choice((0, round(step * SECOND), round(step) * SECOND))
        symbol = min(int(rng.expovariate(1.0)), symbols - 1)  # the last ones are quiet
        price[symbol] = max(1.0, round(price[symbol] + rng.choice((-0.01, 0.0, 0.01)), 2))
        tick = PriceTick(
            symbol=f"S{symbol}",
            price=price[symbol],
            volume=rng.randrange(0, 1000) / 100,
            timestamp=time,
            count=rng.randrange(1, 3),
            side=rng.choice((Side.BUY, Side.SELL, None)),
            span=3,
            since=1,
        )
        ticks.append((time + (rng.random() * disorder * SECOND if rng.random() < 0.2 else 0), tick))
    ticks.sort(key=lambda entry: entry[0])
    return [tick for _, tick in ticks]


def last_revisions(candles: Sequence[OHLCCandle]) -> dict[tuple[str, Timeframe, int], OHLCCandle]:
    """Return what stands at the end, after a look at the revisions: they count up by one."""
    last: dict[tuple[str, Timeframe, int], OHLCCandle] = {}
    for candle in candles:
        key = (candle.symbol, candle.timeframe, candle.open_time)
        before = last.get(key)
        if before is not None and before.closed:
            assert candle.closed
            assert candle.revision == before.revision + 1
        else:
            assert candle.revision == 0
        last[key] = candle
    return last


SEEDS = st.integers(min_value=0, max_value=2**32)
# A seed is as simple as any other.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=60, phases=NO_SHRINKING)
@given(
    seed=SEEDS,
    timeframe=st.sampled_from(["1s", "5s", "20s", "1m"]),
    fill=st.sampled_from(["skip", "flat"]),
    opens=st.sampled_from(["first_trade", "previous_close"]),
    emit=st.sampled_from(["closed", "updates"]),
    disorder=st.sampled_from([0.0, 1.5, 9.9]),
    grace=st.sampled_from([0.0, 2.0, 15.0]),
)
def test_candles_when_late_trades_have_been_counted_then_the_last_revisions_equal_the_truth(
    seed: int,
    timeframe: str,
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
    emit: Literal["closed", "updates"],
    disorder: float,
    grace: float,
) -> None:
    """All of them, complete or not, and what was built from them: no trade that is up to 10 s late is lost.

    The line's clock may run past a quiet symbol, so that flat candles are sent before trades that belong there.
    """
    rng = random.Random(seed)
    ticks = random_trades(rng, symbols=4, count=400, pace=0.7, disorder=disorder)
    candles: list[OHLCCandle] = []
    parents: list[OHLCCandle] = []
    base = Timeframe(timeframe)
    assert base.length is not None
    longer = [Timeframe(f"{factor * base.length // SECOND}s") for factor in (2, 6, 12)]
    resampler = CandleResampler(*longer, on_candle=parents.append, emit=emit, grace=grace)

    def on_candle(candle: OHLCCandle) -> None:
        candles.append(candle)
        resampler.add(candle)

    builder = CandleBuilder(base, on_candle=on_candle, fill=fill, max_fill=10**6, opens=opens, emit=emit, grace=grace)
    for tick in ticks:
        builder.add(tick)
    builder.flush()
    resampler.flush()
    assert builder.late == 0
    assert resampler.late == 0

    last = last_revisions(candles)
    true = true_candles(ticks, base.length, fill=fill, opens=opens)
    mine = {(symbol, start): candle for (symbol, _, start), candle in last.items()}
    # The line goes on after a symbol's last trade: further flat candles at its last close.
    ends = {symbol: max(start for name, start in true if name == symbol) for symbol, _ in true}
    tail = {key: candle for key, candle in mine.items() if key[1] > ends[key[0]]}
    assert all(candle.trades == 0 and candle.open == true[key[0], ends[key[0]]].close for key, candle in tail.items())
    assert mine.keys() - tail.keys() == true.keys()
    assert all(close_to(mine[key], true[key]) for key in true)

    for length in longer:
        assert length.length is not None
        mine = {(symbol, start): c for (symbol, frame, start), c in last_revisions(parents).items() if frame == length}
        sums: dict[Key, list[OHLCCandle]] = {}
        for (symbol, _, start), candle in sorted(last.items(), key=lambda entry: entry[0][2]):
            sums.setdefault((symbol, length.floor(start)), []).append(candle)
        assert mine.keys() == sums.keys()
        for key, parts in sums.items():
            built = mine[key]
            # Flat candles repeat a price from before; where there are trades, all prices are theirs.
            traded = [part for part in parts if part.trades] or parts
            assert (built.open, built.close) == (traded[0].open, traded[-1].close)
            assert (built.high, built.low) == (max(c.high for c in traded), min(c.low for c in traded))
            assert built.trades == sum(c.trades for c in parts)
            assert math.isclose(built.volume, math.fsum(c.volume for c in parts), rel_tol=1e-12)
            assert math.isclose(built.quote_volume, math.fsum(c.quote_volume for c in parts), rel_tol=1e-12)
            assert math.isclose(built.buy_volume, math.fsum(c.buy_volume for c in parts), rel_tol=1e-12)
            assert not built.complete or (built.closed and all(c.complete for c in parts))


@settings(max_examples=40, phases=NO_SHRINKING)
@given(seed=SEEDS, cuts=st.lists(st.integers(0, 300), max_size=6), fill=st.sampled_from(["skip", "flat"]))
def test_candles_when_trades_come_in_slices_then_they_are_the_same(
    seed: int, cuts: list[int], fill: Literal["skip", "flat"]
) -> None:
    """One by one through ``add``, or through the fast way in, taken anew for every slice: the same, in order."""
    ticks = random_trades(random.Random(seed), symbols=3, count=300, pace=0.7, disorder=1.0)
    slow: list[OHLCCandle] = []
    fast: list[OHLCCandle] = []
    one = CandleBuilder("5s", on_candle=slow.append, fill=fill)
    two = CandleBuilder("5s", on_candle=fast.append, fill=fill)
    for tick in ticks:
        one.add(tick)
    edges = [0, *sorted(cuts), len(ticks)]
    for start, end in pairwise(edges):
        add: Callable[[PriceTick], None] = two.adder()
        for tick in ticks[start:end]:
            add(tick)
        assert two.open_candles() == two.open_candles()
    assert one.open_candles() == two.open_candles()
    assert slow == fast


@settings(max_examples=40, phases=NO_SHRINKING)
@given(
    seed=SEEDS, emit=st.sampled_from(["closed", "updates"]), opens=st.sampled_from(["first_trade", "previous_close"])
)
def test_candles_when_sent_then_each_of_them_holds_the_invariants(
    seed: int, emit: Literal["closed", "updates"], opens: Literal["first_trade", "previous_close"]
) -> None:
    """low <= open, close <= high; nothing open is complete; what is bought is not more than what is traded."""
    ticks = random_trades(random.Random(seed), symbols=3, count=300, pace=0.7, disorder=3.0)
    got: list[OHLCCandle] = []
    chain = reactivex.compose(
        to_ohlc("5s", emit=emit, opens=opens, fill="flat"), resample("5s", "20s", "1m", emit=emit)
    )
    chain(reactivex.from_iterable(ticks)).subscribe(got.append)
    assert {str(candle.timeframe) for candle in got} == {"5s", "20s", "1m"}
    for candle in got:
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
        assert candle.closed or not candle.complete
        assert 0.0 <= candle.buy_volume <= candle.volume * (1 + 1e-12)
        assert candle.open_time == candle.timeframe.floor(candle.open_time)
        assert candle.trades > 0 or candle.volume == candle.quote_volume == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_chain_when_it_resamples_then_it_equals_pandas_over_the_trades(seed: int) -> None:
    """``to_ohlc(5), resample(60)`` against a group-by over the trades that knows nothing of this library."""
    ticks = random_trades(random.Random(seed), symbols=4, count=6_000, pace=20.0, disorder=0.0)
    got: list[OHLCCandle] = []
    reactivex.from_iterable(ticks).pipe(to_ohlc(5), resample(60)).subscribe(got.append)
    frame: Any = pd.DataFrame(
        {
            "symbol": [tick.symbol for tick in ticks],
            "hour": [tick.timestamp // (3600 * SECOND) for tick in ticks],
            "price": [tick.price for tick in ticks],
            "volume": [tick.volume for tick in ticks],
            "count": [tick.count for tick in ticks],
        }
    )
    groups = frame.groupby(["symbol", "hour"])
    expected = groups["price"].agg(["first", "max", "min", "last"])
    expected["volume"] = groups["volume"].sum()
    expected["trades"] = groups["count"].sum()
    mine = {(c.symbol, c.open_time // (3600 * SECOND)): c for c in got}
    assert len(got) == len(mine) == len(expected) > 100
    for key, row in expected.iterrows():
        candle = mine[key]
        assert (candle.open, candle.high, candle.low, candle.close) == (
            row["first"],
            row["max"],
            row["min"],
            row["last"],
        )
        assert candle.trades == row["trades"]
        assert math.isclose(candle.volume, row["volume"], rel_tol=1e-12)
    # Closed are all hours but each symbol's last, and complete all of them, as the trades say that they are covered.
    assert sum(not c.closed for c in got) == 4
    assert all(c.complete for c in got if c.closed)


@pytest.mark.parametrize(("count", "tolerance"), [(10_000, 1e-12), (300_000, 1e-9)])
def test_sums_when_a_candle_has_many_trades_then_they_agree_with_the_exact_ones(count: int, tolerance: float) -> None:
    """Volumes over seven orders of magnitude, straight and through shorter candles."""
    rng = random.Random(11)
    volumes = [round(10 ** rng.uniform(-5, 2), 8) for _ in range(count)]
    prices = [round(rng.uniform(0.5, 90_000), 2) for _ in range(1000)]
    candles: list[OHLCCandle] = []
    parents: list[OHLCCandle] = []
    day = CandleBuilder("1d", on_candle=candles.append)
    minutes = CandleBuilder("1m", on_candle=CandleResampler("1d", on_candle=parents.append).add)
    add_day, add_minutes = day.adder(), minutes.adder()
    for number, volume in enumerate(volumes):
        tick = PriceTick(
            symbol="A", price=prices[number % 1000], volume=volume, timestamp=START + 86_300 * SECOND * number // count
        )
        add_day(tick)
        add_minutes(tick)
    for seconds in (86_401, 86_461):  # the next minute must close too
        end = PriceTick(symbol="A", price=1.0, timestamp=START + seconds * SECOND)
        add_day(end)
        add_minutes(end)
    volume = math.fsum(volumes)
    quote = math.fsum(v * prices[number % 1000] for number, v in enumerate(volumes))
    assert len(candles) == len(parents) == 1
    for candle in (candles[0], parents[0]):
        assert math.isclose(candle.volume, volume, rel_tol=tolerance)
        assert math.isclose(candle.quote_volume, quote, rel_tol=tolerance)
