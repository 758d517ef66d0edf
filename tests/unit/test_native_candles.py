"""A venue's own candles: closed is never guessed, complete needs an unbroken line or the venue's own word."""

from __future__ import annotations

from candle_bench import A, B, CandleBench, always, live, rest

from rxstreams.instants import MINUTE

# Without REST


def test_native_candles_when_the_next_interval_comes_then_the_last_state_closes() -> None:
    """A venue without a flag closes at the next interval; the line covered all of minute 1."""
    bench = CandleBench()
    bench.take(live(1, 1.0, since=1), live(1, 2.0, since=1), live(2, 3.0, since=1))
    assert [(c.open_time // MINUTE, c.close, c.closed, c.complete) for c in bench.sent] == [
        (1, 1.0, False, False),
        (1, 2.0, False, False),
        (1, 2.0, True, True),
        (2, 3.0, False, False),
    ]


def test_native_candles_when_the_line_began_inside_then_the_candle_is_incomplete() -> None:
    """Covered from the middle of minute 1; that is no loss, for nothing was sent before."""
    bench = CandleBench()
    bench.take(live(1, since=1.5), live(2, since=1.5))
    assert bench.shown == [(1, 1.0, False)]
    assert bench.events == []


def test_native_candles_when_the_line_broke_before_the_close_then_the_candle_is_incomplete() -> None:
    """The message that closes it came on a line that covers less."""
    bench = CandleBench()
    bench.take(live(1, since=1), live(2, since=1), live(2, since=1), live(3, since=2.5))
    assert bench.shown == [(1, 1.0, True), (2, 1.0, False)]
    assert bench.events == [(0.0, "lost", A)]


def test_native_candles_when_the_venue_has_a_flag_then_it_decides() -> None:
    """Closed once, by the flag; a repetition says nothing new."""
    bench = CandleBench(has_flag=True, is_flat=False)
    bench.take(live(1, since=1), live(1, 5.0, since=1, closed=True), live(1, 5.0, closed=True), live(2))
    assert bench.shown == [(1, 5.0, True)]
    assert bench.updates == [(1, 1.0), (2, 1.0)]


def test_native_candles_when_the_flag_of_a_candle_is_missing_then_it_is_incomplete() -> None:
    """The next interval ends it, but the venue would have said how it ended."""
    bench = CandleBench(has_flag=True, is_flat=False)
    bench.take(live(1, since=1), live(2, since=1), live(2, since=1, closed=True))
    assert bench.shown == [(1, 1.0, False), (2, 1.0, True)]


def test_native_candles_when_an_old_interval_comes_again_then_is_ignored() -> None:
    """Nothing reopens a candle that was sent as closed, and nothing older takes the place of the forming one."""
    bench = CandleBench()
    bench.take(live(5, since=5), live(4, 9.0, since=4), live(6, since=5), live(5, 7.0, since=5))
    assert bench.shown == [(5, 1.0, True)]
    assert bench.updates == [(5, 1.0), (6, 1.0)]


def test_native_candles_when_the_line_was_quiet_then_the_empty_intervals_are_flat() -> None:
    """As the venue has them: the price of the last trade, no volume, and as complete as that price is."""
    bench = CandleBench()
    bench.take(live(1, 3.0, since=1), live(4, 5.0, since=1), live(5, 6.0, since=1))
    assert bench.shown == [(1, 3.0, True), (2, 3.0, True), (3, 3.0, True), (4, 5.0, True)]
    flat = bench.sent[3]
    assert (flat.open, flat.high, flat.low, flat.volume, flat.trades, flat.quote_volume) == (3.0, 3.0, 3.0, 0.0, 0, 0.0)
    assert (flat.symbol, flat.span, flat.since) == (A, 1, MINUTE)


def test_native_candles_when_the_venue_skips_empty_intervals_then_there_are_none() -> None:
    """Nothing is missing between 1 and 4."""
    bench = CandleBench(is_flat=False)
    bench.take(live(1, since=1), live(4, since=1), live(5, since=1))
    assert bench.shown == [(1, 1.0, True), (4, 1.0, True)]
    assert bench.events == []


def test_native_candles_when_the_price_before_the_quiet_is_not_proven_then_the_flat_ones_are_incomplete() -> None:
    """A trade may have followed in minute 1 before the line covered it."""
    bench = CandleBench()
    bench.take(live(1, since=1.5), live(3, since=1.5), live(4, since=1.5))
    assert bench.shown == [(1, 1.0, False), (2, 1.0, False), (3, 1.0, True)]


def test_native_candles_when_intervals_passed_unseen_then_none_is_made_up() -> None:
    """Whoever was away from 2.5 to 6.5 knows nothing of 3, 4 and 5."""
    bench = CandleBench()
    bench.take(live(1, since=1), live(2, since=1), live(7, since=6.5), live(8, since=6.5))
    assert bench.shown == [(1, 1.0, True), (2, 1.0, False), (7, 1.0, True)]
    assert [kind for _, kind, _ in bench.events] == ["lost"]


# With REST


def test_native_candles_when_the_line_began_inside_then_the_first_is_the_venues() -> None:
    """It is asked for when the next interval closes it; what comes meanwhile is held, the open one newest first."""
    bench = CandleBench(always(rest(1, 1, running=2)))
    bench.take(live(1, 3.0, since=1.5), live(2, 4.0, since=1.5), live(2, 5.0, since=1.5))
    assert bench.shown == []
    assert bench.updates == [(1, 3.0)]
    bench.wait(0.2)
    assert bench.shown == [(1, 7.0, True)]
    assert bench.updates == [(1, 3.0), (2, 5.0)]
    assert bench.asked == [(0.0, A, 1)]
    assert not bench.events  # nothing was lost


def test_native_candles_when_intervals_passed_unseen_then_all_come_from_rest() -> None:
    """The one that was open when the line broke, and those of which no message came; asked for in one request."""
    bench = CandleBench(always(rest(1, 6, running=7)))
    bench.take(live(1, since=1), live(2, since=1), live(7, 2.0, since=6.5))
    assert bench.updates == [(1, 1.0), (2, 1.0)]
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, True), *((minute, 7.0, True) for minute in range(2, 7))]
    assert bench.updates[-1:] == [(7, 2.0)]
    assert bench.asked == [(0.0, A, 2)]
    assert bench.events == [(0.1, "recovered", A)]
    bench.take(live(8, since=6.5))
    assert bench.shown[-1:] == [(7, 2.0, True)]


