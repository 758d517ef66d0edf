"""``throttle_by_priority``: what goes out when, in virtual time; and what is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import reactivex as rx
from reactivex import Observable
from reactivex.abc import DisposableBase, SchedulerBase
from reactivex.disposable import Disposable, SerialDisposable
from reactivex.scheduler import ImmediateScheduler, VirtualTimeScheduler
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.mockobserver import MockObserver

from rxstreams.errors import BufferOverflow
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig
from rxstreams.limits._line import Place
from rxstreams.operators._throttle_by_priority import throttle_by_priority
from rxstreams.operators._waiting_room import ThrottleOverflow
from rxstreams.scheduler import EventLoopThreadScheduler

on_next = ReactiveTest.on_next
on_error = ReactiveTest.on_error
on_completed = ReactiveTest.on_completed
subscribe = ReactiveTest.subscribe

CRITICAL, HIGH, MEDIUM, LOW = APIPriority
_PRIORITIES = {"c": CRITICAL, "h": HIGH, "m": MEDIUM, "l": LOW}


def _digit(item: str) -> int:
    """The second letter says how heavy it is."""
    return int(item[1])


def _limiter(scheduler: SchedulerBase | None, limit: int = 1, period: float = 10.0, **options: Any) -> APIRateLimiter:
    """One window, in which every priority may fill all, unless said otherwise."""
    usual: dict[str, Any] = {"high_share": 1.0, "medium_share": 1.0, "low_share": 1.0, "ageing": None}
    usual |= {"max_calls_per_minute": None, "max_calls_per_hour": None}
    return APIRateLimiter(RateLimitConfig(windows=[(limit, period)], **(usual | options)), scheduler=scheduler)


def _priority(item: str) -> APIPriority:
    """The first letter of an item says how urgent it is."""
    return _PRIORITIES[item[0]]


def _run(
    scheduler: TestScheduler,
    source: Observable[str],
    limiter: APIRateLimiter,
    *,
    disposed: float = 1000,
    **options: Any,
) -> MockObserver[str]:
    options.setdefault("priority", _priority)
    operator: Callable[[Observable[str]], Observable[str]] = throttle_by_priority(limiter, **options)
    return scheduler.start(lambda: source.pipe(operator), disposed=disposed)


def _at(scheduler: TestScheduler, time: float, function: Callable[[], object]) -> None:
    def act(_: SchedulerBase, __: object = None) -> None:
        function()

    scheduler.schedule_absolute(time, act)


def _notifications(results: MockObserver[str]) -> list[tuple[float, Any]]:
    """Times and notifications; what else a Recorded may hold belongs to expectations only."""
    return [(message.time, message.value) for message in results.messages]


def _items(results: MockObserver[str]) -> list[str]:
    return [each.value for _, each in _notifications(results) if each.has_value]


# What goes out when


def test_throttle_when_there_is_room_then_items_pass_at_once() -> None:
    """At their own times."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(on_next(210, "h1"), on_next(220, "l1"), on_completed(230))
    results = _run(scheduler, source, _limiter(scheduler, 5))
    assert results.messages == [on_next(210, "h1"), on_next(220, "l1"), on_completed(230)]
    assert source.subscriptions == [subscribe(200, 230)]


def test_throttle_when_there_is_no_room_then_the_most_urgent_goes_first() -> None:
    """Those of one priority as they came; completes when all are gone."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(
        *(on_next(210 + number, item) for number, item in enumerate(("l1", "l2", "h1", "m1", "h2", "c1"))),
        on_completed(216),
    )
    results = _run(scheduler, source, _limiter(scheduler, 1, 10))
    assert results.messages == [
        on_next(210, "l1"),
        on_next(220, "c1"),
        on_next(230, "h1"),
        on_next(240, "h2"),
        on_next(250, "m1"),
        on_next(260, "l2"),
        on_completed(260),
    ]


def test_throttle_when_items_are_those_of_the_docstring_then_they_go_as_it_draws_them() -> None:
    """Two in a period of 10; H overtakes c."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(
        on_next(201, "la"),
        on_next(203, "lb"),
        on_next(205, "lc"),
        on_next(207, "hH"),
        on_next(209, "ld"),
        on_completed(226),
    )
    results = _run(scheduler, source, _limiter(scheduler, 2, 10))
    assert results.messages == [
        on_next(201, "la"),
        on_next(203, "lb"),
        on_next(211, "hH"),
        on_next(213, "lc"),
        on_next(221, "ld"),
        on_completed(226),
    ]


