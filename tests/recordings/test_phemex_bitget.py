"""Candles from recorded trades equal the candles that the venue itself sent: Phemex and Bitget."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
import reactivex

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc

pytestmark = pytest.mark.recordings

Prices = tuple[float, float, float, float]


class Venue(NamedTuple):
    """Trades by symbol, oldest first, and the venue's own minutes: symbol, open_time -> (prices, volume)."""

    trades: dict[str, list[PriceTick]]
    minutes: dict[tuple[str, int], tuple[Prices, float]]


def frames(path: Path) -> Iterator[dict[str, Any]]:
    """Read the frames that a capture received."""
    for line in path.read_text(encoding="utf-8").splitlines():
        _, _, frame = line.partition(": ")
        if not line.startswith("wss:") and frame.startswith("{"):
            yield json.loads(frame)


@pytest.fixture(scope="module")
def phemex(recordings: Path) -> Venue:
    """Read trades (newest first; a snapshot replaces what came before) and klines (a later row replaces an earlier)."""
    rows: dict[str, list[list[Any]]] = {}
    for frame in frames(recordings / "cryptofeed" / "PHEMEX.ws.1.0"):
        if "trades" in frame:
            oldest_first = frame["trades"][::-1]
            if frame["type"] == "snapshot":
                rows[frame["symbol"]] = oldest_first
            else:
                rows[frame["symbol"]] += oldest_first
    trades = {
        symbol: [PriceTick(symbol=symbol, price=row[2], volume=row[3], timestamp=row[0]) for row in mine]
        for symbol, mine in rows.items()
    }
    minutes: dict[tuple[str, int], tuple[Prices, float]] = {}
    for frame in frames(recordings / "cryptofeed" / "PHEMEX.ws.2.0"):
        for row in frame.get("kline", [])[::-1]:
            minutes[frame["symbol"], row[0] * SECOND] = ((row[3], row[4], row[5], row[6]), row[7])
    return Venue(trades, minutes)


@pytest.fixture(scope="module")
def bitget(recordings: Path) -> Venue:
    """Read both captures: trades newest first in milliseconds, candles oldest first."""
    rows: dict[str, list[list[str]]] = defaultdict(list)
    minutes: dict[tuple[str, int], tuple[Prices, float]] = {}
    for number in (1, 2):
        for frame in frames(recordings / "cryptofeed" / f"BITGET.ws.{number}.0"):
            if "data" not in frame:
                continue
            symbol, channel = f"{number} {frame['arg']['instId']}", frame["arg"]["channel"]
            if channel == "trade":
                rows[symbol] += frame["data"][::-1]
            elif channel == "candle1m":
                for row in frame["data"]:
                    opens, high, low, close, volume = (float(value) for value in row[1:6])
                    minutes[symbol, int(row[0]) * 1_000_000] = ((opens, high, low, close), volume)
    trades = {
        symbol: [
            PriceTick(symbol=symbol, price=float(row[1]), volume=float(row[2]), timestamp=int(row[0]) * 1_000_000)
            for row in mine
        ]
        for symbol, mine in rows.items()
    }
    return Venue(trades, minutes)


def complete_minutes(
    venue: Venue,
    *,
    fill: Literal["skip", "flat"] = "skip",
    opens: Literal["first_trade", "previous_close"] = "first_trade",
) -> list[OHLCCandle]:
    """Build minutes from the trades, and return those that say complete."""
    got: list[OHLCCandle] = []
    for ticks in venue.trades.values():
        reactivex.from_iterable(ticks).pipe(to_ohlc("1m", fill=fill, opens=opens)).subscribe(got.append)
    return [candle for candle in got if candle.complete]


def prices_of(candle: OHLCCandle) -> Prices:
    """Return open, high, low and close."""
    return (candle.open, candle.high, candle.low, candle.close)