def test_native_candles_when_rest_skips_an_interval_then_it_had_no_trade() -> None:
    """For a venue that skips them, REST decides what there is."""
    bench = CandleBench(always([*rest(2, 3), *rest(5, 5, running=7)]), is_flat=False)
    bench.take(live(1, since=1), live(2, since=1), live(7, since=6.5))
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, True), (2, 7.0, True), (3, 7.0, True), (5, 7.0, True)]
    assert bench.events == [(0.1, "recovered", A)]


def test_native_candles_when_they_go_on_over_a_recovered_loss_then_since_reaches_back() -> None:
    """All from minute 1 on was sent, closed and complete: candles of it on a longer timeframe can be complete too."""
    bench = CandleBench(always(rest(1, 6, running=7)))
    bench.take(live(1, since=0.5, span=1), live(2, since=0.5, span=1), live(7, since=6.5, span=2))
    bench.wait(0.2)
    bench.take(live(8, since=6.5, span=2))
    assert {candle.since for candle in bench.sent} == {MINUTE // 2}
    assert [candle.span for candle in bench.sent if candle.closed] == [1, 0, 0, 0, 0, 0, 2]


def test_native_candles_when_a_loss_stays_open_then_since_begins_after_it() -> None:
    """No claim reaches over a hole."""
    bench = CandleBench(always(TimeoutError()))
    bench.take(live(1, since=0.5), live(2, since=0.5), live(7, since=6.5), live(8, since=6.5))
    bench.wait(11.0)
    assert bench.shown == [(1, 1.0, True), (2, 1.0, False), (7, 1.0, True)]
    assert [c.since / MINUTE for c in bench.sent if c.closed] == [0.5, 6.5, 6.5]
    assert bench.sent[-1].since / MINUTE == 6.5
    assert bench.events == [(10.0, "lost", A)]
    assert "candles from 1970-01-01T00:02:00Z on: they were not fetched within 10 s" in bench.reasons[0]


def test_native_candles_when_the_venue_does_not_remember_all_then_says_so() -> None:
    """Of a venue without holes the answer has to begin where it was asked to."""
    bench = CandleBench(always(rest(5, 6, running=7)))
    bench.take(live(1, since=1), live(2, since=1))
    bench.take(live(7, since=6.5))
    bench.wait(11.0)
    # Minute 2 was seen, so an answer without it lags.
    assert bench.shown == [(1, 1.0, True), (2, 1.0, False)]
    assert bench.events == [(10.0, "lost", A)]

    bench = CandleBench(always(rest(5, 6, running=7)), has_flag=True)
    bench.take(live(1, since=1, closed=True), live(7, since=6.5))
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, True), (5, 7.0, True), (6, 7.0, True)]
    assert bench.events == [(0.1, "lost", A)]
    assert bench.sent[-1].since / MINUTE == 5


