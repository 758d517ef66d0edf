"""``prepend_history``: the venue's own closed candles before those that are built here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.items import OHLCCandle
from rxstreams.operators._default_scheduler import default_scheduler
from rxstreams.operators._prepended_candles import FetchHistory, PrependedCandles
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.timeframe import Timeframe, TimeframeLike

_SETTLE = 5.0  # seconds; the pace of the attempts


def prepend_history(
    fetch: FetchHistory,
    timeframe: TimeframeLike,
    *,
    max_hold: float | timedelta = 10.0,
    max_held: int = 10_000,
    on_lost: Callable[[str, str], object] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[OHLCCandle]], Observable[OHLCCandle]]:
    """Send the venue's own closed candles before each symbol's first one, so that the first long candle has them all.

    ::

        source                     ------37--38--39--40-     minutes
        fetch                            (30-..-36|)
        prepend_history(…, "15m")  ------30-..-37-38-39-40-
        then resample("15m")       ------------------30----     complete, though it was begun in its middle

    From its first candle on, open or closed, a symbol is held while its candles of that timeframe are fetched. An
    answer counts only if it is proven to have reached the live ones: it has a candle that opens with the first live one
    or later, closed or not, or a closed one that ends where that one opens. Else, and when it fails, it is repeated
    with backoff. Other symbols pass meanwhile.

    The history and what follows are one run: candles of the first one's timeframe whose ``since`` lies at or before
    that one's open_time carry the history's first open_time as their ``since``. Those that begin their coverage later
    keep it: something is missing before them. A candle of before the first live one that comes late and is not
    complete is dropped, where the history has the venue's own.

    Args:
        fetch: a function of a symbol, a timeframe and a time (nanoseconds) that returns an Observable of the symbol's
            candles from that time on, closed and running, such as ``lambda symbol, timeframe, since:
            kraken.rest_candles(symbol, timeframe, since=since)``.
        timeframe: the history begins where the interval of this timeframe begins in which a symbol's first candle lies.
        max_hold: seconds or timedelta for which a symbol is held at most. Then its candles go out as they came.
        max_held: candles that are held at a time for a symbol, and that a fetch may bring, at most.
        on_lost: called with the symbol and the reason, in words, when its history could not be had, or not all of it;
            None: nobody is told.
        scheduler: of the waiting; None: the one that is given to ``subscribe``, else rxstreams' own.

    Emits:
        The fetched candles that open before a symbol's first one, ascending, with its ``span``; then the source's, the
        same objects where nothing about them changes. Where the venue's candles begin later than wanted, so does the
        ``since``. Without a history candles go out as they came. When the source completes, what is held goes out.

    Errors:
        The source's, at once: what is held is dropped. What ``fetch`` raises, or sends that is no candle of the symbol,
        its exchange and its timeframe, is a failed attempt. TypeError: an item is no OHLCCandle. ObserverError:
        ``on_lost`` raised.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is out of its range.

    Memory: O(symbols), and ``max_held`` candles of a symbol, twice, while its history is being fetched.

    Example:
        >>> import reactivex
        >>> from reactivex.scheduler import ImmediateScheduler
        >>> from rxstreams import OHLCCandle
        >>> from rxstreams.operators import prepend_history, resample
        >>> def candle(minute, since):
        ...     return OHLCCandle(
        ...         symbol="A", timeframe="1m", open_time=minute * 60_000_000_000, open=1.0, high=1.0, low=1.0,
        ...         close=1.0, volume=1.0, since=since, complete=True,
        ...     )
        >>> past = [candle(minute, 0) for minute in range(60)]
        >>> live = reactivex.from_([candle(minute, 57 * 60_000_000_000) for minute in (57, 58, 59)])
        >>> fetch = lambda symbol, timeframe, since: reactivex.from_(past, ImmediateScheduler())
        >>> hours = live.pipe(prepend_history(fetch, "1h"), resample("1h"))
        >>> _ = hours.subscribe(lambda hour: print(hour.volume, hour.complete))
        60.0 True
    """
    length = Timeframe(timeframe)
    plan = RecoveryPlan(
        max_gap=0.0, max_hold=max_hold, max_held=max_held, settle=_SETTLE, disorder=0.0, contiguous=False
    )
    _check(fetch, on_lost)

    def operator(source: Observable[OHLCCandle]) -> Observable[OHLCCandle]:
        def subscribe(
            observer: abc.ObserverBase[OHLCCandle], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = scheduler or scheduler_ or default_scheduler()
            candles = PrependedCandles(observer, fetch, length, plan, on_lost, clock)
            subscription = source.subscribe(
                candles.on_next, candles.on_error, candles.on_completed, scheduler=scheduler_
            )
            return CompositeDisposable(subscription, Disposable(candles.dispose))

        return Observable(subscribe)

    return operator


def _check(fetch: object, on_lost: object) -> None:
    if not callable(fetch):
        raise TypeError(
            f"fetch must be a function of a symbol, a timeframe and a time that returns an Observable, got {fetch!r}"
        )
    if on_lost is not None and not callable(on_lost):
        raise TypeError(f"on_lost must be a function or None, got {on_lost!r}")
