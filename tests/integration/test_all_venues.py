"""Every venue, in its own wire format, over real sockets: connect, subscribe, drop, recover, begin with the past."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from venue_world import START, market_of, plain, symbols_of, trade, world

from rxstreams.backoff import BackoffPolicy
from rxstreams.errors import MessageError, SubscriptionError
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import Venue, venue, venues
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import RestBody, StallAfter, Swallow, candles_of, compare
from rxstreams.testing._feeds import cut_stamp
from rxstreams.timeframe import Timeframe

_SOON = BackoffPolicy(initial=0.01, maximum=0.05)
ALL = venues()


def _where(*, candles: bool = False, trades: bool = False) -> list[str]:
    """Return the names of the venues that have live candles, or REST trades that reach far enough to close gaps."""
    chosen: list[str] = []
    for name in ALL:
        described = venue(name).venue
        if (described.candle_timeframes or not candles) and (described.has_rest_trades or not trades):
            chosen.append(name)
    return chosen


def shortest(described: Venue) -> Timeframe:
    """Return one minute, or the shortest timeframe of the venue's live candles if it has no minutes."""
    return Timeframe("1m" if "1m" in described.candle_timeframes else described.candle_timeframes[0])


@pytest.mark.parametrize("name", ALL)
def test_trades_when_subscribed_to_then_each_comes_as_the_exchange_has_sent_it(name: str) -> None:
    """Two symbols, several trades a message where the venue does that; with the venue's name, received and covered."""
    symbols = symbols_of(name, 2)
    with world(name, market_of(symbols, 120), symbols=symbols, wait_for=2, batch=5) as it:
        feed = it.feeds.trades(symbols, **it.options())
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        it.exchange.wait_finished()
        it.exchange.wait_until(lambda: len(ticks) >= len(it.exchange.trades))
        feed.stop()
        for symbol in symbols:
            mine = [tick for tick in ticks if tick.symbol == symbol]
            assert plain(mine) == plain([tick for tick in it.exchange.trades if tick.symbol == symbol])
    assert {tick.exchange for tick in ticks} == {name}
    assert {tick.span for tick in ticks} != {0}
    assert all(tick.received and tick.since for tick in ticks)


@pytest.mark.parametrize("name", ALL)
def test_symbols_when_added_and_removed_then_the_feed_follows(name: str) -> None:
    """On the same connection; what is removed does not come any more."""
    first, second = symbols_of(name, 2)
    with world(name, symbols=(first, second)) as it:
        feed = it.feeds.trades([first], **it.options())
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(first, 1.0, 1), trade(second, 1.0, 1))
        feed.add([second])
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == {first, second})
        it.exchange.publish(trade(first, 4.0, 2), trade(second, 4.0, 2))
        it.exchange.wait_until(lambda: {(t.symbol, str(t.trade_id)) for t in ticks} >= {(first, "2"), (second, "2")})
        feed.remove([first])
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == {second})
        it.exchange.publish(trade(first, 8.0, 3), trade(second, 8.0, 3))
        it.exchange.wait_until(lambda: str(ticks[-1].trade_id) == "3")
        feed.stop()
        assert len(it.exchange.connections) == 1
    assert Counter((t.symbol, str(t.trade_id)) for t in ticks) == {
        (first, "1"): 1,
        (first, "2"): 1,
        (second, "2"): 1,
        (second, "3"): 1,
    }


@pytest.mark.parametrize("name", _where(trades=True))
def test_connection_when_dropped_then_what_it_missed_is_fetched(name: str) -> None:
    """Each trade once and in order, and the coverage goes on."""
    symbols = symbols_of(name, 2)
    with world(name, symbols=symbols) as it:
        feed = it.feeds.trades(symbols, **it.options())
        ticks: list[PriceTick] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        for number in range(1, 6):
            it.exchange.publish(*(trade(symbol, 3.0 * number, number) for symbol in symbols))
        it.exchange.wait_until(lambda: len(ticks) == 10)
        it.exchange.refuse()
        it.exchange.drop_all()
        it.exchange.wait_until(lambda: it.exchange.connections[-1].closed)
        for number in range(6, 9):
            it.exchange.publish(*(trade(symbol, 3.0 * number, number) for symbol in symbols))
        it.exchange.refuse(False)
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == set(symbols), 20.0)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        for number in range(9, 12):
            it.exchange.publish(*(trade(symbol, 3.0 * number, number) for symbol in symbols))
        it.exchange.wait_until(lambda: len(ticks) >= 22)
        feed.stop()
        for symbol in symbols:
            mine = [tick for tick in ticks if tick.symbol == symbol]
            assert plain(mine) == plain([tick for tick in it.exchange.trades if tick.symbol == symbol])
            assert len({tick.since for tick in mine[1:]}) == 1
    assert {event.symbols[0] for event in events if event.kind == "recovered"} == set(symbols)
    assert not [event for event in events if event.kind in ("lost", "bad_message")]


