"""How a feed fetches what its socket has missed."""

from __future__ import annotations

from dataclasses import dataclass

from rxstreams.config import StreamConfig
from rxstreams.limits import APIPriority
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._candle_recovery import FetchCandles
from rxstreams.sources._rest import RestClient
from rxstreams.sources._symbol_check import ListSymbols
from rxstreams.sources.venue import Channel, Venue
from rxstreams.timeframe import Timeframe


@dataclass(frozen=True, kw_only=True)
class Fetches:
    """What a feed asks for beside its sockets; None: that is not asked for.

    Args:
        trades: those of a symbol from a time on.
        candles: the same of the venue's candles.
        symbols: all symbols of the venue.
    """

    trades: Fetch | None = None
    candles: FetchCandles | None = None
    symbols: ListSymbols | None = None

    def or_over_rest(
        self, venue: Venue, channel: Channel, config: StreamConfig, scheduler: EventLoopThreadScheduler
    ) -> Fetches:
        """Return these, and for those that are None what the venue's REST API has."""
        timeframe = channel.timeframe
        return Fetches(
            trades=self.trades or (missed_trades(venue, config, scheduler) if timeframe is None else None),
            candles=self.candles
            or (None if timeframe is None else missed_candles(venue, timeframe, config, scheduler)),
            symbols=self.symbols or listed_symbols(venue, config, scheduler),
        )


def missed_candles(
    venue: Venue, timeframe: Timeframe, config: StreamConfig, scheduler: EventLoopThreadScheduler
) -> FetchCandles | None:
    """Return what fetches a symbol's candles from a time on; None: as ``missed_trades``."""
    if not may_fetch(venue, config) or not has_past_candles(venue, timeframe):
        return None
    client = RestClient(venue, config, scheduler)
    return lambda symbol, since, on_time: client.candles(
        symbol, timeframe, since, priority=APIPriority.HIGH, attempts=1, on_time=on_time
    )


def has_past_candles(venue: Venue, timeframe: Timeframe) -> bool:
    """Return whether the venue's REST API has candles of a timeframe."""
    try:
        venue.check_timeframe(timeframe, rest=True)
    except ValueError:
        return False
    return True


def may_fetch(venue: Venue, config: StreamConfig) -> bool:
    """Return whether a feed's REST API is known and may be asked.

    A socket that is not the venue's own may show another market (a test's, a replay's): then the venue's own REST API
    is not asked, only one that is named.
    """
    return config.recover and bool(config.rest_url or (venue.rest_url and not config.url))


def missed_trades(venue: Venue, config: StreamConfig, scheduler: EventLoopThreadScheduler) -> Fetch | None:
    """Return what fetches a symbol's trades from a time on; None: it is not wanted, or there are none to be had."""
    if not may_fetch(venue, config) or not venue.has_rest_trades:
        return None
    client = RestClient(venue, config, scheduler)
    # Asked once: a gap has its own attempts, and knows until when they make sense.
    return lambda symbol, since: client.trades(symbol, since, priority=APIPriority.HIGH, attempts=1)


def listed_symbols(venue: Venue, config: StreamConfig, scheduler: EventLoopThreadScheduler) -> ListSymbols | None:
    """Return what asks for all symbols of a venue; None: it refuses those that it does not have, or can't be asked."""
    request = None if venue.refuses_unknown else venue.symbols_request()
    if request is None or not may_fetch(venue, config):
        return None
    client = RestClient(venue, config, scheduler)
    return lambda: client.symbols(request)


def recovery_plan(config: StreamConfig, venue: Venue) -> RecoveryPlan:
    """Return the options of a feed's recovery: its own, and what the venue says about itself."""
    return RecoveryPlan(
        max_gap=config.max_gap,
        max_hold=config.max_hold,
        max_held=config.max_held,
        settle=venue.settle if config.settle is None else config.settle,
        disorder=venue.disorder,
        contiguous=venue.contiguous_ids,
        resolution=venue.rest_resolution,
    )
