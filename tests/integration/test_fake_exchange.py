"""``FakeExchange``, seen by a plain WebSocket client: what it sends, what it remembers, and each of its faults."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rxstreams.instants import parse_iso
from rxstreams.items import PriceTick
from rxstreams.testing import (
    AcceptThenDrop,
    AnyFault,
    CloseAfter,
    DropAfter,
    DropRest,
    Duplicate,
    FakeExchange,
    Garbage,
    HttpStatus,
    HugeFrame,
    Market,
    NoAck,
    RefuseConnection,
    RefuseSymbols,
    Reorder,
    RestError,
    RestStatus,
    SlowAck,
    SlowHandshake,
    SlowRest,
    StallAfter,
    candles_of,
)
from rxstreams.testing.formats import Ping, Subscribe

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND
SYMBOLS = ("BTC/USD", "ETH/USD", "ADA/USD")
SOON = 5.0  # seconds: what has to come has come by then, on a busy machine too


class Client:
    """A client without any cleverness: it reports what came, message by message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, method: str, **fields: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps({"method": method, **fields}))

    def subscribe(self, *symbols: str, channel: str = "trade", snapshot: bool = False, **params: Any) -> None:
        """Ask for symbols."""
        params |= {"channel": channel, "symbol": list(symbols), "snapshot": snapshot}
        self.send("subscribe", params=params, req_id=1)

    def receive(self, timeout: float = SOON) -> dict[str, Any]:
        """Return the next message."""
        return cast("dict[str, Any]", json.loads(self.socket.recv(timeout)))

    def until(self, *, method: str = "", channel: str = "") -> dict[str, Any]:
        """Return the next message of a kind."""
        while True:
            message = self.receive()
            if message.get("method", "") == method and message.get("channel", "") == channel:
                return message

    def trades(self, count: int) -> list[dict[str, Any]]:
        """Return the next trades, out of however many messages."""
        rows: list[dict[str, Any]] = []
        while len(rows) < count:
            rows += self.until(channel="trade")["data"]
        assert len(rows) == count
        return rows

    def all_trades(self) -> list[dict[str, Any]]:
        """Return the trades that come before the connection ends."""
        rows: list[dict[str, Any]] = []
        with pytest.raises(ConnectionClosed):
            while True:
                rows += self.until(channel="trade")["data"]
        return rows

    def end(self) -> tuple[int | None, str]:
        """Return the close code and reason with which the server ended the connection; None: there was none."""
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                self.socket.recv(SOON)
        received = closed.value.rcvd
        return (None, "") if received is None else (received.code, received.reason)


@contextmanager
def client(exchange: FakeExchange, **options: Any) -> Iterator[Client]:
    """Connect, and take the greeting."""
    options = {"proxy": None, "ping_interval": None, "close_timeout": 1, "max_size": None, "max_queue": None, **options}
    with connect(options.pop("uri", exchange.url), **options) as connection:
        yield Client(connection)


def ids(rows: Iterable[dict[str, Any]]) -> list[int]:
    """Return the trades' ids."""
    return [row["trade_id"] for row in rows]


def market(seconds: float = 60, **options: Any) -> Market:
    """Make a short market."""
    return Market(SYMBOLS, duration=seconds, **{"seed": 1, **options})


def tick(seconds: float = 0, price: float = 10.0, **fields: Any) -> PriceTick:
    """Make a trade so many seconds after the usual start."""
    fields = {"symbol": "BTC/USD", "volume": 1.0, "side": "buy", **fields}
    return PriceTick(price=price, timestamp=START + round(seconds * SECOND), **fields)


def rest(exchange: FakeExchange, path: str) -> dict[str, Any]:
    """Ask the REST API."""
    with urllib.request.urlopen(exchange.rest_url + path, timeout=SOON) as answer:
        return cast("dict[str, Any]", json.loads(answer.read()))


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
        assert [(r["symbol"], r["price"], r["qty"], parse_iso(r["timestamp"]), r["trade_id"], r["side"]) for r in rows] == [
            (t.symbol, t.price, t.volume, t.timestamp, t.trade_id, t.side) for t in expected
        ]
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


def test_acknowledgement_when_the_market_runs_then_its_time_parts_the_trades_that_are_sent_from_those_that_are_not() -> (
    None
):
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


# Commands.


