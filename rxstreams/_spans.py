"""Numbers of spans: which run of a line, and whether a later part of it is known to go on where an earlier one ended.

A line that breaks begins a new run, unless all that it missed is fetched: then the old run goes on. A run is told in
stages. While trades of it may be missing it is in an odd stage, in which each symbol is on its own; in the even stage
after it nothing is missing any more, of no symbol and in no earlier stage. So the clock of an even stage is that of all
stages before it.

Spans are compared all over a chain that may merge several feeds, so no two runs share a number. A plain small number,
as anybody may choose one, is a run in stage 0.
"""

from __future__ import annotations

import itertools

_STAGE = 1 << 40
_ASIDE = (2**21 + 1) * _STAGE  # odd, and later than any that is told
_runs = itertools.count(1)


def next_span() -> int:
    """Return a new run, in stage 0."""
    return next(_runs)


def run_of(span: int) -> int:
    """Return what all stages of a run share."""
    return span % _STAGE


def is_settled(span: int) -> bool:
    """Return whether nothing is missing up to here, in no stage of the run."""
    return not span // _STAGE % 2


def unsettle(span: int) -> int:
    """Return the next stage in which trades may be missing."""
    return span + (_STAGE if is_settled(span) else 2 * _STAGE)


def aside(span: int) -> int:
    """Return a stage of the run that nothing else is ever on: no clock of others, and not taken over by a later one."""
    return run_of(span) + _ASIDE


def settle(span: int) -> int:
    """Return the stage in which nothing is missing any more."""
    return span if is_settled(span) else span + _STAGE
