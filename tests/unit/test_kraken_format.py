"""Kraken's wire format as the fake exchange writes it: equal to the documentation, and the inverse of the parser."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstreams.errors import SubscriptionError
from rxstreams.instants import format_instant, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Rejected
from rxstreams.testing.candles import TrueCandle, candles_of
from rxstreams.testing.formats import (
    BadQuery,
    CandlesQuery,
    KrakenFormat,
    Malformed,
    Ping,
    Subscribe,
    TradesQuery,
)
from rxstreams.timeframe import Timeframe

FORMAT = KrakenFormat()
VENUE = Kraken()
TRADES = TradesQuery(symbol="BTC/USD", limit=1000)
MINUTES = CandlesQuery(symbol="BTC/USD", minutes=1, limit=720)
TIME_IN = parse_iso("2023-09-25T09:04:31.742599Z")
TIME_OUT = parse_iso("2023-09-25T09:04:31.742648Z")


def tick(price: float = 105944.2, volume: float = 0.00027625, **fields: Any) -> PriceTick:
    """Make the trade of Kraken's documentation."""
    fields = {
        "symbol": "BTC/USD",
        "timestamp": parse_iso("2023-10-06T17:35:55.440295Z"),
        "side": "buy",
        "trade_id": 10218208,
        **fields,
    }
    return PriceTick(price=price, volume=volume, **fields)


def subscribe(*, active: bool = True) -> Subscribe:
    """Make a subscription to trades, or its end."""
    return Subscribe(kind="trades", symbols=("BTC/USD",), request=1, active=active)


def test_trades_of_the_documentation_when_encoded_then_equal_it(recordings: Path) -> None:
    """What the server writes is what Kraken's documentation shows, field by field."""
    shown = json.loads((recordings / "messages/kraken/ws_trade_update.json").read_text())
    ticks = [
        tick(),
        tick(105910.5, 0.0001246, side="sell", trade_id=10218209, timestamp=parse_iso("2023-10-06T17:35:56.123456Z")),
    ]
    written = json.loads(FORMAT.trades(ticks))
    for message in (shown, written):
        for row in message["data"]:
            del row["ord_type"]  # nobody here uses it
    assert written == shown


def test_trades_when_a_snapshot_then_type_says_so() -> None:
    """A snapshot repeats old trades, and its type is how a client knows."""
    assert json.loads(FORMAT.trades([tick()], snapshot=True))["type"] == "snapshot"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "2023-10-06T17:35:55.000000Z"),
        (440_295_000, "2023-10-06T17:35:55.440295Z"),
        (440_295_001, "2023-10-06T17:35:55.440295001Z"),
        (1, "2023-10-06T17:35:55.000000001Z"),
    ],
)
def test_timestamp_when_encoded_then_has_six_digits_or_the_nine_it_needs(nanoseconds: int, text: str) -> None:
    """No digit is lost, and no digit is written that Kraken would not write."""
    stamp = parse_iso("2023-10-06T17:35:55Z") + nanoseconds
    assert json.loads(FORMAT.trades([tick(timestamp=stamp)]))["data"][0]["timestamp"] == text


@given(
    price=st.floats(min_value=1e-8, max_value=1e12),
    volume=st.floats(min_value=0.0, max_value=1e12),
    stamp=st.integers(min_value=0, max_value=4_000_000_000_000_000_000),
    side=st.sampled_from(["buy", "sell"]),
    trade_id=st.integers(min_value=1, max_value=2**53),
)
def test_trades_when_parsed_by_the_venue_then_nothing_is_lost(
    price: float, volume: float, stamp: int, side: str, trade_id: int
) -> None:
    """The format is the inverse of the venue's parser, to the last bit and the last nanosecond."""
    sent = tick(price, volume, timestamp=stamp, side=side, trade_id=trade_id)
    (parsed,) = VENUE.parse(FORMAT.trades([sent]))
    assert isinstance(parsed, PriceTick)
    for name in ("symbol", "price", "volume", "timestamp", "side", "trade_id"):
        assert getattr(parsed, name) == getattr(sent, name)


