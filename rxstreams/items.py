"""What flows: ``PriceTick``, ``OHLCCandle`` and ``Side``."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from rxstreams.instants import Instant, format_instant, to_datetime, to_nanoseconds
from rxstreams.timeframe import Timeframe, TimeframeLike

if TYPE_CHECKING:
    from collections.abc import Iterator

_INFINITY = float("inf")


class Side(enum.StrEnum):
    """The taker's side of a trade."""

    BUY = "buy"
    SELL = "sell"


def _to_finite(name: str, value: object) -> float:
    """Convert a price or a volume to a finite float, or say what is wrong with it."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)  # type: ignore[arg-type]  # float() itself refuses what is no number
    if not -_INFINITY < number < _INFINITY:
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


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
        span: number of the uninterrupted run of the line that it came on; 0: history, no line.
        since: where the unbroken coverage of this symbol begins, in the venue's time, nanoseconds; 0: just after the
            symbol's first tick.

    Raises:
        ValueError: a number is NaN or infinite, a volume negative, a time naive or out of range.
        TypeError: a field has the wrong type.
    """

    symbol: str
    price: float
    volume: float = 0.0
    timestamp: Instant
    exchange: str = ""
    trade_id: int | str | None = None
    side: Side | None = None
    count: int = 1
    received: int = 0
    span: int = 0
    since: int = 0

    def __post_init__(self) -> None:
        # One chained comparison a field: the types that parsers send pass at once, everything else is looked at below.
        if self.price.__class__ is not float or not -_INFINITY < self.price < _INFINITY:
            force_setattr(self, "price", _to_finite("price", self.price))
        if self.volume.__class__ is not float or not 0.0 <= self.volume < _INFINITY:
            volume = _to_finite("volume", self.volume)
            if volume < 0.0:
                raise ValueError(f"volume must not be negative, got {volume!r}")
            force_setattr(self, "volume", volume)
        if self.timestamp.__class__ is not int or not 0 <= self.timestamp < 9_000_000_000_000_000_000:
            force_setattr(self, "timestamp", to_nanoseconds(self.timestamp, "timestamp"))
        if self.side is not None and self.side.__class__ is not Side:
            force_setattr(self, "side", Side(self.side))
        if self.symbol.__class__ is not str:
            raise TypeError(f"symbol must be a string, got {self.symbol!r}")

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
    open_time: Instant
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

    def __post_init__(self) -> None:
        if self.timeframe.__class__ is not Timeframe:
            force_setattr(self, "timeframe", Timeframe(self.timeframe))
        if self.open_time.__class__ is not int:
            force_setattr(self, "open_time", to_nanoseconds(self.open_time, "open_time"))
        # NaN fails every comparison, so this one line refuses it too.
        if not -_INFINITY < self.low <= self.open <= self.high < _INFINITY or not self.low <= self.close <= self.high:
            raise ValueError(
                "a candle needs finite prices with low <= open, close <= high, got "
                f"open={self.open!r} high={self.high!r} low={self.low!r} close={self.close!r}"
            )
        if not 0.0 <= self.volume < _INFINITY:
            raise ValueError(f"volume must be finite and not negative, got {self.volume!r}")

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
