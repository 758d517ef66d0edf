"""Bitget's particularities: what the suite of all venues does not look at."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from rxstreams.errors import HistoryTooShort, MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import DAY, MINUTE, SECOND
from rxstreams.items import PriceTick
from rxstreams.sources import bitget
from rxstreams.sources._pages import trade_pages
from rxstreams.sources.venue import Acknowledged, Channel, Message, Rejected, RestPage, RestRequest, Unknown
from rxstreams.testing.formats import BadQuery, CandlesQuery, Malformed, Subscribe, SymbolsQuery, TradesQuery
from rxstreams.testing.formats.bitget import BitgetFormat
from rxstreams.timeframe import Timeframe

VENUE = bitget.Bitget()
TRADES = Channel("trades")
TOPIC = {"instType": "SPOT", "channel": "trade", "instId": "BTCUSDT"}
TRADE = {"ts": "1695709835822", "price": "26293.4", "size": "0.0013", "side": "buy", "tradeId": "10"}
START = 1695672780000
MS = 1_000_000


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def push(*rows: object, action: str = "update", **topic: str) -> bytes:
    """Return a message of a channel."""
    return encode({"action": action, "arg": {**TOPIC, **topic}, "data": rows, "ts": 1695711090682})


def answer(data: object, code: str = "00000", msg: str = "success", time: int = START) -> bytes:
    """Return an answer of the REST API."""
    return encode({"code": code, "msg": msg, "requestTime": time, "data": data})


def read(frame: bytes) -> list[Message]:
    """Return what the venue makes of a frame."""
    return list(VENUE.parse(frame))


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "0"},
        {"price": "-1"},
        {"price": "nan"},
        {"price": ""},
        {"size": "-1"},
        {"side": "hold"},
        {"tradeId": ""},
        {"tradeId": "x1"},
        {"ts": "soon"},
        {"ts": "1695709835822.5"},
    ],
)
def test_parse_when_a_trade_can_not_be_then_is_a_message_error(changes: dict[str, str]) -> None:
    """Never a wrong item."""
    with pytest.raises(MessageError):
        read(push({**TRADE, **changes}))


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same_tick() -> None:
    """The quick look at the first bytes is only a shortcut."""
    message = json.loads(push(TRADE))
    assert read(encode(dict(reversed(message.items())))) == read(push(TRADE))


def test_parse_when_trades_come_in_any_order_then_they_leave_in_that_of_stamps_and_ids() -> None:
    """The order of a message is not documented."""
    rows = [{**TRADE, "tradeId": f"{number}", "ts": f"{START + number // 2}"} for number in (5, 2, 4, 10, 3)]
    ticks = read(push(*rows))
    assert [tick.trade_id for tick in ticks if isinstance(tick, PriceTick)] == [2, 3, 4, 5, 10]
    rows = [{**TRADE, "tradeId": f"{number}", "ts": f"{START - number}"} for number in (1, 2)]
    ticks = read(push(*rows))
    assert [tick.trade_id for tick in ticks if isinstance(tick, PriceTick)] == [2, 1]


def test_parse_when_a_candle_is_cut_short_then_is_a_message_error() -> None:
    """Rows of API v1 had six fields; more than today's are no harm."""
    row = [f"{START}", "2", "3", "1", "2", "5", "10", "10"]
    for bad in (
        row[:6],
        row[:5],
        [],
        [*row[:2], "1", *row[3:]],
        ["now", *row[1:]],
        [f"{START + 1}", *row[1:]],
        [*row[:3], "0", *row[4:]],
    ):
        with pytest.raises(MessageError):
            read(push(bad, channel="candle1m"))
    assert len(read(push(row, [*row, "new"], channel="candle1m"))) == 2
    with pytest.raises(MessageError, match="1d candle"):
        read(push(row, channel="candle1Dutc"))
    assert read(push(row, channel="candle1D")) == [Unknown(kind="candle1D")]  # its days begin in UTC+8


