"""``retry_with_backoff``: what is sent and subscribed to, when, after which error; and what must never reconnect."""

from __future__ import annotations

import itertools
import random
import statistics
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
import reactivex as rx
from reactivex import Observable, abc, operators
from reactivex.disposable import Disposable, SerialDisposable
from reactivex.notification import OnError
from reactivex.scheduler import ImmediateScheduler
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.mockobserver import MockObserver
from reactivex.testing.subscription import Subscription

import rxstreams.scheduler
from rxstreams import errors as rxerrors
from rxstreams.backoff import BackoffPolicy
from rxstreams.errors import (
    CertificateError,
    CleanClose,
    ConnectError,
    ConnectionLost,
    HandshakeTimeout,
    HistoryTooShort,
    MessageError,
    ObserverError,
    PolicyViolation,
    ProtocolError,
    RateLimited,
    Refused,
    ResolveError,
    ServerRejected,
    ServerRestart,
    Stalled,
    StreamError,
    SubscriptionError,
    TLSError,
)
from rxstreams.operators._retry_with_backoff import RetryInfo, RetryOn, retry_with_backoff

on_next = ReactiveTest.on_next
on_error = ReactiveTest.on_error
on_completed = ReactiveTest.on_completed
subscribe = ReactiveTest.subscribe

# Waits of 10, 20, 40, ... seconds.
_DOUBLING = BackoffPolicy(initial=10, maximum=1_000, jitter="none", reset_after=1_000)


def _run(
    scheduler: TestScheduler,
    source: Observable[Any],
    *,
    disposed: float = 1000,
    policy: BackoffPolicy = _DOUBLING,
    retry_on: RetryOn = (OSError, TimeoutError),
    on_retry: Callable[[RetryInfo], object] | None = None,
    rng: Callable[[], float] = random.random,
) -> MockObserver[Any]:
    operator = retry_with_backoff(policy, retry_on=retry_on, on_retry=on_retry, rng=rng)
    return scheduler.start(lambda: source.pipe(operator), disposed=disposed)


def _errors(results: MockObserver[Any]) -> list[tuple[float, Exception]]:
    """The errors that were sent, as objects: on_error(...) compares their texts only."""
    return [(each.time, each.value.exception) for each in results.messages if isinstance(each.value, OnError)]


def _saying(verdict: Any) -> Callable[[Exception], Any]:
    return lambda _: verdict


def _failing(error: Callable[[], Exception], times: list[float], scheduler: TestScheduler) -> Observable[int]:
    """A server that accepts and drops at once; keeps the time of every connection."""

    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        times.append(scheduler.to_seconds(scheduler.now))
        observer.on_error(error())
        return Disposable()

    return rx.create(connect)


# What is sent and when


def test_retry_when_the_source_fails_twice_then_it_is_subscribed_to_after_growing_waits() -> None:
    """Items pass with their times; each wait begins at the failure and is longer than the one before."""
    scheduler = TestScheduler()
    attempts = [
        scheduler.create_cold_observable(on_next(10, "a"), on_error(30, ConnectionLost())),
        scheduler.create_cold_observable(on_next(5, "b"), on_error(25, OSError())),
        scheduler.create_cold_observable(on_next(5, "c"), on_next(10, "d"), on_completed(20)),
    ]
    following = iter(attempts)
    results = _run(scheduler, rx.defer(lambda _: next(following)))
    assert results.messages == [
        on_next(210, "a"),
        on_next(245, "b"),  # 230 + 10 + 5
        on_next(290, "c"),  # 265 + 20 + 5
        on_next(295, "d"),
        on_completed(305),
    ]
    assert [attempt.subscriptions for attempt in attempts] == [
        [subscribe(200, 230)],
        [subscribe(240, 265)],
        [subscribe(285, 305)],
    ]


