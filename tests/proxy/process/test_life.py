"""A proxy's process from its start to its end."""

import json
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process import Running, clean_environment, command_line, eventually
from tests.proxy.served import Answer, Client, Served, ask, new_key, request_bytes

STREAMED = b'{"model":"m","stream":true,"messages":[]}'
Serve = Callable[..., Served]
Start = Callable[..., Running]


def run(tmp_path: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(tmp_path, env)
    return subprocess.run(
        command_line("llm-proxy", *args),
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def stream(served: Served, client: Client, **order: object) -> str:
    """Begin a stream that hangs after its first event; return its session's key."""
    key = new_key()
    headers = [("x-fake", json.dumps({"fault": "hang", **order})), ("X-Session-ID", key)]
    client.send(request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, STREAMED))
    client.until(b"message_start")
    return key


def test_health_tells_version_uptime_and_counts(serve: Serve) -> None:
    began = time.monotonic()
    served = serve(LLM_PROXY_PROXY_TOKEN="t0ken")
    told = served.health()

    assert told["status"] == "ok"
    assert told["version"] == "0.1.0"
    assert 0 < told["uptime_seconds"] < time.monotonic() - began
    assert told["calls"] == told["write_errors"] == 0


def test_the_probe_answers_for_the_process(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    alive = run(tmp_path, "health", "--port", str(served.port))
    served.process.terminate()
    dead = run(tmp_path, "health", f"--port={served.port}")

    assert (alive.returncode, json.loads(alive.stdout)["status"]) == (0, "ok")
    assert dead.returncode == 1
    assert dead.stderr.startswith("llm-proxy: nothing answers at 127.0.0.1:")
    assert dead.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({}, "Loki export: disabled"),
        (
            {
                "LLM_PROXY_LOKI_ENABLED": "true",
                "LLM_PROXY_LOKI_URL": "https://user:secret@loki:3100/loki/api/v1/push?x=1",
            },
            "Loki export: enabled (https://loki:3100/loki/api/v1/push)",
        ),
    ],
)
def test_the_start_says_whether_lines_go_to_loki(serve: Serve, env: dict[str, str], text: str) -> None:
    served = serve(**env)

    assert served.process.wait_for("proxy.loki_export")["message"] == text
    assert "secret" not in served.process.stderr


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--port", "many"), "port = "),
        (("--upstreams", "good.example,bad host"), "upstreams (flag --upstreams): 'bad host' is none of"),
        (("--redact", "("), "redact (flag --redact): '(' is no RE2 pattern"),
        (
            ("--host", "::"),
            "host = '::' (flag --host): beyond loopback, proxy_token or allowed_hosts",
        ),
    ],
)
def test_a_wrong_setting_is_one_clear_line_and_exit_2(
    tmp_path: Path, args: tuple[str, ...], text: str
) -> None:
    ended = run(tmp_path, "serve", *args)

    assert ended.returncode == 2
    assert text in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_one_clear_line_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(tmp_path, "serve", "--port", str(port))

    assert ended.returncode == 1
    assert ended.stderr == f"llm-proxy: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_a_log_folder_that_cannot_be_written_is_one_clear_line_and_exit_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run(tmp_path, "serve", "--port", "0", "--log-dir", str(tmp_path / "file" / "logs"))

    assert ended.returncode == 1
    assert "logs' cannot be written: Not a directory" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_second_proxy_on_the_folder_is_one_clear_line_and_exit_1(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    assert served.port
    ended = run(tmp_path, "serve", "--port", "0", "--log-dir", str(served.log_dir))

    assert ended.returncode == 1
    assert ended.stderr == f"llm-proxy: log_dir = '{served.log_dir}': another llm-proxy writes there\n"


def test_the_log_folder_is_for_the_group_at_most(serve: Serve) -> None:
    served = serve()
    assert served.port

    assert stat.S_IMODE(served.log_dir.stat().st_mode) == 0o750


def test_unknown_settings_are_told_and_harmless(serve: Serve) -> None:
    served = serve(LLM_PROXY_COLOUR="blue")

    assert "LLM_PROXY_COLOUR" in served.process.wait_for("proxy.setting_ignored")["message"]


def test_beyond_loopback_the_token_opens_every_name(serve: Serve) -> None:
    served = serve("--host", "0.0.0.0", LLM_PROXY_PROXY_TOKEN="t0ken")  # noqa: S104 - what is tested
    path = f"/anthropic/{served.upstream}/v1/models"
    with_token = ask(served.port, path, [("X-LLM-Proxy-Token", "t0ken")], method="GET")

    assert with_token.status == 200
    assert ask(served.port, path, method="GET").status == 403
    assert [name.lower() for name, _ in served.provider.requests[0].headers] == [b"host"]


def test_calls_that_run_end_well_within_the_grace_time(serve: Serve) -> None:
    served = serve("--grace", "20s")
    headers = [("x-fake", '{"pause": 0.05, "deltas": 6}'), ("X-Session-ID", key := new_key())]
    with Client(served.port) as client:
        client.send(request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, STREAMED))
        client.until(b"message_start")
        served.process.signal(signal.SIGTERM)
        answer = client.rest()

    assert served.process.wait() == 0
    assert answer.is_whole
    assert b"message_stop" in answer.body
    assert "error" not in served.call(key)[1]


