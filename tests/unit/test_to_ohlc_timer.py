"""``to_ohlc(close_on="timer")``: candles that the scheduler's clock closes, and what the next tick makes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from candle_making import run, show, trade
from reactivex.disposable import Disposable
from reactivex.scheduler import ImmediateScheduler
from reactivex.subject import Subject
from reactivex.testing import TestScheduler

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler

# Virtual time is seconds since the epoch, so a trade stamped 245 should arrive soon after 245.


def pending(scheduler: TestScheduler) -> int:
    """Count what is scheduled and was not taken back."""
    queue: Any = scheduler._queue
    return sum(1 for item, _ in queue.items if not item.is_cancelled())


def test_timer_when_the_clock_is_grace_past_the_end_then_the_candle_closes_incomplete() -> None:
    """At close_time + grace, and complete=False whatever the coverage: a trade may be on its way."""
    arrivals = [(246, trade(245, 1)), (250, trade(249, 2))]
    assert run(to_ohlc(1, close_on="timer"), arrivals) == [(302, "A 1m 240: 1 2 1 2 v2 n2 closed")]
    assert run(to_ohlc(1, close_on="timer", grace=0), arrivals) == [(300, "A 1m 240: 1 2 1 2 v2 n2 closed")]


def test_timer_when_a_tick_closes_first_then_it_has_nothing_to_do() -> None:
    """The candle goes out once, and the timer goes on to the next."""
    arrivals = [(246, trade(245, 1)), (301, trade(300, 2))]
    assert run(to_ohlc(1, close_on="timer"), arrivals) == [
        (301, "A 1m 240: 1 1 1 1 v1 n1 complete"),
        (362, "A 1m 300: 2 2 2 2 v1 n1 closed"),
    ]


@pytest.mark.parametrize(
    ("since", "proof"), [(240, [(310, "A 1m 240: 1 1 1 1 v1 n1 complete r1")]), (241, []), (309, [])]
)
def test_timer_when_the_next_tick_covers_the_candle_then_it_goes_out_again_complete(
    since: float, proof: list[tuple[float, str]]
) -> None:
    """The same candle with revision + 1, if the tick's coverage reaches back to its open_time."""
    arrivals = [(246, trade(245, 1)), (310, trade(309, 2, since=since))]
    messages = run(to_ohlc(1, close_on="timer"), arrivals, disposed=361)
    assert messages == [(302, "A 1m 240: 1 1 1 1 v1 n1 closed"), *proof]


def test_timer_when_a_later_interval_gives_the_proof_then_it_still_counts() -> None:
    """However long the symbol was quiet."""
    arrivals = [(246, trade(245, 1)), (900, trade(900, 2))]
    assert run(to_ohlc(1, close_on="timer"), arrivals)[:2] == [
        (302, "A 1m 240: 1 1 1 1 v1 n1 closed"),
        (900, "A 1m 240: 1 1 1 1 v1 n1 complete r1"),
    ]


def test_timer_when_only_other_symbols_trade_then_there_is_no_proof() -> None:
    """It takes the symbol's own tick."""
    arrivals = [(246, trade(245, 1)), (310, trade(309, 2, "B"))]
    messages = run(to_ohlc(1, close_on="timer"), arrivals, disposed=361)
    assert messages == [(302, "A 1m 240: 1 1 1 1 v1 n1 closed")]


def test_timer_when_a_trade_comes_for_its_candle_then_that_is_late_and_the_proof_follows() -> None:
    """The late trade is no proof, it lies inside; the candle that is proven then holds it."""
    arrivals = [(246, trade(245, 1)), (303, trade(299, 5)), (310, trade(309, 2))]
    assert run(to_ohlc(1, close_on="timer"), arrivals, disposed=361) == [
        (302, "A 1m 240: 1 1 1 1 v1 n1 closed"),
        (303, "A 1m 240: 1 5 1 5 v2 n2 closed r1"),
        (310, "A 1m 240: 1 5 1 5 v2 n2 complete r2"),
    ]


def test_timer_when_a_late_trade_was_dropped_then_the_candle_is_never_proven() -> None:
    """It is known not to be true."""
    arrivals = [(246, trade(245, 1)), (303, trade(299, 5)), (310, trade(309, 2))]
    assert run(to_ohlc(1, close_on="timer", late="drop"), arrivals, disposed=361) == [
        (302, "A 1m 240: 1 1 1 1 v1 n1 closed")
    ]


