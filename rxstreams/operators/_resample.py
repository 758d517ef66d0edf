"""``resample``: candles → candles of longer timeframes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.candles import CandleResampler
from rxstreams.candles.rules import Emit
from rxstreams.items import OHLCCandle
from rxstreams.operators._outbox import Outbox
from rxstreams.timeframe import Timeframe, TimeframeLike

_log = logging.getLogger("rxstreams.resample")


def resample(
    *timeframes: TimeframeLike, emit: Emit = "closed", grace: float | timedelta = 2.0
) -> Callable[[Observable[OHLCCandle]], Observable[OHLCCandle]]:
    """Send candles of longer timeframes, each (exchange, symbol) by itself.

    ::

        5m               -1--2--3--4--5--6--7--8--9--a--b--c|--1--2--     | = a boundary of the hour
        resample(15, 60) -------A--------B--------C--------DE--------     D and E (the hour) go out with c

    The *base* is the timeframe of a symbol's first candle. Candles of other timeframes pass through and are not
    counted; those of the base go out too if it is one of ``timeframes``. Each timeframe is built from the longest one,
    of the base and those asked for, that serves it: every boundary of the longer is one of the shorter.

    **When a candle closes.** With the child that ends with it; before a child of a later one of its symbol; or with a
    child of the same span (not 0), of any symbol, that opens more than ``grace`` past its end: it says that the line's
    clock got so far, and so that all children before have been sent.

    **Whether it is complete.** It is closed, every child that came is closed and complete, and the ``since`` of its
    last one reaches back to its open_time, and so does that of the later child that closed it, if one did. An interval
    without trades is no missing child.

    **Inside a candle** open is that of the first child by open_time; close, ``span`` and ``since`` are those of the
    last. Flat children (no trades, no volume) give no price where others have trades: an hour opens with its first
    trade, whether its empty minutes were filled or not.

    **Corrections.** The children of the open and the last closed candle are kept, and of all that closed within the
    longer of two timeframes of the base and 10 s. A child that comes again, or late, or out of order, is counted by
    adding them up afresh; a candle that was sent as closed goes out again with ``revision`` + 1 if that changed it, a
    skipped one goes out for the first time. Older children are dropped and counted.

    Args:
        timeframes: at least one, in any order: minutes, "1h", a timedelta, a Timeframe.
        emit: "closed": a candle goes out when it has closed; "updates": also with every change before that, then with
            ``closed=False``.
        grace: seconds or timedelta; not less than that of the ``to_ohlc`` before.

    Emits:
        ``OHLCCandle``. What one item causes: first itself, if it passes, then ascending timeframes, in each by
        (open_time, first appearance). When the source completes, the open candles with ``closed=False`` and
        ``complete=False`` in that order, then completes. An error of the source passes and nothing more is sent.

    Raises:
        ValueError: no timeframe is given, or an option has none of its values.
        TypeError: an option has the wrong type.

    Errors:
        NotServed (a ValueError): the base can't build one of the timeframes. TypeError: an item is no OHLCCandle.

    Memory: 73 bytes for each child of the kept candles of each (symbol, timeframe): little where timeframes in between
    are asked for, up to 2,880 children for days straight from minutes. What was dropped is logged once, as a warning,
    when the subscription ends.

    Example:
        >>> import reactivex
        >>> from rxstreams.items import OHLCCandle
        >>> from rxstreams.operators import resample
        >>> def minute(number: int, price: float) -> OHLCCandle:
        ...     return OHLCCandle(
        ...         symbol="BTC/USD", timeframe="1m", open_time=number * 60_000_000_000,
        ...         open=price, high=price, low=price, close=price, volume=1.0,
        ...     )
        >>> minutes = reactivex.from_iterable(minute(number, 100.0 + number) for number in range(5))
        >>> candles = minutes.pipe(resample("5m"))
        >>> _ = candles.subscribe(lambda c: print(c.timeframe, c.open, c.close, c.volume, c.closed))
        5m 100.0 104.0 5.0 True
    """
    lengths = tuple(Timeframe(timeframe) for timeframe in timeframes)

    def make_resampler(send: Callable[[OHLCCandle], object]) -> CandleResampler:
        return CandleResampler(*lengths, on_candle=send, emit=emit, grace=grace)

    make_resampler(_ignore)  # checks the options now, not at the first subscription

    def operator(source: Observable[OHLCCandle]) -> Observable[OHLCCandle]:
        def subscribe(
            observer: abc.ObserverBase[OHLCCandle], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            outbox = Outbox(observer)
            resampler = make_resampler(outbox.put)

            def report() -> None:
                if resampler.late:
                    _log.warning("%d candles were too old to be counted in longer ones", resampler.late)

            subscription = source.subscribe(
                outbox.guard(resampler.add), observer.on_error, outbox.ender(resampler.flush), scheduler=scheduler
            )
            return CompositeDisposable(subscription, Disposable(report))

        return Observable(subscribe)

    return operator


def _ignore(_: OHLCCandle) -> None: ...
