"""The only way to and from DataFrames: candles both ways, ticks from a frame.

Times are ``datetime64[ns, UTC]`` in every frame that leaves here. The unit is stated, never inferred: pandas 3 picks
microseconds by itself, and code that divides by 10**9 is then wrong by a factor of 1000. pandas is imported inside the
functions, so that a program without frames does not load it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from rxstreams.instants import EARLIEST, LATEST, to_nanoseconds
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.timeframe import Timeframe, TimeframeLike

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CANDLE_DTYPES: Mapping[str, str] = {
    "open": "float64",
    "high": "float64",
    "low": "float64",
    "close": "float64",
    "volume": "float64",
    "trades": "int64",
    "quote_volume": "float64",
    "buy_volume": "float64",
    "closed": "bool",
    "complete": "bool",
    "revision": "int64",
}
"""The columns of a frame of candles, in order, and their dtypes; the index is ``open_time``, datetime64[ns, UTC]."""

_PRICES = ("open", "high", "low", "close")
_SLICE = 8192


def columns_to_frame(columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """Return a frame of candles from their columns.

    Args:
        columns: ``open_time`` (int64, nanoseconds since the epoch, UTC) and every name in ``CANDLE_DTYPES``, each of
            shape (n,). Other columns are left out.

    Returns:
        n rows in the given order, columns as in ``CANDLE_DTYPES``, index ``open_time`` as datetime64[ns, UTC].
    """
    import pandas as pd

    times = np.ascontiguousarray(columns["open_time"], dtype=np.int64).view("datetime64[ns]")
    index = pd.DatetimeIndex(times, tz="UTC", name="open_time")
    data = {name: np.asarray(columns[name], dtype=dtype) for name, dtype in CANDLE_DTYPES.items()}
    return pd.DataFrame(data, index=index, columns=list(CANDLE_DTYPES))


def candles_to_frame(candles: Iterable[OHLCCandle]) -> pd.DataFrame:
    """Return a frame of the candles of one key, one row each, in the given order.

    Args:
        candles: all of one (exchange, symbol, timeframe), since the frame has no column for these.

    Returns:
        As ``columns_to_frame``; of no candles, no rows of the same dtypes.

    Raises:
        ValueError: the candles are of several keys.

    Example:
        >>> from rxstreams.items import OHLCCandle
        >>> candle = OHLCCandle(symbol="BTC/USD", timeframe="5m", open_time=0, open=1.0, high=3.0, low=1.0, close=2.0)
        >>> print(candles_to_frame([candle]).index.dtype)
        datetime64[ns, UTC]
    """
    rows = list(candles)
    keys = {(row.exchange, row.symbol, row.timeframe) for row in rows}
    if len(keys) > 1:
        found = ", ".join(sorted(f"{exchange} {symbol} {timeframe}".strip() for exchange, symbol, timeframe in keys))
        raise ValueError(f"one frame holds the candles of one (exchange, symbol, timeframe), got {found}")
    columns = {name: np.array([getattr(row, name) for row in rows], dtype) for name, dtype in CANDLE_DTYPES.items()}
    return columns_to_frame({"open_time": np.array([row.open_time for row in rows], np.int64), **columns})


def is_frame(value: object) -> TypeGuard[pd.DataFrame]:
    """Whether something is a DataFrame; pandas is not loaded to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def frame_to_candles(
    frame: pd.DataFrame,
    symbol: str,
    timeframe: TimeframeLike,
    exchange: str = "",
    *,
    newest: int | None = None,
) -> list[OHLCCandle]:
    """Return the candles of a frame, one a row, in its order; the inverse of ``candles_to_frame``.

    Args:
        frame: n rows with open, high, low and close; volume, trades, quote_volume, buy_volume (default 0), closed
            (default True), complete (default False) and revision (default 0) where it has them, other columns are
            ignored. The open time is the column ``open_time``, else the index: aware datetimes of any unit, or
            integer nanoseconds since the epoch.
        symbol, timeframe, exchange: of all the rows.
        newest: only so many rows, those of the newest open times, still in the frame's order; None: all.

    Raises:
        ValueError: a column or the time is missing, times are naive or out of range, a row is no candle (its number,
            from 0, is in the message).
        TypeError: a column's dtype is none that can be meant.
    """
    length = Timeframe(timeframe)
    missing = [name for name in _PRICES if name not in frame.columns]
    if missing:
        raise ValueError(f"a frame of candles needs the columns {', '.join(_PRICES)}; missing: {', '.join(missing)}")
    instants = _nanoseconds(_time_of(frame, "open_time"), "open_time")
    numbers = np.arange(len(frame))
    if newest is not None and newest < len(frame):
        numbers = np.sort(np.argsort(instants, kind="stable")[len(frame) - newest :])
    names = [name for name in CANDLE_DTYPES if name in frame.columns]
    columns = [_plain_column(frame, name, CANDLE_DTYPES[name])[numbers].tolist() for name in names]
    rows = zip(numbers.tolist(), instants[numbers].tolist(), *columns, strict=True)
    candles: list[OHLCCandle] = []
    for number, open_time, *values in rows:
        try:
            candles.append(
                OHLCCandle(
                    symbol=symbol,
                    timeframe=length,
                    open_time=open_time,
                    exchange=exchange,
                    **dict(zip(names, values, strict=True)),
                )
            )
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error
    return candles


