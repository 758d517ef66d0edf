"""``redundant``: what passes, what is held, what since and span say, and what ends it."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any, cast

import pytest
import reactivex
from reactivex import Observable
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams._spans import settle, unsettle
from rxstreams.errors import ObserverError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.operators import redundant, to_ohlc

# Typed for whole virtual seconds, but they take any.
on_next: Any = ReactiveTest.on_next
on_completed: Any = ReactiveTest.on_completed
on_error = ReactiveTest.on_error


def _trade(
    seconds: float,
    symbol: str = "A",
    *,
    span: int,
    since: float = 100,
    trade_id: int | None = -1,
    price: float = 1.0,
    side: Side | None = None,
) -> PriceTick:
    """Return a trade stamped so many seconds after the epoch; its id is that number of milliseconds unless given."""
    return PriceTick(
        symbol=symbol,
        price=price,
        timestamp=round(seconds * SECOND),
        exchange="x",
        trade_id=round(seconds * 1000) if trade_id == -1 else trade_id,
        side=side,
        span=span,
        since=round(since * SECOND),
    )


def _run(*feeds: list[Recorded[Any]], **options: Any) -> list[tuple[float, str]]:
    """Return every message with its time, written down by ``_write``; spans get letters in the order of appearance."""
    scheduler = TestScheduler()
    sources = [scheduler.create_hot_observable(*messages) for messages in feeds]
    result = scheduler.start(lambda: redundant(*sources, **options)).messages
    names: dict[int, str] = {}
    return [(message.time, _write(message.value, names)) for message in result]


def _write(notification: Any, names: dict[int, str]) -> str:
    if notification.kind == "C":
        return "completed"
    if notification.kind == "E":
        return f"{type(notification.exception).__name__}: {notification.exception}"
    tick: PriceTick = notification.value
    span = names.setdefault(tick.span, chr(ord("a") + len(names))) if tick.span else "0"
    return f"{tick.symbol} {tick.timestamp / SECOND:g} since {tick.since / SECOND:g} on {span}"


def test_trades_when_two_lines_bring_them_then_the_first_arrival_goes_out_once() -> None:
    """At once, in order, whoever is first."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(220, _trade(120, span=1)), on_next(235, _trade(130, span=1))],
        [on_next(211, _trade(110, span=2)), on_next(225, _trade(120, span=2)), on_next(230, _trade(130, span=2))],
    ) == [
        (210, "A 110 since 100 on a"),  # the second line has not brought A yet
        (220, "A 120 since 100 on b"),
        (230, "A 130 since 100 on b"),
    ]


def test_line_when_it_dies_while_another_lags_then_the_other_takes_over_where_it_broke_off() -> None:
    """What the other brings is known until it has caught up; from then on it is news. No since is raised."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(220, _trade(120, span=1)), on_next(230, _trade(130, span=1))],
        [
            on_next(215, _trade(110, span=2)),
            on_next(232, _trade(120, span=2)),
            on_next(242, _trade(130, span=2)),
            on_next(252, _trade(140, span=2)),
        ],
    ) == [
        (210, "A 110 since 100 on a"),
        (220, "A 120 since 100 on b"),
        (230, "A 130 since 100 on b"),
        (252, "A 140 since 100 on b"),
    ]


def test_line_when_it_comes_back_then_it_is_held_until_another_has_passed_the_begin_of_its_coverage() -> None:
    """By that very trade, or by a later one: then nothing can be missing, and since stays."""
    away = _trade(140.2, span=3, since=140)
    assert _run(
        [
            on_next(210, _trade(110, span=1)),
            on_next(240, away),  # before the other line has brought it
            on_next(240.3, _trade(140.4, span=3, since=140)),
        ],
        [
            on_next(211, _trade(110, span=2)),
            on_next(230, _trade(130, span=2)),
            on_next(240.6, _trade(140.2, span=2)),
            on_next(241, _trade(140.4, span=2)),
        ],
    ) == [
        (210, "A 110 since 100 on a"),
        (230, "A 130 since 100 on b"),
        (240.6, "A 140.2 since 100 on c"),
        (240.6, "A 140.4 since 100 on d"),
    ]


def test_line_when_another_has_delivered_another_symbol_two_seconds_later_then_that_proves_it_too() -> None:
    """The line is in order: had there been a trade of A before, it would have come."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(240, _trade(140.2, span=3, since=140))],
        [
            on_next(211, _trade(110, span=2)),
            on_next(212, _trade(111, "B", span=2)),
            on_next(240.5, _trade(141.9, "B", span=2)),  # not yet
            on_next(241, _trade(142, "B", span=2)),
        ],
    ) == [
        (210, "A 110 since 100 on a"),
        (212, "B 111 since 100 on b"),
        (240.5, "B 141.9 since 100 on a"),
        (241, "B 142 since 100 on b"),
        (241, "A 140.2 since 100 on c"),
    ]


