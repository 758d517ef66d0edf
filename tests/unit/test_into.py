"""``into``: the sink gets everything first, and its bugs are its own."""

from __future__ import annotations

from typing import Any, cast

import pytest
import reactivex
from reactivex import Observable
from reactivex.observer import Observer
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams.backoff import BackoffPolicy
from rxstreams.errors import ObserverError
from rxstreams.operators import into, retry_with_backoff

on_next, on_error, on_completed = ReactiveTest.on_next, ReactiveTest.on_error, ReactiveTest.on_completed


class _Sink:
    """No Observer, but it has what one has."""

    def __init__(self, log: list[object] | None = None, raises_on: object = None) -> None:
        self.log: list[object] = [] if log is None else log
        self._raises_on = raises_on

    def __repr__(self) -> str:
        return "the test's sink"

    def on_next(self, value: object) -> None:
        self._take(value)

    def on_error(self, error: Exception) -> None:
        self._take(f"error {error}")

    def on_completed(self) -> None:
        self._take("completed")

    def _take(self, what: object) -> None:
        self.log.append(what)
        if what == self._raises_on:
            raise KeyError(what)


def _run(sink: Any, *messages: Recorded[Any]) -> list[Any]:
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*messages)
    return scheduler.start(lambda: source.pipe(into(sink))).messages


@pytest.mark.parametrize("end", [on_completed(230), on_error(230, RuntimeError("lost"))])
def test_sink_when_subscribed_then_it_and_those_after_it_get_everything(end: Recorded[Any]) -> None:
    """Items, and whichever end there is."""
    sink = _Sink()
    messages = [on_next(210, 1), on_next(220, 2), end]
    assert _run(sink, *messages) == messages
    assert sink.log == [1, 2, "completed" if end == on_completed(230) else "error lost"]


def test_sink_when_an_item_comes_then_it_is_the_first_to_get_it() -> None:
    """Whoever reads the sink on an item finds the item in it; ends are in that order, too."""
    log: list[object] = []

    def note(value: object) -> None:
        log.append(("after", value))

    source = reactivex.of("a", "b")
    source.pipe(into(_Sink(log))).subscribe(note, on_completed=lambda: note("completed"))
    assert log == ["a", ("after", "a"), "b", ("after", "b"), "completed", ("after", "completed")]


def test_sink_when_it_is_a_subject_or_an_observer_then_it_works_alike() -> None:
    """Anything with the three methods."""
    got: list[int] = []
    subject: Subject[int] = Subject()
    subject.subscribe(got.append)
    reactivex.of(1, 2).pipe(into(subject), into(Observer(got.append))).subscribe()
    assert got == [1, 1, 2, 2]


def test_sink_when_the_result_is_disposed_then_it_gets_nothing_more() -> None:
    """Neither items nor an end."""
    scheduler = TestScheduler()
    sink = _Sink()
    source = scheduler.create_hot_observable(on_next(210, 1), on_next(220, 2), on_completed(230))
    assert scheduler.start(lambda: source.pipe(into(sink)), disposed=215).messages == [on_next(210, 1)]
    assert sink.log == [1]


def test_sink_when_it_raises_on_an_item_then_an_observer_error_ends_it() -> None:
    """The item goes no further, nothing more reaches the sink, and the source is let go."""
    scheduler = TestScheduler()
    sink = _Sink(raises_on=2)
    source = scheduler.create_hot_observable(on_next(210, 1), on_next(220, 2), on_next(230, 3), on_completed(240))
    messages: list[Any] = scheduler.start(lambda: source.pipe(into(sink))).messages
    first, last = messages
    assert first == on_next(210, 1)
    error = last.value.exception
    assert last.time == 220
    assert isinstance(error, ObserverError)
    assert isinstance(error.__cause__, KeyError)
    assert str(error) == "the sink of into, the test's sink, raised KeyError(2)"
    assert sink.log == [1, 2]
    assert [(each.subscribe, each.unsubscribe) for each in source.subscriptions] == [(200, 220)]


def test_sink_when_it_has_raised_then_it_gets_nothing_more_even_if_the_source_goes_on() -> None:
    """A source may send all it has, and its end, before it can be stopped."""
    sink = _Sink(raises_on=1)

    def subscribe(observer: Any, _: object = None) -> Any:
        for number in (1, 2):
            observer.on_next(number)
        observer.on_completed()

    errors: list[Exception] = []
    Observable[int](subscribe).pipe(into(sink)).subscribe(on_error=errors.append)
    assert sink.log == [1]
    assert [type(error) for error in errors] == [ObserverError]


def test_sink_when_it_raises_on_completion_then_an_observer_error_instead() -> None:
    """What it should have kept may be lost."""
    first, last = _run(_Sink(raises_on="completed"), on_next(210, 1), on_completed(220))
    assert first == on_next(210, 1)
    assert last.time == 220
    assert isinstance(last.value.exception, ObserverError)
    assert isinstance(last.value.exception.__cause__, KeyError)


def test_sink_when_it_raises_on_an_error_then_the_error_passes_with_a_note() -> None:
    """What broke first is what those after it have to know."""
    error = RuntimeError("lost")
    (message,) = _run(_Sink(raises_on="error lost"), on_error(210, error))
    assert message.value.exception is error
    assert error.__notes__ == ["the sink of into, the test's sink, raised KeyError('error lost') when it was told"]


def test_sink_when_it_raises_before_a_retry_then_it_is_not_retried() -> None:
    """A bug must not reconnect, whatever class its exception has."""

    class _Breaking(_Sink):
        def on_next(self, value: object) -> None:
            super().on_next(value)
            raise ConnectionResetError

    scheduler = TestScheduler()
    source = scheduler.create_cold_observable(on_next(10, 1))
    sink = _Breaking()
    operator = retry_with_backoff(BackoffPolicy(initial=1.0), scheduler=scheduler)
    messages: list[Any] = scheduler.start(lambda: source.pipe(into(sink), operator)).messages
    (message,) = messages
    assert (message.time, type(message.value.exception)) == (210, ObserverError)
    assert len(source.subscriptions) == 1
    assert sink.log == [1]


@pytest.mark.parametrize("sink", [None, print, [], cast(Any, object())])
def test_sink_when_it_lacks_a_method_then_a_type_error_when_it_is_built(sink: Any) -> None:
    """A function is no sink; what is missing is named."""
    with pytest.raises(TypeError, match=r"a sink must have .* has no on_next, on_error, on_completed$"):
        into(sink)
