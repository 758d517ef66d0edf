"""``Admission``: who is admitted, in which order, when; and what becomes of those who leave."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from reactivex.abc import DisposableBase, SchedulerBase
from reactivex.disposable import Disposable
from reactivex.testing import TestScheduler

from rxstreams.errors import QuotaExceeded
from rxstreams.limits import APIPriority, RateLimitConfig, SlidingWindow
from rxstreams.limits._line import Place, State
from rxstreams.limits._timing import clock_of, timer_of
from rxstreams.limits.admission import Admission

S = 1_000_000_000
CRITICAL, HIGH, MEDIUM, LOW = APIPriority


class Door:
    """An admission in virtual time, and what happened at it."""

    def __init__(self, *windows: tuple[int, float], ageing: float | None = None, full_shares: bool = False) -> None:
        self.scheduler = TestScheduler()
        config = RateLimitConfig()
        if full_shares:
            config = RateLimitConfig(critical_share=1, high_share=1, medium_share=1, low_share=1)
        self.admission = Admission(
            [SlidingWindow(limit, period) for limit, period in windows],
            [[config.ceiling(priority, limit) for limit, _ in windows] for priority in APIPriority],
            ageing=None if ageing is None else round(ageing * S),
            clock=clock_of(self.scheduler, None),
            start_timer=timer_of(self.scheduler),
        )
        self.log: list[tuple[float, str]] = []

    @property
    def now(self) -> float:
        return self.scheduler.to_seconds(self.scheduler.now)

    def enter(self, priority: APIPriority = HIGH, weight: int = 1) -> Place:
        """Admit a call now, or raise."""
        place = Place(priority, weight, self.admission.clock())
        self.admission.enter(place)
        return place

    def admits(self, priority: APIPriority, weight: int = 1) -> bool:
        """Try a call that is over at once."""
        try:
            place = self.enter(priority, weight)
        except QuotaExceeded:
            return False
        self.admission.leave([place])
        return True

    def wait(
        self,
        name: str,
        priority: APIPriority = HIGH,
        weight: int = 1,
        *,
        is_gone: Callable[[], bool] | None = None,
        lasts: float = 0.0,
    ) -> Place:
        """Queue a call that begins when it is granted and ends some time after."""

        def end(_: SchedulerBase, place: Place | None = None) -> None:
            if place is not None:
                self.admission.leave([place])

        def wake(place: Place) -> None:
            self.log.append((self.now, name))
            assert self.admission.take(place)
            self.scheduler.schedule_relative(lasts, end, place)

        place = Place(priority, weight, self.admission.clock(), wake, is_gone)
        self.admission.post(place)
        return place

    def advance(self, time: float) -> None:
        self.scheduler.advance_to(float(time))

    def fill(self, weight: int) -> None:
        """Use up some of the windows, from now until one period later."""
        self.admission.leave([self.enter(CRITICAL, weight)])


# Shares


def test_enter_when_quota_is_tight_then_low_is_refused_while_high_passes() -> None:
    """Each priority may fill its own share, counting what all have used."""
    door = Door((100, 60))
    door.fill(60)
    assert [door.admits(priority) for priority in (LOW, MEDIUM, HIGH)] == [False, True, True]
    door.fill(33)  # 95
    assert [door.admits(priority) for priority in (LOW, MEDIUM, HIGH, CRITICAL)] == [False, False, False, True]


def test_enter_when_the_priority_is_critical_then_it_passes_until_the_real_limit() -> None:
    """The whole of it, and not one more."""
    door = Door((100, 60))
    assert [door.admits(CRITICAL) for _ in range(102)] == [True] * 100 + [False] * 2


@pytest.mark.parametrize("priority", APIPriority)
def test_enter_when_one_a_second_is_allowed_then_every_priority_is_admitted(priority: APIPriority) -> None:
    """A share is never less than one."""
    door = Door((1, 1))
    assert [door.admits(priority) for _ in range(2)] == [True, False]
    door.advance(1)
    assert door.admits(priority)


def test_enter_when_one_window_has_no_room_then_none_is_charged() -> None:
    """All windows are checked before any is charged."""
    door = Door((2, 1), (3, 60))
    assert [door.admits(CRITICAL) for _ in range(3)] == [True, True, False]
    door.advance(1)
    assert [door.admits(CRITICAL) for _ in range(2)] == [True, False]
    assert door.admission.used() == [1, 3]
    door.advance(2)
    assert door.admission.used() == [0, 3]


# Refusals


def test_enter_when_refused_then_the_error_says_why_and_when_to_ask_again() -> None:
    """Asking again just then is right, and a moment before it is not."""
    door = Door((2, 10))
    door.fill(1)
    door.advance(4)
    door.fill(1)
    with pytest.raises(QuotaExceeded, match=r"2 of 2 in 10 s are used, this priority may fill 2") as raised:
        door.enter(CRITICAL)
    assert raised.value.retry_after == 6.0
    door.advance(9.999)
    assert not door.admits(CRITICAL)
    door.advance(10)
    assert door.admits(CRITICAL)


def test_enter_when_an_equal_or_more_urgent_call_waits_then_it_is_refused() -> None:
    """Even if it were light enough to fit: whoever waits is first."""
    door = Door((5, 10))
    door.fill(3)
    door.wait("heavy", HIGH, 4)
    assert [door.admits(priority) for priority in (LOW, MEDIUM, HIGH, CRITICAL)] == [False, False, False, True]
    with pytest.raises(QuotaExceeded, match="as urgent or more is waiting") as raised:
        door.enter(HIGH)
    assert raised.value.retry_after == 10.0


def test_queue_when_as_many_wait_as_may_then_it_is_refused() -> None:
    """The queue is bounded."""
    door = Door((1, 10))
    door.fill(1)
    places = [Place(HIGH, 1, 0) for _ in range(3)]
    door.admission.queue(places[0], 2)
    door.admission.queue(places[1], 2)
    with pytest.raises(QuotaExceeded, match="2 calls are waiting already") as raised:
        door.admission.queue(places[2], 2)
    assert raised.value.retry_after == 10.0
    assert (door.admission.waiting, door.admission.refused) == (2, 1)


# Order


def test_waiting_when_room_comes_then_the_most_urgent_goes_first_and_equals_as_they_came() -> None:
    """Strict order between priorities, arrival inside one."""
    door = Door((1, 10))
    door.fill(1)
    for name, priority in (
        ("low", LOW),
        ("high 1", HIGH),
        ("medium", MEDIUM),
        ("critical", CRITICAL),
        ("high 2", HIGH),
    ):
        door.wait(name, priority)
    door.advance(100)
    assert door.log == [(10, "critical"), (20, "high 1"), (30, "high 2"), (40, "medium"), (50, "low")]


def test_waiting_when_the_first_does_not_fit_then_nobody_overtakes_it() -> None:
    """A heavy call would starve behind light ones, also behind less urgent ones."""
    door = Door((4, 10), full_shares=True)
    door.fill(2)
    door.advance(5)
    door.fill(1)
    door.wait("heavy", HIGH, 4)
    door.wait("light", HIGH, 1)
    door.wait("low", LOW, 1)
    door.advance(14.999)
    assert door.log == []
    door.advance(30)
    assert door.log == [(15, "heavy"), (25, "light"), (25, "low")]


def test_waiting_when_several_fit_at_once_then_all_go_at_once() -> None:
    """One timer lets go as many as there is room for."""
    door = Door((3, 10))
    door.fill(3)
    for name in "abcd":
        door.wait(name)
    door.advance(30)
    assert door.log == [(10, "a"), (10, "b"), (10, "c"), (20, "d")]


def test_waiting_when_a_newcomer_may_go_earlier_than_all_others_then_it_does() -> None:
    """The timer that was set for the others is too late for it."""
    door = Door((10, 60))
    door.fill(1)
    door.advance(5)
    door.fill(9)
    door.wait("low", LOW)  # not before the nine are over
    door.wait("critical", CRITICAL)
    door.advance(100)
    assert door.log == [(60, "critical"), (65, "low")]


def test_waiting_when_a_call_takes_long_then_the_next_goes_one_period_after_its_end() -> None:
    """The server may have counted it at its very end."""
    door = Door((1, 10))
    door.wait("first", lasts=7)
    door.wait("second")
    door.advance(100)
    assert door.log == [(0, "first"), (17, "second")]


def test_waiting_when_it_ages_then_it_overtakes_what_is_more_urgent() -> None:
    """Each 10 s of waiting make up for one priority, so that urgent traffic without end starves nobody."""
    door = Door((1, 2), ageing=10)
    door.fill(1)
    door.wait("low", LOW)
    for number in range(40):
        door.advance(number)
        door.wait(f"high {number}", HIGH)
    door.advance(200)
    names = [name for _, name in door.log]
    # LOW is two below HIGH: it goes before whoever came 20 s after it, or later.
    assert names == [*(f"high {number}" for number in range(20)), "low", *(f"high {n}" for n in range(20, 40))]


def test_waiting_when_urgent_calls_never_end_then_an_aged_one_goes_all_the_same() -> None:
    """After the time in which it has made up for the difference, and the calls that came before that."""
    door = Door((1, 2), ageing=10)
    door.fill(1)
    door.wait("low", LOW)
    for number in range(120):
        door.advance(number)
        door.wait(f"critical {number}", CRITICAL)
    door.advance(600)
    position = [name for _, name in door.log].index("low")
    # Those of the first 30 s go before it: three priorities of 10 s each. It wins the tie by having come earlier.
    assert position == 30


def test_waiting_when_there_is_no_ageing_then_priority_alone_decides() -> None:
    """As asked for by ageing=None."""
    door = Door((1, 2), ageing=None)
    door.fill(1)
    door.wait("low", LOW)
    for number in range(120):
        door.advance(number)
        door.wait(f"critical {number}", CRITICAL)
    door.advance(600)
    assert door.log[-1][1] == "low"


def test_waiting_when_it_ages_then_it_may_fill_the_share_of_what_it_has_come_to() -> None:
    """Else it would stand first, hold up all the others, and wait for usage to fall to its own share."""
    door = Door((10, 3600), ageing=30)
    door.fill(8)  # LOW may fill 6, MEDIUM 8, HIGH 10 (95 % of 10, rounded up)
    door.advance(5)
    door.wait("low", LOW)
    door.advance(1000)
    assert door.log == [(65, "low")]


def test_promote_when_the_call_waits_then_it_stands_where_a_newcomer_would() -> None:
    """Behind those of its new priority that came before, ahead of those that come later."""
    door = Door((1, 10))
    door.fill(1)
    promoted = door.wait("promoted", LOW)
    door.wait("before", HIGH)
    door.advance(1)
    door.admission.promote(promoted, HIGH)
    door.wait("after", HIGH)
    door.advance(100)
    assert [name for _, name in door.log] == ["before", "promoted", "after"]


def test_promote_when_it_would_fall_back_then_it_stays() -> None:
    """Who has aged past it is not helped by a fresh place."""
    door = Door((1, 10), ageing=1)
    door.fill(1)
    aged = door.wait("aged", LOW)
    door.advance(2)
    door.wait("newer", LOW)
    door.advance(9)
    door.admission.promote(aged, MEDIUM)
    door.advance(100)
    assert [name for _, name in door.log] == ["aged", "newer"]


# Leaving


def test_leave_when_the_first_waits_in_vain_then_the_next_goes_at_once() -> None:
    """Cancelling a waiter frees its place in the line."""
    door = Door((4, 10))
    door.fill(2)
    heavy = door.wait("heavy", CRITICAL, 4)
    door.wait("light", HIGH)
    door.advance(3)
    assert door.log == []
    door.admission.leave([heavy])
    assert door.log == [(3, "light")]
    assert door.admission.waiting == 0


def test_leave_when_it_was_granted_but_did_not_begin_then_nothing_is_charged() -> None:
    """Nothing was sent: the next may have its room at once."""
    door = Door((1, 10))
    granted: list[Place] = []
    first = Place(HIGH, 1, 0, granted.append)
    door.admission.post(first)
    door.wait("next")
    assert granted == [first]
    assert door.log == []
    door.admission.leave([first])
    assert door.log == [(0, "next")]
    assert not door.admission.take(first)
    assert door.admission.admitted == 1


def test_leave_when_called_twice_then_the_second_time_does_nothing() -> None:
    """An end is reported by whoever notices it."""
    door = Door((2, 10))
    place = door.enter(CRITICAL)
    door.admission.leave([place])
    door.advance(5)
    door.admission.leave([place, place])
    door.advance(10)
    assert door.admission.used() == [0]
    assert door.admission.running == 0


def test_leave_when_the_request_may_be_on_its_way_then_it_counts_longer() -> None:
    """A cancelled call may be counted by the server after its end."""
    door = Door((1, 10))
    door.admission.leave([door.enter(CRITICAL)], late=2 * S)
    door.advance(11.999)
    assert not door.admits(CRITICAL)
    door.advance(12)
    assert door.admits(CRITICAL)


def test_line_when_most_have_left_then_it_does_not_keep_them() -> None:
    """Memory follows those who wait, not those who ever did."""
    door = Door((1, 3600))
    door.fill(1)
    door.wait("first", CRITICAL)
    for _ in range(500):
        door.admission.leave([door.wait("never", LOW)])
    assert door.admission.waiting == 1
    assert len(door.admission._line._heap) < 50


# Freezing


def test_freeze_when_in_force_then_nobody_is_admitted_and_all_go_after_it() -> None:
    """Whatever the priority, and however much room there is."""
    door = Door((10, 60))
    door.admission.freeze(5 * S)
    assert not door.admits(CRITICAL)
    with pytest.raises(QuotaExceeded, match="nobody is admitted for another 5 s") as raised:
        door.enter(CRITICAL)
    assert raised.value.retry_after == 5.0
    door.wait("low", LOW)
    door.wait("critical", CRITICAL)
    door.advance(4.999)
    assert door.log == []
    door.advance(5)
    assert door.log == [(5, "critical"), (5, "low")]


def test_freeze_when_a_longer_one_stands_then_a_shorter_one_does_not_end_it() -> None:
    """The later end counts."""
    door = Door((10, 60))
    door.admission.freeze(20 * S)
    door.admission.freeze(5 * S)
    door.wait("first")
    door.advance(100)
    assert door.log == [(20, "first")]


def test_freeze_when_somebody_waits_for_room_then_it_waits_for_both() -> None:
    """And the timer that was set for the room does no harm."""
    door = Door((1, 10))
    door.fill(1)
    door.wait("first")
    door.admission.freeze(15 * S)
    door.advance(100)
    assert door.log == [(15, "first")]


# The server's count


def test_observe_when_others_use_the_limit_then_waiting_calls_wait_longer() -> None:
    """The one count that matters is the server's."""
    door = Door((5, 10))
    door.admission.observe(door.admission.windows[0], 5)
    door.wait("first")
    door.advance(100)
    assert door.log == [(10, "first")]


