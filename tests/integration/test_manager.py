"""``WebSocketManager`` on real sockets: its life, its symbols, its socket, its callbacks."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from manager_server import (
    LOGIN,
    SOON,
    Exchange,
    PlainServer,
    plain_server,
    state,
    subscribed,
    trade,
    unsubscribed,
    until,
)
from reactivex import Observable
from reactivex.internal import DisposedException

from rxstreams import (
    BackoffPolicy,
    EventLoopThreadScheduler,
    OHLCBuffer,
    PriceTick,
    StreamConfig,
    StreamError,
    Venue,
    WebSocketManager,
    errors,
)
from rxstreams.instants import SECOND
from rxstreams.testing import fast_config


@pytest.fixture
def server() -> Iterator[PlainServer]:
    """A server that does as it is told."""
    with plain_server() as server:
        yield server


def closed_port() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"ws://127.0.0.1:{listener.getsockname()[1]}"


# Life


def test_start_when_awaited_then_the_connection_is_up_and_on_connect_has_run(server: PlainServer) -> None:
    """What follows ``await start()`` can rely on the connection; stop says goodbye with 1000."""

    async def main() -> None:
        manager = Exchange(server.url)
        assert (state(manager), manager.is_connected, manager.symbols) == ("disconnected", False, ())
        await manager.start()
        assert manager.is_connected
        assert state(manager) == "streaming"
        server.expect(LOGIN)
        server.send(trade(1.0))
        await until(lambda: manager.prices == [1.0])
        await manager.stop()
        assert (state(manager), manager.is_connected, manager.error) == ("stopped", False, None)
        assert manager.stats.connects == 1
        await until(lambda: server.codes == [1000])

    asyncio.run(main())


def test_start_when_called_twice_then_there_is_one_connection(server: PlainServer) -> None:
    """It is idempotent, also for two tasks at the same time."""

    async def main() -> None:
        manager = Exchange(server.url)
        await asyncio.gather(manager.start(), manager.start())
        await manager.start()
        server.send(trade(1.0))
        await until(lambda: manager.prices)
        assert manager.prices == [1.0]
        assert server.connections == 1
        await manager.stop()

    asyncio.run(main())


def test_stop_when_called_before_start_and_twice_then_nothing_happens(server: PlainServer) -> None:
    """It is idempotent, also for two tasks at the same time."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.stop()
        assert state(manager) == "disconnected"
        await manager.start()
        await asyncio.gather(manager.stop(), manager.stop())
        await manager.stop()
        assert state(manager) == "stopped"
        await until(lambda: server.codes)
        assert server.connections == 1

    asyncio.run(main())


def test_start_when_called_after_stop_then_everything_begins_anew(server: PlainServer) -> None:
    """Callbacks and symbols are kept, also over two event loops."""
    manager = Exchange(server.url)

    async def once(number: int) -> None:
        await manager.start()
        server.expect(LOGIN, connection=number)
        await manager.subscribe(["BTC/USD"])
        server.expect(subscribed("BTC/USD"), connection=number)
        server.send(trade(float(number)))
        await until(lambda: manager.prices[-1:] == [float(number)])
        await manager.stop()

    asyncio.run(once(1))

    async def again() -> None:
        await manager.start()
        server.expect(LOGIN, subscribed("BTC/USD"), connection=2)
        server.send(trade(2.0))
        await until(lambda: manager.prices == [1.0, 2.0])
        await manager.stop()

    asyncio.run(again())


