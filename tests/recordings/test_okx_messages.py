"""OKX's recorded messages, field by field, and back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.okx import Okx
from rxstreams.sources.venue import Acknowledged, Message, Skipped, Unknown
from rxstreams.testing import TrueCandle
from rxstreams.testing.formats import CandlesQuery, TradesQuery
from rxstreams.testing.formats.okx import OkxFormat
from rxstreams.timeframe import Timeframe

pytestmark = pytest.mark.recordings

VENUE, FORMAT = Okx(), OkxFormat()
SYMBOLS = {"BTC-USDT": "BTC/USDT", "UNI-USD-SWAP": "UNI/USD:UNI", "BTC-USD-220527": "BTC/USD:BTC-220527"}


def frames(recordings: Path) -> list[bytes]:
    """Return what the capture received: OKX's old public address, which brought the same messages."""
    lines = (recordings / "cryptofeed" / "OKX.ws.1.0").read_text(encoding="utf-8").splitlines()
    return [line.partition(": ")[2].encode() for line in lines if not line.startswith("wss:")]


def sample(recordings: Path, name: str) -> bytes:
    """Return a single message."""
    return (recordings / "messages" / "okx" / name).read_bytes()


def assert_tick(tick: Message, row: Mapping[str, str], symbol: str, count: int) -> None:
    """Compare a trade with what was recorded."""
    assert isinstance(tick, PriceTick)
    assert (tick.symbol, tick.exchange) == (symbol, "okx")
    assert (tick.price, tick.volume) == (float(row["px"]), float(row["sz"]))
    assert (tick.timestamp, tick.trade_id) == (int(row["ts"]) * 1_000_000, int(row["tradeId"]))
    assert (str(tick.side), tick.count) == (row["side"], count)


def assert_same_trade(written: Mapping[str, str], row: Mapping[str, str]) -> None:
    """Compare what the format writes with what was recorded, in the fields that are read."""
    for name in ("instId", "tradeId", "side", "ts"):
        assert written[name] == row[name]
    for name in ("px", "sz"):
        assert Decimal(written[name]) == Decimal(row[name])


def assert_candle(candle: Any, row: Sequence[str], symbol: str, timeframe: str) -> None:
    """Compare a candle with what was recorded."""
    assert isinstance(candle, OHLCCandle)
    assert (candle.symbol, candle.exchange, str(candle.timeframe)) == (symbol, "okx", timeframe)
    assert candle.open_time == int(row[0]) * 1_000_000
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume] == [float(each) for each in row[1:6]]
    assert candle.quote_volume == float(row[7])
    assert candle.closed is (row[8] == "1")


def true_candle(candle: OHLCCandle) -> TrueCandle:
    """Return the candle as a format takes it."""
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return TrueCandle("okx", candle.symbol, candle.open_time, candle.close_time, *prices, 0, candle.quote_volume, 0.0)


def assert_same_candle(written: Sequence[str], row: Sequence[str]) -> None:
    """Compare what the format writes with what was recorded, in the columns that are read."""
    for column in (0, 1, 2, 3, 4, 5, 7, 8):
        assert Decimal(written[column]) == Decimal(row[column])


def test_okx_capture_when_parsed_then_each_trade_is_right_and_can_be_written_again(recordings: Path) -> None:
    """74 messages of one trade each, of a pair, a swap and a future."""
    counts: Counter[str] = Counter()
    for frame in frames(recordings):
        message = json.loads(frame)
        if message["arg"]["channel"] != "trades" or "data" not in message:
            continue
        (row,) = message["data"]
        (tick,) = VENUE.parse(frame)
        assert_tick(tick, row, SYMBOLS[row["instId"]], 1)
        assert isinstance(tick, PriceTick)
        written = json.loads(FORMAT.trades([tick]))
        assert written["arg"]["instId"] == message["arg"]["instId"]
        assert_same_trade(written["data"][0], row)
        counts[tick.symbol] += 1
    assert counts == {"BTC/USDT": 69, "BTC/USD:BTC-220527": 4, "UNI/USD:UNI": 1}


