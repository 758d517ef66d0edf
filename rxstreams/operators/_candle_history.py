"""What belongs before a symbol's first live candle, and how both go on from one another. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from rxstreams.errors import MessageError
from rxstreams.instants import format_instant
from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe


class CandleHistory:
    """The past of one symbol: the venue's closed candles up to the first one that came live.

    Args:
        first: the first live candle.
        timeframe: the history begins with the interval of this one that the first candle lies in.

    Attributes:
        symbol, base: of the candles.
        start: the earliest open_time that is wanted, nanoseconds.
        end: open_time of the first live candle.
    """

    __slots__ = ("_exchange", "_since", "_span", "base", "end", "start", "symbol")

    def __init__(self, first: OHLCCandle, timeframe: Timeframe) -> None:
        self.symbol = first.symbol
        self.base = first.timeframe
        self.start = self.base.floor(timeframe.floor(first.open_time))
        self.end = first.open_time
        self._exchange = first.exchange
        self._span = first.span
        self._since: int | None = None  # where the history that was accepted begins

    @property
    def is_wanted(self) -> bool:
        """Whether anything is missing before the first candle."""
        return self.start < self.end

    def check(self, row: object) -> OHLCCandle:
        """Return a row of an answer.

        Raises:
            MessageError: it is no candle of this symbol and timeframe.
        """
        if (
            isinstance(row, OHLCCandle)
            and row.symbol == self.symbol
            and row.exchange == self._exchange
            and row.timeframe == self.base
        ):
            return row
        expected = " ".join(word for word in (self._exchange, str(self.base), "candles of", self.symbol) if word)
        raise MessageError(f"expected {expected} to be fetched, got {row!r}")

    def is_reached_by(self, rows: Iterable[OHLCCandle]) -> bool:
        """Return whether an answer has got so far that no closed candle before the first live one can be missing."""
        return any(row.open_time >= self.end or (row.closed and row.close_time == self.end) for row in rows)

    def accept(self, rows: Iterable[OHLCCandle]) -> list[OHLCCandle]:
        """Take the past from an answer; return it in order, stamped as what the live candles go on from."""
        by_time = {row.open_time: row for row in rows if row.closed and self.start <= row.open_time < self.end}
        past = [by_time[open_time] for open_time in sorted(by_time)]
        if past:
            self._since = past[0].open_time
        return [replace(row, span=self._span, since=past[0].open_time) for row in past]

    @property
    def shortage(self) -> str:
        """What is missing at the beginning of what was accepted, in words; "": nothing."""
        if self._since == self.start:
            return ""
        wanted = f"they were wanted from {format_instant(self.start)} on"
        if self._since is None:
            return f"the venue has no candles before {format_instant(self.end)}, {wanted}"
        return f"the venue's candles begin at {format_instant(self._since)}, {wanted}"

    def go_on(self, candle: OHLCCandle) -> OHLCCandle | None:
        """Return a live candle, covered since the history's beginning if it is covered since the first live one.

        None: it is not complete, and the venue's own of that interval has gone out.
        """
        since = self._since
        if since is None or candle.timeframe != self.base:
            return candle
        if since <= candle.open_time < self.end and not candle.complete:
            return None
        if candle.since > self.end or candle.since == since:
            return candle
        return replace(candle, since=since)