def test_start_when_called_while_it_stops_then_it_waits_and_begins_anew(server: PlainServer) -> None:
    """A restart needs no pause between the two."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        stopping = asyncio.create_task(manager.stop())
        await asyncio.sleep(0)
        await manager.start()
        assert manager.is_connected
        await stopping
        assert manager.is_connected
        await until(lambda: server.connections == 2)
        await manager.stop()

    asyncio.run(main())


def test_start_when_nobody_listens_then_it_returns_and_goes_on_trying() -> None:
    """A server that is down for a moment is nothing to fail for; stop ends the waiting at once."""

    async def main() -> None:
        manager = Exchange(closed_port(), backoff=BackoffPolicy(initial=100.0, maximum=100.0, jitter="none"))
        await manager.start()
        assert state(manager) == "backing_off"
        assert manager.error is None
        await asyncio.wait_for(manager.stop(), SOON)
        assert state(manager) == "stopped"

    asyncio.run(main())


def test_start_when_the_server_comes_up_later_then_the_connection_is_made(server: PlainServer) -> None:
    """The first attempt is not the last one."""

    async def main() -> None:
        server.status = HTTPStatus.INTERNAL_SERVER_ERROR
        manager = Exchange(server.url)
        await manager.start()
        assert not manager.is_connected
        server.status = None
        await until(lambda: manager.is_connected)
        await manager.stop()

    asyncio.run(main())


def test_start_when_it_is_refused_for_good_then_it_raises_and_may_be_called_again(server: PlainServer) -> None:
    """What can't be mended by trying again is said at once."""

    async def main() -> None:
        server.status = HTTPStatus.NOT_FOUND
        manager = Exchange(server.url)
        with pytest.raises(errors.Refused) as raised:
            await manager.start()
        assert state(manager) == "failed"
        error = manager.error
        assert error is raised.value
        server.status = None
        await manager.start()
        assert manager.is_connected
        assert manager.error is None
        await manager.stop()

    asyncio.run(main())


