"""``CandleBuilder``: trades in, candles out; the authority on what a candle is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rxstreams._spans import run_of
from rxstreams.candles.accumulator import IDLE, Accumulator
from rxstreams.candles.adding import Tables, fast_adder
from rxstreams.candles.closing import Lines, Timers, key_of
from rxstreams.candles.filling import Filler
from rxstreams.candles.revising import Reviser
from rxstreams.candles.rules import CandleRules, CloseOn, Emit, Fill, Late, Opens, to_grace
from rxstreams.candles.sending import Sender
from rxstreams.candles.series import Series
from rxstreams.candles.witness import Witness
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.timeframe import Timeframe, TimeframeLike


class CandleBuilder:
    """Build candles of one timeframe from trades of any number of symbols, each (exchange, symbol) by itself.

    The rules, and what each option means, stand with ``to_ohlc``, which is this with Rx around it. Candles go out
    through ``on_candle``, in order, from within ``add``, ``advance`` and ``flush``. Not safe over threads.

    Args:
        timeframe: the candles' length, or what ``Timeframe`` takes.
        on_candle: called with every candle.
        emit, grace, fill, max_fill, opens, late, on_late, close_on: as in ``to_ohlc``.

    Raises:
        ValueError: an option has none of its values.
        TypeError: an option has the wrong type.

    Memory: O(symbols).
    """

    def __init__(
        self,
        timeframe: TimeframeLike,
        *,
        on_candle: Callable[[OHLCCandle], object],
        emit: Emit = "closed",
        grace: float | timedelta = 2.0,
        fill: Fill = "skip",
        max_fill: int = 1500,
        opens: Opens = "first_trade",
        late: Late = "revise",
        on_late: Callable[[PriceTick], object] | None = None,
        close_on: CloseOn = "ticks",
    ) -> None:
        rules = CandleRules(
            timeframe=Timeframe(timeframe),
            emit=emit,
            grace=to_grace(grace),
            fill=fill,
            max_fill=max_fill,
            opens=opens,
            late=late,
            close_on=close_on,
        )
        self._rules = rules
        self._on_candle = on_candle
        self._updates = emit == "updates"
        self._carries = rules.carries
        self._series: list[Series] = []
        self._by_key: dict[str, dict[str, Series]] = {}
        # What fast_adder looks into: the open candles that may change without anyone being told.
        self._tables: Tables = {}
        self._lines = Lines(rules.grace, self._series)
        self._timers = Timers(rules.grace, self._series) if close_on == "timer" else None
        self._filler = Filler(rules)
        self._sender = Sender(rules, on_candle)
        self._reviser = Reviser(rules, self._filler, self._sender, on_late)
        self._witness = Witness(rules, self._sender)

    @property
    def timeframe(self) -> Timeframe:
        """The candles' length."""
        return self._rules.timeframe

    @property
    def late(self) -> int:
        """Late trades that were not counted in any candle."""
        return self._reviser.dropped

    @property
    def skipped(self) -> int:
        """Empty intervals that were not filled because ``max_fill`` was reached."""
        return self._filler.skipped

    @property
    def deadline(self) -> int | None:
        """When ``advance`` has something to close, nanoseconds; None: nothing is open, or ``close_on="ticks"``."""
        return self._timers.deadline() if self._timers is not None else None

    def adder(self, otherwise: Callable[[PriceTick], None] | None = None) -> Callable[[PriceTick], None]:
        """Return the fastest way in: a function of a tick that does what ``add`` does.

        Args:
            otherwise: called with each tick that is not simply the next one inside its own open candle, to be handed
                to ``add``; None: ``add`` itself.
        """
        return fast_adder(self._tables, self.add if otherwise is None else otherwise)

    def add(self, tick: PriceTick) -> None:
        """Take a trade: close what it closes, then count it.

        Raises:
            TypeError: it is no PriceTick.
            LateTick: it is late, and ``late="raise"``.
        """
        _check_type(tick)
        series = self._series_of(tick)
        coverage = series.coverage
        on_same_run = coverage.span == tick.span or run_of(coverage.span) == run_of(tick.span)
        since_before = coverage.since
        since = coverage.follow(tick)
        if on_same_run and since > since_before:
            self._witness.refute(series, since)
        if tick.timestamp >= series.bound:
            if series.unproven is not None:
                self._witness.prove(series, since)
            self._close_due(series, tick, since)
            self._apply(series, tick, since)
        else:
            self._close_due(series, tick, since)
            self._reviser.take(series, tick, since)

    def advance(self, now: int) -> None:
        """Close what the local clock closes (``close_on="timer"``).

        Args:
            now: nanoseconds since the epoch.
        """
        if self._timers is not None:
            for series in self._timers.pop_due(now):
                candle = series.unproven = self._closing(series)
                self._close(series, candle, complete=False)
                self._rearm(series)

    def flush(self) -> None:
        """Send the open candles as they are, ``closed=False`` and ``complete=False``."""
        for candle in self.open_candles():
            self._on_candle(candle)

    def open_candles(self) -> list[OHLCCandle]:
        """Return the open candles as they are, by (close_time, first appearance)."""
        found = [(series.open.close_time, series.order, series, series.open) for series in self._series if series.open]
        found.sort(key=lambda entry: entry[:2])
        return [self._sender.forming(series, candle) for _, _, series, candle in found]

    def open_candle(self, symbol: str, exchange: str = "") -> OHLCCandle | None:
        """Return one symbol's open candle as it is; None: it has none."""
        series = self._by_key.get(exchange, {}).get(symbol)
        return self._sender.forming(series, series.open) if series is not None and series.open is not None else None

    def _series_of(self, tick: PriceTick) -> Series:
        by_symbol = self._by_key.get(tick.exchange)
        if by_symbol is None:
            by_symbol = self._by_key[tick.exchange] = {}
            self._tables[tick.exchange] = {}
        series = by_symbol.get(tick.symbol)
        if series is None:
            series = by_symbol[tick.symbol] = Series(tick.exchange, tick.symbol, len(self._series))
            self._series.append(series)
            self._tables[tick.exchange][tick.symbol] = IDLE
        return series

    def _close_due(self, series: Series, tick: PriceTick, since: int) -> None:
        """Close all that a tick closes, by (close_time, first appearance): of its own symbol, and of its line."""
        timestamp = tick.timestamp
        while True:
            due = series.due if series.due is not None and series.due <= timestamp else None
            other = self._lines.soonest_due(tick.span, timestamp)
            if due is not None and (other is None or other is series or (due, series.order) < key_of(other)):
                candle = self._closing(series)
                if candle.empty:  # this tick vouches for it: its line, not the one before, has got so far
                    candle.span, candle.since = tick.span, since
                self._close(series, candle, complete=since <= candle.covered_from(self._carries))
            elif other is not None:
                candle = self._closing(other)
                if candle.empty:
                    candle.span = tick.span
                if other.unconfirmed is None:
                    other.unconfirmed = candle.open_time
                self._close(other, candle, complete=candle.since <= candle.covered_from(self._carries))
                self._rearm(other)
            else:
                return

    def _closing(self, series: Series) -> Accumulator:
        """Return what is due: the open candle, or the next flat one."""
        return self._filler.make_next(series) if series.open is None else series.open

    def _close(self, series: Series, candle: Accumulator, *, complete: bool) -> None:
        candle.complete = complete
        series.open = None
        self._tables[series.exchange][series.symbol] = IDLE
        series.keep(candle, self._rules)
        series.due = self._filler.next_due(series)
        self._sender.send_closed(series, candle)

    def _rearm(self, series: Series) -> None:
        """Book the next flat candle where nothing else will: the symbol itself is quiet."""
        if series.due is not None:
            self._lines.arm(series, series.line.span, series.due)

    def _apply(self, series: Series, tick: PriceTick, since: int) -> None:
        """Count a trade in the open candle, or in a new one."""
        candle = series.open
        if candle is None:
            timeframe = self._rules.timeframe
            open_time = timeframe.floor(tick.timestamp)
            self._filler.end_gap(series, open_time)
            candle = Accumulator(open_time, timeframe.next(open_time), series.kept[-1] if series.kept else None)
            series.open = candle
            series.bound = open_time
            series.unconfirmed = None
        if candle.empty or candle.span != tick.span:
            candle.line = self._lines.arm(series, tick.span, candle.close_time)
            if candle.empty and self._timers is not None:
                self._timers.arm(series)
        candle.add(tick)
        candle.span, candle.since, candle.stamped = tick.span, since, tick.since
        if self._updates:
            self._sender.send_update(series, candle)
        else:
            self._tables[series.exchange][series.symbol] = candle


def _check_type(item: object) -> None:
    if not isinstance(item, PriceTick):
        hint = "; use resample() for candles" if isinstance(item, OHLCCandle) else ""
        raise TypeError(f"to_ohlc takes PriceTick items, got {type(item).__name__}{hint}")