def test_retry_when_the_source_never_fails_then_it_changes_nothing() -> None:
    """An operator that is not needed leaves no trace, whether the source completes or not."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(on_next(150, 0), on_next(210, 1), on_completed(250), on_next(260, 2))
    assert _run(scheduler, source).messages == [on_next(210, 1), on_completed(250)]
    assert source.subscriptions == [subscribe(200, 250)]
    scheduler = TestScheduler()
    assert _run(scheduler, rx.never()).messages == []


def test_retry_when_disposed_during_a_wait_then_nothing_is_subscribed_any_more() -> None:
    """The pending attempt goes with the subscription."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1), on_error(20, ConnectionLost()))
    results = _run(scheduler, source, disposed=225)
    assert results.messages == [on_next(210, 1)]
    assert source.subscriptions == [subscribe(200, 220)]


def test_retry_when_disposed_during_a_later_attempt_then_that_attempt_is_disposed() -> None:
    """What is disposed is the current subscription, not the first."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1), on_error(20, ConnectionLost()))
    results = _run(scheduler, source, disposed=245)
    assert results.messages == [on_next(210, 1), on_next(240, 1)]
    assert source.subscriptions == [subscribe(200, 220), subscribe(230, 245)]


def test_retry_when_disposed_inside_on_next_then_the_source_is_left_and_its_error_ignored() -> None:
    """An observer that has enough in the middle of a synchronous attempt is left alone, and so is the hook."""
    opened: list[float] = []

    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        opened.append(scheduler.to_seconds(scheduler.now))
        for item in range(2 * len(opened)):
            observer.on_next(item)
        observer.on_error(ConnectionLost())
        return Disposable()

    scheduler = TestScheduler()
    told: list[RetryInfo] = []
    operator = retry_with_backoff(_DOUBLING, on_retry=told.append)
    results = scheduler.start(lambda: rx.create(connect).pipe(operator, operators.take(4)))
    items = [on_next(200, 0), on_next(200, 1), on_next(210, 0), on_next(210, 1)]
    assert results.messages == [*items, on_completed(210)]
    assert opened == [200, 210]
    assert len(told) == 1


def test_retry_when_it_gives_up_then_the_very_error_is_sent_with_a_note() -> None:
    """The last error is not wrapped and not copied; its note tells the attempts and the reason."""
    scheduler = TestScheduler()
    failures = [ConnectionLost("one"), OSError("two"), ConnectError("three")]
    following = iter(failures)
    results = _run(
        scheduler,
        rx.defer(lambda _: rx.throw(next(following))),
        policy=BackoffPolicy(initial=10, jitter="none", max_attempts=2),
    )
    assert len(results.messages) == 1
    [(time, error)] = _errors(results)
    assert time == 230
    assert error is failures[2]
    assert failures[2].__notes__ == ["retry_with_backoff: gave up after attempt 3 in a row: max_attempts is 2"]
    assert not hasattr(failures[0], "__notes__")


def test_note_when_one_error_ends_many_subscriptions_then_it_stands_once() -> None:
    """A source may send the same object to everybody for ever."""
    error = Refused("no")
    for _ in range(3):
        scheduler = TestScheduler()
        assert _run(scheduler, rx.throw(error)).messages == [on_error(200, error)]
    assert error.__notes__ == ["retry_with_backoff: gave up after attempt 1 in a row: Refused is not retried"]


# Section 5 of the design, row by row: the class, the shortest and the longest waits of its first retries; None: fatal.
# Decorrelated jitter of 1 to 60 s: at its lowest always 1, at its highest 3, 9, 27.
_Waits: TypeAlias = tuple[list[float], list[float]]
_BACKOFF: _Waits = ([1, 1, 1], [3, 9, 27])
_TABLE: list[tuple[Callable[[], StreamError], _Waits | None]] = [
    (ResolveError, _BACKOFF),
    (ConnectError, _BACKOFF),
    (TLSError, _BACKOFF),
    (CertificateError, None),
    (HandshakeTimeout, ([5, 5, 5], [15, 45, 60])),
    (lambda: RateLimited(retry_after=100), ([100, 100, 100], [100, 100, 100])),
    (ServerRejected, _BACKOFF),
    (Refused, None),
    (ProtocolError, None),
    (CleanClose, ([0, 1, 1], [1, 3, 9])),
    (ConnectionLost, _BACKOFF),
    (ServerRestart, ([5, 5, 5], [5, 9, 27])),
    (PolicyViolation, ([30, 30, 30], [60, 60, 60])),
    (Stalled, _BACKOFF),
    (MessageError, _BACKOFF),
    (lambda: SubscriptionError(["BTC/USD"], "no such symbol"), None),
    (HistoryTooShort, None),
    (ObserverError, None),
]
_IDS = [type(make()).__name__ for make, _ in _TABLE]


@pytest.mark.parametrize(("make", "expected"), _TABLE, ids=_IDS)
@pytest.mark.parametrize("luck", [0.0, 1.0], ids=["shortest", "longest"])
def test_retry_when_an_error_of_this_class_repeats_then_its_verdict_is_followed(
    make: Callable[[], StreamError], expected: _Waits | None, luck: float
) -> None:
    """Each row of the table: fatal at once, or retried after waits within these bounds."""
    scheduler = TestScheduler()
    times: list[float] = []
    made: list[StreamError] = []

    def error() -> StreamError:
        made.append(make())
        return made[-1]

    results = _run(scheduler, _failing(error, times, scheduler), policy=BackoffPolicy(), rng=lambda: luck)
    if expected is None:
        assert times == [200]
        assert results.messages == [on_error(200, made[0])]
    else:
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert waits[:3] == pytest.approx(expected[int(luck)])


def test_table_when_compared_with_the_errors_then_every_class_has_its_row() -> None:
    """A class added to errors.py needs a verdict here."""
    classes = {
        name
        for name, value in vars(rxerrors).items()
        if isinstance(value, type) and issubclass(value, StreamError) and value is not StreamError
    }
    assert set(_IDS) == classes


def test_retry_when_policy_violations_repeat_then_the_fourth_ends_it() -> None:
    """The class's own limit reaches through the operator: three attempts."""
    scheduler = TestScheduler()
    times: list[float] = []
    results = _run(scheduler, _failing(PolicyViolation, times, scheduler), policy=BackoffPolicy(), rng=lambda: 0.0)
    assert times == [200, 230, 260, 290]
    assert [(time, type(error)) for time, error in _errors(results)] == [(290, PolicyViolation)]


