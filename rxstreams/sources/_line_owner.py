"""Who a line works for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.states import StreamEvent

if TYPE_CHECKING:
    from rxstreams.sources._line import Line


class LineOwner(Protocol):
    """A Stream. Called on the loop's thread."""

    def on_item(self, item: PriceTick | OHLCCandle) -> None:
        """Send an item to the observers."""
        ...

    def on_event(self, event: StreamEvent) -> None:
        """Tell what happened."""
        ...

    def on_line_end(self, line: Line, error: Exception | None) -> None:
        """The line has ended; None: as it was asked to."""
        ...
