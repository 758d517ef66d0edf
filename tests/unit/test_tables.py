"""Frames of candles and ticks: dtypes, units, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.tables import (
    CANDLE_DTYPES,
    candles_to_frame,
    columns_to_frame,
    frame_to_candles,
    frame_to_ticks,
    is_frame,
)
from rxstreams.timeframe import Timeframe

T0 = 1_700_000_100 * SECOND
UNITS = ["s", "ms", "us", "ns"]


def _candle(number: int = 0, **fields: Any) -> OHLCCandle:
    values: dict[str, Any] = {
        "symbol": "BTC/USD",
        "timeframe": Timeframe("5m"),
        "open_time": T0 + number * 5 * MINUTE,
        "open": 10.0 + number,
        "high": 12.0 + number,
        "low": 9.0 + number,
        "close": 11.0 + number,
        "volume": 3.5,
        "trades": 7,
        "quote_volume": 38.0,
        "buy_volume": 1.25,
        "exchange": "kraken",
        "closed": True,
        "complete": True,
        "revision": 2,
    }
    return OHLCCandle(**values | fields)


def _times(unit: str, count: int = 2) -> pd.Series[Any]:
    values = np.array([T0 // SECOND + second for second in range(count)], dtype="datetime64[s]")
    return pd.Series(pd.DatetimeIndex(values.astype(f"datetime64[{unit}]")).tz_localize("UTC"))


def _ticks_frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": _times("ns"), "symbol": "BTC/USD", "price": [1.5, 2.5]} | columns)


def test_frame_when_made_of_candles_then_every_dtype_is_as_stated() -> None:
    """The index is datetime64[ns, UTC], whatever pandas would have inferred."""
    frame = candles_to_frame([_candle(0), _candle(1, closed=False, complete=False)])
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame.index.name == "open_time"
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(CANDLE_DTYPES)
    assert list(frame.columns) == list(CANDLE_DTYPES)
    assert frame["close"].tolist() == [11.0, 12.0]
    assert frame["closed"].tolist() == [True, False]
    assert frame["revision"].tolist() == [2, 2]
    assert frame.index[1] == pd.Timestamp(T0 + 5 * MINUTE, unit="ns", tz="UTC")


def test_frame_when_made_of_no_candles_then_the_dtypes_are_the_same() -> None:
    """An empty answer can be concatenated with a full one."""
    empty, full = candles_to_frame([]), candles_to_frame([_candle()])
    assert len(empty) == 0
    assert empty.index.dtype == full.index.dtype
    assert empty.dtypes.equals(full.dtypes)


def test_frame_when_the_candles_are_of_two_keys_then_it_is_refused() -> None:
    """A frame has no column for the key, so a mixture would be unreadable."""
    with pytest.raises(ValueError, match=r"one \(exchange, symbol, timeframe\), got kraken BTC/USD 5m, kraken ETH/USD"):
        candles_to_frame([_candle(), _candle(symbol="ETH/USD")])


def test_columns_to_frame_when_given_a_column_too_many_then_it_is_left_out() -> None:
    """Whoever keeps more about a candle than a frame shows need not cut it."""
    columns: dict[str, Any] = {name: np.zeros(1, dtype) for name, dtype in CANDLE_DTYPES.items()}
    frame = columns_to_frame({"open_time": np.array([T0]), "span": np.zeros(1), **columns})
    assert list(frame.columns) == list(CANDLE_DTYPES)


def test_candles_when_sent_through_a_frame_then_they_are_the_same() -> None:
    """Back from the frame come the candles that went in; span and since are no columns."""
    candles = [_candle(0), _candle(1, complete=False), _candle(2, closed=False, complete=False, revision=0)]
    frame = candles_to_frame(candles)
    assert frame_to_candles(frame, "BTC/USD", "5m", "kraken") == candles
    assert frame_to_candles(frame.reset_index(), "BTC/USD", 5, "kraken") == candles


@pytest.mark.parametrize("unit", UNITS)
def test_candles_when_the_index_has_any_unit_then_the_open_time_is_right(unit: str) -> None:
    """pandas 3 makes microseconds, older files nanoseconds, databases seconds."""
    index = pd.DatetimeIndex(_times(unit))
    frame = pd.DataFrame({"open": [1.0, 1.0], "high": 2.0, "low": 1.0, "close": 1.0}, index=index)
    assert [candle.open_time for candle in frame_to_candles(frame, "A", "1s")] == [T0, T0 + SECOND]


def test_candles_when_the_frame_has_prices_only_then_the_rest_takes_its_defaults() -> None:
    """A plain OHLC table is enough; nothing of it is called complete."""
    frame = pd.DataFrame({"open_time": [T0], "open": [1], "high": [2], "low": [1], "close": [2], "extra": ["x"]})
    assert frame_to_candles(frame, "A", "5m") == [
        OHLCCandle(symbol="A", timeframe=Timeframe("5m"), open_time=T0, open=1.0, high=2.0, low=1.0, close=2.0)
    ]


def test_candles_when_only_the_newest_are_wanted_then_others_are_not_looked_at() -> None:
    """The newest by time, in the frame's order; a bad row among the rest does not matter."""
    frame = candles_to_frame([_candle(3), _candle(0), _candle(2), _candle(1)])
    frame.iloc[1, 0] = np.nan
    newest = frame_to_candles(frame, "BTC/USD", "5m", "kraken", newest=2)
    assert [candle.open_time for candle in newest] == [T0 + 15 * MINUTE, T0 + 10 * MINUTE]
    assert len(frame_to_candles(frame.iloc[[0, 2]], "BTC/USD", "5m", newest=9)) == 2


