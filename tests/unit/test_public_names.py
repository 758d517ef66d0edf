"""``import rxstreams`` is quick: what is big or optional is loaded by those who use it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rxstreams


@pytest.mark.parametrize(
    "statement", ["import rxstreams", "from rxstreams.sources import kraken", "import rxstreams.cli"]
)
def test_import_when_done_then_nothing_big_or_optional_is_loaded(statement: str) -> None:
    """Neither pandas nor aiohttp, and of the command line's extra nothing."""
    program = f"import sys; {statement}; print([m for m in ('pandas', 'aiohttp', 'click', 'rich') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_version_when_read_then_it_is_that_of_the_distribution() -> None:
    """It stands in one place: pyproject.toml."""
    from importlib.metadata import version

    assert rxstreams.__version__ == version("rxstreams")
