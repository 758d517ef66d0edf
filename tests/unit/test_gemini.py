"""Gemini's particularities."""

from __future__ import annotations

import json
import time

import pytest

from rxstreams.errors import MessageError, UnknownSymbol
from rxstreams.instants import DAY, SECOND
from rxstreams.items import PriceTick, Side
from rxstreams.sources import gemini
from rxstreams.sources.venue import Channel, Rejected, RestPage, Unknown
from rxstreams.timeframe import Timeframe

VENUE = gemini.Gemini()
TRADES = Channel("trades")
TRADE = {"E": 1_762_795_433_971_744_123, "s": "btcusd", "t": 77, "p": "64000.1", "q": "0.25", "m": False}
REST_TRADE = {
    "timestamp": 1762795433,
    "timestampms": 1762795433971,
    "tid": 77,
    "price": "64000.1",
    "amount": "0.25",
    "exchange": "gemini",
    "type": "sell",
}


def trade(**changes: object) -> bytes:
    """Return a message with a trade."""
    return json.dumps({**TRADE, **changes}, separators=(",", ":")).encode()


def test_parse_when_the_buyer_was_the_taker_then_the_side_is_buy() -> None:
    """And the time keeps its nanoseconds."""
    (tick,) = VENUE.parse(trade())
    assert isinstance(tick, PriceTick)
    assert (tick.side, tick.timestamp) == (Side.BUY, 1_762_795_433_971_744_123)
    (tick,) = VENUE.parse(trade(m=True))
    assert isinstance(tick, PriceTick)
    assert tick.side is Side.SELL


@pytest.mark.parametrize(
    "frame",
    [
        trade(p="0"),
        trade(p="-1"),
        trade(p="nan"),
        trade(q="-1"),
        trade(q=0.25),
        trade(m=None),
        trade(m="true"),
        trade(t="77"),
        trade(s="usd"),
        trade(E=1_762_795_433_971),
        trade(E=10**19),
        b'{"e":"trade","E":1762795433971744123,"s":"btcusd"}',
        b'{"E":1762795433971744123,"s":"btcusd","t":1,"p":"1"}',
        b'{"E":1762795433971744123,"s":"btcusd","p":"1","q":"1","m":true}',
        b'{"p":"1","q":"1"}',
        b'{"id":"other","status":200}',
        b'{"id":0,"status":200}',
        b'{"id":null,"status":200}',
        b'{"id":1,"status":400,"error":{"code":"-1002","msg":"no"}}',
    ],
)
def test_parse_when_a_frame_is_not_what_the_documentation_says_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception; milliseconds would be of 1970."""
    with pytest.raises(MessageError):
        list(VENUE.parse(frame))


@pytest.mark.parametrize("status", [200, 400, 404, 429, 503])
def test_parse_when_a_status_is_not_ok_then_the_request_is_refused_only_by_words_about_a_symbol(status: int) -> None:
    """Other words are kept: they will be in the error of the acknowledgement that does not come."""
    head = f'{{"id":5,"status":{status}'
    if status != 200:
        kind = f"error: status {status}, status {status}"
        assert list(VENUE.parse(f"{head}}}".encode())) == [Unknown(kind=kind)]
    frame = f'{head},"error":{{"code":-1003,"msg":"Too many requests"}}}}'.encode()
    assert list(VENUE.parse(frame)) == [Unknown(kind=f"error: Too many requests (-1003), status {status}")]
    frame = f'{head},"error":{{"code":-1,"msg":"Trading in this symbol is suspended"}}}}'.encode()
    assert [type(message) for message in VENUE.parse(frame)] == [Unknown]
    frame = f'{head},"error":{{"code":-1121,"msg":"Invalid symbol."}}}}'.encode()
    assert list(VENUE.parse(frame)) == [Rejected(reason="Invalid symbol. (-1121)", request=5)]


def test_frames_when_built_then_name_streams() -> None:
    """What the venue's documentation says to send; a ping's id can't be that of a subscription."""
    assert json.loads(VENUE.subscribe_frame(TRADES, ["BTC/USD", "ETH/GUSD"], 7)) == {
        "id": 7,
        "method": "subscribe",
        "params": ["btcusd@trade", "ethgusd@trade"],
    }
    assert json.loads(VENUE.unsubscribe_frame(TRADES, ["BTC/USD"], 8)) == {
        "id": 8,
        "method": "unsubscribe",
        "params": ["btcusd@trade"],
    }
    probe = VENUE.probe_frame(9)
    assert probe is not None
    assert json.loads(probe) == {"id": "ping", "method": "ping", "params": {}}


@pytest.mark.parametrize(
    ("spelling", "symbol"),
    [
        ("aavegusd", "AAVE/GUSD"),
        ("rengusd", "REN/GUSD"),
        ("moodengusd", "MOODENG/USD"),
        ("moodenggusd", "MOODENG/GUSD"),
        ("paxgusd", "PAXG/USD"),
        ("ldogusd", "LDO/GUSD"),
        ("efilfil", "EFIL/FIL"),
        ("rlusdusd", "RLUSD/USD"),
        ("usdcusd", "USDC/USD"),
        ("usdtgusd", "USDT/GUSD"),
        ("gusdsgd", "GUSD/SGD"),
        ("daigusd", "DAI/GUSD"),
        ("api3usd", "API3/USD"),
        ("linketh", "LINK/ETH"),
        ("newusdz", None),
    ],
)
def test_symbols_when_spelt_together_then_are_split_before_the_right_quote(spelling: str, symbol: str | None) -> None:
    """Of the venue's own list; a pair of unknown quote can't be split."""
    if symbol is None:
        with pytest.raises(ValueError, match="newusdz"):
            VENUE.from_venue_symbol(spelling)
    else:
        assert VENUE.from_venue_symbol(spelling) == symbol
        assert VENUE.to_venue_symbol(symbol) == spelling


