"""Every error that rxstreams raises or sends to ``on_error``.

::

    RxStreamsError
    ├── StreamError                    a connection or a feed failed; carries its verdict
    │   ├── ResolveError               the name could not be resolved
    │   ├── ConnectError               TCP refused, reset or unreachable
    │   ├── TLSError                   the TLS handshake failed
    │   ├── CertificateError           the certificate is not valid (fatal)
    │   ├── HandshakeTimeout           a phase of the opening handshake took too long
    │   ├── RateLimited                HTTP 429, 418 or 503; knows ``retry_after``
    │   ├── ServerRejected             HTTP 408, 425 or another 5xx
    │   ├── Refused                    HTTP 400, 401, 403, 404, 451 or a redirect (fatal)
    │   ├── ProtocolError              close 1002, 1003, 1007, 1009 or 1010 (fatal)
    │   ├── CleanClose                 close 1000 or 1001: a market feed has no end
    │   ├── ConnectionLost             close 1006, 1011, 1014, reset, ping timeout
    │   ├── ServerRestart              close 1012 or 1013
    │   ├── PolicyViolation            close 1008
    │   ├── Stalled                    no data for ``silence_timeout`` and no answer to a probe
    │   ├── MessageError               a frame that can't be parsed; carries the payload, cut
    │   ├── SubscriptionError          the venue refused symbols; carries them and the reason
    │   ├── HistoryTooShort            the venue's history does not reach back as far as was asked (fatal)
    │   └── ObserverError              an exception in a user's function or observer
    ├── BufferOverflow                 a bounded queue with ``overflow="error"`` is full
    ├── QuotaExceeded                  our own limiter refused a call; knows ``retry_after``
    ├── UnknownVenue                   no venue of that name (also a LookupError)
    ├── UnknownSymbol                  no such symbol (also a LookupError)
    ├── AmbiguousKey                   several keys match: say which exchange (also a LookupError)
    ├── LateTick                       a trade for a candle already closed, with ``late="raise"`` (also a ValueError)
    ├── NotServed                      candles of one timeframe can't build another (also a ValueError)
    └── MissingExtra                   an optional package is not installed (also an ImportError)

Wrong options and wrong values are Python's own ``ValueError`` and ``TypeError``, raised where they are given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

_PAYLOAD_LIMIT = 200


class RxStreamsError(Exception):
    """The base of all errors of this library."""


class StreamError(RxStreamsError):
    """A connection or a feed failed.

    The class says what to do about it (its *verdict*), the instance what is known of this failure.

    Args:
        message: what was expected and what was found.
        retry_after: seconds that the server asked us to wait; None: it did not say.
        uptime: seconds that the connection had been open; 0.0: it never was.
        close_code: the WebSocket close code; None: there was none.

    Attributes:
        retryable: whether another attempt may succeed.
        initial: seconds to start the backoff from instead of the policy's own; None: the policy's.
        floor: seconds that every wait after this error lasts at least.
        max_attempts: attempts after errors of this class in a row before it becomes fatal; None: no limit of its own.
    """

    retryable: ClassVar[bool] = True
    initial: ClassVar[float | None] = None
    floor: ClassVar[float] = 0.0
    max_attempts: ClassVar[int | None] = None

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        uptime: float = 0.0,
        close_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.uptime = uptime
        self.close_code = close_code


class ResolveError(StreamError):
    """The host's name could not be resolved and no stale address is known."""


class ConnectError(StreamError):
    """No address of the host accepted a TCP connection."""


class TLSError(StreamError):
    """The TLS handshake failed for another reason than the certificate."""


class CertificateError(StreamError):
    """The server's certificate is not valid for its name: never retried, never ignored."""

    retryable = False


class HandshakeTimeout(StreamError):
    """A phase of the opening handshake took longer than ``connect_timeout``: the server is overloaded."""

    initial = 5.0


class RateLimited(StreamError):
    """The server answered 429, 418 or 503: wait at least ``retry_after`` seconds."""


class ServerRejected(StreamError):
    """The server answered 408, 425 or a 5xx that is not 503."""


class Refused(StreamError):
    """The server answered 400, 401, 403, 404, 451, another 4xx or a redirect: asking again won't help."""

    retryable = False


class ProtocolError(StreamError):
    """The connection was closed with 1002, 1003, 1007, 1009 or 1010: one side broke the protocol."""

    retryable = False


class CleanClose(StreamError):
    """The server said goodbye (1000 or 1001); a market feed has no end, so we come back."""


class ConnectionLost(StreamError):
    """The open connection broke: no close frame, a reset, a ping without pong, 1011 or 1014."""


class ServerRestart(StreamError):
    """The server closed with 1012 (restart) or 1013 (try again later)."""

    floor = 5.0


class PolicyViolation(StreamError):
    """The server closed with 1008: too many requests, or not allowed."""

    initial = 30.0
    max_attempts = 3


class Stalled(StreamError):
    """Nothing came for ``silence_timeout`` and the probe was not answered, or the venue acknowledged nothing."""


class MessageError(StreamError):
    """A frame or an answer that can't be parsed.

    Args:
        message: what was expected and what was found.
        payload: what was received; kept cut to 200 characters.
    """

    def __init__(self, message: str = "", *, payload: str | bytes = "", uptime: float = 0.0) -> None:
        text = payload.decode("utf-8", "backslashreplace") if isinstance(payload, bytes) else payload
        if len(text) > _PAYLOAD_LIMIT:
            text = f"{text[:_PAYLOAD_LIMIT]}… ({len(text):,} characters)"
        super().__init__(f"{message}: {text}" if text else message, uptime=uptime)
        self.payload = text


class SubscriptionError(StreamError):
    """The venue refused to send some symbols.

    Args:
        symbols: the refused symbols, ours (``BASE/QUOTE``).
        reason: the venue's own words.
    """

    retryable = False

    def __init__(self, symbols: Iterable[str], reason: str, *, uptime: float = 0.0) -> None:
        self.symbols = tuple(symbols)
        self.reason = reason
        super().__init__(f"the venue refused {', '.join(self.symbols)}: {reason}", uptime=uptime)


class HistoryTooShort(StreamError):
    """A venue's REST API has no items from the beginning of what was asked for; those that it has were sent before."""

    retryable = False


class ObserverError(StreamError):
    """A user's function or observer raised; the cause is its exception."""

    retryable = False


class BufferOverflow(RxStreamsError):
    """A bounded queue with ``overflow="error"`` is full."""


class QuotaExceeded(RxStreamsError):
    """Our own limiter refused a call before anything was sent: there is no room for it now.

    Args:
        message: what is used up.
        retry_after: seconds until it is worth asking again: not too late, perhaps too early, as others may come first.
    """

    def __init__(self, message: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownVenue(RxStreamsError, LookupError):
    """No venue has that name."""


class UnknownSymbol(RxStreamsError, LookupError):
    """No such symbol here, or not one in the form ``BASE/QUOTE``."""


class AmbiguousKey(RxStreamsError, LookupError):
    """Several keys match; the message lists them."""


class LateTick(RxStreamsError, ValueError):
    """A trade came for an interval that was closed already, and ``late="raise"`` was asked for."""


class NotServed(RxStreamsError, ValueError):
    """Candles of one timeframe can't build candles of another: some boundary of the longer is none of the shorter."""


class MissingExtra(RxStreamsError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""
