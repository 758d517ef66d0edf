"""The test suite's own machinery: required recordings, and the look for what a test left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from source_tree import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

_USES_RECORDINGS = """
def test_that_reads(recordings):
    assert recordings.is_dir()
"""
_LEAKS = """
import asyncio, socket, threading
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for

kept = []

def test_thread():
    scheduler = EventLoopThreadScheduler("rxstreams-forgotten")
    scheduler.post(print)
    kept.append(scheduler)

def test_task():
    done = threading.Event()
    async def wait():
        done.set()
        await asyncio.Event().wait()
    kept.append(scheduler_for("shared").spawn(wait))
    assert done.wait(10)

def test_connection():
    server = socket.create_server(("127.0.0.1", 0))
    kept.append(server)
"""
_TIDY = """
import asyncio, socket, threading
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for

def test_tidy():
    scheduler = EventLoopThreadScheduler("rxstreams-used")
    scheduler.post(print)
    scheduler.dispose()
    done = threading.Event()
    async def wait():
        done.set()
        await asyncio.Event().wait()
    task = scheduler_for("shared").spawn(wait)
    assert done.wait(10)
    task.dispose()
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a test file in a folder that has our conftest and plugin, in a process of its own."""
    for name in ("conftest.py", "leaks.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)

    def run(
        source: str, *, folder: str = "unit", patience: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / folder / "test_it.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        if patience:
            plugin = tmp_path / "leaks.py"
            text = plugin.read_text(encoding="utf-8")
            assert "_PATIENCE = 10.0" in text
            plugin.write_text(text.replace("_PATIENCE = 10.0", f"_PATIENCE = {patience}"), encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RXSTREAMS_")}
        options = ("-p", "no:cacheprovider", "-ra", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path))
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(path)],
            cwd=tmp_path,
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_recordings_when_the_folder_is_absent_then_the_test_is_skipped_with_a_reason(run: Run) -> None:
    """On a machine without the data its tests are skipped, and say how to bring it."""
    result = run(_USES_RECORDINGS)
    assert result.returncode == 0
    assert "1 skipped" in result.stdout
    assert "set RXSTREAMS_RECORDINGS" in result.stdout


def test_recordings_when_the_folder_is_named_then_the_test_gets_it(run: Run, tmp_path: Path) -> None:
    """RXSTREAMS_RECORDINGS says where the data is."""
    result = run(_USES_RECORDINGS, RXSTREAMS_RECORDINGS=str(tmp_path))
    assert result.returncode == 0
    assert "1 passed" in result.stdout


def test_recordings_when_required_and_absent_then_the_test_fails(run: Run) -> None:
    """Under RXSTREAMS_REQUIRE=recordings nothing passes by not running."""
    result = run(_USES_RECORDINGS, RXSTREAMS_REQUIRE="recordings")
    assert result.returncode == 1
    assert "but this test did not run: " in result.stdout
    assert "set RXSTREAMS_RECORDINGS" in result.stdout


def test_recordings_when_required_and_the_test_skips_itself_then_it_fails(run: Run, tmp_path: Path) -> None:
    """A test of the recordings that skips itself for another reason fails too; other skipped tests don't."""
    source = """
import pytest

def test_that_reads(recordings):
    pytest.skip("no such file in it")

def test_of_something_else():
    pytest.skip("not on this system")
"""
    result = run(source, RXSTREAMS_REQUIRE="recordings", RXSTREAMS_RECORDINGS=str(tmp_path))
    assert result.returncode == 1
    assert "1 failed, 1 skipped" in result.stdout
    assert "did not run: Skipped: no such file in it" in result.stdout


def test_leaks_when_an_integration_test_leaves_something_then_it_fails_and_is_named(run: Run) -> None:
    """A thread, a task on a shared loop and a socket are each found, with the test that left them."""
    result = run(_LEAKS, folder="integration", patience="0.2")
    found = [("test_thread", "thread rxstreams-forgotten"), ("test_task", "of shared: <Task pending")]
    if Path("/proc/self/net/tcp").exists():  # without it sockets can't be seen
        found.append(("test_connection", "socket "))
    assert result.returncode == 1
    assert f"3 passed, {len(found)} errors" in result.stdout
    for name, what in found:
        assert f"test_it.py::{name} left behind:\n  " in result.stdout
        assert what in result.stdout


def test_leaks_when_everything_was_closed_then_the_test_passes(run: Run) -> None:
    """What was disposed, cancelled or closed is no leak, and neither is the thread of a shared scheduler."""
    result = run(_TIDY, folder="integration")
    assert result.returncode == 0, result.stdout


def test_leaks_when_a_unit_test_leaves_something_then_it_is_not_looked_for(run: Run) -> None:
    """Only the folders whose tests use sockets and threads pay for the look."""
    result = run(_LEAKS.replace("    kept.append(server)", "    server.close()"), folder="unit")
    assert result.returncode == 0, result.stdout
