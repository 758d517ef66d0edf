"""OHLCCacheManager: keys, names, longer timeframes, history, and the named managers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import reactivex as rx
from reactivex.testing import ReactiveTest, TestScheduler

from rxstreams.candles import CandleBuilder, CandleResampler
from rxstreams.errors import AmbiguousKey
from rxstreams.instants import HOUR, MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import resample, to_ohlc
from rxstreams.sinks import CandleKey, OHLCBuffer, OHLCCacheManager, get_ohlc_cache_manager
from rxstreams.symbols import SymbolMap
from rxstreams.tables import candles_to_frame
from rxstreams.timeframe import Timeframe

T0 = 1_735_689_600 * SECOND  # 2025-01-01T00:00:00Z


def _tick(minutes: float, price: float = 1.0, symbol: str = "A", **fields: Any) -> PriceTick:
    values: dict[str, Any] = {"volume": 1.0, "timestamp": T0 + round(minutes * MINUTE), "span": 1, "since": T0 - 1}
    return PriceTick(symbol=symbol, price=price, **(values | fields))


def _candle(minutes: float, timeframe: int = 5, price: float = 1.0, **fields: Any) -> OHLCCandle:
    values: dict[str, Any] = {
        "symbol": "A",
        "timeframe": Timeframe(timeframe),
        "open_time": T0 + round(minutes * MINUTE),
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": 1.0,
        "trades": 1,
        "complete": fields.get("closed", True),
    }
    return OHLCCandle(**values | fields)


def _show(candles: list[OHLCCandle]) -> list[tuple[int, float, float, str]]:
    """Return open time in minutes after T0, close, volume, and "open", "closed" or "complete"."""
    return [
        (
            (candle.open_time - T0) // MINUTE,
            candle.close,
            candle.volume,
            ("complete" if candle.complete else "closed") if candle.closed else "open",
        )
        for candle in candles
    ]


def _feed(manager: OHLCCacheManager, items: list[PriceTick] | list[OHLCCandle]) -> None:
    for item in items:
        manager.on_next(item)


# Names and keys


def test_manager_when_used_as_the_seed_shows_then_all_names_lead_to_one_buffer() -> None:
    """The README's own lines, but for the import."""
    symbol_map = {
        "BTC": ["BTC/USD", "BTCUSD", "XXBTZUSD"],
        "ETH": ["ETH/USD", "ETHUSD"],
    }
    mgr = OHLCCacheManager(symbol_map=symbol_map, max_candles=500)
    mgr.update_from_trade("BTC/USD", 50000.0, 0.5, datetime.now(UTC))
    mgr.update_from_trade("XXBTZUSD", 50001.0, 0.3, datetime.now(UTC) + timedelta(microseconds=1))
    mgr.aggregate_higher_timeframes("BTC")
    candles = mgr.get_multi_timeframe_candles("BTC")
    assert list(candles) == [5, 15, 60, 240, 1440]
    for rows in candles.values():
        assert rows[-1].symbol == "BTC"
        assert sum(candle.volume for candle in rows) == pytest.approx(0.8)
    assert mgr.symbols() == ["BTC"]
    assert mgr.get_buffer("BTCUSD", "M5") is mgr.get_buffer("XXBTZUSD", 5) is not None


def test_manager_when_the_example_of_the_front_page_runs_then_the_hours_are_there() -> None:
    """``feed.pipe(to_ohlc(5), resample(5, 60))`` into the manager."""
    ticks = [_tick(minute, float(minute), symbol) for minute in range(150) for symbol in ("BTC/USD", "ETH/USD")]
    buffers = OHLCCacheManager()
    rx.from_iterable(ticks).pipe(to_ohlc(5), resample(5, 60)).subscribe(buffers)
    assert buffers.completed
    frame = buffers.to_dataframe("BTC/USD", "1h")
    assert frame["close"].tolist() == [59.0, 119.0, 149.0]
    assert frame["complete"].tolist() == [True, True, False]
    assert len(buffers.to_dataframe("ETH/USD", 5)) == 30
    assert buffers.to_dataframe("ETH/USD", 15, count=1)["close"].tolist() == [149.0]


