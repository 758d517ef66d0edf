"""``retry_with_backoff``: subscribe again after an error, later and later."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TypeAlias, TypeVar, cast

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, SerialDisposable, SingleAssignmentDisposable

from rxstreams._durations import to_seconds
from rxstreams.backoff import BackoffPolicy
from rxstreams.errors import StreamError
from rxstreams.operators._default_scheduler import default_scheduler

_T = TypeVar("_T")

RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float | timedelta]


@dataclass(frozen=True, kw_only=True)
class RetryInfo:
    """A retry that was decided on; what ``on_retry`` is given.

    Args:
        attempt: its number since the last reset, from 1.
        wait: seconds until it.
        error: what ended the attempt before.
        uptime: seconds that the connection before had been open.
    """

    attempt: int
    wait: float
    error: Exception
    uptime: float


def retry_with_backoff(
    policy: BackoffPolicy = BackoffPolicy(),  # noqa: B008  # immutable, so one for all is right
    *,
    retry_on: RetryOn = (OSError, TimeoutError),
    on_retry: Callable[[RetryInfo], object] | None = None,
    rng: Callable[[], float] = random.random,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Re-subscribe to the source after a retryable error, each time after a longer pause.

    ::

        source   --1--2--X        (subscribed again)
                                  --3--X            (and again)
                                                    --4--5--|
        result   --1--2-----------3-----------------4--5--|
                         <- wait ->    <-   wait   ->

    A ``StreamError`` carries its own verdict: whether to retry, and limits on the wait. Errors of other libraries are
    judged by ``retry_on``; what it does not name is taken for a bug and passes at once. An exception that the observer
    raised is never retried, whatever its class and however the source passes it on: its bug must not reconnect.

    Use it before ``share``, never after: a shared source that has failed stays silent for ever.

    Args:
        policy: how the waits grow and when to give up.
        retry_on: which errors that are no StreamError are retried: an exception class, several, or a function of the
            error that decides over all errors: True, False, or the very wait in seconds or as a timedelta (bound by
            ``policy.max_attempts`` only).
        on_retry: called with a ``RetryInfo`` before each wait; None: nobody is told.
        rng: returns floats from 0.0 to below 1.0.
        scheduler: for the waits; None: the one that is given to ``subscribe``, else rxstreams' own.

    Emits:
        What the source emits, passed straight through. Completes with the source. The old subscription is disposed
        before the next one is made, and nothing is subscribed once the result is disposed.

    Raises:
        TypeError: an argument is of the wrong type.

    Errors:
        The source's own error, the same object, when it is not retried; a note on it tells the number of attempts. What
        ``retry_on`` or ``on_retry`` raised, and a TypeError or ValueError if ``retry_on`` returned no verdict.

    The connection's uptime, which resets the count of attempts, is what a StreamError says; for other errors it is the
    time since the subscription, by the scheduler's clock.

    Memory: O(1), and nothing grows with the number of attempts, the stack included.

    Example:
        >>> import reactivex as rx
        >>> attempts = iter([rx.throw(ConnectionResetError()), rx.of(1, 2)])
        >>> source = rx.defer(lambda _: next(attempts))
        >>> source.pipe(retry_with_backoff(BackoffPolicy(initial=0.01))).run()
        2
    """
    _check_policy(policy)
    judge = _judge(retry_on)
    _check_function("rng", rng)
    if on_retry is not None:
        _check_function("on_retry", on_retry)

    def operator(source: Observable[_T]) -> Observable[_T]:
        def subscribe(
            observer: abc.ObserverBase[_T], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = scheduler or scheduler_ or default_scheduler()
            backoff = policy.start(rng)
            subscription, timer = SerialDisposable(), SerialDisposable()
            disposables = CompositeDisposable(subscription, timer)
            in_turn = _InTurn()

            def connect() -> None:
                if subscription.is_disposed:
                    return
                opened = clock.now
                current = SingleAssignmentDisposable()
                subscription.disposable = current  # disposes the old one first
                try:
                    current.disposable = source.subscribe(
                        observer.on_next,
                        lambda error: in_turn(lambda: fail(error, max(0.0, (clock.now - opened).total_seconds()))),
                        observer.on_completed,
                        scheduler=scheduler_,
                    )
                except Exception as bug:
                    observer.on_error(bug)  # does nothing if the observer has been told of an end already
                    raise

            def fail(error: Exception, lasted: float) -> None:
                if subscription.is_disposed:
                    return
                try:
                    given_up = not retry(error, error.uptime if isinstance(error, StreamError) else lasted)
                except Exception as bug:
                    observer.on_error(bug)
                    return
                if given_up:
                    observer.on_error(error)

            def retry(error: Exception, uptime: float) -> bool:
                if _went_through(error, observer):
                    _note(error, "raised by the observer: not retried")
                    return False
                wait = backoff.next_wait(error, uptime=uptime, verdict=judge(error))
                if wait is None:
                    _note(error, f"gave up after attempt {backoff.attempts + 1} in a row: {backoff.reason}")
                    return False
                if on_retry is not None:
                    on_retry(RetryInfo(attempt=backoff.attempts, wait=wait, error=error, uptime=uptime))
                # Should the timer fire before it is assigned: connect waits for its turn, which comes after this.
                timer.disposable = clock.schedule_relative(wait, on_time)
                return True

            def on_time(_scheduler: abc.SchedulerBase, _state: object = None) -> None:
                in_turn(connect)

            try:
                in_turn(connect)
            except BaseException:
                disposables.dispose()
                raise
            return disposables

        return Observable(subscribe)

    return operator


class _InTurn:
    """Run functions one after the other, each to its end, in whatever thread and however deep they are called.

    So an attempt that fails inside ``subscribe`` is dealt with after ``subscribe`` has returned, when there is
    something to dispose; a timer that fires at once can't overtake its own assignment; and a thousand failures in a
    row do not fill the stack.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_running = False

    def __call__(self, function: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(function)
            if self._is_running:
                return
            self._is_running = True
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                function = self._waiting.popleft()
            function()  # what it raises is the end: nothing of this subscription may run after it


def _judge(retry_on: RetryOn) -> Callable[[Exception], bool | float | None]:
    """Return the function that gives the verdict on an error; None: the error's own."""
    classes = _exception_classes(retry_on)
    if classes is not None:
        return lambda error: None if isinstance(error, StreamError) else isinstance(error, classes)
    _check_function("retry_on, if it names no class of exceptions,", retry_on)
    decide = cast(Callable[[Exception], object], retry_on)

    def judge(error: Exception) -> bool | float:
        verdict = decide(error)
        if isinstance(verdict, bool):
            return verdict
        return to_seconds("what retry_on returns (True, False or a wait)", verdict)

    return judge


def _exception_classes(value: object) -> tuple[type[Exception], ...] | None:
    """Return the classes that are named; None: it is neither a class nor a tuple."""
    if not isinstance(value, (type, tuple)):
        return None
    classes: list[type[Exception]] = []
    for each in cast(tuple[object, ...], value) if isinstance(value, tuple) else (value,):
        if not (isinstance(each, type) and issubclass(each, Exception)):
            raise TypeError(f"retry_on must name classes of exceptions, got {each!r}")
        classes.append(each)
    return tuple(classes)


def _check_policy(value: object) -> None:
    if not isinstance(value, BackoffPolicy):
        raise TypeError(f"policy must be a BackoffPolicy, got {value!r}")


def _check_function(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}")


def _went_through(error: Exception, observer: abc.ObserverBase[_T]) -> bool:
    """Whether the error, or what caused it, was raised while the observer was handling an item.

    Sources turn what an observer raises into ``on_error`` (reactivex's from_iterable and subscribe do), so it comes
    back here as if the source had failed; its traceback tells the difference, and costs nothing while all is well.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if _passes(cause.__traceback__, observer):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _passes(traceback: TracebackType | None, observer: abc.ObserverBase[_T]) -> bool:
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == "on_next" and frame.f_locals.get("self") is observer:
            return True
        traceback = traceback.tb_next
    return False


def _note(error: Exception, text: str) -> None:
    note = f"retry_with_backoff: {text}"
    # A source may send one and the same error to every subscriber.
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
