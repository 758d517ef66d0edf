"""By how much a feed in a bad world grows. A program: the seed is its argument, what it found its output.

The exchange is in a process of its own, so all that is counted is the library's and what it uses. Python's own
allocator is switched off (PYTHONMALLOC=malloc), so that the C library knows of every byte; ``tracemalloc`` would see
less and take five times as long.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import multiprocessing
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import chaos
from venue_world import symbols_of

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.sources import kraken

_LOOKS = 100
_PATIENCE = 50.0
_SYMBOLS = symbols_of("kraken", chaos.SYMBOLS)


class _Mallinfo(ctypes.Structure):
    """What glibc tells of its memory (mallinfo2, from 2.33 on)."""

    _fields_ = (
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )
    hblkhd: int
    uordblks: int


class Observer:
    """Checks the order and looks at the memory, and keeps next to nothing itself."""

    def __init__(self, trades: int) -> None:
        self.count = 0
        self.wrong: list[str] = []
        self._trades = trades
        self._last = dict.fromkeys(_SYMBOLS, 0)
        self._looks: list[int] = []
        self._last_look = 0
        self._mallinfo = ctypes.CDLL(None).mallinfo2
        self._mallinfo.restype = _Mallinfo

    def on_tick(self, tick: PriceTick) -> None:
        """Take a trade; its symbol's ids are contiguous."""
        last, trade_id = self._last[tick.symbol], tick.trade_id
        assert isinstance(trade_id, int)
        if last and trade_id != last + 1 and len(self.wrong) < 10:
            self.wrong.append(f"{tick.symbol}: {trade_id} after {last}")
        self._last[tick.symbol] = trade_id
        if self.count % (self._trades // _LOOKS) == 0:
            self._looks.append(self._used_bytes())
        self.count += 1

    def look(self) -> None:
        """Look at what is left when all is done."""
        self._last_look = self._used_bytes()

    def _used_bytes(self) -> int:
        gc.collect()
        info = self._mallinfo()
        return int(info.uordblks + info.hblkhd)

    @property
    def growth(self) -> int:
        """By how many bytes the memory has grown since the sixth tenth of the trades.

        What is held while a gap is open is not growth: so the least of the looks counts, and in the end none is open.
        """
        return self._last_look - min(self._looks[50:60])


def serve(seed: int, trades: int, pipe: Connection) -> None:
    """Run the exchange until the other side has had enough."""
    with chaos.exchange(seed, _SYMBOLS, trades) as running:
        pipe.send((running.url, running.rest_url))
        with suppress(EOFError):
            pipe.recv()


def _ignore(candle: OHLCCandle) -> None:
    pass


def measure(seed: int, trades: int = chaos.TRADES) -> Observer:
    """Run a feed and a chain."""
    logging.getLogger("rxstreams").setLevel(logging.CRITICAL)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(seed, trades, theirs), daemon=True)
    server.start()
    theirs.close()
    try:
        url, rest_url = ours.recv()
        observer = Observer(trades)
        feed = kraken.trades(_SYMBOLS, **chaos.options(url, rest_url))
        feed.subscribe(observer.on_tick)
        feed.pipe(to_ohlc("1m")).subscribe(_ignore)
        deadline = time.monotonic() + _PATIENCE
        while observer.count < trades and time.monotonic() < deadline:
            time.sleep(0.01)
        observer.look()
        feed.stop()
        return observer
    finally:
        ours.close()
        server.join(10.0)


if __name__ == "__main__":
    found = measure(int(sys.argv[1]))
    sys.stdout.write(json.dumps({"growth": found.growth, "count": found.count, "wrong": found.wrong}))