def test_parse_when_a_message_is_none_of_spots_then_is_unknown() -> None:
    """Other markets, errors without a topic, answers to what we never send."""
    assert read(push(TRADE, instType="USDT-FUTURES")) == [Unknown(kind="USDT-FUTURES trade")]
    assert read(push(TRADE, instType="spot")) == read(push(TRADE))  # once it wrote these names in lower case
    assert read(b'{"event":"error","code":30016,"msg":"Param error","op":"subscribe"}') == [
        Unknown(kind="error: 30016 Param error")
    ]
    assert read(encode({"event": "login", "code": "0", "msg": ""})) == [Unknown(kind="login 0")]
    gone = {"event": "error", "arg": TOPIC, "code": "30001", "msg": "doesn't exist", "op": "unsubscribe"}
    assert read(encode(gone)) == [Unknown(kind="error: 30001 doesn't exist")]
    assert read(encode({**gone, "op": "subscribe"})) == [Rejected(symbols=("BTC/USDT",), reason="30001 doesn't exist")]
    assert read(encode({**gone, "op": "subscribe", "code": 30006, "msg": "request too many"})) == [
        Unknown(kind="error: 30006 request too many")
    ]
    assert read(encode({"event": "unsubscribe", "arg": TOPIC})) == [
        Acknowledged(symbols=("BTC/USDT",), subscribed=False)
    ]
    with pytest.raises(MessageError, match="spelling"):
        read(encode({"event": "subscribe", "arg": {**TOPIC, "instId": "USDT"}}))


def test_frames_when_built_then_name_market_channel_and_symbol() -> None:
    """What the documentation says to send; forty of the longest stay below 4,096 bytes."""
    assert json.loads(VENUE.subscribe_frame(TRADES, ["BTC/USDT"], 7)) == {"op": "subscribe", "args": [TOPIC]}
    days = Channel("candles", Timeframe("1d"))
    assert json.loads(VENUE.unsubscribe_frame(days, ["ETH/BTC"], 8)) == {
        "op": "unsubscribe",
        "args": [{"instType": "SPOT", "channel": "candle1Dutc", "instId": "ETHBTC"}],
    }
    assert VENUE.probe_frame(1) == VENUE.heartbeat_frame() == "ping"
    longest = [f"{'A' * 20}{number:02d}/USDT" for number in range(VENUE.symbols_per_message)]
    frame = VENUE.subscribe_frame(Channel("candles", Timeframe("12h")), longest, 1)
    assert isinstance(BitgetFormat().decode(frame.encode()), Subscribe)


def test_rest_trades_when_paged_then_the_newest_come_first_and_older_ones_by_id() -> None:
    """The first address has stamps in milliseconds, the second goes back further."""
    assert VENUE.rest_trades_request("BTC/USDT", 5, None, None) == RestRequest(
        path="/api/v2/spot/market/fills", query={"symbol": "BTCUSDT", "limit": "500"}
    )
    assert VENUE.rest_trades_request("BTC/USDT", 5, None, "77") == RestRequest(
        path="/api/v2/spot/market/fills-history",
        query={"symbol": "BTCUSDT", "limit": "1000", "idLessThan": "77"},
    )


@pytest.mark.parametrize(("days", "whole"), [(1, True), (6, True), (8, False), (90, False)])
def test_rest_trades_when_they_end_then_it_depends_on_the_time_asked_for_what_that_means(
    days: int, whole: bool
) -> None:
    """What is older than a week may be withheld, however old what came is; what is newer has come whole."""
    now = START * MS + days * DAY
    row = {**TRADE, "symbol": "BTCUSDT", "ts": f"{now // MS - 1000}"}
    found: list[PriceTick] = []

    async def ask(request: RestRequest, parse: Callable[[bytes, int], RestPage]) -> RestPage:
        return parse(answer([] if "idLessThan" in request.query else [row]), now)

    walk = trade_pages(VENUE, "BTC/USDT", START * MS, None).walk(ask, found.append)
    if whole:
        asyncio.run(walk)
    else:
        with pytest.raises(HistoryTooShort):
            asyncio.run(walk)
    assert [tick.trade_id for tick in found] == [10]


def test_rest_trades_when_there_are_no_new_ones_then_the_longer_history_is_asked_once() -> None:
    """They may lie far back."""
    cursor: str | None = None
    paths: list[str] = []
    for _ in range(2):
        request = VENUE.rest_trades_request("BTC/USDT", START * MS, None, cursor)
        paths.append(request.path.rpartition("/")[2])
        assert "idLessThan" not in request.query
        page = VENUE.parse_rest_trades("BTC/USDT", answer([]), cursor)
        cursor = page.cursor
    assert (paths, cursor) == (["fills", "fills-history"], None)


def test_rest_trades_when_ids_are_not_in_the_order_of_stamps_then_the_lowest_leads_on() -> None:
    """The oldest trade's would leave out those with an id between the two."""
    rows = [{**TRADE, "symbol": "BTCUSDT", "tradeId": f"{each}", "ts": f"{START - each * 1000}"} for each in (10, 9)]
    page = VENUE.parse_rest_trades("BTC/USDT", answer(rows), None)
    assert [tick.trade_id for tick in page.items] == [10, 9]
    assert page.cursor == "9"


