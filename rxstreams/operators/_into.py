"""``into``: a tee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from reactivex import Observable, abc

from rxstreams.errors import ObserverError

_T = TypeVar("_T")
_T_contra = TypeVar("_T_contra", contravariant=True)


class Sink(Protocol[_T_contra]):
    """Whatever can be told of items and of their end; every Observer is one."""

    def on_next(self, value: _T_contra, /) -> object:
        """Take an item."""
        ...

    def on_error(self, error: Exception, /) -> object:
        """Take the error that ends the items."""
        ...

    def on_completed(self) -> object:
        """Take their end."""
        ...


def into(sink: Sink[_T]) -> Callable[[Observable[_T]], Observable[_T]]:
    """Pass everything on, and to a sink first.

    ::

        source      --1--2--3--|
        sink gets   --1--2--3--|
        into(sink)  --1--2--3--|

    Items, error and completion reach the sink before anyone after it, in the same call. Put it behind
    ``retry_with_backoff``, or every attempt's error is the sink's.

    Args:
        sink: a buffer, an Observer, a Subject: anything with on_next, on_error and on_completed. It gets the items of
            every subscription; what it gets when the result is disposed is nothing.

    Emits:
        The items of the source, the same objects. Completes and fails with it.

    Raises:
        TypeError: the sink lacks one of the three methods.

    Errors:
        ObserverError: the sink raised on an item or on completion; the cause is its exception. Nothing more goes to it,
        and the item goes no further. If it raises on the source's error, that error passes all the same, with a note.

    Memory: O(1); the sink has its own.

    Example:
        >>> import reactivex
        >>> from rxstreams.items import PriceTick
        >>> from rxstreams.operators import into, to_ohlc
        >>> from rxstreams.sinks import OHLCBuffer
        >>> buffer = OHLCBuffer("BTC/USD", "1m")
        >>> ticks = reactivex.of(PriceTick(symbol="BTC/USD", price=105_000, timestamp=0))
        >>> ticks.pipe(into(buffer), to_ohlc("5m")).run().timeframe
        Timeframe('5m')
        >>> len(buffer)
        1
    """
    _check(sink)

    def operator(source: Observable[_T]) -> Observable[_T]:
        def subscribe(observer: abc.ObserverBase[_T], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            keep, send = sink.on_next, observer.on_next
            has_failed = False

            def fail(error: Exception) -> None:
                nonlocal has_failed
                has_failed = True
                bug = ObserverError(f"the sink of into, {sink!r}, raised {error!r}")
                bug.__cause__ = error
                observer.on_error(bug)

            def on_next(item: _T) -> None:
                if has_failed:  # a source that is being subscribed to can't be stopped yet
                    return
                try:
                    keep(item)
                except Exception as error:
                    fail(error)
                    return
                send(item)

            def on_error(error: Exception) -> None:
                if has_failed:
                    return
                try:
                    sink.on_error(error)
                except Exception as bug:
                    error.add_note(f"the sink of into, {sink!r}, raised {bug!r} when it was told")
                observer.on_error(error)

            def on_completed() -> None:
                if has_failed:
                    return
                try:
                    sink.on_completed()
                except Exception as error:
                    fail(error)
                    return
                observer.on_completed()

            return source.subscribe(on_next, on_error, on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return operator


def _check(sink: object) -> None:
    missing = [name for name in ("on_next", "on_error", "on_completed") if not callable(getattr(sink, name, None))]
    if missing:
        raise TypeError(f"a sink must have on_next, on_error and on_completed; {sink!r} has no {', '.join(missing)}")