@pytest.mark.parametrize("name", [name for name in _where(trades=True) if venue(name).venue.contiguous_ids])
def test_trade_when_swallowed_on_a_living_connection_then_the_ids_show_it_and_it_is_fetched(name: str) -> None:
    """Without a reconnection; where ids count every trade."""
    (symbol,) = symbols_of(name, 1)
    with world(name, symbols=[symbol], faults=[Swallow(3)]) as it:
        feed = it.feeds.trades([symbol], **it.options())
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        for number in range(1, 9):
            it.exchange.publish(trade(symbol, 3.0 * number, number))
        it.exchange.wait_until(lambda: len(ticks) >= 8)
        feed.stop()
        assert [str(tick.trade_id) for tick in it.exchange.sent()] == [str(number) for number in (1, 2, 3, 5, 6, 7, 8)]
        assert plain(ticks) == plain(it.exchange.trades)
        assert len(it.exchange.connections) == 1


@pytest.mark.parametrize("name", _where(trades=True))
def test_first_candle_when_history_is_asked_for_then_is_complete_and_true(name: str) -> None:
    """The feed begins in the middle of a minute."""
    symbols = symbols_of(name, 2)
    played = market_of(symbols, 400, rates=(0.3, 0.1))
    with world(name, played, symbols=symbols, wait_for=2, start=START + 97 * SECOND) as it:
        feed = it.feeds.trades(symbols, history="1m", **it.options())
        candles: list[OHLCCandle] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.pipe(it.feeds.to_ohlc("1m")).subscribe(candles.append)
        it.exchange.wait_finished()
        it.exchange.wait_until(lambda: sum(event.kind in ("recovered", "lost") for event in events) >= 2)
        feed.stop()
        closed = [candle for candle in candles if candle.closed]
        first, until = START + MINUTE, it.exchange.time - 10 * SECOND
        described = it.feeds.venue
        report = compare(
            closed, it.exchange.trades, "1m", fill=described.fill, opens=described.opens, start=first, until=until
        )
    assert report.promise_kept
    # An open, or a flat price, from before the interval is what no interval's own trades can prove: the first candle of
    # each symbol.
    depends = described.opens == "previous_close" or described.fill == "flat"
    assert report.incomplete_right + len(report.incomplete_wrong) <= (2 if depends else 0)
    assert {candle.symbol for candle in closed} == set(symbols)


@pytest.mark.parametrize("name", _where(candles=True))
def test_candles_when_the_venue_sends_its_own_then_those_made_of_its_trades_agree(name: str) -> None:
    """Both feeds run beside each other, by the venue's own conventions; and both are the exchange's truth."""
    symbols = symbols_of(name, 2)
    described = venue(name).venue
    timeframe = shortest(described)
    width = int(timeframe.minutes) * MINUTE
    played = market_of(symbols, 15 * width / SECOND, rates=(60 * SECOND / width, 4 * SECOND / width))
    with world(name, played, symbols=symbols, speed=width / SECOND * 5) as it:
        own = it.feeds.candles(symbols, timeframe, **it.options())
        feed = it.feeds.trades(symbols, **it.options())
        theirs: list[OHLCCandle] = []
        ours: list[OHLCCandle] = []
        own.subscribe(theirs.append)
        feed.pipe(it.feeds.to_ohlc(timeframe)).subscribe(ours.append)
        it.exchange.wait_finished()
        own.stop()
        feed.stop()
        true = candles_of(it.exchange.trades, timeframe, fill=described.fill, opens=described.opens)
        truth = {(row.symbol, row.open_time): row for row in true}
    complete = [{(c.symbol, c.open_time): c for c in them if c.closed and c.complete} for them in (theirs, ours)]
    both = complete[0].keys() & complete[1].keys()
    assert len({key for key in both if key[0] == symbols[0]}) >= 8
    for key, candle in (*complete[0].items(), *complete[1].items()):
        row = truth[key]
        assert (candle.open, candle.high, candle.low, candle.close) == (row.open, row.high, row.low, row.close), key
        assert candle.volume == pytest.approx(row.volume, rel=1e-9, abs=1e-7)
    for key in both:
        mine, venues_own = complete[1][key], complete[0][key]
        if "trades" in described.candle_fields:
            assert mine.trades == venues_own.trades
        for field in described.candle_fields - {"trades"}:
            assert getattr(mine, field) == pytest.approx(getattr(venues_own, field), rel=1e-6, abs=1e-4)
    closed = [(c.symbol, c.open_time) for c in theirs if c.closed]
    assert len(closed) == len(set(closed))


