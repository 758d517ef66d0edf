"""Every venue's own candles: those of the past before the live ones, and those that a broken connection has missed."""

from __future__ import annotations

import pytest
from venue_world import START, World, market_of, symbols_of, trade, world

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle
from rxstreams.sources import venue, venues
from rxstreams.sources.venue import Venue
from rxstreams.states import StreamEvent
from rxstreams.testing import DropAfter, RestStatus, candles_of
from rxstreams.timeframe import Timeframe


def width_of(described: Venue) -> Timeframe:
    """Return one minute, or the shortest timeframe of the venue's live candles if it has no minutes."""
    return Timeframe("1m" if "1m" in described.candle_timeframes else described.candle_timeframes[0])


NAMES = [name for name in venues() if venue(name).venue.candle_timeframes]


class Candles:
    """A feed of a venue's own candles, all that it has sent, and what has happened to it."""

    def __init__(self, it: World, symbols: tuple[str, ...], *, history: int = 0) -> None:
        self.described = it.feeds.venue
        self.timeframe = width_of(self.described)
        self.candles: list[OHLCCandle] = []
        self.events: list[StreamEvent] = []
        self.exchange = it.exchange
        self.feed = it.feeds.candles(symbols, self.timeframe, history=history, **it.options())
        self.feed.events.subscribe(self.events.append)
        self.feed.subscribe(self.candles.append)

    def closed(self, symbol: str) -> list[OHLCCandle]:
        """Return the closed candles of a symbol, as they came."""
        return [candle for candle in self.candles.copy() if candle.symbol == symbol and candle.closed]

    def check(self, symbol: str) -> None:
        """Each interval once and in order, without a hole; all are complete and true."""
        fill, opens, until = self.described.fill, self.described.opens, self.exchange.time
        rows = candles_of(self.exchange.trades, self.timeframe, fill=fill, opens=opens, until=until)
        truth = {row.open_time: row for row in rows if row.symbol == symbol}
        closed = self.closed(symbol)
        times = [candle.open_time for candle in closed]
        assert times == [time for time in truth if times[0] <= time <= times[-1]]
        assert all(candle.complete for candle in closed)
        for candle in closed:
            row = truth[candle.open_time]
            assert (candle.open, candle.high, candle.low, candle.close) == (row.open, row.high, row.low, row.close)
            assert candle.volume == pytest.approx(row.volume, rel=1e-9, abs=1e-6)

    def count(self, kind: str) -> int:
        """Return how many events of a kind there were."""
        return sum(event.kind == kind for event in self.events)


@pytest.mark.parametrize("name", NAMES)
def test_history_when_a_venue_has_past_candles_then_they_come_first_and_live_ones_join_them(name: str) -> None:
    """By the venue's time, also where nothing but its REST API tells it: it is hours behind ours."""
    (symbol,) = symbols_of(name, 1)
    width = int(width_of(venue(name).venue).minutes) * 60
    with world(name, symbols=[symbol]) as it:
        trades = [trade(symbol, (number + 0.4) * width / 4, number + 1, 100.0 + number) for number in range(4 * 17)]
        it.exchange.publish(*trades[: 4 * 12])
        run = Candles(it, (symbol,), history=5)
        it.exchange.wait_until(lambda: len(run.closed(symbol)) >= 5, what="history")
        places = [(candle.open_time - START) // (width * SECOND) for candle in run.closed(symbol)]
        assert places == [6, 7, 8, 9, 10]
        it.exchange.publish(*trades[4 * 12 :])
        it.exchange.wait_until(lambda: len(run.closed(symbol)) >= 10, what="live candles")
        run.feed.stop()
        run.check(symbol)
        assert {candle.since for candle in run.closed(symbol)} == {START + 6 * width * SECOND}
        assert run.count("lost") == 0


@pytest.mark.parametrize("name", NAMES)
def test_candles_when_the_connection_breaks_then_those_that_it_missed_are_the_venues(name: str) -> None:
    """Also where nothing but the time of the answer says which of them are closed, and REST fails at first."""
    symbols = symbols_of(name, 2)
    width = int(width_of(venue(name).venue).minutes) * 60
    played = market_of(symbols, 14 * width, rates=(60 / width, 4 / width))
    faults = [DropAfter(exchange_seconds=4.4 * width), RestStatus(500, request={1})]
    with world(name, played, symbols=symbols, speed=width * 6.0, faults=faults) as it:
        run = Candles(it, symbols)
        it.exchange.wait_finished()
        it.exchange.wait_until(lambda: len(run.closed(symbols[0])) >= 9, what="candles")
        run.feed.stop()
        assert run.count("loss") >= 1
        assert run.count("lost") == 0
        assert any(candle.span == 0 for candle in run.closed(symbols[0]))
        for symbol in symbols:
            run.check(symbol)
