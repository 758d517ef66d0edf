"""One HTTP session: GET requests with bounded time and size, and errors of our own tree. Imports aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import AF_UNSPEC, AddressFamily
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from rxstreams.errors import ConnectError, ConnectionLost, MessageError, Refused, StreamError
from rxstreams.resolver import Resolver
from rxstreams.sources._classify import classify_handshake, classify_rest_status
from rxstreams.sources._sessions import SessionOptions

# To connect, to the head of the answer, for its body: each within a timeout, so all within three.
_PHASES = 3
# What is cut off anyway gets no longer than this for its farewell.
_CLOSING = 1.0


class HttpSession:
    """Connections that are kept open and used again; made and used on one event loop.

    Args:
        options: what makes it.

    Raises:
        Refused: the proxy is none that aiohttp can talk to.
    """

    def __init__(self, options: SessionOptions) -> None:
        if options.proxy is not None and urlsplit(options.proxy).scheme not in ("http", "https"):
            # Going there without it would show the very address that the proxy hides.
            raise Refused(f"REST takes an http:// proxy, got one for {urlsplit(options.proxy).scheme}://")
        self._proxy = options.proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=options.ssl_context or True,
                resolver=_KnownNames(options.resolver or Resolver()),
                use_dns_cache=False,  # the resolver has one
            ),
            timeout=aiohttp.ClientTimeout(
                total=_PHASES * options.timeout, sock_connect=options.timeout, sock_read=options.timeout
            ),
            headers=options.headers,
            cookie_jar=aiohttp.DummyCookieJar(),  # those who share a session share no cookies
        )

    async def get(
        self,
        base: str,
        path: str,
        query: Mapping[str, str],
        *,
        max_bytes: int,
        on_headers: Callable[[Mapping[str, str]], object],
    ) -> bytes:
        """Return the body of an answer.

        Args:
            base: scheme, host and what stands before each path. Nobody else is talked to: redirects are refused.
            path: begins with a slash.
            query: not quoted yet.
            max_bytes: a longer body (unpacked) is an error.
            on_headers: called with the answer's, whatever its status; names in any case.

        Raises:
            StreamError: of the class that says what failed.
        """
        try:
            async with self._session.get(base + path, params=query, allow_redirects=False, proxy=self._proxy) as answer:
                on_headers(answer.headers)
                refused = classify_rest_status(answer.status, answer.headers.get("Retry-After"), base + path)
                if refused is not None:
                    raise refused  # its body is not waited for
                return await _read(answer, max_bytes)
        except aiohttp.ClientError as error:
            raise _classify(error, base) from error
        except OSError as error:  # a TimeoutError is one
            raise classify_handshake(error, base) from error

    async def close(self) -> None:
        """Close all connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._session.close()


class _KnownNames(AbstractResolver):
    """Our resolver, as aiohttp wants it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each.sockaddr[0], port=port, family=each.family, proto=0, flags=0)
            for each in await self._resolver.resolve(host, port)
            if family in (AF_UNSPEC, each.family)
        ]

    async def close(self) -> None:
        """Nothing: it may be somebody else's."""


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            raise MessageError(f"expected an answer of at most {max_bytes:,} bytes", payload=bytes(body[:200]))
    return bytes(body)


def _classify(error: aiohttp.ClientError, base: str) -> Exception:
    """Return the error of the tree for what aiohttp says."""
    if isinstance(error, TimeoutError):
        return classify_handshake(error, base)
    if isinstance(error, aiohttp.ClientConnectorError):  # to a proxy too; its certificate's error is one
        return classify_handshake(error.os_error, base)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectError(f"the proxy to {base} answered HTTP {error.status}")
    result: type[StreamError] = ConnectError if isinstance(error, aiohttp.ClientResponseError) else ConnectionLost
    return result(f"{base} gave no whole answer: {error}")
