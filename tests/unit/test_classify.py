"""From what websockets, ssl and the system raise to the error tree."""

from __future__ import annotations

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidUpgrade
from websockets.frames import Close
from websockets.http11 import Response

from rxstreams import errors
from rxstreams._retry_after import parse_retry_after
from rxstreams.sources._classify import classify_close, classify_handshake
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Venue


def answered(status: int, **headers: str) -> InvalidStatus:
    """Return what websockets raises for a status."""
    return InvalidStatus(Response(status, "", Headers({k.replace("_", "-"): v for k, v in headers.items()})))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), errors.CertificateError),
        (ssl.SSLError(1, "wrong version number"), errors.TLSError),
        (TimeoutError(), errors.HandshakeTimeout),
        (ConnectionRefusedError(111, "Connection refused"), errors.ConnectError),
        (OSError(101, "Network is unreachable"), errors.ConnectError),
        (InvalidMessage("did not receive a valid HTTP response"), errors.ConnectError),
        (InvalidUpgrade("Upgrade", "h2c"), errors.Refused),
        *[(answered(status), errors.RateLimited) for status in (418, 429, 503)],
        *[(answered(status), errors.ServerRejected) for status in (408, 425, 500, 502, 504)],
        *[(answered(status), errors.Refused) for status in (301, 308, 400, 401, 403, 404, 451)],
    ],
)
def test_classify_handshake_when_something_is_raised_then_gives_the_row_of_the_table(
    raised: Exception, expected: type[errors.StreamError]
) -> None:
    """The cause is kept."""
    error = classify_handshake(raised, "host:443")
    assert type(error) is expected
    assert error.__cause__ is raised
    assert "host:443" in str(error)


def test_classify_handshake_when_it_is_a_bug_then_it_passes_as_it_is() -> None:
    """No network raises it, so it must end the feed and not be retried for ever."""
    bug = RuntimeError("a bug")
    assert classify_handshake(bug, "host:443") is bug


def test_classify_handshake_when_the_server_asks_to_wait_then_the_error_knows_how_long() -> None:
    """Retry-After in seconds."""
    error = classify_handshake(answered(429, Retry_After="17"), "host")
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == 17.0


def test_parse_retry_after_when_given_then_reads_seconds_and_dates() -> None:
    """RFC 9110 allows both; nonsense is no answer."""
    assert parse_retry_after(None, 0.0) is None
    assert parse_retry_after(" 120 ", 0.0) == 120.0
    assert parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10.0) == 50.0
    assert parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 10.0) == 0.0
    assert parse_retry_after("soon", 0.0) is None
    assert parse_retry_after("-5", 0.0) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *[(code, errors.CleanClose) for code in (1000, 1001)],
        *[(code, errors.ProtocolError) for code in (1002, 1003, 1007, 1009, 1010)],
        *[(code, errors.ConnectionLost) for code in (1011, 1014, 3000, 4999)],
        *[(code, errors.ServerRestart) for code in (1012, 1013)],
        (1008, errors.PolicyViolation),
    ],
)
def test_classify_close_when_the_server_closes_then_gives_the_row_of_the_table(
    code: int, expected: type[errors.StreamError]
) -> None:
    """The error carries code and uptime."""
    error = classify_close(ConnectionClosedError(Close(code, "why"), None), Kraken(), 12.5, 0.0)
    assert type(error) is expected
    assert (error.close_code, error.uptime) == (code, 12.5)
    assert "why" in str(error)


def test_classify_close_when_nobody_said_goodbye_then_the_connection_is_lost() -> None:
    """1006: no close frame."""
    error = classify_close(ConnectionClosedError(None, None), Kraken(), 1.0, 0.0)
    assert type(error) is errors.ConnectionLost
    assert error.close_code == 1006


def test_classify_close_when_we_gave_up_then_our_code_counts_and_a_blocked_loop_is_told() -> None:
    """A missed pong (1011) is a loss, a message over the limit (1009) a protocol error."""
    error = classify_close(ConnectionClosedError(None, Close(1011, "keepalive ping timeout")), Kraken(), 1.0, 31.0)
    assert type(error) is errors.ConnectionLost
    assert "blocked for 31.0 s" in str(error)
    error = classify_close(ConnectionClosedError(None, Close(1009, "")), Kraken(), 1.0, 0.0)
    assert type(error) is errors.ProtocolError


def test_classify_close_when_the_code_is_the_venues_own_then_it_decides() -> None:
    """3000 to 4999."""

    class Strict(Kraken):
        def classify_close(self, code: int, reason: str) -> type[errors.StreamError] | None:
            return errors.Refused if code == 4001 else None

    venue: Venue = Strict()
    assert type(classify_close(ConnectionClosedError(Close(4001, ""), None), venue, 0.0, 0.0)) is errors.Refused
    assert type(classify_close(ConnectionClosedError(Close(4002, ""), None), venue, 0.0, 0.0)) is errors.ConnectionLost
