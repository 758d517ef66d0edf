"""Recorded messages of Binance, spot and futures, into items and back, field by field; and the candles they make."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rxstreams.errors import MessageError
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources import Venue
from rxstreams.sources.binance import Binance
from rxstreams.sources.binance_futures import BinanceFutures
from rxstreams.sources.venue import Unknown
from rxstreams.testing import TrueCandle, candles_of
from rxstreams.testing.formats import CandlesQuery, TradesQuery
from rxstreams.testing.formats.binance import BinanceFormat
from rxstreams.testing.formats.binance_futures import BinanceFuturesFormat
from rxstreams.timeframe import Timeframe

SPOT, FUTURES = Binance(), BinanceFutures()
CAPTURES = {"binance": "BINANCE.ws.1.0", "binance_futures": "BINANCE_FUTURES.ws.1.0"}
each_market = pytest.mark.parametrize(
    ("venue", "format", "counts"),
    [
        (SPOT, BinanceFormat(), {"aggTrade": 2, "kline": 2, "depthUpdate": 177, "?": 84}),
        (FUTURES, BinanceFuturesFormat(), {"aggTrade": 91, "kline": 67, "depthUpdate": 764, "bookTicker": 613}),
    ],
    ids=["spot", "futures"],
)


def captured(recordings: Path, venue: Venue) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield every frame of a capture and the event in its wrapping of combined streams."""
    for line in (recordings / "cryptofeed" / CAPTURES[venue.name]).read_text().splitlines():
        _, found, frame = line.partition(": ")
        if found and not line.startswith("wss:"):
            yield frame.encode(), json.loads(frame)["data"]


def symbol_of(venue: Venue, spelling: str) -> str:
    """Return our symbol of a spelling that ends with one of the quotes that were recorded."""
    quote = next(quote for quote in ("USDT", "BTC", "ETH", "EUR") if spelling.endswith(quote))
    pair = f"{spelling.removesuffix(quote)}/{quote}"
    return f"{pair}:{quote}" if venue is FUTURES else pair


def assert_same_trade(tick: object, raw: Mapping[str, Any], symbol: str, exchange: str) -> None:
    """Compare each field of a trade with what the venue wrote."""
    assert tick == PriceTick(
        symbol=symbol,
        price=float(raw["p"]),
        volume=float(raw["q"]),
        timestamp=raw["T"] * 1_000_000,
        exchange=exchange,
        trade_id=raw["a"],
        side=Side.SELL if raw["m"] else Side.BUY,
        count=raw["l"] + 1 - raw["f"],
    )


