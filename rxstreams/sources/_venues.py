"""The venues by their names."""

from __future__ import annotations

from rxstreams.errors import UnknownVenue
from rxstreams.sources import kraken
from rxstreams.sources._feeds import Feeds

_FEEDS: dict[str, Feeds] = {"kraken": kraken.FEEDS}


def venue(name: str) -> Feeds:
    """Return what can be had from the venue of that name: ``venue("kraken").trades(["BTC/USD"])``.

    Raises:
        UnknownVenue: there is none; the message lists those that there are.
    """
    try:
        return _FEEDS[name]
    except KeyError:
        raise UnknownVenue(f"no venue is called {name!r}; there are {', '.join(venues())}") from None


def venues() -> tuple[str, ...]:
    """Return the names of all venues, sorted."""
    return tuple(sorted(_FEEDS))
