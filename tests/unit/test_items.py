"""PriceTick and OHLCCandle: what they take, what they refuse, and that nothing changes them afterwards."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast

import msgspec
import numpy as np
import pandas as pd
import pytest

from rxstreams.instants import DAY, EARLIEST, LATEST, MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.timeframe import Timeframe

_TIME = 1_762_795_433_971_744_512  # 2025-11-10T17:23:53.971744512Z
_INFINITY = float("inf")
_NAN = float("nan")


def _tick(**fields: Any) -> PriceTick:
    given: dict[str, Any] = {"symbol": "BTC/USD", "price": 105_000.5, "timestamp": _TIME}
    return PriceTick(**given | fields)


def _candle(**fields: Any) -> OHLCCandle:
    given: dict[str, Any] = {"symbol": "BTC/USD", "timeframe": "1m", "open_time": 5 * MINUTE}
    prices: dict[str, Any] = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0}
    return OHLCCandle(**given | prices | fields)


def test_tick_when_only_the_necessary_is_given_then_the_rest_has_its_default() -> None:
    """One trade of unknown size, side and venue, from history."""
    tick = _tick()
    assert (tick.symbol, tick.price, tick.volume, tick.timestamp) == ("BTC/USD", 105_000.5, 0.0, _TIME)
    assert (tick.exchange, tick.trade_id, tick.side, tick.count) == ("", None, None, 1)
    assert (tick.received, tick.span, tick.since) == (0, 0, 0)


@pytest.mark.parametrize("item", [_tick(), _candle()])
def test_item_when_changed_then_an_attribute_error(item: PriceTick | OHLCCandle) -> None:
    """Items are immutable: what one observer got, another got too."""
    with pytest.raises(AttributeError, match="immutable type"):
        setattr(item, "symbol", "ETH/USD")  # noqa: B010  # type checkers refuse the plain assignment
    with pytest.raises(AttributeError):
        setattr(item, "color", "red")  # noqa: B010  # type checkers refuse the plain assignment
    assert item.symbol == "BTC/USD"


@pytest.mark.parametrize(
    "item", [_tick(side="buy", trade_id="a"), _candle(timeframe=Timeframe("1d", tz="Asia/Kolkata"))]
)
def test_item_when_pickled_or_copied_then_it_is_equal(item: PriceTick | OHLCCandle) -> None:
    """Zone and side come back as what they were; a copy with another value is checked as any item is."""
    again = pickle.loads(pickle.dumps(item))
    assert again == item
    assert hash(again) == hash(item)
    assert msgspec.structs.replace(item, symbol="ETH/USD").symbol == "ETH/USD"
    with pytest.raises(ValueError, match="symbol must not be empty"):
        msgspec.structs.replace(item, symbol="")


def test_item_when_given_by_position_then_a_type_error() -> None:
    """Every field has a name: two numbers are mixed up too easily."""
    with pytest.raises(TypeError):
        cast(Any, PriceTick)("BTC/USD", 1.0, 2.0, _TIME)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, 2.0),
        (Decimal("0.1"), 0.1),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int32(7), 7.0),
        (2**63, 2.0**63),
    ],
)
def test_numbers_when_of_any_kind_then_they_are_floats(value: Any, expected: float) -> None:
    """Whatever a venue's parser or a DataFrame gives."""
    tick = _tick(price=value, volume=value)
    candle = _candle(**dict.fromkeys(("open", "high", "low", "close", "volume", "quote_volume", "buy_volume"), value))
    for number in (tick.price, tick.volume, candle.open, candle.high, candle.close, candle.volume, candle.buy_volume):
        assert type(number) is float
        assert number == expected


@pytest.mark.parametrize("value", [_NAN, _INFINITY, -_INFINITY, Decimal("NaN"), np.float32("inf"), 10**400])
@pytest.mark.parametrize(
    ("item", "names"),
    [
        (_tick, ("price", "volume")),
        (_candle, ("open", "high", "low", "close", "volume", "quote_volume", "buy_volume")),
    ],
)
def test_numbers_when_not_finite_then_a_value_error_says_so(item: Any, names: tuple[str, ...], value: object) -> None:
    """NaN and infinity are refused by the type, whatever carries them."""
    for name in names:
        with pytest.raises(ValueError, match=rf"{name} must be a finite number|a candle needs finite prices"):
            item(**{name: value})


@pytest.mark.parametrize("value", [None, "1.5", b"1", True, [1.0], 1j, object(), pd.NA])
@pytest.mark.parametrize("name", ["price", "volume"])
def test_numbers_when_of_a_wrong_type_then_a_type_error_names_the_field(name: str, value: object) -> None:
    """A string is a parser's mistake, not a number."""
    with pytest.raises(TypeError, match=f"{name} must be a number, got "):
        _tick(**{name: value})
    field = "close" if name == "price" else "buy_volume"
    with pytest.raises(TypeError, match=f"{field} must be a number, got "):
        _candle(**{field: value})


