"""Asking REST for candles: until it has what is needed, no longer than max_hold, and never for ever."""

from __future__ import annotations

from typing import cast

import pytest
from candle_bench import A, Answer, B, CandleBench, always, live, rest, short
from msgspec.structs import replace

from rxstreams.errors import SubscriptionError
from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe


def begin(bench: CandleBench, symbol: str = A) -> None:
    """Let a symbol need minute 1 from REST, and hold the open minute 2."""
    bench.take(live(1, since=1.5, symbol=symbol), live(2, 2.0, since=1.5, symbol=symbol))


def test_recovery_when_rest_lags_then_is_asked_again_with_growing_pauses() -> None:
    """The third answer has the candle closed."""
    bench = CandleBench(lambda _, __, number: rest(1, 1, running=2) if number == 2 else rest(1, 0, running=1))
    begin(bench)
    bench.wait(9.9)
    assert bench.shown == [(1, 7.0, True)]
    assert len(bench.asked) == 3
    pauses = [after[0] - before[0] for before, after in zip(bench.asked, bench.asked[1:], strict=False)]
    assert all(0.25 <= pause <= 2.7 for pause in pauses)
    assert bench.events == []


def test_recovery_when_an_answer_has_a_part_then_that_part_is_sent_at_once() -> None:
    """Nothing behind it is late because of what REST does not have yet, and it is asked only for the rest."""
    bench = CandleBench(lambda _, minute, number: rest(2, 3, running=4) if not number else rest(4, 6, running=7))
    bench.take(live(1, since=1), live(2, since=1), live(7, since=6.5))
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, True), (2, 7.0, True), (3, 7.0, True)]
    bench.wait(5.0)
    assert [minute for minute, _, _ in bench.shown] == [1, 2, 3, 4, 5, 6]
    assert [minute for _, _, minute in bench.asked] == [2, 4]


@pytest.mark.parametrize(
    "error",
    [TimeoutError("no"), SubscriptionError((A,), "no"), ZeroDivisionError("no")],
    ids=lambda e: type(e).__name__,
)
def test_recovery_when_rest_fails_then_gives_up_after_max_hold_and_says_why(error: Exception) -> None:
    """What is held goes out with complete=False for what is not proven; nothing is asked afterwards."""
    bench = CandleBench(always(error))
    begin(bench)
    bench.wait(9.9)
    assert bench.shown == []
    bench.wait(0.2)
    assert bench.shown == [(1, 1.0, False)]
    assert bench.updates[-1:] == [(2, 2.0)]
    assert bench.events == [(10.0, "lost", A)]
    assert bench.reasons[0].endswith("no")
    asked = len(bench.asked)
    assert asked >= 4
    bench.wait(60.0)
    assert len(bench.asked) == asked


def test_recovery_when_the_answer_never_comes_then_gives_up_too() -> None:
    """An attempt that hangs is ended with the wait, and its answer ignored."""
    bench = CandleBench(always(rest(1, 1, running=2)), latency=15.0)
    begin(bench)
    bench.wait(20.0)
    assert bench.shown == [(1, 1.0, False)]
    assert len(bench.asked) == 1


def test_recovery_when_the_line_breaks_again_meanwhile_then_the_range_grows_and_the_deadline_stays() -> None:
    """Minutes 1 to 3 come from one answer; ten seconds after the first need all is over in any case."""
    ready: list[Answer] = []
    bench = CandleBench(lambda _, __, ___: ready[0] if ready else TimeoutError())
    begin(bench)
    bench.wait(4.0)
    bench.take(live(4, 4.0, since=3.5))
    bench.wait(3.0)  # an attempt comes 2.6 s later at the latest
    assert bench.shown == []
    ready.append(rest(1, 3, running=4))
    bench.wait(3.0)
    assert bench.shown == [(1, 7.0, True), (2, 7.0, True), (3, 7.0, True)]
    assert bench.updates[-1:] == [(4, 4.0)]

    bench = CandleBench(always(TimeoutError()))
    begin(bench)
    bench.wait(9.0)
    bench.take(live(4, 4.0, since=3.5))
    bench.wait(1.1)
    assert bench.shown == [(1, 1.0, False), (2, 2.0, False)]
    assert bench.events == [(10.0, "lost", A)]


