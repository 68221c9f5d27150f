"""A wire between us and a server that loses an answer on demand: the server does what it was asked, we never learn of it."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress


class LossyWire:
    """Listens on `port` and passes everything on to the server. `lose(b"POST /admin")` swallows the answer to the next such request."""

    def __init__(self, host: str, port: int) -> None:
        self._server, self._losing = (host, port), b""
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._ear.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def lose(self, request: bytes) -> None:
        self._losing = request

    def close(self) -> None:
        with suppress(OSError):
            self._ear.shutdown(socket.SHUT_RDWR)
        self._ear.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._ear.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        lost = threading.Event()
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            back = threading.Thread(target=self._back, args=(server, client, lost), daemon=True)
            back.start()
            while data := client.recv(65536):
                if self._losing and data.startswith(self._losing):
                    self._losing = b""
                    lost.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join(10)

    @staticmethod
    def _back(server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():
                    client.shutdown(socket.SHUT_RDWR)  # the effect is there: the server has answered, we have not heard it
                    return
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


@contextmanager
def lossy_wire(host: str, port: int) -> Generator[LossyWire]:
    wire = LossyWire(host, port)
    try:
        yield wire
    finally:
        wire.close()