def test_getters_when_a_symbol_is_seen_at_one_exchange_then_it_may_be_left_out() -> None:
    """With two it must be said, and the error lists them."""
    manager = OHLCCacheManager()
    manager.on_next(_candle(0, exchange="kraken"))
    assert len(manager.candles("A", 5)) == 1
    manager.on_next(_candle(5, price=2.0, exchange="binance"))
    for ask in (manager.candles, manager.to_dataframe, manager.get_buffer):
        with pytest.raises(
            AmbiguousKey, match="A was seen at several exchanges: say exchange= one of 'binance', 'kraken'"
        ):
            ask("A", 5)
    with pytest.raises(AmbiguousKey):
        manager.get_multi_timeframe_candles("A")
    assert _show(manager.candles("A", 5, exchange="binance")) == [(5, 2.0, 1.0, "complete")]
    assert manager.get_multi_timeframe_candles("A", exchange="kraken")[15][0].exchange == "kraken"
    assert manager.candles("A", 5, exchange="okx") == []


def test_getters_when_nothing_was_seen_then_they_return_nothing_of_the_same_kind() -> None:
    """An unseen symbol, timeframe or exchange is no error: it may come yet."""
    manager = OHLCCacheManager()
    manager.on_next(_candle(0))
    full = manager.to_dataframe("A", 5)
    for empty in (manager.to_dataframe("B", 5), manager.to_dataframe("A", "30m"), manager.to_dataframe("A", 1)):
        assert len(empty) == 0
        assert empty.dtypes.equals(full.dtypes)
        assert empty.index.dtype == full.index.dtype
    assert manager.candles("B", 5) == []
    assert manager.get_buffer("B", 5) is None
    assert manager.get_multi_timeframe_candles("B") == {5: [], 15: [], 60: [], 240: [], 1440: []}
    manager.aggregate_higher_timeframes("B")


