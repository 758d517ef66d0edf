"""What one line covers: since when each symbol's trades come without a hole, and on which span."""

from __future__ import annotations

from collections.abc import Iterable

from rxstreams._spans import is_settled, next_span, settle, unsettle
from rxstreams.instants import LATEST
from rxstreams.sources._subscriptions import Subscriptions


class LineCoverage:
    """The span and the sinces of one line. All times are the venue's, nanoseconds; never the local clock's.

    Args:
        subscriptions: the line's.
        disorder: nanoseconds that a trade may be stamped before one that was sent earlier.

    Attributes:
        span: number of the present uninterrupted run; 0: there is none.
        newest: the newest stamp seen; 0: none yet.
        since: symbol -> where its coverage begins.
        subscriptions: of the present connection.

    Memory: O(symbols).
    """

    def __init__(self, subscriptions: Subscriptions, disorder: int) -> None:
        self.span = 0
        self.newest = 0
        self._last = 0
        self.since: dict[str, int] = {}
        self.subscriptions = subscriptions
        self._disorder = disorder + 1  # a trade so far back may still have been missed
        # Acknowledged without a time: covered from the next stamp on this line plus the venue's disorder.
        self._unstamped: set[str] = set()
        self._acknowledged: dict[str, int] = {}
        self._skipped: set[str] = set()  # trades came before the acknowledgement and were not passed on
        self._has_stamp = False

    def begin(self, *, may_continue: bool) -> None:
        """Begin with a connection.

        Args:
            may_continue: whether all that the line covered before may still be recovered: then the old run may go on.
        """
        self.span = unsettle(self._last) if may_continue and self._last else next_span()
        self._last = self.span

    def end(self) -> None:
        """End with the connection: nothing is covered any more."""
        self.span = 0
        self.since.clear()
        self._unstamped.clear()
        self._acknowledged.clear()
        self._skipped.clear()
        self._has_stamp = False

    def acknowledge(self, symbol: str, time: int) -> None:
        """Cover a symbol from a time on; 0: from the next stamp on, and also where trades of it were skipped before."""
        if time and symbol not in self._skipped:
            # A trade of that very instant may have been published before the venue took the subscription.
            self.since[symbol] = time + 1
            self._acknowledged[symbol] = time
        else:
            self._unstamped.add(symbol)

    def acknowledged_at(self, symbol: str) -> int:
        """Return the venue's time of a symbol's acknowledgement on this connection; 0: not known."""
        return self._acknowledged.get(symbol, 0)

    def horizon(self, symbol: str) -> int:
        """Return the time after which all trades of a symbol come, or came, on this run itself.

        No trade is stamped after its publication, so what was published before an acknowledgement is stamped before it.
        """
        acknowledged = self._acknowledged.get(symbol)
        if acknowledged is not None:
            return max(self.newest, acknowledged)
        # A stamp that came before the symbol's own acknowledgement says nothing about it.
        return self.newest + self._disorder if self._has_stamp and symbol not in self._unstamped else LATEST

    def set_since(self, symbol: str, since: int) -> None:
        """Let a symbol's coverage begin elsewhere: it reaches further back, or trades are missing."""
        self._unstamped.discard(symbol)
        self.since[symbol] = since

    def uncover(self, symbols: Iterable[str]) -> None:
        """Forget symbols, and begin a new span so that no tick of this line closes their candles."""
        self.withdraw(symbols)
        self.break_off()

    def withdraw(self, symbols: Iterable[str]) -> None:
        """Forget symbols: they are covered when they are acknowledged, again or for the first time."""
        for symbol in symbols:
            self.since.pop(symbol, None)
            self._unstamped.discard(symbol)
            self._acknowledged.pop(symbol, None)
            self._skipped.discard(symbol)

    def break_off(self) -> None:
        """End the run: nothing that comes goes on with what was before."""
        self._last = 0
        if self.span:
            self.span = self._last = next_span()

    def lose(self) -> int:
        """Note that trades are missing for good; return the span of what follows."""
        if not self.span or not is_settled(self.span):
            self.break_off()
        return self.span or next_span()

    def unsettle(self) -> int:
        """Note that trades of a symbol may be missing on the living line; return the span from now on."""
        if self.span:
            self.span = self._last = unsettle(self.span)
        return self.span

    def settle(self) -> None:
        """Note that nothing is missing any more: the run goes on."""
        if self.span:
            self.span = self._last = settle(self.span)

    def doubt(self) -> dict[str, int]:
        """Begin all coverage anew after the next stamp, for trades may be missing; return the sinces until now."""
        before = self.since.copy()
        self._acknowledged.clear()  # what is missing may be stamped later than all that is known
        self._unstamped.update(before)
        self.since.clear()
        self.unsettle()
        return before

    def skip(self, symbol: str) -> int:
        """Begin a symbol's coverage anew after the next stamp, for trades of it were not passed on.

        Returns:
            Where it began until now, nanoseconds; 0: nowhere yet.
        """
        self._acknowledged.pop(symbol, None)  # they may be stamped later than all that is known
        since = self.since.pop(symbol, 0)
        if since:
            self._unstamped.add(symbol)
        elif not self.subscriptions.is_confirmed(symbol):
            self._skipped.add(symbol)
        return since

    def since_of(self, symbol: str, timestamp: int) -> int | None:
        """Take the next stamp; return where its symbol's coverage begins; None: the line is not for it (any more)."""
        self._has_stamp = True
        if timestamp > self.newest:
            self.newest = timestamp
        if self._unstamped:
            self.since.update(dict.fromkeys(self._unstamped, self.newest + self._disorder))
            self._unstamped.clear()
        since = self.since.get(symbol)
        if since is not None:
            return since
        if not self.subscriptions.wants(symbol):
            return None
        since = timestamp + self._disorder
        if self.subscriptions.is_confirmed(symbol):
            # The venue acknowledges nothing: the symbol's own first tick is the first that we know.
            self.since[symbol] = since
        return since

    def since_of_candle(self, symbol: str, open_time: int) -> int | None:
        """Take a venue's own candle; return as ``since_of``.

        Its state may be older than another symbol's next candle, which may have been missed: it witnesses for its own
        symbol only. Its own later candles were not begun before it was sent.
        """
        self.newest = max(self.newest, open_time)
        since = self.since.get(symbol)
        if since is None and self.subscriptions.wants(symbol):
            since = open_time + 1
            if symbol in self._unstamped or self.subscriptions.is_confirmed(symbol):
                self.set_since(symbol, since)
        return since
