"""Between a program and a server: counts what the program says, and strikes at the n-th time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Proxy:
    """Hands on what either side says, on a port of its own."""

    def __init__(self, port: int) -> None:
        """Listen, and hand on to a port of this machine."""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.said = 0
        """How often the program has said something since the last `arm`."""
        self._at = -1
        self._strike: Callable[[], None] = _nothing
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def arm(self, at: int = -1, strike: Callable[[], None] = lambda: None) -> None:
        """Count from 0 again; before the `at`-th thing said is handed on, strike."""
        with self._lock:
            self.said, self._at, self._strike = 0, at, strike

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                for source, sink, counted in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._hand_on, args=(source, sink, counted), daemon=True
                    ).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    with self._lock:
                        self.said += 1
                        if self.said == self._at:
                            self._strike()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _nothing() -> None:
    pass
