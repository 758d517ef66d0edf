"""The formats by the names of their venues."""

from __future__ import annotations

import importlib

from rxstreams.errors import UnknownVenue
from rxstreams.testing.formats._format import Format

_PACKAGE = "rxstreams.testing.formats"


def format_of(name: str) -> Format:
    """Return a new format of the venue of that name: ``format_of("kraken")``.

    Raises:
        UnknownVenue: there is none; the message lists those that there are.
    """
    known = {each.name: each for each in _classes()}
    try:
        return known[name]()
    except KeyError:
        raise UnknownVenue(f"no format is of a venue {name!r}; there are {', '.join(sorted(known))}") from None


def _classes() -> list[type[Format]]:
    # What the package exports is the list: a second one would be forgotten. It imports this module: it is asked late.
    package = importlib.import_module(_PACKAGE)
    exported: list[str] = package.__all__
    return [getattr(package, each) for each in exported if each.endswith("Format") and each != "Format"]
