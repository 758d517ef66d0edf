"""``resample`` and ``to_ohlc`` with days, weeks and months of other zones, over both changes of their clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import reactivex

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.timeframe import Timeframe

# Each span of time has a change of the clocks in it; India has none.
CHANGES = [
    ("America/New_York", datetime(2025, 3, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2025, 10, 31, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 3, 28, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 10, 24, tzinfo=UTC)),
    ("Australia/Sydney", datetime(2025, 4, 3, tzinfo=UTC)),
    ("Australia/Sydney", datetime(2025, 10, 2, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2025, 3, 28, tzinfo=UTC)),
]


def hourly_trades(start: datetime, hours: int) -> list[PriceTick]:
    """Return a trade every half hour, of a volume that tells it from all others."""
    first = int(start.timestamp())
    return [
        PriceTick(
            symbol="A",
            price=100.0 + (number * 7) % 23,
            volume=1.0 + number,
            timestamp=(first + 1800 * number) * SECOND,
            since=1,
        )
        for number in range(2 * hours)
    ]


def session_of(tick: PriceTick, zone: str, shift: timedelta) -> date:
    """Return the date of the session that a trade is in: that of the local clocks, moved by the session's start."""
    return (tick.time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - shift).date()


@pytest.mark.parametrize(("zone", "start"), CHANGES)
@pytest.mark.parametrize("session_start", ["00:00", "17:00"])
@pytest.mark.parametrize("name", ["1d", "1w", "1M"])
def test_long_candles_when_the_clocks_change_then_they_hold_what_the_local_calendar_says(
    zone: str, start: datetime, session_start: str, name: str
) -> None:
    """Trades grouped by the local date, week or month equal the candles, made straight or through shorter ones."""
    days = {"1d": 6, "1w": 24, "1M": 70}[name]
    ticks = hourly_trades(start, 24 * days)
    # From 12:00 on a session belongs to the next date: at 17:00 the local date is moved by 7 hours, forward.
    shift = timedelta(hours=-7) if session_start == "17:00" else timedelta(0)
    expected: dict[object, list[PriceTick]] = {}
    for tick in ticks:
        day = session_of(tick, zone, shift)
        key = {"1d": day, "1w": day - timedelta(days=day.weekday()), "1M": day.replace(day=1)}[name]
        expected.setdefault(key, []).append(tick)
    timeframe = Timeframe(name, tz=zone, session_start=session_start)
    steps = {"1d": [timeframe], "1w": [Timeframe("1d", tz=zone, session_start=session_start), timeframe]}
    half_hours = reactivex.from_iterable(ticks).pipe(to_ohlc("30m"))
    for made in (
        reactivex.from_iterable(ticks).pipe(to_ohlc(timeframe)),
        half_hours.pipe(resample(timeframe)),
        half_hours.pipe(resample(*steps.get(name, steps["1w"]), timeframe)),
    ):
        got: list[OHLCCandle] = []
        made.subscribe(got.append)
        candles = [candle for candle in got if candle.timeframe == timeframe]
        assert [(c.volume, c.trades, c.open, c.high, c.low, c.close) for c in candles] == [
            (
                sum(t.volume for t in group),
                len(group),
                group[0].price,
                max(t.price for t in group),
                min(t.price for t in group),
                group[-1].price,
            )
            for group in expected.values()
        ]
        assert len(candles) >= 3
        assert [c.closed for c in candles] == [True] * (len(candles) - 1) + [candles[-1].closed]
        assert all(c.complete for c in candles[:-1])
        assert all(b.open_time == a.close_time for a, b in pairwise(candles))


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("America/New_York", datetime(2025, 3, 9, 5, tzinfo=UTC), 23),
        ("America/New_York", datetime(2025, 11, 2, 4, tzinfo=UTC), 25),
        ("Europe/Berlin", datetime(2025, 3, 29, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2025, 10, 25, 22, tzinfo=UTC), 25),
        ("Australia/Sydney", datetime(2025, 4, 5, 13, tzinfo=UTC), 25),
        ("Australia/Sydney", datetime(2025, 10, 4, 14, tzinfo=UTC), 23),
        ("Asia/Kolkata", datetime(2025, 3, 29, 18, 30, tzinfo=UTC), 24),
    ],
)
def test_day_when_the_clocks_change_in_it_then_it_has_its_own_length(zone: str, start: datetime, hours: int) -> None:
    """And the candle's end is the next one's start."""
    day = Timeframe("1d", tz=zone)
    got: list[OHLCCandle] = []
    ticks = hourly_trades(start, hours + 1)
    reactivex.from_iterable(ticks).pipe(to_ohlc("30m"), resample(day)).subscribe(got.append)
    assert got[0].open_time == int(start.timestamp()) * SECOND
    assert got[0].close_time - got[0].open_time == hours * 3600 * SECOND
    assert got[0].trades == 2 * hours
    assert got[0].complete