def test_throttle_when_several_windows_are_full_then_an_item_waits_for_all() -> None:
    """Two in ten seconds, three in a minute."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*(on_next(210, f"h{number}") for number in range(5)), on_completed(210))
    results = _run(scheduler, source, _limiter(scheduler, 2, 10, max_calls_per_minute=3))
    assert results.messages == [
        on_next(210, "h0"),
        on_next(210, "h1"),
        on_next(220, "h2"),
        on_next(270, "h3"),
        on_next(270, "h4"),
        on_completed(270),
    ]


def test_throttle_when_items_have_weights_then_a_heavy_one_is_not_overtaken() -> None:
    """The weight is a value or a function of the item."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(
        on_next(210, "h1"), on_next(212, "h3"), on_next(214, "h1 later"), on_completed(215)
    )
    results = _run(scheduler, source, _limiter(scheduler, 3, 10), weight=_digit)
    assert results.messages == [
        on_next(210, "h1"),
        on_next(220, "h3"),
        on_next(230, "h1 later"),
        on_completed(230),
    ]


def test_throttle_when_quota_is_tight_then_low_waits_while_high_passes() -> None:
    """Each priority may fill its own share: here LOW 3 of 5."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(
        *(on_next(210 + number, f"l{number}") for number in range(4)), on_next(215, "h1"), on_next(216, "c1")
    )
    limiter = _limiter(scheduler, 5, 20, low_share=0.6, high_share=0.8, medium_share=0.8)
    results = _run(scheduler, source, limiter)
    assert results.messages == [
        on_next(210, "l0"),
        on_next(211, "l1"),
        on_next(212, "l2"),
        on_next(215, "h1"),
        on_next(216, "c1"),
        # At 230 h1, c1, l1 and l2 still count, at 231 h1, c1 and l2, at 232 only h1 and c1.
        on_next(232, "l3"),
    ]


def test_throttle_when_an_item_ages_then_it_overtakes_what_is_more_urgent() -> None:
    """So that urgent items without end starve nobody."""
    scheduler = TestScheduler()
    items = [on_next(210, "h0"), on_next(211, "m1"), *(on_next(212 + 4 * n, f"h{n + 1}") for n in range(6))]
    source = scheduler.create_hot_observable(*items, on_completed(240))
    results = _run(scheduler, source, _limiter(scheduler, 1, 5, ageing=10))
    # Behind those that came up to ten seconds after it, before the others.
    assert _items(results) == ["h0", "h1", "h2", "h3", "m1", "h4", "h5", "h6"]


def test_throttle_when_the_limiter_is_frozen_then_nothing_goes_until_it_thaws() -> None:
    """Whatever the priority."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 5)
    _at(scheduler, 205, lambda: limiter.freeze(30))
    source = scheduler.create_hot_observable(on_next(210, "l1"), on_next(220, "c1"), on_completed(300))
    results = _run(scheduler, source, limiter)
    assert results.messages == [on_next(235, "c1"), on_next(235, "l1"), on_completed(300)]


def test_throttle_when_two_streams_share_a_limiter_then_the_order_holds_over_both() -> None:
    """The queue lives in the limiter."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 1, 10)
    urgent = scheduler.create_hot_observable(on_next(213, "h1"), on_next(214, "h2"))
    patient = scheduler.create_hot_observable(on_next(210, "l1"), on_next(211, "l2"), on_next(212, "l3"))
    observers: list[MockObserver[str]] = []
    for source in (patient, urgent):
        observer: MockObserver[str] = scheduler.create_observer()
        source.pipe(throttle_by_priority(limiter, priority=_priority)).subscribe(observer, scheduler=scheduler)
        observers.append(observer)
    scheduler.start()
    assert observers[0].messages == [on_next(210, "l1"), on_next(240, "l2"), on_next(250, "l3")]
    assert observers[1].messages == [on_next(220, "h1"), on_next(230, "h2")]


def test_throttle_when_calls_use_the_limiter_too_then_items_wait_for_their_room() -> None:
    """A call that runs for 15 counts until 10 after its end."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 1, 10)
    place = Place(CRITICAL, 1, 0)
    _at(scheduler, 205, lambda: limiter._admission.enter(place))
    _at(scheduler, 220, lambda: limiter._admission.leave([place]))
    source = scheduler.create_hot_observable(on_next(210, "h1"), on_completed(211))
    results = _run(scheduler, source, limiter)
    assert results.messages == [on_next(230, "h1"), on_completed(230)]


