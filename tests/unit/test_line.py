"""What a line stamps on its items: span and since, from acknowledgements or from what it sees."""

from __future__ import annotations

import time
from typing import Any, cast

from line_bench import T0, A, B, Bench, PlainVenue, SilentVenue, VirtualLoop, trade
from reactivex import Observer

from rxstreams.errors import ConnectionLost, MessageError, ObserverError, SubscriptionError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.venue import Acknowledged, Channel, Rejected
from rxstreams.states import StreamState
from rxstreams.timeframe import Timeframe


def test_since_when_the_acknowledgement_has_a_time_then_begins_there() -> None:
    """Each symbol at its own."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A,), time=T0 + SECOND), Acknowledged(symbols=(B,), time=T0 + 3 * SECOND))
    bench.push(trade(A, 4), trade(B, 5), trade(A, 6))
    assert bench.covered() == [(A, 1.0), (B, 3.0), (A, 1.0)]
    assert bench.ticks[0].since == T0 + SECOND + 1  # a trade of that instant may have gone before
    assert len({tick.span for tick in bench.ticks}) == 1
    assert all(tick.received > 0 for tick in bench.ticks)


def test_since_when_the_acknowledgement_has_no_time_then_begins_past_the_newest_stamp() -> None:
    """The next stamp on the line, of whatever symbol, plus the venue's disorder: never the local clock."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B)))
    bench.push(trade(A, 10))
    bench.push(trade(B, 99))
    assert bench.covered() == [(A, 12.0), (B, 12.0)]


def test_since_when_nothing_is_acknowledged_then_begins_past_the_symbols_first_tick() -> None:
    """Its own first tick plus the disorder."""
    bench = Bench(SilentVenue())
    bench.push(trade(A, 10), trade(B, 20), trade(A, 30))
    assert bench.covered() == [(A, 12.0), (B, 22.0), (A, 12.0)]


def test_since_when_trades_overtake_the_acknowledgement_then_they_cover_nothing() -> None:
    """Known late, never claimed early."""
    bench = Bench(PlainVenue())
    bench.push(trade(A, 10), trade(A, 11))
    bench.push(Acknowledged(symbols=(A,), time=T0 + 9 * SECOND))
    bench.push(trade(A, 12))
    assert bench.covered() == [(A, 12.0), (A, 13.0), (A, 9.0)]


def test_trade_when_stamped_a_minute_ahead_of_its_receipt_then_is_a_bad_message() -> None:
    """One such tick would close every candle."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A,), time=T0))
    ahead = PriceTick(symbol=A, price=1.0, timestamp=time.time_ns() + 90 * SECOND)
    bench.push(ahead)
    bench.push(trade(A, 1))
    assert len(bench.ticks) == 1
    assert bench.feed.stats.parse_errors == 1
    assert [event.kind for event in bench.events if event.kind != "state"] == ["bad_message", "lost"]


def test_parse_when_it_raises_something_else_then_is_a_bad_message_too() -> None:
    """A venue of a user's own may have bugs; what came before it in the frame is kept."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A,), time=T0))
    bench.push(trade(A, 1), KeyError("price"))
    bench.push(trade(A, 2))
    assert [tick.timestamp for tick in bench.ticks] == [T0 + SECOND, T0 + 2 * SECOND]
    assert bench.feed.stats.parse_errors == 1
    bench.push(cast("Any", "junk"))
    assert bench.feed.stats.parse_errors == 2


def test_trade_when_its_symbol_is_not_the_lines_then_is_ignored() -> None:
    """Also on its way after a removal; the others keep their since and get a new span."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B), time=T0))
    bench.push(trade(A, 1), trade("C/USD", 1))
    bench.feed.remove([B])
    bench.push(trade(B, 2), trade(A, 3))
    assert bench.covered() == [(A, 0.0), (A, 0.0)]
    assert bench.ticks[0].span != bench.ticks[1].span
    assert bench.sent[-1].startswith("unsubscribe")


def test_symbol_when_refused_while_running_then_ends_and_changes_the_span() -> None:
    """Nothing of this line may close its candles any more."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B), time=T0))
    bench.push(trade(A, 1))
    bench.push(Rejected(symbols=(B,), reason="delisted"))
    bench.push(trade(A, 2), trade(B, 2))
    assert [tick.symbol for tick in bench.ticks] == [A, A]
    assert bench.ticks[0].span != bench.ticks[1].span
    assert bench.feed.symbols == (A,)
    assert [(e.kind, e.symbols, e.reason) for e in bench.events if e.kind == "refused"] == [
        ("refused", (B,), "delisted")
    ]


