"""Sessions on record by what is new in each call come out of Loki as their clients sent them."""

import subprocess
from pathlib import Path

import orjson
import pytest

from tests.e2e.stack import Start, session_files, start_proxy, start_shipper
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import clean_environment, command_line, eventually
from tests.proxy.history import LONG, TARGETS, messages
from tests.proxy.served import Served, ask, new_key

TURNS = range(1, 8)


def bodies(seed: int) -> list[bytes]:
    """Return the bodies of a session; the first is longer than a line that Loki takes."""
    system = f"You are agent {seed}. " + LONG * 6000
    return [
        orjson.dumps({"model": "m", "system": system, "messages": messages(turns, seed)}) for turns in TURNS
    ]


@pytest.fixture
def served(start: Start, fake_provider: FakeProvider, tmp_path: Path) -> Served:
    process, _ = start_proxy(start, tmp_path / "logs", fake_provider.url)
    return Served(process, fake_provider, tmp_path / "logs")


def fetch(loki: FakeLoki, home: Path, *args: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command_line("llm-loki-ship", "fetch", *args, "--loki-url", loki.push_url),
        env=clean_environment(home, {}),
        cwd=home,
        capture_output=True,
        check=False,
    )


def sent(served: Served, *seeds: int) -> dict[str, list[bytes]]:
    """Make the calls of several sessions by turns; return the bodies by the name of the session on record."""
    keys = {new_key(): bodies(seed) for seed in seeds}
    for turn in range(len(TURNS)):
        for key, each in keys.items():
            target = f"/anthropic/{served.upstream}{TARGETS['anthropic']}"
            ask(served.port, target, [("x-claude-code-session-id", key)], each[turn])
    return {served.session(key, len(TURNS))[0]["_meta"]["session"]: each for key, each in keys.items()}


def test_whole_bodies_and_conversations_come_out_of_loki(
    start: Start, served: Served, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    by_session = sent(served, 1, 2)
    lines = sum(path.read_bytes().count(b"\n") for path in session_files(served.log_dir))
    shipper = start_shipper(start, served.log_dir, fake_loki.push_url)
    eventually(lambda: shipper.delivered(lines))
    files = {path.stem: path for path in session_files(served.log_dir)}

    for session, expected in by_session.items():
        as_sent = fetch(fake_loki, tmp_path, session)
        whole = fetch(fake_loki, tmp_path, session, "--whole")
        told = fetch(fake_loki, tmp_path, session, "--format", "conversation")
        requests = [
            each for each in map(orjson.loads, whole.stdout.splitlines()) if each["type"] == "request"
        ]
        text = told.stdout.decode()
        words = text.split()

        assert [(each.returncode, each.stderr) for each in (as_sent, whole, told)] == [(0, b"")] * 3
        assert as_sent.stdout == files[session].read_bytes()
        assert as_sent.stdout.count(b'"body_delta"') == len(TURNS) - 1
        assert [each["body"].encode() for each in requests] == expected
        assert not [each for each in requests if "body_delta" in each]
        assert text.count("## Call ") == len(TURNS)
        # What an assistant said is told by the response before.
        seed = int(expected[0].partition(b"agent ")[2][:1])
        assert [words.count(str(1000 * seed + at)) for at in range(2 * len(TURNS) - 1)] == [
            *(1, 0) * (len(TURNS) - 1),
            1,
        ]


def test_a_refused_base_is_named_and_what_is_new_is_shown(
    start: Start, served: Served, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    (session,) = sent(served, 3)
    (path,) = session_files(served.log_dir)
    lines = path.read_bytes().splitlines(keepends=True)
    gone = next(at for at, line in enumerate(lines) if b'"body_delta"' in line)
    shipped = tmp_path / "other" / path.relative_to(served.log_dir)
    shipped.parent.mkdir(parents=True)
    # A line of the same length that is no record stands where Loki has none.
    lines[gone] = b"x" * (len(lines[gone]) - 1) + b"\n"
    shipped.write_bytes(b"".join(lines))
    shipper = start_shipper(start, tmp_path / "other", fake_loki.push_url)
    eventually(lambda: shipper.delivered(len(lines)))

    whole = fetch(fake_loki, tmp_path, session, "--whole")
    told = fetch(fake_loki, tmp_path, session, "--format", "conversation")

    assert (whole.returncode, told.returncode) == (1, 1)
    assert b"call 3: it goes back to the request of call 2, which is not there" in whole.stderr
    assert whole.stdout.count(b'"body_delta"') == len(TURNS) - 2
    assert "3012 " in told.stdout.decode()
