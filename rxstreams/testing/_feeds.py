"""The exchange's own candles: what its REST API answers, and what its candle channel sends trade by trade."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

from rxstreams.items import PriceTick
from rxstreams.testing.candles import TrueCandle, candles_of

_MINUTE = 60_000_000_000


def stamp_of(tick: PriceTick) -> int:
    """Return what a symbol's history is ordered by."""
    stamp: int = tick.timestamp
    return stamp


def page_of(history: Sequence[PriceTick], since: int | None, until: int, limit: int) -> Sequence[PriceTick]:
    """Return at most ``limit`` trades stamped after ``since``, the oldest of them; without since the newest.

    None is stamped after ``until``. A page does not end between trades of one stamp, since the next one begins after
    that stamp.
    """
    end = bisect_right(history, until, key=stamp_of)
    if since is None:
        return history[max(0, end - limit) : end]
    begin = bisect_right(history, since, key=stamp_of)
    if begin + limit >= end:
        return history[begin:end]
    edge = history[begin + limit].timestamp
    cut = bisect_left(history, edge, key=stamp_of)
    return history[begin : cut if cut > begin else bisect_right(history, edge, key=stamp_of)]


def past_candles(
    history: Sequence[PriceTick],
    minutes: int,
    *,
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
    now: int,
    limit: int,
) -> list[TrueCandle]:
    """Return the newest ``limit`` candles; the last one is the one that is not over yet."""
    width = minutes * _MINUTE
    current = now // width * width
    oldest = current - (limit - 1) * width
    # The trade before the first candle decides its flat price or its open.
    begin = max(0, bisect_left(history, oldest, key=stamp_of) - 1)
    trades = history[begin : bisect_right(history, now, key=stamp_of)]
    rows = candles_of(trades, minutes, fill=fill, opens=opens, until=current + width)
    return [row for row in rows if row.open_time >= oldest]


class CandleFeed:
    """The current candle of a symbol, as the candle channel sends it with every trade.

    Args:
        minutes: its length.
        opens: as in ``candles_of``.
        past: trades before now; the feed goes on from them.
    """

    def __init__(
        self, minutes: int, *, opens: Literal["first_trade", "previous_close"], past: Sequence[PriceTick]
    ) -> None:
        self._minutes = minutes
        self._opens: Literal["first_trade", "previous_close"] = opens
        self._candle: TrueCandle | None = None
        if past:
            width = minutes * _MINUTE
            begin = bisect_left(past, past[-1].timestamp // width * width, key=stamp_of)
            self._candle = candles_of(past[max(0, begin - 1) :], minutes, opens=opens)[-1]

    def add(self, ticks: Sequence[PriceTick]) -> list[TrueCandle]:
        """Return the candles that these trades changed, each as it is after them."""
        changed: dict[int, TrueCandle] = {}
        for tick in ticks:
            candle = self._candle
            if candle is None or tick.timestamp >= candle.close_time:
                candle = candles_of([tick], self._minutes)[0]
                if self._candle is not None and self._opens == "previous_close":
                    candle = candle._replace(
                        open=self._candle.close,
                        high=max(candle.high, self._candle.close),
                        low=min(candle.low, self._candle.close),
                    )
            elif tick.timestamp >= candle.open_time:
                candle = candle._replace(
                    high=max(candle.high, tick.price),
                    low=min(candle.low, tick.price),
                    close=tick.price,
                    volume=candle.volume + tick.volume,
                    trades=candle.trades + tick.count,
                    quote_volume=candle.quote_volume + tick.price * tick.volume,
                    buy_volume=candle.buy_volume + (tick.volume if tick.side == "buy" else 0.0),
                )
            else:
                continue
            self._candle = candle
            changed[candle.open_time] = candle
        return list(changed.values())
