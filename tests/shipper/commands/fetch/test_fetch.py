"""``llm-loki-ship fetch``: what the shipper has sent comes back as it was on disk."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import pytest
from typer.testing import CliRunner, Result

from shipper.commands.app import app
from shipper.commands.fetch.fetch import Wanted, write_session
from shipper.config import LokiSettings, ShipperSettings
from shipper.loki.query.query import AskAgainError
from tests import clock
from tests.fakes.loki import FakeLoki, Order
from tests.process import Running, clean_environment, command_line, eventually

SESSION = clock.session(0xA1B2C3D4)


def record(seq: int, body: str) -> bytes:
    meta = {"ts": clock.stamp(clock.NOW + seq), "machine": "u@h", "session": SESSION}
    return orjson.dumps({"type": "request", "_meta": meta, "provider": "openai", "seq": seq, "body": body})


def settings_of(loki: FakeLoki) -> ShipperSettings:
    return ShipperSettings(loki=LokiSettings(url=loki.push_url))


@pytest.fixture
def fetch(fake_loki: FakeLoki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``fetch(SESSION, "--output", FILE)`` runs the command in this process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LLM_PROXY_LOKI_URL", fake_loki.push_url)
    return lambda *args: CliRunner().invoke(app, ["fetch", *args])


def test_a_shipped_file_comes_back_byte_for_byte(
    start: Callable[..., Running], fake_loki: FakeLoki, fetch: Callable[..., Result], tmp_path: Path
) -> None:
    lines = [
        record(1, "short"),
        record(2, '"quoted" and\n' * 40_000),
        b"\xff\xfe is no text",
        record(3, "ä€🙂" * 500_000),
        b"plain text",
        record(4, "last"),
    ]
    data = b"\n".join(lines) + b"\n"
    folder = tmp_path / "logs" / "api.openai.com" / clock.day()
    folder.mkdir(parents=True)
    (folder / f"{SESSION}.jsonl").write_bytes(data)
    settings = {
        "LLM_PROXY_LOKI_ENABLED": "true",
        "LLM_PROXY_LOKI_URL": fake_loki.push_url,
        "LLM_PROXY_LOG_DIR": str(tmp_path / "logs"),
        "LLM_PROXY_LOKI_BATCH_WAIT": "100ms",
        "LLM_PROXY_SHIPPER_HEALTH_PORT": "0",
    }
    shipper = start("llm-loki-ship", "run", env=settings)
    eventually(lambda: any('"last"' in line for line in fake_loki.lines()))
    assert shipper.terminate() == 0

    output = tmp_path / "session.jsonl"
    written = fetch(SESSION, "--output", str(output))
    printed = fetch(f"logs/{SESSION}.jsonl", "--since", "1d")

    assert (written.exit_code, written.stdout_bytes, written.stderr) == (0, b"", "")
    assert output.read_bytes() == data
    assert (printed.exit_code, printed.stdout_bytes, printed.stderr) == (0, data, "")


def test_a_session_can_be_read_as_a_conversation(fake_loki: FakeLoki, fetch: Callable[..., Result]) -> None:
    start = f'{{"type":"session_start","_meta":{{"session":"{SESSION}"}},"provider":"openai"}}'
    asked = record(
        1, orjson.dumps({"messages": [{"role": "user", "content": "word " * 60}]}).decode()
    ).decode()
    push(fake_loki, (0, start), (len(start) + 1, asked))

    done = fetch(SESSION, "--format", "conversation")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"# Session {SESSION}\n\nopenai\n\n## Call 1, ")
    assert done.stdout.count("word") == 60
    assert max(map(len, done.stdout.splitlines())) <= 100


def push(loki: FakeLoki, *lines: tuple[int, str]) -> None:
    for offset, line in lines:
        values = [[str(clock.NOW + offset), line, {"session": SESSION, "offset": str(offset)}]]
        body = {"streams": [{"stream": {"app": "llm-proxy"}, "values": values}]}
        assert httpx.post(loki.push_url, json=body).status_code == 204


def test_what_is_missing_is_told_beside_what_is_there(
    fake_loki: FakeLoki, fetch: Callable[..., Result]
) -> None:
    push(fake_loki, (0, "one"), (100, "two"))

    done = fetch(SESSION)

    assert done.exit_code == 1
    assert done.stdout == "one\ntwo\n"
    assert done.stderr == "llm-loki-ship: bytes 4 to 100 are not in Loki\n"


@pytest.mark.parametrize(
    ("args", "code", "complaint"),
    [
        ([SESSION], 1, f"Loki has no line of session {SESSION} since "),
        ([SESSION], 1, "llm-loki-ship sessions lists those that it has"),
        (["no-time-in-this-name"], 1, "Loki has no line of session no-time-in-this-name"),
        ([SESSION, "--since", "yesterday"], 2, "--since 'yesterday': expected a duration"),
        ([SESSION, "--loki-url", "ftp://loki"], 2, "expected http:// or https:// and a host"),
        ([SESSION, "--loki-url", "http://127.0.0.1:9/write"], 1, "loki.url does not end in /push"),
    ],
    ids=["not there", "what to try", "no time in the name", "no duration", "no address", "no query API"],
)
def test_trouble_is_one_clear_line(
    fetch: Callable[..., Result], args: list[str], code: int, complaint: str
) -> None:
    done = fetch(*args)

    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("llm-loki-ship: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_output_that_cannot_be_written_is_one_clear_line(
    fake_loki: FakeLoki, fetch: Callable[..., Result]
) -> None:
    push(fake_loki, (0, "one"))

    done = fetch(SESSION, "--output", "no/such/folder")

    assert done.exit_code == 1
    assert done.stderr == "llm-loki-ship: --output 'no/such/folder': No such file or directory\n"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between questions; it takes no time."""
    made: list[float] = []
    monkeypatch.setattr("shipper.loki.query.patient.time.sleep", made.append)
    return made


def test_trouble_that_passes_is_waited_for(fake_loki: FakeLoki, tmp_path: Path, waits: list[float]) -> None:
    push(fake_loki, (0, "one"))
    fake_loki.order(Order(status=429, path="/query_range", times=2), Order(status=503, path="/query_range"))
    output = tmp_path / "out"

    whole = write_session(settings_of(fake_loki), Wanted(SESSION, output=str(output)), print)

    assert whole
    assert output.read_bytes() == b"one\n"
    assert waits == [1.0, 2.0, 4.0]


def test_trouble_that_stays_is_told(fake_loki: FakeLoki, tmp_path: Path, waits: list[float]) -> None:
    fake_loki.order(Order(status=503, body="no ingester", path="/query_range", times=0))

    with pytest.raises(AskAgainError, match="503: no ingester"):
        write_session(settings_of(fake_loki), Wanted(SESSION, output=str(tmp_path / "out")), print)
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_trouble(fake_loki: FakeLoki, tmp_path: Path) -> None:
    push(fake_loki, *((number * 100, "x" * 99) for number in range(5)), (500, "y" * 200_000))
    command = command_line("llm-loki-ship", "fetch", SESSION)
    environment = clean_environment(tmp_path, {"LLM_PROXY_LOKI_URL": fake_loki.push_url})

    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"x" * 99 + b"\n"
        process.stdout.close()
        assert process.stderr.read() == b""
