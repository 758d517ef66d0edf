"""Compares a feed's symbols with its venue's list: for venues that say nothing about symbols that they don't have."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from reactivex import Observable
from reactivex.disposable import Disposable, SerialDisposable

from rxstreams.sources.venue import Venue

logger = logging.getLogger("rxstreams")

ListSymbols: TypeAlias = Callable[[], Observable[frozenset[str]]]
"""Returns the venue's spelling of all its symbols, once; cold."""


class SymbolCheck:
    """Asks for the list, once for all symbols that wait for it. Everything happens on the feed's thread.

    Where the list can't be had, or is empty, that is logged and nothing is refused.

    Args:
        venue: whose symbols.
        name: of the feed, for the log.
        on_unknown: called with those that are not on the list.

    Memory: O(symbols), and the list while it is read.
    """

    def __init__(self, venue: Venue, name: str, on_unknown: Callable[[tuple[str, ...]], None]) -> None:
        self._venue = venue
        self._name = name
        self._on_unknown = on_unknown
        self._waiting: dict[str, None] = {}
        self._request = SerialDisposable()

    def check(self, symbols: Iterable[str], list_symbols: ListSymbols | None) -> None:
        """Compare symbols when the list has come; None: there is none, and they are taken as they are."""
        if list_symbols is None:
            return
        is_running = bool(self._waiting)
        self._waiting.update(dict.fromkeys(symbols))
        if self._waiting and not is_running:
            self._request.disposable = list_symbols().subscribe(self._on_list, self._on_failed, self._on_failed)

    def stop(self) -> None:
        """Wait no longer."""
        self._waiting.clear()
        self._request.disposable = Disposable()

    def _on_list(self, known: frozenset[str]) -> None:
        if not known:
            return  # then it is over without a list
        waiting, self._waiting = self._waiting, {}
        unknown = tuple(symbol for symbol in waiting if self._venue.to_venue_symbol(symbol) not in known)
        if unknown:
            self._on_unknown(unknown)

    def _on_failed(self, error: Exception | None = None) -> None:
        if self._waiting:
            self._waiting.clear()
            reason = "it is empty" if error is None else error
            logger.warning(
                "%s: the list of symbols can't be had, so one that %s does not have is not told: %s",
                self._name,
                self._venue.name,
                reason,
            )
