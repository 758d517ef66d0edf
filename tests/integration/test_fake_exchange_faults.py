"""``FakeExchange``: each of its faults, as a plain client sees it."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from plain_client import SECOND, SOON, START, SYMBOLS, client, ids, market, rest, tick
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from rxstreams.instants import parse_iso
from rxstreams.testing import (
    AcceptThenDrop,
    AnyFault,
    CloseAfter,
    CutFrame,
    DropAfter,
    Duplicate,
    FakeExchange,
    Garbage,
    HttpStatus,
    HugeFrame,
    NoAck,
    RefuseConnection,
    RefuseSymbols,
    Reorder,
    SlowAck,
    SlowHandshake,
    StaleRest,
    StallAfter,
    Swallow,
)

# Faults before the subscription.


def test_refuse_when_called_then_nobody_listens_until_it_is_taken_back() -> None:
    """Connection refused, on a port that stays the exchange's own; open connections stay."""
    with FakeExchange() as exchange, client(exchange) as c:
        url = exchange.url
        exchange.refuse()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError), client(exchange):
                pass
        c.send("ping")
        assert c.until(method="pong")
        exchange.refuse(False)
        exchange.refuse(False)
        assert exchange.url == url
        with client(exchange) as other:
            assert other.receive()
        assert len(exchange.connections) == 2


def test_refuse_connection_when_scripted_then_resets_those_connections() -> None:
    """The range names the first two."""
    with FakeExchange(faults=[RefuseConnection(connection=range(2))]) as exchange:
        for _ in range(2):
            with pytest.raises((OSError, InvalidMessage, ConnectionClosed)), client(exchange):
                pass
        with client(exchange) as c:
            assert c.receive()
        exchange.wait_until(lambda: all(r.closed for r in exchange.connections[:2]))
        assert [r.cut_by for r in exchange.connections] == ["refuse", "refuse", ""]
        assert [r.upgraded is None for r in exchange.connections] == [True, True, False]


@pytest.mark.parametrize("code", [401, 404, 429, 503, 520, 302])
def test_http_status_when_scripted_then_answers_the_upgrade(code: int) -> None:
    """Any status, also one that has no name; Retry-After as given."""
    with FakeExchange(faults=[HttpStatus(code, retry_after=7, connection=0)]) as exchange:
        sock = socket.create_connection(("127.0.0.1", exchange.port), timeout=SOON)
        with pytest.raises(InvalidStatus) as refused, client(exchange, sock=sock):
            pass
        assert refused.value.response.status_code == code
        assert refused.value.response.headers["Retry-After"] == "7"
        with client(exchange) as c:
            assert c.receive()


def test_path_when_wrong_then_is_not_found() -> None:
    """A client with a wrong address learns it."""
    with (
        FakeExchange() as exchange,
        pytest.raises(InvalidStatus) as refused,
        client(exchange, uri=exchange.url.replace("/v2", "/v1")),
    ):
        pass
    assert refused.value.response.status_code == 404


def test_slow_handshake_when_scripted_then_a_client_without_patience_gives_up() -> None:
    """The upgrade is not answered for so long; one with patience gets through."""
    with FakeExchange(faults=[SlowHandshake(0.3)]) as exchange:
        with pytest.raises(TimeoutError), client(exchange, open_timeout=0.05):
            pass
        began = time.monotonic()
        with client(exchange) as c:
            assert c.receive()
        assert time.monotonic() - began >= 0.3
        exchange.wait_until(lambda: exchange.connections[0].closed)
        assert exchange.connections[0].upgraded is None


def test_accept_then_drop_when_scripted_then_the_upgrade_succeeds_and_nothing_follows() -> None:
    """The server that a naive client dials in a hot loop."""
    with FakeExchange(faults=[AcceptThenDrop()]) as exchange:
        with client(exchange) as c:
            assert c.end() == (None, "")
        assert exchange.connections[0].upgraded is not None
        assert exchange.connections[0].messages == 0


# Faults at the subscription.


