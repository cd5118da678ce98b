"""An upstream that sends and reads bytes exactly as a test says."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Handler = Callable[[socket.socket, int], None]


@contextmanager
def upstream(handle: Handler) -> Iterator[int]:
    """Run a server whose every connection is a test's own; ``handle`` gets it and its number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for number in range(1000):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection, number), daemon=True).start()

        def serve(connection: socket.socket, number: int) -> None:
            with connection, suppress(OSError):
                handle(connection, number)

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def heard(connection: socket.socket) -> bytes:
    """Return one request with its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while missing > 0:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        data += piece
        missing -= len(piece)
    return data
