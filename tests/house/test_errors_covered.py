"""Every way in which a connection can break has an integration test, and every error stands in the printed tree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from source_tree import ROOT

from rxstreams import errors

TABLE = ROOT / "tests" / "integration" / "test_errors_table.py"


def _subclasses(base: type[Exception]) -> Iterator[str]:
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each.__name__
        yield from _subclasses(each)


def test_stream_errors_when_compared_with_the_table_of_tests_then_each_is_a_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CASES in the integration tests has one entry for each subclass of StreamError, under its name."""
    assert TABLE.is_file(), f"{TABLE.relative_to(ROOT)} is missing"
    spec = importlib.util.spec_from_file_location("errors_table_read_by_the_house", TABLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for their own module
    spec.loader.exec_module(module)
    assert sorted(module.CASES) == sorted(_subclasses(errors.StreamError))


def test_stream_errors_when_the_tests_are_collected_then_each_is_the_id_of_one() -> None:
    """pytest itself finds a test for each name, so no entry of the table is idle."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", "-p", "no:cacheprovider", str(TABLE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stdout + collected.stderr
    ids = set(re.findall(r"::\w+\[(\w+)\]", collected.stdout))
    assert sorted(set(_subclasses(errors.StreamError)) - ids) == []


def test_errors_docstring_when_read_then_the_whole_tree_stands_in_it() -> None:
    """The tree at the top of errors.py, which people read first, names every error once."""
    printed = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(printed) == sorted(_subclasses(errors.RxStreamsError))
