"""What arrived, and the candles made of it, against what the exchange knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rxstreams.instants import format_instant
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.testing import Report, compare
from rxstreams.timeframe import Timeframe

TradeKey: TypeAlias = tuple[str, int | str | None]
_CandleKey: TypeAlias = tuple[str, Timeframe, int]


class Touched(NamedTuple):
    """A candle that lost trades. ``sent`` is what came of it: its last revision; None: it was not closed."""

    symbol: str
    timeframe: Timeframe
    open_time: int
    lost: int
    sent: OHLCCandle | None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the comparison found.

    Attributes:
        published, sent, arrived: trades that the exchange published, wrote to the sockets, and that came out here.
        lost: trades that were published while no line was there to carry them.
        closed: candles that closed; each once.
        complete, incomplete: what they say of themselves, in their last revision.
        complete_wrong: candles that say complete and are not the true ones.
        revisions: candles that were sent again.
        touched: candles that lost trades.
        differences: everything that must not be, in words; empty: all is well.
    """

    published: int
    sent: int
    arrived: int
    lost: int
    closed: int
    complete: int
    incomplete: int
    complete_wrong: int
    revisions: int
    touched: tuple[Touched, ...]
    differences: tuple[str, ...]

    @property
    def untouched(self) -> int:
        """Candles that say incomplete and lost nothing: a trade could have been missing, and nobody could know."""
        return self.incomplete - sum(each.sent is not None and not each.sent.complete for each in self.touched)


def audit(
    *,
    published: Sequence[PriceTick],
    sent: Sequence[Sequence[PriceTick]],
    arrived: Sequence[PriceTick],
    candles: Sequence[OHLCCandle],
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
        timeframes: of the candles.
        fill, opens: as the chain had them.
    """
    last = {_candle_key(candle): candle for candle in candles}
    reports = [
        report
        for symbol in dict.fromkeys(tick.symbol for tick in published)
        for timeframe in timeframes
        for report in _compare(symbol, timeframe, published, arrived, candles, fill, opens)
    ]
    written = {trade_key(tick) for of_connection in sent for tick in of_connection}
    lost = [tick for tick in published if trade_key(tick) not in written]
    touched = _touched(lost, timeframes, last)
    complete = sum(candle.complete for candle in last.values())
    return Audit(
        published=len(published),
        sent=sum(map(len, sent)),
        arrived=len(arrived),
        lost=len(lost),
        closed=len(last),
        complete=complete,
        incomplete=len(last) - complete,
        complete_wrong=sum(len(report.complete_wrong) for report in reports),
        revisions=sum(report.revisions for report in reports),
        touched=touched,
        differences=(
            *_differences_of_trades(sent, arrived),
            *(text for report in reports for text in _differences_of_candles(report)),
            *(
                f"{name_candle(each.sent)} says complete, and lost {each.lost} trades"
                for each in touched
                if each.sent is not None and each.sent.complete
            ),
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


def _differences_of_trades(sent: Sequence[Sequence[PriceTick]], arrived: Sequence[PriceTick]) -> Iterator[str]:
    """Each line's trades have to arrive once, all of them, in their order; nothing else may."""
    counts = Counter(map(trade_key, arrived))
    known: set[TradeKey] = set()
    for number, of_connection in enumerate(sent):
        keys = [trade_key(tick) for tick in of_connection]
        own = set(keys)
        known |= own
        missing = [key for key in keys if key not in counts]
        if missing:
            yield f"connection {number}: {_name(missing)} was written to the socket and never arrived"
        expected = [key for key in keys if key in counts]
        found = list(dict.fromkeys(key for tick in arrived if (key := trade_key(tick)) in own))
        if found != expected:
            wrong = next(key for key, right in zip(found, expected, strict=False) if key != right)
            yield f"connection {number}: the order was not kept, from {_name([wrong])} on"
    doubled = [key for key, count in counts.items() if count > 1]
    if doubled:
        yield f"{_name(doubled)} arrived more than once"
    unknown = [key for key in counts if key not in known]
    if unknown:
        yield f"{_name(unknown)} arrived and was never sent"


def _name(keys: Sequence[TradeKey]) -> str:
    symbol, trade_id = keys[0]
    more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
    return f"trade {trade_id} of {symbol}{more}"


def _compare(
    symbol: str,
    timeframe: Timeframe,
    published: Sequence[PriceTick],
    arrived: Sequence[PriceTick],
    candles: Sequence[OHLCCandle],
    fill: Literal["skip", "flat"],
    opens: Literal["first_trade", "previous_close"],
) -> Iterator[Report]:
    """Compare a symbol's candles, from the first trade that arrived to the last interval that had to close."""
    stamps = [tick.timestamp for tick in arrived if tick.symbol == symbol]
    if not stamps:
        return
    own = [candle for candle in candles if candle.symbol == symbol and candle.timeframe == timeframe]
    # An interval is over at the latest with a trade after it; a line's clock may have closed more of them.
    until = max([timeframe.floor(max(stamps)), *(candle.close_time for candle in own)])
    trades = [tick for tick in published if tick.symbol == symbol]
    start = timeframe.floor(min(stamps))
    yield compare(own, trades, timeframe, fill=fill, opens=opens, start=start, until=until)


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
    lost: Iterable[PriceTick], timeframes: Sequence[Timeframe], last: dict[_CandleKey, OHLCCandle]
) -> tuple[Touched, ...]:
    counts = Counter(
        (tick.symbol, timeframe, timeframe.floor(tick.timestamp)) for tick in lost for timeframe in timeframes
    )
    ordered = sorted(counts.items(), key=lambda item: (item[0][2], item[0][1], item[0][0]))
    return tuple(Touched(*key, count, last.get(key)) for key, count in ordered)
