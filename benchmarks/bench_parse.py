"""What ``parse`` costs a message, for each venue, beside ``json.loads`` and the look-ups of the same fields.

Messages are those that the venue's own server would send, made by ``rxstreams.testing.formats``: one trade each. Both
ways are timed in turn, several rounds, in one process; the figures are medians in nanoseconds. Ratios count, not times.

    python benchmarks/bench_parse.py [--rounds 5] [--messages 20000] [VENUE]...
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeAlias, cast

import msgspec

from rxstreams.items import PriceTick
from rxstreams.sources import venue, venues
from rxstreams.sources.venue import Channel, Message
from rxstreams.testing import Market
from rxstreams.testing.formats import Format, Subscribe, format_of

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def messages_of(name: str, count: int) -> tuple[Callable[[bytes], Iterable[Message]], list[bytes]]:
    """Return the parse of a connection that has subscribed, and trades as the venue's server sends them."""
    described, fmt = venue(name).venue, format_of(name)
    symbol = described.examples[0]
    parse = described.conversation().parse
    command = fmt.decode(described.subscribe_frame(Channel("trades"), [symbol], 1).encode())
    assert isinstance(command, Subscribe)
    for answer in fmt.acknowledge(command, command.symbols, 10**18, 10**18):
        list(parse(answer))
    return parse, [fmt.trades([tick]) for tick in _ticks(symbol, fmt, count)]


def _ticks(symbol: str, fmt: Format, count: int) -> Iterator[PriceTick]:
    for number, tick in enumerate(islice(Market([symbol], seed=1), count), 1):
        stamp = tick.timestamp // fmt.resolution * fmt.resolution
        yield msgspec.structs.replace(tick, exchange=fmt.name, trade_id=number, timestamp=stamp)


def field_reader(frame: bytes) -> Callable[[Any], object]:
    """Return what reads each field of such a message by its name and makes numbers of texts, as a program would."""
    reads = [f"float(d{place})" if is_number else f"d{place}" for place, is_number in _places(json.loads(frame), "")]
    return cast("Callable[[Any], object]", eval(f"lambda d: ({', '.join(reads)},)"))


def _places(value: Json, place: str) -> Iterator[tuple[str, bool]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, f"{place}[{key!r}]")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, f"{place}[{index}]")
    else:
        yield place, isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def time_parse(parse: Callable[[bytes], Iterable[Message]], frames: list[bytes]) -> float:
    """Return nanoseconds a message of ours, ticks made."""
    began = time.perf_counter_ns()
    for frame in frames:
        for _ in parse(frame):
            pass
    return (time.perf_counter_ns() - began) / len(frames)


def time_json(read: Callable[[Any], object], frames: list[bytes]) -> float:
    """Return nanoseconds a message of the standard library, its fields looked up."""
    began = time.perf_counter_ns()
    for frame in frames:
        read(json.loads(frame))
    return (time.perf_counter_ns() - began) / len(frames)


def main() -> None:
    """Print a line a venue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venues", metavar="VENUE", nargs="*", default=list(venues()), help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    print(f"{'venue':<20}{'bytes':>7}{'parse':>9}{'json + dict':>14}{'ratio':>8}   ns a message of one trade")
    gc.disable()
    for name in options.venues:
        parse, frames = messages_of(name, options.messages)
        read = field_reader(frames[0])
        rounds = [(time_parse(parse, frames), time_json(read, frames)) for _ in range(options.rounds)]
        ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
        size = sum(map(len, frames)) / len(frames)
        print(f"{name:<20}{size:>7.0f}{ours:>9.0f}{theirs:>14.0f}{theirs / ours:>8.2f}")


if __name__ == "__main__":
    main()
