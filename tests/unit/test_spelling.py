"""How venues spell pairs, both ways."""

from __future__ import annotations

import pytest

from rxstreams.errors import UnknownSymbol
from rxstreams.sources._spelling import PairSpelling


@pytest.mark.parametrize(
    ("spelling", "symbol", "spelt"),
    [
        (PairSpelling("-"), "BTC/USD", "BTC-USD"),
        (PairSpelling("_", lower=True), "BTC/USDT", "btc_usdt"),
        (PairSpelling("", quotes=["USDT", "USD", "BTC"]), "BTC/USDT", "BTCUSDT"),
        (PairSpelling("", quotes=["USDT", "USD", "BTC"]), "ETH/BTC", "ETHBTC"),
        (PairSpelling("", quotes=["USD"], lower=True), "1INCH/USD", "1inchusd"),
        (PairSpelling("", quotes=["USD"], assets={"BTC": "XBT"}), "BTC/USD", "XBTUSD"),
        (PairSpelling("/", assets={"BTC": "XBT", "USD": "ZUSD"}), "BTC/USD", "XBT/ZUSD"),
        (PairSpelling("-", assets={"BTC": "XBT"}, lower=True), "ETH/BTC", "eth-xbt"),
    ],
)
def test_pair_when_spelt_and_read_then_comes_back(spelling: PairSpelling, symbol: str, spelt: str) -> None:
    """With a separator or without one, in lower case, with the venue's own names."""
    assert spelling.to_venue(symbol) == spelt
    assert spelling.from_venue(spelt) == symbol


def test_spelling_when_several_quotes_end_it_then_the_longest_is_meant() -> None:
    """BTCUSDT is no pair of BTCUS and DT; one that is nothing but a quote is split by a shorter one."""
    spelling = PairSpelling("", quotes=["T", "USDT", "DT"])
    assert spelling.from_venue("BTCUSDT") == "BTC/USDT"
    assert spelling.from_venue("USDT") == "US/DT"


def test_pair_when_its_quote_is_unknown_then_is_taken_as_given_and_remembered() -> None:
    """New assets need no new release."""
    spelling = PairSpelling("", quotes=["USDT"])
    with pytest.raises(ValueError, match="expected the spelling of a pair, got 'BTCNEW'"):
        spelling.from_venue("BTCNEW")
    assert spelling.to_venue("BTC/NEW") == "BTCNEW"
    assert spelling.from_venue("BTCNEW") == "BTC/NEW"
    with pytest.raises(UnknownSymbol, match="'BTCN/EW' would be spelt 'BTCNEW', which means 'BTC/NEW'"):
        spelling.to_venue("BTCN/EW")


@pytest.mark.parametrize(
    ("spelling", "symbol", "meant"),
    [
        (PairSpelling("", quotes=["USD", "USDT"]), "BTCUSD/T", None),
        (PairSpelling("", quotes=["USD", "TUSD"]), "BTCT/USD", "BTC/TUSD"),
        (PairSpelling("-", assets={"BTC": "XBT"}), "XBT/USD", "BTC/USD"),
        (PairSpelling("-", lower=True), "kPEPE/USD", "KPEPE/USD"),
        (PairSpelling("-"), "A-B/USD", "A/B-USD"),
    ],
)
def test_pair_when_its_spelling_is_that_of_another_then_is_unknown(
    spelling: PairSpelling, symbol: str, meant: str | None
) -> None:
    """Its trades would come under the other's name."""
    with pytest.raises(UnknownSymbol, match=f"which means '{meant}'" if meant else "BTC/USDT"):
        spelling.to_venue(symbol)


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTC/", "btc/usd"])
def test_pair_when_it_has_not_our_form_then_says_so(symbol: str) -> None:
    """As everywhere."""
    with pytest.raises(UnknownSymbol, match="expected a symbol in the form"):
        PairSpelling("-").to_venue(symbol)


@pytest.mark.parametrize("spelt", ["BTCUSD", "-USD", "BTC-", ""])
def test_spelling_when_it_has_no_two_sides_then_is_a_value_error(spelt: str) -> None:
    """The venue sent something else than a pair."""
    with pytest.raises(ValueError, match="expected the spelling of a pair"):
        PairSpelling("-").from_venue(spelt)


def test_spelling_when_two_venues_have_some_then_neither_knows_the_others() -> None:
    """What one has learned says nothing about the other."""
    one, other = PairSpelling("", quotes=["USD"]), PairSpelling("", quotes=["USD"])
    one.to_venue("BTC/NEW")
    with pytest.raises(ValueError, match="BTCNEW"):
        other.from_venue("BTCNEW")
