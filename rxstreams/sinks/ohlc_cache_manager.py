"""OHLCCacheManager: the candles of many symbols and timeframes, and the longer timeframes built from the shorter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

from msgspec.structs import replace
from reactivex import abc

from rxstreams.candles import CandleBuilder
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sinks._fields import CandleFields, TradeFields
from rxstreams.sinks._history import HISTORY_TIMEOUT, gathered
from rxstreams.sinks._ring import checked_max_candles
from rxstreams.sinks._runs import NewRun
from rxstreams.sinks._shelf import CandleKey, Shelf
from rxstreams.sinks.ohlc_buffer import OHLCBuffer
from rxstreams.symbols import SymbolMap
from rxstreams.tables import candles_to_frame, frame_to_candles, is_frame
from rxstreams.timeframe import Timeframe, TimeframeLike

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from rxstreams.instants import Instant

DEFAULT_TIMEFRAMES: tuple[int, ...] = (5, 15, 60, 240, 1440)
DEFAULT_MAX_CANDLES = 500


class OHLCCacheManager(abc.ObserverBase["PriceTick | OHLCCandle"]):
    """The newest candles of whole chains, by (exchange, symbol, timeframe), for readers in any thread.

    It is an observer: ``source.subscribe(manager)`` or ``run(source, manager)``, for several sources at once too.

    - Candles go into the buffer of their key, of any timeframe; a key is made when its first candle comes.
    - Ticks are built into candles of the shortest of ``timeframes``, as ``to_ohlc`` does it by default; put a
      ``to_ohlc`` of your own before the manager for other rules. Any tick of a line closes the candles of its quiet
      symbols.
    - Each of ``timeframes`` that gets no candles of its own is built from the longest shorter one that there is, by
      the rules of ``resample``, as closed candles come; the forming ones follow when someone reads. A key's own
      candles stand above built ones, which are built no more.

    The first kind of item wins a key: trades for a key that takes candles, and the reverse, are an error.

    Args:
        symbol_map: ``{"BTC": ["BTC/USD", "XXBTZUSD"]}``, or a SymbolMap: other names of a symbol, for items and for
            questions alike; None: every symbol has one name.
        max_candles: rows kept of each key, at least 1.
        timeframes: what ``Timeframe`` takes; bare numbers are minutes. Empty: nothing is built, and only candles are
            taken.

    Attributes:
        error: what a source ended with, the last one of several; None: none has failed.
        completed: whether a source has completed.

    Raises:
        ValueError: a timeframe is none, two are the same, ``max_candles`` < 1, or the symbol map contradicts itself.
        TypeError: an option is of the wrong type.

    Errors:
        ValueError: an item of the other kind than its key's, or a trade without ``timeframes``. As reactivex has it,
            what ``on_next`` raises goes up into the producer.
        TypeError: something that is neither a PriceTick nor an OHLCCandle.

    Example:
        >>> buffers = OHLCCacheManager(symbol_map={"BTC": ["BTC/USD", "XXBTZUSD"]})
        >>> buffers.update_from_trade("BTC/USD", 50000.0, 0.5, 1_700_000_000_000_000_000)
        >>> buffers.update_from_trade("XXBTZUSD", 50001.0, 0.3, 1_700_000_001_000_000_000)
        >>> {minutes: len(rows) for minutes, rows in buffers.get_multi_timeframe_candles("BTC").items()}
        {5: 1, 15: 1, 60: 1, 240: 1, 1440: 1}
        >>> buffers.to_dataframe("BTC", "1h")["volume"].tolist()
        [0.8]

    Memory: O(keys), each at most 95 bytes times ``max_candles``; nothing is forgotten while the manager lives.
    """

    def __init__(
        self,
        symbol_map: Mapping[str, Iterable[str]] | SymbolMap | None = None,
        max_candles: int = DEFAULT_MAX_CANDLES,
        timeframes: Iterable[TimeframeLike] = DEFAULT_TIMEFRAMES,
    ) -> None:
        self.symbol_map = symbol_map if isinstance(symbol_map, SymbolMap) else SymbolMap(symbol_map or {})
        self.max_candles = checked_max_candles(max_candles)
        if isinstance(timeframes, str):
            raise TypeError(f"timeframes must be several, such as (5, 15), got the string {timeframes!r}")
        self.timeframes: tuple[TimeframeLike, ...] = tuple(timeframes)
        self.error: Exception | None = None
        self.completed = False
        self._lengths = sorted({Timeframe(timeframe) for timeframe in self.timeframes})
        if len(self._lengths) < len(self.timeframes):
            raise ValueError(f"timeframes must differ, got {self.timeframes!r}")
        self._lock = threading.RLock()
        self._shelf = Shelf(self.max_candles, self._lengths, self._lock)
        self._builder: CandleBuilder | None = None
        self._way_in: Callable[[PriceTick], None] = self._take_tick
        if self._lengths:
            self._builder = CandleBuilder(self._lengths[0], on_candle=self._deliver)
            self._way_in = self._builder.adder(self._take_tick)
        self._add: Callable[[PriceTick], None] = self._way_in

    @property
    def ignored(self) -> int:
        """How many candles from sources were left out, as ``OHLCBuffer`` says."""
        with self._lock:
            return sum(buffer.ignored for _, buffer in self._shelf.items())

    @property
    def late_trades(self) -> int:
        """How many trades were too old to revise a candle."""
        return 0 if self._builder is None else self._builder.late

    def on_next(self, value: PriceTick | OHLCCandle) -> None:
        """Take a trade or a candle."""
        if isinstance(value, PriceTick):
            with self._lock:
                self._add(value)
        elif isinstance(value, OHLCCandle):  # pyright: ignore[reportUnnecessaryIsInstance]  # any source may be given
            self._take_candle(value)
        else:
            raise TypeError(f"an OHLCCacheManager takes PriceTick and OHLCCandle, got {value!r}")

    def on_error(self, error: Exception) -> None:
        """Keep the error in ``error``; the candles stay."""
        self.error = error
        self._end_run()

    def on_completed(self) -> None:
        """Keep in ``completed`` that a source has ended; the candles stay."""
        self.completed = True
        self._end_run()

    def update_from_trade(
        self,
        symbol: str,
        price: float,
        volume: float,
        timestamp: Instant,
        *,
        exchange: str = "",
        **fields: Unpack[TradeFields],
    ) -> None:
        """Take one trade.

        Args:
            symbol: any of its names.
            price: in quote units; finite.
            volume: in base units; finite, not negative.
            timestamp: an aware datetime, nanoseconds since the epoch, a pandas Timestamp or a numpy datetime64.
            exchange: the venue's name.
            fields: others of ``PriceTick``: side, trade_id, count …

        Raises:
            ValueError: a naive datetime or an impossible number, or the key takes candles.
        """
        tick = PriceTick(symbol=symbol, price=price, volume=volume, timestamp=timestamp, exchange=exchange, **fields)
        with self._lock:
            self._add(tick)

    @overload
    def update_from_candle(self, candle: OHLCCandle) -> None: ...

    @overload
    def update_from_candle(
        self,
        candle: str,
        timeframe: TimeframeLike,
        *,
        exchange: str = "",
        open_time: Instant,
        open: float,
        high: float,
        low: float,
        close: float,
        **fields: Unpack[CandleFields],
    ) -> None: ...

    def update_from_candle(
        self, candle: OHLCCandle | str, timeframe: TimeframeLike | None = None, **values: Any
    ) -> None:
        """Take one candle of a venue's own feed.

        Args:
            candle: a whole one, or its symbol, any of its names.
            timeframe: its length; None: the candle knows.
            values: of a candle that is given by its symbol: open_time (as a trade's timestamp), open, high, low,
                close, and what else ``OHLCCandle`` has.

        Raises:
            ValueError: contradicting prices, or the key takes trades.
        """
        if isinstance(candle, str):
            if timeframe is None:
                raise TypeError("a candle that is given by its symbol needs its timeframe")
            candle = OHLCCandle(symbol=candle, timeframe=Timeframe(timeframe), **values)
        elif timeframe is not None or values:
            raise TypeError("give a candle or its values, got both")
        self._take_candle(candle)

    def bootstrap(
        self,
        history: Iterable[OHLCCandle] | abc.ObservableBase[OHLCCandle] | pd.DataFrame,
        *,
        symbol: str | None = None,
        timeframe: TimeframeLike | None = None,
        exchange: str = "",
        timeout: float | timedelta = HISTORY_TIMEOUT,
    ) -> int:
        """Merge candles from REST answers, files or an earlier run, before the live ones come or after.

        Which candle wins is as in ``OHLCBuffer.bootstrap``. Candles of longer timeframes are built from what has come.

        Args:
            history: candles of any keys in any order, or a frame of one key's (see ``frame_to_candles``). An Observable
                that completes is waited for, as in ``OHLCBuffer.bootstrap``.
            symbol, timeframe, exchange: of a frame; candles know theirs.
            timeout: seconds or timedelta that an Observable may take.

        Returns:
            How many of the given candles are now kept.

        Raises:
            ValueError: a row is no candle; nothing was taken.
            TypeError: a frame without a symbol and timeframe, or candles with; or something that is no candle.
            TimeoutError, Exception: as ``OHLCBuffer.bootstrap``.
        """
        if is_frame(history):
            if symbol is None or timeframe is None:
                raise TypeError("a frame does not know its symbol and timeframe: bootstrap(frame, symbol=, timeframe=)")
            name, length = self.symbol_map.resolve(symbol), Timeframe(timeframe)
            candles = frame_to_candles(history, name, length, exchange, newest=self.max_candles)
            with self._lock:
                return self._shelf.open(exchange, name, length)._merge(candles, holes_are_quiet=False)
        if symbol is not None or timeframe is not None or exchange:
            raise TypeError("candles know their symbol, timeframe and exchange; only a frame needs to be told")
        groups: dict[CandleKey, list[OHLCCandle]] = {}
        for candle in gathered(cast("Iterable[OHLCCandle] | abc.ObservableBase[OHLCCandle]", history), timeout):
            known = self._resolved(candle)
            groups.setdefault(CandleKey(known.exchange, known.symbol, known.timeframe), []).append(known)
        with self._lock:
            return sum(self._shelf.open(*key)._merge(candles, holes_are_quiet=True) for key, candles in groups.items())

    def aggregate_higher_timeframes(self, symbol: str, *, exchange: str | None = None) -> None:
        """Bring the candles of the longer timeframes up to date, forming ones included.

        Reading them does so too: this is for the moment at which the work is to be done.

        Args:
            symbol: any of its names; an unseen one is no error.
            exchange: None: all at which it was seen.
        """
        with self._lock:
            name = self.symbol_map.resolve(symbol)
            for key, buffer in self._shelf.items():
                if key.symbol == name and exchange in (None, key.exchange):
                    buffer._refresh()

    def get_buffer(self, symbol: str, timeframe: TimeframeLike, *, exchange: str | None = None) -> OHLCBuffer | None:
        """Return the buffer of a key, which goes on being filled; None: there is none.

        Args:
            symbol: any of its names.
            timeframe: what ``Timeframe`` takes.
            exchange: None: the only one at which the symbol was seen.

        Raises:
            AmbiguousKey: no exchange is given and the symbol was seen at several; the message lists them.
        """
        length = Timeframe(timeframe)
        with self._lock:
            return self._shelf.find(self.symbol_map.resolve(symbol), exchange).get(length)

    def to_dataframe(
        self,
        symbol: str,
        timeframe: TimeframeLike,
        count: int | None = None,
        *,
        exchange: str | None = None,
        closed_only: bool = False,
    ) -> pd.DataFrame:
        """Return the candles of a key as a frame, the oldest first; no rows for an unseen key.

        Args:
            symbol, timeframe, exchange: as in ``get_buffer``.
            count: only so many of the newest; None: all.
            closed_only: leave out candles whose interval is not over.

        Returns:
            As ``OHLCBuffer.to_dataframe``; the dtypes are the same when there are no rows.

        Raises:
            AmbiguousKey: as in ``get_buffer``.
            ValueError: ``count`` is negative.
        """
        buffer = self.get_buffer(symbol, timeframe, exchange=exchange)
        return candles_to_frame([]) if buffer is None else buffer.to_dataframe(count, closed_only=closed_only)

    def candles(
        self,
        symbol: str,
        timeframe: TimeframeLike,
        count: int | None = None,
        *,
        exchange: str | None = None,
        closed_only: bool = False,
    ) -> list[OHLCCandle]:
        """Return the candles of a key, the oldest first; the arguments are those of ``to_dataframe``."""
        buffer = self.get_buffer(symbol, timeframe, exchange=exchange)
        return [] if buffer is None else buffer.candles(count, closed_only=closed_only)

    def get_multi_timeframe_candles(
        self, symbol: str, count: int | None = None, *, exchange: str | None = None, closed_only: bool = False
    ) -> dict[TimeframeLike, list[OHLCCandle]]:
        """Return a symbol's candles of every one of ``timeframes``, all of one moment.

        Args:
            symbol, exchange: as in ``get_buffer``.
            count, closed_only: as in ``to_dataframe``, for each timeframe.

        Returns:
            The keys are the timeframes as they were given: ``{5: [...], 15: [...], ...}``; [] where there is none.

        Raises:
            AmbiguousKey: as in ``get_buffer``.
        """
        with self._lock:
            return {
                timeframe: self.candles(symbol, timeframe, count, exchange=exchange, closed_only=closed_only)
                for timeframe in self.timeframes
            }

    def symbols(self) -> list[str]:
        """Return the symbols that have been seen, by their one name, sorted."""
        with self._lock:
            return list(dict.fromkeys(key.symbol for key, _ in self._shelf.items()))

    def keys(self) -> list[CandleKey]:
        """Return the keys of all buffers, those of built candles included, by symbol, exchange and timeframe."""
        with self._lock:
            return [key for key, _ in self._shelf.items()]

    def __repr__(self) -> str:
        return f"<OHLCCacheManager: {len(self.symbols())} symbols, {len(self.keys())} buffers>"

    def _take_tick(self, tick: PriceTick) -> None:
        """Take a tick that is not simply the next one inside its forming candle."""
        if self._builder is None:
            raise ValueError("this manager was built without timeframes: it takes candles only, got a trade")
        symbol = self.symbol_map.resolve(tick.symbol)
        if symbol != tick.symbol:
            self._add(replace(tick, symbol=symbol))
            return
        buffer = self._shelf.open(tick.exchange, symbol, self._lengths[0])
        buffer._build_with(self._builder)
        self._builder.add(tick)
        buffer._show_new()

    def _take_candle(self, candle: OHLCCandle) -> None:
        known = self._resolved(candle)
        with self._lock:
            self._shelf.open(known.exchange, known.symbol, known.timeframe).on_next(known)

    def _end_run(self) -> None:
        with self._lock:
            self._add = NewRun(self._way_in)

    def _deliver(self, candle: OHLCCandle) -> None:
        self._shelf.open(candle.exchange, candle.symbol, candle.timeframe)._deliver(candle)

    def _resolved(self, candle: OHLCCandle) -> OHLCCandle:
        symbol = self.symbol_map.resolve(candle.symbol)
        return candle if symbol == candle.symbol else replace(candle, symbol=symbol)
