"""``Session``: the observer of one ``run``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from reactivex.abc import ObservableBase, ObserverBase
from reactivex.disposable import SingleAssignmentDisposable

from rxstreams._subscribing import subscribe_held, to_exception
from rxstreams.errors import ObserverError

_T = TypeVar("_T")
_T_contra = TypeVar("_T_contra", contravariant=True)

_log = logging.getLogger("rxstreams.bridge")

# On Windows a waiting thread notices Ctrl-C only between two waits.
_SLICE = 0.5


class Receiver(Protocol[_T_contra]):
    """Something with an ``on_next``; ``on_error`` and ``on_completed`` are called where it has them."""

    def on_next(self, value: _T_contra, /) -> object:
        """Take an item."""
        ...


class Session(ObserverBase[_T], Generic[_T]):
    """The observer of one ``run``: passes everything on, and knows when and how it ended.

    Attributes:
        error: what ended it; None: nothing yet, or completion.
    """

    def __init__(self, observer: ObserverBase[_T] | Receiver[_T] | Callable[[_T], object] | None) -> None:
        self.error: BaseException | None = None
        self._subscription = SingleAssignmentDisposable()
        self._subscribing_on: int | None = None
        self._failed = False
        self._done = threading.Event()
        on_next = getattr(observer, "on_next", observer)
        if on_next is not None and not callable(on_next):
            raise TypeError(f"observer must be an observer, a sink or a function, got {observer!r}")
        self._on_next: Callable[[_T], object] = on_next or _ignore
        self._on_error: Callable[[Exception], object] = getattr(observer, "on_error", None) or _ignore
        self._on_completed: Callable[[], object] = getattr(observer, "on_completed", None) or _ignore

    @property
    def ended(self) -> bool:
        """Whether it completed or failed."""
        return self._done.is_set()

    def wait(self, deadline: float | None) -> bool:
        """Wait for the end, until the monotonic clock shows ``deadline``; return whether it came."""
        while not self._done.is_set():
            left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
            if left <= 0.0:
                return False
            self._done.wait(left)
        return True

    def subscribe_to(self, source: ObservableBase[_T]) -> None:
        """Subscribe; for a source that emits meanwhile this may take until its end."""
        self._subscribing_on = threading.get_ident()
        try:
            subscribe_held(source, self, self._subscription)
        except Exception:
            if not self._failed:  # else it is the observer's own, which got here through the source
                raise
        finally:
            self._subscribing_on = None

    def close(self) -> None:
        """Dispose the subscription."""
        self._subscription.dispose()

    def on_next(self, value: _T) -> None:
        """Pass it on."""
        if self._failed:
            return
        try:
            self._on_next(value)
        except Exception as error:
            failure = ObserverError(f"the observer raised {error!r}")
            failure.__cause__ = error
            self._fail(failure, error)
        except SystemExit as error:  # sys.exit() in an observer means the program, not a thread of the source
            self._fail(error, error)

    def on_error(self, error: Exception) -> None:
        """Pass it on, and end."""
        if self._failed:
            return
        try:
            self._on_error(error)
        except Exception:
            _log.exception("the observer's on_error raised")
        self.error = to_exception(error)
        self._done.set()

    def on_completed(self) -> None:
        """Pass it on, and end."""
        if self._failed:
            return
        try:
            self._on_completed()
        except Exception as error:
            failure = ObserverError(f"the observer raised {error!r}")
            failure.__cause__ = error
            self._fail(failure, error)
        self._done.set()

    def _fail(self, failure: BaseException, error: BaseException) -> None:
        """End with what the observer raised: ``run`` raises it, the source does not get to see it."""
        self._failed = True
        self.error = failure
        self._done.set()
        if self._subscribing_on == threading.get_ident():
            # Nothing else stops a source that emits inside subscribe and never looks whether it was disposed.
            raise error


def _ignore(*_: object) -> None:
    pass