def test_slow_ack_when_scripted_then_the_answer_comes_late_and_tells_both_times() -> None:
    """Trades before the acknowledgement are not sent; time_in is the request's, time_out the truth."""
    with FakeExchange(symbols=["BTC/USD"], faults=[SlowAck(0.1)]) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].commands)
        exchange.publish(tick(1))
        ack = c.until(method="subscribe")
        assert parse_iso(ack["time_in"]) == START
        assert parse_iso(ack["time_out"]) == START + SECOND
        exchange.publish(tick(2))
        assert ids(c.trades(1)) == [2]


def test_slow_ack_when_the_data_comes_before_then_trades_overtake_the_answer() -> None:
    """A client that throws away what comes before the acknowledgement loses nothing of its promise."""
    faults = [SlowAck(0.1, data="before")]
    with FakeExchange(symbols=["BTC/USD"], faults=faults, heartbeat=0) as exchange, client(exchange) as c:
        assert c.receive()["channel"] == "status"
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].symbols)
        exchange.publish(tick(1))
        assert c.receive()["channel"] == "trade"
        assert c.receive()["method"] == "subscribe"


@pytest.mark.parametrize("data", [False, True])
def test_no_ack_when_scripted_then_no_answer_comes_with_or_without_data(data: bool) -> None:
    """The venue that never confirms."""
    with FakeExchange(faults=[NoAck(data=data)], heartbeat=0) as exchange, client(exchange) as c:
        assert c.receive()["channel"] == "status"
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].commands)
        exchange.publish(tick(1))
        if data:
            assert c.receive()["channel"] == "trade"
        with pytest.raises(TimeoutError):
            c.receive(timeout=0.1)


def test_refuse_symbols_when_scripted_then_those_are_refused_with_the_reason() -> None:
    """Known symbols too; what is refused is not sent."""
    faults = [RefuseSymbols(["ETH/USD"], "Not now"), RefuseSymbols(["ADA/USD"])]
    with FakeExchange(market(), faults=faults) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        answers = [c.until(method="subscribe") for _ in SYMBOLS]
        assert [a.get("error") for a in answers] == [None, "Not now", "Currency pair not supported ADA/USD"]
        exchange.wait_finished()
        assert {t.symbol for t in exchange.sent(0)} == {"BTC/USD"}


# Faults in mid-stream.


@pytest.mark.parametrize("reset", [False, True])
def test_drop_after_when_scripted_then_exactly_so_many_trades_arrive(reset: bool) -> None:
    """What was sent before the cut arrives; no close frame does."""
    with FakeExchange(market(), faults=[DropAfter(25, reset=reset, connection=0)]) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            rows = c.all_trades()
        assert ids(rows) == [t.trade_id for t in exchange.sent(0)]
        assert len(rows) == 25
        record = exchange.connections[0]
        exchange.wait_until(lambda: record.closed)
        assert (record.cut_by, record.close_code, record.symbols) == ("drop", None, set())


@pytest.mark.parametrize("reset", [False, True])
def test_cut_frame_when_scripted_then_half_of_the_next_message_arrives(reset: bool) -> None:
    """Trades before it arrive; the one in the frame that was cut does not, and was not sent."""
    with FakeExchange(market(), faults=[CutFrame(25, reset=reset, connection=0)]) as exchange:
        sock = socket.create_connection(("127.0.0.1", exchange.port), timeout=SOON)
        with client(exchange, sock=sock) as c:
            received: list[bytes] = []
            take = c.socket.protocol.receive_data

            def receive_data(data: bytes | bytearray) -> None:
                received.append(bytes(data))
                take(data)

            c.socket.protocol.receive_data = receive_data  # type: ignore[method-assign]
            c.subscribe(*SYMBOLS)
            rows = c.all_trades()
        assert ids(rows) == [t.trade_id for t in exchange.sent(0)]
        assert len(rows) == 25
        # The last bytes are the beginning of a message, not its end.
        assert b'{"channel":"trade"' in received[-1][-200:]
        assert not received[-1].endswith(b"}")
        record = exchange.connections[0]
        exchange.wait_until(lambda: record.closed)
        assert (record.cut_by, record.close_code, record.symbols) == ("drop", None, set())


