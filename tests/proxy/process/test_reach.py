"""How upstreams are reached: TLS, whom to trust, and the proxies of the environment."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proxy.served import Served, ask

CERTIFICATE = Path(__file__).parents[1] / "localhost.pem"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
Serve = Callable[..., Served]


class Peer:
    """A server that reads one head a connection and always gives the same answer."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self.port: int = listener.getsockname()[1]
        self.heads: list[bytes] = []
        self._listener = listener
        self._answer = answer

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                    head += piece
                self.heads.append(head)
                connection.sendall(self._answer)


@contextmanager
def peer(answer: bytes = ANSWER, *, tls: bool = False) -> Iterator[Peer]:
    listener = socket.create_server(("127.0.0.1", 0))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        listener = context.wrap_socket(listener, server_side=True)
    served = Peer(listener, answer)
    thread = threading.Thread(target=served.serve)
    thread.start()
    try:
        yield served
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_provider_over_tls_is_trusted_by_the_file_of_the_environment(serve: Serve) -> None:
    with peer(tls=True) as provider:
        host = f"localhost:{provider.port}"
        served = serve("--upstreams", f"https://{host}", SSL_CERT_FILE=str(CERTIFICATE))
        answer = ask(served.port, f"/openai/{host}/v1/models", method="GET")

    assert (answer.status, answer.body) == (200, b"ok")
    assert provider.heads == [f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()]


def test_a_provider_that_nobody_vouches_for_is_not_spoken_to(serve: Serve) -> None:
    with peer(tls=True) as provider:
        host = f"localhost:{provider.port}"
        served = serve("--upstreams", f"https://{host}")
        answer = ask(served.port, f"/openai/{host}/v1/models", method="GET")

    assert answer.status == 502
    assert answer.message == f"llm-proxy: cannot reach {host}: its certificate is not trusted"
    assert provider.heads == []


def test_a_proxy_for_http_gets_the_whole_url_and_its_login(serve: Serve) -> None:
    with peer() as proxy:
        served = serve(
            "--upstreams", "http://ollama.test:11434", HTTP_PROXY=f"http://me:pass@127.0.0.1:{proxy.port}"
        )
        answer = ask(served.port, "/openai/ollama.test:11434/api/tags?a=%2F", method="GET")

    login = base64.b64encode(b"me:pass").decode()
    assert (answer.status, answer.body) == (200, b"ok")
    assert proxy.heads == [
        b"GET http://ollama.test:11434/api/tags?a=%2F HTTP/1.1\r\n"
        + f"Proxy-Authorization: Basic {login}\r\nHost: ollama.test:11434\r\n\r\n".encode()
    ]


def test_a_proxy_for_https_is_asked_for_a_tunnel(serve: Serve) -> None:
    with peer(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        served = serve(HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
        answer = ask(
            served.port,
            "/openai/api.openai.com/v1/models",
            [("Authorization", "Bearer sk-secret")],
            method="GET",
        )

    assert answer.status == 502
    assert answer.message == "llm-proxy: cannot reach api.openai.com: its proxy answered 407"
    assert proxy.heads[0].startswith(b"CONNECT api.openai.com:443 HTTP/1.1\r\n")
    assert b"sk-secret" not in proxy.heads[0]


@pytest.mark.parametrize("env", [{"NO_PROXY": "ollama.test"}, {}])
def test_this_machine_and_those_named_are_reached_without_a_proxy(serve: Serve, env: dict[str, str]) -> None:
    served = serve("--upstreams", "http://ollama.test:11434", HTTP_PROXY="http://127.0.0.1:1", **env)
    answer = ask(served.port, "/openai/ollama.test:11434/api/tags", method="GET")

    reason = "the host name cannot be resolved" if env else "its proxy: Connection refused"
    assert answer.message == f"llm-proxy: cannot reach ollama.test:11434: {reason}"
