"""A stand-in for a bad network: hands on what a server sends, and cuts it where it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK = 1 << 16


class Proxy:
    """Listens at `url`; `sent` counts what went to clients, `limit` is after what all is cut."""

    def __init__(self, server: str, place: Path) -> None:
        self.url = f"unix://{place}"
        self.limit: int | None = None
        self.sent = 0
        self._server = server.removeprefix("unix://")
        self._lock = threading.Lock()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(place))
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                threading.Thread(target=self._hand, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _hand(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(CHUNK):
                server.sendall(data)
        _end(server)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                client.sendall(self._allowed(data))
                if self.limit is not None and self.sent >= self.limit:
                    break
        _end(client)
        _end(server)

    def _allowed(self, data: bytes) -> bytes:
        with self._lock:
            if self.limit is not None:
                data = data[: max(self.limit - self.sent, 0)]
            self.sent += len(data)
            return data


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(server: str, folder: Path) -> Iterator[Proxy]:
    """A proxy before the server at a unix socket's URL, for as long as the context lasts."""
    standing = Proxy(server, folder / "proxy")
    try:
        yield standing
    finally:
        standing.close()
