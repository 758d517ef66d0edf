"""Native candles that may still change after one of a later interval came, and those that do so unexpectedly."""

from __future__ import annotations

from collections.abc import Callable

from candle_bench import A, Answer, CandleBench, always, at, live, rest


def changing(answer: Callable[[str, float, int], Answer] | None) -> CandleBench:
    """Return the bench of a venue whose candles may change after one of a later interval came."""
    return CandleBench(answer, may_change=True, is_flat=False)


def test_changing_candles_when_the_next_interval_comes_then_the_venue_is_asked_after_settle() -> None:
    """Not before: it would not know late trades."""
    bench = changing(lambda _, minute, __: rest(int(minute), int(minute), running=int(minute) + 1))
    bench.take(live(1, since=1), live(2, 2.0, since=1))
    bench.wait(4.9)
    assert bench.asked == []
    assert bench.updates == [(1, 1.0)]
    bench.wait(0.3)
    assert bench.asked == [(5.0, A, 1)]
    assert bench.shown == [(1, 7.0, True)]
    assert bench.updates == [(1, 1.0), (2, 2.0)]
    assert bench.events == []


def test_changing_candles_when_the_line_broke_then_that_is_told_and_not_every_interval() -> None:
    """Nothing was missed of those that REST only confirms."""
    bench = changing(lambda _, minute, __: rest(int(minute), 3, running=4))
    bench.take(live(1, since=1), live(2, since=1))
    bench.wait(6.0)
    bench.take(live(3, since=1))
    bench.wait(6.0)
    assert (bench.shown, bench.events) == ([(1, 7.0, True), (2, 7.0, True)], [])
    bench.take(live(4, since=3.5))
    bench.wait(2.0)
    bench.take(live(4, since=3.5))
    bench.wait(4.0)
    assert (bench.shown[2:], bench.events) == ([(3, 7.0, True)], [(17.1, "recovered", A)])


def test_changing_candles_when_the_line_breaks_while_one_is_confirmed_then_that_is_told() -> None:
    """The loss of the line and its end belong together."""
    bench = changing(always(rest(1, 3, running=4)))
    bench.take(live(1, since=1), live(2, since=1))
    bench.wait(6.0)
    bench.take(live(3, since=1))
    bench.wait(2.0)
    bench.take(live(4, since=3.5))
    bench.wait(4.0)
    assert [kind for _, kind, _ in bench.events] == ["recovered"]
    assert bench.shown == [(minute, 7.0, True) for minute in (1, 2, 3)]


def test_changing_candles_when_a_late_update_comes_then_the_answer_has_to_have_it() -> None:
    """One of less volume than the line has shown is older."""
    bench = changing(lambda _, __, number: rest(1, 1, 8.0 + number, volume=4.0 + number, running=2))
    bench.take(live(1, since=1), live(2, since=1), live(1, 5.0, since=1), live(2, since=1))
    bench.wait(9.0)
    assert bench.shown == [(1, 9.0, True)]


def test_changing_candles_when_an_interval_seems_empty_then_its_late_trade_is_waited_for() -> None:
    """The line told of the third minute first; the answer of 1.2 s after the second one's end says nothing of it."""

    def answer(_: str, __: float, number: int) -> Answer:
        return at(3.1, rest(1, 2, running=3)) if number else at(3.02, [*rest(1, 1), *rest(3, 2, running=3)])

    bench = changing(answer)
    bench.take(live(1, since=1), live(3, since=1), live(2, since=1))
    bench.wait(5.2)
    assert bench.shown == [(1, 7.0, True)]
    assert bench.updates == [(1, 1.0)]
    bench.wait(4.0)
    assert bench.shown == [(1, 7.0, True), (2, 7.0, True)]
    assert bench.updates == [(1, 1.0), (3, 1.0)]


def test_changing_candles_when_an_interval_is_empty_then_the_answer_says_so_after_settle() -> None:
    """Five seconds after its end all its trades are known."""
    bench = changing(always(at(3 + 5 / 60, [*rest(1, 1), *rest(3, 2, running=3)])))
    bench.take(live(1, since=1), live(3, since=1))
    bench.wait(5.2)
    assert bench.shown == [(1, 7.0, True)]
    assert bench.updates == [(1, 1.0), (3, 1.0)]
    assert bench.events == []


def test_changing_candles_when_nothing_is_fetched_then_only_what_the_line_missed_is_lost() -> None:
    """Incomplete they are all; minute 2 had no trade that the line told of."""
    bench = changing(None)
    bench.take(live(1, since=1), live(3, since=1), live(4, since=1), live(7, since=6.5))
    assert [minute for minute, _, _ in bench.shown] == [1, 3, 4]
    assert not any(complete for _, _, complete in bench.shown)
    assert bench.events == [(0.0, "lost", A)]
    assert bench.reasons == ["candles from 1970-01-01T00:04:00Z on: nothing is fetched for this feed"]


def test_changing_candles_when_nothing_is_fetched_then_they_are_incomplete() -> None:
    """At once; and with the last word of the line where REST is down."""
    bench = changing(None)
    bench.take(live(1, since=1), live(2, since=1))
    assert bench.shown == [(1, 1.0, False)]
    bench = changing(always(TimeoutError("down")))
    bench.take(live(1, since=1), live(2, since=1), live(1, 5.0, since=1))
    bench.wait(14.9)
    assert bench.shown == []
    bench.wait(0.2)
    assert bench.shown == [(1, 5.0, False)]
    assert bench.events == [(15.0, "lost", A)]


def test_candle_when_it_changes_after_it_was_sent_then_it_is_lost_once() -> None:
    """Of a venue of which that is not known; an older state and a repetition say nothing."""
    bench = CandleBench()
    bench.take(live(1, 2.0, since=0.5), live(2, since=0.5))
    bench.take(live(1, 1.0, since=0.5), live(1, 2.0, since=0.5))
    assert bench.events == []
    bench.take(live(1, 3.0, since=0.5), live(1, 4.0, since=0.5))
    assert bench.events == [(0.0, "lost", A)]
    assert bench.reasons == [
        "candles from 1970-01-01T00:01:00Z on: the first of them has changed after it was sent as complete"
    ]
    bench.take(live(3, since=0.5))
    assert bench.shown == [(1, 2.0, True), (2, 1.0, True)]
    assert bench.sent[-2].since == live(2).open_time  # no claim reaches back over it


def test_candle_when_it_changes_while_it_waits_then_it_is_not_proven_any_more() -> None:
    """It was whole by the line, behind one that was not."""
    bench = CandleBench(always(rest(1, 2, running=3)), latency=1.0)
    bench.take(live(1, since=1.5), live(2, 2.0, since=1.5), live(3, since=1.5), live(2, 3.0, since=1.5))
    bench.wait(2.0)
    assert bench.shown == [(1, 7.0, True), (2, 7.0, True)]


def test_candle_when_its_closing_message_is_missing_then_that_it_was_recovered_is_told() -> None:
    """The line has shown no hole, but a venue with a flag would have sent it."""
    bench = CandleBench(lambda _, minute, __: rest(int(minute), 2, running=3), has_flag=True, is_flat=False)
    bench.take(live(1, since=1, closed=True), live(2, since=1), live(3, since=1))
    bench.wait(1.0)
    assert bench.shown == [(1, 1.0, True), (2, 7.0, True)]
    assert [kind for _, kind, _ in bench.events] == ["recovered"]
