"""History comes in pages: which to ask for, and which of their items are wanted. Pure but for the asking."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.venue import RestPage, RestRequest, Venue
from rxstreams.timeframe import Timeframe

T = TypeVar("T", PriceTick, OHLCCandle)

Ask: TypeAlias = Callable[[RestRequest, Callable[[bytes], RestPage]], Awaitable[RestPage]]
"""Fetches one page: makes the request, and reads the answer's body with the function."""


@dataclass(frozen=True, kw_only=True)
class Pages(Generic[T]):
    """The items of a stretch of history.

    Args:
        request: makes the request for the page at a cursor (None: the first).
        parse: reads the body of its answer.
        time: of an item, nanoseconds.
        identity: what tells an item from others of the same page, since pages may overlap by their edges.
        since: the earliest time wanted.
        until: where to stop, exclusive; None: at the newest.
    """

    request: Callable[[str | None], RestRequest]
    parse: Callable[[bytes, str | None], RestPage]
    time: Callable[[T], int]
    identity: Callable[[T], Hashable]
    since: int
    until: int | None

    async def walk(self, ask: Ask, emit: Callable[[T], object]) -> None:
        """Emit every item once, in order, page after page; memory: O(page)."""
        cursor: str | None = None
        before: Counter[Hashable] = Counter()
        while True:
            page = await self._page(ask, cursor)
            fresh: list[T] = []
            # Twins that nothing tells apart are counted: the second one matches the second one.
            here: Counter[Hashable] = Counter()
            for item in page.items:
                identity = self.identity(item)
                here[identity] += 1
                if here[identity] > before[identity]:
                    fresh.append(item)
            for item in fresh:
                if self.since <= self.time(item) and not self._is_past(item):
                    emit(item)
            before = here
            cursor = page.cursor
            # A page without anything new would be asked for again for ever.
            if cursor is None or not fresh or self._is_past(fresh[-1]):
                return
            # Whoever had enough has cancelled this task, which hears of it here, not in the middle of the next request.
            await asyncio.sleep(0)

    async def _page(self, ask: Ask, cursor: str | None) -> RestPage:
        return await ask(self.request(cursor), lambda body: self.parse(body, cursor))

    def _is_past(self, item: T) -> bool:
        return self.until is not None and self.time(item) >= self.until


def trade_pages(venue: Venue, symbol: str, since: int, until: int | None) -> Pages[PriceTick]:
    """Return the pages of a symbol's past trades."""
    return Pages(
        request=lambda cursor: venue.rest_trades_request(symbol, since, cursor),
        parse=lambda body, cursor: venue.parse_rest_trades(symbol, body, cursor),
        time=lambda tick: tick.timestamp,
        identity=_trade_identity,
        since=since,
        until=until,
    )


def candle_pages(venue: Venue, symbol: str, timeframe: Timeframe, since: int, until: int | None) -> Pages[OHLCCandle]:
    """Return the pages of a venue's own past candles of a symbol."""
    return Pages(
        request=lambda cursor: venue.rest_candles_request(symbol, timeframe, since, cursor),
        parse=lambda body, cursor: venue.parse_rest_candles(symbol, timeframe, body, cursor),
        time=lambda candle: candle.open_time,
        identity=lambda candle: candle.open_time,
        since=since,
        until=until,
    )


def _trade_identity(tick: PriceTick) -> Hashable:
    if tick.trade_id is not None:
        return tick.trade_id
    return tick.timestamp, tick.price, tick.volume, tick.side
