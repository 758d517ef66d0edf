"""The wire formats that a ``FakeExchange`` speaks, one module a venue."""

from rxstreams.testing.formats._format import (
    BadQuery,
    CandlesQuery,
    Command,
    Format,
    Malformed,
    Ping,
    RestQuery,
    Subscribe,
    TradesQuery,
)
from rxstreams.testing.formats.kraken import KrakenFormat

__all__ = [
    "BadQuery",
    "CandlesQuery",
    "Command",
    "Format",
    "KrakenFormat",
    "Malformed",
    "Ping",
    "RestQuery",
    "Subscribe",
    "TradesQuery",
]
