"""Imports run downwards only, in no circle, and only to what pyproject.toml declares."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest
from source_tree import ROOT, module_files

# From the top down. A module may import what stands lower, and its neighbours in the same entry. Whatever is not
# named is at the bottom. The two entries of one row don't know each other.
LAYERS: tuple[tuple[frozenset[str], ...], ...] = (
    (frozenset({"cli", "_cli", "__main__", "testing"}),),
    (frozenset({"manager", "_manager"}),),
    (frozenset({"sources"}), frozenset({"sinks"})),
    (frozenset({"operators"}),),
    (frozenset({"config"}),),
    (frozenset({"candles", "limits", "recovery"}),),
    (
        frozenset(
            {"scheduler", "resolver", "backoff", "tables"}
            # What these are made of, and what is made of these.
            | {"_loop_thread", "_process", "_scheduled", "bridge"}
        ),
    ),
)

# Imports inside a function that go upwards, each with its reason: (module, what it imports) -> reason.
LAZY_UPWARDS: dict[tuple[str, str], str] = {}

# Import names that are not the name of their distribution.
DISTRIBUTION = {"attr": "attrs"}


class Import(NamedTuple):
    """One imported module, and where: at the top of a module, inside a function, or for type checkers only."""

    importer: str
    target: str
    line: int
    kind: str


@functools.cache
def _imports(name: str) -> list[Import]:
    return list(_walk(name, ast.parse(module_files()[name].read_text(encoding="utf-8")), "top"))


def _walk(name: str, node: ast.AST, kind: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(name, alias.name, child.lineno, kind)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{name}, line {child.lineno}: a relative import; the house style is absolute ones"
            base = child.module or ""
            for alias in child.names:
                full = f"{base}.{alias.name}"
                yield Import(name, full if full in module_files() else base, child.lineno, kind)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (each._replace(kind="typing") for each in _walk(name, ast.Module(child.body, []), kind))
            yield from _walk(name, ast.Module(child.orelse, []), kind)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(name, child, "function" if is_function else kind)


def _place(name: str) -> tuple[int, int]:
    """Return the row and the entry of a module in LAYERS; the row after the last: the bottom."""
    part = name.split(".")[1]
    for row, entries in enumerate(LAYERS):
        for column, entry in enumerate(entries):
            if part in entry:
                return row, column
    return len(LAYERS), 0


def _goes_down(importer: str, target: str) -> bool:
    if target == "rxstreams":
        return False  # the package itself imports everything: whoever imports it goes in a circle
    here, there = _place(importer), _place(target)
    return here == there or here[0] < there[0]


def _inside(name: str) -> list[Import]:
    return [each for each in _imports(name) if each.target == "rxstreams" or each.target.startswith("rxstreams.")]


_MODULES = [name for name in module_files() if name != "rxstreams"]


@pytest.mark.parametrize("name", _MODULES)
def test_module_when_it_imports_another_of_ours_then_the_other_stands_lower(name: str) -> None:
    """Top: command line and testing; then the manager, sources and sinks, operators, candles, and what all need."""
    upwards = [
        f"line {each.line}: {each.target}"
        for each in _inside(name)
        if not _goes_down(name, each.target)
        and not (each.kind == "function" and (name, each.target) in LAZY_UPWARDS)
        and not (each.target == "rxstreams" and _place(name)[0] == 0)
    ]
    assert upwards == [], f"{name} may not import these"


def test_lazy_upwards_when_listed_then_each_is_still_there() -> None:
    """An exception that nobody needs any more is taken off the list."""
    present = {(name, each.target) for name in _MODULES for each in _inside(name) if each.kind == "function"}
    assert sorted(set(LAZY_UPWARDS) - present) == []


def test_modules_when_their_imports_are_followed_then_there_is_no_circle() -> None:
    """What is imported when a module is imported forms no circle; neither do packages and what is inside them."""
    graph = {name: {each.target for each in _inside(name) if each.kind == "top"} - {name} for name in module_files()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("name", module_files())
def test_module_when_it_names_operators_or_sources_then_by_their_package(name: str) -> None:
    """The links at the top are for readers: ``import operators`` would make a second copy of every module."""
    tops = {each.target.split(".")[0] for each in _imports(name)}
    assert tops & {"operators", "sources", "tests"} == set()


def test_third_party_imports_when_at_the_top_of_a_module_then_they_are_dependencies() -> None:
    """What is imported with a module is declared; what an extra brings is imported inside a function."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in project["dependencies"]}
    optional = {
        _normal(re.split(r"[^\w.-]", each, maxsplit=1)[0])
        for extra, requirements in project["optional-dependencies"].items()
        for each in requirements
        if extra not in ("test", "dev")
    }
    wrong: list[str] = []
    for name in module_files():
        for each in _imports(name):
            top = each.target.split(".")[0]
            if each.kind == "typing" or top in sys.stdlib_module_names or top in ("rxstreams", "__future__"):
                continue
            distribution = _normal(DISTRIBUTION.get(top, top))
            # The command line is imported by those who have its extra; cli.py tells the others.
            may_be_missing = each.kind == "function" or name.startswith("rxstreams._cli")
            allowed = declared | optional if may_be_missing else declared
            if distribution not in allowed:
                wrong.append(f"{name}, line {each.line}: {each.target}")
    assert wrong == []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
