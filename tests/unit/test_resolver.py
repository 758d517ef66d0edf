"""``Resolver``: what waits for a look-up and what does not, in virtual time; and the system's look-up, on threads."""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from rxstreams.errors import ResolveError
from rxstreams.resolver import Address, Resolver, interleave

_T = TypeVar("_T")


class _VirtualSelector(selectors.SelectSelector):
    """Instead of waiting, moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for what will never happen"
            self.now += max(0.0, timeout)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def _run(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main())


def _now() -> float:
    return asyncio.get_running_loop().time()


class _Dns:
    """A look-up that takes its time and says what it is told to."""

    def __init__(self, *answers: Sequence[Address | str] | Exception, delay: float = 0.3) -> None:
        self.answers = list(answers)
        self.delay = delay
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address | str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.delay)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _resolver(dns: _Dns, **options: Any) -> Resolver:
    return Resolver(lookup=dns, clock=asyncio.get_running_loop().time, **options)


async def _timed(resolver: Resolver, host: str = "feed.test", port: int = 443) -> tuple[list[str], float]:
    """The IPs that are found, and how long that took."""
    before = _now()
    found = await resolver.resolve(host, port)
    return [address.sockaddr[0] for address in found], round(_now() - before, 6)


_NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


# Waiting, and not waiting


def test_resolve_when_the_name_is_new_then_only_the_first_call_waits() -> None:
    """A look-up of 300 ms is waited for once; until ``ttl`` has passed the answer is at hand."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1", "192.0.2.2"])
        resolver = _resolver(dns, ttl=60)
        assert await _timed(resolver) == (["192.0.2.1", "192.0.2.2"], 0.3)
        assert await _timed(resolver, "FEED.test") == (["192.0.2.1", "192.0.2.2"], 0)
        await asyncio.sleep(59.999)
        assert await _timed(resolver) == (["192.0.2.1", "192.0.2.2"], 0)
        assert dns.asked == [("feed.test", 443)]

    _run(main)


def test_resolve_when_many_ask_at_once_then_there_is_one_look_up_a_host() -> None:
    """Single flight: the second and third join the first; another host or port has its own."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"])
        resolver = _resolver(dns)
        hosts = [("feed.test", 443), ("feed.test", 443), ("rest.test", 443), ("feed.test", 80), ("feed.test", 443)]
        found = await asyncio.gather(*(resolver.resolve(host, port) for host, port in hosts))
        assert [each[0].sockaddr for each in found] == [("192.0.2.1", port) for _, port in hosts]
        assert dns.asked == [("feed.test", 443), ("rest.test", 443), ("feed.test", 80)]

    _run(main)


def test_resolve_when_a_caller_is_cancelled_then_the_others_still_get_the_answer() -> None:
    """One feed that is stopped does not take the look-up away from the rest."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"])
        resolver = _resolver(dns)
        first, second = (asyncio.ensure_future(_timed(resolver)) for _ in range(2))
        await asyncio.sleep(0.1)
        first.cancel()
        assert await second == (["192.0.2.1"], 0.3)
        assert first.cancelled()
        assert len(dns.asked) == 1

    _run(main)


