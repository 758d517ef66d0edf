"""Every public operator is documented as the house style asks, and tested."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from functools import cache
from types import ModuleType

import pytest
from source_tree import ROOT


@cache
def _operators() -> dict[str, object]:
    module: ModuleType = importlib.import_module("rxstreams.operators")
    functions = {name: value for name in module.__all__ if inspect.isfunction(value := getattr(module, name))}
    # Beside the operators stand what they take and tell: keys, protocols, records.
    return {name: function for name, function in functions.items() if _returns_an_operator(function)}


def _returns_an_operator(function: Callable[..., object]) -> bool:
    return str(inspect.signature(function).return_annotation).startswith("Callable[[Observable[")


def _sections(doc: str) -> set[str]:
    """Return the titles of the Google sections of a docstring."""
    return set(re.findall(r"^([A-Z][a-z]+):$", inspect.cleandoc(doc), re.MULTILINE))


def test_operators_when_listed_then_those_of_the_first_issue_are_there() -> None:
    """The tests below have something to look at."""
    expected = {"deduplicate", "into", "normalize_symbols", "resample", "retry_with_backoff", "to_ohlc"}
    assert expected <= set(_operators())


@pytest.mark.parametrize("name", _operators())
def test_operator_when_its_docstring_is_read_then_it_has_the_sections(name: str) -> None:
    """Args, what is emitted (or returned), what is raised, the memory that is kept, and an example that runs."""
    doc = _operators()[name].__doc__ or ""
    sections = _sections(doc)
    missing = {"Args", "Raises", "Example"} - sections
    if not sections & {"Emits", "Returns"}:
        missing.add("Emits or Returns")
    assert sorted(missing) == []
    assert ">>>" in doc, "the example can't be run"


@pytest.mark.parametrize("name", _operators())
def test_operator_when_its_options_are_read_then_each_is_documented(name: str) -> None:
    """Every parameter stands in Args."""
    function = _operators()[name]
    assert callable(function)
    doc = inspect.cleandoc(function.__doc__ or "")
    found = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", doc, re.MULTILINE | re.DOTALL)
    assert found, "no Args"
    documented = {
        each.strip("* ")
        for names in re.findall(r"^    ([\w*, ]+):", found[1], re.MULTILINE)
        for each in names.split(",")
    }
    parameters = inspect.signature(function).parameters
    assert sorted(set(parameters) - documented) == []


@pytest.mark.parametrize("name", _operators())
def test_operator_when_its_tests_are_looked_for_then_they_are_there(name: str) -> None:
    """Each operator has tests of its own in virtual time, and stands in the contract suite that all share."""
    assert list((ROOT / "tests" / "unit").glob(f"test_{name}*.py")), f"no tests/unit/test_{name}*.py"
    contract = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contract").glob("*.py")]
    assert any(re.search(rf"\b{name}\(", text) for text in contract), f"no contract test builds {name}(...)"


def test_operators_module_when_listed_then_each_operator_has_a_module_of_its_own() -> None:
    """One private module an operator, named like it."""
    modules = {name: inspect.getmodule(function) for name, function in _operators().items()}
    homes = {name: module.__name__.rsplit(".", 1)[-1].lstrip("_") for name, module in modules.items() if module}
    assert {name: home for name, home in homes.items() if home != name} == {}
