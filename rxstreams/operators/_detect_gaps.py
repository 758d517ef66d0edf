"""``detect_gaps``: where contiguous ids jump, trades are missing."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from reactivex import Observable, abc

from rxstreams.candles.coverage import Coverage
from rxstreams.errors import ObserverError
from rxstreams.items import PriceTick


def contiguous_id(tick: PriceTick) -> int | None:
    """Return the trade's id if it is a number; None: it has none that can be counted."""
    trade_id = tick.trade_id
    return trade_id if isinstance(trade_id, int) else None


def detect_gaps(
    key: Callable[[PriceTick], int | None] = contiguous_id,
) -> Callable[[Observable[PriceTick]], Observable[PriceTick]]:
    """Begin the coverage of a symbol anew where its contiguous ids jump, so that no candle claims what is missing.

    ::

        ids            -1--2------5--6--4--7--     3 is missing, 4 comes late
        since          -s--s------t--t--t--t--     s: the source's; t: just after the time of 5

    For venues that number the trades of a symbol without a hole. Each (exchange, symbol) is looked at by itself. With
    an id that is more than one higher than the highest before, ``since`` rises to 1 ns after the newest time of the
    symbol (a trade of that very instant may be missing too), and every later tick has at least that, also if the
    missing ones come after all. ``to_ohlc`` takes ``complete`` back from what the line's clock had closed since the
    trade before.

    Ids that step back or repeat change nothing. Neither does a jump with which the source's own ``since`` has risen: it
    knows of the loss. So what is found is what a line loses without a word between two trades of a symbol on one span;
    what it lost after a symbol's last trade on a span can't be told from what a reconnection lost.

    Use it after ``redundant``, not in front: what one line has lost another may have brought.

    Args:
        key: a function of a tick that returns its contiguous id; None: this tick has none and proves nothing. By
            default ``trade_id`` if it is an int.

    Emits:
        Every tick of the source, at once: the same object, or a copy with a higher ``since``. Completes and fails with
        it.

    Raises:
        TypeError: key is no function.

    Errors:
        TypeError: an item is no PriceTick. ObserverError: ``key`` raised, or returned neither an int nor None; the
        cause says what.

    Memory: O(symbols), for each subscription.

    Example:
        >>> import reactivex
        >>> from rxstreams.items import PriceTick
        >>> from rxstreams.operators import detect_gaps
        >>> ticks = [
        ...     PriceTick(symbol="BTC/USD", price=1.0, timestamp=100 + id, trade_id=id, span=1, since=90)
        ...     for id in (1, 2, 5, 6)
        ... ]
        >>> found = reactivex.from_iterable(ticks).pipe(detect_gaps())
        >>> _ = found.subscribe(lambda tick: print(tick.trade_id, tick.since))
        1 90
        2 90
        5 106
        6 106
    """
    if not callable(key):
        raise TypeError(f"key must be a function of a tick, got {key!r}")

    def operator(source: Observable[PriceTick]) -> Observable[PriceTick]:
        def subscribe(
            observer: abc.ObserverBase[PriceTick], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            watched: dict[str, dict[str, _Watched]] = {}
            send = observer.on_next
            has_failed = False

            def on_next(tick: PriceTick) -> None:
                nonlocal has_failed
                if has_failed:  # a source that is being subscribed to can't be stopped yet
                    return
                try:
                    found = _id_of(tick, key)
                    by_symbol = watched.get(tick.exchange)
                    if by_symbol is None:
                        by_symbol = watched[tick.exchange] = {}
                    symbol = by_symbol.get(tick.symbol)
                    if symbol is None:
                        symbol = by_symbol[tick.symbol] = _Watched()
                except Exception as error:
                    has_failed = True
                    observer.on_error(error)
                    return
                send(symbol.follow(tick, found))

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return operator


class _Watched:
    """The ids of one symbol."""

    __slots__ = ("_coverage", "_floor", "_highest", "_newest")

    def __init__(self) -> None:
        self._coverage = Coverage()
        self._highest: int | None = None
        self._newest = 0
        self._floor = 0

    def follow(self, tick: PriceTick, found: int | None) -> PriceTick:
        """Take the next tick and return it with the coverage that its id leaves it."""
        since_before = self._coverage.since
        since = self._coverage.follow(tick)
        if tick.timestamp > self._newest:
            self._newest = tick.timestamp
        if found is not None:
            highest = self._highest
            if highest is None or found > highest:
                self._highest = found
                if highest is not None and found > highest + 1 and since <= since_before:
                    self._floor = self._newest + 1
        return tick if since >= self._floor else msgspec.structs.replace(tick, since=self._floor)


def _id_of(tick: PriceTick, key: Callable[[PriceTick], int | None]) -> int | None:
    if not isinstance(tick, PriceTick):  # pyright: ignore[reportUnnecessaryIsInstance]  # operators are not typed at run time
        raise TypeError(f"detect_gaps takes PriceTick items, got {type(tick).__name__} {tick!r}")
    try:
        found = key(tick)
        if found is not None and not isinstance(found, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's function is not typed at run time
            raise TypeError(f"expected an int or None, got {found!r}")
    except Exception as error:
        raise ObserverError(f"the key of detect_gaps raised {error!r}") from error
    return found
