"""Recorded messages of Gemini's archived market data feed: they are not spoken here, and give no items."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.gemini import Gemini
from rxstreams.sources.venue import Unknown

VENUE = Gemini()
# The capture is of 2021, from wss://api.gemini.com/v2/marketdata. Gemini's documentation keeps that feed for reference
# only, says that the API at wss://ws.gemini.com has replaced it, and describes another form of messages there. So its
# messages are old shapes; by type, how many there are.
OLD_SHAPES = {"l2_updates": 655, "trade": 16, "heartbeat": 7}


def read_frames(recordings: Path) -> list[bytes]:
    """Return what the server sent, in its order."""
    lines = (recordings / "cryptofeed" / "GEMINI.ws.1.0").read_bytes().splitlines()
    return [line.partition(b": ")[2] for line in lines if line[:1].isdigit()]


@pytest.mark.recordings
def test_recorded_old_shapes_when_parsed_then_give_no_items(recordings: Path) -> None:
    """Each is counted as an unknown kind: nothing in it has the name of anything that is read."""
    kinds: Counter[str] = Counter()
    for frame in read_frames(recordings):
        messages = list(VENUE.parse(frame))
        assert messages == [Unknown(kind="?")]
        assert not any(isinstance(message, PriceTick | OHLCCandle) for message in messages)
        kinds[json.loads(frame)["type"]] += 1
    assert kinds == OLD_SHAPES
