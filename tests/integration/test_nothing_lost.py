"""The promise, in a bad world: every trade arrives once and in order, every candle that can be is complete and true.

RXSTREAMS_SEEDS says how many runs there are of Kraken (3), RXSTREAMS_TRADES how many trades a run of each other venue
has (40,000). Each is repeated by its number: ``chaos.run(7)``, ``chaos.run(1, 40_000, "okx")``, or ``pytest -k seed7``,
``-k okx-1``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import cast

import chaos
import pytest

from rxstreams.sources import venue, venues

_SEEDS = int(os.environ.get("RXSTREAMS_SEEDS", "3"))
_TRADES = int(os.environ.get("RXSTREAMS_TRADES", "40000"))
_PATIENCE = 58.0  # seconds; a run that is waited for has begun when the one before it was asked for

Run = tuple[int, int, str]
_KRAKEN: list[Run] = [(seed, chaos.TRADES, "kraken") for seed in range(_SEEDS)]
_OTHERS: list[Run] = [
    (seed, _TRADES, name)
    for name in venues()
    for seed in range(2)
    if name != "kraken" and venue(name).venue.has_rest_trades
]


class Runs:
    """Runs ahead of the tests, as many at a time as there are processors: a run fills one and waits in between."""

    def __init__(self, pool: ProcessPoolExecutor, wanted: list[Run], ahead: int) -> None:
        self._pool = pool
        self._wanted = wanted
        self._ahead = ahead
        self._begun: dict[Run, Future[chaos.Outcome]] = {}

    def outcome(self, run: Run) -> chaos.Outcome:
        """Return what came of a run; the next ones are begun meanwhile."""
        first = self._wanted.index(run)
        for following in self._wanted[first : first + self._ahead]:
            if following not in self._begun:
                self._begun[following] = self._pool.submit(chaos.run, *following)
        return self._begun.pop(run).result(_PATIENCE)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Generator[Runs]:
    """A process for each processor, none of which knows anything of this one."""
    items = cast("list[pytest.Function]", request.session.items)
    here = [item for item in items if item.path == request.path and hasattr(item, "callspec")]
    wanted = [cast("Run", item.callspec.params["run"]) for item in here]
    processors = max(1, min(os.cpu_count() or 1, len(wanted)))
    with ProcessPoolExecutor(processors, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Runs(pool, wanted, processors)


@pytest.mark.parametrize("run", _KRAKEN, ids=[f"seed{seed}" for seed, _, _ in _KRAKEN])
def test_feed_when_a_hundred_faults_strike_then_nothing_is_lost_doubled_or_out_of_order(run: Run, runs: Runs) -> None:
    """200,000 trades of 20 symbols: each arrives once, and each candle from the first since on is complete and true."""
    outcome = runs.outcome(run)
    assert outcome.wrong == [], outcome
    assert outcome.arrived == outcome.published > chaos.TRADES
    assert outcome.revisions == 0
    # It was put to the test.
    assert chaos.FAULTS == 100
    assert outcome.losses >= outcome.struck >= chaos.BREAKS - 5
    assert outcome.bad_messages > 3
    assert outcome.duplicates > 3
    assert outcome.refused > 15
    assert outcome.missed > 10_000
    assert outcome.recovered > 200
    assert outcome.complete > 2_500


@pytest.mark.parametrize("run", _OTHERS, ids=[f"{name}-{seed}" for seed, _, name in _OTHERS])
def test_venue_when_a_hundred_faults_strike_then_nothing_is_lost_doubled_or_out_of_order(run: Run, runs: Runs) -> None:
    """The same for every venue whose REST API has past trades, in its own wire format; the faults stand closer.

    Where it has only the newest few, some gaps can't be closed: then the feed says so, and nothing that is called true
    is not.
    """
    outcome = runs.outcome(run)
    assert outcome.broken == [], outcome
    has_all = not venue(run[2]).venue.trades_reach.startswith("the newest ")
    if has_all:
        assert outcome.wrong == [], outcome
        assert outcome.arrived == outcome.published > run[1]
        assert outcome.complete > run[1] // 80
    assert outcome.recovered > (30 if has_all else 10)
    assert outcome.losses >= outcome.struck >= chaos.BREAKS - 15  # the last ones may not strike before the end
    assert outcome.bad_messages > 3
    assert outcome.refused > 15
    assert outcome.missed > run[1] // 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc tells how much memory is in use")
def test_memory_when_a_hundred_faults_strike_then_grows_by_less_than_a_megabyte() -> None:
    """Between the middle and the end of 200,000 trades; what is remembered has its full size by then."""
    program = Path(__file__).parent / "chaos_memory.py"
    result = subprocess.run(
        [sys.executable, str(program), "1000"],
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["wrong"] == []
    assert found["count"] == chaos.TRADES
    assert found["growth"] < 2**20
