"""Recorded Deribit messages: each field that is read, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.deribit import Deribit
from rxstreams.sources.venue import Acknowledged, Heartbeat, Unknown
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.formats import CandlesQuery, DeribitFormat, TradesQuery
from rxstreams.timeframe import Timeframe

READ = ("trade_seq", "timestamp", "price", "amount", "direction", "instrument_name")
COLUMNS = ("open", "high", "low", "close", "volume", "cost")
VENUE, FORMAT = Deribit(), DeribitFormat()


def load(recordings: Path, name: str) -> Any:
    """Return a recorded message."""
    return json.loads((recordings / "messages" / "deribit" / name).read_bytes())


def raw(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def check_tick(tick: object, row: dict[str, Any]) -> None:
    """Compare a tick with the row that it was made of: recorded are inverse perpetuals, whose amounts are dollars."""
    assert isinstance(tick, PriceTick)
    assert tick.symbol == {"BTC-PERPETUAL": "BTC/USD:BTC", "ETH-PERPETUAL": "ETH/USD:ETH"}[row["instrument_name"]]
    assert tick.price == row["price"]
    assert tick.volume == pytest.approx(row["amount"] / row["price"], abs=1e-10, rel=0.0)
    assert tick.timestamp == row["timestamp"] * 1_000_000
    assert tick.trade_id == row["trade_seq"]
    assert tick.side == row["direction"]
    assert (tick.exchange, tick.count) == ("deribit", 1)


def check_candle(candle: object, row: dict[str, Any], *, closed: bool) -> TrueCandle:
    """Compare a candle with the row that it was made of; return it as the format takes it."""
    assert isinstance(candle, OHLCCandle)
    assert candle.open_time == row["tick"] * 1_000_000
    assert (candle.symbol, candle.timeframe, candle.exchange) == ("BTC/USD:BTC", Timeframe("1m"), "deribit")
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quote_volume] == [
        row[name] for name in COLUMNS
    ]
    assert candle.closed is candle.complete is closed
    # Coins and dollars; some trades count only in these, so their quotient may lie outside of the prices.
    assert candle.vwap == pytest.approx(candle.close, rel=1e-3)
    return TrueCandle(
        candle.exchange, candle.symbol, candle.open_time, candle.close_time, candle.open, candle.high, candle.low,
        candle.close, candle.volume, 0, candle.quote_volume, 0.0,
    )  # fmt: skip


@pytest.mark.recordings
def test_deribit_trades_when_recorded_then_are_read_field_by_field_and_written_again(recordings: Path) -> None:
    """Two of the socket, one of them a leg of a combo, and ten of REST, whose numbers follow each other."""
    message = load(recordings, "ws_trades.json")
    rows = message["params"]["data"]
    ticks = list(VENUE.parse(raw(message)))
    for tick, row in zip(ticks, rows, strict=True):
        check_tick(tick, row)
    written = json.loads(FORMAT.trades([tick for tick in ticks if isinstance(tick, PriceTick)]))
    assert written["params"]["channel"] == message["params"]["channel"]
    assert [[row[name] for name in READ] for row in written["params"]["data"]] == [
        [row[name] for name in READ] for row in rows
    ]
    answer = load(recordings, "http_get_last_trades.json")
    page = VENUE.parse_rest_trades("ETH/USD:ETH", raw(answer), None)
    rows = answer["result"]["trades"]
    for tick, row in zip(page.items, rows, strict=True):
        check_tick(tick, row)
    numbers = [tick.trade_id for tick in page.items]
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert page.cursor == str(numbers[-1] + 1)
    query = TradesQuery(symbol="ETH-PERPETUAL", since=0, limit=1000)
    again = json.loads(FORMAT.rest_trades("ETH/USD:ETH", page.items, query, more=True))["result"]
    assert again["has_more"] is answer["result"]["has_more"]
    assert [[row[name] for name in READ] for row in again["trades"]] == [[row[name] for name in READ] for row in rows]
    assert (len(ticks), len(page.items)) == (2, 10)


@pytest.mark.recordings
def test_deribit_candles_when_recorded_then_are_read_field_by_field_and_written_again(recordings: Path) -> None:
    """One of the socket, five of REST; one of these opens at another price than the one before it closes at."""
    message = load(recordings, "ws_chart.json")
    row = message["params"]["data"]
    (candle,) = VENUE.parse(raw(message))
    true = check_candle(candle, row, closed=False)
    assert json.loads(FORMAT.candles([true], 1, time=0)) == message
    answer = load(recordings, "http_get_tradingview_chart_data.json")
    chart = answer["result"]
    page = VENUE.parse_rest_candles("BTC/USD:BTC", Timeframe("1m"), raw(answer), None)
    columns = {"tick": chart["ticks"], **{name: chart[name] for name in COLUMNS}}
    rows = [{name: column[place] for name, column in columns.items()} for place in range(len(page.items))]
    trues = [check_candle(candle, row, closed=True) for candle, row in zip(page.items, rows, strict=True)]
    query = CandlesQuery(symbol="BTC-PERPETUAL", minutes=1, limit=5000)
    again = FORMAT.rest_candles("BTC/USD:BTC", trues, query, now=answer["usOut"] * 1000, more=False)
    assert json.loads(again)["result"] == chart
    assert len(trues) == 5
    # So it is the first trade that opens a candle.
    assert any(before.close != after.open for before, after in pairwise(trues))
    # Trades at agreed prices seem to count in the volume and not in the prices.
    assert [candle.vwap <= candle.high for candle in page.items] == [False, False, True, True, True]


@pytest.mark.recordings
def test_deribit_messages_when_they_are_no_trades_or_candles_then_give_no_items(recordings: Path) -> None:
    """Answers, tickers and books; in the capture of 2021 no trade came, and its channel "raw" needs an account now."""
    answer = load(recordings, "ws_subscribe_response.json")
    assert list(VENUE.parse(raw(answer))) == [Acknowledged(symbols=("BTC/USD:BTC",), time=answer["usOut"] * 1000)]
    seen: Counter[str] = Counter()
    for line in (recordings / "cryptofeed" / "DERIBIT.ws.1.0").read_text().splitlines():
        _, _, frame = line.partition(": ")
        if line.startswith("wss:") or not frame:
            continue
        (message,) = VENUE.parse(frame.encode())
        assert isinstance(message, Unknown | Heartbeat), line
        seen[message.kind if isinstance(message, Unknown) else "answer"] += 1
    assert seen == {"ticker": 89, "book": 46, "answer": 1}
