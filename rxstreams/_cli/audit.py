"""What arrived, and the candles made of it, against what the exchange knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rxstreams.instants import format_instant
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.states import StreamEvent
from rxstreams.testing import Report, compare
from rxstreams.timeframe import Timeframe

TradeKey: TypeAlias = tuple[str, int | str | None]
_CandleKey: TypeAlias = tuple[str, Timeframe, int]


class Touched(NamedTuple):
    """A candle whose trades the sockets missed. ``sent`` is its last revision; None: it was not closed."""

    symbol: str
    timeframe: Timeframe
    open_time: int
    missed: int
    sent: OHLCCandle | None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the comparison found.

    Attributes:
        published, sent, arrived: trades that the exchange published, wrote to the sockets, and that came out here.
        missed: trades that were published while no line was there to carry them.
        fetched: trades that arrived and were on no socket.
        losses, bad_messages: lines that broke, and messages that could not be read.
        recovered: gaps of one symbol that were closed.
        closed: candles that closed; each once.
        complete, incomplete: what they say of themselves, in their last revision.
        complete_wrong: candles that say complete and are not the true ones.
        revisions: candles that were sent again.
        touched: candles whose trades the sockets missed.
        differences: everything that must not be, in words; empty: all is well.
    """

    published: int
    sent: int
    arrived: int
    missed: int
    fetched: int
    losses: int
    bad_messages: int
    recovered: int
    closed: int
    complete: int
    incomplete: int
    complete_wrong: int
    revisions: int
    touched: tuple[Touched, ...]
    differences: tuple[str, ...]


def audit(
    *,
    published: Sequence[PriceTick],
    sent: Sequence[Sequence[PriceTick]],
    arrived: Sequence[PriceTick],
    candles: Sequence[OHLCCandle],
    events: Sequence[StreamEvent],
    timeframes: Sequence[Timeframe],
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
) -> Audit:
    """Compare.

    Args:
        published: every trade of the exchange, in that order.
        sent: what it wrote to each connection, in the order of the connections.
        arrived: what came out of the feed, in that order.
        candles: every closed candle that came out of the chain, with its revisions, in that order.
        events: what the feed told.
        timeframes: of the candles.
        fill, opens: as the chain had them.
    """
    last = {_candle_key(candle): candle for candle in candles}
    of_symbols = [
        (_of_symbol(symbol, published), _of_symbol(symbol, arrived))
        for symbol in dict.fromkeys(tick.symbol for tick in (*published, *arrived))
    ]
    reports = [
        report
        for expected, came in of_symbols
        for timeframe in timeframes
        for report in _compare(timeframe, expected, came, candles, fill, opens)
    ]
    written = {trade_key(tick) for of_connection in sent for tick in of_connection}
    missed = [tick for tick in published if trade_key(tick) not in written]
    complete = sum(candle.complete for candle in last.values())
    kinds = Counter(event.kind for event in events)
    return Audit(
        published=len(published),
        sent=sum(map(len, sent)),
        arrived=len(arrived),
        missed=len(missed),
        fetched=sum(trade_key(tick) not in written for tick in arrived),
        losses=kinds["loss"],
        bad_messages=kinds["bad_message"],
        recovered=kinds["recovered"],
        closed=len(last),
        complete=complete,
        incomplete=len(last) - complete,
        complete_wrong=sum(len(report.complete_wrong) for report in reports),
        revisions=sum(report.revisions for report in reports),
        touched=_touched(missed, timeframes, last),
        differences=(
            *(f"trades of {', '.join(e.symbols)} are lost: {e.reason}" for e in events if e.kind == "lost"),
            *(text for expected, came in of_symbols for text in _differences_of_trades(expected, came)),
            *(text for report in reports for text in _differences_of_candles(report)),
            *_differences_of_coverage(of_symbols, last.values()),
        ),
    )


def name_candle(candle: OHLCCandle) -> str:
    """Return which candle it is."""
    return f"{candle.symbol} {candle.timeframe} {format_instant(candle.open_time)}"


def trade_key(tick: PriceTick) -> TradeKey:
    """Return which trade it is."""
    return tick.symbol, tick.trade_id


