"""Which timeframe is built from which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rxstreams.errors import NotServed
from rxstreams.timeframe import Timeframe

BASE = -1
"""Stands for the incoming candles where the index of a level is asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How candles of one base timeframe become those of longer ones.

    Attributes:
        base: of the incoming candles.
        passes: whether they go out too, because their timeframe was asked for.
        dependents: for each level, and at last for ``BASE``, the levels that are built from it.
    """

    base: Timeframe
    passes: bool
    dependents: tuple[tuple[int, ...], ...]


def make_plan(base: Timeframe, timeframes: Sequence[Timeframe]) -> Plan:
    """Build each timeframe from the longest shorter one that serves it.

    Args:
        base: of the incoming candles.
        timeframes: asked for, ascending.

    Raises:
        NotServed: the base can't build one of them.
    """
    dependents: list[list[int]] = [[] for _ in range(len(timeframes) + 1)]
    for index, timeframe in enumerate(timeframes):
        if timeframe == base:
            continue
        if not base.serves(timeframe):
            raise NotServed(
                f"candles of {base!r} can't build candles of {timeframe!r}: "
                "not every boundary of the longer is one of the shorter"
            )
        source = BASE
        for shorter in range(index - 1, -1, -1):
            if timeframes[shorter] != base and timeframes[shorter].serves(timeframe):
                source = shorter
                break
        dependents[source].append(index)
    return Plan(base, base in timeframes, tuple(tuple(indices) for indices in dependents))
