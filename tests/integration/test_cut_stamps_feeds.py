"""Bitstamp's feed over real sockets: its REST API cuts stamps to whole seconds, its socket does not."""

from __future__ import annotations

from venue_world import START, plain, symbols_of, trade, world

from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.bitstamp import Bitstamp
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import compare
from rxstreams.testing.formats.bitstamp import BitstampFormat


def test_rest_resolution_when_the_exchange_speaks_as_bitstamp_then_is_what_its_answers_are_cut_to() -> None:
    """Else nothing here would be put to the test."""
    (symbol,) = symbols_of("bitstamp", 1)
    with world("bitstamp", symbols=[symbol]) as it:
        it.exchange.publish(trade(symbol, 1.7, 1))
        options = it.options()
        options.pop("url")
        got, error = it.collect(it.feeds.rest_trades(symbol, since=START, **options))
    assert error is None
    assert [tick.timestamp for tick in got] == [START + SECOND]
    assert BitstampFormat.resolution < SECOND == Bitstamp.rest_resolution


def test_gap_when_missed_trades_share_their_seconds_with_live_ones_then_order_and_candles_are_true() -> None:
    """One missed trade is a minute's close, one the next one's open; the quiet symbol has a single trade after it."""
    busy, quiet = symbols_of("bitstamp", 2)
    with world("bitstamp", symbols=[busy, quiet]) as it:
        # So long that only its own first trade proves the quiet symbol's gap, not the settling.
        feed = it.feeds.trades([busy, quiet], **it.options(settle=20.0, max_hold=20.0))
        ticks: list[PriceTick] = []
        candles: list[OHLCCandle] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        feed.pipe(it.feeds.to_ohlc("1m")).subscribe(candles.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(busy, 1.0, 1, 1.0), trade(quiet, 50.0, 1), trade(busy, 119.3, 2, 2.0))
        it.exchange.wait_until(lambda: len(ticks) == 3)
        it.exchange.refuse()
        it.exchange.drop_all()
        it.exchange.wait_until(lambda: it.exchange.connections[-1].closed)
        it.exchange.publish(trade(busy, 119.6, 3, 3.0), trade(busy, 120.2, 4, 4.0), trade(quiet, 120.3, 2, 2.0))
        it.exchange.refuse(False)
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == {busy, quiet})
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(busy, 120.5, 5, 5.0), trade(busy, 120.7, 6, 6.0), trade(quiet, 120.8, 3, 3.0))
        it.exchange.wait_until(lambda: len(ticks) == 9, 10.0)
        it.exchange.publish(trade(busy, 200.0, 7, 7.0), trade(quiet, 200.1, 4, 4.0))
        it.exchange.wait_until(lambda: len(ticks) == 11)
        feed.stop()
        published = it.exchange.trades
    assert {event.symbols[0] for event in events if event.kind == "recovered"} == {busy, quiet}
    assert not [event for event in events if event.kind in ("lost", "bad_message")]
    for symbol in (busy, quiet):
        mine = [tick for tick in ticks if tick.symbol == symbol]
        truth = [tick for tick in published if tick.symbol == symbol]
        assert [tick.trade_id for tick in mine] == [tick.trade_id for tick in truth]
        assert [tick.timestamp for tick in mine] == sorted(tick.timestamp for tick in mine)
        assert all(0 <= true.timestamp - tick.timestamp < SECOND for tick, true in zip(mine, truth, strict=True))
        came_live = [tick for tick in mine if tick.trade_id not in ({3, 4} if symbol == busy else {2})]
        assert set(plain(came_live)) <= set(plain(truth))  # to the microsecond
    venue = it.feeds.venue
    closed = [candle for candle in candles if candle.closed]
    report = compare(
        closed,
        published,
        "1m",
        fill=venue.fill,
        opens=venue.opens,
        start=START + MINUTE,
        until=START + 3 * MINUTE,
    )
    assert report.promise_kept
    assert (report.complete_right, report.incomplete_wrong, report.missing) == (4, [], [])
