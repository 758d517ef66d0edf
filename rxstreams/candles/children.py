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
_STRIDE = 64  # children between two sums that are kept


def _is_flawless(child: OHLCCandle) -> bool:
    return child.closed and child.complete


class _Sum:
    """Children added up, from the oldest to the newest.

    Those without a trade only repeat a price from before: where others have trades, all prices are theirs.
    """

    __slots__ = ("flawless", "numbers", "trades")

    def __init__(self, numbers: Sequence[float], trades: int, flawless: bool) -> None:
        self.numbers = numbers
        self.trades = trades
        self.flawless = flawless

    def plus(self, numbers: Sequence[float], trades: int, flawless: bool) -> _Sum:
        """Return the sum with one more child, the newest."""
        opens, high, low, close, volume, quote_volume, buy_volume = self.numbers
        child_open, child_high, child_low, child_close, child_volume, child_quote_volume, child_buy_volume = numbers
        has_trades = self.trades > 0 or volume > 0.0
        child_has_trades = trades > 0 or child_volume > 0.0
        if has_trades == child_has_trades:
            high, low, close = max(high, child_high), min(low, child_low), child_close
        elif child_has_trades:
            opens, high, low, close = child_open, child_high, child_low, child_close
        return _Sum(
            (
                opens,
                high,
                low,
                close,
                volume + child_volume,
                quote_volume + child_quote_volume,
                buy_volume + child_buy_volume,
            ),
            self.trades + trades,
            self.flawless and flawless,
        )


def _plus(total: _Sum | None, numbers: Sequence[float], trades: int, flawless: bool) -> _Sum:
    return _Sum(numbers, trades, flawless) if total is None else total.plus(numbers, trades, flawless)


class Parent:
    """A candle and all of its children, one an open_time.

    The newest child may change at no cost. When an older one does, the sum is made afresh, never by subtraction, from
    the last one that was kept before it: late children are among the latest. Memory: 73 bytes a child, and a little.

    Attributes:
        open_time, close_time: its interval.
        newest: the child with the highest open_time.
        closed: it was closed.
        refuted: a loss is known that its children don't show.
        sent: as it went out last, closed; None: it never did.
    """

    __slots__ = (
        "_flawless",
        "_marks",
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
        # The sum of the first _STRIDE children, of twice as many, and so on.
        self._marks: list[_Sum] = []

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
            self._add_up(len(self._times) - 1)

    def _put_older(self, child: OHLCCandle) -> None:
        index = bisect_left(self._times, child.open_time)
        if index < len(self._times) and self._times[index] == child.open_time:
            self._numbers[index * _WIDTH : (index + 1) * _WIDTH] = array("d", _numbers(child))
            self._trades[index] = child.trades
            self._flawless[index] = _is_flawless(child)
        else:
            self._insert(index, child)
        kept = index // _STRIDE
        del self._marks[kept:]
        self._older = self._marks[-1] if kept else None
        self._add_up(kept * _STRIDE)

    def _add_up(self, start: int) -> None:
        """Add the children from a position on to the sum of those before."""
        for index in range(start, len(self._times)):
            row = self._numbers[index * _WIDTH : (index + 1) * _WIDTH]
            self._older = _plus(self._older, row, self._trades[index], bool(self._flawless[index]))
            if (index + 1) % _STRIDE == 0:
                self._marks.append(self._older)

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
        total = _plus(self._older, _numbers(newest), newest.trades, _is_flawless(newest))
        opens, high, low, close, volume, quote_volume, buy_volume = total.numbers
        return OHLCCandle(
            symbol=newest.symbol,
            timeframe=timeframe,
            open_time=self.open_time,
            open=opens,
            high=high,
            low=low,
            close=close,
            volume=volume,
            trades=total.trades,
            quote_volume=quote_volume,
            buy_volume=buy_volume,
            exchange=newest.exchange,
            closed=self.closed,
            complete=self.closed and not self.refuted and total.flawless and newest.since <= self.open_time,
            revision=0 if self.sent is None else self.sent.revision,
            span=newest.span,
            since=newest.since,
        )
