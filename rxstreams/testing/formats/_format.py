"""What ``FakeExchange`` needs to know about a venue's wire format: the inverse of a ``Venue``'s ``parse``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from rxstreams.items import PriceTick
from rxstreams.testing.candles import TrueCandle


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """A client wants symbols.

    Args:
        kind: trades or candles.
        symbols: as the client spelt them.
        minutes: length of the candles; 0 for trades.
        request: the client's number of the request; None: it gave none.
        snapshot: whether it wants the newest past items first.
        active: False: it wants them no more.
    """

    kind: Literal["trades", "candles"]
    symbols: tuple[str, ...]
    minutes: int = 0
    request: int | None = None
    snapshot: bool = False
    active: bool = True


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """A client probes the venue with its own kind of ping."""

    request: int | None = None


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """A client sent what the venue does not take."""

    reason: str
    request: int | None = None
    method: str = ""


Command = Subscribe | Ping | Malformed


class TradesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request for trades of ``symbol`` (as spelt) stamped after ``since`` (ns; None: the newest)."""

    symbol: str
    since: int | None
    limit: int


class CandlesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request for candles of ``symbol`` (as spelt) that open after ``since`` (ns; None: the newest)."""

    symbol: str
    minutes: int
    since: int | None
    limit: int


class BadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request that the venue does not take; ``status`` is the HTTP status of the answer."""

    status: int
    reason: str


RestQuery = TradesQuery | CandlesQuery | BadQuery


class Format(Protocol):
    """A venue's wire format. Pure: no socket, no clock. Times are nanoseconds since the epoch.

    Attributes:
        name: the venue's, as in ``PriceTick.exchange``.
        path: of its WebSocket.
        opens, fill: the conventions of its candles, as ``candles_of`` takes them.
        snapshot_trades, snapshot_candles: how many items a snapshot has.
    """

    name: str
    path: str
    opens: Literal["first_trade", "previous_close"]
    fill: Literal["skip", "flat"]
    snapshot_trades: int
    snapshot_candles: int

    def spellings(self, symbol: str) -> set[str]:
        """Return every spelling under which a client may ask for ``symbol``."""
        ...

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        ...

    def greeting(self, connection: int) -> bytes | None:
        """Return the first message on a connection; None: there is none."""
        ...

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return the messages that say yes for some of a request's symbols."""
        ...

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return the messages that say no; ``reason`` None: the venue does not have the symbols."""
        ...

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the answer to what the venue does not take; None: it does not answer."""
        ...

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer to the venue's own kind of ping."""
        ...

    def heartbeat(self) -> bytes | None:
        """Return the venue's sign of life; None: it has none."""
        ...

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return one message with several trades."""
        ...

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return one message with several candles."""
        ...

    def rest_query(self, path: str, query: Mapping[str, str]) -> RestQuery:
        """Return what a REST request asks for."""
        ...

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], since: int | None) -> bytes:
        """Return the REST answer with trades, oldest first."""
        ...

    def rest_candles(self, symbol: str, rows: Sequence[TrueCandle], minutes: int) -> bytes:
        """Return the REST answer with candles, oldest first; the last one is not over yet."""
        ...

    def rest_error(self, reason: str | None) -> bytes:
        """Return the body of a REST error; None: the venue does not have the symbol."""
        ...
