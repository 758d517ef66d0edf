"""Answers that are kept for a while, and calls that are shared while they are on their way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import NamedTuple, TypeVar, cast

from cachetools import TLRUCache

from rxstreams.errors import QuotaExceeded

_T = TypeVar("_T")

# How often a caller on another loop looks whether the loop of the call that it shares was closed.
_POLL = 1.0


class _Kept(NamedTuple):
    """An answer, and the time for which it is fresh."""

    value: object
    lifetime: float


class _Outcome(NamedTuple):
    """How a call ended; neither: nobody knows, its task was cancelled or its loop closed."""

    kept: _Kept | None = None
    error: Exception | None = None


class Flight:
    """A call on its way, shared by all who ask for the same key.

    Args:
        loop: that it runs on.
        rank: priority of whoever asked first.

    Attributes:
        rank: the most urgent priority of those who share it.
        on_hurry: called with the rank of each who joins, while it waits; None: it does not.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, rank: int) -> None:
        self.loop = loop
        self.rank = rank
        self.on_hurry: Callable[[int], object] | None = None
        self.outcome: _Outcome | None = None
        self.task: asyncio.Task[None] | None = None
        self.callers: list[asyncio.Future[None]] = []

    def cancel(self) -> None:
        """End it, from whatever thread."""
        if self.task is not None:
            with suppress(RuntimeError):  # its loop was closed
                self.loop.call_soon_threadsafe(self.task.cancel)


class SharedCalls:
    """Answers by key: fresh ones at once, one call at a time for the others, shared by all who ask meanwhile.

    An exception goes to all who share the call and is not kept. A caller who is cancelled leaves the others alone; with
    the last one the call is cancelled too. A call that its own loop does not bring to an end (it was closed, or its
    tasks were cancelled) is taken over by one of those who wait on another.

    Args:
        size: answers kept at most; the least recently used goes first.
        clock: any unit; never goes back.

    Memory: O(size) answers and O(calls on their way).
    """

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self.hits = 0
        self.joined = 0
        self._kept: TLRUCache[Hashable, _Kept] = TLRUCache(size, lambda _, kept, now: now + kept.lifetime, timer=clock)
        self._flights: dict[Hashable, Flight] = {}
        # Reentrant, since a finaliser of a task that died with its loop may come at any point of this very thread.
        self._lock = threading.RLock()

    async def get(self, key: Hashable, lifetime: float, rank: int, call: Callable[[Flight], Awaitable[_T]]) -> _T:
        """Return the answer of that key.

        Args:
            key: of the answer.
            lifetime: for which it is fresh, by the clock, if it is this caller's call that is made; 0: not kept.
            rank: how urgent it is.
            call: made at most once, on this loop; QuotaExceeded of it concerns its own caller only.
        """
        loop = asyncio.get_running_loop()
        while True:
            mine = False
            with self._lock:
                with suppress(KeyError):  # not get(), which fails if the answer expires in the middle of it
                    value = self._kept[key].value
                    self.hits += 1
                    return cast(_T, value)
                flight = self._flights.get(key)
                if flight is None:
                    flight = self._flights[key] = Flight(loop, rank)
                    mine = True
                else:
                    flight.rank = min(flight.rank, rank)
                    self.joined += 1
                seat = loop.create_future()
                flight.callers.append(seat)
            try:
                if mine:
                    flight.task = loop.create_task(self._fly(key, flight, lifetime, call))
                elif flight.on_hurry is not None:
                    flight.on_hurry(rank)
                await self._landing(flight, seat)
            except BaseException:
                self._leave(key, flight, seat)
                raise
            outcome = flight.outcome or _Outcome()
            if outcome.kept is not None:
                return cast(_T, outcome.kept.value)
            if outcome.error is not None and (mine or not isinstance(outcome.error, QuotaExceeded)):
                raise outcome.error
            if mine:
                raise asyncio.CancelledError
            self._forget(key, flight)

    async def _landing(self, flight: Flight, seat: asyncio.Future[None]) -> None:
        """Wait until the flight has ended, or its loop was closed."""
        foreign = flight.loop is not asyncio.get_running_loop()
        while flight.outcome is None and not (foreign and flight.loop.is_closed()):
            await asyncio.wait([seat], timeout=_POLL if foreign else None)

    async def _fly(
        self, key: Hashable, flight: Flight, lifetime: float, call: Callable[[Flight], Awaitable[_T]]
    ) -> None:
        try:
            outcome = _Outcome(kept=_Kept(await call(flight), lifetime))
        except Exception as error:
            outcome = _Outcome(error=error)
        except BaseException:
            self._land(key, flight, _Outcome())
            raise
        self._land(key, flight, outcome)

    def _land(self, key: Hashable, flight: Flight, outcome: _Outcome) -> None:
        with self._lock:
            if outcome.kept is not None and outcome.kept.lifetime > 0:
                self._kept[key] = outcome.kept
            self._forget(key, flight)
            flight.outcome = outcome
            callers = list(flight.callers)
        for seat in callers:
            with suppress(RuntimeError):  # the caller's loop was closed
                seat.get_loop().call_soon_threadsafe(_wake, seat)

    def _leave(self, key: Hashable, flight: Flight, seat: asyncio.Future[None]) -> None:
        with self._lock:
            flight.callers.remove(seat)
            if flight.callers or flight.outcome is not None:
                return
            self._forget(key, flight)  # at once: nobody may join a call that is being cancelled
        flight.cancel()

    def _forget(self, key: Hashable, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]


def _wake(seat: asyncio.Future[None]) -> None:
    if not seat.done():
        seat.set_result(None)
