"""``pipe(to_ohlc(5), resample(60))`` one by one, beside the baselines of ``../shared/bench``, in one run.

Each peer runs in a process of its own, in turn, several rounds; the figure is the median. Ratios count, not times.

    python benchmarks/bench_chain.py [--rounds 5] [--check]

The baseline ``rxpy`` pushes its trades through a ``Subject``, which alone costs more than our whole chain; so ours is
shown from a plain cold Observable, as a feed pushes them, and through a Subject as well.

``--check`` exits 1 if the ratio to the hand-written loop is below 0.45 or the one to stock RxPY below 5.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(os.environ.get("RXSTREAMS_BENCH", ROOT.parent / "shared" / "bench")) / "peers_ohlc.py"
FLOORS = {"python": 0.45, "rxpy": 5.0}
TRADES = 500_000


def run_chain(through_subject: bool) -> None:
    """Push the baselines' own trades (their seed, their walk) through our chain and print trades a second."""
    from reactivex import Observable, abc
    from reactivex.disposable import Disposable
    from reactivex.subject import Subject

    from rxstreams.bridge import pipe
    from rxstreams.items import OHLCCandle, PriceTick
    from rxstreams.operators import resample, to_ohlc

    random.seed(7)
    symbols = [f"SYM{i}" for i in range(10)]
    prices = [100.0 + i for i in range(10)]
    now = 1_700_000_400_000_000_000
    ticks: list[PriceTick] = []
    for _ in range(TRADES):
        now += random.randrange(20_000_000, 120_000_000)
        k = random.randrange(10)
        prices[k] = max(1.0, prices[k] + random.choice((-0.01, 0.0, 0.01)))
        volume = random.randrange(1, 1000) / 100
        ticks.append(
            PriceTick(symbol=symbols[k], price=round(prices[k], 2), volume=volume, timestamp=now, exchange="x")
        )
    hours: list[OHLCCandle] = []
    chain = pipe(to_ohlc(5), resample(60))
    began = time.perf_counter()
    if through_subject:
        source: Subject[PriceTick] = Subject()
        source.pipe(chain).subscribe(hours.append)
        for tick in ticks:
            source.on_next(tick)
        source.on_completed()
    else:

        def push(observer: abc.ObserverBase[PriceTick], _: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            on_next = observer.on_next
            for tick in ticks:
                on_next(tick)
            observer.on_completed()
            return Disposable()

        Observable(push).pipe(chain).subscribe(hours.append)
    took = time.perf_counter() - began
    print(f"rxstreams {TRADES / took:14,.0f} trades/s   h1={len(hours)}")


def measure(command: list[str]) -> float:
    """Run one peer once and return its trades a second."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"([\d,]+) trades/s", done.stdout)
    if found is None:
        raise SystemExit(f"{' '.join(command)} printed no figure:\n{done.stdout}{done.stderr}")
    return float(found[1].replace(",", ""))


def main() -> None:
    """Measure all, print the table, and compare with the floors if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--one", choices=["cold", "subject"], help="run our chain once, in this process")
    arguments = parser.parse_args()
    if arguments.one:
        run_chain(arguments.one == "subject")
        return
    if not PEERS.is_file():
        raise SystemExit(f"the baselines are not in {PEERS.parent}: set RXSTREAMS_BENCH to their folder")
    commands = {
        "rxstreams": [__file__, "--one", "cold"],
        "rxstreams by Subject": [__file__, "--one", "subject"],
        "python": [str(PEERS), "python"],
        "rxpy": [str(PEERS), "rxpy"],
    }
    figures: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(arguments.rounds):
        for name, command in commands.items():
            figures[name].append(measure(command))
            print(f"round {number + 1}: {name:20s} {figures[name][-1]:12,.0f} trades/s", file=sys.stderr)
    ours = statistics.median(figures["rxstreams"])
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; medians of {arguments.rounds} rounds")
    print(f"{'':22s}{'trades/s':>12s}{'ours over it':>14s}{'floor':>8s}")
    failed = False
    for name, values in figures.items():
        ratio = ours / statistics.median(values)
        floor = FLOORS.get(name)
        failed |= floor is not None and ratio < floor
        print(f"{name:22s}{statistics.median(values):12,.0f}{ratio:14.2f}{floor or '':>8}")
    if arguments.check and failed:
        raise SystemExit("below a floor")


if __name__ == "__main__":
    main()
