"""Programs written as the seed's users wrote theirs, run as they run them: only the import differs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from manager_server import plain_server, subscribed, trade, until

PROGRAMS = Path(__file__).parent / "seed_programs"
AUTH = {"op": "auth", "key": "secret"}
PATIENCE = 50


def output(name: str) -> list[str]:
    """Run a program and return the lines that it prints; it must not complain."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / name)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_streaming_program_when_the_connection_drops_once_then_all_ticks_arrive() -> None:
    """It logs in and subscribes again by itself, is found by its name, and ends by itself."""
    with (
        plain_server() as server,
        subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAMS / "streaming.py"), server.url, "6"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program,
    ):
        try:
            server.expect(AUTH, subscribed("BTC/USD", "ETH/USD"))
            server.send(trade(1.0), {"heartbeat": True}, trade(2.0, "ETH/USD"), trade(3.0))
            server.drop()
            server.expect(AUTH, subscribed("BTC/USD", "ETH/USD"), connection=2)
            server.send(trade(4.0), trade(5.0, "ETH/USD"), trade(6.0))
            printed, logged = program.communicate(timeout=PATIENCE)
            asyncio.run(until(lambda: server.codes[-1:] == [1000]))
        finally:
            program.kill()
    assert program.returncode == 0, logged
    ticks = [line for line in printed.splitlines() if line.startswith(("BTC/USD", "ETH/USD"))]
    assert ticks == ["BTC/USD: 1.0", "ETH/USD: 2.0", "BTC/USD: 3.0", "BTC/USD: 4.0", "ETH/USD: 5.0", "BTC/USD: 6.0"]
    assert sorted(set(printed.splitlines()) - set(ticks)) == [
        "connects: 2, reconnects: {'ConnectionLost': 1}, ticks: 6",
        "found by name: True",
        "state: stopped",
        "streaming: True",
        "unknown name: None",
    ]


def test_candles_program_when_run_then_every_timeframe_has_its_forming_candle() -> None:
    """Three spellings of one market are one series, and the longer timeframes are built from it."""
    assert output("candles.py") == [
        "AAPL rows: 3 closed: [True, True, False] close: [154.0, 159.0, 161.0]",
        "AAPL last two: [155.0, 160.0]",
        "BTC 5: 312 candles, forming: True, last open 51555",
        "BTC 15: 104 candles, forming: True, last open 51545",
        "BTC 60: 26 candles, forming: True, last open 51500",
        "BTC 240: 7 candles, forming: True, last open 51440",
        "BTC 1440: 2 candles, forming: True, last open 51440",
        "BTC day one: 50000.0 51435.0 51435.0 144.0",
        "BTC frame: [51495.0, 51555.0]",
        "ETH 5: 1",
        "one for all: True",
    ]


def test_limits_program_when_run_then_the_important_calls_come_through() -> None:
    """An answer is kept for its time, unimportant calls are refused first, and the statistics add up."""
    lines = output("limits.py")
    assert lines[:-1] == [
        "singleton: True True",
        "unknown: None",
        "from the cache: True calls: 1",
        "after its time: True calls: 2",
        "low priority refused after: 4 QuotaExceeded",
        "high priority still admitted, calls: 7",
    ]
    assert "limit=10, period=60.0, used=7" in lines[-1]
    assert "limit=500, period=3600.0, used=7" in lines[-1]
    assert "admitted=7, refused=1, rate_limited=0, cached=1" in lines[-1]
