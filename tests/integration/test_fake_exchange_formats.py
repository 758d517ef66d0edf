"""``FakeExchange``: what venues do otherwise than Kraken, each shown by a format that differs from Kraken's in that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from plain_client import SECOND, START, Client, client, ids, market, rest, tick

from rxstreams.items import PriceTick
from rxstreams.testing import FakeExchange, Market, RefuseSymbols, SlowAck, TrueCandle
from rxstreams.testing.formats import Command, KrakenFormat, Ping, Subscribe

MINUTE = 60 * SECOND


class Milliseconds(KrakenFormat):
    """A venue that writes milliseconds."""

    resolution = 10**6


class OneByOne(KrakenFormat):
    """A venue that puts one item into a message, and has snapshots of three."""

    items_per_message: int | None = 1
    snapshot_trades = 3


class NoSnapshots(KrakenFormat):
    """A venue without snapshots."""

    snapshot_trades = 0
    snapshot_candles = 0


class AllOrNothing(KrakenFormat):
    """A venue that refuses a request as a whole."""

    refuses_whole = True


class TakesAnything(KrakenFormat):
    """A venue that says nothing about symbols that it does not have."""

    accepts_unknown = True


class InOneGo(KrakenFormat):
    """A venue that answers a request with one message for all symbols that are accepted, and one for the others."""

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message."""
        return [json.dumps({"method": "yes", "symbols": list(symbols)}).encode()]

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message."""
        return [json.dumps({"method": "no", "symbols": list(symbols), "reason": reason}).encode()]


class Closing(KrakenFormat):
    """A venue whose candles say whether they are closed, in messages of one candle."""

    closes_candles = True
    items_per_message: int | None = 1
    fill: Literal["skip", "flat"] = "skip"

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return minute, close, trades and the flag."""
        (row,) = rows
        minute = (row.open_time - START) // MINUTE
        data = [row.symbol, minute, row.close, row.trades, row.close_time <= time]
        return json.dumps({"channel": "snapshot" if snapshot else "candle", "data": data}).encode()


class ClosingFlat(Closing):
    """The same, with flat candles where nothing was traded."""

    fill: Literal["skip", "flat"] = "flat"


class PlainText(KrakenFormat):
    """A venue with a ping of four letters, and a path of nothing."""

    path = ""

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says."""
        return Ping() if message == b"ping" else super().decode(message)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Return the answer."""
        return b"pong"


class Perpetuals(KrakenFormat):
    """A venue of perpetuals and futures."""

    def spellings(self, symbol: str) -> set[str]:
        """Return the venue's names: BTC-PERP, BTC-251226."""
        base, _, contract = symbol.partition("/")
        _, _, expiry = contract.partition("-")
        return {f"{base}-{expiry or 'PERP'}"}


def test_resolution_when_coarse_then_stamps_and_truth_are_cut_to_it() -> None:
    """What a test compares with has the venue's resolution too, and the first trade is none of the past."""
    ticks = [tick(0.0001), tick(1.2345678), tick(1.2349)]
    with FakeExchange(ticks, format=Milliseconds()) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        rows = c.trades(3)
        exchange.publish(tick(2.00099))
        rows += c.trades(1)
        assert [row["timestamp"][17:] for row in rows] == ["00.000000Z", "01.234000Z", "01.234000Z", "02.000000Z"]
        assert [t.timestamp - START for t in exchange.trades] == [0, 1_234_000_000, 1_234_000_000, 2 * SECOND]


def test_resolution_when_a_market_is_played_then_nothing_of_it_is_in_the_past() -> None:
    """A trade within the first millisecond is stamped with the market's start itself."""
    source = Market(["BTC/USD"], seed=3, rate=5_000, duration=5)
    assert next(iter(source)).timestamp < START + 10**6
    with FakeExchange(source, format=Milliseconds()) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        exchange.wait_finished()
        assert len(exchange.published) > 100
        assert exchange.sent(0) == exchange.trades
        assert all(trade.timestamp % 10**6 == 0 for trade in exchange.trades)


def test_messages_when_they_hold_one_item_then_trades_and_snapshots_are_split() -> None:
    """In order, each of them counted."""
    with FakeExchange(symbols=["BTC/USD"], format=OneByOne()) as exchange, client(exchange) as c:
        exchange.publish(*[tick(n) for n in range(5)])
        c.subscribe("BTC/USD", snapshot=True)
        snapshot = [c.until(channel="trade") for _ in range(3)]
        exchange.publish(tick(6), tick(7))
        live = [c.until(channel="trade") for _ in range(2)]
        assert [m["type"] for m in snapshot + live] == ["snapshot"] * 3 + ["update"] * 2
        assert [ids(m["data"]) for m in snapshot + live] == [[3], [4], [5], [6], [7]]
        assert [t.trade_id for t in exchange.sent(0)] == [6, 7]


