"""``recover_gaps``: what was missed is fetched and sent before what comes after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reactivex import Observable, abc, just
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, Disposable

from rxstreams.items import PriceTick
from rxstreams.limits import APIPriority, APIRateLimiter
from rxstreams.operators._default_scheduler import default_scheduler
from rxstreams.operators._recovered_ticks import RecoveredTicks
from rxstreams.operators._throttle_by_priority import throttle_by_priority
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan

_SETTLE = 5.0  # seconds; the pace of the attempts


def recover_gaps(
    fetch: Fetch,
    *,
    limiter: APIRateLimiter | None = None,
    max_gap: float | timedelta = 3600.0,
    max_hold: float | timedelta = 10.0,
    max_held: int = 100_000,
    disorder: float | timedelta = 2.0,
    on_lost: Callable[[str, str], object] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[PriceTick]], Observable[PriceTick]]:
    """Fetch the trades of a symbol that are missing where its coverage breaks, and send them in their place.

    ::

        source    -1-2-3-X-----6-7-8--------9--     at 6 its since has risen: it was not covered from 3 on
        fetch                  (3-4-5-6-7|)
        result    -1-2-3-----------4-5-6-7-8-9-     all with the since of 1

    Every ``Stream`` does this already, better: it knows of a loss, and begins with the line's return, before the
    symbol's next trade. This operator is for ticks from elsewhere. It sees a gap where the ``since`` of a tick lies
    after the one before, or where an unstamped one (0) comes on another span.

    From that tick on the symbol is held. A fetch counts only if it is proven to hold all that is missing: it contains
    the last tick before the gap, as far as that lies within what was asked for, and one of those that are held, the
    first or a later one. Else, and when it fails, it is repeated with backoff. Trades that came by both ways go out
    once: they are told by ``trade_id``, or by time, price, volume and side, counted. What the fetch brings beyond the
    newest tick of the source is left to the source. Other symbols pass meanwhile.

    Args:
        fetch: a function of a symbol and a time (nanoseconds) that returns an Observable of all of the symbol's trades
            from that time on, oldest first, up to the newest, those among them that the source has sent already, such
            as ``lambda symbol, since: kraken.rest_trades(symbol, since=since)``. It must name trades as the source
            does: of two that are not known to be the same nothing is recovered.
        limiter: every fetch waits for its turn there, as urgent as HIGH; None: fetches limit themselves.
        max_gap: seconds or timedelta; what is missing for longer is not fetched.
        max_hold: seconds or timedelta for which a symbol is held at most. Then its ticks go out as they came.
        max_held: ticks that are held at a time for a symbol, and that a fetch may bring, at most.
        disorder: seconds or timedelta by which stamps may step back: a fetch begins so much earlier.
        on_lost: called with the symbol and the reason, in words, when a gap could not be closed; None: nobody is told.
        scheduler: of the waiting; None: the one that is given to ``subscribe``, else rxstreams' own.

    Emits:
        The source's ticks, the same objects where nothing about them changes, and those fetched. Where a gap was
        closed, all that follows carries the symbol's old ``since`` until its coverage breaks again. Where it was not,
        ticks carry the since with which they came: their candles say that they are incomplete. When the source
        completes, gaps that are open are lost, and what is held goes out.

    Errors:
        The source's, at once: what is held is dropped. What ``fetch`` raises, or sends that is no trade of the symbol,
        is a failed attempt. TypeError: an item is no PriceTick. ObserverError: ``on_lost`` raised.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is out of its range.

    Memory: O(symbols): some thousand identities each; and ``max_held`` ticks of a symbol while it has a gap.

    Example:
        >>> import reactivex
        >>> from reactivex.scheduler import ImmediateScheduler
        >>> from reactivex.subject import Subject
        >>> from rxstreams import PriceTick
        >>> def trade(number, since):
        ...     return PriceTick(symbol="A", price=1.0, timestamp=number * 10**9, trade_id=number, since=since)
        >>> history = [trade(number, 0) for number in range(1, 8)]
        >>> live = Subject()
        >>> ticks = live.pipe(recover_gaps(lambda symbol, since: reactivex.from_(history, ImmediateScheduler())))
        >>> _ = ticks.subscribe(lambda tick: print(tick.trade_id, tick.since))
        >>> live.on_next(trade(1, 1))
        1 1
        >>> live.on_next(trade(4, 4 * 10**9))  # its since tells that 2 and 3 may be missing
        2 1
        3 1
        4 1
    """
    plan = RecoveryPlan(
        max_gap=max_gap, max_hold=max_hold, max_held=max_held, settle=_SETTLE, disorder=disorder, contiguous=False
    )
    _check(fetch, limiter, on_lost)

    def operator(source: Observable[PriceTick]) -> Observable[PriceTick]:
        def subscribe(
            observer: abc.ObserverBase[PriceTick], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = scheduler or scheduler_ or default_scheduler()
            ticks = RecoveredTicks(observer, _limited(fetch, limiter, clock), plan, on_lost, clock)
            subscription = source.subscribe(ticks.on_next, ticks.on_error, ticks.on_completed, scheduler=scheduler_)
            return CompositeDisposable(subscription, Disposable(ticks.dispose))

        return Observable(subscribe)

    return operator


def _limited(fetch: Fetch, limiter: APIRateLimiter | None, clock: abc.SchedulerBase) -> Fetch:
    """Return a fetch that waits for its turn in the limiter."""
    if limiter is None:
        return fetch

    def fetch_in_turn(symbol: str, since: int) -> Observable[PriceTick]:
        in_turn: Callable[[Observable[str]], Observable[str]] = throttle_by_priority(
            limiter, priority=APIPriority.HIGH, scheduler=clock
        )

        def follow(name: str) -> Observable[PriceTick]:
            return fetch(name, since)

        return in_turn(just(symbol)).pipe(ops.flat_map_latest(follow))

    return fetch_in_turn


def _check(fetch: object, limiter: object, on_lost: object) -> None:
    if not callable(fetch):
        raise TypeError(f"fetch must be a function of a symbol and a time that returns an Observable, got {fetch!r}")
    if limiter is not None and not isinstance(limiter, APIRateLimiter):
        raise TypeError(f"limiter must be an APIRateLimiter or None, got {limiter!r}")
    if on_lost is not None and not callable(on_lost):
        raise TypeError(f"on_lost must be a function or None, got {on_lost!r}")
