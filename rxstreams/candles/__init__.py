"""Candles from trades and from shorter candles: pure, without Rx, clocks or threads."""

from rxstreams.candles.builder import CandleBuilder
from rxstreams.candles.resampler import CandleResampler

__all__ = ["CandleBuilder", "CandleResampler"]