def _candle_key(candle: OHLCCandle) -> _CandleKey:
    return candle.symbol, candle.timeframe, candle.open_time


def _of_symbol(symbol: str, ticks: Iterable[PriceTick]) -> list[PriceTick]:
    return [tick for tick in ticks if tick.symbol == symbol]


def _differences_of_trades(published: Sequence[PriceTick], arrived: Sequence[PriceTick]) -> Iterator[str]:
    """Each trade of a symbol since the first one covered has to arrive once and in its place; nothing else may."""
    since = arrived[0].since if arrived else 0
    counts = Counter(map(trade_key, arrived))
    keys = [trade_key(tick) for tick in published]
    lost = [trade_key(tick) for tick in published if tick.timestamp >= since and trade_key(tick) not in counts]
    if lost:
        yield f"{_name(lost)} was published and never arrived"
    doubled = [key for key, count in counts.items() if count > 1]
    if doubled:
        yield f"{_name(doubled)} arrived more than once"
    known = set(keys)
    unknown = [key for key in counts if key not in known]
    if unknown:
        yield f"{_name(unknown)} arrived and was never published"
    found = [key for key in counts if key in known]  # a Counter keeps the order of the first arrivals
    expected = [key for key in keys if key in counts]
    if found != expected:
        wrong = next(key for key, right in zip(found, expected, strict=True) if key != right)
        yield f"the order was not kept, from {_name([wrong])} on"


def _name(keys: Sequence[TradeKey]) -> str:
    symbol, trade_id = keys[0]
    more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
    return f"trade {trade_id} of {symbol}{more}"


def _compare(
    timeframe: Timeframe,
    published: Sequence[PriceTick],
    arrived: Sequence[PriceTick],
    candles: Sequence[OHLCCandle],
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
) -> Iterator[Report]:
    """Compare a symbol's candles, from the first trade that arrived to the last interval that had to close."""
    if not arrived:
        return
    stamps = [tick.timestamp for tick in arrived]
    own = [candle for candle in candles if candle.symbol == arrived[0].symbol and candle.timeframe == timeframe]
    # An interval is over at the latest with a trade after it; a line's clock may have closed more of them.
    until = max([timeframe.floor(max(stamps)), *(candle.close_time for candle in own)])
    start = timeframe.floor(min(stamps))
    yield compare(own, published, timeframe, fill=fill, opens=opens, start=start, until=until)


def _differences_of_coverage(
    of_symbols: Iterable[tuple[Sequence[PriceTick], Sequence[PriceTick]]], candles: Collection[OHLCCandle]
) -> Iterator[str]:
    """What is recovered is covered: a symbol has one since, and every candle that opens after it is complete."""
    for _, arrived in of_symbols:
        sinces = dict.fromkeys(tick.since for tick in arrived)
        if len(sinces) > 1:
            yield f"the coverage of {arrived[0].symbol} began anew {len(sinces) - 1} times"
        for candle in candles:
            if (
                arrived
                and candle.symbol == arrived[0].symbol
                and candle.open_time >= min(sinces)
                and not candle.complete
            ):
                yield f"{name_candle(candle)} lacks nothing and says incomplete"


def _differences_of_candles(report: Report) -> Iterator[str]:
    for difference in report.complete_wrong:
        yield f"says complete and is not the true one: {difference}"
    for candle in report.extra:
        yield f"{name_candle(candle)} was sent, and there is no such candle"
    for true in report.missing:
        yield f"a candle of {true.symbol} that opens at {format_instant(true.open_time)} was never sent"
    for candle in report.retracted:
        yield f"{name_candle(candle)} said complete, and a revision changed it"
    for candle in report.out_of_order:
        yield f"{name_candle(candle)}: revision {candle.revision} does not follow on the one before"


def _touched(
    missed: Iterable[PriceTick], timeframes: Sequence[Timeframe], last: dict[_CandleKey, OHLCCandle]
) -> tuple[Touched, ...]:
    counts = Counter(
        (tick.symbol, timeframe, timeframe.floor(tick.timestamp)) for tick in missed for timeframe in timeframes
    )
    ordered = sorted(counts.items(), key=lambda item: (item[0][2], item[0][1], item[0][0]))
    return tuple(Touched(*key, count, last.get(key)) for key, count in ordered)
