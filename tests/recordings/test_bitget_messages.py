"""Recorded messages of Bitget: all are of API v1, which is not spoken here; none gives an item.

What its trades and candles of that time show of its conventions is in ``test_phemex_bitget.py``.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.bitget import Bitget
from rxstreams.sources.venue import Unknown

pytestmark = pytest.mark.recordings

NOT_SPOKEN = {
    "BITGET.ws.1.0": "wss://ws.bitget.com/spot/v1/stream: markets are 'sp' there, trades are rows without an id",
    "BITGET.ws.2.0": "wss://ws.bitget.com/mix/v1/stream: contracts, 'mc', and the same rows",
}


def test_captures_when_listed_then_none_is_of_a_protocol_that_is_spoken(recordings: Path) -> None:
    """Each file has its reason."""
    assert {path.name for path in (recordings / "cryptofeed").glob("BITGET*")} == set(NOT_SPOKEN)
    for name, reason in NOT_SPOKEN.items():
        head = (recordings / "cryptofeed" / name).read_text(encoding="utf-8").partition(" ")[0]
        assert reason.startswith(f"{head}:")


def frames(path: Path) -> list[dict[str, Any]]:
    """Return the JSON messages that a capture received."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        _, _, frame = line.partition(": ")
        if not line.startswith("wss:") and frame.startswith("{"):
            found.append(json.loads(frame))
    return found


def kind_of(message: dict[str, Any]) -> str:
    """Return the event or the channel of a message."""
    event: str = message.get("event") or message["arg"]["channel"]
    return event


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("BITGET.ws.1.0", {"subscribe": 32, "trade": 38, "candle1m": 43}),
        ("BITGET.ws.2.0", {"subscribe": 8, "trade": 27, "candle1m": 27}),
    ],
)
def test_messages_of_v1_when_parsed_then_are_unknown_and_never_items(
    recordings: Path, name: str, counts: dict[str, int]
) -> None:
    """Their kind of market is none of today's."""
    messages = frames(recordings / "cryptofeed" / name)
    found = Counter(kind_of(message) for message in messages)
    assert {kind: found[kind] for kind in counts} == counts
    parse = Bitget().conversation().parse
    for message in messages:
        (answer,) = parse(json.dumps(message, separators=(",", ":")).encode())
        assert isinstance(answer, Unknown)
        assert answer.kind == f"{message['arg']['instType']} {message['arg']['channel']}"


@pytest.mark.parametrize(("name", "count"), [("BITGET.ws.1.0", 65), ("BITGET.ws.2.0", 50)])
def test_rows_of_v1_when_they_stand_in_a_message_of_v2_then_are_message_errors(
    recordings: Path, name: str, count: int
) -> None:
    """Trades are objects now, and candles have eight fields where they had six."""
    parse, tried = Bitget().conversation().parse, 0
    for message in frames(recordings / "cryptofeed" / name):
        if message.get("action") != "update" or kind_of(message) not in ("trade", "candle1m"):
            continue
        spoken = {**message, "arg": {**message["arg"], "instType": "SPOT"}}
        with pytest.raises(MessageError):
            list(parse(json.dumps(spoken, separators=(",", ":")).encode()))
        tried += 1
    assert tried == count


def test_trades_of_v1_when_written_as_v2_then_keep_every_field(recordings: Path) -> None:
    """The parser of today reads the numbers of then: only the shape has changed."""
    venue, trades, candles = Bitget(), 0, 0
    for message in frames(recordings / "cryptofeed" / "BITGET.ws.1.0"):
        if "data" not in message or kind_of(message) not in ("trade", "candle1m"):
            continue
        topic = {**message["arg"], "instType": "SPOT"}
        rows = message["data"]
        if kind_of(message) == "trade":
            names = ("ts", "price", "size", "side")
            data: list[Any] = [
                {**dict(zip(names, row, strict=True)), "tradeId": f"{len(rows) - place}"}
                for place, row in enumerate(rows)
            ]
        else:
            data = [[*row, "0", "0"] for row in rows]
        frame = json.dumps({"action": "update", "arg": topic, "data": data, "ts": 0}).encode()
        items = list(venue.parse(frame))
        if kind_of(message) == "trade":
            for tick, row in zip(items, reversed(rows), strict=True):
                assert isinstance(tick, PriceTick)
                assert venue.to_venue_symbol(tick.symbol) == topic["instId"]
                got = (tick.timestamp // 1_000_000, tick.price, tick.volume, f"{tick.side}")
                assert got == (int(row[0]), float(row[1]), float(row[2]), row[3])
            trades += len(items)
        else:
            for candle, row in zip(items, rows, strict=True):
                assert isinstance(candle, OHLCCandle)
                got_candle = (candle.open, candle.high, candle.low, candle.close, candle.volume)
                assert candle.open_time == int(row[0]) * 1_000_000
                assert got_candle == tuple(map(float, row[1:6]))
            candles += len(items)
    assert (trades, candles) == (430, 8_035)