def test_reconnect_attempts_when_used_up_then_the_feed_fails_and_it_is_logged(
    server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The options of StreamConfig are those of every feed; an end that nobody waits for is logged."""

    async def main() -> None:
        manager = Exchange(server.url, reconnect_attempts=1)
        await manager.start()
        server.status = HTTPStatus.INTERNAL_SERVER_ERROR
        server.drop()
        await until(lambda: state(manager) == "failed")
        assert isinstance(manager.error, errors.ServerRejected)
        await until(lambda: any(record.levelno == logging.ERROR for record in caplog.records))
        (logged,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "nobody handles it" in logged.getMessage()

    asyncio.run(main())


def test_start_when_cancelled_then_the_manager_still_works(server: PlainServer) -> None:
    """Who no longer wants to wait takes nothing from the others."""

    async def main() -> None:
        manager = Exchange(server.url)
        starting = asyncio.create_task(manager.start())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await manager.start()
        assert manager.is_connected
        await manager.stop()

    asyncio.run(main())


def test_stop_when_called_from_another_loop_then_it_ends(server: PlainServer) -> None:
    """A manager belongs to no event loop of the user's."""
    manager = Exchange(server.url)
    asyncio.run(manager.start())
    assert manager.is_connected
    asyncio.run(manager.stop())
    assert state(manager) == "stopped"


def test_manager_when_its_hook_hangs_then_the_users_loop_is_never_blocked(server: PlainServer) -> None:
    """While stop waits in vain, other tasks of the loop run; in the end the connection is cut off."""
    hanging = threading.Event()

    class Hanging(Exchange):
        async def _parse_message(self, data: Any) -> None:
            hanging.set()
            await asyncio.Event().wait()

    async def main() -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        counting = asyncio.create_task(count())
        manager = Hanging(server.url, connect_timeout=SOON)
        await manager.start()
        server.send(trade(1.0))
        await until(hanging.is_set)
        before = turns
        await manager.stop(timeout=timedelta(seconds=0.5))
        assert turns - before > 5
        assert state(manager) == "stopped"
        counting.cancel()

    asyncio.run(main())


def test_stop_when_its_timeout_is_wrong_then_nothing_is_stopped(server: PlainServer) -> None:
    """The manager goes on, and start does not wait for an end that never comes."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        with pytest.raises(ValueError, match="timeout"):
            await manager.stop(timeout=-1.0)
        await asyncio.wait_for(manager.start(), SOON)
        assert manager.is_connected
        await manager.stop()

    asyncio.run(main())


def test_manager_when_its_scheduler_is_disposed_then_it_says_so(server: PlainServer) -> None:
    """A loop of one's own may be given; when it ends, the manager ends with it."""
    scheduler = EventLoopThreadScheduler("test-manager-own")

    class OnItsOwn(Exchange):
        def __init__(self, url: str) -> None:
            WebSocketManager.__init__(self, StreamConfig(**fast_config(url=url)), scheduler=scheduler)

    async def main() -> None:
        manager = OnItsOwn(server.url)
        assert manager.name == "OnItsOwn"
        await manager.start()
        await asyncio.to_thread(scheduler.dispose)
        await until(lambda: state(manager) == "stopped")
        await manager.stop()
        with pytest.raises(DisposedException):
            await manager.start()
        with pytest.raises(DisposedException):
            await manager.subscribe(["BTC/USD"])

    asyncio.run(main())


def test_managers_when_there_are_two_then_each_has_its_own_connection_and_ticks(server: PlainServer) -> None:
    """Two of the same name share a thread and nothing else."""

    async def main() -> None:
        with plain_server() as other:
            one, two = Exchange(server.url), Exchange(other.url)
            await asyncio.gather(one.start(), two.start())
            await one.subscribe(["BTC/USD"])
            await two.subscribe(["ETH/USD"])
            server.expect(LOGIN, subscribed("BTC/USD"))
            other.expect(LOGIN, subscribed("ETH/USD"))
            server.send(trade(1.0))
            other.send(trade(2.0))
            await until(lambda: one.prices and two.prices)
            await one.stop()
            other.send(trade(3.0))
            await until(lambda: two.prices == [2.0, 3.0])
            assert one.prices == [1.0]
            await two.stop()

    asyncio.run(main())


# Symbols


def test_subscribe_when_called_before_start_then_it_is_remembered(server: PlainServer) -> None:
    """All that is wanted is asked for in one call, after ``_on_connect``."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.subscribe(["BTC/USD"])
        await manager.subscribe(symbol for symbol in ("ETH/USD", "BTC/USD"))
        assert manager.symbols == ("BTC/USD", "ETH/USD")
        await manager.start()
        server.expect(LOGIN, subscribed("BTC/USD", "ETH/USD"))
        await manager.stop()

    asyncio.run(main())


def test_subscribe_when_awaited_while_connected_then_the_message_has_been_sent(server: PlainServer) -> None:
    """What is sent next comes after it; what is wanted already is not asked for again."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.subscribe(["any spelling: it's yours"])
        await manager.ws.send("after")
        await manager.subscribe(["any spelling: it's yours"])
        await manager.ws.send("end")
        server.expect(LOGIN, subscribed("any spelling: it's yours"), "after", "end")
        await manager.stop()

    asyncio.run(main())


def test_connection_when_it_drops_then_all_symbols_are_asked_for_again(server: PlainServer) -> None:
    """Those that were unsubscribed are not; ticks go on, on a span of their own."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.subscribe(["A", "B", "C"])
        await manager.unsubscribe(["B", "nobody's"])
        server.expect(LOGIN, subscribed("A", "B", "C"), unsubscribed("B"))
        server.send(trade(1.0, "A"))
        await until(lambda: manager.prices == [1.0])
        server.drop()
        await until(lambda: server.connections == 2 and manager.is_connected)
        server.expect(LOGIN, subscribed("A", "C"), connection=2)
        server.send(trade(2.0, "A"))
        await until(lambda: manager.prices == [1.0, 2.0])
        before, after = manager.seen
        assert before.span != after.span
        assert after.since > after.timestamp
        assert dict(manager.stats.reconnects) == {"ConnectionLost": 1}
        await manager.stop()

    asyncio.run(main())


def test_unsubscribe_when_done_then_what_still_arrives_is_dropped_until_subscribed_again(server: PlainServer) -> None:
    """Whatever is on its way is not wanted any more; the coverage then begins anew."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.subscribe(["A", "B"])
        server.send(trade(1.0, "A"), trade(2.0, "B"))
        await until(lambda: manager.prices == [1.0, 2.0])
        await manager.unsubscribe(["A"])
        server.send(trade(3.0, "A"), trade(4.0, "B"))
        await until(lambda: manager.prices == [1.0, 2.0, 4.0])
        await manager.subscribe(["A"])
        server.send(trade(5.0, "A"))
        await until(lambda: manager.prices == [1.0, 2.0, 4.0, 5.0])
        first, second, third, fourth = manager.seen
        assert third.span != second.span  # no tick may close the candles of what is not covered
        assert third.since == second.since
        assert fourth.since > first.since
        await manager.stop()

    asyncio.run(main())


def test_unsubscribe_when_ticks_have_other_names_then_the_coverage_of_all_begins_anew(server: PlainServer) -> None:
    """Nobody can say whose ticks are missing between the two; a candle that may lack one must not be complete."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.subscribe(["btcusd@trade", "ethusd@trade"])
        server.send(trade(1.0, "BTC/USD"))
        await until(lambda: len(manager.seen) == 1)
        await manager.unsubscribe(["btcusd@trade"])
        server.send(trade(2.0, "BTC/USD"))  # on its way already
        await until(lambda: len(manager.seen) == 2)
        await manager.subscribe(["btcusd@trade"])
        server.send(trade(3.0, "BTC/USD"), trade(4.0, "BTC/USD"))
        await until(lambda: len(manager.seen) == 4)
        first, second, third, fourth = manager.seen
        assert first.since < second.since < third.since == fourth.since
        assert len({first.span, second.span, third.span}) == 3
        await manager.stop()

    asyncio.run(main())


def test_subscribe_when_a_tick_has_come_before_then_the_coverage_begins_after_it(server: PlainServer) -> None:
    """A price that the server has sent unasked says nothing of what came between; other symbols are not touched."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.subscribe(["B"])
        await manager.start()
        server.send(trade(1.0, "A"), trade(2.0, "B"))
        await until(lambda: len(manager.seen) == 2)
        await manager.subscribe(["A"])
        server.send(trade(3.0, "A"), trade(4.0, "B"))
        await until(lambda: len(manager.seen) == 4)
        unasked, before, asked, after = manager.seen
        assert asked.since > asked.timestamp > unasked.since - 2 * SECOND
        assert before.since == after.since
        await manager.stop()

    asyncio.run(main())


def test_connection_when_prices_come_before_symbols_are_asked_for_then_they_cover_nothing(server: PlainServer) -> None:
    """While ``_on_connect`` takes its time, no trade of what is asked for afterwards is seen."""

    class Greeted(Exchange):
        async def _on_connect(self) -> None:
            await super()._on_connect()
            while not self.seen:
                await asyncio.sleep(0.001)

    async def main() -> None:
        manager = Greeted(server.url)
        await manager.subscribe(["A"])
        starting = asyncio.create_task(manager.start())
        await asyncio.to_thread(server.expect, LOGIN)
        await asyncio.to_thread(server.send, trade(1.0, "A"))
        await starting
        server.send(trade(2.0, "A"))
        await until(lambda: len(manager.seen) == 2)
        greeting, first = manager.seen
        assert first.since > first.timestamp > greeting.timestamp
        assert first.since > greeting.since
        await manager.stop()

    asyncio.run(main())


def test_unsubscribe_when_ticks_still_arrive_then_their_coverage_ends_a_little_later(
    server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks of other names that were on their way must not stand for what no longer comes."""
    monkeypatch.setattr(Venue, "disorder", 0.1)

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.subscribe(["a@trade", "b@trade"])
        await manager.unsubscribe(["a@trade"])
        server.send(trade(1.0, "A"))
        await until(lambda: len(manager.seen) == 1)
        await asyncio.sleep(0.2)
        server.send(trade(2.0, "B"))
        await until(lambda: len(manager.seen) == 2)
        late, other = manager.seen
        assert other.span != late.span
        await manager.stop()

    asyncio.run(main())


def test_subscribe_when_called_in_on_connect_then_it_does_not_wait_for_itself(server: PlainServer) -> None:
    """In a method of the subclass it only notes what is wanted."""

    class Eager(Exchange):
        async def _on_connect(self) -> None:
            await self.subscribe(["BTC/USD"])
            await self.start()
            await self.ws.send("login")

    async def main() -> None:
        manager = Eager(server.url)
        await asyncio.wait_for(manager.start(), SOON)
        server.expect("login", subscribed("BTC/USD"))
        await manager.stop()

    asyncio.run(main())


def test_subscribe_when_the_connection_is_lost_meanwhile_then_it_returns_and_is_remembered(server: PlainServer) -> None:
    """It does not wait for a connection that is gone; the next one asks for it."""

    class Slow(Exchange):
        async def _send_subscribe(self, symbols: list[str]) -> None:
            await super()._send_subscribe(symbols)
            if server.connections == 1:
                await asyncio.Event().wait()

    async def main() -> None:
        manager = Slow(server.url)
        await manager.start()
        subscribing = asyncio.create_task(manager.subscribe(["A"]))
        server.expect(LOGIN)
        await asyncio.to_thread(server.expect, subscribed("A"))
        server.drop()
        await asyncio.wait_for(subscribing, SOON)
        await asyncio.to_thread(server.expect, LOGIN, subscribed("A"), connection=2)
        await manager.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("symbols", "message"), [("BTC/USD", r"write \['BTC/USD'\]"), ([1], "must be a string, got 1")]
)
def test_subscribe_when_given_something_else_than_a_list_of_strings_then_it_raises(
    server: PlainServer, symbols: Any, message: str
) -> None:
    """A single string would be taken for its letters."""
    manager = Exchange(server.url)
    for change in (manager.subscribe, manager.unsubscribe):
        with pytest.raises(TypeError, match=message):
            asyncio.run(change(symbols))
    assert manager.symbols == ()


# The socket


def test_ws_when_used_before_start_then_the_error_says_what_to_do(server: PlainServer) -> None:
    """Sending needs a connection; closing what is not there does nothing."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.ws.close()
        with pytest.raises(StreamError, match=r"test-manager is not connected \(it is disconnected\).*start\(\) first"):
            await manager.ws.send("hello")
        await manager.start()
        await manager.stop()
        with pytest.raises(StreamError, match="it is stopped"):
            await manager.ws.send("hello")

    asyncio.run(main())


def test_ws_send_when_called_from_other_loops_then_it_works(server: PlainServer) -> None:
    """Text and bytes, from any event loop of any thread."""
    manager = Exchange(server.url)
    asyncio.run(manager.start())
    server.expect(LOGIN)
    asyncio.run(manager.ws.send("text"))
    asyncio.run(manager.ws.send(b"bytes"))
    server.expect("text", b"bytes")
    asyncio.run(manager.stop())


def test_ws_close_when_called_then_the_manager_connects_anew(server: PlainServer) -> None:
    """It ends the connection, not the manager."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        await manager.ws.close()
        await until(lambda: server.connections == 2 and manager.is_connected)
        assert server.codes[0] == 1000
        assert dict(manager.stats.reconnects) == {"CleanClose": 1}
        await manager.stop()

    asyncio.run(main())


# Callbacks and the Observable


def test_on_tick_when_a_callback_raises_then_only_that_one_ends(
    server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its bug is logged, and costs neither the connection nor the others' ticks."""

    async def main() -> None:
        manager = Exchange(server.url)
        calls: list[float] = []

        @manager.on_tick
        def broken(tick: PriceTick) -> None:
            calls.append(tick.price)
            raise ValueError("a bug")

        await manager.start()
        server.send(trade(1.0), trade(2.0))
        await until(lambda: manager.prices == [1.0, 2.0])
        assert calls == [1.0]
        assert manager.stats.observer_errors == 1
        assert manager.error is None
        assert server.connections == 1
        assert "a bug" in caplog.text
        await manager.stop()

    asyncio.run(main())


def test_on_tick_when_called_while_it_runs_then_the_callback_gets_what_follows(server: PlainServer) -> None:
    """It may come at any time, and is given back, so that it can be used as a decorator."""

    async def main() -> None:
        manager = Exchange(server.url)
        await manager.start()
        server.send(trade(1.0))
        await until(lambda: manager.prices == [1.0])
        late: list[PriceTick] = []
        callback = late.append
        assert manager.on_tick(callback) is callback
        server.send(trade(2.0))
        await until(lambda: late)
        assert [tick.price for tick in late] == [2.0]
        await manager.stop()

    asyncio.run(main())


def test_on_tick_when_given_a_coroutine_function_then_it_says_what_to_write(server: PlainServer) -> None:
    """On whose loop should it run? For those there is to_async_iterable."""
    manager = Exchange(server.url)

    async def callback(tick: PriceTick) -> None:
        """Wait for nothing."""

    with pytest.raises(TypeError, match=r"to_async_iterable\(manager.ticks\)"):
        manager.on_tick(callback)
    with pytest.raises(TypeError, match="callback must be a function, got 5"):
        manager.on_tick(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested


def test_ticks_when_subscribed_to_then_it_is_a_feed_like_any_other(server: PlainServer) -> None:
    """It connects by itself, goes through operators into a sink, and completes with stop."""

    async def main() -> None:
        manager = Exchange(server.url)
        ticks: Observable[PriceTick] = manager.ticks
        buffer = OHLCBuffer("BTC/USD", 5)
        states: list[str] = []
        events = manager.events.subscribe(lambda event: states.append(event.state.value))
        await manager.subscribe(["BTC/USD"])
        ticks.subscribe(buffer)
        await asyncio.to_thread(server.expect, LOGIN, subscribed("BTC/USD"))
        server.send(trade(1.0), trade(2.0))
        await until(lambda: len(buffer) and buffer.candles()[-1].trades == 2)
        await manager.stop()
        assert buffer.completed
        assert manager.seen == []  # on_tick callbacks are for start()
        assert states[0] == "resolving"
        assert states[-1] == "stopped"
        events.dispose()

    asyncio.run(main())


# What is given


def test_tick_when_stamped_with_an_aware_datetime_then_it_arrives(server: PlainServer) -> None:
    """As the seed's examples stamp them."""

    class Stamped(Exchange):
        async def _parse_message(self, data: Any) -> PriceTick:
            return PriceTick(symbol="A", price=1.0, timestamp=datetime.now(UTC))

    async def main() -> None:
        manager = Stamped(server.url)
        await manager.start()
        server.send("{}")
        await until(lambda: manager.seen)
        (tick,) = manager.seen
        assert abs(datetime.now(UTC) - tick.time) < timedelta(minutes=1)
        await manager.stop()

    asyncio.run(main())


def test_manager_when_its_config_is_wrong_then_it_says_so() -> None:
    """Options are checked when the manager is built."""

    class Configured(Exchange):
        def __init__(self, config: Any) -> None:
            WebSocketManager.__init__(self, config)

    with pytest.raises(ValueError, match=r"needs StreamConfig\(url="):
        Configured(StreamConfig(name="x"))
    with pytest.raises(ValueError, match="has one socket, got symbols_per_socket=5"):
        Configured(StreamConfig(url="ws://127.0.0.1:9", symbols_per_socket=5))
    with pytest.raises(TypeError, match="must be a StreamConfig, got 'ws:"):
        Configured("ws://127.0.0.1:9")
    assert repr(Configured(StreamConfig(url="ws://127.0.0.1:9"))) == (
        "Configured('Configured', 'ws://127.0.0.1:9', disconnected)"
    )


def test_manager_when_a_subclass_has_attributes_of_common_names_then_nothing_breaks(server: PlainServer) -> None:
    """Subclasses that were written for another base don't know which names we use."""

    class Busy(Exchange):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            self.config = self.config
            self.name = "busy"
            self._run = self._door = self._scheduler = self._callbacks = self._lock = self._state = self._stream = None

    async def main() -> None:
        manager = Busy(server.url)
        await manager.start()
        server.send(trade(1.0))
        await until(lambda: manager.prices == [1.0])
        await manager.stop()

    asyncio.run(main())
