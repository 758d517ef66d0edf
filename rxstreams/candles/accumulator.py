"""One candle that is being built from trades."""

from __future__ import annotations

from rxstreams.candles.closing import UNARMED, Line
from rxstreams.items import PriceTick, Side

NEVER_COVERED = -(1 << 63)
"""Earlier than every ``since``: what hangs on a price from before all known trades can't be complete."""


class Accumulator:
    """The trades of one interval of one symbol, added up.

    Open is the trade with the lowest (timestamp, arrival), close the one with the highest, in whatever order they come.
    Without a trade it is *empty*, a flat candle: its price and time are those of the trade before it.

    Attributes:
        open_time, close_time: its interval.
        open, high, low, close, volume, quote_volume, buy_volume, trades: as in ``OHLCCandle``, of its own trades.
        earliest, latest: timestamps of the trades that made open and close.
        previous_close, previous_time: price and timestamp of the last trade before the interval; None and
            ``NEVER_COVERED``: there is none.
        span, since: of the last tick in it; of an empty one, of the tick that vouches for it. ``since`` is the
            effective one, ``stamped`` what stood on the tick.
        line: where its closing by the line's clock is booked.
        complete, revision: as sent last.
        empty: no trade is in it.
    """

    __slots__ = (
        "buy_volume",
        "close",
        "close_time",
        "complete",
        "earliest",
        "empty",
        "high",
        "latest",
        "line",
        "low",
        "open",
        "open_time",
        "previous_close",
        "previous_time",
        "quote_volume",
        "revision",
        "since",
        "span",
        "stamped",
        "trades",
        "volume",
    )

    def __init__(self, open_time: int, close_time: int, previous: Accumulator | None) -> None:
        self.open_time = open_time
        self.close_time = close_time
        self.previous_close: float | None = None
        self.previous_time = NEVER_COVERED
        self.open = self.high = self.low = self.close = 0.0
        self.earliest = self.latest = NEVER_COVERED
        self.volume = self.quote_volume = self.buy_volume = 0.0
        self.trades = 0
        self.span = self.since = self.stamped = 0
        self.line: Line = UNARMED
        self.complete = False
        self.revision = 0
        self.empty = True
        if previous is not None:
            self.span, self.since, self.stamped = previous.span, previous.since, previous.stamped
            self.follow(previous.close, previous.latest)

    def follow(self, price: float | None, time: int) -> bool:
        """Take over the last trade before the interval; say whether its price is news."""
        changed = self.previous_close != price
        self.previous_close = price
        self.previous_time = time
        if self.empty and price is not None:
            self.open = self.high = self.low = self.close = price
            self.latest = time
        return changed

    def add(self, tick: PriceTick) -> None:
        """Add a trade of the interval, older or newer than those before."""
        price = tick.price
        timestamp = tick.timestamp
        if self.empty:
            self.empty = False
            self.open = self.high = self.low = self.close = price
            self.earliest = self.latest = timestamp
        else:
            if timestamp < self.earliest:
                self.open = price
                self.earliest = timestamp
            if timestamp >= self.latest:
                self.close = price
                self.latest = timestamp
            if price > self.high:
                self.high = price
            elif price < self.low:
                self.low = price
        volume = tick.volume
        self.volume += volume
        self.quote_volume += price * volume
        if tick.side is Side.BUY:
            self.buy_volume += volume
        self.trades += tick.count

    def covered_from(self, carries: bool) -> int:
        """Where unbroken coverage must begin for nothing to be missing.

        Args:
            carries: whether the candle opens at the price of the trade before it.
        """
        return self.previous_time if carries or self.empty else self.open_time


IDLE = Accumulator(NEVER_COVERED, NEVER_COVERED, None)
"""Stands where a symbol has no open candle: no tick lies inside it."""
