"""``resample``: when a candle closes, and when it is complete."""

from __future__ import annotations

import pytest
import reactivex
from candle_making import arriving, child, run, show, trade
from reactivex import Observable, compose

from rxstreams.items import OHLCCandle
from rxstreams.operators import resample, to_ohlc


def test_candle_when_its_last_interval_is_empty_then_the_next_child_closes_it_first() -> None:
    """Before the child of a later candle counts."""
    arrivals = arriving(child(300, "1"), child(480, "2"), child(660, "3"))
    assert run(resample(5, emit="updates"), arrivals) == [
        (210, "A 5m 300: 1 1 1 1 v1 n1 open"),
        (211, "A 5m 300: 1 2 1 2 v2 n2 open"),
        (212, "A 5m 300: 1 2 1 2 v2 n2 complete"),
        (212, "A 5m 600: 3 3 3 3 v1 n1 open"),
    ]


def test_candle_when_an_open_child_of_a_later_one_comes_then_it_closes_too() -> None:
    """A child that is still forming shows as well that the one before is over."""
    arrivals = arriving(child(480, "2"), child(660, "3", closed=False, complete=False))
    assert run(resample(5), arrivals) == [(211, "A 5m 300: 2 2 2 2 v1 n1 complete")]


@pytest.mark.parametrize(("since", "state"), [(300, "complete"), (301, "closed"), (650, "closed")])
def test_complete_when_a_later_child_closes_it_then_that_childs_coverage_counts_too(since: float, state: str) -> None:
    """The last child was closed in good faith by its line; then the line broke, and trades after it were lost."""
    arrivals = arriving(child(480, "2", span=1), child(660, "3", span=2, since=since))
    assert run(resample(5), arrivals) == [(211, f"A 5m 300: 2 2 2 2 v1 n1 {state}")]


@pytest.mark.parametrize(("since", "state"), [(300, "complete"), (301, "closed")])
def test_complete_when_its_last_child_ends_it_then_that_ones_coverage_decides(since: float, state: str) -> None:
    """It must reach back to the open_time; what earlier children say does not matter."""
    arrivals = arriving(child(300, "2", since=299), child(540, "3", since=since))
    assert run(resample(5), arrivals) == [(211, f"A 5m 300: 2 3 2 3 v2 n2 {state}")]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_complete_when_one_child_is_not_then_the_candle_is_not(position: int) -> None:
    """First, in the middle or last."""
    children = [child(start, "1", complete=number != position) for number, start in enumerate((300, 420, 540))]
    assert run(resample(5), arriving(*children)) == [(212, "A 5m 300: 1 1 1 1 v3 n3 closed")]


def test_complete_when_a_child_never_closed_then_the_candle_is_not() -> None:
    """An open child that was left behind may lack trades."""
    arrivals = arriving(child(480, "1", closed=False, complete=False), child(540, "1"))
    assert run(resample(5), arrivals) == [(211, "A 5m 300: 1 1 1 1 v2 n2 closed")]


def test_complete_when_intervals_have_no_child_then_none_is_missing() -> None:
    """An interval without trades has no candle."""
    assert run(resample(60), arriving(child(3600, "1"), child(7140, "2"))) == [
        (211, "A 1h 3600: 1 2 1 2 v2 n2 complete")
    ]


@pytest.mark.parametrize(("opens", "is_closed"), [(600, False), (602, False), (603, True), (660, True)])
def test_quiet_symbol_when_its_line_goes_on_then_a_child_that_opens_past_grace_closes_it(
    opens: float, is_closed: bool
) -> None:
    """More than grace past the end; a child knows its line's time only from its own start on."""
    arrivals = arriving(child(420, "1", "A", timeframe="1s"), child(opens, "9", "B", timeframe="1s"))
    expected = [(211, "A 5m 300: 1 1 1 1 v1 n1 complete")] if is_closed else []
    assert run(resample(5), arrivals) == expected


def test_grace_when_given_then_it_is_what_the_line_waits() -> None:
    """In seconds."""
    for grace, closed in ((59, 1), (60, 0)):
        messages = run(resample(5, grace=grace), arriving(child(420, "1", "A"), child(660, "9", "B")))
        assert len(messages) == closed


def test_quiet_symbol_when_an_open_child_shows_the_time_then_it_closes() -> None:
    """Whatever to_ohlc sends is sent after what was due before."""
    arrivals = arriving(child(420, "1", "A"), child(660, "9", "B", closed=False, complete=False))
    assert run(resample(5), arrivals) == [(211, "A 5m 300: 1 1 1 1 v1 n1 complete")]


@pytest.mark.parametrize(("first", "second"), [(1, 2), (0, 0)])
def test_quiet_symbol_when_the_span_is_another_or_none_then_it_stays_open(first: int, second: int) -> None:
    """Only the same line knows."""
    arrivals = arriving(child(420, "1", "A", span=first), child(2400, "9", "B", span=second))
    assert run(resample(5), arrivals) == []