def assert_same_row(written: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    """Compare a trade that our format wrote with the venue's, in the fields that are read."""
    for key in ("a", "T", "m"):
        assert written[key] == raw[key]
    for key in ("p", "q"):
        assert Decimal(written[key]) == Decimal(raw[key])
    assert written["l"] - written["f"] == raw["l"] - raw["f"]


def true_candle(candle: OHLCCandle) -> TrueCandle:
    """Return a candle as formats take it."""
    return TrueCandle(
        exchange=candle.exchange,
        symbol=candle.symbol,
        open_time=candle.open_time,
        close_time=candle.close_time,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        trades=candle.trades,
        quote_volume=candle.quote_volume,
        buy_volume=candle.buy_volume,
    )


def assert_same_candle(candle: object, raw: Mapping[str, Any], symbol: str, exchange: str) -> None:
    """Compare each field of a candle with what the venue wrote."""
    assert candle == OHLCCandle(
        symbol=symbol,
        timeframe=Timeframe(raw["i"]),
        open_time=raw["t"] * 1_000_000,
        open=float(raw["o"]),
        high=float(raw["h"]),
        low=float(raw["l"]),
        close=float(raw["c"]),
        volume=float(raw["v"]),
        trades=raw["n"],
        quote_volume=float(raw["q"]),
        buy_volume=float(raw["V"]),
        exchange=exchange,
        closed=raw["x"],
    )
    assert isinstance(candle, OHLCCandle)
    assert candle.close_time == (raw["T"] + 1) * 1_000_000


def assert_written_alike(candle: OHLCCandle, raw: Mapping[str, Any], format: BinanceFormat) -> None:
    """Compare what our format makes of a candle with what the venue wrote, in the fields that are read."""
    time = candle.close_time if candle.closed else candle.open_time
    written = json.loads(format.candles([true_candle(candle)], int(candle.timeframe.minutes), time=time))["k"]
    for key in ("t", "T", "s", "i", "n", "x"):
        assert written[key] == raw[key]
    for key in ("o", "h", "l", "c", "v", "q", "V"):
        assert Decimal(written[key]) == Decimal(raw[key])


@each_market
@pytest.mark.recordings
def test_binance_capture_when_parsed_then_each_message_gives_its_items_and_can_be_written_back(
    recordings: Path, venue: Venue, format: BinanceFormat, counts: dict[str, int]
) -> None:
    """All frames came wrapped, for the capture asked for combined streams; the events alone give the same."""
    seen: Counter[str] = Counter()
    for frame, raw in captured(recordings, venue):
        kind = raw.get("e", "?")
        seen[kind] += 1
        (item,) = venue.parse(frame)
        alone = json.dumps(raw, separators=(",", ":")).encode()
        assert list(venue.parse(alone)) == [item]
        if isinstance(item, PriceTick):
            assert_same_trade(item, raw, symbol_of(venue, raw["s"]), venue.name)
            written = json.loads(format.trades([item]))
            assert (written["e"], written["s"]) == (kind, raw["s"])
            assert_same_row(written, raw)
        elif isinstance(item, OHLCCandle):
            assert_same_candle(item, raw["k"], symbol_of(venue, raw["s"]), venue.name)
            assert_written_alike(item, raw["k"], format)
        else:
            assert item == Unknown(kind=kind)
            assert kind not in ("aggTrade", "kline")
    assert seen == counts


@pytest.mark.recordings
def test_binance_futures_capture_when_trades_are_counted_then_no_id_is_missing_and_none_is_late(
    recordings: Path,
) -> None:
    """Why the ids count as contiguous, and the trades as ordered."""
    assert FUTURES.contiguous_ids
    assert FUTURES.ordered
    trades: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for _, raw in captured(recordings, FUTURES):
        if raw.get("e") == "aggTrade":
            trades[raw["s"]].append(raw)
    assert {symbol: len(rows) for symbol, rows in trades.items()} == {
        "CTKUSDT": 38,
        "AKROUSDT": 8,
        "SUSHIUSDT": 40,
        "KEEPUSDT": 5,
    }
    for rows in trades.values():
        for one, following in pairwise(rows):
            assert following["a"] == one["a"] + 1
            assert following["f"] == one["l"] + 1
            assert following["T"] >= one["T"]


@pytest.mark.recordings
def test_binance_futures_capture_when_candles_are_built_then_equal_the_venues_running_ones(recordings: Path) -> None:
    """The minute that began during the capture: wherever the trades end with the last deal of a running candle."""
    frames = list(captured(recordings, FUTURES))
    ticks: defaultdict[str, list[tuple[int, int, PriceTick]]] = defaultdict(list)
    for frame, raw in frames:
        if raw.get("e") == "aggTrade":
            (tick,) = FUTURES.parse(frame)
            assert isinstance(tick, PriceTick)
            ticks[raw["s"]].append((raw["f"], raw["l"], tick))
    compared: Counter[str] = Counter()
    for frame, raw in frames:
        if raw.get("e") != "kline":
            continue
        first, last = raw["k"]["f"], raw["k"]["L"]
        inside = [row for row in ticks[raw["s"]] if first <= row[0] and row[1] <= last]
        if not inside or (inside[0][0], inside[-1][1]) != (first, last):
            continue
        compared[raw["s"]] += 1
        (theirs,) = FUTURES.parse(frame)
        assert isinstance(theirs, OHLCCandle)
        (ours,) = candles_of([tick for _, _, tick in inside], "1m")
        assert ours[:8] == true_candle(theirs)[:8]
        assert ours.trades == theirs.trades
        for mine, true in ((ours.volume, theirs.volume), (ours.buy_volume, theirs.buy_volume)):
            assert mine == pytest.approx(true, rel=1e-12)
        assert ours.quote_volume == pytest.approx(theirs.quote_volume, rel=1e-12)
    assert compared == {"CTKUSDT": 9, "SUSHIUSDT": 5, "KEEPUSDT": 1}


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("venue", "format"), [(SPOT, BinanceFormat()), (FUTURES, BinanceFuturesFormat())], ids=["spot", "futures"]
)
def test_binance_single_messages_when_parsed_then_give_their_items(
    recordings: Path, venue: Venue, format: BinanceFormat
) -> None:
    """Both venues read what both write; single deals are not asked for, and are no trades here.

    One is no recording, but the documentation's example of a candle, whose low lies over its open: no candle.
    """
    folder = recordings / "messages" / "binance"
    read = 0
    for name in ("agg_trade_stream", "ws_spot_agg_trade", "kline_stream_closed"):
        frame = (folder / f"{name}.json").read_bytes()
        raw = json.loads(frame)
        raw = raw.get("data", raw)
        (item,) = venue.parse(frame)
        read += 1
        symbol = symbol_of(venue, raw["s"])
        if raw["e"] == "aggTrade":
            assert isinstance(item, PriceTick)
            assert_same_trade(item, raw, symbol, venue.name)
            assert_same_row(json.loads(format.trades([item])), raw)
        else:
            assert isinstance(item, OHLCCandle)
            assert_same_candle(item, raw["k"], symbol, venue.name)
            assert_written_alike(item, raw["k"], format)
    for name in ("trade_stream", "ws_spot_trade"):
        assert list(venue.parse((folder / f"{name}.json").read_bytes())) == [Unknown(kind="trade")]
        read += 1
    with pytest.raises(MessageError, match="low <= open"):
        list(venue.parse((folder / "kline_stream_open.json").read_bytes()))
    assert read == 5