@pytest.mark.parametrize("age", [60, 3659])
def test_resolve_when_the_entry_has_expired_then_the_stale_one_comes_at_once_and_is_refreshed(age: float) -> None:
    """From ``ttl`` on it is looked up again behind the caller's back; who comes after that gets the new address."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"], ["192.0.2.9"])
        resolver = _resolver(dns, ttl=60, stale=3600)
        await resolver.resolve("feed.test", 443)
        await asyncio.sleep(age)
        assert await _timed(resolver) == (["192.0.2.1"], 0)
        assert await _timed(resolver) == (["192.0.2.1"], 0)
        await asyncio.sleep(0.4)
        assert await _timed(resolver) == (["192.0.2.9"], 0)
        await asyncio.sleep(1)
        assert len(dns.asked) == 2

    _run(main)


def test_resolve_when_the_entry_is_too_old_then_it_is_not_used_any_more() -> None:
    """After ``ttl + stale`` an address is as good as unknown: a fresh one is waited for."""

    async def main() -> None:
        resolver = _resolver(_Dns(["192.0.2.1"], ["192.0.2.9"]), ttl=60, stale=3600)
        await resolver.resolve("feed.test", 443)
        await asyncio.sleep(3660)
        assert await _timed(resolver) == (["192.0.2.9"], 0.3)

    _run(main)


def test_resolve_when_nothing_may_be_kept_then_every_call_waits() -> None:
    """``ttl=0, stale=0`` switches the memory off, and still gives the answer."""

    async def main() -> None:
        resolver = _resolver(_Dns(["192.0.2.1"]), ttl=0, stale=0)
        assert await _timed(resolver) == (["192.0.2.1"], 0.3)
        assert await _timed(resolver) == (["192.0.2.1"], 0.3)

    _run(main)


# Failing


def test_resolve_when_look_ups_fail_then_the_stale_address_is_served_to_its_end() -> None:
    """A failed look-up takes nothing away, until the entry is older than ``ttl + stale``."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"], _NO_NAME)
        resolver = _resolver(dns, ttl=60, stale=120)
        await resolver.resolve("feed.test", 443)
        for _ in range(2):
            await asyncio.sleep(89)
            assert await _timed(resolver) == (["192.0.2.1"], 0)
        await asyncio.sleep(2)
        with pytest.raises(ResolveError):
            await resolver.resolve("feed.test", 443)
        assert len(dns.asked) == 4

    _run(main)


def test_resolve_when_an_unknown_name_fails_then_the_error_names_host_and_cause_and_the_next_call_tries_again() -> None:
    """Failures are not remembered: how often to try is the backoff's business."""

    async def main() -> None:
        dns = _Dns(_NO_NAME, _NO_NAME, ["192.0.2.1"])
        resolver = _resolver(dns)
        message = r"^feed\.test:443 could not be resolved: gaierror: .*Name or service not known$"
        for _ in range(2):
            with pytest.raises(ResolveError, match=message) as raised:
                await resolver.resolve("feed.test", 443)
            assert raised.value.__cause__ is _NO_NAME
        assert await _timed(resolver) == (["192.0.2.1"], 0.3)

    _run(main)


def test_resolve_when_several_wait_for_a_failure_then_each_gets_an_error_of_its_own() -> None:
    """An error carries notes and a traceback: two feeds must not share one."""

    async def main() -> None:
        resolver = _resolver(_Dns(_NO_NAME))
        calls = (resolver.resolve("feed.test", 443) for _ in range(2))
        first, second = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(first, ResolveError)
        assert isinstance(second, ResolveError)
        assert first is not second

    _run(main)


@pytest.mark.parametrize(
    ("answer", "message"),
    [([], "LookupError: the name has no address"), (["nonsense"], "ValueError: 'nonsense' does not appear to be")],
)
def test_resolve_when_the_answer_is_of_no_use_then_that_is_a_failure(answer: list[str], message: str) -> None:
    """An empty answer, or one that names no IP, replaces nothing."""

    async def main() -> None:
        with pytest.raises(ResolveError, match=message):
            await _resolver(_Dns(answer)).resolve("feed.test", 443)

    _run(main)


