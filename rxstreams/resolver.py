"""``Resolver``: host names resolved ahead of the connection, remembered, and still known when DNS is not."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

from rxstreams._durations import to_seconds
from rxstreams._getaddrinfo import GetAddrInfo, SockAddr
from rxstreams.errors import ResolveError

AddrInfo: TypeAlias = tuple[int, int, int, str, SockAddr]

_log = logging.getLogger("rxstreams.resolver")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to.

    Args:
        family: ``socket.AF_INET`` or ``socket.AF_INET6``.
        sockaddr: what ``socket.connect`` takes: (host, port), for IPv6 with flow label and scope.
    """

    family: int
    sockaddr: SockAddr

    @classmethod
    def of(cls, ip: str, port: int) -> Address:
        """Return the address of an IP literal.

        Raises:
            ValueError: it is none.
        """
        if ipaddress.ip_address(ip).version == 6:
            return cls(socket.AF_INET6, (ip, port, 0, 0))
        return cls(socket.AF_INET, (ip, port))

    @property
    def addr_info(self) -> AddrInfo:
        """The address as ``getaddrinfo`` writes it and ``aiohappyeyeballs.start_connection`` takes it."""
        return (self.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", self.sockaddr)


Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address | str]]]


class Resolver:
    """Look up host names, at most once at a time each, and remember what was found.

    What is known is returned at once; only a name that is not known (any more) waits for its look-up. An expired entry
    is returned as well, for ``stale`` seconds, while it is being looked up again: an address that may be old beats
    waiting, and where it is dead the next attempt has the new one. A failed look-up takes nothing away.

    ::

        age of an entry   0 ......... ttl ................. ttl + stale .......
        resolve gives     it          it, and looks it up   a fresh one, or ResolveError
                                      in the background

    Every method but ``demote`` is called on an event loop. One resolver may serve several feeds and several loops; each
    loop makes its own look-ups.

    Args:
        ttl: seconds or timedelta that an entry counts as fresh (``getaddrinfo`` does not tell DNS's own).
        stale: seconds or timedelta that it may be used after that.
        timeout: seconds or timedelta that a look-up may take.
        lookup: given host and port, finds the addresses, each an ``Address`` or an IP as text; None: the system's
            ``getaddrinfo`` on a daemon thread, so that a stuck one holds up neither a loop's end nor the interpreter's.
        clock: seconds that never step back.

    Raises:
        ValueError: a duration is negative.
        TypeError: a duration is no duration.

    Memory: O(hosts), and the addresses that refused within ``ttl + stale``.

    Example:
        >>> import asyncio
        >>> asyncio.run(Resolver().resolve("192.0.2.7", 443))[0].sockaddr
        ('192.0.2.7', 443)
    """

    def __init__(
        self,
        *,
        ttl: float | timedelta = 60.0,
        stale: float | timedelta = 3600.0,
        timeout: float | timedelta = 5.0,
        lookup: Lookup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl = to_seconds("ttl", ttl)
        self._stale = to_seconds("stale", stale)
        self._timeout = to_seconds("timeout", timeout, positive=True)
        self._lookup = lookup or _system_lookup()
        self._clock = clock
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, int], _Host] = {}
        # A task belongs to one loop, what it finds to all.
        self._running: dict[tuple[asyncio.AbstractEventLoop, str, int], asyncio.Task[_Host | Exception]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host in the order in which to try them.

        The families alternate (RFC 8305 section 4); what was refused comes last, longest ago first. An
        ``aiohappyeyeballs.start_connection(..., interleave=0)`` keeps that order.

        Args:
            host: a name or an IP literal, which needs no look-up.
            port: for the addresses.

        Raises:
            ResolveError: the name is not known and could not be looked up within ``timeout``; names host and cause.
            RuntimeError: the interpreter is shutting down: there is nothing to wait for.
        """
        host = host.lower()
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        known = self._known(host, port)
        if known:
            return known
        # Shielded: whoever else waits for it, or comes next, gets it although this caller may be cancelled.
        outcome = await asyncio.shield(self._start(host, port))
        if isinstance(outcome, _Host):
            return self._ordered(outcome)
        if isinstance(outcome, RuntimeError):
            raise outcome
        raise ResolveError(f"{host}:{port} could not be resolved: {_in_words(outcome)}") from outcome

    def prefetch(self, host: str, port: int) -> None:
        """Look a host up in the background, even if it is known: its address may be what has just failed.

        Called when a connection fails, it has the answer when the backoff is over. Its own failure is only logged.

        Args:
            host: a name; for an IP literal nothing is done.
            port: for the addresses.

        Raises:
            RuntimeError: no event loop is running.
        """
        host = host.lower()
        if _literal(host, port) is None:
            self._start(host, port)

    def prefetch_url(self, url: str) -> None:
        """``prefetch`` the host of a URL, with the port of its scheme if it names none.

        Raises:
            ValueError: the URL names no host, or a scheme other than ws, wss, http and https without a port.
        """
        parts = urlsplit(url)
        port = parts.port or {"ws": 80, "http": 80, "wss": 443, "https": 443}.get(parts.scheme)
        if not parts.hostname or port is None:
            raise ValueError(f"expected a URL like wss://host/path, got {url!r}")
        self.prefetch(parts.hostname, port)

    def demote(self, host: str, port: int, address: Address) -> None:
        """Note that an address refused: it is tried last for ``ttl + stale`` seconds, also after new look-ups.

        May be called from any thread; an unknown host is ignored.
        """
        with self._lock:
            entry = self._hosts.get((host.lower(), port))
            if entry is not None:
                entry.refused.pop(address, None)  # a dict keeps the order of insertion: it moves to the end
                entry.refused[address] = self._clock()

    def _known(self, host: str, port: int) -> list[Address]:
        """Return what is known of a host in the order of use, and look it up again if that has expired."""
        with self._lock:
            entry = self._hosts.get((host, port))
            if entry is None:
                return []
            age = self._clock() - entry.found
        if age >= self._ttl + self._stale:
            return []
        if age >= self._ttl:
            self._start(host, port)
        return self._ordered(entry)

    def _ordered(self, entry: _Host) -> list[Address]:
        forgiven = self._clock() - self._ttl - self._stale
        with self._lock:
            entry.refused = {address: at for address, at in entry.refused.items() if at > forgiven}
            last = [address for address in entry.refused if address in entry.addresses]
            return [address for address in entry.addresses if address not in last] + last

    def _start(self, host: str, port: int) -> asyncio.Task[_Host | Exception]:
        """Return the look-up of a host that runs on this loop; start it if there is none."""
        loop = asyncio.get_running_loop()
        key = (loop, host, port)
        running = self._running.get(key)
        if running is not None:
            return running
        for each in list(self._running):
            if each[0].is_closed():
                self._running.pop(each, None)
        # Only this loop's thread touches this key: no lock is needed, nor held while the task begins.
        task = self._running[key] = loop.create_task(self._look_up(host, port), name=f"look-up of {host}")
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return task

    async def _look_up(self, host: str, port: int) -> _Host | Exception:
        """Look a host up and keep what is found; return why nothing was."""
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                found = await self._lookup(host, port)
            addresses = interleave(each if isinstance(each, Address) else Address.of(each, port) for each in found)
            if not addresses:
                raise LookupError("the name has no address")
        except Exception as raised:
            error = TimeoutError(f"no answer within {self._timeout:g} s") if limit.expired() else raised
            _log.info("%s:%d could not be resolved: %s", host, port, _in_words(error))
            return error
        with self._lock:
            entry = self._hosts.setdefault((host, port), _Host())
            entry.addresses = addresses
            entry.found = self._clock()
        return entry


@dataclass(slots=True, eq=False)
class _Host:
    """What is known of a host. It stays the same object, so a refusal outlives look-ups, also those that miss it."""

    addresses: list[Address] = field(default_factory=list[Address])
    found: float = 0.0
    refused: dict[Address, float] = field(default_factory=dict[Address, float])


def interleave(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses without repeats, their families taking turns, the first one's first (RFC 8305 section 4)."""
    by_family: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        by_family.setdefault(address.family, []).append(address)
    rounds = itertools.zip_longest(*by_family.values())
    return [address for each in rounds for address in each if address is not None]


def _system_lookup() -> Lookup:
    get_addr_info = GetAddrInfo()

    async def lookup(host: str, port: int) -> list[Address]:
        return [Address(family, sockaddr) for family, sockaddr in await get_addr_info(host, port)]

    return lookup


def _literal(host: str, port: int) -> Address | None:
    """Return the address of an IP literal; None: it is a name (or has a zone, which only the system can read)."""
    try:
        return None if "%" in host else Address.of(host, port)
    except ValueError:
        return None


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
