"""The life of a feed: its states, the legal transitions between them, its events and its statistics."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import msgspec


class StreamState(enum.StrEnum):
    """Where a connection, or a feed of several, is in its life."""

    DISCONNECTED = "disconnected"
    RESOLVING = "resolving"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    STALE = "stale"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"
    FAILED = "failed"


_S = StreamState

LEGAL_TRANSITIONS: Mapping[StreamState, frozenset[StreamState]] = MappingProxyType(
    {
        _S.DISCONNECTED: frozenset({_S.RESOLVING, _S.STOPPED, _S.FAILED}),
        _S.RESOLVING: frozenset({_S.CONNECTING, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.CONNECTING: frozenset({_S.CONNECTED, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.CONNECTED: frozenset({_S.SUBSCRIBING, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.SUBSCRIBING: frozenset({_S.STREAMING, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.STREAMING: frozenset({_S.STALE, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.STALE: frozenset({_S.STREAMING, _S.BACKING_OFF, _S.STOPPED, _S.FAILED}),
        _S.BACKING_OFF: frozenset({_S.RESOLVING, _S.STOPPED, _S.FAILED}),
        _S.STOPPED: frozenset({_S.RESOLVING}),
        _S.FAILED: frozenset({_S.RESOLVING}),
    }
)
"""What may follow what, for one line. STOPPED and FAILED lead on only because a feed can be subscribed to again."""

# Worst first: a feed of several lines is in the first of these that any of its living lines is in.
SEVERITY: tuple[StreamState, ...] = (
    _S.BACKING_OFF,
    _S.DISCONNECTED,
    _S.RESOLVING,
    _S.CONNECTING,
    _S.CONNECTED,
    _S.SUBSCRIBING,
    _S.STALE,
    _S.STREAMING,
    _S.FAILED,
    _S.STOPPED,
)

EventKind = Literal["state", "refused", "bad_message", "loss", "recovered", "lost", "dropped"]


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a feed that its items don't tell.

    Args:
        kind: "state" (the line changed its state), "refused" (symbols refused by the venue), "bad_message" (a frame
            that can't be parsed: the coverage of all symbols of its line begins anew after it), "loss" (an open line
            broke, or trades of a symbol came that may be old ones and were not passed on), "recovered", "lost" (a gap
            was closed, or not), "dropped" (items were thrown away on purpose).
        state: the line's state after it.
        line: number of the socket, from 0.
        time: local time, nanoseconds since the epoch.
        symbols: those it concerns; empty: all of the line.
        reason: in words.
        error: its cause; None: there is none.
    """

    kind: EventKind
    state: StreamState
    line: int = 0
    time: int = 0
    symbols: tuple[str, ...] = ()
    reason: str = ""
    error: BaseException | None = None


def _no_reconnects() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class StreamStats:
    """What a feed has done so far; a snapshot.

    Args:
        messages: frames received.
        bytes: their length.
        ticks: items sent to observers.
        parse_errors: frames that could not be parsed.
        unknown_messages: well-formed frames of a kind that we don't know, ignored.
        observer_errors: exceptions raised by observers; each ended its own subscription.
        connects: connections that were opened.
        reconnects: losses by the name of their error class.
        lag_p50, lag_p99: seconds from the venue's stamp to our receipt, over the last 1,024 ticks; 0.0: none yet.
        last_event_age: seconds since the last frame; None: none yet.
        uptime: seconds that the longest-lived open line has been open; 0.0: none is.
        dropped: items thrown away on purpose.
        duplicates: trades that came more than once; each was sent once.
        unsorted: trades of a venue that sends them in no order which could not be sorted to the end, since more than
            ``max_held`` came in that time.
    """

    messages: int = 0
    bytes: int = 0
    ticks: int = 0
    parse_errors: int = 0
    unknown_messages: int = 0
    observer_errors: int = 0
    connects: int = 0
    reconnects: Mapping[str, int] = field(default_factory=_no_reconnects)
    lag_p50: float = 0.0
    lag_p99: float = 0.0
    last_event_age: float | None = None
    uptime: float = 0.0
    dropped: int = 0
    duplicates: int = 0
    unsorted: int = 0
