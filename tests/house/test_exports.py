"""The public names: listed, sorted, there, and documented where they are defined."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

PUBLIC = [
    "rxstreams",
    "rxstreams.limits",
    "rxstreams.operators",
    "rxstreams.sinks",
    "rxstreams.sources",
    "rxstreams.testing",
]


def _names(module: ModuleType) -> list[str]:
    assert hasattr(module, "__all__"), f"{module.__name__} has no __all__"
    return list(module.__all__)


def _sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order that ruff keeps (RUF022)."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def _has_own_docstring(value: object) -> bool:
    doc = value.__doc__
    if not doc:
        return False
    # A dataclass without a docstring is given its signature as one.
    return not (isinstance(value, type) and doc.startswith(f"{value.__name__}("))


@pytest.mark.parametrize("name", PUBLIC)
def test_all_when_read_then_it_is_sorted_and_has_no_repeats(name: str) -> None:
    """__all__ is sorted as ruff sorts it, each name once."""
    names = _names(importlib.import_module(name))
    assert names == sorted(set(names), key=_sort_key)


@pytest.mark.parametrize("name", PUBLIC)
def test_all_when_each_name_is_looked_up_then_it_is_there(name: str) -> None:
    """Whatever __all__ promises can be imported, and none of it is private."""
    module = importlib.import_module(name)
    assert [each for each in _names(module) if not hasattr(module, each)] == []
    assert [each for each in _names(module) if each.startswith("_") and each != "__version__"] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_all_when_a_name_is_a_class_function_or_module_then_it_has_a_docstring(name: str) -> None:
    """Every public class, function and module says what it is; so do a public class's public methods."""
    undocumented: list[str] = []
    module = importlib.import_module(name)
    for each in _names(module):
        value = getattr(module, each)
        if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
            continue
        if not _has_own_docstring(value):
            undocumented.append(each)
        if inspect.isclass(value) and value.__module__.startswith("rxstreams"):
            undocumented += [
                f"{each}.{method}"
                for method, function in vars(value).items()
                if not method.startswith("_")
                and inspect.isfunction(function)
                and not inspect.getdoc(getattr(value, method))
            ]
    assert undocumented == []


@pytest.mark.parametrize("name", PUBLIC)
def test_init_when_parsed_then_it_only_re_exports(name: str) -> None:
    """A package's __init__ holds a docstring, imports, __all__ and __version__, and nothing that does something."""
    path = importlib.import_module(name).__file__
    assert path is not None
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path} has no docstring"
    others = [f"line {node.lineno}: {ast.unparse(node)[:80]}" for node in tree.body[1:] if not _is_re_export(node)]
    assert others == []


def _is_re_export(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] in (["__all__"], ["__version__"])
    return isinstance(node, ast.Import | ast.ImportFrom)
