"""What a candle channel sends: the current candle with every trade and, where the venue says so, its end."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

import msgspec

from rxstreams.items import PriceTick
from rxstreams.testing._intervals import interval_finder
from rxstreams.testing.candles import TrueCandle, candles_of, flat_candles

NEVER = sys.maxsize
"""Later than any instant."""


def stamp_of(tick: PriceTick) -> int:
    """Return what a symbol's history is ordered by."""
    stamp: int = tick.timestamp
    return stamp


def cut_stamp(tick: PriceTick, resolution: int) -> PriceTick:
    """Return a trade whose stamp is a multiple of ``resolution`` (ns), the last one before its own."""
    rest = tick.timestamp % resolution
    return msgspec.structs.replace(tick, timestamp=tick.timestamp - rest) if rest else tick


class CandleFeed:
    """The current candle of a symbol, as the candle channel sends it.

    Args:
        minutes: its length.
        opens, fill: as in ``candles_of``.
        closes: whether the end of a candle is sent too: once when its interval is over, and with ``fill="flat"`` those
            of intervals without a trade. A late trade of the last candle sends it again.
        past: trades before now; the feed goes on from them.
        now: the time.
    """

    def __init__(
        self,
        minutes: int,
        *,
        opens: Literal["first_trade", "previous_close"],
        fill: Literal["skip", "flat"],
        closes: bool,
        past: Sequence[PriceTick],
        now: int,
    ) -> None:
        self._minutes = minutes
        self._opens: Literal["first_trade", "previous_close"] = opens
        self._closes = closes
        self._flat = closes and fill == "flat"
        self._find = interval_finder(minutes)
        self._candle: TrueCandle | None = None
        self._ended = False
        if past:
            begin = bisect_left(past, self._find(past[-1].timestamp)[0], key=stamp_of)
            self._candle = candles_of(past[max(0, begin - 1) :], minutes, opens=opens)[-1]
            self.end(now)

    @property
    def due(self) -> int:
        """When a candle will end that has to be sent then; ``NEVER``: none will unless a trade comes."""
        if self._candle is None or not self._closes or (self._ended and not self._flat):
            return NEVER
        return self._find(self._candle.close_time)[1] if self._ended else self._candle.close_time

    def add(self, ticks: Sequence[PriceTick], now: int) -> list[TrueCandle]:
        """Return the candles that these trades changed, each as it is after them, and those that ended by now."""
        changed: dict[int, TrueCandle] = {}
        for tick in ticks:
            candle = self._candle
            if candle is not None and tick.timestamp < candle.open_time:
                continue
            if candle is None or tick.timestamp >= candle.close_time:
                # Those before it, if they have not been sent as ended.
                changed |= {row.open_time: row for row in self.end(self._find(tick.timestamp)[0])}
                self._ended = False
            if self._candle is None or self._candle.trades == 0 or tick.timestamp >= self._candle.close_time:
                self._candle = self._first(tick)
            else:
                self._candle = _with_trade(self._candle, tick)
            changed[self._candle.open_time] = self._candle
        changed |= {row.open_time: row for row in self.end(now)}
        return list(changed.values())

    def end(self, now: int) -> list[TrueCandle]:
        """Return the candles that ended by now, each only once."""
        rows: list[TrueCandle] = []
        candle = self._candle
        if candle is None or not self._closes or self.due > now:
            return rows
        if not self._ended:
            rows.append(candle)
            self._ended = True
        if self._flat:
            rows += flat_candles(candle, now, self._find)
        self._candle = rows[-1] if rows else candle
        return rows

    def _first(self, tick: PriceTick) -> TrueCandle:
        candle = candles_of([tick], self._minutes)[0]
        if self._candle is None or self._opens == "first_trade":
            return candle
        close = self._candle.close
        return candle._replace(open=close, high=max(candle.high, close), low=min(candle.low, close))


def _with_trade(candle: TrueCandle, tick: PriceTick) -> TrueCandle:
    return candle._replace(
        high=max(candle.high, tick.price),
        low=min(candle.low, tick.price),
        close=tick.price,
        volume=candle.volume + tick.volume,
        trades=candle.trades + tick.count,
        quote_volume=candle.quote_volume + tick.price * tick.volume,
        buy_volume=candle.buy_volume + (tick.volume if tick.side == "buy" else 0.0),
    )
