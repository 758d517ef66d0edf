"""Candles of several timeframes from trades, whatever name a trade's market goes by.

python candles.py
"""
# ruff: noqa: T201  # a program of a user's, that prints

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from rxstreams import OHLCBuffer, OHLCCacheManager, get_ohlc_cache_manager

MIDNIGHT = datetime(2025, 1, 6, tzinfo=timezone.utc)  # noqa: UP017  # as it was written for the seed


def main() -> None:
    """Fill a buffer, then a manager of buffers, and print what they hold."""
    apple = OHLCBuffer("AAPL", interval_minutes=5, max_candles=500)
    for minute in range(12):
        apple.update_from_trade(price=150.0 + minute, volume=100, timestamp=MIDNIGHT + timedelta(minutes=minute))
    frame = apple.to_dataframe(count=200)
    print("AAPL rows:", len(frame), "closed:", frame["closed"].tolist(), "close:", frame["close"].tolist())
    print("AAPL last two:", apple.to_dataframe(count=2)["open"].tolist())

    names = {"BTC": ["BTC/USD", "BTCUSD", "XXBTZUSD"], "ETH": ["ETH/USD", "ETHUSD"]}
    markets = OHLCCacheManager(symbol_map=names, max_candles=500)
    spellings = names["BTC"]
    for minute in range(0, 26 * 60, 5):
        moment = MIDNIGHT + timedelta(minutes=minute)
        markets.update_from_trade(spellings[minute // 5 % 3], 50_000.0 + minute, 0.5, moment)
    markets.update_from_trade("ETHUSD", 3_000.0, 1.0, MIDNIGHT)

    markets.aggregate_higher_timeframes("BTC")
    candles = markets.get_multi_timeframe_candles("BTC")
    for minutes, series in candles.items():
        last = series[-1]
        print(f"BTC {minutes}: {len(series)} candles, forming: {not last.closed}, last open {last.open:.0f}")
    print("BTC day one:", candles[1440][0].open, candles[1440][0].high, candles[1440][0].close, candles[1440][0].volume)
    print("BTC frame:", markets.to_dataframe("XXBTZUSD", 60, count=200)["close"].tail(2).tolist())
    print("ETH 5:", len(markets.get_multi_timeframe_candles("ETH")[5]))

    print("one for all:", get_ohlc_cache_manager() is get_ohlc_cache_manager())


if __name__ == "__main__":
    main()
