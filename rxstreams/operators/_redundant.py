"""``redundant``: the same symbols over several feeds, each trade once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from datetime import timedelta

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, SerialDisposable, SingleAssignmentDisposable

from rxstreams._durations import to_seconds
from rxstreams.errors import ObserverError
from rxstreams.items import PriceTick
from rxstreams.operators._deduplicate import trade_key
from rxstreams.operators._default_scheduler import default_scheduler
from rxstreams.operators._merged_feeds import MergedFeeds
from rxstreams.operators._outbox import Outbox

_log = logging.getLogger("rxstreams.redundant")


def redundant(
    *feeds: Observable[PriceTick],
    key: Callable[[PriceTick], Hashable] = trade_key,
    hold: float | timedelta = 2.0,
    size: int = 100_000,
    scheduler: abc.SchedulerBase | None = None,
) -> Observable[PriceTick]:
    """Return the trades of several feeds of the same symbols, each once: a line may be lost and nothing is missing.

    ::

        a             -1--2--3--X           (4 is lost)         6--7-
        b             --1--2--3----4----5----6--7--
        redundant     -1--2--3-----4----5----6--7-

    Not an operator of one source: it makes one source of several, mostly two feeds of one venue, each with sockets of
    its own. The first arrival of a trade goes out at once, the others are dropped. A symbol's trades keep their order.

    **A line that comes back** (its span has changed) may have missed something. What it brings of a symbol is held
    until another line, one that has missed nothing, has *delivered* something from after the begin of the new coverage:
    a trade of the symbol, or one of another symbol of that line, 2 s later. Then nothing is missing, and ``since``
    stays. If that does not come within ``hold``, the held trades go out and ``since`` rises to that of the line that
    brought them. Trades from before that, if another line brings them yet, go out late, for ``to_ohlc`` to revise.

    **Spans** of the result are its own. A tick has the span of another symbol's last tick only if the line that brought
    it covers that symbol too, so ``to_ohlc`` may close quiet symbols' candles by it, also after the loss of a line. A
    symbol that no living line has brought since it connected is closed by its own next trade.

    Args:
        feeds: two or more, of PriceTick with ``span`` and ``since``. They may have different symbols.
        key: a function of a tick that returns what the trade is known by on every feed, hashable; None: it has no id,
            and goes by time, price, volume and side, counted: the n-th such trade on one line is the n-th on another.
        hold: seconds or timedelta that trades wait at most for another line; 0: not at all.
        size: trades that are remembered, and those that are held, at most; at least 1. It has to be more than those by
            which one feed is behind another; one of which the key is forgotten goes out again.
        scheduler: for ``hold``; None: the one that is given to ``subscribe``, else rxstreams' own.

    Emits:
        ``PriceTick``: copies with the span and since of the result. A feed that completes or fails is forgotten, what
        was held of it goes out, and the others go on; its error is logged. When the last one has ended, it completes,
        or fails with the last error if there was any.

    Raises:
        TypeError: a feed is no Observable, or an option has the wrong type.
        ValueError: fewer than two feeds, a negative hold, or a size less than 1.

    Errors:
        TypeError: an item is no PriceTick. ObserverError: ``key`` raised, or returned what can't be hashed.

    Feeds may emit on several threads: one lock is held while a tick is taken and sent on, as in reactivex's ``merge``,
    so an observer must not wait for another thread that sends. Feeds of one venue share a thread unless told otherwise.

    Memory: O(symbols * feeds + size); trades without ids are remembered for each line.

    Example:
        >>> import reactivex
        >>> from rxstreams.items import PriceTick
        >>> from rxstreams.operators import redundant
        >>> def line(span, *ids):
        ...     return reactivex.from_iterable(
        ...         PriceTick(symbol="BTC/USD", price=1, timestamp=100 + id, trade_id=id, span=span, since=90)
        ...         for id in ids
        ...     )
        >>> both = redundant(line(1, 1, 2), line(2, 1, 2, 3))
        >>> _ = both.subscribe(lambda tick: print(tick.trade_id, tick.since))
        1 90
        2 90
        3 90
    """
    _check_feeds(feeds)
    seconds = to_seconds("hold", hold)
    _check_options(key, size)
    identify = key if key is trade_key else _guard(key)

    def subscribe(
        observer: abc.ObserverBase[PriceTick], scheduler_: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        clock = scheduler or scheduler_ or default_scheduler()
        outbox = Outbox(observer)
        merged = MergedFeeds(
            len(feeds), identify, seconds, size, send=outbox.put, now=lambda: clock.to_seconds(clock.now)
        )
        lock = threading.RLock()
        timer = SerialDisposable()
        is_booked = False
        active = len(feeds)
        failure: Exception | None = None
        complete = outbox.ender(lambda: None)

        def book() -> None:
            nonlocal is_booked
            wait = None if is_booked or timer.is_disposed else merged.wait()
            if wait is not None:
                is_booked = True
                # Its place is taken first: a timer may fire, and book the next, before schedule_relative returns.
                pending = SingleAssignmentDisposable()
                timer.disposable = pending
                pending.disposable = clock.schedule_relative(wait, on_time)

        def on_time(_: abc.SchedulerBase, __: object = None) -> None:
            nonlocal is_booked
            with lock:
                is_booked = False
                merged.expire()
                book()
                outbox.send()

        def subscribe_to(number: int, feed: Observable[PriceTick]) -> abc.DisposableBase:
            def take(tick: PriceTick) -> None:
                if not isinstance(tick, PriceTick):  # pyright: ignore[reportUnnecessaryIsInstance]  # operators are not typed at run time
                    raise TypeError(f"redundant takes PriceTick items, got {type(tick).__name__} {tick!r}")
                merged.take(number, tick)
                if merged.is_waiting:
                    book()

            guarded = outbox.guard(take)

            def on_next(tick: PriceTick) -> None:
                with lock:
                    guarded(tick)

            def end(error: Exception | None) -> None:
                nonlocal active, failure
                with lock:
                    active -= 1
                    if error is not None:
                        failure = error
                    merged.end(number)
                    outbox.send()
                    if not active and failure is not None:
                        observer.on_error(failure)
                    elif not active:
                        complete()
                    elif error is not None:
                        _log.warning("feed %d of %d has failed, the others go on: %s", number + 1, len(feeds), error)

            return feed.subscribe(on_next, end, lambda: end(None), scheduler=scheduler_)

        disposables = CompositeDisposable(timer)
        try:
            for number, feed in enumerate(feeds):
                disposables.add(subscribe_to(number, feed))
        except BaseException:
            disposables.dispose()
            raise
        return disposables

    return Observable(subscribe)


def _guard(key: Callable[[PriceTick], Hashable]) -> Callable[[PriceTick], Hashable]:
    def identify(tick: PriceTick) -> Hashable:
        try:
            found = key(tick)
            hash(found)
        except Exception as error:
            raise ObserverError(f"the key of redundant raised {error!r}") from error
        return found

    return identify


def _check_feeds(feeds: tuple[object, ...]) -> None:
    for feed in feeds:
        if not isinstance(feed, Observable):
            raise TypeError(f"redundant takes Observables, one after the other, got {feed!r}")
    if len(feeds) < 2:
        raise ValueError(f"redundant takes two feeds or more, got {len(feeds)}")


def _check_options(key: object, size: object) -> None:
    if not callable(key):
        raise TypeError(f"key must be a function of a tick, got {key!r}")
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"size must be an integer, got {size!r}")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size!r}")
