"""Late trades: the closed candle they belong to goes out again, and those whose price hangs on it follow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from operator import attrgetter

from rxstreams.candles.accumulator import Accumulator
from rxstreams.candles.filling import Filler
from rxstreams.candles.rules import CandleRules
from rxstreams.candles.sending import Sender
from rxstreams.candles.series import Series
from rxstreams.errors import LateTick
from rxstreams.instants import format_instant
from rxstreams.items import PriceTick

_open_time = attrgetter("open_time")


class Reviser:
    """Puts late trades into the kept candles of their series.

    Args:
        rules, filler, sender: the builder's.
        on_late: called with every late trade that is dropped; None: nobody is told.

    Attributes:
        dropped: late trades that were not counted in any candle.

    Raises:
        TypeError: on_late is no function.
    """

    def __init__(
        self, rules: CandleRules, filler: Filler, sender: Sender, on_late: Callable[[PriceTick], object] | None
    ) -> None:
        if on_late is not None and not callable(on_late):
            raise TypeError(f"on_late must be a function or None, got {on_late!r}")
        self.dropped = 0
        self._policy = rules.late
        self._on_late = on_late
        self._rules = rules
        self._timeframe = rules.timeframe
        self._carries = rules.carries
        self._inherits = rules.carries or rules.fill == "flat"
        self._filler = filler
        self._sender = sender

    def take(self, series: Series, tick: PriceTick, since: int) -> None:
        """Do with a late trade what the rules say.

        Raises:
            LateTick: ``late="raise"``.
        """
        if self._policy == "raise":
            raise LateTick(
                f"a trade of {tick.symbol} stamped {format_instant(tick.timestamp)} came after its {self._timeframe} "
                f"candle had been closed (trades before {format_instant(series.bound)} are late)"
            )
        if self._policy == "revise" and self._revise(series, tick, since):
            return
        self.dropped += 1
        unproven = series.unproven
        if unproven is not None and unproven.open_time <= tick.timestamp < unproven.close_time:
            series.unproven = None  # without this trade it can't become complete
        if self._on_late is not None:
            self._on_late(tick)

    def _revise(self, series: Series, tick: PriceTick, since: int) -> bool:
        """Count a late trade and send what it changes; False, and nothing done: its interval is too old.

        A candle keeps its ``complete``, ``span`` and ``since``: the late trade says nothing about others. One that was
        never sent goes out with revision 0, complete if the trade's own coverage reaches back far enough.
        """
        open_time = self._timeframe.floor(tick.timestamp)
        close_time = self._timeframe.next(open_time)
        if not series.may_change(self._rules, open_time, close_time):
            return False
        kept = series.kept
        index = bisect_left(kept, open_time, key=_open_time)
        if index < len(kept) and kept[index].open_time == open_time:
            candle = kept[index]
            candle.add(tick)
            self._sender.send_again(series, candle)
        else:
            index = self._insert(series, index, tick, since, open_time, close_time)
        if self._inherits:
            self._follow(series, index)
        return True

    def _insert(self, series: Series, index: int, tick: PriceTick, since: int, open_time: int, close_time: int) -> int:
        """Send a new candle, out of order; return the index of the last one known before the next trade."""
        kept = series.kept
        later = kept[index] if index < len(kept) else series.open
        assert later is not None  # or the trade were not late
        candle = Accumulator(open_time, close_time, None)
        # Nothing lies between: what came before the later candle comes before this one.
        candle.follow(later.previous_close, later.previous_time)
        candle.add(tick)
        candle.span, candle.since, candle.stamped = tick.span, since, tick.since
        candle.complete = since <= candle.covered_from(self._carries)
        kept.insert(index, candle)
        self._sender.send_closed(series, candle)
        for flat in self._filler.make_between(candle, later.open_time):
            flat.complete = since <= flat.covered_from(self._carries)
            flat.span, flat.since = later.span, later.since  # the late tick's line may not have got so far
            index += 1
            kept.insert(index, flat)
            self._sender.send_closed(series, flat)
        return index

    def _follow(self, series: Series, index: int) -> None:
        """Hand the price of a kept candle on to those after it, up to the first that has trades of its own."""
        source = series.kept[index]
        for candle in series.kept[index + 1 :]:
            changed = candle.follow(source.close, source.latest)
            if changed and (candle.empty or self._carries):
                self._sender.send_again(series, candle)
            if not candle.empty:
                return
            source = candle
        if series.open is not None and series.open.follow(source.close, source.latest) and self._carries:
            self._sender.send_update(series, series.open)
