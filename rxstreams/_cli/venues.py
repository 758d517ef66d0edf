"""``rxstreams venues``: what there is, as each venue says it of itself."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rxstreams.sources import Venue, venue, venues

_OPENS = {"first_trade": "a candle opens at its first trade", "previous_close": "a candle opens at the close before it"}
_FILL = {"skip": "an interval without a trade has no candle", "flat": "an interval without a trade is flat, volume 0"}


def describe_venue(described: Venue) -> Iterator[tuple[str, str]]:
    """Yield what a venue says of itself: a heading and a text each."""
    candles = ", ".join(described.candle_timeframes)
    yield "channels", "trades, candles" if candles else "trades"
    yield "history", "REST trades and candles" if described.rest_url else "none"
    yield "its candles", candles or "none (made of its trades: any timeframe)"
    flag = "closed candles carry a flag" if described.closes_candles else "closed by the next one, without a flag"
    yield "conventions", f"{_OPENS[described.opens]}; {_FILL[described.fill]}; {flag}"
    yield "verified", described.verified or "not yet"
    sockets = described.symbols_per_socket
    yield (
        "limits",
        f"{'no known limit of' if sockets is None else f'{sockets:,}'} symbols a socket, "
        f"{described.symbols_per_message:,} a message, {described.messages_per_second:g} messages a second; "
        + ", ".join(f"REST requests of weight {limit:,} in {period:g} s" for limit, period in described.rest_limits),
    )
    yield "address", described.url
    link, date = described.documentation
    yield "documentation", f"{link} (read {date})"


def print_venues(console: Console) -> None:
    """Print all of them."""
    for place, name in enumerate(venues()):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for heading, text in describe_venue(venue(name).venue):
            grid.add_row(heading, Text(text))
        if place:
            console.print()
        console.print(Text(name, "bold"))
        console.print(grid)