def test_volume_when_negative_then_a_value_error_but_a_price_may_be() -> None:
    """Oil was sold below zero once; nobody ever traded less than nothing."""
    for value in (-1e-9, -1, np.float64(-2)):
        with pytest.raises(ValueError, match="volume must not be negative, got "):
            _tick(volume=value)
        with pytest.raises(ValueError, match="volume must not be negative, got "):
            _candle(volume=value)
        with pytest.raises(ValueError, match="buy_volume must not be negative, got "):
            _candle(buy_volume=value)
    assert _tick(price=-37.63).price == -37.63
    assert _candle(open=-2.0, high=-1.0, low=-4.0, close=-3.0, quote_volume=-9.0).quote_volume == -9.0
    assert _tick(volume=-0.0).volume == 0.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (-1, -1),
        (EARLIEST, EARLIEST),
        (LATEST - 1, LATEST - 1),
        (np.int64(_TIME), _TIME),
        (np.int32(7), 7),
        (datetime(2025, 11, 10, 17, 23, 53, 971744, tzinfo=UTC), _TIME - 512),
        (datetime(2025, 11, 10, 22, 53, 53, tzinfo=timezone(timedelta(hours=5, minutes=30))), _TIME - 971_744_512),
        (pd.Timestamp(_TIME, unit="ns", tz="Europe/Berlin"), _TIME),
        (np.datetime64(_TIME, "ns"), _TIME),
    ],
)
def test_time_when_given_as_any_instant_then_it_is_kept_in_nanoseconds(value: Any, expected: int) -> None:
    """Inside, time is an int."""
    tick, candle = _tick(timestamp=value, received=value, since=value), _candle(open_time=value, since=value)
    times = (tick.timestamp, candle.open_time, candle.since)
    assert times == (expected,) * 3
    assert (tick.received, tick.since) == (expected, expected)
    assert {type(time) for time in times} == {int}


@pytest.mark.parametrize("value", [LATEST, 9 * 10**18 + 3 * 10**17, 2**63 - 1, 2**63, EARLIEST - 367 * DAY, -(10**30)])
def test_time_when_out_of_range_then_a_value_error(value: int) -> None:
    """2262 is too late, whichever way an item is made."""
    for fields in ({}, {"price": 1}):
        with pytest.raises(ValueError, match="timestamp must lie between 1900-01-01 and 2262-01-01"):
            _tick(timestamp=value, **fields)
    for fields in ({}, {"open": 2}):
        with pytest.raises(ValueError, match="open_time must lie between 1900-01-01 and 2262-01-01"):
            _candle(open_time=value, **fields)


