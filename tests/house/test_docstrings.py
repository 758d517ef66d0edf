"""Every example in a docstring runs, and prints what it says."""

from __future__ import annotations

import doctest
import importlib

import pytest
from source_tree import module_names


@pytest.mark.parametrize("name", module_names())
def test_docstring_when_its_examples_are_run_then_they_print_what_they_say(name: str) -> None:
    """Examples are tests, so that they stay true; each sees its module's names, as is usual, and no other example's."""
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in finder.find(module, name):
        runner.run(example)
    assert runner.failures == 0, f"{runner.failures} of {runner.tries} examples of {name}: see the captured output"


def test_docstrings_when_counted_then_some_have_examples() -> None:
    """The test above looks at something: the package does have examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    counts = [
        len(test.examples) for name in module_names() for test in finder.find(importlib.import_module(name), name)
    ]
    assert sum(counts) > 20
