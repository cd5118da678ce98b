"""``llm-loki-ship check`` in each of the states that people bring it into."""

import json
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from groundwork.disk.lock import FolderLock
from shipper.commands.app import app
from tests import clock
from tests.e2e.stack import Start, start_proxy, start_shipper
from tests.fakes.loki import FakeLoki, Order
from tests.process import eventually, free_port

Check = Callable[..., Result]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log folder with one session."""
    day = tmp_path / "logs" / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True)
    (day / f"{clock.session(1)}.jsonl").write_text('{"type":"request"}\n')
    return tmp_path / "logs"


@pytest.fixture
def check(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the command in this process, without the settings of whoever runs the tests."""
    for name in [each for each in os.environ if each.startswith("LLM_PROXY_") or "PROXY" in each.upper()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    ports = {"LLM_PROXY_PORT": str(free_port()), "LLM_PROXY_SHIPPER_HEALTH_PORT": str(free_port())}

    def run(*args: str, url: str = "", **env: str) -> Result:
        way = ["--loki-enabled", f"--loki-url={url}"] if url else []
        words = ["check", f"--log-dir={logs}", *way, *args]
        return CliRunner().invoke(app, words, env={**ports, **env})

    return run


def marked(result: Result) -> dict[str, str]:
    """Return what is not good, by subject, as ``--json`` tells it."""
    told = json.loads(result.output)
    return {each["subject"]: each["mark"] for each in told["findings"] if each["mark"] != "good"}


def advice(result: Result) -> str:
    return " ".join(each["advice"] + each["text"] for each in json.loads(result.output)["findings"])


def test_all_is_well_and_a_test_entry_is_pushed_and_read_back(
    check: Check, logs: Path, fake_loki: FakeLoki
) -> None:
    with FolderLock(logs / ".llm-proxy" / "lock"):
        result = check("--loki-labels=team=red", url=fake_loki.push_url)

    assert result.exit_code == 0, result.output
    assert "All is well" in result.output
    assert "\x1b" not in result.output
    (kept,) = fake_loki.entries()
    assert (kept.labels["log_type"], kept.labels["app"], kept.labels["team"]) == ("check", "llm-proxy", "red")
    assert kept.metadata["check"] in kept.line
    assert not (logs / ".llm-loki-ship").exists()


def test_each_setting_has_its_origin_and_a_secret_is_not_shown(check: Check, fake_loki: FakeLoki) -> None:
    result = check("--json", url=fake_loki.push_url, LLM_PROXY_LOKI_AUTH_TOKEN="hidden")

    rows = {each["key"]: (each["value"], each["origin"]) for each in json.loads(result.output)["settings"]}
    assert rows["loki.auth_token"] == ("(set)", "environment variable LLM_PROXY_LOKI_AUTH_TOKEN")
    assert rows["loki.enabled"] == ("true", "flag --loki-enabled")
    assert rows["loki.batch_size"] == ("1000", "default")
    assert "hidden" not in result.output


@pytest.mark.parametrize("width", [60, 200])
def test_with_nothing_switched_on_the_folders_are_looked_at_all_the_same(check: Check, width: int) -> None:
    result = check(COLUMNS=str(width))

    assert result.exit_code == 0
    assert "loki.enabled is false" in result.output
    assert max(map(len, result.output.splitlines())) <= width


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_folder_is_a_warning_and_a_missing_one_is_wrong(
    check: Check,
    tmp_path: Path,
    there: bool,  # noqa: FBT001 - a parameter
) -> None:
    if there:
        (tmp_path / "other").mkdir()
    result = check("--json", f"--log-dir={tmp_path / 'other'}")

    assert result.exit_code == (0 if there else 1)
    assert marked(result).items() >= ({"files": "warning"} if there else {"log_dir": "cross"}).items()


def test_ten_thousand_files_are_counted(check: Check, logs: Path) -> None:
    (first,) = logs.rglob("*.jsonl")
    for each in range(9_999):
        # A link costs a fraction of a file.
        os.link(first, first.with_name(f"{each}.jsonl"))

    assert "10,000 session files" in check().output


def test_a_loki_that_is_down_is_told(check: Check) -> None:
    result = check("--json", url=f"http://127.0.0.1:{free_port()}/loki/api/v1/push")

    assert result.exit_code == 1
    assert marked(result) == {"proxy": "warning", "connection": "cross", "the rest": "skipped"}
    assert "does Loki run, and is that its port" in advice(result)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "Loki takes pushes at /loki/api/v1/push"),
        ("/api/prom/push", "stores nothing"),
        ("/loki/api/v1/push/x/push", "takes no pushes at"),
    ],
)
def test_a_wrong_path_is_named(check: Check, fake_loki: FakeLoki, path: str, words: str) -> None:
    result = check("--json", url=fake_loki.url + path)

    assert result.exit_code == 1
    assert words in advice(result)