def test_timer_when_several_candles_are_due_then_they_go_by_first_appearance() -> None:
    """All of one interval at once."""
    arrivals = [(241, trade(240, 1, "B")), (242, trade(241, 2, "A")), (243, trade(242, 3, "C"))]
    assert run(to_ohlc(1, close_on="timer"), arrivals) == [
        (302, "B 1m 240: 1 1 1 1 v1 n1 closed"),
        (302, "A 1m 240: 2 2 2 2 v1 n1 closed"),
        (302, "C 1m 240: 3 3 3 3 v1 n1 closed"),
    ]


def test_timer_when_a_candle_is_long_over_then_it_closes_at_once() -> None:
    """A trade of an interval that ended long ago by the clock, as in a replay."""
    assert run(to_ohlc(1, close_on="timer"), [(250, trade(60, 1))], disposed=400) == [
        (250, "A 1m 60: 1 1 1 1 v1 n1 closed")
    ]


def test_timer_when_gaps_are_filled_then_it_makes_no_flat_candles() -> None:
    """They come with the symbol's next tick; without an open candle nothing is timed."""
    arrivals = [(246, trade(245, 1)), (430, trade(429, 2))]
    assert run(to_ohlc(1, close_on="timer", fill="flat"), arrivals, disposed=481) == [
        (302, "A 1m 240: 1 1 1 1 v1 n1 closed"),
        (430, "A 1m 240: 1 1 1 1 v1 n1 complete r1"),
        (430, "A 1m 300: 1 1 1 1 v0 n0 complete"),
        (430, "A 1m 360: 1 1 1 1 v0 n0 complete"),
    ]


def test_timer_when_the_line_fills_a_long_gap_first_then_the_proof_still_comes() -> None:
    """The candle is older than what is kept for late trades by then."""
    arrivals = [(246, trade(245, 1)), (700, trade(700, 9, "B")), (701, trade(701, 2))]
    assert run(to_ohlc(1, close_on="timer", fill="flat"), arrivals, disposed=710) == [
        (302, "A 1m 240: 1 1 1 1 v1 n1 closed"),
        *((700, f"A 1m {start}: 1 1 1 1 v0 n0 complete") for start in range(300, 660, 60)),
        (701, "A 1m 240: 1 1 1 1 v1 n1 complete r1"),
    ]


def test_timer_when_the_source_completes_then_it_is_cancelled() -> None:
    """Open candles go out unfinished, and no timer is left."""
    scheduler = TestScheduler()
    messages = run(
        to_ohlc(1, close_on="timer"), [(246, trade(245, 1))], completed=270, disposed=280, use_scheduler=scheduler
    )
    assert messages == [(270, "A 1m 240: 1 1 1 1 v1 n1 open"), (270, "completed")]
    assert pending(scheduler) == 0


def test_timer_when_the_source_fails_then_it_is_cancelled() -> None:
    """Nothing more is sent, and no timer is left."""
    scheduler = TestScheduler()
    arrivals = [(246, trade(245, 1))]
    messages = run(to_ohlc(1, close_on="timer"), arrivals, error=(270, OSError("gone")), use_scheduler=scheduler)
    assert messages == [(270, "OSError: gone")]
    assert pending(scheduler) == 0


def test_timer_when_the_result_is_disposed_then_it_is_cancelled() -> None:
    """Nothing runs on behalf of a subscription that is over."""
    scheduler = TestScheduler()
    source: Subject[PriceTick] = Subject()
    subscription = source.pipe(to_ohlc(1, close_on="timer")).subscribe(scheduler=scheduler)
    source.on_next(trade(245, 1))
    assert pending(scheduler) == 1
    subscription.dispose()
    assert pending(scheduler) == 0


def test_timer_when_no_candle_is_open_then_none_is_pending() -> None:
    """At most one at a time, and none between a candle's close and the next trade."""
    scheduler = TestScheduler()
    source: Subject[PriceTick] = Subject()
    source.pipe(to_ohlc(1, close_on="timer")).subscribe(scheduler=scheduler)
    assert pending(scheduler) == 0
    for number in range(5):
        source.on_next(trade(240 + number, 1, str(number)))
    assert pending(scheduler) == 1
    source.on_next(trade(303, 1, "0"))  # closes all five on its line, opens one
    assert pending(scheduler) == 1
    scheduler.advance_to(400)
    assert pending(scheduler) == 0


