"""A feed's options: defaults, units and clear errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rxstreams.config import StreamConfig


def test_config_when_durations_are_timedeltas_then_keeps_seconds() -> None:
    """Either way of writing them."""
    config = StreamConfig(silence_timeout=timedelta(minutes=1), ping_interval=None)  # type: ignore[arg-type]  # documented
    assert config.silence_timeout == 60.0
    assert config.ping_interval is None


def test_config_when_attempts_are_limited_then_the_policy_is() -> None:
    """The seed's name for it; -1 never gives up."""
    assert StreamConfig().policy.max_attempts is None
    assert StreamConfig(reconnect_attempts=3).policy.max_attempts == 3


def test_config_when_headers_are_a_mapping_then_keeps_pairs() -> None:
    """Both forms are taken."""
    assert StreamConfig(headers={"X-Key": "1"}) == StreamConfig(headers=[("X-Key", "1")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"silence_timeout": 0}, "silence_timeout must be more than 0 seconds and finite, got 0"),
        ({"connect_timeout": float("nan")}, "connect_timeout"),
        ({"connect_timeout": None}, "connect_timeout must be seconds or a timedelta, got None"),
        ({"ping_timeout": "5"}, "ping_timeout must be seconds"),
        ({"url": "example.test"}, "url must look like wss://host/path"),
        ({"rest_url": "ws://example.test"}, "rest_url must look like https://host/path"),
        ({"reconnect_attempts": -2}, "reconnect_attempts"),
        ({"max_message_bytes": 0}, "max_message_bytes"),
        ({"max_bad_share": 1.5}, "max_bad_share"),
        ({"symbols_per_socket": 0}, "symbols_per_socket"),
        ({"transport": "carrier pigeon"}, "carrier pigeon"),
        ({"silence": 3}, "unknown option silence"),
        ({"url": 5}, "url must be a string, got 5"),
        ({"url": "wss://example.test:99999"}, "url must look like.*99999"),
        ({"url": "wss://[::1"}, "url must look like"),
        ({"name": None}, "name must be a string, got None"),
        ({"reconnect_attempts": "3"}, "reconnect_attempts must be an integer, got '3'"),
        ({"reconnect_attempts": True}, "reconnect_attempts must be an integer, got True"),
        ({"max_message_bytes": 1e6}, "max_message_bytes must be an integer, got 1000000.0"),
        ({"symbols_per_socket": 2.5}, "symbols_per_socket must be an integer or None, got 2.5"),
        ({"max_bad_share": "half"}, "max_bad_share must be a number, got 'half'"),
        ({"max_bad_share": float("nan")}, "max_bad_share"),
        ({"backoff": None}, "backoff must be of the class BackoffPolicy, got None"),
        ({"proxy": 80}, "proxy must be of the class str or None, got 80"),
        ({"ssl_context": False}, "ssl_context must be of the class SSLContext or None, got False"),
        ({"headers": "X-Key: 1"}, "headers must be a mapping or .* pairs, got 'X-Key: 1'"),
        ({"headers": [("X-Key",)]}, "headers must be a mapping"),
    ],
)
def test_config_when_an_option_is_wrong_then_names_it(options: dict[str, Any], message: str) -> None:
    """What was expected and what was found."""
    with pytest.raises((ValueError, TypeError), match=message):
        StreamConfig.of(options)
