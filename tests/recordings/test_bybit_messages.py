"""Recorded messages of Bybit's API v5: each field read, and written back by the wire format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.bybit import Bybit, BybitLinear
from rxstreams.sources.venue import Acknowledged, Rejected, Unknown
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.formats import CandlesQuery, TradesQuery
from rxstreams.testing.formats.bybit import BybitFormat, BybitLinearFormat
from rxstreams.timeframe import Timeframe

pytestmark = pytest.mark.recordings

MS = 1_000_000
LINEAR, WIRE = BybitLinear(), BybitLinearFormat()
NOT_SPOKEN = {"ws_public_trade.json": "its topic is 'trade.linear.BTCUSDT', API v5 has 'publicTrade.BTCUSDT'"}
FILES = {
    "http_get_klines_linear.json",
    "http_get_trades_recent.json",
    "ws_kline.json",
    "ws_public_trade.json",
    "ws_subscription_ack.json",
    "ws_subscription_failure.json",
}


def read(recordings: Path, name: str) -> Any:
    """Return a recorded message, by plain JSON."""
    return json.loads((recordings / "messages" / "bybit" / name).read_text(encoding="utf-8"))


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def assert_same_trade(got: object, raw: dict[str, Any], names: str) -> None:
    """Compare a trade with its raw message, whose fields are named by six names."""
    time, symbol, side, size, price, trade_id = names.split()
    assert isinstance(got, PriceTick)
    assert got == PriceTick(
        symbol=LINEAR.from_venue_symbol(raw[symbol]),
        exchange="bybit_linear",
        price=float(raw[price]),
        volume=float(raw[size]),
        timestamp=int(raw[time]) * MS,
        trade_id=raw[trade_id],
        side=raw[side].lower(),
    )


def row_of(candle: OHLCCandle) -> TrueCandle:
    """Return what the wire format writes a candle from."""
    values = {name: getattr(candle, name) for name in TrueCandle._fields}
    return TrueCandle(**values)


def test_recordings_when_listed_then_each_file_has_a_test() -> None:
    """What is not spoken any more is listed with the reason."""
    assert set(NOT_SPOKEN) < FILES


def test_files_when_they_are_there_then_none_is_forgotten(recordings: Path) -> None:
    """Six messages."""
    found = {path.name for path in (recordings / "messages" / "bybit").iterdir()}
    assert found == FILES
    assert len(found) == 6


def test_trades_when_their_topic_is_not_of_v5_then_are_unknown_and_else_read_field_by_field(recordings: Path) -> None:
    """The rows are those of API v5, the topic is not."""
    message = read(recordings, "ws_public_trade.json")
    assert list(LINEAR.parse(encode(message))) == [Unknown(kind="trade")]
    spoken = {**message, "topic": "publicTrade.BTCUSDT"}
    ticks = [item for item in LINEAR.parse(encode(spoken)) if isinstance(item, PriceTick)]
    assert len(ticks) == len(message["data"]) == 1
    for got, raw in zip(ticks, message["data"], strict=True):
        assert_same_trade(got, raw, "T s S v p i")
    written = json.loads(WIRE.trades(ticks))
    assert written["topic"] == "publicTrade.BTCUSDT"
    for mine, raw in zip(written["data"], message["data"], strict=True):
        assert {name: mine[name] for name in ("T", "s", "S", "i")} == {name: raw[name] for name in ("T", "s", "S", "i")}
        assert [float(mine[name]) for name in "vp"] == [float(raw[name]) for name in "vp"]


@pytest.mark.parametrize(("venue", "wire"), [(Bybit(), BybitFormat()), (LINEAR, WIRE)], ids=["spot", "linear"])
def test_candles_when_read_then_every_field_is_the_recorded_one(
    recordings: Path, venue: Bybit, wire: BybitFormat
) -> None:
    """One candle, still open; the same on both sockets."""
    message = read(recordings, "ws_kline.json")
    (candle,) = venue.parse(encode(message))
    (raw,) = message["data"]
    assert isinstance(candle, OHLCCandle)
    assert candle == OHLCCandle(
        symbol=venue.from_venue_symbol("BTCUSDT"),
        exchange=venue.name,
        timeframe=Timeframe(int(raw["interval"])),
        open_time=raw["start"] * MS,
        open=float(raw["open"]),
        high=float(raw["high"]),
        low=float(raw["low"]),
        close=float(raw["close"]),
        volume=float(raw["volume"]),
        quote_volume=float(raw["turnover"]),
        closed=raw["confirm"],
        complete=False,
    )
    assert candle.close_time == (raw["end"] + 1) * MS
    written = json.loads(wire.candles([row_of(candle)], 5, time=message["ts"] * MS))
    assert written["topic"] == message["topic"]
    (mine,) = written["data"]
    same = ("start", "end", "interval", "confirm", "timestamp")
    assert {name: mine[name] for name in same} == {name: raw[name] for name in same}
    numbers = ("open", "high", "low", "close", "volume", "turnover")
    assert [float(mine[name]) for name in numbers] == [float(raw[name]) for name in numbers]


def test_rest_trades_when_read_then_every_field_is_the_recorded_one(recordings: Path) -> None:
    """One trade; the page is not full."""
    message = read(recordings, "http_get_trades_recent.json")
    page = LINEAR.parse_rest_trades("BTC/USDT:USDT", encode(message), None)
    rows = message["result"]["list"]
    assert len(page.items) == len(rows) == 1
    for got, raw in zip(page.items, reversed(rows), strict=True):
        assert_same_trade(got, raw, "time symbol side size price execId")
    written = json.loads(
        WIRE.rest_trades("BTC/USDT:USDT", list(page.items), TradesQuery(symbol="BTCUSDT", limit=1000), more=False)
    )
    (mine,), (raw,) = written["result"]["list"], rows
    assert {**mine, "price": 0, "size": 0} == {**raw, "price": 0, "size": 0, "isRPITrade": False}
    assert (float(mine["price"]), float(mine["size"])) == (float(raw["price"]), float(raw["size"]))


def test_rest_candles_when_read_then_every_field_is_the_recorded_one(recordings: Path) -> None:
    """One candle, whose start was made up in the middle of a minute: as it stands it is an error."""
    message = read(recordings, "http_get_klines_linear.json")
    with pytest.raises(MessageError, match="no 1m candle opens"):
        LINEAR.parse_rest_candles("BTC/USDT:USDT", Timeframe("1m"), encode(message), None)
    for row in message["result"]["list"]:
        row[0] = str(int(row[0]) // 60_000 * 60_000)
    page = LINEAR.parse_rest_candles("BTC/USDT:USDT", Timeframe("1m"), encode(message), None)
    (raw,) = message["result"]["list"]
    (candle,) = page.items
    values = (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume)
    assert candle.open_time == int(raw[0]) * MS
    assert values == tuple(float(text) for text in raw[1:])
    assert (candle.symbol, candle.closed, candle.complete) == ("BTC/USDT:USDT", True, True)
    query = CandlesQuery(symbol="BTCUSDT", minutes=1, limit=1000)
    body = WIRE.rest_candles("BTC/USDT:USDT", [row_of(candle)], query, now=message["time"] * MS, more=False)
    written = json.loads(body)
    assert (written["time"], written["result"]["symbol"]) == (message["time"], message["result"]["symbol"])
    assert [list(map(float, row)) for row in written["result"]["list"]] == [list(map(float, raw))]


def test_answers_when_read_then_say_yes_and_no(recordings: Path) -> None:
    """One of each; neither names symbols, and their request has no number of ours."""
    assert list(LINEAR.parse(encode(read(recordings, "ws_subscription_ack.json")))) == [Acknowledged(symbols=())]
    failure = read(recordings, "ws_subscription_failure.json")
    assert list(LINEAR.parse(encode(failure))) == [Rejected(reason=failure["ret_msg"])]
