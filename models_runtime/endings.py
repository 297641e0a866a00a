"""An end for a request that takes too long in all.

httpx limits each step by itself: a server that sends a byte now and then would hold its client for ever.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

CONNECTED = "connection.connect_tcp.complete"


class _Ending:
    """The connections of a request, which `end` ends at once and for good."""

    def __init__(self) -> None:
        self._lock, self._ended = threading.Lock(), False
        self._sockets: list[socket.socket] = []

    def note(self, event: str, told: dict[str, Any]) -> None:
        """Called by httpx's transport with each of its steps."""
        if event != CONNECTED:
            return
        found = told["return_value"].get_extra_info("socket")
        with self._lock:
            # Of its own, because TLS takes the other's number away.
            self._sockets.append(socket.socket(fileno=os.dup(found.fileno())))
            if self._ended:
                self._shut()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._shut()

    def forget(self) -> None:
        with self._lock:
            for held in self._sockets:
                held.close()
            self._sockets.clear()

    def _shut(self) -> None:
        for held in self._sockets:
            with suppress(OSError):  # it has ended by itself
                held.shutdown(socket.SHUT_RDWR)


@contextmanager
def ending_after(seconds: float) -> Iterator[dict[str, Any]]:
    """Give these `extensions` to one request of httpx: what it waits for then fails as a TransportError.

    Its time begins with the block. To look up a name is the system's, and has the system's limit.
    """
    ending = _Ending()
    timer = threading.Timer(seconds, ending.end)
    timer.daemon = True
    timer.start()
    try:
        yield {"trace": ending.note}
    finally:
        timer.cancel()
        timer.join()
        ending.forget()