def test_drop_after_when_zero_then_strikes_right_after_the_acknowledgement() -> None:
    """Subscribed, and gone."""
    with FakeExchange(market(), faults=[DropAfter(0, connection=0)]) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        assert [c.until(method="subscribe")["success"] for _ in SYMBOLS] == [True] * 3
        assert c.end() == (None, "")
        assert exchange.sent(0) == []


@pytest.mark.parametrize("fault", [DropAfter(seconds=0.1), DropAfter(exchange_seconds=10)])
def test_drop_after_when_by_a_clock_then_strikes_without_any_trade(fault: DropAfter) -> None:
    """By the wall clock or the exchange's; here ten of its seconds are 0.1 of ours."""
    with FakeExchange(symbols=["BTC/USD"], speed=100, faults=[fault]) as exchange, client(exchange) as c:
        began = time.monotonic()
        assert c.end() == (None, "")
        assert 0.08 <= time.monotonic() - began < SOON
        assert exchange.connections[0].cut_by == "drop"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (1008, "too fast"), (1012, ""), (4000, "own")])
def test_close_after_when_scripted_then_the_client_sees_code_and_reason(code: int, reason: str) -> None:
    """And its answer is remembered."""
    fault = CloseAfter(10, code=code, reason=reason, connection=0)
    with FakeExchange(market(), faults=[fault]) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            assert c.end() == (code, reason)
        record = exchange.connections[0]
        exchange.wait_until(lambda: record.closed)
        assert (len(exchange.sent(0)), record.cut_by, record.close_code) == (10, "close", code)


