"""What one line wants, has asked for and was given. Pure: frames come out, nothing is sent from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rxstreams.sources.venue import Acknowledged, Channel, Rejected, Venue


class Subscriptions:
    """The symbols of one line; it outlives the line's connections.

    Memory: O(symbols).
    """

    def __init__(self, venue: Venue, channel: Channel, symbols: Iterable[str]) -> None:
        self._venue = venue
        self._channel = channel
        self._wanted: dict[str, None] = dict.fromkeys(symbols)
        self._confirmed: set[str] = set()
        self._asked: dict[str, int] = {}  # symbol -> the request that is not answered yet
        self._requests: dict[str, int] = {}  # symbol -> the last request to subscribe to it
        self._last_request = 0

    @property
    def wanted(self) -> tuple[str, ...]:
        """The symbols of this line, in the order in which they were added."""
        return tuple(self._wanted)

    @property
    def pending(self) -> tuple[str, ...]:
        """Symbols whose subscription was asked for and not answered."""
        return tuple(self._asked)

    @property
    def confirmed(self) -> tuple[str, ...]:
        """Symbols that the venue has acknowledged on the present connection."""
        return tuple(self._confirmed)

    def for_next_connection(self) -> Subscriptions:
        """Return those of another connection with the same symbols, before it is open."""
        return Subscriptions(self._venue, self._channel, self._wanted)

    def wants(self, symbol: str) -> bool:
        """Return whether this line is for the symbol."""
        return symbol in self._wanted

    def is_confirmed(self, symbol: str) -> bool:
        """Return whether the venue has acknowledged the symbol on the present connection."""
        return symbol in self._confirmed

    def next_request(self) -> int:
        """Return a new request number of this line."""
        self._last_request += 1
        return self._last_request

    def open(self) -> list[str]:
        """Forget the old connection and return the frames that subscribe everything on a new one."""
        self._confirmed.clear()
        self._asked.clear()
        self._requests.clear()
        return self._subscribe(tuple(self._wanted))

    def add(self, symbols: Iterable[str]) -> list[str]:
        """Want more symbols; return the frames to send if the line is open."""
        new = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol not in self._wanted)
        self._wanted.update(dict.fromkeys(new))
        return self._subscribe(new)

    def remove(self, symbols: Iterable[str]) -> list[str]:
        """Want symbols no more; return the frames to send if the line is open."""
        old = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol in self._wanted)
        self._forget(old)
        return self._frames(old, self._venue.unsubscribe_frame)

    def acknowledge(self, message: Acknowledged) -> tuple[str, ...]:
        """Take an acknowledgement; return the symbols that are confirmed by it and were not before.

        One that answers an older request than the last for its symbol (removed and added again) is not for it.
        """
        if not message.subscribed:
            return ()
        confirmed: list[str] = []
        for symbol in message.symbols:
            asked = self._asked.get(symbol)
            if asked is None or (message.request and message.request != asked):
                continue
            del self._asked[symbol]
            self._confirmed.add(symbol)
            confirmed.append(symbol)
        return tuple(confirmed)

    def reject(self, message: Rejected) -> tuple[str, ...]:
        """Take a refusal; return the symbols that this line has lost by it."""
        named = message.symbols or tuple(s for s, request in self._requests.items() if request == message.request)
        refused = tuple(symbol for symbol in named if self._is_refused(symbol, message.request))
        self._forget(refused)
        return refused

    def _is_refused(self, symbol: str, request: int) -> bool:
        if symbol not in self._wanted:
            return False
        asked = self._asked.get(symbol)
        return not request or asked == request or asked is None

    def _forget(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._wanted.pop(symbol, None)
            self._requests.pop(symbol, None)
            self._asked.pop(symbol, None)
            self._confirmed.discard(symbol)

    def _subscribe(self, symbols: Sequence[str]) -> list[str]:
        frames = self._frames(symbols, self._venue.subscribe_frame)
        if not self._venue.acknowledges:
            self._asked.clear()
            self._confirmed.update(symbols)
        return frames

    def _frames(self, symbols: Sequence[str], build: Callable[[Channel, Sequence[str], int], str]) -> list[str]:
        frames: list[str] = []
        size = self._venue.symbols_per_message
        for start in range(0, len(symbols), size):
            part = tuple(symbols[start : start + size])
            request = self.next_request()
            for symbol in part:
                if symbol in self._wanted:
                    self._asked[symbol] = self._requests[symbol] = request
            frames.append(build(self._channel, part, request))
        return frames
