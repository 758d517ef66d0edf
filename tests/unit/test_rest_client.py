"""``RestClient``: turns in the limiter, retries by the class of error, and sessions that are shared; no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import pytest
from virtual_loop import limiter_here, now, one_window, pass_time, run

from rxstreams import errors
from rxstreams.backoff import BackoffPolicy
from rxstreams.config import StreamConfig
from rxstreams.limits import APIPriority, APIRateLimiter, RateLimitConfig, create_rate_limiter
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import _sessions
from rxstreams.sources._http import HttpSession
from rxstreams.sources._rest import RestClient
from rxstreams.sources._sessions import SessionOptions, SharedSession, share_session
from rxstreams.sources.venue import Channel, Message, RestPage, RestRequest, Venue

PAGE = RestPage(items=())
POLICY = BackoffPolicy(jitter="none", initial=1.0, multiplier=2.0, maximum=60.0)


class History(Venue):
    """A venue with nothing but REST, which weighs its requests and tells what it has counted."""

    name: ClassVar[str] = "history"
    url: ClassVar[str] = "ws://127.0.0.1:9"
    rest_url: ClassVar[str] = "http://127.0.0.1:9/api/"
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((20, 10.0), (500, 600.0))
    documentation: ClassVar[tuple[str, str]] = ("", "")

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        return ""

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        return ""

    def parse(self, frame: bytes) -> list[Message]:
        return []

    def rest_weight(self, request: RestRequest) -> int:
        return int(request.query.get("weight", "1"))

    def used_weight(self, headers: Mapping[str, str]) -> Mapping[float, int]:
        return {float(period): int(used) for period, used in headers.items() if period != "Date"}

    def explain_refusal(self, symbol: str, status: int, body: bytes) -> errors.StreamError | None:
        if body == b"unknown":
            return errors.SubscriptionError((symbol,), f"HTTP {status}")
        if body == b"too many":
            return errors.RateLimited("too many", retry_after=7.0)
        if body.startswith(b"<"):
            raise errors.MessageError("expected JSON", payload=body)
        return None


class FakeSession:
    """What stands for the connections: each request gets the next answer, in virtual time; a status is a refusal."""

    def __init__(
        self,
        *answers: Exception | bytes | tuple[int, bytes],
        latency: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ):
        self.asked: list[tuple[float, str]] = []
        self._answers = list(answers)
        self._latency = latency
        self._headers = headers or {}

    @property
    def times(self) -> list[float]:
        """When it was asked."""
        return [time for time, _ in self.asked]

    async def ask(
        self,
        base: str,
        request: RestRequest,
        *,
        max_bytes: int,
        on_headers: Callable[..., Any],
        explain: Callable[[int, bytes], Exception | None],
    ) -> bytes:
        assert (base, max_bytes) == ("http://127.0.0.1:9/api", 16 * 2**20)
        self.asked.append((now(), request.path))
        await pass_time(self._latency)
        on_headers(self._headers)
        answer = self._answers.pop(0) if self._answers else b"all is well"
        if isinstance(answer, tuple):
            raise explain(*answer) or errors.Refused(f"HTTP {answer[0]}")
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(limiter: APIRateLimiter | None = None, **options: Any) -> RestClient:
    """Return a client whose scheduler is never started."""
    defaults = {"backoff": POLICY, "rest_limiter": limiter or limiter_here(one_window(1000))}
    config = StreamConfig.of(defaults | options)
    return RestClient(History(), config, EventLoopThreadScheduler("never-started"), rng=lambda: 0.0)


async def ask(
    of: RestClient,
    session: FakeSession,
    *,
    parse: Callable[[bytes, int | None], RestPage] = lambda _body, _answered: PAGE,
    path: str = "/page",
    weight: int = 1,
    priority: APIPriority = APIPriority.MEDIUM,
    attempts: int = 5,
    symbol: str = "",
) -> RestPage:
    """Ask for a page as a fetch does."""

    class Shared:
        async def get(self) -> FakeSession:
            return session

    request = RestRequest(path=path, query={"weight": str(weight)})
    return await of._ask(cast("SharedSession", Shared()), request, parse, priority, attempts, symbol=symbol)


# Retries


def test_page_when_it_fails_for_a_while_then_is_asked_for_again_after_the_backoff() -> None:
    """By the policy: 1 s, 2 s, 4 s."""

    async def main() -> None:
        session = FakeSession(
            errors.ConnectionLost("reset"), errors.ServerRejected("502"), errors.ConnectError("refused")
        )
        assert await ask(client(), session) is PAGE
        assert session.times == [0.0, 1.0, 3.0, 7.0]

    run(main)


def test_page_when_the_handshake_times_out_then_the_class_has_its_say() -> None:
    """An overloaded server gets 5 s at least."""

    async def main() -> None:
        session = FakeSession(errors.HandshakeTimeout("slow"))
        await ask(client(), session)
        assert session.times == [0.0, 5.0]

    run(main)


def test_page_when_the_server_wants_a_pause_with_another_error_then_gets_it() -> None:
    """A 500 may carry a Retry-After as well."""

    async def main() -> None:
        session = FakeSession(errors.ServerRejected("500", retry_after=30.0))
        await ask(client(), session)
        assert session.times == [0.0, 30.0]

    run(main)


@pytest.mark.parametrize(
    "error",
    [
        errors.Refused("404"),
        errors.CertificateError("expired"),
        errors.SubscriptionError(["ABC/USD"], "unknown"),
        ZeroDivisionError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_page_when_asking_again_will_not_help_then_the_error_comes_at_once(error: Exception) -> None:
    """Fatal ones, and bugs."""

    async def main() -> None:
        session = FakeSession(error)
        with pytest.raises(type(error)) as raised:
            await ask(client(), session)
        assert raised.value is error
        assert session.times == [0.0]

    run(main)


@pytest.mark.parametrize(("attempts", "of_policy", "calls"), [(5, None, 5), (1, None, 1), (5, 2, 3), (2, 9, 2)])
def test_page_when_it_goes_on_failing_then_the_last_error_comes_after_so_many_attempts(
    attempts: int, of_policy: int | None, calls: int
) -> None:
    """Those of the call, or those of the policy, whichever are fewer; its max_attempts does not count the first."""

    async def main() -> None:
        failures = [errors.ConnectionLost(f"number {n}") for n in range(10)]
        session = FakeSession(*failures)
        policy = BackoffPolicy(jitter="none", max_attempts=of_policy)
        with pytest.raises(errors.ConnectionLost) as raised:
            await ask(client(backoff=policy), session, attempts=attempts)
        assert raised.value is failures[calls - 1]
        assert len(session.asked) == calls

    run(main)


def test_page_when_its_body_is_junk_then_is_asked_for_again() -> None:
    """A proxy's error page in between; but not for ever."""

    async def main() -> None:
        bodies: list[bytes] = []

        def parse(body: bytes, answered: int | None) -> RestPage:
            bodies.append(body)
            if body == b"<html>":
                raise errors.MessageError("expected JSON", payload=body)
            return PAGE

        session = FakeSession(b"<html>", b"<html>", b"[]")
        assert await ask(client(), session, parse=parse) is PAGE
        assert (bodies, session.times) == ([b"<html>", b"<html>", b"[]"], [0.0, 1.0, 3.0])
        session = FakeSession(*[b"<html>"] * 9)
        with pytest.raises(errors.MessageError):
            await ask(client(), session, parse=parse)
        assert len(session.asked) == 5

    run(main)