def test_close_when_the_client_does_not_answer_then_is_cut_after_a_second() -> None:
    """A client that ignores the close frame can't hold the connection."""
    with FakeExchange() as exchange:
        with socket.create_connection(("127.0.0.1", exchange.port), timeout=SOON) as raw:
            raw.sendall(
                b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            exchange.wait_until(lambda: exchange.connections and exchange.connections[0].is_open)
            assert exchange.close_all(1000) == 1
            exchange.wait_until(lambda: exchange.connections[0].closed, timeout=SOON)
        assert exchange.connections[0].close_code is None


def test_stall_after_when_scripted_then_the_socket_stays_open_and_answers_nothing() -> None:
    """Neither trades nor heartbeats, pongs or answers; the client's goodbye is not answered either, but remembered."""
    with FakeExchange(market(), faults=[StallAfter(10)], heartbeat=0.02) as exchange:
        with client(exchange, close_timeout=0.2) as c:
            c.subscribe(*SYMBOLS)
            assert len(c.trades(10)) == 10
            c.send("ping")
            pong = c.socket.ping()
            assert not pong.wait(0.2)
            with pytest.raises(TimeoutError):
                c.receive(timeout=0.1)
            record = exchange.connections[0]
            assert record.is_open
            exchange.wait_until(lambda: record.pings == 1)
            assert (record.pongs, record.probes, record.cut_by) == (0, 0, "stall")
            c.socket.close(1011)
        exchange.wait_until(lambda: record.closed)
        assert record.close_code == 1011


def test_stall_after_when_probes_are_answered_then_only_the_data_stops() -> None:
    """A quiet line, which must not be given up."""
    with (
        FakeExchange(market(), faults=[StallAfter(10, probes=True)], heartbeat=0.02) as exchange,
        client(exchange) as c,
    ):
        c.subscribe(*SYMBOLS)
        assert len(c.trades(10)) == 10
        assert c.socket.ping().wait(SOON)
        c.send("ping", req_id=3)
        answer = c.receive()
        assert (answer["method"], answer["req_id"]) == ("pong", 3)
        assert (exchange.connections[0].pongs, exchange.connections[0].probes) == (1, 1)


def test_stall_when_the_market_has_no_clock_then_waits_for_another_client() -> None:
    """A client that has not noticed yet must not cost it the whole market."""
    with (
        FakeExchange(market(), absence=5, faults=[StallAfter(10, connection=0)]) as exchange,
        client(exchange, close_timeout=0.1) as c,
    ):
        c.subscribe(*SYMBOLS)
        assert len(c.trades(10)) == 10
        time.sleep(0.05)
        assert not exchange.finished
        with client(exchange) as other:
            other.subscribe(*SYMBOLS)
            exchange.wait_finished()
            assert exchange.sent(1)


@pytest.mark.parametrize("payload", ['{"channel":"trade","data":[{"sy', "", b"\x00\xff"])
def test_garbage_when_scripted_then_comes_between_good_messages(payload: str | bytes) -> None:
    """Once, after so many trades, and nothing else is lost."""
    with FakeExchange(market(), faults=[Garbage(5, payload=payload)]) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        exchange.wait_finished()
        expected = len(list(market()))
        rows: list[dict[str, Any]] = []
        garbage: list[tuple[int, str | bytes]] = []
        while len(rows) < expected:
            received = c.socket.recv(SOON)
            try:
                message = json.loads(received)
            except ValueError:
                garbage.append((len(rows), received))
            else:
                rows += message["data"] if message.get("channel") == "trade" else []
        assert garbage == [(5, payload)]
        assert ids(rows) == [t.trade_id for t in market()]


def test_huge_frame_when_scripted_then_has_the_size_and_is_well_formed() -> None:
    """So a client that reads it whole finds a message of no known kind."""
    with FakeExchange(market(), faults=[HugeFrame(5, size_bytes=200_000)]) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        assert len(json.dumps(c.until(channel="huge"), separators=(",", ":"))) == 200_000


def test_huge_frame_when_a_client_has_a_limit_then_its_close_code_is_remembered() -> None:
    """It closes with 1009."""
    with FakeExchange(market(), faults=[HugeFrame(5, size_bytes=200_000)]) as exchange:
        with client(exchange, max_size=100_000) as c:
            c.subscribe(*SYMBOLS)
            sent = c.closed().sent
        assert sent is not None
        assert sent.code == 1009
        exchange.wait_until(lambda: exchange.connections[0].close_code == 1009)


def test_duplicate_when_it_repeats_then_the_books_show_what_was_really_sent() -> None:
    """Every tenth message comes three times."""
    faults = [Duplicate(10, repeat=True, copies=2)]
    with FakeExchange(market(), faults=faults) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        exchange.wait_finished()
        expected: list[int | str | None] = []
        for place, t in enumerate(market(), start=1):
            expected += [t.trade_id] * (3 if place % 10 == 0 else 1)
        assert ids(c.trades(len(expected))) == expected
        assert [t.trade_id for t in exchange.sent(0)] == expected
        assert len(exchange.published) == len(list(market()))


def test_reorder_when_scripted_then_a_message_is_overtaken() -> None:
    """The sixth trade comes after the eighth; the truth keeps the order of publication."""
    with FakeExchange(market(), faults=[Reorder(5, overtaken_by=2)]) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        exchange.wait_finished()
        published = [t.trade_id for t in exchange.trades]
        expected = [*published[:5], *published[6:8], published[5], *published[8:]]
        assert ids(c.trades(len(expected))) == expected


def test_reorder_when_nothing_overtakes_then_the_message_comes_at_the_end() -> None:
    """A held message is never lost."""
    with (
        FakeExchange([tick(1), tick(2), tick(3)], faults=[Reorder(2, overtaken_by=5)]) as exchange,
        client(exchange) as c,
    ):
        c.subscribe("BTC/USD")
        assert ids(c.trades(3)) == [1, 2, 3]


def test_swallow_when_scripted_then_messages_are_missing_and_nothing_tells() -> None:
    """The connection goes on; what was swallowed is in the truth, and was never sent."""
    with FakeExchange(market(), faults=[Swallow(5, messages=2)]) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        exchange.wait_finished()
        published = [t.trade_id for t in exchange.trades]
        expected = [*published[:5], *published[7:]]
        assert ids(c.trades(len(expected))) == expected
        assert [t.trade_id for t in exchange.sent(0)] == expected


def test_faults_when_several_then_each_strikes_the_connections_that_it_names() -> None:
    """A script over four connections; the last one sees the end of the market."""
    faults: list[AnyFault] = [
        HttpStatus(503, connection=0),
        DropAfter(5, connection=1),
        CloseAfter(5, code=1012, connection=2),
        Duplicate(1, connection=range(1, 3)),
    ]
    with FakeExchange(market(600), absence=1, faults=faults) as exchange:
        with pytest.raises(InvalidStatus), client(exchange):
            pass
        ends: list[tuple[int | None, str]] = []
        for _ in range(2):
            with client(exchange) as c:
                c.subscribe(*SYMBOLS)
                ends.append(c.end())
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            exchange.wait_finished()
        assert ends == [(None, ""), (1012, "")]
        assert [len(record.sent) for record in exchange.connections[:3]] == [0, 6, 6]


def test_inject_when_while_it_runs_then_strikes_open_connections_too() -> None:
    """The count is the connection's: after ten trades in all."""
    with FakeExchange() as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        assert c.until(method="subscribe")
        exchange.publish(*[tick(n) for n in range(5)])
        exchange.inject(DropAfter(7))
        for n in range(5, 10):
            exchange.publish(tick(n))
        assert len(c.all_trades()) == 7


def test_all_connections_when_dropped_closed_or_stalled_at_once_then_each_is() -> None:
    """By hand, while it runs."""
    with FakeExchange() as exchange:
        with client(exchange) as one, client(exchange) as two:
            assert exchange.drop_all() == 2
            assert (one.end(), two.end()) == ((None, ""), (None, ""))
        with client(exchange) as c:
            exchange.wait_until(lambda: sum(r.is_open for r in exchange.connections) == 1)
            assert exchange.close_all(1013, "later") == 1
            assert c.end() == (1013, "later")
        with client(exchange, close_timeout=0.1) as c:
            assert c.receive()
            assert exchange.stall_all() == 1
            c.send("ping")
            with pytest.raises(TimeoutError):
                c.receive(timeout=0.1)
        assert exchange.drop_all(reset=True) == 0


def test_slow_client_when_too_much_is_unread_then_is_cut_off() -> None:
    """At a speed the market waits for nobody, and memory is bounded."""
    with (
        FakeExchange(symbols=["BTC/USD"], speed=1.0, max_pending_bytes=100_000) as exchange,
        client(exchange, max_queue=4) as c,
    ):
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].symbols)
        batch = [tick(n / 100) for n in range(500)]

        def cut() -> bool:
            exchange.publish(*batch)
            return exchange.connections[0].cut_by == "slow"

        exchange.wait_until(cut, timeout=30)


