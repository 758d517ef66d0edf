"""Symbols: the form that they have here, and their aliases."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from rxstreams.errors import UnknownSymbol
from rxstreams.symbols import SymbolMap, SymbolParts, check_symbol, split_symbol


@pytest.mark.parametrize("symbol", ["BTC/USD", "1INCH/USDT", "kPEPE/USDC", "BTC/USD:USD", "USDC.e/USD", "币安/USDT"])
def test_check_symbol_when_base_and_quote_then_it_comes_back(symbol: str) -> None:
    """Anything on both sides of one slash, as long as it is not lower case."""
    assert check_symbol(symbol) is symbol


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("btc/usd", "BTC/USD"),
        ("BTC-USD", "BTC/USD"),
        ("btc_usdt", "BTC/USDT"),
        (" BTC/USD", "BTC/USD"),
        ("BTC/USD\n", "BTC/USD"),
    ],
)
def test_check_symbol_when_the_right_form_is_near_then_the_error_names_it(symbol: str, hint: str) -> None:
    """What is wrong and what was probably meant."""
    with pytest.raises(UnknownSymbol, match="expected a symbol in the form 'BTC/USD', got ") as caught:
        check_symbol(symbol)
    assert str(caught.value).endswith(f"got {symbol!r}; did you mean {hint!r}?")


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTC/", "/USD", "/", "BTC//USD", "A/B/C", "BTC /USD", "BTC/ USD"])
def test_check_symbol_when_there_is_no_pair_then_the_error_shows_the_right_form(symbol: str) -> None:
    """Nothing is guessed where there is nothing to go by."""
    with pytest.raises(LookupError, match="expected a symbol in the form 'BTC/USD', got ") as caught:
        check_symbol(symbol)
    assert "did you mean" not in str(caught.value)
    assert repr(symbol) in str(caught.value)


def test_check_symbol_when_no_text_or_empty_then_it_says_so() -> None:
    """A wrong type is no unknown symbol."""
    with pytest.raises(TypeError, match=r"a symbol must be a string, got \['BTC/USD'\]"):
        check_symbol(cast(str, ["BTC/USD"]))
    with pytest.raises(ValueError, match="a symbol must not be empty"):
        check_symbol("")


def test_symbol_map_when_asked_then_aliases_names_and_strangers_resolve() -> None:
    """An alias is its name, a name is itself, and so is what no one claims; upper and lower case differ."""
    symbols = SymbolMap({"BTC": ["BTC/USD", "BTCUSD", "XXBTZUSD"], "ETH/USD": iter(["XETHZUSD"]), "SOL": []})
    assert symbols["XXBTZUSD"] == symbols.resolve("BTCUSD") == symbols["BTC"] == "BTC"
    assert symbols["XETHZUSD"] == "ETH/USD"
    assert symbols["DOGE/USD"] == "DOGE/USD"
    assert symbols["btcusd"] == "btcusd"
    assert symbols["SOL"] == "SOL"
    assert symbols.aliases("BTC") == ("BTC/USD", "BTCUSD", "XXBTZUSD")
    assert symbols.aliases("SOL") == symbols.aliases("XXBTZUSD") == symbols.aliases("nothing") == ()


@pytest.mark.parametrize("aliases", [None, {}])
def test_symbol_map_when_empty_then_every_symbol_is_itself(aliases: Mapping[str, Iterable[str]] | None) -> None:
    """It changes nothing."""
    assert SymbolMap(aliases)["BTC/USD"] == "BTC/USD"
    assert SymbolMap(aliases) == SymbolMap()


def test_symbol_map_when_an_alias_comes_twice_for_one_name_then_once_is_enough() -> None:
    """Neither that nor a name among its own aliases is a contradiction."""
    assert SymbolMap({"BTC": ["XBT", "BTC", "XBT"]}).aliases("BTC") == ("XBT",)


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ({"BTC": ["XBT"], "XBTC": ["XBT"]}, "'XBT' can't stand for both 'BTC' and 'XBTC'"),
        ({"BTC": ["ETH"], "ETH": ["XETH"]}, "'ETH' can't stand for both 'BTC' and 'ETH'"),
        ({"ETH": ["XETH"], "BTC": ["ETH"]}, "'ETH' can't stand for both 'ETH' and 'BTC'"),
        ({"BTC": [""]}, "an alias of 'BTC' must not be empty"),
        ({"": ["BTC"]}, "a name must not be empty"),
    ],
)
def test_symbol_map_when_it_contradicts_itself_then_a_value_error_names_both(
    aliases: dict[str, list[str]], message: str
) -> None:
    """One alias, one name."""
    with pytest.raises(ValueError, match="^" + message):
        SymbolMap(aliases)


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ({"BTC": "XBT"}, r"the aliases of 'BTC' must be several strings such as \['XBT'\], got 'XBT'"),
        ({"BTC": [1]}, "an alias of 'BTC' must be a string, got 1"),
        ({1: ["BTC"]}, "a name must be a string, got 1"),
        ([("BTC", ["XBT"])], "expected the aliases of each name, such as "),
        ("BTC", "expected the aliases of each name, such as "),
    ],
)
def test_symbol_map_when_a_type_is_wrong_then_a_type_error_says_what_was_found(aliases: Any, message: str) -> None:
    """A single string would be taken letter by letter."""
    with pytest.raises(TypeError, match=message):
        SymbolMap(aliases)


def test_symbol_map_when_changed_then_it_refuses() -> None:
    """It is immutable, whatever becomes of the dict that it was made of."""
    aliases = {"BTC": ["XBT"]}
    symbols = SymbolMap(aliases)
    aliases["BTC"].append("XXBT")
    aliases["ETH"] = ["XETH"]
    assert symbols == SymbolMap({"BTC": ["XBT"]})
    with pytest.raises(AttributeError, match="a SymbolMap is immutable: can't set _names"):
        symbols._names = {}
    with pytest.raises(AttributeError, match="a SymbolMap is immutable: can't delete _names"):
        del symbols._names


def test_symbol_map_when_compared_then_what_it_resolves_counts() -> None:
    """The order of aliases does not; the repr makes an equal one."""
    symbols = SymbolMap({"BTC": ["XBT", "XXBT"], "ETH": []})
    same = SymbolMap({"ETH": [], "BTC": ["XXBT", "XBT"]})
    assert symbols == same
    assert hash(symbols) == hash(same)
    assert symbols != SymbolMap({"BTC": ["XBT"], "ETH": []})
    assert symbols != {"BTC": ["XBT", "XXBT"], "ETH": []}
    assert repr(symbols) == "SymbolMap({'BTC': ['XBT', 'XXBT'], 'ETH': []})"
    assert eval(repr(symbols)) == pickle.loads(pickle.dumps(symbols)) == symbols


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTC/USDT", SymbolParts("BTC", "USDT")),
        ("BTC/USDT:USDT", SymbolParts("BTC", "USDT", "USDT")),
        ("BTC/USD:BTC-251226", SymbolParts("BTC", "USD", "BTC", "251226")),
        ("BTC/USD:BTC-251226-60000-C", SymbolParts("BTC", "USD", "BTC", "251226", "60000", "C")),
        ("XRP/USD:USDC-251226-0.55-P", SymbolParts("XRP", "USD", "USDC", "251226", "0.55", "P")),
        ("USDC.e/USD", SymbolParts("USDC.e", "USD")),
    ],
)
def test_split_symbol_when_it_has_a_form_that_is_known_then_its_parts_make_it_again(
    symbol: str, parts: SymbolParts
) -> None:
    """Spot, perpetual, future, call and put."""
    assert split_symbol(symbol) == parts
    assert str(parts) == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "BTC/USDT:",
        "BTC/USDT:USDT:USDT",
        "BTC:X/USDT",
        "BTC/USD:BTC-2512",
        "BTC/USD:BTC-251226-60000",
        "BTC/USD:BTC-251226-60000-X",
        "BTC/USD:BTC-251226-sixty-C",
    ],
)
def test_split_symbol_when_it_is_no_contract_then_the_error_shows_the_forms(symbol: str) -> None:
    """One of each kind."""
    with pytest.raises(UnknownSymbol, match="'BTC/USDT:USDT' \\(perpetual\\)"):
        split_symbol(symbol)


def test_split_symbol_when_there_is_no_pair_then_it_is_the_error_of_check_symbol() -> None:
    """Also for what is no string."""
    with pytest.raises(UnknownSymbol, match="did you mean 'BTC/USD'"):
        split_symbol("BTC-USD")
    with pytest.raises(TypeError):
        split_symbol(cast("str", 5))
