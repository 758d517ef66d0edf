"""What a line does when the venue says that it will close the connection, in virtual time."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
from line_bench import A, B, PlainVenue, VirtualLoop, trade
from reactivex import never
from recovery_bench import OwnedBench, acknowledged, begin, ids, push, sinces

from rxstreams.config import StreamConfig
from rxstreams.errors import ConnectionLost
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._connection import ConnectionContext
from rxstreams.sources._handover import HandingOver, Succession
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Channel, Goodbye
from rxstreams.timeframe import Timeframe

GOODBYE = Goodbye(reason="the server is restarted")
SOON = 1.0  # seconds, a tenth of ``connect_timeout``: within it a hand-over begins


class Waiting:
    """A line that is asked whether a hand-over may begin, and never lets it."""

    def __init__(self, wanted: list[str]) -> None:
        self.wanted = wanted

    @property
    def is_whole(self) -> bool:
        """Say no, and note the question."""
        self.wanted.append("a hand-over")
        return False


def streaming(**options: Any) -> OwnedBench:
    """Return a feed that has sent a trade of A and one of B."""
    bench = OwnedBench(PlainVenue(), **options)
    begin(bench)
    return bench


def take_over(bench: OwnedBench, old: int, new: int, at: float) -> None:
    """Bring the same trades on two connections, so that the second one takes over."""
    push(bench, new, acknowledged(A, B, at=at))
    for socket in (old, new):
        push(bench, socket, trade(A, at + 1, round(at)), trade(B, at + 1, round(at)))


@pytest.mark.parametrize("options", [{}, {"max_age": 3600.0}])
def test_trades_when_the_venue_says_goodbye_then_the_next_connection_takes_over_without_a_hole(
    options: dict[str, Any],
) -> None:
    """At once, whatever the age; the coverage goes on, and the next goodbye is heard too."""
    bench = streaming(**options)
    bench.wait(60.0)
    assert len(bench.sockets) == 1
    push(bench, 0, GOODBYE)
    bench.wait(SOON)
    assert len(bench.sockets) == 2
    take_over(bench, 0, 1, at=70)
    push(bench, 0, trade(A, 75, 75))
    push(bench, 1, trade(A, 76, 76), GOODBYE)
    bench.wait(SOON)
    assert len(bench.sockets) == 3
    take_over(bench, 1, 2, at=80)
    push(bench, 2, trade(A, 90, 90))
    assert ids(bench) == [1, 70, 76, 80, 90]
    assert len(set(sinces(bench))) == 1
    assert {event.kind for event in bench.events} <= {"state"}


def test_goodbye_when_it_is_said_again_then_nothing_is_put_off_and_one_hand_over_is_made() -> None:
    """Before it begins and while it is under way."""
    bench = streaming()
    for _ in range(100):
        push(bench, 0, GOODBYE)
        bench.wait(SOON / 50)
    assert len(bench.sockets) == 2
    push(bench, 0, GOODBYE)
    bench.wait(5.0)
    assert len(bench.sockets) == 2
    take_over(bench, 0, 1, at=70)
    assert ids(bench) == [1, 70]


def test_goodbye_when_a_hand_over_by_age_is_under_way_then_that_one_goes_on() -> None:
    """There is no second one beside it."""
    bench = streaming(max_age=100.0)
    bench.wait(101.0)
    assert len(bench.sockets) == 2
    push(bench, 0, GOODBYE)
    bench.wait(5.0)
    assert len(bench.sockets) == 2
    take_over(bench, 0, 1, at=170)
    assert ids(bench) == [1, 170]


def test_goodbyes_when_many_lines_hear_them_then_not_all_connect_in_one_instant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each waits for a moment of its own."""
    monkeypatch.setattr("random.random", lambda: 0.5)
    bench = streaming()
    push(bench, 0, GOODBYE)
    bench.wait(0.49 * SOON)
    assert len(bench.sockets) == 1
    bench.wait(0.02 * SOON)
    assert len(bench.sockets) == 2


def test_goodbye_when_said_on_the_next_connection_then_it_is_given_up_and_another_one_tried() -> None:
    """A server that goes down soon is not what a line is handed over to."""
    bench = streaming()
    push(bench, 0, GOODBYE)
    bench.wait(SOON)
    push(bench, 1, acknowledged(A, B, at=70), GOODBYE)
    push(bench, 0, trade(A, 71, 71), trade(B, 71, 71))
    push(bench, 1, trade(A, 71, 71), trade(B, 71, 71), trade(A, 72, 72))
    assert ids(bench) == [1, 71]
    bench.wait(11.0)
    assert len(bench.sockets) == 3
    take_over(bench, 0, 2, at=80)
    push(bench, 2, trade(A, 90, 90))
    assert ids(bench) == [1, 71, 80, 90]


def test_goodbye_when_the_connection_stays_and_no_other_one_comes_then_pauses_grow_up_to_a_limit() -> None:
    """Without ``max_age`` too: 10, 20, 40, then 80 seconds."""
    bench = streaming()
    push(bench, 0, GOODBYE)
    bench.wait(SOON)
    for number, pause in enumerate((10.0, 20.0, 40.0, 80.0, 80.0), 2):
        assert len(bench.sockets) == number
        bench.sockets[-1].on_error(ConnectionLost("refused", uptime=0.0))
        bench.wait(pause - 0.1)
        assert len(bench.sockets) == number
        bench.wait(0.2)
    assert len(bench.sockets) == 7


def test_goodbye_when_the_connection_is_lost_before_the_hand_over_then_the_line_just_comes_back() -> None:
    """One connection more, not two."""
    bench = streaming()
    push(bench, 0, GOODBYE)
    bench.lose()
    bench.wait(60.0)
    assert len(bench.sockets) == 2


def test_candles_when_the_venue_says_goodbye_then_the_end_of_the_connection_is_waited_for() -> None:
    """Nothing proves of candles that two connections overlap."""
    bench = OwnedBench(PlainVenue(), channel=Channel("candles", Timeframe("1m")))
    bench.push(acknowledged(A, B, at=0))
    bench.push(GOODBYE)
    bench.wait(60.0)
    assert len(bench.sockets) == 1
    assert {event.kind for event in bench.events} <= {"state"}


def test_goodbye_when_it_comes_then_is_logged_in_the_venues_words(caplog: pytest.LogCaptureFixture) -> None:
    """No error, no warning, and nothing unknown."""
    bench = streaming()
    with caplog.at_level(logging.INFO, "rxstreams"):
        push(bench, 0, GOODBYE)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "plain line 0 will be closed: the server is restarted")
    ]
    assert bench.feed.stats.unknown_messages == 0


def test_succession_when_it_was_stopped_then_hears_no_goodbye_until_it_is_armed_again() -> None:
    """What a feed that ends still receives must not open another connection."""
    loop = VirtualLoop()
    scheduler = cast("EventLoopThreadScheduler", loop)
    venue = PlainVenue()
    context = ConnectionContext(
        venue=venue,
        url=venue.url,
        config=StreamConfig(),
        resolver=Resolver(),
        scheduler=scheduler,
        connect=lambda _, __: never(),
    )
    wanted: list[str] = []
    line = cast("HandingOver", Waiting(wanted))
    succession = Succession(line, context, 0, lambda: Subscriptions(venue, Channel("trades"), [A]))
    succession.hasten()
    succession.arm()
    succession.stop()
    succession.hasten()
    loop.advance_by(60.0)
    assert wanted == []
    succession.arm()
    succession.hasten()
    loop.advance_by(SOON)
    assert wanted == ["a hand-over"]