def test_keys_when_listed_then_they_are_those_that_came_and_those_that_are_built() -> None:
    """Sorted by symbol, exchange and timeframe."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    _feed(manager, [_candle(0, symbol="B", exchange="x"), _candle(0, 60), _candle(0, 1)])
    length = Timeframe
    assert manager.keys() == [
        CandleKey("", "A", length("1m")),
        CandleKey("", "A", length("5m")),
        CandleKey("", "A", length("1h")),
        CandleKey("x", "B", length("5m")),
        CandleKey("x", "B", length("1h")),
    ]
    assert manager.symbols() == ["A", "B"]
    assert repr(manager) == "<OHLCCacheManager: 2 symbols, 5 buffers>"


def test_manager_when_items_come_under_other_names_then_they_are_one_symbol() -> None:
    """Ticks, candles and history alike; a SymbolMap will do for the dict."""
    manager = OHLCCacheManager(SymbolMap({"BTC": ["XBT", "XXBT"]}), timeframes=(5, 15))
    manager.on_next(_tick(0, symbol="XBT"))
    manager.on_next(_tick(1, symbol="XXBT"))
    manager.on_next(_tick(2, symbol="BTC"))
    manager.bootstrap([_candle(-5, symbol="XXBT")])
    manager.bootstrap(candles_to_frame([_candle(-10, symbol="XBT")]), symbol="XXBT", timeframe=5)
    other = OHLCCacheManager({"BTC": ["XBT"]}, timeframes=(5, 15))
    other.update_from_candle(_candle(0, symbol="XBT"))
    other.update_from_candle("XBT", 5, open_time=T0 + 5 * MINUTE, open=1.0, high=1.0, low=1.0, close=1.0)
    assert manager.symbols() == other.symbols() == ["BTC"]
    assert _show(manager.candles("XBT", 5)) == [
        (-10, 1.0, 1.0, "complete"),
        (-5, 1.0, 1.0, "complete"),
        (0, 1.0, 3.0, "open"),
    ]
    assert len(other.candles("BTC", 5)) == 2
    assert {candle.symbol for candle in (*manager.candles("BTC", 15), *other.candles("BTC", 15))} == {"BTC"}


# Trades


def test_manager_when_fed_by_ticks_then_every_timeframe_shows_its_forming_candle() -> None:
    """The shortest is built from the trades, the others from it; a reader sees the last trade in all of them."""
    manager = OHLCCacheManager(timeframes=("15m", 5, "1h"))
    _feed(manager, [_tick(minute, float(minute)) for minute in range(0, 74, 2)])
    rows = manager.get_multi_timeframe_candles("A")
    assert list(rows) == ["15m", 5, "1h"]
    assert _show(rows["1h"]) == [(0, 58.0, 30.0, "complete"), (60, 72.0, 7.0, "open")]
    assert _show(rows["15m"])[-2:] == [(45, 58.0, 7.0, "complete"), (60, 72.0, 7.0, "open")]
    assert _show(rows[5])[-2:] == [(65, 68.0, 2.0, "complete"), (70, 72.0, 2.0, "open")]


def test_manager_when_a_symbol_is_quiet_then_its_line_closes_its_candles() -> None:
    """Ticks of other symbols on the same line prove that nothing came, and soon: not when the next 4 hours are over."""
    manager = OHLCCacheManager()
    _feed(manager, [_tick(1, 1.0, "QUIET"), _tick(2, 1.0, "BUSY")])
    _feed(manager, [_tick(minute, 2.0, "BUSY") for minute in range(3, 247)])
    for timeframe in (5, 15, 60, 240):
        assert _show(manager.candles("QUIET", timeframe)) == [(0, 1.0, 1.0, "complete")]
    assert _show(manager.candles("QUIET", 1440)) == [(0, 1.0, 1.0, "open")]


def test_manager_when_exchanges_differ_then_their_trades_stay_apart() -> None:
    """The same symbol at two venues is two markets."""
    manager = OHLCCacheManager()
    manager.update_from_trade("A", 1.0, 1.0, T0, exchange="x")
    manager.update_from_trade("A", 2.0, 1.0, T0, exchange="y", count=3)
    assert [manager.candles("A", 60, exchange=name)[0].trades for name in ("x", "y")] == [1, 3]


def test_manager_when_built_without_timeframes_then_it_takes_candles_only() -> None:
    """A sink for a chain that builds everything itself."""
    manager = OHLCCacheManager(timeframes=())
    _feed(manager, [_candle(0, 5), _candle(0, 15)])
    assert manager.keys() == [CandleKey("", "A", Timeframe(5)), CandleKey("", "A", Timeframe(15))]
    assert manager.get_multi_timeframe_candles("A") == {}
    with pytest.raises(ValueError, match="without timeframes: it takes candles only, got a trade"):
        manager.on_next(_tick(0))
    assert manager.late_trades == 0


def test_manager_when_a_key_takes_candles_then_trades_for_it_are_refused_and_the_reverse() -> None:
    """The first kind of item wins a key; others keys are free."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    manager.on_next(_candle(0, symbol="A"))
    with pytest.raises(ValueError, match="the candles of A 5m come from candles, got trades"):
        manager.on_next(_tick(0, symbol="A"))
    manager.on_next(_tick(0, symbol="B"))
    with pytest.raises(ValueError, match="the candles of B 5m come from trades, got candles"):
        manager.on_next(_candle(5, symbol="B"))
    manager.on_next(_candle(5, symbol="A"))
    assert (len(manager.candles("A", 5)), len(manager.candles("B", 5))) == (2, 1)


def test_manager_when_trades_or_candles_are_left_out_then_it_counts_them() -> None:
    """Nothing is lost silently."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    _feed(manager, [_candle(0, symbol="C", revision=1), _candle(0, symbol="C")])
    _feed(manager, [_tick(100), _tick(0)])
    assert (manager.ignored, manager.late_trades) == (1, 1)


# Longer timeframes


@pytest.mark.parametrize("emit", ["closed", "updates"])
def test_manager_when_fed_by_candles_then_the_longer_ones_are_those_of_the_resampler(emit: Any) -> None:
    """Built by the same rules as ``resample`` builds them, however often somebody reads meanwhile."""
    lost = T0 + 245 * MINUTE + 30 * SECOND
    minutes = [number * 0.7 - number % 7 for number in range(700)]
    ticks = [_tick(minute, minute % 31 + 1.0, since=T0 - HOUR if minute < 245 else lost) for minute in minutes]
    made: dict[tuple[Timeframe, int], OHLCCandle] = {}

    def keep(candle: OHLCCandle) -> None:
        made[candle.timeframe, candle.open_time] = candle

    resampler = CandleResampler(5, 15, 60, 240, on_candle=keep, emit="updates")
    read, unread = OHLCCacheManager(timeframes=(5, 15, 60, 240)), OHLCCacheManager(timeframes=(5, 15, 60, 240))

    def take(candle: OHLCCandle) -> None:
        resampler.add(candle)
        read.on_next(candle)
        read.candles("A", 240)
        unread.on_next(candle)

    builder = CandleBuilder(5, on_candle=take, emit=emit)
    for tick in ticks:
        builder.add(tick)
    for timeframe in (15, 60, 240):
        length = Timeframe(timeframe)
        expected = _show([made[key] for key in sorted(made) if key[0] is length])
        assert _show(read.candles("A", timeframe)) == _show(unread.candles("A", timeframe)) == expected
        assert len(expected) > 1


def test_manager_when_a_child_is_corrected_then_the_longer_candles_follow() -> None:
    """A late trade changes the hour too, and its revision goes up."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    _feed(manager, [_tick(minute) for minute in range(16)])
    assert _show(manager.candles("A", 15))[0] == (0, 1.0, 15.0, "complete")
    manager.on_next(_tick(14.5, 9.0))
    (corrected, _) = manager.candles("A", 15)
    assert (corrected.high, corrected.volume, corrected.revision, corrected.complete) == (9.0, 16.0, 1, True)


