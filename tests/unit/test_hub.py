"""One observer's fault is not another's."""

from __future__ import annotations

import logging

import pytest
from reactivex import Observer

from rxstreams.errors import ObserverError, Stalled
from rxstreams.sources._hub import Hub


class Listener(Observer[int]):
    """Writes down what it gets; raises at one item."""

    def __init__(self, bad: int | None = None) -> None:
        super().__init__()
        self.got: list[object] = []
        self.bad = bad

    def _on_next_core(self, value: int) -> None:
        if value == self.bad:
            raise KeyError(value)
        self.got.append(value)

    def _on_error_core(self, error: Exception) -> None:
        self.got.append(error)

    def _on_completed_core(self) -> None:
        self.got.append("completed")


def test_hub_when_an_observer_raises_then_only_its_own_subscription_ends(caplog: pytest.LogCaptureFixture) -> None:
    """It gets an ObserverError with the cause; it is logged; the others miss nothing."""
    reported: list[ObserverError] = []
    hub: Hub[int] = Hub("test", reported.append)
    bad, good = Listener(bad=2), Listener()
    hub.add(bad)
    hub.add(good)
    with caplog.at_level(logging.ERROR, "rxstreams"):
        for item in (1, 2, 3):
            hub.on_next(item)
    assert good.got == [1, 2, 3]
    assert bad.got[0] == 1
    (error,) = bad.got[1:]
    assert isinstance(error, ObserverError)
    assert isinstance(error.__cause__, KeyError)
    assert reported == [error]
    assert len(caplog.records) == 1


def test_hub_when_an_observer_leaves_while_an_item_is_sent_then_the_others_get_it() -> None:
    """Leaving inside on_next must not skip a neighbour."""
    hub: Hub[int] = Hub("test")
    first, second = Listener(), Listener()

    class Leaver(Listener):
        def _on_next_core(self, value: int) -> None:
            hub.remove(first)
            super()._on_next_core(value)

    leaver = Leaver()
    for observer in (first, leaver, second):
        hub.add(observer)
    hub.on_next(1)
    hub.on_next(2)
    assert (first.got, leaver.got, second.got) == ([1], [1, 2], [1, 2])


def test_hub_when_nobody_handles_the_error_then_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """reactivex's default for a missing on_error raises it: that must not reach the producer."""
    hub: Hub[int] = Hub("test")
    error = Stalled("silence")

    class Raiser(Listener):
        def _on_error_core(self, error: Exception) -> None:
            raise error

    hub.add(Raiser())
    hub.add(Raiser())
    with caplog.at_level(logging.ERROR, "rxstreams"):
        hub.on_error(error)
    assert len(caplog.records) == 1
    assert len(hub) == 0


def test_hub_when_it_ends_then_every_observer_is_told_even_if_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Completion reaches all."""
    hub: Hub[int] = Hub("test")

    class Raiser(Listener):
        def _on_completed_core(self) -> None:
            raise KeyError

    good = Listener()
    hub.add(Raiser())
    hub.add(good)
    hub.on_completed()
    assert good.got == ["completed"]
    assert "on_completed raised" in caplog.text


def test_hub_when_an_observer_exits_then_the_others_miss_nothing() -> None:
    """On a loop's thread sys.exit() ends no program; it must not take a trade from anybody either."""
    hub: Hub[int] = Hub("test")
    caught: list[Exception] = []

    def leave(item: int) -> None:
        raise SystemExit(item)

    good = Listener()
    hub.add(Observer(leave, caught.append))
    hub.add(good)
    hub.on_next(1)
    assert good.got == [1]
    assert isinstance(caught[0].__cause__, SystemExit)
    assert len(hub) == 1
