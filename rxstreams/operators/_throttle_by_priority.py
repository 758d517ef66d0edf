"""``throttle_by_priority``: items go when a limiter admits them, most urgent first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, get_args

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.limits import APIPriority, APIRateLimiter
from rxstreams.limits.priority import checked_count, checked_priority
from rxstreams.operators._default_scheduler import default_scheduler
from rxstreams.operators._waiting_room import ThrottleOverflow, WaitingRoom

_T = TypeVar("_T")


def throttle_by_priority(
    limiter: APIRateLimiter,
    *,
    priority: APIPriority | Callable[[_T], APIPriority],
    weight: int | Callable[[_T], int] = 1,
    maxsize: int = 10_000,
    overflow: ThrottleOverflow = "error",
    on_drop: Callable[[_T], object] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Hold items until the limiter admits them: the most urgent first, those of one priority as they came.

    ::

        source       -a-b-c-H-d----------------|     the limiter allows two in a period of 10
        result       -a-b-------H-c-------d----|     a and b go at once; H, more urgent, overtakes c

    Items wait in the limiter's own line, together with all else that waits for it (other streams, ``execute``,
    ``acquire``), so the order holds over all its users. While the limiter is frozen nothing goes.

    Args:
        limiter: admits them. What counts towards its windows is an item's weight, from its admission until one period
            after the observer's ``on_next`` has returned: do there what the server counts, or start it there.
        priority: which share of the limits an item may fill, and its turn; or a function of the item.
        weight: what the server charges for it; or a function of the item.
        maxsize: items that may be held at a time.
        overflow: what happens when one more comes. "error": BufferOverflow, and what is held is dropped; "drop_oldest":
            the one held longest is dropped; "drop_lowest": the one whose turn is last is dropped, perhaps itself.
        on_drop: called with every item that overflows, on the source's thread; None: nobody is told.
        scheduler: on whose thread items go out, one that does not run things while they are scheduled. None: the one
            that is given to ``subscribe``, else the limiter's, else rxstreams' own. In virtual time the limiter needs
            the same one.

    Emits:
        The source's items, on the scheduler. Completes when the source has and nothing is held any more. An error of
        the source passes on at once, and what is held is dropped.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is out of its range, or the weight is more than the priority's share can ever hold.

    Errors:
        BufferOverflow: as asked for by ``overflow="error"``. ValueError or TypeError: an item's weight could never be
        admitted, or its priority is none. Whatever ``priority``, ``weight`` or ``on_drop`` raises.

    Memory: O(maxsize). How many were dropped is logged once, as a warning, when the subscription ends.

    Example:
        >>> import reactivex
        >>> from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig
        >>> from rxstreams.operators import throttle_by_priority
        >>> limiter = APIRateLimiter(RateLimitConfig(max_calls_per_minute=5))
        >>> orders = reactivex.of("buy", "sell").pipe(throttle_by_priority(limiter, priority=APIPriority.CRITICAL))
        >>> orders.run()
        'sell'
    """
    _check_options(limiter, overflow, on_drop, scheduler)
    checked_count("maxsize", maxsize)
    if not callable(weight):
        # Where the priority is a function it may say CRITICAL, which can fill most.
        limiter._check(APIPriority.CRITICAL if callable(priority) else priority, weight)
    elif not callable(priority):
        checked_priority(priority)
    priority_of: Callable[[_T], APIPriority] = priority if callable(priority) else lambda _: priority
    weight_of: Callable[[_T], int] = weight if callable(weight) else lambda _: weight

    def place_of(item: _T) -> tuple[int, int]:
        urgency, cost = priority_of(item), weight_of(item)
        limiter._check(urgency, cost)
        return int(urgency), cost

    def operator(source: Observable[_T]) -> Observable[_T]:
        def subscribe(
            observer: abc.ObserverBase[_T], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            room = WaitingRoom(
                observer,
                limiter._admission,
                place_of,
                maxsize=maxsize,
                overflow=overflow,
                on_drop=on_drop,
                scheduler=scheduler or scheduler_ or limiter.scheduler or default_scheduler(),
            )
            subscription = source.subscribe(room.add, room.fail, room.complete, scheduler=scheduler_)
            return CompositeDisposable(Disposable(room.close), subscription)

        return Observable(subscribe)

    return operator


def _check_options(limiter: object, overflow: object, on_drop: object, scheduler: object) -> None:
    if not isinstance(limiter, APIRateLimiter):
        raise TypeError(f"limiter must be an APIRateLimiter, got {limiter!r}")
    if overflow not in get_args(ThrottleOverflow):
        raise ValueError(f"overflow must be one of {', '.join(get_args(ThrottleOverflow))}, got {overflow!r}")
    if on_drop is not None and not callable(on_drop):
        raise TypeError(f"on_drop must be a function or None, got {on_drop!r}")
    if scheduler is not None and not isinstance(scheduler, abc.SchedulerBase):
        raise TypeError(f"scheduler must be a scheduler or None, got {scheduler!r}")