def test_line_when_nobody_passes_it_within_hold_then_its_trades_go_out_and_since_rises() -> None:
    """Connected or not: what counts is what the other line delivers."""
    assert _run(
        [
            on_next(210, _trade(110, span=1)),
            on_next(240, _trade(140.2, span=3, since=140)),
            on_next(241, _trade(141, span=3, since=140)),
            on_next(243, _trade(143, span=3, since=140)),
        ],
        [on_next(211, _trade(110, span=2)), on_next(250, _trade(150, span=2))],
        hold=2.0,
    ) == [
        (210, "A 110 since 100 on a"),
        (242, "A 140.2 since 140 on b"),
        (242, "A 141 since 140 on b"),
        (243, "A 143 since 140 on b"),
        (250, "A 150 since 140 on b"),
    ]


def test_hold_when_it_is_zero_or_a_timedelta_then_it_counts() -> None:
    """0: nothing waits; since tells."""
    feeds = (
        [on_next(210, _trade(110, span=1)), on_next(240, _trade(140.2, span=3, since=140))],
        [on_next(211, _trade(110, span=2))],
    )
    assert _run(*feeds, hold=0)[-1] == (240, "A 140.2 since 140 on b")
    assert _run(*feeds, hold=timedelta(seconds=30))[-1] == (270, "A 140.2 since 140 on b")


def test_trade_when_it_is_older_than_the_raised_since_then_it_goes_out_late() -> None:
    """A line that was too slow for the hold loses nothing; its trades are late, with the since of the result."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(240, _trade(140.2, span=3, since=140))],
        [
            on_next(211, _trade(110, span=2)),
            on_next(250, _trade(139, span=2)),
            on_next(251, _trade(140.2, span=2)),
            on_next(252, _trade(141, span=2)),
        ],
    ) == [
        (210, "A 110 since 100 on a"),
        (242, "A 140.2 since 140 on b"),
        (250, "A 139 since 140 on c"),  # a span that is never used again: it closes nothing
        (252, "A 141 since 140 on b"),
    ]


def test_lines_when_both_were_away_then_since_rises_to_the_earlier_return_as_soon_as_both_are_back() -> None:
    """Nobody is left who could close the hole, so nothing waits for it."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(240, _trade(140.2, span=3, since=139))],
        [on_next(211, _trade(110, span=2)), on_next(241, _trade(140.2, span=4, since=138))],
    ) == [(210, "A 110 since 100 on a"), (241, "A 140.2 since 138 on b")]


def test_lines_when_they_have_holes_in_turn_then_since_stays() -> None:
    """Each hole is closed by the other line."""
    assert _run(
        [
            on_next(210, _trade(110, span=1)),
            on_next(240, _trade(140, span=3, since=135)),
            on_next(250, _trade(150, span=3, since=135)),
            on_next(271, _trade(170, span=3, since=135)),
        ],
        [
            on_next(211, _trade(110, span=2)),
            on_next(220, _trade(120, span=2)),
            on_next(241, _trade(140, span=2)),
            on_next(270, _trade(170, span=4, since=165)),
            on_next(280, _trade(180, span=4, since=165)),
        ],
    ) == [
        (210, "A 110 since 100 on a"),
        (220, "A 120 since 100 on b"),
        (241, "A 140 since 100 on c"),
        (250, "A 150 since 100 on d"),
        (271, "A 170 since 100 on e"),
        (280, "A 180 since 100 on f"),
    ]


