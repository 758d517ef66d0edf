"""HTTP sessions that are shared: opened by the first who needs one, closed by the last who leaves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rxstreams.resolver import Resolver

if TYPE_CHECKING:
    from rxstreams.sources._http import HttpSession


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """What makes a session; on one event loop those with equal options share one.

    Args:
        owner: the venue's name; no two venues share a session.
        timeout: seconds for connecting, and between two pieces of an answer; three times that for the whole request.
        headers: sent with each request.
        proxy: an HTTP proxy's URL; None: none.
        ssl_context: None: one that verifies the certificate.
        resolver: for host names; None: one of the session's own.
    """

    owner: str
    timeout: float
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str | None = None
    ssl_context: ssl.SSLContext | None = None
    resolver: Resolver | None = None


class SharedSession:
    """A session, as soon as somebody needs it.

    Args:
        options: what makes it.

    Attributes:
        users: how many share it.
    """

    def __init__(self, options: SessionOptions) -> None:
        self.users = 0
        self._options = options
        self._session: HttpSession | None = None

    async def get(self) -> HttpSession:
        """Return the session; it is opened with the first question."""
        if self._session is None:
            # aiohttp is loaded by those who use REST only, and not on the loop, where feeds live: it takes its time.
            session_class = await asyncio.to_thread(_load)
            if self._session is None:  # another one may have been quicker
                self._session = session_class(self._options)
        return self._session

    async def close(self) -> None:
        """Close what was opened."""
        if self._session is not None:
            await self._session.close()


def _load() -> type[HttpSession]:
    from rxstreams.sources._http import HttpSession

    return HttpSession


# Each entry is touched on its loop's thread only, and lives as long as somebody is inside of share_session.
_shared: dict[tuple[asyncio.AbstractEventLoop, SessionOptions], SharedSession] = {}


@asynccontextmanager
async def share_session(options: SessionOptions) -> AsyncGenerator[SharedSession]:
    """Share the session that the running loop has for these options; whoever leaves last closes it.

    Tasks that are cancelled leave it too, so it is closed with the loop at the latest.
    """
    key = (asyncio.get_running_loop(), options)
    shared = _shared.setdefault(key, SharedSession(options))
    shared.users += 1
    try:
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            del _shared[key]
            await shared.close()
