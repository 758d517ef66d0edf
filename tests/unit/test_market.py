"""``Market``: the same trades for the same seed, and as nasty as real ones."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.items import PriceTick
from rxstreams.testing import Market

SYMBOLS = ("BTC/USD", "ETH/USD", "ADA/USD", "XRP/USD")
SECOND = 1_000_000_000


def by_symbol(ticks: list[PriceTick]) -> dict[str, list[PriceTick]]:
    """Sort trades into symbols."""
    return {symbol: [tick for tick in ticks if tick.symbol == symbol] for symbol in SYMBOLS}


def test_market_when_iterated_twice_then_gives_the_same_trades() -> None:
    """The state lives in the iterator, not in the market."""
    market = Market(SYMBOLS, seed=5, duration=600)
    first = list(market)
    assert len(first) > 1000
    assert first == list(market)
    assert first == list(Market(SYMBOLS, seed=5, duration=600))


def test_market_when_seeded_otherwise_then_gives_other_trades() -> None:
    """The seed decides."""
    assert list(Market(SYMBOLS, seed=1, duration=60)) != list(Market(SYMBOLS, seed=2, duration=60))


def test_market_when_pinned_then_is_the_same_on_every_machine_and_day() -> None:
    """A failure that a seed found can be found again: these are the first trades of seed 3."""
    assert [(t.price, t.volume, t.timestamp, t.trade_id, t.side) for t in islice(Market(["BTC/USD"], seed=3), 2)] == [
        (50000.0, 0.02571935, 1704067200_195645000, 8390302, "sell"),
        (49987.0, 0.05345816, 1704067200_603754000, 8390303, "sell"),
    ]


@given(seed=st.integers(min_value=0, max_value=10**6))
def test_trades_when_made_then_are_ordered_and_numbered_without_a_gap(seed: int) -> None:
    """Stamps never step back, and each symbol's ids are contiguous."""
    ticks = list(Market(SYMBOLS, seed=seed, duration=120))
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(ticks))
    for of_symbol in by_symbol(ticks).values():
        ids = [tick.trade_id for tick in of_symbol]
        assert not ids or ids == list(range(int(ids[0] or 0), int(ids[0] or 0) + len(ids)))


@given(seed=st.integers(min_value=0, max_value=10**6), price=st.floats(min_value=1e-6, max_value=1e6))
def test_numbers_when_written_as_json_then_survive_and_are_short(seed: int, price: float) -> None:
    """Prices and volumes are decimals with few digits, as on a venue; they read back as the same floats."""
    for tick in islice(Market(["BTC/USD"], seed=seed, price=price), 200):
        assert tick.price > 0
        assert tick.volume > 0
        assert json.loads(json.dumps([tick.price, tick.volume])) == [tick.price, tick.volume]
        exponent = Decimal(repr(tick.volume)).normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -8


def test_stamps_when_made_then_are_whole_microseconds_that_survive_a_float_of_seconds() -> None:
    """REST of Kraken sends times as floats of seconds."""
    for tick in Market(SYMBOLS, seed=9, duration=300):
        assert tick.timestamp % 1000 == 0
        assert round(json.loads(repr(tick.timestamp / SECOND)) * 10**6) * 1000 == tick.timestamp


def test_market_when_long_enough_then_has_what_makes_candles_hard() -> None:
    """Several trades of one stamp, stamps on the edge of a minute, and symbols that skip whole minutes."""
    ticks = list(Market(SYMBOLS, seed=1, duration=3 * 3600))
    twins = Counter((tick.symbol, tick.timestamp) for tick in ticks)
    assert max(twins.values()) >= 3
    assert sum(tick.timestamp % (60 * SECOND) == 0 for tick in ticks) >= 5
    sides = Counter(tick.side for tick in ticks)
    assert min(sides.values()) > len(ticks) / 3
    quiet = by_symbol(ticks)["XRP/USD"]
    gaps = [(b.timestamp - a.timestamp) / SECOND for a, b in pairwise(quiet)]
    assert max(gaps) > 300
    assert len({tick.price for tick in ticks}) > 100


def test_rates_when_a_number_then_each_further_symbol_trades_ten_times_less() -> None:
    """The number is the busiest symbol's rate, and it holds on average."""
    market = Market(SYMBOLS, seed=2, duration=4 * 3600, rate=4.0)
    assert dict(market.rates) == pytest.approx({"BTC/USD": 4.0, "ETH/USD": 0.4, "ADA/USD": 0.04, "XRP/USD": 0.004})
    counts = {symbol: len(ticks) for symbol, ticks in by_symbol(list(market)).items()}
    assert counts["BTC/USD"] == pytest.approx(4 * 4 * 3600, rel=0.05)
    assert counts["ETH/USD"] == pytest.approx(0.4 * 4 * 3600, rel=0.15)


def test_rates_when_a_mapping_then_every_symbol_has_its_own() -> None:
    """A mapping is taken as it is; other symbols in it don't matter."""
    market = Market(["A/B", "C/D"], rate={"A/B": 1.0, "C/D": 2.0, "E/F": 9.0})
    assert dict(market.rates) == {"A/B": 1.0, "C/D": 2.0}


def test_trades_of_a_symbol_when_others_are_added_then_stay_the_same() -> None:
    """Adding a symbol behind others changes nothing for those."""
    alone = list(Market(SYMBOLS[:1], seed=4, duration=60))
    together = by_symbol(list(Market(SYMBOLS, seed=4, duration=60)))["BTC/USD"]
    assert alone == together


def test_duration_when_given_then_every_trade_lies_inside() -> None:
    """The start is inclusive and the end exclusive; the start may be a datetime, the duration a timedelta."""
    start = datetime(2024, 3, 1, tzinfo=UTC)
    market = Market(SYMBOLS, start=start, duration=timedelta(minutes=10))
    ticks = list(market)
    assert market.end is not None
    assert market.end - market.start == 600 * SECOND
    assert all(market.start <= tick.timestamp < market.end for tick in ticks)
    assert ticks[0].time.date() == start.date()


def test_duration_when_none_then_trades_go_on() -> None:
    """Without an end it never ends; islice takes what is needed."""
    assert len(list(islice(Market(SYMBOLS), 50_000))) == 50_000


@pytest.mark.parametrize(
    "options",
    [
        {"symbols": []},
        {"duration": 0},
        {"duration": -1},
        {"price": 0.0},
        {"price": float("nan")},
        {"volatility": float("inf")},
        {"rate": 0.0},
        {"rate": {"BTC/USD": 1.0}},
        {"rate": dict.fromkeys(SYMBOLS, -1.0)},
    ],
)
def test_market_when_an_option_is_wrong_then_says_so(options: dict[str, Any]) -> None:
    """A wrong option is an error where it is given."""
    with pytest.raises(ValueError):
        Market(**cast("Any", {"symbols": SYMBOLS, **options}))


def test_market_when_given_one_string_then_says_to_write_a_list() -> None:
    """A string is a sequence of one-letter symbols to Python, and a mistake."""
    with pytest.raises(TypeError, match=r"write \['BTC/USD'\]"):
        Market("BTC/USD")
