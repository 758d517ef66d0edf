"""When REST is down for good: what is missing is told, by exactly those candles in which a trade may be missing."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from rxstreams.backoff import BackoffPolicy
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken
from rxstreams.states import StreamEvent, StreamState
from rxstreams.testing import (
    AnyFault,
    CutFrame,
    DropAfter,
    DropRest,
    FakeExchange,
    Market,
    RestStatus,
    StallAfter,
    compare,
    fast_config,
)
from rxstreams.testing.formats import Subscribe

_SYMBOLS = [f"S{number}/USD" for number in range(6)]
_RATES = dict(zip(_SYMBOLS, [3.0, 2.0, 1 / 40, 3.0, 2.0, 1 / 90], strict=True))
_PER_SOCKET = 3
_TRADES_BETWEEN = range(300, 2000)
_BREAKS = 12
_GRACE = 2 * SECOND  # of to_ohlc: what ended later than that before a line's last trade may not have closed yet


class Loss(NamedTuple):
    """A time that a line did not cover: from its last trade on one connection to the acknowledgement on the next."""

    begin: int
    end: int


@contextmanager
def _closed_port() -> Generator[str]:
    """Give a REST address at which nobody listens, nor will."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def _script(rng: random.Random) -> list[AnyFault]:
    kinds = [DropAfter, CutFrame, StallAfter]
    return [rng.choice(kinds)(rng.choice(_TRADES_BETWEEN), connection=number) for number in range(_BREAKS)]


@pytest.mark.parametrize("how", ["503", "drop", "nobody"])
def test_candles_when_rest_is_down_for_good_then_exactly_those_of_a_loss_are_incomplete(how: str) -> None:
    """No error reaches anybody, no candle is complete and wrong, and none is doubted without a reason."""
    rng = random.Random(f"rest down {how}")
    down: dict[str, list[AnyFault]] = {"503": [RestStatus(503)], "drop": [DropRest()], "nobody": []}
    faults = [*_script(rng), *down[how]]
    market = Market(_SYMBOLS, seed=rng.randrange(1000), rate=_RATES, duration=45 * 60)
    scheduler = EventLoopThreadScheduler("test-rest-down")
    ticks: list[PriceTick] = []
    candles: list[OHLCCandle] = []
    events: list[StreamEvent] = []
    errors: list[Exception] = []
    completed = threading.Event()
    with _closed_port() as nowhere, FakeExchange(market, faults=faults, wait_for=6, absence=20.0) as exchange:
        feed = kraken.trades(
            _SYMBOLS,
            scheduler=scheduler,
            symbols_per_socket=_PER_SOCKET,
            **fast_config(
                url=exchange.url,
                rest_url=nowhere if how == "nobody" else exchange.rest_url,
                max_hold=0.1,
                connect_timeout=2.0,
                ping_timeout=5.0,
                backoff=BackoffPolicy(initial=0.01, maximum=0.05),
            ),
        )
        with feed.events.subscribe(events.append):
            feed.subscribe(ticks.append, errors.append, completed.set)
            feed.pipe(to_ohlc("1m")).subscribe(candles.append, errors.append)
            exchange.wait_finished(45.0)
            assert feed.state is StreamState.STREAMING
            exchange.wait_until(lambda: {tick.symbol for tick in ticks[-200:]} >= set(_SYMBOLS[:2] + _SYMBOLS[3:5]))
            feed.stop()
        published = exchange.trades
        losses = _losses(exchange)
    scheduler.dispose()
    assert completed.is_set()
    assert errors == []
    assert sum(event.kind == "loss" for event in events) == _BREAKS
    assert any(event.kind == "lost" for event in events)

    report = compare(candles, published, "1m")
    assert report.complete_wrong == []
    assert report.retracted == report.extra == report.out_of_order == []
    assert report.complete_right > 50
    assert len(report.incomplete_wrong) > 10
    arrived = {(tick.symbol, tick.trade_id) for tick in ticks}
    assert len(arrived) == len(ticks) < len(published)
    last = {(candle.symbol, candle.open_time): candle for candle in candles if candle.closed}
    for tick in published:
        candle = last.get((tick.symbol, tick.timestamp // MINUTE * MINUTE))
        if candle is not None and (tick.symbol, tick.trade_id) not in arrived:
            assert not candle.complete, f"{candle} lacks {tick}"
    for candle in last.values():
        if not candle.complete:
            assert any(
                loss.begin - _GRACE < candle.close_time and loss.end >= candle.open_time
                for loss in losses[candle.symbol]
            ), f"{candle} is doubted without a reason"


def _losses(exchange: FakeExchange) -> dict[str, list[Loss]]:
    """Return the losses of each symbol's line; the time before the first acknowledgement is the first."""
    losses: dict[str, list[Loss]] = {symbol: [] for symbol in _SYMBOLS}
    newest = dict.fromkeys(_SYMBOLS, 0)
    for record in exchange.connections:
        for received in record.commands:
            if not isinstance(received.command, Subscribe):
                continue
            for symbol in received.command.symbols:
                losses[symbol].append(Loss(newest[symbol], received.time))
                if record.sent:
                    newest[symbol] = max(tick.timestamp for tick in record.sent)
    return losses