@given(
    price=st.integers(min_value=1, max_value=10**9).map(lambda units: units / 100),
    volume=st.integers(min_value=1, max_value=10**12).map(lambda units: units / 10**8),
    micros=st.integers(min_value=10**14, max_value=2**31 * 10**6 - 1),
    side=st.sampled_from(["buy", "sell"]),
)
def test_rest_trades_when_parsed_by_the_venue_then_nothing_is_lost(
    price: float, volume: float, micros: int, side: str
) -> None:
    """Whole microseconds survive REST's times, which are finer, and floats of seconds: until 2038 fine enough."""
    sent = tick(price, volume, timestamp=micros * 1000, side=side)
    page = VENUE.parse_rest_trades("BTC/USD", FORMAT.rest_trades("BTC/USD", [sent], TRADES, more=False), None)
    (parsed,) = page.items
    for name in ("symbol", "price", "volume", "timestamp", "side", "trade_id"):
        assert getattr(parsed, name) == getattr(sent, name)


def test_rest_trades_when_encoded_from_recorded_ones_then_equal_them(recordings: Path) -> None:
    """A thousand real trades come out as Kraken sent them; of their times the digits that the WebSocket has too."""
    body = (recordings / "kraken_rest/http_trades.json").read_bytes()
    recorded = json.loads(body)["result"]["XBTUSDT"]
    ticks = VENUE.parse_rest_trades("BTC/USDT", body, None).items
    written = json.loads(FORMAT.rest_trades("BTC/USDT", ticks, TRADES, more=False))["result"]["XBTUSDT"]
    assert len(written) == len(recorded) == 1000
    for ours, theirs in zip(written, recorded, strict=True):
        assert (float(ours[0]), float(ours[1]), ours[3], ours[6]) == (
            float(theirs[0]),
            float(theirs[1]),
            theirs[3],
            theirs[6],
        )
        assert f"{ours[2]:.9f}"[:-3] == f"{Decimal(str(theirs[2])):.9f}"[:-3]


def test_rest_candles_when_made_of_recorded_trades_then_equal_krakens(recordings: Path) -> None:
    """Each candle between the first and the last recorded trade is Kraken's own, flat minutes included."""
    ticks = VENUE.parse_rest_trades("BTC/USDT", (recordings / "kraken_rest/http_trades.json").read_bytes(), None).items
    theirs = json.loads((recordings / "kraken_rest/http_ohlc.json").read_text())["result"]["XBTUSDT"]
    rows = candles_of(ticks, "1m", fill="flat", until=ticks[-1].timestamp)[1:-1]
    ours = {
        row[0]: row
        for row in json.loads(FORMAT.rest_candles("BTC/USDT", rows, MINUTES, now=0, more=False))["result"]["XBTUSDT"]
    }
    compared = [row for row in theirs if row[0] in ours]
    assert len(compared) == len(ours)
    flat = 0
    for row in compared:
        mine = ours[row[0]]
        assert [float(v) for v in mine[1:5]] == [float(v) for v in row[1:5]]
        assert float(mine[6]) == pytest.approx(float(row[6]), abs=1e-9)
        assert mine[7] == row[7]
        assert float(mine[5]) == pytest.approx(float(row[5]), abs=0.1)
        flat += row[7] == 0
    assert (len(compared) - flat, flat) == (272, 137)


def test_rest_candles_when_encoded_then_last_is_the_last_one_that_is_over() -> None:
    """Kraken's cursor names the last committed interval, not the running one."""
    rows = candles_of([tick(timestamp=0), tick(timestamp=61 * 10**9)], "1m")
    assert json.loads(FORMAT.rest_candles("BTC/USD", rows, MINUTES, now=61 * 10**9, more=False))["result"]["last"] == 0