def test_snapshot_when_it_is_not_the_first_message_of_its_topic_then_is_a_message_error() -> None:
    """What it holds may be new; one comes after each subscription, and says nothing of live trades."""
    row = [f"{START}", "2", "3", "1", "2", "5", "10", "10"]
    for channel, what in (("trade", TRADE), ("candle1m", row)):
        first, update = push(what, action="snapshot", channel=channel), push(what, channel=channel)
        kind = [Unknown(kind=f"{'trade' if channel == 'trade' else 'candle'} snapshot")]
        for before in ([first], [update], [first, update]):
            parse = VENUE.conversation().parse
            for frame in before:
                parse(frame)
            with pytest.raises(MessageError, match="first snapshot"):
                parse(first)
            assert list(parse(push(what, action="snapshot", channel=channel, instId="ETHUSDT"))) == kind
            parse(encode({"event": "unsubscribe", "arg": {**TOPIC, "channel": channel}}))
            assert list(parse(first)) == kind
        for action in ("", "insert", "Update"):
            with pytest.raises(MessageError, match="got action"):
                read(push(what, action=action, channel=channel))


def test_conversation_when_it_unsubscribes_then_the_frame_is_the_venues() -> None:
    """It remembers nothing that is needed for that."""
    frame = VENUE.conversation().unsubscribe_frame(TRADES, ["BTC/USDT"], 1)
    assert frame == VENUE.unsubscribe_frame(TRADES, ["BTC/USDT"], 1)


def test_timeframes_when_they_are_long_then_are_those_that_begin_in_utc() -> None:
    """Without the ending they begin in UTC+8. Weeks and months are not offered."""
    granularities = {
        **{"1m": "1min", "3m": "3min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h"},
        **{"6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc"},
    }
    channels = {
        **{"1m": "candle1m", "5m": "candle5m", "15m": "candle15m", "30m": "candle30m", "1h": "candle1H"},
        **{"4h": "candle4H", "6h": "candle6Hutc", "12h": "candle12Hutc", "1d": "candle1Dutc"},
    }
    assert VENUE.rest_timeframes == tuple(granularities)
    assert VENUE.candle_timeframes == tuple(channels)
    for name, granularity in granularities.items():
        assert VENUE.rest_candles_request("BTC/USDT", Timeframe(name), 0, DAY, None).query["granularity"] == granularity
    for name, channel in channels.items():
        frame = json.loads(VENUE.subscribe_frame(Channel("candles", Timeframe(name)), ["BTC/USDT"], 1))
        assert frame["args"][0]["channel"] == channel


def test_rest_candles_when_asked_for_then_older_ones_come_from_another_address() -> None:
    """The newer ones reach back a month for minutes; the older ones come by two hundred."""
    now = time.time_ns() // MINUTE * MINUTE
    new = VENUE.rest_candles_request("BTC/USDT", Timeframe("1m"), now - 3 * MINUTE, now, None)
    assert new.path == "/api/v2/spot/market/candles"
    assert new.query == {"symbol": "BTCUSDT", "granularity": "1min", "limit": "6", "endTime": f"{now // MS}"}
    old = VENUE.rest_candles_request("BTC/USDT", Timeframe("1m"), 0, now - 40 * DAY, None)
    assert (old.path, old.query["limit"]) == ("/api/v2/spot/market/history-candles", "200")
    for days, path in ((28, "candles"), (30, "history-candles")):
        request = VENUE.rest_candles_request("BTC/USDT", Timeframe("1m"), 0, now - days * DAY, None)
        assert request.path == f"/api/v2/spot/market/{path}"
    older = VENUE.rest_candles_request("BTC/USDT", Timeframe("1d"), 0, None, f"{(now - 400 * DAY) // MS}")
    assert (older.path, older.query["granularity"]) == ("/api/v2/spot/market/history-candles", "1Dutc")
    newest = VENUE.rest_candles_request("BTC/USDT", Timeframe("3m"), 0, None, None)
    assert newest.query == {"symbol": "BTCUSDT", "granularity": "3min", "limit": "1000"}
    with pytest.raises(ValueError, match="live candles of"):
        VENUE.check_timeframe(Timeframe("3m"))
    row = [f"{START}", "2", "3", "1", "2", "5", "11", "10"]
    page = VENUE.parse_rest_candles("BTC/EUR", Timeframe("1m"), answer([row]), f"{START}")
    assert page.cursor is None
    assert [candle.quote_volume for candle in page.items] == [10.0]