def test_phemex_when_built_from_its_trades_then_all_complete_minutes_equal_its_klines(phemex: Venue) -> None:
    """2,121 minutes of ten symbols, in open, high, low, close and volume; its numbers are integers, so exactly."""
    candles = complete_minutes(phemex)
    assert len({candle.symbol for candle in candles}) == 10
    assert len(candles) == 2_121
    for candle in candles:
        assert (prices_of(candle), candle.volume) == phemex.minutes[candle.symbol, candle.open_time]


def test_phemex_when_empty_minutes_are_filled_then_they_equal_its_flat_klines_too(phemex: Venue) -> None:
    """Between its first and its last minute, which are partial, each of its 2,475 klines is one of ours."""
    candles = complete_minutes(phemex, fill="flat")
    mine = {(c.symbol, c.open_time): (prices_of(c), c.volume) for c in candles}
    ends = {symbol: (ticks[0].timestamp, ticks[-1].timestamp) for symbol, ticks in phemex.trades.items()}
    theirs = {
        (symbol, start): value
        for (symbol, start), value in phemex.minutes.items()
        if ends[symbol][0] < start and start + MINUTE <= ends[symbol][1]
    }
    assert mine == theirs
    assert len(mine) == 2_475
    assert sum(volume == 0 for _, volume in mine.values()) == 354


def test_phemex_when_its_minutes_are_resampled_then_quarters_equal_those_of_its_klines(phemex: Venue) -> None:
    """Out of our minutes and out of its own: the same quarters of an hour, flat minutes or not."""
    quarters: dict[tuple[str, int], tuple[Prices, float]] = {}
    for (symbol, start), ((opens, high, low, close), volume) in sorted(phemex.minutes.items()):
        if not volume:
            continue
        key = (symbol, start // (15 * MINUTE) * 15 * MINUTE)
        if key not in quarters:
            quarters[key] = ((opens, high, low, close), volume)
        else:
            (first, top, bottom, _), total = quarters[key]
            quarters[key] = ((first, max(top, high), min(bottom, low), close), total + volume)
    for fill in ("skip", "flat"):
        got: list[OHLCCandle] = []
        for ticks in phemex.trades.values():
            chain = reactivex.compose(to_ohlc("1m", fill=fill), resample(15))
            reactivex.from_iterable(ticks).pipe(chain).subscribe(got.append)
        complete = [candle for candle in got if candle.complete and candle.trades]
        assert len(complete) > 100
        for candle in complete:
            assert (prices_of(candle), candle.volume) == quarters[candle.symbol, candle.open_time]


def test_bitget_when_its_candles_are_read_then_they_open_at_the_previous_close(bitget: Venue) -> None:
    """9,999 of 10,000 do: the convention that ``opens="previous_close"`` stands for."""
    counts = {True: 0, False: 0}
    for (symbol, start), (next_symbol, next_start) in pairwise(sorted(bitget.minutes)):
        if symbol == next_symbol:
            assert next_start == start + MINUTE
            counts[bitget.minutes[symbol, start][0][3] == bitget.minutes[next_symbol, next_start][0][0]] += 1
    assert counts == {True: 9_999, False: 1}


def test_bitget_when_built_from_its_trades_then_all_complete_minutes_equal_its_candles(bitget: Venue) -> None:
    """53 minutes of ten symbols, in open, high, low and close exactly; by the first trade 50 of them would not."""
    candles = complete_minutes(bitget, opens="previous_close")
    assert len({candle.symbol for candle in candles}) == 10
    assert len(candles) == 53
    for candle in candles:
        prices, volume = bitget.minutes[candle.symbol, candle.open_time]
        assert prices_of(candle) == prices
        assert candle.volume == pytest.approx(volume, rel=1e-12)
    same = complete_minutes(bitget)
    mine = {(candle.symbol, candle.open_time) for candle in candles}
    different = [
        candle
        for candle in same
        if (candle.symbol, candle.open_time) in mine
        and prices_of(candle) != bitget.minutes[candle.symbol, candle.open_time][0]
    ]
    assert len(different) == 50