# Loops that are closed


def test_closed_loop_when_its_call_is_first_in_the_line_then_it_holds_nobody_up() -> None:
    """It is noticed within a second, whenever its turn would be."""
    door = Door((4, 3600))
    door.fill(2)
    closed = threading.Event()
    door.wait("dead", CRITICAL, 4, is_gone=closed.is_set)
    door.wait("alive", LOW)
    door.advance(10)
    assert door.log == []
    closed.set()
    door.advance(11)
    assert door.log == [(11, "alive")]


def test_closed_loop_when_it_can_not_be_woken_then_its_grant_is_withdrawn() -> None:
    """``call_soon_threadsafe`` raises RuntimeError then."""
    door = Door((1, 10))
    door.fill(1)

    def wake(_: Place) -> None:
        raise RuntimeError("Event loop is closed")

    door.admission.post(Place(CRITICAL, 1, 0, wake))
    door.wait("alive")
    door.advance(10)
    assert door.log == [(10, "alive")]


def test_closed_loop_when_it_was_granted_and_never_began_then_the_grant_is_withdrawn() -> None:
    """It was woken, and closed before it could run what woke it."""
    door = Door((1, 10))
    closed = threading.Event()
    door.admission.post(Place(HIGH, 1, 0, lambda _: None, closed.is_set))
    assert door.admission.running == 1
    door.wait("alive")
    door.advance(3)
    closed.set()
    door.advance(100)
    assert door.log == [(4, "alive")]