# Too many requests


def test_page_when_there_were_too_many_then_all_wait_as_long_as_the_server_says() -> None:
    """Others too, and the page is asked for again after it; not later for a backoff of its own."""

    async def main() -> None:
        limiter = limiter_here(one_window(1000))
        session = FakeSession(errors.RateLimited("429", retry_after=7.0))
        first = asyncio.create_task(ask(client(limiter), session, path="/first"))
        await pass_time(1.0)
        await ask(client(limiter), session, path="/other", priority=APIPriority.CRITICAL)
        await first
        assert session.asked == [(0.0, "/first"), (7.0, "/other"), (7.0, "/first")]
        assert limiter.get_stats().rate_limited == 1

    run(main)


@pytest.mark.parametrize(
    ("date", "answered"),
    [("Tue, 11 Nov 2025 17:23:53 GMT", 1_762_881_833 * 10**9), ("yesterday", None), (None, None)],
)
def test_page_when_read_then_the_servers_own_time_is_told(date: str | None, answered: int | None) -> None:
    """Ours is not taken for it."""

    async def main() -> None:
        told: list[int | None] = []

        def parse(body: bytes, time: int | None) -> RestPage:
            told.append(time)
            return PAGE

        session = FakeSession(headers={} if date is None else {"Date": date})
        await ask(client(), session, parse=parse)
        assert told == [answered]

    run(main)


