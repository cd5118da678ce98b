"""The pages as they are served, of real files and of a Loki."""

import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests import clock
from tests.fakes.loki import FakeLoki
from tests.process import Running, eventually

pytestmark = pytest.mark.slow

SESSION, FORK = clock.session(0xA1), clock.session(0xA2)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202e"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
Browse = Callable[..., httpx.Client]


def line(kind: str, at: int = 0, session: str = SESSION, agent: str = "", **fields: Any) -> bytes:
    meta = {"ts": clock.stamp(clock.NOW + at), "machine": "dev@here", "host": "a.example", "session": session}
    meta |= {"agent": agent, "parent_agent": "main"} if agent else {}
    record = {"type": kind, "_meta": meta, "provider": "anthropic", **fields}
    return orjson.dumps(record) + b"\n"


def request(seq: int, *messages: Any, session: str = SESSION, agent: str = "", **more: Any) -> bytes:
    body = orjson.dumps({"model": "claude-sonnet-4-5", "messages": messages, **more}).decode()
    headers = {"User-Agent": ["claude-cli/2.0.1 (external)"], "X-Api-Key": ["sk-ant-live-secret"]}
    told: dict[str, Any] = {
        "seq": seq,
        "method": "POST",
        "path": "/v1/messages",
        "model": "claude-sonnet-4-5",
    }
    return line("request", seq * 2, session, agent, **told, headers=headers, body=body)


def response(seq: int, *content: Any, session: str = SESSION, **more: Any) -> bytes:
    told: dict[str, Any] = {
        "seq": seq,
        "status": 200,
        "timing": {"ttfb_ms": 200, "total_ms": 1200},
        "model": "claude-sonnet-4-5",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        "body": orjson.dumps({"type": "message", "content": content}).decode(),
    }
    return line("response", seq * 2 + 1, session, **(told | more))


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def conversation() -> bytes:
    first = user("What is the weather in Berlin?")
    call = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Berlin"}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    result = user([{"type": "tool_result", "tool_use_id": "t1", "content": "sunny, 21 degrees"}, image])
    asked = [first, {"role": "assistant", "content": [call]}, result]
    return b"".join(
        [
            line("session_start", upstream="a.example"),
            request(1, first, system="Be brief."),
            response(1, call, stop_reason="tool_use", tool_calls=[{"id": "t1", "name": "get_weather"}]),
            request(2, *asked, system="Be verbose."),
            response(2, said("It is **sunny**.\n\n```python\nprint(1)\n```")),
            request(3, user("Count the files."), agent="explorer"),
            response(3, status=529, error={"kind": "provider", "message": "overloaded"}, usage={}),
            b"no record at all\n",
            request(4, user("Is anybody there?")),
        ]
    )


def fork() -> bytes:
    return b"".join(
        [
            line("session_start", session=FORK, upstream="a.example"),
            line("fork", session=FORK, parent_session=SESSION, from_seq=1),
            request(1, user(EVIL), session=FORK, system=EVIL, tools=[{"name": EVIL}]),
            response(
                1,
                said(f"{EVIL} [click](javascript:alert(1))"),
                {"type": "thinking", "thinking": EVIL},
                {"type": "tool_use", "id": EVIL, "name": EVIL, "input": {EVIL: EVIL}},
                session=FORK,
                model=EVIL,
                stop_reason=EVIL,
                tool_calls=[{"id": EVIL, "name": EVIL}],
                headers={EVIL: [EVIL]},
                error={"kind": EVIL, "message": EVIL},
            ),
        ]
    )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs" / "a.example" / clock.day()
    folder.mkdir(parents=True)
    (folder / f"{SESSION}.jsonl").write_bytes(conversation())
    (folder / f"{FORK}.jsonl").write_bytes(fork())
    return tmp_path / "logs"


@pytest.fixture
def browse(start: Callable[..., Running], logs: Path) -> Iterator[Browse]:
    clients: list[httpx.Client] = []

    def begin(*args: str, folder: Path = logs, **env: str) -> httpx.Client:
        command = ["llm-loki-ship", "explore", "--log-dir", str(folder), "--explore-port", "0", *args]
        told = start(*command, env=env).wait_for_line("exploring ")
        clients.append(httpx.Client(base_url=told.rpartition(" on ")[2], trust_env=False))
        return clients[-1]

    yield begin
    for each in clients:
        each.close()