# How it ends


def test_throttle_when_the_source_is_empty_or_never_ends_then_so_is_the_result() -> None:
    """Nothing is added."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler)
    assert _run(scheduler, rx.empty(), limiter).messages == [on_completed(200)]
    scheduler = TestScheduler()
    assert _run(scheduler, rx.never(), _limiter(scheduler)).messages == []


def test_throttle_when_the_source_fails_then_the_error_passes_at_once_and_what_is_held_is_dropped() -> None:
    """Its places in the limiter are free for others."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 1, 10)
    error = ValueError("broken")
    source = scheduler.create_hot_observable(on_next(210, "h1"), on_next(211, "h2"), on_error(215, error))
    results = _run(scheduler, source, limiter)
    assert results.messages == [on_next(210, "h1"), on_error(215, error)]
    assert limiter.get_stats().waiting == 0


def test_throttle_when_disposed_then_nothing_more_goes_and_its_places_are_free() -> None:
    """The limiter forgets what was held; others go in its stead."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 1, 10)
    source = scheduler.create_hot_observable(*(on_next(210 + number, f"h{number}") for number in range(5)))
    results = _run(scheduler, source, limiter, disposed=225)
    assert results.messages == [on_next(210, "h0"), on_next(220, "h1")]
    assert source.subscriptions == [subscribe(200, 225)]
    stats = limiter.get_stats()
    assert (stats.waiting, stats.running) == (0, 0)


def test_throttle_when_disposed_inside_on_next_then_the_rest_stays() -> None:
    """The item in hand has gone; those that were admitted with it give their places back."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 2, 10)
    got: list[str] = []
    subscription = SerialDisposable()

    def take(item: str) -> None:
        got.append(item)
        subscription.dispose()

    source = scheduler.create_cold_observable(*(on_next(10, f"h{number}") for number in range(5)))
    subscription.disposable = source.pipe(throttle_by_priority(limiter, priority=_priority)).subscribe(
        take, scheduler=scheduler
    )
    scheduler.start()
    assert got == ["h0"]
    stats = limiter.get_stats()
    assert (stats.waiting, stats.running, stats.admitted) == (0, 0, 1)


