"""``deduplicate``: what passes, what is dropped, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from reactivex import Observable
from reactivex.testing import ReactiveTest, TestScheduler
from reactivex.testing.recorded import Recorded

from rxstreams.errors import ObserverError
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import deduplicate
from rxstreams.operators._deduplicate import trade_key

on_next, on_error, on_completed = ReactiveTest.on_next, ReactiveTest.on_error, ReactiveTest.on_completed


def _trade(trade_id: int | str | None, symbol: str = "A", exchange: str = "x", price: float = 1.0) -> PriceTick:
    return PriceTick(symbol=symbol, price=price, timestamp=0, exchange=exchange, trade_id=trade_id)


def _run(operator: Callable[[Observable[Any]], Observable[Any]], *messages: Recorded[Any]) -> list[Any]:
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*messages)
    return scheduler.start(lambda: source.pipe(operator)).messages


def _failure(messages: list[Any]) -> tuple[float, Exception]:
    last = messages[-1]
    assert last.value.kind == "E"
    return last.time, last.value.exception


def test_trades_when_an_id_comes_again_then_they_are_dropped() -> None:
    """The same id of the same symbol on the same exchange, next to the first or far from it, whatever else it says."""
    first, second = _trade(1), _trade(2)
    assert _run(
        deduplicate(),
        on_next(210, first),
        on_next(220, _trade(1, price=9.0)),
        on_next(230, second),
        on_next(240, _trade(2)),
        on_next(250, _trade(1)),
        on_completed(260),
    ) == [on_next(210, first), on_next(230, second), on_completed(260)]


def test_trades_when_symbol_exchange_or_type_of_id_differ_then_they_all_pass() -> None:
    """Ids count for one symbol of one exchange only; "1" is not 1."""
    trades = [_trade(1), _trade(1, symbol="B"), _trade(1, exchange="y"), _trade("1")]
    messages = [on_next(210 + number, trade) for number, trade in enumerate(trades)]
    assert _run(deduplicate(), *messages) == messages


def test_trades_when_they_have_no_id_then_they_all_pass_and_take_no_room() -> None:
    """Nothing tells such twins apart, so none is dropped."""
    messages = [
        on_next(210, _trade(1)),
        *(on_next(220 + number, _trade(None)) for number in range(5)),
        on_next(230, _trade(1)),
    ]
    assert _run(deduplicate(size=1), *messages) == messages[:-1]


def test_trades_when_more_than_size_came_since_then_they_pass_again() -> None:
    """The oldest id is forgotten, over all symbols."""
    ids = [(1, "A"), (1, "B"), (1, "A"), (2, "B"), (1, "B"), (1, "A")]
    messages = [on_next(210 + number, _trade(*each)) for number, each in enumerate(ids)]
    assert _run(deduplicate(size=2), *messages) == [messages[0], messages[1], messages[3], messages[5]]


def test_passing_item_when_new_then_it_is_the_very_object() -> None:
    """Nothing is copied."""
    trade = _trade(1)
    (message,) = _run(deduplicate(), on_next(210, trade))
    assert message.value.value is trade


def test_items_when_a_key_is_given_then_it_decides() -> None:
    """Any item, any hashable key, None for none."""

    def last_word(text: str) -> str | None:
        return text.split()[-1] if text else None

    texts = ["a b", "c b", "b", "", "", "a c"]
    messages = [on_next(210 + number, text) for number, text in enumerate(texts)]
    assert _run(deduplicate(last_word), *messages) == [messages[0], messages[3], messages[4], messages[5]]


def test_source_when_it_fails_then_its_error_passes() -> None:
    """The same object, at once."""
    error = RuntimeError("lost")
    messages = [on_next(210, _trade(1)), on_error(220, error)]
    result = _run(deduplicate(), *messages)
    assert result == messages
    assert _failure(result)[1] is error


@pytest.mark.parametrize(
    "item", ["A", None, OHLCCandle(symbol="A", timeframe=cast(Any, 1), open_time=0, open=1, high=1, low=1, close=1)]
)
def test_items_when_no_ticks_and_no_key_then_a_type_error_says_what_came(item: object) -> None:
    """A candle has no trade id; nothing comes after the error."""
    result = _run(deduplicate(), on_next(210, _trade(1)), on_next(220, item), on_next(230, _trade(2)))
    assert result[:-1] == [on_next(210, _trade(1))]
    time, error = _failure(result)
    assert time == 220
    assert type(error) is TypeError
    assert (
        str(error) == f"deduplicate takes PriceTick items unless it is given a key, got {type(item).__name__} {item!r}"
    )


def test_key_when_it_raises_then_an_observer_error_carries_the_cause() -> None:
    """A user's bug is not retried."""
    result = _run(deduplicate(lambda number: 1 // number), on_next(210, 1), on_next(220, 0), on_next(230, 2))
    assert result[:-1] == [on_next(210, 1)]
    time, error = _failure(result)
    assert time == 220
    assert isinstance(error, ObserverError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert not error.retryable
    assert str(error).startswith("the key of deduplicate raised ZeroDivisionError(")


def test_key_when_it_can_not_be_hashed_then_an_observer_error_says_so() -> None:
    """A list is no key."""
    operator = deduplicate(cast(Any, lambda number: [number]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it is meant to be wrong
    time, error = _failure(_run(operator, on_next(210, 1)))
    assert time == 210
    assert isinstance(error, ObserverError)
    assert "unhashable type: 'list'" in str(error)


def test_key_when_it_has_raised_then_it_is_not_called_again() -> None:
    """Even by a source that sends all it has before it can be stopped."""
    called: list[int] = []

    def key(item: int) -> int:
        called.append(item)
        raise RuntimeError

    def subscribe(observer: Any, _: object = None) -> Any:
        for number in range(3):
            observer.on_next(number)

    errors: list[Exception] = []
    Observable[int](subscribe).pipe(deduplicate(key)).subscribe(on_error=errors.append)
    assert called == [0]
    assert len(errors) == 1


def test_trade_key_when_asked_then_it_names_exchange_symbol_and_id() -> None:
    """It can be used in a key of one's own."""
    assert trade_key(_trade(7)) == ("x", "A", 7)
    assert trade_key(_trade(None)) is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"size": -1}, ValueError, "size must be at least 1, got -1"),
        ({"size": 1.5}, TypeError, "size must be an integer, got 1.5"),
        ({"size": True}, TypeError, "size must be an integer, got True"),
        ({"key": "trade_id"}, TypeError, "key must be a function of an item, got 'trade_id'"),
        ({"key": None}, TypeError, "key must be a function of an item, got None"),
    ],
)
def test_options_when_wrong_then_they_are_refused_when_it_is_built(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not at the first subscription."""
    with pytest.raises(error, match=message):
        deduplicate(**options)
