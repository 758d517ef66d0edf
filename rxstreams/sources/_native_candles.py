"""A venue's own candles: which are closed, and which are complete."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe


class NativeCandles:
    """Turns a venue's candle updates into candles that say whether they are closed and complete.

    A venue without a closed flag closes a candle by sending one of a later interval. Closed is never guessed from a
    clock. A closed candle is complete only if the line was unbroken from its open to the message that closed it.

    Args:
        timeframe: of the candles.
        has_flag: whether the venue sends a closed flag.
        emit: called with every candle: open ones (``closed=False``) as they change, each closed one once.

    Memory: O(symbols).
    """

    def __init__(self, timeframe: Timeframe, *, has_flag: bool, emit: Callable[[OHLCCandle], None]) -> None:
        self._timeframe = timeframe
        self._has_flag = has_flag
        self._emit = emit
        self._open: dict[str, OHLCCandle] = {}
        self._closed_until: dict[str, int] = {}

    def add(self, candle: OHLCCandle) -> None:
        """Take an update, stamped with the line's span and since."""
        symbol = candle.symbol
        if candle.open_time < self._closed_until.get(symbol, candle.open_time):
            return  # an update of a candle that was sent as closed: a repeated or late message
        previous = self._open.get(symbol)
        if previous is not None and candle.open_time > previous.open_time:
            self._close(previous, candle.since)
        if candle.closed and self._has_flag:
            self._close(candle, candle.since)
        else:
            self._open[symbol] = candle = replace(candle, closed=False, complete=False)
            self._emit(candle)

    def flush(self) -> None:
        """Nothing is left to say: open candles were sent as open."""
        self._open.clear()

    def _close(self, candle: OHLCCandle, since: int) -> None:
        self._open.pop(candle.symbol, None)
        self._closed_until[candle.symbol] = candle.close_time
        self._emit(replace(candle, closed=True, complete=since <= candle.open_time))
