"""What is Hyperliquid's own: old trades that look like new ones, errors in words, weights, and one page of candles."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from rxstreams.errors import HistoryTooShort, MessageError, SubscriptionError, UnknownSymbol
from rxstreams.instants import MINUTE
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import hyperliquid
from rxstreams.sources._pages import candle_pages
from rxstreams.sources.venue import Acknowledged, Channel, RestPage, RestRequest, Skipped, Unknown
from rxstreams.testing import TrueCandle
from rxstreams.testing.formats import CandlesQuery, HyperliquidFormat
from rxstreams.timeframe import Timeframe

VENUE = hyperliquid.Hyperliquid()
TRADES = Channel("trades")
SYMBOL = "BTC/USDC:USDC"
TRADE: dict[str, Any] = {
    "coin": "BTC",
    "side": "B",
    "px": "64000.5",
    "sz": "0.25",
    "time": 1_795_857_833_971,
    "hash": "0x01",
    "tid": 5,
    "users": ["0x02", "0x03"],
}
CANDLE: dict[str, Any] = {
    "t": 60_000,
    "T": 119_999,
    "s": "BTC",
    "i": "1m",
    "o": "1.0",
    "c": "1.5",
    "h": "2.0",
    "l": "0.5",
    "v": "3.0",
    "n": 4,
}


def message(channel: str, data: object) -> bytes:
    """Return a message of a channel."""
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()


def acknowledgement(coin: str, *, kind: str = "trades", method: str = "subscribe") -> bytes:
    """Return the answer to a request."""
    return message("subscriptionResponse", {"method": method, "subscription": {"type": kind, "coin": coin}})


def trades(coin: str, *numbers: int) -> bytes:
    """Return a message with trades of a coin."""
    return message("trades", [{**TRADE, "coin": coin, "tid": number} for number in numbers])


def ids(messages: Any) -> list[object]:
    """Return the ids of ticks, and the kinds of what is none."""
    return [each.trade_id if isinstance(each, PriceTick) else each.kind for each in messages]


def test_trades_when_they_are_the_first_after_an_acknowledgement_then_are_no_live_ticks() -> None:
    """The newest old ones come in a message like any other; each coin for itself. They may be live ones."""
    parse = VENUE.conversation().parse
    assert list(parse(acknowledgement("BTC"))) == [Acknowledged(symbols=(SYMBOL,))]
    list(parse(acknowledgement("ETH")))
    assert ids(parse(trades("ETH", 1, 2))) == ["trade snapshot"]
    assert ids(parse(trades("ETH", 3))) == ["3"]
    assert ids(parse(trades("BTC", 4, 5))) == ["trade snapshot"]
    assert ids(parse(trades("BTC", 5, 6))) == ["5", "6"]
    list(parse(acknowledgement("BTC")))
    assert list(parse(trades("BTC", 7))) == [Skipped(symbols=(SYMBOL,), kind="trade snapshot")]


def test_trades_when_the_coin_is_subscribed_to_again_then_old_ones_come_again() -> None:
    """The end of a subscription, or one to candles, brings none."""
    parse = VENUE.conversation().parse
    list(parse(acknowledgement("BTC", kind="candle")))
    list(parse(acknowledgement("BTC", method="unsubscribe")))
    assert ids(parse(trades("BTC", 1))) == ["1"]
    list(parse(acknowledgement("BTC")))
    assert ids(parse(trades("BTC", 1))) == ["trade snapshot"]
    assert ids(parse(trades("BTC", 2))) == ["2"]


def test_parser_when_another_connection_has_one_then_knows_nothing_of_it() -> None:
    """What was acknowledged there was not acknowledged here."""
    list(VENUE.conversation().parse(acknowledgement("BTC")))
    assert ids(VENUE.conversation().parse(trades("BTC", 1))) == ids(VENUE.parse(trades("BTC", 1))) == ["1"]


def test_old_trades_when_they_are_bad_then_are_a_message_error_all_the_same() -> None:
    """And they are still to come."""
    parse = VENUE.conversation().parse
    list(parse(acknowledgement("BTC")))
    with pytest.raises(MessageError):
        list(parse(message("trades", [{**TRADE, "px": "0"}])))
    assert ids(parse(trades("BTC", 1))) == ["trade snapshot"]


@pytest.mark.parametrize(
    "changes",
    [
        {"px": "0"},
        {"px": "-1"},
        {"px": "nan"},
        {"px": "1_000"},
        {"px": " 1"},
        {"px": ""},
        {"sz": "inf"},
        {"side": "C"},
        {"time": 10**14},
        {"tid": "5"},
        {"coin": "@107"},
        {"coin": "xyz:TSLA"},
    ],
)
def test_parse_when_a_trade_can_not_be_then_raises_message_error(changes: dict[str, object]) -> None:
    """Never a wrong item, never another exception."""
    with pytest.raises(MessageError):
        list(VENUE.parse(message("trades", [{**TRADE, **changes}])))


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same_tick() -> None:
    """The quick look at the first bytes is only a shortcut."""
    other = json.dumps({"data": [TRADE], "channel": "trades"}).encode()
    assert list(VENUE.parse(other)) == list(VENUE.parse(message("trades", [TRADE]))) != []


@pytest.mark.parametrize(
    "changes",
    [{"t": 60_001}, {"t": 61_000, "T": 120_999}, {"T": 120_000}, {"i": "7m"}, {"i": "1w"}, {"h": "1.0"}, {"s": "#5"}],
)
def test_parse_when_a_candle_can_not_be_then_raises_message_error(changes: dict[str, object]) -> None:
    """It opens where such an interval begins, and its last millisecond is the interval's."""
    with pytest.raises(MessageError):
        list(VENUE.parse(message("candle", {**CANDLE, **changes})))


