"""History before native candles where the venue does not tell the time with its acknowledgement."""

from __future__ import annotations

from functools import partial

import pytest
from candle_bench import MINUTE, A, Answer, CandleBench, always, at, live, rest

from rxstreams.items import OHLCCandle


def traded(_: str, since: float, number: int) -> list[OHLCCandle]:
    """Return the candles of a market that traded from minute 95 to 98 and is quiet since, none before a minute."""
    del number
    return [row for row in rest(95, 98) if row.open_time >= since * MINUTE]


def test_history_when_our_clock_is_ahead_then_the_time_of_the_answer_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many candles as were wanted come, and no live one is thrown away."""
    for ahead in (1, 3, 1000):
        monkeypatch.setattr("time.time_ns", partial(int, (100.2 + ahead) * MINUTE))
        bench = CandleBench(
            lambda symbol, since, number: at(100.2, traded(symbol, since, number)), history=3, is_flat=False
        )
        bench.candles.resume(A, 0)
        bench.wait(9.0)
        assert bench.shown == [(97, 7.0, True), (98, 7.0, True)]
        assert [minute for _, _, minute in bench.asked[:2]] == [97 + ahead, 97]
        bench.take(live(100, since=99.9), live(101, since=99.9), live(102, since=99.9))
        assert bench.shown[2:] == [(100, 1.0, True), (101, 1.0, True)]
        assert bench.events == []


def test_history_when_our_clock_is_ahead_and_no_answer_tells_the_time_then_the_line_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first candle comes while it is asked, or after that."""
    monkeypatch.setattr("time.time_ns", partial(int, 113.2 * MINUTE))
    for early in (True, False):
        bench = CandleBench(traded, history=3, is_flat=False)
        bench.candles.resume(A, 0)
        if early:
            bench.take(live(100, since=99.9))
        bench.wait(9.0)
        if not early:
            bench.take(live(100, since=99.9))
        bench.take(live(101, since=99.9), live(102, since=99.9))
        bench.wait(9.0)
        assert bench.shown == [(97, 7.0, True), (98, 7.0, True), (100, 1.0, True), (101, 1.0, True)]
        assert bench.events == []


def test_history_when_our_clock_is_ahead_and_some_has_come_then_the_rest_is_what_the_line_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody but our clock says that minutes without trades are over."""
    monkeypatch.setattr("time.time_ns", partial(int, 101.2 * MINUTE))
    bench = CandleBench(always(rest(95, 98)), history=3, is_flat=False)
    bench.candles.resume(A, 0)
    bench.wait(9.0)
    assert bench.shown == [(98, 7.0, True)]
    asked = len(bench.asked)
    bench.wait(60.0)
    assert len(bench.asked) == asked  # no answer will tell more
    bench.take(live(99, since=98.9), live(100, since=98.9))
    bench.wait(0.2)
    assert bench.shown == [(98, 7.0, True), (99, 1.0, True)]
    assert bench.events == []


def test_history_when_our_clock_is_right_then_the_answer_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the answer says nothing new."""
    monkeypatch.setattr("time.time_ns", partial(int, 100.2 * MINUTE))
    bench = CandleBench(always(at(100.2, rest(95, 99, running=100))), history=3)
    bench.candles.resume(A, 0)
    bench.take(live(100, 2.0, since=100.1))
    bench.wait(9.0)
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True), (99, 7.0, True)]
    assert bench.updates == [(100, 2.0)]
    assert len(bench.asked) == 1


def test_history_when_the_interval_ends_meanwhile_then_it_is_the_one_before_it_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is of a later interval than the line's beginning; our clock was not ahead."""
    monkeypatch.setattr("time.time_ns", partial(int, 100.9 * MINUTE))
    bench = CandleBench(always(at(101.01, rest(95, 99, running=100))), history=3)
    bench.candles.resume(A, 0)
    bench.wait(9.0)
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True), (99, 7.0, True)]
    assert len(bench.asked) == 1


def test_history_when_the_time_is_told_late_then_the_venue_has_its_time_to_know_all_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its REST API was down, and answers a moment after a minute's end, which may still get a trade."""
    monkeypatch.setattr("time.time_ns", partial(int, 113.2 * MINUTE))

    def answer(symbol: str, since: float, number: int) -> Answer:
        return TimeoutError() if bench.now < 5.0 else at(100.01, traded(symbol, since, number))

    bench = CandleBench(answer, history=3, is_flat=False)
    bench.candles.resume(A, 0)
    for _ in range(200):
        if bench.asked[-1][2] == 97:
            break
        bench.wait(0.05)
    bench.wait(0.2)
    assert bench.shown == [(97, 7.0, True), (98, 7.0, True)]
    bench.take(live(99, since=98.5), live(100, since=98.5))
    bench.wait(20.0)
    assert bench.shown[2:] == [(99, 1.0, True)]