def test_retry_when_the_server_asks_for_too_long_a_pause_then_it_is_fatal() -> None:
    """Over ``max_retry_after`` the original error ends the feed."""
    error = RateLimited("slow down", retry_after=901)
    scheduler = TestScheduler()
    assert _run(scheduler, rx.throw(error), policy=BackoffPolicy()).messages == [on_error(200, error)]


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (OSError(), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (KeyError("bug"), False),
        (ValueError("bug"), False),
        (rxerrors.BufferOverflow(), False),
        (rxerrors.UnknownVenue(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_retry_when_the_error_is_foreign_then_only_the_networks_are_retried(error: Exception, is_retried: bool) -> None:
    """OSError and TimeoutError may pass by themselves; anything else is a bug."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_error(10, error))
    results = _run(scheduler, source, disposed=225)
    assert source.subscriptions == [subscribe(200, 210), *([subscribe(220, 225)] if is_retried else [])]
    assert results.messages == ([] if is_retried else [on_error(210, error)])


@pytest.mark.parametrize("error", [ConnectionLost, CleanClose])
def test_retry_when_the_server_accepts_and_drops_then_it_is_not_dialled_in_a_hot_loop(
    error: Callable[[], Exception],
) -> None:
    """1,000 seeds in virtual time: at most 10 connections in any 12 s, at most 5 in the first 10 s by the median."""
    worst, in_the_first_10 = 0, list[int]()
    for seed in range(1_000):
        scheduler = TestScheduler()
        times: list[float] = []
        _run(
            scheduler,
            _failing(error, times, scheduler),
            disposed=320,
            policy=BackoffPolicy(),
            rng=random.Random(seed).random,
        )
        worst = max(worst, *(sum(start <= time <= start + 12 for time in times) for start in times))
        in_the_first_10.append(sum(time < 210 for time in times))
    assert worst <= 10
    assert statistics.median(in_the_first_10) <= 5


# retry_on


@pytest.mark.parametrize("retry_on", [LookupError, (LookupError, ZeroDivisionError)])
def test_retry_on_when_it_names_classes_then_these_and_no_others_are_retried(retry_on: Any) -> None:
    """The given classes take the place of OSError and TimeoutError."""
    for error, count in ((KeyError(), 2), (OSError(), 1)):
        scheduler = TestScheduler()
        source = scheduler.create_cold_observable(on_error(10, error))
        _run(scheduler, source, disposed=225, retry_on=retry_on)
        assert len(source.subscriptions) == count


@pytest.mark.parametrize("retry_on", [Exception, ()])
def test_retry_on_when_it_names_classes_then_a_stream_error_keeps_its_own_verdict(retry_on: Any) -> None:
    """Neither does naming Exception retry what is fatal, nor naming nothing end what is not."""
    for error, count in ((Refused(), 1), (ConnectionLost(), 2)):
        scheduler = TestScheduler()
        source = scheduler.create_cold_observable(on_error(10, error))
        _run(scheduler, source, disposed=225, retry_on=retry_on)
        assert len(source.subscriptions) == count


@pytest.mark.parametrize(
    ("verdict", "second"),
    [(True, 220), (False, None), (7, 217), (0.5, 210.5), (0, 210), (timedelta(seconds=3), 213)],
)
def test_retry_on_when_it_is_a_function_then_it_decides_over_every_error(verdict: object, second: float | None) -> None:
    """True: the policy's wait; a number or a timedelta: that wait; also for an error that is fatal by its class."""
    for error in (KeyError(), Refused()):
        scheduler = TestScheduler()
        times: list[float] = []
        source = rx.timer(10, scheduler=scheduler).pipe(operators.flat_map(_failing(lambda: error, times, scheduler)))  # noqa: B023  # used within the turn
        results = _run(scheduler, source, disposed=228, retry_on=_saying(verdict))
        assert times == [210, *([second + 10] if second is not None and second + 10 < 228 else [])]
        assert results.messages == ([on_error(210, error)] if second is None else [])


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, TypeError(r"^what retry_on returns \(True, False or a wait\) must be seconds or a timedelta, got None")),
        (-1, ValueError("^what retry_on returns .* must be 0 or more seconds and finite, got -1")),
    ],
)
def test_retry_on_when_its_answer_is_no_verdict_then_the_mistake_is_sent(verdict: object, expected: Exception) -> None:
    """A forgotten return is said aloud and not taken for "no"."""
    scheduler = TestScheduler()
    results = _run(scheduler, rx.throw(OSError()), retry_on=_saying(verdict))
    [(time, error)] = _errors(results)
    assert time == 200
    with pytest.raises(type(expected), match=str(expected)):
        raise error


