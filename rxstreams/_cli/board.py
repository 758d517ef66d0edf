"""``Board``: what a display shows of a feed and its candles. Written on the feed's thread, read from any."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.states import StreamEvent, StreamState
from rxstreams.timeframe import Timeframe

COMPLETE, INCOMPLETE, FORMING, NOTHING = "cif "

_HISTORY = 16
_NOTES = 100
_MOST_DECIMALS = 10
_Key: TypeAlias = tuple[str, Timeframe]


class Note(NamedTuple):
    """Something that happened: the board's time (ns), in words, and whether it is bad news."""

    time: int
    text: str
    bad: bool = False


class Row(NamedTuple):
    """What is known of a symbol in a timeframe.

    ``candle``: the newest, None: none yet. ``history``: a character for each of the last intervals, oldest first, the
    same intervals for all symbols: COMPLETE, INCOMPLETE, FORMING or NOTHING. ``decimals``: of its prices. ``state``: of
    its line, "refused", or "" where the line is not known. ``losses``: of its connection. ``lag``: seconds from the
    newest trade's stamp to its receipt, None: no trade yet.
    """

    symbol: str
    timeframe: Timeframe
    candle: OHLCCandle | None
    history: str
    decimals: int
    state: str
    losses: int
    lag: float | None


class View(NamedTuple):
    """A board at one moment."""

    rows: list[Row]
    lines: dict[int, StreamState]
    notes: list[Note]
    trades: int
    closed: int
    complete: int
    losses: int