def test_candles_of_the_documentation_when_encoded_then_equal_it(recordings: Path) -> None:
    """The channel "ohlc" as Kraken's documentation shows it."""
    shown = json.loads((recordings / "messages/kraken/ws_ohlc_update.json").read_text())
    row = shown["data"][0]
    begin = parse_iso(row["interval_begin"])
    candle = TrueCandle(
        exchange="kraken",
        symbol="BTC/USD",
        open_time=begin,
        close_time=begin + 60 * 10**9,
        **{name: row[name] for name in ("open", "high", "low", "close", "volume", "trades")},
        quote_volume=row["vwap"] * row["volume"],
        buy_volume=0.0,
    )
    written = json.loads(FORMAT.candles([candle], 1, time=begin))
    assert written.pop("timestamp") == "2023-10-04T16:25:00.000000Z"
    assert written["data"][0].pop("timestamp") == "2023-10-04T16:26:00.000000Z"
    assert written == shown


def test_candles_when_parsed_by_the_venue_then_nothing_is_lost() -> None:
    """The candle channel is the inverse of the venue's parser."""
    ticks = [tick(p, v, timestamp=t * 10**9) for p, v, t in ((10.5, 1.25, 0), (11.0, 0.5, 30), (9.75, 2.0, 59))]
    (row,) = candles_of(ticks, "1m")
    (parsed,) = VENUE.parse(FORMAT.candles([row], 1, time=0))
    assert isinstance(parsed, OHLCCandle)
    assert (parsed.open, parsed.high, parsed.low, parsed.close) == (10.5, 11.0, 9.75, 9.75)
    assert (parsed.open_time, parsed.close_time, parsed.volume, parsed.trades) == (0, 60 * 10**9, 3.75, 3)


@pytest.mark.parametrize("timeframe", [None, Timeframe("5m")])
@pytest.mark.parametrize("active", [True, False])
def test_subscribe_frames_of_the_venue_when_decoded_then_are_understood(
    timeframe: Timeframe | None, active: bool
) -> None:
    """What our client writes is what the fake server reads."""
    channel = Channel("trades") if timeframe is None else Channel("candles", timeframe)
    frame = VENUE.subscribe_frame if active else VENUE.unsubscribe_frame
    command = FORMAT.decode(frame(channel, ["BTC/USD", "ETH/USD"], 7).encode())
    assert isinstance(command, Subscribe)
    assert command.symbols == ("BTC/USD", "ETH/USD")
    assert (command.kind, command.request, command.active) == (channel.kind, 7, active)
    assert command.minutes == (5 if timeframe else 0)
    assert not (active and command.snapshot)


def test_subscribe_when_it_says_nothing_of_a_snapshot_then_wants_one() -> None:
    """Kraken's default is a snapshot."""
    command = FORMAT.decode(b'{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}')
    assert command == Subscribe(kind="trades", symbols=("BTC/USD",), snapshot=True)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"method":"subscribe"}',
        b'{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}',
        b'{"method":"subscribe","params":{"channel":"trade","symbol":"BTC/USD"}}',
        b'{"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USD"],"interval":7}}',
        b'{"method":"dance"}',
    ],
)
def test_messages_that_kraken_does_not_take_when_decoded_then_are_malformed_and_answered(message: bytes) -> None:
    """A client's mistake gets an error, not silence."""
    command = FORMAT.decode(message)
    assert isinstance(command, Malformed)
    answer = json.loads(FORMAT.complain(command, TIME_IN, TIME_OUT) or b"")
    assert answer["success"] is False
    assert answer["error"]


def test_acknowledgement_when_written_then_equals_the_documentation_and_the_venue_understands_it() -> None:
    """One message a symbol, with both times."""
    first, second = FORMAT.acknowledge(subscribe(), ["BTC/USD", "ETH/USD"], TIME_IN, TIME_OUT)
    assert json.loads(first) == {
        "method": "subscribe",
        "req_id": 1,
        "result": {"channel": "trade", "snapshot": False, "symbol": "BTC/USD"},
        "success": True,
        "time_in": "2023-09-25T09:04:31.742599Z",
        "time_out": "2023-09-25T09:04:31.742648Z",
    }
    assert list(VENUE.parse(second)) == [Acknowledged(symbols=("ETH/USD",), time=TIME_OUT, request=1)]


