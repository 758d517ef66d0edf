"""Derivation: candles of a longer timeframe, built from those in another store by the rules of ``resample``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from rxstreams.candles import CandleResampler
from rxstreams.items import OHLCCandle
from rxstreams.sinks._precedence import Origin
from rxstreams.sinks._ring import Row
from rxstreams.sinks._store import CandleStore
from rxstreams.timeframe import Timeframe

# The resampler keeps the open and the last closed candle, and an older one while two of its children's timeframes
# reach that far.
_KEPT = 3
_CLOCK = "\0"


class Step:
    """One resampler from one timeframe to another, for all symbols: a child of one closes the candles of the others.

    Args:
        shorter, longer: the timeframes; the shorter one must serve the longer.

    Attributes:
        derivations: those that use it, by exchange and symbol.
        following: the steps from its longer timeframe on.
    """

    def __init__(self, shorter: Timeframe, longer: Timeframe) -> None:
        self.shorter = shorter
        self.longer = longer
        self.derivations: dict[tuple[str, str], Derivation] = {}
        self.following: list[Step] = []
        self._resampler = CandleResampler(longer, on_candle=self._route, emit="updates")

    def add(self, child: OHLCCandle) -> None:
        """Take a child."""
        self._resampler.add(child)
        if child.span:
            for step in self.following:
                step.tell_time(child.span, child.open_time)

    def tell_time(self, span: int, time: int) -> None:
        """Close what a line closes on which some symbol's candle has opened at a time.

        The steps after the first would else know a line's time by their own, longer children only, and close the
        candles of a quiet symbol hours late. A resampler takes the time from candles, so it gets one, of no symbol.
        """
        clock = OHLCCandle(
            symbol=_CLOCK, timeframe=self.shorter, open_time=time, open=0.0, high=0.0, low=0.0, close=0.0, span=span
        )
        self._resampler.add(clock)
        for step in self.following:
            step.tell_time(span, time)

    def _route(self, candle: OHLCCandle) -> None:
        derivation = self.derivations.get((candle.exchange, candle.symbol))
        if derivation is not None:
            derivation.target.put(candle, Origin.DERIVED)


class Derivation:
    """Builds one key's candles from those of a shorter timeframe; everything under the lock that both stores share.

    Closed children go into the resampler as they come, and so does the beginning of a forming one; its changes wait in
    ``_forming`` until someone reads.
    History is worked off in two ways: candles that the resampler still has get their changed children from it, which
    may know children that the ring has lost; older ones are built anew beside it.

    Args:
        step: the resampler to use.
        exchange, symbol: the key's.
        source: where the children are.
        target: where the candles go.
    """

    def __init__(self, step: Step, exchange: str, symbol: str, source: CandleStore, target: CandleStore) -> None:
        self.target = target
        self._step = step
        self._key = (exchange, symbol)
        self._source = source
        self._forming: Row | None = None
        # Open times of the latest candles that the resampler has been given children of, ascending.
        self._latest: deque[int] = deque(maxlen=_KEPT)
        # Open time and span of the child that the resampler was given last.
        self._newest: tuple[int, int] | None = None
        step.derivations[self._key] = self
        source.listeners.append(self)

    def detach(self) -> None:
        """Stop: the target has a source of its own."""
        del self._step.derivations[self._key]
        self._source.listeners.remove(self)

    def refresh(self) -> None:
        """Bring the target up to date, forming candle included."""
        self._source.refresh()
        if self._forming is not None:
            row, self._forming = self._forming, None
            self._add(self._child(row))

    def on_row(self, row: Row) -> None:
        """Take a row of the source."""
        waiting, self._forming = self._forming, None
        if waiting is not None and waiting.open_time != row.open_time:
            self._add(self._child(waiting))
        # A candle must not be closed over the head of a child that is known: a new one is told at once.
        if row.closed or self._newest != (row.open_time, row.span):
            self._add(self._child(row))
        else:
            self._forming = row

    def on_merge(self, rows: Sequence[Row], changed: set[int], edge: int | None) -> None:
        """Take what a merge has made of the source."""
        if self._forming is not None:
            changed.add(self._forming.open_time)
            self._forming = None
        children = self._children(rows, edge)
        floor = self._step.longer.floor
        if self._latest:
            begin = self._latest[0]
            news = [child for child in children if child.open_time in changed]
            self._add_all(child for child in news if floor(child.open_time) >= begin)
            self._build_anew(children, until=None)
        else:
            begin = sorted({floor(child.open_time) for child in children})[-_KEPT:][0]
            self._build_anew(children, until=begin)
            self._add_all(child for child in children if floor(child.open_time) >= begin)

    def _add_all(self, children: Iterable[OHLCCandle]) -> None:
        for child in children:
            self._add(child)

    def _add(self, child: OHLCCandle) -> None:
        latest = self._latest
        open_time = self._step.longer.floor(child.open_time)
        if not latest or open_time > latest[-1]:
            latest.append(open_time)
        self._newest = (child.open_time, child.span)
        self._step.add(child)

    def _child(self, row: Row, since: int | None = None) -> OHLCCandle:
        exchange, symbol = self._key
        fields = row._asdict()
        del fields["origin"]
        if since is not None:
            fields["since"] = since
        return OHLCCandle(exchange=exchange, symbol=symbol, timeframe=self._step.shorter, **fields)

    def _children(self, rows: Sequence[Row], edge: int | None) -> list[OHLCCandle]:
        """Return the rows as children that claim no coverage from before the rows that are there.

        Those from the edge on may: of rows that were thrown out.
        """
        children: list[OHLCCandle] = []
        bound: int | None = None
        for row in rows:
            if row.open_time == edge:
                before = children[-1] if children else None
                joined = before is not None and before.complete and before.close_time == edge
                bound = before.since if before is not None and joined else edge
            children.append(self._child(row, row.since if bound is None else max(row.since, bound)))
        return children

    def _build_anew(self, children: list[OHLCCandle], until: int | None) -> None:
        """Build the closed candles from all children that are known, and keep those that say more than before.

        Args:
            children: ascending.
            until: open time of the first one that is not to be built; None: build all.
        """
        made: dict[int, OHLCCandle] = {}

        def keep(candle: OHLCCandle) -> None:
            if candle.closed and (until is None or candle.open_time < until):
                made[candle.open_time] = candle

        resampler = CandleResampler(self._step.longer, on_candle=keep)
        for child in children:
            resampler.add(child)
        ring = self.target.ring
        better: list[OHLCCandle] = []
        for open_time, candle in sorted(made.items()):
            number = ring.find(open_time)
            stored = None if number is None else ring.row(number)
            if stored is None or (candle.complete, candle.volume) >= (stored.complete, stored.volume):
                better.append(candle)
        self.target.merge(better, Origin.DERIVED)
