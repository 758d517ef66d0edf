"""Where one source ends and another begins, for ticks that don't say it themselves."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from rxstreams.items import PriceTick


class NewRun:
    """Hands ticks on as those of a source that has just begun.

    ``since == 0`` means "just after the symbol's first tick". A sink that outlives its source would take the first
    tick of the next one for the continuation of the last, and call a candle complete that lacks what came between.

    Args:
        add: takes the ticks.

    Memory: O(symbols).
    """

    def __init__(self, add: Callable[[PriceTick], None]) -> None:
        self._add = add
        self._since: dict[tuple[str, str, int], int] = {}

    def __call__(self, tick: PriceTick) -> None:
        """Take a tick."""
        if not tick.since:
            since = self._since.setdefault((tick.exchange, tick.symbol, tick.span), tick.timestamp + 1)
            tick = replace(tick, since=since)
        self._add(tick)
