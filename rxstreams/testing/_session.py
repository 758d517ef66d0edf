"""One WebSocket client of a ``FakeExchange``: what it asked for, what it is sent, and the faults that hit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from rxstreams.items import PriceTick
from rxstreams.testing._script import Script
from rxstreams.testing._wire import Wire, text_frame
from rxstreams.testing.faults import (
    AcceptThenDrop,
    CloseAfter,
    CutFrame,
    DropAfter,
    Duplicate,
    Garbage,
    HttpStatus,
    HugeFrame,
    NoAck,
    RefuseConnection,
    RefuseSymbols,
    Reorder,
    SlowAck,
    SlowHandshake,
    StallAfter,
    Swallow,
    TimedFault,
)
from rxstreams.testing.formats import Malformed, Ping, Subscribe
from rxstreams.testing.records import ConnectionRecord, ReceivedCommand

if TYPE_CHECKING:
    from rxstreams.testing._engine import Engine

Cut = Literal["drop", "close", "stall", "reset", "refuse", "slow", "shutdown"]
_HUGE = b'{"channel":"huge","data":"%b"}'
_Message = tuple[Sequence[PriceTick], bytes]


class Session:
    """A client; its methods run on the exchange's loop.

    Args:
        engine: the exchange.
        wire: the connection, just accepted.
        record: what will be remembered of it.
    """

    def __init__(self, engine: Engine, wire: Wire, record: ConnectionRecord) -> None:
        self.record = record
        self.wire = wire
        self._engine = engine
        self._script = Script(engine.faults, record.number)
        self._accepted_at = engine.clock.now()
        self._quiet = False
        self._sent = 0
        self._last: _Message | None = None
        self._hold_next: list[int] = []
        self._swallow_next = 0
        self._held: list[tuple[_Message, int]] = []
        self._cut_next: CutFrame | None = None
        self._written = False
        if self._script.first(RefuseConnection):
            self.drop(reset=True, cut_by="refuse")

    def on_request(self, request: Request) -> None:
        """Answer the upgrade, as the script says."""
        self.record.path = request.path
        self.record.headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.record.server_name = self.wire.server_name
        slow = self._script.first(SlowHandshake)
        if slow is None:
            self._answer_upgrade()
        else:
            self._engine.later(slow.seconds, self._answer_upgrade)

    def _answer_upgrade(self) -> None:
        engine = self._engine
        status = self._script.first(HttpStatus)
        if status is not None:
            retry_after = {} if status.retry_after is None else {"Retry-After": f"{status.retry_after}"}
            self.wire.respond(status.code, b"refused\n", retry_after)
        elif self.record.path.partition("?")[0] != (engine.format.path or "/"):
            self.wire.respond(404, b"no such path\n", {})
        elif self.wire.accept():
            self.record.upgraded = engine.monotonic()
            if self._script.first(AcceptThenDrop):
                self.drop(reset=False)
                return
            greeting = engine.format.greeting(self.record.number)
            if greeting is not None:
                self.send(greeting)

    def on_message(self, message: bytes) -> None:
        """Do what the client asks for."""
        engine = self._engine
        # What is stamped before the answer is published before it, so the answer's time can be relied on.
        engine.catch_up()
        now = engine.clock.now()
        command = engine.format.decode(message)
        self.record.commands.append(ReceivedCommand(command, engine.monotonic(), now, message))
        if isinstance(command, Ping):
            self.record.probes += 1
            self.send(engine.format.pong(command, now, now))
        elif isinstance(command, Malformed):
            answer = engine.format.complain(command, now, now)
            if answer is not None:
                self.send(answer)
        elif not self._quiet:
            self._on_subscribe(command, now)

    def _on_subscribe(self, command: Subscribe, time_in: int) -> None:
        slow, silent = self._script.first(SlowAck), self._script.first(NoAck)
        if not command.active:
            self._answer_subscribe(command, time_in)
        elif silent is not None:
            if silent.data:
                self._take_effect(command)
        elif slow is not None:
            if slow.data == "before":
                self._take_effect(command)
            self._engine.later(slow.seconds, self._answer_subscribe, command, time_in, slow.data == "after")
        else:
            self._answer_subscribe(command, time_in)

    def _answer_subscribe(self, command: Subscribe, time_in: int, effective: bool = True) -> None:
        engine = self._engine
        engine.catch_up()
        # By now a fault may have struck: while it was waited for, or by what was just published.
        if self._quiet or not self.wire.open:
            return
        now = engine.clock.now()
        accepted, refused = self._judge(command)
        answers: list[bytes] = []
        for reason, spellings in refused.items():
            answers += engine.format.refuse(command, spellings, reason, time_in, now)
        if accepted:
            first = 0 if accepted[0] == command.symbols[0] else len(answers)
            answers[first:first] = engine.format.acknowledge(command, accepted, time_in, now)
        for answer in answers:
            self.send(answer)
        if effective:
            self._take_effect(command)

    def _judge(self, command: Subscribe) -> tuple[list[str], dict[str | None, list[str]]]:
        """Return a request's symbols that are accepted, and by the reason those that are not, as they are spelt."""
        engine, fmt = self._engine, self._engine.format
        faults = self._script.all(RefuseSymbols) if command.active else ()
        reasons = {symbol: fault.reason for fault in faults for symbol in fault.symbols}
        accepted: list[str] = []
        refused: dict[str | None, list[str]] = {}
        for spelling in command.symbols:
            symbol = engine.lookup(spelling)
            if symbol is not None and symbol in reasons:
                refused.setdefault(reasons[symbol], []).append(spelling)
            elif symbol is None and not fmt.accepts_unknown:
                refused.setdefault(None, []).append(spelling)
            elif symbol is not None and not command.active and not engine.is_subscribed(self, command, symbol):
                refused.setdefault("Subscription Not Found", []).append(spelling)
            else:
                accepted.append(spelling)
        if refused and command.active and fmt.refuses_whole:
            bad = [spelling for spellings in refused.values() for spelling in spellings]
            return [], {next(iter(refused)): bad + accepted}
        return accepted, refused

    def _take_effect(self, command: Subscribe) -> None:
        if self._quiet or not self.wire.open:
            return
        known = [self._engine.lookup(spelling) for spelling in self._judge(command)[0]]
        symbols = [symbol for symbol in known if symbol is not None]
        if command.active:
            self._engine.subscribe(self, command, symbols)
        else:
            self._engine.unsubscribe(self, command, symbols)
        self.strike()

    def on_ping(self, answered: bool) -> None:
        """Count a ping."""
        self.record.pings += 1
        self.record.pongs += answered

    def on_close_frame(self, code: int, reason: str) -> None:
        """Note the client's goodbye."""
        self.record.close_code = code
        self.record.close_reason = reason
        self._detach()

    def on_lost(self) -> None:
        """Forget the client."""
        self.record.closed = self._engine.monotonic()
        self._engine.forget(self)

    def send(self, message: bytes) -> None:
        """Send a message of any kind."""
        self._write(text_frame(message))

    def send_heartbeat(self, frame: bytes) -> None:
        """Send a sign of life if nothing else was sent since the last call."""
        if not self._written and not self._quiet:
            self._write(frame)
        self._written = False

    def send_trades(self, ticks: Sequence[PriceTick], frame: bytes) -> None:
        """Send a message of trades, and whatever the script has for this moment."""
        self.strike()
        if self._quiet or not self.wire.open or self._cut(frame):
            return
        if self._swallow_next:
            self._swallow_next -= 1
            return
        if self._hold_next:
            self._held.append(((ticks, frame), self._hold_next.pop(0)))
            return
        self._write_trades((ticks, frame))
        waiting, self._held = self._held, []
        for message, overtaken_by in waiting:
            if overtaken_by <= 1:
                self._write_trades(message)
            else:
                self._held.append((message, overtaken_by - 1))
        self.strike()
        if self.wire.pending_bytes > self._engine.max_pending_bytes:
            self.record.cut_by = "slow"
            self._detach()
            self.wire.abort()

    def send_candles(self, message: bytes) -> None:
        """Send a message of candles; to the script it counts as a trade."""
        self.strike()
        frame = text_frame(message)
        if not self._quiet and not self._cut(frame) and self._write(frame):
            self._sent += 1
            self.strike()

    def _cut(self, frame: bytes) -> bool:
        """Cut the connection within a frame, if the script wants it."""
        if self._cut_next is None:
            return False
        self.wire.send(frame[: len(frame) // 2])
        self.drop(reset=self._cut_next.reset)
        return True

    def send_held(self) -> None:
        """Send what ``Reorder`` holds back: nothing comes any more that could overtake it."""
        waiting, self._held = self._held, []
        if not self._quiet:
            for message, _ in waiting:
                self._write_trades(message)

    def _write_trades(self, message: _Message, *, copy: bool = False) -> None:
        ticks, frame = message
        if not self._write(frame):
            return
        self.record.sent.extend(ticks)
        self._engine.trim(self.record.sent)
        if not copy:
            self._sent += len(ticks)
            self._last = message

    def _write(self, frame: bytes) -> bool:
        if not self.wire.send(frame):
            return False
        self.record.messages += 1
        self._written = True
        return True

    async def drain(self) -> None:
        """Wait until the client has read most of what it was sent; not for one that is not sent anything."""
        if not self._quiet:
            await self.wire.drain()

    def drop(self, *, reset: bool, cut_by: Cut = "drop") -> None:
        """Cut the connection."""
        self._end(cut_by)
        self.wire.drop(reset=reset)

    def close(self, code: int, reason: str) -> None:
        """Close with a close frame."""
        self._end("close")
        self.wire.close(code, reason)

    def stall(self, *, probes: bool = False) -> None:
        """Fall silent, for good."""
        self.record.cut_by = "stall"
        self._quiet = True
        self._engine.detach(self)
        if not probes:
            self.wire.mute()

    def _end(self, cut_by: Cut) -> None:
        self.record.cut_by = cut_by
        self._quiet = True
        self._detach()

    def _detach(self) -> None:
        self._engine.detach(self)
        self.record.symbols.clear()

    def strike(self) -> None:
        """Let the timed faults strike that are due."""
        engine = self._engine
        while self._sent >= self._script.due_from and not self._quiet and self.wire.open:
            fault = self._script.take_due(
                sent=self._sent,
                subscribed=bool(self.record.symbols),
                wall=engine.monotonic() - self.record.accepted,
                exchange=engine.clock.now() - self._accepted_at,
            )
            if fault is None:
                return
            self._inflict(fault)

    def _inflict(self, fault: TimedFault) -> None:
        if isinstance(fault, DropAfter):
            self.drop(reset=fault.reset)
        elif isinstance(fault, CutFrame):
            self._cut_next = fault
        elif isinstance(fault, CloseAfter):
            self.close(fault.code, fault.reason)
        elif isinstance(fault, StallAfter):
            self.stall(probes=fault.probes)
        elif isinstance(fault, Garbage):
            payload = fault.payload
            opcode = Opcode.TEXT if isinstance(payload, str) else Opcode.BINARY
            data = payload.encode() if isinstance(payload, str) else payload
            self._write(Frame(opcode, data).serialize(mask=False))
        elif isinstance(fault, HugeFrame):
            self.send(_HUGE % (b"x" * max(0, fault.size_bytes - len(_HUGE) + len(b"%b"))))
        elif isinstance(fault, Duplicate) and self._last is not None:
            for _ in range(fault.copies):
                self._write_trades(self._last, copy=True)
        elif isinstance(fault, Reorder):
            self._hold_next.append(fault.overtaken_by)
        elif isinstance(fault, Swallow):
            self._swallow_next += fault.messages
