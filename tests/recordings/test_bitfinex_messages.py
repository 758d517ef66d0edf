"""Bitfinex's recorded messages of 2021-04-17: v2 of its protocol, which is still spoken.

The capture asked for sequence numbers, so each array has one more element. It holds no live trade: seven markets, of
which none traded in its seconds. So the rows of its snapshots, which have the same form, are read in the places of live
trades and of REST's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxstreams.items import PriceTick
from rxstreams.sources.bitfinex import Bitfinex
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Unknown
from rxstreams.testing.formats import Subscribe, TradesQuery
from rxstreams.testing.formats.bitfinex import BitfinexFormat

VENUE = Bitfinex()
Row = list[Any]


def lines(recordings: Path) -> Iterator[tuple[bool, str]]:
    """Yield each recorded frame, and whether the client sent it."""
    for line in (recordings / "cryptofeed" / "BITFINEX.ws.11.0").read_text(encoding="utf-8").splitlines():
        head, _, frame = line.partition(": ")
        if frame:
            yield head.startswith("wss://"), frame


def received(recordings: Path) -> Iterator[bytes]:
    """Yield each frame of the server."""
    return (frame.encode() for is_sent, frame in lines(recordings) if not is_sent)


def snapshots(recordings: Path) -> Iterator[tuple[bytes, str, list[Row]]]:
    """Yield what answers the subscription, the spelling and the rows of each snapshot of trades."""
    answers: dict[int, tuple[bytes, str]] = {}
    for frame in received(recordings):
        message: Any = json.loads(frame)
        if frame.startswith(b'{"event":"subscribed","channel":"trades"'):
            answers[message["chanId"]] = (frame, message["symbol"])
        elif frame.startswith(b"[") and message[0] in answers and isinstance(message[1], list):
            yield (*answers[message[0]], message[1])


def check(tick: PriceTick, spelling: str, row: Row) -> None:
    """Compare a trade with the row that it was read from, field by field."""
    assert VENUE.to_venue_symbol(tick.symbol) == spelling
    assert (tick.trade_id, tick.timestamp, tick.price) == (row[0], row[1] * 1_000_000, row[3])
    assert tick.volume * (1 if tick.side == "buy" else -1) == row[2]
    assert (tick.exchange, tick.count) == ("bitfinex", 1)


@pytest.mark.recordings
def test_bitfinex_messages_when_parsed_then_none_is_a_live_trade(recordings: Path) -> None:
    """Snapshots repeat the past; books and tickers are not ours."""
    parse = VENUE.conversation().parse
    kinds: Counter[str] = Counter()
    for frame in received(recordings):
        for message in parse(frame):
            assert isinstance(message, Acknowledged | Heartbeat | Unknown), frame
            kinds[message.kind if isinstance(message, Unknown) else type(message).__name__] += 1
    assert kinds == {
        "conf": 1,
        "Acknowledged": 7,
        "trade snapshot": 7,
        "Heartbeat": 42,
        "subscribed ticker": 7,
        "subscribed book": 7,
        "data of an unknown channel": 1621,
    }


@pytest.mark.recordings
def test_bitfinex_snapshots_when_their_rows_come_live_then_every_field_is_right_and_comes_back(
    recordings: Path,
) -> None:
    """Each row as "te" of the channel on which it came."""
    rows_read = 0
    for answer, spelling, rows in snapshots(recordings):
        parse = VENUE.conversation().parse
        (acknowledged,) = parse(answer)
        assert isinstance(acknowledged, Acknowledged)
        number = json.loads(answer)["chanId"]
        fmt = BitfinexFormat()
        for row in rows:
            frame = json.dumps([number, "te", row], separators=(",", ":")).encode()
            (tick,) = parse(frame)
            assert isinstance(tick, PriceTick)
            assert (tick.symbol,) == acknowledged.symbols
            check(tick, spelling, row)
            assert spelling in fmt.spellings(tick.symbol)
            assert json.loads(fmt.trades([tick]))[1:] == ["te", row]
            rows_read += 1
    assert rows_read == 210


@pytest.mark.recordings
def test_bitfinex_snapshots_when_read_as_rest_pages_then_every_field_is_right_and_comes_back(recordings: Path) -> None:
    """A page has the same rows; ids don't count the trades of one market."""
    count = 0
    for _, spelling, rows in snapshots(recordings):
        symbol = VENUE.from_venue_symbol(spelling)
        ticks = list(VENUE.parse_rest_trades(symbol, json.dumps(rows).encode(), None).items)
        assert [tick.trade_id for tick in ticks] == [row[0] for row in sorted(rows, key=lambda row: (row[1], row[0]))]
        by_id = {row[0]: row for row in rows}
        for tick in ticks:
            check(tick, spelling, by_id[tick.trade_id])
        newest_first = TradesQuery(symbol=spelling, limit=len(rows), newest=True)
        written = json.loads(BitfinexFormat().rest_trades(symbol, ticks, newest_first, more=False))
        assert sorted(written) == sorted(rows)
        count += len(rows)
    assert count == 210


@pytest.mark.recordings
def test_bitfinex_requests_when_recorded_then_ours_ask_for_the_same(recordings: Path) -> None:
    """Another client's subscriptions to trades; ours has a number besides."""
    asked = 0
    for is_sent, frame in lines(recordings):
        if is_sent and '"trades"' in frame:
            command = BitfinexFormat().decode(frame.encode())
            assert isinstance(command, Subscribe)
            (symbol,) = map(VENUE.from_venue_symbol, command.symbols)
            ours = json.loads(VENUE.subscribe_frame(Channel("trades"), [symbol], 1))
            assert ours == {**json.loads(frame), "subId": "1"}
            asked += 1
    assert asked == 7
