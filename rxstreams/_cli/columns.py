"""The columns of the dashboard's table: what each says of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from rich.text import Text

from rxstreams._cli.board import COMPLETE, FORMING, INCOMPLETE, Row
from rxstreams.instants import to_datetime
from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe

_MINUTE = 60 * 10**9
_DAY = 1440 * _MINUTE

STATE_STYLES = {
    "streaming": "green",
    "stale": "yellow",
    "backing_off": "bold red",
    "failed": "bold red",
    "refused": "bold red",
    "stopped": "dim",
    "disconnected": "dim",
}


class Marks(NamedTuple):
    """The characters that stand for a candle."""

    complete: str
    incomplete: str
    forming: str

    def of(self, interval: str) -> tuple[str, str]:
        """Return the character of an interval of a row's history, and its style."""
        return {
            COMPLETE: (self.complete, "green"),
            INCOMPLETE: (self.incomplete, "bold yellow"),
            FORMING: (self.forming, "cyan"),
        }.get(interval, (" ", ""))


UNICODE_MARKS = Marks("●", "○", "◐")
ASCII_MARKS = Marks("+", "o", ".")

Cell: TypeAlias = str | Text


class Column(NamedTuple):
    """A column.

    ``cell`` makes its text. ``rank``: where the window is too narrow, the highest goes first; 0 stays. ``width``: at
    least so many characters, so that the others stay where they are.
    """

    title: str
    cell: Callable[[Row, Marks], Cell]
    justify: Literal["left", "right"] = "left"
    rank: int = 0
    width: int = 0


def make_columns(*, lag: bool) -> list[Column]:
    """Return all columns, in their order; the lag is left out where stamps can't be compared with our clock."""
    columns = [
        Column("symbol", _symbol),
        Column("", _timeframe),
        Column("time UTC", _time, rank=1),
        Column("open", _from_candle(lambda candle: candle.open), "right", rank=6),
        Column("high", _from_candle(lambda candle: candle.high), "right", rank=3),
        Column("low", _from_candle(lambda candle: candle.low), "right", rank=4),
        Column("close", _close, "right"),
        Column("volume", _volume, "right", rank=7),
        Column("trades", _trades, "right", rank=5),
        Column("candles", _history, width=16),
        Column("line", _state, rank=2, width=11),
        Column("breaks", _losses, "right", rank=8),
    ]
    return [*columns, Column("lag", _lag, "right", rank=9)] if lag else columns


def _symbol(row: Row, _: Marks) -> Cell:
    return row.symbol


def _timeframe(row: Row, _: Marks) -> Cell:
    return str(row.timeframe)


def _time(row: Row, _: Marks) -> Cell:
    return "" if row.candle is None else format_open_time(row.candle.open_time, row.timeframe)


def _from_candle(price_of: Callable[[OHLCCandle], float]) -> Callable[[Row, Marks], Cell]:
    def cell(row: Row, _: Marks) -> Cell:
        return "" if row.candle is None else f"{price_of(row.candle):,.{row.decimals}f}"

    return cell


def _close(row: Row, _: Marks) -> Cell:
    if row.candle is None:
        return Text("" if row.state == "refused" else "waiting", "dim")
    rise = row.candle.close - row.candle.open
    return Text(f"{row.candle.close:,.{row.decimals}f}", "green" if rise > 0 else "red" if rise < 0 else "")


def _volume(row: Row, _: Marks) -> Cell:
    return "" if row.candle is None else format_volume(row.candle.volume)


def _trades(row: Row, _: Marks) -> Cell:
    return "" if row.candle is None else f"{row.candle.trades:,}"


def _history(row: Row, marks: Marks) -> Cell:
    text = Text()
    for interval in row.history:
        text.append(*marks.of(interval))
    return text


def _state(row: Row, _: Marks) -> Cell:
    return format_state(row.state)


def _losses(row: Row, _: Marks) -> Cell:
    return Text(str(row.losses), "red" if row.losses else "dim")


def _lag(row: Row, _: Marks) -> Cell:
    return "" if row.lag is None else format_lag(row.lag)


def format_state(state: str) -> Text:
    """Return a line's state as it is shown."""
    return Text(state.replace("_", " "), STATE_STYLES.get(state, "cyan"))


def format_open_time(open_time: int, timeframe: Timeframe) -> str:
    """Return an open time as short as its timeframe allows."""
    time = to_datetime(open_time)
    if timeframe.nominal >= _DAY:
        return f"{time:%Y-%m-%d}"
    return f"{time:%H:%M}" if timeframe.nominal % _MINUTE == 0 else f"{time:%H:%M:%S}"


def format_volume(volume: float) -> str:
    """Return a volume in about six characters."""
    return f"{volume:,.0f}" if volume >= 10_000 else f"{volume:,.2f}" if volume >= 100 else f"{volume:.4f}"


def format_count(number: int, noun: str) -> str:
    """Return a number with what it counts."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_lag(seconds: float) -> str:
    """Return a lag in the unit that suits it."""
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 10 else f"{seconds:,.0f} s"
