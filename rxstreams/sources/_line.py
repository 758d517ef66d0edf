"""One line: one socket with its symbols, over all its connections. Parses, and stamps what is covered since when."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from msgspec.structs import force_setattr
from reactivex.disposable import SerialDisposable

from rxstreams.errors import MessageError, SubscriptionError
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import RetryInfo, retry_with_backoff
from rxstreams.recovery.fetch_turns import FetchTurns
from rxstreams.recovery.owner import Fetch
from rxstreams.sources._bad_frames import BadFrames
from rxstreams.sources._candle_recovery import FetchCandles
from rxstreams.sources._connection import Connection, ConnectionContext
from rxstreams.sources._fetching import recovery_plan
from rxstreams.sources._handover import Handover, Succession
from rxstreams.sources._line_candles import LineCandles
from rxstreams.sources._line_coverage import LineCoverage
from rxstreams.sources._line_doubts import LineDoubts
from rxstreams.sources._line_owner import LineOwner
from rxstreams.sources._line_report import LineReport
from rxstreams.sources._line_trades import LineTrades
from rxstreams.sources._meter import Meter
from rxstreams.sources._native_candles import native_candles
from rxstreams.sources._subscriptions import Refusal, Subscriptions
from rxstreams.sources.venue import Acknowledged, Channel, Goodbye, Heartbeat, Message, Rejected, Skipped, Unknown
from rxstreams.states import StreamState

logger = logging.getLogger("rxstreams")

_AHEAD_LIMIT = 60 * SECOND


class Line:
    """One socket and its symbols. Everything happens on the loop's thread.

    Attributes:
        number: from 0.
        report: tells what happens to it.
        subscriptions: its symbols.

    Memory: O(symbols), and what is held while a gap is being recovered.
    """

    def __init__(
        self,
        number: int,
        channel: Channel,
        symbols: Iterable[str],
        context: ConnectionContext,
        owner: LineOwner,
        meter: Meter,
        *,
        fetch: Fetch | None = None,
        fetch_candles: FetchCandles | None = None,
        turns: FetchTurns | None = None,
        begun: set[str] | None = None,
    ) -> None:
        self.number = number
        self.report = LineReport(owner, number)
        self.subscriptions = Subscriptions(context.venue, channel, symbols)
        self._context = context
        self._owner = owner
        self._on_item = owner.on_item
        self._meter = meter
        self._parse = self.subscriptions.conversation.parse
        disorder = int(context.venue.disorder * SECOND)
        self._coverage = LineCoverage(self.subscriptions, disorder)
        plan = recovery_plan(context.config, context.venue)
        scheduler, turns = context.scheduler, turns or FetchTurns()
        self._trades = LineTrades(
            self._coverage,
            owner.on_item,
            self.report,
            meter,
            fetch=fetch,
            plan=plan,
            scheduler=scheduler,
            turns=turns,
            history=channel.running,
            begun=begun,
            ordered=context.venue.ordered,
        )
        candles = native_candles(
            channel, context.venue, self._publish, self.report, fetch_candles, plan, scheduler, turns
        )
        self._candles = None if candles is None else LineCandles(candles, self._coverage)
        self._holder = self._candles or self._trades
        self._doubts = LineDoubts(self._coverage, self._holder, self.report, meter)
        self._succession = Succession(self, context, disorder, lambda: self.subscriptions.for_next_connection())
        self._connection: Connection | None = None
        self._subscription = SerialDisposable()
        self._bad_frames = BadFrames(f"{context.venue.name} line {number}", context.config.max_bad_share)
        self._ended = False

    @property
    def state(self) -> StreamState:
        """Where its connection is."""
        return self.report.state

    @property
    def newest(self) -> int:
        """The newest stamp seen on it, nanoseconds; 0: none yet."""
        return self._coverage.newest

    @property
    def newest_sent(self) -> int:
        """The newest stamp that observers have seen or will see before anything newer; 0: none yet."""
        return max(self._coverage.newest, self._trades.newest_sent)

    # Life

    def start(self) -> None:
        """Connect, and come back whenever the connection is lost."""
        context = self._context
        frames = context.connect(context, self).pipe(
            retry_with_backoff(context.config.policy, on_retry=self.on_retry, scheduler=context.scheduler)
        )
        self._subscription.disposable = frames.subscribe(
            on_next=self.on_frame, on_error=self.on_end, on_completed=self._on_completed
        )

    async def finish(self) -> None:
        """End gracefully: say goodbye, take what still arrives, then report the end."""
        self._succession.stop()
        connection = self._connection
        if connection is None:
            self.on_end(None)
        else:
            await connection.finish()

    def dispose(self) -> None:
        """End at once and report nothing."""
        self._ended = True
        self._succession.stop()
        self._meter.closed(self.number)
        self._subscription.dispose()
        self._holder.dispose()
        self._coverage.end()

    def add(self, symbols: Iterable[str]) -> None:
        """Subscribe to more symbols."""
        self._succession.cancel()
        self._send(self.subscriptions.add(symbols))

    def remove(self, symbols: Iterable[str]) -> None:
        """End the subscription to symbols: from now on nothing of this line may close their candles."""
        names = tuple(symbols)
        if not names:
            return
        self._send(self.subscriptions.remove(names))
        self._uncover(names)

    def refuse(self, symbols: tuple[str, ...], reason: str) -> None:
        """Do as if the venue had refused symbols."""
        self._on_rejected(Rejected(symbols=symbols, reason=reason))

    # What a hand-over asks and calls

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing at the moment."""
        return self._connection is not None and not self._trades.has_gaps

    def has_delivered(self, tick: PriceTick) -> bool:
        """Return whether a trade came on the present connection."""
        return self._trades.knows(tick)

    def take_over(self, handover: Handover) -> None:
        """Go on with the next connection: the present one is closed, and what both brought goes out once."""
        self._connection = handover.connection
        self.subscriptions = self._coverage.subscriptions = handover.subscriptions
        self._parse = self.subscriptions.conversation.parse
        self._meter.opened(self.number)
        self._subscription.disposable = handover.subscription
        self._succession.arm()
        held, handover.held = handover.held, []
        for tick in self._trades.join(held, handover.since):
            if self._ended:  # by an observer
                return
            try:
                self._on_tick(tick, time.time_ns())
            except MessageError as error:
                self._on_bad_frame(error)
        if handover.state in (StreamState.STREAMING, StreamState.STALE):  # else it tells when it gets so far
            self.on_state(handover.state)

    # What the connection calls

    def on_state(self, state: StreamState) -> None:
        """Note where the connection is."""
        if not self._ended:
            self.report.enter(state)

    def on_open(self, connection: Connection) -> list[str]:
        """Begin a new span; return the frames that subscribe."""
        self._connection = connection
        self._coverage.begin(may_continue=self._trades.may_continue)
        self._meter.opened(self.number)
        if self._candles is None:  # nothing proves of candles that two connections overlap
            self._succession.arm()
        frames = self.subscriptions.open()
        self._parse = self.subscriptions.conversation.parse
        self._holder.resume(self.subscriptions.confirmed)  # of a venue that acknowledges nothing
        return frames

    def pending(self) -> tuple[str, ...]:
        """Return the symbols that are not acknowledged yet."""
        return self.subscriptions.pending

    def next_request(self) -> int:
        """Return a request number."""
        return self.subscriptions.next_request()

    def on_retry(self, info: RetryInfo) -> None:
        """The connection was lost; another follows."""
        error = info.error
        was_open = self._connection is not None
        self._disconnected()
        if self._ended:  # by an observer that was sent what was held
            return
        self._meter.lost(type(error).__name__)
        if was_open:
            self.report("loss", symbols=self.subscriptions.wanted, reason=str(error), error=error)
        logger.warning(
            "%s line %d: %s; attempt %d in %.1f s",
            self._context.venue.name,
            self.number,
            error,
            info.attempt,
            info.wait,
        )
        self.on_state(StreamState.BACKING_OFF)
        if self._context.config.proxy is None:  # a proxy resolves the name itself
            self._context.resolver.prefetch_url(self._context.url)

    def _on_completed(self) -> None:
        self.on_end(None)

    def on_end(self, error: Exception | None) -> None:
        """The last connection has ended."""
        if self._ended:
            return
        self._holder.flush()
        self._disconnected()
        self._holder.dispose()
        self.on_state(StreamState.STOPPED if error is None else StreamState.FAILED)
        self._ended = True
        self._subscription.dispose()
        self._owner.on_line_end(self, error)

    def _disconnected(self) -> None:
        self._connection = None
        self._succession.stop()
        self._holder.lose(self._coverage.since)
        self._coverage.end()
        self._bad_frames.clear()
        self._meter.closed(self.number)

    # Frames

    def on_frame(self, frame: bytes) -> None:
        """Take what a connection has received."""
        meter = self._meter
        meter.messages += 1
        meter.bytes += len(frame)
        received = meter.last_received = time.time_ns()
        self._bad_frames.frames += 1
        try:
            for message in self._parse(frame):
                if self._ended:  # an observer has ended it in the middle of the frame
                    return
                if isinstance(message, PriceTick):
                    self._on_tick(message, received)
                else:
                    self._on_other(message, received)
        except MessageError as error:
            self._on_bad_frame(error)
        except Exception as error:
            bad = MessageError(f"{self._context.venue.name}.parse raised {error!r}", payload=frame)
            bad.__cause__ = error
            self._on_bad_frame(bad)

    def _on_tick(self, tick: PriceTick, received: int) -> None:
        timestamp = tick.timestamp
        if timestamp - received > _AHEAD_LIMIT:
            raise MessageError(f"a trade stamped {tick.time:%Y-%m-%dT%H:%M:%SZ} is over 60 s ahead of its receipt")
        since = self._coverage.since_of(tick.symbol, timestamp)
        if since is None:
            return
        force_setattr(tick, "received", received)
        force_setattr(tick, "span", self._coverage.span)
        force_setattr(tick, "since", since)
        self._meter.lag(received - timestamp)
        self._trades.add(tick)

    def _on_other(self, message: Message, received: int) -> None:
        if isinstance(message, OHLCCandle):
            self._on_candle(message, received)
        elif isinstance(message, Acknowledged):
            self._on_acknowledged(message)
        elif isinstance(message, Rejected):
            self._on_rejected(message)
        elif isinstance(message, Goodbye):
            self._on_goodbye(message)
        elif isinstance(message, Unknown):
            self._meter.unknown_messages += 1
            if self._connection is not None:
                self._connection.note_words(message)
        elif isinstance(message, Skipped):
            self._doubts.skip(message)
        elif not isinstance(message, Heartbeat):
            raise MessageError(f"{self._context.venue.name}.parse gave {message!r}, which is no message of a venue")

    def _on_acknowledged(self, message: Acknowledged) -> None:
        for symbol in self.subscriptions.acknowledge(message):
            self._coverage.acknowledge(symbol, message.time)
            self._holder.resume((symbol,))
        self._send(self.subscriptions.remove_late())
        self._on_refusal(self.subscriptions.resolve())
        self._check_streaming()

    def _check_streaming(self) -> None:
        if self._connection is not None:
            self._connection.check_streaming()

    def _on_rejected(self, message: Rejected) -> None:
        self._on_refusal(self.subscriptions.reject(message))
        self._check_streaming()

    def _on_refusal(self, refusal: Refusal) -> None:
        if refusal.again:
            self._succession.cancel()
            if refusal.was_confirmed:
                self._doubts.doubt_all(withdrawn=refusal.again)
            self._send(refusal.frames)
        refused = refusal.symbols
        if not refused:
            return
        self._uncover(refused)
        error = SubscriptionError(refused, refusal.reason)
        self.report("refused", symbols=refused, reason=refusal.reason, error=error)
        logger.warning("%s line %d: %s", self._context.venue.name, self.number, error)
        if not self.subscriptions.wanted:
            self.on_end(error)

    def _on_goodbye(self, message: Goodbye) -> None:
        logger.info("%s line %d will be closed: %s", self._context.venue.name, self.number, message.reason)
        self._succession.hasten()

    def _on_candle(self, candle: OHLCCandle, received: int) -> None:
        assert self._candles is not None  # a venue sends candles only where candles are subscribed to
        if candle.open_time - received > _AHEAD_LIMIT:
            raise MessageError(f"a candle of {candle.time:%Y-%m-%dT%H:%M:%SZ} is over 60 s ahead of its receipt")
        self._candles.add(candle)

    def _publish(self, candle: OHLCCandle) -> None:
        self._meter.ticks += 1
        self._on_item(candle)

    def _uncover(self, symbols: tuple[str, ...]) -> None:
        self._succession.cancel()
        self._coverage.uncover(symbols)
        self._holder.forget(symbols)

    def _on_bad_frame(self, error: MessageError) -> None:
        if self._ended:
            return
        self._meter.parse_errors += 1
        self.report("bad_message", reason=str(error), error=error)
        self._doubts.doubt_all()  # a trade of any of its symbols may have been in it
        self._bad_frames.add(error)
        if self._bad_frames.are_too_many and self._connection is not None:
            self._connection.fail(error)

    def _send(self, frames: Iterable[str]) -> None:
        if self._connection is not None and frames:
            self._connection.send(list(frames))
