"""Limits hold whatever comes, by the client's count and by the server's, and the order is what was promised.

All times are ticks of 10 ms. What admits is compared with an oracle that keeps every call and adds up from scratch.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st
from pyrate_limiter import InMemoryBucket, Rate, RateItem
from pyrate_limiter.utils import validate_rate_list
from reactivex.testing import TestScheduler

from rxstreams.errors import QuotaExceeded
from rxstreams.limits import APIPriority, RateLimitConfig, SlidingWindow
from rxstreams.limits._line import Place
from rxstreams.limits._timing import clock_of, timer_of
from rxstreams.limits.admission import Admission

TICK = 0.01
TICK_NS = 10_000_000
UNANSWERED = 100  # ticks; longer than any request takes


@dataclass(kw_only=True)
class Call:
    """One call, as it is planned and as it went."""

    arrives: int
    priority: APIPriority
    weight: int
    there: int
    back: int
    waits: bool
    cancelled: int | None  # ticks after its arrival

    number: int = 0
    started: int | None = None
    ended: int | None = None
    lateness: int = 0
    state: str = "planned"
    place: Place | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A limiter and what happens to it."""

    windows: list[tuple[int, int]]
    ageing: int | None
    calls: list[Call]
    freezes: list[tuple[int, int]]
    observed: list[tuple[int, int]]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Small limits and busy clients, so that most calls meet a closed door."""
    windows = draw(st.lists(st.tuples(st.integers(1, 8), st.integers(20, 300)), min_size=1, max_size=3))
    config = RateLimitConfig()
    times = st.integers(0, 400)

    def calls() -> st.SearchStrategy[Call]:
        def make(priority: APIPriority) -> st.SearchStrategy[Call]:
            heaviest = min(config.ceiling(priority, limit) for limit, _ in windows)
            return st.builds(
                Call,
                arrives=times,
                priority=st.just(priority),
                weight=st.integers(1, heaviest),
                there=st.integers(2, 90),
                back=st.integers(2, 90),
                waits=st.sampled_from([True, True, True, False]),
                cancelled=st.sampled_from([None, None, None, 0, 5, 50, 200]),
            )

        return st.sampled_from(APIPriority).flatmap(make)

    return Plan(
        windows=windows,
        ageing=draw(st.sampled_from([None, 7, 50, 400])),
        calls=draw(st.lists(calls(), min_size=1, max_size=25)),
        freezes=draw(st.lists(st.tuples(times, st.integers(0, 100)), max_size=2)),
        observed=draw(st.lists(st.tuples(times, st.integers(0, 10)), max_size=2)),
    )


class Oracle:
    """What should happen, by adding up everything from scratch at every step."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.calls: list[Call] = []
        self.waiting: list[Call] = []
        self.frozen_until = 0
        self.foreign: list[tuple[int, int]] = []  # (seen, weight), of the first window only

    def used(self, window: int, now: int) -> int:
        period = self.plan.windows[window][1]
        ours = sum(
            call.weight
            for call in self.calls
            if call.started is not None and (call.ended is None or call.ended + call.lateness + period > now)
        )
        others = sum(weight for seen, weight in self.foreign if seen + period > now) if window == 0 else 0
        return ours + others

    def fits(self, weight: int, level: int, now: int) -> bool:
        config = RateLimitConfig()
        return now >= self.frozen_until and all(
            self.used(index, now) + weight <= config.ceiling(APIPriority(level), limit)
            for index, (limit, _) in enumerate(self.plan.windows)
        )

    def level(self, call: Call, now: int) -> int:
        if self.plan.ageing is None:
            return call.priority
        return max(0, math.ceil(call.priority - Fraction(now - call.arrives, self.plan.ageing)))

    def turn(self, call: Call, now: int) -> tuple[Fraction, int, int]:
        """Sorts the calls that wait, the most urgent first, as they stand now."""
        waited = Fraction(now - call.arrives, self.plan.ageing) if self.plan.ageing else Fraction(0)
        return call.priority - waited, call.arrives, call.number

    def first(self, now: int) -> Call | None:
        return min(self.waiting, key=lambda call: self.turn(call, now), default=None)


