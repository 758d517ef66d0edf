"""The README's example, as it stands there, on an exchange of our own."""

from __future__ import annotations

import functools
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rxstreams.sources import kraken
from rxstreams.testing import FakeExchange, Market, compare

_README = Path(__file__).resolve().parent.parent.parent / "README.md"


def test_example_when_run_then_the_candles_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines are run unchanged, but for the address, and for somebody who presses Ctrl-C when the market is over."""
    found = re.search(r"^```python\n(.*?)^```$", _README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    # It begins before midnight, so that the first hour is one that the feed saw only a part of.
    start = datetime(2023, 12, 31, 23, 52, tzinfo=UTC)
    market = Market(["BTC/USD", "ETH/USD"], seed=5, start=start, duration=timedelta(hours=3), rate=0.5)
    program: dict[str, Any] = {}
    with FakeExchange(market, wait_for=2) as exchange:
        monkeypatch.setattr(kraken, "trades", functools.partial(kraken.trades, url=exchange.url))

        def stop_at_the_end() -> None:
            exchange.wait_finished()
            program["feed"].stop()

        stopper = threading.Thread(target=stop_at_the_end, daemon=True)
        stopper.start()
        exec(compile(found[1], "README.md", "exec"), program)
        stopper.join(10)
        published = exchange.trades
    buffers = program["buffers"]
    hours = buffers.to_dataframe("BTC/USD", "1h")
    assert hours["closed"].tolist() == [True, True, True, False]
    assert hours["complete"].tolist() == [False, True, True, False]
    assert buffers.error is None
    report = compare(buffers.candles("BTC/USD", "5m"), [t for t in published if t.symbol == "BTC/USD"], "5m")
    assert report.promise_kept
    assert report.complete == 35
