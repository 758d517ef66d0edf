"""The command line's door: ``rxstreams`` and ``python -m rxstreams`` come in here."""

from __future__ import annotations

import signal
import sys

from rxstreams.errors import MissingExtra

_EXTRA = ("click", "rich")


def main() -> None:
    """Run the command line with the process's arguments; ends with SystemExit.

    Example: ``rxstreams --help``.
    """
    try:
        from rxstreams._cli.commands import commands
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        sys.exit(f"rxstreams: {missing_extra(package)}")
    except KeyboardInterrupt:
        sys.exit(130)
    # Ended from outside it tidies up as with Ctrl-C: a live table hides the cursor.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    commands(prog_name="rxstreams")


def missing_extra(package: str) -> MissingExtra:
    """Return the error that names the extra which brings a package."""
    return MissingExtra(f"the command line needs {package}: pip install 'rxstreams[cli]'")
