"""What only a line's clock has closed can be corrected until its symbol trades again, however long that takes."""

from __future__ import annotations

from typing import Any

import pytest
from reactivex.subject import Subject

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.testing import candles_of

T0 = 1_735_689_600 * SECOND


def trade(symbol: str, minutes: float, price: float = 1.0, since: int = T0) -> PriceTick:
    """Return a trade on the one line that there is."""
    return PriceTick(symbol=symbol, price=price, volume=1.0, timestamp=T0 + int(minutes * MINUTE), span=1, since=since)


class Chain:
    """One-minute candles and those of five minutes; the last revision of each, and the truth."""

    def __init__(self, **options: Any) -> None:
        self.source: Subject[PriceTick] = Subject()
        self.last: dict[tuple[str, int, int], OHLCCandle] = {}
        self.published: list[PriceTick] = []
        self._rules: dict[str, Any] = {key: value for key, value in options.items() if key == "fill"}
        self.source.pipe(to_ohlc(1, **options), resample(1, 5)).subscribe(self._take)

    def _take(self, candle: OHLCCandle) -> None:
        if candle.closed:
            self.last[candle.symbol, int(candle.timeframe.minutes), candle.open_time] = candle

    def publish(self, tick: PriceTick, *, sent: bool = True) -> None:
        """Let the venue publish a trade."""
        self.published.append(tick)
        if sent:
            self.source.on_next(tick)

    def deliver(self, tick: PriceTick) -> None:
        """Send a trade that was published before."""
        self.source.on_next(tick)

    def false(self) -> list[OHLCCandle]:
        """Return the candles that say complete and are not the true ones."""
        found: list[OHLCCandle] = []
        for minutes in (1, 5):
            truth = {(c.symbol, c.open_time): c for c in candles_of(self.published, minutes, **self._rules)}
            for (symbol, length, open_time), candle in self.last.items():
                true = truth.get((symbol, open_time))
                if length == minutes and candle.complete and true is not None:
                    same = (candle.open, candle.high, candle.close, candle.trades) == (
                        true.open,
                        true.high,
                        true.close,
                        true.trades,
                    )
                    if not same:
                        found.append(candle)
        return found


@pytest.mark.parametrize("options", [{}, {"fill": "flat"}, {"fill": "flat", "late": "drop"}])
def test_candles_when_a_loss_comes_to_light_late_then_complete_is_taken_back(options: dict[str, Any]) -> None:
    """B was silent for twelve minutes, and its next trade shows that one in between is missing."""
    chain = Chain(**options)
    chain.publish(trade("B", 0.1))
    chain.publish(trade("B", 1.5, price=3.0), sent=False)
    for minute in range(12):
        chain.publish(trade("A", minute + 0.9))
    assert chain.last["B", 1, T0].complete
    chain.publish(trade("B", 12.5, price=2.0, since=T0 + int(12.5 * MINUTE) + 1))
    assert chain.false() == []
    assert not chain.last["B", 1, T0].complete


@pytest.mark.parametrize("fill", ["skip", "flat"])
@pytest.mark.parametrize("missing", [[0.5], [1.5], [0.5, 3.5, 6.2], [10.95]])
def test_candles_when_what_was_missing_is_recovered_late_then_they_are_corrected(
    fill: str, missing: list[float]
) -> None:
    """The same, but the missing trades are fetched and come before the one that showed it."""
    chain = Chain(fill=fill)
    chain.publish(trade("B", 0.1))
    late = [trade("B", minutes, price=3.0 + minutes) for minutes in missing]
    for tick in late:
        chain.publish(tick, sent=False)
    for minute in range(12):
        chain.publish(trade("A", minute + 0.9))
    last = trade("B", 12.5, price=2.0)
    for tick in (*late, last):
        chain.deliver(tick)
    chain.published.append(last)
    chain.publish(trade("A", 16.0))
    chain.publish(trade("A", 21.0))
    assert chain.false() == []
    minutes_of_b = [c for (symbol, length, _), c in chain.last.items() if symbol == "B" and length == 1]
    assert all(candle.complete for candle in minutes_of_b)
    assert sum(candle.trades for candle in minutes_of_b) == len(missing) + 2
    hour = [c for (symbol, length, _), c in chain.last.items() if symbol == "B" and length == 5]
    assert sum(candle.trades for candle in hour) == len(missing) + 2
