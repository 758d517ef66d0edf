"""What stands above the table: how far it is, and how the lines do."""

from __future__ import annotations

from collections import Counter

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rxstreams._cli.board import View
from rxstreams._cli.dashboard import STATE_STYLES, format_lag
from rxstreams.states import StreamState, StreamStats

_MOST_LINES = 4


def demo_header(view: View, passed: float, duration: float) -> RenderableType:
    """Return the header of the demo: seconds of the exchange's time that have passed, of how many, and the lines."""
    done = min(passed, duration)
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(f"exchange time {_clock(done)} of {_clock(duration)}"),
        ProgressBar(total=duration, completed=done, width=24),
        Text(f"{view.trades:,} trades"),
        _lines(view),
    )
    return grid


def watch_header(view: View, stats: StreamStats) -> RenderableType:
    """Return the header of a live feed: its lines, its trades, its reconnections, its lag."""
    reconnects = sum(stats.reconnects.values())
    parts = [
        _lines(view),
        Text(f"{view.trades:,} trades"),
        Text(f"{reconnects:,} reconnects", "red" if reconnects else ""),
    ]
    if view.trades:
        parts.append(Text(f"lag {format_lag(stats.lag_p50)}, worst 1% {format_lag(stats.lag_p99)}"))
    if stats.parse_errors:
        parts.append(Text(f"{stats.parse_errors:,} bad messages", "yellow"))
    return Text("   ").join(parts)


def _lines(view: View) -> Text:
    if not view.lines:
        return Text("connecting", "cyan")
    if len(view.lines) <= _MOST_LINES:
        return Text("   ").join(Text.assemble(f"line {line} ", _state(state)) for line, state in view.lines.items())
    counts = Counter(view.lines.values())
    return Text(", ").join(Text.assemble(f"{count} lines ", _state(state)) for state, count in counts.most_common())


def _state(state: StreamState) -> tuple[str, str]:
    return state.value.replace("_", " "), STATE_STYLES.get(state.value, "cyan")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