@pytest.mark.parametrize("name", ALL)
def test_symbol_when_the_venue_does_not_know_it_then_ends_with_an_error_and_the_others_go_on(name: str) -> None:
    """Whether the venue refuses it, refuses all together, or says nothing."""
    good, bad, other = symbols_of(name, 3)
    with world(name, symbols=(good, other)) as it:
        feed = it.feeds.trades([good, bad, other], **it.options())
        ticks: list[PriceTick] = []
        events: list[StreamEvent] = []
        feed.events.subscribe(events.append)
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: any(event.kind == "refused" for event in events), what="the refusal")
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.wait_until(lambda: it.exchange.connections[-1].symbols == {good, other})
        it.exchange.publish(trade(good, 1.0, 1), trade(other, 1.0, 1))
        it.exchange.wait_until(lambda: len(ticks) == 2)
        assert feed.symbols == (good, other)
        feed.stop()
        alone = it.feeds.trades([bad], **it.options())
        _, error = it.collect(alone)
    refusals = [event for event in events if event.kind == "refused"]
    assert [event.symbols for event in refusals] == [(bad,)]
    assert refusals[0].reason
    assert isinstance(error, SubscriptionError)
    assert error.symbols == (bad,)


@pytest.mark.parametrize("name", ALL)
def test_timeframe_when_the_venue_does_not_offer_it_then_the_error_lists_those_it_has(name: str) -> None:
    """Live and past ones."""
    feeds, described = venue(name), venue(name).venue
    symbol = symbols_of(name, 1)
    listed = described.candle_timeframes[-1] if described.candle_timeframes else "none"
    with pytest.raises(ValueError, match=f"7m.*{listed}"):
        feeds.candles(symbol, "7m")
    past = described.rest_timeframes or described.candle_timeframes
    with pytest.raises(ValueError, match=f"7m.*{past[0]}.*{past[-1]}"):
        feeds.rest_candles(symbol[0], "7m", since=START)


@pytest.mark.parametrize("name", _where(trades=True))
def test_rest_trades_when_they_fill_several_pages_then_come_once_and_in_order(name: str) -> None:
    """As far back as the venue goes; what can't be had is an error after what can."""
    (symbol,) = symbols_of(name, 1)
    trades = list(market_of([symbol], 3000, rates=(1.0,)))
    with world(name, trades, symbols=[symbol], start=trades[-1].timestamp) as it:
        options = it.options()
        options.pop("url")
        it.exchange.wait_until(lambda: len(it.exchange.trades) == len(trades))
        resolution = it.feeds.venue.rest_resolution
        known = [cut_stamp(tick, resolution) for tick in it.exchange.trades]  # stamped as its REST API does
        source = it.feeds.rest_trades(symbol, since=known[0].timestamp, **options)
        got, error = it.collect(source)
        expected = plain(known)
        if error is None:
            assert plain(got) == expected
        else:
            assert it.feeds.venue.trades_reach
            assert type(error).__name__ == "HistoryTooShort"
            assert plain(got) == expected[-len(got) :]
        first, last = known[-20].timestamp, known[-5].timestamp
        some, error = it.collect(it.feeds.rest_trades(symbol, since=first, until=last, **options))
        within = [tick for tick in known if first <= tick.timestamp < last]
        if error is None:
            assert plain(some) == plain(within)
        else:
            assert it.feeds.venue.trades_reach


