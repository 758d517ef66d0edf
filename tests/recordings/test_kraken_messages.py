"""Kraken's recorded messages: those of WebSocket v2 and REST field by field, and back; those of v1 are not spoken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.instants import MINUTE, SECOND, parse_decimal_seconds, parse_iso
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Heartbeat
from rxstreams.testing import TrueCandle
from rxstreams.testing.formats import KrakenFormat, TradesQuery
from rxstreams.timeframe import Timeframe

pytestmark = pytest.mark.recordings

VENUE, FORMAT = Kraken(), KrakenFormat()


def message(recordings: Path, name: str) -> bytes:
    """Return a message of ``messages/kraken``."""
    return (recordings / "messages" / "kraken" / f"{name}.json").read_bytes()


def true_candle(candle: OHLCCandle) -> TrueCandle:
    """Return a candle as the exchange knows it."""
    return TrueCandle(
        symbol=candle.symbol,
        open_time=candle.open_time,
        close_time=candle.close_time,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        trades=candle.trades,
        quote_volume=candle.quote_volume,
        buy_volume=0.0,
        exchange=candle.exchange,
    )


def test_kraken_trades_when_parsed_then_are_right_and_can_be_written_again(recordings: Path) -> None:
    """Two in one message."""
    frame = message(recordings, "ws_trade_update")
    rows = json.loads(frame)["data"]
    ticks = [tick for tick in VENUE.parse(frame) if isinstance(tick, PriceTick)]
    assert len(ticks) == len(rows) == 2
    for tick, row in zip(ticks, rows, strict=True):
        assert (tick.symbol, tick.exchange, tick.count) == (row["symbol"], "kraken", 1)
        assert (tick.price, tick.volume) == (row["price"], row["qty"])
        assert (tick.timestamp, tick.trade_id) == (parse_iso(row["timestamp"]), row["trade_id"])
        assert str(tick.side) == row["side"]
    written = json.loads(FORMAT.trades(ticks))
    assert (written["channel"], written["type"]) == ("trade", "update")
    for again, row in zip(written["data"], rows, strict=True):
        assert {**again, "ord_type": row["ord_type"]} == row


def test_kraken_candle_when_parsed_then_is_right_and_can_be_written_again(recordings: Path) -> None:
    """An open one; the recorded sample lacks the field ``timestamp``, which nobody reads."""
    frame = message(recordings, "ws_ohlc_update")
    (row,) = json.loads(frame)["data"]
    (candle,) = VENUE.parse(frame)
    assert isinstance(candle, OHLCCandle)
    assert (candle.symbol, candle.exchange) == (row["symbol"], "kraken")
    assert candle.timeframe == Timeframe(row["interval"])
    assert candle.open_time == parse_iso(row["interval_begin"])
    for name in ("open", "high", "low", "close", "volume", "trades"):
        assert getattr(candle, name) == row[name]
    assert candle.vwap == pytest.approx(row["vwap"], rel=1e-12)
    assert (candle.closed, candle.complete) == (False, False)
    (again,) = json.loads(FORMAT.candles([true_candle(candle)], 1, time=candle.open_time))["data"]
    assert {name: again[name] for name in row} == row


def test_kraken_answers_when_parsed_then_are_told_apart(recordings: Path) -> None:
    """An acknowledgement and a pong."""
    row = json.loads(message(recordings, "ws_subscribe_response"))
    assert list(VENUE.parse(message(recordings, "ws_subscribe_response"))) == [
        Acknowledged(symbols=("BTC/USD",), time=parse_iso(row["time_out"]), request=1)
    ]
    assert list(VENUE.parse(message(recordings, "ws_pong"))) == [Heartbeat()]


def test_kraken_rest_trades_when_parsed_then_are_right_and_can_be_written_again(recordings: Path) -> None:
    """A thousand; their times are cut to the microseconds that the socket has."""
    body = (recordings / "kraken_rest" / "http_trades.json").read_bytes()
    rows: list[list[Any]] = next(
        value for key, value in json.loads(body, parse_float=str)["result"].items() if key != "last"
    )
    ticks = list(VENUE.parse_rest_trades("BTC/USDT", body, None).items)
    assert len(ticks) == len(rows) == 1000
    for tick, row in zip(ticks, rows, strict=True):
        assert (tick.price, tick.volume, tick.trade_id) == (float(row[0]), float(row[1]), row[6])
        assert tick.timestamp == parse_decimal_seconds(str(row[2])) // 1000 * 1000
        assert str(tick.side) == {"b": "buy", "s": "sell"}[row[3]]
    query = TradesQuery(symbol="XBTUSDT", limit=1000)
    again = VENUE.parse_rest_trades("BTC/USDT", FORMAT.rest_trades("BTC/USDT", ticks, query, more=False), None).items
    assert [(t.price, t.volume, t.trade_id, t.side) for t in again] == [
        (t.price, t.volume, t.trade_id, t.side) for t in ticks
    ]
    # A float of seconds may read back a microsecond beside.
    assert max(abs(a.timestamp - b.timestamp) for a, b in zip(again, ticks, strict=True)) <= 1000


def test_kraken_rest_candles_when_parsed_then_are_right(recordings: Path) -> None:
    """721 minutes, of which the last one is running."""
    body = (recordings / "kraken_rest" / "http_ohlc.json").read_bytes()
    rows: list[list[Any]] = next(value for key, value in json.loads(body)["result"].items() if key != "last")
    candles = list(VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), body, None).items)
    assert len(candles) == len(rows) == 721
    for candle, row in zip(candles, rows, strict=True):
        assert (candle.open_time, candle.close_time) == (row[0] * SECOND, row[0] * SECOND + MINUTE)
        assert (candle.open, candle.high, candle.low, candle.close) == tuple(map(float, row[1:5]))
        assert (candle.volume, candle.trades) == (float(row[6]), row[7])
        assert candle.quote_volume == pytest.approx(float(row[5]) * float(row[6]), rel=1e-12)
    assert [candle.closed for candle in candles] == [True] * 720 + [False]


@pytest.mark.parametrize(("capture", "frames"), [("KRAKEN.ws.48.0", 51), ("KRAKEN.ws.49.0", 62)])
def test_kraken_v1_captures_when_read_then_never_give_an_item(recordings: Path, capture: str, frames: int) -> None:
    """Its first WebSocket API, of 2021, is not spoken any more: trades are arrays there."""
    lines = (recordings / "cryptofeed" / capture).read_text(encoding="utf-8").splitlines()
    received = [line.partition(": ")[2].encode() for line in lines if not line.startswith("wss:")]
    items: list[object] = []
    refused = 0
    for frame in received:
        try:
            items += [each for each in VENUE.parse(frame) if isinstance(each, PriceTick | OHLCCandle)]
        except MessageError:
            refused += 1
    assert items == []
    assert refused > 0
    assert len(received) == frames
