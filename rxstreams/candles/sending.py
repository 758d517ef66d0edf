"""How an accumulator goes out as a candle."""

from __future__ import annotations

from collections.abc import Callable

from rxstreams.candles.accumulator import Accumulator
from rxstreams.candles.rules import CandleRules
from rxstreams.candles.series import Series
from rxstreams.items import OHLCCandle


class Sender:
    """Makes candles of accumulators and sends them.

    Args:
        rules: the builder's.
        on_candle: called with every candle.
    """

    def __init__(self, rules: CandleRules, on_candle: Callable[[OHLCCandle], object]) -> None:
        self._timeframe = rules.timeframe
        self._carries = rules.carries
        self._sends_updates = rules.emit == "updates"
        self._on_candle = on_candle

    def send_closed(self, series: Series, candle: Accumulator) -> None:
        """Send a candle that was just closed."""
        self._on_candle(self._make(series, candle, closed=True, complete=candle.complete))

    def send_again(self, series: Series, candle: Accumulator) -> None:
        """Send a closed candle that has changed."""
        candle.revision += 1
        self.send_closed(series, candle)

    def send_update(self, series: Series, candle: Accumulator) -> None:
        """Send the open candle, if such are sent."""
        if self._sends_updates:
            self._on_candle(self.forming(series, candle))

    def forming(self, series: Series, candle: Accumulator) -> OHLCCandle:
        """Return the open candle as it is."""
        return self._make(series, candle, closed=False, complete=False)

    def _make(self, series: Series, candle: Accumulator, *, closed: bool, complete: bool) -> OHLCCandle:
        opens, high, low = candle.open, candle.high, candle.low
        if self._carries and candle.previous_close is not None:
            opens = candle.previous_close
            high = max(high, opens)
            low = min(low, opens)
        return OHLCCandle(
            symbol=series.symbol,
            timeframe=self._timeframe,
            open_time=candle.open_time,
            open=opens,
            high=high,
            low=low,
            close=candle.close,
            volume=candle.volume,
            trades=candle.trades,
            quote_volume=candle.quote_volume,
            buy_volume=candle.buy_volume,
            exchange=series.exchange,
            closed=closed,
            complete=complete,
            revision=candle.revision,
            span=candle.span,
            since=candle.since,
        )