def test_recovery_when_given_up_then_the_next_need_is_asked_for_again() -> None:
    """A new wait with a deadline of its own."""
    bench = CandleBench(lambda _, minute, __: rest(2, 5, running=6) if minute >= 2 else TimeoutError())
    begin(bench)
    bench.wait(11.0)
    bench.take(live(6, since=5.5))
    bench.wait(0.5)
    assert bench.shown == [(1, 1.0, False), *((minute, 7.0, True) for minute in (2, 3, 4, 5))]
    assert [kind for _, kind, _ in bench.events] == ["lost", "recovered"]


@pytest.mark.parametrize(
    "wrong",
    [
        live(1, symbol=B, closed=True),
        replace(live(1, closed=True), timeframe=Timeframe("5m"), open_time=0),
        cast("OHLCCandle", "junk"),
    ],
    ids=["symbol", "timeframe", "kind"],
)
def test_recovery_when_rest_answers_something_else_then_it_is_not_taken(wrong: OHLCCandle) -> None:
    """Asked again: the next answer is right."""

    def answer(_: str, __: float, number: int) -> Answer:
        return [wrong, *rest(1, 1, running=2)] if not number else rest(1, 1, 8.0, running=2)

    bench = CandleBench(answer)
    begin(bench)
    bench.wait(5.0)
    assert bench.shown == [(1, 8.0, True)]
    assert len(bench.asked) == 2


def test_recovery_when_the_open_candle_is_called_closed_by_nobody_then_it_stays_open() -> None:
    """The answer's running candle is no closed one, however late it comes."""
    bench = CandleBench(always(rest(1, 1, running=2)))
    begin(bench)
    bench.wait(0.2)
    assert bench.shown == [(1, 7.0, True)]
    assert bench.updates[-1:] == [(2, 2.0)]


def test_recovery_when_rest_is_ahead_of_the_line_then_the_line_tells_of_the_rest() -> None:
    """What is not asked for is not taken: other symbols' candles are where the line is."""
    bench = CandleBench(always(rest(1, 5, running=6)))
    begin(bench)
    bench.wait(0.2)
    assert bench.shown == [(1, 7.0, True)]
    bench.take(live(3, since=1.5))
    assert bench.shown == [(1, 7.0, True), (2, 2.0, True)]


def test_recovery_when_too_much_is_held_then_gives_up() -> None:
    """At most max_held closed candles, of all symbols of the line."""
    bench = CandleBench(always(TimeoutError()), max_held=3)
    bench.take(*(live(minute, since=1.5) for minute in range(1, 5)))
    assert bench.shown == []
    bench.take(live(5, since=1.5))
    assert [minute for minute, _, _ in bench.shown] == [1, 2, 3, 4]
    assert bench.events == [(0.0, "lost", A)]
    assert "more than 3 candles were held" in bench.reasons[0]


def test_recovery_when_an_answer_is_endless_then_is_not_kept() -> None:
    """At most max_held candles are taken from one."""
    bench = CandleBench(always(rest(1, 50, running=51)), max_held=20)
    begin(bench)
    bench.wait(11.0)
    assert bench.shown == [(1, 1.0, False)]
    assert "more than 20 candles are missing" in bench.reasons[0]


def test_recovery_when_there_are_few_turns_then_symbols_wait_for_each_other() -> None:
    """One after the other, and none is forgotten."""
    bench = CandleBench(lambda symbol, _, __: rest(1, 1, running=2, symbol=symbol), turns=1, latency=1.0)
    for name in ("A/USD", "B/USD", "C/USD"):
        begin(bench, name)
    bench.wait(3.5)
    assert [(time, symbol) for time, symbol, _ in bench.asked] == [(0.0, "A/USD"), (1.0, "B/USD"), (2.0, "C/USD")]
    assert [complete for _, _, complete in bench.shown] == [True, True, True]


