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
    yield (
        f"  trades   {result.published:,} published, {result.sent:,} sent; "
        f"{result.missed:,} missed while a line was down or silent",
        "",
    )
    yield f"           {result.arrived:,} arrived, {result.fetched:,} of them fetched over REST", ""
    yield (
        f"  gaps     {format_count(result.losses, 'line')} broke, {format_count(result.bad_messages, 'message')} could "
        f"not be read: {format_count(result.recovered, 'gap')} closed",
        "",
    )
    yield (
        f"  candles  {result.closed:,} closed: {result.complete:,} complete, {result.incomplete:,} incomplete; "
        f"{result.revisions:,} revised",
        "",
    )
    yield f"           {result.complete_wrong:,} complete and different", "bold red" if result.complete_wrong else ""
    if result.touched:
        yield "", ""
        yield f"The missed trades belong to {format_count(len(result.touched), 'candle')}", "bold"
        yield from _list([_describe_touched(each) for each in result.touched], _MOST_TOUCHED, ascii_only)
    yield "", ""
    if result.differences:
        yield f"{format_count(len(result.differences), 'difference')}, none of which may be", "bold red"
        yield from ((line, "red") for line, _ in _list(list(result.differences), _MOST_DIFFERENCES, ascii_only))
        return
    if result.complete:
        yield "Every trade arrived once and in order, in spite of it all.", "green"
        yield "Every candle since the feed began is complete, and the true one.", "bold green"


def _describe_touched(touched: Touched) -> str:
    trades = f"{format_count(touched.missed, 'trade')} missed"
    verdict = "did not close" if touched.sent is None else "complete" if touched.sent.complete else "INCOMPLETE"
    time = format_open_time(touched.open_time, touched.timeframe)
    return f"{touched.symbol:<8} {touched.timeframe!s:<3} {time}  {trades:<17} {verdict}"


def _list(lines: list[str], most: int, ascii_only: bool) -> Iterator[tuple[str, str]]:
    for line in lines[:most]:
        yield f"  {line}", ""
    if len(lines) > most:
        yield f"  {'...' if ascii_only else '…'} and {len(lines) - most:,} more", "dim"
