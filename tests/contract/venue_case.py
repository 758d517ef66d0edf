"""What each venue has to show in the suite that every venue passes (``test_venue_contract.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import Venue
from rxstreams.sources.venue import Channel, Message
from rxstreams.testing.formats import Format
from rxstreams.timeframe import Timeframe

TRADES = Channel("trades")
MINUTES = Channel("candles", Timeframe("1m"))

KINDS = (
    "acknowledgement",
    "refusal",
    "heartbeat",
    "probe answer",
    "one trade",
    "several trades",
    "trade snapshot",
    "open candle",
    "closed candle",
    "candle snapshot",
    "unknown kind",
)
"""Each is shown by a sample, or named in ``absent`` with the reason why the venue has none."""

OPTIONAL = ("goodbye",)
"""Kinds that few venues have: those that have not say nothing of them."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A message of a venue, written from its documentation.

    Args:
        kind: one of ``KINDS`` or ``OPTIONAL``.
        frame: as the socket brings it.
        expected: what ``parse`` gives.
        before: frames that the same connection brought before it.
        noise: whether the frame is no JSON object or array, so that parts of it may be anything ("pong").
    """

    kind: str
    frame: bytes
    expected: tuple[Message, ...]
    before: tuple[bytes, ...] = ()
    noise: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """A REST answer, written from the venue's documentation.

    Args:
        symbol: ours.
        body: of the answer.
        items: what it holds, oldest first.
        cursor: of the next page; None: it is the last.
        asked: the cursor that led to this page; None: it is the first.
        backwards, truncated: as in ``RestPage``.
        timeframe: of candles.
    """

    symbol: str
    body: bytes
    items: tuple[PriceTick | OHLCCandle, ...]
    cursor: str | None = None
    asked: str | None = None
    backwards: bool = False
    truncated: bool = False
    timeframe: Timeframe = field(default_factory=lambda: Timeframe("1m"))


@dataclass(frozen=True, kw_only=True)
class VenueCase:
    """One venue.

    Args:
        venue: it.
        format: makes its wire format, the inverse.
        spellings: our symbols -> the venue's, from its documentation; at least three, those of derivatives too.
        malformed_symbols: symbols that it can't spell (another kind of market).
        samples: messages.
        absent: kinds of ``KINDS`` that the venue has not -> why.
        trade_pages, candle_pages: answers with items, ordered as they would come.
        empty_trades, empty_candles: bodies of answers without items; None: it has no such answers.
        unknown_symbol: HTTP status and body of the answer to a symbol that the venue does not have; None: its REST API
            is not asked for one.
        symbols: body of the answer to ``symbols_request`` and the spellings in it; None: it has none.
    """

    venue: Venue
    format: Callable[[], Format]
    spellings: Mapping[str, str]
    malformed_symbols: tuple[str, ...] = ()
    samples: tuple[Sample, ...]
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    trade_pages: tuple[Page, ...] = ()
    candle_pages: tuple[Page, ...] = ()
    empty_trades: bytes | None = None
    empty_candles: bytes | None = None
    unknown_symbol: tuple[int, bytes] | None = None
    symbols: tuple[bytes, frozenset[str]] | None = None
