"""The built wheel holds the package, all of it and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest
from source_tree import PACKAGE, ROOT, project_files

# The build backend itself, so that neither pip nor an index is needed.
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The names in a wheel that was built in a copy of the project.

    A copy, since setuptools leaves build/ and egg-info beside the sources and would put a module that was removed
    since the last build into the next wheel.
    """
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "project"
    for path in project_files():
        copy = project / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy, follow_symlinks=False)
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)], cwd=project, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        yield archive.namelist()
    shutil.rmtree(folder)


def test_wheel_when_opened_then_every_module_is_in_it(wheel_names: list[str]) -> None:
    """What can be imported from the sources can be imported from the wheel, and its types are seen (py.typed)."""
    expected = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")} | {"rxstreams/py.typed"}
    assert {name for name in wheel_names if name.startswith("rxstreams/")} == expected


def test_wheel_when_opened_then_it_has_no_other_top_level_folder(wheel_names: list[str]) -> None:
    """Neither the links operators and sources nor the tests are installed into people's site-packages."""
    others = {name.split("/")[0] for name in wheel_names} - {"rxstreams"}
    assert len(others) == 1
    assert all(name.endswith(".dist-info") for name in others)


def test_wheel_when_opened_then_it_carries_the_licence_and_the_command(wheel_names: list[str]) -> None:
    """The licence travels with the code, and the command rxstreams is declared."""
    metadata = {"/".join(name.split("/")[1:]) for name in wheel_names if ".dist-info/" in name}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= metadata
