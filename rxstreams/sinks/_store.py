"""CandleStore: a ring of candles behind a lock, with the rules of precedence and someone to tell of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rxstreams.items import OHLCCandle
from rxstreams.sinks._precedence import Origin, settled_revision
from rxstreams.sinks._ring import CandleRing, Coverage, Row
from rxstreams.timeframe import Timeframe

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Listener(Protocol):
    """Is told, under the store's lock, which rows have changed."""

    def on_row(self, row: Row) -> None:
        """Take a row that has come or changed."""
        ...

    def on_merge(self, rows: Sequence[Row], changed: set[int], edge: int | None) -> None:
        """Take the outcome of a merge.

        Args:
            rows: all of them in ascending order, those too that find no room in the ring.
            changed: open times of those that have come or changed.
            edge: open time of the first row that was in the ring before, if others before it had been thrown out;
                else None.
        """
        ...


class CandleStore:
    """The candles of one key; knows open times and rows, but not the key.

    The ``since`` of its rows reaches as far back as is known here: a candle that is covered from its open on, next to
    a complete one, is covered as far back as that one. A candle that says nothing about it covers its own interval.

    Args:
        max_candles: rows kept.

    Attributes:
        lock: reentrant; every method takes it; several stores may share one.
        refresh: brings into the ring what is not there yet (a forming candle); called before each reading.
        listeners: told of every change that is more than a new revision or origin.
    """

    def __init__(self, max_candles: int) -> None:
        self.ring = CandleRing(max_candles)
        self.lock = threading.RLock()
        self.refresh: Callable[[], None] = _nothing
        self.listeners: list[Listener] = []

    def put(self, candle: OHLCCandle, origin: Origin) -> bool:
        """Take a candle if it stands above what is there for its open time; return whether it was taken."""
        with self.lock:
            row = _to_row(candle, origin)
            ring = self.ring
            number = ring.find(row.open_time)
            stored = None
            if number is None:
                number = ring.insert(row)
            else:
                stored = ring.row(number)
                revision = settled_revision(row, stored)
                if revision is None:
                    return False
                if revision != row.revision:
                    row = row._replace(revision=revision)
            joined = _joined(ring.coverage(number - 1), row, candle.timeframe) if number else row
            if number is not None and (joined is not row or (stored is not None and row != stored)):
                ring.replace(number, joined)
            # What is too old for the ring may still be part of a longer candle.
            if stored is None or not joined.says_the_same(stored):
                for listener in self.listeners:
                    listener.on_row(joined)
            return number is not None

    def merge(self, candles: Sequence[OHLCCandle], origin: Origin) -> int:
        """Take many candles at once, in ascending order; return how many of them are now in the ring."""
        if not candles:
            return 0
        timeframe = candles[0].timeframe
        with self.lock:
            self.refresh()
            before = {row.open_time: row for row in self.ring.rows()}
            edge = self.ring.oldest if self.ring.evicted else None
            after = dict(before)
            taken: list[int] = []
            for candle in candles:
                row = _to_row(candle, origin)
                stored = before.get(row.open_time)
                revision = row.revision if stored is None else settled_revision(row, stored)
                if revision is not None:
                    after[row.open_time] = row._replace(revision=revision)
                    taken.append(row.open_time)
            rows = [after[open_time] for open_time in sorted(after)]
            for number in range(1, len(rows)):
                rows[number] = _joined(rows[number - 1].coverage, rows[number], timeframe)
            self.ring.load(rows)
            changed = {
                row.open_time
                for row in rows
                if (stored := before.get(row.open_time)) is None or not row.says_the_same(stored)
            }
            if changed:
                for listener in self.listeners:
                    listener.on_merge(rows, changed, edge)
            return sum(self.ring.find(open_time) is not None for open_time in taken)

    def snapshot(self, count: int | None, closed_only: bool) -> dict[str, NDArray[Any]]:
        """Return copies of the columns, oldest row first.

        Raises:
            ValueError: ``count`` is negative.
        """
        if count is not None and count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        with self.lock:
            self.refresh()
            columns = self.ring.columns(None if closed_only else count)
        if not closed_only:
            return columns
        closed = columns["closed"].nonzero()[0]
        if count is not None:
            closed = closed[max(0, len(closed) - count) :]
        return {name: column[closed] for name, column in columns.items()}

    def __len__(self) -> int:
        with self.lock:
            self.refresh()
            return len(self.ring)


def _to_row(candle: OHLCCandle, origin: Origin) -> Row:
    return Row(
        candle.open_time,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.trades,
        candle.quote_volume,
        candle.buy_volume,
        candle.span,
        candle.since or candle.open_time,
        candle.revision,
        candle.closed,
        candle.closed and candle.complete,
        origin,
    )


def _joined(earlier: Coverage, later: Row, timeframe: Timeframe) -> Row:
    """Return the later row with the coverage of the earlier one, if that is complete and nothing lies between."""
    if (
        earlier.complete
        and earlier.since < later.since <= later.open_time
        and timeframe.next(earlier.open_time) == later.open_time
    ):
        return later._replace(since=earlier.since)
    return later


def _nothing() -> None:
    """There is nothing that the ring doesn't hold."""