def test_an_address_that_is_none_is_the_configuration_s_fault(check: Check) -> None:
    result = check("--json", url="ftp://loki")

    assert result.exit_code == 2
    assert marked(result)["loki.url"] == "cross"


def test_a_name_that_nobody_knows_is_named(check: Check) -> None:
    result = check("--json", url="http://loki.invalid/loki/api/v1/push")

    assert result.exit_code == 1
    assert marked(result)["name"] == "cross"


def test_https_for_http_is_named(check: Check, grafana: str) -> None:
    result = check("--json", url=f"{grafana}/loki/api/v1/push".replace("http:", "https:"))

    assert result.exit_code == 1
    assert "write http:// instead of https://" in advice(result)
    assert marked(result)["answer"] == "cross"


@pytest.mark.parametrize(
    ("limits", "env", "words"),
    [
        ({"bearer": "right"}, {"LLM_PROXY_LOKI_AUTH_TOKEN": "wrong"}, "refuses the credentials"),
        ({"auth_enabled": True}, {}, "set loki.tenant_id"),
        ({}, {"LLM_PROXY_LOKI_AUTH_TOKEN": "to\nken"}, "Look for a line break in loki.auth_token"),
    ],
)
def test_wrong_credentials_are_named(
    check: Check, fake_loki: FakeLoki, limits: dict[str, Any], env: dict[str, str], words: str
) -> None:
    fake_loki.limit(**limits)

    result = check("--json", url=fake_loki.push_url, **env)

    assert result.exit_code == 1
    assert words in advice(result)
    assert not fake_loki.entries()


@pytest.mark.parametrize(("text", "words"), [(None, "No such file"), ("", "is empty"), ("a\nb", "one line")])
def test_a_token_file_that_holds_no_token_is_named(
    check: Check, fake_loki: FakeLoki, tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)

    result = check("--json", f"--loki-auth-token-file={tmp_path / 'token'}", url=fake_loki.push_url)

    assert result.exit_code == 1
    assert words in advice(result)


@pytest.mark.parametrize(
    ("order", "mark", "words"),
    [
        (Order(status=260, body="blocked"), "cross", "blocks ingestion"),
        (Order(status=429, body="ingestion rate limit exceeded"), "warning", "limits how fast"),
        (Order(status=500, body="empty ring"), "cross", "in trouble"),
        (Order(fault="reset"), "cross", "HTTP"),
    ],
)
def test_a_push_that_is_refused_is_named(
    check: Check, fake_loki: FakeLoki, order: Order, mark: str, words: str
) -> None:
    fake_loki.order(order)

    result = check("--json", url=fake_loki.push_url)

    assert marked(result)["push"] == mark
    assert words in advice(result)


def test_a_token_that_may_not_read_is_a_warning(check: Check, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=403, body="forbidden", path="/query_range"))

    result = check("--json", url=fake_loki.push_url)

    assert result.exit_code == 0
    assert marked(result) == {"proxy": "warning", "query": "warning"}
    assert "may push and not read" in advice(result)