def test_subscribe_when_a_fault_strikes_before_the_answer_then_nobody_is_listening() -> None:
    """Else a market without a clock would play on for a client that is gone, or for one that was stalled."""
    faults = [
        SlowAck(0.1, connection=0),
        DropAfter(seconds=0.05, connection=0),
        StallAfter(5, probes=True, connection=1),
    ]
    with FakeExchange(market(), absence=1, faults=faults) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            assert c.end() == (None, "")
            time.sleep(0.1)
        assert exchange.published == []
        with client(exchange) as c:
            c.subscribe("BTC/USD")
            assert len(c.trades(5)) == 5
            exchange.wait_until(lambda: exchange.connections[1].cut_by == "stall")
            c.subscribe("ETH/USD")
            c.send("ping")
            assert c.until(method="pong")
            assert not exchange.finished
            assert exchange.connections[1].symbols == {"BTC/USD"}


# Faults of the REST API.


def test_stale_rest_when_scripted_then_the_answer_is_what_was_so_then() -> None:
    """A trade that is younger than that is not in it, however often it is asked; later it is."""
    with FakeExchange(symbols=["BTC/USD"], faults=[StaleRest(0.3, request=range(1, 1000))]) as exchange:
        exchange.publish(tick(1))
        assert _rest_ids(exchange) == [1]
        assert _rest_ids(exchange) == []
        exchange.wait_until(lambda: _rest_ids(exchange) == [1])
        exchange.publish(tick(2))
        published = time.monotonic()
        assert _rest_ids(exchange) == [1]
        exchange.wait_until(lambda: _rest_ids(exchange) == [1, 2])
        assert time.monotonic() - published >= 0.25


def _rest_ids(exchange: FakeExchange) -> list[int]:
    rows = rest(exchange, "/0/public/Trades?pair=BTCUSD&since=0")["result"]["XXBTZUSD"]
    return [row[6] for row in rows]