def test_a_session_reads_as_a_conversation(browse: Browse) -> None:
    client = browse()
    listed = client.get("/").text
    page = client.get(f"/session/{SESSION}").text

    for part in (
        "2 sessions",
        "What is the weather in Berlin?",
        "claude-cli 2.0.1",
        "fork of",
        "$0.01",
        "running",
    ):
        assert part in listed
    assert "1 broken line" in listed
    for part in (
        "Calls <b>get_weather</b>",
        "city: Berlin",
        "Result of <b>get_weather</b>",
        "sunny, 21 degrees",
        f"data:image/png;base64,{PIXEL}",
        "<strong>sunny</strong>",
        '<span class="nb">print</span>',
        "first byte 200 ms",
        "stop: tool_use",
        "subagent explorer",
        "529 provider: overloaded",
        "Waiting for the answer",
        "Changed: system prompt",
        f'href="/session/{FORK}"',
    ):
        assert part in page
    assert page.count("What is the weather in Berlin?") == 3, "title, heading and the one turn that said it"


@pytest.mark.parametrize(
    "path",
    ["/", f"/session/{FORK}", f"/session/{FORK}/call/1", "/search?q=alert"],
    ids=["list", "session", "call", "search"],
)
def test_nothing_that_was_planted_acts(browse: Browse, path: str) -> None:
    client = browse()
    eventually(lambda: "alert" in client.get("/search?q=alert").text)
    answer = client.get(path)

    # The value of an option is sent back, and shown nowhere.
    shown = re.sub(r'<option value="[^"]*"', "", answer.text)
    assert "alert" in shown
    for planted in ("<script>alert", "<img src=x", 'href="javascript', "\x1b", "\u202e"):
        assert planted not in shown
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_call_is_shown_as_it_was_with_its_secrets_masked(browse: Browse) -> None:
    client = browse()
    raw = client.get(f"/session/{SESSION}/call/1").text
    curl = client.get(f"/session/{SESSION}/call/1/curl").text

    assert "sk-ant-live-secret" not in raw + curl
    assert curl.startswith("curl -X POST https://a.example/v1/messages -H ")
    assert "weather in Berlin" in curl
    body = client.get(f"/session/{SESSION}/call/1/request")
    assert orjson.loads(body.text)["system"] == "Be brief."
    assert body.headers["content-type"].startswith("text/plain")
    assert len(client.get(f"/session/{SESSION}/json").json()) == 8
    assert "get_weather" in client.get(f"/session/{SESSION}/markdown").text
    assert client.get("/session/none").status_code == 404
    assert client.get(f"/session/{SESSION}/call/99").status_code == 404


def test_a_new_call_appears_by_itself_and_is_found(browse: Browse, logs: Path) -> None:
    client = browse()
    with client.stream("GET", "/events") as events:
        versions = (each for each in events.iter_lines() if each.startswith("data: "))
        next(versions)
        with (logs / "a.example" / clock.day() / f"{SESSION}.jsonl").open("ab") as file:
            file.write(response(4, said("Zanzibar is here.")))
        next(versions)
    eventually(lambda: "Zanzibar" in client.get(f"/session/{SESSION}").text)
    found = eventually(lambda: "1 hit" in client.get("/search", params={"q": "zanz"}).text)
    assert found
    assert "<mark>Zanzibar</mark>" in client.get("/search", params={"q": '"zanzibar is"'}).text.replace(
        "<mark>Zanzibar is</mark>", "<mark>Zanzibar</mark>"
    )


