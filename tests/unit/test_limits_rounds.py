"""``Rounds``: changes one at a time, what follows from them in order, and nothing left behind."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

import pytest
from reactivex.abc import DisposableBase
from reactivex.disposable import Disposable

from rxstreams.limits._rounds import Rounds


def _no_timer(seconds: float, function: Callable[[], None]) -> DisposableBase:
    return Disposable()


def _rounds(advance: Callable[[int], int | None] = lambda _: None) -> Rounds:
    return Rounds(advance, lambda: 0, _no_timer)


def _elsewhere(function: Callable[[], None]) -> None:
    """Run a function on another thread, and wait for it."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for this thread, which waits for it"


def test_post_when_another_thread_is_in_the_middle_of_an_effect_then_its_own_effects_come_later() -> None:
    """One after the other, in the order of the rounds; and nobody waits for anybody."""
    rounds = _rounds()
    log: list[str] = []

    def second() -> None:
        rounds.post(lambda _: rounds.effects.append(lambda: log.append("second")))
        log.append("posted")

    def first() -> None:
        log.append("first begins")
        _elsewhere(second)
        log.append("first ends")

    rounds.post(lambda _: rounds.effects.append(first))
    assert log == ["first begins", "posted", "first ends", "second"]


def test_post_when_the_one_at_work_is_just_about_to_stop_then_the_change_is_made_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was left to somebody who had looked for the last time."""
    rounds = _rounds()
    made: list[str] = []
    next_effect = rounds._next_effect
    posted: list[None] = []

    def last_look() -> Callable[[], None] | None:
        effect = next_effect()
        if effect is None and not posted:
            posted.append(None)
            _elsewhere(lambda: rounds.post(lambda _: made.append("late")))
        return effect

    monkeypatch.setattr(rounds, "_next_effect", last_look)
    rounds.post(lambda _: made.append("early"))
    assert made == ["early", "late"]


def test_round_when_its_body_raises_then_what_was_changed_is_followed_up() -> None:
    """The exception comes out; those who were waiting for the change do not pay for it."""
    changed: list[str] = []
    woken: list[str] = []

    def advance(_: int) -> None:
        while changed:
            rounds.effects.append(functools.partial(woken.append, changed.pop()))

    def change_and_fail() -> None:
        with rounds.round():
            changed.append("change")
            raise KeyError

    rounds = _rounds(advance)
    with pytest.raises(KeyError):
        change_and_fail()
    assert woken == ["change"]


def test_effect_when_it_makes_a_change_then_that_is_made_after_it() -> None:
    """However deep, it takes no stack."""
    rounds = _rounds()
    count = 0

    def effect() -> None:
        nonlocal count
        count += 1
        if count < 5_000:
            rounds.post(lambda _: rounds.effects.append(effect))

    rounds.post(lambda _: rounds.effects.append(effect))
    assert count == 5_000


def test_timer_when_it_fires_while_it_is_being_set_then_the_next_one_is_set() -> None:
    """Some schedulers run what is due at once, before they return."""
    wanted: list[int | None] = [10, 20, None]
    set_for: list[float] = []

    def start_timer(seconds: float, function: Callable[[], None]) -> DisposableBase:
        set_for.append(seconds)
        wanted.pop(0)
        function()
        return Disposable()

    rounds = Rounds(lambda _: wanted[0], lambda: 0, start_timer)
    rounds.post(lambda _: None)
    assert set_for == [1e-6, 1e-6]
