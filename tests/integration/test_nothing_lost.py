"""The promise, in a bad world: every trade arrives once and in order, every candle that can be is complete and true.

RXSTREAMS_SEEDS says how many runs there are (3). Each is repeated by its number: ``chaos.run(7)``, or
``pytest -k seed7``.
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

import chaos
import pytest

_SEEDS = range(int(os.environ.get("RXSTREAMS_SEEDS", "3")))
_PATIENCE = 58.0  # seconds; a run that is waited for has begun when the one before it was asked for


class Runs:
    """Runs ahead of the tests, as many at a time as there are processors: a run fills one and waits in between."""

    def __init__(self, pool: ProcessPoolExecutor, ahead: int) -> None:
        self._pool = pool
        self._ahead = ahead
        self._begun: dict[int, Future[chaos.Outcome]] = {}

    def outcome(self, seed: int) -> chaos.Outcome:
        """Return what came of a run; the next ones are begun meanwhile."""
        for following in range(seed, min(seed + self._ahead, _SEEDS.stop)):
            if following not in self._begun:
                self._begun[following] = self._pool.submit(chaos.run, following)
        return self._begun.pop(seed).result(_PATIENCE)


@pytest.fixture(scope="module")
def runs() -> Generator[Runs]:
    """A process for each processor, none of which knows anything of this one."""
    processors = max(1, min(os.cpu_count() or 1, len(_SEEDS)))
    with ProcessPoolExecutor(processors, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Runs(pool, processors)


@pytest.mark.parametrize("seed", _SEEDS, ids=lambda seed: f"seed{seed}")
def test_feed_when_a_hundred_faults_strike_then_nothing_is_lost_doubled_or_out_of_order(seed: int, runs: Runs) -> None:
    """200,000 trades of 20 symbols: each arrives once, and each candle from the first since on is complete and true."""
    outcome = runs.outcome(seed)
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
