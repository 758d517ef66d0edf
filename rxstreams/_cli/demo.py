"""``rxstreams demo``: candles from a simulated exchange that breaks, held against what it knows."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from reactivex import Observable
from reactivex import operators as ops
from rich.console import Console
from rich.live import Live

from rxstreams._cli.audit import Audit, audit, trade_key
from rxstreams._cli.board import Board
from rxstreams._cli.dashboard import Dashboard
from rxstreams._cli.display import Lines, is_live, warnings_on
from rxstreams._cli.headers import demo_header
from rxstreams._cli.picture import Picture
from rxstreams._cli.verdict import describe
from rxstreams.backoff import BackoffPolicy
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.sources import Stream, kraken
from rxstreams.testing import DropAfter, FakeExchange, Garbage, Market, StallAfter
from rxstreams.timeframe import Timeframe

DEFAULT_SEED = 42
TIMEFRAMES = (Timeframe("1m"), Timeframe("5m"))
# Trades a second; the last of each three, which share a socket, is quiet for whole candles.
RATES = {"BTC/USD": 2.0, "ETH/USD": 1.0, "BCH/USD": 1 / 120, "SOL/USD": 0.7, "XRP/USD": 0.3, "ADA/USD": 1 / 150}
_SYMBOLS_PER_SOCKET = 3
_DURATION = 15 * 60
_GARBAGE_AT, _DROP_AT, _STALL_AT = 100, 200, 390
_LEAD = 5  # the exchange's seconds before the first minute, so that its candles are covered from their beginning
_PATIENCE = 30.0


def make_market(seed: int) -> Market:
    """Return the trades that are played."""
    return Market(RATES, seed=seed, duration=_DURATION, rate=RATES)


def make_exchange(seed: int, seconds: float) -> FakeExchange:
    """Return the exchange: it plays the market within so many seconds, and breaks three times meanwhile."""
    market = make_market(seed)
    return FakeExchange(
        market,
        start=market.start - _LEAD * SECOND,
        speed=(_LEAD + _DURATION) / seconds,
        wait_for=len(RATES),
        faults=[
            Garbage(connection=0, exchange_seconds=_LEAD + _GARBAGE_AT),
            DropAfter(connection=0, exchange_seconds=_LEAD + _DROP_AT),
            StallAfter(connection=1, exchange_seconds=_LEAD + _STALL_AT),
        ],
    )


def make_feed(url: str, seconds: float) -> Stream[PriceTick]:
    """Return the feed, as for the real venue; only its patience is as short as the exchange is fast."""
    pace = seconds / 15
    return kraken.trades(
        RATES,
        url=url,
        symbols_per_socket=_SYMBOLS_PER_SOCKET,
        silence_timeout=max(0.3, 0.6 * pace),
        probe_timeout=max(0.2, 0.3 * pace),
        backoff=BackoffPolicy(initial=0.3 * pace, maximum=0.9 * pace),
    )


@dataclass(kw_only=True)
class Outcome:
    """What came out of the feed and of the chain, and what ended the chain."""

    arrived: list[PriceTick] = field(default_factory=list[PriceTick])
    closed: list[OHLCCandle] = field(default_factory=list[OHLCCandle])
    error: Exception | None = None

    def subscribe_to(self, feed: Stream[PriceTick], board: Board) -> None:
        """Make candles of the feed; keep and show what comes."""

        def on_tick(tick: PriceTick) -> None:
            self.arrived.append(tick)
            board.on_tick(tick)

        def on_candle(candle: OHLCCandle) -> None:
            if candle.closed:
                self.closed.append(candle)
            board.on_candle(candle)

        def on_error(error: Exception) -> None:
            self.error = error

        chain: Observable[OHLCCandle] = feed.pipe(
            ops.do_action(on_tick),
            kraken.to_ohlc(TIMEFRAMES[0], emit="updates"),
            resample(*TIMEFRAMES, emit="updates"),
        )
        chain.subscribe(on_candle, on_error)


def run_demo(*, seed: int, seconds: float, plain: bool, svg: Path | None = None) -> int:
    """Play, show, compare; return the exit code: 0 where everything was as it has to be, else 1.

    Ctrl-C ends the play; what there was until then is compared.

    Args:
        seed: of the market.
        seconds: how long it lasts; the exchange always has 15 minutes to play in them.
        plain: lines even where there is a terminal.
        svg: where to write a picture of it; None: nowhere.

    Raises:
        OSError: nobody reads the lines any more, or the picture can't be written.
        StreamError: the feed failed.
        TimeoutError: it took far longer than it should.
    """
    live = is_live(plain)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not live)
    lines = Lines(on=not live)
    outcome = Outcome()
    with make_exchange(seed, seconds) as exchange, ExitStack() as stack:
        begin = exchange.time + _LEAD * SECOND
        board = Board(
            RATES,
            TIMEFRAMES,
            clock=lambda: exchange.time,
            on_closed=lines.on_closed,
            on_note=lines.on_note,
            name=kraken.FEEDS.venue.name,
        )
        dashboard = Dashboard(
            board,
            header=lambda view: demo_header(view, (exchange.time - begin) / SECOND, _DURATION),
            title="rxstreams demo",
            lag=False,
        )
        picture = Picture(dashboard) if svg else None
        lines.write(_introduction(seconds))
        stack.enter_context(warnings_on(board))
        feed = make_feed(exchange.url, seconds)
        stack.enter_context(feed.events.subscribe(board.on_event))
        if live:
            stack.enter_context(Live(get_renderable=lambda: dashboard, console=console, refresh_per_second=10))
        interrupted = False
        try:
            outcome.subscribe_to(feed, board)
            _wait(exchange, outcome, _PATIENCE + 3 * seconds, picture)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            stopped = exchange.time
            feed.stop()  # gracefully: what was written to a socket still arrives
        result = _audit(exchange, outcome, stopped)
    if lines.broken is not None:
        raise lines.broken
    if outcome.error is not None:
        raise outcome.error
    if interrupted:
        console.print("Interrupted; what there was until now is compared.", style="yellow")
    for text, style in describe(result, ascii_only=console.options.ascii_only):
        console.print(text, style=style)
    if picture is not None and svg is not None:
        picture.write(svg, describe(result))
    if not (result.complete or interrupted):
        console.print("No candle was complete, so nothing was proven.", style="bold red")
        return 1
    return 1 if result.differences else 0


def _introduction(seconds: float) -> str:
    return (
        f"A simulated exchange on this machine: {len(RATES)} symbols, {_DURATION // 60} minutes of trades in "
        f"{seconds:g} seconds, over two sockets.\nIt sends garbage at {_clock(_GARBAGE_AT)}, cuts a socket at "
        f"{_clock(_DROP_AT)} and lets the other fall silent at {_clock(_STALL_AT)}."
    )


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def _wait(exchange: FakeExchange, outcome: Outcome, patience: float, picture: Picture | None) -> None:
    """Wait until everything was played, or the chain has failed.

    Raises:
        TimeoutError: it takes far longer than it should.
    """
    deadline = time.monotonic() + patience
    while outcome.error is None and time.monotonic() < deadline:
        try:
            exchange.wait_finished(0.1)
        except TimeoutError:
            if picture is not None:
                picture.take()
        else:
            return
    if outcome.error is None:
        raise TimeoutError(f"the exchange did not come to its end within {patience:g} s; is this machine very busy?")


def _audit(exchange: FakeExchange, outcome: Outcome, stopped: int) -> Audit:
    """Compare; what was published after the feed was stopped (ns) counts only where it was sent all the same."""
    sent = [exchange.sent(record.number) for record in exchange.connections]
    written = {trade_key(tick) for of_connection in sent for tick in of_connection}
    venue = kraken.FEEDS.venue
    return audit(
        published=[tick for tick, at in exchange.published if at <= stopped or trade_key(tick) in written],
        sent=sent,
        arrived=outcome.arrived,
        candles=outcome.closed,
        timeframes=TIMEFRAMES,
        fill=venue.fill,
        opens=venue.opens,
    )
