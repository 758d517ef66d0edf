"""``FakeExchange``, seen by a plain WebSocket client: what it plays, what it answers and what it remembers."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from plain_client import SECOND, SOON, START, SYMBOLS, client, ids, market, rest, tick

from rxstreams.instants import parse_iso
from rxstreams.items import PriceTick
from rxstreams.testing import (
    DropAfter,
    Duplicate,
    FakeExchange,
    HttpStatus,
    RefuseSymbols,
    StallAfter,
)
from rxstreams.testing.formats import Subscribe

# Playing.


def test_market_when_subscribed_then_every_trade_comes_in_order_and_the_books_agree() -> None:
    """As fast as the client reads; what was sent is what was published is what came."""
    with FakeExchange(market()) as exchange, client(exchange) as c:
        assert c.receive()["channel"] == "status"
        c.subscribe(*SYMBOLS)
        acks = [c.receive() for _ in SYMBOLS]
        assert [ack["result"]["symbol"] for ack in acks] == list(SYMBOLS)
        assert {parse_iso(ack["time_out"]) for ack in acks} == {START}
        exchange.wait_finished()
        expected = list(market())
        rows = c.trades(len(expected))
        assert [
            (r["symbol"], r["price"], r["qty"], parse_iso(r["timestamp"]), r["trade_id"], r["side"]) for r in rows
        ] == [(t.symbol, t.price, t.volume, t.timestamp, t.trade_id, t.side) for t in expected]
        assert [(t.trade_id, t.exchange) for t in exchange.sent(0)] == [(t.trade_id, "kraken") for t in expected]
        assert exchange.trades == exchange.sent()
        assert [time for _, time in exchange.published] == [t.timestamp for t in expected]
        assert exchange.time == expected[-1].timestamp


def test_market_when_only_some_symbols_are_subscribed_then_only_those_come() -> None:
    """What a client did not ask for it is not sent, and sent(symbol=) tells them apart."""
    with FakeExchange(market()) as exchange, client(exchange) as c:
        c.subscribe("ETH/USD")
        exchange.wait_finished()
        expected = [t.trade_id for t in market() if t.symbol == "ETH/USD"]
        assert ids(c.trades(len(expected))) == expected
        assert exchange.sent(symbol="BTC/USD") == []
        assert len(exchange.sent(0, "ETH/USD")) == len(expected)
        assert exchange.connections[0].symbols == {"ETH/USD"}


def test_wait_for_when_several_then_nothing_is_played_before_they_are_subscribed() -> None:
    """Over however many connections; so a test with several sockets loses nothing at the start."""
    with FakeExchange(market(), wait_for=3) as exchange, client(exchange) as one, client(exchange) as two:
        one.subscribe("BTC/USD", "ETH/USD")
        assert one.until(method="subscribe")
        time.sleep(0.05)
        assert exchange.published == []
        two.subscribe("ADA/USD")
        exchange.wait_finished()
        assert len(exchange.sent(0)) + len(exchange.sent(1)) == len(list(market()))


def test_absence_when_nobody_listens_then_the_market_plays_on_for_so_long_and_waits() -> None:
    """Without a clock each disconnection costs the same: here ten seconds of the market, whatever the machine does."""
    lost: list[list[int | str | None]] = []
    for _ in range(2):
        with FakeExchange(market(120), absence=10, faults=[DropAfter(200, connection=0)]) as exchange:
            with client(exchange) as c:
                c.subscribe(*SYMBOLS)
                assert len(c.all_trades()) == 200
            time.sleep(0.05)
            dropped_at = exchange.sent(0)[-1].timestamp
            with client(exchange) as c:
                c.subscribe(*SYMBOLS)
                assert parse_iso(c.until(method="subscribe")["time_out"]) == dropped_at + 10 * SECOND
                exchange.wait_finished()
                first = c.trades(1)[0]
            assert parse_iso(first["timestamp"]) > dropped_at + 10 * SECOND
            got = {t.trade_id for t in exchange.sent()}
            missed = [t for t in exchange.trades if t.trade_id not in got]
            assert missed
            assert all(dropped_at <= t.timestamp <= dropped_at + 10 * SECOND for t in missed)
            lost.append([t.trade_id for t in missed])
    assert lost[0] == lost[1]


def test_absence_when_none_then_the_market_plays_on_to_its_end() -> None:
    """Nobody is waited for a second time."""
    with FakeExchange(market(120), absence=None, faults=[DropAfter(100, connection=0)]) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            assert len(c.all_trades()) == 100
        exchange.wait_finished()


def test_speed_when_given_then_exchange_time_runs_by_the_wall_clock_and_waits_for_nobody() -> None:
    """A minute in 0.6 s, with nobody there: published by its stamps, never early."""
    with FakeExchange(market(), speed=100) as exchange:
        exchange.wait_finished(timeout=10)
        assert len(exchange.published) == len(list(market()))
        assert all(time >= tick.timestamp for tick, time in exchange.published)
        assert exchange.time >= exchange.trades[-1].timestamp
        first = exchange.time
        exchange.wait_until(lambda: exchange.time > first + SECOND)


def test_acknowledgement_when_the_market_runs_then_its_time_parts_what_is_sent_from_what_is_not() -> None:
    """What is stamped up to it was published before it; what is stamped after it comes. At any speed."""
    with FakeExchange(market(120), speed=500) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        acknowledged = parse_iso(c.until(method="subscribe")["time_out"])
        exchange.wait_finished()
        expected = [t.trade_id for t in market(120) if t.symbol == "BTC/USD" and t.timestamp > acknowledged]
        assert [t.trade_id for t in exchange.sent(0)] == expected


def test_batch_when_given_then_one_message_carries_several_trades_of_a_symbol() -> None:
    """A taker's order that sweeps several trades comes in one message, as on the real venue."""
    with FakeExchange(market(), batch=5) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        exchange.wait_finished()
        expected = list(market())
        sizes: list[int] = []
        rows: list[dict[str, Any]] = []
        while len(rows) < len(expected):
            data = c.until(channel="trade")["data"]
            assert len({row["symbol"] for row in data}) == 1
            sizes.append(len(data))
            rows += data
        assert ids(rows) == [t.trade_id for t in expected]
        assert 1 < max(sizes) <= 5