def test_since_when_a_line_raises_it_without_a_new_span_then_it_counts_as_a_loss() -> None:
    """It is held like one that comes back, and its own clock proves nothing of the time before."""
    assert _run(
        [on_next(210, _trade(110, span=1)), on_next(230, _trade(130, span=1, since=125))],
        [on_next(211, _trade(110, span=2)), on_next(231, _trade(129, span=2)), on_next(232, _trade(130, span=2))],
    ) == [
        (210, "A 110 since 100 on a"),
        (231, "A 129 since 100 on b"),
        (231, "A 130 since 100 on c"),
    ]


def test_symbol_when_only_one_feed_has_it_then_it_goes_out_at_once_until_its_line_was_away() -> None:
    """After that it waits for ``hold``: another line might have had it all the time."""
    assert _run(
        [
            on_next(210, _trade(110, span=1)),
            on_next(220, _trade(120, span=1)),
            on_next(240, _trade(140.2, span=3, since=140)),
        ],
        [on_next(215, _trade(115, "B", span=2)), on_next(225, _trade(125, "B", span=2))],
    ) == [
        (210, "A 110 since 100 on a"),
        (215, "B 115 since 100 on b"),
        (220, "A 120 since 100 on a"),
        (225, "B 125 since 100 on b"),
        (242, "A 140.2 since 140 on c"),
    ]


def test_since_when_it_is_zero_then_the_result_says_from_when_on() -> None:
    """Just after the first tick; the result's since is never 0."""
    feeds = (
        [on_next(210 + n, _trade(110 + n, span=0, since=0)) for n in range(3)],
        [on_next(210.5 + n, _trade(110 + n, span=0, since=0)) for n in range(4)],
    )
    assert _run(*feeds) == [
        (210, "A 110 since 110 on 0"),
        (211, "A 111 since 110 on 0"),
        (212, "A 112 since 110 on 0"),
        (213.5, "A 113 since 110 on 0"),
    ]


def test_trades_when_they_have_no_ids_then_the_nth_twin_on_one_line_is_the_nth_on_the_other() -> None:
    """By time, price, volume and side, counted."""

    def twin(span: int, side: Side = Side.BUY) -> PriceTick:
        return _trade(110, span=span, trade_id=None, side=side)

    assert _run(
        [on_next(210, twin(1)), on_next(211, twin(1)), on_next(212, twin(1, Side.SELL))],
        [on_next(213, twin(2)), on_next(214, twin(2)), on_next(215, twin(2, Side.SELL)), on_next(216, twin(2))],
    ) == [
        (210, "A 110 since 100 on a"),
        (211, "A 110 since 100 on a"),
        (212, "A 110 since 100 on a"),
        (216, "A 110 since 100 on b"),
    ]


def test_key_when_given_then_it_tells_trades_apart() -> None:
    """Whatever is the same on all feeds."""

    def stamp_of(tick: PriceTick) -> int:
        return tick.timestamp

    result = _run(
        [on_next(210, _trade(110, span=1, trade_id=1)), on_next(220, _trade(120, span=1, trade_id=2))],
        [on_next(211, _trade(110, span=2, trade_id=71)), on_next(221, _trade(120, span=2, trade_id=72))],
        key=stamp_of,
    )
    assert [time for time, _ in result] == [210, 220]


def test_quiet_symbol_when_the_line_that_brought_it_dies_then_the_others_clock_closes_its_candle() -> None:
    """The other has brought it too, so what it brings now comes after all that was published of the quiet one."""
    first, second = Subject[PriceTick](), Subject[PriceTick]()
    candles: list[OHLCCandle] = []
    redundant(first, second).pipe(to_ohlc("1m")).subscribe(candles.append, scheduler=TestScheduler())
    for seconds, symbol in ((121, "A"), (122, "B"), (123, "A")):
        first.on_next(_trade(seconds, symbol, span=1))
        second.on_next(_trade(seconds, symbol, span=2))
    for seconds in (150, 181, 183, 185, 187):  # only the second lives
        second.on_next(_trade(seconds, "A", span=2))
    assert [(candle.symbol, candle.complete) for candle in candles] == [("A", True), ("B", True)]


