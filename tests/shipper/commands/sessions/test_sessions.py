"""``llm-loki-ship sessions``, as a person meets it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from shipper.commands.app import app
from tests import clock
from tests.fakes.loki import FakeLoki, Order
from tests.process import free_port

Sessions = Callable[..., Result]
PATH = "/query_range"


@pytest.fixture
def sessions(fake_loki: FakeLoki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """``sessions("--json")`` runs the command in this process, on a terminal of 100 columns."""
    for name, value in {"HOME": str(tmp_path), "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LLM_PROXY_LOKI_URL", fake_loki.push_url)
    return lambda *args: CliRunner().invoke(app, ["sessions", *args])


def push(loki: FakeLoki, *names: str, hours_ago: int = 0) -> None:
    at = clock.NOW - hours_ago * clock.HOUR
    labels = {"app": "llm-proxy", "log_type": "response", "provider": "openai", "machine": "u@h"}
    values = [
        [str(at + number), "{}", {"session": name, "offset": "0", "model": "gpt", "output_tokens": "7"}]
        for number, name in enumerate(names)
    ]
    body = {"streams": [{"stream": labels, "values": values}]}
    assert httpx.post(loki.push_url, json=body).status_code == 204


def test_sessions_are_listed_the_latest_first(fake_loki: FakeLoki, sessions: Sessions) -> None:
    push(fake_loki, "one", "two", "three")

    shown, told = sessions(), sessions("--json", "--limit", "2")

    assert shown.exit_code == told.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:4]] == ["three", "two", "one"]
    assert [(each["session"], each["output_tokens"]) for each in json.loads(told.stdout)] == [
        ("three", 7),
        ("two", 7),
    ]


def test_only_what_is_recent_is_listed(fake_loki: FakeLoki, sessions: Sessions) -> None:
    fake_loki.limit(query_store_max_look_back_period=-1.0)
    push(fake_loki, "old", hours_ago=30)

    recent, older = sessions(), sessions("--since", "2d")

    assert (recent.exit_code, older.exit_code) == (0, 0)
    assert recent.stdout.startswith("Loki has no session of the last 24h")
    assert older.stdout.splitlines()[1].startswith("old")


def test_no_session_is_an_empty_list_for_scripts(sessions: Sessions) -> None:
    assert json.loads(sessions("--json").stdout) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "order", "end"),
    [
        (["--since", "yesterday"], None, (2, "--since 'yesterday': expected a duration")),
        (["--loki-url", ""], None, (2, "loki.url is empty")),
        (
            ["--loki-url", f"http://127.0.0.1:{free_port()}/push"],
            None,
            (1, "cannot reach Loki at http://127"),
        ),
        ([], Order(status=401, body="no", path=PATH), (1, "401: no; see loki.auth_token")),
        ([], Order(status=403, body="no", path=PATH), (1, "403: no; a token may push and not read")),
        (
            [],
            Order(status=404, body="page\nnot found", path=PATH),
            (1, "404: page not found; is loki.url right"),
        ),
        ([], Order(status=200, body="<html>", path=PATH), (1, "is loki.url right?")),
    ],
    ids=["no duration", "no address", "Loki down", "wrong token", "no read right", "wrong path", "a page"],
)
def test_trouble_is_one_clear_line(
    fake_loki: FakeLoki, sessions: Sessions, args: list[str], order: Order | None, end: tuple[int, str]
) -> None:
    if order:
        fake_loki.order(order)

    done = sessions(*args)

    assert (done.exit_code, done.stdout) == (end[0], "")
    assert done.stderr.startswith("llm-loki-ship: ")
    assert end[1] in done.stderr
    assert done.stderr.count("\n") == 1