def test_manager_when_the_closing_candle_is_lost_then_its_last_update_counts() -> None:
    """A native feed that sends updates, and after a loss goes on with the next interval."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    for candle in (_candle(0), _candle(0, volume=2.0), _candle(5, volume=4.0), _candle(5, volume=5.0)):
        manager.on_next(_candle((candle.open_time - T0) / MINUTE, volume=candle.volume, closed=False))
    assert _show(manager.candles("A", 15)) == [(0, 1.0, 7.0, "open")]


def test_manager_when_candles_of_their_own_come_then_they_stand_above_built_ones() -> None:
    """A venue's own hour replaces ours, and ours is built no more; what is built from hours goes on from theirs."""
    manager = OHLCCacheManager(timeframes=(5, 60, 240))
    _feed(manager, [_candle(minute) for minute in range(0, 60, 5)])
    assert _show(manager.candles("A", 60)) == [(0, 1.0, 12.0, "complete")]
    manager.on_next(_candle(0, 60, price=7.0, complete=False))
    _feed(manager, [_candle(minute) for minute in range(60, 120, 5)])
    assert _show(manager.candles("A", 60)) == [(0, 7.0, 1.0, "closed")]
    assert _show(manager.candles("A", 240)) == [(0, 7.0, 1.0, "open")]
    manager.on_next(_candle(60, 60, price=8.0))
    assert _show(manager.candles("A", 240)) == [(0, 8.0, 2.0, "open")]


def test_manager_when_an_equal_candle_of_its_own_replaces_a_built_one_then_nothing_counts_up() -> None:
    """The chain that resamples itself agrees with us, so nothing that follows has changed."""
    manager = OHLCCacheManager(timeframes=(5, 60, 240))
    _feed(manager, [_candle(minute, since=T0, span=1) for minute in range(0, 240, 5)])
    hours = manager.candles("A", 60)
    before = manager.candles("A", 240)
    _feed(manager, hours)
    assert manager.candles("A", 240) == before
    assert _show(before) == [(0, 1.0, 48.0, "complete")]


def test_manager_when_a_shorter_timeframe_appears_then_only_what_is_missing_is_built_from_it() -> None:
    """Hours came first and build 4 hours; then minutes come and build 5 minutes."""
    manager = OHLCCacheManager(timeframes=(5, 60, 240))
    _feed(manager, [_candle(hour * 60, 60) for hour in range(4)])
    assert manager.candles("A", 5) == []
    _feed(manager, [_candle(240 + minute, 1) for minute in range(5)])
    assert _show(manager.candles("A", 5)) == [(240, 1.0, 5.0, "complete")]
    assert _show(manager.candles("A", 240)) == [(0, 1.0, 4.0, "complete")]
    assert len(manager.candles("A", 60)) == 4


