"""The notebooks run from top to bottom, offline, and are committed with the outputs that they have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from run_notebooks import execute, read

_FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(path.name for path in _FOLDER.glob("*.ipynb"))

_SIZE_LIMIT_BYTES = 100_000
# What an output of this very machine looks like: the kernel's files, temporary folders, addresses of objects.
_ACCIDENTAL = re.compile(r"ipykernel_\d|/(?:tmp|var/folders)/|site-packages| at 0x[0-9a-f]{6,}")
_VALUE = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])|True|False")


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _number(value: str) -> float:
    return float(value == "True") if value in ("True", "False") else float(value)


def _values(cell: Any) -> list[tuple[str, list[float]]]:
    """Return what a cell put out: each output's kind and its numbers and truths, sorted.

    Not the text: the layout of a table is pandas' affair and changes with its version.
    """
    outputs: list[tuple[str, list[float]]] = []
    for output in cell.outputs:
        text = str(output.get("text") or output.get("data", {}).get("text/plain", ""))
        values = sorted(_number(value) for value in _VALUE.findall(text))
        outputs.append((output.get("name") or output.output_type, values))
    return outputs


def test_notebooks_when_listed_then_there_is_one() -> None:
    """The tests below have something to look at."""
    assert NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_read_then_it_was_run_once_from_top_to_bottom(name: str) -> None:
    """A reader on a web page sees what a reader with a kernel would."""
    cells = _code_cells(read(_FOLDER / name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
    assert [output for cell in cells for output in cell.outputs if output.output_type == "error"] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_read_then_it_is_small_and_knows_no_machine(name: str) -> None:
    """Outputs are small, and nothing in them says where or when they were made."""
    text = (_FOLDER / name).read_text(encoding="utf-8")
    notebook = read(_FOLDER / name)
    assert len(text.encode()) < _SIZE_LIMIT_BYTES
    assert _ACCIDENTAL.findall(text) == []
    assert set(notebook.metadata) == {"kernelspec"}
    assert [dict(cell.metadata) for cell in notebook.cells if cell.metadata] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_when_executed_then_no_cell_fails_and_the_outputs_are_those_committed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell runs, from an empty folder, and the numbers are those that are committed (else: make notebooks)."""
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))  # nothing of the user's own set-up
    notebook = read(_FOLDER / name)
    committed = [_values(cell) for cell in _code_cells(notebook)]
    folder = tmp_path / "empty"
    folder.mkdir()
    execute(notebook, folder)
    assert [_values(cell) for cell in _code_cells(notebook)] == committed
