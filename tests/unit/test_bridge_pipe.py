"""pipe: several operators as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops

from rxstreams.bridge import pipe


def collect(source: Observable[Any]) -> list[Any]:
    """Return what a source that needs no time emits."""
    items: list[Any] = []
    source.subscribe(items.append)
    return items


def double(source: Observable[int]) -> Observable[int]:
    """Return twice each number."""

    def twice(number: int) -> int:
        return number * 2

    return source.pipe(ops.map(twice))


def show(source: Observable[int]) -> Observable[str]:
    """Return each number's digits."""
    return source.pipe(ops.map(str))


def length(source: Observable[str]) -> Observable[int]:
    """Return each string's length."""
    return source.pipe(ops.map(len))


def test_pipe_when_given_operators_then_they_apply_left_to_right_and_keep_their_types() -> None:
    """The chain is an operator from the first one's items to the last one's."""
    chain = pipe(double, show)
    assert_type(chain, Callable[[Observable[int]], Observable[str]])
    result = reactivex.of(1, 20, 300).pipe(chain)
    assert_type(result, Observable[str])
    assert collect(result) == ["2", "40", "600"]


@pytest.mark.parametrize("count", range(0, 21, 4))
def test_pipe_when_given_any_number_of_operators_then_all_apply(count: int) -> None:
    """Types end at eight, the function does not."""
    chain: Callable[[Observable[int]], Observable[int]] = pipe(*[double] * count)
    assert collect(reactivex.of(1).pipe(chain)) == [2**count]


def test_pipe_when_given_no_operators_then_the_source_comes_back() -> None:
    """The identity."""
    source = reactivex.of(1)
    assert source.pipe(pipe()) is source


def test_pipe_when_chains_are_composed_of_chains_then_types_are_kept() -> None:
    """For more than eight; and a chain can be used twice."""
    eight = pipe(double, double, double, double, double, double, show, length)
    assert_type(eight, Callable[[Observable[int]], Observable[int]])
    both = pipe(eight, eight, double)
    assert collect(reactivex.of(2).pipe(both)) == [6]
    assert collect(reactivex.of(200).pipe(eight)) == [5]
    assert collect(reactivex.of(200).pipe(eight)) == [5]


@pytest.mark.parametrize("position", [0, 1])
def test_pipe_when_given_an_observable_then_the_error_says_what_to_write(position: int) -> None:
    """reactivex has a pipe(source, ...) too; the mix-up is likely."""
    arguments: list[Any] = [double, double]
    arguments[position] = reactivex.of(1)
    with pytest.raises(TypeError, match=r"pipe\(\) composes operators and got an Observable; write source\.pipe\("):
        pipe(*arguments)


def test_pipe_when_given_something_else_then_it_is_refused_at_once() -> None:
    """Not only when the chain is used."""
    with pytest.raises(TypeError, match=r"pipe\(\) composes operators, got 5"):
        pipe(double, 5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # wrong on purpose
