"""The options of a ``FakeExchange``, checked."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Literal

from rxstreams.instants import SECOND, Instant, to_nanoseconds
from rxstreams.items import PriceTick
from rxstreams.testing._feeds import cut_stamp
from rxstreams.testing.formats import Format
from rxstreams.testing.market import Market

_START = 1_704_067_200 * SECOND  # 2024-01-01


@dataclass(frozen=True, kw_only=True)
class Options:
    """As in ``FakeExchange``; ``start``, ``absence`` and ``rest_lag`` in ns, other durations in seconds."""

    format: Format
    source: Iterator[PriceTick]
    symbols: tuple[str, ...] | None
    start: int
    speed: float | None
    wait_for: int
    absence: int | None
    batch: int
    heartbeat: float
    at_end: Literal["stay", "close"]
    close_code: int
    rest_lag: int
    rest_limit: tuple[int, float] | None
    keep: int
    max_pending_bytes: int
    ssl_context: ssl.SSLContext | None
    host: str


def make_options(
    trades: Market | Iterable[PriceTick] | None,
    *,
    format: Format,
    symbols: Iterable[str] | None,
    start: Instant | None,
    speed: float | None,
    wait_for: int | None,
    absence: float | timedelta | None,
    batch: int,
    heartbeat: float | None,
    at_end: Literal["stay", "close"],
    close_code: int,
    rest_lag: float | timedelta,
    rest_limit: tuple[int, float | timedelta] | None,
    keep: int,
    max_pending_bytes: int,
    ssl_context: ssl.SSLContext | None,
    host: str,
) -> Options:
    """Check the options and fill in the defaults that depend on each other; raises as ``FakeExchange``."""
    if isinstance(symbols, str):
        raise TypeError(f"symbols must be a list of symbols, got the string {symbols!r}; write [{symbols!r}]")
    if speed is not None and not 0 < speed < math.inf:
        raise ValueError(f"speed must be positive, or None, got {speed!r}")
    if heartbeat is None:
        heartbeat = 0.05 if speed is None else max(0.01, 1.0 / speed)
    if not 0 <= heartbeat < math.inf:
        raise ValueError(f"heartbeat must be 0 or more seconds, or None, got {heartbeat!r}")
    if at_end not in ("stay", "close"):
        raise ValueError(f"at_end must be 'stay' or 'close', got {at_end!r}")
    if wait_for is None:
        wait_for = 1 if speed is None and trades is not None else 0
    for name, number, least in (
        ("batch", batch, 1),
        ("keep", keep, 1),
        ("wait_for", wait_for, 0),
        ("max_pending_bytes", max_pending_bytes, 1),
    ):
        if number < least:
            raise ValueError(f"{name} must be at least {least}, got {number!r}")
    known, first, source = _read(trades, format.resolution)
    known = known if symbols is None else tuple(dict.fromkeys(symbols))
    if known is not None and wait_for > len(known):
        raise ValueError(f"wait_for must be at most the number of symbols ({len(known)}), got {wait_for!r}")
    return Options(
        format=format,
        source=source,
        symbols=known,
        start=first if start is None else to_nanoseconds(start, "start"),
        speed=speed,
        wait_for=wait_for,
        absence=None if absence is None else to_duration("absence", absence),
        batch=batch,
        heartbeat=heartbeat,
        at_end=at_end,
        close_code=close_code,
        rest_lag=to_duration("rest_lag", rest_lag),
        rest_limit=None if rest_limit is None else _to_limit(rest_limit),
        keep=keep,
        max_pending_bytes=max_pending_bytes,
        ssl_context=ssl_context,
        host=host,
    )


def to_duration(name: str, value: float | timedelta) -> int:
    """Convert seconds or a timedelta to nanoseconds.

    Raises:
        ValueError: it is negative or not finite.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} must be 0 or more seconds, got {value!r}")
    return round(seconds * SECOND)


def _to_limit(limit: tuple[int, float | timedelta]) -> tuple[int, float]:
    calls, period = limit
    seconds = to_duration("rest_limit's period", period) / SECOND
    if calls < 1 or not seconds:
        raise ValueError(f"rest_limit must be at least 1 call in more than 0 seconds, got {limit!r}")
    return calls, seconds


def _read(
    trades: Market | Iterable[PriceTick] | None, resolution: int
) -> tuple[tuple[str, ...] | None, int, Iterator[PriceTick]]:
    """Return the symbols (None: any), the first time and the trades, their stamps cut to the venue's resolution."""
    if trades is None:
        return None, _START, iter(())
    if isinstance(trades, Market):
        symbols: tuple[str, ...] | None = trades.symbols
    else:
        symbols = tuple(dict.fromkeys(tick.symbol for tick in trades)) if isinstance(trades, Sequence) else None
    source = (cut_stamp(tick, resolution) for tick in trades)
    first = next(source, None)
    start = trades.start if isinstance(trades, Market) else _START
    if first is not None and (not isinstance(trades, Market) or first.timestamp <= start):
        # The last whole microsecond before it: nothing of what is played is in the past.
        start = (first.timestamp - 1) // 1000 * 1000
    return symbols, start, source if first is None else chain([first], source)
