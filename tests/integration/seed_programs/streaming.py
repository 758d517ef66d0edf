"""A feed from a server of one's own: log in, subscribe, print every tick, and be found by name.

    python streaming.py ws://host:port/ TICKS

Ends after that many ticks.
"""
# ruff: noqa: T201  # a program of a user's, that prints

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime, timezone
from typing import Any

from rxstreams import (
    PriceTick,
    StreamConfig,
    StreamState,
    WebSocketManager,
    get_websocket_manager,
    register_websocket_manager,
)


class ExampleStream(WebSocketManager):
    """The four methods that say how this server is spoken to."""

    async def _on_connect(self) -> None:
        """Log in; every connection begins with it."""
        await self.ws.send(json.dumps({"op": "auth", "key": "secret"}))

    async def _send_subscribe(self, symbols: list[str]) -> None:
        """Ask for symbols."""
        await self.ws.send(json.dumps({"op": "subscribe", "symbols": symbols}))

    async def _send_unsubscribe(self, symbols: list[str]) -> None:
        """Ask for no more of them."""
        await self.ws.send(json.dumps({"op": "unsubscribe", "symbols": symbols}))

    async def _parse_message(self, data: Any) -> PriceTick | None:
        """Make a tick of a price; anything else is not for us."""
        if "price" not in data:
            return None
        return PriceTick(
            symbol=data["symbol"],
            price=float(data["price"]),
            volume=float(data.get("volume", 0)),
            timestamp=datetime.now(timezone.utc),  # noqa: UP017  # as it was written for the seed
            exchange="example",
        )


async def main(url: str, wanted: int) -> None:
    """Run until all ticks have come."""
    config = StreamConfig(url=url, name="example", reconnect_attempts=-1)
    stream = ExampleStream(config)
    register_websocket_manager("example", stream)

    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    seen: list[PriceTick] = []

    def remember(tick: PriceTick) -> None:
        seen.append(tick)
        if len(seen) == wanted:
            loop.call_soon_threadsafe(enough.set)

    stream.on_tick(lambda tick: print(f"{tick.symbol}: {tick.price}"))
    stream.on_tick(remember)
    await stream.start()
    await stream.subscribe(["BTC/USD", "ETH/USD"])

    found = get_websocket_manager("example")
    print("found by name:", found is stream)
    print("unknown name:", get_websocket_manager("nobody"))

    await asyncio.wait_for(enough.wait(), timeout=30)
    stats = stream.stats
    print(f"connects: {stats.connects}, reconnects: {dict(stats.reconnects)}, ticks: {stats.ticks}")
    print("streaming:", stream.state is StreamState.STREAMING)
    await stream.stop()
    print("state:", stream.state.value)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
