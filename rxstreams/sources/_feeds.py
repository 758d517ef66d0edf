"""The functions that every venue's module offers: live feeds, REST history and its way of building candles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from reactivex import Observable

from rxstreams.config import StreamConfig
from rxstreams.instants import Instant, to_nanoseconds
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.scheduler import EventLoopThreadScheduler, scheduler_for
from rxstreams.sources._rest import fetch_pages
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Channel, Venue, check_symbols
from rxstreams.timeframe import Timeframe, TimeframeLike


class Feeds:
    """What can be had from a venue; each venue's module offers these as functions."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue

    def trades(
        self, symbols: Iterable[str], *, scheduler: EventLoopThreadScheduler | None = None, **options: Any
    ) -> Stream[PriceTick]:
        """Return the live trades of some symbols: a feed that connects when subscribed to, and heals itself.

        Args:
            symbols: ``BASE/QUOTE``.
            scheduler: its loop; None: the one that all feeds of the venue share.
            options: the fields of ``StreamConfig``.

        Emits:
            ``PriceTick``, in the order of each line.

        Raises:
            UnknownSymbol: a symbol is not in the form that the venue takes.
            TypeError: an option does not exist; the message lists those that do.
        """
        return Stream(self.venue, symbols, Channel("trades"), StreamConfig.of(options), scheduler=scheduler)

    def candles(
        self,
        symbols: Iterable[str],
        timeframe: TimeframeLike = "1m",
        *,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Stream[OHLCCandle]:
        """Return the venue's own live candles.

        A closed one is complete only if the line was unbroken from its open to the message that closed it.

        Args:
            symbols: ``BASE/QUOTE``.
            timeframe: one that the venue has.
            scheduler: its loop; None: the one that all feeds of the venue share.
            options: the fields of ``StreamConfig``.

        Emits:
            ``OHLCCandle``: open ones (``closed=False``) as they change, and each closed one once.

        Raises:
            ValueError: the venue has no candles of that timeframe; the message lists those that it has.
            UnknownSymbol, TypeError: as ``trades``.
        """
        channel = Channel("candles", self.venue.check_timeframe(Timeframe(timeframe)))
        return Stream(self.venue, symbols, channel, StreamConfig.of(options), scheduler=scheduler)

    def rest_trades(
        self,
        symbol: str,
        *,
        since: Instant,
        until: Instant | None = None,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Observable[PriceTick]:
        """Return the venue's past trades of a symbol, oldest first, page after page.

        Args:
            symbol: ``BASE/QUOTE``.
            since: the first trade's earliest time; what ``PriceTick.timestamp`` takes.
            until: where to stop, exclusive; None: at the newest trade.
            scheduler: the loop to fetch on; None: the venue's.
            options: fields of ``StreamConfig`` (``rest_url``, ``connect_timeout``).

        Emits:
            ``PriceTick`` with ``span`` and ``since`` 0 (history). Completes after the last.

        Errors:
            SubscriptionError: the venue does not know the symbol.
            StreamError: of the class that says what failed.
        """
        check_symbols(self.venue, [symbol])
        first = to_nanoseconds(since, "since")
        last = None if until is None else to_nanoseconds(until, "until")
        return fetch_pages(
            self.venue,
            StreamConfig.of(options),
            scheduler or scheduler_for(self.venue.name),
            request=lambda cursor: self.venue.rest_trades_request(symbol, first, cursor),
            parse=lambda body, cursor: self.venue.parse_rest_trades(symbol, body, cursor),
            key=lambda tick: tick.trade_id,
            keep=lambda tick: first <= tick.timestamp and (last is None or tick.timestamp < last),
            done=lambda tick: last is not None and tick.timestamp >= last,
        )

    def rest_candles(
        self,
        symbol: str,
        timeframe: TimeframeLike = "1m",
        *,
        since: Instant,
        until: Instant | None = None,
        scheduler: EventLoopThreadScheduler | None = None,
        **options: Any,
    ) -> Observable[OHLCCandle]:
        """Return the venue's own past candles of a symbol, oldest first.

        Args:
            symbol: ``BASE/QUOTE``.
            timeframe: one that the venue has.
            since: the first candle's earliest open time.
            until: where to stop, exclusive; None: at the newest, which is not closed.
            scheduler: the loop to fetch on; None: the venue's.
            options: fields of ``StreamConfig`` (``rest_url``, ``connect_timeout``).

        Emits:
            ``OHLCCandle``; closed ones are complete, being the venue's own. Completes after the last.

        Errors:
            as ``rest_trades``.
        """
        check_symbols(self.venue, [symbol])
        wanted = self.venue.check_timeframe(Timeframe(timeframe))
        first = to_nanoseconds(since, "since")
        last = None if until is None else to_nanoseconds(until, "until")
        return fetch_pages(
            self.venue,
            StreamConfig.of(options),
            scheduler or scheduler_for(self.venue.name),
            request=lambda cursor: self.venue.rest_candles_request(symbol, wanted, first, cursor),
            parse=lambda body, cursor: self.venue.parse_rest_candles(symbol, wanted, body, cursor),
            key=lambda candle: candle.open_time,
            keep=lambda candle: first <= candle.open_time and (last is None or candle.open_time < last),
            done=lambda candle: last is not None and candle.open_time >= last,
        )

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