def test_at_end_when_close_then_all_connections_are_closed_with_the_code() -> None:
    """For a client that is to end by itself; the last trade comes before the close."""
    with FakeExchange(market(), at_end="close", close_code=1001) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS)
        assert c.end() == (1001, "")
        assert len(exchange.sent(0)) == len(list(market()))


def test_source_when_it_fails_then_the_error_comes_out_where_the_test_waits() -> None:
    """A bug in a test's own generator must not look like a hanging exchange."""

    def broken() -> Iterator[PriceTick]:
        yield tick(0)
        yield tick(1)
        raise LookupError("no more data")

    exchange = FakeExchange(broken(), speed=1000)
    with pytest.raises(RuntimeError, match="no more data"), exchange:
        exchange.wait_finished()


def test_recording_when_it_steps_back_in_time_then_is_played_in_its_own_order() -> None:
    """Real feeds step back; the order of publication is that of the list."""
    ticks = [tick(0, trade_id=1), tick(2, trade_id=2), tick(1, trade_id=3), tick(3, trade_id=4)]
    with FakeExchange(ticks) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        assert ids(c.trades(4)) == [1, 2, 3, 4]
        assert exchange.time == START + 3 * SECOND


# By hand.


def test_publish_when_by_hand_then_comes_at_once_with_name_and_id() -> None:
    """Trades of one symbol that follow each other share a message; missing ids are counted on."""
    with FakeExchange() as exchange, client(exchange) as c:
        c.subscribe("BTC/USD", "ETH/USD")
        assert c.until(method="subscribe")["success"]
        assert c.until(method="subscribe")["success"]
        exchange.publish(tick(1), tick(2), tick(3, symbol="ETH/USD"))
        assert ids(c.until(channel="trade")["data"]) == [1, 2]
        assert ids(c.until(channel="trade")["data"]) == [1]
        assert exchange.time == START + 3 * SECOND
        exchange.publish(tick(1.5, trade_id=77))
        exchange.publish(tick(4))
        assert ids(c.trades(2)) == [77, 78]
        assert exchange.time == START + 4 * SECOND