def frame_to_ticks(
    frame: pd.DataFrame, *, symbol: str | None = None, exchange: str | None = None
) -> Iterator[PriceTick]:
    """Return the ticks of a frame, one a row, in its order.

    Args:
        frame: n rows with ``price``; volume (default 0.0), trade_id (integers or strings; NaN: none), side ("buy",
            "sell"; NaN: unknown), count (default 1), received, span and since (default 0) where it has them, other
            columns are ignored. The time is the column ``timestamp``, else the index: aware datetimes of any unit,
            or integer nanoseconds since the epoch.
        symbol: of all the rows; None: the frame has a column of that name.
        exchange: of all the rows; None: the column of that name, and "" without one.

    Returns:
        An iterator. It reads the frame in slices, so its own memory is O(1).

    Raises:
        ValueError: a column or the time is missing or given twice, times are naive or out of range; while iterating:
            a row is no tick (its number, from 0, is in the message).
        TypeError: a column's dtype is none that can be meant; while iterating: a row's value is.
    """
    if "price" not in frame.columns:
        raise ValueError(f"a frame of ticks needs the column price, got {_names(frame)}")
    fixed: dict[str, Any] = {}
    for name, value in (("symbol", symbol), ("exchange", exchange)):
        if value is None:
            continue
        if name in frame.columns:
            raise ValueError(f"the frame has a column {name}: don't give {name}={value!r} too")
        fixed[name] = sys.intern(value)
    if symbol is None and "symbol" not in frame.columns:
        raise ValueError(f"a frame of ticks needs the column symbol, or symbol= with the call; got {_names(frame)}")
    columns: dict[str, NDArray[Any]] = {"timestamp": _nanoseconds(_time_of(frame, "timestamp"), "timestamp")}
    columns |= {name: _numbers(frame, name, "float64") for name in ("price", "volume") if name in frame.columns}
    columns |= {name: _numbers(frame, name, "int64") for name in ("count", "span") if name in frame.columns}
    columns |= {name: _nanoseconds(frame[name], name) for name in ("received", "since") if name in frame.columns}
    names = ("symbol", "exchange", "trade_id", "side")
    objects = {name: frame[name] for name in names if name in frame.columns}
    return _ticks(len(frame), fixed, columns, objects)


def _ticks(
    length: int, fixed: dict[str, Any], columns: dict[str, NDArray[Any]], objects: dict[str, pd.Series[Any]]
) -> Iterator[PriceTick]:
    names = [*columns, *objects]
    for start in range(0, length, _SLICE):
        rows = slice(start, start + _SLICE)
        lists = [column[rows].tolist() for column in columns.values()]
        lists += [_objects(series.iloc[rows], name, start) for name, series in objects.items()]
        for number, values in enumerate(zip(*lists, strict=True), start):
            try:
                tick = PriceTick(**fixed, **dict(zip(names, values, strict=True)))
            except TypeError as error:
                raise TypeError(f"row {number}: {error}") from error
            except ValueError as error:
                raise ValueError(f"row {number}: {error}") from error
            yield tick


