"""The functions that every venue's module offers: live feeds, REST history and its way of building candles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from reactivex import Observable

from rxstreams._fields import to_count
from rxstreams.candles.rules import Emit
from rxstreams.config import StreamConfig
from rxstreams.errors import NotServed
from rxstreams.instants import HOUR, Instant, to_nanoseconds
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.limits import APIPriority
from rxstreams.operators import prepend_history, to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for
from rxstreams.sources._fetching import may_fetch
from rxstreams.sources._rest import ATTEMPTS, RestClient
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Channel, Venue, check_symbols
from rxstreams.timeframe import Timeframe, TimeframeLike

logger = logging.getLogger("rxstreams")


class Feeds:
    """What can be had from a venue; each venue's module offers these as functions."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue

    def trades(
        self,
        symbols: Iterable[str],
        *,
        history: bool | TimeframeLike = False,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Stream[PriceTick]:
        """Return the live trades of some symbols: a feed that connects when subscribed to, and heals itself.

        Args:
            symbols: ``BASE/QUOTE``.
            history: begin with the trades of the interval that is running, so that the first candle is complete: of
                this timeframe, an hour at most; True: the hour; False: begin with what comes. Longer candles begin
                with those of the venue: ``ohlc``.
            scheduler: its loop; None: the one that all feeds of the venue share.
            options: the fields of ``StreamConfig``.

        Emits:
            ``PriceTick``, in the order of each line.

        Raises:
            UnknownSymbol: a symbol is not in the form that the venue takes.
            ValueError: ``history`` is longer than an hour, or the venue has no past trades.
            TypeError: an option does not exist; the message lists those that do.
        """
        running = _running(history)
        if running is not None:
            self._check_past_trades(f"history={history!r}")
        channel = Channel("trades", running=running)
        return Stream(self.venue, symbols, channel, StreamConfig.of(options), scheduler=scheduler)

    def ohlc(
        self,
        symbols: Iterable[str],
        timeframe: TimeframeLike = "1m",
        *,
        history: TimeframeLike | None = None,
        emit: Emit = "closed",
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Observable[OHLCCandle]:
        """Return candles that are built here from the live trades, by the venue's conventions.

        With ``history="4h"`` the first 4-hour candle of ``resample("4h")`` is complete: each symbol begins with the
        venue's own closed candles since its interval began, and with the trades of the running minute. What could not
        be had of them is logged as a warning; then the feed goes on without.

        Args:
            symbols: ``BASE/QUOTE``.
            timeframe: of the candles.
            history: the longest timeframe whose first candle has to be complete; None: begin with what comes.
            emit: "closed": a candle goes out when it has closed; "updates": also with every change before that.
            scheduler: the feed's loop; None: the one that all feeds of the venue share.
            options: the fields of ``StreamConfig``. A symbol's candles wait for its history for ``max_hold`` at most,
                and as long beside as the venue's limits take to let all symbols ask.

        Emits:
            ``OHLCCandle``, as ``to_ohlc``, after the venue's own as ``prepend_history``. The venue does not say
            ``buy_volume``: in its own it is 0. Its ``quote_volume`` is as exact as its average price.

        Raises:
            ValueError: with a history: the candles are longer than an hour, they can't build those of ``history``, the
                venue has none of their timeframe or no past trades, or there is no REST API that may be asked.
            UnknownSymbol, TypeError: as ``trades``.
        """
        base, chosen = Timeframe(timeframe), check_symbols(self.venue, symbols)
        build = self.to_ohlc(base, emit=emit)
        running = False if history is None else base
        feed = self.trades(chosen, history=running, scheduler=scheduler, **options)
        if history is None:
            return feed.pipe(build)
        wanted, config = Timeframe(history), StreamConfig.of(options)
        if not base.serves(wanted):
            raise NotServed(f"history={history!r} is no whole number of {base} candles, so these can't build those")
        self.venue.check_timeframe(base, rest=True)
        self._check_rest(f"history={history!r}", config)
        client = self._client(options, scheduler)
        # Each symbol asks twice, first for its trades, and all go through one limiter.
        turns = 2 * len(chosen) * max(period / weight for weight, period in self.venue.rest_limits)
        prepend = prepend_history(
            lambda symbol, timeframe, since: client.candles(symbol, timeframe, since, attempts=1),
            wanted,
            max_hold=config.max_hold + turns,
            max_held=config.max_held,
            on_lost=_warn_of_missing_history,
            scheduler=scheduler or scheduler_for(self.venue.name),
        )
        return feed.pipe(build, prepend)

    def candles(
        self,
        symbols: Iterable[str],
        timeframe: TimeframeLike = "1m",
        *,
        history: int = 0,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Stream[OHLCCandle]:
        """Return the venue's own candles: those of the past, if wanted, then the live ones.

        A closed one is complete only if the line was unbroken from its open to the message that closed it, or if it was
        taken from REST before it was sent. Those that closed while the line was down are taken from there too, so that
        none is missing; the event "lost" tells of those that can't be had.

        Args:
            symbols: ``BASE/QUOTE``.
            timeframe: one that the venue has live; with a history, of the past too.
            history: closed intervals before the present one, by the venue's time, whose candles come first; fewer come
                where the venue has fewer. Whoever subscribes later, while the feed runs, gets none.
            scheduler: its loop; None: the one that all feeds of the venue share.
            options: the fields of ``StreamConfig``.

        Emits:
            ``OHLCCandle``: open ones (``closed=False``) as they change, and each closed one once, in order. Those from
            REST have ``span`` 0.

        Raises:
            ValueError: the venue has no live candles of that timeframe; the message lists those that it has. Or history
                is wanted and there are no past ones, or no REST API that may be asked.
            UnknownSymbol, TypeError: as ``trades``.
        """
        channel = Channel("candles", self._check_live(Timeframe(timeframe)), to_count("history", history))
        config = StreamConfig.of(options)
        if channel.history:
            self.venue.check_timeframe(Timeframe(timeframe), rest=True)
            self._check_rest(f"history={history!r}", config)
        return Stream(self.venue, symbols, channel, config, scheduler=scheduler)

    def rest_trades(
        self,
        symbol: str,
        *,
        since: Instant,
        until: Instant | None = None,
        priority: APIPriority = APIPriority.MEDIUM,
        attempts: int = ATTEMPTS,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Observable[PriceTick]:
        """Return the venue's past trades of a symbol, oldest first, page after page.

        Args:
            symbol: ``BASE/QUOTE``.
            since: the first trade's earliest time; what ``PriceTick.timestamp`` takes.
            until: where to stop, exclusive; None: at the newest trade.
            priority: of each page, in the limiter that all who talk to the same address share.
            attempts: how often a page is asked for at most; errors that won't go away end it at once.
            scheduler: the loop to fetch on; None: the venue's.
            options: fields of ``StreamConfig`` (``rest_url``, ``rest_limiter``, ``connect_timeout``, ``backoff``).

        Emits:
            ``PriceTick`` with ``span`` and ``since`` 0 (history). Completes after the last.

        Errors:
            SubscriptionError: the venue does not know the symbol.
            HistoryTooShort: the venue's trades begin later than ``since``; all that it has came before.
            StreamError: of the class that says what failed.
            QuotaExceeded: the limiter had no place for a page, for longer than ``backoff.max_retry_after``.

        Raises:
            ValueError: the venue has no past trades.
            UnknownSymbol, TypeError: as ``trades``.

        Memory: O(page); O(trades) where the venue's pages lead from the newest trade backwards.
        """
        self._check_past_trades("rest_trades()")
        check_symbols(self.venue, [symbol])
        first = to_nanoseconds(since, "since")
        last = None if until is None else to_nanoseconds(until, "until")
        return self._client(options, scheduler).trades(symbol, first, last, priority=priority, attempts=attempts)

    def rest_candles(
        self,
        symbol: str,
        timeframe: TimeframeLike = "1m",
        *,
        since: Instant,
        until: Instant | None = None,
        priority: APIPriority = APIPriority.MEDIUM,
        attempts: int = ATTEMPTS,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Observable[OHLCCandle]:
        """Return the venue's own past candles of a symbol, oldest first.

        Args:
            symbol: ``BASE/QUOTE``.
            timeframe: one of which the venue has past candles.
            since: the first candle's earliest open time.
            until: where to stop, exclusive; None: at the newest, which is not closed.
            priority: of each page, in the limiter that all who talk to the same address share.
            attempts: how often a page is asked for at most; errors that won't go away end it at once.
            scheduler: the loop to fetch on; None: the venue's.
            options: fields of ``StreamConfig`` (``rest_url``, ``rest_limiter``, ``connect_timeout``, ``backoff``).

        Emits:
            ``OHLCCandle``; closed ones are complete, being the venue's own. Completes after the last.

        Errors:
            as ``rest_trades``.

        Raises:
            ValueError: the venue has no past candles of that timeframe; the message lists those that it has.
            UnknownSymbol, TypeError: as ``trades``.
        """
        check_symbols(self.venue, [symbol])
        wanted = self.venue.check_timeframe(Timeframe(timeframe), rest=True)
        first = to_nanoseconds(since, "since")
        last = None if until is None else to_nanoseconds(until, "until")
        return self._client(options, scheduler).candles(
            symbol, wanted, first, last, priority=priority, attempts=attempts
        )

    def _check_live(self, timeframe: Timeframe) -> Timeframe:
        """Return the timeframe if the venue has live candles of it; if it has none at all, say what there is instead.

        Raises:
            ValueError: it has none.
        """
        try:
            return self.venue.check_timeframe(timeframe)
        except ValueError as error:
            past = self.venue.rest_timeframes
            if self.venue.candle_timeframes or not past:
                raise
            raise ValueError(
                f"{error}; ohlc() builds them from its trades, rest_candles() has those of the past: {', '.join(past)}"
            ) from None

    def _check_past_trades(self, wanted: str) -> None:
        if not self.venue.has_rest_trades:
            raise ValueError(f"{wanted} needs past trades, and the REST API of {self.venue.name} has none")

    def _check_rest(self, wanted: str, config: StreamConfig) -> None:
        if not may_fetch(self.venue, config):
            raise ValueError(
                f"{wanted} comes over REST: it needs recover=True, and a rest_url beside a url of one's own"
            )

    def _client(self, options: dict[str, Any], scheduler: EventLoopThreadScheduler | None) -> RestClient:
        return RestClient(self.venue, StreamConfig.of(options), scheduler or scheduler_for(self.venue.name))

    def to_ohlc(
        self, timeframe: TimeframeLike, **options: Any
    ) -> Callable[[Observable[PriceTick]], Observable[OHLCCandle]]:
        """Return ``rxstreams.operators.to_ohlc`` with the venue's rules for the open and for empty intervals.

        Args:
            timeframe: of the candles.
            options: as ``to_ohlc`` takes them; ``opens`` and ``fill`` are the venue's unless given.
        """
        rules: dict[str, Any] = {"opens": self.venue.opens, "fill": self.venue.fill, **options}
        return to_ohlc(timeframe, **rules)


def _warn_of_missing_history(symbol: str, reason: str) -> None:
    logger.warning("candles before the first live one of %s are missing: %s", symbol, reason)


def _running(history: bool | TimeframeLike) -> Timeframe | None:
    """Return the timeframe whose running interval is fetched."""
    if isinstance(history, bool):
        return Timeframe("1h") if history else None
    timeframe = Timeframe(history)
    if timeframe.nominal > HOUR:
        raise ValueError(f"history must be an hour at most, got {timeframe}; longer candles begin with those of ohlc()")
    return timeframe
