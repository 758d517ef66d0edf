"""``RestClient``: a venue's history over REST, within its limits, retried by the classes of errors."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import cached_property
from typing import TypeVar, cast

from reactivex import Observable, abc

from rxstreams._retry_after import parse_date
from rxstreams.config import StreamConfig
from rxstreams.errors import ConnectError, MessageError, QuotaExceeded, RateLimited
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig, create_rate_limiter, get_rate_limiter
from rxstreams.limits.priority import checked_count, checked_priority
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._pages import Pages, candle_pages, trade_pages
from rxstreams.sources._sessions import SessionOptions, SharedSession, share_session
from rxstreams.sources.venue import RestRequest, Venue
from rxstreams.timeframe import Timeframe

T = TypeVar("T", PriceTick, OHLCCandle)
Answer = TypeVar("Answer")
logger = logging.getLogger("rxstreams")

ATTEMPTS = 5
"""How often a page is asked for before its error ends the fetch."""


class RestClient:
    """Asks a venue for its past.

    It is cheap to make: the connections are shared by all who fetch from the venue on one loop with the same options,
    and the limiter by all of the process who talk to the same address. Connections live as long as somebody fetches or
    holds them, no longer.

    A page that fails is asked for again, as the class of its error says (``rxstreams.errors``) and after the waits of
    ``config.backoff``. An answer that says "too many requests" freezes the limiter, for all, and the page is asked for
    again when that is over. A page's items are emitted when all of it has come, so none is emitted twice.

    Nothing waits for ever: connecting and each piece of an answer may take ``config.connect_timeout``, a request three
    times that, and a turn in the limiter ``config.backoff.max_retry_after``.

    Args:
        venue: knows the address, what it allows, and how it writes.
        config: ``rest_url``, ``rest_limiter``, ``backoff``, ``connect_timeout``, ``max_message_bytes``, ``headers``,
            ``proxy``, ``ssl_context`` and ``resolver`` of it.
        scheduler: where to work, and where items come.
        rng: returns floats from 0.0 to below 1.0, for the jitter of the backoff.

    Memory: O(page) for each fetch.
    """

    def __init__(
        self,
        venue: Venue,
        config: StreamConfig,
        scheduler: EventLoopThreadScheduler,
        *,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._venue = venue
        self._config = config
        self._scheduler = scheduler
        self._rng = rng
        self._base = (config.rest_url or venue.rest_url).rstrip("/")
        self._options = SessionOptions(
            owner=venue.name,
            timeout=config.connect_timeout,
            headers=cast("tuple[tuple[str, str], ...]", config.headers),  # what the config makes of a mapping too
            proxy=config.proxy,
            ssl_context=config.ssl_context,
            resolver=config.resolver,
        )

    @cached_property
    def limiter(self) -> APIRateLimiter:
        """What every request goes through: the config's, else the one of this process for the venue's address.

        The latter has the venue's ``rest_limits`` and the name "VENUE ADDRESS"; whoever makes a limiter of that name
        before (``create_rate_limiter``) decides what it allows.
        """
        if self._config.rest_limiter is not None:
            return self._config.rest_limiter
        name = f"{self._venue.name} {self._base}"
        return get_rate_limiter(name) or create_rate_limiter(
            name,
            RateLimitConfig(max_calls_per_minute=None, max_calls_per_hour=None, windows=self._venue.rest_limits),
        )

    def hold(self) -> abc.DisposableBase:
        """Keep connections open between fetches until what this returns is disposed; opens none. From any thread.

        Raises:
            DisposedException: the scheduler was disposed.
        """

        async def hold() -> None:
            async with share_session(self._options):
                await asyncio.get_running_loop().create_future()

        return self._scheduler.spawn(hold)

    def trades(
        self,
        symbol: str,
        since: int,
        until: int | None = None,
        *,
        priority: APIPriority = APIPriority.MEDIUM,
        attempts: int = ATTEMPTS,
    ) -> Observable[PriceTick]:
        """Return the past trades of a symbol, oldest first: a cold Observable.

        Args:
            symbol: ``BASE/QUOTE``.
            since: the first trade's earliest time, nanoseconds.
            until: where to stop, exclusive; None: at the newest trade.
            priority: of each page, in the limiter.
            attempts: how often a page is asked for at most.

        Emits:
            ``PriceTick`` with ``span`` and ``since`` 0, each once. Completes after the last page, when the connection
            is closed or given back.

        Errors:
            StreamError: of the class that says what failed; what was emitted before stays good.
            HistoryTooShort: the venue's trades begin later; all that it has came before.
            QuotaExceeded: the limiter had no place within ``max_retry_after``.

        Raises:
            TypeError, ValueError: an option is wrong.

        Memory: O(page); O(trades) where the venue's pages lead from the newest trade backwards.
        """
        return self._fetch(trade_pages(self._venue, symbol, since, until), symbol, priority, attempts)

    def candles(
        self,
        symbol: str,
        timeframe: Timeframe,
        since: int,
        until: int | None = None,
        *,
        priority: APIPriority = APIPriority.MEDIUM,
        attempts: int = ATTEMPTS,
        on_time: Callable[[int], object] | None = None,
    ) -> Observable[OHLCCandle]:
        """Return the venue's own past candles of a symbol, oldest first: a cold Observable.

        Args:
            symbol: ``BASE/QUOTE``.
            timeframe: one that the venue has.
            since: the first candle's earliest open time, nanoseconds.
            until: where to stop, exclusive; None: at the newest, which is not closed.
            priority: of each page, in the limiter.
            attempts: how often a page is asked for at most.
            on_time: called with the server's time of each page that says it, nanoseconds, before its candles come.

        Emits:
            ``OHLCCandle``; closed ones are complete. Completes, errors and raises as ``trades``.
        """
        seconds = self._venue.settle if self._config.settle is None else self._config.settle
        pages = candle_pages(
            self._venue, symbol, timeframe, since, until, settle=int(seconds * SECOND), on_time=on_time
        )
        return self._fetch(pages, symbol, priority, attempts)

    def symbols(
        self, request: RestRequest, *, priority: APIPriority = APIPriority.MEDIUM, attempts: int = ATTEMPTS
    ) -> Observable[frozenset[str]]:
        """Return the venue's spelling of all its symbols, once: a cold Observable.

        Args:
            request: the venue's ``symbols_request``.
            priority: in the limiter.
            attempts: how often it is asked at most.

        Errors:
            StreamError, QuotaExceeded: as ``trades``.
        """

        async def ask(shared: SharedSession, emit: Callable[[frozenset[str]], object]) -> None:
            emit(await self._ask(shared, request, lambda body, _: self._venue.parse_symbols(body), priority, attempts))

        return self._observable(ask)

    def _fetch(self, pages: Pages[T], symbol: str, priority: APIPriority, attempts: int) -> Observable[T]:
        checked_priority(priority)
        checked_count("attempts", attempts)

        async def walk(shared: SharedSession, emit: Callable[[T], object]) -> None:
            await pages.walk(
                lambda request, parse: self._ask(shared, request, parse, priority, attempts, symbol=symbol), emit
            )

        return self._observable(walk)

    def _observable(
        self, work: Callable[[SharedSession, Callable[[Answer], object]], Awaitable[None]]
    ) -> Observable[Answer]:
        def subscribe(
            observer: abc.ObserverBase[Answer], scheduler_: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            del scheduler_  # requests live on the client's loop

            def emit(item: Answer) -> None:
                try:
                    observer.on_next(item)
                except Exception as error:
                    # reactivex has disposed it, and hears no more: without this line nobody would.
                    logger.error("an observer of %s raised; its subscription has ended", self._base, exc_info=error)
                    raise

            async def fetch() -> None:
                try:
                    async with share_session(self._options) as shared:
                        await work(shared, emit)
                except Exception as error:  # a bug too: whoever waits for the end must hear of it
                    observer.on_error(error)
                except asyncio.CancelledError:
                    # Disposed, then nobody listens; or the loop is being closed, and what came is not all there is.
                    observer.on_error(ConnectError(f"{self._base} was not asked to the end: its event loop was closed"))
                    raise
                else:
                    observer.on_completed()

            return self._scheduler.spawn(fetch)

        return Observable(subscribe)

    async def _ask(
        self,
        shared: SharedSession,
        request: RestRequest,
        parse: Callable[[bytes, int | None], Answer],
        priority: APIPriority,
        attempts: int,
        *,
        symbol: str = "",
    ) -> Answer:
        """Return an answer, asked for until it comes."""
        policy = self._config.backoff
        limit = attempts - 1 if policy.max_attempts is None else min(attempts - 1, policy.max_attempts)
        backoff = replace(policy, max_attempts=limit).start(self._rng)
        while True:
            try:
                return await self._ask_once(shared, request, parse, priority, symbol)
            except Exception as error:
                wait = backoff.next_wait(error)
                if wait is None:
                    raise
                # Then the limiter is frozen for as long as the server wants, and all others wait as well.
                limited = isinstance(error, RateLimited)
            if not limited:
                await asyncio.sleep(wait)

    async def _ask_once(
        self,
        shared: SharedSession,
        request: RestRequest,
        parse: Callable[[bytes, int | None], Answer],
        priority: APIPriority,
        symbol: str,
    ) -> Answer:
        patience = self._config.backoff.max_retry_after
        turn = self.limiter.acquire(priority=priority, weight=self._venue.rest_weight(request))
        async with AsyncExitStack() as place:
            try:
                async with asyncio.timeout(patience):
                    await place.enter_async_context(turn)
            except TimeoutError as error:
                raise QuotaExceeded(f"{self._base}: no turn in the limiter within {patience:g} s") from error
            session = await shared.get()
            answered: int | None = None

            def on_headers(headers: Mapping[str, str]) -> None:
                nonlocal answered
                self._observe(headers)
                answered = parse_date(headers.get("Date"))

            body = await session.ask(
                self._base,
                request,
                max_bytes=self._config.max_message_bytes,
                on_headers=on_headers,
                explain=lambda status, body: self._explain(symbol, status, body),
            )
            # Inside: some venues say "too many requests" in the body, and that has to freeze the limiter.
            return parse(body, answered)

    def _explain(self, symbol: str, status: int, body: bytes) -> Exception | None:
        """Return what the venue says about a refusal."""
        try:
            return self._venue.explain_refusal(symbol, status, body)
        except MessageError:
            return None  # not in the venue's own words: a proxy's or a firewall's page

    def _observe(self, headers: Mapping[str, str]) -> None:
        """Tell the limiter what the server has counted."""
        used = self._venue.used_weight(headers)
        if used:
            periods = {period for _, period in self.limiter.config.limits}
            for period, weight in used.items():
                if period in periods:
                    self.limiter.observe(weight, period)
