"""One symbol's native candles in their order: what was sent, what waits, and what has to be asked for. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from rxstreams.items import OHLCCandle
from rxstreams.timeframe import Timeframe

# REST writes fewer digits than the socket of some venues.
_ROUNDING = 1.0 - 1e-6


class CandleSeries:
    """Takes a symbol's live candles and the venue's answers over REST; sends what is proven, in order, each once.

    A closed candle is proven if the line was unbroken from its open on, or if it comes from REST; where it may still
    change after a later one came, that alone proves nothing. Between two of them
    nothing is missing if the line was unbroken from the end of the first one on, or if REST has said what there is.
    What is not proven stops everything behind it, until REST answers or nobody waits any longer.

    The ``since`` of what is sent reaches back to where the unbroken row of complete candles begins, over connections
    and answers: each interval from there on was sent as it was. So a candle of a longer timeframe that is built from
    them is complete if all of them are.

    Args:
        name: the symbol.
        timeframe: of the candles.
        has_flag: whether the venue says itself which candles are closed.
        is_flat: whether it has a candle for an interval without trades, at the last close.
        send: called with every candle.
        may_change: whether a candle may still change after one of a later interval came.

    Attributes:
        next: open time of the next closed candle; None: any will do, none was sent yet.
        due: intervals before it are wanted though nothing live has told of them; 0: there are none.
        is_guess: whether ``due`` comes from our own clock. Then it says nothing against what the line or REST tells.
        held: live candles that are closed and were not sent yet, ascending.
        forming: the newest live candle that is not closed; None: there is none.
        hole: open time of the first interval that was left out for good, since this was set to 0; 0: none was.

    Memory: O(held).
    """

    __slots__ = (
        "_cover",
        "_forming_is_new",
        "_has_flag",
        "_is_flat",
        "_last",
        "_may_change",
        "_send",
        "_timeframe",
        "due",
        "forming",
        "held",
        "hole",
        "is_guess",
        "name",
        "next",
    )

    def __init__(
        self,
        name: str,
        timeframe: Timeframe,
        *,
        has_flag: bool,
        is_flat: bool,
        send: Callable[[OHLCCandle], None],
        may_change: bool = False,
    ) -> None:
        self.name = name
        self.next: int | None = None
        self.due = 0
        self.is_guess = False
        self.held: deque[OHLCCandle] = deque()
        self.forming: OHLCCandle | None = None
        self.hole = 0
        self._timeframe = timeframe
        self._has_flag = has_flag
        self._is_flat = is_flat
        self._may_change = may_change
        self._send = send
        self._forming_is_new = False
        self._last: OHLCCandle | None = None  # the closed one that was sent last
        self._cover: int | None = None  # from here on all was sent, closed and complete; None: not even the last one

    @property
    def has_begun(self) -> bool:
        """Whether a closed candle was sent."""
        return self._last is not None

    @property
    def start(self) -> int:
        """Where the venue's answer has to begin, if it is needed."""
        return self.held[0].open_time if self.next is None else self.next

    @property
    def limit(self) -> int:
        """Up to where the venue's answer is needed; what comes later the line will tell."""
        newest = self.forming.open_time if self.forming else self.held[-1].close_time if self.held else 0
        return max(self.due, newest)

    @property
    def is_unbroken(self) -> bool:
        """Whether nothing of what waits was missed: the line came without a hole, REST has to confirm it at most."""
        if self.next is None or not (self._may_change or all(candle.complete for candle in self.held)):
            return False
        waiting = [*self.held, self.forming] if self.forming else self.held
        return all(candle.since <= self.next for candle in waiting)

    @property
    def oldest(self) -> int | None:
        """Open time of the oldest live candle that was not sent; None: there is none."""
        return self.held[0].open_time if self.held else self.forming.open_time if self.forming else None

    def take(self, candle: OHLCCandle) -> bool:
        """Take a live candle, stamped with the line's span and since; return whether it says anything new."""
        first = None if self.is_guess and not self.has_begun else self.next
        if self.held:
            first = self.held[-1].close_time
        forming = self.forming
        if forming is not None and (first is None or first < forming.open_time):
            first = forming.open_time
        if first is not None and candle.open_time < first:
            self._look_back(candle)
            return False  # of a candle that is closed: a repeated or late message
        if forming is not None and candle.open_time > forming.open_time:
            # Of a venue with a flag, the message that says how it ended is missing.
            self._close(forming, candle.since, is_whole=not (self._has_flag or self._may_change))
        if candle.closed and self._has_flag:
            self._close(candle, candle.since, is_whole=True)
        else:
            is_plain = not candle.closed and not candle.complete
            self.forming = candle if is_plain else replace(candle, closed=False, complete=False)
            self._forming_is_new = True
        return True

    def is_contradicted_by(self, candle: OHLCCandle) -> bool:
        """Return whether a late message shows more of the candle that was sent last, as complete; once for each.

        The unbroken row of complete candles begins after it then.
        """
        last = self._last
        if last is None or not last.complete or not _is_more(candle, last):
            return False
        self._last = replace(last, complete=False)
        self._cover = last.close_time
        return True

    def release(self, *, force: bool = False) -> bool:
        """Send what is proven, or, if forced, all of it as it is; return whether everything has gone out."""
        if force:
            self._forget_due()
        elif self.next is not None and self.next < self.due:
            return False
        while self.held:
            candle = self.held[0]
            if not force and not (candle.complete and self._joins(candle)):
                return False
            self.held.popleft()
            self._send_closed(candle)
        forming = self.forming
        if forming is not None:
            if not force and not self._joins(forming):
                return False
            self._send_forming(forming)
        return True

    def answer(
        self, rows: Iterable[OHLCCandle], *, settled: bool, is_short: bool = False, known_until: int = 0
    ) -> None:
        """Take what the venue has from ``start`` on, and send what it settles.

        An answer says everything up to the end of its last closed candle, or to the start of the one that is running:
        what it does not have before, there is not. It may lag: then it says less than is needed.

        Args:
            rows: its candles, in any order.
            settled: whether it knows what was published before the intervals that are due.
            is_short: whether it does not reach back to ``start`` and never will: it says nothing about what lies before
                its first candle.
            known_until: where candles may change, so that late trades may begin one: up to when it knows all trades;
                of what is later it knows the closed candles only.
        """
        start = horizon = self.start
        known: dict[int, OHLCCandle] = {}
        for row in sorted(rows, key=lambda row: row.open_time):
            if row.open_time < start:
                continue
            if not row.closed:
                horizon = row.open_time
                if settled:
                    self.due = min(self.due, horizon)  # so it is not over, whatever our clock says
                break
            horizon = row.close_time
            known[row.open_time] = replace(row, complete=True, span=0, since=0)
        else:
            if settled and not (self._is_flat and (known or self._last is not None)):
                horizon = max(horizon, self.due)  # an interval without trades may have no candle
        if self._may_change:
            horizon = min(horizon, max(known_until, max((row.close_time for row in known.values()), default=start)))
        horizon = min(horizon, self.limit)
        first = min(known, default=horizon) if is_short else start  # what the line has before that is all there will be
        for candle in self.held:
            if candle.open_time < start:
                continue
            if candle.open_time >= horizon:
                break
            row_of_it = known.get(candle.open_time)
            if candle.complete or candle.open_time < first:
                known[candle.open_time] = candle
            elif row_of_it is None or _is_more(candle, row_of_it):
                horizon = candle.open_time  # the line has shown more of it: the answer lags
                break
        while self.held and self.held[0].open_time < horizon:
            self.held.popleft()
        for open_time in sorted(known):
            if open_time < horizon:
                self._leave_out_before(first, open_time)
                self._send_answered(known[open_time])
        self._leave_out_before(first, horizon)
        if horizon > start:
            self.next = horizon

    def drop(self) -> None:
        """Forget what was not sent, and send nothing any more."""
        self.held.clear()
        self.forming = None
        self._send = _nothing

    # Inside

    def _close(self, candle: OHLCCandle, since: int, *, is_whole: bool) -> None:
        self.forming = None
        complete = is_whole and since <= candle.open_time
        self.held.append(replace(candle, closed=True, complete=complete, since=since))

    def _look_back(self, candle: OHLCCandle) -> None:
        """Let a closed candle that still waits say what a late message says of it: then the line proves nothing."""
        for place, held in enumerate(self.held):
            if _is_more(candle, held):
                self.held[place] = replace(candle, closed=True, complete=False, since=held.since)

    def _forget_due(self) -> None:
        if self.due and self._last is None:
            self.next = None  # all is as if nothing had been wanted
        self.due = 0
        self.is_guess = False

    def _is_hole(self, candle: OHLCCandle) -> bool:
        """Whether an interval lies between the last closed candle and this one."""
        if self.next is None or self.next >= candle.open_time:
            return False
        # On which day a venue's weeks begin may not be known: then nothing can be said about holes.
        return self._timeframe.floor(candle.open_time) == candle.open_time

    def _joins(self, candle: OHLCCandle) -> bool:
        """Whether it is known what lies between the last closed candle and this one."""
        if not self._is_hole(candle):
            return True
        price_is_known = self._last is None or self._last.complete
        return self._is_quiet(candle) and (price_is_known or not self._is_flat)

    def _is_quiet(self, candle: OHLCCandle) -> bool:
        """Whether the line would have told of a trade between the last closed candle and this one, before this one."""
        return not self._may_change and self.next is not None and candle.since <= self.next

    def _cross(self, candle: OHLCCandle) -> None:
        """Send the candles of the empty intervals before this one, or note that there may have been others."""
        if not self._is_hole(candle):
            return
        last = self._last
        if not self._is_quiet(candle):
            self._leave_out()
        elif self._is_flat and last is not None:
            # As many as intervals have passed on an unbroken line; no bound is needed.
            while self.next is not None and self.next < candle.open_time:
                self._emit_closed(_flat_after(last, self.next, candle))
        self.next = candle.open_time

    def _leave_out(self) -> None:
        self._cover = None
        self.hole = self.hole or self.next or 0

    def _leave_out_before(self, first: int, open_time: int) -> None:
        """Note a hole between the last candle sent and a time, if it lies before what the venue remembers."""
        if self._last is not None and self.next is not None and self.next < min(first, open_time):
            self._leave_out()

    def _send_closed(self, candle: OHLCCandle) -> None:
        if self.next is None or candle.open_time >= self.next:
            self._cross(candle)
            self._emit_closed(candle)

    def _send_answered(self, candle: OHLCCandle) -> None:
        if self._is_flat and self._last is not None and self._is_hole(candle):
            self._leave_out()  # the venue does not remember so far back
        self._emit_closed(candle)

    def _emit_closed(self, candle: OHLCCandle) -> None:
        if not candle.complete:
            self._cover = None
        elif self._cover is None:
            self._cover = candle.since if 0 < candle.since <= candle.open_time else candle.open_time
        if self._cover is not None and candle.since != self._cover:
            candle = replace(candle, since=self._cover)
        self._last = candle
        self.next = candle.close_time
        self._send(candle)

    def _send_forming(self, candle: OHLCCandle) -> None:
        if self.next is not None and candle.open_time < self.next:
            self.forming = None  # the venue's answer has closed it
            return
        self._cross(candle)
        if self._forming_is_new:
            self._forming_is_new = False
            self._send(candle if self._cover is None else replace(candle, since=self._cover))


def _is_more(candle: OHLCCandle, other: OHLCCandle) -> bool:
    """Return whether a candle shows more of the interval of another one."""
    return candle.open_time == other.open_time and other.volume < candle.volume * _ROUNDING


def _nothing(candle: OHLCCandle) -> None:
    del candle


def _flat_after(last: OHLCCandle, open_time: int, following: OHLCCandle) -> OHLCCandle:
    """Return the candle of an interval without trades; it is complete if the price that it repeats is."""
    return OHLCCandle(
        symbol=last.symbol,
        timeframe=last.timeframe,
        open_time=open_time,
        open=last.close,
        high=last.close,
        low=last.close,
        close=last.close,
        exchange=last.exchange,
        closed=True,
        complete=last.complete,
        span=following.span,
        since=following.since,
    )
