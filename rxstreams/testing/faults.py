"""What can go wrong with a ``FakeExchange``: a script of small, frozen faults.

Each fault says *where* (``connection``: the number of the WebSocket connection, counted from 0; a range or a set for
several; None for every one) and, if it strikes in mid-stream, *when*: after so many trades that this connection was
sent, or so many seconds after it was accepted, of the wall clock or of the exchange's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong; the base of all of them.

    Args:
        connection: number of the WebSocket connection, from 0; a range or a set: each of them; None: every one.
    """

    connection: int | Collection[int] | None = None

    def concerns(self, connection: int) -> bool:
        """Return whether the fault is meant for this connection."""
        if self.connection is None:
            return True
        return connection == self.connection if isinstance(self.connection, int) else connection in self.connection


@dataclass(frozen=True)
class TimedFault(Fault):
    """A fault that strikes in mid-stream, once a connection unless it repeats; the base of those.

    Args:
        trades: after so many trades were sent on the connection (0: as soon as one symbol is subscribed); a message
            of candles counts as one.
        seconds: so many seconds of the wall clock after the connection was accepted.
        exchange_seconds: so many seconds of the exchange's clock after the connection was accepted.
        repeat: strikes again after each further ``trades``; only with ``trades``.

    Raises:
        ValueError: not exactly one of the three is given, one is negative, or ``repeat`` without ``trades``.
    """

    trades: int | None = None
    seconds: float | None = None
    exchange_seconds: float | None = None
    repeat: bool = False

    def __post_init__(self) -> None:
        given = [value for value in (self.trades, self.seconds, self.exchange_seconds) if value is not None]
        name = type(self).__name__
        if len(given) != 1:
            raise ValueError(f"{name} takes exactly one of trades, seconds and exchange_seconds, got {len(given)}")
        if given[0] < 0:
            raise ValueError(f"{name} can't strike after {given[0]!r}: expected 0 or more")
        if self.repeat and not self.trades:
            raise ValueError(f"{name} can repeat only with trades=1 or more, got trades={self.trades!r}")


@dataclass(frozen=True, kw_only=True)
class RefuseConnection(Fault):
    """Reset the TCP connection as soon as it is accepted (with TLS: after its handshake).

    For a port that nobody listens on, use ``FakeExchange.refuse``.
    """


@dataclass(frozen=True)
class HttpStatus(Fault):
    """Answer the upgrade with an HTTP status instead of 101.

    Args:
        code: the status, 200 to 599 except 101.
        retry_after: value of the Retry-After header, seconds or an HTTP date; None: no such header.
    """

    code: int
    retry_after: float | str | None = None

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise ValueError(f"code must be an HTTP status from 200 to 599, got {self.code!r}")


@dataclass(frozen=True)
class SlowHandshake(Fault):
    """Answer the upgrade ``seconds`` late."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class AcceptThenDrop(Fault):
    """Accept the upgrade and cut the connection at once."""


@dataclass(frozen=True)
class DropAfter(TimedFault):
    """Cut the TCP connection without a close frame (1006); what was sent before arrives.

    Args:
        reset: with a reset (RST) instead of an end of stream (FIN).
    """

    reset: bool = False


@dataclass(frozen=True)
class CutFrame(TimedFault):
    """Send the next message of trades or candles up to its middle and cut the TCP connection there.

    Args:
        reset: with a reset (RST) instead of an end of stream (FIN).
    """

    reset: bool = False


@dataclass(frozen=True)
class CloseAfter(TimedFault):
    """Close with a close frame.

    Args:
        code: the close code.
        reason: the reason beside it.
    """

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True)
class StallAfter(TimedFault):
    """Keep the socket open and send nothing any more.

    Args:
        probes: whether pings (the protocol's and the venue's own) are still answered: a quiet line, not a dead one.
    """

    probes: bool = False


@dataclass(frozen=True)
class Garbage(TimedFault):
    """Send a frame that can't be parsed.

    Args:
        payload: its text; bytes go out as a binary frame.
    """

    payload: str | bytes = '{"channel":"trade","type":"update","data":[{"symbol":"BT'


@dataclass(frozen=True)
class HugeFrame(TimedFault):
    """Send a message of ``size_bytes``, well-formed but of no known kind."""

    size_bytes: int = 32 * 2**20


@dataclass(frozen=True)
class Duplicate(TimedFault):
    """Send the message of the trade that it strikes at ``copies`` times more."""

    copies: int = 1


@dataclass(frozen=True)
class Reorder(TimedFault):
    """Hold the next message of trades back until ``overtaken_by`` later ones were sent.

    What is held when the market comes to its end is sent then.
    """

    overtaken_by: int = 1


@dataclass(frozen=True)
class Swallow(TimedFault):
    """Never send the next ``messages`` messages of trades, and go on as if nothing were missing."""

    messages: int = 1


@dataclass(frozen=True)
class SlowAck(Fault):
    """Acknowledge subscriptions ``seconds`` late (wall clock).

    Args:
        data: "after": the subscription takes effect with the acknowledgement, whose ``time_in`` is older;
            "before": trades come at once and the acknowledgement follows them.
    """

    seconds: float
    data: Literal["after", "before"] = "after"


@dataclass(frozen=True, kw_only=True)
class NoAck(Fault):
    """Never acknowledge a subscription.

    Args:
        data: whether the trades come all the same.
    """

    data: bool = False


@dataclass(frozen=True)
class RefuseSymbols(Fault):
    """Refuse the subscription of some symbols.

    Args:
        symbols: ours (``BASE/QUOTE``).
        reason: the error's text; None: the venue's own for a symbol that it does not have.
    """

    symbols: Collection[str]
    reason: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.symbols, str):
            raise TypeError(f"symbols must be a list of symbols, got the string {self.symbols!r}")


@dataclass(frozen=True, kw_only=True)
class RestFault:
    """Something that goes wrong with REST requests; the base of those.

    Args:
        request: number of the REST request, from 0; a range or a set: each of them; None: every one.
    """

    request: int | Collection[int] | None = None

    def concerns(self, request: int) -> bool:
        """Return whether the fault is meant for this request."""
        if self.request is None:
            return True
        return request == self.request if isinstance(self.request, int) else request in self.request


@dataclass(frozen=True)
class RestStatus(RestFault):
    """Answer with an HTTP status other than 200.

    Args:
        code: the status.
        retry_after: value of the Retry-After header, seconds or an HTTP date; None: no such header.
    """

    code: int
    retry_after: float | str | None = None


@dataclass(frozen=True)
class RestBody(RestFault):
    """Answer with something that the venue would never say: by default a web page, and no error.

    Args:
        body: the text of the answer.
        code: the HTTP status.
        content_type: of the answer.
    """

    body: str = "<!DOCTYPE html>\n<html><head><title>Just a moment</title></head><body>Maintenance</body></html>\n"
    code: int = 200
    content_type: str = "text/html"


@dataclass(frozen=True)
class RestError(RestFault):
    """Answer with the venue's own form of an error, and its HTTP status (Kraken: 200 and a list of errors)."""

    message: str = "EAPI:Rate limit exceeded"


@dataclass(frozen=True)
class SlowRest(RestFault):
    """Answer ``seconds`` late (wall clock); what it answers is what was so when it was asked."""

    seconds: float


@dataclass(frozen=True)
class StaleRest(RestFault):
    """Answer what was so ``seconds`` before it was asked, or some 10 ms less; wall clock, at most 10 s."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class DropRest(RestFault):
    """Cut the connection instead of answering."""


AnyFault = Fault | RestFault
"""What a script of faults is made of."""
