"""Frames that can't be read: logged once a minute, and too many of them are an error."""

from __future__ import annotations

import logging
import time

from rxstreams.errors import MessageError
from rxstreams.instants import MINUTE

logger = logging.getLogger("rxstreams")

_WINDOW = 100
_LEAST = 20  # a share of less would be one frame's


class BadFrames:
    """Counts those of one line.

    Args:
        name: of the line, for the log.
        max_share: of the last hundred frames.

    Attributes:
        frames: all frames so far, counted by the line.
    """

    def __init__(self, name: str, max_share: float) -> None:
        self.frames = 0
        self._name = name
        self._max_share = max_share
        self._numbers: list[int] = []
        self._logged = 0

    def add(self, error: MessageError) -> None:
        """Count the newest frame as a bad one."""
        now = time.time_ns()
        if now - self._logged > MINUTE:
            self._logged = now
            logger.warning("%s: %s (logged once a minute)", self._name, error)
        self._numbers = [number for number in self._numbers if number > self.frames - _WINDOW]
        self._numbers.append(self.frames)

    @property
    def are_too_many(self) -> bool:
        """Whether their share is above the limit."""
        return len(self._numbers) > self._max_share * min(_WINDOW, max(self.frames, _LEAST))

    def clear(self) -> None:
        """Forget those of a connection that is gone."""
        self._numbers.clear()
