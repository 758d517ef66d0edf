"""History in pages: which to ask for, and which of their items are wanted. Pure but for the asking."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from msgspec.structs import replace

from rxstreams.errors import HistoryTooShort, MessageError
from rxstreams.instants import format_instant
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources.venue import RestPage, RestRequest, Venue
from rxstreams.timeframe import Timeframe

T = TypeVar("T", PriceTick, OHLCCandle)

Ask: TypeAlias = Callable[[RestRequest, Callable[[bytes, int | None], RestPage]], Awaitable[RestPage]]
"""Fetches one page: makes the request, and reads the answer with the function, from its body and the server's time."""


@dataclass(frozen=True, kw_only=True)
class Pages(Generic[T]):
    """The items of a stretch of history.

    Args:
        what: is asked for, in words.
        request: makes the request for the page at a cursor (None: the first).
        parse: reads the body of its answer, from the cursor and the server's time of it, nanoseconds; None: it does not
            say.
        time: of an item, nanoseconds.
        identity: what tells an item from others of the same page, since pages may overlap by their edges.
        since: the earliest time wanted.
        until: where to stop, exclusive; None: at the newest.
    """

    what: str
    request: Callable[[str | None], RestRequest]
    parse: Callable[[bytes, str | None, int | None], RestPage]
    time: Callable[[T], int]
    identity: Callable[[T], Hashable]
    since: int
    until: int | None

    async def walk(self, ask: Ask, emit: Callable[[T], object]) -> None:
        """Emit every item once, in order, page after page.

        It goes on as long as a page leads to another one, an empty page too: there are hours without trades. It ends
        where the items are past ``until``, or, of pages that lead backwards, before ``since``. Those are emitted when
        all have come.

        Raises:
            HistoryTooShort: the venue has nothing as old as ``since`` and says that it may have left out what is older,
                or its pages lead backwards and then in a circle; raised when all that it has was emitted.
            MessageError: a page leads to one that was asked for already, so what is newer can't be reached: more items
                of one instant than a page holds, or a mistake of the venue's.

        Memory: O(page), and one cursor a page; O(items) where pages lead backwards.
        """
        cursor: str | None = None
        asked: set[str | None] = set()
        edge: Counter[Hashable] = Counter()  # of the page before
        newer: list[list[T]] = []  # pages that lead backwards, the newest first
        backwards = truncated = circles = False
        oldest: int | None = None
        while True:
            request = self.request(cursor)
            page = await ask(request, self._reader(cursor if request.cursor is None else request.cursor))
            asked.add(cursor)
            backwards = backwards or page.backwards
            truncated = truncated or page.truncated
            items: list[T] = list(page.items)
            wanted, edge = self._choose(items, edge)
            if backwards:
                newer.append(wanted)
            else:
                _emit_all(wanted, emit)
            if items:
                first = self.time(items[0])
                oldest = first if oldest is None else min(oldest, first)
            cursor = page.cursor
            if cursor is None or self._has_passed(items, backwards=backwards):
                break
            if cursor in asked:
                circles = True
                break
            # Whoever had enough has cancelled this task, which hears of it here, not in the middle of the next request.
            await asyncio.sleep(0)
        for wanted in reversed(newer):
            _emit_all(wanted, emit)
        asked_for = f"{self.what} were wanted from {format_instant(self.since)} on"
        if circles and not backwards:
            raise MessageError(f"{asked_for}; the page at {cursor!r} came, and was named as the next one again")
        if circles or (truncated and (oldest is None or oldest > self.since)):
            begins = "it has none" if oldest is None else f"its own begin at {format_instant(oldest)}"
            raise HistoryTooShort(f"{asked_for}, {begins}")

    def _reader(self, cursor: str | None) -> Callable[[bytes, int | None], RestPage]:
        def read(body: bytes, answered: int | None) -> RestPage:
            page = self.parse(body, cursor, answered)
            now = time.time_ns() if answered is None else answered
            return replace(page, truncated=True) if page.reach and self.since < now - page.reach else page

        return read

    def _choose(self, items: Iterable[T], edge: Counter[Hashable]) -> tuple[list[T], Counter[Hashable]]:
        """Return which items of a page are wanted and were not on the one before, and what the next one may repeat.

        Twins that nothing tells apart are counted: the second one matches the second one.
        """
        wanted: list[T] = []
        here: Counter[Hashable] = Counter()
        for item in items:
            identity = self.identity(item)
            here[identity] += 1
            if here[identity] > edge[identity] and self.since <= self.time(item) and not self._is_past(item):
                wanted.append(item)
        return wanted, here or edge  # an empty page stands between two that may overlap

    def _has_passed(self, items: list[T], *, backwards: bool) -> bool:
        """Return whether what follows a page's items lies outside of what is wanted."""
        if not items:
            return False
        return self.time(items[0]) < self.since if backwards else self._is_past(items[-1])

    def _is_past(self, item: T) -> bool:
        return self.until is not None and self.time(item) >= self.until


