"""RecentKeys: a bounded set that forgets the oldest."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from rxstreams.operators._recent import RecentKeys


def test_add_when_a_key_is_new_or_known_then_it_says_which() -> None:
    """Any hashable key; a known one changes nothing."""
    recent = RecentKeys(3)
    assert recent.add(("x", "A", 1)) is True
    assert recent.add(("x", "A", 1)) is False
    assert recent.add("1") is True
    assert recent.add(1) is True
    assert len(recent) == 3
    assert ("x", "A", 1) in recent
    assert ("x", "A", 2) not in recent


def test_add_when_full_then_the_oldest_is_forgotten_even_if_seen_again() -> None:
    """Age counts from the first time."""
    recent = RecentKeys(2)
    assert [recent.add(key) for key in ("a", "b", "a", "c")] == [True, True, False, True]
    assert "a" not in recent
    assert [recent.add(key) for key in ("b", "a", "b", "c")] == [False, True, True, True]
    assert len(recent) == 2


@given(size=st.integers(1, 5), keys=st.lists(st.integers(0, 8), max_size=60))
def test_add_when_any_keys_come_then_it_answers_like_a_plain_list_of_the_last(size: int, keys: list[int]) -> None:
    """The oracle keeps them in order and cuts."""
    recent = RecentKeys(size)
    oracle: OrderedDict[int, None] = OrderedDict()
    for key in keys:
        assert recent.add(key) == (key not in oracle)
        oracle.setdefault(key)
        while len(oracle) > size:
            oracle.popitem(last=False)
        assert len(recent) == len(oracle) <= size
        assert [each in recent for each in range(9)] == [each in oracle for each in range(9)]
