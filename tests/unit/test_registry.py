"""The registry of named things."""

from __future__ import annotations

import threading

import pytest

from rxstreams.registry import Registry


class Thing:
    """Equal only to itself."""


def test_get_when_the_name_is_unknown_then_it_is_none() -> None:
    """A question about an unknown name is no error."""
    assert Registry[Thing]("thing").get("nobody") is None


def test_get_or_create_when_asked_twice_then_the_factory_ran_once() -> None:
    """The first question makes the thing, the others find it."""
    registry = Registry[Thing]("thing")
    first = registry.get_or_create("a", Thing)
    assert registry.get_or_create("a", lambda: pytest.fail("made again")) is first
    assert registry.get("a") is first


def test_get_or_create_when_many_threads_ask_at_once_then_all_get_the_same_thing() -> None:
    """The factory runs under the lock: once."""
    registry = Registry[Thing]("thing")
    barrier = threading.Barrier(8)
    made: list[Thing] = []
    found: list[Thing] = []

    def make() -> Thing:
        made.append(Thing())
        return made[-1]

    def ask() -> None:
        barrier.wait(10)
        found.append(registry.get_or_create("a", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1
    assert found == made * 8


def test_get_or_create_when_the_factory_raises_then_nothing_is_kept() -> None:
    """A failed attempt leaves the name free."""
    registry = Registry[Thing]("thing")

    def fail() -> Thing:
        raise OSError("no thing today")

    with pytest.raises(OSError, match="no thing today"):
        registry.get_or_create("a", fail)
    assert "a" not in registry
    assert isinstance(registry.get_or_create("a", Thing), Thing)


def test_get_or_create_when_the_factory_uses_the_registry_then_it_does_not_deadlock() -> None:
    """A thing may be made of others of its kind."""
    registry = Registry[list[str]]("chain")
    outer = registry.get_or_create("outer", lambda: [*registry.get_or_create("inner", lambda: ["inner"]), "outer"])
    assert outer == ["inner", "outer"]
    assert list(registry) == ["inner", "outer"]


def test_register_when_the_name_belongs_to_another_thing_then_it_is_an_error_and_the_first_stays() -> None:
    """Nothing is replaced silently; the message names both."""
    registry = Registry[Thing]("limiter")
    first, second = Thing(), Thing()
    registry.register("a", first)
    with pytest.raises(ValueError, match=r"limiter 'a' is already registered as .*, got ") as caught:
        registry.register("a", second)
    assert repr(first) in str(caught.value)
    assert repr(second) in str(caught.value)
    assert registry.get("a") is first


def test_register_when_the_thing_is_the_same_or_equal_then_the_first_stays() -> None:
    """Registering again what is there already is harmless: a notebook's cell may run twice."""
    registry = Registry[list[int]]("thing")
    first = registry.register("a", [1])
    assert registry.register("a", first) is first
    assert registry.register("a", [1]) is first


def test_remove_when_a_thing_is_given_then_only_that_very_thing_is_removed() -> None:
    """Who removes his own thing does not remove the newer one that took its place."""
    registry = Registry[Thing]("thing")
    old, new = Thing(), Thing()
    registry.register("a", new)
    assert registry.remove("a", old) is False
    assert registry.get("a") is new
    assert registry.remove("a", new) is True
    assert registry.remove("a") is False
    assert len(registry) == 0


def test_iteration_when_names_change_meanwhile_then_it_goes_over_those_at_its_start() -> None:
    """The names are a snapshot, in the order of registration."""
    registry = Registry[Thing]("thing")
    for name in ("b", "a", "c"):
        registry.register(name, Thing())
    seen: list[str] = []
    for name in registry:
        registry.remove(name)
        registry.register(f"{name}2", Thing())
        seen.append(name)
    assert seen == ["b", "a", "c"]
    assert list(registry) == ["b2", "a2", "c2"]


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (7, TypeError), (None, TypeError)])
def test_name_when_empty_or_no_string_then_it_is_refused(name: str, error: type[Exception]) -> None:
    """Every door checks the name."""
    registry = Registry[Thing]("thing")
    with pytest.raises(error, match="name must"):
        registry.get(name)
    with pytest.raises(error, match="name must"):
        registry.get_or_create(name, Thing)
    with pytest.raises(error, match="name must"):
        registry.register(name, Thing())
    with pytest.raises(error, match="name must"):
        registry.remove(name)
