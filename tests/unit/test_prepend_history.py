"""``prepend_history`` in virtual time: the whole timed list of what comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable
from reactivex.scheduler import ImmediateScheduler
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams.bridge import pipe
from rxstreams.errors import HistoryTooShort, ObserverError
from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle
from rxstreams.operators import prepend_history, resample
from rxstreams.timeframe import Timeframe

on_next: Any = ReactiveTest.on_next  # reactivex types its times as whole numbers
on_error: Any = ReactiveTest.on_error
on_completed: Any = ReactiveTest.on_completed


def candle(minute: int, since: int | None = 1, **fields: Any) -> OHLCCandle:
    """Return a live candle whose close is its minute, with its since in minutes; None: 0, the venue's own."""
    values: dict[str, Any] = {"symbol": "A", "timeframe": "1m", "exchange": "x", "span": 0 if since is None else 7}
    values |= {"complete": since is None or since <= minute, "volume": 1.0}
    values |= dict.fromkeys(("open", "high", "low", "close"), float(minute)) | fields
    return OHLCCandle(open_time=minute * MINUTE, since=(since or 0) * MINUTE, **values)


def venue(*minutes: int, running: int | None = None, **fields: Any) -> list[OHLCCandle]:
    """Return the venue's own candles."""
    closed = [candle(minute, None, **fields) for minute in minutes]
    return closed if running is None else [*closed, candle(running, None, closed=False, complete=False, **fields)]


@dataclass
class Short:
    """What a venue answers that has nothing older, and says so."""

    rows: list[OHLCCandle]