def _objects(series: pd.Series[Any], name: str, start: int) -> list[object]:
    """Return a column of strings or ids as Python's own values, None for what is missing."""
    missing = series.isna().tolist()
    values: list[object] = [None if absent else value for value, absent in zip(series.tolist(), missing, strict=True)]
    if name in ("symbol", "exchange"):
        # One string object a name: operators recognise a symbol that they have just seen by identity.
        for number, value in enumerate(values, start):
            if not isinstance(value, str):
                raise TypeError(f"row {number}: {name} must be a string, got {value!r}")
        return [sys.intern(str(value)) for value in values]
    if name == "trade_id":
        return [_trade_id(value, number) for number, value in enumerate(values, start)]
    return values


def _trade_id(value: object, number: int) -> object:
    # pandas turns a column of integers with a missing one into floats; above 2**53 these have lost digits.
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > 2**53:
            raise ValueError(f"row {number}: trade_id must be an integer or a string, got {value!r}")
        return int(value)
    return value


def _plain_column(frame: pd.DataFrame, name: str, dtype: str) -> NDArray[Any]:
    if dtype != "bool":
        return _numbers(frame, name, dtype)
    import pandas as pd

    series = frame[name]
    # bool("False") is True: a column of strings must not pass for one of flags.
    if not pd.api.types.is_bool_dtype(series.dtype) or bool(series.isna().any()):
        raise TypeError(f"column {name} must be bool without missing values, got dtype {series.dtype}")
    return series.to_numpy(dtype=np.bool_)


def _numbers(frame: pd.DataFrame, name: str, dtype: str) -> NDArray[Any]:
    import pandas as pd

    series = frame[name]
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        raise TypeError(f"column {name} must be numbers, got dtype {series.dtype}")
    if dtype == "float64":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    floats = series.to_numpy(dtype=np.float64, na_value=np.nan)
    if not bool(np.all(np.isfinite(floats) & (floats == np.floor(floats)))):
        raise ValueError(f"column {name} must be whole numbers without missing values")
    return series.to_numpy(dtype=np.int64)


def _time_of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    import pandas as pd

    if name in frame.columns:
        return frame[name]
    if isinstance(frame.index, pd.DatetimeIndex) or frame.index.name == name:
        return pd.Series(frame.index)
    raise ValueError(f"the frame needs the time as column {name} or as its index, got {_names(frame)}")


def _nanoseconds(series: pd.Series[Any], name: str) -> NDArray[np.int64]:
    """Return the instants of a column as int64 nanoseconds, whatever their unit is."""
    import pandas as pd

    dtype = series.dtype
    if pd.api.types.is_datetime64_dtype(dtype):
        raise ValueError(f"{name} must know its time zone, got naive {dtype}; add .dt.tz_localize('UTC') if it is UTC")
    if bool(series.isna().any()):
        raise ValueError(f"{name} must not be missing, got it so in row {int(series.isna().to_numpy().argmax())}")
    if isinstance(dtype, pd.DatetimeTZDtype):
        # An instant that doesn't fit nanoseconds raises OutOfBoundsDatetime, a ValueError.
        times = pd.DatetimeIndex(series).as_unit("ns").asi8
    elif pd.api.types.is_integer_dtype(dtype):
        times = series.to_numpy(dtype=np.int64)
    elif dtype == np.dtype("O"):
        times = np.array([to_nanoseconds(value, name) for value in series.tolist()], dtype=np.int64)
    else:
        raise TypeError(
            f"{name} must be aware datetimes or integer nanoseconds since the epoch, got dtype {dtype}; "
            "pandas.to_datetime(..., utc=True) reads text, and floats once their unit is said"
        )
    if len(times) and (int(times.min()) < EARLIEST or int(times.max()) >= LATEST):
        raise ValueError(f"{name} must lie between 1900-01-01 and 2262-01-01 (UTC)")
    return np.asarray(times, dtype=np.int64)


def _names(frame: pd.DataFrame) -> str:
    return f"the columns {', '.join(map(str, frame.columns))} and an index of dtype {frame.index.dtype}"
