"""``FakeExchange``: what it answers to commands and to REST requests, in Kraken's words."""

from __future__ import annotations

import time
import urllib.error
from contextlib import closing
from typing import Any

import pytest
from plain_client import SECOND, START, SYMBOLS, client, ids, market, rest, tick

from rxstreams.instants import parse_iso
from rxstreams.testing import (
    AnyFault,
    DropRest,
    FakeExchange,
    RestError,
    RestStatus,
    SlowRest,
    candles_of,
)
from rxstreams.testing._rest import RestWindow

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


def test_rest_limit_when_given_then_more_are_refused() -> None:
    """What is refused is struck by no fault."""
    path = "/0/public/Trades?pair=XBTUSD"
    with FakeExchange(market(), rest_limit=(2, 3600), faults=[RestStatus(500, request={2, 3})]) as exchange:
        assert rest(exchange, path)["error"] == rest(exchange, path)["error"] == []
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError) as refused:
                rest(exchange, path)
            with closing(refused.value):
                assert refused.value.code == 429
                assert 3500 < int(refused.value.headers["Retry-After"]) <= 3600
        assert [request.status for request in exchange.rest_requests] == [200, 200, 429, 429]
        assert exchange.rest_refused == 2


def test_rest_window_when_time_passes_then_takes_more() -> None:
    """Two in any ten seconds; what is refused is not counted."""
    window = RestWindow((2, 10.0))
    answers = [window.take(now) for now in (0.0, 4.0, 5.0, 9.0, 10.0, 13.0, 14.0)]
    assert answers == [None, None, 5.0, 1.0, None, 1.0, None]
    assert window.refused == 3
    assert RestWindow(None).take(0.0) is None
