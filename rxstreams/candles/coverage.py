"""Where the unbroken coverage of a symbol begins."""

from __future__ import annotations

from rxstreams.items import PriceTick


class Coverage:
    """Follows span and since of one symbol, in the order of arrival.

    ``since == 0`` means "just after its first tick": the first of this run of such ticks on one span. A tick with
    another span, or with a since of its own, ends the run.

    Attributes:
        span: of the last tick.
        since: the effective one of the last tick, nanoseconds.
    """

    __slots__ = ("_runs", "since", "span")

    def __init__(self) -> None:
        self.span = 0
        self.since = 0
        self._runs = False

    def follow(self, tick: PriceTick) -> int:
        """Take the next tick and return its effective since."""
        stamped = tick.since
        if stamped:
            self._runs = False
            self.since = stamped
        elif not self._runs or tick.span != self.span:
            self._runs = True
            self.since = tick.timestamp + 1
        self.span = tick.span
        return self.since
