"""The two events of the process that concern every scheduler there is: the interpreter's exit and a fork."""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
import weakref
from typing import Protocol

from rxstreams._loop_thread import LoopThread

_EXIT_TIMEOUT = 3.0


class Resident(Protocol):
    """Something that owns a loop's thread."""

    def _close(self, timeout: float) -> LoopThread | None:
        """Have the thread clean up and end, without waiting; return it, None: it was never started."""
        ...

    def _forget_thread(self) -> LoopThread | None:
        """Be in a forked child as if never started; return the parent's thread, None: there was none."""
        ...


_gate = threading.RLock()
_residents: weakref.WeakSet[Resident] = weakref.WeakSet()
# In a forked child: what is the parent's. Collecting a loop would close it; see LoopThread.abandon.
_abandoned: list[LoopThread] = []


def watch(resident: Resident) -> None:
    """Close this one at the interpreter's exit, and let it start afresh in a forked child; kept by a weak reference."""
    with _gate:
        _register_hooks()
        _residents.add(resident)


@functools.cache
def _register_hooks() -> None:
    # Daemon threads still run while atexit's functions do, so tasks can clean up; after them they are frozen.
    atexit.register(_close_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_all)


def _close_all() -> None:
    with _gate:
        residents = list(_residents)
    threads = [resident._close(_EXIT_TIMEOUT) for resident in residents]
    deadline = time.monotonic() + _EXIT_TIMEOUT
    for thread in threads:
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))


def _forget_all() -> None:
    global _gate
    _gate = threading.RLock()  # the old one may have been held by a thread that does not exist here
    for resident in list(_residents):
        thread = resident._forget_thread()
        if thread is not None:
            thread.abandon()
            _abandoned.append(thread)