def test_candle_when_it_holds_the_first_instant_then_it_may_open_before_it() -> None:
    """The week with a session from the evening of 31 December 1899."""
    week = Timeframe("1w", session_start="17:00")
    opens = week.floor(EARLIEST)
    assert opens < EARLIEST
    for fields in ({}, {"open": 2}):
        candle = _candle(timeframe=week, open_time=opens, **fields)
        assert (candle.open_time, candle.close_time) == (opens, week.next(EARLIEST))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (datetime(2025, 11, 10), ValueError),
        (pd.Timestamp("2025-11-10"), ValueError),
        (pd.NaT, ValueError),
        (np.datetime64("NaT"), ValueError),
        (1.5e9, TypeError),
        ("2025-11-10T17:23:53Z", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_time_when_its_meaning_would_be_a_guess_then_an_error_names_the_field(
    value: object, error: type[Exception]
) -> None:
    """Naive times, floats and strings have no known zone or unit."""
    for name in ("timestamp", "received", "since"):
        with pytest.raises(error, match=f"{name} must "):
            _tick(**{name: value})
    for name in ("open_time", "since"):
        with pytest.raises(error, match=f"{name} must "):
            _candle(**{name: value})


@pytest.mark.parametrize("value", [None, 1.0, "1", True, np.float64(1), np.True_, Decimal(1)])
def test_counts_when_of_a_wrong_type_then_a_type_error_names_the_field(value: object) -> None:
    """Span, count, trades and revision are whole numbers."""
    for name in ("span", "count"):
        with pytest.raises(TypeError, match=f"{name} must be an integer, got "):
            _tick(**{name: value})
    for name in ("span", "trades", "revision"):
        with pytest.raises(TypeError, match=f"{name} must be an integer, got "):
            _candle(**{name: value})


def test_counts_when_from_numpy_then_they_are_ints_and_never_negative() -> None:
    """A column's int64 is a number too; a message stands for no trades at the least."""
    tick, candle = _tick(count=np.int64(3), span=np.uint8(2)), _candle(trades=np.int32(5), revision=np.int64(1))
    assert [type(each) for each in (tick.count, tick.span, candle.trades, candle.revision)] == [int] * 4
    assert (tick.count, tick.span, candle.trades, candle.revision) == (3, 2, 5, 1)
    with pytest.raises(ValueError, match="count must not be negative, got -1"):
        _tick(count=-1)
    with pytest.raises(ValueError, match="trades must not be negative, got "):
        _candle(trades=np.int64(-1))
    for name in ("trades", "revision"):
        with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
            _candle(**{name: -1})


def test_texts_when_of_a_wrong_type_or_empty_then_an_error_names_the_field() -> None:
    """A symbol is a string that is not empty; numpy's strings become Python's."""
    for item in (_tick, _candle):
        for value in (None, b"BTC/USD", 1):
            with pytest.raises(TypeError, match="symbol must be a string, got "):
                item(symbol=value)
            with pytest.raises(TypeError, match="exchange must be a string, got "):
                item(exchange=value)
        with pytest.raises(ValueError, match="symbol must not be empty"):
            item(symbol="")
        assert type(item(symbol=np.str_("BTC/USD")).symbol) is str


def test_side_when_given_as_text_then_it_is_a_side_and_nothing_else_passes() -> None:
    """Buy, sell or unknown."""
    assert _tick(side="buy").side is Side.BUY
    assert _tick(side=Side.SELL).side is Side.SELL
    for value in ("BUY", "b", "", 1, True, 1.5):
        with pytest.raises(ValueError, match="side must be 'buy', 'sell' or None, got "):
            _tick(side=value)


def test_flags_when_from_numpy_then_they_are_bools_and_nothing_else_passes() -> None:
    """Closed and complete are True or False: 1 may be a mixed-up column."""
    candle = _candle(closed=np.True_, complete=np.False_)
    assert (candle.closed, candle.complete) == (True, False)
    assert type(candle.closed) is type(candle.complete) is bool
    for value in (1, 0, None, "yes", pd.NA):
        with pytest.raises(TypeError, match="complete must be True or False, got "):
            _candle(complete=value)


@pytest.mark.parametrize(
    "prices",
    [
        {"open": 5.0},
        {"open": 0.5},
        {"close": 4.5},
        {"close": 0.5},
        {"high": 2.5},
        {"low": 2.5},
        {"high": 0.5},
        {"low": 9.0, "high": 9.0},
    ],
)
def test_candle_when_its_prices_contradict_each_other_then_a_value_error_shows_them(prices: dict[str, float]) -> None:
    """Nothing lies above the high or below the low."""
    with pytest.raises(ValueError, match="a candle needs finite prices with low <= open, close <= high, got open="):
        _candle(**prices)


def test_candle_when_its_timeframe_is_written_then_it_is_a_timeframe() -> None:
    """close_time follows from it; what is no timeframe is refused."""
    assert _candle(timeframe=5).timeframe is Timeframe("5m")
    assert _candle(timeframe=timedelta(hours=1), open_time=0).close_time == 60 * MINUTE
    assert _candle(timeframe="1M", open_time=np.datetime64("2025-02-01", "ns")).close_time == 20_148 * DAY
    with pytest.raises(ValueError, match="expected a timeframe such as"):
        _candle(timeframe="soon")
    with pytest.raises(TypeError, match="expected a timeframe such as"):
        _candle(timeframe=None)


def test_candle_when_asked_for_the_average_price_then_it_is_weighted_by_volume() -> None:
    """Where nothing was traded it is the close."""
    assert _candle(volume=4.0, quote_volume=10.0).vwap == 2.5
    assert _candle().vwap == 3.0


def test_time_when_read_as_datetime_then_it_is_utc_and_cut_to_microseconds() -> None:
    """.time is for people; the int is exact."""
    assert _tick().time == datetime(2025, 11, 10, 17, 23, 53, 971744, tzinfo=UTC)
    assert _tick(timestamp=-1).time == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert _candle().time == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


def test_repr_when_read_then_times_are_iso_and_what_says_nothing_is_left_out() -> None:
    """A tick and a candle as they look in a notebook."""
    assert repr(_tick(side="buy", trade_id=7, volume=2, span=1, since=_TIME // SECOND * SECOND)) == (
        "PriceTick(symbol='BTC/USD', price=105000.5, volume=2.0, timestamp=2025-11-10T17:23:53.971744512Z, trade_id=7, "
        "side='buy', span=1, since=2025-11-10T17:23:53Z)"
    )
    assert repr(_candle(trades=3, timeframe=Timeframe("1d", tz="Asia/Kolkata"), complete=True)) == (
        "OHLCCandle(symbol='BTC/USD', timeframe='1d', open_time=1970-01-01T00:05:00Z, open=2.0, high=4.0, low=1.0, "
        "close=3.0, trades=3, closed=True, complete=True)"
    )