def test_timer_when_the_observer_disposes_in_on_next_then_no_timer_is_set_again() -> None:
    """The second candle that is due is not sent, and nothing is left."""
    scheduler = TestScheduler()
    source: Subject[PriceTick] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        subscription.dispose()

    subscription = source.pipe(to_ohlc(1, close_on="timer")).subscribe(on_next, scheduler=scheduler)
    source.on_next(trade(240, 1, "A"))
    source.on_next(trade(241, 1, "B"))
    source.on_next(trade(300, 1, "A", span=3))
    assert got == ["A 1m 240: 1 1 1 1 v1 n1 complete"]
    scheduler.advance_to(900)
    assert len(got) == 1
    assert pending(scheduler) == 0


def test_timer_when_it_fires_inside_its_own_booking_then_all_is_in_order() -> None:
    """A scheduler that runs what is due at once, within schedule_relative."""
    source: Subject[PriceTick] = Subject()
    got: list[str] = []
    chain = to_ohlc(1, close_on="timer", scheduler=ImmediateScheduler())
    source.pipe(chain).subscribe(lambda c: got.append(show(c)))
    for tick in (trade(60, 1), trade(60, 2), trade(130, 3)):
        source.on_next(tick)
    assert got == [
        "A 1m 60: 1 1 1 1 v1 n1 closed",
        "A 1m 60: 1 2 1 2 v2 n2 closed r1",
        "A 1m 60: 1 2 1 2 v2 n2 complete r2",
        "A 1m 120: 3 3 3 3 v1 n1 closed",
    ]


def test_timer_when_the_operator_has_a_scheduler_then_that_one_is_used() -> None:
    """Not the one given to subscribe."""
    own, other = TestScheduler(), TestScheduler()
    source: Subject[PriceTick] = Subject()
    source.pipe(to_ohlc(1, close_on="timer", scheduler=own)).subscribe(scheduler=other)
    source.on_next(trade(245, 1))
    assert (pending(own), pending(other)) == (1, 0)


class _Unstoppable(TestScheduler):
    """Lets actions run although they were taken back, as a timer's thread does that was about to."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[Callable[[], object]] = []

    def schedule_relative(self, duetime: Any, action: Any, state: Any = None) -> Disposable:
        """Only remember it."""
        self.actions.append(lambda: action(self, state))
        return Disposable()


def test_timer_when_it_fires_though_it_was_taken_back_then_nothing_happens() -> None:
    """After the candle was closed by a tick, and after the end of the subscription."""
    scheduler = _Unstoppable()
    source: Subject[PriceTick] = Subject()
    got: list[str] = []
    subscription = source.pipe(to_ohlc(1, close_on="timer")).subscribe(
        lambda c: got.append(show(c)), scheduler=scheduler
    )
    source.on_next(trade(60, 1))
    source.on_next(trade(120, 1))
    assert len(scheduler.actions) == 2
    scheduler.actions[0]()
    assert got == ["A 1m 60: 1 1 1 1 v1 n1 complete"]
    subscription.dispose()
    scheduler.actions[1]()
    source.on_next(trade(180, 1))
    assert len(got) == 1
    assert len(scheduler.actions) == 2


def test_timer_when_the_wall_clock_was_set_back_meanwhile_then_it_closes_all_the_same() -> None:
    """It has waited for as long as it had to, whatever the clock says now."""
    scheduler = _Unstoppable()
    source: Subject[PriceTick] = Subject()
    got: list[str] = []
    source.pipe(to_ohlc(1, close_on="timer")).subscribe(lambda c: got.append(show(c)), scheduler=scheduler)
    source.on_next(trade(3600, 1))
    assert scheduler.now.timestamp() == 0
    scheduler.actions[0]()
    assert got == ["A 1m 3600: 1 1 1 1 v1 n1 closed"]


def test_timer_when_an_observer_raises_over_a_tick_then_it_is_set_all_the_same() -> None:
    """Or the candle would stay open until the next tick."""
    scheduler = TestScheduler()
    source: Subject[PriceTick] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        if len(got) == 1:
            raise KeyError("a bug of the observer")

    source.pipe(to_ohlc(1, close_on="timer", emit="updates")).subscribe(on_next, scheduler=scheduler)
    with pytest.raises(KeyError):
        source.on_next(trade(60, 1))
    scheduler.advance_to(122)
    assert got == ["A 1m 60: 1 1 1 1 v1 n1 open", "A 1m 60: 1 1 1 1 v1 n1 closed"]


def test_timer_when_a_tick_comes_while_its_candles_go_out_then_the_tick_waits_its_turn() -> None:
    """It is left to the timer's thread: its own does not wait, and nothing goes out on two threads at once."""
    scheduler = EventLoopThreadScheduler("rxstreams-test-turns")
    source: Subject[PriceTick] = Subject()
    sent: list[tuple[str, bool]] = []
    inside, release, done = threading.Event(), threading.Event(), threading.Event()

    def on_next(candle: OHLCCandle) -> None:
        sent.append((show(candle), scheduler.on_thread))
        inside.set()
        assert release.wait(30)

    chain = to_ohlc(1, close_on="timer", scheduler=scheduler)
    source.pipe(chain).subscribe(on_next, on_completed=done.set)
    try:
        source.on_next(trade(60, 1))
        assert inside.wait(30)
        for tick in (trade(70, 2), trade(130, 3)):
            source.on_next(tick)
        source.on_completed()
        assert len(sent) == 1
        assert not done.is_set()
        release.set()
        assert done.wait(30)
    finally:
        release.set()
        scheduler.dispose()
    assert sent == [
        ("A 1m 60: 1 1 1 1 v1 n1 closed", True),
        ("A 1m 60: 1 2 1 2 v2 n2 closed r1", True),
        ("A 1m 60: 1 2 1 2 v2 n2 complete r2", True),
        ("A 1m 120: 3 3 3 3 v1 n1 open", True),
    ]


