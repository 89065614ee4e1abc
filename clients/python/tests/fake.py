"""A server that says what the test wants: words on the wire, or a connection that ends."""

from __future__ import annotations

import socket
import threading
from typing import Any

# Ends the connection without an answer.
CUT = b""


class FakeServer:
    """Answers each FLASHSALE command with the next of `replies`, and anything else with OK."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.received: list[list[bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: Any) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file:
            while line := file.readline():
                words = []
                for _ in range(int(line[1:])):
                    length = int(file.readline()[1:])
                    words.append(file.read(length + 2)[:-2])
                reply = b"+OK\r\n"
                if words[0].startswith(b"FLASHSALE."):
                    self.received.append(words)
                    reply = self.replies.pop(0)
                if reply == CUT:
                    return
                file.write(reply)
                file.flush()
