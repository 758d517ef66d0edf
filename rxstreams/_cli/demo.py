"""``rxstreams demo``: candles from a simulated exchange that breaks, held against what it knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
from reactivex import operators as ops
from rich.console import Console, Group, RenderableType
from rich.live import Live

from rxstreams._cli.audit import Audit, audit
from rxstreams._cli.board import Board, View
from rxstreams._cli.dashboard import Dashboard
from rxstreams._cli.display import Lines, is_live, warnings_on
from rxstreams._cli.headers import demo_header
from rxstreams._cli.verdict import render_verdict
from rxstreams.backoff import BackoffPolicy
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample
from rxstreams.sources import Stream, kraken
from rxstreams.testing import DropAfter, FakeExchange, Garbage, Market, StallAfter
from rxstreams.timeframe import Timeframe

DEFAULT_SEED = 7
MINUTES = 15
TIMEFRAMES = (Timeframe("1m"), Timeframe("5m"))
# Trades a second; the third of each socket trades so rarely that whole candles pass without a trade.
RATES = {"BTC/USD": 2.0, "ETH/USD": 1.0, "ADA/USD": 1 / 150, "SOL/USD": 0.7, "XRP/USD": 0.3, "DOT/USD": 1 / 200}
_SYMBOLS_PER_SOCKET = 3
_DURATION = MINUTES * 60
_GARBAGE_AT, _DROP_AT, _STALL_AT = 100, 200, 390
_PATIENCE = 30.0


def make_market(seed: int) -> Market:
    """Return the trades of the demo."""
    return Market(RATES, seed=seed, duration=_DURATION, rate=RATES)


def make_exchange(seed: int, seconds: float) -> FakeExchange:
    """Return the exchange: it plays the market within so many seconds, and breaks three times meanwhile."""
    return FakeExchange(
        make_market(seed),
        speed=_DURATION / seconds,
        wait_for=len(RATES),
        faults=[
            Garbage(connection=0, exchange_seconds=_GARBAGE_AT),
            DropAfter(connection=0, exchange_seconds=_DROP_AT),
            StallAfter(connection=1, exchange_seconds=_STALL_AT),
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


@dataclass
class Run:
    """What comes out of the chain."""

    arrived: list[PriceTick] = field(default_factory=list[PriceTick])
    closed: list[OHLCCandle] = field(default_factory=list[OHLCCandle])
    error: Exception | None = None

    def on_candle(self, candle: OHLCCandle) -> None:
        """Keep it if it is closed; forming ones are only shown."""
        if candle.closed:
            self.closed.append(candle)

    def on_error(self, error: Exception) -> None:
        """Keep what ended the chain."""
        self.error = error


def run_demo(*, seed: int, seconds: float, plain: bool, svg: Path | None = None) -> int:
    """Run it, show it, compare; return the exit code.

    Args:
        seed: of the market.
        seconds: how long it lasts; the exchange always plays 15 minutes.
        plain: lines even where there is a terminal.
        svg: where to write a picture of it; None: nowhere.
    """
    live = is_live(plain)
    run = Run()
    interrupted = False
    with ExitStack() as stack:
        exchange = stack.enter_context(make_exchange(seed, seconds))
        lines = Lines(on=not live)
        board = Board(
            RATES, TIMEFRAMES, clock=lambda: exchange.time, on_closed=lines.on_closed, on_note=lines.on_note
        )
        begin = exchange.time

        def header(view: View) -> RenderableType:
            return demo_header(view, (exchange.time - begin) / 1e9, _DURATION)

        dashboard = Dashboard(board, header=header, title="rxstreams demo", show_lag=False)
        lines.write(_introduction(seconds))
        stack.enter_context(warnings_on(board))
        picture = Picture(dashboard) if svg else None
        feed = make_feed(exchange.url, seconds)
        try:
            with ExitStack() as inner:
                if live:
                    inner.enter_context(Live(get_renderable=lambda: dashboard, refresh_per_second=10))
                inner.enter_context(feed.events.subscribe(board.on_event))
                chain = feed.pipe(
                    ops.do_action(lambda tick: _take(tick, run, board)),
                    kraken.to_ohlc(TIMEFRAMES[0], emit="updates"),
                    resample(*TIMEFRAMES, emit="updates"),
                )
                inner.enter_context(chain.subscribe(lambda candle: _show(candle, run, board), run.on_error))
                _wait(exchange, seconds, lambda: run.error is not None, picture)
        except KeyboardInterrupt:
            interrupted = True
        feed.stop()
        result = _audit(exchange, run)