def test_okx_capture_when_read_as_one_connection_then_the_repeated_trades_are_no_live_ones(recordings: Path) -> None:
    """The first of each instrument, 0.7, 10 and 25 s old; from there on ids count one by one."""
    parse = VENUE.conversation().parse
    counts: Counter[str] = Counter()
    ids: dict[str, list[int]] = {}
    for frame in frames(recordings):
        for message in parse(frame):
            if isinstance(message, PriceTick):
                assert isinstance(message.trade_id, int)
                ids.setdefault(message.symbol, []).append(message.trade_id)
            else:
                counts[message.kind if isinstance(message, Unknown | Skipped) else type(message).__name__] += 1
                assert not isinstance(message, Acknowledged) or message.symbols[0] in SYMBOLS.values()
    assert counts == {"trade snapshot": 3, "Acknowledged": 18, "tickers": 28, "books": 290}
    assert ids == {
        "BTC/USDT": list(range(338476308, 338476376)),
        "BTC/USD:BTC-220527": [7850, 7851, 7852],
    }


def test_okx_trades_sample_when_parsed_then_stands_for_three(recordings: Path) -> None:
    """Of the channel that adds up; the documentation's own pair is none that there is, and has the form of one."""
    frame = sample(recordings, "ws_trades.json")
    (row,) = json.loads(frame)["data"]
    (tick,) = VENUE.parse(frame)
    assert_tick(tick, row, "BTC/USD", 3)
    assert isinstance(tick, PriceTick)
    assert_same_trade(json.loads(FORMAT.trades([tick]))["data"][0], row)


def test_okx_candle_sample_when_parsed_then_is_right_under_the_name_of_a_channel_that_is_subscribed_to(
    recordings: Path,
) -> None:
    """It is of "candle1D", whose days begin in UTC+8: that one is not used, so it is of an unknown kind.

    Its time, the documentation's, is the beginning of no interval at all: here it stands for that of its day.
    """
    frame = sample(recordings, "ws_candle.json")
    assert list(VENUE.parse(frame)) == [Unknown(kind="candle1D")]
    with pytest.raises(MessageError, match="1d"):
        VENUE.parse(frame.replace(b"candle1D", b"candle1Dutc"))
    assert frame.count(b"1597026383085") == 1
    frame = frame.replace(b"1597026383085", b"1597017600000")
    (candle,) = VENUE.parse(frame.replace(b"candle1D", b"candle1Dutc"))
    (row,) = json.loads(frame)["data"]
    assert_candle(candle, row, "BTC/USDT", "1d")
    assert isinstance(candle, OHLCCandle)
    written = json.loads(FORMAT.candles([true_candle(candle)], 1440, time=candle.close_time))
    assert_same_candle(written["data"][0], row)


def test_okx_rest_samples_when_parsed_then_are_right_and_can_be_written_again(recordings: Path) -> None:
    """Two trades, newest first, and two candles, which the recording has oldest first, against the documentation."""
    body = sample(recordings, "http_get_trades.json")
    rows = json.loads(body)["data"]
    ticks = list(VENUE.parse_rest_trades("BTC/USDT", body, None).items)
    assert len(ticks) == 2
    for tick, row in zip(ticks, reversed(rows), strict=True):
        assert_tick(tick, row, "BTC/USDT", 1)
    query = TradesQuery(symbol="BTC-USDT", limit=100)
    for written, row in zip(
        json.loads(FORMAT.rest_trades("BTC/USDT", ticks, query, more=False))["data"], rows, strict=True
    ):
        assert_same_trade(written, row)
    body = sample(recordings, "http_get_candlesticks.json")
    rows = json.loads(body)["data"]
    candles = list(VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), body, None).items)
    assert len(candles) == 2
    for candle, row in zip(candles, sorted(rows), strict=True):
        assert_candle(candle, row, "BTC/USDT", "1m")
    wanted = CandlesQuery(symbol="BTC-USDT", minutes=1, limit=300)
    again = FORMAT.rest_candles("BTC/USDT", [true_candle(c) for c in candles], wanted, now=0, more=False)
    for written, row in zip(json.loads(again)["data"], sorted(rows, reverse=True), strict=True):
        assert_same_candle(written, row)
