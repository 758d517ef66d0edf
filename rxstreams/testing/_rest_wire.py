"""One accepted TCP connection of the REST side of a ``FakeExchange``: takes a GET or a POST, and answers once."""

from __future__ import annotations

from websockets.datastructures import Headers
from websockets.http11 import Request

from rxstreams.testing._wire import Wire

_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 2**20
_REASONS = {
    400: b"not an HTTP/1.1 request\n",
    405: b"only GET and POST\n",
    411: b"a body needs its length\n",
    413: b"body too long\n",
    431: b"head too long\n",
}


class RestWire(Wire):
    """Speak HTTP/1.1 on one connection: websockets' parser takes no bodies.

    Attributes:
        method: of the request, once it is handed on.
        body: likewise.
    """

    method = ""
    body = b""
    _received = b""
    _head: Request | None = None
    _length = 0
    _handed_on = False

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._closing or self._handed_on:
            return
        self._received += data
        if self._head is None:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if len(head) > _MAX_HEAD_BYTES:
                self._refuse(431)
                return
            if not end:
                return
            self._received = rest
            refused = self._read_head(head)
            if refused:
                self._refuse(refused)
                return
        if self._head is not None and len(self._received) >= self._length:
            self._handed_on = True
            self.body = self._received[: self._length]
            self._handler.on_request(self._head)

    def _read_head(self, head: bytes) -> int:
        """Read method, path and headers; return the HTTP status of what is wrong with them, 0 for nothing."""
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        headers = Headers()
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                return 400
            headers[name] = value.strip()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return 400
        if parts[0] not in ("GET", "POST"):
            return 405
        lengths = set(headers.get_all("Content-Length")) or {"0"}
        if "Transfer-Encoding" in headers:
            return 411
        if len(lengths) != 1 or not (length := lengths.pop()).isdecimal():
            return 400
        self._length = int(length[:20])
        if self._length > _MAX_BODY_BYTES:
            return 413
        self.method = parts[0]
        self._head = Request(parts[1], headers)
        return 0

    def _refuse(self, status: int) -> None:
        self._handed_on = True
        self.respond(status, _REASONS[status], {})