def test_publish_when_nobody_is_connected_then_is_lost_to_all_but_rest() -> None:
    """The truth and the REST API have it, a later client has not."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        exchange.publish(tick(1))
        with client(exchange) as c:
            c.subscribe("BTC/USD")
            assert parse_iso(c.until(method="subscribe")["time_out"]) == START + SECOND
            exchange.publish(tick(2))
            assert ids(c.trades(1)) == [2]
        assert [row[6] for row in rest(exchange, "/0/public/Trades?pair=XBTUSD")["result"]["XXBTZUSD"]] == [1, 2]


def test_advance_when_the_clock_stands_still_then_moves_it_and_publishes_what_is_due() -> None:
    """Pongs carry the new time; with a list of trades those up to it are published, heard or not."""
    with FakeExchange([tick(1), tick(5), tick(9)], start=START) as exchange, client(exchange) as c:
        assert exchange.advance(5) == START + 5 * SECOND
        assert len(exchange.published) == 2
        c.send("ping", req_id=9)
        pong = c.until(method="pong")
        assert pong["req_id"] == 9
        assert parse_iso(pong["time_out"]) == START + 5 * SECOND
        assert exchange.connections[0].probes == 1


def test_send_when_any_message_then_all_clients_get_it() -> None:
    """For what the format does not know: a maintenance status, a new channel."""
    with FakeExchange() as exchange, client(exchange) as one, client(exchange) as two:
        assert exchange.send('{"channel":"maintenance"}') == 2
        assert one.until(channel="maintenance") == two.until(channel="maintenance")


# Records.


def test_records_when_a_client_comes_and_goes_then_tell_its_life() -> None:
    """Headers, path, commands with their times, pings, and how it said goodbye."""
    with FakeExchange() as exchange:
        with client(exchange, uri=f"{exchange.url}?a=1", additional_headers={"X-Test": "yes"}) as c:
            c.subscribe("BTC/USD")
            assert c.until(method="subscribe")
            assert c.socket.ping().wait(SOON)
            c.socket.close(1001, "done")
        record = exchange.connections[0]
        exchange.wait_until(lambda: record.closed)
        assert record.path == "/v2?a=1"
        assert record.headers["x-test"] == "yes"
        assert record.host == f"127.0.0.1:{exchange.port}"
        assert (record.close_code, record.close_reason, record.cut_by) == (1001, "done", "")
        assert (record.pings, record.pongs) == (1, 1)
        (received,) = record.commands
        assert isinstance(received.command, Subscribe)
        assert received.time == START
        assert record.upgraded is not None
        assert record.closed is not None
        assert record.accepted <= record.upgraded <= received.monotonic <= record.closed
        assert not record.is_open


def test_keep_when_small_then_memory_is_bounded() -> None:
    """The newest are kept: of the market, of each symbol and of each connection."""
    with FakeExchange(symbols=["BTC/USD"], keep=100) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].symbols)
        for n in range(1000):
            exchange.publish(tick(n))
        for kept in (exchange.trades, exchange.sent(0), list(exchange._running.engine.history("BTC/USD"))):
            assert 100 <= len(kept) <= 126
            assert kept[-1].trade_id == 1000


def test_wait_until_when_in_vain_then_tells_how_the_exchange_stands() -> None:
    """A timeout in a test has to say what happened."""
    with FakeExchange(market()) as exchange, client(exchange):
        exchange.wait_until(lambda: exchange.connections[0].is_open)
        with pytest.raises(TimeoutError, match=r"in vain for rain; .* 0 trades and seen 1 connections, of which 1 are"):
            exchange.wait_until(lambda: False, 0.01, what="rain")


# TLS.


def test_tls_when_a_context_is_given_then_speaks_wss_and_https_and_notes_the_name() -> None:
    """The certificate is for a made-up name; SNI and Host are remembered."""
    authority = trustme.CA()
    server, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    certificate = authority.issue_cert("feed.example.test")
    certificate.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    with FakeExchange(
        market(600), absence=1, ssl_context=server, faults=[DropAfter(5, reset=True, connection=1)]
    ) as exchange:
        assert exchange.url == f"wss://127.0.0.1:{exchange.port}/v2"
        assert exchange.rest_url.startswith("https://")
        uri = f"wss://feed.example.test:{exchange.port}/v2"
        for end in ("client", "server"):
            sock = socket.create_connection(("127.0.0.1", exchange.port), timeout=SOON)
            with client(exchange, uri=uri, sock=sock, ssl=trusting) as c:
                c.subscribe("BTC/USD")
                if end == "client":
                    assert len(c.trades(5)) == 5
                else:
                    assert len(c.all_trades()) == 5
        assert exchange.connections[0].server_name == "feed.example.test"
        assert exchange.connections[0].host == f"feed.example.test:{exchange.port}"
        with pytest.raises(ssl.SSLCertVerificationError), client(exchange, ssl=ssl.create_default_context()):
            pass


def test_close_when_a_tls_handshake_is_under_way_then_leaves_nothing_behind() -> None:
    """A client that connects and says nothing must not keep the exchange alive, nor its socket."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = trustme.CA().issue_cert("feed.example.test")
    certificate.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]  # typed for OpenSSL as well
    exchange = FakeExchange(ssl_context=server).start()
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=SOON) as silent:
        time.sleep(0.05)
        began = time.monotonic()
        exchange.close()
        assert time.monotonic() - began < SOON
        assert silent.recv(1) == b""