class Simulation:
    """Plays a plan against an ``Admission``, and checks every step with the oracle."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.oracle = Oracle(plan)
        self.scheduler = TestScheduler()
        config = RateLimitConfig()
        self.admission = Admission(
            [SlidingWindow(limit, period * TICK) for limit, period in plan.windows],
            [[config.ceiling(priority, limit) for limit, _ in plan.windows] for priority in APIPriority],
            ageing=None if plan.ageing is None else plan.ageing * TICK_NS,
            clock=clock_of(self.scheduler, None),
            start_timer=timer_of(self.scheduler),
        )
        self.received: list[tuple[int, int]] = []
        self.sent: list[tuple[int, int]] = []
        self.now = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def run(self) -> None:
        for call in self.plan.calls:
            self._at(call.arrives, functools.partial(self._arrive, call))
        for time, duration in self.plan.freezes:
            self._at(time, functools.partial(self._freeze, duration))
        for time, used in self.plan.observed:
            self._at(time, functools.partial(self._observe, used))
        while self._events or self.oracle.waiting:
            self.now += 1
            assert self.now < 50_000, f"these wait for ever: {self.oracle.waiting}"
            self.scheduler.advance_to(self.now * TICK)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
                self._check()
            self._check()

    def _at(self, time: int, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def _check(self) -> None:
        """Nobody waits who may go, and both count the same."""
        first = self.oracle.first(self.now)
        if first is not None:
            assert not self.oracle.fits(first.weight, self.oracle.level(first, self.now), self.now)
        expected = [self.oracle.used(index, self.now) for index in range(len(self.plan.windows))]
        assert self.admission.used() == expected
        assert self.admission.waiting == len(self.oracle.waiting)

    def _arrive(self, call: Call) -> None:
        oracle = self.oracle
        call.arrives = self.now
        call.number = len(oracle.calls)
        oracle.calls.append(call)
        call.place = Place(call.priority, call.weight, self.admission.clock(), lambda _: self._woken(call))
        if call.cancelled is not None:
            self._at(self.now + call.cancelled, lambda: self._cancel(call))
        if call.waits:
            oracle.waiting.append(call)
            call.state = "waiting"
            self.admission.post(call.place)
            return
        first = oracle.first(self.now)
        blocked = first is not None and oracle.turn(first, self.now) <= oracle.turn(call, self.now)
        may_go = not blocked and oracle.fits(call.weight, call.priority, self.now)
        refusal: QuotaExceeded | None = None
        try:
            self.admission.enter(call.place)
        except QuotaExceeded as error:
            refusal = error
        assert (refusal is None) == may_go
        if refusal is None:
            self._start(call)
        else:
            assert refusal.retry_after > 0
            call.state = "refused"

    def _woken(self, call: Call) -> None:
        oracle = self.oracle
        self.now = round(self.scheduler.to_seconds(self.scheduler.now) / TICK)
        assert oracle.first(self.now) is call, "it was not its turn"
        assert oracle.fits(call.weight, oracle.level(call, self.now), self.now), "there was no room for it"
        oracle.waiting.remove(call)
        assert call.place is not None
        assert self.admission.take(call.place)
        self._start(call)

    def _start(self, call: Call) -> None:
        call.state = "running"
        call.started = self.now
        self.sent.append((self.now, call.weight))
        # What has been sent arrives, whether or not the client still wants to know.
        self._at(self.now + call.there, lambda: self.received.append((self.now, call.weight)))
        self._at(self.now + call.there + call.back, lambda: self._end(call, 0))

    def _cancel(self, call: Call) -> None:
        if call.state == "waiting":
            self.oracle.waiting.remove(call)
            call.state = "gone"
            assert call.place is not None
            self.admission.leave([call.place])
        elif call.state == "running":
            self._end(call, UNANSWERED)

    def _end(self, call: Call, late: int) -> None:
        if call.state == "running":
            call.state, call.ended, call.lateness = "over", self.now, late
            assert call.place is not None
            self.admission.leave([call.place], late * TICK_NS)

    def _freeze(self, duration: int) -> None:
        self.oracle.frozen_until = max(self.oracle.frozen_until, self.now + duration)
        self.admission.freeze(duration * TICK_NS)

    def _observe(self, used: int) -> None:
        missing = used - self.oracle.used(0, self.now)
        if missing > 0:
            self.oracle.foreign.append((self.now, missing))
        self.admission.observe(self.admission.windows[0], used)


@given(plans())
def test_admission_when_calls_come_and_go_at_random_then_it_does_what_the_oracle_says(plan: Plan) -> None:
    """Strict order with ageing, no overtaking, no needless wait; and no window is exceeded at either end.

    Requests and answers take 20 to 900 ms each; calls wait or not, are cancelled while they wait or run; the limiter is
    frozen, and told of others' use. Everybody who waits, and is not cancelled, is served in the end.
    """
    simulation = Simulation(plan)
    simulation.run()
    assert {call.state for call in plan.calls} <= {"over", "refused", "gone"}
    assert simulation.admission.running == 0
    for counted in (simulation.sent, simulation.received):
        for limit, period in plan.windows:
            for last, _ in counted:
                assert sum(weight for time, weight in counted if last - period < time <= last) <= limit


@st.composite
def windows_of_rates(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Limits and periods in milliseconds, longer ones allowing more but not more often, as PyrateLimiter wants them."""
    windows = draw(
        st.lists(st.tuples(st.integers(1, 12), st.integers(2, 2_000)), min_size=1, max_size=3, unique_by=lambda w: w[1])
    )
    windows.sort(key=lambda window: window[1])
    assume(validate_rate_list([Rate(limit, period - 1) for limit, period in windows]))
    return windows


