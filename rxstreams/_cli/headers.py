"""What stands above the table: how far it is, and how the lines do."""

from __future__ import annotations

from collections import Counter

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rxstreams._cli.board import View
from rxstreams._cli.columns import format_count, format_lag, format_state
from rxstreams.states import StreamStats

_MOST_LINES = 4


def demo_header(view: View, passed: float, duration: float) -> RenderableType:
    """Return the header of the demo: seconds of the exchange's time that have passed, of how many, and the lines."""
    done = min(max(0.0, passed), duration)
    grid = Table.grid(padding=(0, 2), expand=True)
    for ratio in (None, 1, None, None):
        grid.add_column(ratio=ratio, no_wrap=True)
    grid.add_row(
        Text(f"{_clock(done)} of {_clock(duration)}"),
        ProgressBar(total=duration, completed=done, complete_style="cyan", finished_style="cyan"),
        Text(format_count(view.trades, "trade")),
        _lines(view),
    )
    return grid


def watch_header(view: View, stats: StreamStats) -> RenderableType:
    """Return the header of a live feed: its lines, its trades, its reconnections, its lag."""
    reconnects = sum(stats.reconnects.values())
    parts = [
        _lines(view),
        Text(format_count(view.trades, "trade")),
        Text(format_count(reconnects, "reconnect"), "red" if reconnects else ""),
    ]
    if view.trades:
        parts.append(Text(f"lag {format_lag(stats.lag_p50)}, in the worst 1% {format_lag(stats.lag_p99)}"))
    if stats.parse_errors:
        parts.append(Text(format_count(stats.parse_errors, "bad message"), "yellow"))
    return Text("   ").join(parts)


def _lines(view: View) -> Text:
    if not view.lines:
        return Text("connecting", "cyan")
    if len(view.lines) <= _MOST_LINES:
        each = [Text.assemble(f"line {line} ", format_state(state)) for line, state in view.lines.items()]
        return Text("   ").join(each)
    counts = Counter(view.lines.values()).most_common()
    return Text(", ").join(Text.assemble(f"{count} lines ", format_state(state)) for state, count in counts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
