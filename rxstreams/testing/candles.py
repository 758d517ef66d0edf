"""The independent oracle: candles made of all trades at once, by other means than ``rxstreams.candles``.

It sorts, groups and adds up with ``math.fsum``; it knows no stream, no coverage and no revision. Use it to check
candles that came out of a chain, with ``compare``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

from rxstreams.items import PriceTick
from rxstreams.testing._intervals import Interval, interval_finder


class TrueCandle(NamedTuple):
    """What a candle has to be. Times are nanoseconds since the epoch; the rest is as in ``OHLCCandle``."""

    exchange: str
    symbol: str
    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    quote_volume: float
    buy_volume: float


def candles_of(
    trades: Iterable[PriceTick],
    timeframe: object,
    *,
    fill: Literal["skip", "flat"] = "skip",
    opens: Literal["first_trade", "previous_close"] = "first_trade",
    until: int | None = None,
    tz: str = "UTC",
    session_start: str = "00:00",
) -> list[TrueCandle]:
    """Build the true candles of some trades.

    Inside a candle, open is the trade with the lowest (timestamp, position in ``trades``), close the one with the
    highest.

    Args:
        trades: every trade there was, of any number of symbols, in the order in which they were published.
        timeframe: "5m", "1d", 5 (minutes), timedelta(minutes=5), or a ``Timeframe``, which brings its zone and session.
        fill: "flat" adds a candle at the last close, with volume 0, for each interval without a trade between the
            first trade of a symbol and ``until``.
        opens: "previous_close": every candle but the first opens at the close before it; high and low include that.
        until: instant (ns) up to which ``fill="flat"`` goes, exclusive; None: each symbol's last trade.
        tz: zone whose clocks say when intervals begin.
        session_start: local time at which days begin; from 12:00 on it belongs to the next date.

    Returns:
        The candles, by exchange, symbol and open time.

    Raises:
        ValueError: an option is not one of those above.

    Example:
        >>> from rxstreams import PriceTick
        >>> ticks = [PriceTick(symbol="BTC/USD", price=p, volume=1.0, timestamp=t * 10**9)
        ...          for p, t in ((10, 0), (12, 30), (11, 60))]
        >>> [(c.open, c.close, c.trades) for c in candles_of(ticks, "1m")]
        [(10.0, 12.0, 2), (11.0, 11.0, 1)]
    """
    if fill not in ("skip", "flat"):
        raise ValueError(f"fill must be 'skip' or 'flat', got {fill!r}")
    if opens not in ("first_trade", "previous_close"):
        raise ValueError(f"opens must be 'first_trade' or 'previous_close', got {opens!r}")
    find = interval_finder(timeframe, tz, session_start)
    candles: list[TrueCandle] = []
    # sorted() is stable: trades of one stamp stay in the order in which they were published.
    ordered = sorted(trades, key=attrgetter("exchange", "symbol", "timestamp"))
    for _, of_symbol in groupby(ordered, key=attrgetter("exchange", "symbol")):
        last: TrueCandle | None = None
        for interval, group in groupby(of_symbol, key=lambda trade: find(trade.timestamp)):
            if last is not None and fill == "flat":
                candles += flat_candles(last, interval[0], find)
            last = _candle(list(group), interval, last.close if last and opens == "previous_close" else None)
            candles.append(last)
        if last is not None and fill == "flat" and until is not None:
            candles += flat_candles(last, until, find)
    return candles


def _candle(trades: list[PriceTick], interval: Interval, previous_close: float | None) -> TrueCandle:
    prices = [trade.price for trade in trades]
    if previous_close is not None:
        prices.insert(0, previous_close)
    return TrueCandle(
        exchange=trades[0].exchange,
        symbol=trades[0].symbol,
        open_time=interval[0],
        close_time=interval[1],
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=math.fsum(trade.volume for trade in trades),
        trades=sum(trade.count for trade in trades),
        quote_volume=math.fsum(trade.price * trade.volume for trade in trades),
        buy_volume=math.fsum(trade.volume for trade in trades if trade.side == "buy"),
    )


def flat_candles(last: TrueCandle, until: int, find: Callable[[int], Interval]) -> list[TrueCandle]:
    """Return the empty candles after ``last`` that are over at ``until``."""
    empty: list[TrueCandle] = []
    begin, end = find(last.close_time)
    while end <= until:
        price = last.close
        empty.append(
            last._replace(
                open_time=begin,
                close_time=end,
                open=price,
                high=price,
                low=price,
                volume=0.0,
                trades=0,
                quote_volume=0.0,
                buy_volume=0.0,
            )
        )
        begin, end = find(end)
    return empty
