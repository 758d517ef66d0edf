"""A picture of the dashboard and what follows it, for the README."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.segment import Segments

from rxstreams._cli.dashboard import Dashboard

_WIDTH, _HEIGHT = 116, 60


class Picture:
    """Draws the dashboard as if in a terminal of a fixed size, and keeps the last drawing."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._console = Console(
            file=io.StringIO(),
            record=True,
            force_terminal=True,
            color_system="truecolor",
            width=_WIDTH,
            height=_HEIGHT,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._frame = Segments([])

    def take(self) -> None:
        """Draw the dashboard as it is now."""
        self._frame = Segments(list(self._console.render(self._dashboard)))

    def write(self, path: Path, lines: Iterable[tuple[str, str]]) -> None:
        """Write the last drawing, with lines (text, style) below it, as SVG."""
        self._console.print(self._frame, "")
        for text, style in lines:
            self._console.print(text, style=style)
        picture = self._console.export_svg(title="rxstreams demo")
        # Rich names web fonts; a picture in a README has to do with the reader's own.
        path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")