def test_closed_loop_when_its_call_was_running_then_it_counts_as_ended() -> None:
    """A call that never ends would use up its weight for ever; also for those who do not wait."""
    door = Door((1, 10))
    closed = threading.Event()
    place = Place(HIGH, 1, 0, None, closed.is_set)
    door.admission.enter(place)
    door.advance(50)
    assert not door.admits(CRITICAL)
    closed.set()
    assert not door.admits(CRITICAL)
    assert place.state is State.OVER
    door.advance(60)
    assert door.admits(CRITICAL)


# Locks, timers, finalisers


def test_wake_when_it_happens_then_no_lock_is_held() -> None:
    """Another thread may use the limiter meanwhile, and be waited for."""
    door = Door((5, 10))
    used: list[list[int]] = []

    def wake(_: Place) -> None:
        other = threading.Thread(target=lambda: used.append(door.admission.used()))
        other.start()
        other.join(10)
        assert not other.is_alive()

    door.admission.post(Place(HIGH, 2, 0, wake))
    assert used == [[2]]


def test_finaliser_when_it_comes_into_the_middle_of_a_round_then_its_change_is_made_after_it() -> None:
    """The garbage collector runs wherever it likes; here, where the round asks for the time."""
    scheduler = TestScheduler()
    pending: list[Place] = []
    depth = 0

    def clock() -> int:
        nonlocal depth
        depth += 1
        assert depth < 2, "a round began in the middle of another one"
        for place in pending.copy():
            pending.remove(place)
            admission.leave([place])
        depth -= 1
        return clock_of(scheduler, None)()

    admission = Admission([SlidingWindow(2, 10)], [[2]] * 4, ageing=None, clock=clock, start_timer=timer_of(scheduler))
    woken: list[Place] = []
    first, second, third = (Place(HIGH, 1, 0, woken.append) for _ in range(3))
    for place in (first, second, third):
        admission.post(place)
    assert woken == [first, second]
    pending.append(first)  # withdrawn while it was granted
    assert admission.used() == [2]
    assert woken == [first, second, third]


