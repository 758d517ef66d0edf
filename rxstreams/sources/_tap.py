"""What is told about a feed, as an Observable that does not connect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from reactivex import Observable, abc
from reactivex.internal import DisposedException

from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._hub import Hub
from rxstreams.sources._observer import FeedObserver

_T = TypeVar("_T")


def tap(hub: Hub[_T], scheduler: EventLoopThreadScheduler, *, first: Callable[[], _T] | None = None) -> Observable[_T]:
    """Return what a hub sends from the moment of subscribing on.

    Args:
        hub: whose thread is the scheduler's.
        scheduler: its loop.
        first: what each observer is sent at once; None: nothing.

    Raises:
        DisposedException: on subscribing, if the scheduler was disposed.
    """

    def subscribe(observer: abc.ObserverBase[_T], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        subscription: FeedObserver[Any] = FeedObserver(cast("Any", observer))

        def attach() -> None:
            if not subscription.disposed:
                hub.add(subscription)
                if first is not None:
                    hub.send(subscription, first())

        class _Disposal(abc.DisposableBase):
            def dispose(self) -> None:
                subscription.disposed = True
                scheduler.post(hub.remove, subscription)

        if not scheduler.post(attach):
            raise DisposedException(f"{hub.name}: its scheduler was disposed, so nothing would ever come")
        return _Disposal()

    return Observable(subscribe)
