"""Where the house tests find the code and the other files of the project."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "rxstreams"

_NOT_OURS = frozenset({"build", "dist", "__pycache__", "node_modules"})


@functools.cache
def module_files() -> dict[str, Path]:
    """Return the dotted name and the file of every module of the package."""
    files: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def module_names() -> list[str]:
    """Return the dotted name of every module of the package that can be imported without running a program."""
    return [name for name in module_files() if not name.endswith(".__main__")]


def project_files() -> list[Path]:
    """Return every file that is committed or about to be; without git, every one that looks like it."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        # Sorted and without repeats, as a file in conflict is listed several times; without those just deleted.
        names = sorted(set(listed.stdout.decode().split("\0")) - {""})
        return [path for name in names if (path := ROOT / name).is_symlink() or path.is_file()]
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not any(_is_not_ours(part) for part in path.relative_to(ROOT).parts)
    ]


def _is_not_ours(part: str) -> bool:
    return part in _NOT_OURS or part.endswith(".egg-info") or (part[0] == "." and part not in (".ci", ".gitignore"))