def test_refusal_when_written_then_equals_the_documentation_and_the_venue_understands_it() -> None:
    """The reason is Kraken's own unless a test gives another."""
    (message,) = FORMAT.refuse(subscribe(), ["ABC/USD"], None, TIME_IN, TIME_OUT)
    assert json.loads(message) == {
        "error": "Currency pair not supported ABC/USD",
        "method": "subscribe",
        "req_id": 1,
        "success": False,
        "symbol": "ABC/USD",
        "time_in": "2023-09-25T09:04:31.742599Z",
        "time_out": "2023-09-25T09:04:31.742648Z",
    }
    (parsed,) = VENUE.parse(message)
    assert parsed == Rejected(symbols=("ABC/USD",), reason="Currency pair not supported ABC/USD", request=1)
    (other,) = FORMAT.refuse(subscribe(), ["ABC/USD"], "Too many", TIME_IN, TIME_OUT)
    assert json.loads(other)["error"] == "Too many"


def test_end_of_a_subscription_when_acknowledged_then_the_venue_understands_it() -> None:
    """The answer to "unsubscribe" names its method and has no snapshot."""
    (message,) = FORMAT.acknowledge(subscribe(active=False), ["BTC/USD"], TIME_IN, TIME_OUT)
    assert "snapshot" not in json.loads(message)["result"]
    (parsed,) = VENUE.parse(message)
    assert isinstance(parsed, Acknowledged)
    assert not parsed.subscribed


def test_ping_when_decoded_and_answered_then_equals_the_documentation() -> None:
    """The application's ping and its pong; and the venue's own probe is one."""
    assert FORMAT.decode(b'{"method":"ping","req_id":42}') == Ping(request=42)
    probe = VENUE.probe_frame(42)
    assert probe is not None
    assert FORMAT.decode(probe.encode()) == Ping(request=42)
    pong = FORMAT.pong(Ping(request=42), TIME_IN, TIME_OUT)
    assert json.loads(pong) == {
        "method": "pong",
        "req_id": 42,
        "time_in": format_instant(TIME_IN),
        "time_out": format_instant(TIME_OUT),
    }
    assert list(VENUE.parse(pong)) == [Heartbeat()]


def test_greeting_and_heartbeat_when_parsed_by_the_venue_then_are_no_data() -> None:
    """Neither is an error, a tick or an unknown message."""
    assert list(VENUE.parse(FORMAT.greeting(3) or b"")) == []
    assert list(VENUE.parse(FORMAT.heartbeat() or b"")) == [Heartbeat()]


@pytest.mark.parametrize(
    ("symbol", "spelling"),
    [
        ("BTC/USD", "BTC/USD"),
        ("BTC/USD", "XBT/USD"),
        ("BTC/USD", "XBTUSD"),
        ("BTC/USD", "BTCUSD"),
        ("BTC/USD", "XXBTZUSD"),
        ("BTC/USDT", "XBTUSDT"),
        ("XBT/USDT", "BTC/USDT"),
        ("ETH/BTC", "ETHXBT"),
        ("DOGE/USD", "XDGUSD"),
        ("ETH/USD", "XETHZUSD"),
        ("SOL/USD", "SOLUSD"),
    ],
)
def test_spellings_when_asked_then_hold_those_that_clients_use(symbol: str, spelling: str) -> None:
    """Old and new names, with a slash and without, and REST's own."""
    assert spelling in FORMAT.spellings(symbol)


