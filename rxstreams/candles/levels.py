"""One timeframe of a ``CandleResampler``: the open and the latest closed candles of every symbol."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter

from msgspec.structs import replace

from rxstreams.candles.accumulator import NEVER_COVERED
from rxstreams.candles.children import Parent
from rxstreams.candles.closing import UNARMED, Line, Lines
from rxstreams.candles.rules import is_revisable
from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe

_open_time = attrgetter("open_time")


class Output:
    """A candle that a level has made: for its dependents and, if visible, to be sent."""

    __slots__ = ("candle", "order", "visible")

    def __init__(self, candle: OHLCCandle, order: int, visible: bool) -> None:
        self.candle = candle
        self.order = order
        self.visible = visible

    def key(self) -> tuple[int, int]:
        """Return what the candles of one level go out by: (time, first appearance)."""
        return (self.candle.open_time, self.order)


class _Series:
    """The candles of one symbol.

    Attributes:
        order: number in the order of first appearance.
        base: timeframe of the incoming candles.
        open: the open candle; None: the last one was closed and no child has come since.
        kept: closed candles, ascending.
        bound: a child that opens earlier is in a candle that is known already, or late.
        newest: open_time of the newest child.
        traded: open_time of the newest child that has trades; those after it may only have been closed by a clock.
        due, line: when the open candle is due, and where that is booked.
    """

    __slots__ = ("base", "bound", "due", "kept", "line", "newest", "open", "order", "traded")

    def __init__(self, order: int, base: Timeframe) -> None:
        self.order = order
        self.base = base
        self.open: Parent | None = None
        self.kept: list[Parent] = []
        self.bound = NEVER_COVERED
        self.newest = NEVER_COVERED
        self.traded = NEVER_COVERED
        self.due: int | None = None
        self.line: Line = UNARMED


class Level:
    """Candles of one timeframe.

    Args:
        timeframe: theirs.
        updates: whether open candles are sent.
        grace: nanoseconds.

    Attributes:
        late: children that were too old to be counted.
    """

    def __init__(self, timeframe: Timeframe, updates: bool, grace: int) -> None:
        self.late = 0
        self._timeframe = timeframe
        self._updates = updates
        self._series: list[_Series] = []
        self._lines = Lines(grace, self._series)

    def add_series(self, base: Timeframe) -> None:
        """Make room for the next symbol."""
        self._series.append(_Series(len(self._series), base))

    def put(self, order: int, child: OHLCCandle, outputs: list[Output]) -> None:
        """Count a child: close what it closes, and note what comes of it."""
        series = self._series[order]
        series.newest = max(series.newest, child.open_time)
        if child.trades or child.volume:
            series.traded = max(series.traded, child.open_time)
        open_time = self._timeframe.floor(child.open_time)
        parent = series.open
        if parent is not None and parent.open_time == open_time:
            span_before = parent.newest.span
            parent.put(child)
            self._after(series, parent, child, parent.newest.span != span_before, outputs)
        elif open_time >= series.bound:
            if parent is not None:
                # Closed by a later child of its own: one that lost coverage in between tells of a loss in it.
                parent.refuted = child.since > parent.open_time
                self._close(series, parent, outputs)
            parent = series.open = Parent(open_time, self._timeframe.next(open_time), child)
            series.bound = parent.close_time
            self._after(series, parent, child, True, outputs)
        else:
            self._put_late(series, open_time, child, outputs)

    def close_due(self, span: int, timestamp: int, outputs: list[Output]) -> None:
        """Close what a line's clock closes, by (close_time, first appearance)."""
        while (series := self._lines.soonest_due(span, timestamp)) is not None and series.open is not None:
            self._close(series, series.open, outputs)

    def forming(self) -> list[Output]:
        """Return all open candles as they are."""
        return [
            Output(series.open.to_candle(self._timeframe), series.order, True)
            for series in self._series
            if series.open is not None
        ]

    def _after(self, series: _Series, parent: Parent, child: OHLCCandle, moved: bool, outputs: list[Output]) -> None:
        """Close the open candle if this child ended it, else note that it changed."""
        if child.closed and child.close_time == parent.close_time:
            self._close(series, parent, outputs)
            return
        if moved:
            self._lines.arm(series, parent.newest.span, parent.close_time)
        # A new one is told to the dependents at once: it may close theirs.
        if moved or self._updates:
            outputs.append(Output(parent.to_candle(self._timeframe), series.order, self._updates))

    def _close(self, series: _Series, parent: Parent, outputs: list[Output]) -> None:
        parent.closed = True
        series.open = None
        series.due = None
        series.kept.append(parent)
        self._prune(series)
        self._send(series, parent, outputs)

    def _put_late(self, series: _Series, open_time: int, child: OHLCCandle, outputs: list[Output]) -> None:
        kept = series.kept
        index = bisect_left(kept, open_time, key=_open_time)
        if index < len(kept) and kept[index].open_time == open_time:
            kept[index].put(child)
            self._send(series, kept[index], outputs)
            return
        close_time = self._timeframe.next(open_time)
        if index == 0 and kept and not is_revisable(series.base, close_time, series.newest):
            self.late += 1
            return
        parent = Parent(open_time, close_time, child)
        later = kept[index] if index < len(kept) else series.open
        parent.closed = True
        parent.refuted = later is not None and later.newest.since > open_time
        kept.insert(index, parent)
        self._prune(series)
        self._send(series, parent, outputs)

    def _prune(self, series: _Series) -> None:
        kept = series.kept
        while (
            len(kept) > 1
            and kept[0].close_time <= series.traded
            and not is_revisable(series.base, kept[0].close_time, series.newest)
        ):
            del kept[0]

    def _send(self, series: _Series, parent: Parent, outputs: list[Output]) -> None:
        """Send a closed candle; again only if it says something new."""
        candle = parent.to_candle(self._timeframe)
        if parent.sent is not None:
            if candle == parent.sent:
                return
            candle = replace(candle, revision=candle.revision + 1)
        parent.sent = candle
        outputs.append(Output(candle, series.order, True))
