"""What a venue said of an error stands in the error of the acknowledgement that did not come."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from line_bench import A, Bench, PlainVenue, trade
from reactivex import abc
from recovery_bench import OwnedBench, acknowledged, begin, push
from virtual_loop import now, run

from rxstreams.config import StreamConfig
from rxstreams.errors import Stalled
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources import _connection
from rxstreams.sources._connection import Connection, ConnectionContext, ConnectionOwner, connect_once
from rxstreams.sources._watchdog import Watchdog
from rxstreams.sources.venue import Unknown
from rxstreams.states import StreamState


class Ends(abc.ObserverBase[bytes]):
    """Notes how a connection ended."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def on_next(self, value: bytes) -> None:
        """Nothing comes here."""

    def on_error(self, error: Exception) -> None:
        """Note it."""
        self.errors.append(error)

    def on_completed(self) -> None:
        """It never does."""


class Transport:
    """An open socket to a venue that answers nothing."""

    async def send(self, frame: str) -> None:
        """Take it."""

    def abort(self) -> None:
        """Do nothing."""


class Owner:
    """A line that waits for an acknowledgement, and hears this."""

    def __init__(self, kinds: list[str]) -> None:
        self._kinds = kinds

    def on_state(self, state: StreamState) -> None:
        """Nothing is noted."""

    def on_open(self, connection: Connection) -> list[str]:
        """Hear it at once."""
        for kind in self._kinds:
            connection.note_words(Unknown(kind=kind))
        return ["subscribe"]

    def pending(self) -> tuple[str, ...]:
        """Wait for ever."""
        return (A,)


class Scheduler:
    """Time of the running loop."""

    def schedule_relative(self, *_: Any) -> abc.DisposableBase:
        """Never do it: there is silence, but that has a longer timeout."""
        return cast("abc.DisposableBase", asyncio.get_running_loop().call_later(1e6, print))


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([], ""),
        (["heartbeat", "an error"], ""),
        (["error: too many requests", "status"], "; it said: too many requests"),
        (["error: too many", "error 17: on maintenance"], "; it said: 17: on maintenance"),
        (["error"], "; it said: error"),
    ],
)
def test_acknowledgement_when_it_does_not_come_then_the_newest_words_of_an_error_are_told(
    kinds: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of this connection; other unknown messages say nothing."""

    async def open_transport(*_: object) -> Transport:
        return Transport()

    def never_start(watchdog: Watchdog) -> None:
        del watchdog

    async def main() -> list[Exception]:
        monkeypatch.setattr(_connection, "open_transport", open_transport)
        monkeypatch.setattr(Watchdog, "start", never_start)
        ends = Ends()
        venue = PlainVenue()
        context = ConnectionContext(
            venue=venue,
            url=venue.url,
            config=StreamConfig(),
            resolver=Resolver(),
            scheduler=cast("EventLoopThreadScheduler", Scheduler()),
            connect=connect_once,
        )
        await Connection(context, cast("ConnectionOwner", Owner(kinds)), ends).run()
        assert 10.0 <= now() < 11.0
        return ends.errors

    (error,) = run(main)
    assert isinstance(error, Stalled)
    assert str(error) == f"plain did not acknowledge the subscription to {A} within 10 s{said}"


def test_line_when_it_hears_what_it_does_not_use_then_hands_that_to_its_connection() -> None:
    """So does the next connection of a hand-over, to itself."""
    bench = OwnedBench(PlainVenue(), max_age=100.0)
    begin(bench)
    bench.push(Unknown(kind="error: one"), trade(A, 3, 2))
    bench.wait(101.0)
    push(bench, 1, Unknown(kind="error: two"))
    assert bench.words == ["error: one", "error: two"]
    assert bench.feed.stats.unknown_messages == 1


def test_line_when_an_error_is_told_then_it_stays_as_it_is() -> None:
    """It is counted, and nothing else."""
    bench = Bench(PlainVenue(), recovers=True)
    bench.push(acknowledged(A, at=0), Unknown(kind="error: one"), trade(A, 3, 2))
    assert [event.kind for event in bench.events if event.kind != "state"] == []
    assert len(bench.ticks) == 1
