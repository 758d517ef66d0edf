"""``Dashboard``: a board as a table that fits the window, for rich."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rxstreams._cli.board import Board, Note, Row, View
from rxstreams.instants import to_datetime
from rxstreams.timeframe import Timeframe

_NOTES = 8
STATE_STYLES = {
    "streaming": "green",
    "stale": "yellow",
    "backing_off": "bold red",
    "failed": "bold red",
    "refused": "bold red",
    "stopped": "dim",
    "disconnected": "dim",
}
_MINUTE = 60 * 10**9


class Marks(NamedTuple):
    """The characters that stand for a candle."""

    complete: str
    incomplete: str
    forming: str


UNICODE_MARKS = Marks("●", "○", "·")
ASCII_MARKS = Marks("+", "o", ".")


class _Column(NamedTuple):
    title: str
    cell: Callable[[Row, Marks], str | Text]
    justify: Literal["left", "right"] = "left"
    rank: int = 0  # where the window is too narrow, the highest goes first; 0 stays


_COLUMNS = (
    _Column("symbol", lambda row, marks: row.symbol),
    _Column("", lambda row, marks: str(row.timeframe)),
    _Column("time UTC", lambda row, marks: format_open_time(row.candle.open_time, row.timeframe) if row.candle else ""),
    _Column("open", lambda row, marks: _price(row, row.candle.open) if row.candle else "", "right", 5),
    _Column("high", lambda row, marks: _price(row, row.candle.high) if row.candle else "", "right", 2),
    _Column("low", lambda row, marks: _price(row, row.candle.low) if row.candle else "", "right", 3),
    _Column("close", lambda row, marks: _close(row), "right"),
    _Column("volume", lambda row, marks: format_volume(row.candle.volume) if row.candle else "", "right", 6),
    _Column("trades", lambda row, marks: f"{row.candle.trades:,}" if row.candle else "", "right", 4),
    _Column("candles", lambda row, marks: _history(row, marks)),
    _Column("line", lambda row, marks: Text(row.state.replace("_", " "), STATE_STYLES.get(row.state, "cyan")), rank=1),
    _Column("lost", lambda row, marks: Text(str(row.losses), "red") if row.losses else "0", "right", 7),
)
_LAG = _Column("lag", lambda row, marks: format_lag(row.lag), "right", 8)


class Dashboard:
    """What rich draws of a board; as often as it is asked.

    Args:
        board: what to show.
        header: returns what stands above the table, from the board's view.
        title: of the frame.
        show_lag: whether the stamps can be compared with our clock.
    """

    def __init__(
        self, board: Board, *, header: Callable[[View], RenderableType], title: str, show_lag: bool = True
    ) -> None:
        self._board = board
        self._header = header
        self._title = title
        self._columns = (*_COLUMNS, _LAG) if show_lag else _COLUMNS

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the board as it is now, in the width and the height that there are."""
        view = self._board.view()
        marks = ASCII_MARKS if options.ascii_only else UNICODE_MARKS
        notes = view.notes[-_NOTES:]
        # Frame, header, table head, legend, and a blank line before the notes.
        room = max(3, console.height - 9 - max(1, len(notes)))
        rows, hidden = view.rows[:room], len(view.rows) - room
        parts: list[RenderableType] = [
            self._header(view),
            "",
            self._table(rows, marks, console, options.update(width=max(1, options.max_width - 4))),
            Text(f"{hidden} more rows: make the window taller", "dim") if hidden > 0 else _legend(marks),
            "",
            *(format_note(note) for note in notes),
        ]
        yield Panel(Group(*parts), title=self._title, border_style="dim", padding=(0, 1))

    def _table(self, rows: list[Row], marks: Marks, console: Console, options: ConsoleOptions) -> Table:
        columns = list(self._columns)
        while True:
            table = _make_table(columns, rows, marks)
            expendable = max(columns, key=lambda column: column.rank)
            if not expendable.rank or Measurement.get(console, options.update(width=999), table).maximum <= (
                options.max_width
            ):
                return table
            columns.remove(expendable)


def _make_table(columns: list[_Column], rows: list[Row], marks: Marks) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold dim")
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=True)
    for place, row in enumerate(rows):
        cells = [column.cell(row, marks) for column in columns]
        if place and rows[place - 1].symbol == row.symbol:
            cells[0] = ""
        table.add_row(*cells)
    return table


def _legend(marks: Marks) -> Text:
    return Text.assemble(
        (marks.complete, "green"),
        (" complete   ", "dim"),
        (marks.incomplete, "bold yellow"),
        (" incomplete: a trade may be missing   ", "dim"),
        (marks.forming, "cyan"),
        (" forming", "dim"),
    )


def _history(row: Row, marks: Marks) -> Text:
    text = Text()
    for mark in row.marks:
        text.append(*((marks.complete, "green") if mark.complete else (marks.incomplete, "bold yellow")))
    if row.candle is not None and not row.candle.closed:
        text.append(marks.forming, "cyan")
    return text


def _price(row: Row, price: float) -> str:
    return f"{price:,.{row.decimals}f}"


def _close(row: Row) -> Text:
    if row.candle is None:
        return Text("waiting", "dim")
    rises = row.candle.close - row.candle.open
    return Text(_price(row, row.candle.close), "green" if rises > 0 else "red" if rises < 0 else "")


def format_note(note: Note) -> Text:
    """Return a note as a line with its time."""
    return Text.assemble(
        (f"{to_datetime(note.time):%H:%M:%S}  ", "dim"), (note.text, "yellow" if note.bad else ""), overflow="ellipsis"
    )


def format_open_time(open_time: int, timeframe: Timeframe) -> str:
    """Return an open time as short as its timeframe allows."""
    time = to_datetime(open_time)
    if timeframe.nominal >= 1440 * _MINUTE:
        return f"{time:%Y-%m-%d}"
    return f"{time:%H:%M}" if timeframe.nominal % _MINUTE == 0 else f"{time:%H:%M:%S}"


def format_volume(volume: float) -> str:
    """Return a volume in about six characters."""
    return f"{volume:,.0f}" if volume >= 10_000 else f"{volume:,.2f}" if volume >= 100 else f"{volume:.4f}"


def format_lag(seconds: float | None) -> str:
    """Return a lag in the unit that suits it."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 10 else f"{seconds:,.0f} s"