@pytest.mark.parametrize("option", ["retry_on", "on_retry", "rng"])
def test_retry_when_a_users_function_raises_then_its_error_is_sent_and_nothing_is_retried(option: str) -> None:
    """A bug in a hook ends the stream with that bug."""
    bug = OSError("the hook's own")

    def hook(*_: object) -> Any:
        raise bug

    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_error(10, ConnectionLost()))
    options: dict[str, Any] = {option: hook}
    results = _run(scheduler, source, policy=BackoffPolicy(), **options)
    assert results.messages == [on_error(210, bug)]
    assert source.subscriptions == [subscribe(200, 210)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": 3}, "policy must be a BackoffPolicy, got 3"),
        ({"policy": None}, "policy must be a BackoffPolicy, got None"),
        ({"retry_on": 3}, "retry_on, if it names no class of exceptions, must be a function, got 3"),
        ({"retry_on": int}, "retry_on must name classes of exceptions, got <class 'int'>"),
        ({"retry_on": (OSError, 3)}, "retry_on must name classes of exceptions, got 3"),
        ({"retry_on": KeyboardInterrupt}, "retry_on must name classes of exceptions, got <class 'KeyboardInterrupt'>"),
        ({"on_retry": 3}, "on_retry must be a function, got 3"),
        ({"rng": 0.5}, "rng must be a function, got 0.5"),
    ],
)
def test_retry_when_an_argument_is_wrong_then_it_says_so_when_built(options: dict[str, Any], message: str) -> None:
    """Options are checked before anything is subscribed."""
    with pytest.raises(TypeError, match=message):
        retry_with_backoff(**options)


