"""Networks as they really are: proxies, certificates that are renewed, servers that drip."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.certificates import authority
from tests.e2e.stack import Shipper, Start, start_shipper
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.process import eventually, free_port

NO_HOST = "http://loki.invalid:3100/loki/api/v1/push"
Handle = Callable[[socket.socket], None]


@contextmanager
def listening(handle: Handle) -> Iterator[int]:
    """Serve each connection on a thread of its own, and yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_handled, args=(handle, connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _handled(handle: Handle, connection: socket.socket) -> None:
    with connection:
        try:
            handle(connection)
        except OSError:
            return


def pipe(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until an end closes."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(10)


def socks_to(port: int, asked: list[bytes]) -> Handle:
    """Return a SOCKS5 proxy that leads every connection to one port."""

    def handle(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"\x05\x00")
        asked.append(connection.recv(300))
        connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        with socket.create_connection(("127.0.0.1", port)) as onward:
            pipe(connection, onward)

    return handle


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session of three lines."""
    (tmp_path / "logs").mkdir()
    made = Session(tmp_path / "logs", seed=1)
    made.append_many(3)
    return made


Begin = Callable[..., Shipper]


@pytest.fixture
def begin(start: Start, session: Session, tmp_path: Path) -> Begin:
    """Start a shipper on that session with an environment."""
    del session

    def shipper(url: str, *args: str, **env: str) -> Shipper:
        return start_shipper(start, tmp_path / "logs", url, *args, env=env)

    return shipper


def in_error(shipper: Shipper, *words: str) -> bool:
    """Tell whether the state is error, with these words in its reason."""
    health = shipper.health
    return health["status"] == "error" and all(each in str(health["last_error"]) for each in words)


def test_a_socks_proxy_of_the_environment_leads_to_loki(begin: Begin, fake_loki: FakeLoki) -> None:
    asked: list[bytes] = []
    with listening(socks_to(fake_loki.port, asked)) as port:
        shipper = begin(NO_HOST, ALL_PROXY=f"socks5h://127.0.0.1:{port}")
        eventually(lambda: shipper.delivered(3))

    assert b"loki.invalid" in asked[0]


@pytest.mark.parametrize("no_proxy", ["[::1]", "fe11::/16", "127.0.0.0/8,[::1]:80", "10.0.0.0/8 *"])
def test_exceptions_in_any_form_are_read(begin: Begin, fake_loki: FakeLoki, no_proxy: str) -> None:
    shipper = begin(fake_loki.push_url, ALL_PROXY="socks5://127.0.0.1:1", NO_PROXY=no_proxy)

    eventually(lambda: shipper.delivered(3))


def test_a_proxy_that_is_down_is_named(begin: Begin) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    shipper = begin(NO_HOST, HTTP_PROXY=proxy)
    told = shipper.process.wait_for("loki.delivery_failing", 60)

    assert proxy in told["advice"]
    assert in_error(shipper, proxy)


def test_a_proxy_that_asks_for_credentials_is_named(begin: Begin) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with listening(handle) as port:
        shipper = begin(NO_HOST, HTTP_PROXY=f"http://127.0.0.1:{port}")
        told = shipper.process.wait_for("loki.delivery_failing", 60)

    assert f"http://127.0.0.1:{port}" in told["advice"]
    assert "credentials" in told["advice"]


@pytest.mark.parametrize(
    ("url", "args", "env", "words"),
    [
        (NO_HOST, (), {"HTTP_PROXY": "http://me:hunter2@proxy:port"}, ("HTTP_PROXY", "http://proxy:port")),
        ("https://loki.invalid/push", (), {"SSL_CERT_FILE": "/nowhere"}, ("SSL_CERT_FILE", "No such file")),
        (NO_HOST, ("--loki-tenant-id=tëam",), {}, ("loki.tenant_id", "ASCII")),
        ("http://127.0.0.1:99999/push", (), {}, ("loki.url", "65535")),
        ("http://xn--zz-/push", (), {}, ("loki.url", "hyphen")),
        ("http://a..b/push", (), {}, ("loki.url", "label empty")),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line_and_the_process_stays(
    begin: Begin, url: str, args: tuple[str, ...], env: dict[str, str], words: tuple[str, ...]
) -> None:
    shipper = begin(url, *args, **env)
    told = shipper.process.wait_for("shipper.export_unusable")

    assert all(each in told["message"] for each in words)
    assert in_error(shipper, *words)
    assert shipper.process.alive
    assert "Traceback" not in shipper.process.stderr
    assert "hunter2" not in shipper.process.stderr


@pytest.mark.parametrize("place", ["head", "body"])
def test_an_answer_that_drips_ends_with_the_timeout(begin: Begin, place: str) -> None:
    head = b"HTTP/1.1 204 No Content\r\n" + b"X-Slow: 1\r\n" * 10_000
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    over = threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        if place == "body":
            connection.sendall(body)
        for byte in head:
            connection.sendall(bytes((byte,)))
            if over.wait(0.05):
                return

    with listening(handle) as port:
        shipper = begin(f"http://127.0.0.1:{port}/loki/api/v1/push", "--loki-timeout=500ms")
        shipper.process.wait_for("loki.push_failed")
        eventually(lambda: in_error(shipper), 40)
        over.set()


@pytest.fixture
def tls_loki(fake_loki: FakeLoki, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Loki behind TLS, with the place of the authority that signed for it; nothing is there yet."""
    made = authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.chain)

    def handle(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as plain,
            socket.create_connection(("127.0.0.1", fake_loki.port)) as onward,
        ):
            pipe(plain, onward)

    with listening(handle) as port:
        yield f"https://127.0.0.1:{port}/loki/api/v1/push", made.certificate


def test_an_authority_that_comes_later_counts_without_a_restart(
    begin: Begin, tls_loki: tuple[str, Path], tmp_path: Path
) -> None:
    url, right = tls_loki
    ca_file = tmp_path / "ca.pem"
    shipper = begin(url, f"--loki-ca-file={ca_file}")
    shipper.process.wait_for("shipper.export_unusable")
    assert in_error(shipper, str(ca_file), "No such file")
    ca_file.write_bytes(right.read_bytes())

    eventually(lambda: shipper.delivered(3), 30)
    assert shipper.health["last_error"] is None


def test_a_renewed_authority_counts_without_a_restart(
    begin: Begin, tls_loki: tuple[str, Path], tmp_path: Path
) -> None:
    url, right = tls_loki
    (tmp_path / "old").mkdir()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority(tmp_path / "old").certificate.read_bytes())
    shipper = begin(url, f"--loki-ca-file={ca_file}")
    shipper.process.wait_for("loki.push_failed")
    ca_file.write_bytes(right.read_bytes())

    eventually(lambda: shipper.delivered(3), 30)
