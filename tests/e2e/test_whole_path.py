"""From a request of an official SDK to a line in Loki, through both real commands."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anthropic
import openai
import orjson
import pytest

from tests import clock
from tests.e2e.stack import (
    Start,
    all_arrived,
    down,
    get,
    lines_on_disk,
    session_files,
    start_proxy,
    start_shipper,
    wait_until_all_arrived,
)
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import Running, eventually, free_port

QUESTION = [{"role": "user", "content": "hello"}]


def make_calls(proxy: str, upstream: str, count: int) -> None:
    """Make ``count`` calls with both SDKs, every second one streamed."""
    with (
        anthropic.Anthropic(
            api_key="sk-ant-1", base_url=f"{proxy}/anthropic/{upstream}", max_retries=0
        ) as claude,
        openai.OpenAI(api_key="sk-1", base_url=f"{proxy}/openai/{upstream}/v1", max_retries=0) as gpt,
    ):
        for number in range(count):
            _one_call(claude, gpt, number)


def _one_call(claude: anthropic.Anthropic, gpt: openai.OpenAI, number: int) -> None:
    asked: dict[str, object] = {"model": "m", "messages": QUESTION}
    match number % 4:
        case 0:
            claude.messages.create(max_tokens=9, **asked)  # type: ignore[call-overload]
        case 1:
            with claude.messages.stream(max_tokens=9, **asked) as stream:  # type: ignore[arg-type]
                assert stream.get_final_text()
        case 2:
            gpt.chat.completions.create(**asked)  # type: ignore[call-overload]
        case _:
            assert list(gpt.chat.completions.create(stream=True, **asked))  # type: ignore[call-overload]


def test_twenty_calls_arrive_in_loki_byte_for_byte_under_the_labels(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    _, proxy = start_proxy(start, logs, fake_provider.url)
    shipper = start_shipper(start, logs, fake_loki.push_url)

    make_calls(proxy, fake_provider.url.removeprefix("http://"), 20)

    eventually(lambda: _types(logs)["response"] == 20, what="20 responses on disk")
    wait_until_all_arrived(fake_loki, logs)
    assert _types(logs)["request"] == 20
    lines = len(lines_on_disk(logs))
    eventually(lambda: shipper.delivered(lines), what="statistics that equal the files")
    assert shipper.health["status"] == "ok"
    for kept in fake_loki.entries():
        record, labels = orjson.loads(kept.line), kept.labels
        assert labels["log_type"] == record["type"]
        assert labels["provider"] == record["provider"]
        assert labels["machine"] == record["_meta"]["machine"]
        assert (labels["app"], labels["environment"]) == ("llm-proxy", "development")
        assert set(labels) <= {"app", "environment", "log_type", "machine", "provider", "service_name"}
        assert kept.metadata["session"] == record["_meta"]["session"]
        assert kept.metadata.get("request_id") == record["_meta"].get("request_id")


def _types(logs: Path) -> Counter[str]:
    return Counter(orjson.loads(line)["type"] for line in lines_on_disk(logs))


def test_on_sigterm_a_waiting_batch_is_delivered_and_a_restart_sends_nothing_twice(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    proxy_process, proxy = start_proxy(start, logs, fake_provider.url)
    shipper = start_shipper(start, logs, fake_loki.push_url, "--loki-batch-wait=60s")
    make_calls(proxy, fake_provider.url.removeprefix("http://"), 8)
    eventually(lambda: _types(logs)["response"] == 8, what="8 responses on disk")

    shipper.process.signal(signal.SIGTERM)
    assert proxy_process.terminate() == 0
    assert shipper.process.wait() == 0

    assert all_arrived(fake_loki, logs)
    received = fake_loki.state
    again = start_shipper(start, logs, fake_loki.push_url)
    assert again.process.terminate() == 0
    assert fake_loki.state == received


def test_status_is_error_while_loki_fails_and_ok_after_and_nothing_is_lost(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    _, proxy = start_proxy(start, logs, fake_provider.url)
    shipper = start_shipper(start, logs, fake_loki.push_url, "--loki-retry-max=2")
    with down(fake_loki):
        make_calls(proxy, fake_provider.url.removeprefix("http://"), 4)
        eventually(lambda: shipper.health["status"] == "error", what="status error")
        health = shipper.health
        assert "503" in health["last_error"]
        assert health["entries_failed"] > 0
        assert health["entries_dropped"] == 0
        assert get(f"{shipper.url}/livez")[0] == 200
        assert get(f"{shipper.url}/readyz")[0] == 503

    wait_until_all_arrived(fake_loki, logs)
    eventually(lambda: shipper.health["status"] == "ok", what="status ok")
    assert get(f"{shipper.url}/readyz")[0] == 200


@pytest.mark.parametrize("url", ["", "not a url", "ftp://loki/push", "http://"])
def test_a_url_that_cannot_be_used_is_told_and_the_process_stays_up(
    start: Start, tmp_path: Path, url: str
) -> None:
    (tmp_path / "logs").mkdir()
    shipper = start_shipper(start, tmp_path / "logs", url)

    warning = shipper.process.wait_for("shipper.export_unusable")

    assert warning["level"] == "warning"
    assert shipper.health["status"] == "error"
    assert "loki.url" in shipper.health["last_error"]
    assert shipper.process.alive
    assert shipper.process.terminate() == 0


def test_without_export_the_shipper_stays_up_disabled(start: Start, tmp_path: Path) -> None:
    process = start("llm-loki-ship", "run", f"--log-dir={tmp_path}", "--shipper-health-port=0")
    url = process.wait_for("shipper.listening")["url"]

    assert process.wait_for("shipper.export_disabled")["message"] == "Loki export: disabled"
    assert get(f"{url}/health/loki")[0] == 200
    assert b'"disabled"' in get(f"{url}/health/loki")[1]
    assert get(f"{url}/readyz")[0] == 200
    assert process.terminate() == 0


def test_the_shipper_waits_for_a_folder_that_is_not_there_yet(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "later"
    shipper = start_shipper(start, logs, fake_loki.push_url)
    shipper.process.wait_for("source.folder_awaited")

    day = logs / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True)
    (day / f"{clock.session(1)}.jsonl").write_text('{"type":"request","seq":1}\n')

    wait_until_all_arrived(fake_loki, logs)


def test_lines_of_the_go_predecessor_get_their_provider_from_their_file(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    day = tmp_path / "logs" / "llm.internal" / clock.day()
    day.mkdir(parents=True)
    # Go leaves out the zeros at the end of a second's fraction.
    ts = f"{clock.stamp()[:21]}Z"
    meta = f'"_meta":{{"host":"llm.internal","machine":"u@h","session":"s","ts":"{ts}"}}'
    (day / f"{clock.session(0xA1B2C3D4)}.jsonl").write_text(
        f'{{{meta},"provider":"openai","type":"session_start","upstream":"llm.internal"}}\n'
        f'{{{meta},"body":"{{}}","headers":{{}},"method":"POST","path":"/v1/responses","seq":1,"type":"request"}}\n'
    )
    start_shipper(start, tmp_path / "logs", fake_loki.push_url)

    wait_until_all_arrived(fake_loki, tmp_path / "logs")
    assert {kept.labels["provider"] for kept in fake_loki.entries()} == {"openai"}


def test_a_second_shipper_on_one_folder_gives_up_with_one_line(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    first = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    first.process.wait_for("source.folder_found")
    eventually((tmp_path / "logs" / ".llm-loki-ship" / "lock").exists)

    second = start_shipper(start, tmp_path / "logs", fake_loki.push_url)

    assert second.process.wait() == 1
    assert second.process.events[-1]["text"].startswith("llm-loki-ship: another llm-loki-ship works with")


@pytest.mark.parametrize(
    ("command", "args", "code", "said"),
    [
        ("llm-loki-ship run", ["--loki-batch-size=many"], 2, 'loki.batch_size = "many"'),
        ("llm-proxy serve", ["--port=http"], 2, 'port = "http"'),
        ("llm-proxy serve", ["--host=0.0.0.0"], 2, "host"),
    ],
)
def test_a_wrong_value_is_one_clear_line(
    start: Start, command: str, args: list[str], code: int, said: str
) -> None:
    process = start(*command.split(), *args)

    assert process.wait() == code
    assert said in process.stderr
    assert len(process.events) == 1
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("command", ["llm-loki-ship run --shipper-health-port", "llm-proxy serve --port"])
def test_a_port_in_use_is_one_clear_line(start: Start, fake_loki: FakeLoki, command: str) -> None:
    port = fake_loki.url.rpartition(":")[2]

    process = start(*command.split(), port)

    assert process.wait() == 1
    assert port in process.stderr
    assert "Traceback" not in process.stderr


def test_calls_go_on_with_the_shipper_killed_and_it_catches_up(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    upstream = fake_provider.url.removeprefix("http://")
    _, proxy = start_proxy(start, logs, fake_provider.url)
    shipper = start_shipper(start, logs, fake_loki.push_url)
    make_calls(proxy, upstream, 4)
    shipper.process.kill()
    make_calls(proxy, upstream, 4)
    eventually(lambda: _types(logs)["response"] == 8)

    start_shipper(start, logs, fake_loki.push_url)

    wait_until_all_arrived(fake_loki, logs, deadline=40.0)
    assert session_files(logs)


def test_both_say_at_start_where_export_goes_without_credentials(
    start: Start, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://user:secret@127.0.0.1:{port}/loki/api/v1/push"
    proxy, _ = start_proxy(start, tmp_path / "logs", fake_provider.url, "--loki-enabled", f"--loki-url={url}")
    shipper = start_shipper(start, tmp_path / "logs", url)
    said = f"Loki export: enabled (http://127.0.0.1:{port}/loki/api/v1/push)"

    for process in (proxy, shipper.process):
        assert eventually(_says(process, said))
        assert "secret" not in process.stderr


def _says(process: Running, text: str) -> Callable[[], bool]:
    return lambda: any(event.get("message") == text for event in process.events)