def test_throttle_when_the_observer_raises_then_the_others_go_out_all_the_same() -> None:
    """Its exception goes to the scheduler; the item's weight counts, and no place is lost."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 3, 10)
    got: list[str] = []

    def take(item: str) -> None:
        got.append(item)
        if item == "h1":
            raise KeyError(item)

    source = scheduler.create_cold_observable(*(on_next(10, f"h{number}") for number in range(4)))
    source.pipe(throttle_by_priority(limiter, priority=_priority)).subscribe(take, scheduler=scheduler)
    with pytest.raises(KeyError):
        scheduler.start()
    scheduler.stop()
    scheduler.start()
    assert got == ["h0", "h1", "h2", "h3"]
    assert limiter.get_stats().running == 0


# Overflow


def _flood(
    overflow: ThrottleOverflow, items: list[str], **options: Any
) -> tuple[MockObserver[str], APIRateLimiter, list[str]]:
    """One item in ten, three held at most."""
    scheduler = TestScheduler()
    limiter = _limiter(scheduler, 1, 10)
    dropped: list[str] = []
    source = scheduler.create_hot_observable(
        *(on_next(210 + number, item) for number, item in enumerate(items)), on_completed(219)
    )
    results = _run(
        scheduler, source, limiter, maxsize=3, overflow=overflow, on_drop=options.get("on_drop", dropped.append)
    )
    return results, limiter, dropped


def test_overflow_when_it_is_an_error_then_the_stream_fails() -> None:
    """The default: losing an order in silence is worse than failing."""
    results, limiter, dropped = _flood("error", ["h0", "h1", "h2", "h3", "h4", "h5"])
    assert results.messages == [
        on_next(210, "h0"),
        on_error(214, BufferOverflow("3 items were held when the next one came")),
    ]
    assert isinstance(_notifications(results)[1][1].exception, BufferOverflow)
    assert limiter.get_stats().waiting == 0
    assert dropped == []


def test_overflow_when_the_oldest_is_dropped_then_the_newest_are_held() -> None:
    """Each one dropped is told of and counted."""
    results, _, dropped = _flood("drop_oldest", ["h0", "h1", "h2", "h3", "h4", "h5"])
    assert _items(results) == ["h0", "h3", "h4", "h5"]
    assert dropped == ["h1", "h2"]


def test_overflow_when_the_lowest_is_dropped_then_the_most_urgent_are_held() -> None:
    """The last in the order goes, perhaps the newcomer itself."""
    results, limiter, dropped = _flood("drop_lowest", ["h0", "l1", "h2", "m3", "c4", "l5", "h6"])
    assert _items(results) == ["h0", "c4", "h2", "h6"]
    assert dropped == ["l1", "l5", "m3"]
    assert limiter.get_stats().waiting == 0


def test_overflow_when_items_were_dropped_then_their_number_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """When the subscription ends."""
    _flood("drop_oldest", ["h0", "h1", "h2", "h3", "h4", "h5"], on_drop=None)
    assert [record.getMessage() for record in caplog.records] == ["2 items were dropped, as 3 were held already"]


def test_overflow_when_on_drop_raises_then_the_stream_fails_with_that() -> None:
    """As with every function that an operator is given."""

    def fail(_: str) -> None:
        raise LookupError("a bug")

    results, limiter, _ = _flood("drop_oldest", ["h0", "h1", "h2", "h3", "h4", "h5"], on_drop=fail)
    assert results.messages == [on_next(210, "h0"), on_error(214, LookupError("a bug"))]
    assert limiter.get_stats().waiting == 0


# Functions of the item


def _answering(answer: object) -> Callable[[str], object]:
    return lambda _: answer


def _raising(item: str) -> APIPriority:
    return _PRIORITIES[item]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"priority": _answering("urgent")}, TypeError),
        ({"priority": _raising}, KeyError),
        ({"weight": _answering(0)}, ValueError),
        ({"weight": _answering(4)}, ValueError),
        ({"weight": _answering("1")}, TypeError),
    ],
)
def test_throttle_when_an_item_can_not_be_placed_then_the_stream_fails(options: Any, error: type[Exception]) -> None:
    """A function that raises, an unknown priority, a weight that would wait for ever."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(on_next(210, "h1"), on_next(220, "h2"))
    results = _run(scheduler, source, _limiter(scheduler, 3), **options)
    assert [(time, type(each.exception)) for time, each in _notifications(results)] == [(210, error)]
    assert source.subscriptions == [subscribe(200, 210)]


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limiter": object()}, "limiter must be an APIRateLimiter"),
        ({"priority": "high"}, "priority must be one of"),
        ({"priority": 1}, "priority must be one of"),
        ({"priority": None, "weight": len}, "priority must be one of"),
        ({"weight": 0}, "weight must be 1 or more"),
        ({"weight": "1"}, "weight must be a whole number"),
        ({"weight": 4}, "weight must be at most 3, all that LOW may fill"),
        ({"weight": 6, "priority": _priority}, "weight must be at most 5, all that CRITICAL may fill"),
        ({"maxsize": 0}, "maxsize must be 1 or more"),
        ({"overflow": "drop"}, "overflow must be one of error, drop_oldest, drop_lowest"),
        ({"on_drop": "log"}, "on_drop must be a function"),
        ({"scheduler": "asyncio"}, "scheduler must be a scheduler"),
    ],
)
def test_throttle_when_an_option_is_wrong_then_it_is_refused_when_built(options: Any, message: str) -> None:
    """Not at the first item."""
    given: dict[str, Any] = {"limiter": _limiter(None, 5, low_share=0.6), "priority": LOW} | options
    with pytest.raises((TypeError, ValueError), match=message):
        throttle_by_priority(given.pop("limiter"), **given)


def test_throttle_when_used_twice_and_subscribed_to_twice_then_each_has_its_own_state() -> None:
    """They share the limiter, and nothing else."""
    scheduler = TestScheduler()
    operator: Callable[[Observable[str]], Observable[str]] = throttle_by_priority(
        _limiter(scheduler, 1, 10), priority=_priority, maxsize=1, overflow="drop_oldest"
    )
    source = scheduler.create_cold_observable(on_next(10, "h1"), on_completed(20))
    throttled = source.pipe(operator)
    other = scheduler.create_cold_observable(on_next(15, "c1"), on_completed(20)).pipe(operator)
    observers: list[MockObserver[str]] = []
    for observable in (throttled, throttled, other):
        observer: MockObserver[str] = scheduler.create_observer()
        observable.subscribe(observer, scheduler=scheduler)
        observers.append(observer)
    scheduler.start()
    assert [observer.messages for observer in observers] == [
        [on_next(10, "h1"), on_completed(20)],
        [on_next(30, "h1"), on_completed(30)],
        [on_next(20, "c1"), on_completed(20)],
    ]


