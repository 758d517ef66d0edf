"""Recorded Hyperliquid trades: each field that is read, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rxstreams.instants import parse_iso
from rxstreams.items import PriceTick
from rxstreams.sources.hyperliquid import Hyperliquid
from rxstreams.testing.formats import HyperliquidFormat

READ = ("coin", "side", "time", "tid")


@pytest.mark.recordings
def test_hyperliquid_trades_when_recorded_then_are_read_field_by_field_and_written_again(recordings: Path) -> None:
    """Three of REST, the newest first; the socket's have the same shape. No message of the socket is recorded."""
    rows = json.loads((recordings / "messages" / "hyperliquid" / "http_recent_trades_btc.json").read_bytes())
    rows.reverse()
    ticks = list(Hyperliquid().parse(json.dumps({"channel": "trades", "data": rows}).encode()))
    for tick, row in zip(ticks, rows, strict=True):
        assert isinstance(tick, PriceTick)
        assert (tick.symbol, tick.exchange, tick.count) == ("BTC/USDC:USDC", "hyperliquid", 1)
        assert (tick.price, tick.volume) == (float(row["px"]), float(row["sz"]))
        assert tick.timestamp == row["time"] * 1_000_000
        assert tick.trade_id == str(row["tid"])
        assert tick.side == {"A": "sell", "B": "buy"}[row["side"]]
    assert len(ticks) == 3
    times = [tick.timestamp for tick in ticks if isinstance(tick, PriceTick)]
    assert times == sorted(times)
    assert times[0] == parse_iso("2026-02-01T03:20:00Z")
    written = json.loads(HyperliquidFormat().trades([tick for tick in ticks if isinstance(tick, PriceTick)]))["data"]
    assert [[row[name] for name in READ] for row in written] == [[row[name] for name in READ] for row in rows]
    for name in ("px", "sz"):  # as numbers: there, a size ends with zeros
        assert [float(row[name]) for row in written] == [float(row[name]) for row in rows]
