"""Gate's recorded messages of 2021, field by field, and back."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.gate import Gate
from rxstreams.sources.venue import Acknowledged, Unknown
from rxstreams.testing import TrueCandle
from rxstreams.testing.formats.gate import GateFormat

pytestmark = pytest.mark.recordings

VENUE, FORMAT = Gate(), GateFormat()


def frames(recordings: Path, channel: str = "", event: str = "") -> list[bytes]:
    """Return what the capture received, or of that the messages of one kind; one of its lines is empty."""
    lines = (recordings / "cryptofeed" / "GATEIO.ws.1.0").read_text(encoding="utf-8").splitlines()
    received = [line.partition(": ")[2] for line in lines if not line.startswith("wss:")]
    found = [frame.encode() for frame in received if frame]
    if not channel:
        return found
    wanted = f'"channel":"{channel}","event":"{event}"'.encode()
    return [frame for frame in found if wanted in frame]


def nanoseconds(text: str) -> int:
    """Return a stamp in milliseconds, exactly."""
    return int(Decimal(text) * 1_000_000)


def test_gate_trades_when_parsed_then_are_right_and_can_be_written_again(recordings: Path) -> None:
    """Nine; in 2021 they had the number of all markets only."""
    counts: Counter[str] = Counter()
    for frame in frames(recordings, "spot.trades", "update"):
        row = json.loads(frame)["result"]
        (tick,) = VENUE.parse(frame)
        assert isinstance(tick, PriceTick)
        assert (tick.symbol, tick.exchange) == (row["currency_pair"].replace("_", "/"), "gate")
        assert (tick.price, tick.volume) == (float(row["price"]), float(row["amount"]))
        assert (tick.timestamp, tick.trade_id) == (nanoseconds(row["create_time_ms"]), row["id"])
        assert (str(tick.side), tick.count) == (row["side"], 1)
        written = json.loads(FORMAT.trades([tick]))["result"]
        for name in ("id", "side", "currency_pair", "create_time"):
            assert written[name] == row[name]
        for name in ("price", "amount", "create_time_ms"):
            assert Decimal(written[name]) == Decimal(row[name])
        counts[tick.symbol] += 1
    assert counts == {"NEO/BTC": 5, "DIS/USDT": 1, "FAST/USDT": 1, "ZKS/ETH": 1, "NANO/USDT": 1}


def test_gate_candles_of_2021_when_parsed_then_are_refused_for_they_have_no_volume_in_base(recordings: Path) -> None:
    """Fourteen of a shape that is not spoken any more: ``a`` is missing, and ``v`` counts the quote."""
    found = frames(recordings, "spot.candlesticks", "update")
    assert len(found) == 14
    for frame in found:
        assert "a" not in json.loads(frame)["result"]
        with pytest.raises(MessageError):
            list(VENUE.parse(frame))


def test_gate_candles_when_given_what_they_lacked_then_are_right_and_can_be_written_again(recordings: Path) -> None:
    """With a volume in base and a flag, as they come today."""
    for frame in frames(recordings, "spot.candlesticks", "update"):
        message = json.loads(frame)
        row: dict[str, Any] = message["result"]
        row |= {"a": str(Decimal(row["v"]) / Decimal(row["c"])), "w": True}
        (candle,) = VENUE.parse(json.dumps(message).encode())
        assert isinstance(candle, OHLCCandle)
        assert (f"1m_{candle.symbol.replace('/', '_')}", str(candle.timeframe)) == (row["n"], "1m")
        assert candle.open_time == int(row["t"]) * 1_000_000_000
        prices = (candle.open, candle.high, candle.low, candle.close)
        assert prices == (float(row["o"]), float(row["h"]), float(row["l"]), float(row["c"]))
        assert (candle.volume, candle.quote_volume) == (float(row["a"]), float(row["v"]))
        assert (candle.exchange, candle.closed) == ("gate", True)
        true = TrueCandle(
            "gate",
            candle.symbol,
            candle.open_time,
            candle.close_time,
            *prices,
            candle.volume,
            0,
            candle.quote_volume,
            0.0,
        )
        written = json.loads(FORMAT.candles([true], 1, time=candle.close_time))["result"]
        assert (written["t"], written["n"], written["w"]) == (row["t"], row["n"], True)
        for name in ("o", "h", "l", "c"):
            assert Decimal(written[name]) == Decimal(row[name])
        for name in ("a", "v"):
            assert float(written[name]) == pytest.approx(float(row[name]), abs=1e-8)


def test_gate_minute_when_trades_and_candles_were_recorded_then_it_opens_at_its_first_trade(recordings: Path) -> None:
    """NEO_BTC: flat at 0.0018716 until its first trade, at 0.0018735, opens it and is its low; volumes add up."""
    rows = [json.loads(frame)["result"] for frame in frames(recordings, "spot.candlesticks", "update")]
    flat, running = [row for row in rows if row["n"] == "1m_NEO_BTC"]
    assert (flat["o"], flat["h"], flat["l"], flat["c"], flat["v"]) == (*["0.0018716"] * 4, "0")
    trades = [json.loads(frame)["result"] for frame in frames(recordings, "spot.trades", "update")]
    first, second = [row for row in trades if row["currency_pair"] == "NEO_BTC"][:2]
    assert Decimal(running["o"]) == Decimal(running["l"]) == Decimal(first["price"])
    assert Decimal(running["h"]) == Decimal(running["c"]) == Decimal(second["price"])
    quote = sum(Decimal(row["price"]) * Decimal(row["amount"]) for row in (first, second))
    assert Decimal(running["v"]) == pytest.approx(quote, rel=Decimal("1e-9"))


def test_gate_capture_when_read_then_nothing_else_is_an_item(recordings: Path) -> None:
    """Answers that name neither pairs nor a request, order books and tickers."""
    counts: Counter[str] = Counter()
    for frame in frames(recordings):
        if b'"spot.candlesticks","event":"update"' in frame:
            continue
        for message in VENUE.parse(frame):
            if isinstance(message, Acknowledged):
                assert message == Acknowledged(symbols=())
            counts[message.kind if isinstance(message, Unknown) else type(message).__name__] += 1
    assert counts == {"Acknowledged": 22, "spot.order_book_update": 172, "spot.tickers": 22, "PriceTick": 9}