def test_resolve_when_the_look_up_hangs_then_the_timeout_bounds_every_wait() -> None:
    """Who joins late waits for what is left; the hanging look-up is given up, and the next is a new one."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"], delay=1e6)
        resolver = _resolver(dns, timeout=timedelta(seconds=5))
        first = asyncio.ensure_future(resolver.resolve("feed.test", 443))
        await asyncio.sleep(4)
        for task in (asyncio.ensure_future(resolver.resolve("feed.test", 443)), first):
            with pytest.raises(ResolveError, match="TimeoutError: no answer within 5 s"):
                await task
        assert _now() == 5
        dns.delay = 1
        assert await _timed(resolver) == (["192.0.2.1"], 1)
        assert len(dns.asked) == 2

    _run(main)


def test_resolve_when_the_look_up_has_its_own_timeout_then_its_words_are_kept() -> None:
    """Only our own timeout is called so."""

    async def main() -> None:
        with pytest.raises(ResolveError, match="TimeoutError: of the server"):
            await _resolver(_Dns(TimeoutError("of the server"))).resolve("feed.test", 443)

    _run(main)


def test_resolve_when_the_interpreter_is_shutting_down_then_that_is_no_network_error() -> None:
    """A RuntimeError means stop, so it must not come as something that is retried; a known address is still served."""

    async def main() -> None:
        error = RuntimeError("can't create new thread at interpreter shutdown")
        resolver = _resolver(_Dns(error, ["192.0.2.1"], error), ttl=1)
        with pytest.raises(RuntimeError) as raised:
            await resolver.resolve("feed.test", 443)
        assert raised.value is error
        await resolver.resolve("feed.test", 443)
        await asyncio.sleep(2)
        assert await _timed(resolver) == (["192.0.2.1"], 0)

    _run(main)


# What a feed does with it


def test_resolver_when_everything_goes_wrong_then_the_second_attempt_waits_for_no_look_up() -> None:
    """A look-up of 300 ms, a dead first address, a look-up that fails: the second attempt starts at once, on the stale
    address, and tries the dead one last.
    """

    async def main() -> None:
        dns = _Dns(["192.0.2.1", "192.0.2.2"], _NO_NAME)
        resolver = _resolver(dns, ttl=0.5, stale=3600)
        assert await _timed(resolver) == (["192.0.2.1", "192.0.2.2"], 0.3)
        resolver.demote("feed.test", 443, Address.of("192.0.2.1", 443))
        resolver.prefetch("feed.test", 443)  # as the backoff begins
        await asyncio.sleep(1)
        assert len(dns.asked) == 2
        assert await _timed(resolver) == (["192.0.2.2", "192.0.2.1"], 0)

    _run(main)


def test_prefetch_when_the_backoff_is_over_then_the_next_attempt_has_the_new_address() -> None:
    """It looks up again although the entry is fresh: what was just refused may have moved."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"], ["192.0.2.9"])
        resolver = _resolver(dns)
        await resolver.resolve("feed.test", 443)
        resolver.prefetch("Feed.Test", 443)
        assert await _timed(resolver) == (["192.0.2.1"], 0)
        await asyncio.sleep(1)
        assert await _timed(resolver) == (["192.0.2.9"], 0)
        assert len(dns.asked) == 2

    _run(main)


def test_prefetch_when_the_name_is_unknown_then_resolve_joins_it() -> None:
    """Called ahead of the first attempt it saves what has passed of the look-up; twice is once."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"])
        resolver = _resolver(dns)
        resolver.prefetch("feed.test", 443)
        resolver.prefetch("feed.test", 443)
        await asyncio.sleep(0.2)
        assert await _timed(resolver) == (["192.0.2.1"], 0.1)
        assert len(dns.asked) == 1

    _run(main)


def test_prefetch_when_the_look_up_fails_then_nobody_is_disturbed(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is logged for who looks, and asyncio has nothing to complain about."""

    async def main() -> None:
        resolver = _resolver(_Dns(_NO_NAME))
        resolver.prefetch("feed.test", 443)
        await asyncio.sleep(1)

    with caplog.at_level(logging.INFO):
        _run(main)
    assert [(record.name, record.levelname) for record in caplog.records] == [("rxstreams.resolver", "INFO")]


def test_prefetch_when_the_host_is_an_ip_then_nothing_is_looked_up() -> None:
    """An IP needs no look-up; without a loop it would not even matter."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"])
        resolver = _resolver(dns)
        resolver.prefetch("192.0.2.7", 443)
        resolver.prefetch_url("wss://[2001:db8::7]/ws")
        await asyncio.sleep(1)
        assert dns.asked == []

    _run(main)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("wss://Feed.test/ws", ("feed.test", 443)),
        ("ws://feed.test", ("feed.test", 80)),
        ("https://feed.test/", ("feed.test", 443)),
        ("http://feed.test/", ("feed.test", 80)),
        ("wss://user:pass@feed.test:9443/ws?x=1", ("feed.test", 9443)),
    ],
)
def test_prefetch_url_when_it_names_no_port_then_the_schemes_own_is_taken(url: str, asked: tuple[str, int]) -> None:
    """The same host and port that the connection will ask for."""

    async def main() -> None:
        dns = _Dns(["192.0.2.1"])
        _resolver(dns).prefetch_url(url)
        await asyncio.sleep(1)
        assert dns.asked == [asked]

    _run(main)


@pytest.mark.parametrize("url", ["feed.test", "ftp://feed.test", "wss:///path"])
def test_prefetch_url_when_it_is_no_such_url_then_it_says_what_it_expected(url: str) -> None:
    """A wrong URL is a mistake of the caller's."""
    with pytest.raises(ValueError, match="expected a URL like wss://host/path, got"):
        Resolver().prefetch_url(url)


