"""``Dashboard``: a board as a table that fits the window, for rich."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rxstreams._cli.board import COMPLETE, FORMING, INCOMPLETE, Board, Note, Row, View
from rxstreams._cli.columns import ASCII_MARKS, UNICODE_MARKS, Column, Marks, make_columns
from rxstreams.instants import to_datetime

_MOST_NOTES = 8
_FEWEST = 3
_BESIDE_ROWS = 8  # the frame, the header, the table's head, the legend and the blank lines between them
_FRAME_WIDTH = 4
_NO_LIMIT = 999


class Dashboard:
    """What rich draws of a board; as it is whenever it is drawn.

    Args:
        board: what to show.
        header: returns what stands above the table, from the board's view.
        title: of the frame.
        lag: whether the venue's stamps can be compared with our clock.
    """

    def __init__(self, board: Board, *, header: Callable[[View], RenderableType], title: str, lag: bool = True) -> None:
        self._board = board
        self._header = header
        self._title = title
        self._columns = make_columns(lag=lag)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the width and the height that there are."""
        view = self._board.view()
        marks = ASCII_MARKS if options.ascii_only else UNICODE_MARKS
        space = console.height - _BESIDE_ROWS
        # The notes' place is kept free until they come, so that the frame does not grow line by line.
        places = max(_FEWEST, min(_MOST_NOTES, space - len(view.rows)))
        notes = view.notes[-places:]
        room = max(_FEWEST, space - places)
        hidden = len(view.rows) - room
        inner = options.update(width=max(1, options.max_width - _FRAME_WIDTH))
        parts: list[RenderableType] = [
            self._header(view),
            "",
            self._table(view.rows[:room], marks, console, inner),
            Text(f"{hidden} more rows: make the window taller", "dim") if hidden > 0 else _legend(marks),
            "",
            *(_format_note(note, options.ascii_only) for note in notes),
            *[""] * (places - len(notes)),
        ]
        yield Panel(Group(*parts), title=self._title, border_style="dim")

    def _table(self, rows: list[Row], marks: Marks, console: Console, options: ConsoleOptions) -> Table:
        """Return the table with as many columns as there is room for."""
        columns = self._columns.copy()
        while True:
            table = _make_table(columns, rows, marks)
            last = max(columns, key=lambda column: column.rank)
            needed = Measurement.get(console, options.update(width=_NO_LIMIT), table).maximum
            if not last.rank or needed <= options.max_width:
                return table
            columns.remove(last)


def _make_table(columns: list[Column], rows: list[Row], marks: Marks) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold dim")
    for column in columns:
        table.add_column(column.title, justify=column.justify, min_width=column.width or None, no_wrap=True)
    for place, row in enumerate(rows):
        cells = [column.cell(row, marks) for column in columns]
        if place and rows[place - 1].symbol == row.symbol:
            cells[0] = ""
        table.add_row(*cells)
    return table


def _legend(marks: Marks) -> Text:
    meanings = {COMPLETE: "complete", INCOMPLETE: "incomplete: a trade may be missing", FORMING: "forming"}
    return Text("   ").join(
        Text.assemble(marks.of(interval), (f" {meaning}", "dim")) for interval, meaning in meanings.items()
    )


def _format_note(note: Note, ascii_only: bool) -> Text:
    message = note.text.encode("ascii", "replace").decode() if ascii_only else note.text
    time = f"{to_datetime(note.time):%H:%M:%S}  "
    text = Text.assemble((time, "dim"), (message, "yellow" if note.bad else ""), no_wrap=True)
    text.overflow = "crop" if ascii_only else "ellipsis"  # the ellipsis is one character, and not ASCII
    return text
