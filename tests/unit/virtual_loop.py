"""Limiters in virtual time: an event loop that never sleeps but jumps to the next timer, and a server to call."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from reactivex.scheduler.eventloop import AsyncIOScheduler

from rxstreams.limits import APIRateLimiter, RateLimitConfig

_T = TypeVar("_T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0.0 s; a wait that nothing can end is an error instead of a hang."""

    def __init__(self) -> None:
        self.seconds = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual time."""
        return self.seconds


class _JumpingSelector(selectors.BaseSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._real.select(0)
        if not found and timeout is None:
            raise RuntimeError("everything waits, and nothing is left that could end it")
        if not found and timeout is not None:
            self._loop.seconds += timeout
        return found

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


async def pass_time(seconds: float) -> None:
    """Let virtual time pass; on any other loop it would be a real wait, and is an error."""
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    await asyncio.sleep(seconds)


def run(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine function to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def now() -> float:
    """Return the running loop's time, without the dust of adding floats."""
    return round(asyncio.get_running_loop().time(), 6)


def limiter_here(config: RateLimitConfig | None = None, *, rng: Callable[[], float] = lambda: 0.0) -> APIRateLimiter:
    """Return a limiter that lives in the running loop's time."""
    loop = asyncio.get_running_loop()
    return APIRateLimiter(config, scheduler=AsyncIOScheduler(loop), clock=loop.time, rng=rng)


def one_window(limit: int = 1, period: float = 10.0, **options: Any) -> RateLimitConfig:
    """One window, in which every priority may fill all, unless said otherwise."""
    shares: dict[str, Any] = {"high_share": 1.0, "medium_share": 1.0, "low_share": 1.0}
    return RateLimitConfig(
        max_calls_per_minute=None, max_calls_per_hour=None, windows=[(limit, period)], **(shares | options)
    )


class Server:
    """What is called; it remembers when."""

    def __init__(self, *errors: Exception | None, latency: float = 0.0) -> None:
        self.calls: list[tuple[float, object]] = []
        self._errors = list(errors)
        self._latency = latency

    @property
    def times(self) -> list[float]:
        """When it was called."""
        return [time for time, _ in self.calls]

    async def fetch(self, what: object = "x") -> str:
        self.calls.append((now(), what))
        await asyncio.sleep(self._latency)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        return f"answer {len(self.calls)} to {what}"


class StatusError(Exception):
    """An error of some HTTP library, with the attributes that it has there."""

    def __init__(self, **attributes: object) -> None:
        super().__init__("too many")
        self.__dict__.update(attributes)