def test_snapshot_when_asked_for_then_the_newest_trades_come_before_the_live_ones() -> None:
    """At most fifty, marked as a snapshot; they count as no live trades."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange, client(exchange) as c:
        exchange.publish(*[tick(n) for n in range(60)])
        c.subscribe("BTC/USD", snapshot=True)
        message = c.until(channel="trade")
        assert message["type"] == "snapshot"
        assert ids(message["data"]) == list(range(11, 61))
        exchange.publish(tick(61))
        assert c.until(channel="trade")["type"] == "update"
        assert len(exchange.sent(0)) == 1


def test_unsubscribe_when_acknowledged_then_nothing_more_of_it_comes() -> None:
    """Others go on; ending what was never begun is an error."""
    with FakeExchange() as exchange, client(exchange) as c:
        c.subscribe("BTC/USD", "ETH/USD")
        c.send("unsubscribe", params={"channel": "trade", "symbol": ["BTC/USD"]}, req_id=2)
        assert c.until(method="unsubscribe")["success"]
        exchange.publish(tick(1), tick(2, symbol="ETH/USD"))
        assert c.trades(1)[0]["symbol"] == "ETH/USD"
        assert exchange.connections[0].symbols == {"ETH/USD"}
        c.send("unsubscribe", params={"channel": "trade", "symbol": ["BTC/USD"]}, req_id=3)
        assert not c.until(method="unsubscribe")["success"]


def test_subscribe_when_a_symbol_is_unknown_then_is_refused_and_the_others_are_not() -> None:
    """One answer a symbol, in Kraken's words; other spellings are understood."""
    with FakeExchange(market()) as exchange, client(exchange) as c:
        c.subscribe("NO/SUCH", "XBT/USD")
        refused, accepted = c.until(method="subscribe"), c.until(method="subscribe")
        assert refused["error"] == "Currency pair not supported NO/SUCH"
        assert accepted["result"]["symbol"] == "XBT/USD"
        assert c.trades(1)[0]["symbol"] == "BTC/USD"


def test_message_when_malformed_then_is_answered_with_an_error() -> None:
    """And the connection goes on."""
    with FakeExchange() as exchange, client(exchange) as c:
        c.socket.send("{")
        assert c.until()["success"] is False
        c.send("ping")
        assert c.until(method="pong")


def test_message_when_fragmented_then_is_put_together() -> None:
    """A client may send a message in several frames."""
    with FakeExchange() as exchange, client(exchange) as c:
        c.socket.send(iter(['{"method":"pi', 'ng","req_', 'id":5}']))
        assert c.until(method="pong")["req_id"] == 5


def test_candles_when_subscribed_then_each_trade_sends_the_current_one() -> None:
    """It goes on from what the interval had before, and a new interval starts anew."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange, client(exchange) as c:
        exchange.publish(tick(1, 5.0))
        c.subscribe("BTC/USD", channel="ohlc", interval=1)
        assert c.until(method="subscribe")["result"]["interval"] == 1
        exchange.publish(tick(30, 7.0))
        exchange.publish(tick(60, 6.0))
        (first,) = c.until(channel="ohlc")["data"]
        (second,) = c.until(channel="ohlc")["data"]
        assert [first[k] for k in ("open", "high", "low", "close", "volume", "trades", "vwap")] == [5, 7, 5, 7, 2, 2, 6]
        assert [second[k] for k in ("open", "close", "volume", "trades")] == [6, 6, 1, 1]
        assert parse_iso(second["interval_begin"]) == START + 60 * SECOND


def test_candles_when_a_whole_market_is_played_then_the_last_of_each_interval_is_the_true_one() -> None:
    """The candle channel, the REST API and the oracle agree."""
    with FakeExchange(market(600)) as exchange, client(exchange) as c:
        c.subscribe(*SYMBOLS, channel="ohlc", interval=1)
        exchange.wait_finished()
        truth = {(t.symbol, t.open_time): t for t in candles_of(exchange.trades, "1m")}
        last: dict[tuple[str, int], dict[str, Any]] = {}
        messages = 0
        while messages < len(exchange.published):
            for row in c.until(channel="ohlc")["data"]:
                last[row["symbol"], parse_iso(row["interval_begin"])] = row
            messages += 1
        assert last.keys() == truth.keys()
        for key, row in last.items():
            true = truth[key]
            assert (row["open"], row["high"], row["low"], row["close"], row["trades"]) == (
                true.open,
                true.high,
                true.low,
                true.close,
                true.trades,
            )
            assert row["volume"] == pytest.approx(true.volume, abs=1e-8)


def test_candles_when_a_snapshot_is_asked_for_then_the_past_comes_flat_where_nothing_traded() -> None:
    """Kraken's convention for empty intervals; the last one is not over."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange, client(exchange) as c:
        exchange.publish(tick(1, 5.0), tick(130, 6.0))
        c.subscribe("BTC/USD", channel="ohlc", interval=1, snapshot=True)
        message = c.until(channel="ohlc")
        assert message["type"] == "snapshot"
        assert [(row["open"], row["trades"]) for row in message["data"]] == [(5, 1), (5, 0), (6, 1)]


