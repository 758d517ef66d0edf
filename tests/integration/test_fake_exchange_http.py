"""``FakeExchange``: HTTP as its REST side takes it, byte by byte, and answers that are no answers."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing

import pytest
from plain_client import SOON, tick

from rxstreams.testing import FakeExchange, RestBody
from rxstreams.testing.formats import KrakenFormat, RestQuery

PATH = "/0/public/Trades"


class Posted(KrakenFormat):
    """A venue whose requests are posted."""

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what the body asks for, if there is one."""
        return super().rest_query(path, json.loads(body) if body else query, b"")


def raw(exchange: FakeExchange, *pieces: bytes) -> bytes:
    """Send some bytes to the REST side, piece by piece, and return what comes until it closes."""
    answer = b""
    with socket.create_connection((exchange.rest_url.split("//")[1].split(":")[0], port(exchange)), SOON) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        while data := sock.recv(65536):
            answer += data
    return answer


def port(exchange: FakeExchange) -> int:
    """Return the REST side's port."""
    return int(exchange.rest_url.rpartition(":")[2])


def post(exchange: FakeExchange, body: bytes) -> bytes:
    """Post something and return the answer."""
    request = urllib.request.Request(exchange.rest_url + PATH, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SOON) as answer:
        return bytes(answer.read())


def test_rest_when_posted_then_the_body_is_what_is_asked_for() -> None:
    """And is remembered, with the method."""
    with FakeExchange(symbols=["BTC/USD"], format=Posted()) as exchange:
        exchange.publish(tick(1), tick(2))
        body = b'{"pair":"XBTUSD","count":"1"}'
        assert [row[6] for row in json.loads(post(exchange, body))["result"]["XXBTZUSD"]] == [2]
        with urllib.request.urlopen(f"{exchange.rest_url}{PATH}?pair=XBTUSD", timeout=SOON) as answer:
            assert len(json.loads(answer.read())["result"]["XXBTZUSD"]) == 2
        first, second = exchange.rest_requests
        assert (first.method, first.body, first.path, first.query) == ("POST", body, PATH, {})
        assert (second.method, second.body, second.query) == ("GET", b"", {"pair": "XBTUSD"})


def test_rest_when_a_request_comes_in_pieces_then_is_put_together() -> None:
    """Within its head, between head and body, and within the body."""
    with FakeExchange(symbols=["BTC/USD"], format=Posted()) as exchange:
        exchange.publish(tick(1))
        body = b'{"pair":"XBTUSD"}'
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        answer = raw(exchange, head[:10], head[10:-2], head[-2:], body[:3], body[3:])
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"XXBTZUSD" in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"DELETE /0/public/Trades HTTP/1.1\r\n\r\n", 405),
        (b"GET /0/public/Trades SPDY/3\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % (b"9" * 5000), 413),
        (b"GET / HTTP/1.1\r\nA: %b" % (b"a" * 70_000), 431),
    ],
)
def test_rest_when_http_is_wrong_then_is_refused_and_the_next_request_is_not(request_bytes: bytes, status: int) -> None:
    """With the status that says what is wrong; a format never sees it, and nothing unbounded is kept."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        assert raw(exchange, request_bytes).startswith(f"HTTP/1.1 {status} ".encode())
        assert exchange.rest_requests == []
        assert raw(exchange, b"GET /0/public/Trades?pair=XBTUSD HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_rest_when_a_client_sends_more_than_it_announced_then_the_rest_is_left() -> None:
    """One request a connection."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        get = b"GET /0/public/Trades?pair=XBTUSD HTTP/1.1\r\n\r\n"
        assert raw(exchange, get + get).count(b"HTTP/1.1 200 ") == 1
        assert len(exchange.rest_requests) == 1


def test_rest_body_when_scripted_then_a_web_page_comes_instead_of_an_answer() -> None:
    """With HTTP 200 by default, as from a proxy in between; other requests are answered."""
    faults = [RestBody(request=0), RestBody("oops", code=403, content_type="text/plain", request=1)]
    with FakeExchange(symbols=["BTC/USD"], faults=faults) as exchange:
        url = f"{exchange.rest_url}{PATH}?pair=XBTUSD"
        with urllib.request.urlopen(url, timeout=SOON) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
            assert answer.read().startswith(b"<!DOCTYPE html>")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=SOON)
        with closing(refused.value):
            assert (refused.value.code, refused.value.read()) == (403, b"oops")
        with urllib.request.urlopen(url, timeout=SOON) as answer:
            assert json.loads(answer.read())["error"] == []
        assert [request.status for request in exchange.rest_requests] == [200, 403, 200]