def test_prefetch_when_no_loop_runs_then_it_raises() -> None:
    """Look-ups live on an event loop."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        Resolver().prefetch("feed.test", 443)


# The order of addresses


def test_demote_when_an_address_refused_then_it_stays_last_after_new_look_ups() -> None:
    """A new look-up gives the old order again; the refusal is remembered, also when an answer leaves it out."""

    async def main() -> None:
        one, two, three = "192.0.2.1", "192.0.2.2", "192.0.2.3"
        resolver = _resolver(_Dns([one, two, three], [one, two], [two, three], [one, two, three]))
        await resolver.resolve("feed.test", 443)
        resolver.demote("FEED.test", 443, Address.of(one, 443))
        expected = [[two, three, one], [two, one], [two, three], [two, three, one]]
        for order in expected:
            assert (await _timed(resolver))[0] == order
            resolver.prefetch("feed.test", 443)
            await asyncio.sleep(1)

    _run(main)


def test_demote_when_all_addresses_refused_then_they_take_turns() -> None:
    """The one that refused longest ago comes first."""

    async def main() -> None:
        resolver = _resolver(_Dns(["192.0.2.1", "192.0.2.2", "192.0.2.3"]))
        firsts: list[str] = []
        for _ in range(5):
            first = (await resolver.resolve("feed.test", 443))[0]
            firsts.append(first.sockaddr[0][-1])
            resolver.demote("feed.test", 443, first)
            await asyncio.sleep(1)
        assert firsts == ["1", "2", "3", "1", "2"]

    _run(main)


@pytest.mark.parametrize(("later", "first"), [(14.9, "192.0.2.2"), (15.0, "192.0.2.1")])
def test_demote_when_it_was_long_ago_then_it_is_forgiven(later: float, first: str) -> None:
    """After ``ttl + stale`` the system's order counts again."""

    async def main() -> None:
        resolver = _resolver(_Dns(["192.0.2.1", "192.0.2.2"], delay=0), ttl=5, stale=10)
        await resolver.resolve("feed.test", 443)
        resolver.demote("feed.test", 443, Address.of("192.0.2.1", 443))
        await asyncio.sleep(1)
        resolver.prefetch("feed.test", 443)
        await asyncio.sleep(later - 1)
        assert (await _timed(resolver))[0][0] == first

    _run(main)


def test_demote_when_the_host_or_the_port_is_another_then_nothing_changes() -> None:
    """A refusal on one port says nothing about another, and an unknown host is no mistake."""

    async def main() -> None:
        resolver = _resolver(_Dns(["192.0.2.1", "192.0.2.2"]))
        await resolver.resolve("feed.test", 443)
        resolver.demote("feed.test", 80, Address.of("192.0.2.1", 80))
        resolver.demote("other.test", 443, Address.of("192.0.2.1", 443))
        resolver.demote("feed.test", 443, Address.of("192.0.2.77", 443))
        assert (await _timed(resolver))[0] == ["192.0.2.1", "192.0.2.2"]

    _run(main)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("4a 4b", "4a 4b"),
        ("6a 6b 4a 4b", "6a 4a 6b 4b"),
        ("4a 4b 4c 6a", "4a 6a 4b 4c"),
        ("4a 6a 4a 6a 4b", "4a 6a 4b"),
    ],
)
def test_interleave_when_families_differ_then_they_take_turns(given: str, expected: str) -> None:
    """RFC 8305 section 4: one broken family costs one attempt, not all; repeats are dropped."""

    def addresses(names: str) -> list[Address]:
        networks = {"4": "192.0.2.", "6": "2001:db8::"}
        return [Address.of(f"{networks[each[0]]}{ord(each[1])}", 1) for each in names.split()]

    assert interleave(addresses(given)) == addresses(expected)