def test_page_when_the_body_says_too_many_then_the_limiter_is_frozen_too() -> None:
    """Kraken says it with HTTP 200. Without a time the pause is the limiter's own."""

    async def main() -> None:
        limiter = limiter_here(one_window(1000, initial_backoff_seconds=10.0, backoff_jitter="none"))

        def parse(body: bytes, answered: int | None) -> RestPage:
            if body == b"too many":
                raise errors.RateLimited("EAPI:Rate limit exceeded")
            return PAGE

        session = FakeSession(b"too many", b"too many")
        assert await ask(client(limiter), session, parse=parse) is PAGE
        assert session.times == [0.0, 10.0, 30.0]

    run(main)


def test_page_when_the_server_wants_too_long_a_pause_then_the_error_comes_at_once() -> None:
    """Over max_retry_after it is a ban; the limiter keeps everybody away all the same."""

    async def main() -> None:
        limiter = limiter_here(one_window(1000))
        session = FakeSession(errors.RateLimited("418", retry_after=3600.0))
        with pytest.raises(errors.RateLimited):
            await ask(client(limiter), session)
        assert session.times == [0.0]
        assert limiter.get_stats().frozen_for == 3600.0

    run(main)


def test_page_when_there_is_no_turn_in_the_limiter_then_it_gives_up_after_the_longest_pause() -> None:
    """No wait is for ever, and nothing was sent."""

    async def main() -> None:
        limiter = limiter_here(one_window(1000))
        limiter.freeze(10_000.0)
        session = FakeSession()
        with pytest.raises(errors.QuotaExceeded, match=r"127\.0\.0\.1:9/api.*900 s"):
            await ask(client(limiter), session)
        assert (now(), session.asked, limiter.get_stats().waiting) == (900.0, [], 0)

    run(main)


# The limiter


def test_pages_when_several_wait_then_the_most_urgent_goes_first() -> None:
    """A recovery must not stand behind somebody's history."""

    async def main() -> None:
        limiter, session = limiter_here(one_window(1, 10.0)), FakeSession()
        of = client(limiter)
        await ask(of, session, path="/now")
        async with asyncio.TaskGroup() as group:
            for path, priority in (("/low", 3), ("/medium", 2), ("/high", 1)):
                group.create_task(ask(of, session, path=path, priority=APIPriority(priority)))
        assert session.asked == [(0.0, "/now"), (10.0, "/high"), (20.0, "/medium"), (30.0, "/low")]

    run(main)


def test_page_when_the_venue_weighs_it_then_so_much_is_charged() -> None:
    """Two of 5 do not fit into 8 together."""

    async def main() -> None:
        limiter, session = limiter_here(one_window(8, 10.0)), FakeSession()
        of = client(limiter)
        await asyncio.gather(*[ask(of, session, weight=5) for _ in range(2)])
        assert session.times == [0.0, 10.0]
        assert limiter.get_stats().windows[0].used == 5

    run(main)


def test_headers_when_the_server_has_counted_more_then_the_limiter_knows() -> None:
    """Others share its limit. A period that this limiter does not have is none of its business."""

    async def main() -> None:
        limiter = limiter_here(one_window(100, 10.0))
        await ask(client(limiter), FakeSession(headers={"10": "60", "3600": "999"}))
        assert [window.used for window in limiter.get_stats().windows] == [60]
        failing = FakeSession(errors.Refused("404"), headers={"10": "70"})
        with pytest.raises(errors.Refused):
            await ask(client(limiter), failing)
        assert limiter.get_stats().windows[0].used >= 70

    run(main)


