"""From ``start`` to the end: the manager's own subscription to its Stream, and those of its callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import cast

from reactivex import Observer
from reactivex.disposable import SingleAssignmentDisposable

from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._hub import Hub
from rxstreams.sources.stream import Stream
from rxstreams.states import StreamState

_SETTLED = frozenset({StreamState.STREAMING, StreamState.STALE, StreamState.BACKING_OFF})

TickCallback = Callable[[PriceTick], object]


class ManagerRun:
    """One run of a manager: the one subscription to its Stream that all callbacks share.

    A callback that came as a subscription of its own just after the feed has failed would start it anew.

    Attributes:
        is_stopping: whether the end was asked for.
    """

    def __init__(
        self, stream: Stream[PriceTick], scheduler: EventLoopThreadScheduler, callbacks: Iterable[TickCallback]
    ) -> None:
        self.is_stopping = False
        self._scheduler = scheduler
        self._hub: Hub[PriceTick] = Hub(f"{stream.venue.name}.on_tick", stream._on_observer_error)
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._states = SingleAssignmentDisposable()
        for callback in callbacks:
            self.add(callback)
        stream.subscribe(self._hub.on_next, self._on_error, self._on_completed)
        self._states.disposable = stream.states.subscribe(self._on_state)

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._ended.done()

    def add(self, callback: TickCallback) -> None:
        """Send every tick from now on to a callback."""
        observer = Observer(cast("Callable[[PriceTick], None]", callback), _ignore)
        self._scheduler.post(self._hub.add, observer)

    async def wait_until_ready(self) -> None:
        """Wait for the first attempt to connect: it has succeeded, or the next is waited for, or there is none."""
        await _wait_for(self._ready)

    async def wait_for_end(self) -> None:
        """Wait until it is over."""
        await _wait_for(self._ended)

    # On the feed's thread

    def _on_state(self, state: StreamState) -> None:
        # The first one may still be that of the run before, which is none of these.
        if state in _SETTLED and not self._ready.done():
            self._ready.set_result(None)
            self._states.dispose()

    def _on_error(self, error: Exception) -> None:
        self._ended.set_result(None)  # first: who is told of the error may start anew at once
        self._states.dispose()
        if self._ready.done():
            raise error  # nobody waits for it: the feed logs an error that nobody handles
        self._ready.set_exception(error)

    def _on_completed(self) -> None:
        self._ended.set_result(None)
        self._states.dispose()
        if not self._ready.done():
            self._ready.set_result(None)


async def _wait_for(event: Future[None]) -> None:
    """Wait for it on the running loop; that a waiter is cancelled does not touch the event."""
    own: Future[None] = Future()

    def hand_on(event: Future[None]) -> None:
        if own.set_running_or_notify_cancel():
            error = event.exception()
            if error is None:
                own.set_result(None)
            else:
                own.set_exception(error)

    event.add_done_callback(hand_on)
    await asyncio.wrap_future(own)


def _ignore(error: Exception) -> None:
    """The hub has logged what the callback raised."""
