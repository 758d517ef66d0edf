"""What a venue's functions refuse because it does not have it: said when asked for, with what there is instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from line_bench import PlainVenue

from rxstreams.config import StreamConfig
from rxstreams.instants import SECOND
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._fetching import Fetches
from rxstreams.sources.venue import Channel
from rxstreams.timeframe import Timeframe

SYMBOLS = ["A/USD"]


class PartVenue(PlainVenue):
    """Has no past trades; live candles of two timeframes, past ones of two, one of which is the same."""

    name: ClassVar[str] = "part"
    rest_url: ClassVar[str] = "http://127.0.0.1:9"
    has_rest_trades: ClassVar[bool] = False
    candle_timeframes: ClassVar[tuple[str, ...]] = ("1s", "1m")
    rest_timeframes: ClassVar[tuple[str, ...] | None] = ("1m", "1h")


class PastVenue(PartVenue):
    """Has candles of the past only."""

    candle_timeframes: ClassVar[tuple[str, ...]] = ()


class SameVenue(PartVenue):
    """Has the same timeframes in both, and past trades."""

    has_rest_trades: ClassVar[bool] = True
    rest_timeframes: ClassVar[tuple[str, ...] | None] = None


PART, PAST, SAME = Feeds(PartVenue()), Feeds(PastVenue()), Feeds(SameVenue())


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: PART.trades(SYMBOLS, history=True), "history=True needs past trades, and the REST API of part"),
        (lambda: PART.ohlc(SYMBOLS, "1m", history="1h"), "needs past trades, and the REST API of part has none"),
        (lambda: PART.rest_trades("A/USD", since=SECOND), r"rest_trades\(\) needs past trades"),
        (lambda: PART.candles(SYMBOLS, "1h"), "no live candles of .*; it has 1s, 1m$"),
        (lambda: PART.candles(SYMBOLS, "1s", history=5), "no past candles of .*; it has 1m, 1h$"),
        (lambda: PART.rest_candles("A/USD", "1s", since=SECOND), "no past candles of .*; it has 1m, 1h$"),
        (lambda: SAME.ohlc(SYMBOLS, "5m", history="1h"), "no past candles of .*; it has 1s, 1m$"),
        (lambda: SAME.rest_candles("A/USD", "1h", since=SECOND), "no past candles of .*; it has 1s, 1m$"),
        (
            lambda: PAST.candles(SYMBOLS, "1m"),
            r"no live candles of .*; it has none; ohlc\(\) builds them from its trades, rest_candles\(\) has those of "
            "the past: 1m, 1h$",
        ),
        (lambda: Feeds(PlainVenue()).candles(SYMBOLS, "1m"), "no live candles of .*; it has none$"),
    ],
)
def test_function_when_the_venue_does_not_have_it_then_says_so_and_what_it_has(
    call: Callable[[], object], says: str
) -> None:
    """When it is called, not when somebody subscribes."""
    with pytest.raises(ValueError, match=says):
        call()


def test_function_when_the_venue_has_it_then_nothing_is_said() -> None:
    """Live of one timeframe, past of another; history where both have it."""
    PART.trades(SYMBOLS)
    PART.candles(SYMBOLS, "1s")
    PART.candles(SYMBOLS, "1m", history=5)
    PART.rest_candles("A/USD", "1h", since=SECOND)
    PAST.rest_candles("A/USD", "1m", since=SECOND)
    PAST.ohlc(SYMBOLS, "7s")
    SAME.trades(SYMBOLS, history="5m")
    SAME.ohlc(SYMBOLS, "1m", history="1h")
    SAME.rest_trades("A/USD", since=SECOND)


@pytest.mark.parametrize(
    ("feeds", "channel", "expected"),
    [
        (PART, Channel("trades"), (False, False)),
        (SAME, Channel("trades"), (True, False)),
        (PART, Channel("candles", Timeframe("1m")), (False, True)),
        (PART, Channel("candles", Timeframe("1s")), (False, False)),
        (SAME, Channel("candles", Timeframe("1s")), (False, True)),
    ],
)
def test_feed_when_rest_does_not_have_what_it_misses_then_does_not_ask_for_it(
    feeds: Feeds, channel: Channel, expected: tuple[bool, bool]
) -> None:
    """It would be told so each time."""
    scheduler = EventLoopThreadScheduler("never-started")
    found = Fetches().or_over_rest(feeds.venue, channel, StreamConfig(), scheduler)
    assert (found.trades is not None, found.candles is not None) == expected
    nowhere: Any = StreamConfig(url="ws://127.0.0.1:9")
    assert Fetches().or_over_rest(feeds.venue, channel, nowhere, scheduler) == Fetches()
