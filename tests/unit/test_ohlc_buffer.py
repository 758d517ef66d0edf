"""OHLCBuffer: trades, candles, history, corrections, the ring and what readers get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams.candles import CandleBuilder
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sinks import OHLCBuffer
from rxstreams.sinks._ring import CandleRing, Row
from rxstreams.tables import CANDLE_DTYPES, candles_to_frame
from rxstreams.timeframe import Timeframe

T0 = 1_700_000_100 * SECOND  # a boundary of 5 minutes


def _candle(number: int, price: float = 1.0, **fields: Any) -> OHLCCandle:
    """Return the candle of the n-th 5 minutes after T0, closed and incomplete."""
    values: dict[str, Any] = {
        "symbol": "A",
        "timeframe": Timeframe("5m"),
        "open_time": T0 + number * 5 * MINUTE,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": 1.0,
    }
    return OHLCCandle(**values | fields)


def _tick(seconds: float, price: float, **fields: Any) -> PriceTick:
    values: dict[str, Any] = {"symbol": "A", "price": price, "volume": 1.0, "timestamp": T0 + round(seconds * SECOND)}
    return PriceTick(**values | fields)


def _show(buffer: OHLCBuffer) -> list[tuple[int, float, str]]:
    """Return what a buffer holds: number of the interval, close, and "open", "closed" or "complete"."""
    return [
        (
            (candle.open_time - T0) // (5 * MINUTE),
            candle.close,
            ("complete" if candle.complete else "closed") if candle.closed else "open",
        )
        for candle in buffer.candles()
    ]


# Trades


def test_buffer_when_used_as_the_seed_shows_then_its_frame_has_the_forming_candle() -> None:
    """The README's own lines, but for the import."""
    buf = OHLCBuffer("AAPL", interval_minutes=5, max_candles=500)
    buf.update_from_trade(price=150.25, volume=100, timestamp=datetime.now(UTC))
    df = buf.to_dataframe(count=200)
    assert len(df) == 1
    assert df["close"].tolist() == [150.25]
    assert df["closed"].tolist() == [False]


def test_buffer_when_fed_by_trades_then_the_last_row_is_the_forming_candle() -> None:
    """Trades of one interval are one row; a trade of the next closes it."""
    buffer = OHLCBuffer("A", timeframe="5m")
    buffer.update_from_trade(10.0, 2.0, T0 + 60 * SECOND, side=Side.BUY, trade_id=1)
    buffer.update_from_trade(12.0, 1.0, datetime.fromtimestamp(T0 / SECOND + 70, UTC))
    buffer.update_from_trade(9.0, 1.0, pd.Timestamp(T0 + 80 * SECOND, tz="UTC"), count=5)
    assert buffer.candles() == [
        OHLCCandle(
            symbol="A",
            timeframe=Timeframe("5m"),
            open_time=T0,
            open=10.0,
            high=12.0,
            low=9.0,
            close=9.0,
            volume=4.0,
            trades=7,
            quote_volume=41.0,
            buy_volume=2.0,
            closed=False,
            since=T0 + 60 * SECOND + 1,
        )
    ]
    buffer.update_from_trade(11.0, 1.0, np.datetime64(T0 + 300 * SECOND, "ns"))
    assert _show(buffer) == [(0, 9.0, "closed"), (1, 11.0, "open")]
    assert len(buffer) == 2
    newest = buffer.latest()
    assert newest is not None
    assert newest.close == 11.0


def test_buffer_when_read_between_trades_then_each_reading_is_up_to_date() -> None:
    """Reading does not freeze the forming candle, and does not change what comes of it."""
    read, unread = OHLCBuffer("A", 5), OHLCBuffer("A", 5)
    for second in range(0, 1000, 7):
        for buffer in (read, unread):
            buffer.on_next(_tick(second, 10.0 + second % 13))
        newest = read.latest()
        assert newest is not None
        assert newest.close == 10.0 + second % 13
    assert read.candles() == unread.candles()


