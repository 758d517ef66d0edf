"""One HTTP session: requests with bounded time and size, and errors of our own tree. Imports aiohttp."""

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
from rxstreams.sources.venue import RestRequest

# To connect, to the head of the answer, for its body: each within a timeout, so all within three.
_PHASES = 3
_JSON = {"Content-Type": "application/json"}
_CLIENT_ERROR = 400  # below stand the redirects
_SAYS_ALL = frozenset({408, 418, 425, 429, 503})  # come back later, whatever the body says
# Of a refusal's body: what is read, and what is shown of it.
_REFUSAL_BYTES = 64 * 2**10
_EXCERPT = 200
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
        self._timeout = options.timeout
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

    async def ask(
        self,
        base: str,
        request: RestRequest,
        *,
        max_bytes: int,
        on_headers: Callable[[Mapping[str, str]], object],
        explain: Callable[[int, bytes], Exception | None],
    ) -> bytes:
        """Return the body of an answer.

        Args:
            base: scheme, host and what stands before each path. Nobody else is talked to: redirects are refused.
            request: what is asked for.
            max_bytes: a longer body (unpacked) is an error.
            on_headers: called with the answer's, whatever its status; names in any case.
            explain: called with the status and the beginning of the body of an answer of 4xx or 5xx that its status
                alone does not explain; returns what it means, or None: what the status says.

        Raises:
            StreamError: of the class that says what failed.
        """
        url = base + request.path
        try:
            async with self._session.request(
                "GET" if request.body is None else "POST",
                url,
                params=request.query,
                data=request.body,
                headers=None if request.body is None else _JSON,
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                on_headers(answer.headers)
                refused = classify_rest_status(answer.status, answer.headers.get("Retry-After"), url)
                if refused is None:
                    return await _read(answer, max_bytes)
                if answer.status < _CLIENT_ERROR or answer.status in _SAYS_ALL:
                    raise refused  # its body is not waited for
                body = await _read_refusal(answer, self._timeout)
                explained = explain(answer.status, body)
                if explained is not None:
                    raise explained
                raise Refused(f"{refused}{_excerpt(body)}") if isinstance(refused, Refused) else refused
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


async def _read_refusal(answer: aiohttp.ClientResponse, timeout: float) -> bytes:
    """Return the beginning of a body, or as much of it as comes in time: the status has said already what matters."""
    body = bytearray()
    with suppress(aiohttp.ClientError, OSError):  # a TimeoutError is one
        async with asyncio.timeout(timeout):
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) >= _REFUSAL_BYTES:
                    break
    return bytes(body[:_REFUSAL_BYTES])


def _excerpt(body: bytes) -> str:
    """Return how a body goes on with a message."""
    text = " ".join(body[: 4 * _EXCERPT].decode("utf-8", "backslashreplace").split())
    if not text:
        return ""
    shown = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
    return f" with an HTML page: {shown}" if text.startswith("<") else f": {shown}"


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
