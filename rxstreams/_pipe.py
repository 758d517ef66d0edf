"""``pipe``: several operators as one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from reactivex.abc import ObservableBase

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_E = TypeVar("_E")
_F = TypeVar("_F")
_G = TypeVar("_G")
_H = TypeVar("_H")
_I = TypeVar("_I")


@overload
def pipe() -> Callable[[_A], _A]: ...
@overload
def pipe(op1: Callable[[_A], _B], /) -> Callable[[_A], _B]: ...
@overload
def pipe(op1: Callable[[_A], _B], op2: Callable[[_B], _C], /) -> Callable[[_A], _C]: ...
@overload
def pipe(op1: Callable[[_A], _B], op2: Callable[[_B], _C], op3: Callable[[_C], _D], /) -> Callable[[_A], _D]: ...
@overload
def pipe(
    op1: Callable[[_A], _B],
    op2: Callable[[_B], _C],
    op3: Callable[[_C], _D],
    op4: Callable[[_D], _E],
    /,
) -> Callable[[_A], _E]: ...
@overload
def pipe(
    op1: Callable[[_A], _B],
    op2: Callable[[_B], _C],
    op3: Callable[[_C], _D],
    op4: Callable[[_D], _E],
    op5: Callable[[_E], _F],
    /,
) -> Callable[[_A], _F]: ...
@overload
def pipe(
    op1: Callable[[_A], _B],
    op2: Callable[[_B], _C],
    op3: Callable[[_C], _D],
    op4: Callable[[_D], _E],
    op5: Callable[[_E], _F],
    op6: Callable[[_F], _G],
    /,
) -> Callable[[_A], _G]: ...
@overload
def pipe(
    op1: Callable[[_A], _B],
    op2: Callable[[_B], _C],
    op3: Callable[[_C], _D],
    op4: Callable[[_D], _E],
    op5: Callable[[_E], _F],
    op6: Callable[[_F], _G],
    op7: Callable[[_G], _H],
    /,
) -> Callable[[_A], _H]: ...
@overload
def pipe(
    op1: Callable[[_A], _B],
    op2: Callable[[_B], _C],
    op3: Callable[[_C], _D],
    op4: Callable[[_D], _E],
    op5: Callable[[_E], _F],
    op6: Callable[[_F], _G],
    op7: Callable[[_G], _H],
    op8: Callable[[_H], _I],
    /,
) -> Callable[[_A], _I]: ...
def pipe(*operators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Compose operators, left to right, to one that can be used like each of them.

    Typed for up to eight; longer chains are composed of chains.

    Args:
        operators: none give the operator that changes nothing.

    Raises:
        TypeError: one of them is no operator; for an Observable the message says what to write instead.

    Example:
        >>> import reactivex
        >>> from reactivex import operators as ops
        >>> chain = pipe(ops.map(str), ops.to_list())
        >>> _ = reactivex.of(1, 2, 3).pipe(chain).subscribe(print)
        ['1', '2', '3']
    """
    for operator in operators:
        if isinstance(operator, ObservableBase):
            raise TypeError("pipe() composes operators and got an Observable; write source.pipe(operator, ...)")
        if not callable(operator):
            raise TypeError(f"pipe() composes operators, got {operator!r}")

    def chain(source: Any) -> Any:
        return functools.reduce(lambda observable, operator: operator(observable), operators, source)

    return chain