def test_a_missing_base_is_named_and_what_is_new_is_shown(browse: Browse, logs: Path) -> None:
    name = clock.session(0xA3)
    pieces = [[0, 900], "And in Zanzibar?", [900, 3]]
    delta = {"base": 1, "size": 919, "sha256": "0" * 64, "pieces": pieces}
    one = line("request", 4, name, seq=2, method="POST", path="/v1/messages", body_delta=delta)
    (logs / "a.example" / clock.day() / f"{name}.jsonl").write_bytes(one)

    page = browse().get(f"/session/{name}").text

    assert "call 2: it goes back to the request of call 1, which is not there" in page
    assert "And in Zanzibar?" in page
    assert "[900 bytes of call 1]" in page


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 2), ("errors=1", 2), ("tool=get_weather", 1), ("text=BERLIN", 1), ("above=5", 0), ("host=x", 0)],
)
def test_filters_stand_in_the_address(browse: Browse, query: str, count: int) -> None:
    assert f"<h1>{count} session" in browse().get(f"/?{query}").text


def test_an_odd_index_is_made_anew(browse: Browse, logs: Path) -> None:
    state = logs / ".llm-loki-ship"
    state.mkdir()
    (state / "explore-2.sqlite").write_bytes(b"no database " * 1000)
    client = browse()

    eventually(lambda: "hit" in client.get("/search?q=berlin").text)
    eventually(lambda: "0 hits" not in client.get("/search?q=berlin").text)
    with sqlite3.connect(state / "explore-2.sqlite") as database:
        assert database.execute("SELECT count(*) FROM files").fetchone() == (2,)
    database.close()


def test_an_empty_folder_and_a_missing_one_say_so(browse: Browse, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for name in ("empty", "missing"):
        assert "No session yet" in browse(folder=tmp_path / name).get("/").text


def test_beyond_loopback_a_token_is_needed(start: Callable[..., Running], browse: Browse) -> None:
    refused = start("llm-loki-ship", "explore", "--explore-host", "0.0.0.0", "--explore-port", "0")  # noqa: S104

    assert refused.wait() == 2
    assert "explore.token" in refused.stderr
    client = browse(LLM_PROXY_EXPLORE_TOKEN="a-token-of-ours")
    assert client.get("/").status_code == 401
    assert client.get("/", params={"token": "a-token-of-ours"}, follow_redirects=True).status_code == 200


def test_a_session_reads_the_same_from_files_and_from_loki(
    start: Callable[..., Running], browse: Browse, logs: Path, fake_loki: FakeLoki
) -> None:
    loki = {"LLM_PROXY_LOKI_URL": fake_loki.push_url, "LLM_PROXY_LOKI_ENABLED": "true"}
    shipped = start("llm-loki-ship", "run", "--once", "--log-dir", str(logs), env=loki)
    assert shipped.wait() == 0
    by_files, by_loki = browse(), browse("--loki", **loki)

    def page(client: httpx.Client) -> str:
        text = client.get(f"/session/{SESSION}").text
        return text.partition("<article")[2].partition("</main>")[0]

    eventually(lambda: "What is the weather" in client_list(by_loki))
    assert page(by_loki) == page(by_files)
    assert "Berlin" in by_loki.get("/search?q=berlin").text


def client_list(client: httpx.Client) -> str:
    client.get(f"/session/{SESSION}")
    return client.get("/").text


def test_a_loki_that_is_away_is_told(browse: Browse) -> None:
    client = browse("--loki", LLM_PROXY_LOKI_URL="http://127.0.0.1:1/loki/api/v1/push")

    eventually(lambda: 'role="alert"' in client.get("/").text)
    assert client.get(f"/session/{SESSION}").status_code == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_read(browse: Browse, logs: Path) -> None:
    logs.chmod(0o500)
    client = browse()
    eventually(lambda: "0 hits" not in client.get("/search?q=berlin").text)
    logs.chmod(0o700)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_at_a_signal_though_a_page_is_open(
    start: Callable[..., Running], logs: Path, number: signal.Signals
) -> None:
    running = start("llm-loki-ship", "explore", "--log-dir", str(logs), "--explore-port", "0")
    address = running.wait_for_line("exploring ").rpartition(" on ")[2]
    with httpx.stream("GET", f"{address}/events", trust_env=False) as events:
        next(events.iter_lines())
        running.signal(number)
        assert running.wait() == 0
    assert running.stderr == ""
