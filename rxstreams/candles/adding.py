"""The hot path: a trade that is simply the next one inside its own open candle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from rxstreams.candles.accumulator import Accumulator
from rxstreams.items import PriceTick, Side

Tables: TypeAlias = dict[str, dict[str, Accumulator]]
"""exchange -> symbol -> the open candle, or ``IDLE``."""


def fast_adder(tables: Tables, otherwise: Callable[[PriceTick], None]) -> Callable[[PriceTick], None]:
    """Return a function that adds a tick to its open candle in place where nothing else can follow from it.

    That is: the tick is in order, lies inside the candle, before its line's next deadline, and its span and since are
    those of the tick before it.

    Args:
        tables: the open candles; kept up to date by their owner.
        otherwise: called with every other tick, and with whatever is no tick.
    """
    exchange: str | None = None
    table: Mapping[str, Accumulator] = {}
    buy = Side.BUY

    def add(tick: PriceTick) -> None:
        nonlocal exchange, table
        try:
            # One exchange after the other is rare, so the key's first half is compared by identity, not looked up.
            if tick.exchange is not exchange:
                table = tables[tick.exchange]
                exchange = tick.exchange
            candle = table[tick.symbol]
            timestamp = tick.timestamp
            if (
                candle.latest <= timestamp < candle.close_time
                and timestamp <= candle.line.deadline
                and tick.since == candle.stamped
                and tick.span == candle.span
            ):
                price = tick.price
                volume = tick.volume
                candle.trades += tick.count
                candle.volume += volume
                candle.quote_volume += price * volume
                if tick.side is buy:
                    candle.buy_volume += volume
                candle.latest = timestamp
                candle.close = price
                if price > candle.high:
                    candle.high = price
                elif price < candle.low:
                    candle.low = price
                return
        except (KeyError, AttributeError, TypeError):
            pass  # a symbol's first tick, or no tick at all
        otherwise(tick)

    return add
