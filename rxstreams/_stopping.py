"""How ``run`` reaches the feeds behind a chain of operators, to end them gracefully.

Through a pipe nobody can see the source. But a source is subscribed to inside the call of ``subscribe``: ``run`` leaves
its ``Stops`` in a context variable there, and whoever can end gracefully registers with it.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
from collections.abc import Callable

from reactivex.abc import DisposableBase
from reactivex.disposable import Disposable

_log = logging.getLogger("rxstreams.bridge")

# Contexts travel on with everything that asyncio schedules, so a subscription that is made later on a scheduler's
# thread (by concat, by a retry) finds the Stops of its run too.
_current: contextvars.ContextVar[Stops | None] = contextvars.ContextVar("rxstreams_stops", default=None)


class Stops:
    """The functions that end the sources of one ``run``; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._functions: dict[object, Callable[[], None]] = {}
        self._stopping = False
        self._closed = False

    def make_current(self) -> None:
        """Have ``register_stoppable`` find this one, in the calling context."""
        _current.set(self)

    def add(self, stop: Callable[[], None]) -> DisposableBase:
        """Register a function; what is returned takes it back."""
        key = object()
        # In the context of the subscription: what a chain subscribes to when this source completes finds us too.
        function = functools.partial(contextvars.copy_context().run, stop)
        with self._lock:
            if self._closed:
                return Disposable()
            self._functions[key] = function
            stopping = self._stopping
        if stopping:
            _start(function)
        return Disposable(lambda: self._remove(key))

    def stop(self) -> bool:
        """Call every registered function, all at the same time; return whether there was one. Does not wait."""
        with self._lock:
            self._stopping = True
            functions = list(self._functions.values())
        for function in functions:
            _start(function)
        return bool(functions)

    def close(self) -> None:
        """Forget everything: the run is over."""
        with self._lock:
            self._closed = True
            self._functions.clear()

    def _remove(self, key: object) -> None:
        with self._lock:
            self._functions.pop(key, None)


def register_stoppable(stop: Callable[[], None]) -> DisposableBase:
    """Let ``run`` end this source gracefully on Ctrl-C; for sources, to be called last in their ``subscribe``.

    Args:
        stop: makes the source complete soon, so that operators send what they hold. Called on a thread of its own, so
            it may wait; ``run`` waits for the completion, 5 seconds at most. Where the end was asked for already, it
            is called while this function returns.

    Returns:
        What takes it back; to be disposed with the subscription. Outside of ``run`` it does nothing.
    """
    stops = _current.get()
    return Disposable() if stops is None else stops.add(stop)


def _start(function: Callable[[], None]) -> None:
    # A thread each: several feeds stop together, and one that hangs takes neither the others' time nor the caller's.
    threading.Thread(target=_call, args=(function,), name="rxstreams-stop", daemon=True).start()


def _call(function: Callable[[], None]) -> None:
    try:
        function()
    except Exception:
        _log.exception("a source could not be stopped gracefully")
