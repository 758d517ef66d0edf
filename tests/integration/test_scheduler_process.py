"""EventLoopThreadScheduler and the process: the interpreter's exit and fork, each in a process of its own.

Python runs with ``-X dev -W error``: a leaked socket or loop, a coroutine that was never awaited and an unhandled
exception all leave a trace in its error output, which must stay empty.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

_PREAMBLE = """
import asyncio, atexit, logging, os, socket, sys, threading, time
from rxstreams import _process
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for

logging.getLogger("asyncio").setLevel(logging.ERROR)  # no word on callbacks that a busy machine made slow
_process._EXIT_TIMEOUT = {exit_timeout}  # for ever, unless the test is about the end of patience

def say(text):
    os.write(1, str(text).encode() + bytes([10]))  # in one piece, whatever other threads print

def flush(scheduler):
    done = threading.Event()
    assert scheduler.post(done.set)
    assert done.wait(10), "the loop does not wake up"
"""

# A process with threads that forks is warned from Python 3.12 on; here that is what is tested.
_PYTHON = [sys.executable, "-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork")


def run_script(script: str, *, exit_timeout: float = 3600.0, stderr: str = "") -> list[str]:
    """Run a script that must end well, with nothing on its error output but ``stderr``; return the lines it printed."""
    code = _PREAMBLE.format(exit_timeout=exit_timeout) + textwrap.dedent(script)
    ended = subprocess.run([*_PYTHON, "-c", code], capture_output=True, text=True, timeout=45, check=False)
    assert stderr in ended.stderr
    if not stderr:
        assert ended.stderr == ""
    assert ended.returncode == 0
    return ended.stdout.splitlines()


@pytest.mark.parametrize("waits", [True, False])
def test_exit_when_a_task_holds_a_socket_then_it_cleans_up_and_nothing_leaks(waits: bool) -> None:
    """The task is cancelled, says goodbye and closes its socket, with or without waiting until it is closed."""
    out = run_script(
        f"""
        ours, theirs = socket.socketpair()
        theirs.settimeout(10)

        def hear_farewell():
            say(f"the other side heard {{theirs.recv(100)!r}}")
            say(f"the other side saw the end {{theirs.recv(100)!r}}")
            theirs.close()

        atexit.register(hear_farewell)  # before the scheduler's own, so it runs after it
        scheduler = EventLoopThreadScheduler("exiting")
        connected = threading.Event()

        async def connection():
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                connected.set()
                await reader.read()
            finally:
                writer.write(b"bye")
                await asyncio.sleep(0.05)
                writer.close()
                if {waits}:
                    await writer.wait_closed()
                say("cleaned")

        scheduler.spawn(connection)
        assert connected.wait(10)
        """
    )
    assert out == ["cleaned", "the other side heard b'bye'", "the other side saw the end b''"]


def test_exit_when_several_schedulers_and_timers_are_left_then_all_end_together() -> None:
    """Nobody disposed anything: pending timers, periodic actions, never started and disposed schedulers."""
    out = run_script(
        """
        schedulers = [scheduler_for(name) for name in "abc"]
        unused = EventLoopThreadScheduler("unused")
        disposed = EventLoopThreadScheduler("disposed")
        flush(disposed)
        disposed.dispose()

        async def linger():
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0.2)
                say("cleaned")

        for scheduler in schedulers:
            scheduler.schedule_relative(3600, lambda *_: None)
            scheduler.schedule_periodic(0.001, lambda _: None)
            scheduler.spawn(linger)
            flush(scheduler)
            flush(scheduler)
        """
    )
    assert out == ["cleaned"] * 3


@pytest.mark.parametrize("stuck", ["call", "task"])
def test_exit_when_the_thread_is_stuck_then_it_is_left_behind(stuck: str) -> None:
    """A blocking call, or a task that does not end, costs the exit a few seconds, not for ever."""
    out = run_script(
        f"""
        scheduler = EventLoopThreadScheduler("stuck")
        lock = threading.Lock()
        lock.acquire()

        async def refuse():
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    pass

        if {stuck!r} == "task":
            scheduler.spawn(refuse)
            flush(scheduler)
            flush(scheduler)
        else:
            scheduler.post(lock.acquire)
        say("end of the script")
        """,
        exit_timeout=0.5,
        stderr="left behind",
    )
    assert out == ["end of the script"]


def test_exit_when_an_exit_handler_uses_the_scheduler_then_it_gets_the_clear_error() -> None:
    """Nothing is started any more once the schedulers have been closed."""
    out = run_script(
        """
        from reactivex.internal import DisposedException
        scheduler = EventLoopThreadScheduler("late")

        def late():
            say(scheduler.post(say, "not reached"))
            try:
                scheduler.schedule(lambda *_: None)
            except DisposedException as error:
                say(error)

        # The scheduler registered its own handler when it was made; handlers run in reverse, so go before that.
        atexit.unregister(sys.modules["rxstreams._process"]._close_all)
        atexit.register(late)
        atexit.register(sys.modules["rxstreams._process"]._close_all)
        """
    )
    assert out == ["False", "the scheduler 'late' was disposed: it runs nothing any more"]


@needs_fork
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_fork_when_the_scheduler_runs_then_the_parent_is_unharmed_and_the_child_starts_afresh(end: str) -> None:
    """Closing the inherited loop in the child would make the parent sleep through its wake-ups."""
    out = run_script(
        f"""
        scheduler = EventLoopThreadScheduler("forked")
        ended = threading.Event()

        async def work():
            try:
                await ended_future
            finally:
                say("the parent's task ended")
                ended.set()

        ended_future = scheduler.loop.create_future()
        task = scheduler.spawn(work)
        timer = scheduler.schedule_relative(3600, lambda *_: None)
        flush(scheduler)
        inherited, thread = scheduler.loop, scheduler._thread
        if os.fork() == 0:
            assert not scheduler.on_thread
            assert "not started" in repr(scheduler)
            # What was inherited is dead; disposing it touches nothing and starts nothing.
            task.dispose()
            timer.dispose()
            assert "not started" in repr(scheduler)
            assert not thread.post(say, "reached the parent's loop")
            assert thread in _process._abandoned
            names = []
            scheduler.post(lambda: names.append(threading.current_thread().name))
            flush(scheduler)
            assert names == ["forked"]
            assert scheduler.loop is not inherited
            assert not inherited.is_closed()
            scheduler.dispose()
            scheduler.dispose()
            import gc
            gc.collect()
            say("the child is done")
            {end}
        assert os.wait()[1] == 0
        assert scheduler.loop is inherited
        for _ in range(3):
            time.sleep(0.05)  # idle, so that only its self-pipe can wake it
            flush(scheduler)
        scheduler.post(ended_future.set_result, None)
        assert ended.wait(10)
        flush(scheduler)
        """
    )
    assert out == ["the child is done", "the parent's task ended"]


@needs_fork
def test_fork_when_other_threads_hold_the_locks_then_the_child_does_not_deadlock() -> None:
    """In the child the threads that held them are gone; nobody would ever release them."""
    out = run_script(
        """
        from rxstreams import scheduler as module
        scheduler = scheduler_for("locked")
        timer = scheduler.schedule_relative(3600, lambda *_: None)
        flush(scheduler)
        held, release = threading.Event(), threading.Event()

        def hold():
            with scheduler._lock, scheduler._thread._lock, _process._gate, module._named._lock:
                held.set()
                release.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        if os.fork() == 0:
            timer.dispose()
            assert scheduler_for("locked") is scheduler
            flush(scheduler)
            other = scheduler_for("other")
            flush(other)
            other.dispose()
            scheduler.dispose()
            say("the child is done")
            os._exit(0)
        assert os.wait()[1] == 0
        release.set()
        thread.join()
        """
    )
    assert out == ["the child is done"]


@needs_fork
def test_fork_when_the_action_itself_forks_then_the_child_is_on_no_schedulers_thread() -> None:
    """multiprocessing forks where Process.start is called, which may be inside an action."""
    out = run_script(
        """
        import multiprocessing
        scheduler = EventLoopThreadScheduler("forking")

        def child():
            assert not scheduler.on_thread
            assert not inherited.on_thread
            flush(scheduler)
            say("the child is done")

        flush(scheduler)
        inherited = scheduler._thread

        def action(*_):
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(10)
            say(f"it ended with {process.exitcode}")
            process.close()

        scheduler.schedule(action)
        flush(scheduler)
        """
    )
    assert out == ["the child is done", "it ended with 0"]