def test_buffer_when_a_trade_comes_late_then_its_candle_is_corrected_in_place() -> None:
    """The builder's revision replaces the row; a trade that is too old is counted."""
    buffer = OHLCBuffer("A", 5)
    for tick in (_tick(10, 1.0), _tick(310, 2.0), _tick(20, 5.0)):
        buffer.on_next(tick)
    assert _show(buffer) == [(0, 5.0, "closed"), (1, 2.0, "open")]
    assert buffer.candles()[0].revision == 1
    buffer.on_next(_tick(-100_000, 3.0))
    assert len(buffer) == 2
    assert buffer.late_trades == 1
    assert OHLCBuffer().late_trades == 0


def test_buffer_when_ticks_say_their_coverage_then_candles_say_complete() -> None:
    """What the promise rests on goes through: since and span of the ticks."""
    buffer = OHLCBuffer("A", 5, exchange="kraken")
    for second in (10, 310, 610):
        buffer.on_next(_tick(second, 1.0, exchange="kraken", span=3, since=T0 - 5))
    assert _show(buffer) == [(0, 1.0, "complete"), (1, 1.0, "complete"), (2, 1.0, "open")]
    assert {(candle.exchange, candle.span, candle.since) for candle in buffer.candles()} == {("kraken", 3, T0 - 5)}


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ((1.0, 1.0, datetime(2025, 1, 1)), ValueError, "timestamp must know its time zone"),
        ((1.0, 1.0, 1.7e9), TypeError, "timestamp must be integer nanoseconds"),
        ((float("nan"), 1.0, T0), ValueError, "price must be a finite number"),
        ((1.0, -1.0, T0), ValueError, "volume must not be negative"),
    ],
)
def test_buffer_when_a_trade_is_impossible_then_it_is_refused_and_nothing_changes(
    values: tuple[Any, Any, Any], error: type[Exception], message: str
) -> None:
    """A naive datetime above all: its zone would be a guess."""
    buffer = OHLCBuffer("A", 5)
    with pytest.raises(error, match=message):
        buffer.update_from_trade(*values)
    assert len(buffer) == 0
    buffer.on_next(_candle(0))
    assert len(buffer) == 1


# Candles


def test_buffer_when_fed_by_candles_then_it_holds_them_as_they_came() -> None:
    """Every field comes back, also those that the frame does not show."""
    candle = _candle(
        0,
        2.0,
        trades=3,
        quote_volume=5.0,
        buy_volume=0.5,
        exchange="x",
        complete=True,
        revision=4,
        span=7,
        since=T0 - 9,
    )
    buffer = OHLCBuffer()
    buffer.update_from_candle(candle)
    assert buffer.candles() == [candle]
    assert (buffer.symbol, buffer.exchange, buffer.timeframe) == ("A", "x", Timeframe(5))


def test_buffer_when_a_candle_is_given_by_its_values_then_the_key_is_the_buffers() -> None:
    """For native feeds without candle objects."""
    buffer = OHLCBuffer("A", 5, exchange="x")
    start = datetime.fromtimestamp(T0 / SECOND, UTC)
    buffer.update_from_candle(open_time=start, open=1.0, high=3.0, low=0.5, close=2.0, volume=9.0, closed=False)
    buffer.update_from_candle(open_time=start, open=1.0, high=4.0, low=0.5, close=2.5, volume=10.0)
    (candle,) = buffer.candles()
    assert (candle.symbol, candle.exchange, candle.timeframe) == ("A", "x", Timeframe(5))
    assert (candle.high, candle.volume, candle.closed, candle.complete) == (4.0, 10.0, True, False)


