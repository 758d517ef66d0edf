"""What follows when the server says that a call was one too many."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rxstreams.limits._answers import is_rate_limited, retry_after_of, status_of
from rxstreams.limits.config import RateLimitConfig


class Penalty:
    """Knows rate-limit errors, and how long to pause after each.

    Args:
        config: says what else is such an error, and how pauses grow.
        rng: returns floats from 0.0 to below 1.0.
        now: the time, in nanoseconds; whatever begins from now on is new.

    Attributes:
        count: rate-limit errors so far.
    """

    def __init__(self, config: RateLimitConfig, rng: Callable[[], float], now: int) -> None:
        self.count = 0
        self._config = config
        self._rng = rng
        self._backoff = config.backoff.start(rng)
        self._since = now - 1
        self._lock = threading.Lock()

    def concerns(self, error: BaseException) -> bool:
        """Return whether the server refused a call for its rate."""
        judge = self._config.is_rate_limit_error
        return isinstance(error, Exception) and (is_rate_limited(error) or (judge is not None and bool(judge(error))))

    def lateness(self, error: BaseException) -> float:
        """Return the seconds for which the request of a call that failed may still be on its way."""
        return 0.0 if status_of(error) is not None else self._config.unanswered

    def pause(self, error: BaseException, entered: int, now: int) -> float:
        """Count a rate-limit error and return the seconds to pause: Retry-After, else a growing backoff.

        Args:
            error: of the call.
            entered: when the call began. What was on its way when the last pause began belongs to the same incident,
                and does not make it longer by itself: then it is 0.0.
            now: the time.
        """
        asked = retry_after_of(error)
        with self._lock:
            self.count += 1
            if asked is None:
                # The error's class may have an opinion of its own, on connections; this is about calls.
                asked = self._backoff.next_wait(TimeoutError(), verdict=True) if entered > self._since else None
            if asked is not None:
                self._since = now
            return asked or 0.0

    def forgive(self, entered: int) -> None:
        """Let the backoff begin anew: a call that began at that time has succeeded."""
        if self._backoff.attempts:
            with self._lock:
                if entered > self._since:
                    self._backoff = self._config.backoff.start(self._rng)