def test_manager_when_a_candle_without_coverage_is_the_first_then_the_longer_one_is_not_complete() -> None:
    """Complete children that begin in the middle of an hour make no complete hour, if nothing says since when."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    _feed(manager, [_candle(minute) for minute in range(30, 120, 5)])
    assert _show(manager.candles("A", 60)) == [(0, 1.0, 6.0, "closed"), (60, 1.0, 12.0, "complete")]


def test_manager_when_its_ring_is_shorter_than_a_longer_candle_then_that_is_whole() -> None:
    """An hour of minutes in a ring of ten: the hour is built as the minutes pass, not from what is left of them."""
    manager = OHLCCacheManager(timeframes=(1, 60), max_candles=10)
    _feed(manager, [_tick(minute) for minute in range(130)])
    assert len(manager.candles("A", 1)) == 10
    assert _show(manager.candles("A", 60)) == [
        (0, 1.0, 60.0, "complete"),
        (60, 1.0, 60.0, "complete"),
        (120, 1.0, 10.0, "open"),
    ]


# History


def test_bootstrap_when_it_comes_first_then_the_longer_candles_are_built_from_it() -> None:
    """History in one call, then live trades: today's hour begins with history."""
    manager = OHLCCacheManager(timeframes=(5, 15, 60, 240))
    history = [_candle(minute) for minute in range(0, 250, 5)] + [_candle(250, closed=False)]
    assert manager.bootstrap(history) == 51
    assert _show(manager.candles("A", 240)) == [(0, 1.0, 48.0, "complete"), (240, 1.0, 3.0, "open")]
    assert {candle.revision for rows in manager.get_multi_timeframe_candles("A").values() for candle in rows} == {0}
    _feed(manager, [_tick(minute, 2.0, since=T0 + 252 * MINUTE) for minute in range(252, 262)])
    assert _show(manager.candles("A", 60))[-2:] == [(180, 1.0, 12.0, "complete"), (240, 2.0, 12.0, "open")]
    assert _show(manager.candles("A", 5))[-3:] == [
        (250, 2.0, 3.0, "closed"),
        (255, 2.0, 5.0, "complete"),
        (260, 2.0, 2.0, "open"),
    ]


def test_bootstrap_when_it_closes_the_gap_at_the_start_then_the_first_hour_is_complete() -> None:
    """Started at minute 7, asked REST at minute 12: by the end of the hour nothing is missing from it."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    ticks = [_tick(minute, since=T0 + 7 * MINUTE) for minute in range(7, 66)]
    _feed(manager, ticks[:5])
    manager.bootstrap([_candle(0, volume=5.0, trades=5), _candle(5, volume=5.0, trades=5)])
    _feed(manager, ticks[5:])
    assert _show(manager.candles("A", 60)) == [(0, 1.0, 60.0, "complete"), (60, 1.0, 6.0, "open")]


def test_bootstrap_when_it_leaves_a_hole_then_the_hour_around_it_is_not_complete() -> None:
    """History up to minute 20, live from minute 30: what lies between is not known."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    _feed(manager, [_tick(minute, since=T0 + 30 * MINUTE) for minute in range(30, 61)])
    manager.bootstrap([_candle(minute) for minute in range(-60, 20, 5)])
    hours = _show(manager.candles("A", 60))
    assert [(start, state) for start, _, _, state in hours] == [(-60, "complete"), (0, "closed"), (60, "open")]