def test_buffer_when_a_candle_and_values_are_given_then_it_is_a_type_error() -> None:
    """One or the other."""
    with pytest.raises(TypeError, match="got a candle and volume"):
        OHLCBuffer("A", 5).update_from_candle(_candle(0), volume=1.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # on purpose


def test_buffer_when_a_candle_is_corrected_then_its_row_is_replaced() -> None:
    """The same revision again, or a higher one, also of a candle in the middle."""
    buffer = OHLCBuffer()
    for item in (_candle(0), _candle(1), _candle(2), _candle(1, 7.0), _candle(0, 8.0, revision=1)):
        buffer.on_next(item)
    assert _show(buffer) == [(0, 8.0, "closed"), (1, 7.0, "closed"), (2, 1.0, "closed")]
    assert buffer.ignored == 0


def test_buffer_when_a_candle_is_older_than_the_stored_one_then_it_is_ignored_and_counted() -> None:
    """A lower revision; an update of a candle that is closed already; one that claims less."""
    buffer = OHLCBuffer()
    buffer.on_next(_candle(0, 5.0, revision=2, complete=True))
    for stale in (_candle(0, 6.0, revision=1, complete=True), _candle(0, 6.0, revision=2, closed=False)):
        buffer.on_next(stale)
    buffer.on_next(_candle(0, 6.0, revision=2))
    assert _show(buffer) == [(0, 5.0, "complete")]
    assert buffer.ignored == 3
    buffer.on_next(_candle(0, 6.0, revision=3))
    assert _show(buffer) == [(0, 6.0, "closed")]


def test_buffer_when_a_candle_comes_out_of_order_then_it_is_inserted() -> None:
    """As a late trade in a skipped interval brings it."""
    buffer = OHLCBuffer()
    for number in (5, 1, 3, 0, 4, 2):
        buffer.on_next(_candle(number, float(number + 1)))
    assert _show(buffer) == [(number, number + 1.0, "closed") for number in range(6)]


def test_buffer_when_it_is_full_then_the_oldest_make_room() -> None:
    """In order, out of order, and round the ring."""
    buffer = OHLCBuffer(max_candles=3)
    for number in range(5):
        buffer.on_next(_candle(number))
    assert [number for number, _, _ in _show(buffer)] == [2, 3, 4]
    buffer.on_next(_candle(1))
    assert buffer.ignored == 1
    buffer.on_next(_candle(6))
    buffer.on_next(_candle(5, 9.0))
    assert _show(buffer) == [(4, 1.0, "closed"), (5, 9.0, "closed"), (6, 1.0, "closed")]
    assert buffer.ignored == 1


def test_buffer_when_it_is_full_and_fed_by_trades_then_the_forming_candle_counts_too() -> None:
    """``max_candles`` is what a reader may get, not one more."""
    buffer = OHLCBuffer("A", 5, max_candles=2)
    for number in range(4):
        buffer.on_next(_tick(number * 300, float(number + 1)))
    assert _show(buffer) == [(2, 3.0, "complete"), (3, 4.0, "open")]
    assert len(buffer) == 2


def test_buffer_when_it_keeps_one_candle_then_it_is_the_newest() -> None:
    """The smallest ring."""
    buffer = OHLCBuffer(max_candles=1)
    for number in (0, 2, 1, 2):
        buffer.on_next(_candle(number, float(number)))
    assert _show(buffer) == [(2, 2.0, "closed")]
    assert buffer.ignored == 1


# One key, one kind


@pytest.mark.parametrize(
    "other",
    [
        _candle(0, symbol="B"),
        _candle(0, exchange="y"),
        _candle(0, timeframe=Timeframe("1h"), open_time=1_700_000_100 * SECOND // (60 * MINUTE) * 60 * MINUTE),
    ],
)
def test_buffer_when_an_item_is_of_another_key_then_it_is_refused(other: OHLCCandle) -> None:
    """The first item completes the key; the error says both."""
    buffer = OHLCBuffer()
    buffer.on_next(_candle(0, exchange="x"))
    with pytest.raises(ValueError, match=r"keeps exchange='x' symbol='A' timeframe=5m, got .*OHLCCacheManager"):
        buffer.on_next(other)
    assert len(buffer) == 1


def test_buffer_when_trades_and_candles_come_then_the_first_kind_wins() -> None:
    """Both at once would count twice, or let one overwrite the other."""
    trades, candles = OHLCBuffer("A", 5), OHLCBuffer("A", 5)
    trades.on_next(_tick(0, 1.0))
    with pytest.raises(ValueError, match="the candles of A 5m come from trades, got candles"):
        trades.on_next(_candle(0))
    candles.on_next(_candle(0))
    with pytest.raises(ValueError, match="the candles of A 5m come from candles, got trades"):
        candles.on_next(_tick(0, 1.0))
    with pytest.raises(ValueError, match="got trades"):
        candles.update_from_trade(1.0, 1.0, T0)
    assert (len(trades), len(candles)) == (1, 1)


def test_buffer_when_it_does_not_know_its_key_then_values_are_refused() -> None:
    """Items bring their key; bare values need the buffer's."""
    with pytest.raises(ValueError, match="no symbol yet"):
        OHLCBuffer(timeframe=5).update_from_trade(1.0, 1.0, T0)
    with pytest.raises(ValueError, match="no timeframe yet"):
        OHLCBuffer("A").update_from_trade(1.0, 1.0, T0)
    with pytest.raises(ValueError, match="no timeframe yet"):
        OHLCBuffer("A").bootstrap(candles_to_frame([_candle(0)]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"interval_minutes": 5, "timeframe": "5m"}, ValueError, "interval_minutes or timeframe"),
        ({"timeframe": "5x"}, ValueError, "5x"),
        ({"max_candles": 0}, ValueError, "max_candles must be at least 1, got 0"),
        ({"max_candles": 1.5}, TypeError, "max_candles must be an integer, got 1.5"),
        ({"max_candles": True}, TypeError, "max_candles must be an integer, got True"),
    ],
)
def test_buffer_when_an_option_is_wrong_then_building_it_fails(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """At once, not at the first item."""
    with pytest.raises(error, match=message):
        OHLCBuffer("A", **options)


@pytest.mark.parametrize("length", [5, "5m", "M5", timedelta(minutes=5), Timeframe(5)])
def test_buffer_when_its_timeframe_is_written_in_any_way_then_it_is_the_same(length: Any) -> None:
    """As everywhere in the library."""
    assert OHLCBuffer("A", timeframe=length).timeframe == OHLCBuffer("A", 5).timeframe


# History


def test_bootstrap_when_history_comes_first_then_live_candles_go_on_from_it() -> None:
    """The usual order: REST, then the feed; the forming candle of the answer gives way to the live one."""
    buffer = OHLCBuffer("A", 5)
    history = [_candle(number, complete=True) for number in range(3)] + [_candle(3, 2.0, closed=False)]
    assert buffer.bootstrap(history) == 4
    buffer.on_next(_tick(3 * 300 + 200, 5.0))
    buffer.on_next(_tick(4 * 300 + 1, 6.0))
    assert _show(buffer) == [
        (0, 1.0, "complete"),
        (1, 1.0, "complete"),
        (2, 1.0, "complete"),
        (3, 5.0, "closed"),
        (4, 6.0, "open"),
    ]


def test_bootstrap_when_it_comes_later_then_it_fills_and_mends_but_overwrites_no_complete_candle() -> None:
    """Only what is closed and complete replaces a live candle, and only one that is not complete."""
    buffer = OHLCBuffer()
    for live in (_candle(2, 5.0), _candle(3, 5.0, revision=4), _candle(4, 5.0, complete=True), _candle(6, 5.0)):
        buffer.on_next(live)
    taken = buffer.bootstrap([_candle(number, 7.0, complete=number != 6) for number in range(7)])
    assert _show(buffer) == [
        (0, 7.0, "complete"),
        (1, 7.0, "complete"),
        (2, 7.0, "complete"),
        (3, 7.0, "complete"),
        (4, 5.0, "complete"),
        (5, 7.0, "complete"),
        (6, 5.0, "closed"),
    ]
    assert taken == 5
    assert buffer.candles()[3].revision == 4
    assert buffer.ignored == 0


def test_bootstrap_when_live_candles_follow_then_only_a_complete_one_replaces_complete_history() -> None:
    """An incomplete live candle knows less; a complete one is as good, and its corrections follow."""
    buffer = OHLCBuffer()
    buffer.bootstrap([_candle(0, 7.0, complete=True), _candle(1, 7.0, complete=True), _candle(2, 7.0)])
    buffer.on_next(_candle(0, 5.0, revision=9))
    buffer.on_next(_candle(1, 5.0, complete=True))
    buffer.on_next(_candle(1, 6.0, revision=1))
    buffer.on_next(_candle(2, 5.0, closed=False))
    assert _show(buffer) == [(0, 7.0, "complete"), (1, 6.0, "closed"), (2, 5.0, "open")]
    assert buffer.ignored == 1


def test_bootstrap_when_asked_again_then_the_newer_answer_wins() -> None:
    """Polling REST: the forming candle grows, then closes; it does not open again."""
    buffer = OHLCBuffer()
    for price, closed in ((1.0, False), (2.0, False), (3.0, True), (4.0, False)):
        buffer.bootstrap([_candle(0, price, closed=closed, complete=closed)])
    assert _show(buffer) == [(0, 3.0, "complete")]


def test_bootstrap_when_given_a_frame_then_its_rows_are_history() -> None:
    """A frame that was saved yesterday comes back; more rows than there is room for are cut to the newest."""
    earlier = OHLCBuffer()
    for number in range(6):
        earlier.on_next(_candle(number, number + 1.0, complete=number % 2 == 0))
    buffer = OHLCBuffer("A", 5, max_candles=4)
    assert buffer.bootstrap(earlier.to_dataframe().sample(frac=1.0, random_state=7)) == 4
    assert _show(buffer) == _show(earlier)[2:]


def test_bootstrap_when_there_is_more_than_room_then_the_newest_are_kept() -> None:
    """Live rows count as well; what found no place is not reported as taken."""
    buffer = OHLCBuffer(max_candles=5)
    for number in (10, 11):
        buffer.on_next(_candle(number))
    assert buffer.bootstrap(_candle(number, 7.0) for number in reversed(range(10))) == 3
    assert [number for number, _, _ in _show(buffer)] == [7, 8, 9, 10, 11]
    assert buffer.bootstrap([_candle(0)]) == 0
    assert len(buffer) == 5


def test_bootstrap_when_a_trade_fed_buffer_has_a_forming_candle_then_history_stands_around_it() -> None:
    """Even history that is newer than the last trade of a quiet symbol."""
    buffer = OHLCBuffer("A", 5)
    buffer.on_next(_tick(300, 5.0))
    buffer.bootstrap([_candle(0, 7.0, complete=True), _candle(1, 7.0, closed=False), _candle(2, 7.0, complete=True)])
    assert _show(buffer) == [(0, 7.0, "complete"), (1, 5.0, "open"), (2, 7.0, "complete")]
    buffer.bootstrap([_candle(1, 7.0, complete=True)])
    assert _show(buffer)[1] == (1, 7.0, "complete")
    assert len(buffer) == 3
    buffer.on_next(_tick(301, 6.0))
    assert _show(buffer)[1] == (1, 7.0, "complete")
    assert buffer.ignored == 0


def test_bootstrap_when_candles_are_of_several_keys_then_nothing_is_taken() -> None:
    """Half a history would be worse than none; the buffer's key stays open too."""
    buffer = OHLCBuffer()
    with pytest.raises(ValueError, match="history of one key"):
        buffer.bootstrap([_candle(0), _candle(0, symbol="B")])
    buffer.on_next(_candle(0, symbol="B"))
    with pytest.raises(ValueError, match="this buffer keeps"):
        buffer.bootstrap([_candle(1)])
    assert len(buffer) == 1


def test_bootstrap_when_history_is_empty_then_nothing_happens() -> None:
    """A venue that knows nothing of the symbol yet."""
    buffer = OHLCBuffer("A", 5)
    assert buffer.bootstrap([]) == 0
    assert buffer.bootstrap(candles_to_frame([])) == 0
    assert len(buffer) == 0


def test_bootstrap_when_history_and_live_candles_join_then_the_coverage_reaches_back() -> None:
    """Between complete neighbours nothing is missing, so ``since`` goes back to where the history begins."""
    buffer = OHLCBuffer()
    live = {"span": 3, "since": T0 + 7 * MINUTE}
    buffer.on_next(_candle(1, **live))
    buffer.on_next(_candle(2, **live, complete=True))
    buffer.on_next(_candle(4, **live, complete=True))
    buffer.bootstrap([_candle(0, complete=True), _candle(1, complete=True)])
    assert [(candle.since - T0) // MINUTE for candle in buffer.candles()] == [0, 0, 0, 7]
    buffer.on_next(_candle(3, **live, complete=True))
    assert [(candle.since - T0) // MINUTE for candle in buffer.candles()] == [0, 0, 0, 0, 7]


def test_since_when_the_neighbour_is_incomplete_or_the_candle_began_late_then_it_stays() -> None:
    """Coverage is joined only where nothing can lie between."""
    buffer = OHLCBuffer()
    minutes = {0: 0, 1: 0, 2: 10, 3: 17, 4: 20}
    for number, since in minutes.items():
        buffer.on_next(_candle(number, complete=number not in (1, 3), span=1, since=T0 + since * MINUTE or 1))
    assert [(candle.since - T0) // MINUTE for candle in buffer.candles()] == [0, 0, 10, 17, 20]
    buffer.bootstrap([_candle(-1, complete=True)])
    assert [(candle.since - T0) // MINUTE for candle in buffer.candles()] == [-5, -5, -5, 10, 17, 20]


# What readers get


def test_dataframe_when_read_then_it_is_as_documented_and_a_copy() -> None:
    """Whatever a reader does to it stays with the reader."""
    buffer = OHLCBuffer()
    for number in range(3):
        buffer.on_next(_candle(number, float(number)))
    frame = buffer.to_dataframe()
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(CANDLE_DTYPES)
    assert frame.index[0] == pd.Timestamp(T0, unit="ns", tz="UTC")
    frame["close"] = 99.0
    assert buffer.to_dataframe()["close"].tolist() == [0.0, 1.0, 2.0]


def test_dataframe_when_nothing_has_come_then_it_is_empty_with_the_same_dtypes() -> None:
    """A dashboard may start before the market."""
    empty, full = OHLCBuffer(), OHLCBuffer()
    full.on_next(_candle(0))
    assert empty.to_dataframe().dtypes.equals(full.to_dataframe().dtypes)
    assert empty.to_dataframe().index.dtype == full.to_dataframe().index.dtype
    assert (empty.candles(), empty.latest(), len(empty)) == ([], None, 0)


@pytest.mark.parametrize(("count", "expected"), [(None, 4), (0, 0), (1, 1), (3, 3), (4, 4), (9, 4)])
def test_readers_when_a_count_is_given_then_they_return_the_newest(count: int | None, expected: int) -> None:
    """Never more than there are, in ascending order, over the ring's seam too."""
    buffer = OHLCBuffer(max_candles=4)
    for number in range(6):
        buffer.on_next(_candle(number))
    numbers = [2, 3, 4, 5][4 - expected :]
    assert [(candle.open_time - T0) // (5 * MINUTE) for candle in buffer.candles(count)] == numbers
    assert len(buffer.to_dataframe(count)) == expected


def test_readers_when_the_count_is_negative_then_they_refuse() -> None:
    """A negative count has no meaning here, unlike in a slice."""
    with pytest.raises(ValueError, match="count must not be negative, got -1"):
        OHLCBuffer().to_dataframe(-1)
    with pytest.raises(ValueError, match="count must not be negative"):
        OHLCBuffer().candles(-1)


def test_readers_when_only_closed_candles_are_wanted_then_the_forming_one_is_left_out() -> None:
    """A strategy acts on closed candles; the count then counts those."""
    buffer = OHLCBuffer("A", 5)
    for number in range(4):
        buffer.on_next(_tick(number * 300, float(number)))
    assert buffer.to_dataframe(2, closed_only=True)["close"].tolist() == [1.0, 2.0]
    assert [candle.close for candle in buffer.candles(closed_only=True)] == [0.0, 1.0, 2.0]
    newest = buffer.latest(closed_only=True)
    assert newest is not None
    assert newest.close == 2.0
    assert buffer.candles(0, closed_only=True) == []


def test_repr_when_read_then_it_says_the_key_and_how_much_there_is() -> None:
    """What one wants to see in a notebook."""
    buffer = OHLCBuffer("A", 5, exchange="kraken")
    buffer.on_next(_candle(0, exchange="kraken"))
    assert repr(buffer) == "<OHLCBuffer kraken A 5m: 1 of 500 candles>"
    assert repr(OHLCBuffer()) == "<OHLCBuffer of any key: 0 of 500 candles>"


# As an observer


def test_buffer_when_subscribed_then_it_follows_the_source_to_its_end() -> None:
    """``source.subscribe(buffer)``: items, then the error, which is kept with the candles."""
    scheduler = TestScheduler()
    failure = OSError("gone")
    source = scheduler.create_cold_observable(
        ReactiveTest.on_next(10, _candle(0)), ReactiveTest.on_next(20, _candle(1)), ReactiveTest.on_error(30, failure)
    )
    buffer = OHLCBuffer()
    source.subscribe(buffer, scheduler=scheduler)
    scheduler.advance_to(15)
    assert (len(buffer), buffer.error, buffer.completed) == (1, None, False)
    scheduler.start()
    assert (len(buffer), buffer.error, buffer.completed) == (2, failure, False)


@pytest.mark.parametrize("end", [ReactiveTest.on_completed(4), ReactiveTest.on_error(4, OSError("gone"))])
def test_buffer_when_subscribed_again_then_it_goes_on_but_claims_nothing_of_what_lies_between(end: Any) -> None:
    """The rows stay and grow; the interval in which the first source ended may lack trades of it."""
    scheduler = TestScheduler()
    buffer = OHLCBuffer("A", 5)
    for first in (0, 610):
        ticks = [_tick(first + number * 300, 1.0 + number) for number in range(3)]
        arrivals = [ReactiveTest.on_next(number, tick) for number, tick in enumerate(ticks, 1)]
        scheduler.create_cold_observable(*arrivals, end).subscribe(buffer, scheduler=scheduler)
        scheduler.start()
    assert _show(buffer) == [
        (0, 1.0, "closed"),
        (1, 2.0, "complete"),
        (2, 1.0, "closed"),
        (3, 2.0, "complete"),
        (4, 3.0, "open"),
    ]


def test_buffer_when_something_else_comes_then_it_is_a_type_error() -> None:
    """A chain that was put together wrongly says so."""
    with pytest.raises(TypeError, match="takes PriceTick and OHLCCandle, got 'tick'"):
        OHLCBuffer().on_next("tick")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose


# Memory


@pytest.mark.parametrize("max_candles", [1, 16, 17, 500, 10_000])
def test_ring_when_filled_then_it_takes_at_most_100_bytes_a_candle(max_candles: int) -> None:
    """Measured on the columns themselves, full ring, after it has gone round."""
    ring = CandleRing(max_candles)
    for number in range(max_candles + 3):
        ring.insert(Row(number, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1.0, 1.0, 1, 1, 0, True, True, 0))
    assert ring.capacity == len(ring) == max_candles
    assert ring.nbytes / ring.capacity <= 100


def test_ring_when_it_is_large_but_empty_then_it_costs_little() -> None:
    """Room is made as candles come: a manager may hold a thousand symbols that hardly trade."""
    ring = CandleRing(1_000_000)
    assert ring.nbytes < 2_000
    for number in range(100):
        ring.insert(Row(number, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1.0, 1.0, 1, 1, 0, True, True, 0))
    assert ring.nbytes < 100 * 100 * 2


def test_buffer_when_fed_by_trades_then_its_candles_are_the_builders() -> None:
    """No second way to build candles: the buffer holds what CandleBuilder makes, the open one included."""
    made: dict[int, OHLCCandle] = {}
    builder = CandleBuilder("5m", on_candle=lambda candle: made.__setitem__(candle.open_time, candle), emit="updates")
    buffer = OHLCBuffer("A", 5)
    for number in range(400):
        tick = _tick(number * 11 % 2000 + number * 3, 10.0 + number % 17, span=1, since=T0 + number % 2)
        builder.add(tick)
        buffer.on_next(tick)
    builder.flush()
    expected = [made[open_time] for open_time in sorted(made)]
    # Beside a complete candle the buffer knows a longer coverage than the builder.
    assert [replace(candle, since=0) for candle in buffer.candles()] == [
        replace(candle, since=0) for candle in expected
    ]