def test_heartbeat_when_nothing_else_is_sent_then_comes_and_only_after_a_subscription() -> None:
    """A line without anything else gets signs of life; one without a subscription gets none."""
    with FakeExchange(heartbeat=0.02) as exchange, client(exchange) as c:
        assert c.receive()["channel"] == "status"
        with pytest.raises(TimeoutError):
            c.receive(timeout=0.2)
        c.subscribe("BTC/USD")
        assert c.until(method="subscribe")
        began = time.monotonic()
        for _ in range(5):
            assert c.until(channel="heartbeat")
        assert time.monotonic() - began > 0.05


def test_heartbeat_when_switched_off_then_none_comes() -> None:
    """For tests of silence."""
    with FakeExchange(heartbeat=0) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        assert c.until(method="subscribe")
        with pytest.raises(TimeoutError):
            c.receive(timeout=0.2)


# REST.


def test_rest_trades_when_paged_then_every_trade_comes_once() -> None:
    """Since is exclusive, a page holds at most a thousand, and the cursor leads on; sweeps are never split."""
    with FakeExchange(market(900), speed=1e6) as exchange:
        exchange.wait_finished()
        since, got = str(START - 1), list[int]()
        while True:
            result = rest(exchange, f"/0/public/Trades?pair=BTC/USD&since={since}")["result"]
            page = [row[6] for row in result["XXBTZUSD"]]
            if not page:
                break
            assert len(page) <= 1000
            got += page
            since = result["last"]
        assert got == [t.trade_id for t in market(900) if t.symbol == "BTC/USD"]
        assert len(got) > 2000
        newest = rest(exchange, "/0/public/Trades?pair=XBTUSD&count=5")["result"]["XXBTZUSD"]
        assert [row[6] for row in newest] == got[-5:]


