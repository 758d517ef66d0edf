"""What a ``FakeExchange`` remembers: the truth to compare a client's view with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from rxstreams.items import PriceTick
from rxstreams.testing.formats import Command


class Published(NamedTuple):
    """A trade as the exchange published it, whoever was connected, and the exchange's time of that (ns)."""

    tick: PriceTick
    time: int


class ReceivedCommand(NamedTuple):
    """A message from a client.

    ``monotonic`` is the wall clock (seconds of ``time.monotonic``), ``time`` the exchange's (ns), ``message`` the text.
    """

    command: Command
    monotonic: float
    time: int
    message: bytes


class ReceivedRequest(NamedTuple):
    """A REST request and the HTTP status it was answered with (0: the connection was cut).

    ``monotonic`` is the wall clock (seconds, as ``time.monotonic``), ``time`` the exchange's (ns), ``body`` what was
    posted.
    """

    path: str
    query: Mapping[str, str]
    monotonic: float
    time: int
    status: int
    method: str = "GET"
    body: bytes = b""


def _no_headers() -> dict[str, str]:
    return {}


def _no_commands() -> list[ReceivedCommand]:
    return []


def _no_ticks() -> list[PriceTick]:
    return []


def _no_symbols() -> set[str]:
    return set()


@dataclass(kw_only=True)
class ConnectionRecord:
    """The life of one WebSocket connection; goes on changing while the connection lives.

    Attributes:
        number: counted from 0, in the order of being accepted.
        accepted: when TCP (and TLS) was accepted; seconds of ``time.monotonic``.
        upgraded: when the upgrade was answered with 101; None: it was not.
        closed: when the connection was gone; None: it is not.
        path: that the client asked for, with its query.
        headers: of the upgrade request, names in lower case.
        server_name: that the client asked for in its TLS handshake; None: no TLS, or no name.
        close_code: in the client's close frame; None: it sent none.
        close_reason: beside it.
        cut_by: what the exchange did to it: "drop", "close", "stall", "reset", "refuse", "slow" (the client read too
            slowly), "shutdown"; "": nothing.
        commands: messages that the client sent.
        symbols: those now subscribed (trades).
        sent: trades as written to the socket, in order; a fault may have made that another order, or twice the same.
        messages: frames sent, of all kinds.
        pings, pongs: WebSocket pings that came, and how many were answered.
        probes: pings of the venue's own kind that came.
    """

    number: int
    accepted: float
    upgraded: float | None = None
    closed: float | None = None
    path: str = ""
    headers: dict[str, str] = field(default_factory=_no_headers)
    server_name: str | None = None
    close_code: int | None = None
    close_reason: str = ""
    cut_by: Literal["", "drop", "close", "stall", "reset", "refuse", "slow", "shutdown"] = ""
    commands: list[ReceivedCommand] = field(default_factory=_no_commands)
    symbols: set[str] = field(default_factory=_no_symbols)
    sent: list[PriceTick] = field(default_factory=_no_ticks)
    messages: int = 0
    pings: int = 0
    pongs: int = 0
    probes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it was upgraded and is not gone."""
        return self.upgraded is not None and self.closed is None

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get("host", "")