def test_rest_query_when_for_trades_then_seconds_and_nanoseconds_are_understood() -> None:
    """Kraken takes both; what is too small for nanoseconds is seconds."""
    path = "/0/public/Trades"
    assert FORMAT.rest_query(path, {"pair": "XBTUSD"}, b"") == TradesQuery(symbol="XBTUSD", limit=1000, newest=True)
    query = {"pair": "XBTUSD", "since": "1762820035", "count": "10"}
    assert FORMAT.rest_query(path, query, b"") == TradesQuery(
        symbol="XBTUSD", since=1_762_820_035 * 10**9, limit=10, whole_stamps=True
    )
    query["since"] = "1762820035982277754"
    assert FORMAT.rest_query(path, query, b"") == TradesQuery(
        symbol="XBTUSD", since=1_762_820_035_982_278_000, limit=10, whole_stamps=True
    )


def test_rest_query_when_it_goes_on_after_a_page_then_begins_behind_its_last_instant() -> None:
    """By the exact times, of which a page has the last one in its cursor."""
    last = tick(timestamp=1_762_820_035_982_277_000)
    cursor = json.loads(FORMAT.rest_trades("BTC/USD", [last], TRADES, more=True))["result"]["last"]
    for since, first in ((int(cursor), last.timestamp + 1000), (int(cursor) - 1, last.timestamp)):
        query = FORMAT.rest_query("/0/public/Trades", {"pair": "XBTUSD", "since": str(since)}, b"")
        assert isinstance(query, TradesQuery)
        assert query.since == first


def test_rest_query_when_for_candles_then_since_is_in_seconds() -> None:
    """The interval is in minutes and one by default; of more than 720 the newest are given."""
    query = FORMAT.rest_query("/0/public/OHLC", {"pair": "XBTUSD", "since": "60"}, b"")
    assert query == CandlesQuery(symbol="XBTUSD", minutes=1, since=60 * 10**9 + 1, limit=720, newest=True)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/0/public/Depth", {"pair": "XBTUSD"}, 404),
        ("/0/public/Trades", {}, 200),
        ("/0/public/Trades", {"pair": "XBTUSD", "since": "yesterday"}, 200),
        ("/0/public/Trades", {"pair": "XBTUSD", "count": "1001"}, 200),
        ("/0/public/OHLC", {"pair": "XBTUSD", "interval": "7"}, 200),
    ],
)
def test_rest_query_when_wrong_then_is_refused(path: str, query: dict[str, str], status: int) -> None:
    """Errors come with HTTP 200 and a list, as Kraken sends them."""
    answer = FORMAT.rest_query(path, query, b"")
    assert isinstance(answer, BadQuery)
    assert answer.status == status


def test_rest_error_when_the_pair_is_unknown_then_the_venue_says_so() -> None:
    """The venue turns Kraken's error into its own."""
    status, body = FORMAT.rest_error(None)
    assert status == 200
    assert json.loads(body) == {"error": ["EQuery:Unknown asset pair"]}
    with pytest.raises(SubscriptionError):
        VENUE.parse_rest_trades("ABC/USD", body, None)


def test_side_when_unknown_then_some_side_is_written() -> None:
    """Kraken always names a side; a tick without one gets one."""
    (parsed,) = VENUE.parse(FORMAT.trades([tick(side=None)]))
    assert isinstance(parsed, PriceTick)
    assert parsed.side in tuple(Side)


def test_trades_when_an_id_is_no_number_then_says_so() -> None:
    """A recording of another venue can't be played as Kraken's without its ids being replaced."""
    assert json.loads(FORMAT.trades([tick(trade_id="12")]))["data"][0]["trade_id"] == 12
    with pytest.raises(ValueError, match="numbers, got 'a-1'"):
        FORMAT.trades([tick(trade_id="a-1")])


def test_trades_when_a_symbol_has_quotes_then_is_still_json() -> None:
    """Whatever a symbol is called."""
    assert json.loads(FORMAT.trades([tick(symbol='A"B/USD')]))["data"][0]["symbol"] == 'A"B/USD'
