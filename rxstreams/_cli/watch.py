"""``rxstreams watch``: live candles of a real venue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import click
from reactivex import operators as ops
from rich.console import Console
from rich.live import Live

from rxstreams._cli.board import Board, to_one_line
from rxstreams._cli.columns import format_count
from rxstreams._cli.dashboard import Dashboard
from rxstreams._cli.display import Lines, is_live, warnings_on
from rxstreams._cli.headers import watch_header
from rxstreams.bridge import run
from rxstreams.errors import (
    CertificateError,
    ObserverError,
    PolicyViolation,
    ProtocolError,
    RateLimited,
    Refused,
    StreamError,
    SubscriptionError,
)
from rxstreams.items import PriceTick
from rxstreams.operators import resample
from rxstreams.sources import Stream, venue
from rxstreams.timeframe import Timeframe

_SECOND, _MINUTE = Timeframe("1s"), Timeframe("1m")

_ADVICE: dict[type[StreamError], str] = {
    CertificateError: "check this machine's clock, and whether a proxy stands between",
    Refused: "check the address; the venue may not serve your country or network",
    RateLimited: "the venue wants a longer pause; try again later",
    PolicyViolation: "the venue does not want this; wait some minutes, ask for fewer symbols",
    SubscriptionError: "check the spelling: BASE/QUOTE, as the venue names them",
    ProtocolError: "one side breaks the protocol; check that --url is this venue's WebSocket",
}


def choose_base(timeframes: Sequence[Timeframe]) -> Timeframe:
    """Return the timeframe to make of the trades: the shortest if it serves all others, else one that does."""
    for base in (min(timeframes), _MINUTE):
        if all(base.serves(timeframe) for timeframe in timeframes):
            return base
    return _SECOND


def run_watch(feed: Stream[PriceTick], timeframes: Iterable[Timeframe], *, seconds: float | None, plain: bool) -> None:
    """Show live candles until Ctrl-C, or for so many seconds.

    Args:
        feed: trades.
        timeframes: to show.
        seconds: None: until Ctrl-C.
        plain: lines even where there is a terminal.

    Raises:
        StreamError: the feed failed for good.
        OSError: nobody reads the lines any more.
    """
    name = feed.venue.name
    shown = sorted(set(timeframes))
    live = is_live(plain)
    lines = Lines(on=not live)
    board = Board(feed.symbols, shown, on_closed=lines.on_closed, on_note=lines.on_note, name=name)
    dashboard = Dashboard(board, header=lambda view: watch_header(view, feed.stats), title=f"rxstreams watch {name}")
    chain = feed.pipe(
        ops.do_action(board.on_tick),
        venue(name).to_ohlc(choose_base(shown), emit="updates"),
        resample(*shown, emit="updates"),
    )
    with ExitStack() as stack:
        stack.enter_context(warnings_on(board))
        stack.enter_context(feed.events.subscribe(board.on_event))
        if live:
            console = Console(highlight=False)
            stack.enter_context(Live(get_renderable=lambda: dashboard, console=console, refresh_per_second=8))
        try:
            run(chain, board.on_candle, timeout=seconds)
        except TimeoutError:
            pass  # as asked for
        except ObserverError:
            if lines.broken is not None:
                raise lines.broken from None
            raise
    view, reconnects = board.view(), sum(feed.stats.reconnects.values())
    trades, candles = format_count(view.trades, "trade"), format_count(view.closed, "candle")
    click.echo(f"{trades}; {candles} closed, {view.complete:,} complete; {format_count(reconnects, 'reconnect')}")


def advise(error: BaseException) -> str:
    """Return in one line what is wrong, and what to do about it."""
    text = to_one_line(str(error)) or type(error).__name__
    advice = next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), "")
    return f"{text}; {advice}" if advice else text
