"""``rxstreams demo``: trades and candles from a simulated exchange that breaks, held against what it knows."""

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
from rxstreams.limits import APIRateLimiter, RateLimitConfig
from rxstreams.operators import resample
from rxstreams.sources import Stream, kraken
from rxstreams.states import StreamEvent
from rxstreams.testing import DropAfter, FakeExchange, Garbage, Market, RestStatus, StallAfter
from rxstreams.timeframe import Timeframe

DEFAULT_SEED = 42
TIMEFRAMES = (Timeframe("1m"), Timeframe("5m"))
# Trades a second; the last of each three, which share a socket, is quiet for whole candles.
RATES = {"BTC/USD": 2.0, "ETH/USD": 1.0, "BCH/USD": 1 / 120, "SOL/USD": 0.7, "XRP/USD": 0.3, "ADA/USD": 1 / 150}
_SYMBOLS_PER_SOCKET = 3
_DURATION = 15 * 60
_GARBAGE_AT, _DROP_AT, _STALL_AT = 100, 200, 390
_LEAD = 5  # the exchange's seconds before the first minute, so that its candles are covered from their beginning
_REST_LAG = 2  # the exchange's seconds by which its REST API is behind its sockets
_REFUSED = range(0, 1000, 3)  # requests that it does not answer, of a thousand
_PATIENCE = 30.0
_LAST_GAPS = 10.0


def make_market(seed: int) -> Market:
    """Return the trades that are played."""
    return Market(RATES, seed=seed, duration=_DURATION, rate=RATES)


def make_exchange(seed: int, seconds: float) -> FakeExchange:
    """Return the exchange: it plays the market within so many seconds, and breaks three times meanwhile."""
    market, speed = make_market(seed), _speed(seconds)
    return FakeExchange(
        market,
        start=market.start - _LEAD * SECOND,
        speed=speed,
        wait_for=len(RATES),
        rest_lag=_REST_LAG,
        rest_limit=_rest_limit(speed),
        faults=[
            Garbage(connection=0, exchange_seconds=_LEAD + _GARBAGE_AT),
            DropAfter(connection=0, exchange_seconds=_LEAD + _DROP_AT),
            StallAfter(connection=1, exchange_seconds=_LEAD + _STALL_AT),
            RestStatus(503, request=_REFUSED),
        ],
    )


def _speed(seconds: float) -> float:
    return (_LEAD + _DURATION) / seconds


def _rest_limit(speed: float) -> tuple[int, float]:
    """Return the venue's limit, at this speed."""
    ((calls, period),) = kraken.FEEDS.venue.rest_limits
    return calls, period / speed


def make_feed(url: str, rest_url: str, seconds: float) -> Stream[PriceTick]:
    """Return the feed, as for the real venue; only its waits are as short as the exchange is fast."""
    pace, speed = seconds / 15, _speed(seconds)
    limits = RateLimitConfig()
    return kraken.trades(
        RATES,
        url=url,
        rest_url=rest_url,
        rest_limiter=APIRateLimiter(
            RateLimitConfig(
                max_calls_per_minute=None,
                max_calls_per_hour=None,
                windows=[_rest_limit(speed)],
                initial_backoff_seconds=limits.initial_backoff_seconds / speed,
                max_backoff_seconds=limits.max_backoff_seconds / speed,
            )
        ),
        settle=kraken.FEEDS.venue.settle / speed,
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
    events: list[StreamEvent] = field(default_factory=list[StreamEvent])
    gaps: set[str] = field(default_factory=set[str])
    error: Exception | None = None

    def on_event(self, event: StreamEvent) -> None:
        """Keep what happened, and which symbols have a gap that is still open."""
        self.events.append(event)
        if event.kind == "loss":
            self.gaps.update(event.symbols)
        elif event.kind == "bad_message":
            first = event.line * _SYMBOLS_PER_SOCKET
            self.gaps.update(tuple(RATES)[first : first + _SYMBOLS_PER_SOCKET])
        elif event.kind in ("recovered", "lost"):
            self.gaps.difference_update(event.symbols)

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
        feed = make_feed(exchange.url, exchange.rest_url, seconds)
        stack.enter_context(feed.events.subscribe(board.on_event))
        stack.enter_context(feed.events.subscribe(outcome.on_event))
        if live:
            stack.enter_context(Live(get_renderable=lambda: dashboard, console=console, refresh_per_second=10))
        interrupted = False
        try:
            outcome.subscribe_to(feed, board)
            try:
                _wait(exchange, outcome, _PATIENCE + 3 * seconds, picture)
            except KeyboardInterrupt:
                interrupted = True
            _wait_for_gaps(outcome)
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
        f"{_clock(_DROP_AT)} and lets the other fall silent at {_clock(_STALL_AT)}.\nIts REST API, where "
        f"the missed trades are fetched, is {_REST_LAG} s behind and refuses every third request."
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


def _wait_for_gaps(outcome: Outcome) -> None:
    """Wait until what was missed has been fetched, or can't be: a feed that is stopped gives its open gaps up."""
    deadline = time.monotonic() + _LAST_GAPS
    while outcome.gaps and outcome.error is None and time.monotonic() < deadline:
        time.sleep(0.01)


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
        events=outcome.events,
        timeframes=TIMEFRAMES,
        fill=venue.fill,
        opens=venue.opens,
    )
