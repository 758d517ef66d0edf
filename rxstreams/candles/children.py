"""One candle that is being built from shorter candles, its children."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe


def _numbers(child: OHLCCandle) -> tuple[float, ...]:
    return (
        child.open,
        child.high,
        child.low,
        child.close,
        child.volume,
        child.quote_volume,
        child.buy_volume,
    )


_WIDTH = 7  # of a row of numbers


def _is_flawless(child: OHLCCandle) -> bool:
    return child.closed and child.complete


class _Sum:
    """Children added up, from the oldest to the newest."""

    __slots__ = ("buy_volume", "close", "flawless", "high", "low", "open", "quote_volume", "trades", "volume")

    def __init__(self, numbers: Sequence[float], trades: int, flawless: bool) -> None:
        self.open, self.high, self.low, self.close, self.volume, self.quote_volume, self.buy_volume = numbers
        self.trades = trades
        self.flawless = flawless

    def add(self, numbers: Sequence[float], trades: int, flawless: bool) -> None:
        _, high, low, self.close, volume, quote_volume, buy_volume = numbers
        if high > self.high:
            self.high = high
        if low < self.low:
            self.low = low
        self.volume += volume
        self.quote_volume += quote_volume
        self.buy_volume += buy_volume
        self.trades += trades
        self.flawless = self.flawless and flawless


class Parent:
    """A candle and all of its children, one an open_time.

    The newest child may change at no cost; when an older one does, the sum over them is made afresh, never by
    subtraction. Memory: 73 bytes a child.

    Attributes:
        open_time, close_time: its interval.
        newest: the child with the highest open_time.
        closed: it was closed.
        refuted: a loss is known that its children don't show.
        sent: as it went out last, closed; None: it never did.
    """

    __slots__ = (
        "_flawless",
        "_numbers",
        "_older",
        "_times",
        "_trades",
        "close_time",
        "closed",
        "newest",
        "open_time",
        "refuted",
        "sent",
    )

    def __init__(self, open_time: int, close_time: int, child: OHLCCandle) -> None:
        self.open_time = open_time
        self.close_time = close_time
        self.newest = child
        self.closed = False
        self.refuted = False
        self.sent: OHLCCandle | None = None
        # All children but the newest, in columns, and their sum; None: there are none.
        self._times = array("q")
        self._numbers = array("d")
        self._trades = array("q")
        self._flawless = bytearray()
        self._older: _Sum | None = None

    def put(self, child: OHLCCandle) -> None:
        """Add a child, or put it in the place of the one with its open_time."""
        newest = self.newest
        if child.open_time < newest.open_time:
            self._put_older(child)
        elif child.open_time == newest.open_time:
            self.newest = child
        else:
            self.newest = child
            self._insert(len(self._times), newest)
            if self._older is None:
                self._older = _Sum(_numbers(newest), newest.trades, _is_flawless(newest))
            else:
                self._older.add(_numbers(newest), newest.trades, _is_flawless(newest))

    def _put_older(self, child: OHLCCandle) -> None:
        index = bisect_left(self._times, child.open_time)
        if index < len(self._times) and self._times[index] == child.open_time:
            self._numbers[index * _WIDTH : (index + 1) * _WIDTH] = array("d", _numbers(child))
            self._trades[index] = child.trades
            self._flawless[index] = _is_flawless(child)
        else:
            self._insert(index, child)
        older = None
        for i, trades in enumerate(self._trades):
            row = self._numbers[i * _WIDTH : (i + 1) * _WIDTH]
            if older is None:
                older = _Sum(row, trades, bool(self._flawless[i]))
            else:
                older.add(row, trades, bool(self._flawless[i]))
        self._older = older

    def _insert(self, index: int, child: OHLCCandle) -> None:
        self._times.insert(index, child.open_time)
        self._numbers[index * _WIDTH : index * _WIDTH] = array("d", _numbers(child))
        self._trades.insert(index, child.trades)
        self._flawless.insert(index, _is_flawless(child))

    def to_candle(self, timeframe: Timeframe) -> OHLCCandle:
        """Return the candle as it is now.

        It is complete if it is closed, no loss is known, all children are closed and complete, and the coverage of the
        newest reaches back to its start.
        """
        newest = self.newest
        total = _Sum(_numbers(newest), newest.trades, _is_flawless(newest))
        if self._older is not None:
            older, last = self._older, total
            total = _Sum(
                (
                    older.open,
                    max(older.high, last.high),
                    min(older.low, last.low),
                    last.close,
                    older.volume + last.volume,
                    older.quote_volume + last.quote_volume,
                    older.buy_volume + last.buy_volume,
                ),
                older.trades + last.trades,
                older.flawless and last.flawless,
            )
        return OHLCCandle(
            symbol=newest.symbol,
            timeframe=timeframe,
            open_time=self.open_time,
            open=total.open,
            high=total.high,
            low=total.low,
            close=total.close,
            volume=total.volume,
            trades=total.trades,
            quote_volume=total.quote_volume,
            buy_volume=total.buy_volume,
            exchange=newest.exchange,
            closed=self.closed,
            complete=self.closed and not self.refuted and total.flawless and newest.since <= self.open_time,
            revision=0 if self.sent is None else self.sent.revision,
            span=newest.span,
            since=newest.since,
        )
