"""The candles of one symbol at one exchange: the open one and the closed ones that can still change."""

from __future__ import annotations

from rxstreams.candles.accumulator import NEVER_COVERED, Accumulator
from rxstreams.candles.closing import UNARMED, Line
from rxstreams.candles.coverage import Coverage
from rxstreams.candles.rules import CandleRules, is_revisable


class Series:
    """State of one (exchange, symbol).

    Memory: as many closed candles as ``is_revisable`` keeps, at least one, and those that only a clock has closed since
    the symbol's last tick, ``max_fill`` at most.

    Attributes:
        order: number in the order of first appearance.
        coverage: its ticks' span and since.
        open: the open candle; None: the last one was closed and no trade has come since.
        kept: closed candles, flat ones too, in ascending order; the last is the newest that was sent.
        bound: a trade stamped earlier is late.
        due, line: when the open candle, or the next flat one, is due, and where that is booked.
        filled: flat candles in the present gap.
        unproven: the candle that a timer closed, until the symbol's next tick; None: there is none.
        unconfirmed: open_time of the first of the latest candles that a line's clock closed, until the symbol's next
            tick; None: there is none.
    """

    __slots__ = (
        "_newest",
        "bound",
        "coverage",
        "due",
        "exchange",
        "filled",
        "kept",
        "line",
        "open",
        "order",
        "symbol",
        "unconfirmed",
        "unproven",
    )

    def __init__(self, exchange: str, symbol: str, order: int) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.order = order
        self.coverage = Coverage()
        self.open: Accumulator | None = None
        self.kept: list[Accumulator] = []
        self.bound = NEVER_COVERED
        self.due: int | None = None
        self.line: Line = UNARMED
        self.filled = 0
        self.unproven: Accumulator | None = None
        self.unconfirmed: int | None = None
        self._newest = NEVER_COVERED

    @property
    def newest(self) -> int:
        """The newest time known of the symbol: of its trades and of the flat candles sent for it."""
        return self.open.latest if self.open is not None else self._newest

    def keep(self, candle: Accumulator, rules: CandleRules) -> None:
        """Put a candle that was just closed with the kept ones, and forget those that are too old to change."""
        self._newest = candle.close_time if candle.empty else candle.latest
        self.bound = candle.close_time
        self.kept.append(candle)
        while not self.may_change(rules, self.kept[0].open_time, self.kept[0].close_time):
            del self.kept[0]  # never this one: its end lies ahead of its trades

    def may_change(self, rules: CandleRules, open_time: int, close_time: int) -> bool:
        """Whether a closed interval can still be corrected: it is not too old, or no tick has confirmed it yet."""
        if self.unconfirmed is not None and open_time >= self.unconfirmed:
            return True
        return is_revisable(rules.timeframe, close_time, self.newest)
