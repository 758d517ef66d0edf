"""Recorded messages of Coinbase's exchange, field by field.

The capture is of 2021, from Coinbase Pro's address (ws-feed.pro.coinbase.com), which today's pages do not name; the
messages are those that Coinbase Exchange's feed speaks today. So no shape in it is listed as an old one.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rxstreams.instants import parse_iso
from rxstreams.items import PriceTick
from rxstreams.sources.coinbase import Coinbase
from rxstreams.sources.venue import Acknowledged, Unknown
from rxstreams.testing.formats.coinbase import CoinbaseFormat

VENUE = Coinbase()
OPPOSITE = {"buy": "sell", "sell": "buy"}
# Kinds that we do not subscribe to, and how many of each there are.
NOT_READ = {"snapshot": 10, "l2update": 9719, "ticker": 107}


def read_frames(recordings: Path) -> list[bytes]:
    """Return what the server sent, in its order."""
    lines = (recordings / "cryptofeed" / "COINBASE.ws.28.0").read_bytes().splitlines()
    return [line.partition(b": ")[2] for line in lines if line[:1].isdigit()]


def messages_of(recordings: Path, *kinds: str) -> list[tuple[bytes, dict[str, Any]]]:
    """Return frames of some types, with what they say."""
    decoded = [(frame, json.loads(frame)) for frame in read_frames(recordings)]
    return [(frame, message) for frame, message in decoded if message["type"] in kinds]


@pytest.mark.recordings
def test_recorded_matches_when_parsed_then_are_the_trades_field_by_field(recordings: Path) -> None:
    """97 trades, and the same fields written again."""
    found = messages_of(recordings, "match")
    for frame, message in found:
        (tick,) = VENUE.parse(frame)
        assert isinstance(tick, PriceTick)
        assert tick.symbol == message["product_id"].replace("-", "/")
        assert tick.price == float(message["price"])
        assert tick.volume == float(message["size"])
        assert tick.timestamp == parse_iso(message["time"])
        assert tick.trade_id == message["trade_id"]
        assert tick.side == OPPOSITE[message["side"]]
        assert (tick.exchange, tick.count) == ("coinbase", 1)
        again = json.loads(CoinbaseFormat().trades([tick]))
        assert set(again) == set(message)
        for name in ("type", "trade_id", "side", "product_id", "time"):
            assert again[name] == message[name]
        for name in ("price", "size"):
            assert float(again[name]) == float(message[name])
    assert len(found) == 97


@pytest.mark.recordings
def test_recorded_last_matches_when_parsed_then_are_no_live_ticks(recordings: Path) -> None:
    """One for each of the ten products."""
    found = messages_of(recordings, "last_match")
    for frame, message in found:
        assert list(VENUE.parse(frame)) == [Unknown(kind="trade snapshot")]
        (tick,) = VENUE.parse(frame.replace(b"last_match", b"match"))
        assert isinstance(tick, PriceTick)
        again = json.loads(CoinbaseFormat().trades([tick], snapshot=True))
        assert {name: again[name] for name in ("type", "trade_id", "side", "time")} == {
            name: message[name] for name in ("type", "trade_id", "side", "time")
        }
    assert len(found) == 10


@pytest.mark.recordings
def test_recorded_ids_when_compared_then_count_every_trade_of_a_product(recordings: Path) -> None:
    """What ``contiguous_ids`` and ``ordered`` promise, from the last trade before the subscription on."""
    last: dict[str, tuple[int, str]] = {}
    steps: Counter[int] = Counter()
    for _, message in messages_of(recordings, "match", "last_match"):
        before = last.get(message["product_id"])
        if before is not None:
            steps[message["trade_id"] - before[0]] += 1
            assert message["time"] >= before[1]
        last[message["product_id"]] = (message["trade_id"], message["time"])
    assert steps == {1: 97}


@pytest.mark.recordings
def test_recorded_sides_when_compared_with_the_ticker_then_are_the_makers(recordings: Path) -> None:
    """The channel ``ticker`` gives the same trades with the taker's side."""
    takers = {(m["product_id"], m["trade_id"]): m["side"] for _, m in messages_of(recordings, "ticker")}
    found = messages_of(recordings, "match", "last_match")
    opposite = [m for _, m in found if takers[m["product_id"], m["trade_id"]] == OPPOSITE[m["side"]]]
    assert len(opposite) == len(found) == 107


@pytest.mark.recordings
def test_recorded_answers_when_parsed_then_name_all_products_of_matches(recordings: Path) -> None:
    """Three answers, to three channels; only the last one has matches."""
    found = messages_of(recordings, "subscriptions")
    answers = [list(VENUE.parse(frame)) for frame, _ in found]
    assert answers[:2] == [[], []]
    ((answer,),) = answers[2:]
    assert isinstance(answer, Acknowledged)
    (listed,) = (c["product_ids"] for c in found[2][1]["channels"] if c["name"] == "matches")
    assert answer.symbols == tuple(product.replace("-", "/") for product in listed)
    assert len(answer.symbols) == 10


@pytest.mark.recordings
def test_recorded_messages_of_other_kinds_when_parsed_then_give_no_items(recordings: Path) -> None:
    """Every other message is of a kind that is not read, and is counted as unknown."""
    kinds: Counter[str] = Counter()
    for frame in read_frames(recordings):
        messages = list(VENUE.parse(frame))
        kinds.update(message.kind for message in messages if isinstance(message, Unknown))
        if json.loads(frame)["type"] != "match":
            assert not any(isinstance(message, PriceTick) for message in messages)
    assert kinds == {**NOT_READ, "trade snapshot": 10}
