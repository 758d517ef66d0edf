"""The system's ``getaddrinfo`` for event loops, on daemon threads: a stuck one holds up no loop and no exit."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import Future
from typing import TypeAlias

SockAddr: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
Answer: TypeAlias = list[tuple[int, SockAddr]]


class GetAddrInfo:
    """Ask ``getaddrinfo`` for the addresses of a TCP service: (family, sockaddr) each, in the system's order.

    Every question has a thread of its own, so a stuck one does not delay those for other names; a name whose last
    question is still unanswered is not asked for again: the callers join. A loop's own executor would not do: closing
    a loop, and leaving the interpreter, waits for its threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By process too: a fork's child has the dict, but not the threads that would end what is in it.
        self._unanswered: dict[tuple[int, str, int], Future[Answer]] = {}

    async def __call__(self, host: str, port: int) -> Answer:
        return await asyncio.wrap_future(self._ask(host, port))

    def _ask(self, host: str, port: int) -> Future[Answer]:
        key = (os.getpid(), host, port)
        with self._lock:
            future = self._unanswered.get(key)
            if future is not None:
                return future
            future = Future[Answer]()
            future.set_running_or_notify_cancel()  # from now on no caller's cancellation reaches it
            name = f"rxstreams getaddrinfo {host}"
            threading.Thread(target=self._run, args=(key, future), name=name, daemon=True).start()
            self._unanswered[key] = future
            return future

    def _run(self, key: tuple[int, str, int], future: Future[Answer]) -> None:
        answer: Answer = []
        failure: Exception | None = None
        try:
            for family, _, _, _, sockaddr in socket.getaddrinfo(key[1], key[2], type=socket.SOCK_STREAM):
                # A Python without IPv6 gives such addresses as a number and bytes.
                if isinstance(sockaddr[0], str):
                    answer.append((family, sockaddr))  # pyright: ignore[reportArgumentType]  # mypy sees the narrowing
        except Exception as error:
            failure = error
        with self._lock:
            del self._unanswered[key]
        if failure is None:
            future.set_result(answer)
        else:
            future.set_exception(failure)
