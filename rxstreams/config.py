"""``StreamConfig``: the one place for a feed's options."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from rxstreams._durations import to_seconds
from rxstreams._fields import to_bool, to_finite, to_text
from rxstreams.backoff import BackoffPolicy

if TYPE_CHECKING:
    from rxstreams.limits import APIRateLimiter
    from rxstreams.resolver import Resolver

_DURATIONS = (
    "connect_timeout",
    "silence_timeout",
    "probe_timeout",
    "ping_interval",
    "ping_timeout",
    "close_timeout",
    "max_hold",
    "max_age",
)
_MAY_BE_ZERO = ("max_gap", "settle")
_MAY_BE_NONE = ("ping_interval", "ping_timeout", "max_age")


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """The options of a feed. Immutable; durations are seconds or timedelta and are kept as seconds.

    Args:
        url: where to connect; "": the venue's own address.
        rest_url: base of the REST API; "": the venue's own.
        rest_limiter: of the REST requests; None: the one that all of this process who talk to that address share, with
            the venue's limits.
        name: in logs and in the names of threads; "": the venue's name.
        reconnect_attempts: re-connections in a row before the feed fails; -1: no limit.
        backoff: how long to wait before each.
        connect_timeout: for each phase of connecting (TCP, TLS, upgrade) and for the acknowledgement of a subscription.
        silence_timeout: without any message for so long, the server is probed.
        probe_timeout: how long the probe's answer may take before the connection is given up.
        ping_interval: between WebSocket pings; None: none are sent.
        ping_timeout: how long a pong may take; None: for ever.
        close_timeout: how long the closing handshake may take before the socket is cut.
        max_message_bytes: longer messages end the connection.
        max_bad_share: share of unparsable frames, of the last 100, above which the connection is given up.
        recover: whether trades or candles that were missed are fetched over REST. Beside a ``url`` of one's own that
            needs a ``rest_url`` as well: none is guessed.
        max_gap: seconds that a connection may have been away for its trades to be fetched.
        max_hold: seconds for which what comes live of a symbol is held back at most while what is missing is fetched.
        max_held: trades or candles held back on one connection, and fetched for one symbol, at most.
        settle: seconds after which the venue's REST API knows what its socket has sent; None: the venue's own.
        max_age: seconds after which a connection of trades is replaced by another one that is opened before, without a
            hole: for venues that cut connections after a day; None: never.
        symbols_per_socket: more symbols are split over several sockets; None: the venue's limit.
        headers: sent with the upgrade request; a mapping or (name, value) pairs.
        proxy: an HTTP or SOCKS proxy's URL; None: none (the environment is not looked at).
        ssl_context: for ``wss``; None: Python's default, which verifies the certificate.
        resolver: for host names; None: one of the feed's own.
        transport: the WebSocket implementation.

    Raises:
        ValueError: a value is out of its range; the message names it.
        TypeError: a value has the wrong type.
    """

    url: str = ""
    rest_url: str = ""
    rest_limiter: APIRateLimiter | None = None
    name: str = ""
    reconnect_attempts: int = -1
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    connect_timeout: float = 10.0
    silence_timeout: float = 30.0
    probe_timeout: float = 5.0
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    close_timeout: float = 2.0
    max_message_bytes: int = 16 * 2**20
    max_bad_share: float = 0.5
    recover: bool = True
    max_gap: float = 3600.0
    max_hold: float = 10.0
    max_held: int = 100_000
    settle: float | None = None
    max_age: float | None = None
    symbols_per_socket: int | None = None
    headers: Sequence[tuple[str, str]] | Mapping[str, str] = ()
    proxy: str | None = None
    ssl_context: ssl.SSLContext | None = None
    resolver: Resolver | None = None
    transport: Literal["websockets"] = "websockets"

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            value = getattr(self, name)
            if value is not None or name not in _MAY_BE_NONE:
                object.__setattr__(self, name, to_seconds(name, value, positive=True))
        for name in _MAY_BE_ZERO:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, to_seconds(name, getattr(self, name)))
        to_bool("recover", self.recover)
        for name in ("url", "rest_url", "name"):
            to_text(name, getattr(self, name))
        for name in ("reconnect_attempts", "max_message_bytes", "max_held", "symbols_per_socket"):
            _check_int(name, getattr(self, name), may_be_none=name == "symbols_per_socket")
        to_finite("max_bad_share", self.max_bad_share)
        _check_class("backoff", self.backoff, BackoffPolicy, may_be_none=False)
        _check_class("proxy", self.proxy, str, may_be_none=True)
        _check_class("ssl_context", self.ssl_context, ssl.SSLContext, may_be_none=True)
        if self.rest_limiter is not None and not callable(getattr(self.rest_limiter, "acquire", None)):
            raise TypeError(f"rest_limiter must be an APIRateLimiter or None, got {self.rest_limiter!r}")
        _check_url("url", self.url, ("ws", "wss"))
        _check_url("rest_url", self.rest_url, ("http", "https"))
        if self.reconnect_attempts < -1:
            raise ValueError(f"reconnect_attempts must be -1 (no limit) or more, got {self.reconnect_attempts!r}")
        if self.max_message_bytes < 1:
            raise ValueError(f"max_message_bytes must be at least 1, got {self.max_message_bytes!r}")
        if self.max_held < 1:
            raise ValueError(f"max_held must be at least 1, got {self.max_held!r}")
        if not 0 < self.max_bad_share <= 1:
            raise ValueError(f"max_bad_share must be over 0 and at most 1, got {self.max_bad_share!r}")
        if self.symbols_per_socket is not None and self.symbols_per_socket < 1:
            raise ValueError(f"symbols_per_socket must be at least 1, got {self.symbols_per_socket!r}")
        if self.transport != "websockets":
            raise ValueError(f"transport must be 'websockets', got {self.transport!r}")
        object.__setattr__(self, "headers", _to_pairs(self.headers))

    @property
    def policy(self) -> BackoffPolicy:
        """The backoff with the limit that ``reconnect_attempts`` sets."""
        if self.reconnect_attempts < 0:
            return self.backoff
        return replace(self.backoff, max_attempts=self.reconnect_attempts)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> StreamConfig:
        """Build a config from keyword options and say which names exist when one doesn't."""
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise TypeError(f"unknown option {', '.join(unknown)}; a feed takes {', '.join(known)}")
        return cls(**options)


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if not url:
        return
    expected = f"{name} must look like {schemes[-1]}://host/path (or {schemes[0]}://), got {url!r}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError as error:  # a port that is none, half an IPv6 address
        raise ValueError(f"{expected}: {error}") from error
    if not usable:
        raise ValueError(expected)


def _check_int(name: str, value: object, *, may_be_none: bool) -> None:
    if isinstance(value, bool) or not (isinstance(value, int) or (value is None and may_be_none)):
        raise TypeError(f"{name} must be an integer{' or None' if may_be_none else ''}, got {value!r}")


def _check_class(name: str, value: object, kind: type, *, may_be_none: bool) -> None:
    if not (isinstance(value, kind) or (value is None and may_be_none)):
        raise TypeError(
            f"{name} must be of the class {kind.__name__}{' or None' if may_be_none else ''}, got {value!r}"
        )


def _to_pairs(headers: object) -> tuple[tuple[str, str], ...]:
    pairs = cast("Any", headers.items() if isinstance(headers, Mapping) else headers)
    try:
        if isinstance(headers, str):
            raise TypeError("a string")
        return tuple((str(name), str(value)) for name, value in pairs)
    except (TypeError, ValueError) as error:
        raise TypeError(f"headers must be a mapping or (name, value) pairs, got {headers!r}") from error