def test_candles_when_the_frame_lacks_prices_or_times_then_the_error_says_which() -> None:
    """A time zone is not guessed either."""
    frame = candles_to_frame([_candle(0), _candle(1)])
    with pytest.raises(ValueError, match="missing: low"):
        frame_to_candles(frame.drop(columns="low"), "BTC/USD", "5m")
    with pytest.raises(ValueError, match="needs the time as column open_time or as its index"):
        frame_to_candles(frame.reset_index(drop=True), "BTC/USD", "5m")
    with pytest.raises(ValueError, match="open_time must know its time zone, got naive datetime64"):
        frame_to_candles(frame.tz_localize(None), "BTC/USD", "5m")


@pytest.mark.parametrize(
    ("column", "values", "error", "message"),
    [
        ("high", [0.0, 0.0], ValueError, "row 0: a candle needs finite prices"),
        ("close", [11.0, np.nan], ValueError, "row 1: a candle needs finite prices"),
        ("closed", ["True", "False"], TypeError, "column closed must be bool"),
        ("complete", [True, None], TypeError, "column complete must be bool without missing"),
        ("volume", ["1", "2"], TypeError, "column volume must be numbers, got dtype"),
        ("volume", [True, False], TypeError, "column volume must be numbers, got dtype bool"),
        ("trades", [1.5, 2.0], ValueError, "column trades must be whole numbers"),
        ("trades", [1.0, np.nan], ValueError, "column trades must be whole numbers"),
        ("open_time", [1.0, 2.0], TypeError, "aware datetimes or integer nanoseconds.*float64"),
        ("open_time", ["2025-01-01", "x"], TypeError, "aware datetimes or integer nanoseconds"),
        ("open_time", [None, T0], ValueError, "open_time must not be missing, got it so in row 0"),
        ("open_time", [0, -(2**62)], ValueError, "must lie between 1900-01-01 and 2262"),
    ],
)
def test_candles_when_a_column_is_not_one_of_candles_then_the_error_says_why(
    column: str, values: list[Any], error: type[Exception], message: str
) -> None:
    """Nothing is guessed: neither a unit nor a flag."""
    frame = candles_to_frame([_candle(0), _candle(1)]).assign(**{column: values})
    with pytest.raises(error, match=message):
        frame_to_candles(frame, "BTC/USD", "5m")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_ticks_when_the_column_has_any_unit_or_zone_then_the_timestamp_is_right(unit: str, zone: str) -> None:
    """The instant counts, not the way in which a column writes it."""
    frame = _ticks_frame(timestamp=_times(unit).dt.tz_convert(zone))
    assert [tick.timestamp for tick in frame_to_ticks(frame)] == [T0, T0 + SECOND]


def test_ticks_when_the_time_is_integers_or_objects_or_the_index_then_it_is_read() -> None:
    """Integers are nanoseconds; a column of Python's own datetimes is looked at one by one."""
    instants = [T0 + 1, T0 + 2]
    assert [tick.timestamp for tick in frame_to_ticks(_ticks_frame(timestamp=instants))] == instants
    aware = pd.Series([time.to_pydatetime() for time in _times("ns")], dtype="object")
    assert [tick.timestamp for tick in frame_to_ticks(_ticks_frame(timestamp=aware))] == [T0, T0 + SECOND]
    indexed = _ticks_frame().set_index("timestamp")
    assert [tick.timestamp for tick in frame_to_ticks(indexed)] == [T0, T0 + SECOND]
    plain = _ticks_frame(timestamp=instants).set_index("timestamp")
    assert [tick.timestamp for tick in frame_to_ticks(plain)] == instants


def test_ticks_when_every_column_is_there_then_each_is_used() -> None:
    """A recording in columns gives the ticks that were recorded."""
    frame = _ticks_frame(
        exchange="kraken",
        volume=[0.5, 0.25],
        trade_id=[17, 18],
        side=["buy", "sell"],
        count=[1, 3],
        received=[T0 + 5, T0 + 6],
        span=[4, 4],
        since=_times("us"),
    )
    assert list(frame_to_ticks(frame)) == [
        PriceTick(
            symbol="BTC/USD",
            price=price,
            volume=volume,
            timestamp=T0 + number * SECOND,
            exchange="kraken",
            trade_id=17 + number,
            side=side,
            count=count,
            received=T0 + 5 + number,
            span=4,
            since=T0 + number * SECOND,
        )
        for number, (price, volume, side, count) in enumerate([(1.5, 0.5, Side.BUY, 1), (2.5, 0.25, Side.SELL, 3)])
    ]