class Rest:
    """Fetches that answer after a while with what is given for each attempt; None: never."""

    def __init__(self, clock: TestScheduler, *answers: Any, delay: float = 1.0) -> None:
        self.asked: list[tuple[float, str, str, int]] = []
        self.left: list[float] = []
        self._clock = clock
        self._answers: list[Any] = list(answers)
        self._delay = delay

    def __call__(self, symbol: str, timeframe: Timeframe, since: int) -> Observable[OHLCCandle]:
        """Answer the next attempt."""

        def subscribe(
            observer: abc.ObserverBase[OHLCCandle], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            assert scheduler is self._clock
            self.asked.append((self._clock.clock, symbol, str(timeframe), since // MINUTE))
            answer: Any = self._answers.pop(0) if self._answers else []

            def act(*_: object) -> None:
                if isinstance(answer, Short):
                    for item in answer.rows:
                        observer.on_next(item)
                    observer.on_error(HistoryTooShort("it begins later"))
                    return
                if isinstance(answer, Exception):
                    observer.on_error(answer)
                    return
                for item in answer:
                    observer.on_next(item)
                observer.on_completed()

            left = CompositeDisposable(Disposable(lambda: self.left.append(self._clock.clock)))
            if answer is not None:
                left.add(self._clock.schedule_relative(self._delay, act))
            return left

        return Observable(subscribe)


def note_in(lost: list[tuple[str, str]]) -> Callable[[str, str], None]:
    """Return an ``on_lost`` that keeps what it is told."""

    def note(symbol: str, reason: str) -> None:
        lost.append((symbol, reason))

    return note


def no_candles(symbol: str, timeframe: Timeframe, since: int) -> Observable[OHLCCandle]:
    """Fetch nothing."""
    return reactivex.empty()


def run(
    clock: TestScheduler,
    messages: list[Any],
    operator: Callable[[Any], Observable[OHLCCandle]],
    disposed: float = 2000.0,
) -> list[tuple[float, Any]]:
    """Return when, and what: symbol, minute and since of candles (in minutes), "|" or the error."""
    source = clock.create_hot_observable(*messages)
    result = clock.start(lambda: source.pipe(operator), disposed=disposed)
    return [(message.time, _short(message)) for message in result.messages]


def sent_of(clock: TestScheduler, messages: list[Any], operator: Callable[[Any], Any]) -> list[OHLCCandle]:
    """Return the very candles that come out."""
    found: list[OHLCCandle] = []
    clock.create_hot_observable(*messages).pipe(operator).subscribe(found.append)
    clock.start()
    return found


def _short(message: Any) -> Any:
    kind = message.value.kind
    if kind == "N":
        return short(message.value.value)
    return "|" if kind == "C" else message.value.exception


def short(sent: OHLCCandle) -> str:
    """Return a candle in a word: symbol, minute, since; "?" if it is not complete."""
    return f"{sent.symbol}{sent.open_time // MINUTE}>{sent.since // MINUTE}{'' if sent.complete else '?'}"


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pauses between attempts are a quarter of a second."""
    monkeypatch.setattr("random.random", lambda: 0.0)


def test_first_candle_when_its_interval_has_begun_before_then_the_venues_come_first() -> None:
    """It is held meanwhile, as is what follows; all of it is one run since the interval's beginning."""
    clock = TestScheduler()
    rest = Rest(clock, venue(58, 59, 60, 61, 62, 63, 64, running=65))
    messages = [
        on_next(210, candle(63, 62)),
        on_next(210.5, candle(64, 62)),
        on_next(230, candle(65, 62)),
    ]
    assert run(clock, messages, prepend_history(rest, "15m", scheduler=clock)) == [
        (211, "A60>60"),
        (211, "A61>60"),
        (211, "A62>60"),
        (211, "A63>60"),
        (211, "A64>60"),
        (230, "A65>60"),
    ]
    assert rest.asked == [(210, "A", "1m", 60)]


def test_history_when_it_goes_out_then_only_span_and_since_are_not_the_venues() -> None:
    """The run is that of the live candles, so their clock goes on from it."""
    clock = TestScheduler()
    own = candle(0, None, high=9.5, quote_volume=4.0, buy_volume=0.5, trades=3)
    operator = prepend_history(Rest(clock, [own, *venue(1)]), 5, scheduler=clock)
    sent = sent_of(clock, [on_next(210, candle(1, 1))], operator)
    assert sent[0] == candle(0, 0, high=9.5, quote_volume=4.0, buy_volume=0.5, trades=3, span=7)


def test_first_candle_when_it_begins_the_interval_then_the_same_objects_pass() -> None:
    """Nothing is fetched, nothing copied."""
    clock = TestScheduler()
    rest = Rest(clock)
    candles = [candle(60, 60), candle(61, 60), candle(62, 62)]
    messages = [on_next(210 + n, each) for n, each in enumerate(candles)]
    found = sent_of(clock, messages, prepend_history(rest, "1h", scheduler=clock))
    assert len(found) == 3
    assert all(one is other for one, other in zip(found, candles, strict=True))
    assert rest.asked == []


def test_since_when_it_is_already_the_historys_then_the_same_object_passes() -> None:
    """Nothing is copied that does not change."""
    clock = TestScheduler()
    same = candle(62, 60)
    messages = [on_next(210, candle(61, 61)), on_next(220, same)]
    found = sent_of(clock, messages, prepend_history(Rest(clock, venue(60, 61)), 5, scheduler=clock))
    assert [short(each) for each in found] == ["A60>60", "A61>60", "A62>60"]
    assert found[-1] is same


def test_since_when_a_gap_is_lost_later_then_stays_as_it_is() -> None:
    """Also of a candle that is held: something is missing before it."""
    clock = TestScheduler()
    messages = [
        on_next(210, candle(61, 61)),
        on_next(210.5, candle(62, 62)),
        on_next(220, candle(63, 62)),
        on_next(230, candle(64, 61)),
    ]
    assert run(clock, messages, prepend_history(Rest(clock, venue(60, 61)), 5, scheduler=clock)) == [
        (211, "A60>60"),
        (211, "A61>60"),
        (211, "A62>62"),
        (220, "A63>62"),
        (230, "A64>60"),
    ]


def test_first_candle_when_it_is_not_covered_from_its_open_then_keeps_its_since() -> None:
    """The history before it is complete all the same."""
    clock = TestScheduler()
    messages = [on_next(210, candle(62, 63)), on_next(220, candle(63, 63))]
    assert run(clock, messages, prepend_history(Rest(clock, venue(60, 61)), 5, scheduler=clock)) == [
        (211, "A60>60"),
        (211, "A61>60"),
        (211, "A62>63?"),
        (220, "A63>63"),
    ]


def test_first_candle_when_it_is_open_then_it_is_held_like_a_closed_one() -> None:
    """Every change of it, in order."""
    clock = TestScheduler()
    changes = [candle(61, 61, closed=False, complete=False, trades=n) for n in (1, 2)]
    messages = [on_next(210, changes[0]), on_next(210.5, changes[1]), on_next(220, candle(61, 61))]
    assert run(clock, messages, prepend_history(Rest(clock, venue(60, running=61)), 5, scheduler=clock)) == [
        (211, "A60>60"),
        (211, "A61>60?"),
        (211, "A61>60?"),
        (220, "A61>60"),
    ]


@pytest.mark.usefixtures("no_jitter")
def test_answer_when_it_lags_behind_the_live_candles_then_is_asked_for_again() -> None:
    """It counts when it has a candle of the first live one's time, or the closed one just before."""
    clock = TestScheduler()
    rest = Rest(clock, [], venue(60, running=61), venue(60, 61, running=62), venue(60, 61, 62))
    messages = [on_next(210, candle(63, 63))]
    assert run(clock, messages, prepend_history(rest, 5, scheduler=clock)) == [
        (214.75, "A60>60"),
        (214.75, "A61>60"),
        (214.75, "A62>60"),
        (214.75, "A63>60"),
    ]
    assert [time for time, *_ in rest.asked] == [210, 211.25, 212.5, 213.75]


@pytest.mark.parametrize("proof", [venue(running=62), venue(61), venue(62), venue(63)])
def test_answer_when_it_has_reached_the_live_candles_then_counts(proof: list[OHLCCandle]) -> None:
    """By the running one, the one that ends where the live one opens, that one itself or a later one."""
    clock = TestScheduler()
    rest = Rest(clock, [*proof, *venue(60)])  # in any order
    sent = run(clock, [on_next(210, candle(62, 62))], prepend_history(rest, 5, scheduler=clock))
    assert [sent[0], sent[-1]] == [(211, "A60>60"), (211, "A62>60")]


JUNK: list[Any] = [
    ConnectionError("no route"),
    [*venue(60, 61), candle(60, None, symbol="B")],
    [*venue(60, 61), candle(60, None, exchange="y")],
    [*venue(60, 61), candle(60, None, timeframe="5m")],
    [*venue(60, 61), "A"],
]


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize("junk", JUNK)
def test_answer_when_it_is_junk_then_the_attempt_has_failed(junk: Any) -> None:
    """Nothing of it goes out; the next one is good."""
    clock = TestScheduler()
    rest = Rest(clock, junk, venue(60, 61))
    assert run(clock, [on_next(210, candle(62, 62))], prepend_history(rest, 5, scheduler=clock)) == [
        (212.25, "A60>60"),
        (212.25, "A61>60"),
        (212.25, "A62>60"),
    ]


def raises(*_: object) -> Any:
    """Fail."""
    raise KeyError("oh")


def returns_none(*_: object) -> Any:
    """Return no Observable."""


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize("bug", [raises, returns_none])
def test_fetch_when_it_is_broken_then_the_candles_go_out_as_they_came(bug: Callable[..., Any]) -> None:
    """It is a failed attempt, and the reason says how."""
    clock = TestScheduler()
    lost: list[tuple[str, str]] = []
    operator = prepend_history(bug, 5, max_hold=2, on_lost=note_in(lost), scheduler=clock)
    messages = [on_next(210, candle(61, 61)), on_next(220, candle(62, 61))]
    assert run(clock, messages, operator) == [(212, "A61>61"), (220, "A62>61")]
    assert [symbol for symbol, _ in lost] == ["A"]
    assert lost[0][1].startswith("they were not fetched within 2 s: ")


def test_fetch_when_it_never_answers_then_the_candles_go_out_after_max_hold() -> None:
    """As they came; the fetch is left, and nothing is asked for any more."""
    clock = TestScheduler()
    rest = Rest(clock, None)
    lost: list[tuple[str, str]] = []
    operator = prepend_history(rest, 5, max_hold=10, on_lost=note_in(lost), scheduler=clock)
    messages = [on_next(210, candle(61, 61)), on_next(215, candle(62, 61)), on_next(230, candle(63, 61))]
    assert run(clock, messages, operator) == [(220, "A61>61"), (220, "A62>61"), (230, "A63>61")]
    assert lost == [("A", "they were not fetched within 10 s")]
    assert rest.left == [220]
    assert len(rest.asked) == 1


def test_held_when_they_are_too_many_then_go_out_at_once() -> None:
    """With the one that was too many."""
    clock = TestScheduler()
    lost: list[tuple[str, str]] = []
    operator = prepend_history(Rest(clock, None), 5, max_held=2, on_lost=note_in(lost), scheduler=clock)
    messages = [on_next(210 + n, candle(61 + n, 61)) for n in range(4)]
    assert run(clock, messages, operator) == [
        (212, "A61>61"),
        (212, "A62>61"),
        (212, "A63>61"),
        (213, "A64>61"),
    ]
    assert lost == [("A", "more than 2 candles were held")]


def test_answer_when_it_is_too_long_then_the_attempt_has_failed() -> None:
    """What a fetch may bring is bounded too."""
    clock = TestScheduler()
    lost: list[tuple[str, str]] = []
    rest = Rest(clock, *[venue(60, 61, 62)] * 9)
    operator = prepend_history(rest, 5, max_held=2, max_hold=3, on_lost=note_in(lost), scheduler=clock)
    assert run(clock, [on_next(210, candle(63, 63))], operator) == [(213, "A63>63")]
    assert lost == [("A", "they were not fetched within 3 s: there are more than 2 of them")]


def test_other_symbols_when_one_is_held_then_pass() -> None:
    """The same name at another exchange, and one that needs no history, go their own way."""
    clock = TestScheduler()
    rest = Rest(clock, None, venue(60, 61, exchange="y"))
    messages = [
        on_next(210, candle(62, 62)),
        on_next(211, candle(60, 60, symbol="B")),
        on_next(212, candle(62, 62, exchange="y")),
    ]
    assert run(clock, messages, prepend_history(rest, 5, max_hold=9, scheduler=clock)) == [
        (211, "B60>60"),
        (213, "A60>60"),
        (213, "A61>60"),
        (213, "A62>60"),
        (219, "A62>62"),
    ]


def test_fetches_when_symbols_are_many_then_four_run_at_a_time() -> None:
    """The next begin as others end."""
    clock = TestScheduler()
    rest = Rest(clock, *(venue(60, symbol=name) for name in "ABCDEF"), delay=1.5)
    messages = [on_next(210 + n / 10, candle(61, 61, symbol=name)) for n, name in enumerate("ABCDEF")]
    sent = run(clock, messages, prepend_history(rest, 5, scheduler=clock))
    assert [(round(time, 3), symbol) for time, symbol, *_ in rest.asked] == [
        (210, "A"),
        (210.1, "B"),
        (210.2, "C"),
        (210.3, "D"),
        (211.5, "E"),
        (211.6, "F"),
    ]
    assert [each for _, each in sent] == [f"{name}{minute}>60" for name in "ABCDEF" for minute in (60, 61)]


@pytest.mark.usefixtures("no_jitter")
def test_fetches_when_they_fail_then_others_have_their_turn() -> None:
    """Whoever waits for the next attempt makes room."""
    clock = TestScheduler()
    rest = Rest(clock, *[ConnectionError("no route")] * 4, venue(60, symbol="E"))
    messages = [on_next(210, candle(61, 61, symbol=name)) for name in "ABCDE"]
    sent = run(clock, messages, prepend_history(rest, 5, max_hold=3, scheduler=clock))
    assert sent[:2] == [(212, "E60>60"), (212, "E61>60")]
    assert sent[2:] == [(213, f"{name}61>61") for name in "ABCD"]


def test_source_when_it_completes_then_what_is_held_goes_out() -> None:
    """As if the history were lost; no symbol that waits for its turn fetches any more."""
    clock = TestScheduler()
    rest = Rest(clock, *[None] * 9)
    lost: list[tuple[str, str]] = []
    operator = prepend_history(rest, 5, on_lost=note_in(lost), scheduler=clock)
    messages = [on_next(210, candle(61, 61, symbol=name)) for name in "ABCDE"]
    assert run(clock, [*messages, on_completed(215)], operator) == [
        *((215, f"{name}61>61") for name in "ABCDE"),
        (215, "|"),
    ]
    assert lost == [(name, "the source completed before they were there") for name in "ABCDE"]
    assert rest.left == [215] * 4


def test_source_when_it_fails_then_what_is_held_is_dropped() -> None:
    """The error passes at once; the fetch is left."""
    clock = TestScheduler()
    rest = Rest(clock, None)
    error = RuntimeError("broken")
    messages = [on_next(210, candle(61, 61)), on_error(215, error)]
    assert run(clock, messages, prepend_history(rest, 5, scheduler=clock)) == [(215, error)]
    assert rest.left == [215]


def test_result_when_disposed_then_nothing_is_asked_for_any_more() -> None:
    """Neither by those whose turn would be next, nor after a pause."""
    clock = TestScheduler()
    rest = Rest(clock, *[None] * 4, ConnectionError("no route"))
    messages = [on_next(210, candle(61, 61, symbol=name)) for name in "ABCDE"]
    assert run(clock, messages, prepend_history(rest, 5, scheduler=clock), disposed=215) == []
    assert len(rest.asked) == 4
    assert rest.left == [215] * 4


@pytest.mark.parametrize("says_so", [False, True])
def test_history_when_the_venues_begins_later_then_so_does_the_coverage(says_so: bool) -> None:
    """What was got goes out, and the rest is told; it does not matter whether the venue says so."""
    clock = TestScheduler()
    lost: list[tuple[str, str]] = []
    rows = venue(73, 74)
    rest = Rest(clock, Short(rows) if says_so else rows)
    messages = [on_next(210, candle(75, 75)), on_next(220, candle(76, 75))]
    assert run(clock, messages, prepend_history(rest, "1h", on_lost=note_in(lost), scheduler=clock)) == [
        (211, "A73>73"),
        (211, "A74>73"),
        (211, "A75>73"),
        (220, "A76>73"),
    ]
    begin, wanted = "1970-01-01T01:13:00Z", "1970-01-01T01:00:00Z"
    assert lost == [("A", f"the venue's candles begin at {begin}, they were wanted from {wanted} on")]
    assert len(rest.asked) == 1


def test_history_when_the_venue_has_none_then_the_candles_go_out_as_they_came() -> None:
    """A symbol that is new there; it is told at once."""
    clock = TestScheduler()
    lost: list[tuple[str, str]] = []
    first = candle(62, 61)
    operator = prepend_history(Rest(clock, venue(running=62)), 5, on_lost=note_in(lost), scheduler=clock)
    found = sent_of(clock, [on_next(210, first)], operator)
    assert len(found) == 1
    assert found[0] is first
    begin, wanted = "1970-01-01T01:02:00Z", "1970-01-01T01:00:00Z"
    assert lost == [("A", f"the venue has no candles before {begin}, they were wanted from {wanted} on")]


def test_history_when_one_of_it_is_not_complete_then_stays_so() -> None:
    """Who fetched it knows; and what is not closed is no history."""
    clock = TestScheduler()
    past = [candle(60, None, complete=False), candle(61, None, closed=False), *venue(62)]
    assert run(clock, [on_next(210, candle(63, 63))], prepend_history(Rest(clock, past), 5, scheduler=clock)) == [
        (211, "A60>60?"),
        (211, "A62>60"),
        (211, "A63>60"),
    ]


def test_revisions_when_they_come_then_pass_like_any_other() -> None:
    """Held or not; only what would replace the venue's own by less does not."""
    clock = TestScheduler()
    messages = [
        on_next(210, candle(62, 62)),
        on_next(210.2, candle(62, 62, revision=1)),
        on_next(210.4, candle(61, 62)),
        on_next(220, candle(62, 62, revision=2)),
        on_next(230, candle(61, 62)),
        on_next(240, candle(61, 61)),
        on_next(250, candle(59, 62)),
    ]
    assert run(clock, messages, prepend_history(Rest(clock, venue(60, 61)), 5, scheduler=clock)) == [
        (211, "A60>60"),
        (211, "A61>60"),
        (211, "A62>60"),
        (211, "A62>60"),
        (220, "A62>60"),
        (240, "A61>60"),
        (250, "A59>60?"),
    ]


def test_candles_of_another_timeframe_when_they_come_then_keep_their_since() -> None:
    """They are held in order, but one that began before the first live one does not hold the history."""
    clock = TestScheduler()
    longer = candle(60, 62, timeframe="5m")
    messages = [on_next(210, candle(62, 62)), on_next(210.5, longer)]
    assert run(clock, messages, prepend_history(Rest(clock, venue(60, 61)), 5, scheduler=clock))[-1] == (211, "A60>62?")


def test_timeframe_when_its_boundaries_are_none_of_the_candles_then_the_history_begins_before() -> None:
    """With the candle that its interval begins in: of seven minutes, at minute 56 for the hour at 60."""
    clock = TestScheduler()
    rest = Rest(clock, venue(56, 63, timeframe="7m"))
    messages = [on_next(210, candle(70, 70, timeframe="7m"))]
    assert run(clock, messages, prepend_history(rest, 60, scheduler=clock)) == [
        (211, "A56>56"),
        (211, "A63>56"),
        (211, "A70>56"),
    ]
    assert rest.asked == [(210, "A", "7m", 56)]


@pytest.mark.parametrize(("covered", "expected"), [(64, "A60>60"), (65, "A60>65?")])
def test_resample_when_the_first_long_candle_is_begun_in_its_middle_then_it_is_complete(
    covered: int, expected: str
) -> None:
    """If the live part is: with all children, the venue's and the built ones."""
    clock = TestScheduler()
    rest = Rest(clock, venue(*range(60, 64), running=64))
    messages = [on_next(210 + n, candle(64 + n, max(covered, 64))) for n in range(11)]
    chain = pipe(prepend_history(rest, "15m", scheduler=clock), resample("15m"))
    sent = sent_of(clock, messages, chain)
    assert [short(each) for each in sent] == [expected]
    assert (sent[0].open, sent[0].low, sent[0].high, sent[0].close, sent[0].volume) == (60.0, 60.0, 74.0, 74.0, 15.0)


def test_on_lost_when_it_raises_then_that_ends_it() -> None:
    """The error carries what it raised."""
    clock = TestScheduler()
    operator = prepend_history(no_candles, 5, max_hold=2, on_lost=raises, scheduler=clock)
    sent = run(clock, [on_next(210, candle(61, 61)), on_next(220, candle(62, 61))], operator)
    assert [time for time, _ in sent] == [212]
    assert isinstance(sent[0][1], ObserverError)
    assert isinstance(sent[0][1].__cause__, KeyError)
    assert "on_lost of prepend_history" in str(sent[0][1])


def test_observer_when_it_raises_then_the_fetch_is_not_blamed() -> None:
    """Also if that answers at once, from within the source's item."""
    source: Subject[OHLCCandle] = Subject()
    asked: list[int] = []

    def fetch(symbol: str, timeframe: Timeframe, since: int) -> Observable[OHLCCandle]:
        asked.append(since)
        return reactivex.from_(venue(60), ImmediateScheduler())

    def take(each: OHLCCandle) -> None:
        came.append(short(each))
        raise KeyError("oh")

    came: list[str] = []
    clock = TestScheduler()
    source.pipe(prepend_history(fetch, 5, scheduler=clock)).subscribe(take)
    with pytest.raises(KeyError):
        source.on_next(candle(61, 61))
    assert came == ["A60>60"]
    clock.start()
    assert len(asked) == 1


def test_answer_when_it_comes_on_another_thread_then_everything_goes_out_in_order() -> None:
    """While the source goes on, nothing comes before what was held."""
    source: Subject[OHLCCandle] = Subject()
    fetches: Subject[OHLCCandle] = Subject()
    sent: list[str] = []
    first_sent, go_on = threading.Event(), threading.Event()

    def take(each: OHLCCandle) -> None:
        sent.append(short(each))
        first_sent.set()
        assert go_on.wait(10)

    def fetch(symbol: str, timeframe: Timeframe, since: int) -> Observable[OHLCCandle]:
        return fetches

    source.pipe(prepend_history(fetch, 5, scheduler=TestScheduler())).subscribe(take)
    source.on_next(candle(61, 61))

    def answer() -> None:
        fetches.on_next(candle(60, None))
        fetches.on_completed()

    threads = [threading.Thread(target=answer), threading.Thread(target=source.on_next, args=[candle(62, 61)])]
    threads[0].start()
    assert first_sent.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sent == ["A60>60", "A61>60", "A62>60"]


_WRONG: Any = 1  # what type checkers would refuse
_BAD_OPTIONS: list[tuple[Callable[[], object], type[Exception]]] = [
    (lambda: prepend_history(_WRONG, 5), TypeError),
    (lambda: prepend_history(no_candles, 5, on_lost=_WRONG), TypeError),
    (lambda: prepend_history(no_candles, "soon"), ValueError),
    (lambda: prepend_history(no_candles, 5, max_hold=0), ValueError),
    (lambda: prepend_history(no_candles, 5, max_held=0), ValueError),
]


@pytest.mark.parametrize(("build", "error"), _BAD_OPTIONS)
def test_options_when_wrong_then_are_refused_when_it_is_built(
    build: Callable[[], object], error: type[Exception]
) -> None:
    """Not at the first subscription."""
    with pytest.raises(error):
        build()
