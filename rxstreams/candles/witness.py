"""What a symbol's next tick says about candles that were closed without one."""

from __future__ import annotations

from rxstreams.candles.rules import CandleRules
from rxstreams.candles.sending import Sender
from rxstreams.candles.series import Series


class Witness:
    """Lets a symbol's next tick correct ``complete`` where it was given, or withheld, without one.

    A candle that a timer closed is unproven, and so incomplete, until then. A candle that the line's clock closed is
    complete until then: should the tick's ``since`` have risen on the same span, trades are known to be missing
    somewhere between the last one and this, and it is taken back.

    Args:
        rules: the builder's.
        sender: the builder's.
    """

    def __init__(self, rules: CandleRules, sender: Sender) -> None:
        self._carries = rules.carries
        self._sender = sender

    def refute(self, series: Series, since: int) -> None:
        """Take ``complete`` back from what the line's clock closed since the symbol's last tick."""
        if series.unconfirmed is None:
            return
        for candle in series.kept:
            if (
                candle.open_time >= series.unconfirmed
                and candle.complete
                and since > candle.covered_from(self._carries)
            ):
                candle.complete = False
                self._sender.send_again(series, candle)

    def prove(self, series: Series, since: int) -> None:
        """Confirm the candle that a timer closed, if the tick after it covers it."""
        candle, series.unproven = series.unproven, None
        if candle is not None and since <= candle.covered_from(self._carries):
            candle.complete = True
            self._sender.send_again(series, candle)