def test_ticks_when_the_symbol_is_given_then_the_frame_needs_none() -> None:
    """A frame of one symbol does not repeat it; strings are shared, since operators compare them by identity."""
    frame = _ticks_frame().drop(columns="symbol")
    ticks = list(frame_to_ticks(frame, symbol="ETH/USD", exchange="binance"))
    assert [(tick.symbol, tick.exchange) for tick in ticks] == [("ETH/USD", "binance")] * 2
    mixed = list(frame_to_ticks(_ticks_frame(symbol=["".join(["B", "TC"]), "".join(["BT", "C"])])))
    assert mixed[0].symbol is mixed[1].symbol


def test_ticks_when_ids_and_sides_are_missing_in_places_then_they_are_none() -> None:
    """pandas writes a missing integer as NaN and makes floats of the rest: ids come back as integers."""
    ticks = list(frame_to_ticks(_ticks_frame(trade_id=[17, None], side=[None, "sell"])))
    assert [(tick.trade_id, tick.side) for tick in ticks] == [(17, None), (None, Side.SELL)]
    assert isinstance(ticks[0].trade_id, int)
    assert next(frame_to_ticks(_ticks_frame(trade_id=["a-1", None]))).trade_id == "a-1"


def test_ticks_when_the_frame_is_longer_than_a_slice_then_all_come_in_order() -> None:
    """Reading in slices loses and repeats nothing, and numbers rows through."""
    count = 20_001
    frame = pd.DataFrame({"timestamp": range(count), "price": 1.0, "symbol": "A", "side": "buy"})
    assert [tick.timestamp for tick in frame_to_ticks(frame)] == list(range(count))
    frame.loc[count - 1, "side"] = "up"
    with pytest.raises(ValueError, match=r"row 20000: .*'up'"):
        list(frame_to_ticks(frame))


def test_ticks_when_the_frame_has_no_rows_then_there_are_none() -> None:
    """An empty day is no error."""
    assert list(frame_to_ticks(_ticks_frame().iloc[:0])) == []


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({"price": None}, {}, TypeError, "column price must be numbers"),
        ({"timestamp": _times("ns").dt.tz_localize(None)}, {}, ValueError, "timestamp must know its time zone"),
        ({"timestamp": [1.7e9, 1.7e9]}, {}, TypeError, "floats once their unit is said"),
        ({"timestamp": [2**63 - 1, 0]}, {}, ValueError, "timestamp must lie between"),
        ({}, {"symbol": "A"}, ValueError, "has a column symbol: don't give symbol='A' too"),
        ({"count": [1, None]}, {}, ValueError, "column count must be whole numbers"),
        ({"span": ["a", "b"]}, {}, TypeError, "column span must be numbers"),
    ],
)
def test_ticks_when_the_frame_is_not_one_of_ticks_then_the_call_says_why(
    columns: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """What can be known of the whole frame is said at once, before the first tick."""
    with pytest.raises(error, match=message):
        frame_to_ticks(_ticks_frame(**columns), **options)


@pytest.mark.parametrize("missing", ["price", "symbol", "timestamp"])
def test_ticks_when_a_needed_column_is_missing_then_the_call_says_which(missing: str) -> None:
    """The error names what is missing and what is there."""
    with pytest.raises(ValueError, match=rf"column {missing}.*got the columns"):
        frame_to_ticks(_ticks_frame().drop(columns=missing))


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"price": [1.0, np.nan]}, ValueError, "row 1: price must be a finite number"),
        ({"volume": [1.0, -1.0]}, ValueError, "row 1: volume must not be negative"),
        ({"symbol": ["A", None]}, TypeError, "row 1: symbol must be a string, got None"),
        ({"exchange": [3, 4]}, TypeError, "row 0: exchange must be a string, got 3"),
        ({"trade_id": [1.5, 2.0]}, ValueError, "row 0: trade_id must be an integer or a string, got 1.5"),
        ({"trade_id": [1.0, 1e17]}, ValueError, r"row 1: trade_id must be an integer or a string, got 1e\+17"),
        ({"side": ["buy", "BUY"]}, ValueError, "row 1: side must be 'buy', 'sell' or None, got 'BUY'"),
    ],
)
def test_ticks_when_a_row_is_no_tick_then_the_error_names_the_row(
    columns: dict[str, Any], error: type[Exception], message: str
) -> None:
    """In a million rows the number is what one needs."""
    with pytest.raises(error, match=message):
        list(frame_to_ticks(_ticks_frame(**columns)))


def test_is_frame_when_asked_then_only_a_dataframe_is_one() -> None:
    """A list of candles and a Series are none."""
    assert is_frame(pd.DataFrame())
    assert not is_frame([])
    assert not is_frame(pd.Series([1]))


def test_tables_when_imported_then_pandas_is_not_loaded() -> None:
    """A program without frames starts without pandas; the sinks hold to it too."""
    code = (
        "import sys, rxstreams.tables, rxstreams.sinks\n"
        "assert not rxstreams.tables.is_frame([])\n"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