def test_rest_when_refused_then_the_code_says_what_it_means() -> None:
    """With HTTP 400, or in an answer that looks good."""
    for code in ("40034", "40309", "42016"):
        body = answer(None, code, "no such symbol: BTCUSDT")
        error = VENUE.explain_refusal("BTC/USDT", 400, body)
        assert isinstance(error, SubscriptionError)
        assert error.reason == f"{code} no such symbol: BTCUSDT"
        with pytest.raises(SubscriptionError):
            VENUE.parse_rest_trades("BTC/USDT", body, None)
        assert VENUE.explain_refusal("", 400, body) is None
    for body in (answer(None, "429", "Too Many Requests"), b'{"code":"429","msg":"Too Many Requests"}'):
        assert isinstance(VENUE.explain_refusal("BTC/USDT", 400, body), RateLimited)
        with pytest.raises(RateLimited):
            VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), body, None)
    assert VENUE.explain_refusal("BTC/USDT", 400, answer(None, "40034", "Parameter 1d does not exist")) is None
    wrong = answer(None, "400172", "Parameter verification failed")
    assert VENUE.explain_refusal("BTC/USDT", 400, wrong) is None
    with pytest.raises(MessageError, match="400172"):
        VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), wrong, None)


def test_module_when_a_contract_is_asked_for_then_says_that_it_is_spot() -> None:
    """Bitget has contracts, elsewhere."""
    with pytest.raises(UnknownSymbol, match="spot pair"):
        bitget.trades(["BTC/USDT:USDT"])
    assert bitget.FEEDS.venue.verified


def test_format_when_history_is_written_then_its_stamps_are_whole_seconds() -> None:
    """As documented for the longer history, and only for that; the venue cuts the others too."""
    wire = BitgetFormat()
    tick = PriceTick(symbol="BTC/USDT", exchange="bitget", price=1.5, timestamp=START * MS + 780 * MS, trade_id=7)
    for path, stamp in (("fills", START + 780), ("fills-history", START // 1000 * 1000)):
        query = wire.rest_query(f"/api/v2/spot/market/{path}", {"symbol": "BTCUSDT"}, b"")
        assert isinstance(query, TradesQuery)
        body = wire.rest_trades("BTC/USDT", [tick], query, more=False)
        assert [row["ts"] for row in json.loads(body)["data"]] == [f"{stamp}"]
        (read_back,) = VENUE.parse_rest_trades("BTC/USDT", body, None).items
        assert read_back.timestamp == START * MS // SECOND * SECOND
    assert VENUE.rest_resolution == SECOND


def test_format_when_asked_then_takes_what_the_venue_takes() -> None:
    """And nothing else."""
    wire, path = BitgetFormat(), "/api/v2/spot/market"
    for bad in (
        b"pong",
        b"{",
        b'{"op":"dance"}',
        b'{"op":"subscribe","args":[]}',
        encode({"op": "subscribe", "args": [TOPIC, {**TOPIC, "channel": "candle1m"}]}),
        encode({"op": "subscribe", "args": [{**TOPIC, "channel": "candle7m"}]}),
        encode({"op": "subscribe", "args": [{**TOPIC, "instType": "sp"}]}),
        encode({"op": "subscribe", "args": [TOPIC] * 100}),
    ):
        command = wire.decode(bad)
        assert isinstance(command, Malformed), bad
        refused = wire.complain(command, 0, 0)
        assert refused is not None
        assert [type(message) for message in read(refused)] == [Unknown]
    assert isinstance(wire.rest_query("/api/v2/spot/public/symbols", {}, b""), SymbolsQuery)
    for bad_path, query in (
        ("/api/v1", {}),
        (f"{path}/fills", {}),
        (f"{path}/fills", {"symbol": "BTCUSDT", "limit": "501"}),
        (f"{path}/history-candles", {"symbol": "BTCUSDT", "granularity": "1min"}),
        (f"{path}/candles", {"symbol": "BTCUSDT", "granularity": "7min"}),
    ):
        assert isinstance(wire.rest_query(bad_path, query, b""), BadQuery), bad_path
    candles = wire.rest_query(
        f"{path}/candles", {"symbol": "BTCUSDT", "granularity": "1h", "startTime": "5", "endTime": "9"}, b""
    )
    assert candles == CandlesQuery(symbol="BTCUSDT", minutes=60, since=5 * MS, until=9 * MS, limit=100, newest=True)
