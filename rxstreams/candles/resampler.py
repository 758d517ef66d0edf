"""``CandleResampler``: candles in, candles of longer timeframes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rxstreams.candles.levels import Level, Output
from rxstreams.candles.plan import BASE, Plan, make_plan
from rxstreams.candles.rules import Emit, check_choice, to_grace
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.timeframe import Timeframe, TimeframeLike


class CandleResampler:
    """Build candles of one or more longer timeframes from candles, each (exchange, symbol) by itself.

    The rules stand with ``resample``, which is this with Rx around it. Candles go out through ``on_candle``, in order,
    from within ``add`` and ``flush``. Not safe over threads.

    Args:
        timeframes: of the candles to build; any order.
        on_candle: called with every candle that goes out, also those that pass through.
        emit, grace: as in ``resample``.

    Attributes:
        late: candles that were too old to be counted.

    Raises:
        ValueError: no timeframe is given, or an option has none of its values.
        TypeError: an option has the wrong type.

    Memory: the children of the open and the last closed candle of each (symbol, timeframe), 73 bytes each.
    """

    def __init__(
        self,
        *timeframes: TimeframeLike,
        on_candle: Callable[[OHLCCandle], object],
        emit: Emit = "closed",
        grace: float | timedelta = 2.0,
    ) -> None:
        if not timeframes:
            raise ValueError("resample needs at least one timeframe, got none")
        check_choice("emit", emit, Emit)
        self._timeframes = sorted({Timeframe(timeframe) for timeframe in timeframes})
        self._on_candle = on_candle
        nanoseconds = to_grace(grace)
        self._levels = [Level(timeframe, emit == "updates", nanoseconds) for timeframe in self._timeframes]
        self._plan_by_base: dict[Timeframe, Plan] = {}
        # exchange -> symbol -> number in the order of first appearance
        self._orders: dict[str, dict[str, int]] = {}
        self._plans: list[Plan] = []

    @property
    def late(self) -> int:
        """Candles that were too old to be counted, of all timeframes."""
        return sum(level.late for level in self._levels)

    def add(self, candle: OHLCCandle) -> None:
        """Take a candle: pass it on or count it.

        Raises:
            TypeError: it is no OHLCCandle.
            NotServed: it is a symbol's first, and its timeframe can't build one of those asked for.
        """
        _check_type(candle)
        by_symbol = self._orders.setdefault(candle.exchange, {})
        order = by_symbol.get(candle.symbol)
        if order is None:
            plan = self._plan_for(candle.timeframe)
            order = by_symbol[candle.symbol] = len(self._plans)
            self._plans.append(plan)
            for level in self._levels:
                level.add_series(plan.base)
        plan = self._plans[order]
        if candle.timeframe != plan.base:
            self._on_candle(candle)
            return
        if plan.passes:
            self._on_candle(candle)
        inputs = self._no_inputs()
        for index in plan.dependents[BASE]:
            inputs[index].append((order, candle))
        for index, level in enumerate(self._levels):
            outputs: list[Output] = []
            for child_order, child in inputs[index]:
                level.put(child_order, child, outputs)
            level.close_due(candle.span, candle.open_time, outputs)
            self._pass_on(index, outputs, inputs)

    def flush(self) -> None:
        """Send the open candles as they are, ``closed=False`` and ``complete=False``."""
        inputs = self._no_inputs()
        for index, level in enumerate(self._levels):
            outputs: list[Output] = []
            for order, child in inputs[index]:
                level.put(order, child, outputs)
            closed = [output for output in outputs if output.candle.closed]
            self._pass_on(index, closed + level.forming(), inputs)

    def _plan_for(self, base: Timeframe) -> Plan:
        plan = self._plan_by_base.get(base)
        if plan is None:
            plan = self._plan_by_base[base] = make_plan(base, self._timeframes)
        return plan

    def _no_inputs(self) -> list[list[tuple[int, OHLCCandle]]]:
        return [[] for _ in self._levels]

    def _pass_on(self, index: int, outputs: list[Output], inputs: list[list[tuple[int, OHLCCandle]]]) -> None:
        """Send what a level has made, and hand it to those that are built from it."""
        if len(outputs) > 1:
            outputs.sort(key=Output.key)
        for output in outputs:
            if output.visible:
                self._on_candle(output.candle)
            for dependent in self._plans[output.order].dependents[index]:
                inputs[dependent].append((output.order, output.candle))


def _check_type(item: object) -> None:
    if not isinstance(item, OHLCCandle):
        hint = "; use to_ohlc() for trades" if isinstance(item, PriceTick) else ""
        raise TypeError(f"resample takes OHLCCandle items, got {type(item).__name__}{hint}")
