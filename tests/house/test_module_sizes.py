"""A module has one idea: no file of the package grows past 400 lines."""

from __future__ import annotations

import pytest
from source_tree import module_files

LIMIT = 400


@pytest.mark.parametrize("name", module_files())
def test_module_when_its_lines_are_counted_then_they_are_at_most_400(name: str) -> None:
    """Past 400 lines a module has a second idea, which wants a module of its own."""
    lines = module_files()[name].read_text(encoding="utf-8").count("\n")
    assert lines <= LIMIT, f"{name} has {lines} lines, {LIMIT} are the limit: split it"
