"""A venue's own candles: closed is never guessed, complete needs an unbroken line."""

from __future__ import annotations

from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle
from rxstreams.sources._native_candles import NativeCandles
from rxstreams.timeframe import Timeframe


def candle(minute: int, close: float = 1.0, *, since: int = 0, closed: bool = False) -> OHLCCandle:
    """Return an update of the candle of a minute."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("1m"),
        open_time=minute * MINUTE,
        open=1.0,
        high=9.0,
        low=0.5,
        close=close,
        since=since,
        closed=closed,
    )


def run(updates: list[OHLCCandle], *, has_flag: bool = False) -> list[tuple[int, float, bool, bool]]:
    """Return minute, close, closed and complete of what is sent."""
    sent: list[OHLCCandle] = []
    candles = NativeCandles(Timeframe("1m"), has_flag=has_flag, emit=sent.append)
    for update in updates:
        candles.add(update)
    return [(c.open_time // MINUTE, c.close, c.closed, c.complete) for c in sent]


def test_native_candles_when_the_next_interval_comes_then_the_last_state_closes() -> None:
    """A venue without a flag closes at the next interval; the line covered all of minute 1."""
    assert run([candle(1, 1.0, since=MINUTE), candle(1, 2.0, since=MINUTE), candle(2, 3.0, since=MINUTE)]) == [
        (1, 1.0, False, False),
        (1, 2.0, False, False),
        (1, 2.0, True, True),
        (2, 3.0, False, False),
    ]


def test_native_candles_when_the_line_began_inside_then_the_candle_is_incomplete() -> None:
    """Covered from a nanosecond after its open."""
    assert run([candle(1, since=MINUTE + 1), candle(2, since=MINUTE + 1)])[1] == (1, 1.0, True, False)


def test_native_candles_when_the_line_broke_before_the_close_then_the_candle_is_incomplete() -> None:
    """The message that closes it came on a line that covers less."""
    assert run([candle(1, since=MINUTE), candle(2, since=MINUTE + 30)])[1] == (1, 1.0, True, False)


def test_native_candles_when_the_venue_has_a_flag_then_it_decides() -> None:
    """Closed once, by the flag; a repetition says nothing new."""
    updates = [
        candle(1, since=MINUTE),
        candle(1, 5.0, since=MINUTE, closed=True),
        candle(1, 5.0, closed=True),
        candle(2),
    ]
    assert run(updates, has_flag=True) == [
        (1, 1.0, False, False),
        (1, 5.0, True, True),
        (2, 1.0, False, False),
    ]


def test_native_candles_when_an_old_interval_comes_again_then_is_ignored() -> None:
    """Nothing reopens a candle that was sent as closed."""
    assert run([candle(1), candle(2), candle(1, 7.0)])[-1] == (2, 1.0, False, False)