def test_candles_when_messages_hold_one_item_then_a_snapshot_is_split() -> None:
    """Each message has one candle."""
    with FakeExchange(symbols=["BTC/USD"], format=OneByOne()) as exchange, client(exchange) as c:
        exchange.publish(tick(1, 5.0), tick(130, 6.0))
        c.subscribe("BTC/USD", channel="ohlc", interval=1, snapshot=True)
        messages = [c.until(channel="ohlc") for _ in range(3)]
        assert [m["type"] for m in messages] == ["snapshot"] * 3
        assert [(row["open"], row["trades"]) for m in messages for row in m["data"]] == [(5, 1), (5, 0), (6, 1)]


def test_snapshot_when_the_venue_has_none_then_none_comes() -> None:
    """Not all of the past instead."""
    with FakeExchange(symbols=["BTC/USD"], format=NoSnapshots()) as exchange, client(exchange) as c:
        exchange.publish(tick(1), tick(2))
        c.subscribe("BTC/USD", snapshot=True)
        c.subscribe("BTC/USD", channel="ohlc", interval=1, snapshot=True)
        assert c.until(method="subscribe")["success"]
        assert c.until(method="subscribe")["success"]
        exchange.publish(tick(3))
        assert c.receive()["type"] == "update"
        assert c.receive()["type"] == "update"


def test_subscribe_when_a_venue_refuses_as_a_whole_then_nothing_of_the_request_takes_effect() -> None:
    """The bad ones come first in the refusal; another request is taken."""
    with FakeExchange(market(), format=AllOrNothing()) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD", "NO/SUCH", "ETH/USD")
        answers = [c.until(method="subscribe") for _ in range(3)]
        assert [(a["success"], a["symbol"]) for a in answers] == [
            (False, "NO/SUCH"),
            (False, "BTC/USD"),
            (False, "ETH/USD"),
        ]
        assert exchange.connections[0].symbols == set()
        c.subscribe("ETH/USD")
        assert c.until(method="subscribe")["success"]
        exchange.wait_finished()
        assert {t.symbol for t in exchange.sent(0)} == {"ETH/USD"}


def test_subscribe_when_a_fault_refuses_one_then_a_venue_refuses_all() -> None:
    """With the fault's reason; also when the trades would come before the answer."""
    faults = [RefuseSymbols(["ETH/USD"], "Not now"), SlowAck(0.01, data="before")]
    with FakeExchange(market(), format=AllOrNothing(), faults=faults) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD", "ETH/USD")
        answers = [c.until(method="subscribe") for _ in range(2)]
        assert [(a["error"], a["symbol"]) for a in answers] == [("Not now", "ETH/USD"), ("Not now", "BTC/USD")]
        assert exchange.connections[0].symbols == set()


def test_unsubscribe_when_one_was_never_subscribed_then_the_others_end_all_the_same() -> None:
    """Only beginnings are refused as a whole."""
    with FakeExchange(symbols=["BTC/USD", "ETH/USD"], format=AllOrNothing()) as exchange, client(exchange) as c:
        c.subscribe("BTC/USD")
        assert c.until(method="subscribe")["success"]
        c.send("unsubscribe", params={"channel": "trade", "symbol": ["ETH/USD", "BTC/USD"]}, req_id=3)
        assert [c.until(method="unsubscribe")["success"] for _ in range(2)] == [False, True]
        assert exchange.connections[0].symbols == set()


def test_subscribe_when_a_venue_accepts_unknown_symbols_then_they_have_no_effect() -> None:
    """They are acknowledged like any other; a fault still refuses."""
    faults = [RefuseSymbols(["ETH/USD"], "Not now")]
    with FakeExchange(market(), format=TakesAnything(), faults=faults) as exchange, client(exchange) as c:
        c.subscribe("NO/SUCH", "BTC/USD", "ETH/USD")
        answers = [c.until(method="subscribe") for _ in range(3)]
        assert [a["success"] for a in answers] == [True, True, False]
        assert exchange.connections[0].symbols == {"BTC/USD"}
        c.send("unsubscribe", params={"channel": "trade", "symbol": ["NO/SUCH", "BTC/USD"]}, req_id=3)
        assert [c.until(method="unsubscribe")["success"] for _ in range(2)] == [True, True]
        assert exchange.connections[0].symbols == set()


def test_answers_when_a_request_has_several_symbols_then_each_kind_is_asked_for_once() -> None:
    """All that are accepted, and all that are refused for one reason, as the client spelt them."""
    faults = [RefuseSymbols(["ADA/USD"], "Not now")]
    with FakeExchange(market(), format=InOneGo(), faults=faults) as exchange, client(exchange) as c:
        c.subscribe("XBT/USD", "NO/SUCH", "ETHUSD", "ADA/USD", "NEI/THER")
        assert c.until(method="yes")["symbols"] == ["XBT/USD", "ETHUSD"]
        refused = [c.until(method="no") for _ in range(2)]
        assert [(a["symbols"], a["reason"]) for a in refused] == [
            (["NO/SUCH", "NEI/THER"], None),
            (["ADA/USD"], "Not now"),
        ]


def candles_until(c: Client, count: int, channel: str = "candle") -> list[list[Any]]:
    """Return the next candles: symbol, minute, close, trades, closed."""
    return [c.until(channel=channel)["data"] for _ in range(count)]