def test_quiet_symbol_when_the_living_line_has_not_brought_it_then_nothing_closes_its_candle() -> None:
    """It may have been traded while that line was away."""
    first, second = Subject[PriceTick](), Subject[PriceTick]()
    candles: list[OHLCCandle] = []
    redundant(first, second).pipe(to_ohlc("1m")).subscribe(candles.append, scheduler=TestScheduler())
    for seconds, symbol in ((121, "A"), (122, "B"), (123, "A")):
        first.on_next(_trade(seconds, symbol, span=1))
        second.on_next(_trade(seconds, symbol, span=2))
    second.on_next(_trade(140, "A", span=3, since=130))
    first.on_next(_trade(140, "A", span=1))  # and dies
    for seconds in (150, 181, 183, 185, 187):
        second.on_next(_trade(seconds, "A", span=3, since=130))
    assert [(candle.symbol, candle.complete) for candle in candles] == [("A", True)]
    second.on_next(_trade(190, "B", span=3, since=130))
    assert [(candle.symbol, candle.complete) for candle in candles] == [("A", True), ("B", True)]


def test_span_when_a_line_has_lost_another_symbol_without_a_new_span_then_it_speaks_for_that_no_more() -> None:
    """Its next trade of any symbol must not close the other's candle."""
    came = _run(
        [on_next(210, _trade(110, span=1)), on_next(211, _trade(111, "B", span=1))],
        [
            on_next(212, _trade(110, span=2)),
            on_next(213, _trade(111, "B", span=2)),
            on_next(220, _trade(112, "A", span=2)),
            on_next(221, _trade(112, "B", span=2)),
            on_next(230, _trade(130, "B", span=2, since=129)),
            on_next(231, _trade(131, "A", span=2)),
        ],
    )
    assert came[2:] == [
        (220, "A 112 since 100 on b"),
        (221, "B 112 since 100 on b"),
        (231, "A 131 since 100 on c"),
        (232, "B 130 since 129 on b"),  # where its candles were closed, so that they are taken back
    ]


def test_span_when_a_line_lags_behind_the_clock_of_a_span_then_it_sends_nothing_with_it() -> None:
    """A span is one ordered line to whoever reads it."""
    came = _run(
        [on_next(210, _trade(110, span=1)), on_next(220, _trade(120, span=1)), on_next(260, _trade(121, span=1))],
        [on_next(211, _trade(110, span=2)), on_next(221, _trade(111, "B", span=2)), on_next(222, _trade(112, span=2))],
    )
    assert came == [
        (210, "A 110 since 100 on a"),
        (220, "A 120 since 100 on b"),
        (221, "B 111 since 100 on c"),
        (222, "A 112 since 100 on d"),
        (260, "A 121 since 100 on b"),
    ]


def test_since_when_a_line_that_began_earlier_brings_the_first_trade_too_then_it_reaches_back() -> None:
    """From there to its first trade nothing was published."""
    assert _run(
        [on_next(210, _trade(110, span=1, since=105)), on_next(220, _trade(120, span=1, since=105))],
        [on_next(211, _trade(110, span=2, since=101))],
    ) == [(210, "A 110 since 105 on a"), (220, "A 120 since 101 on b")]


def test_span_when_a_line_has_recovered_what_it_missed_then_it_speaks_for_all_that_it_had_brought() -> None:
    """Its run goes on in a settled stage; until then each symbol is on its own."""
    stage = unsettle(2)
    came = _run(
        [on_next(210, _trade(110, span=1)), on_next(211, _trade(111, "B", span=1)), on_completed(215)],
        [
            on_next(212, _trade(110, span=2)),
            on_next(213, _trade(111, "B", span=2)),
            on_next(220, _trade(111.5, "B", span=2)),
            on_next(221, _trade(111.6, span=2)),
            on_next(230, _trade(112, span=stage)),
            on_next(231, _trade(113, span=settle(stage))),
        ],
    )
    assert came[2:] == [
        (220, "B 111.5 since 100 on b"),
        (221, "A 111.6 since 100 on b"),
        (230, "A 112 since 100 on c"),
        (231, "A 113 since 100 on b"),
    ]


