"""What all tests share: the recorded exchange data, hypothesis' profiles, and a look for what a test left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["leaks"]

_PROJECT = Path(__file__).resolve().parent.parent
_REQUIRED = frozenset(re.split(r"[\s,]+", os.environ.get("RXSTREAMS_REQUIRE", "")))

# No deadline and no health check on speed: a busy machine is no bug. --hypothesis-profile picks another profile.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("check", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2_000)
# What decides over a change gives the same answer twice; a developer's runs look for new examples.
settings.load_profile("check" if _REQUIRED & {"recordings"} or os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded exchange data.

    It is found by the environment variable RXSTREAMS_RECORDINGS, else beside the project in ``shared/recordings``.
    Where it is absent, the test is skipped; under RXSTREAMS_REQUIRE=recordings it fails.
    """
    folder = Path(os.environ.get("RXSTREAMS_RECORDINGS") or _PROJECT.parent / "shared" / "recordings")
    if not folder.is_dir():
        pytest.skip(f"no recorded exchange data in {folder}: set RXSTREAMS_RECORDINGS to its folder")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the recordings, so that none can be forgotten."""
    for item in items:
        if "recordings" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.recordings)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test of the recordings into a failed one where they are required."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and "recordings" in _REQUIRED and item.get_closest_marker("recordings"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"RXSTREAMS_REQUIRE=recordings, but this test did not run: {reason}"
    return report