def test_limits_that_cannot_be_read_are_assumed_and_said_so(check: Check, fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=404, body="no", path="/config"))

    assert "assumed are Loki's defaults" in advice(check("--json", url=fake_loki.push_url))


def test_a_loki_without_metadata_takes_the_entry_all_the_same(check: Check, fake_loki: FakeLoki) -> None:
    fake_loki.limit(allow_structured_metadata=False)

    result = check("--json", url=fake_loki.push_url)

    assert result.exit_code == 0
    assert marked(result)["metadata"] == "warning"
    assert len(fake_loki.entries()) == 1


def test_a_loki_that_takes_less_metadata_than_lines_have_is_told(check: Check, fake_loki: FakeLoki) -> None:
    fake_loki.limit(max_structured_metadata_entries_count=10)

    result = check("--json", url=fake_loki.push_url)

    assert result.exit_code == 0
    assert marked(result)["metadata"] == "warning"
    assert "max_structured_metadata_entries_count" in advice(result)


def test_as_many_labels_as_loki_takes_are_no_error(check: Check, fake_loki: FakeLoki) -> None:
    fake_loki.limit(max_label_names_per_series=5)

    result = check("--json", url=fake_loki.push_url)

    assert result.exit_code == 0
    assert marked(result)["labels"] == "warning"
    assert len(fake_loki.entries()) == 1


class Grafana(BaseHTTPRequestHandler):
    """Answers as Grafana does to who has no session."""

    def do_GET(self) -> None:
        health = self.path == "/api/health"
        self._answer(200, {"database": "ok", "version": "13.0.0"}) if health else self._answer(404, {})

    def do_POST(self) -> None:
        self._answer(401, {"message": "Unauthorized"})

    def _answer(self, status: int, told: dict[str, str]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[str]:
    """A Grafana's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Grafana) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_grafana_s_address_is_named(check: Check, grafana: str) -> None:
    result = check("--json", url=f"{grafana}/loki/api/v1/push")

    assert result.exit_code == 1
    assert "This is Grafana, not Loki" in advice(result)


def test_a_way_through_a_proxy_of_the_environment_is_told(check: Check, fake_loki: FakeLoki) -> None:
    url = "http://loki.invalid/loki/api/v1/push"
    result = check("--json", url=url, HTTP_PROXY=fake_loki.url, NO_PROXY="", no_proxy="")

    assert f"through the proxy {fake_loki.url}" in advice(result)


def test_another_program_on_the_health_port_is_wrong(check: Check, fake_loki: FakeLoki) -> None:
    result = check("--json", f"--shipper-health-port={fake_loki.port}")

    assert result.exit_code == 1
    assert marked(result)["shipper"] == "cross"


def test_a_key_that_nobody_knows_is_a_warning(check: Check, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('lag_dir = "x"\nport = "wrong"\n')

    assert "unknown key lag_dir" in check(f"--config={tmp_path / 'c.toml'}", LLM_PROXY_PORT="").output


def test_beside_a_running_pair_it_disturbs_nothing_and_names_a_folder_that_differs(
    check: Check, logs: Path, start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    health = free_port()
    proxy, url = start_proxy(start, logs, fake_loki.url)
    shipper = start_shipper(start, logs, fake_loki.push_url, f"--shipper-health-port={health}")
    eventually(lambda: shipper.delivered(1))
    env = {"LLM_PROXY_PORT": url.rpartition(":")[2], "LLM_PROXY_SHIPPER_HEALTH_PORT": str(health)}

    beside = check("--json", url=fake_loki.push_url, **env)
    (tmp_path / "other").mkdir()
    elsewhere = check("--json", f"--log-dir={tmp_path / 'other'}", **env)

    assert (beside.exit_code, marked(beside)) == (0, {})
    assert "a shipper runs with this state folder, and says ok" in advice(beside)
    assert elsewhere.exit_code == 1
    assert marked(elsewhere)["proxy"] == "cross"
    assert f"follows {logs}" in advice(elsewhere)
    assert shipper.delivered(1)
    assert proxy.alive