def test_spans_when_two_results_live_side_by_side_then_none_is_the_same() -> None:
    """Spans are compared over a whole chain."""
    spans: list[set[int]] = []
    for _ in range(2):
        first, second = Subject[PriceTick](), Subject[PriceTick]()
        came: list[PriceTick] = []
        redundant(first, second).subscribe(came.append)
        first.on_next(_trade(110, span=1))
        second.on_next(_trade(111, "B", span=1))
        spans.append({tick.span for tick in came})
    assert not spans[0] & spans[1]


def test_feed_when_one_completes_or_fails_then_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """An error of one of several is logged once; with the last feed it completes, or fails with the last error."""
    alone = [on_next(230, _trade(130, span=2)), on_completed(240)]
    with caplog.at_level(logging.WARNING, "rxstreams"):
        assert _run([on_next(210, _trade(110, span=1)), on_completed(220)], alone) == [
            (210, "A 110 since 100 on a"),
            (230, "A 130 since 100 on b"),
            (240, "completed"),
        ]
        assert not caplog.records
        result = _run([on_error(220, RuntimeError("one"))], [on_next(230, _trade(130, span=2)), on_completed(240)])
        assert result == [(230, "A 130 since 100 on a"), (240, "RuntimeError: one")]
        assert [record.getMessage() for record in caplog.records] == ["feed 1 of 2 has failed, the others go on: one"]
        result = _run([on_error(220, RuntimeError("one"))], [on_error(240, RuntimeError("two"))])
        assert result == [(240, "RuntimeError: two")]


def test_feed_when_it_ends_then_what_it_has_held_goes_out_and_nothing_waits_for_it() -> None:
    """With the since of its line; and others that had waited for it go on."""
    assert _run(
        [
            on_next(210, _trade(110, span=1)),
            on_next(240, _trade(140.2, span=3, since=140)),
            on_completed(240.5),
        ],
        [on_next(211, _trade(110, span=2)), on_next(250, _trade(150.5, span=4, since=150)), on_completed(260)],
        hold=100.0,
    ) == [
        (210, "A 110 since 100 on a"),
        (240.5, "A 140.2 since 140 on b"),
        (250, "A 150.5 since 150 on c"),
        (260, "completed"),
    ]


def test_held_when_there_are_more_than_size_then_those_of_the_first_symbol_go_out() -> None:
    """As after ``hold``: memory is bounded."""
    back = [on_next(240 + n, _trade(140.2 + n, "A", span=3, since=140)) for n in range(4)]
    result = _run([on_next(210, _trade(110, span=1)), *back], [on_next(211, _trade(110, span=2))], hold=100.0, size=3)
    assert [time for time, _ in result] == [210, 243, 243, 243, 243]
    assert result[1][1] == "A 140.2 since 140 on b"


def test_key_when_more_than_size_have_come_since_then_a_trade_goes_out_again() -> None:
    """The oldest is forgotten."""
    result = _run(
        [on_next(210 + n, _trade(110 + n, span=1)) for n in range(3)],
        [on_next(220, _trade(110, span=2)), on_next(221, _trade(112, span=2))],
        size=2,
    )
    assert [time for time, _ in result] == [210, 211, 212, 220]


def test_result_when_disposed_then_the_feeds_are_left_and_the_timer_is_gone() -> None:
    """While something is held; nothing comes any more."""
    scheduler = TestScheduler()
    feeds = [
        scheduler.create_hot_observable(
            on_next(210, _trade(110, span=1)), on_next(240, _trade(140.2, span=3, since=140))
        ),
        scheduler.create_hot_observable(on_next(211, _trade(110, span=2))),
    ]
    result = scheduler.start(lambda: redundant(*feeds), disposed=241)
    assert [message.time for message in result.messages] == [210]
    assert [[(each.subscribe, each.unsubscribe) for each in feed.subscriptions] for feed in feeds] == [[(200, 241)]] * 2


