"""``normalize_symbols``: the venue's spelling becomes one name, and nothing else changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.operators import normalize_symbols
from rxstreams.symbols import SymbolMap
from rxstreams.timeframe import Timeframe

on_next, on_error, on_completed = ReactiveTest.on_next, ReactiveTest.on_error, ReactiveTest.on_completed

_ALIASES = {"BTC/USD": ["XBT/USD", "XXBTZUSD"]}


def _tick(symbol: str) -> PriceTick:
    return PriceTick(
        symbol=symbol,
        price=2.0,
        volume=3.0,
        timestamp=5,
        exchange="x",
        trade_id=7,
        side=Side.BUY,
        count=2,
        received=11,
        span=13,
        since=4,
    )


def _candle(symbol: str) -> OHLCCandle:
    return OHLCCandle(
        symbol=symbol,
        timeframe=Timeframe("1d", tz="Asia/Kolkata"),
        open_time=0,
        open=2.0,
        high=4.0,
        low=1.0,
        close=3.0,
        volume=5.0,
        trades=6,
        quote_volume=7.0,
        buy_volume=1.0,
        exchange="x",
        closed=False,
        complete=False,
        revision=2,
        span=3,
        since=4,
    )


def _run(aliases: Any, *messages: Recorded[Any]) -> list[Any]:
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*messages)
    return scheduler.start(lambda: source.pipe(normalize_symbols(aliases))).messages


@pytest.mark.parametrize("aliases", [_ALIASES, SymbolMap(_ALIASES)])
@pytest.mark.parametrize("make", [_tick, _candle])
def test_items_when_known_by_an_alias_then_only_their_symbol_changes(aliases: Any, make: Any) -> None:
    """Ticks and candles, by a SymbolMap or by what one is made of; names and strangers pass."""
    before = [make(symbol) for symbol in ("XBT/USD", "BTC/USD", "XXBTZUSD", "ETH/USD", "xbt/usd")]
    after = [make(symbol) for symbol in ("BTC/USD", "BTC/USD", "BTC/USD", "ETH/USD", "xbt/usd")]
    messages = [on_next(210 + number, item) for number, item in enumerate(before)]
    expected = [on_next(210 + number, item) for number, item in enumerate(after)]
    assert _run(aliases, *messages, on_completed(220)) == [*expected, on_completed(220)]
    # Others may hold the very same items.
    assert [item.symbol for item in before] == ["XBT/USD", "BTC/USD", "XXBTZUSD", "ETH/USD", "xbt/usd"]


def test_items_when_the_name_is_right_already_then_they_are_the_very_objects() -> None:
    """Nothing is copied without need."""
    items: list[Any] = [_tick("BTC/USD"), _candle("ETH/USD")]
    result = _run(_ALIASES, *(on_next(210 + number, item) for number, item in enumerate(items)))
    assert [message.value.value is item for message, item in zip(result, items, strict=True)] == [True, True]


def test_copy_when_made_then_it_is_a_valid_immutable_item() -> None:
    """The new name is part of its hash, and it can't be changed."""
    (copied,) = [message.value.value for message in _run(_ALIASES, on_next(210, _tick("XXBTZUSD")))]
    assert hash(copied) == hash(_tick("BTC/USD"))
    assert msgspec.structs.asdict(copied) == msgspec.structs.asdict(_tick("BTC/USD"))
    with pytest.raises(AttributeError):
        copied.symbol = "ETH/USD"


def test_source_when_it_fails_then_its_error_passes() -> None:
    """The same object, at once."""
    error = RuntimeError("lost")
    result = _run(_ALIASES, on_next(210, _tick("BTC/USD")), on_error(220, error))
    assert result == [on_next(210, _tick("BTC/USD")), on_error(220, error)]
    assert result[-1].value.exception is error


@pytest.mark.parametrize("item", ["XBT/USD", None, {"symbol": "XBT/USD"}])
def test_items_when_neither_ticks_nor_candles_then_a_type_error_says_what_came(item: object) -> None:
    """A symbol alone is no item; nothing comes after the error."""
    (message,) = _run(_ALIASES, on_next(210, item), on_next(220, _tick("XBT/USD")))
    assert message.time == 210
    error = message.value.exception
    assert type(error) is TypeError
    assert str(error) == f"normalize_symbols takes PriceTick or OHLCCandle items, got {type(item).__name__} {item!r}"


def test_aliases_when_contradictory_or_wrong_then_they_are_refused_when_it_is_built() -> None:
    """Not at the first subscription."""
    with pytest.raises(ValueError, match="'XBT' can't stand for both 'BTC' and 'ETH'"):
        normalize_symbols({"BTC": ["XBT"], "ETH": ["XBT"]})
    wrong: Any
    for wrong in ("BTC", ["BTC"], {"BTC": "XBT"}):
        with pytest.raises(TypeError, match="aliases of "):
            normalize_symbols(wrong)
