"""The only classifier of connection errors: from what websockets, ssl and the system raise to the error tree."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, ProxyError

from rxstreams import errors
from rxstreams._retry_after import parse_retry_after

if TYPE_CHECKING:
    from rxstreams.sources.venue import Venue

_RATE_LIMITED = frozenset({418, 429, 503})
_REJECTED = frozenset({408, 425})

# RFC 6455 section 7.4 and IANA's registry of close codes. 1000 and 1001 from the server are no end of a market feed.
_BY_CLOSE_CODE: dict[int, type[errors.StreamError]] = {
    1000: errors.CleanClose,
    1001: errors.CleanClose,
    1002: errors.ProtocolError,
    1003: errors.ProtocolError,
    1006: errors.ConnectionLost,
    1007: errors.ProtocolError,
    1008: errors.PolicyViolation,
    1009: errors.ProtocolError,
    1010: errors.ProtocolError,
    1011: errors.ConnectionLost,
    1012: errors.ServerRestart,
    1013: errors.ServerRestart,
    1014: errors.ConnectionLost,
}


def classify_handshake(error: Exception, where: str) -> Exception:
    """Return the error of the tree for what the opening of a connection raised; the cause is kept.

    Args:
        error: what was raised. An error of the tree, or one that no network can cause (a bug), is returned as it is.
        where: the address, for the message.
    """
    if isinstance(error, errors.StreamError):
        return error
    result: errors.StreamError
    # The order matters: a certificate error is an SSLError is an OSError, and so is a TimeoutError.
    if isinstance(error, ssl.SSLCertVerificationError):
        result = errors.CertificateError(f"the certificate of {where} is not valid: {_words(error, 'verify_message')}")
    elif isinstance(error, ssl.SSLError):
        result = errors.TLSError(f"the TLS handshake with {where} failed: {_words(error, 'reason')}")
    elif isinstance(error, TimeoutError):
        result = errors.HandshakeTimeout(f"{where} did not answer in time")
    elif isinstance(error, InvalidStatus):
        result = _classify_status(error.response.status_code, error.response.headers.get("Retry-After"), where)
    elif isinstance(error, (InvalidMessage, EOFError, ConnectionClosed)):
        result = errors.ConnectError(f"{where} hung up during the opening handshake")
    elif isinstance(error, ProxyError):
        result = errors.ConnectError(f"the proxy to {where} failed: {error}")
    elif isinstance(error, InvalidHandshake):
        result = errors.Refused(f"{where} is no WebSocket server that we can talk to: {error}")
    elif isinstance(error, OSError):
        result = errors.ConnectError(f"can't connect to {where}: {error.strerror or error}")
    else:
        return error
    result.__cause__ = error
    return result


def _words(error: ssl.SSLError, attribute: str) -> str:
    """Return what an SSL error says; one that was not raised by OpenSSL itself lacks its attributes."""
    return str(getattr(error, attribute, None) or error)


def _classify_status(status: int, retry_after: str | None, where: str) -> errors.StreamError:
    message = f"{where} answered HTTP {status} to the WebSocket upgrade"
    if status in _RATE_LIMITED:
        return errors.RateLimited(message, retry_after=parse_retry_after(retry_after, time.time()))
    if status in _REJECTED or 500 <= status < 600:
        return errors.ServerRejected(message, retry_after=parse_retry_after(retry_after, time.time()))
    return errors.Refused(message)


def classify_close(closed: ConnectionClosed, venue: Venue, uptime: float, lag: float) -> errors.StreamError:
    """Return the error of the tree for the end of an open connection.

    Args:
        closed: what websockets says.
        venue: knows its own codes, 3000 to 4999.
        uptime: seconds that the connection was open.
        lag: the longest time in seconds for which our own loop was busy with something else.
    """
    cause = closed.__cause__
    if closed.rcvd is not None:
        code, reason, by = closed.rcvd.code, closed.rcvd.reason, "the server"
    elif closed.sent is not None:
        code, reason, by = closed.sent.code, closed.sent.reason, "we"
    else:
        code, reason, by = 1006, str(cause or "no close frame"), "nobody"
    kind = _BY_CLOSE_CODE.get(code)
    if kind is None:
        kind = venue.classify_close(code, reason) or errors.ConnectionLost
    if by == "nobody":
        message = f"the connection to {venue.name} broke: {reason}"
    else:
        message = f"{by} closed the connection to {venue.name} with {code}" + (f" ({reason})" if reason else "")
    if lag > 1.0:
        message += f"; our own loop was blocked for {lag:.1f} s, which looks like a dead server: is an observer slow?"
    result = kind(message, uptime=uptime, close_code=code)
    result.__cause__ = closed
    return result


def classify_rest_status(status: int, retry_after: str | None, where: str) -> errors.StreamError | None:
    """Return the error for a REST answer's status; None: there is none."""
    if status < 300:
        return None
    error = _classify_status(status, retry_after, where)
    error.args = (f"{where} answered HTTP {status}",)
    return error
