"""Nothing on the user's side blocks the socket: a busy main thread, a blocked main loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken

TRADES = 300
PINGS = 25


async def _serve(pipe: Connection) -> None:
    """Send trades and a ping every 0.2 s to the first client; report how long each pong took."""
    reported = asyncio.get_running_loop().create_future()

    async def session(client: ServerConnection) -> None:
        await client.recv()
        await client.send(
            '{"method":"subscribe","req_id":1,"success":true,"result":{"channel":"trade","symbol":"BTC/USD"},'
            '"time_out":"2025-01-01T00:00:00Z"}'
        )
        pongs: list[float] = []
        for number in range(PINGS):
            for step in range(TRADES // PINGS):
                trade_id = number * (TRADES // PINGS) + step
                await client.send(
                    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1.5,"qty":1.0,'
                    f'"trade_id":{trade_id},"timestamp":"2025-01-01T00:00:{trade_id // 10:02d}Z"}}]}}'
                )
            pongs.append(await (await client.ping()))
            await asyncio.sleep(0.2)
        reported.set_result(pongs)
        await client.wait_closed()

    async with serve(session, "127.0.0.1", 0, ping_interval=None) as server:
        pipe.send(next(iter(server.sockets)).getsockname()[1])
        pipe.send(await reported)


def serve_in_process(pipe: Connection) -> None:
    """Run the server; a process of its own, so that it does not share our interpreter's lock."""
    asyncio.run(_serve(pipe))


@pytest.fixture
def server() -> Iterator[tuple[int, Connection]]:
    """The port of a server in another process, and the pipe on which it reports."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_in_process, args=(theirs,), daemon=True)
    process.start()
    assert ours.poll(30.0)
    yield ours.recv(), ours
    process.terminate()
    process.join(5.0)
    ours.close()
    theirs.close()
    process.close()


def burn() -> None:
    """Keep the interpreter busy in pure Python for 5 s."""
    until = time.monotonic() + 5.0
    number = 0
    while time.monotonic() < until:
        number = (number * 31 + 7) % 1_000_003


def block_a_loop() -> None:
    """Run an event loop on this thread and block it for 5 s."""

    async def block() -> None:
        time.sleep(5.0)  # the point of it

    asyncio.run(block())


@pytest.mark.parametrize("keep_busy", [burn, block_a_loop])
def test_feed_when_the_main_thread_is_busy_then_answers_pings_and_loses_nothing(
    keep_busy: Callable[[], None], server: tuple[int, Connection]
) -> None:
    """A server that pings every 0.2 s gets every pong within 1 s, and every trade arrives."""
    port, pipe = server
    ticks: list[PriceTick] = []
    scheduler = EventLoopThreadScheduler("test-isolation")
    try:
        feed = kraken.trades(["BTC/USD"], url=f"ws://127.0.0.1:{port}", scheduler=scheduler)
        subscription = feed.subscribe(ticks.append)
        keep_busy()
        assert pipe.poll(20.0)
        pongs: Any = pipe.recv()
        deadline = time.monotonic() + 5.0
        while len(ticks) < TRADES and time.monotonic() < deadline:
            time.sleep(0.01)
        subscription.dispose()
    finally:
        scheduler.dispose()
    assert [tick.trade_id for tick in ticks] == list(range(TRADES))
    assert len(pongs) == PINGS
    assert max(pongs) < 1.0
