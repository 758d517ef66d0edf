"""Sources: live feeds of the venues, and REST history.

A venue's module offers ``trades``, ``candles``, ``rest_trades``, ``rest_candles`` and ``to_ohlc``::

    from rxstreams.sources import kraken
    feed = kraken.trades(["BTC/USD"])
"""

from rxstreams.sources import kraken
from rxstreams.sources._venues import venue, venues
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Venue

__all__ = ["Stream", "Venue", "kraken", "venue", "venues"]
