"""``Venue``: what a venue must say. Pure: no socket, no clock, no thread; tested without any of them."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from rxstreams.errors import MessageError, StreamError, UnknownSymbol
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.symbols import check_symbol
from rxstreams.timeframe import Timeframe


class Channel(msgspec.Struct, frozen=True):
    """What a feed subscribes to.

    Args:
        kind: "trades" or "candles".
        timeframe: of the candles; None for trades.
        history: closed candles that are fetched before the live ones begin.
        running: of trades: those of the running interval of this timeframe are fetched before the live ones; None: none
            are.
    """

    kind: Literal["trades", "candles"]
    timeframe: Timeframe | None = None
    history: int = 0
    running: Timeframe | None = None


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The venue accepted a subscription, or its end.

    Args:
        symbols: ours.
        time: the venue's time of it, nanoseconds; 0: it does not say.
        request: the number of the request; 0: it does not say.
        subscribed: False for the end of a subscription.
    """

    symbols: tuple[str, ...]
    time: int = 0
    request: int = 0
    subscribed: bool = True


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The venue refused symbols, at once or later.

    Args:
        symbols: ours; empty: all symbols of the request.
        reason: the venue's own words.
        request: the number of the request; 0: it does not say.
    """

    symbols: tuple[str, ...] = ()
    reason: str
    request: int = 0


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life, or the answer to a probe."""


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed message that we don't use; counted."""

    kind: str


Message: TypeAlias = PriceTick | OHLCCandle | Acknowledged | Rejected | Heartbeat | Unknown


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One page to fetch: a path below the venue's REST address and its query."""

    path: str
    query: dict[str, str]


class RestPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page fetched.

    Args:
        items: trades or candles, oldest first.
        cursor: where the next page begins, in the venue's own terms; None: this was the last.
    """

    items: Sequence[Any]
    cursor: str | None = None


class Venue(abc.ABC):
    """What a venue must say about itself. One instance a venue, without state: feeds share it.

    Attributes:
        name: as in ``PriceTick.exchange``.
        url: of the public WebSocket.
        rest_url: base of the REST API; "": it has none.
        acknowledges: whether it confirms subscriptions.
        symbols_per_socket: None: no limit is known.
        symbols_per_message: symbols in one subscribe message.
        messages_per_second: subscribe messages that it takes.
        disorder: seconds that a trade may be stamped before one that was sent earlier.
        settle: seconds after which its REST API knows every trade that its socket has sent.
        contiguous_ids: whether the ids of a symbol's trades count every one of them, so that a jump shows a loss.
        heartbeat_interval: seconds between heartbeats that the client has to send; None: none.
        candle_timeframes: those of its native candles.
        closes_candles: whether its candles carry a flag that says closed.
        opens, fill: the conventions of its candles, as ``to_ohlc`` takes them.
        verified: what its conventions were checked against; "": nothing yet.
        rest_limits: what its REST API allows: pairs of weight and period in seconds; the default is a cautious guess.
        documentation: link to the venue's documentation, and the date on which it was read.
    """

    name: ClassVar[str]
    url: ClassVar[str]
    rest_url: ClassVar[str] = ""
    acknowledges: ClassVar[bool] = True
    symbols_per_socket: ClassVar[int | None] = None
    symbols_per_message: ClassVar[int] = 100
    messages_per_second: ClassVar[float] = 5.0
    disorder: ClassVar[float] = 2.0
    settle: ClassVar[float] = 5.0
    contiguous_ids: ClassVar[bool] = False
    heartbeat_interval: ClassVar[float | None] = None
    candle_timeframes: ClassVar[tuple[str, ...]] = ()
    closes_candles: ClassVar[bool] = False
    opens: ClassVar[Literal["first_trade", "previous_close"]] = "first_trade"
    fill: ClassVar[Literal["skip", "flat"]] = "skip"
    verified: ClassVar[str] = ""
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((1, 1.0),)
    documentation: ClassVar[tuple[str, str]]

    def to_venue_symbol(self, symbol: str) -> str:
        """Return the venue's spelling of ``BASE/QUOTE``.

        Raises:
            UnknownSymbol: it does not have that form.
        """
        return check_symbol(symbol)

    @abc.abstractmethod
    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the message that subscribes to our ``symbols``."""

    @abc.abstractmethod
    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the message that ends the subscription to our ``symbols``."""

    @abc.abstractmethod
    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says.

        Raises:
            MessageError: it is not what the venue's documentation describes.
        """

    def probe_frame(self, request: int) -> str | None:
        """Return a message that the venue answers; None: it has none, and a WebSocket ping is sent instead."""
        del request
        return None

    def heartbeat_frame(self) -> str | None:
        """Return the heartbeat that the client sends every ``heartbeat_interval``; None: none."""
        return None

    def classify_close(self, code: int, reason: str) -> type[StreamError] | None:
        """Return the error class of a close code of the venue's own (3000 to 4999); None: the usual one, retried."""
        del code, reason
        return None

    def rest_weight(self, request: RestRequest) -> int:
        """Return what a request counts towards ``rest_limits``."""
        del request
        return 1

    def used_weight(self, headers: Mapping[str, str]) -> Mapping[float, int]:
        """Return what the server says it has counted: the period of one of ``rest_limits`` -> weight.

        Args:
            headers: of any REST answer; names in any case. What can't be read is left out.
        """
        del headers
        return {}

    def rest_trades_request(self, symbol: str, since: int, cursor: str | None) -> RestRequest:
        """Return the request for the page of trades that begins at ``since`` (nanoseconds), or at ``cursor``."""
        raise NotImplementedError(f"{self.name} has no REST trades here")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer, oldest first.

        Raises:
            MessageError: it is not what the venue's documentation describes.
            SubscriptionError: the venue does not know the symbol.
        """
        raise NotImplementedError(f"{self.name} has no REST trades here")

    def rest_candles_request(self, symbol: str, timeframe: Timeframe, since: int, cursor: str | None) -> RestRequest:
        """Return the request for the page of candles that begins at ``since`` (nanoseconds), or at ``cursor``."""
        raise NotImplementedError(f"{self.name} has no REST candles here")

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer, oldest first; raises as ``parse_rest_trades``."""
        raise NotImplementedError(f"{self.name} has no REST candles here")

    def check_timeframe(self, timeframe: Timeframe) -> Timeframe:
        """Return the timeframe if the venue has native candles of it.

        Raises:
            ValueError: it has none; the message lists those that it has.
        """
        if str(timeframe) not in self.candle_timeframes or timeframe != Timeframe(str(timeframe)):
            have = ", ".join(self.candle_timeframes) or "none"
            raise ValueError(f"{self.name} has no candles of {timeframe!r}; it has {have}")
        return timeframe


def check_symbols(venue: Venue, symbols: Iterable[str]) -> tuple[str, ...]:
    """Return the symbols, each once and checked.

    Raises:
        UnknownSymbol: one is not in the form that the venue takes, or there is none.
        TypeError: a single string was given.
    """
    if isinstance(symbols, str):
        raise TypeError(f"symbols must be a list of symbols, got the string {symbols!r}; write [{symbols!r}]")
    checked = tuple(dict.fromkeys(symbols))
    for symbol in checked:
        venue.to_venue_symbol(symbol)
    if not checked:
        raise UnknownSymbol("expected at least one symbol such as 'BTC/USD', got none")
    return checked


def decode(decoder: msgspec.json.Decoder[Any], frame: bytes, what: str) -> Any:  # typed by each caller's decoder
    """Decode JSON into what the decoder is for, or raise a MessageError that carries the frame."""
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"{what}: {error}", payload=frame) from error
