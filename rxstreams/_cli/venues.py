"""``rxstreams venues``: what there is, as each venue says it of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rxstreams._cli.venue_table import HEADINGS, markdown_table, table_rows, trades_reach
from rxstreams.sources import Venue, venue

_OPENS = {"first_trade": "a candle opens at its first trade", "previous_close": "a candle opens at the close before it"}
_FILL = {"skip": "an interval without a trade has no candle", "flat": "an interval without a trade is flat, volume 0"}


def describe_venue(described: Venue) -> Iterator[tuple[str, str]]:
    """Yield what a venue says of itself: a heading and a text each."""
    live = ", ".join(described.candle_timeframes)
    past = live if described.rest_timeframes is None else ", ".join(described.rest_timeframes)
    yield "symbols", ", ".join(described.examples)
    yield "channels", "trades, candles" if live else "trades"
    yield "its candles", live or "none live (made of its trades: any timeframe)"
    yield "history", f"REST trades: {trades_reach(described)}; REST candles: {past}" if described.rest_url else "none"
    flag = "closed candles carry a flag" if described.closes_candles else "closed by the next one, without a flag"
    says = ", ".join(sorted(described.candle_fields)) or "nothing"
    conventions = f"{_OPENS[described.opens]}; {_FILL[described.fill]}"
    yield "conventions", f"{conventions}; {flag if live else 'no live ones'}; beside prices and volume they say: {says}"
    yield (
        "losses",
        f"{'a jump of the ids shows them' if described.contiguous_ids else 'ids do not show them'}; after a reconnect "
        + ("what is missing is fetched" if described.has_rest_trades else "what is missing can't be fetched"),
    )
    yield "verified", described.verified or "not yet"
    yield "limits", "; ".join(_limits(described))
    yield "address", described.url
    link, date = described.documentation
    yield "documentation", f"{link} (read {date})"


def _limits(described: Venue) -> Iterator[str]:
    sockets = described.symbols_per_socket
    yield (
        f"{'no known limit of' if sockets is None else f'{sockets:,}'} symbols a socket, "
        f"{described.symbols_per_message:,} a message, {described.messages_per_second:g} messages a second"
    )
    if described.connection_limit is not None:
        connections, period = described.connection_limit
        yield f"{connections:,} connections in {period:g} s"
    if described.heartbeat_interval is not None:
        yield f"a heartbeat every {described.heartbeat_interval:g} s"
    for weight, period in described.rest_limits:
        yield f"REST requests of weight {weight:,} in {period:g} s"


def print_venues(console: Console, names: Iterable[str] = (), *, markdown: bool = False) -> None:
    """Print the table of all venues, or all that is known of some.

    Raises:
        UnknownVenue: there is none of that name.
    """
    chosen = [venue(name).venue for name in names]
    if markdown:
        console.print(markdown_table(), soft_wrap=True, markup=False)
        return
    if not chosen:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in HEADINGS:
            table.add_column(heading, no_wrap=heading in HEADINGS[:2])
        for name, symbols, *cells, verified in table_rows():
            # A line each, where there is room: the first symbol, and that it was verified, not with what.
            short = (name, symbols.split(", ")[0], *cells, verified if verified == "not yet" else "its candles")
            table.add_row(*map(Text, short))
        console.print(table)
        console.print("\nrxstreams venues NAME says all of one: conventions, limits, links.")
        return
    for place, described in enumerate(chosen):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for heading, text in describe_venue(described):
            grid.add_row(heading, Text(text))
        if place:
            console.print()
        console.print(Text(described.name, "bold"))
        console.print(grid)
