"""Shelf: the buffers of a manager by exchange, symbol and timeframe, and which of them is built from which."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rxstreams.errors import AmbiguousKey
from rxstreams.sinks._derivation import Step
from rxstreams.sinks.ohlc_buffer import OHLCBuffer
from rxstreams.timeframe import Timeframe


class CandleKey(NamedTuple):
    """What a buffer is kept under."""

    exchange: str
    symbol: str
    timeframe: Timeframe


class Shelf:
    """Makes buffers, finds them, and links those that can be built from a shorter one. Not safe over threads.

    Args:
        max_candles: of each buffer.
        timeframes: those that are built wherever one serves them, ascending.
        lock: shared by all buffers: what comes into one goes on into those that are built from it.
    """

    def __init__(self, max_candles: int, timeframes: Sequence[Timeframe], lock: threading.RLock) -> None:
        self._max_candles = max_candles
        self._timeframes = timeframes
        self._lock = lock
        # symbol -> exchange -> timeframe
        self._buffers: dict[str, dict[str, dict[Timeframe, OHLCBuffer]]] = {}
        self._steps: dict[tuple[Timeframe, Timeframe], Step] = {}

    def open(self, exchange: str, symbol: str, timeframe: Timeframe) -> OHLCBuffer:
        """Return the buffer of a key; where there is none, make it, and those that can be built from it."""
        buffers = self._buffers.setdefault(symbol, {}).setdefault(exchange, {})
        buffer = buffers.get(timeframe)
        if buffer is None:
            buffer = buffers[timeframe] = self._new(exchange, symbol, timeframe)
            for longer in self._timeframes:
                self._link(exchange, symbol, longer, buffers)
        return buffer

    def find(self, symbol: str, exchange: str | None) -> dict[Timeframe, OHLCBuffer]:
        """Return a symbol's buffers at one exchange; none if it was not seen there.

        Args:
            symbol: its one name.
            exchange: None: the only one at which it was seen.

        Raises:
            AmbiguousKey: no exchange is given and the symbol was seen at several.
        """
        by_exchange = self._buffers.get(symbol, {})
        if exchange is None and len(by_exchange) == 1:
            (exchange,) = by_exchange
        if exchange is None and by_exchange:
            names = ", ".join(repr(name) for name in sorted(by_exchange))
            raise AmbiguousKey(f"{symbol} was seen at several exchanges: say exchange= one of {names}")
        return by_exchange.get(exchange or "", {})

    def items(self) -> Iterator[tuple[CandleKey, OHLCBuffer]]:
        """Iterate over all buffers with their keys, by symbol, exchange and timeframe."""
        for symbol in sorted(self._buffers):
            for exchange in sorted(self._buffers[symbol]):
                buffers = self._buffers[symbol][exchange]
                for timeframe in sorted(buffers):
                    yield CandleKey(exchange, symbol, timeframe), buffers[timeframe]

    def _link(self, exchange: str, symbol: str, longer: Timeframe, buffers: dict[Timeframe, OHLCBuffer]) -> None:
        """Build a timeframe from the longest shorter one that serves it, if it has no source of its own."""
        target = buffers.get(longer)
        sources = [shorter for shorter in buffers if shorter < longer and shorter.serves(longer)]
        if not sources or (target is not None and not target._needs_source):
            return
        if target is None:
            target = buffers[longer] = self._new(exchange, symbol, longer)
        shorter = max(sources)
        target._derive(self._step(shorter, longer), buffers[shorter])

    def _step(self, shorter: Timeframe, longer: Timeframe) -> Step:
        step = self._steps.get((shorter, longer))
        if step is None:
            step = Step(shorter, longer)
            for other in self._steps.values():
                if other.longer is shorter:
                    other.following.append(step)
                elif other.shorter is longer:
                    step.following.append(other)
            self._steps[shorter, longer] = step
        return step

    def _new(self, exchange: str, symbol: str, timeframe: Timeframe) -> OHLCBuffer:
        return OHLCBuffer._managed(exchange, symbol, timeframe, self._max_candles, self._lock)