def test_bootstrap_when_it_comes_after_hours_of_live_candles_then_older_longer_candles_are_mended() -> None:
    """A reconnect lost the children of an old hour; REST has them."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    before = [_tick(minute, since=T0 - 1) for minute in range(20)]
    after = [_tick(minute, since=T0 + 41 * MINUTE, span=2) for minute in range(41, 300)]
    _feed(manager, before + after)
    assert _show(manager.candles("A", 60))[0] == (0, 1.0, 39.0, "closed")
    manager.bootstrap([_candle(minute, volume=5.0, trades=5) for minute in range(15, 45, 5)])
    assert _show(manager.candles("A", 60)) == [
        (0, 1.0, 60.0, "complete"),
        (60, 1.0, 60.0, "complete"),
        (120, 1.0, 60.0, "complete"),
        (180, 1.0, 60.0, "complete"),
        (240, 1.0, 60.0, "open"),
    ]
    assert [candle.revision for candle in manager.candles("A", 60)] == [1, 0, 0, 0, 0]


def test_bootstrap_when_it_joins_rows_of_a_full_ring_then_the_candle_over_the_seam_is_mended() -> None:
    """The ring has lost the first minute that was live; history brings it back with those before."""
    manager = OHLCCacheManager(timeframes=(1, 4), max_candles=5)
    _feed(manager, [_tick(minute, since=T0 + 5 * MINUTE) for minute in range(5, 11)])
    assert _show(manager.candles("A", 4))[0] == (4, 1.0, 3.0, "closed")
    manager.bootstrap([_candle(minute, 1) for minute in range(2, 6)])
    assert _show(manager.candles("A", 4)) == [
        (0, 1.0, 2.0, "closed"),
        (4, 1.0, 4.0, "complete"),
        (8, 1.0, 3.0, "open"),
    ]


@pytest.mark.parametrize("minutes", [(1, 3), (-1, 3)])
def test_bootstrap_when_the_ring_has_lost_children_then_coverage_does_not_reach_over_them(
    minutes: tuple[int, int],
) -> None:
    """Minutes 0 and 1 have left the ring, history mends 3: what is left must not pass for all four minutes."""
    manager = OHLCCacheManager(timeframes=(1, 4), max_candles=4)
    _feed(manager, [_tick(minute) for minute in (0, 0.5, 1, 2, 3)])
    _feed(manager, [_tick(minute, span=2, since=T0 + 8 * MINUTE) for minute in (8.5, 12.5)])
    assert [start for start, *_ in _show(manager.candles("A", 1))] == [2, 3, 8, 12]
    assert _show(manager.candles("A", 4))[0] == (0, 1.0, 5.0, "closed")
    manager.bootstrap([_candle(minute, 1) for minute in minutes])
    assert (0, 1.0, 5.0, "closed") in _show(manager.candles("A", 4))


def test_bootstrap_when_the_ring_has_refused_children_then_coverage_does_not_reach_over_them() -> None:
    """Minutes 0 and 1 came when the ring was full of later ones, and their parent was out of reach."""
    manager = OHLCCacheManager(timeframes=(1, 4), max_candles=4)
    for minute in (2, 3, 8, 12, 0, 1):
        manager.on_next(_candle(minute, 1, span=1, since=T0 - 1, complete=minute != 3))
    assert manager.ignored == 2
    manager.bootstrap([_candle(3, 1)])
    assert _show(manager.candles("A", 4))[0] == (0, 1.0, 2.0, "closed")


def test_bootstrap_when_it_knows_less_than_what_was_built_then_that_stays() -> None:
    """Built live from four minutes of which the ring has none left: one minute of history is no better."""
    manager = OHLCCacheManager(timeframes=(1, 4), max_candles=3)
    _feed(manager, [_tick(minute) for minute in range(10)])
    before = manager.candles("A", 4)
    assert _show(before)[0] == (0, 1.0, 4.0, "complete")
    manager.bootstrap([_candle(1, 1)])
    assert manager.candles("A", 4) == before


def test_bootstrap_when_a_candle_is_forming_then_its_last_trades_stay_in_the_longer_one() -> None:
    """They had not been handed on yet when the history came."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    _feed(manager, [_tick(0), _tick(1), _tick(2)])
    manager.bootstrap([_candle(-15)])
    assert _show(manager.candles("A", 15)) == [(-15, 1.0, 1.0, "closed"), (0, 1.0, 3.0, "open")]


def test_bootstrap_when_hours_come_as_hours_then_they_stand_beside_those_that_are_built() -> None:
    """REST gives each timeframe its own depth; what is built goes on where it ends."""
    manager = OHLCCacheManager(timeframes=(5, 60, 240))
    manager.bootstrap(
        [_candle(hour * 60, 60, price=7.0) for hour in range(-8, 0)] + [_candle(minute) for minute in range(0, 60, 5)]
    )
    assert [close for _, close, _, _ in _show(manager.candles("A", 60))] == [7.0] * 8 + [1.0]
    assert _show(manager.candles("A", 240)) == [
        (-480, 7.0, 4.0, "complete"),
        (-240, 7.0, 4.0, "complete"),
        (0, 1.0, 12.0, "open"),
    ]
    _feed(manager, [_tick(minute, 2.0) for minute in range(60, 66)])
    assert _show(manager.candles("A", 60))[-2:] == [(0, 1.0, 12.0, "complete"), (60, 2.0, 6.0, "open")]


def test_bootstrap_when_there_is_more_than_room_then_no_longer_candle_is_falsely_complete() -> None:
    """The ring keeps three children; the hour that they end is called what it is."""
    manager = OHLCCacheManager(timeframes=(5, 60), max_candles=3)
    assert manager.bootstrap([_candle(minute, since=T0) for minute in range(0, 120, 5)]) == 3
    assert [state for *_, state in _show(manager.candles("A", 60))] == ["closed"]