@given(windows_of_rates(), st.lists(st.tuples(st.integers(0, 400), st.integers(1, 4)), min_size=1, max_size=60))
def test_windows_when_calls_take_no_time_then_they_admit_what_pyrate_limiter_admits(
    windows: list[tuple[int, int]], calls: list[tuple[int, int]]
) -> None:
    """The same decisions as its InMemoryBucket, call by call; it counts the first millisecond of a window twice."""
    bucket = InMemoryBucket([Rate(limit, period - 1) for limit, period in windows])
    scheduler = TestScheduler()
    admission = Admission(
        [SlidingWindow(limit, period / 1000) for limit, period in windows],
        [[limit for limit, _ in windows]] * 4,
        ageing=None,
        clock=clock_of(scheduler, None),
        start_timer=timer_of(scheduler),
    )
    now = 0
    smallest = min(limit for limit, _ in windows)
    for gap, weight in calls:
        now += gap
        if weight > smallest:
            continue
        scheduler.advance_to(now / 1000)
        place = Place(0, weight, admission.clock())
        try:
            admission.enter(place)
        except QuotaExceeded:
            admitted = False
        else:
            admitted = True
            admission.leave([place])
        assert admitted == bool(bucket.put(RateItem("call", now, weight)))


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 20), st.sampled_from(APIPriority))
def test_share_when_so_much_is_used_then_a_priority_passes_exactly_within_its_own(
    limit: int, used: int, weight: int, priority: APIPriority
) -> None:
    """CRITICAL until the real limit, the others until theirs, each at least one."""
    percent = {APIPriority.CRITICAL: 100, APIPriority.HIGH: 95, APIPriority.MEDIUM: 80, APIPriority.LOW: 60}[priority]
    ceiling = max(1, -(-limit * percent // 100))
    scheduler = TestScheduler()
    config = RateLimitConfig()
    admission = Admission(
        [SlidingWindow(limit, 60)],
        [[config.ceiling(each, limit)] for each in APIPriority],
        ageing=None,
        clock=clock_of(scheduler, None),
        start_timer=timer_of(scheduler),
    )
    admission.observe(admission.windows[0], used)
    try:
        admission.enter(Place(priority, weight, 0))
    except QuotaExceeded:
        assert used + weight > ceiling
    else:
        assert used + weight <= ceiling
