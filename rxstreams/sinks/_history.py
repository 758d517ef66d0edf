"""Historic candles on their way into a buffer: gathered, put in order, cut, and told where their coverage begins."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from operator import attrgetter

from msgspec.structs import replace
from reactivex import abc

from rxstreams._durations import to_seconds
from rxstreams.items import OHLCCandle

HISTORY_TIMEOUT = 60.0
"""Seconds that a history may take to come: a few pages, and a turn in the limiter."""


def gathered(
    history: Iterable[OHLCCandle] | abc.ObservableBase[OHLCCandle], timeout: float | timedelta
) -> list[OHLCCandle]:
    """Return all candles of a history; wait for the end of one that is an Observable.

    It blocks this thread, an event loop's too: a source on that same loop could not go on meanwhile.

    Args:
        history: whatever gives candles.
        timeout: seconds or timedelta that an Observable may take.

    Raises:
        Exception: what the Observable ended with.
        TimeoutError: it did not end; it was disposed.
        TypeError: something is no candle.
        ValueError: the timeout is not positive.
    """
    seconds = to_seconds("timeout", timeout, positive=True)
    candles = _wait_for(history, seconds) if isinstance(history, abc.ObservableBase) else list(history)
    for candle in candles:
        if not isinstance(candle, OHLCCandle):  # pyright: ignore[reportUnnecessaryIsInstance]  # any source may be given
            raise TypeError(f"a history is made of OHLCCandle, got {candle!r}")
    return candles


def _wait_for(source: abc.ObservableBase[OHLCCandle], seconds: float) -> list[OHLCCandle]:
    candles: list[OHLCCandle] = []
    errors: list[Exception] = []
    ended = threading.Event()

    def fail(error: Exception) -> None:
        errors.append(error)
        ended.set()

    subscription = source.subscribe(candles.append, fail, ended.set)
    try:
        if not ended.wait(seconds):
            raise TimeoutError(f"the history did not end within {seconds:g} s")
    finally:
        subscription.dispose()
    if errors:
        raise errors[0]
    return candles


def in_order(candles: Iterable[OHLCCandle], newest: int, *, holes_are_quiet: bool) -> list[OHLCCandle]:
    """Return the newest candles of one key in ascending order, one an open time.

    A history covers what it holds and nothing before: with an earlier ``since``, a candle of a longer timeframe that
    is built from a history which begins in its middle would be called complete.

    Args:
        candles: of one key, in any order; of several with one open time the last one is taken.
        newest: how many to return at most.
        holes_are_quiet: whether an interval without a candle is one without trades, as in a venue's own answer. Then
            each candle gets the first one's open time as its ``since``, or keeps a later one of its own. Else its
            ``since`` is left as it is.
    """
    latest = {candle.open_time: candle for candle in candles}
    ordered = sorted(latest.values(), key=attrgetter("open_time"))[-newest:]
    if not ordered or not holes_are_quiet:
        return ordered
    start = ordered[0].open_time
    return [candle if candle.since > start else replace(candle, since=start) for candle in ordered]
