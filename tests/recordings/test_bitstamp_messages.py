"""Bitstamp's recorded messages of 2022-01-05: v2 of its protocol, which is still spoken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxstreams.items import PriceTick
from rxstreams.sources.bitstamp import Bitstamp
from rxstreams.sources.venue import Acknowledged, Channel, Unknown
from rxstreams.testing.formats import Subscribe
from rxstreams.testing.formats.bitstamp import BitstampFormat

VENUE, FORMAT = Bitstamp(), BitstampFormat()


def lines(recordings: Path) -> Iterator[tuple[bool, str]]:
    """Yield each recorded frame, and whether the client sent it."""
    for line in (recordings / "cryptofeed" / "BITSTAMP.ws.1.0").read_text(encoding="utf-8").splitlines():
        head, _, frame = line.partition(": ")
        if frame:
            yield head.startswith("wss://"), frame


def received(recordings: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each frame of the server, raw and decoded."""
    for is_sent, frame in lines(recordings):
        if not is_sent:
            yield frame.encode(), json.loads(frame)


@pytest.mark.recordings
def test_bitstamp_trades_when_parsed_then_every_field_is_right_and_comes_back(recordings: Path) -> None:
    """Ten trades of ETH/USD; the wire format writes what was read."""
    trades = 0
    for frame, message in received(recordings):
        if message["event"] != "trade":
            continue
        trades += 1
        data = message["data"]
        (tick,) = VENUE.parse(frame)
        assert isinstance(tick, PriceTick)
        assert tick.symbol == "ETH/USD"
        assert message["channel"] == "live_trades_ethusd"
        assert (tick.price, tick.volume) == (data["price"], data["amount"])
        assert (tick.price, tick.volume) == (float(data["price_str"]), float(data["amount_str"]))
        assert tick.timestamp == int(data["microtimestamp"]) * 1000
        assert tick.timestamp // 10**9 == int(data["timestamp"])
        assert (tick.trade_id, tick.exchange, tick.count) == (data["id"], "bitstamp", 1)
        assert tick.side == ("buy", "sell")[data["type"]]
        written = json.loads(FORMAT.trades([tick]))
        assert {**written["data"], "buy_order_id": 0, "sell_order_id": 0} == {
            **data,
            "buy_order_id": 0,
            "sell_order_id": 0,
        }
        assert (written["channel"], written["event"]) == (message["channel"], message["event"])
    assert trades == 10


@pytest.mark.recordings
def test_bitstamp_trades_when_in_their_order_then_neither_stamps_nor_ids_step_back(recordings: Path) -> None:
    """Ids ascend, and don't count: other markets use numbers of the same row."""
    ticks = [tick for frame, _ in received(recordings) for tick in VENUE.parse(frame) if isinstance(tick, PriceTick)]
    assert [tick.timestamp for tick in ticks] == sorted(tick.timestamp for tick in ticks)
    ids = [int(tick.trade_id or 0) for tick in ticks]
    assert ids == sorted(set(ids))
    assert ids[-1] - ids[0] > len(ids)


@pytest.mark.recordings
def test_bitstamp_messages_when_parsed_then_all_others_are_answers_or_of_channels_that_are_not_ours(
    recordings: Path,
) -> None:
    """Those of the books are counted as unknown."""
    kinds: Counter[str] = Counter()
    for frame, message in received(recordings):
        if message["event"] == "bts:subscription_succeeded":
            if not message["channel"].startswith("live_trades_"):
                assert list(VENUE.parse(frame)) == [Unknown(kind=message["event"])]
                kinds["acknowledged book"] += 1
                continue
            (answer,) = VENUE.parse(frame)
            assert isinstance(answer, Acknowledged)
            (symbol,) = answer.symbols
            assert VENUE.to_venue_symbol(symbol) == message["channel"].removeprefix("live_trades_")
            request = Subscribe(kind="trades", symbols=(VENUE.to_venue_symbol(symbol),))
            (written,) = FORMAT.acknowledge(request, request.symbols, 0, 0)
            assert json.loads(written) == message
            kinds["acknowledged"] += 1
        elif message["event"] == "data":
            assert list(VENUE.parse(frame)) == [Unknown(kind="data")]
            kinds["book"] += 1
    assert kinds == {"acknowledged": 10, "acknowledged book": 10, "book": 717}


@pytest.mark.recordings
def test_bitstamp_requests_when_recorded_then_ours_are_the_same(recordings: Path) -> None:
    """Another client's subscriptions to trades."""
    asked = 0
    for is_sent, frame in lines(recordings):
        if is_sent and "live_trades_" in frame:
            command = FORMAT.decode(frame.encode())
            assert isinstance(command, Subscribe)
            (symbol,) = map(VENUE.from_venue_symbol, command.symbols)
            assert json.loads(VENUE.subscribe_frame(Channel("trades"), [symbol], 1)) == json.loads(frame)
            asked += 1
    assert asked == 10