@pytest.mark.parametrize("after", [1.0, 6.0], ids=["waiting", "asking"])
def test_page_when_it_is_cancelled_then_leaves_no_place_behind(after: float) -> None:
    """While it waits for its turn, and while the server thinks."""

    async def main() -> None:
        limiter, session = limiter_here(one_window(1, 5.0, unanswered=0.0)), FakeSession(latency=60.0)
        async with limiter.acquire():
            pass
        task = asyncio.create_task(ask(client(limiter), session))
        await pass_time(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stats = limiter.get_stats()
        assert (stats.running, stats.waiting, len(session.asked)) == (0, 0, 1 if after > 5.0 else 0)

    run(main)


def test_limiter_when_none_is_given_then_all_who_talk_to_the_address_share_the_venues() -> None:
    """By the venue and the address, not by the feed."""
    scheduler = EventLoopThreadScheduler("never-started")

    def limiter_of(**options: Any) -> APIRateLimiter:
        return RestClient(History(), StreamConfig(**options), scheduler).limiter

    own = limiter_of()
    assert own.config.limits == History.rest_limits
    assert own.name == "history http://127.0.0.1:9/api"
    assert limiter_of(connect_timeout=1.0) is own
    assert limiter_of(rest_url="http://127.0.0.1:9/api") is own
    assert limiter_of(rest_url="http://127.0.0.1:10") is not own
    mine = APIRateLimiter()
    assert limiter_of(rest_limiter=mine) is mine


def test_limiter_when_one_of_that_name_is_there_then_it_decides() -> None:
    """Whoever pays for more makes it before."""
    mine = create_rate_limiter("history http://127.0.0.1:11", RateLimitConfig(max_calls_per_minute=6_000))
    config = StreamConfig(rest_url="http://127.0.0.1:11/")
    assert RestClient(History(), config, EventLoopThreadScheduler("never-started")).limiter is mine


@pytest.mark.parametrize(
    ("options", "kind"),
    [({"attempts": 0}, ValueError), ({"attempts": 2.0}, TypeError), ({"priority": 1}, TypeError)],
)
def test_fetch_when_an_option_is_wrong_then_says_so_at_once(options: dict[str, Any], kind: type[Exception]) -> None:
    """Where it was given, not when somebody subscribes."""
    of = RestClient(History(), StreamConfig(), EventLoopThreadScheduler("never-started"))
    with pytest.raises(kind, match=next(iter(options))):
        of.trades("BTC/USD", 0, **options)


def test_config_when_the_limiter_is_none_then_says_what_it_wants() -> None:
    """A number of calls is no limiter."""
    wrong: Any = 5
    with pytest.raises(TypeError, match="rest_limiter must be an APIRateLimiter or None, got 5"):
        StreamConfig(rest_limiter=wrong)


# Refusals that the venue explains


def test_page_when_the_venue_says_why_it_refused_then_that_is_the_error() -> None:
    """With the symbol that was asked for; what it does not explain is what the status says, a foreign page too."""

    async def main() -> None:
        of = client()
        for body, kind in ((b"unknown", errors.SubscriptionError), (b"?", errors.Refused), (b"<html>", errors.Refused)):
            session = FakeSession((400, body))
            with pytest.raises(kind, match="HTTP 400") as caught:
                await ask(of, session, symbol="ABC/USD")
            assert len(session.asked) == 1
            if isinstance(caught.value, errors.SubscriptionError):
                assert caught.value.symbols == ("ABC/USD",)

    run(main)


def test_page_when_the_refusal_is_one_for_its_rate_then_the_limiter_is_frozen() -> None:
    """Whatever its status: all others wait as well, and the page is asked for again after that."""

    async def main() -> None:
        limiter = limiter_here(one_window(1000))
        session = FakeSession((403, b"too many"))
        assert await ask(client(limiter), session) is PAGE
        assert session.times == [0.0, 7.0]
        assert limiter.get_stats().rate_limited == 1

    run(main)


# Sessions


def test_session_when_several_share_it_then_the_last_one_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened with the first question; other options make another one."""
    closed: list[HttpSession] = []
    close = HttpSession.close

    async def note(self: HttpSession) -> None:
        closed.append(self)
        await close(self)

    monkeypatch.setattr(HttpSession, "close", note)

    async def main() -> None:
        one, other = (SessionOptions(owner=owner, timeout=1.0) for owner in ("one", "other"))
        async with share_session(one) as first:
            async with share_session(SessionOptions(owner="one", timeout=1.0)) as second:
                assert second is first
                session, again = await asyncio.gather(first.get(), second.get())
                assert session is again
                async with share_session(other) as third:
                    assert await third.get() is not session
                assert len(closed) == 1
            assert len(closed) == 1
        assert closed[1:] == [session]
        async with share_session(one) as later:
            assert later is not first
        assert len(closed) == 2  # where nobody asked, nothing was opened
        assert _sessions._shared == {}

    asyncio.run(main())


def test_session_when_two_loops_use_it_then_each_has_its_own() -> None:
    """Connections belong to a loop."""
    seen: list[SharedSession] = []
    options = SessionOptions(owner="one", timeout=1.0)

    async def main() -> None:
        async with share_session(options) as shared:
            seen.append(shared)

    asyncio.run(main())
    asyncio.run(main())
    assert seen[0] is not seen[1]


def test_session_when_the_proxy_is_none_for_http_then_nothing_is_sent_without_it() -> None:
    """Going there directly would show the address that the proxy hides; the password is not repeated."""

    async def main() -> None:
        options = SessionOptions(owner="one", timeout=1.0, proxy="socks5://user:secret@127.0.0.1:1080")
        async with share_session(options) as shared:
            with pytest.raises(errors.Refused, match="socks5") as refused:
                await shared.get()
            assert "secret" not in str(refused.value)

    asyncio.run(main())
