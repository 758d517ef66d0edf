"""No committed file knows the machine that it was written on, and the two links at the top lead where they should."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT, project_files

# Put together from parts, so that this file does not hold what it looks for.
_HOMES = ("home", "Users", "root", "work", "mnt", "media", "private")
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?:(?<![\w.:/~$}-])|file://)/(?:" + "|".join(_HOMES) + r")/[\w.]"),
    "a path of one machine (Windows)": re.compile(r"\b[A-Z]:\\{1,2}" + r"Users\\", re.IGNORECASE),
    "a package registry": re.compile(
        r"\b(?:"
        + "|".join(("py" + "pi", "files.python" + "hosted", "registry.np" + "mjs", "ana" + "conda"))
        + r")\.\w",
        re.IGNORECASE,
    ),
    "a choice of package index": re.compile(r"--?(?:extra-)?index" + r"[-_]url|--find" + "-links", re.IGNORECASE),
    "a setting of a package index": re.compile(r"\b(?:PIP|UV)_(?:EXTRA_)?INDEX" + r"|\b(?:extra[-_])?index[-_]url\s*="),
}


def _texts() -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for path in project_files():
        if path.is_symlink():
            continue
        try:
            texts.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a picture
    return texts


@pytest.mark.parametrize("what", FORBIDDEN)
def test_project_files_when_searched_then_none_names_a_machine_or_a_registry(what: str) -> None:
    """Neither a path of somebody's machine nor a package registry stands in a committed file."""
    found = [
        f"{name}, line {number}: {line.strip()[:120]}"
        for name, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert found == [], what


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a path of one machine", 'path = "/ho' + 'me/ann/data"'),
        ("a path of one machine", "file:///ro" + "ot/x.py"),
        ("a path of one machine (Windows)", "C:\\Us" + "ers\\Ann"),
        ("a package registry", "https://py" + "pi.org/simple"),
        ("a choice of package index", "pip install --index" + "-url X"),
        ("a setting of a package index", "PIP" + "_INDEX_URL=x"),
    ],
)
def test_forbidden_when_the_thing_is_there_then_it_is_found(what: str, text: str) -> None:
    """The patterns above do find what they are for."""
    assert FORBIDDEN[what].search(text)


def test_project_files_when_listed_then_nothing_generated_is_among_them() -> None:
    """.gitignore keeps out what tools make."""
    suffixes = {".pyc", ".whl", ".egg", ".log", ".tmp"}
    names = [path.relative_to(ROOT).as_posix() for path in project_files()]
    assert len(names) > 20
    assert [name for name in names if path_is_generated(name, suffixes)] == []


def path_is_generated(name: str, suffixes: set[str]) -> bool:
    """Say whether a tool made the file of that name."""
    return any(name.endswith(suffix) for suffix in suffixes) or bool(
        re.search(r"(^|/)(__pycache__|\.venv|build|dist|[\w.]+\.egg-info|\.ipynb_checkpoints)/", name)
    )


@pytest.mark.parametrize("name", ["operators", "sources"])
def test_link_when_followed_then_it_leads_into_the_package(name: str) -> None:
    """The two places where people add things are seen from the top (docs/decisions/0001)."""
    link = ROOT / name
    if not link.is_symlink() and link.is_file():
        pytest.skip("git made no links here (core.symlinks is off, as on some Windows machines)")
    assert link.is_symlink()
    assert link.readlink().as_posix() == f"rxstreams/{name}"
    assert link.resolve().is_dir()
