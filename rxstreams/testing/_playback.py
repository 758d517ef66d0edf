"""The market's hands: publishes the trades of a source when they are due, and gives the signs of life between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from rxstreams.items import PriceTick
from rxstreams.testing._clock import Clock
from rxstreams.testing._engine import Engine
from rxstreams.testing._wire import text_frame

_PACK_WITHIN = 10_000_000  # ns
_ROUND = 64  # messages between two looks at the sockets
_PULSE = 0.01  # seconds


class Playback:
    """Play trades into an engine.

    Args:
        engine: where they are published.
        source: trades in the order of publication.
        paced: whether the exchange's clock runs by itself; if not, trades go out as fast as the clients read.
        wait_for: symbols that somebody must have subscribed before it begins.
        absence: without a clock: ns of exchange time that pass while fewer symbols are subscribed; None: no limit.
        batch: trades in one message at most.
        heartbeat: wall seconds between signs of life on a line without anything else; 0: none.
    """

    def __init__(
        self,
        engine: Engine,
        source: Iterator[PriceTick],
        *,
        paced: bool,
        wait_for: int,
        absence: int | None,
        batch: int,
        heartbeat: float,
    ) -> None:
        self.finished = False
        self._engine = engine
        self._clock: Clock = engine.clock
        self._source = source
        self._paced = paced
        self._wait_for = wait_for
        self._absence = absence
        self._batch = batch
        self._heartbeat = heartbeat
        self._next: PriceTick | None = next(source, None)
        self._moved = asyncio.Event()
        engine.catch_up = self.catch_up

    def catch_up(self) -> None:
        """Publish everything that is stamped up to now, and the ends of candles after it."""
        now = self._clock.now()
        while self._next is not None and self._next.timestamp <= now:
            self._publish_next(now)
            now = self._clock.now()
        self._engine.end_candles(now)

    def clock_moved(self) -> None:
        """Publish what a jump of the clock has made due."""
        self.catch_up()
        self._moved.set()

    async def run(self) -> None:
        """Play to the end."""
        self.catch_up()
        while self._engine.listened_symbols() < self._wait_for:
            await self._wait_for_subscriber()
        self._clock.start()
        await (self._run_paced() if self._paced else self._run_fast())
        for session in self._engine.sessions.copy():
            session.send_held()
        self.finished = True

    async def _run_paced(self) -> None:
        published = 0
        while self._next is not None:
            now = self._clock.now()
            if self._next.timestamp > now:
                wait = self._clock.wait_for(self._next.timestamp)
                self._moved.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._moved.wait(), wait)
                continue
            self._publish_next(now)
            published += 1
            if published % _ROUND == 0:
                await asyncio.sleep(0)

    async def _run_fast(self) -> None:
        engine = self._engine
        published = 0
        alone_until: int | None = None
        while self._next is not None:
            if engine.listened_symbols() >= self._wait_for:
                alone_until = None
            elif self._absence is not None:
                alone_until = self._clock.now() + self._absence if alone_until is None else alone_until
                if self._next.timestamp > alone_until:
                    self._clock.reach(alone_until)
                    await self._wait_for_subscriber()
                    continue
            self._publish_next()
            published += 1
            if published % _ROUND == 0:
                await asyncio.sleep(0)
                for session in engine.sessions.copy():
                    await session.drain()

    async def _wait_for_subscriber(self) -> None:
        self._engine.changed.clear()
        await self._engine.changed.wait()

    def _publish_next(self, until: int | None = None) -> None:
        """Publish the next trade, with those after it that share its message; none that is stamped after ``until``."""
        first = self._next
        assert first is not None
        run = [first]
        latest = first.timestamp + _PACK_WITHIN
        if until is not None:
            latest = min(latest, until)
        self._next = next(self._source, None)
        while (
            self._next is not None
            and len(run) < self._batch
            and self._next.symbol == first.symbol
            and first.timestamp <= self._next.timestamp <= latest
        ):
            run.append(self._next)
            self._next = next(self._source, None)
        self._engine.publish(run)

    async def pulse(self) -> None:
        """Give signs of life and let the faults strike that go by a clock, for ever."""
        loop = asyncio.get_running_loop()
        message = self._engine.format.heartbeat()
        frame = None if message is None or not self._heartbeat else text_frame(message)
        due = loop.time() + self._heartbeat
        while True:
            await asyncio.sleep(_PULSE)
            self._engine.note_time()
            if self._paced:
                self.catch_up()  # also for candles that end while nothing is traded
            for session in self._engine.sessions.copy():
                session.strike()
            if frame is not None and loop.time() >= due:
                due = loop.time() + self._heartbeat
                for session in self._engine.sessions.copy():
                    if session.record.symbols:
                        session.send_heartbeat(frame)
