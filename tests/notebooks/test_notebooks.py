"""The notebooks run from top to bottom, offline, and are committed with their outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

_FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(path.name for path in _FOLDER.glob("*.ipynb"))

_SIZE_LIMIT_BYTES = 100_000
# What an output of this very machine looks like: the kernel's files, temporary folders, addresses of objects.
_ACCIDENTAL = re.compile(r"ipykernel_\d|/(?:tmp|var/folders)/|site-packages| at 0x[0-9a-f]{6,}")


def _read(name: str) -> Any:
    return nbformat.read(_FOLDER / name, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is not annotated


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _kinds(cell: Any) -> list[str]:
    """Say what a cell put out, without the values: a stream's name, or the forms of a result."""
    return [output.get("name") or ", ".join(sorted(output.get("data", {"error": ""}))) for output in cell.outputs]


def test_notebooks_when_listed_then_there_is_one() -> None:
    """The tests below have something to look at."""
    assert NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_read_then_it_was_run_once_from_top_to_bottom(name: str) -> None:
    """A reader on a web page sees what a reader with a kernel would."""
    cells = _code_cells(_read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    assert [output for cell in cells for output in cell.outputs if output.output_type == "error"] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_read_then_it_is_small_and_knows_no_machine(name: str) -> None:
    """Outputs are small, and nothing in them says where they were made."""
    text = (_FOLDER / name).read_text(encoding="utf-8")
    assert len(text.encode()) < _SIZE_LIMIT_BYTES
    assert _ACCIDENTAL.findall(text) == []
    assert set(_read(name).metadata) <= {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_executed_then_no_cell_fails_and_each_puts_out_what_is_committed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell runs, from a folder that holds nothing, and puts out the same kinds of things as the committed one."""
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))  # nothing of the user's own set-up
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    notebook = _read(name)
    committed = [_kinds(cell) for cell in _code_cells(notebook)]
    folder = tmp_path / "empty"
    folder.mkdir()
    NotebookClient(notebook, timeout=45, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    assert [_kinds(cell) for cell in _code_cells(notebook)] == committed
