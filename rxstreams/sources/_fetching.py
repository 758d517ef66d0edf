"""How a feed fetches what its socket has missed."""

from __future__ import annotations

from rxstreams.config import StreamConfig
from rxstreams.limits import APIPriority
from rxstreams.recovery.owner import Fetch
from rxstreams.recovery.plan import RecoveryPlan
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._candle_recovery import FetchCandles
from rxstreams.sources._rest import RestClient
from rxstreams.sources.venue import Venue
from rxstreams.timeframe import Timeframe


def missed_candles(
    venue: Venue, timeframe: Timeframe, config: StreamConfig, scheduler: EventLoopThreadScheduler
) -> FetchCandles | None:
    """Return what fetches a symbol's candles from a time on; None: as ``missed_trades``."""
    if not may_fetch(venue, config):
        return None
    client = RestClient(venue, config, scheduler)
    return lambda symbol, since: client.candles(symbol, timeframe, since, priority=APIPriority.HIGH, attempts=1)


def may_fetch(venue: Venue, config: StreamConfig) -> bool:
    """Return whether a feed's REST API is known and may be asked.

    A socket that is not the venue's own may show another market (a test's, a replay's): then the venue's own REST API
    is not asked, only one that is named.
    """
    return config.recover and bool(config.rest_url or (venue.rest_url and not config.url))


def missed_trades(venue: Venue, config: StreamConfig, scheduler: EventLoopThreadScheduler) -> Fetch | None:
    """Return what fetches a symbol's trades from a time on; None: it is not wanted, or there is nowhere to ask."""
    if not may_fetch(venue, config):
        return None
    client = RestClient(venue, config, scheduler)
    # Asked once: a gap has its own attempts, and knows until when they make sense.
    return lambda symbol, since: client.trades(symbol, since, priority=APIPriority.HIGH, attempts=1)


def recovery_plan(config: StreamConfig, venue: Venue) -> RecoveryPlan:
    """Return the options of a feed's recovery: its own, and what the venue says about itself."""
    return RecoveryPlan(
        max_gap=config.max_gap,
        max_hold=config.max_hold,
        max_held=config.max_held,
        settle=venue.settle if config.settle is None else config.settle,
        disorder=venue.disorder,
        contiguous=venue.contiguous_ids,
    )