# on_retry and the count of attempts


def test_on_retry_when_attempts_fail_then_it_is_told_before_each_wait() -> None:
    """The hook gets the number, the wait, the error and the uptime."""
    scheduler = TestScheduler()
    told: list[tuple[float, RetryInfo]] = []
    lost, refused = ConnectionLost(uptime=3), OSError()
    following = iter([on_error(10, lost), on_error(15, refused), on_error(400, lost)])
    _run(
        scheduler,
        rx.defer(lambda _: scheduler.create_cold_observable(next(following))),
        disposed=300,
        on_retry=lambda info: told.append((scheduler.to_seconds(scheduler.now), info)),
    )
    assert told == [
        (210, RetryInfo(attempt=1, wait=10, error=lost, uptime=3)),
        (235, RetryInfo(attempt=2, wait=20, error=refused, uptime=15)),
    ]


def test_on_retry_when_it_disposes_then_nothing_follows() -> None:
    """A hook may end it all."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_error(10, ConnectionLost()))
    subscription = SerialDisposable()
    retried = source.pipe(retry_with_backoff(_DOUBLING, on_retry=lambda _: subscription.dispose(), scheduler=scheduler))
    subscription.disposable = retried.subscribe(scheduler=scheduler)
    scheduler.start()
    assert source.subscriptions == [subscribe(0, 10)]


@pytest.mark.parametrize(("lasted", "retries"), [(49, 1), (50, 5)])
def test_retry_when_a_foreign_error_comes_late_then_the_subscriptions_age_counts_as_uptime(
    lasted: int, retries: int
) -> None:
    """Such an error knows no uptime; the scheduler's clock does."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_error(lasted, OSError()))
    policy = BackoffPolicy(initial=10, jitter="none", max_attempts=1, reset_after=50)
    _run(scheduler, source, disposed=200 + 5 * 60 + 1, policy=policy)
    assert len(source.subscriptions) == 1 + retries


def test_retry_when_an_operator_is_used_twice_then_each_subscription_has_its_own_count() -> None:
    """State lives in the subscription: neither a second source nor a second observer sees the first one's failures."""
    scheduler = TestScheduler()
    operator = retry_with_backoff(BackoffPolicy(initial=10, jitter="none", max_attempts=1))
    sources = [scheduler.create_cold_observable(on_error(10, ConnectionLost())) for _ in range(2)]
    retried = [operator(source) for source in sources]
    ended: list[float] = []
    for each in (*retried, *retried):
        each.subscribe(on_error=lambda _: ended.append(scheduler.to_seconds(scheduler.now)), scheduler=scheduler)
    scheduler.start()
    assert ended == [30] * 4
    for source in sources:
        assert source.subscriptions == [subscribe(0, 10), subscribe(0, 10), subscribe(20, 30), subscribe(20, 30)]