def test_calls_beyond_the_grace_time_are_cut_and_logged(serve: Serve) -> None:
    served = serve("--grace", "100ms")
    clients = [Client(served.port) for _ in range(5)]
    keys = [stream(served, client) for client in clients]
    idle = Client(served.port)
    assert served.process.terminate() == 0

    for key, client in zip(keys, clients, strict=True):
        assert not client.rest().is_whole
        client.socket.close()
        response = served.call(key)[1]
        assert response["error"] == {"kind": "shutdown", "message": "the proxy was stopped before the end"}
        assert "message_start" in response["chunks"][0]["raw"]
    assert idle.rest() == Answer(b"")
    idle.socket.close()
    assert served.process.wait_for("proxy.calls_cut")["calls"] == 5


def test_a_second_signal_ends_the_grace_time(serve: Serve) -> None:
    served = serve("--grace", "60s")
    with Client(served.port) as client:
        stream(served, client)
        served.process.signal(signal.SIGTERM)
        served.process.wait_for("proxy.draining")
        assert served.process.terminate() == 0


def test_no_call_is_taken_while_it_stops(serve: Serve) -> None:
    served = serve("--grace", "60s")
    with Client(served.port) as client:
        stream(served, client)
        served.process.signal(signal.SIGTERM)
        served.process.wait_for("proxy.draining")
        with pytest.raises(ConnectionRefusedError):
            Client(served.port)
    assert served.process.wait() == 0


def test_a_disk_that_fails_is_told_by_health_and_no_call_fails(serve: Serve) -> None:
    served = serve()
    path = f"/anthropic/{served.upstream}/v1/messages"
    assert served.port
    (served.log_dir / served.upstream).write_text("in the way")

    assert ask(served.port, path, (), b"{}").status == 200
    eventually(lambda: served.health()["records_missing"] == 3)
    told = served.health()
    assert (told["status"], told["last_error"]) == ("error", "Not a directory")

    (served.log_dir / served.upstream).unlink()
    assert ask(served.port, path, (), b"{}").status == 200
    eventually(lambda: served.health()["status"] == "ok")


def test_a_thousand_sessions_leave_few_files_open(serve: Serve) -> None:
    served = serve()
    path = f"/anthropic/{served.upstream}/v1/messages"
    one = request_bytes(path, (), b"{}").replace(b"Connection: close\r\n", b"")
    with Client(served.port) as client:
        for _ in range(1000):
            client.received = b""
            client.send(one).until(b'"type":"message"')
    eventually(lambda: served.health()["records_written"] == 3000)

    assert len(list(Path(f"/proc/{served.process.pid}/fd").iterdir())) < 100


HEAVY = ("typer", "httpx", "uvloop", "python_socks", "msgspec", "asyncio", "orjson")


@pytest.mark.parametrize(
    ("args", "spared"),
    [
        (["health", "--port", "1"], HEAVY),
        (["--version"], ("httpx", "uvloop", "python_socks", "proxy.server")),
        (["serve", "--help"], ("httpx", "uvloop", "python_socks", "proxy.server")),
    ],
)
def test_commands_import_only_what_they_need(
    tmp_path: Path, args: list[str], spared: tuple[str, ...]
) -> None:
    code = f"""if True:
        import sys
        sys.argv = ["llm-proxy", *{args!r}]
        from proxy.commands.cli import main
        try:
            main()
        except SystemExit:
            pass
        sys.stderr.write("imported: " + " ".join(name for name in {spared!r} if name in sys.modules))
    """
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(tmp_path, {}), capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip

    assert ended.stderr.splitlines()[-1] == "imported: "


def test_the_pages_for_machines_need_no_token(serve: Serve) -> None:
    served = serve(LLM_PROXY_PROXY_TOKEN="t0ken")
    for path, kind in (
        ("health", "application/json"),
        ("metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ):
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/{path}", timeout=20) as answer:
            assert answer.headers["Content-Type"] == kind


def test_the_home_folder_may_be_written_with_a_tilde(start: Start, tmp_path: Path) -> None:
    process = start("llm-proxy", "serve", "--port=0", "--log-dir=~/records", "--min-free=0")
    process.wait_for("proxy.listening")

    assert (tmp_path / "home" / "records" / ".llm-proxy" / "lock").is_file()
