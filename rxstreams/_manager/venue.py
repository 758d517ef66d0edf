"""The venue behind a ``WebSocketManager``: it says what the user's hooks have made of a frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, cast

import msgspec

from rxstreams.errors import MessageError
from rxstreams.items import PriceTick
from rxstreams.sources.venue import Channel, Message, Venue

# A Stream is for at least one symbol; the manager's own are asked for by its hooks, so this one stands for the line.
EVERYTHING = "*"

_decode = msgspec.json.Decoder().decode


def make_venue(called: str, take_parsed: Callable[[], Iterable[Message]]) -> Venue:
    """Return a venue that sends nothing by itself and parses nothing by itself.

    Args:
        called: its name, in messages.
        take_parsed: returns what the last frame said, or raises MessageError.
    """

    class HookedVenue(Venue):
        """One manager's venue: the connection's hooks do what a venue's methods do elsewhere."""

        name: ClassVar[str] = called
        url: ClassVar[str] = ""
        acknowledges: ClassVar[bool] = False
        symbols_per_message: ClassVar[int] = 1 << 30
        documentation: ClassVar[tuple[str, str]] = ("", "")

        def to_venue_symbol(self, symbol: str) -> str:
            """Return the symbol: only the user knows what it means."""
            return symbol

        def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
            """Return nothing to send."""
            del channel, symbols, request
            return ""

        def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
            """Return nothing to send."""
            del channel, symbols, request
            return ""

        def parse(self, frame: bytes) -> Iterable[Message]:
            """Return what the hook made of the frame."""
            del frame
            return take_parsed()

    return HookedVenue()


def decode_frame(frame: bytes) -> Any:  # JSON is whatever the server sends
    """Return the JSON of a frame; what does not look like JSON as text, what is no text as bytes.

    Servers send more than JSON: a bare ``pong``, a compressed frame. Those are for the user to read. But half of an
    object is a broken message, whose trades are lost, and not a text.

    Raises:
        MessageError: it begins like an object or an array and is none.
    """
    try:
        return _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(frame.decode())  # slower, but it knows NaN, which servers written in Python send
    except (ValueError, RecursionError) as error:
        if frame.lstrip()[:1] in (b"{", b"["):
            raise MessageError(f"expected JSON, got a frame that is none ({error})", payload=frame) from error
        return frame if isinstance(error, UnicodeDecodeError) else frame.decode()


def to_ticks(parsed: object) -> list[PriceTick]:
    """Return what ``_parse_message`` returned as a list.

    Raises:
        MessageError: it is neither a tick nor ticks nor None.
    """
    if parsed is None:
        return []
    if isinstance(parsed, PriceTick):
        return [parsed]
    if not isinstance(parsed, Iterable):
        raise MessageError(f"_parse_message must return a PriceTick, several of them or None, got {parsed!r}")
    ticks = list(cast("Iterable[object]", parsed))
    for tick in ticks:
        if not isinstance(tick, PriceTick):
            raise MessageError(f"_parse_message must return a PriceTick, several of them or None, got {tick!r} in it")
    return cast("list[PriceTick]", ticks)
