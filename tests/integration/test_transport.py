"""Messages that come in pieces, from a server of another make than FakeExchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

from websockets.asyncio.server import ServerConnection, serve

from rxstreams.items import PriceTick
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import kraken

ACKNOWLEDGED = (
    '{"method":"subscribe","req_id":1,"success":true,"result":{"channel":"trade","symbol":"BTC/USD"},'
    '"time_out":"2025-01-01T00:00:00Z"}'
)


def trade(trade_id: int) -> str:
    """Return a message with one trade."""
    return (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1.5,"qty":1.0,'
        f'"trade_id":{trade_id},"timestamp":"2025-01-01T00:00:01Z"}}]}}'
    )


def test_message_when_the_server_sends_it_in_fragments_then_it_comes_whole_and_in_order() -> None:
    """Empty pieces, a ping between the pieces, and whole messages before and after."""
    scheduler = EventLoopThreadScheduler("test-transport")
    ticks: list[PriceTick] = []
    arrived = threading.Event()

    def take(tick: PriceTick) -> None:
        ticks.append(tick)
        if len(ticks) == 3:
            arrived.set()

    async def session(client: ServerConnection) -> None:
        await client.recv()
        await client.send(ACKNOWLEDGED)
        await client.send(trade(0))

        async def pieces() -> AsyncGenerator[str]:
            text = trade(1)
            for piece in ("", text[:1], text[1:50]):
                yield piece
            await (await client.ping())
            for piece in (text[50:], ""):
                yield piece

        await client.send(pieces())
        await client.send(trade(2))
        await client.wait_closed()

    async def run() -> None:
        async with serve(session, "127.0.0.1", 0, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            feed = kraken.trades(["BTC/USD"], url=f"ws://127.0.0.1:{port}", scheduler=scheduler)
            subscription = feed.subscribe(take)
            assert await asyncio.to_thread(arrived.wait, 10.0)
            assert feed.stats.parse_errors == 0
            subscription.dispose()

    try:
        asyncio.run(run())
    finally:
        scheduler.dispose()
    assert [tick.trade_id for tick in ticks] == [0, 1, 2]
