"""The formats by their venues' names."""

from __future__ import annotations

import pytest

from rxstreams.errors import UnknownVenue
from rxstreams.testing import formats
from rxstreams.testing.formats import KrakenFormat, format_of


def test_format_of_when_the_venue_has_one_then_returns_a_new_one() -> None:
    """Formats may keep the channels of one exchange, so two exchanges don't share one."""
    first, second = format_of("kraken"), format_of("kraken")
    assert type(first) is type(second) is KrakenFormat
    assert first is not second


def test_format_of_when_there_is_none_then_lists_those_that_there_are() -> None:
    """The error helps."""
    with pytest.raises(UnknownVenue, match=r"'crackem'; there are .*kraken"):
        format_of("crackem")


@pytest.mark.parametrize("exported", [each for each in formats.__all__ if each.endswith("Format") and each != "Format"])
def test_format_when_exported_then_is_found_by_its_name(exported: str) -> None:
    """No two have one name."""
    kind = getattr(formats, exported)
    assert type(format_of(kind.name)) is kind
