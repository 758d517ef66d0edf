"""The silence of a connection, in virtual time."""

from __future__ import annotations

from reactivex.testing import TestScheduler

from rxstreams.sources._watchdog import Watchdog


class Bench:
    """A watchdog whose calls are written down with their times."""

    def __init__(self, answers: bool = False) -> None:
        self.scheduler = TestScheduler()
        self.calls: list[tuple[float, str]] = []
        self.answers = answers
        self.dog = Watchdog(
            self.scheduler,
            silence_timeout=80.0,
            probe_timeout=5.0,
            on_stale=lambda: self.note("stale"),
            on_alive=lambda: self.note("alive"),
            probe=self.probe,
            on_stalled=lambda: self.note("stalled"),
        )
        self.dog.start()

    def note(self, what: str) -> None:
        """Write a call down."""
        self.calls.append((self.scheduler.clock, what))

    def probe(self) -> None:
        """Answer, or not."""
        self.note("probe")
        if self.answers:
            self.frame()

    def frame(self) -> None:
        """Receive a frame."""
        self.dog.seen += 1


def test_watchdog_when_nothing_comes_then_stale_probe_stalled() -> None:
    """Half the time, all of it, and the probe's timeout after it."""
    bench = Bench()
    bench.scheduler.advance_to(1000.0)
    assert bench.calls == [(40.0, "stale"), (80.0, "probe"), (85.0, "stalled")]


def test_watchdog_when_the_probe_is_answered_then_goes_on() -> None:
    """A quiet pair must not reconnect for ever."""
    bench = Bench(answers=True)
    bench.scheduler.advance_to(200.0)
    assert bench.calls == [
        (40.0, "stale"),
        (80.0, "probe"),
        (85.0, "alive"),
        (125.0, "stale"),
        (165.0, "probe"),
        (170.0, "alive"),
    ]


def test_watchdog_when_frames_come_then_says_nothing() -> None:
    """One frame in each half of the timeout is life enough."""
    bench = Bench()

    def frame(*_: object) -> None:
        bench.frame()

    for second in range(0, 3600, 20):
        bench.scheduler.schedule_absolute(second, frame)
    bench.scheduler.advance_to(3600.0)
    assert bench.calls == []


def test_watchdog_when_a_symbol_trades_every_ten_minutes_with_heartbeats_then_never_reconnects() -> None:
    """A virtual hour with Kraken's heartbeat each second: heartbeat messages count."""
    scheduler = TestScheduler()
    calls: list[str] = []
    dog = Watchdog(
        scheduler,
        silence_timeout=30.0,
        probe_timeout=5.0,
        on_stale=lambda: calls.append("stale"),
        on_alive=lambda: calls.append("alive"),
        probe=lambda: calls.append("probe"),
        on_stalled=lambda: calls.append("stalled"),
    )

    def heartbeat(*_: object) -> None:
        dog.seen += 1
        scheduler.schedule_relative(1.0, heartbeat)

    scheduler.schedule_relative(1.0, heartbeat)
    dog.start()
    scheduler.advance_to(3600.0)
    assert calls == []


def test_watchdog_when_disposed_then_calls_nothing_any_more() -> None:
    """Also when a check is already due."""
    bench = Bench()
    bench.scheduler.advance_to(45.0)
    bench.dog.dispose()
    bench.scheduler.advance_to(1000.0)
    assert bench.calls == [(40.0, "stale")]
