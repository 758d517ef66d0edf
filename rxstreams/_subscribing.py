"""Two things that everybody who subscribes from outside of Rx needs."""

from __future__ import annotations

from typing import TypeVar

from reactivex.abc import ObservableBase, ObserverBase, SchedulerBase
from reactivex.disposable import SingleAssignmentDisposable
from reactivex.scheduler import CurrentThreadScheduler

_T = TypeVar("_T")


def subscribe_held(source: ObservableBase[_T], observer: ObserverBase[_T], held: SingleAssignmentDisposable) -> None:
    """Subscribe, and have the subscription in ``held`` before the first item, not only when ``subscribe`` returns.

    A source that emits while it is subscribed to may never return from it; it must be possible to dispose it.
    """

    def subscribe(_: SchedulerBase | None = None, __: object = None) -> None:
        held.disposable = source.subscribe(observer)

    # Inside a trampoline subscribe returns at once, and what such a source emits comes after; reactivex's own
    # subscribe opens the same trampoline, but keeps the subscription to itself until the trampoline is empty.
    trampoline = CurrentThreadScheduler.singleton()
    if trampoline.schedule_required():
        trampoline.schedule(subscribe)
    else:
        subscribe()


def to_exception(error: object) -> Exception:
    """Return what came through ``on_error`` as something that can be raised; reactivex lets anything through."""
    return error if isinstance(error, Exception) else RuntimeError(f"the source failed with {error!r}")