def test_retry_when_it_stands_before_share_then_what_comes_after_a_reconnect_is_delivered() -> None:
    """The order that every feed uses; the other way round the shared subject is stopped for ever."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1), on_error(20, ConnectionLost()))
    results = scheduler.start(lambda: source.pipe(retry_with_backoff(_DOUBLING), operators.share()), disposed=245)
    assert results.messages == [on_next(210, 1), on_next(240, 1)]


# Schedulers and the traps of synchronous ones


class _Recorder:
    """A source that keeps the scheduler it is given, and fails."""

    def __init__(self) -> None:
        self.schedulers: list[abc.SchedulerBase | None] = []
        self.source = rx.create(self._connect)

    def _connect(self, observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self.schedulers.append(scheduler)
        observer.on_error(ConnectionLost())
        return Disposable()


def test_scheduler_when_both_are_given_then_the_operators_waits_and_the_subscribers_goes_on_upstream() -> None:
    """``scheduler=`` of the operator is for its waits; the one given to ``subscribe`` is forwarded at every attempt."""
    mine, theirs, recorder = TestScheduler(), TestScheduler(), _Recorder()
    recorder.source.pipe(retry_with_backoff(_DOUBLING, scheduler=mine)).subscribe(scheduler=theirs)
    theirs.advance_to(1_000)
    assert recorder.schedulers == [theirs]
    mine.advance_to(35)
    assert recorder.schedulers == [theirs] * 3


def test_scheduler_when_only_the_subscriber_gives_one_then_it_waits_too() -> None:
    """Virtual time at the end of a chain reaches the waits."""
    theirs, recorder = TestScheduler(), _Recorder()
    recorder.source.pipe(retry_with_backoff(_DOUBLING)).subscribe(scheduler=theirs)
    theirs.advance_to(35)
    assert recorder.schedulers == [theirs] * 3


def test_scheduler_when_none_is_given_then_rxstreams_own_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread a wait (TimeoutScheduler) nor a sleep on the caller's thread (CurrentThreadScheduler)."""
    ours, recorder = TestScheduler(), _Recorder()
    asked: list[str] = []

    def scheduler_for(name: str) -> TestScheduler:
        asked.append(name)
        return ours

    monkeypatch.setattr(rxstreams.scheduler, "scheduler_for", scheduler_for)
    recorder.source.pipe(retry_with_backoff(_DOUBLING)).subscribe()
    ours.advance_to(35)
    assert asked == ["rxstreams"]
    assert recorder.schedulers == [None] * 3


class _Probe:
    """A source that fails inside ``subscribe`` a number of times and then lives; notes what is open when."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.log: list[str] = []
        self.live = 0
        self.depth = 0
        self.source = rx.create(self._connect)

    def _connect(self, observer: abc.ObserverBase[int], _: abc.SchedulerBase | None) -> abc.DisposableBase:
        self.live += 1
        self.log.append(f"open {self.live}")
        assert self.depth == 0, "subscribed inside a subscription"
        self.depth += 1
        observer.on_next(self.failures)
        if self.failures:
            self.failures -= 1
            observer.on_error(ConnectionLost())
        self.depth -= 1
        return Disposable(self._close)

    def _close(self) -> None:
        self.live -= 1
        self.log.append("close")


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_retry_when_the_timer_fires_at_once_then_the_new_subscription_lives(failures: int) -> None:
    """ImmediateScheduler fires before the timer is assigned; the assignment must not dispose the new subscription, and
    the old one is disposed before the new one is made.
    """
    probe = _Probe(failures)
    items: list[int] = []
    subscription = probe.source.pipe(
        retry_with_backoff(BackoffPolicy(initial=0, jitter="none"), scheduler=ImmediateScheduler())
    ).subscribe(items.append)
    assert items == list(range(failures, -1, -1))
    assert probe.log == ["open 1", "close"] * failures + ["open 1"]
    assert probe.live == 1
    subscription.dispose()
    assert probe.live == 0


def test_retry_when_a_synchronous_source_fails_thousands_of_times_then_the_stack_does_not_grow() -> None:
    """Recursion would end at a thousand frames."""
    probe = _Probe(5_000)
    probe.source.pipe(retry_with_backoff(retry_on=lambda _: 0.0, scheduler=ImmediateScheduler())).subscribe()
    assert probe.live == 1
    assert probe.log.count("close") == 5_000


class _StubbornScheduler(TestScheduler):
    """Notes what is cancelled and runs it nevertheless: cancelling is "best effort" in Rx."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = 0

    def schedule_relative(self, duetime: Any, action: Any, state: Any = None) -> abc.DisposableBase:
        super().schedule_relative(duetime, action, state)
        return Disposable(self._cancel)

    def _cancel(self) -> None:
        self.cancelled += 1


def test_retry_when_disposed_during_a_wait_then_the_timer_is_cancelled_and_harmless_if_it_fires_still() -> None:
    """Both are needed: no timer is left behind, and one that can't be stopped any more does not connect."""
    scheduler, recorder = _StubbornScheduler(), _Recorder()
    subscription = recorder.source.pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe()
    subscription.dispose()
    assert scheduler.cancelled == 1
    scheduler.advance_to(1_000)
    assert len(recorder.schedulers) == 1


