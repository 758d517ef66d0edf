"""A ring of candles in numpy columns, ordered by open time: 95 bytes a candle, no lock, no opinion on who wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_CAPACITY = 16


class Coverage(NamedTuple):
    """What a row says about its coverage."""

    open_time: int
    since: int
    complete: bool


class Row(NamedTuple):
    """One candle without its key. ``origin`` is an ``Origin``: where the row came from."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    quote_volume: float
    buy_volume: float
    span: int
    since: int
    revision: int
    closed: bool
    complete: bool
    origin: int

    @property
    def coverage(self) -> Coverage:
        """Its part that speaks of coverage."""
        return Coverage(self.open_time, self.since, self.complete)

    def says_the_same(self, other: Row) -> bool:
        """Whether both are the same but for their revision and origin."""
        return self[:11] == other[:11] and self.closed == other.closed and self.complete == other.complete


def checked_max_candles(value: object) -> int:
    """Return the value if it can be a ring's ``max_candles``.

    Raises:
        TypeError: it is no integer.
        ValueError: it is less than 1.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"max_candles must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"max_candles must be at least 1, got {value}")
    return value


_DTYPES = {
    "open_time": np.int64,
    "open": np.float64,
    "high": np.float64,
    "low": np.float64,
    "close": np.float64,
    "volume": np.float64,
    "trades": np.int64,
    "quote_volume": np.float64,
    "buy_volume": np.float64,
    "span": np.int64,
    "since": np.int64,
    "revision": np.int32,
    "closed": np.bool_,
    "complete": np.bool_,
    "origin": np.uint8,
}
_COVERAGE = [list(_DTYPES).index(name) for name in Coverage._fields]


class CandleRing:
    """At most ``max_candles`` rows, one an open time, in ascending order; the oldest make room.

    Starts with room for 16 rows and doubles until ``max_candles``. Rows are numbered from 0, the oldest. Appending
    and replacing the newest row is O(1), any other place O(n).

    Args:
        max_candles: how many rows it keeps, at least 1.
    """

    __slots__ = ("_columns", "_max", "_size", "_start", "evicted", "newest")

    def __init__(self, max_candles: int) -> None:
        self._max = max_candles
        self._columns = _empty_columns(min(_FIRST_CAPACITY, max_candles))
        self._start = 0
        self._size = 0
        self.newest: int | None = None
        """Open time of the last row, nanoseconds; None: there is none."""
        self.evicted = False
        """Whether a row has ever made room, or was refused for being older than all that a full ring keeps."""

    def __len__(self) -> int:
        return self._size

    @property
    def capacity(self) -> int:
        """How many rows the columns hold now, without growing."""
        return len(self._columns[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(column.nbytes for column in self._columns)

    @property
    def oldest(self) -> int | None:
        """Open time of the first row, nanoseconds; None: there is none."""
        return self._columns[0].item(self._start) if self._size else None

    def find(self, open_time: int) -> int | None:
        """Return the number of the row with this open time; None: there is none."""
        newest = self.newest
        if newest is None or open_time > newest:
            return None
        if open_time == newest:
            return self._size - 1
        number = self._place(open_time)
        return number if int(self._columns[0][self._index(number)]) == open_time else None

    def row(self, number: int) -> Row:
        """Return one row, a copy."""
        index = self._index(number)
        return Row._make([column.item(index) for column in self._columns])

    def coverage(self, number: int) -> Coverage:
        """Return what one row says about its coverage."""
        index = self._index(number)
        return Coverage(*[self._columns[column].item(index) for column in _COVERAGE])

    def rows(self) -> list[Row]:
        """Return all rows, copies, oldest first."""
        return [
            Row._make(values) for values in zip(*(column.tolist() for column in self.columns().values()), strict=True)
        ]

    def load(self, rows: list[Row]) -> None:
        """Keep these rows instead, the newest ones if they are too many; they must be in ascending order."""
        self.evicted = self.evicted or len(rows) > self._max
        rows = rows[-self._max :]
        capacity = self.capacity
        while capacity < len(rows):
            capacity = min(2 * capacity, self._max)
        self._columns = _empty_columns(capacity)
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=False):
            column[: len(rows)] = values
        self._start = 0
        self._size = len(rows)
        self.newest = rows[-1].open_time if rows else None

    def replace(self, number: int, row: Row) -> None:
        """Write over a row; its open time must stay the same."""
        index = self._index(number)
        for column, value in zip(self._columns, row, strict=True):
            column[index] = value

    def insert(self, row: Row) -> int | None:
        """Add a row whose open time is not there yet.

        Returns:
            Its number; None: it is older than all of a full ring, and was left out.
        """
        if self.newest is None or row.open_time > self.newest:
            self._append(row)
            return self._size - 1
        number = self._place(row.open_time)
        if self._size == self._max:
            self.evicted = True
            if number == 0:
                return None
            self._straighten()
            for column in self._columns:
                column[: number - 1] = column[1:number]
            number -= 1
        else:
            # Not full means that nothing was ever thrown out: the ring has not gone round, row 0 is at index 0.
            self._grow()
            for column in self._columns:
                column[number + 1 : self._size + 1] = column[number : self._size]
            self._size += 1
        self.replace(number, row)
        return number

    def columns(self, count: int | None = None) -> dict[str, NDArray[Any]]:
        """Return copies of all columns, each of shape (n,), oldest row first.

        Args:
            count: only so many of the newest rows; None: all.
        """
        length = self._size if count is None else min(count, self._size)
        first = self._index(self._size - length)
        end = first + length
        if end <= self.capacity:
            parts = [column[first:end].copy() for column in self._columns]
        else:
            parts = [np.concatenate((column[first:], column[: end - self.capacity])) for column in self._columns]
        return dict(zip(_DTYPES, parts, strict=True))

    def _index(self, number: int) -> int:
        return (self._start + number) % self.capacity

    def _place(self, open_time: int) -> int:
        """Return the number of the first row that is not older."""
        times = self._columns[0]
        end = self._start + self._size
        if end <= self.capacity:
            return int(times[self._start : end].searchsorted(open_time))
        head = times[self._start :]
        if open_time <= head[-1]:
            return int(head.searchsorted(open_time))
        return len(head) + int(times[: end - self.capacity].searchsorted(open_time))

    def _append(self, row: Row) -> None:
        if self._size == self._max:
            self._start = self._index(1)
            self.evicted = True
        else:
            self._grow()
            self._size += 1
        self.replace(self._size - 1, row)
        self.newest = row.open_time

    def _grow(self) -> None:
        if self._size < self.capacity:
            return
        larger = _empty_columns(min(2 * self.capacity, self._max))
        for old, new in zip(self._columns, larger, strict=True):
            new[: self._size] = old
        self._columns = larger

    def _straighten(self) -> None:
        if self._start:
            self._columns = [np.roll(column, -self._start) for column in self._columns]
            self._start = 0


def _empty_columns(capacity: int) -> list[NDArray[Any]]:
    return [np.zeros(capacity, dtype) for dtype in _DTYPES.values()]
