"""How notebooks are run: by the tests, and by ``make notebooks`` to renew what is committed.

python tests/notebooks/run_notebooks.py NOTEBOOK...
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

_CELL_TIMEOUT = 45


def read(path: Path) -> Any:
    """Return a notebook."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is not annotated


def execute(notebook: Any, folder: Path) -> None:
    """Run a notebook in place, from a folder; nothing of the machine or of the clock is recorded.

    Raises:
        CellExecutionError: a cell raised.
        CellTimeoutError: a cell took longer than 45 seconds.
    """
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=_CELL_TIMEOUT, kernel_name="python3", record_timing=False, resources=resources
    ).execute()
    notebook.metadata.pop("language_info", None)  # it has the kernel's version of Python


def main(paths: list[str]) -> None:
    """Run notebooks and write them back with their outputs."""
    for path in map(Path, paths):
        notebook = read(path)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]  # as above


if __name__ == "__main__":
    main(sys.argv[1:])