def test_result_when_subscribed_to_twice_then_the_subscriptions_share_nothing() -> None:
    """State is made when it is subscribed to."""
    first, second = Subject[PriceTick](), Subject[PriceTick]()
    both = redundant(first, second)
    came: list[list[PriceTick]] = [[], []]
    for each in came:
        both.subscribe(each.append)
    first.on_next(_trade(110, span=1))
    second.on_next(_trade(110, span=2))
    assert [len(each) for each in came] == [1, 1]
    assert came[0][0].span != came[1][0].span


def test_scheduler_when_given_then_it_times_the_hold_and_subscribes_scheduler_goes_up() -> None:
    """As in every operator."""
    given: list[object] = []
    clock, marker = TestScheduler(), TestScheduler()
    feed = Subject[PriceTick]()

    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        given.append(scheduler)
        return feed.subscribe(observer)

    came: list[PriceTick] = []
    redundant(Observable(subscribe), reactivex.never(), scheduler=clock).subscribe(came.append, scheduler=marker)
    assert given == [marker]
    feed.on_next(_trade(110, span=1))
    feed.on_next(_trade(120, span=2, since=115))
    clock.advance_by(1.9)
    assert len(came) == 1
    clock.advance_by(0.2)
    assert len(came) == 2


def test_feeds_when_they_emit_on_several_threads_then_each_trade_comes_once_and_in_order() -> None:
    """One lock for all."""
    came: list[int] = []
    feeds = [Subject[PriceTick]() for _ in range(4)]
    redundant(*feeds).subscribe(lambda tick: came.append(tick.timestamp))

    def send(number: int) -> None:
        for seconds in range(101, 1101):
            feeds[number].on_next(_trade(seconds, span=number + 1))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert came == [seconds * SECOND for seconds in range(101, 1101)]


@pytest.mark.parametrize("item", ["A", None])
def test_items_when_one_is_no_tick_then_a_type_error_ends_it(item: object) -> None:
    """It says what came."""
    result = _run([on_next(210, item), on_next(220, _trade(120, span=1))], [on_next(230, _trade(120, span=2))])
    assert result == [(210, f"TypeError: redundant takes PriceTick items, got {type(item).__name__} {item!r}")]


def test_key_when_it_raises_or_can_not_be_hashed_then_an_observer_error_carries_the_cause() -> None:
    """A user's bug; all feeds are left."""
    for key in (lambda tick: 1 // 0, lambda tick: [tick]):  # pyright: ignore[reportUnknownLambdaType, reportUnknownVariableType]  # they are meant to be wrong
        first: Subject[PriceTick] = Subject()
        second: Subject[PriceTick] = Subject()
        errors: list[Exception] = []
        redundant(first, second, key=cast(Any, key)).subscribe(on_error=errors.append)
        first.on_next(_trade(110, span=1))
        assert isinstance(errors[0], ObserverError)
        assert isinstance(errors[0].__cause__, ZeroDivisionError | TypeError)
        assert not first.observers
        assert not second.observers


_FEED: Observable[PriceTick] = reactivex.never()


@pytest.mark.parametrize(
    ("feeds", "options", "error", "message"),
    [
        ((), {}, ValueError, "redundant takes two feeds or more, got 0"),
        ((_FEED,), {}, ValueError, "redundant takes two feeds or more, got 1"),
        (([_FEED, _FEED],), {}, TypeError, "redundant takes Observables, one after the other, got "),
        ((_FEED, _FEED), {"key": None}, TypeError, "key must be a function of a tick, got None"),
        ((_FEED, _FEED), {"hold": -1}, ValueError, "hold must be 0 or more seconds and finite, got -1"),
        ((_FEED, _FEED), {"hold": "2"}, TypeError, "hold must be seconds or a timedelta, got '2'"),
        ((_FEED, _FEED), {"size": 0}, ValueError, "size must be at least 1, got 0"),
        ((_FEED, _FEED), {"size": 1.5}, TypeError, "size must be an integer, got 1.5"),
        ((_FEED, _FEED), {"size": True}, TypeError, "size must be an integer, got True"),
    ],
)
def test_options_when_wrong_then_they_are_refused_when_it_is_built(
    feeds: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not at the first subscription."""
    with pytest.raises(error, match=message.replace("(", r"\(")):
        redundant(*feeds, **options)