def test_symbols_when_one_would_be_taken_for_another_then_the_error_says_which() -> None:
    """PAX/GUSD and PAXG/USD are spelt alike, and only one of them exists."""
    with pytest.raises(UnknownSymbol, match="'PAXG/USD'"):
        VENUE.to_venue_symbol("PAX/GUSD")


def test_rest_trades_when_asked_for_then_begin_before_the_time_and_go_on_after_the_id() -> None:
    """Both are exclusive there."""
    request = VENUE.rest_trades_request("BTC/USD", 5 * SECOND + 1, None, None)
    assert (request.path, request.query) == ("/v1/trades/btcusd", {"limit_trades": "500", "timestamp": "4999"})
    assert VENUE.rest_trades_request("BTC/USD", 0, None, None).query["timestamp"] == "0"
    assert VENUE.rest_trades_request("BTC/USD", 5, 9, "77").query == {"limit_trades": "500", "since_tid": "77"}


def test_rest_trades_when_a_page_is_full_then_goes_on_after_its_greatest_id() -> None:
    """Whatever their order; a short page is the last."""
    rows = [{**REST_TRADE, "tid": 1000 - number} for number in range(500)]
    page = VENUE.parse_rest_trades("BTC/USD", json.dumps(rows).encode(), None)
    assert [tick.trade_id for tick in page.items] == list(range(501, 1001))
    assert (page.cursor, page.backwards) == ("1000", False)
    assert VENUE.parse_rest_trades("BTC/USD", json.dumps(rows[1:]).encode(), "0:0:7").cursor is None


def rest_page(
    rows: list[dict[str, object]], since: int, until: int | None = None, cursor: str | None = None
) -> RestPage:
    """Return the page that a request leads to."""
    request = VENUE.rest_trades_request("BTC/USD", since, until, cursor)
    return VENUE.parse_rest_trades("BTC/USD", json.dumps(rows).encode(), request.cursor)


def test_rest_trades_when_more_than_seven_days_are_asked_for_then_is_truncated() -> None:
    """By the newest trade; where an end was asked for, by the clock."""
    newest = 1_762_795_433_971 * 1_000_000
    assert rest_page([dict(REST_TRADE)], newest - 7 * DAY - SECOND).truncated
    assert not rest_page([dict(REST_TRADE)], newest - 7 * DAY).truncated
    assert rest_page([dict(REST_TRADE)], newest - 6 * DAY, until=newest + SECOND).truncated
    assert rest_page([], time.time_ns() - 7 * DAY - SECOND, until=time.time_ns()).truncated
    assert not rest_page([], time.time_ns() - 6 * DAY, until=time.time_ns()).truncated
    assert not rest_page([], newest).truncated


def test_rest_trades_when_a_full_first_page_ends_now_then_older_ones_may_be_missing() -> None:
    """The documentation says that the newest come: then those between are not given."""
    now = time.time_ns() // 1_000_000
    rows: list[dict[str, object]] = [{**REST_TRADE, "tid": n, "timestampms": now - 500 + n} for n in range(1, 501)]
    since = (now - 3_600_000) * 1_000_000
    assert rest_page(rows, since).truncated
    assert not rest_page(rows[1:], since).truncated
    assert not rest_page(rows, since, cursor="0").truncated
    past: list[dict[str, object]] = [{**row, "timestampms": now - 120_000} for row in rows]
    assert not rest_page(past, since).truncated


def test_rest_candles_when_there_are_no_older_ones_then_is_truncated() -> None:
    """One page, of the newest; and an open that is none of the timeframe is an error."""
    body = b"[[1714126740000,1,2,1,2,3]]"
    assert VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), body, None).truncated
    with pytest.raises(MessageError, match="1h"):
        VENUE.parse_rest_candles("BTC/USD", Timeframe("1h"), body, None)


def test_rest_candles_when_asked_for_then_the_time_frame_is_spelt_as_the_venue_does() -> None:
    """Hours and days have names of their own."""
    for text, name in (("1m", "1m"), ("1h", "1hr"), ("6h", "6hr"), ("1d", "1day")):
        request = VENUE.rest_candles_request("BTC/USD", Timeframe(text), 0, None, None)
        assert (request.path, request.query) == (f"/v2/candles/btcusd/{name}", {})


def test_refusals_when_they_speak_of_something_else_then_are_not_explained() -> None:
    """The status says what is left to say."""
    for reason, said in (("RateLimit", "slow down"), ("Suspended", "Trading in this symbol is suspended")):
        other = json.dumps({"result": "error", "reason": reason, "message": said}).encode()
        assert VENUE.explain_refusal("BTC/USD", 400, other) is None
    assert VENUE.explain_refusal("", 400, b'{"reason":"InvalidSymbol"}') is None


def test_feeds_when_live_candles_are_asked_for_then_say_that_there_are_none() -> None:
    """The archived feed had them."""
    with pytest.raises(ValueError, match="it has none"):
        gemini.candles(["BTC/USD"], "1m")
