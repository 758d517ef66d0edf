"""The end of the demo: what the comparison found, in words."""

from __future__ import annotations

from collections.abc import Iterator

from rxstreams._cli.audit import Audit, Touched
from rxstreams._cli.columns import format_count, format_open_time

_MOST_TOUCHED = 12
_MOST_DIFFERENCES = 12


def describe(result: Audit, *, ascii_only: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the lines of the verdict, each with its rich style; "" is none."""
    yield "Compared with what the exchange knows", "bold"
    yield f"  trades   {result.published:,} published, {result.sent:,} sent, {result.arrived:,} arrived", ""
    yield f"           {result.lost:,} lost while a line was down or silent", ""
    yield (
        f"  candles  {result.closed:,} closed: {result.complete:,} complete, {result.incomplete:,} incomplete; "
        f"{result.revisions:,} revised",
        "",
    )
    yield f"           {result.complete_wrong:,} complete and different", "bold red" if result.complete_wrong else ""
    if result.untouched:
        yield f"           {result.untouched:,} incomplete lost nothing, which a feed can't know", ""
    if result.touched:
        yield "", ""
        yield f"The lost trades belong to {format_count(len(result.touched), 'candle')}", "bold"
        yield from _list([_describe_touched(each) for each in result.touched], _MOST_TOUCHED, ascii_only)
    yield "", ""
    if result.differences:
        yield f"{format_count(len(result.differences), 'difference')}, none of which may be", "bold red"
        yield from ((line, "red") for line, _ in _list(list(result.differences), _MOST_DIFFERENCES, ascii_only))
        return
    if result.complete:
        yield "No trade was lost on a living line, none came twice, all in order.", "green"
        yield "Every candle that says complete is the true one; none of them lost a trade.", "bold green"


def _describe_touched(touched: Touched) -> str:
    trades = f"{format_count(touched.lost, 'trade')} lost"
    if touched.sent is None:
        verdict = "did not close"
    elif touched.sent.complete:
        verdict = "SAYS COMPLETE"
    else:
        verdict = "says incomplete"
    time = format_open_time(touched.open_time, touched.timeframe)
    return f"{touched.symbol:<8} {touched.timeframe!s:<3} {time}  {trades:<16} {verdict}"


def _list(lines: list[str], most: int, ascii_only: bool) -> Iterator[tuple[str, str]]:
    for line in lines[:most]:
        yield f"  {line}", ""
    if len(lines) > most:
        yield f"  {'...' if ascii_only else '…'} and {len(lines) - most:,} more", "dim"