def test_resolve_when_the_answer_has_both_families_then_they_take_turns() -> None:
    """What ``resolve`` gives is interleaved, then what refused comes last."""

    async def main() -> None:
        resolver = _resolver(_Dns(["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]))
        assert (await _timed(resolver))[0] == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]
        resolver.demote("feed.test", 443, Address.of("2001:db8::1", 443))
        assert (await _timed(resolver))[0] == ["192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::1"]

    _run(main)


@pytest.mark.parametrize(
    ("ip", "address"),
    [
        ("192.0.2.7", Address(socket.AF_INET, ("192.0.2.7", 443))),
        ("2001:db8::7", Address(socket.AF_INET6, ("2001:db8::7", 443, 0, 0))),
    ],
)
def test_resolve_when_the_host_is_an_ip_then_no_look_up_is_needed(ip: str, address: Address) -> None:
    """Literals work without DNS, at once; the address is what a socket takes."""

    async def main() -> None:
        dns = _Dns(_NO_NAME)
        assert await _resolver(dns).resolve(ip, 443) == [address]
        assert dns.asked == []

    _run(main)
    assert address.addr_info == (address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address.sockaddr)


def test_resolve_when_an_ip_has_a_zone_then_the_system_is_asked() -> None:
    """Only the system knows the number of an interface."""

    async def main() -> None:
        scoped = Address(socket.AF_INET6, ("fe80::1", 443, 0, 2))
        dns = _Dns([scoped])
        assert await _resolver(dns).resolve("fe80::1%eth0", 443) == [scoped]
        assert len(dns.asked) == 1

    _run(main)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ttl": -1}, ValueError, "ttl must be 0 or more seconds and finite, got -1"),
        ({"stale": "1h"}, TypeError, "stale must be seconds or a timedelta, got '1h'"),
        ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds and finite, got 0"),
    ],
)
def test_resolver_when_an_option_is_wrong_then_the_error_names_it(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Options are checked when the resolver is made."""
    with pytest.raises(error, match=message):
        Resolver(**options)


# Several loops


def test_resolver_when_two_loops_use_it_then_they_share_what_is_known_but_no_task() -> None:
    """A task belongs to its loop; one that died with its loop is in nobody's way."""
    dns = _Dns(["192.0.2.1"])
    resolver = Resolver(lookup=dns, clock=lambda: 0.0)

    async def begin_and_leave() -> None:
        resolver.prefetch("feed.test", 443)
        await asyncio.sleep(0.1)

    async def main() -> list[Address]:
        return await resolver.resolve("feed.test", 443)

    _run(begin_and_leave)  # its end cancels the look-up
    assert _run(main) == [Address.of("192.0.2.1", 443)]
    assert _run(main) == [Address.of("192.0.2.1", 443)]
    assert len(dns.asked) == 2
    assert resolver._running == {}


def test_resolver_when_two_loops_look_up_at_once_then_both_get_the_answer() -> None:
    """Two threads, two loops, one resolver, real threads."""
    both = threading.Barrier(2, timeout=30)
    found: list[list[Address]] = []

    async def lookup(host: str, port: int) -> list[str]:
        await asyncio.get_running_loop().run_in_executor(None, both.wait)
        return ["192.0.2.1"]

    resolver = Resolver(lookup=lookup, timeout=30)
    threads = [
        threading.Thread(target=lambda: found.append(asyncio.run(resolver.resolve("feed.test", 443)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [[Address.of("192.0.2.1", 443)]] * 2


def test_resolver_when_a_loop_was_closed_with_a_look_up_then_the_next_forgets_it() -> None:
    """A loop that is closed without ceremony must not be kept alive by us."""
    resolver = Resolver(lookup=_Dns(["192.0.2.1"]), clock=lambda: 0.0)
    loop = _VirtualLoop()
    task: list[asyncio.Task[Any]] = []

    async def begin() -> None:
        resolver.prefetch("feed.test", 443)
        task.extend(asyncio.all_tasks() - {asyncio.current_task()})

    loop.run_until_complete(begin())
    assert len(resolver._running) == 1
    loop.close()

    async def main() -> None:
        resolver.prefetch("rest.test", 443)
        assert [host for _, host, _ in resolver._running] == ["rest.test"]

    _run(main)
    task[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # the test left it pending on purpose
    task[0].get_coro().close()  # pyright: ignore[reportOptionalMemberAccess]  # a task has one


# The system's look-up


@contextmanager
def _stuck_dns(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[list[str], Callable[[], None]]]:
    """getaddrinfo hangs until it is let go; gives the names of the threads that ask, and what lets go."""
    asking: list[str] = []
    released = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asking.append(threading.current_thread().name)
        assert threading.current_thread().daemon
        assert released.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def release() -> None:
        released.set()
        for thread in threading.enumerate():
            if thread.name.startswith("rxstreams getaddrinfo"):
                thread.join(30)

    try:
        yield asking, release
    finally:
        release()


def test_system_look_up_when_asked_for_localhost_then_it_finds_it() -> None:
    """The real getaddrinfo, without a network."""
    found = asyncio.run(Resolver(timeout=30).resolve("localhost", 80))
    assert {address.sockaddr[0] for address in found} <= {"127.0.0.1", "::1"}
    assert all(address.sockaddr[1] == 80 for address in found)
    assert found


def test_system_look_up_when_it_was_answered_then_the_next_question_is_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only those who wait for the same answer share it."""
    last = iter(["192.0.2.1", "192.0.2.2"])

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (next(last), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver(timeout=30, ttl=0, stale=0)
    found = [asyncio.run(resolver.resolve("feed.test", 443)) for _ in range(2)]
    assert found == [[Address.of("192.0.2.1", 443)], [Address.of("192.0.2.2", 443)]]


def test_system_look_up_when_the_name_is_none_then_the_cause_is_the_systems() -> None:
    """A label of 64 letters is refused before anything is sent."""
    with pytest.raises(ResolveError, match=r"could not be resolved: (UnicodeError|gaierror): "):
        asyncio.run(Resolver(timeout=30).resolve("x" * 64 + ".test", 443))


def test_system_look_up_when_it_is_stuck_then_loop_and_callers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends at the timeout, the loop closes at once, and the stuck name is not asked for a second time."""

    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        for _ in range(2):
            with pytest.raises(ResolveError, match=r"no answer within 0\.02 s"):
                await resolver.resolve("feed.test", 443)
        ticking.cancel()
        assert ticks > 2

    with _stuck_dns(monkeypatch) as (asking, release):
        resolver = Resolver(timeout=0.02)
        asyncio.run(main())  # with a stuck thread in the loop's own executor this would hang
        assert asking == ["rxstreams getaddrinfo feed.test"]
        release()
        resolver = Resolver(timeout=30)
        assert asyncio.run(resolver.resolve("feed.test", 443)) == [Address.of("192.0.2.1", 443)]


def test_system_look_up_when_it_ends_after_its_loop_then_nobody_is_disturbed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the thread nor the closed loop has anything to complain about."""

    async def main() -> None:
        resolver.prefetch("feed.test", 443)
        await asyncio.sleep(0)

    with _stuck_dns(monkeypatch) as (asking, release):
        resolver = Resolver(timeout=30)
        asyncio.run(main())
        release()
    assert len(asking) <= 1
    assert caplog.records == []


def test_system_look_up_when_another_name_is_stuck_then_it_is_not_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question has a thread of its own."""
    with _stuck_dns(monkeypatch) as (_, release):
        stuck, found = socket.getaddrinfo, [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.2", 443))]

        def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
            return found if host == "rest.test" else stuck(host, port, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        async def main() -> None:
            resolver = Resolver(timeout=30)
            resolver.prefetch("feed.test", 443)
            await asyncio.sleep(0)
            assert await resolver.resolve("rest.test", 443) == [Address.of("192.0.2.2", 443)]

        asyncio.run(main())
        release()


def test_system_look_up_when_the_process_was_forked_then_the_child_asks_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parent's thread does not exist in the child: joining it would wait for nothing."""

    async def main() -> None:
        with pytest.raises(ResolveError):
            await resolver.resolve("feed.test", 443)

    with _stuck_dns(monkeypatch) as (asking, _):
        resolver = Resolver(timeout=0.02)
        asyncio.run(main())
        parent = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        asyncio.run(main())
        assert len(asking) == 2


_STUCK_AT_EXIT = """
import asyncio, socket, threading
from rxstreams.resolver import Resolver

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()

async def main():
    resolver = Resolver(timeout=0.05)
    try:
        await resolver.resolve("feed.test", 443)
    except Exception as error:
        print(error)

asyncio.run(main())
"""


def test_system_look_up_when_it_is_stuck_then_the_interpreter_can_still_exit() -> None:
    """A look-up that never returns holds up no exit."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _STUCK_AT_EXIT],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "feed.test:443 could not be resolved: TimeoutError: no answer within 0.05 s\n"
    assert done.returncode == 0
