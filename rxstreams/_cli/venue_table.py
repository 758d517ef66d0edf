"""What the venues can do, in one table: for the terminal, for Markdown, and for the documents that carry it."""

from __future__ import annotations

from pathlib import Path

from rxstreams.sources import Venue, venue, venues

HEADINGS = ("venue", "symbols such as", "live candles", "closed by", "REST trades", "ids show losses", "verified with")
"""Of the columns; live trades, and candles made of them, are there for all."""

_BEGIN, _END = "<!-- venues: made by `rxstreams venues --into` -->\n\n", "\n\n<!-- venues end -->"


def table_rows() -> list[tuple[str, ...]]:
    """Return a row of texts for each venue, in the order of their names."""
    return [_row(venue(name).venue) for name in venues()]


def markdown_table() -> str:
    """Return the table as Markdown, without a newline at its end."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *table_rows()]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def write_table(path: Path) -> bool:
    """Put the table between its two marks in a Markdown file; return whether the file was another one before.

    Raises:
        ValueError: the file does not have the marks.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"expected the lines {_BEGIN.strip()!r} and {_END.strip()!r} in {path}")
    made = f"{before}{begin}{markdown_table()}{end}{after}"
    if made != text:
        path.write_text(made, encoding="utf-8")
    return made != text


def timeframes_of(timeframes: tuple[str, ...]) -> str:
    """Return timeframes in few words: the first and the last, and how many there are between them."""
    if len(timeframes) <= 2:
        return ", ".join(timeframes) or "none"
    return f"{timeframes[0]} to {timeframes[-1]} ({len(timeframes)})"


def trades_reach(described: Venue) -> str:
    """Return how far back the venue's REST trades go."""
    if not described.has_rest_trades:
        return "none"
    return described.trades_reach or "yes"


def _row(described: Venue) -> tuple[str, ...]:
    closing = "a flag" if described.closes_candles else "the next"
    return (
        described.name,
        ", ".join(described.examples),
        timeframes_of(described.candle_timeframes),
        closing if described.candle_timeframes else "-",
        trades_reach(described),
        "yes" if described.contiguous_ids else "no",
        described.verified or "not yet",
    )
