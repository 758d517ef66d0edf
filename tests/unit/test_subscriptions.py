"""What a line wants, has asked for and was given."""

from __future__ import annotations

import json
from typing import Any

from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Channel, Rejected


def make(*symbols: str) -> Subscriptions:
    """Return the subscriptions of a new line."""
    return Subscriptions(Kraken(), Channel("trades"), symbols)


def test_open_when_symbols_exceed_a_message_then_splits_them() -> None:
    """1,000 symbols, 50 a message, each once, in order."""
    symbols = [f"S{n}/USD" for n in range(1000)]
    frames = [json.loads(frame) for frame in make(*symbols).open()]
    assert [len(frame["params"]["symbol"]) for frame in frames] == [50] * 20
    assert [symbol for frame in frames for symbol in frame["params"]["symbol"]] == symbols
    assert len({frame["req_id"] for frame in frames}) == 20


def test_acknowledge_when_it_answers_then_confirms_once() -> None:
    """A second acknowledgement of the same symbol changes nothing."""
    line = make("A/USD", "B/USD")
    line.open()
    assert set(line.pending) == {"A/USD", "B/USD"}
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=1)) == ("A/USD",)
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=1)) == ()
    assert line.pending == ("B/USD",)


def test_acknowledge_when_it_answers_an_older_request_then_is_ignored() -> None:
    """Removed and added again: the answer to the first subscribe is not for the second."""
    line = make("A/USD")
    line.open()
    line.remove(["A/USD"])
    line.add(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=1)) == ()
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=2, subscribed=False)) == ()
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=3)) == ("A/USD",)


def test_reject_when_symbols_are_named_then_only_they_are_lost() -> None:
    """The others stay."""
    line = make("A/USD", "B/USD")
    line.open()
    assert line.reject(Rejected(symbols=("B/USD",), reason="no", request=1)) == ("B/USD",)
    assert line.wanted == ("A/USD",)
    assert line.reject(Rejected(symbols=("B/USD",), reason="no", request=1)) == ()


def test_reject_when_no_symbol_is_named_then_all_of_the_request_are_lost() -> None:
    """A malformed request is refused as a whole."""
    line = make("A/USD", "B/USD")
    line.open()
    assert line.reject(Rejected(reason="malformed", request=1)) == ("A/USD", "B/USD")
    assert line.wanted == ()


def test_open_when_the_line_comes_back_then_everything_is_asked_for_again() -> None:
    """What was confirmed on the old connection is not on the new one."""
    line = make("A/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",), request=1))
    frames = line.open()
    assert len(frames) == 1
    assert not line.is_confirmed("A/USD")
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=1)) == ()


def test_add_when_a_symbol_is_known_then_is_not_asked_for_twice() -> None:
    """Adding is idempotent, removing what is not there is nothing."""
    line = make("A/USD")
    line.open()
    assert line.add(["A/USD"]) == []
    assert line.remove(["B/USD"]) == []


def test_subscriptions_when_symbols_come_and_go_then_nothing_is_kept_of_them() -> None:
    """Memory is that of the symbols, however long a connection lives."""
    line = make("A/USD")
    line.open()
    for _ in range(50):
        line.add(["B/USD"])
        line.remove(["B/USD"])
    state: dict[str, Any] = vars(line)
    kept: list[Any] = [value for value in state.values() if isinstance(value, (dict, set))]
    assert max(len(value) for value in kept) == 1


def test_reject_when_it_names_no_symbols_then_means_those_of_the_request() -> None:
    """Not those of another, and not those that were asked for again since."""
    line = make("A/USD", "B/USD")
    line.open()
    line.add(["C/USD", "D/USD"])
    line.remove(["D/USD"])
    line.add(["D/USD"])
    assert line.reject(Rejected(reason="no", request=2)) == ("C/USD",)
    assert line.wanted == ("A/USD", "B/USD", "D/USD")