def test_native_candles_when_the_line_shows_more_than_rest_then_the_answer_lags() -> None:
    """A candle of less volume than the line has shown is not the whole of it."""
    bench = CandleBench(lambda _, __, number: rest(1, 1, float(number), volume=2.0 + number, running=2))
    bench.take(live(1, 4.0, since=1.5, volume=4.0), live(2, since=1.5))
    bench.wait(9.0)
    assert bench.shown == [(1, 2.0, True)]
    assert len(bench.asked) == 3


def test_native_candles_when_a_candle_is_proven_by_the_line_then_it_stands() -> None:
    """Held behind one that is not, and then sent as it came, with its span."""
    bench = CandleBench(always(rest(1, 2, running=3)), latency=5.0)
    bench.take(live(1, since=1.5), live(2, 2.0, since=1.5), live(3, 3.0, since=1.5))
    bench.wait(5.1)
    assert bench.shown == [(1, 7.0, True), (2, 2.0, True)]
    assert [c.span for c in bench.sent if c.closed] == [0, 1]


def test_native_candles_when_the_price_of_quiet_intervals_is_not_proven_then_rest_tells_it() -> None:
    """The last candle was sent incomplete: what followed at its close may have another price."""
    bench = CandleBench(lambda _, minute, __: rest(2, 3, running=4) if minute >= 2 else TimeoutError(), has_flag=True)
    bench.take(live(1, since=1.5, closed=True))
    bench.wait(11.0)
    bench.take(live(4, since=1.5))
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, False), (2, 7.0, True), (3, 7.0, True)]


def test_native_candles_when_one_symbol_waits_then_others_do_not() -> None:
    """Each is on its own."""
    bench = CandleBench(always(TimeoutError()))
    bench.take(live(1, since=1.5), live(2, since=1.5))
    bench.take(live(1, symbol=B, since=1), live(2, symbol=B, since=1))
    assert [(c.symbol, c.open_time // MINUTE) for c in bench.sent if c.closed] == [(B, 1)]


def test_native_candles_when_a_symbol_is_forgotten_then_what_it_held_is_gone() -> None:
    """Also what is being fetched; added again, it begins anew."""
    bench = CandleBench(always(rest(1, 1, running=2)))
    bench.take(live(1, since=1.5), live(2, since=1.5))
    bench.candles.forget([A, "C/USD"])
    bench.wait(20.0)
    assert bench.shown == []
    assert bench.events == []
    bench.take(live(5, since=5), live(6, since=5))
    assert bench.shown == [(5, 1.0, True)]


def test_native_candles_when_flushed_then_what_is_held_goes_out_as_it_is() -> None:
    """A graceful stop waits for nobody; the open ones stay open."""
    bench = CandleBench(always(TimeoutError()))
    bench.take(live(1, since=1.5), live(2, 2.0, since=1.5), live(3, 3.0, since=1.5))
    bench.candles.flush()
    assert bench.shown == [(1, 1.0, False), (2, 2.0, True)]
    assert bench.updates[-1:] == [(3, 3.0)]
    bench.wait(20.0)
    assert len(bench.events) == 1


def test_native_candles_when_an_observer_ends_the_feed_then_nothing_follows() -> None:
    """In the middle of what an answer lets go."""
    bench = CandleBench(always(rest(1, 5, running=6)))

    def end(candle: object) -> None:
        bench.sent.append(live(0))
        bench.candles.dispose()

    bench.take(live(1, since=1.5))
    bench.on_sent = end
    bench.take(live(6, since=5.5))
    bench.wait(20.0)
    assert len(bench.sent) == 2
    assert bench.events == []


# History


def test_history_when_the_line_begins_then_comes_first() -> None:
    """The closed intervals before the venue's time, oldest first; then live, without a hole or a double."""
    bench = CandleBench(always(rest(0, 99, running=100)), history=3)
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.take(live(100, 2.0, since=100.3))
    assert bench.sent == []
    bench.wait(0.2)
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True), (99, 7.0, True)]
    assert bench.updates == [(100, 2.0)]
    assert bench.asked == [(0.0, A, 97)]
    assert bench.events == []
    assert {candle.since for candle in bench.sent} == {97 * MINUTE}
    assert [candle.span for candle in bench.sent] == [0, 0, 0, 1]


