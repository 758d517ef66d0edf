"""``APIRateLimiter``: calls to a server that allows so many in so long, and bans who makes more."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from reactivex import abc

from rxstreams._durations import to_seconds
from rxstreams.errors import QuotaExceeded
from rxstreams.instants import SECOND
from rxstreams.limits._line import Place, State
from rxstreams.limits._penalty import Penalty
from rxstreams.limits._timing import clock_of, timer_of
from rxstreams.limits.admission import Admission
from rxstreams.limits.cache import Flight, SharedCalls
from rxstreams.limits.config import RateLimitConfig
from rxstreams.limits.priority import APIPriority, checked_count, checked_priority
from rxstreams.limits.stats import RateLimitStats, WindowStats
from rxstreams.limits.window import SlidingWindow

_T = TypeVar("_T")


class APIRateLimiter:
    """Makes calls to one server as fast as it allows and no faster, the urgent ones first.

    ::

        five in a period of 20; the calls take no time
        LOW      1-2-3-x-----------------6---   x: refused, LOW may fill 3 of the 5
        HIGH     ---------4-5-x--------------   x: refused, there is no room for anybody

    A call counts in every window (``SlidingWindow``) from its start until one period after it ended, and each priority
    may fill its share of them. Calls that wait (``wait=True``) go by priority, each ``ageing`` of waiting making up for
    one of it, in its turn and in its share; those of one priority by arrival. Nobody overtakes the first of them.

    When a call fails because the server says that it was one too many, the limiter is *frozen*: nobody is admitted, of
    whatever priority, for as long as the server asks, else for a backoff that grows until a call succeeds.

    One limiter may be used from any thread and any number of event loops at once; each call runs on its caller's loop.
    A loop that is closed loses its places.

    Args:
        config: what is allowed.
        name: for messages.
        scheduler: of the timers of those who wait; must be safe over threads. None: rxstreams' own, whose thread starts
            when the first one waits. With a VirtualTimeScheduler the limiter lives in its time.
        clock: seconds of any origin, for tests; must not go back. None: the scheduler's time if that is virtual, else
            the monotonic clock.
        rng: returns floats from 0.0 to below 1.0, for the jitter of the backoff.

    Raises:
        TypeError: an argument has the wrong type.

    Memory: O(limits), one entry a call of the last period, and ``cache_size`` answers.

    Example:
        >>> import asyncio
        >>> limiter = APIRateLimiter(RateLimitConfig(max_calls_per_minute=5))
        >>> async def fetch(symbol: str) -> str:
        ...     return f"price of {symbol}"
        >>> async def main() -> None:
        ...     print(await limiter.execute(fetch, "BTC/USD", priority=APIPriority.HIGH, cache_key="btc", cache_ttl=30))
        ...     print(await limiter.execute(fetch, "BTC/USD", cache_key="btc"))  # costs nothing
        >>> asyncio.run(main())
        price of BTC/USD
        price of BTC/USD
        >>> limiter.get_stats().windows[0]
        WindowStats(limit=5, period=60.0, used=1)
    """

    def __init__(
        self,
        config: RateLimitConfig | None = None,
        *,
        name: str = "",
        scheduler: abc.SchedulerBase | None = None,
        clock: Callable[[], float] | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        config = RateLimitConfig() if config is None else config
        _check_types(config, name, scheduler, clock, rng)
        self.config = config
        self.name = name
        self.scheduler = scheduler
        self._admission = Admission(
            [SlidingWindow(limit, period) for limit, period in config.limits],
            [[config.ceiling(priority, limit) for limit, _ in config.limits] for priority in APIPriority],
            ageing=None if config.ageing is None else round(config.ageing * SECOND),
            clock=clock_of(scheduler, clock),
            start_timer=timer_of(scheduler),
        )
        self._calls = SharedCalls(config.cache_size, self._admission.clock)
        self._penalty = Penalty(config, rng, self._admission.clock())

    async def execute(
        self,
        fn: Callable[..., Awaitable[_T]],
        *args: object,
        priority: APIPriority = APIPriority.MEDIUM,
        weight: int = 1,
        cache_key: Hashable | None = None,
        cache_ttl: float | timedelta | None = None,
        wait: bool = False,
        **kwargs: object,
    ) -> _T:
        """Return what ``await fn(*args, **kwargs)`` returns, called when there is room for it.

        In this order: a fresh answer from the cache costs nothing; a call of the same key that is on its way is joined,
        and goes at the most urgent priority of those who share it; else the call is made, refused, or made to wait.

        Args:
            fn: makes the call, on this loop.
            args: for it.
            priority: which share of the windows it may fill, and its turn.
            weight: what the server charges for it.
            cache_key: of the answer; hashable. None: it is neither cached nor shared.
            cache_ttl: seconds or timedelta for which other callers get this answer without a call; None: not kept.
            wait: when it can't be made now, whether to wait for its turn, and after a rate-limit error to try again,
                for as long as it takes (``asyncio.timeout`` bounds it; whoever is cancelled leaves its place to
                others).
            kwargs: for ``fn``; those of the same names as the options above can't be given, use functools.partial.

        Raises:
            QuotaExceeded: there is no room for it, the limiter is frozen, or a call as urgent or more is waiting; with
                ``wait``: ``max_waiting`` calls wait already. Nothing was sent.
            TypeError: an argument has the wrong type, or ``fn`` returned nothing that can be awaited.
            ValueError: a value is out of its range, or the weight is more than the priority's share can ever hold.
            Exception: whatever ``fn`` raises, to all who share the call; it is not cached.
        """
        _check_function("fn", fn)
        lifetime = self._check_cache(cache_key, cache_ttl)
        self._check(priority, weight)
        since = self._admission.clock()
        make = functools.partial(fn, *args, **kwargs)

        async def call(flight: Flight | None = None) -> _T:
            rank = int(priority) if flight is None else flight.rank
            place = await self._enter(rank, weight, since, wait, flight)
            return await self._make(place, make)

        while True:
            try:
                if cache_key is None:
                    return await call()
                return await self._calls.get(cache_key, lifetime, int(priority), call)
            except QuotaExceeded:
                raise
            except Exception as error:
                if not (wait and self._penalty.concerns(error)):
                    raise

    def acquire(
        self, *, priority: APIPriority = APIPriority.MEDIUM, weight: int = 1, wait: bool = True
    ) -> AbstractAsyncContextManager[None]:
        """Return a context, for ``async with``, in which one call may be made by other means than ``execute``.

        A rate-limit error that leaves it freezes the limiter.

        Args:
            priority: as for ``execute``.
            weight: as for ``execute``.
            wait: whether entering waits for room.

        Raises:
            QuotaExceeded: when entered, as for ``execute``.
            TypeError: an argument has the wrong type.
            ValueError: a value is out of its range.
        """
        self._check(priority, weight)
        return self._hold(int(priority), weight, wait)

    def observe(self, used: int, period: float | timedelta = 60.0) -> None:
        """Take the server's own count, as its answers state it (Binance: ``x-mbx-used-weight-1m``).

        Where it is larger than ours, others share the limit: the difference counts for one period from now.

        Args:
            used: weight that the server has counted in the window.
            period: which window, by its length in seconds or timedelta.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: ``used`` is negative, or there is no window of that length.
        """
        checked_count("used", used, least=0)
        seconds = to_seconds("period", period)
        windows = [window for window in self._admission.windows if window.period == seconds]
        if not windows:
            known = ", ".join(f"{window.period:g}" for window in self._admission.windows)
            raise ValueError(f"period must be that of a window ({known} s), got {period!r}")
        for window in windows:
            self._admission.observe(window, used)

    def freeze(self, duration: float | timedelta) -> None:
        """Admit nobody, of whatever priority, for so long from now; an earlier freeze that ends later stands.

        Args:
            duration: seconds or timedelta.

        Raises:
            TypeError: it is neither.
            ValueError: it is negative or not finite.
        """
        self._admission.freeze(round(to_seconds("duration", duration) * SECOND))

    def get_stats(self) -> RateLimitStats:
        """Return how it stands now."""
        admission, calls = self._admission, self._calls
        return RateLimitStats(
            windows=tuple(
                WindowStats(limit=window.limit, period=window.period, used=used)
                for window, used in zip(admission.windows, admission.used(), strict=True)
            ),
            running=admission.running,
            waiting=admission.waiting,
            frozen_for=admission.frozen_for() / SECOND,
            admitted=admission.admitted,
            refused=admission.refused,
            rate_limited=self._penalty.count,
            cached=calls.hits,
            joined=calls.joined,
        )

    def __repr__(self) -> str:
        limits = ", ".join(f"{limit} in {period:g} s" for limit, period in self.config.limits)
        return f"APIRateLimiter({self.name!r}, {limits})"

    @asynccontextmanager
    async def _hold(self, rank: int, weight: int, wait: bool) -> AsyncGenerator[None]:
        place = await self._enter(rank, weight, self._admission.clock(), wait)
        try:
            yield
        except BaseException as error:
            self._fail(place, error)
            raise
        self._succeed(place)

    async def _enter(self, rank: int, weight: int, since: int, wait: bool, flight: Flight | None = None) -> Place:
        """Return an admitted place."""
        loop = asyncio.get_running_loop()
        granted = loop.create_future()
        place = Place(
            rank,
            weight,
            since,
            wake=lambda _: loop.call_soon_threadsafe(_resolve, granted),
            is_gone=loop.is_closed,
        )
        self._admission.queue(place, self.config.max_waiting if wait else 0)
        if place.state is State.RUNNING:
            return place
        try:
            if flight is not None:
                flight.on_hurry = functools.partial(self._admission.promote, place)
                # Who joined before that could not tell.
                self._admission.promote(place, flight.rank)
            await granted
            if not self._admission.take(place):
                raise RuntimeError("a place was taken back although its loop lives")
        except BaseException:
            self._admission.leave([place])
            raise
        finally:
            if flight is not None:
                flight.on_hurry = None
        return place

    async def _make(self, place: Place, make: Callable[[], Awaitable[_T]]) -> _T:
        try:
            answer = make()
            if not inspect.isawaitable(answer):
                raise TypeError(f"fn must be an async function, got one that returned {answer!r}")
            value = await answer
        except BaseException as error:
            self._fail(place, error)
            raise
        self._succeed(place)
        return value

    def _succeed(self, place: Place) -> None:
        self._admission.leave([place])
        self._penalty.forgive(place.entered)

    def _fail(self, place: Place, error: BaseException) -> None:
        late = self._penalty.lateness(error)
        try:
            if self._penalty.concerns(error):
                late = 0.0
                # Frozen first: nobody may take the place that becomes free.
                self.freeze(self._penalty.pause(error, place.entered, self._admission.clock()))
        finally:
            self._admission.leave([place], round(late * SECOND))

    def _check(self, priority: APIPriority, weight: int) -> None:
        """Raise what a call of that priority and weight would raise for being impossible.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the weight is less than 1, or more than the priority's share can ever hold.
        """
        heaviest = self._admission.heaviest(checked_priority(priority))
        if checked_count("weight", weight) > heaviest:
            raise ValueError(
                f"weight must be at most {heaviest}, all that {priority.name} may fill of the smallest window, "
                f"got {weight!r}: it would never be admitted"
            )

    def _check_cache(self, key: Hashable | None, ttl: float | timedelta | None) -> int:
        """Return the time for which the answer is fresh, in the clock's units."""
        hash(key)  # raises a TypeError that says what is wrong
        if ttl is None:
            return 0
        if key is None:
            raise ValueError(f"cache_ttl needs a cache_key, got cache_ttl={ttl!r} without one")
        return round(to_seconds("cache_ttl", ttl) * SECOND)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _check_types(config: object, name: object, scheduler: object, clock: object, rng: object) -> None:
    if not isinstance(config, RateLimitConfig):
        raise TypeError(f"config must be a RateLimitConfig or None (the defaults), got {config!r}")
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    if scheduler is not None and not isinstance(scheduler, abc.SchedulerBase):
        raise TypeError(f"scheduler must be a scheduler or None (rxstreams' own), got {scheduler!r}")
    if clock is not None:
        _check_function("clock", clock)
    _check_function("rng", rng)


def _check_function(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}")
