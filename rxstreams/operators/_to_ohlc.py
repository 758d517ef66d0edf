"""``to_ohlc``: trades → candles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.candles import CandleBuilder
from rxstreams.candles.rules import CloseOn, Emit, Fill, Late, Opens
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators._closing_timer import ClosingTimer
from rxstreams.operators._default_scheduler import default_scheduler
from rxstreams.operators._outbox import Outbox
from rxstreams.timeframe import Timeframe, TimeframeLike

_log = logging.getLogger("rxstreams.to_ohlc")


def to_ohlc(
    timeframe: TimeframeLike,
    *,
    emit: Emit = "closed",
    grace: float | timedelta = 2.0,
    fill: Fill = "skip",
    max_fill: int = 1500,
    opens: Opens = "first_trade",
    late: Late = "revise",
    on_late: Callable[[PriceTick], object] | None = None,
    close_on: CloseOn = "ticks",
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[PriceTick]], Observable[OHLCCandle]]:
    """Send a candle for every interval in which a symbol was traded, each (exchange, symbol) by itself.

    ::

        trades     -1--2--3---4|--5-------6|------------7|---     | = a boundary of the timeframe
        to_ohlc    ---------------C1-------------------C2----     C1 of 1 to 4 goes out with 5, C2 of 5 and 6 with 7

    **When a candle closes.** With a trade of its own symbol in a later interval, at once, before that is counted. Or
    with a tick of the same span (one unbroken run of one line, not 0), of any symbol, stamped more than ``grace`` past
    its end: the venue's own clock, so that a quiet symbol closes while its line lives, and nothing closes it while its
    line is down. Or by a timer, if asked for. Several that are due at once go out by (close_time, first appearance).

    **Whether it is complete.** Closed by its symbol's tick: if that tick's coverage (``since``) reaches back to its
    open_time; closed by its line's clock: if its own last tick's does. A candle that takes a price from before its
    interval needs coverage from the trade before on. ``since == 0`` means coverage from just after the first of such
    ticks. So the first candle of a feed is complete exactly when the feed covered all of it. A candle closed by the
    line's clock goes out again with ``complete=False`` if its symbol's next tick shows a loss on that very span.

    **Inside a candle** open is the trade with the lowest (timestamp, arrival), close the one with the highest. A trade
    at a boundary belongs to the later interval. ``span`` and ``since`` are those of the last tick, ``since`` never 0.

    Args:
        timeframe: the candles' length: minutes, "5m", a timedelta, a Timeframe.
        emit: "closed": a candle goes out when it has closed; "updates": also with every change before that, then with
            ``closed=False``.
        grace: seconds or timedelta that a line's clock, or the timer, waits past a candle's end.
        fill: "skip": intervals without a trade are left out; "flat": they go out at the last close with volume 0, as
            soon as they are over by the symbol's own next trade or the line's clock (but not by a timer).
        max_fill: flat candles in a row, at least 1; further empty intervals are left out and counted.
        opens: "first_trade", or "previous_close": open is the close before, and high and low include it.
        late: what becomes of a trade in an interval that was closed. "revise": its candle goes out again with
            ``revision`` + 1, keeping its ``complete``, or, if the interval had been skipped, for the first time; later
            candles whose price hangs on it follow, in ascending order. That is while the candle's end is within the
            longer of two timeframes and 10 s of the symbol's newest time (its trades', or the end of its newest flat
            candle); older ones are dropped. "drop": it is dropped. "raise": LateTick.
        on_late: called with every late trade that is dropped; None: nobody is told.
        close_on: "ticks", or "timer": the scheduler's clock closes too, ``grace`` after the end, always
            ``complete=False``; the symbol's next tick, if its coverage reaches back to the candle's start, sends it
            again with ``revision`` + 1 and ``complete=True``. For live feeds: in a replay everything is long over.
        scheduler: of that timer; None: the one that is given to ``subscribe``, else rxstreams' own. Ticks and timer may
            be on different threads: one waits its turn while the other's candles go out.

    Emits:
        ``OHLCCandle``. When the source completes, the open candles with ``closed=False`` and ``complete=False``, by
        (close_time, first appearance), then completes. An error of the source passes and nothing more is sent.

    Raises:
        ValueError: an option has none of its values.
        TypeError: an option has the wrong type.

    Errors:
        TypeError: an item is no PriceTick. LateTick: as asked for by ``late="raise"``. Whatever ``on_late`` raises.

    Memory: O(symbols): each one's open candle and those that a late trade can still reach. What was dropped or left out
    is logged once, as a warning, when the subscription ends.

    Example:
        >>> import reactivex
        >>> from rxstreams.items import PriceTick
        >>> from rxstreams.operators import to_ohlc
        >>> ticks = [
        ...     PriceTick(symbol="BTC/USD", price=price, volume=1, timestamp=seconds * 1_000_000_000)
        ...     for seconds, price in ((0, 100), (30, 110), (59, 105), (60, 106))
        ... ]
        >>> candles = reactivex.from_iterable(ticks).pipe(to_ohlc("1m"))
        >>> _ = candles.subscribe(lambda c: print(c.open, c.high, c.low, c.close, c.trades, c.closed))
        100.0 110.0 100.0 105.0 3 True
        106.0 106.0 106.0 106.0 1 False
    """
    length = Timeframe(timeframe)

    def make_builder(send: Callable[[OHLCCandle], object]) -> CandleBuilder:
        return CandleBuilder(
            length,
            on_candle=send,
            emit=emit,
            grace=grace,
            fill=fill,
            max_fill=max_fill,
            opens=opens,
            late=late,
            on_late=on_late,
            close_on=close_on,
        )

    make_builder(_ignore)  # checks the options now, not at the first subscription

    def operator(source: Observable[PriceTick]) -> Observable[OHLCCandle]:
        def subscribe(
            observer: abc.ObserverBase[OHLCCandle], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            outbox = Outbox(observer)
            builder = make_builder(outbox.put)
            add = builder.adder(outbox.guard(builder.add))
            complete = outbox.ender(builder.flush)

            def report() -> None:
                if builder.late or builder.skipped:
                    _log.warning(
                        "%s candles: %d late trades were dropped and %d empty intervals left out",
                        length,
                        builder.late,
                        builder.skipped,
                    )

            disposables = CompositeDisposable(Disposable(report))
            on_error: Callable[[Exception], None] = observer.on_error
            if close_on == "timer":
                timer = ClosingTimer(builder, outbox.send, scheduler or scheduler_ or default_scheduler())
                disposables.add(timer.disposable)
                add, on_error, complete = timer.after_each(add), timer.in_turn(on_error), timer.in_turn(complete)
            disposables.add(source.subscribe(add, on_error, complete, scheduler=scheduler_))
            return disposables

        return Observable(subscribe)

    return operator


def _ignore(_: OHLCCandle) -> None: ...
