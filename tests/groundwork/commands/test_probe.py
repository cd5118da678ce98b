import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from groundwork.commands.probe import Unanswered, ask, lookup
from groundwork.settings.settings import load
from shipper.config import ShipperSettings


@pytest.fixture(autouse=True)
def _clean_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def answering(reply: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Serve one connection on loopback: take its request, send ``reply``, close."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                heard.append(connection.recv(4096))
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join()


def config(tmp_path: Path, content: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(content)
    return str(path)


IN_FILE = "host = 'file'\n[shipper]\nhealth_port = 3\n"


@pytest.mark.parametrize("words", [["--shipper-health-port", "1"], ["--shipper-health-port=1"]])
def test_a_key_is_taken_from_flag_before_environment_before_file_before_default(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ["--config", config(tmp_path, IN_FILE)]
    monkeypatch.setenv("LLM_PROXY_SHIPPER_HEALTH_PORT", "2")
    assert lookup("shipper.health_port", [*named, *words], "4") == "1"
    assert lookup("shipper.health_port", named, "4") == "2"
    monkeypatch.setenv("LLM_PROXY_SHIPPER_HEALTH_PORT", "")
    assert lookup("shipper.health_port", named, "4") == "3"
    assert lookup("shipper.health_port", [], "4") == "4"


def test_it_agrees_with_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROXY_SHIPPER_HEALTH_HOST", "environment")
    path = config(tmp_path, IN_FILE)

    run = load(ShipperSettings, path, {}, frozenset()).settings.shipper

    assert lookup("shipper.health_host", ["--config", path], "") == run.health_host
    assert lookup("shipper.health_port", ["--config", path], "") == str(run.health_port)


def test_a_key_at_the_top_of_the_user_s_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "llm-proxy" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(IN_FILE)

    assert lookup("host", [], "default") == "file"


@pytest.mark.parametrize("content", ["not toml", "shipper = 5", "[shipper]\n"])
def test_what_cannot_be_read_counts_as_absent(content: str, tmp_path: Path) -> None:
    path = config(tmp_path, content)

    assert lookup("shipper.health_port", ["--config", path], "4") == "4"


def test_a_binary_file_counts_as_absent(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")

    assert lookup("host", ["--config", str(tmp_path / "config.toml")], "default") == "default"


def test_it_asks_over_plain_http() -> None:
    with answering(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy") as (port, heard):
        assert ask("127.0.0.1", port, "/livez") == (503, b"busy")

    assert heard == [f"GET /livez HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()]


@pytest.mark.parametrize("host", ["0.0.0.0", ""])  # noqa: S104 - asked, not bound
def test_a_bind_to_every_address_is_asked_at_loopback(host: str) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _):
        assert ask(host, port, "/livez") == (200, b"")


@pytest.mark.parametrize("reply", [b"", b"hello\r\n", b"HTTP/1.1 soon\r\n\r\n"])
def test_what_does_not_speak_http_has_not_answered(reply: bytes) -> None:
    with (
        answering(reply) as (port, _),
        pytest.raises(Unanswered, match=f"nothing answers at 127.0.0.1:{port}"),
    ):
        ask("127.0.0.1", port, "/livez")


def test_a_port_where_nobody_listens_has_not_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Unanswered, match="Connection refused"):
        ask("127.0.0.1", port, "/livez")


def test_an_endless_answer_is_cut() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000) as (port, _):
        _, body = ask("127.0.0.1", port, "/")

    assert 0 < len(body) < 128 * 1024


def test_an_answer_that_does_not_come_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", silent)

    with pytest.raises(Unanswered, match="timed out"):
        ask("127.0.0.1", 1, "/")
