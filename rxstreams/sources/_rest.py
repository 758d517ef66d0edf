"""Fetches pages over REST as a cold Observable, on the scheduler's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from reactivex import Observable, abc

from rxstreams.config import StreamConfig
from rxstreams.errors import ConnectError, MessageError
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._classify import classify_handshake, classify_rest_status
from rxstreams.sources.venue import RestPage, RestRequest, Venue

T = TypeVar("T")


def fetch_pages(
    venue: Venue,
    config: StreamConfig,
    scheduler: EventLoopThreadScheduler,
    *,
    request: Callable[[str | None], RestRequest],
    parse: Callable[[bytes, str | None], RestPage],
    key: Callable[[T], object],
    keep: Callable[[T], bool],
    done: Callable[[T], bool],
) -> Observable[T]:
    """Return a cold Observable of the items of all pages, in order, each once.

    Args:
        venue: knows the address and how often it may be asked.
        config: ``rest_url``, ``headers``, ``proxy``, ``ssl_context`` and ``connect_timeout`` (for each phase).
        scheduler: where to work.
        request: makes the request of the page at a cursor (None: the first).
        parse: reads an answer.
        key: identifies an item, since pages may overlap by their edges.
        keep: whether an item is wanted.
        done: whether an item lies past the end, so that no further page is needed.

    Errors:
        StreamError: of the class that says what failed; what was emitted before stays good.
    """
    base = (config.rest_url or venue.rest_url).rstrip("/")

    def subscribe(observer: abc.ObserverBase[T], scheduler_: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        del scheduler_  # requests live on the venue's loop

        async def fetch() -> None:
            try:
                await fetch_all()
            except Exception as error:  # a bug too: whoever waits for the end must hear of it
                observer.on_error(classify_handshake(error, base))
            except asyncio.CancelledError:
                # Disposed, then nobody listens; or the loop is being closed, and what came is not all there is.
                observer.on_error(ConnectError(f"{base} was not asked to the end: its event loop was closed"))
                raise
            else:
                observer.on_completed()

        async def fetch_all() -> None:
            import aiohttp  # loaded by those who use REST only

            timeout = aiohttp.ClientTimeout(
                total=None, connect=config.connect_timeout, sock_read=config.connect_timeout
            )
            connector = aiohttp.TCPConnector(ssl=config.ssl_context or True)
            headers = config.headers
            try:
                async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
                    await emit_pages(session)
            except aiohttp.ClientError as error:
                raise classify_handshake(_unwrap(error), base) from error

        async def emit_pages(session: Any) -> None:
            cursor: str | None = None
            seen: set[object] = set()
            while True:
                page = parse(await get(session, request(cursor)), cursor)
                fresh = [item for item in page.items if key(item) not in seen]
                for item in fresh:
                    if keep(item):
                        observer.on_next(item)
                seen = {key(item) for item in page.items}
                cursor = page.cursor
                # A page without anything new would be asked for again for ever.
                if cursor is None or not fresh or done(fresh[-1]):
                    return
                await asyncio.sleep(venue.rest_interval)

        async def get(session: Any, wanted: RestRequest) -> bytes:
            async with session.get(
                base + wanted.path, params=wanted.query, allow_redirects=False, proxy=config.proxy
            ) as answer:
                body: bytes = await read_bounded(answer)
                refused = classify_rest_status(
                    answer.status, answer.headers.get("Retry-After"), f"{venue.name} {wanted.path}"
                )
                if refused is not None:
                    raise refused
                return body

        async def read_bounded(answer: Any) -> bytes:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > config.max_message_bytes:
                    raise MessageError(
                        f"expected an answer of at most {config.max_message_bytes:,} bytes", payload=bytes(body[:200])
                    )
            return bytes(body)

        return scheduler.spawn(fetch)

    return Observable(subscribe)


def _unwrap(error: Exception) -> Exception:
    """Return what the system said, which aiohttp has wrapped; an OSError if it was not the system."""
    inner = getattr(error, "os_error", None)
    if isinstance(inner, OSError):
        return inner
    return error if isinstance(error, TimeoutError) else OSError(str(error))
