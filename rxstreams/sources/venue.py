"""``Venue``: what a venue must say. Pure: no socket, no clock, no thread; tested without any of them."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

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
        symbols: ours; empty: all symbols of the request.
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


class Goodbye(msgspec.Struct, frozen=True, kw_only=True):
    """The venue will close this connection soon: a line of trades begins a planned hand-over at once.

    Args:
        reason: the venue's own words.
    """

    reason: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed message that we don't use; counted."""

    kind: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Trades came that may be old or new: they are not passed on, so the coverage of their symbols begins anew.

    Args:
        symbols: ours.
        kind: of the message.
    """

    symbols: tuple[str, ...]
    kind: str


Message: TypeAlias = PriceTick | OHLCCandle | Acknowledged | Rejected | Heartbeat | Goodbye | Unknown | Skipped


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One page to fetch.

    Args:
        path: below the venue's REST address; begins with a slash.
        query: what follows the question mark, not quoted yet.
        body: JSON to POST; None: it is a GET.
        cursor: what is handed on to the parse of the answer, where that has to know what was asked for; None: the
            cursor that led to the request.
    """

    path: str
    query: dict[str, str] = {}
    body: bytes | None = None
    cursor: str | None = None


class RestPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page fetched.

    Args:
        items: trades or candles, oldest first, whatever the venue's order.
        cursor: where the next page begins, in the venue's own terms; None: this was the last.
        backwards: the next page holds older items than this one, not newer ones.
        truncated: there may be older items that were asked for and that the venue does not give (any more).
        reach: nanoseconds before the answer since when it can have items at all; 0: no limit, or ``truncated`` says it.
    """

    items: Sequence[Any]
    cursor: str | None = None
    backwards: bool = False
    truncated: bool = False
    reach: int = 0


class Conversation(Protocol):
    """What depends on what was said before on one connection. Made for each connection; a ``Venue`` is a simple one."""

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says, as ``Venue.parse``."""
        ...

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Return the message that ends the subscription to our ``symbols``, as ``Venue.unsubscribe_frame``."""
        ...


class Venue(abc.ABC):
    """What a venue must say about itself. One instance a venue, without state: feeds share it.

    Attributes:
        name: as in ``PriceTick.exchange``.
        examples: some symbols that it has, one of each kind.
        url: of the public WebSocket.
        rest_url: base of the REST API; "": it has none.
        acknowledges: whether it confirms subscriptions.
        refuses_unknown: whether it says so when a subscription names a symbol that it does not have. Where it does not,
            feeds compare theirs with its list (``symbols_request``).
        symbols_per_socket: None: no limit is known.
        symbols_per_message: symbols in one subscribe message.
        messages_per_second: subscribe messages that it takes.
        connection_limit: new connections that it takes from one address, and in how many seconds; None: not known.
        ordered: whether a symbol's trades come in the order of their stamps. Where they do not, feeds hold each trade
            for ``disorder`` and sort them.
        disorder: seconds that a trade may be stamped before one that was sent earlier.
        settle: seconds after which its REST API knows every trade that its socket has sent.
        contiguous_ids: whether the ids of a symbol's trades count every one of them, so that a jump shows a loss.
        heartbeat_interval: seconds between heartbeats that the client has to send; None: none.
        candle_timeframes: those of its native live candles.
        candle_fields: what its candles say beside prices and volume: "trades", "quote_volume", "buy_volume".
        closes_candles: whether its candles carry a flag that says closed.
        candles_may_change: whether a candle may change after the first one of a later interval came, so a later one
            alone proves nothing: it is taken from REST before it is sent, or sent incomplete.
        opens, fill: the conventions of its candles, as ``to_ohlc`` takes them.
        verified: what its conventions were checked against; "": nothing yet.
        rest_timeframes: those of its REST candles; None: the same as the live ones.
        rest_closes_candles: whether its REST candles say which of them are closed. Where they don't,
            ``parse_rest_candles`` gives them all as closed and complete, and the time of the answer, the server's own,
            decides.
        has_rest_trades: whether its REST API has past trades that gaps can be closed with.
        trades_reach: how far back those go, in words for users; "": no limit is known.
        rest_resolution: nanoseconds to which their stamps are cut; more than 1 only where the socket's are finer. Then
            their ids are the socket's, and a page is in the order of (stamp, id).
        rest_limits: what its REST API allows: pairs of weight and period in seconds; the default is a cautious guess.
        documentation: link to the venue's documentation, and the date on which it was read.
    """

    name: ClassVar[str]
    examples: ClassVar[tuple[str, ...]] = ("BTC/USD", "ETH/USD")
    url: ClassVar[str]
    rest_url: ClassVar[str] = ""
    acknowledges: ClassVar[bool] = True
    refuses_unknown: ClassVar[bool] = True
    symbols_per_socket: ClassVar[int | None] = None
    symbols_per_message: ClassVar[int] = 100
    messages_per_second: ClassVar[float] = 5.0
    connection_limit: ClassVar[tuple[int, float] | None] = None
    ordered: ClassVar[bool] = True
    disorder: ClassVar[float] = 2.0
    settle: ClassVar[float] = 5.0
    contiguous_ids: ClassVar[bool] = False
    heartbeat_interval: ClassVar[float | None] = None
    candle_timeframes: ClassVar[tuple[str, ...]] = ()
    candle_fields: ClassVar[frozenset[str]] = frozenset()
    closes_candles: ClassVar[bool] = False
    candles_may_change: ClassVar[bool] = False
    opens: ClassVar[Literal["first_trade", "previous_close"]] = "first_trade"
    fill: ClassVar[Literal["skip", "flat"]] = "skip"
    verified: ClassVar[str] = ""
    rest_timeframes: ClassVar[tuple[str, ...] | None] = None
    rest_closes_candles: ClassVar[bool] = False
    has_rest_trades: ClassVar[bool] = True
    trades_reach: ClassVar[str] = ""
    rest_resolution: ClassVar[int] = 1
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((1, 1.0),)
    documentation: ClassVar[tuple[str, str]]

    def to_venue_symbol(self, symbol: str) -> str:
        """Return the venue's spelling of ``BASE/QUOTE``.

        Raises:
            UnknownSymbol: it does not have that form.
        """
        return check_symbol(symbol)

    def from_venue_symbol(self, spelling: str) -> str:
        """Return our symbol for the venue's spelling, the inverse of ``to_venue_symbol``.

        Raises:
            ValueError: it can't be a symbol of the venue.
        """
        return spelling

    def url_of(self, channel: Channel) -> str:
        """Return the address that serves a channel: ``url``, unless a venue has several."""
        del channel
        return self.url

    @abc.abstractmethod
    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Return the message that subscribes to our ``symbols``."""

    @abc.abstractmethod
    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Return the message that ends the subscription to our ``symbols``.

        None: it can't be written before that subscription is acknowledged, so it is asked for again when one is.
        """

    @abc.abstractmethod
    def parse(self, frame: bytes) -> Iterable[Message]:
        """Return what a frame says.

        Raises:
            MessageError: it is not what the venue's documentation describes.
        """

    def conversation(self) -> Conversation:
        """Return what reads the frames of one connection, a new one: the venue itself, unless it has to remember.

        A venue that names a symbol once and then by a number returns an object that keeps the numbers.
        """
        return self

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

    def rest_trades_request(self, symbol: str, since: int, until: int | None, cursor: str | None) -> RestRequest:
        """Return the request for one page of trades.

        Args:
            symbol: ours.
            since: the earliest time wanted, nanoseconds, inclusive.
            until: where to stop, nanoseconds, exclusive; None: at the newest.
            cursor: of the page before; None: this is the first page. More than what is wanted may come: the rest is
                left out by whoever asks.
        """
        raise NotImplementedError(f"{self.name} has no REST trades here")

    def parse_rest_trades(self, symbol: str, body: bytes, cursor: str | None) -> RestPage:
        """Return the trades of an answer, oldest first.

        Raises:
            MessageError: it is not what the venue's documentation describes.
            SubscriptionError: the venue does not know the symbol.
            RateLimited: the venue says so in the body of an answer that looks good.
        """
        raise NotImplementedError(f"{self.name} has no REST trades here")

    def rest_candles_request(
        self, symbol: str, timeframe: Timeframe, since: int, until: int | None, cursor: str | None
    ) -> RestRequest:
        """Return the request for one page of candles, as ``rest_trades_request``; times are those of their opens."""
        raise NotImplementedError(f"{self.name} has no REST candles here")

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        """Return the candles of an answer, oldest first; raises as ``parse_rest_trades``."""
        raise NotImplementedError(f"{self.name} has no REST candles here")

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> StreamError | None:
        """Return what a REST answer with an HTTP status of 4xx or 5xx means; None: what the status says by itself.

        Args:
            symbol: ours, that was asked for; "": none was.
            status: other than 408, 418, 425, 429 and 503, which say all.
            body: of the answer, at most 64 KiB of it.
        """
        del symbol, status, body
        return None

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the list of all symbols that can be subscribed to; None: there is none."""
        return None

    def parse_symbols(self, body: bytes) -> frozenset[str]:
        """Return the venue's spelling of all symbols in the answer to ``symbols_request``.

        Raises:
            MessageError: it is not what the venue's documentation describes.
        """
        raise NotImplementedError(f"{self.name} has no list of symbols here")

    def check_timeframe(self, timeframe: Timeframe, *, rest: bool = False) -> Timeframe:
        """Return the timeframe if the venue has native candles of it.

        Args:
            timeframe: what is wanted.
            rest: whether candles of the past are wanted, not live ones.

        Raises:
            ValueError: it has none; the message lists those that it has.
        """
        has = self.rest_timeframes if rest and self.rest_timeframes is not None else self.candle_timeframes
        if str(timeframe) not in has or timeframe != Timeframe(str(timeframe)):
            kind = "past candles" if rest else "live candles"
            have = ", ".join(has) or "none"
            raise ValueError(f"{self.name} has no {kind} of {timeframe!r}; it has {have}")
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


def check_open(timeframe: Timeframe, open_time: int) -> int:
    """Return the open time of a candle, if one of this timeframe can begin then.

    Raises:
        ValueError: none can.
    """
    if timeframe.floor(open_time) != open_time:
        raise ValueError(f"no {timeframe} candle opens at {open_time} ns")
    return open_time


def decode(decoder: msgspec.json.Decoder[Any], frame: bytes, what: str) -> Any:  # typed by each caller's decoder
    """Decode JSON into what the decoder is for, or raise a MessageError that carries the frame."""
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = "an HTML page" if frame.lstrip()[:1] == b"<" else str(error)
        raise MessageError(f"{what}, got {found}", payload=frame) from error