class Board:
    """Keeps the newest candle of each symbol and timeframe, the states of the lines, and what happened.

    Args:
        symbols: in the order of the rows.
        timeframes: of each symbol, in the order of the rows; candles of others are ignored.
        clock: returns the time of a note, nanoseconds.
        on_closed: called with every closed candle.
        on_note: called with every note.
        name: of the feed, in notes about its lines; as the library's own warnings name it.

    Memory: O(symbols * timeframes).
    """

    def __init__(
        self,
        symbols: Iterable[str],
        timeframes: Iterable[Timeframe],
        *,
        clock: Callable[[], int] = time.time_ns,
        on_closed: Callable[[OHLCCandle], object] | None = None,
        on_note: Callable[[Note], object] | None = None,
        name: str = "",
    ) -> None:
        self._prefix = f"{name} line" if name else "line"
        self._clock = clock
        self._on_closed = on_closed
        self._on_note = on_note
        self._lock = threading.Lock()
        self._candles: dict[_Key, OHLCCandle | None] = {
            (symbol, timeframe): None for symbol in symbols for timeframe in timeframes
        }
        self._marks: dict[_Key, dict[int, str]] = {key: {} for key in self._candles}
        self._decimals: dict[str, int] = dict.fromkeys((symbol for symbol, _ in self._candles), 0)
        self._lags: dict[str, int] = {}
        self._states: dict[int, StreamState] = {}
        self._line_of: dict[str, int] = {}
        self._losses: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._streamed: set[int] = set()
        self._notes: deque[Note] = deque(maxlen=_NOTES)
        self._trades = self._closed = self._complete = self._all_losses = 0

    def on_tick(self, tick: PriceTick) -> None:
        """Take a trade."""
        with self._lock:
            self._trades += 1
            self._lags[tick.symbol] = tick.received - tick.timestamp

    def on_candle(self, candle: OHLCCandle) -> None:
        """Take a candle, closed or not."""
        key = candle.symbol, candle.timeframe
        with self._lock:
            if key not in self._candles:
                return
            shown = self._candles[key]
            # A revision of an older candle changes its mark; the row stays with the newest.
            if shown is None or candle.open_time >= shown.open_time:
                self._candles[key] = candle
            if candle.closed:
                self._mark(self._marks[key], candle)
            else:
                self._marks[key].setdefault(candle.open_time, FORMING)
        if candle.closed and self._on_closed is not None:
            self._on_closed(candle)

    def _mark(self, marks: dict[int, str], candle: OHLCCandle) -> None:
        before = marks.get(candle.open_time)
        marks[candle.open_time] = COMPLETE if candle.complete else INCOMPLETE
        if candle.revision == 0:
            self._closed += 1
        # Of a correction that is older than what is remembered nobody knows what it said before.
        if candle.revision == 0 or before is not None:
            self._complete += candle.complete - (before == COMPLETE)
        if len(marks) > _HISTORY:
            del marks[min(marks)]

    def on_event(self, event: StreamEvent) -> None:
        """Take an event of the feed. What the library logs as a warning too comes by ``note``."""
        text, bad = "", False
        with self._lock:
            self._states[event.line] = event.state
            self._line_of.update(dict.fromkeys(event.symbols, event.line))
            if event.kind == "loss":
                self._all_losses += 1
                self._losses.update(event.symbols)
            elif event.kind == "refused":
                self._refused.update(event.symbols)
            elif event.kind == "state" and event.state is StreamState.STREAMING:
                text = "streaming again" if event.line in self._streamed else "streaming"
                self._streamed.add(event.line)
            elif event.kind == "state" and event.state is StreamState.STALE:
                text, bad = "silent; asking for a sign of life", True
            elif event.kind in ("recovered", "lost", "dropped"):
                text, bad = f"{event.kind}: {event.reason or ', '.join(event.symbols)}", event.kind != "recovered"
        if text:
            self.note(f"{self._prefix} {event.line}: {text}", bad=bad)

    def note(self, text: str, *, bad: bool = False) -> None:
        """Write down what happened."""
        note = Note(self._clock(), to_one_line(text), bad)
        with self._lock:
            self._notes.append(note)
        if self._on_note is not None:
            self._on_note(note)

    def view(self) -> View:
        """Return what there is to show now."""
        with self._lock:
            for (symbol, _), candle in self._candles.items():
                if candle is not None:
                    self._decimals[symbol] = max(self._decimals[symbol], decimals_of(candle))
            slots = {timeframe: self._slots(timeframe) for timeframe in {length for _, length in self._candles}}
            return View(
                rows=[
                    Row(
                        symbol=symbol,
                        timeframe=timeframe,
                        candle=candle,
                        history="".join(self._marks[symbol, timeframe].get(slot, NOTHING) for slot in slots[timeframe]),
                        decimals=self._decimals[symbol],
                        state=self._state_of(symbol),
                        losses=self._losses[symbol],
                        lag=self._lags[symbol] / 1e9 if symbol in self._lags else None,
                    )
                    for (symbol, timeframe), candle in self._candles.items()
                ],
                lines=dict(sorted(self._states.items())),
                notes=list(self._notes),
                trades=self._trades,
                closed=self._closed,
                complete=self._complete,
                losses=self._all_losses,
            )

    def _slots(self, timeframe: Timeframe) -> list[int]:
        """Return the open times of the last intervals that any symbol has a candle of."""
        of_timeframe = [marks for (_, length), marks in self._marks.items() if length == timeframe]
        return sorted({open_time for marks in of_timeframe for open_time in marks})[-_HISTORY:]

    def _state_of(self, symbol: str) -> str:
        if symbol in self._refused:
            return "refused"
        line = self._line_of.get(symbol)
        if line in self._states:
            return self._states[line].value
        # Which line a symbol is on is told when something happens to it; until then all of them may say the same.
        states = set(self._states.values())
        return states.pop().value if len(states) == 1 else ""


def decimals_of(candle: OHLCCandle) -> int:
    """Return how many decimals the prices of a candle have; as written, not as binary fractions."""
    exponents = (
        Decimal(repr(price)).normalize().as_tuple().exponent
        for price in (candle.open, candle.high, candle.low, candle.close)
    )
    return min(_MOST_DECIMALS, max(0, *(-exponent for exponent in exponents if isinstance(exponent, int))))


def to_one_line(text: str) -> str:
    """Return a text that can be shown: what came from the network may hold anything, escape sequences too."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
