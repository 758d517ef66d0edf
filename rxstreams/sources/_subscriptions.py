"""What one line wants, has asked for and was given. Pure: frames come out, nothing is sent from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rxstreams.sources.venue import Acknowledged, Channel, Conversation, Rejected, Venue


class Refusal(NamedTuple):
    """What a refusal means.

    Attributes:
        symbols: those that the line has lost.
        reason: the venue's own words.
        again: those that are asked for again, since only some of them are refused and nobody says which.
        frames: what asks for them.
        was_confirmed: whether any of them was taken for confirmed until now.
    """

    symbols: tuple[str, ...] = ()
    reason: str = ""
    again: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    was_confirmed: bool = False


_NOTHING = Refusal()


class Subscriptions:
    """The symbols of one line; it outlives the line's connections.

    A request that is refused without a word about its symbols is made again, in two halves, until those that the venue
    does not take are alone: so each symbol is asked for a few times at most, and the good ones go on.

    A refusal that does not even say which request it answers is that of the only one without an answer. If there are
    several, the others are waited for: those that are left when as many are left as were refused are the refused ones.

    A symbol may be removed and added again before its first acknowledgement. One that does not say which request it
    answers is then taken for that of the oldest: until the newest subscription is acknowledged, the end of the one
    before may still be on its way.

    Attributes:
        conversation: reads the frames of the present connection.

    Memory: O(symbols).
    """

    def __init__(self, venue: Venue, channel: Channel, symbols: Iterable[str]) -> None:
        self.conversation: Conversation = venue.conversation()
        self._venue = venue
        self._channel = channel
        self._wanted: dict[str, None] = dict.fromkeys(symbols)
        self._confirmed: set[str] = set()
        self._asked: dict[str, int] = {}  # symbol -> the request that is not answered yet
        self._requests: dict[str, int] = {}  # symbol -> the last request to subscribe to it
        self._last_request = 0
        self._nameless: list[str] = []  # reasons of refusals of requests that are not known yet
        self._unended: dict[str, None] = {}  # symbols whose subscription can't be ended before it is acknowledged
        self._named: set[str] = set()  # symbols that an acknowledgement has named
        self._owed: dict[str, int] = {}  # symbol -> acknowledgements of subscriptions that were ended before they came

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
        self.conversation = self._venue.conversation()
        self._unended.clear()
        self._named.clear()
        self._owed.clear()
        self._confirmed.clear()
        self._asked.clear()
        self._requests.clear()
        self._nameless.clear()
        return self._subscribe(tuple(self._wanted))

    def add(self, symbols: Iterable[str]) -> list[str]:
        """Want more symbols; return the frames to send if the line is open."""
        new = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol not in self._wanted)
        self._wanted.update(dict.fromkeys(new))
        return self._subscribe(new)

    def remove(self, symbols: Iterable[str]) -> list[str]:
        """Want symbols no more; return the frames to send if the line is open."""
        old = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol in self._wanted)
        unanswered = self._asked.keys() & old
        self._forget(old)
        frames = self._unsubscribe(old)
        for symbol in unanswered - self._unended.keys():
            self._owed[symbol] = self._owed.get(symbol, 0) + 1
        return frames

    def remove_late(self) -> list[str]:
        """Return the frames for symbols that were removed before that could be said; ask at every acknowledgement."""
        return self._unsubscribe(tuple(self._unended)) if self._unended else []

    def acknowledge(self, message: Acknowledged) -> tuple[str, ...]:
        """Take an acknowledgement; return the symbols that are confirmed by it and were not before.

        One that answers an older request than the last for its symbol (removed and added again) is not for it.
        """
        if not message.subscribed:
            return ()
        confirmed: list[str] = []
        for symbol in message.symbols or self._unanswered(message.request):
            asked = self._asked.get(symbol)
            if message.request != asked and self._was_owed(symbol):
                continue
            if asked is None or (message.request and message.request != asked):
                continue
            del self._asked[symbol]
            self._confirmed.add(symbol)
            if message.symbols:
                self._named.add(symbol)
            confirmed.append(symbol)
        return tuple(confirmed)

    def reject(self, message: Rejected) -> Refusal:
        """Take a refusal; return what it means."""
        if message.symbols:
            refused = tuple(symbol for symbol in message.symbols if self._is_refused(symbol, message.request))
            for symbol in message.symbols:
                self._was_owed(symbol)  # a refusal is an answer too
            self._forget(refused)
            return Refusal(refused, message.reason)
        if message.request:
            # One that comes after all were acknowledged takes them back, but not those that were named: where all were,
            # it refuses what was removed meanwhile.
            group = self._unanswered(message.request) or tuple(
                symbol
                for symbol, request in self._requests.items()
                if request == message.request and symbol not in self._named
            )
            return self._refuse([group], message.reason)
        self._nameless.append(message.reason)
        return self.resolve()

    def resolve(self) -> Refusal:
        """Return what refusals of unknown requests mean by now; to be asked whenever a request was answered."""
        if not self._nameless:
            return _NOTHING
        outstanding = dict.fromkeys(self._asked.values())
        if len(outstanding) > len(self._nameless):
            return _NOTHING
        reason = self._nameless[-1]
        self._nameless.clear()
        return self._refuse([self._unanswered(request) for request in outstanding], reason)

    def _was_owed(self, symbol: str) -> bool:
        """Return whether an acknowledgement of a symbol's ended subscription was waited for; it is not any more."""
        owed = self._owed.pop(symbol, 0)
        if owed > 1:
            self._owed[symbol] = owed - 1
        return owed > 0

    def _unanswered(self, request: int) -> tuple[str, ...]:
        """Return the symbols of a request that wait for an answer; 0: of the only one that does."""
        outstanding = set(self._asked.values())
        if not request and len(outstanding) == 1:
            (request,) = outstanding
        return tuple(symbol for symbol, asked in self._asked.items() if asked == request)

    def _is_refused(self, symbol: str, request: int) -> bool:
        if symbol not in self._wanted:
            return False
        asked = self._asked.get(symbol)
        return not request or asked == request or asked is None

    def _refuse(self, groups: Iterable[tuple[str, ...]], reason: str) -> Refusal:
        """Give up the symbols that were refused alone; ask for the others again, in smaller groups."""
        lost: list[str] = []
        again: list[str] = []
        frames: list[str] = []
        was_confirmed = False
        for group in groups:
            if len(group) < 2:
                lost += group
                continue
            was_confirmed = was_confirmed or not self._confirmed.isdisjoint(group)
            self._confirmed.difference_update(group)
            middle = len(group) // 2
            frames += self._subscribe(group[:middle]) + self._subscribe(group[middle:])
            again += group
        self._forget(lost)
        return Refusal(tuple(lost), reason, tuple(again), tuple(frames), was_confirmed)

    def _forget(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._wanted.pop(symbol, None)
            self._requests.pop(symbol, None)
            self._asked.pop(symbol, None)
            self._confirmed.discard(symbol)
            self._named.discard(symbol)

    def _subscribe(self, symbols: Sequence[str]) -> list[str]:
        frames: list[str] = []
        for part in self._messages(symbols):
            request = self.next_request()
            for symbol in part:
                self._asked[symbol] = self._requests[symbol] = request
                self._unended.pop(symbol, None)
            frames.append(self._venue.subscribe_frame(self._channel, part, request))
        if not self._venue.acknowledges:
            self._asked.clear()
            self._confirmed.update(symbols)
        return frames

    def _unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        frames: list[str] = []
        for part in self._messages(symbols):
            frame = self.conversation.unsubscribe_frame(self._channel, part, self.next_request())
            for symbol in part:
                self._unended.pop(symbol, None)
                if frame is None:
                    self._unended[symbol] = None
            if frame is not None:
                frames.append(frame)
        return frames

    def _messages(self, symbols: Sequence[str]) -> list[Sequence[str]]:
        """Return the symbols, so many at a time as one message may have."""
        size = self._venue.symbols_per_message
        return [tuple(symbols[start : start + size]) for start in range(0, len(symbols), size)]
