"""A pytest plugin: after a test that uses sockets and threads, none of ours is left.

The schedulers that ``scheduler_for`` shares live on by design; their tasks must not.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest

from rxstreams import scheduler
from rxstreams.scheduler import EventLoopThreadScheduler

# What is being closed needs a moment, and on a busy machine a long one; a leak stays for ever.
_PATIENCE = 10.0
_FOLDERS = tuple(Path(__file__).resolve().parent / name for name in ("integration", "recordings"))


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail the test that leaves a thread, a task or a TCP connection of ours behind.

    Being autouse it is set up before the test's other fixtures, so it looks after they have been torn down. What a
    fixture of a whole module keeps open was there before the test and is not counted.
    """
    if not any(request.path.is_relative_to(folder) for folder in _FOLDERS):
        yield
        return
    before = set(_leftovers())
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        return  # a test that stopped half-way can't tidy up; its own failure is the one to read
    deadline = time.monotonic() + _PATIENCE
    while left := sorted(set(_leftovers()) - before):
        if time.monotonic() > deadline:
            pytest.fail(f"{request.node.nodeid} left behind:\n  " + "\n  ".join(left), pytrace=False)
        time.sleep(0.02)
    gc.collect()  # whatever else was not closed says so now (ResourceWarning), not in the middle of another test


def _leftovers() -> Iterator[str]:
    shared = [each for name in scheduler._named if (each := scheduler._named.get(name)) is not None]
    yield from _threads(shared)
    for each in shared:
        yield from _tasks(each)
    yield from _connections()


def _threads(shared: list[EventLoopThreadScheduler]) -> Iterator[str]:
    kept = {id(each._thread) for each in shared}
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        module = str(getattr(target, "__module__", ""))
        ours = module.startswith("rxstreams.") or thread.name.startswith("rxstreams")
        # A look-up that the system does not answer can't be ended; it has a thread that nobody waits for.
        can_end = module != "rxstreams._getaddrinfo"
        if ours and can_end and id(getattr(target, "__self__", None)) not in kept:
            yield f"thread {thread.name} ({thread.ident})"


def _tasks(owner: EventLoopThreadScheduler) -> Iterator[str]:
    thread = owner._thread
    if thread is None:
        return
    answer: Future[list[str]] = Future()

    def list_them() -> None:
        answer.set_result([f"task {task.get_name()} of {owner.name}: {task!r}" for task in asyncio.all_tasks()])

    # Asked on the loop's own thread, where none can come or go meanwhile.
    if thread.post(list_them):
        try:
            yield from answer.result(_PATIENCE)
        except TimeoutError:
            yield f"something that blocks the loop of {owner.name}"


def _connections() -> Iterator[str]:
    """Yield the TCP sockets that this process has open; nothing where there is no /proc."""
    ours: set[str] = set()
    with suppress(FileNotFoundError):
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # closed since it was listed
                ours.add(os.readlink(descriptor))
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with suppress(FileNotFoundError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if f"socket:[{fields[9]}]" in ours:
                    yield f"socket {fields[9]} from {fields[1]} to {fields[2]} (state {fields[3]})"