def test_history_when_the_live_candle_began_before_the_line_then_it_is_the_venues_too() -> None:
    """The first one that closes."""
    bench = CandleBench(always(rest(0, 100, running=101)), history=2)
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.wait(0.2)
    bench.take(live(100, 2.0, since=100.3), live(101, 3.0, since=100.3))
    bench.wait(0.2)
    assert bench.shown == [(98, 7.0, True), (99, 7.0, True), (100, 7.0, True)]
    assert bench.updates == [(100, 2.0), (101, 3.0)]


def test_history_when_trades_come_before_the_acknowledgement_then_they_tell_the_time() -> None:
    """Whichever comes first."""
    bench = CandleBench(always(rest(0, 99, running=100)), history=1)
    bench.take(live(100, 2.0, since=100.5))
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.wait(0.2)
    assert bench.shown == [(99, 7.0, True)]
    assert len(bench.asked) == 1


def test_history_when_fewer_candles_exist_then_that_is_fine() -> None:
    """Also when there is none, once REST must know."""
    bench = CandleBench(lambda symbol, _, __: rest(98, 99, running=100) if symbol == A else [], history=50)
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.candles.resume(B, round(100.3 * MINUTE))
    bench.wait(9.0)
    assert bench.shown == [(98, 7.0, True), (99, 7.0, True)]
    assert bench.events == []
    bench.take(live(101, symbol=B, since=100.3), live(102, symbol=B, since=100.3))
    assert bench.shown[2:] == []  # nobody knows yet whether minute 100 had a trade before the line began


def test_history_when_rest_fails_for_good_then_live_goes_on_and_says_what_is_missing() -> None:
    """As if no history had been wanted."""
    bench = CandleBench(lambda _, minute, __: TimeoutError("down") if minute < 100 else rest(100, 100), history=5)
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.take(live(100, 2.0, since=100.3))
    bench.wait(10.5)
    assert bench.updates == [(100, 2.0)]
    assert bench.events == [(10.0, "lost", A)]
    assert bench.reasons == ["candles from 1970-01-01T01:35:00Z on: they were not fetched within 10 s: down"]
    bench.take(live(101, 3.0, since=100.3))
    bench.wait(0.5)
    assert bench.shown == [(100, 7.0, True)]


def test_history_when_the_clock_that_named_the_time_was_ahead_then_the_venue_decides() -> None:
    """An interval that REST calls running is not over; it will come live."""
    bench = CandleBench(always(rest(0, 97, running=98)), history=4)
    bench.candles.resume(A, 100 * MINUTE)
    bench.wait(9.0)
    assert bench.shown == [(96, 7.0, True), (97, 7.0, True)]
    bench.take(live(98, 2.0, since=98), live(99, 3.0, since=98))
    assert bench.shown[-1:] == [(98, 2.0, True)]


def test_history_when_the_last_interval_had_no_trade_then_only_some_venues_have_a_candle_of_it() -> None:
    """Where there are none of such intervals, REST must know after a while; where there are, its answer lags."""
    bench = CandleBench(always(rest(0, 98)), history=3, is_flat=False)
    bench.candles.resume(A, 100 * MINUTE)
    bench.wait(9.0)
    bench.take(live(100, since=100.1), live(101, since=100.1))
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True)]
    assert bench.asked[-1][2] == 100  # history is over: what is missing is the rest of minute 100

    bench = CandleBench(always(rest(0, 98)), history=3)
    bench.candles.resume(A, 100 * MINUTE)
    bench.wait(11.0)
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True)]
    assert bench.events == [(10.0, "lost", A)]


def test_history_when_a_symbol_is_added_again_then_nothing_comes_twice() -> None:
    """What it was sent before it was removed is not fetched again."""
    bench = CandleBench(always(rest(0, 104, running=105)), history=10)
    bench.candles.resume(A, round(100.3 * MINUTE))
    bench.wait(0.2)
    bench.candles.forget([A])
    bench.candles.resume(A, round(103.3 * MINUTE))
    bench.wait(0.2)
    assert [minute for minute, _, _ in bench.shown] == list(range(90, 103))


def test_history_when_many_symbols_want_it_then_each_has_its_time_from_its_turn_on() -> None:
    """Sixty requests of 1 s, four at a time, take 15 s: nobody is given up."""
    bench = CandleBench(lambda symbol, _, __: rest(99, 99, running=100, symbol=symbol), latency=1.0, history=1)
    for number in range(60):
        bench.candles.resume(f"X{number}/USD", round(100.3 * MINUTE))
    bench.wait(16.0)
    assert len(bench.shown) == 60
    assert bench.events == []