_ABC = '{"type":"trades","coin":"ABC"}'


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"Invalid subscription {_ABC}", f"Invalid subscription {_ABC}"),
        (f"Already unsubscribed: {_ABC}", f"Already unsubscribed: {_ABC}"),
        ("Cannot subscribe to more than 1000 channels.", "Cannot subscribe to more than 1000 channels."),
        ({"error": "x"}, '{"error":"x"}'),
    ],
)
def test_error_when_it_comes_then_ends_no_symbol_and_its_words_are_kept(words: object, expected: str) -> None:
    """It may be about one that goes on, or pass; nobody knows which words mean that there is no such coin."""
    assert list(VENUE.parse(message("error", words))) == [Unknown(kind=f"error: {expected}")]


def test_frames_when_built_then_name_one_coin() -> None:
    """A request has no number, and names no more than one."""
    assert json.loads(VENUE.subscribe_frame(TRADES, ["kPEPE/USDC:USDC"], 7)) == {
        "method": "subscribe",
        "subscription": {"type": "trades", "coin": "kPEPE"},
    }
    assert json.loads(VENUE.unsubscribe_frame(Channel("candles", Timeframe("1h")), [SYMBOL], 8)) == {
        "method": "unsubscribe",
        "subscription": {"type": "candle", "coin": "BTC", "interval": "1h"},
    }
    with pytest.raises(UnknownSymbol, match="perpetual"):
        VENUE.to_venue_symbol("BTC/USDC")


def test_rest_candles_when_asked_for_then_weigh_as_much_as_may_come() -> None:
    """20 for the request, one for 60 candles, and no more than 5,000 of those."""
    request = VENUE.rest_candles_request(SYMBOL, Timeframe("1m"), MINUTE, 60 * MINUTE, None)
    assert json.loads(request.body or b"") == {
        "type": "candleSnapshot",
        "req": {"coin": "BTC", "interval": "1m", "startTime": 60_000, "endTime": 3_600_000},
    }
    assert VENUE.rest_weight(request) == 21
    assert VENUE.rest_weight(VENUE.rest_candles_request(SYMBOL, Timeframe("1m"), 0, None, None)) == 20 + 84
    listed = VENUE.symbols_request()
    assert listed is not None
    assert json.loads(listed.body or b"") == {"type": "meta"}
    assert VENUE.rest_weight(listed) == 20


def test_rest_candles_when_an_old_window_is_wanted_then_the_walk_says_that_they_are_gone() -> None:
    """The venue's server has the newest 5,000 only: of 2,000 that were wanted 999 are given, or none."""
    now = time.time_ns() // MINUTE * MINUTE
    fmt = HyperliquidFormat()

    async def ask(request: RestRequest, parse: Callable[[bytes, int | None], RestPage]) -> RestPage:
        query = fmt.rest_query(request.path, request.query, request.body or b"")
        assert isinstance(query, CandlesQuery)
        assert query.since is not None
        end = query.until or now + 1
        rows = [row for row in all_rows if (query.since or 0) <= row.open_time < end][-query.limit :]
        return parse(fmt.rest_candles(SYMBOL, rows, query, now=now, more=False), now)

    all_rows = [
        TrueCandle(
            exchange="hyperliquid",
            symbol=SYMBOL,
            open_time=now - ago * MINUTE,
            close_time=now - (ago - 1) * MINUTE,
            open=1.0,
            high=1.0,
            low=1.0,
            close=1.0,
            volume=1.0,
            quote_volume=1.0,
            buy_volume=1.0,
            trades=1,
        )
        for ago in range(9000, -1, -1)
    ]
    for first, last, count in ((9000, 8000, 0), (6000, 4000, 999), (4999, 4000, 999), (30, 0, 30)):
        got: list[OHLCCandle] = []
        since, until = now - first * MINUTE, now - last * MINUTE
        walk = candle_pages(VENUE, SYMBOL, Timeframe("1m"), since, until, settle=0).walk(ask, got.append)
        if first < 5000:
            asyncio.run(walk)
        else:
            with pytest.raises(HistoryTooShort):
                asyncio.run(walk)
        assert len(got) == count


def test_rest_candles_when_read_then_are_of_the_coin_and_interval_asked_for() -> None:
    """In whatever order; of another coin or interval there is none among them."""
    rows = [{**CANDLE, "t": n * 60_000, "T": n * 60_000 + 59_999} for n in range(3)]
    minute = Timeframe("1m")
    newest_first = VENUE.parse_rest_candles(SYMBOL, minute, json.dumps(rows[2:0:-1]).encode(), None)
    assert [candle.open_time for candle in newest_first.items] == [MINUTE, 2 * MINUTE]
    assert not newest_first.truncated
    for symbol, timeframe in (("ETH/USDC:USDC", minute), (SYMBOL, Timeframe("3m"))):
        with pytest.raises(MessageError, match="only"):
            VENUE.parse_rest_candles(symbol, timeframe, json.dumps([CANDLE]).encode(), None)
    with pytest.raises(SubscriptionError, match="null"):
        VENUE.parse_rest_candles(SYMBOL, minute, b"null", None)