def test_coverage_when_a_frame_cannot_be_parsed_then_begins_anew() -> None:
    """It may have held a trade of any symbol: no candle that could have held it may be called complete."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B), time=T0))
    bench.push(trade(A, 1), trade(B, 2))
    bench.push(MessageError("not understood"))
    bench.push(trade(A, 10), trade(B, 11))
    assert bench.covered() == [(A, 0.0), (B, 0.0), (A, 12.0), (B, 12.0)]
    first, second, third, fourth = (tick.span for tick in bench.ticks)
    assert first == second != third == fourth


def test_coverage_when_a_trade_was_refused_for_its_stamp_then_begins_anew() -> None:
    """A trade was there, whenever it was: it is missing."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A,), time=T0))
    bench.push(trade(A, 1))
    bench.push(PriceTick(symbol=A, price=1.0, timestamp=time.time_ns() + 90 * SECOND))
    bench.push(trade(A, 10))
    assert bench.covered() == [(A, 0.0), (A, 12.0)]


def test_coverage_when_nothing_is_acknowledged_and_a_frame_is_bad_then_begins_anew() -> None:
    """The same where coverage began with a first tick."""
    bench = Bench(SilentVenue())
    bench.push(trade(A, 10))
    bench.push(MessageError("not understood"))
    bench.push(trade(B, 20), trade(A, 30))
    assert bench.covered() == [(A, 12.0), (B, 22.0), (A, 22.0)]


def test_since_when_only_a_stamp_is_known_then_lies_past_the_last_instant_of_the_disorder() -> None:
    """A trade of exactly that instant may have been sent before the acknowledgement."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B)))
    bench.push(trade(A, 10))
    assert bench.ticks[0].since == T0 + 12 * SECOND + 1


def test_span_when_other_symbols_are_removed_then_stays() -> None:
    """A symbol that the line does not have ends nothing on it."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B), time=T0))
    bench.push(trade(A, 1))
    bench.feed.remove(["C/USD"])
    bench.push(trade(A, 2))
    assert bench.ticks[0].span == bench.ticks[1].span


def test_feed_when_all_symbols_are_removed_then_says_that_it_is_stopped() -> None:
    """No socket is left; one that is added later opens one again."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A, B), time=T0))
    bench.feed.remove([A, B])
    assert bench.feed.state is StreamState.STOPPED
    bench.feed.add([A])
    assert len(bench.sockets) == 2
    bench.push(Acknowledged(symbols=(A,), time=T0))
    bench.push(trade(A, 1))
    assert [tick.symbol for tick in bench.ticks] == [A]


def test_uptime_when_the_feed_is_disposed_then_is_over() -> None:
    """Nothing is open, and nothing is kept of it."""
    bench = Bench(PlainVenue())
    assert bench.feed.stats.uptime > 0.0
    bench.subscription.dispose()
    assert bench.feed.stats.uptime == 0.0


def test_feed_when_all_symbols_were_refused_then_a_new_subscription_is_told() -> None:
    """Nothing is left to connect for; it must not wait for ever."""
    bench = Bench(PlainVenue())
    bench.push(Rejected(symbols=(A, B), reason="delisted"))
    caught: list[Exception] = []
    bench.feed.subscribe(bench.ticks.append, caught.append)
    assert [type(error) for error in caught] == [SubscriptionError]
    assert len(bench.sockets) == 1
    bench.feed.add([A])
    bench.feed.subscribe(bench.ticks.append, caught.append)
    assert len(bench.sockets) == 2


def test_bad_frames_when_the_connection_is_a_new_one_then_count_from_nothing() -> None:
    """A share of its own frames, not of those of the one that was given up for them."""
    bench = Bench(PlainVenue())
    bench.push(Acknowledged(symbols=(A,), time=T0))
    for _ in range(11):
        bench.push(MessageError("not understood"))
    assert len(bench.failed) == 1
    bench.sockets[-1].on_error(ConnectionLost("given up", uptime=1.0))
    cast("VirtualLoop", bench.loop).advance_by(100.0)
    assert len(bench.sockets) == 2
    bench.push(MessageError("not understood"))
    assert len(bench.failed) == 1


def test_states_when_the_observer_raises_at_the_first_then_it_is_told() -> None:
    """As at any other: an ObserverError, and the feed goes on."""
    bench = Bench(PlainVenue())
    caught: list[Exception] = []

    def fail(state: StreamState) -> None:
        raise KeyError(state)

    bench.feed.states.subscribe(Observer(fail, caught.append))
    assert [type(error) for error in caught] == [ObserverError]


def test_candle_when_stamped_a_minute_ahead_of_its_receipt_then_is_a_bad_message() -> None:
    """One such candle would close the one before it."""
    bench = Bench(PlainVenue(), Channel("candles", Timeframe("1m")))
    bench.push(Acknowledged(symbols=(A,), time=T0))
    bench.push(candle(T0), candle(time.time_ns() + 150 * SECOND))
    assert [item.closed for item in cast("list[OHLCCandle]", bench.ticks)] == [False]
    assert bench.feed.stats.parse_errors == 1


def candle(open_time: int) -> OHLCCandle:
    """Return an update of a candle of A."""
    minute = Timeframe("1m")
    return OHLCCandle(
        symbol=A, timeframe=minute, open_time=minute.floor(open_time), open=1.0, high=1.0, low=1.0, close=1.0
    )
