"""Where a line is in its life, and what is told of it."""

from __future__ import annotations

import time

from rxstreams.sources._line_owner import LineOwner
from rxstreams.states import EventKind, StreamEvent, StreamState


class LineReport:
    """Tells what happens to a line.

    Args:
        owner: who is told.
        number: of the line, from 0.

    Attributes:
        state: of its connection.
    """

    def __init__(self, owner: LineOwner, number: int) -> None:
        self.state = StreamState.DISCONNECTED
        self._owner = owner
        self._number = number

    def __call__(
        self, kind: EventKind, *, symbols: tuple[str, ...] = (), reason: str = "", error: BaseException | None = None
    ) -> None:
        """Tell what happened."""
        self._owner.on_event(
            StreamEvent(
                kind=kind,
                state=self.state,
                line=self._number,
                time=time.time_ns(),
                symbols=symbols,
                reason=reason,
                error=error,
            )
        )

    def enter(self, state: StreamState) -> None:
        """Note where the connection is, and tell it if that is new."""
        if state is not self.state:
            self.state = state
            self("state", reason=state.value)
