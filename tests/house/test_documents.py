"""The documents at the top say what is: their code, their commands, their links."""

from __future__ import annotations

import ast
import importlib
import re

import pytest
from source_tree import ROOT

_DECISIONS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/seed.md", "docs/venues.md", *_DECISIONS]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _code_blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", _read(name), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_when_its_links_are_followed_then_they_lead_somewhere(name: str) -> None:
    """Every relative link and picture is a file of this repository."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", _read(name))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not ((ROOT / name).parent / target).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_when_it_names_a_file_then_the_file_is_there(name: str) -> None:
    """A path in backticks exists; NAME and NNNN stand for what a reader adds."""
    paths = re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|ipynb|toml|svg)|[\w./-]+/)`", _read(name))
    real = [path for path in paths if not re.search(r"NAME|NNNN", path)]
    places = (ROOT, ROOT / "rxstreams")
    assert [path for path in real if not any((place / path).exists() for place in places)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_when_it_names_a_make_command_then_the_makefile_has_it(name: str) -> None:
    """What a reader is told to type exists."""
    commands = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", _read(name), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", _read("Makefile"), re.MULTILINE))
    assert sorted(commands - targets) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_when_its_python_is_read_then_what_it_imports_is_there(name: str) -> None:
    """Every Python block can be parsed, and every name that it imports from rxstreams exists."""
    for block in _code_blocks(name):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rxstreams"):
                module = importlib.import_module(node.module or "")
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_readme_when_read_then_it_has_the_two_commands_and_an_example() -> None:
    """The README's two commands are all the set-up there is, and its example is the first thing to see."""
    readme = _read("README.md")
    assert re.findall(r"^\$ (make \w+)", readme, re.MULTILINE) == ["make demo", "make test"]
    assert len(_code_blocks("README.md")) == 1


def test_makefile_when_read_then_every_command_is_listed_by_help() -> None:
    """A command that ``make`` alone does not list is one that nobody finds."""
    makefile = _read("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert sorted(phony[1].split()) == sorted(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))


def test_changelog_when_read_then_the_version_in_pyproject_is_announced() -> None:
    """The changelog speaks of the version that is being built, or of what comes next."""
    changelog = _read("CHANGELOG.md")
    version = re.search(r'^version = "(.+)"$', _read("pyproject.toml"), re.MULTILINE)
    assert version
    assert f"## [{version[1]}]" in changelog or "## [Unreleased]" in changelog