# Schedulers


def test_throttle_when_subscribed_to_then_the_scheduler_is_forwarded() -> None:
    """As every operator does."""
    seen: list[SchedulerBase | None] = []

    def connect(_: Any, scheduler: SchedulerBase | None = None) -> DisposableBase:
        seen.append(scheduler)
        return Disposable()

    scheduler = VirtualTimeScheduler()
    source: Observable[str] = rx.create(connect)
    source.pipe(throttle_by_priority(_limiter(None), priority=HIGH)).subscribe(scheduler=scheduler)
    assert seen == [scheduler]


def test_throttle_when_no_scheduler_is_given_then_the_limiters_is_used() -> None:
    """A limiter in virtual time brings its own."""
    scheduler = TestScheduler()
    got: list[str] = []
    rx.of("h1", "h2").pipe(throttle_by_priority(_limiter(scheduler, 1, 10), priority=HIGH)).subscribe(got.append)
    assert got == []
    scheduler.advance_to(5)
    assert got == ["h1"]
    scheduler.advance_to(10)
    assert got == ["h1", "h2"]


def test_throttle_when_the_scheduler_runs_things_while_they_are_scheduled_then_items_pass_all_the_same() -> None:
    """Such a scheduler has no thread to hop to; nothing is lost or doubled."""
    source: Subject[str] = Subject()
    got: list[str] = []
    limiter = _limiter(TestScheduler(), 3)
    source.pipe(throttle_by_priority(limiter, priority=HIGH, scheduler=ImmediateScheduler())).subscribe(got.append)
    for item in ("h1", "h2", "h3"):
        source.on_next(item)
    assert got == ["h1", "h2", "h3"]
    assert limiter.get_stats().running == 0


def test_throttle_when_the_source_completes_inside_on_next_then_the_end_comes_after_it() -> None:
    """One thing at a time, whatever the scheduler."""
    source: Subject[str] = Subject()
    got: list[str] = []

    def take(item: str) -> None:
        source.on_completed()
        got.append(item)

    limiter = _limiter(TestScheduler(), 3)
    throttled = source.pipe(throttle_by_priority(limiter, priority=HIGH, scheduler=ImmediateScheduler()))
    throttled.subscribe(take, on_completed=lambda: got.append("end"))
    source.on_next("h1")
    assert got == ["h1", "end"]


def test_throttle_when_its_scheduler_was_disposed_then_it_is_logged_and_gives_its_places_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever frees a place next has nothing to do with it, and gets no exception."""
    scheduler = EventLoopThreadScheduler("gone")
    scheduler.dispose()
    limiter = _limiter(TestScheduler(), 3)
    source: Subject[str] = Subject()
    source.pipe(throttle_by_priority(limiter, priority=HIGH, scheduler=scheduler)).subscribe()
    source.on_next("h1")
    assert "failed: the items that were held are dropped" in caplog.text
    stats = limiter.get_stats()
    assert (stats.waiting, stats.running, stats.admitted) == (0, 0, 0)


def test_throttle_when_items_come_from_many_threads_then_they_go_out_one_at_a_time() -> None:
    """On the scheduler's thread, none lost, none doubled."""
    scheduler = EventLoopThreadScheduler("throttle")
    limiter = _limiter(None, 10_000)
    done = threading.Event()
    got: list[tuple[str, int]] = []
    busy = threading.Lock()

    def take(item: str) -> None:
        assert busy.acquire(blocking=False), "two at a time"
        got.append((item, threading.get_ident()))
        if len(got) == 400:
            done.set()
        busy.release()

    sources: list[Subject[str]] = [Subject() for _ in range(4)]
    subscription = (
        rx.merge(*sources).pipe(throttle_by_priority(limiter, priority=HIGH, scheduler=scheduler)).subscribe(take)
    )

    def emit(number: int) -> None:
        for item in range(100):
            sources[number].on_next(f"{number} {item}")

    threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.wait(30)
    subscription.dispose()
    scheduler.dispose()
    assert sorted(item for item, _ in got) == sorted(f"{number} {item}" for number in range(4) for item in range(100))
    for number in range(4):
        mine = [item for item, _ in got if item.startswith(f"{number} ")]
        assert mine == [f"{number} {item}" for item in range(100)]
    assert len({thread for _, thread in got}) == 1
