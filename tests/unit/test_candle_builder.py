"""``CandleBuilder`` and ``CandleResampler`` by themselves: what others build on, and what they keep in memory."""

from __future__ import annotations

from typing import Any

import pytest
from candle_making import child, show, trade

from rxstreams.candles import CandleBuilder, CandleResampler
from rxstreams.candles.plan import make_plan
from rxstreams.candles.rules import is_revisable
from rxstreams.errors import LateTick
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.timeframe import Timeframe


def kept(builder: CandleBuilder) -> list[int]:
    """Return how many closed candles each symbol keeps."""
    return [len(series.kept) for series in builder._series]


def test_adder_when_a_tick_is_simply_the_next_one_then_nobody_else_is_asked() -> None:
    """Everything else is handed on: a first tick, one out of order, on another span, past a deadline or an end."""
    others: list[PriceTick] = []
    builder = CandleBuilder(1, on_candle=lambda _: None)

    def otherwise(tick: PriceTick) -> None:
        others.append(tick)
        builder.add(tick)

    add = builder.adder(otherwise)
    handed_on = [
        trade(60, 1),  # first
        trade(70, 2, "B"),  # first of its symbol
        trade(69, 2, "B"),  # out of order
        trade(71, 2, "B", exchange="y"),  # another exchange
        trade(80, 3, since=5),  # another since
        trade(81, 3, span=2, since=5),  # another span
        trade(130, 4, "B"),  # a later interval
        trade(110, 5, "B"),  # late
    ]
    simple = [trade(70, 1), trade(71, 2, "B"), trade(71, 3, "B"), trade(119, 4, span=2, since=5)]
    for tick in (*handed_on[:2], simple[0], handed_on[2], simple[1], simple[2], *handed_on[3:6], simple[3]):
        add(tick)
    assert others == handed_on[:6]
    # Past the deadline of its line, here of the other symbol's candle, inside its own.
    add(handed_on[6])
    assert others == handed_on[:7]
    add(handed_on[7])
    assert others == handed_on
    past = trade(125, 1, "C", exchange="y")
    add(past)
    add(trade(126, 1, "C", exchange="y"))
    assert others == [*handed_on, past]


def test_adder_when_updates_are_sent_then_every_tick_is_handed_on() -> None:
    """Each of them sends a candle."""
    got: list[str] = []
    builder = CandleBuilder(1, on_candle=lambda c: got.append(show(c)), emit="updates")
    add = builder.adder()
    for number in range(3):
        add(trade(60 + number, number + 1))
    assert got == [f"A 1m 60: 1 {n} 1 {n} v{n} n{n} open" for n in (1, 2, 3)]


@pytest.mark.parametrize("item", [None, 3, "tick", child(60, "1"), {"symbol": "A"}, [trade(60, 1)]])
def test_adder_when_it_is_given_something_else_then_it_raises_as_add_does(item: Any) -> None:
    """A candle has a symbol and an exchange as well; nothing of it is counted."""
    builder = CandleBuilder(1, on_candle=lambda _: None)
    add = builder.adder()
    for _ in range(2):
        with pytest.raises(TypeError, match="to_ohlc takes PriceTick items, got"):
            add(item)
        add(trade(60, 1))
    assert [show(c) for c in builder.open_candles()] == ["A 1m 60: 1 1 1 1 v2 n2 open"]


def test_open_candles_when_asked_for_then_they_come_as_they_are_in_order() -> None:
    """By (close_time, first appearance), and asking changes nothing."""
    builder = CandleBuilder(1, on_candle=lambda _: None)
    assert builder.open_candles() == []
    for tick in (trade(185, 1, "C", span=0), trade(60, 2, "B", span=0), trade(61, 3, "A", span=0)):
        builder.add(tick)
    expected = ["B 1m 60: 2 2 2 2 v1 n1 open", "A 1m 60: 3 3 3 3 v1 n1 open", "C 1m 180: 1 1 1 1 v1 n1 open"]
    assert [show(c) for c in builder.open_candles()] == expected
    assert [show(c) for c in builder.open_candles()] == expected


def test_open_candle_when_asked_for_by_key_then_it_is_that_one() -> None:
    """None for an unknown symbol or exchange, and where the last candle was closed by the line."""
    builder = CandleBuilder(1, on_candle=lambda _: None)
    assert builder.open_candle("A", "x") is None
    builder.add(trade(60, 1))
    candle = builder.open_candle("A", "x")
    assert candle is not None
    assert show(candle) == "A 1m 60: 1 1 1 1 v1 n1 open"
    assert builder.open_candle("A") is None
    assert builder.open_candle("B", "x") is None
    builder.add(trade(130, 1, "B"))
    assert builder.open_candle("A", "x") is None


def test_late_trade_when_the_builder_raises_then_the_next_trade_finds_it_in_order() -> None:
    """The error is of that trade only."""
    got: list[str] = []
    builder = CandleBuilder(1, on_candle=lambda c: got.append(show(c)), late="raise")
    builder.add(trade(60, 1))
    builder.add(trade(130, 1))
    with pytest.raises(LateTick):
        builder.add(trade(100, 1))
    builder.add(trade(190, 1))
    assert got == ["A 1m 60: 1 1 1 1 v1 n1 complete", "A 1m 120: 1 1 1 1 v1 n1 complete"]


def test_timeframe_when_asked_for_then_it_is_the_builders() -> None:
    """As given, but parsed."""
    assert CandleBuilder(60, on_candle=lambda _: None).timeframe == Timeframe("1h")