def test_rest_trades_when_a_page_would_end_between_equal_stamps_then_ends_before_them() -> None:
    """The next page begins after the last stamp: it would miss the rest of them."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        exchange.publish(tick(1), tick(2), tick(2), tick(2), tick(3))
        answers: list[list[int]] = []
        since = str(START - 1)
        for _ in range(3):
            result = rest(exchange, f"/0/public/Trades?pair=XBTUSD&count=2&since={since}")["result"]
            answers.append([row[6] for row in result["XXBTZUSD"]])
            since = result["last"]
        assert answers == [[1], [2, 3, 4], [5]]


def test_rest_candles_when_asked_then_equal_the_oracle_and_end_with_the_running_one() -> None:
    """Flat minutes included; since is exclusive and in seconds."""
    with FakeExchange() as exchange:
        exchange.publish(*market(600))
        now = exchange.time
        truth = candles_of(exchange.trades, "1m", fill="flat", until=now // (60 * SECOND) * 60 * SECOND + 60 * SECOND)
        rows = rest(exchange, "/0/public/OHLC?pair=ADAUSD&interval=1")["result"]["ADAUSD"]
        expected = [t for t in truth if t.symbol == "ADA/USD"]
        assert [(r[0] * SECOND, float(r[1]), float(r[4]), r[7]) for r in rows] == [
            (t.open_time, t.open, t.close, t.trades) for t in expected
        ]
        assert rows[-1][0] * SECOND <= now < (rows[-1][0] + 60) * SECOND
        later = rest(exchange, f"/0/public/OHLC?pair=ADAUSD&interval=1&since={rows[2][0]}")["result"]["ADAUSD"]
        assert later[0] == rows[3]


def test_rest_lag_when_given_then_answers_are_behind_the_market() -> None:
    """A recovery must not trust the first answer."""
    with FakeExchange(symbols=["BTC/USD"], rest_lag=5) as exchange:
        exchange.publish(tick(1), tick(4))
        assert rest(exchange, "/0/public/Trades?pair=XBTUSD")["result"]["XXBTZUSD"] == []
        exchange.advance(3)
        assert [row[6] for row in rest(exchange, "/0/public/Trades?pair=XBTUSD")["result"]["XXBTZUSD"]] == [1]


def test_rest_when_wrong_then_answers_as_kraken_does() -> None:
    """An unknown pair is HTTP 200 with an error; an unknown path is 404."""
    with FakeExchange(market()) as exchange:
        assert rest(exchange, "/0/public/Trades?pair=NOSUCH") == {"error": ["EQuery:Unknown asset pair"]}
        with pytest.raises(urllib.error.HTTPError) as refused:
            rest(exchange, "/0/public/Nothing")
        with closing(refused.value):
            assert refused.value.code == 404


def test_rest_faults_when_scripted_then_strike_the_requests_that_they_name() -> None:
    """Statuses, errors in the venue's form, slow answers and cut connections; each is remembered."""
    faults: list[AnyFault] = [
        RestStatus(429, retry_after=3, request=0),
        RestError(request=1),
        SlowRest(0.1, request=2),
        DropRest(request={3}),
    ]
    path = "/0/public/Trades?pair=XBTUSD&since=5"
    with FakeExchange(market(), faults=faults) as exchange:
        with pytest.raises(urllib.error.HTTPError) as refused:
            rest(exchange, path)
        with closing(refused.value):
            assert (refused.value.code, refused.value.headers["Retry-After"]) == (429, "3")
        assert rest(exchange, path)["error"] == ["EAPI:Rate limit exceeded"]
        began = time.monotonic()
        assert rest(exchange, path)["error"] == []
        assert time.monotonic() - began >= 0.1
        with pytest.raises(OSError):
            rest(exchange, path)
        assert rest(exchange, path)["error"] == []
        assert [request.status for request in exchange.rest_requests] == [429, 200, 200, 0, 200]
        assert exchange.rest_requests[0].query == {"pair": "XBTUSD", "since": "5"}


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
    with FakeExchange() as exchange, pytest.raises(InvalidStatus) as refused:
        with client(exchange, uri=exchange.url.replace("/v2", "/v1")):
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
    with FakeExchange(market(), faults=[StallAfter(10, probes=True)], heartbeat=0.02) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            assert len(c.trades(10)) == 10
            assert c.socket.ping().wait(SOON)
            c.send("ping", req_id=3)
            assert c.receive() == {**c_pong(exchange), "req_id": 3}
            assert (exchange.connections[0].pongs, exchange.connections[0].probes) == (1, 1)


def c_pong(exchange: FakeExchange) -> dict[str, Any]:
    """Return the pong of now."""
    now = json.loads(exchange._running.options.format.pong(Ping(), exchange.time, exchange.time))
    return cast("dict[str, Any]", now)


def test_stall_when_the_market_has_no_clock_then_waits_for_another_client() -> None:
    """A client that has not noticed yet must not cost it the whole market."""
    with FakeExchange(market(), absence=5, faults=[StallAfter(10, connection=0)]) as exchange:
        with client(exchange, close_timeout=0.1) as c:
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
    """A client with a limit closes with 1009; that is remembered."""
    with FakeExchange(market(), faults=[HugeFrame(5, size_bytes=200_000)]) as exchange:
        with client(exchange) as c:
            c.subscribe(*SYMBOLS)
            assert len(json.dumps(c.until(channel="huge"), separators=(",", ":"))) == 200_000
        with client(exchange, max_size=100_000) as c:
            c.subscribe(*SYMBOLS)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    c.receive()
            assert closed.value.sent is not None
            assert closed.value.sent.code == 1009
        exchange.wait_until(lambda: exchange.connections[1].close_code == 1009)


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
    with FakeExchange([tick(1), tick(2), tick(3)], faults=[Reorder(2, overtaken_by=5)]) as exchange:
        with client(exchange) as c:
            c.subscribe("BTC/USD")
            assert ids(c.trades(3)) == [1, 2, 3]


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
    with FakeExchange(symbols=["BTC/USD"], speed=1.0, max_pending_bytes=100_000) as exchange, client(exchange, max_queue=4) as c:
        c.subscribe("BTC/USD")
        exchange.wait_until(lambda: exchange.connections[0].symbols)
        batch = [tick(n / 100) for n in range(500)]

        def cut() -> bool:
            exchange.publish(*batch)
            return exchange.connections[0].cut_by == "slow"

        exchange.wait_until(cut, timeout=30)


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
    authority.issue_cert("feed.example.test").configure_cert(server)
    authority.configure_trust(trusting)
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
    trustme.CA().issue_cert("feed.example.test").configure_cert(server)
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