# Life and death.


def test_close_when_clients_are_connected_then_cuts_them_and_can_still_be_read() -> None:
    """It never waits for a client, also not for one that was stalled; a second time does nothing."""
    exchange = FakeExchange(market(), faults=[StallAfter(5)]).start()
    with client(exchange, close_timeout=0.1) as c:
        c.subscribe(*SYMBOLS)
        assert len(c.trades(5)) == 5
        began = time.monotonic()
        exchange.close()
        exchange.close()
        assert time.monotonic() - began < SOON
        assert c.end() == (None, "")
    assert len(exchange.sent(0)) == 5
    assert exchange.connections[0].closed
    assert not [t for t in threading.enumerate() if t.name == "FakeExchange"]
    with pytest.raises(RuntimeError, match="does not run"):
        exchange.publish(tick(1))


def test_exchange_when_not_started_or_started_twice_then_says_so() -> None:
    """Its life has one beginning."""
    exchange = FakeExchange()
    with pytest.raises(RuntimeError, match="not started"):
        _ = exchange.url
    with pytest.raises(RuntimeError, match="not started"):
        exchange.publish(tick(1))
    with exchange, pytest.raises(RuntimeError, match="once"):
        exchange.start()


def test_start_when_the_address_can_not_be_bound_then_raises_at_once() -> None:
    """No thread is left behind by it."""
    exchange = FakeExchange(host="203.0.113.1")
    with pytest.raises(OSError):
        exchange.start()
    assert not [t for t in threading.enumerate() if t.name == "FakeExchange"]


def test_exchange_when_a_script_forgets_to_close_it_then_the_interpreter_still_ends() -> None:
    """Its thread is a daemon: a forgotten exchange must not hang a script."""
    code = "from rxstreams.testing import *; e = FakeExchange(Market(['BTC/USD']), speed=1).start(); print(e.url)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("ws://127.0.0.1:")


@pytest.mark.parametrize(
    "options",
    [
        {"speed": 0},
        {"speed": float("inf")},
        {"heartbeat": -1},
        {"at_end": "explode"},
        {"batch": 0},
        {"keep": 0},
        {"wait_for": -1},
        {"wait_for": 4},
        {"absence": -1},
        {"rest_lag": float("nan")},
        {"rest_limit": (0, 1.0)},
        {"rest_limit": (1, 0.0)},
        {"max_pending_bytes": 0},
    ],
)
def test_exchange_when_an_option_is_wrong_then_says_so(options: dict[str, Any]) -> None:
    """A wrong option is an error where it is given."""
    with pytest.raises(ValueError, match=next(iter(options))):
        FakeExchange(market(), **options)


def test_exchange_when_symbols_is_one_string_then_says_to_write_a_list() -> None:
    """As everywhere."""
    with pytest.raises(TypeError, match="symbols must be a list"):
        FakeExchange(symbols="BTC/USD")


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: DropAfter(), ValueError),
        (lambda: DropAfter(1, seconds=1), ValueError),
        (lambda: DropAfter(-1), ValueError),
        (lambda: Duplicate(seconds=1, repeat=True), ValueError),
        (lambda: HttpStatus(101), ValueError),
        (lambda: RefuseSymbols("BTC/USD"), TypeError),
    ],
)
def test_fault_when_it_makes_no_sense_then_says_so(make: Any, error: type[Exception]) -> None:
    """A script with a mistake is no script."""
    with pytest.raises(error):
        make()
