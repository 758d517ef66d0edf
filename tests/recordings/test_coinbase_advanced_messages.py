"""Messages of Coinbase Advanced Trade from another client's test data, field by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.coinbase_advanced import CoinbaseAdvanced
from rxstreams.sources.venue import Acknowledged, Heartbeat
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.formats import CandlesQuery
from rxstreams.testing.formats.coinbase_advanced import CoinbaseAdvancedFormat
from rxstreams.timeframe import Timeframe

VENUE = CoinbaseAdvanced()
# The messages say the maker's side.
TAKERS = {"BUY": "sell", "SELL": "buy"}
PRICES = ("open", "high", "low", "close", "volume")


def read(recordings: Path, name: str) -> bytes:
    """Return a message."""
    return (recordings / "messages" / "coinbase" / f"{name}.json").read_bytes()


def row_of(candle: OHLCCandle) -> TrueCandle:
    """Return a candle as an exchange has it."""
    return TrueCandle(
        exchange=candle.exchange,
        symbol=candle.symbol,
        open_time=candle.open_time,
        close_time=candle.close_time,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        trades=1,
        quote_volume=0.0,
        buy_volume=0.0,
    )


@pytest.mark.recordings
def test_given_trades_when_parsed_then_are_the_messages_own_field_by_field(recordings: Path) -> None:
    """Two trades of one event, the same after they were written again."""
    frame = read(recordings, "ws_market_trades")
    (event,) = json.loads(frame)["events"]
    ticks = [tick for tick in VENUE.parse(frame) if isinstance(tick, PriceTick)]
    for tick, row in zip(ticks, event["trades"], strict=True):
        assert tick.symbol == row["product_id"].replace("-", "/")
        assert (tick.price, tick.volume) == (float(row["price"]), float(row["size"]))
        assert tick.timestamp == parse_iso(row["time"])
        assert tick.trade_id == row["trade_id"]
        assert str(tick.side) == TAKERS[row["side"]]
        assert (tick.exchange, tick.count) == ("coinbase_advanced", 1)
    again = json.loads(CoinbaseAdvancedFormat().trades(ticks))
    (wrote,) = again["events"]
    assert (again["channel"], wrote["type"]) == ("market_trades", event["type"])
    for mine, theirs in zip(reversed(wrote["trades"]), event["trades"], strict=True):
        assert set(mine) == set(theirs)
        for name in ("trade_id", "product_id", "side", "time"):
            assert mine[name] == theirs[name]
        assert (float(mine["price"]), float(mine["size"])) == (float(theirs["price"]), float(theirs["size"]))
    assert len(ticks) == 2


@pytest.mark.recordings
def test_given_live_candle_when_parsed_then_is_the_messages_own_field_by_field(recordings: Path) -> None:
    """One candle of five minutes, not closed."""
    frame = read(recordings, "ws_candles")
    ((row,),) = [event["candles"] for event in json.loads(frame)["events"]]
    (candle,) = VENUE.parse(frame)
    assert isinstance(candle, OHLCCandle)
    assert candle.symbol == row["product_id"].replace("-", "/")
    assert candle.timeframe == Timeframe("5m")
    assert candle.open_time == int(row["start"]) * SECOND
    assert [getattr(candle, name) for name in PRICES] == [float(row[name]) for name in PRICES]
    assert (candle.closed, candle.complete) == (False, False)
    again = json.loads(CoinbaseAdvancedFormat().candles([row_of(candle)], 5, time=candle.open_time))
    ((mine,),) = [event["candles"] for event in again["events"]]
    assert set(mine) == set(row)
    assert (mine["start"], mine["product_id"]) == (row["start"], row["product_id"])
    assert [float(mine[name]) for name in PRICES] == [float(row[name]) for name in PRICES]


@pytest.mark.recordings
def test_given_rest_candles_when_parsed_then_are_the_answers_own_field_by_field(recordings: Path) -> None:
    """Two candles of an hour, which come with the newest first."""
    body = read(recordings, "http_candles")
    rows = json.loads(body)["candles"]
    found = VENUE.parse_rest_candles("BTC/USD", Timeframe("1h"), body, None).items
    for candle, row in zip(found, reversed(rows), strict=True):
        assert candle.open_time == int(row["start"]) * SECOND
        assert [getattr(candle, name) for name in PRICES] == [float(row[name]) for name in PRICES]
    query = CandlesQuery(symbol="BTC-USD", minutes=60, limit=350)
    again = CoinbaseAdvancedFormat().rest_candles("BTC/USD", [row_of(each) for each in found], query, now=0, more=False)
    wrote = json.loads(again)["candles"]
    assert [set(mine) for mine in wrote] == [set(row) for row in rows]
    for mine, row in zip(wrote, rows, strict=True):
        assert [float(mine[name]) for name in ("start", *PRICES)] == [float(row[name]) for name in ("start", *PRICES)]
    assert len(found) == 2


@pytest.mark.recordings
def test_given_answers_when_parsed_then_name_the_products_and_give_a_sign_of_life(recordings: Path) -> None:
    """Those of another channel are not named."""
    frame = read(recordings, "ws_subscriptions")
    ((listed,),) = [[event["subscriptions"]["market_trades"] for event in json.loads(frame)["events"]]]
    symbols = tuple(product.replace("-", "/") for product in listed)
    assert list(VENUE.parse(frame)) == [Acknowledged(symbols=symbols)]
    assert len(symbols) == 2
    assert list(VENUE.parse(read(recordings, "ws_heartbeats"))) == [Heartbeat()]
