"""OHLCBuffer: the candles of one key in a ring, written and read from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from reactivex import abc

from rxstreams.candles import CandleBuilder
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks._derivation import Derivation, Step
from rxstreams.sinks._fields import CandleFields, TradeFields
from rxstreams.sinks._history import HISTORY_TIMEOUT, gathered, in_order
from rxstreams.sinks._precedence import Origin
from rxstreams.sinks._ring import checked_max_candles
from rxstreams.sinks._runs import NewRun
from rxstreams.sinks._store import CandleStore
from rxstreams.tables import columns_to_frame, frame_to_candles, is_frame
from rxstreams.timeframe import Timeframe, TimeframeLike

if TYPE_CHECKING:
    import threading
    from datetime import timedelta

    import pandas as pd

    from rxstreams.instants import Instant


class OHLCBuffer(abc.ObserverBase["PriceTick | OHLCCandle"]):
    """The newest candles of one (exchange, symbol, timeframe), in memory, for readers in any thread.

    It takes trades, and builds the candles itself as ``to_ohlc`` does it by default, or candles, native ones or those
    of a ``to_ohlc`` with other rules: the first kind wins, the other is an error. It is an observer:
    ``source.subscribe(buffer)``. Fed by trades, its last row is the candle that is forming (``closed=False``); fed by
    candles it holds what it was sent.

    A corrected candle replaces its row, one that is out of order is inserted where it belongs. Left out, and counted
    in ``ignored``, are: a candle of a lower revision than the stored one, one of the same revision that is less
    closed or less complete, and one older than all of a full buffer. A trade too old to revise anything counts in
    ``late_trades``. The ``since`` of a candle reaches back over complete neighbours, to where the history begins.

    Writers and readers take one lock: a reader sees whole candles, all of one moment, and its answer is a copy.

    Args:
        symbol: None: the first item decides.
        interval_minutes: the candles' length in minutes; as ``timeframe``, which takes all other lengths too.
        timeframe: what ``Timeframe`` takes ("5m", 5, timedelta); None: the first candle decides. Trades need one.
        exchange: the venue's name; None: the first item decides.
        max_candles: rows kept, the forming candle included; at least 1.

    Attributes:
        error: what a source ended with; None: none has failed. It stays when another source goes on.
        completed: whether a source has completed.

    Raises:
        ValueError: ``interval_minutes`` and ``timeframe`` are both given, a timeframe is none, ``max_candles`` < 1.
        TypeError: an option is of the wrong type.

    Errors:
        ValueError: an item of another key, or of the other kind. As reactivex has it, what ``on_next`` raises goes up
            into the producer.
        TypeError: something that is neither a PriceTick nor an OHLCCandle.

    Example:
        >>> buffer = OHLCBuffer("AAPL", interval_minutes=5, max_candles=500)
        >>> buffer.update_from_trade(price=150.25, volume=100, timestamp=1_700_000_000_000_000_000)
        >>> buffer.to_dataframe(count=200)[["open", "volume", "closed"]].values.tolist()
        [[150.25, 100.0, False]]

    Memory: 95 bytes a candle, up to ``max_candles``; it grows as they come. Fed by trades, also what a
    ``CandleBuilder`` keeps of one symbol.
    """

    def __init__(
        self,
        symbol: str | None = None,
        interval_minutes: int | None = None,
        *,
        timeframe: TimeframeLike | None = None,
        exchange: str | None = None,
        max_candles: int = 500,
    ) -> None:
        if interval_minutes is not None and timeframe is not None:
            raise ValueError(
                f"give interval_minutes or timeframe, got interval_minutes={interval_minutes!r} timeframe={timeframe!r}"
            )
        length = timeframe if interval_minutes is None else interval_minutes
        self.symbol: str | None = symbol
        self.exchange: str | None = exchange
        self.timeframe: Timeframe | None = None if length is None else Timeframe(length)
        self.max_candles = checked_max_candles(max_candles)
        self.error: Exception | None = None
        self.completed = False
        self._store = CandleStore(max_candles)
        self._store.refresh = self._refresh
        self._ignored = 0
        self._kind: Literal["trades", "candles"] | None = None
        self._builder: CandleBuilder | None = None
        self._way_in: Callable[[PriceTick], None] = self._take_tick
        self._add: Callable[[PriceTick], None] = self._way_in
        # A manager sets this where it builds the candles from those of a shorter timeframe.
        self._derivation: Derivation | None = None

    @property
    def ignored(self) -> int:
        """How many candles from the source were left out."""
        return self._ignored

    @property
    def late_trades(self) -> int:
        """How many trades were too old to revise a candle; in a manager's buffer, those of all its symbols."""
        return 0 if self._builder is None else self._builder.late

    def on_next(self, value: PriceTick | OHLCCandle) -> None:
        """Take a trade or a candle."""
        if isinstance(value, PriceTick):
            with self._store.lock:
                self._add(value)
        elif isinstance(value, OHLCCandle):  # pyright: ignore[reportUnnecessaryIsInstance]  # any source may be given
            self._take_candle(value)
        else:
            raise TypeError(f"an OHLCBuffer takes PriceTick and OHLCCandle, got {value!r}")

    def on_error(self, error: Exception) -> None:
        """Keep the error in ``error``; the candles stay."""
        self.error = error
        self._end_run()

    def on_completed(self) -> None:
        """Keep in ``completed`` that the source has ended; the candles stay."""
        self.completed = True
        self._end_run()

    def update_from_trade(self, price: float, volume: float, timestamp: Instant, **fields: Unpack[TradeFields]) -> None:
        """Take one trade.

        Args:
            price: in quote units; finite.
            volume: in base units; finite, not negative.
            timestamp: an aware datetime, nanoseconds since the epoch, a pandas Timestamp or a numpy datetime64.
            fields: others of ``PriceTick``: side, trade_id, count …

        Raises:
            ValueError: a naive datetime or an impossible number, no symbol or timeframe is known, or the buffer
                already takes candles.
        """
        tick = PriceTick(
            symbol=self._known_symbol(),
            price=price,
            volume=volume,
            timestamp=timestamp,
            exchange=self.exchange or "",
            **fields,
        )
        with self._store.lock:
            self._add(tick)

    @overload
    def update_from_candle(self, candle: OHLCCandle) -> None: ...

    @overload
    def update_from_candle(
        self,
        *,
        open_time: Instant,
        open: float,
        high: float,
        low: float,
        close: float,
        **fields: Unpack[CandleFields],
    ) -> None: ...

    def update_from_candle(self, candle: OHLCCandle | None = None, **values: Any) -> None:
        """Take one candle of a venue's own feed.

        Args:
            candle: a whole one; None: it is given by its values.
            values: open_time (as a trade's timestamp), open, high, low, close, and what else ``OHLCCandle`` has.

        Raises:
            ValueError: another key's candle, contradicting prices, no symbol or timeframe is known, or the buffer
                already takes trades.
        """
        if candle is None:
            symbol, timeframe = self._known_symbol(), self._known_timeframe()
            candle = OHLCCandle(symbol=symbol, timeframe=timeframe, exchange=self.exchange or "", **values)
        elif values:
            raise TypeError(f"give a candle or its values, got a candle and {', '.join(values)}")
        self._take_candle(candle)

    def bootstrap(
        self,
        history: Iterable[OHLCCandle] | abc.ObservableBase[OHLCCandle] | pd.DataFrame,
        *,
        timeout: float | timedelta = HISTORY_TIMEOUT,
    ) -> int:
        """Merge candles from a REST answer, a file or an earlier run, before the live ones come or after.

        A historic candle fills a place that is empty, and replaces a live one only if it is closed and complete and
        the live one is not. A live candle replaces a historic one, unless that one is closed and complete and the
        live one is not.

        Args:
            history: candles of this key in any order, or a frame of them (see ``frame_to_candles``). More than
                ``max_candles`` are allowed; the newest are taken. An Observable that completes, such as
                ``kraken.rest_candles(...)``, is waited for; nothing is taken before its end.
            timeout: seconds or timedelta that such an Observable may take.

        Returns:
            How many of the given candles are now in the buffer.

        Raises:
            ValueError: another key's candle, or a row that is no candle; nothing was taken.
            TypeError: something that is no candle.
            TimeoutError: the Observable did not end in time.
            Exception: what the Observable ended with.
        """
        if not is_frame(history):
            candles = gathered(cast("Iterable[OHLCCandle] | abc.ObservableBase[OHLCCandle]", history), timeout)
            return self._merge(candles, holes_are_quiet=True)
        symbol, timeframe, exchange = self._known_symbol(), self._known_timeframe(), self.exchange or ""
        candles = frame_to_candles(history, symbol, timeframe, exchange, newest=self.max_candles)
        # A frame does not tell whether an interval that it lacks had no trades or was not seen.
        return self._merge(candles, holes_are_quiet=False)

    def to_dataframe(self, count: int | None = None, *, closed_only: bool = False) -> pd.DataFrame:
        """Return the candles as a frame, the oldest first.

        Args:
            count: only so many of the newest; None: all.
            closed_only: leave out candles whose interval is not over.

        Returns:
            Index ``open_time``, datetime64[ns, UTC]; columns open, high, low, close, volume (float64), trades
            (int64), quote_volume, buy_volume (float64), closed, complete (bool), revision (int64). A copy.

        Raises:
            ValueError: ``count`` is negative.
        """
        return columns_to_frame(self._store.snapshot(count, closed_only))

    def candles(self, count: int | None = None, *, closed_only: bool = False) -> list[OHLCCandle]:
        """Return the candles, the oldest first; the arguments are those of ``to_dataframe``."""
        columns = self._store.snapshot(count, closed_only)
        columns.pop("origin")
        symbol, timeframe, exchange = self.symbol, self.timeframe, self.exchange or ""
        if symbol is None or timeframe is None:  # then nothing has come yet
            return []
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [
            OHLCCandle(symbol=symbol, timeframe=timeframe, exchange=exchange, **dict(zip(columns, row, strict=True)))
            for row in rows
        ]

    def latest(self, *, closed_only: bool = False) -> OHLCCandle | None:
        """Return the newest candle; None: there is none."""
        newest = self.candles(1, closed_only=closed_only)
        return newest[0] if newest else None

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        key = " ".join(str(part) for part in (self.exchange, self.symbol, self.timeframe) if part)
        return f"<OHLCBuffer {key or 'of any key'}: {len(self)} of {self.max_candles} candles>"

    @classmethod
    def _managed(
        cls, exchange: str, symbol: str, timeframe: Timeframe, max_candles: int, lock: threading.RLock
    ) -> OHLCBuffer:
        """Make a buffer for a manager, under the manager's lock."""
        buffer = cls(symbol, timeframe=timeframe, exchange=exchange, max_candles=max_candles)
        buffer._store.lock = lock
        return buffer

    @property
    def _needs_source(self) -> bool:
        """Whether nothing fills it yet; history doesn't."""
        return self._kind is None and self._derivation is None

    def _derive(self, step: Step, source: OHLCBuffer) -> None:
        """Fill it from the candles of a shorter timeframe, until it gets a source of its own."""
        self._derivation = Derivation(step, self.exchange or "", self._known_symbol(), source._store, self._store)

    def _build_with(self, builder: CandleBuilder) -> None:
        """Take trades by way of a builder that it shares with other buffers, which hands over what it builds."""
        self._claim("trades")
        self._builder = builder

    def _take_tick(self, tick: PriceTick) -> None:
        """Take a tick that is not simply the next one inside the forming candle."""
        timeframe = self._known_timeframe()
        self._check(tick.exchange, tick.symbol, timeframe)
        self._claim("trades")
        if self._builder is None:
            self._builder = CandleBuilder(timeframe, on_candle=self._deliver)
            self._add = self._way_in = self._builder.adder(self._take_tick)
        self._builder.add(tick)
        self._show_new()

    def _merge(self, history: list[OHLCCandle], *, holes_are_quiet: bool) -> int:
        if not history:
            return 0
        key, *others = {(candle.exchange, candle.symbol, candle.timeframe) for candle in history}
        if others:
            raise ValueError(f"a buffer takes the history of one key, got {key} and {', '.join(map(str, others))}")
        candles = in_order(history, self.max_candles, holes_are_quiet=holes_are_quiet)
        with self._store.lock:
            self._check(*key)
            return self._store.merge(candles, Origin.HISTORY)

    def _take_candle(self, candle: OHLCCandle) -> None:
        with self._store.lock:
            self._check(candle.exchange, candle.symbol, candle.timeframe)
            self._claim("candles")
            self._deliver(candle)

    def _end_run(self) -> None:
        with self._store.lock:
            if self._builder is not None:
                self._add = NewRun(self._way_in)

    def _deliver(self, candle: OHLCCandle) -> None:
        if not self._store.put(candle, Origin.LIVE):
            self._ignored += 1

    def _refresh(self) -> None:
        """Bring into the ring what a reader must see."""
        if self._derivation is not None:
            self._derivation.refresh()
        elif self._kind == "trades":
            forming = self._forming()
            if forming is not None:
                self._store.put(forming, Origin.LIVE)

    def _show_new(self) -> None:
        """Bring a forming candle into the ring as soon as it begins: what is built from this buffer must know of it."""
        forming = self._forming()
        newest = self._store.ring.newest
        if forming is not None and (newest is None or forming.open_time > newest):
            self._store.put(forming, Origin.LIVE)

    def _forming(self) -> OHLCCandle | None:
        if self._builder is None or self.symbol is None:
            return None
        return self._builder.open_candle(self.symbol, self.exchange or "")

    def _check(self, exchange: str, symbol: str, timeframe: Timeframe) -> None:
        """Refuse an item of another key; the first one completes the key."""
        if (
            (self.symbol is None or symbol == self.symbol)
            and (self.exchange is None or exchange == self.exchange)
            and (self.timeframe is None or timeframe is self.timeframe)
        ):
            self.symbol, self.exchange, self.timeframe = symbol, exchange, timeframe
            return
        raise ValueError(
            f"this buffer keeps exchange={self.exchange!r} symbol={self.symbol!r} timeframe={self.timeframe}, got "
            f"exchange={exchange!r} symbol={symbol!r} timeframe={timeframe}; OHLCCacheManager keeps many keys"
        )

    def _claim(self, kind: Literal["trades", "candles"]) -> None:
        """Let the first kind of item win."""
        if self._kind == kind:
            return
        if self._kind is not None:
            raise ValueError(f"the candles of {self.symbol} {self.timeframe} come from {self._kind}, got {kind}")
        self._kind = kind
        if self._derivation is not None:
            self._derivation.detach()
            self._derivation = None

    def _known_symbol(self) -> str:
        if self.symbol is None:
            raise ValueError("this buffer has no symbol yet: build it with OHLCBuffer(symbol, ...)")
        return self.symbol

    def _known_timeframe(self) -> Timeframe:
        if self.timeframe is None:
            raise ValueError("this buffer has no timeframe yet: build it with OHLCBuffer(..., timeframe=...)")
        return self.timeframe