@pytest.mark.recordings
def test_binance_rest_trades_when_parsed_then_give_their_items_and_can_be_written_back(recordings: Path) -> None:
    """The endpoint of single deals is not asked: its rows are no trades here."""
    folder = recordings / "messages" / "binance"
    body = (folder / "http_spot_market_agg_trades.json").read_bytes()
    rows: Sequence[Mapping[str, Any]] = json.loads(body)
    page = SPOT.parse_rest_trades("BTC/USDT", body, None)
    assert (len(rows), page.cursor) == (10, None)
    for tick, raw in zip(page.items, rows, strict=True):
        assert_same_trade(tick, raw, "BTC/USDT", "binance")
    query = TradesQuery(symbol="BTCUSDT", limit=1000)
    for written, raw in zip(
        json.loads(BinanceFormat().rest_trades("BTC/USDT", page.items, query, more=False)), rows, strict=True
    ):
        assert_same_row(written, raw)
    ids = [raw["a"] for raw in rows]
    assert ids == list(range(ids[0], ids[0] + 10))
    with pytest.raises(MessageError):
        SPOT.parse_rest_trades("BTC/USDT", (folder / "http_spot_market_trades.json").read_bytes(), None)


@pytest.mark.recordings
def test_binance_rest_candles_when_parsed_then_give_their_items_and_can_be_written_back(recordings: Path) -> None:
    """Rows hold open time, prices, volume, close time, quote volume, trades and what takers bought."""
    body = (recordings / "messages" / "binance" / "http_spot_market_klines.json").read_bytes()
    rows: Sequence[Sequence[Any]] = json.loads(body)
    page = SPOT.parse_rest_candles("BTC/USDT", Timeframe("1m"), body, None)
    assert (len(rows), page.cursor) == (10, None)
    candles: Sequence[OHLCCandle] = page.items
    query = CandlesQuery(symbol="BTCUSDT", minutes=1, limit=1000)
    written = json.loads(
        BinanceFormat().rest_candles("BTC/USDT", [true_candle(c) for c in candles], query, now=0, more=False)
    )
    for candle, mine, raw in zip(candles, written, rows, strict=True):
        assert candle == OHLCCandle(
            symbol="BTC/USDT",
            timeframe=Timeframe("1m"),
            open_time=raw[0] * 1_000_000,
            open=float(raw[1]),
            high=float(raw[2]),
            low=float(raw[3]),
            close=float(raw[4]),
            volume=float(raw[5]),
            trades=raw[8],
            quote_volume=float(raw[7]),
            buy_volume=float(raw[9]),
            exchange="binance",
            closed=True,
            complete=True,
        )
        assert candle.close_time == (raw[6] + 1) * 1_000_000
        for index in (0, 6, 8):
            assert mine[index] == raw[index]
        for index in (1, 2, 3, 4, 5, 7, 9):
            assert Decimal(mine[index]) == Decimal(raw[index])