def test_deadline_when_candles_are_open_then_it_is_when_the_next_one_closes() -> None:
    """None where nothing is open, and without timers."""
    builder = CandleBuilder(1, on_candle=lambda _: None, close_on="timer", grace=3)
    deadlines = [builder.deadline]
    for tick in (trade(60, 1), trade(30, 1, "B")):
        builder.add(tick)
        deadlines.append(builder.deadline)
    for now in (63 * SECOND - 1, 63 * SECOND, 123 * SECOND):
        builder.advance(now)
        deadlines.append(builder.deadline)
    assert deadlines == [None, 123 * SECOND, 63 * SECOND, 63 * SECOND, 123 * SECOND, None]
    by_ticks = CandleBuilder(1, on_candle=lambda _: None)
    by_ticks.add(trade(60, 1))
    assert by_ticks.deadline is None


def test_memory_when_candles_close_then_only_those_that_can_change_are_kept() -> None:
    """Within the longer of two timeframes and 10 s, at least one a symbol."""
    minutes = CandleBuilder(1, on_candle=lambda _: None)
    seconds = CandleBuilder("1s", on_candle=lambda _: None, fill="flat")
    for number in range(2_000):
        minutes.add(trade(60 + 30 * number, 1, "AB"[number % 2]))
        seconds.add(trade(60 + number, 1))
    assert max(kept(minutes)) <= 4
    assert max(kept(seconds)) <= 12
    seconds.add(trade(1_000_000, 1))
    seconds.add(trade(1_000_001, 1))
    assert max(kept(seconds)) <= 12


def test_memory_when_a_quiet_symbol_is_filled_for_long_then_its_next_trade_lets_its_flat_candles_go() -> None:
    """Until then a loss may come to light, and each of them may have to be taken back; ``max_fill`` bounds them."""
    builder = CandleBuilder("1s", on_candle=lambda _: None, fill="flat", max_fill=1_000)
    builder.add(trade(60, 1, "A"))
    for number in range(3_000):
        builder.add(trade(60 + number, 1, "B"))
    assert max(kept(builder)) == 1_001
    builder.add(trade(3_060, 1, "A"))
    builder.add(trade(3_061, 1, "A"))
    assert max(kept(builder)) <= 12


def test_memory_when_a_line_reconnects_for_ever_then_its_old_spans_are_forgotten() -> None:
    """And so are deadlines that were overtaken."""
    builder = CandleBuilder("1s", on_candle=lambda _: None)
    for number in range(3_000):
        for symbol in "ABC":
            builder.add(trade(60 + number * 0.7, 1, symbol, span=1 + number // 10))
    lines = builder._lines._lines
    assert len(lines) == 1
    assert max(len(line.queue) for line in lines.values()) <= 3 * 4


def test_memory_when_timers_close_then_their_deadlines_are_forgotten() -> None:
    """Also of candles that a tick closed first."""
    builder = CandleBuilder("1s", on_candle=lambda _: None, close_on="timer")
    for number in range(3_000):
        builder.add(trade(60 + number, 1))
        assert builder.deadline == (63 + number) * SECOND
    assert builder._timers is not None
    assert len(builder._timers._queue) <= 2


def test_memory_when_candles_are_resampled_then_two_parents_a_timeframe_are_kept() -> None:
    """The open one and the last closed; of short ones all within 10 s."""
    resampler = CandleResampler(5, 15, 60, on_candle=lambda _: None)
    short = CandleResampler("2s", on_candle=lambda _: None)
    for number in range(1_000):
        resampler.add(child(60 * number, "1"))
        short.add(child(number, "1", timeframe="1s"))
    assert [len(level._series[0].kept) for level in resampler._levels] == [1, 1, 1]
    assert len(short._levels[0]._series[0].kept) <= 7


@pytest.mark.parametrize(
    ("name", "close_time", "newest", "expected"),
    [
        ("1m", 0, 120, True),
        ("1m", 0, 121, False),
        ("1s", 0, 10, True),
        ("1s", 0, 11, False),
        ("5s", 100, 50, True),
        ("1M", 5_097_600, 10_368_000, True),  # from 1970-03-01 on, April and May: 61 days
        ("1M", 5_097_600, 10_368_001, False),
    ],
)
def test_revisable_when_a_candle_ended_then_it_is_for_the_longer_of_two_timeframes_and_ten_seconds(
    name: str, close_time: int, newest: int, expected: bool
) -> None:
    """Both ends count, and what lies ahead of the newest time always does."""
    assert is_revisable(Timeframe(name), close_time * SECOND, newest * SECOND) is expected


def test_plan_when_several_timeframes_serve_then_the_longest_is_the_source() -> None:
    """The base is the last entry; what does not serve is passed over."""
    timeframes = [Timeframe(name) for name in ("1m", "4m", "10m", "15m", "30m", "1h")]
    plan = make_plan(Timeframe("1m"), timeframes)
    assert plan.passes
    built_from = {source: [timeframes[i].name for i in indices] for source, indices in enumerate(plan.dependents)}
    assert built_from == {0: [], 1: [], 2: [], 3: ["30m"], 4: ["1h"], 5: [], 6: ["4m", "10m", "15m"]}
    assert not make_plan(Timeframe("30s"), timeframes).passes


def test_flush_when_called_then_it_sends_the_open_candles_and_changes_nothing() -> None:
    """It may be called in between."""
    got: list[OHLCCandle] = []
    builder = CandleBuilder(1, on_candle=got.append)
    builder.add(trade(60, 1))
    builder.flush()
    builder.add(trade(61, 2))
    builder.add(trade(120, 2))
    assert [show(c) for c in got] == ["A 1m 60: 1 1 1 1 v1 n1 open", "A 1m 60: 1 2 1 2 v2 n2 complete"]