def test_candles_when_the_venue_flags_the_end_then_it_comes_before_the_next_interval() -> None:
    """Without a clock a trade of any symbol ends the candles of all."""
    with FakeExchange(symbols=["A/USD", "B/USD"], format=Closing()) as exchange, client(exchange) as c:
        c.subscribe("A/USD", "B/USD", channel="ohlc", interval=1)
        assert c.until(method="subscribe")["success"]
        assert c.until(method="subscribe")["success"]
        exchange.publish(tick(1, 5.0, symbol="A/USD"), tick(2, 6.0, symbol="B/USD"), tick(61, 7.0, symbol="A/USD"))
        assert candles_until(c, 5) == [
            ["A/USD", 0, 5.0, 1, False],
            ["B/USD", 0, 6.0, 1, False],
            ["B/USD", 0, 6.0, 1, True],
            ["A/USD", 0, 5.0, 1, True],
            ["A/USD", 1, 7.0, 1, False],
        ]
        exchange.advance(3600)
        assert candles_until(c, 1) == [["A/USD", 1, 7.0, 1, True]]
        c.send("unsubscribe", params={"channel": "ohlc", "interval": 1, "symbol": ["A/USD"]}, req_id=3)
        assert c.until(method="unsubscribe")["success"]
        exchange.publish(tick(3700, 8.0, symbol="A/USD"), tick(3701, 9.0, symbol="B/USD"))
        assert candles_until(c, 1) == [["B/USD", 61, 9.0, 1, False]]


def test_candles_when_empty_intervals_are_flat_then_their_ends_come_too() -> None:
    """And the snapshot says what is over."""
    with FakeExchange(symbols=["A/USD"], format=ClosingFlat()) as exchange, client(exchange) as c:
        exchange.publish(tick(1, 5.0, symbol="A/USD"))
        exchange.advance(65)
        c.subscribe("A/USD", channel="ohlc", interval=1, snapshot=True)
        assert candles_until(c, 2, "snapshot") == [["A/USD", 0, 5.0, 1, True], ["A/USD", 1, 5.0, 0, False]]
        exchange.advance(60)
        assert candles_until(c, 1) == [["A/USD", 1, 5.0, 0, True]]
        exchange.publish(tick(200, 6.0, symbol="A/USD"))
        assert candles_until(c, 2) == [["A/USD", 2, 5.0, 0, True], ["A/USD", 3, 6.0, 1, False]]


def test_candles_when_a_clock_runs_then_they_end_by_it() -> None:
    """Nobody has to trade."""
    with (
        FakeExchange([tick(30, 5.0)], symbols=["BTC/USD"], format=Closing(), start=START, speed=100, wait_for=1) as e,
        client(e) as c,
    ):
        c.subscribe("BTC/USD", channel="ohlc", interval=1)
        (row,) = candles_until(c, 1)
        if not row[-1]:  # on a busy machine the trade itself may come as late as the end
            (row,) = candles_until(c, 1)
        assert row == ["BTC/USD", 0, 5.0, 1, True]
        assert e.time >= START + MINUTE


def test_ping_when_it_is_plain_text_then_is_answered_with_that() -> None:
    """And a venue's socket may have no path."""
    with FakeExchange(format=PlainText()) as exchange, client(exchange) as c:
        assert c.receive()["channel"] == "status"
        c.socket.send("ping")
        assert c.socket.recv(5) == "pong"
        assert exchange.connections[0].probes == 1


def test_symbols_when_they_are_derivatives_then_are_found_by_their_spelling() -> None:
    """Perpetuals and dated futures."""
    perpetual, future = "BTC/USDT:USDT", "BTC/USDT:USDT-251226"
    with FakeExchange(symbols=[perpetual, future], format=Perpetuals()) as exchange, client(exchange) as c:
        c.subscribe("BTC-251226", "BTC-PERP")
        assert [c.until(method="subscribe")["success"] for _ in range(2)] == [True, True]
        exchange.publish(tick(1, symbol=perpetual), tick(2, symbol=future))
        assert [row["symbol"] for row in c.trades(2)] == [perpetual, future]
        answer = rest(exchange, "/0/public/Trades?pair=BTC-PERP")["result"]
        rows = next(value for key, value in answer.items() if key != "last")
        assert ids([{"trade_id": row[6]} for row in rows]) == [1]


def test_rest_symbols_when_asked_then_all_are_there() -> None:
    """Kraken's list of pairs has REST's names and the old ones."""
    with FakeExchange(market()) as exchange:
        pairs = rest(exchange, "/0/public/AssetPairs")["result"]
        assert {name: pair["wsname"] for name, pair in pairs.items()} == {
            "XXBTZUSD": "XBT/USD",
            "XETHZUSD": "ETH/USD",
            "ADAUSD": "ADA/USD",
        }


def test_trades_when_ids_are_text_then_count_on_from_there_only_where_they_are_numbers() -> None:
    """A recording keeps its ids; what comes without one gets the next."""
    ticks: list[PriceTick] = [tick(1, trade_id="7"), tick(2)]
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        exchange.publish(*ticks)
        assert [t.trade_id for t in exchange.trades] == ["7", 1]
