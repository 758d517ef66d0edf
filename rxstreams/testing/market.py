"""``Market``: made-up trades that look real, the same for the same seed."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import takewhile
from typing import TypeAlias

from rxstreams.instants import Instant, to_nanoseconds
from rxstreams.items import PriceTick, Side

_SECOND = 1_000_000_000
_MICROSECOND = 1_000
_START = 1_704_067_200 * _SECOND  # 2024-01-01
_SLOWEST = 0.002
_VOLUME_UNITS = 10**8
_SWEEPS = 0.15
_ON_THE_SECOND = 0.02

Rate: TypeAlias = float | Mapping[str, float]


class Market:
    """Trades of several symbols: a random walk each, merged in the order of their stamps.

    What makes it a good test: some symbols trade so rarely that whole candles pass without a trade; a taker's order
    may sweep several trades with one stamp; some stamps lie exactly on a second, and so on the edge of an interval;
    ids are contiguous in each symbol. Prices and volumes are short decimals, which survive JSON, and stamps are whole
    microseconds, which survive Kraken's REST times.

    Args:
        symbols: ``BASE/QUOTE``.
        seed: the same seed gives the same trades; each symbol's trades depend on the other symbols only by its
            place among them, which decides its first price and its default rate.
        start: instant of the beginning: nanoseconds or what ``PriceTick.timestamp`` takes.
        duration: how long it trades, seconds or timedelta; None: without end.
        rate: trades a second on average. A number is that of the first symbol: each further one trades ten times
            less, but at least every 500 seconds. A mapping gives every symbol its own.
        price: what the first symbol costs at the start; each further one costs a tenth of the one before it.
        volatility: size of a usual step from trade to trade, as a share of the price.

    Raises:
        ValueError: no symbol, or a number that is not positive, or a symbol without a rate in the mapping.
        TypeError: ``symbols`` is a single string.

    Memory: O(symbols); nothing is kept of the trades.

    Example:
        >>> market = Market(["BTC/USD", "ETH/USD"], seed=7, duration=60)
        >>> list(market) == list(market)
        True
    """

    def __init__(
        self,
        symbols: Iterable[str],
        *,
        seed: int = 0,
        start: Instant = _START,
        duration: float | timedelta | None = None,
        rate: Rate = 5.0,
        price: float = 50_000.0,
        volatility: float = 0.0002,
    ) -> None:
        if isinstance(symbols, str):
            raise TypeError(f"symbols must be a list of symbols, got the string {symbols!r}; write [{symbols!r}]")
        self.symbols = tuple(dict.fromkeys(symbols))
        if not self.symbols:
            raise ValueError("expected at least one symbol such as 'BTC/USD', got none")
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        for name, value in (("duration", seconds), ("price", price), ("volatility", volatility)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, got {value!r}")
        self.seed = seed
        self.start: int = to_nanoseconds(start, "start")
        self.end: int | None = None if seconds is None else self.start + round(seconds * _SECOND)
        self.rates: Mapping[str, float] = dict(zip(self.symbols, _rates(self.symbols, rate), strict=True))
        self._price = price
        self._volatility = volatility

    def __iter__(self) -> Iterator[PriceTick]:
        """Return the trades from the start, ordered by stamp, each time the same."""
        each = [self._trades(place, symbol) for place, symbol in enumerate(self.symbols)]
        # Equal stamps stay in the order of the symbols, and inside a symbol in the order of the ids.
        merged = heapq.merge(*each, key=lambda tick: tick.timestamp)
        if self.end is None:
            return iter(merged)
        end = self.end
        return takewhile(lambda tick: tick.timestamp < end, merged)

    def _trades(self, place: int, symbol: str) -> Iterator[PriceTick]:
        rng = random.Random(f"{self.seed}/{symbol}")
        rate = self.rates[symbol]
        price = self._price / 10**place
        # Five significant digits at the start, as a venue would choose its tick size.
        decimals = max(0, 4 - math.floor(math.log10(price)))
        units = 10**decimals
        level = max(1, round(price * units))
        stamp = self.start
        trade_id = rng.randrange(1_000_000, 9_000_000)
        sweeps = 1 + _SWEEPS * 2
        while True:
            # A sweep stands for several trades, so orders come more rarely than trades.
            stamp += max(1, round(rng.expovariate(rate / sweeps) * 1e6)) * _MICROSECOND
            if rng.random() < _ON_THE_SECOND:
                stamp += -stamp % _SECOND
            side = Side.BUY if rng.random() < 0.5 else Side.SELL
            direction = 1 if side is Side.BUY else -1
            step = round(rng.gauss(0.0, self._volatility) * level)
            fills = rng.randint(2, 4) if rng.random() < _SWEEPS else 1
            for _ in range(fills):
                level = max(1, level + step)
                volume = max(1, round(rng.expovariate(1.0) * 0.1 * _VOLUME_UNITS))
                yield PriceTick(
                    symbol=symbol,
                    price=level / units,
                    volume=volume / _VOLUME_UNITS,
                    timestamp=stamp,
                    trade_id=trade_id,
                    side=side,
                )
                trade_id += 1
                step = direction * rng.randint(0, 3)


def _rates(symbols: tuple[str, ...], rate: Rate) -> list[float]:
    if isinstance(rate, Mapping):
        missing = [symbol for symbol in symbols if symbol not in rate]
        if missing:
            raise ValueError(f"rate has no entry for {', '.join(missing)}")
        rates = [rate[symbol] for symbol in symbols]
    else:
        rates = [max(rate / 10**place, min(rate, _SLOWEST)) for place in range(len(symbols))]
    for value in rates:
        if not 0 < value < math.inf:
            raise ValueError(f"rate must be a positive number of trades a second, got {value!r}")
    return rates
