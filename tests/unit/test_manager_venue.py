"""What a ``WebSocketManager`` reads from a frame, and takes from ``_parse_message``; without a socket."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rxstreams._manager.venue import decode_frame, make_venue, to_ticks
from rxstreams.errors import MessageError
from rxstreams.items import PriceTick
from rxstreams.sources.venue import Channel

TICK = PriceTick(symbol="BTC/USD", price=1.0, timestamp=1)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b'{"price": 1.5}', {"price": 1.5}),
        (b' [1, "a", null]\n', [1, "a", None]),
        (b"5", 5),
        (b'"text"', "text"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'{"price": 1e400}', {"price": math.inf}),
        (b"pong", "pong"),
        (b"", ""),
        ("ticker€".encode(), "ticker€"),
        (b"\x1f\x8b\x08", b"\x1f\x8b\x08"),
        (b"1\x002\x003\x004\x00", "1\x002\x003\x004\x00"),
    ],
)
def test_frame_when_decoded_then_it_is_json_else_text_else_bytes(frame: bytes, data: Any) -> None:
    """Whatever a server sends reaches the user in the form in which it was meant."""
    decoded = decode_frame(frame)
    assert decoded == data
    assert type(decoded) is type(data)


def test_frame_when_it_holds_nan_then_it_is_json_all_the_same() -> None:
    """Servers written in Python send it."""
    assert math.isnan(decode_frame(b'{"change": NaN}')["change"])


@pytest.mark.parametrize("frame", [b'{"price": 1', b"[1, 2", b' {"price" 1}', b'{"a": "\xff"}', b"[" * 100_000])
def test_frame_when_it_is_half_an_object_then_it_is_an_error(frame: bytes) -> None:
    """A broken message is not mistaken for a text: its trades are missing."""
    with pytest.raises(MessageError, match="expected JSON, got a frame that is none") as raised:
        decode_frame(frame)
    assert raised.value.payload.startswith(frame[:3].decode())


@pytest.mark.parametrize(
    ("parsed", "ticks"),
    [
        (None, []),
        (TICK, [TICK]),
        ([], []),
        ((TICK, TICK), [TICK, TICK]),
        ((tick for tick in [TICK]), [TICK]),
    ],
)
def test_parsed_when_it_is_ticks_then_they_come_as_a_list(parsed: object, ticks: list[PriceTick]) -> None:
    """None, one, several."""
    assert to_ticks(parsed) == ticks


@pytest.mark.parametrize(
    ("parsed", "found"), [(7, "got 7$"), ("BTC", "got 'B' in it"), ([TICK, None], "got None in it")]
)
def test_parsed_when_it_is_something_else_then_it_is_an_error(parsed: object, found: str) -> None:
    """The message says what was found."""
    with pytest.raises(MessageError, match=f"must return a PriceTick, several of them or None, {found}"):
        to_ticks(parsed)


def test_venue_when_asked_then_it_sends_nothing_and_takes_any_symbol() -> None:
    """Hooks send and parse; a symbol is whatever string the user has."""
    venue = make_venue("mine", lambda: [TICK])
    trades = Channel("trades")
    assert venue.name == "mine"
    assert not venue.acknowledges
    assert venue.to_venue_symbol("btcusd@trade") == "btcusd@trade"
    assert venue.subscribe_frame(trades, ["A"], 1) == venue.unsubscribe_frame(trades, ["A"], 2) == ""
    assert list(venue.parse(b"whatever")) == [TICK]