def test_bootstrap_when_given_a_frame_then_its_key_must_be_said() -> None:
    """Candles know their key, a frame does not."""
    manager = OHLCCacheManager(timeframes=(5, 60))
    frame = candles_to_frame([_candle(minute) for minute in range(0, 60, 5)])
    assert manager.bootstrap(frame, symbol="A", timeframe="5m", exchange="x") == 12
    assert _show(manager.candles("A", 60, exchange="x")) == [(0, 1.0, 12.0, "complete")]
    with pytest.raises(TypeError, match="a frame does not know its symbol and timeframe"):
        manager.bootstrap(frame, symbol="A")
    with pytest.raises(TypeError, match="candles know their symbol"):
        manager.bootstrap([_candle(0)], symbol="A")
    with pytest.raises(ValueError, match="missing: close"):
        manager.bootstrap(frame.drop(columns="close"), symbol="B", timeframe=5)
    assert manager.symbols() == ["A"]


def test_bootstrap_when_a_frame_has_holes_then_they_are_not_taken_for_quiet() -> None:
    """A saved frame lacks what was not seen; a venue's answer lacks what was not traded."""
    candles = [_candle(minute) for minute in (0, 5, 20, 25, 30, 35, 40, 45, 50, 55)]
    frame, answer = OHLCCacheManager(timeframes=(5, 60)), OHLCCacheManager(timeframes=(5, 60))
    frame.bootstrap(candles_to_frame(candles), symbol="A", timeframe=5)
    answer.bootstrap(candles)
    assert _show(frame.candles("A", 60)) == [(0, 1.0, 10.0, "closed")]
    assert _show(answer.candles("A", 60)) == [(0, 1.0, 10.0, "complete")]


# Candles given by their values, errors, the end


def test_update_from_candle_when_given_values_then_it_makes_the_candle() -> None:
    """For native feeds without candle objects."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    manager.update_from_candle(
        "A", "5m", exchange="x", open_time=T0, open=1.0, high=2.0, low=1.0, close=2.0, volume=3.0, complete=True
    )
    assert _show(manager.candles("A", 5, exchange="x")) == [(0, 2.0, 3.0, "complete")]
    with pytest.raises(TypeError, match="needs its timeframe"):
        manager.update_from_candle("A")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # on purpose
    with pytest.raises(TypeError, match="a candle or its values, got both"):
        manager.update_from_candle(_candle(0), 5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # on purpose


def test_manager_when_something_else_comes_then_it_is_a_type_error() -> None:
    """A chain that was put together wrongly says so."""
    with pytest.raises(TypeError, match="takes PriceTick and OHLCCandle, got 3"):
        OHLCCacheManager().on_next(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose


def test_update_from_trade_when_the_time_is_naive_then_it_is_refused() -> None:
    """Its zone would be a guess."""
    manager = OHLCCacheManager()
    with pytest.raises(ValueError, match="timestamp must know its time zone"):
        manager.update_from_trade("A", 1.0, 1.0, datetime(2025, 1, 1))  # on purpose
    assert manager.symbols() == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeframes": (5, "5m")}, ValueError, "timeframes must differ"),
        ({"timeframes": (5, "x")}, ValueError, "x"),
        ({"timeframes": "5m"}, TypeError, "timeframes must be several"),
        ({"max_candles": 0}, ValueError, "max_candles must be at least 1"),
        ({"symbol_map": {"A": ["X"], "B": ["X"]}}, ValueError, "'X'"),
    ],
)
def test_manager_when_an_option_is_wrong_then_building_it_fails(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """At once, not at the first item."""
    with pytest.raises(error, match=message):
        OHLCCacheManager(**options)


def test_manager_when_sources_end_then_it_remembers_how() -> None:
    """Candles stay; the other source goes on."""
    scheduler = TestScheduler()
    failure = OSError("gone")
    manager = OHLCCacheManager()
    failing = scheduler.create_cold_observable(ReactiveTest.on_next(10, _candle(0)), ReactiveTest.on_error(20, failure))
    other = scheduler.create_cold_observable(
        ReactiveTest.on_next(30, _candle(0, symbol="B")), ReactiveTest.on_completed(40)
    )
    failing.subscribe(manager, scheduler=scheduler)
    other.subscribe(manager, scheduler=scheduler)
    scheduler.advance_to(35)
    assert (manager.symbols(), manager.error, manager.completed) == (["A", "B"], failure, False)
    scheduler.start()
    assert (manager.error, manager.completed) == (failure, True)


def test_manager_when_another_source_of_plain_ticks_follows_then_nothing_of_what_lies_between_is_claimed() -> None:
    """Ticks without coverage speak for their own source only."""
    manager = OHLCCacheManager({"BTC": ["XBT"]}, timeframes=(5, 10))
    for start in (0, 13):
        ticks = [_tick(start + minute, symbol="XBT", span=0, since=0) for minute in range(13)]
        rx.from_iterable(ticks).subscribe(manager)
    states = {start: state for start, _, _, state in _show(manager.candles("BTC", 5))}
    assert states == {0: "closed", 5: "complete", 10: "closed", 15: "complete", 20: "complete", 25: "open"}
    assert _show(manager.candles("BTC", 10))[1] == (10, 1.0, 10.0, "closed")


def test_buffer_of_a_manager_when_it_is_fed_directly_then_what_is_built_from_it_follows() -> None:
    """``get_buffer`` returns the thing itself, under the manager's lock."""
    manager = OHLCCacheManager(timeframes=(5, 15))
    _feed(manager, [_tick(0), _tick(0, symbol="B")])
    buffer = manager.get_buffer("A", 5)
    assert isinstance(buffer, OHLCBuffer)
    assert buffer._store.lock is manager._lock
    buffer.on_next(_tick(1, 3.0))
    buffer.update_from_trade(4.0, 1.0, T0 + 6 * MINUTE)
    with pytest.raises(ValueError, match="this buffer keeps"):
        buffer.on_next(_tick(1, symbol="B"))
    assert _show(manager.candles("A", 15)) == [(0, 4.0, 3.0, "open")]
    assert _show(manager.candles("B", 15)) == [(0, 1.0, 1.0, "open")]


