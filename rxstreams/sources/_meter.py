"""Counts what a feed does. Written on the feed's thread only, read from any."""

from __future__ import annotations

import time
from collections import Counter, deque
from types import MappingProxyType

from rxstreams.states import StreamStats

_LAGS = 1024


class Meter:
    """The numbers behind ``feed.stats``. Memory: O(1)."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.ticks = 0
        self.parse_errors = 0
        self.unknown_messages = 0
        self.observer_errors = 0
        self.connects = 0
        self.dropped = 0
        self.duplicates = 0
        self.unsorted = 0
        self.last_received = 0
        self._reconnects: Counter[str] = Counter()
        self._lags: deque[int] = deque(maxlen=_LAGS)
        self._opened: dict[int, float] = {}
        self.lag = self._lags.append

    def opened(self, line: int) -> None:
        """Count a connection that was opened."""
        self.connects += 1
        self._opened[line] = time.monotonic()

    def closed(self, line: int) -> None:
        """Note that a line has no connection any more."""
        self._opened.pop(line, None)

    def lost(self, kind: str) -> None:
        """Count a reconnection by the class of the error that made it necessary."""
        self._reconnects[kind] += 1

    def snapshot(self) -> StreamStats:
        """Return all numbers as they are now."""
        lags = sorted(self._lags.copy())
        opened = list(self._opened.copy().values())
        return StreamStats(
            messages=self.messages,
            bytes=self.bytes,
            ticks=self.ticks,
            parse_errors=self.parse_errors,
            unknown_messages=self.unknown_messages,
            observer_errors=self.observer_errors,
            connects=self.connects,
            reconnects=MappingProxyType(dict(self._reconnects)),
            lag_p50=_percentile(lags, 0.50),
            lag_p99=_percentile(lags, 0.99),
            last_event_age=(time.time_ns() - self.last_received) / 1e9 if self.last_received else None,
            uptime=time.monotonic() - min(opened) if opened else 0.0,
            dropped=self.dropped,
            duplicates=self.duplicates,
            unsorted=self.unsorted,
        )


def _percentile(ordered: list[int], share: float) -> float:
    """Return the nearest-rank percentile of nanoseconds, in seconds; 0.0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e9
