"""What flows: ``PriceTick``, ``OHLCCandle`` and ``Side``."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from rxstreams._fields import to_bool, to_count, to_finite, to_text
from rxstreams.instants import DAY, EARLIEST, LATEST, Instant, format_instant, to_datetime, to_nanoseconds
from rxstreams.timeframe import Timeframe, TimeframeLike

if TYPE_CHECKING:
    from collections.abc import Iterator

_INFINITY = float("inf")
_EARLIEST_OPEN = EARLIEST - 366 * DAY


class Side(enum.StrEnum):
    """The taker's side of a trade."""

    BUY = "buy"
    SELL = "sell"


class PriceTick(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A price update; here nearly always a trade. Immutable.

    Args:
        symbol: ``BASE/QUOTE``, or any name that identifies the instrument.
        price: in quote units; finite.
        volume: in base units; finite, not negative.
        timestamp: stamped by the venue; integer nanoseconds since the epoch (UTC), or an aware datetime, a pandas
            Timestamp or a numpy datetime64. A naive datetime is an error.
        exchange: the venue's name.
        trade_id: the venue's id of the trade; None: it has none.
        side: the taker's side; None: unknown. Also takes "buy" and "sell".
        count: trades that this message stands for (aggregated trades).
        received: stamped by us on arrival, nanoseconds; 0: not received live.
        span: number of the uninterrupted run of the line that it came on, with its stage (``rxstreams._spans``);
            0: history, no line.
        since: where the unbroken coverage of this symbol begins, in the venue's time, nanoseconds; 0: just after the
            symbol's first tick.

    Raises:
        ValueError: a number is NaN or infinite, a volume negative, a time naive or out of range.
        TypeError: a field has the wrong type.
    """

    symbol: str
    price: float
    volume: float = 0.0
    timestamp: int
    exchange: str = ""
    trade_id: int | str | None = None
    side: Side | None = None
    count: int = 1
    received: int = 0
    span: int = 0
    since: int = 0

    if TYPE_CHECKING:
        # What may be given is more than what is kept.
        def __init__(
            self,
            *,
            symbol: str,
            price: float,
            volume: float = 0.0,
            timestamp: Instant,
            exchange: str = "",
            trade_id: int | str | None = None,
            side: Side | str | None = None,
            count: int = 1,
            received: int = 0,
            span: int = 0,
            since: int = 0,
        ) -> None: ...

    def __post_init__(self) -> None:
        # What parsers send passes here at once; whatever does not is looked at field by field.
        if not (
            self.price.__class__ is self.volume.__class__ is float
            and self.timestamp.__class__
            is self.received.__class__
            is self.since.__class__
            is self.span.__class__
            is self.count.__class__
            is int
            and self.symbol.__class__ is self.exchange.__class__ is str
            and -_INFINITY < self.price < _INFINITY
            and 0.0 <= self.volume < _INFINITY
            and EARLIEST <= self.timestamp < LATEST
            and self.count >= 0
            and self.symbol
        ):
            _normalize_tick(self)
        if self.side is not None and self.side.__class__ is not Side:
            force_setattr(self, "side", _to_side(self.side))

    @property
    def time(self) -> datetime:
        """The timestamp as an aware datetime (microseconds; the rest is cut)."""
        return to_datetime(self.timestamp)

    def __repr__(self) -> str:
        return _format(self, {"timestamp", "received", "since"})


class OHLCCandle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Open, high, low, close and volume of one interval. Immutable.

    Args:
        symbol: as in the ticks.
        timeframe: its length; also takes what ``Timeframe`` takes ("5m", 5, timedelta).
        open_time: inclusive start of the interval and the candle's key; nanoseconds since the epoch, or what
            ``PriceTick.timestamp`` takes.
        open, high, low, close: in quote units; ``low <= open, close <= high``.
        volume: in base units.
        trades: number of trades in it.
        quote_volume: sum of price times volume, in quote units.
        buy_volume: volume of the trades whose taker bought, in base units.
        exchange: the venue's name.
        closed: its interval is over (a revision may follow).
        complete: no trade can be missing from it.
        revision: 0 when first sent; counts corrections of a candle that was sent as closed.
        span, since: those of the last tick in it.

    Raises:
        ValueError: a number is NaN or infinite, or the prices contradict each other.
        TypeError: a field has the wrong type.
    """

    symbol: str
    timeframe: Timeframe
    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    trades: int = 0
    quote_volume: float = 0.0
    buy_volume: float = 0.0
    exchange: str = ""
    closed: bool = True
    complete: bool = False
    revision: int = 0
    span: int = 0
    since: int = 0

    if TYPE_CHECKING:
        # What may be given is more than what is kept.
        def __init__(
            self,
            *,
            symbol: str,
            timeframe: TimeframeLike,
            open_time: Instant,
            open: float,
            high: float,
            low: float,
            close: float,
            volume: float = 0.0,
            trades: int = 0,
            quote_volume: float = 0.0,
            buy_volume: float = 0.0,
            exchange: str = "",
            closed: bool = True,
            complete: bool = False,
            revision: int = 0,
            span: int = 0,
            since: int = 0,
        ) -> None: ...

    def __post_init__(self) -> None:
        if (
            not (
                self.open.__class__
                is self.high.__class__
                is self.low.__class__
                is self.close.__class__
                is self.volume.__class__
                is self.quote_volume.__class__
                is self.buy_volume.__class__
                is float
                and self.open_time.__class__
                is self.trades.__class__
                is self.revision.__class__
                is self.span.__class__
                is self.since.__class__
                is int
                and self.symbol.__class__ is self.exchange.__class__ is str
                and -_INFINITY < self.quote_volume < _INFINITY
                and 0.0 <= self.volume < _INFINITY
                and 0.0 <= self.buy_volume < _INFINITY
                and _EARLIEST_OPEN <= self.open_time < LATEST
                and self.trades >= 0 <= self.revision
                and self.symbol
                and self.closed.__class__ is self.complete.__class__ is bool
            )
            or self.timeframe.__class__ is not Timeframe
        ):
            _normalize_candle(self)
        # NaN fails every comparison, so this one line refuses it too.
        if not -_INFINITY < self.low <= self.open <= self.high < _INFINITY or not self.low <= self.close <= self.high:
            raise ValueError(
                "a candle needs finite prices with low <= open, close <= high, got "
                f"open={self.open!r} high={self.high!r} low={self.low!r} close={self.close!r}"
            )

    @property
    def close_time(self) -> int:
        """The exclusive end of the interval, nanoseconds since the epoch."""
        return self.timeframe.next(self.open_time)

    @property
    def time(self) -> datetime:
        """The open time as an aware datetime."""
        return to_datetime(self.open_time)

    @property
    def vwap(self) -> float:
        """Volume-weighted average price; the close where the volume is 0."""
        return self.quote_volume / self.volume if self.volume else self.close

    def __repr__(self) -> str:
        return _format(self, {"open_time", "since"})


def _normalize_tick(tick: PriceTick) -> None:
    put = force_setattr
    put(tick, "symbol", to_text("symbol", tick.symbol, may_be_empty=False))
    put(tick, "exchange", to_text("exchange", tick.exchange))
    put(tick, "price", to_finite("price", tick.price))
    put(tick, "volume", to_finite("volume", tick.volume, may_be_negative=False))
    put(tick, "timestamp", to_nanoseconds(tick.timestamp, "timestamp"))
    for name in ("received", "since"):
        put(tick, name, to_nanoseconds(getattr(tick, name), name))
    for name in ("span", "count"):
        put(tick, name, to_count(name, getattr(tick, name)))


def _normalize_candle(candle: OHLCCandle) -> None:
    put = force_setattr
    put(candle, "symbol", to_text("symbol", candle.symbol, may_be_empty=False))
    put(candle, "exchange", to_text("exchange", candle.exchange))
    put(candle, "timeframe", Timeframe(candle.timeframe))
    # A candle that opens before the first instant may hold it.
    if not (candle.open_time.__class__ is int and _EARLIEST_OPEN <= candle.open_time < EARLIEST):
        put(candle, "open_time", to_nanoseconds(candle.open_time, "open_time"))
    for name in ("open", "high", "low", "close", "quote_volume"):
        put(candle, name, to_finite(name, getattr(candle, name)))
    for name in ("volume", "buy_volume"):
        put(candle, name, to_finite(name, getattr(candle, name), may_be_negative=False))
    for name in ("trades", "revision", "span"):
        put(candle, name, to_count(name, getattr(candle, name)))
    put(candle, "since", to_nanoseconds(candle.since, "since"))
    for name in ("closed", "complete"):
        put(candle, name, to_bool(name, getattr(candle, name)))


def _to_side(value: object) -> Side:
    try:
        return Side(value)  # type: ignore[arg-type]  # it says itself whether it is one
    except ValueError as error:
        raise ValueError(f"side must be 'buy', 'sell' or None, got {value!r}") from error


def _format(item: msgspec.Struct, instants: set[str]) -> str:
    """Show an item with ISO times and without the fields that say nothing."""

    def parts() -> Iterator[str]:
        for field in msgspec.structs.fields(item):
            value = getattr(item, field.name)
            if value == field.default and field.name not in ("closed", "complete"):
                continue
            if field.name in instants:
                yield f"{field.name}={format_instant(value)}"
            elif isinstance(value, (Timeframe, Side)):
                yield f"{field.name}='{value}'"
            else:
                yield f"{field.name}={value!r}"

    return f"{type(item).__name__}({', '.join(parts())})"


__all__ = ["OHLCCandle", "PriceTick", "Side", "TimeframeLike"]