def test_manager_when_timeframes_have_zones_then_each_builds_what_it_serves() -> None:
    """New York days from hours, beside UTC days."""
    day = Timeframe("1d", tz="America/New_York", session_start="17:00")
    manager = OHLCCacheManager(timeframes=("1h", "1d", day))
    _feed(manager, [_candle(hour * 60, 60) for hour in range(48)])
    assert [(candle.open_time - T0) // HOUR for candle in manager.candles("A", day)] == [-2, 22, 46]
    assert [(candle.open_time - T0) // HOUR for candle in manager.candles("A", "1d")] == [0, 24]


# Named managers


def test_named_manager_when_asked_for_again_then_it_is_the_same() -> None:
    """Without options it is whatever is there; with the same ones too."""
    first = get_ohlc_cache_manager("test-same", max_candles=7, timeframes=[1, 5], symbol_map={"A": ["B"]})
    assert get_ohlc_cache_manager("test-same") is first
    assert get_ohlc_cache_manager("test-same", max_candles=7, timeframes=(1, 5), symbol_map={"A": ["B"]}) is first
    assert (first.max_candles, first.timeframes) == (7, (1, 5))
    assert get_ohlc_cache_manager("test-other") is not first
    assert get_ohlc_cache_manager() is get_ohlc_cache_manager("default")
    assert get_ohlc_cache_manager().timeframes == (5, 15, 60, 240, 1440)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_candles": 8}, "'test-config' has max_candles=500, got 8; use another name"),
        ({"timeframes": (1,)}, r"has timeframes=\(5, 15, 60, 240, 1440\), got \(1,\)"),
        ({"symbol_map": {"A": ["B"]}}, "has symbol_map="),
    ],
)
def test_named_manager_when_asked_for_with_another_configuration_then_it_is_an_error(
    options: dict[str, Any], message: str
) -> None:
    """Two parts of a program that disagree must hear of it."""
    get_ohlc_cache_manager("test-config")
    with pytest.raises(ValueError, match=message):
        get_ohlc_cache_manager("test-config", **options)


def test_named_manager_when_an_option_is_wrong_then_nothing_is_registered() -> None:
    """The name stays free."""
    with pytest.raises(ValueError, match="max_candles must be at least 1"):
        get_ohlc_cache_manager("test-wrong", max_candles=0)
    assert get_ohlc_cache_manager("test-wrong", max_candles=3).max_candles == 3