@pytest.mark.parametrize("name", ALL)
def test_rest_candles_when_fetched_then_equal_the_truth(name: str) -> None:
    """Over several pages; all are closed but the one that is running."""
    (symbol,) = symbols_of(name, 1)
    described = venue(name).venue
    has = described.rest_timeframes or described.candle_timeframes
    timeframe = Timeframe("1m" if "1m" in has else has[0])
    width = int(timeframe.minutes) * MINUTE
    trades = list(market_of([symbol], 130 * width / SECOND, rates=(2 * SECOND / width,)))
    with world(name, trades, symbols=[symbol], start=trades[-1].timestamp) as it:
        options = it.options()
        options.pop("url")
        got, error = it.collect(it.feeds.rest_candles(symbol, timeframe, since=START, **options))
        rows = candles_of(it.exchange.trades, timeframe, fill=described.fill, opens=described.opens)
        now = it.exchange.time
    assert error is None
    truth = {row.open_time: row for row in rows}
    assert [candle.open_time for candle in got] == sorted({candle.open_time for candle in got})
    assert {candle.open_time for candle in got} >= {row.open_time for row in rows if row.close_time <= now}
    for candle in got:
        row = truth[candle.open_time]
        assert (candle.open, candle.high, candle.low, candle.close) == (row.open, row.high, row.low, row.close)
        assert candle.volume == pytest.approx(row.volume, rel=1e-9, abs=1e-7)
        assert candle.closed is candle.complete
        # Where the venue has no flag, the Date of its answer decides, in whole seconds.
        assert row.close_time <= now or not candle.closed
        assert row.close_time > now - 2 * SECOND or candle.closed


@pytest.mark.parametrize("name", ALL)
def test_rest_when_it_answers_html_then_is_a_clear_error(name: str) -> None:
    """As gateways do; what the socket brings goes on."""
    (symbol,) = symbols_of(name, 1)
    page = "<!DOCTYPE html><html><body>Bad gateway</body></html>"
    with world(name, symbols=[symbol], faults=[RestBody(page)]) as it:
        options = it.options()
        options.pop("url")
        described = it.feeds.venue
        has = described.rest_timeframes or described.candle_timeframes
        source = it.feeds.rest_candles(symbol, has[0], since=START, attempts=1, **options)
        _, error = it.collect(source)
        assert isinstance(error, MessageError)
        assert "HTML" in str(error)
        assert "Bad gateway" in str(error)
        feed = it.feeds.trades([symbol], **it.options(max_hold=0.3))
        ticks: list[PriceTick] = []
        feed.subscribe(ticks.append)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(symbol, 1.0, 1))
        it.exchange.wait_until(lambda: len(ticks) == 1)
        it.exchange.refuse()
        it.exchange.drop_all()
        it.exchange.wait_until(lambda: it.exchange.connections[-1].closed)
        it.exchange.publish(trade(symbol, 30.0, 2))
        it.exchange.refuse(False)
        it.exchange.wait_until(lambda: len(it.exchange.connections) == 2 and it.exchange.connections[-1].symbols)
        it.exchange.wait_until(lambda: feed.state is StreamState.STREAMING)
        it.exchange.publish(trade(symbol, 60.0, 3))
        it.exchange.wait_until(lambda: len(ticks) == 2, 20.0)
        feed.stop()
        assert ticks[1].since > ticks[0].since


@pytest.mark.parametrize("name", ALL)
def test_venue_when_silent_then_is_probed_and_kept_as_long_as_it_answers(name: str) -> None:
    """By the venue's own kind of ping where it has one, else by WebSocket's; then it does not answer any more."""
    (symbol,) = symbols_of(name, 1)
    stalled: list[Any] = [StallAfter(0, probes=True, connection=0), StallAfter(0, connection=1)]
    with world(name, symbols=[symbol], faults=stalled, heartbeat=0) as it:
        patience = {"silence_timeout": 0.1, "probe_timeout": 0.4, "ping_interval": 60.0, "backoff": _SOON}
        feed = it.feeds.trades([symbol], **it.options(**patience))
        feed.subscribe()
        it.exchange.wait_until(lambda: sum(each.probes + each.pings for each in it.exchange.connections) >= 4)
        assert len(it.exchange.connections) == 1
        it.exchange.drop_all()
        it.exchange.wait_until(lambda: len(it.exchange.connections) >= 3, 20.0)
        assert feed.stats.reconnects["Stalled"] >= 1
        feed.stop()