def _emit_all(items: Iterable[T], emit: Callable[[T], object]) -> None:
    for item in items:
        emit(item)


def trade_pages(venue: Venue, symbol: str, since: int, until: int | None) -> Pages[PriceTick]:
    """Return the pages of a symbol's past trades."""
    return Pages(
        what=f"{venue.name}'s trades of {symbol}",
        request=lambda cursor: venue.rest_trades_request(symbol, since, until, cursor),
        parse=lambda body, cursor, _: venue.parse_rest_trades(symbol, body, cursor),
        time=lambda tick: tick.timestamp,
        identity=_trade_identity,
        since=since,
        until=until,
    )


def candle_pages(
    venue: Venue,
    symbol: str,
    timeframe: Timeframe,
    since: int,
    until: int | None,
    *,
    settle: int,
    on_time: Callable[[int], object] | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Pages[OHLCCandle]:
    """Return the pages of a venue's own past candles of a symbol.

    Where the venue does not say which candles are closed, those are whose end had passed by ``settle`` nanoseconds when
    it answered: before that trades may be missing from them. If the answer does not say when that was, it was not
    before its newest candle began, nor before the last interval by our clock, if that is not ahead by a whole one.

    Args:
        venue: what is asked.
        symbol: ``BASE/QUOTE``.
        timeframe: of the candles.
        since: the earliest open time wanted.
        until: where to stop, exclusive; None: at the newest.
        settle: nanoseconds after which the venue's REST API knows every trade.
        on_time: called with the server's time of each answer that says it, nanoseconds, before its candles are emitted.
        clock: our time, nanoseconds.
    """

    def parse(body: bytes, cursor: str | None, answered: int | None) -> RestPage:
        page = venue.parse_rest_candles(symbol, timeframe, body, cursor)
        if not venue.rest_closes_candles:
            at = earliest_time(page.items) if answered is None else answered
            items = [_open_if(candle, candle.close_time + settle > at) for candle in page.items]
            page = replace(page, items=items)
        if on_time is not None and answered is not None:
            on_time(answered)
        return page

    def earliest_time(candles: Iterable[OHLCCandle]) -> int:
        last_by_our_clock = timeframe.previous(timeframe.floor(clock()))
        return max([last_by_our_clock, *(candle.open_time for candle in candles)])

    return Pages(
        what=f"{venue.name}'s {timeframe} candles of {symbol}",
        request=lambda cursor: venue.rest_candles_request(symbol, timeframe, since, until, cursor),
        parse=parse,
        time=lambda candle: candle.open_time,
        identity=lambda candle: candle.open_time,
        since=since,
        until=until,
    )


def _open_if(candle: OHLCCandle, is_running: bool) -> OHLCCandle:
    return replace(candle, closed=False, complete=False) if is_running else candle


def _trade_identity(tick: PriceTick) -> Hashable:
    if tick.trade_id is not None:
        return tick.trade_id
    return tick.timestamp, tick.price, tick.volume, tick.side