def test_recovery_when_fetch_itself_raises_then_it_is_a_failed_attempt() -> None:
    """A user's function may."""

    def answer(*_: object) -> Answer:
        raise RuntimeError("a bug")

    bench = CandleBench(answer)
    begin(bench)
    bench.wait(11.0)
    assert bench.shown == [(1, 1.0, False)]
    assert "a bug" in bench.reasons[0]


def test_recovery_when_disposed_then_no_timer_and_no_attempt_is_left() -> None:
    """Nothing is asked and nothing sent after it."""
    bench = CandleBench(always(TimeoutError()))
    begin(bench)
    bench.candles.dispose()
    asked, sent = len(bench.asked), len(bench.sent)
    bench.wait(60.0)
    assert (len(bench.asked), len(bench.sent), bench.events) == (asked, sent, [])


def test_recovery_when_all_waits_end_at_once_then_none_gets_the_turn_of_another() -> None:
    """One was being fetched, two waited for it."""
    for end in ("dispose", "flush"):
        bench = CandleBench(always(TimeoutError()), turns=1)
        for name in ("A/USD", "B/USD", "C/USD"):
            begin(bench, name)
        getattr(bench.candles, end)()
        bench.wait(20.0)
        assert [symbol for _, symbol, _ in bench.asked] == ["A/USD"]
        assert len(bench.shown) == (3 if end == "flush" else 0)


def test_recovery_when_more_history_is_wanted_than_may_be_held_then_it_comes_all_the_same() -> None:
    """The bound is for what piles up."""
    bench = CandleBench(always(rest(0, 99, running=100)), max_held=80, history=90)
    bench.candles.resume(A, 100 * 60 * 10**9)
    bench.wait(1.0)
    assert len(bench.shown) == 90


@pytest.mark.parametrize("is_flat", [False, True])
def test_recovery_when_the_venue_does_not_remember_so_far_back_then_is_not_asked_again(is_flat: bool) -> None:
    """What there is goes out at once; what is missing is lost, also where an interval without trades has no candle."""
    bench = CandleBench(always(short(rest(3, 4, running=5))), is_flat=is_flat)
    bench.take(live(0, since=-1.0), live(1, since=-1.0), live(5, 5.0, since=4.5))
    bench.wait(60.0)
    assert bench.shown == [(0, 1.0, True), (1, 1.0, False), (3, 7.0, True), (4, 7.0, True)]
    assert len(bench.asked) == 1
    assert bench.events == [(0.1, "lost", A)]
    assert bench.reasons == ["candles from 1970-01-01T00:02:00Z on: the venue does not remember them"]
    assert [c.since for c in bench.sent if c.closed][2:] == [rest(3, 3)[0].open_time] * 2


def test_recovery_when_the_venue_remembers_nothing_but_what_is_running_then_all_before_it_is_lost() -> None:
    """No candle at all is closed there."""
    bench = CandleBench(always(short(rest(1, 0, running=5))), is_flat=False)
    bench.take(live(0, since=-1.0), live(1, since=-1.0), live(5, 5.0, since=4.5))
    bench.wait(60.0)
    assert bench.shown == [(0, 1.0, True), (1, 1.0, False)]
    assert bench.updates[-1:] == [(5, 5.0)]
    assert bench.events == [(0.1, "lost", A)]
    assert bench.reasons == ["candles from 1970-01-01T00:02:00Z on: the venue does not remember them"]


def test_history_when_the_venue_does_not_remember_so_far_back_then_fewer_come() -> None:
    """That is no loss."""
    bench = CandleBench(always(short(rest(3, 4, running=5))), history=4)
    bench.candles.resume(A, live(5).open_time)
    bench.take(live(5, 5.0, since=5.0))
    bench.wait(60.0)
    assert bench.shown == [(3, 7.0, True), (4, 7.0, True)]
    assert len(bench.asked) == 1
    assert bench.events == []