def test_timer_when_an_observer_raises_then_what_waits_is_still_counted() -> None:
    """The exception goes up; the tick that came meanwhile is not lost, and the timer is set again."""
    scheduler = TestScheduler()
    source: Subject[PriceTick] = Subject()
    got: list[str] = []

    def on_next(candle: OHLCCandle) -> None:
        got.append(show(candle))
        if len(got) == 1:
            source.on_next(trade(250, 5))
            source.on_next(trade(310, 6))
            raise KeyError("a bug of the observer")

    source.pipe(to_ohlc(1, close_on="timer")).subscribe(on_next, scheduler=scheduler)
    source.on_next(trade(245, 1))
    with pytest.raises(KeyError, match="a bug of the observer"):
        scheduler.advance_to(302)
    assert got == [
        "A 1m 240: 1 1 1 1 v1 n1 closed",
        "A 1m 240: 1 5 1 5 v2 n2 closed r1",
        "A 1m 240: 1 5 1 5 v2 n2 complete r2",
    ]
    assert pending(scheduler) == 1


def test_timer_when_ticks_come_on_another_thread_then_nothing_is_lost_or_doubled() -> None:
    """Two symbols, 4,000 trades of long ago, so the timer's thread closes while the ticks' thread adds."""
    scheduler = EventLoopThreadScheduler("rxstreams-test-timer")
    source: Subject[PriceTick] = Subject()
    last: dict[tuple[str, int], OHLCCandle] = {}
    overlaps: list[int] = []
    busy = threading.Lock()
    done = threading.Event()

    def on_next(candle: OHLCCandle) -> None:
        if not busy.acquire(blocking=False):
            overlaps.append(candle.open_time)
            return
        last[candle.symbol, candle.open_time] = candle
        busy.release()

    chain = to_ohlc("1s", close_on="timer", scheduler=scheduler)
    source.pipe(chain).subscribe(on_next, on_completed=done.set)
    try:
        for number in range(4_000):
            source.on_next(trade(60 + number / 50, number, "AB"[number % 2]))
        source.on_completed()
        assert done.wait(30)
    finally:
        scheduler.dispose()
    assert overlaps == []
    assert sum(candle.trades for candle in last.values()) == 4_000
    assert {candle.trades for candle in last.values()} == {25}
    assert sorted(start / SECOND for symbol, start in last if symbol == "A") == list(range(60, 140))
