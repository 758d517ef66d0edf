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
    """A REST request for trades.

    Args:
        symbol: as the client spelt it.
        since: only those stamped at this time (ns) or later; None: from the first.
        until: only those stamped before this time (ns); None: to the last.
        age: only those stamped at most so long (ns) before the server answers; None: any.
        after_id, before_id: only those whose id, as a number, is greater, or less; None: any. With one of them, newest
            and oldest go by the ids, else by the stamps.
        limit: how many at most.
        newest: if more match, whether the newest of them come; else the oldest.
        whole_stamps: whether a page that does not hold all never ends between trades of one stamp. Only without ids.
    """

    symbol: str
    since: int | None = None
    until: int | None = None
    age: int | None = None
    after_id: int | None = None
    before_id: int | None = None
    limit: int
    newest: bool = False
    whole_stamps: bool = False


class CandlesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request for candles.

    Args:
        symbol: as the client spelt it.
        minutes: their length.
        since: only those that open at this time (ns) or later; None: from the first.
        until: only those that open before this time (ns); None: to the one that is running.
        limit: how many at most.
        newest: if more match, whether the newest of them come; else the oldest.
    """

    symbol: str
    minutes: int
    since: int | None = None
    until: int | None = None
    limit: int
    newest: bool = True


class SymbolsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request for the list of symbols."""


class BadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request that the venue does not take; ``status`` is the HTTP status of the answer."""

    status: int
    reason: str


RestQuery = TradesQuery | CandlesQuery | SymbolsQuery | BadQuery


class Format(Protocol):
    """A venue's wire format. Pure: no socket, no clock. Times are nanoseconds since the epoch.

    Attributes:
        name: the venue's, as in ``PriceTick.exchange``.
        path: of its WebSocket; "" is "/".
        resolution: of its stamps, nanoseconds; what is published is cut to it.
        opens, fill: the conventions of its candles, as ``candles_of`` takes them.
        closes_candles: whether its live candles carry a flag that says closed. Then ``candles`` is called once more
            when an interval is over, with ``fill="flat"`` for one without a trade too.
        snapshot_trades, snapshot_candles: how many items a snapshot has.
        items_per_message: trades, or candles, in one message at most; None: any number of one symbol.
        refuses_whole: whether a request with one bad symbol is refused as a whole, the good ones with it.
        accepts_unknown: whether a symbol that it does not have is acknowledged like any other.
    """

    name: str
    path: str
    resolution: int
    opens: Literal["first_trade", "previous_close"]
    fill: Literal["skip", "flat"]
    closes_candles: bool
    snapshot_trades: int
    snapshot_candles: int
    items_per_message: int | None
    refuses_whole: bool
    accepts_unknown: bool

    def spellings(self, symbol: str) -> set[str]:
        """Return every spelling under which a client may ask for ``symbol``."""
        ...

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says; ``message`` may be any text or bytes."""
        ...

    def greeting(self, connection: int) -> bytes | None:
        """Return the first message on a connection; None: there is none."""
        ...

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return the messages that say yes for some of a request's symbols, as the client spelt them."""
        ...

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return the messages that say no, for symbols as the client spelt them.

        ``reason`` None: the venue does not have the symbols. What ``refuses_whole`` is asked with all symbols of the
        request, those first that are the reason; the end of a subscription is never refused as a whole.
        """
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
        """Return one message with trades of one symbol, oldest first, at most ``items_per_message``."""
        ...

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return one message with candles of one symbol, oldest first, at most ``items_per_message``.

        ``time`` is the exchange's; what closes before it is over.
        """
        ...

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a REST request asks for; ``body`` is what was posted, empty for a GET."""
        ...

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return the REST answer.

        Args:
            symbol: ours.
            ticks: what was asked for, oldest first.
            query: what was asked for.
            more: whether more matched than ``query.limit``.
        """
        ...

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return the REST answer, as ``rest_trades``; what closes after ``now`` is not over yet."""
        ...

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the list of symbols (ours) in the venue's form."""
        ...

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return HTTP status and body of a REST error; None: the venue does not have the symbol."""
        ...