class _ElsewhereScheduler(TestScheduler):
    """Fires the first timer on another thread before ``schedule_relative`` returns; the later ones in virtual time."""

    fired = 0

    def schedule_relative(self, duetime: Any, action: Any, state: Any = None) -> abc.DisposableBase:
        self.fired += 1
        if self.fired > 1:
            return super().schedule_relative(duetime, action, state)
        disposable = Disposable()
        thread = threading.Thread(target=lambda: action(self, state))
        thread.start()
        thread.join()
        return disposable


def test_retry_when_the_timer_fires_on_another_thread_before_it_is_assigned_then_the_next_timer_survives() -> None:
    """The second attempt fails at once and sets its own timer, which the late assignment must not dispose."""
    scheduler = _ElsewhereScheduler()
    probe = _Probe(2)
    probe.source.pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe()
    assert probe.log == ["open 1", "close", "open 1", "close"]
    scheduler.advance_to(1_000)
    assert probe.log == ["open 1", "close", "open 1", "close", "open 1"]
    assert probe.live == 1


def test_retry_when_the_source_fails_on_another_thread_during_subscribe_then_it_is_retried_once() -> None:
    """The failure waits until there is something to dispose."""
    scheduler = TestScheduler()
    log: list[str] = []

    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        log.append("open")
        if len(log) == 1:
            thread = threading.Thread(target=lambda: observer.on_error(ConnectionLost()))
            thread.start()
            thread.join()
        return Disposable(lambda: log.append("close"))

    rx.create(connect).pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe()
    scheduler.advance_to(1_000)
    assert log == ["open", "close", "open"]


def test_retry_when_the_scheduler_refuses_the_wait_then_its_error_is_sent() -> None:
    """A scheduler that can't wait (or was disposed) must not leave the observer without an end."""
    ended: list[Exception] = []
    rx.throw(ConnectionLost()).pipe(retry_with_backoff(scheduler=ImmediateScheduler())).subscribe(on_error=ended.append)
    assert [type(error).__name__ for error in ended] == ["WouldBlockException"]


# A bug in an observer must not reconnect


def _counted(source: Observable[int], opened: list[float], scheduler: TestScheduler) -> Observable[int]:
    def connect(_: abc.SchedulerBase) -> Observable[int]:
        opened.append(scheduler.to_seconds(scheduler.now))
        return source

    return rx.defer(connect)


@pytest.mark.parametrize("bug", [OSError("disk full"), ConnectionLost("of another feed"), KeyError("bug")])
def test_observer_when_it_raises_in_an_asynchronous_source_then_the_producer_gets_it_and_nothing_reconnects(
    bug: Exception,
) -> None:
    """The exception goes up into whoever pushed the item, as everywhere in Rx; the subscription lives on."""
    scheduler = TestScheduler()
    opened: list[float] = []
    received: list[int] = []
    producer = Subject[int]()

    def observe(item: int) -> None:
        received.append(item)
        if item == 1:
            raise bug

    _counted(producer, opened, scheduler).pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe(observe)
    with pytest.raises(type(bug)) as raised:
        producer.on_next(1)
    assert raised.value is bug
    scheduler.advance_to(1_000)
    producer.on_next(2)
    assert received == [1, 2]
    assert opened == [0]


def _increase(item: int) -> int:
    return item + 1


def _in_subscribe(items: list[int]) -> Observable[int]:
    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        for item in items:
            observer.on_next(item)
        return Disposable()

    return rx.create(connect)


def _converting(items: list[int]) -> Observable[int]:
    """A source that takes whatever goes wrong while it pushes for a broken connection."""

    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        try:
            for item in items:
                observer.on_next(item)
        except Exception as error:
            lost = ConnectionLost("while reading")
            lost.__cause__ = error
            observer.on_error(lost)
        return Disposable()

    return rx.create(connect)


def _hiding(items: list[int]) -> Observable[int]:
    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        try:
            try:
                for item in items:
                    observer.on_next(item)
            finally:
                raise ConnectionLost("while closing")
        except StreamError as error:
            observer.on_error(error)
        return Disposable()

    return rx.create(connect)


