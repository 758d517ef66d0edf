"""A venue that keeps something for each connection: every connection has a conversation of its own, and an address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, cast

import reactivex
from line_bench import A, B, Bench, PlainVenue, VirtualLoop, trade
from reactivex import Observable
from recovery_bench import OwnedBench, acknowledged, begin, ids, push

from rxstreams.config import StreamConfig
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._connection import ConnectionContext, ConnectionOwner
from rxstreams.sources.stream import Stream
from rxstreams.sources.venue import Acknowledged, Channel, Message
from rxstreams.timeframe import Timeframe


class Numbered:
    """A conversation that counts the frames that it has read, and can end what was acknowledged in it."""

    def __init__(self, venue: NumberingVenue, number: int) -> None:
        self.venue = venue
        self.number = number
        self.frames = 0
        self.acknowledged: set[str] = set()

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Look it up."""
        self.frames += 1
        for message in self.venue.table[frame]():
            if isinstance(message, Acknowledged):
                self.acknowledged.update(message.symbols)
            yield message

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Return who ends what; None: it was not acknowledged."""
        if not self.acknowledged.issuperset(symbols):
            return None
        return f"{self.number} ends {','.join(symbols)}"


class NumberingVenue(PlainVenue):
    """Keeps its conversations. One message is for one symbol."""

    symbols_per_message: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__()
        self.conversations: list[Numbered] = []

    def conversation(self) -> Numbered:
        """Return another one."""
        self.conversations.append(Numbered(self, len(self.conversations)))
        return self.conversations[-1]

    @property
    def used(self) -> list[int]:
        """How many frames each conversation has read, of those that have read any."""
        return [each.frames for each in self.conversations if each.frames]


def test_line_when_it_comes_back_then_a_new_conversation_reads_its_frames() -> None:
    """What the old one has learned was said on the old connection."""
    venue = NumberingVenue()
    bench = Bench(venue)
    bench.push(acknowledged(A, B, at=0))
    bench.push(trade(A, 1, 1))
    bench.lose()
    bench.push(acknowledged(A, B, at=70))
    assert venue.used == [2, 1]


def test_next_connection_when_it_takes_over_then_keeps_its_conversation() -> None:
    """The frames of two connections are read by two, and what it has learned before it took over stays known."""
    venue = NumberingVenue()
    bench = OwnedBench(venue, max_age=100.0)
    begin(bench)
    bench.wait(101.0)
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 0, trade(A, 121.5, 2), trade(B, 121.6, 2))
    assert venue.used == [3, 1]
    push(bench, 1, trade(A, 121.5, 2), trade(B, 121.6, 2))
    push(bench, 1, trade(A, 190, 3))
    assert ids(bench) == [1, 2, 3]
    assert venue.used == [3, 3]
    bench.lose()
    push(bench, 2, acknowledged(A, B, at=300))
    assert venue.used == [3, 3, 1]


def test_unsubscribing_when_only_the_connection_can_say_it_then_its_conversation_is_asked() -> None:
    """That of the present connection: after a loss another one's, and after a hand-over the next one's."""
    venue = NumberingVenue()
    bench = OwnedBench(venue, max_age=100.0)
    begin(bench)
    bench.wait(101.0)
    push(bench, 1, acknowledged(A, B, at=121))
    push(bench, 0, trade(A, 121.5, 2), trade(B, 121.6, 2))
    push(bench, 1, trade(A, 121.5, 2), trade(B, 121.6, 2))
    bench.feed.remove([A])
    bench.lose()
    push(bench, 2, acknowledged(B, at=300))
    bench.feed.add([A])
    push(bench, 2, acknowledged(A, at=301))
    bench.feed.remove([B])
    used = [each.number for each in venue.conversations if each.frames]
    assert [frame for frame in bench.sent if "ends" in frame] == [f"{used[1]} ends {A}", f"{used[2]} ends {B}"]


def test_unsubscribing_when_it_can_not_be_said_yet_then_is_said_at_the_acknowledgement() -> None:
    """Once, and not if the symbol was added again meanwhile, or the connection is another one."""
    venue = NumberingVenue()
    bench = Bench(venue)

    def ended() -> list[str]:
        return [frame.partition(" ")[2] for frame in bench.sent if "ends" in frame]

    bench.feed.remove([A])
    assert ended() == []
    bench.push(acknowledged(B))
    assert ended() == []
    bench.push(acknowledged(A))
    bench.push(acknowledged(A))
    assert ended() == [f"ends {A}"]
    bench.push(trade(A, 1, 1), trade(B, 1, 1))
    assert [tick.symbol for tick in bench.ticks] == [B]
    bench.feed.add(["C/USD", "D/USD"])
    bench.feed.remove(["C/USD", "D/USD"])
    bench.feed.add(["C/USD"])
    bench.push(acknowledged("C/USD"))
    bench.lose()
    bench.push(acknowledged(B, "C/USD", "D/USD"))
    assert ended() == [f"ends {A}"]


class TwoAddresses(PlainVenue):
    """Has candles elsewhere."""

    def url_of(self, channel: Channel) -> str:
        """Return the one for the channel."""
        return f"ws://127.0.0.1:9/{channel.kind}"


def test_address_when_a_venue_has_several_then_it_is_the_channels_unless_another_one_is_given() -> None:
    """Candles and trades are served by different sockets."""
    urls: list[str] = []

    def connect(context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        urls.append(context.url)
        return reactivex.never()

    for channel in (Channel("trades"), Channel("candles", Timeframe("1m"))):
        for options in ({}, {"url": "ws://127.0.0.1:8"}):
            config = StreamConfig.of(cast("dict[str, Any]", options))
            loop = cast("EventLoopThreadScheduler", VirtualLoop())
            feed: Stream[Any] = Stream(TwoAddresses(), [A], channel, config, scheduler=loop, connect=connect)
            feed.subscribe()
    expected = ["ws://127.0.0.1:9/trades", "ws://127.0.0.1:8", "ws://127.0.0.1:9/candles", "ws://127.0.0.1:8"]
    assert urls == expected