def test_timer_when_many_wait_then_one_is_pending_and_none_when_nobody_does() -> None:
    """What waits for an hour does not set a timer with every call that ends."""
    door = Door((1, 3600))
    pending: set[int] = set()
    set_times: list[float] = []

    def start_timer(seconds: float, function: Callable[[], None]) -> DisposableBase:
        number = len(set_times)
        set_times.append(seconds)
        pending.add(number)
        return Disposable(lambda: pending.discard(number))

    admission = Admission(
        [SlidingWindow(1, 3600)], [[1]] * 4, ageing=None, clock=clock_of(door.scheduler, None), start_timer=start_timer
    )
    holder = Place(HIGH, 1, 0)
    admission.enter(holder)
    waiting = [Place(LOW, 1, 0) for _ in range(50)]
    for place in waiting:
        admission.post(place)
    assert set_times == [3600.0]
    admission.leave(waiting)
    assert pending == set()


def test_timer_when_none_can_be_set_then_whoever_ended_a_call_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """It would take away an answer that did arrive."""

    def start_timer(seconds: float, function: Callable[[], None]) -> Any:
        raise ValueError("disposed")

    door = Door((1, 10))
    admission = Admission(
        [SlidingWindow(1, 10)], [[1]] * 4, ageing=None, clock=clock_of(door.scheduler, None), start_timer=start_timer
    )
    place = Place(HIGH, 1, 0)
    admission.enter(place)
    woken: list[Place] = []
    admission.post(Place(HIGH, 1, 0, woken.append))
    admission.leave([place])
    assert "no timer" in caplog.text
    door.advance(10)
    admission.used()
    assert len(woken) == 1


def test_wait_when_it_is_no_whole_number_of_microseconds_then_virtual_time_goes_on() -> None:
    """A timer that fires a fraction too early would be set again at the same instant, for ever."""
    door = Door((1, 1 / 3))
    for name in "abcd":
        door.wait(name)
    door.advance(2)
    assert [name for _, name in door.log] == ["a", "b", "c", "d"]
    times = [time for time, _ in door.log]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(1 / 3 - 1e-9 <= gap < 1 / 3 + 1e-5 for gap in gaps)