@pytest.mark.parametrize("make", [_in_subscribe, rx.from_iterable, _converting, _hiding])
@pytest.mark.parametrize("bug", [OSError("disk full"), ConnectionLost("of another feed")])
def test_observer_when_it_raises_and_the_source_sends_it_back_as_its_error_then_nothing_reconnects(
    make: Callable[[list[int]], Observable[int]], bug: Exception
) -> None:
    """Sources catch what an observer raises and send it as their own error, even in another's clothes."""
    scheduler = TestScheduler()
    opened: list[float] = []
    ended: list[Exception] = []

    def observe(_: int) -> None:
        raise bug

    source = _counted(make([1, 2]), opened, scheduler)
    source.pipe(operators.map(_increase), retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe(
        observe, ended.append, scheduler=scheduler
    )
    scheduler.advance_to(1_000)
    assert len(opened) == 1
    [error] = ended
    assert "retry_with_backoff: raised by the observer: not retried" in error.__notes__


def test_observer_when_a_step_between_raises_then_nothing_reconnects() -> None:
    """Not only the last observer: whatever stands after the operator and lets an exception out."""
    scheduler = TestScheduler()
    opened: list[float] = []
    ended: list[Exception] = []

    def observe(_: int) -> None:
        raise OSError("disk full")

    _counted(rx.from_iterable([1]), opened, scheduler).pipe(
        retry_with_backoff(_DOUBLING, scheduler=scheduler),
        operators.map(_increase),
        operators.map(_increase),
    ).subscribe(observe, ended.append, scheduler=scheduler)
    scheduler.advance_to(1_000)
    assert len(opened) == 1
    assert [str(error) for error in ended] == ["disk full"]


def test_source_when_it_raises_inside_subscribe_then_that_is_an_error_like_any_other() -> None:
    """A socket that is refused synchronously is no bug of the observer."""
    scheduler = TestScheduler()
    opened: list[float] = []

    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        opened.append(scheduler.to_seconds(scheduler.now))
        observer.on_next(len(opened))
        if len(opened) < 3:
            raise ConnectionRefusedError("no")
        return Disposable()

    results = _run(scheduler, rx.create(connect))
    assert results.messages == [on_next(200, 1), on_next(210, 2), on_next(230, 3)]


def test_observer_when_it_handles_no_errors_then_the_fatal_one_is_raised_and_all_is_disposed() -> None:
    """Without on_error reactivex raises; nothing may go on behind it."""
    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_error(10, Refused("no")))
    source.pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe(scheduler=scheduler)
    with pytest.raises(Refused):
        scheduler.start()
    scheduler.start()
    assert source.subscriptions == [subscribe(0, 10)]


def test_observer_when_on_completed_raises_then_it_reaches_the_subscriber() -> None:
    """A bug at the very end is not swallowed either."""

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rx.empty(ImmediateScheduler()).pipe(retry_with_backoff(scheduler=TestScheduler())).subscribe(on_completed=bug)


def _broken(calls: Iterator[int]) -> Observable[int]:
    def connect(observer: abc.ObserverBase[int], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        observer.on_error(ConnectionLost())
        if next(calls):
            raise ZeroDivisionError
        return Disposable()

    return rx.create(connect)


def test_source_when_a_later_attempt_breaks_the_rules_of_rx_then_the_observer_still_gets_an_end() -> None:
    """A source that fails and then raises: loud, on the scheduler's thread, and the observer does not wait for ever."""
    scheduler = TestScheduler()
    ended: list[Exception] = []
    _broken(iter([0, 1])).pipe(retry_with_backoff(_DOUBLING, scheduler=scheduler)).subscribe(on_error=ended.append)
    with pytest.raises(ZeroDivisionError):
        scheduler.start()
    assert [type(error) for error in ended] == [ZeroDivisionError]


def test_subscription_type_when_compared_then_it_is_what_the_helpers_make() -> None:
    """``ReactiveTest.subscribe`` makes what observables record; otherwise the assertions above would be empty."""
    assert subscribe(1, 2) == Subscription(1, 2)
    assert subscribe(1, 2) != Subscription(1, 3)
