"""What a line wants, has asked for and was given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rxstreams.sources._subscriptions import Refusal, Subscriptions
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Channel, Message, Rejected, Venue


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


def test_acknowledge_when_no_symbol_is_named_then_means_all_of_the_request() -> None:
    """By its number; without one, those of the only request that waits for an answer."""
    line = make("A/USD", "B/USD")
    line.open()
    line.add(["C/USD"])
    assert line.acknowledge(Acknowledged(symbols=())) == ()
    assert line.acknowledge(Acknowledged(symbols=(), request=1)) == ("A/USD", "B/USD")
    assert line.acknowledge(Acknowledged(symbols=(), request=1)) == ()
    assert line.acknowledge(Acknowledged(symbols=())) == ("C/USD",)
    assert line.acknowledge(Acknowledged(symbols=())) == ()


def test_reject_when_symbols_are_named_then_only_they_are_lost() -> None:
    """The others stay."""
    line = make("A/USD", "B/USD")
    line.open()
    assert line.reject(Rejected(symbols=("B/USD",), reason="no", request=1)) == Refusal(("B/USD",), "no")
    assert line.wanted == ("A/USD",)
    assert line.reject(Rejected(symbols=("B/USD",), reason="no", request=1)).symbols == ()


def asked(refusal: Refusal) -> list[tuple[int, list[str]]]:
    """Return number and symbols of the requests that follow a refusal."""
    frames = [json.loads(frame) for frame in refusal.frames]
    return [(frame["req_id"], frame["params"]["symbol"]) for frame in frames]


def test_reject_when_a_request_is_refused_as_a_whole_then_its_halves_are_asked_for() -> None:
    """Until the bad symbol is alone; the good ones go on."""
    line = make("A/USD", "B/USD", "C/USD", "D/USD", "E/USD")
    line.open()
    first = line.reject(Rejected(reason="no", request=1))
    assert asked(first) == [(2, ["A/USD", "B/USD"]), (3, ["C/USD", "D/USD", "E/USD"])]
    assert (first.symbols, first.again, first.was_confirmed) == ((), line.wanted, False)
    assert set(line.pending) == set(line.wanted)
    assert line.acknowledge(Acknowledged(symbols=(), request=2)) == ("A/USD", "B/USD")
    second = line.reject(Rejected(reason="no", request=3))
    assert asked(second) == [(4, ["C/USD"]), (5, ["D/USD", "E/USD"])]
    assert line.reject(Rejected(reason="no such pair", request=4)) == Refusal(("C/USD",), "no such pair")
    assert line.acknowledge(Acknowledged(symbols=(), request=5)) == ("D/USD", "E/USD")
    assert line.wanted == ("A/USD", "B/USD", "D/USD", "E/USD")
    assert line.pending == ()


def test_reject_when_all_of_many_are_bad_then_each_is_refused_and_the_questions_are_few() -> None:
    """No request is made for ever."""
    line = make(*(f"S{number}/USD" for number in range(50)))
    open_requests = [json.loads(frame)["req_id"] for frame in line.open()]
    asked_for = 0
    lost: list[str] = []
    while open_requests:
        refusal = line.reject(Rejected(reason="no", request=open_requests.pop()))
        open_requests += [number for number, _ in asked(refusal)]
        asked_for += len(refusal.frames)
        lost += refusal.symbols
    assert len(lost) == 50
    assert line.wanted == ()
    assert asked_for == 2 * 49


def test_reject_when_the_request_was_acknowledged_before_then_it_is_taken_back() -> None:
    """So is what was taken for confirmed since the venue acknowledges nothing; of a part, only the rest is refused."""
    line = make("A/USD", "B/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=(), request=1))
    refusal = line.reject(Rejected(reason="too many", request=1))
    assert refusal.was_confirmed
    assert asked(refusal) == [(2, ["A/USD"]), (3, ["B/USD"])]
    assert line.confirmed == ()
    line = make("A/USD", "B/USD", "C/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",), request=1))
    refusal = line.reject(Rejected(reason="no", request=1))
    assert not refusal.was_confirmed
    assert asked(refusal) == [(2, ["B/USD"]), (3, ["C/USD"])]
    assert line.confirmed == ("A/USD",)


def test_reject_when_it_does_not_say_of_which_request_then_it_is_the_only_one_without_an_answer() -> None:
    """Of several it may be any: the others are waited for."""
    line = make("A/USD")
    line.open()
    line.add(["B/USD"])
    line.add(["C/USD", "D/USD"])
    assert line.reject(Rejected(reason="no")) == Refusal()
    line.acknowledge(Acknowledged(symbols=("A/USD",)))
    assert line.resolve() == Refusal()
    line.acknowledge(Acknowledged(symbols=("C/USD",), request=3))
    assert line.resolve() == Refusal()
    line.acknowledge(Acknowledged(symbols=("D/USD",), request=3))
    assert line.resolve() == Refusal(("B/USD",), "no")
    assert line.resolve() == Refusal()
    assert line.wanted == ("A/USD", "C/USD", "D/USD")


def test_reject_when_as_many_are_refused_as_wait_for_an_answer_then_all_of_them_are() -> None:
    """Those with several symbols are asked for again, and what refuses one half says so of one half."""
    line = make("A/USD", "B/USD")
    line.open()
    line.add(["C/USD"])
    assert line.reject(Rejected(reason="no")) == Refusal()
    both = line.reject(Rejected(reason="no"))
    assert both.symbols == ("C/USD",)
    assert asked(both) == [(3, ["A/USD"]), (4, ["B/USD"])]
    assert line.reject(Rejected(reason="no")) == Refusal()
    line.acknowledge(Acknowledged(symbols=("A/USD",)))
    assert line.resolve().symbols == ("B/USD",)
    assert line.wanted == ("A/USD",)


def test_reject_when_nothing_waits_for_an_answer_then_means_nothing() -> None:
    """Neither then nor for what is asked later."""
    line = make("A/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",)))
    assert line.reject(Rejected(reason="no")).symbols == ()
    line.add(["B/USD"])
    assert line.resolve() == Refusal()
    assert line.reject(Rejected(reason="no", request=77)).symbols == ()
    assert line.wanted == ("A/USD", "B/USD")


def test_open_when_a_refusal_was_not_understood_then_it_is_forgotten() -> None:
    """It was of the old connection."""
    line = make("A/USD")
    line.open()
    line.add(["B/USD"])
    line.reject(Rejected(reason="no"))
    line.open()
    assert line.resolve() == Refusal()
    assert line.wanted == ("A/USD", "B/USD")


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
    assert line.reject(Rejected(reason="no", request=2)).symbols == ("C/USD",)
    assert line.wanted == ("A/USD", "B/USD", "D/USD")


def test_reject_when_a_bad_symbol_was_removed_before_the_answer_then_good_ones_stay() -> None:
    """The venue names those that it took, and then refuses the request: what it refuses is gone already."""
    line = make("A/USD", "X/USD")
    line.open()
    line.remove(["X/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=1)) == ("A/USD",)
    assert line.reject(Rejected(reason="no", request=1)) == Refusal((), "no")
    assert (line.wanted, line.confirmed) == (("A/USD",), ("A/USD",))


def test_reject_when_a_part_was_acknowledged_by_name_then_only_the_rest_is_taken_back() -> None:
    """Those without a name may be the refused ones."""
    line = make("A/USD", "B/USD", "C/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",), request=1))
    line.acknowledge(Acknowledged(symbols=(), request=1))
    refusal = line.reject(Rejected(reason="no", request=1))
    assert refusal.was_confirmed
    assert refusal.again == ("B/USD", "C/USD")
    assert line.confirmed == ("A/USD",)


def test_reject_when_a_symbol_was_named_for_an_older_request_then_that_is_forgotten() -> None:
    """Added again, it is as any other."""
    line = make("A/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",), request=1))
    line.remove(["A/USD"])
    line.add(["A/USD"])
    line.acknowledge(Acknowledged(symbols=(), request=3))
    assert line.reject(Rejected(reason="no", request=3)).symbols == ("A/USD",)


def test_acknowledge_without_a_number_when_the_symbol_was_added_again_then_the_first_one_is_not_for_it() -> None:
    """The end of the first subscription is still on its way: trades that come before it are not all."""
    line = make("A/USD", "B/USD")
    line.open()
    for _ in range(2):
        line.remove(["A/USD"])
        line.add(["A/USD"])
    for _ in range(2):
        assert line.acknowledge(Acknowledged(symbols=("A/USD", "B/USD")))[1:] == ()
        assert line.acknowledge(Acknowledged(symbols=("A/USD",), subscribed=False)) == ()
        assert line.pending == ("A/USD",)
    assert line.acknowledge(Acknowledged(symbols=("A/USD",))) == ("A/USD",)


def test_acknowledge_without_a_number_when_it_came_before_the_symbol_was_added_again_then_it_is_over() -> None:
    """The next one is for the new subscription; so it is on another connection, and after a refusal."""
    line = make("A/USD", "B/USD")
    line.open()
    line.remove(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",))) == ()
    line.add(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",))) == ("A/USD",)
    line.remove(["B/USD"])
    line.add(["B/USD"])
    line.open()
    assert line.acknowledge(Acknowledged(symbols=("B/USD",))) == ("B/USD",)
    line.open()
    line.remove(["B/USD"])
    line.reject(Rejected(symbols=("B/USD",), reason="no"))
    line.add(["B/USD"])
    assert line.acknowledge(Acknowledged(symbols=("B/USD",))) == ("B/USD",)


def test_acknowledge_without_a_number_when_the_symbol_was_removed_after_it_then_nothing_is_owed() -> None:
    """Every subscription was answered."""
    line = make("A/USD")
    line.open()
    line.acknowledge(Acknowledged(symbols=("A/USD",)))
    line.remove(["A/USD"])
    line.add(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",))) == ("A/USD",)


def test_acknowledge_when_it_has_a_number_then_what_is_owed_does_not_matter() -> None:
    """The number tells, in any order."""
    line = make("A/USD")
    line.open()
    line.remove(["A/USD"])
    line.add(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",), request=3)) == ("A/USD",)


class Patient(Venue):
    """A venue whose subscriptions can't be ended before they are acknowledged."""

    def subscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str:
        """Write what nobody reads."""
        return "subscribe"

    def unsubscribe_frame(self, channel: Channel, symbols: Sequence[str], request: int) -> str | None:
        """Write nothing."""
        return None

    def parse(self, frame: bytes) -> Iterable[Message]:
        """Read nothing."""
        return ()


def test_acknowledge_without_a_number_when_the_first_subscription_was_never_ended_then_it_is_good() -> None:
    """All that comes since then is the symbol's."""
    line = Subscriptions(Patient(), Channel("trades"), ["A/USD"])
    line.open()
    assert line.remove(["A/USD"]) == []
    line.add(["A/USD"])
    assert line.acknowledge(Acknowledged(symbols=("A/USD",))) == ("A/USD",)