def test_several_when_due_at_once_then_they_go_by_timeframe_time_and_first_appearance() -> None:
    """Two timeframes of three symbols, closed by a fourth one's child."""
    arrivals = arriving(
        child(420, "1", "C", span=2),
        child(480, "2", "B"),
        child(420, "4", "C"),
        child(120, "3", "A"),
        child(1200, "9", "D"),
    )
    assert run(resample(5, 10), arrivals) == [
        (214, "A 5m 0: 3 3 3 3 v1 n1 closed"),
        (214, "C 5m 300: 4 4 4 4 v1 n1 complete"),
        (214, "B 5m 300: 2 2 2 2 v1 n1 complete"),
        (214, "C 10m 0: 4 4 4 4 v1 n1 closed"),
        (214, "B 10m 0: 2 2 2 2 v1 n1 closed"),
        (214, "A 10m 0: 3 3 3 3 v1 n1 closed"),
    ]


def test_longer_candle_when_its_part_is_closed_by_a_later_child_then_it_closes_with_it() -> None:
    """The hour does not wait until the next five minutes are over."""
    arrivals = arriving(child(6900, "1"), child(7320, "2"))
    assert run(resample(5, 60), arrivals) == [
        (211, "A 5m 6900: 1 1 1 1 v1 n1 complete"),
        (211, "A 1h 3600: 1 1 1 1 v1 n1 complete"),
    ]
    arrivals = arriving(child(6600, "1"), child(7320, "2", span=4, since=7000))
    assert run(resample(5, 60), arrivals) == [
        (211, "A 5m 6600: 1 1 1 1 v1 n1 closed"),
        (211, "A 1h 3600: 1 1 1 1 v1 n1 closed"),
    ]


def test_line_that_breaks_when_a_quiet_symbols_child_is_still_open_then_nothing_is_called_complete_too_soon() -> None:
    """A's last minute is still open in to_ohlc when the line breaks; B's candle, of the old span, closes later.

    B's candle opens at the end of A's hour, or two seconds after it, and is closed by a tick of the new line. It proves
    only that the old line got to its own start, not that A's last minute has been sent.
    """
    chain = compose(to_ohlc("1m"), resample("2m"))
    arrivals = arriving(
        trade(120, 1, "A"),
        trade(121, 1, "B"),
        trade(185, 2, "A"),  # A's last minute, open
        trade(241, 2, "B"),  # the next two minutes have begun: the old line's last tick
        trade(400, 3, "B", span=2, since=390),  # closes B's candle of the old span
        trade(401, 3, "A", span=2, since=390),  # tells that A's minute was not covered to its end
    )
    for operator in (chain, compose(to_ohlc("1m", emit="updates"), resample("2m"))):
        messages = [each for each in run(operator, arrivals) if each[1].startswith("A 2m")]
        assert messages == [(215, "A 2m 120: 1 2 1 2 v2 n2 closed")]


def test_line_that_lives_when_a_symbol_is_quiet_then_its_candle_closes_complete() -> None:
    """The same without the break: by B's second child after the end, or by its first update past grace."""
    ticks = arriving(trade(120, 1, "A"), trade(121, 1, "B"), trade(241, 2, "B"), trade(303, 3, "B"), trade(365, 3, "B"))
    closed: list[tuple[float, str]] = run(compose(to_ohlc("1m"), resample("2m")), ticks)
    updates = run(compose(to_ohlc("1m", emit="updates"), resample("2m")), ticks)
    assert [each for each in closed if each[1].startswith("A")] == [(214, "A 2m 120: 1 1 1 1 v1 n1 complete")]
    assert [each for each in updates if each[1].startswith("A")] == [(213, "A 2m 120: 1 1 1 1 v1 n1 complete")]


def test_resample_when_its_own_output_is_resampled_then_the_long_candles_are_the_same() -> None:
    """Through the stage in between or not."""
    children = [child(minute * 60, f"{minute % 13 + 1}", volume=minute) for minute in range(60, 240) if minute % 7]
    source: Observable[OHLCCandle] = reactivex.from_iterable(children)
    direct: list[str] = []
    chained: list[str] = []
    source.pipe(resample(60)).subscribe(lambda c: direct.append(show(c)))
    source.pipe(resample(5), resample(15), resample(60)).subscribe(lambda c: chained.append(show(c)))
    assert direct == chained
    assert len(direct) == 3


def test_flat_candles_when_a_tick_of_a_new_line_makes_them_then_they_say_nothing_of_the_old_one() -> None:
    """B's gap is filled by its tick on span 2; A's last minute, on span 1, is still open in to_ohlc."""
    arrivals = arriving(
        trade(120, 1, "A"), trade(121, 1, "B"), trade(185, 2, "A"), trade(500, 3, "B", span=2, since=100)
    )
    messages = run(compose(to_ohlc("1m", fill="flat"), resample("2m")), arrivals)
    assert [text for _, text in messages] == [
        "B 2m 120: 1 1 1 1 v1 n1 complete",
        "B 2m 240: 1 1 1 1 v0 n0 complete",
        "B 2m 360: 1 1 1 1 v0 n0 complete",
    ]
