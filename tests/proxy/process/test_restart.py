"""What goes on from the files after the proxy's end, and where conversations fork."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from tests.process import eventually
from tests.proxy.served import Client, Record, Served, ask, new_key, request_bytes

Serve = Callable[..., Served]
Messages = list[dict[str, Any]]
CUT = b'{"type":"request","_meta":{"ts":"'
MARKER = {"type": "ephemeral"}


def conversation(*texts: str, marked: int = -1) -> Messages:
    """Return messages by turns; the one at ``marked`` has a cache marker."""
    messages: Messages = [
        {"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(texts)
    ]
    if texts:
        text = {"type": "text", "text": texts[marked], "cache_control": MARKER}
        messages[marked]["content"] = [text]
    return messages


def say(served: Served, messages: Messages, key: str = "", **order: Any) -> int:
    """Make a call; return its status."""
    headers = [("x-fake", json.dumps(order))] if order else []
    if key:
        headers.append(("x-claude-code-session-id", key))
    body = orjson.dumps({"model": "m", "max_tokens": 9, "messages": messages})
    return ask(served.port, f"/anthropic/{served.upstream}/v1/messages", headers, body).status


def ended(served: Served, calls: int) -> list[Record]:
    """Return all records, once so many responses are among them; a line that a kill cut off is none."""

    def complete() -> list[Record]:
        files = sorted(served.log_dir.glob("*/*/*.jsonl"))
        lines = b"".join(each.read_bytes() for each in files).splitlines()
        records = [orjson.loads(each) for each in lines if each != CUT]
        return records if sum(each["type"] == "response" for each in records) >= calls else []

    return eventually(complete, what=f"{calls} responses on record")


MAIN = ["m1", "a1", "m2", "a2", "m3", "a3", "m4"]
TASK = ["task 1", "b1", "result", "b2", "result 2"]
OTHER_TASK = ["task 2", "c1", "result"]


def test_a_replayed_main_thread_with_all_that_belongs_to_it_gives_no_fork(served: Served) -> None:
    key = new_key()
    calls = [
        conversation(*MAIN[:1]),
        conversation(*MAIN[:3]),
        conversation(*TASK[:1]),
        conversation(*OTHER_TASK[:1]),
        conversation(*TASK[:3]),
        conversation(*MAIN[:5], marked=0),
        conversation(*MAIN[:5], "What are we doing?"),
        conversation(*OTHER_TASK[:3], marked=0),
        conversation(*MAIN[:7], marked=2),
        conversation(*TASK[:5]),
        conversation("Summary of all so far", "Go on", "m5"),
        conversation("Summary of all so far", "Go on", "m5", "a5", "m6", marked=1),
    ]
    for each in calls:
        assert say(served, each, key, status=529) == 529
        assert say(served, each, key) == 200
    records = served.session(key, 2 * len(calls))

    assert Counter(each["type"] for each in records) == {"session_start": 1, "request": 24, "response": 24}
    parents = [each["history"].get("parent") for each in records if each["type"] == "request"]
    assert parents[::2] == [None, 1, None, None, 5, 3, 11, 7, 11, 9, None, 21]
    assert parents[::2] == parents[1::2]


def test_one_edited_turn_gives_one_fork(served: Served) -> None:
    key = new_key()
    for length in (1, 3, 5, 7):
        say(served, conversation(*MAIN[:length]), key)
    say(served, conversation(*MAIN[:2], "edited"), key)
    say(served, conversation(*MAIN[:2], "edited", "d2", "on"), key)
    records = served.session(key, 6)
    forks = [each for each in records if each["type"] == "fork"]
    of_fork = [each for each in records if each["_meta"]["session"] == forks[0]["_meta"]["session"]]

    assert len(forks) == 1
    assert (forks[0]["from_seq"], forks[0]["reason"]) == (1, "message_history_diverged")
    assert forks[0]["parent_session"] != forks[0]["_meta"]["session"]
    assert [each["type"] for each in of_fork] == ["session_start", "fork", *["request", "response"] * 2]
    times = [each["_meta"]["ts"] for each in of_fork]
    assert times == sorted(set(times))


def test_a_client_without_a_key_is_followed_by_its_history(served: Served) -> None:
    mine = new_key()
    for length in (1, 3, 5):
        say(served, conversation(mine, *MAIN[1:length]))

    def sessions() -> list[str]:
        asked = [
            each for each in served.records() if mine in str(each.get("body")) and each["type"] == "request"
        ]
        return [each["_meta"]["session"] for each in asked] if len(asked) == 3 else []

    assert len(set(eventually(sessions))) == 1


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.mark.parametrize("indexed", [True, False])
def test_twenty_sessions_go_on_after_a_kill(serve: Serve, stack: ExitStack, *, indexed: bool) -> None:
    first = serve()
    keys = [new_key() for _ in range(20)]
    for key in keys:
        for length in (1, 3, 5):
            say(first, conversation(key, *MAIN[1:length]), key)
    hanging = [stack.enter_context(Client(first.port)) for _ in keys]
    for key, client in zip(keys, hanging, strict=True):
        body = orjson.dumps({"stream": True, "messages": conversation(key, *MAIN[1:7])})
        headers = [("x-fake", '{"fault": "hang"}'), ("x-claude-code-session-id", key)]
        client.send(request_bytes(f"/anthropic/{first.upstream}/v1/messages", headers, body))
        client.until(b"message_start")
    eventually(lambda: sum(each["type"] == "request" for each in first.records()) == 80)
    first.process.kill()
    torn = min(first.log_dir.glob("*/*/*.jsonl"))
    with torn.open("ab") as file:
        file.write(CUT)
    if not indexed:
        (first.log_dir / ".llm-proxy" / "index.jsonl").unlink()

    second = serve()
    for key in keys:
        say(second, conversation(key, *MAIN[1:7], "a4", "m5"), key)
        say(second, conversation(key, "edited"), key)
        say(second, conversation(key, "edited", "e2"), key)
    records = ended(second, 140)

    _assert_complete(records)
    kinds = Counter(each["type"] for each in records)
    assert kinds == {"session_start": 40, "request": 140, "response": 140, "fork": 20}
    closed = [each for each in records if each.get("error", {}).get("kind") == "interrupted"]
    assert {each["seq"] for each in closed} == {4}
    assert len(closed) == 20
    parents = Counter(
        (each["seq"], each["history"].get("parent")) for each in records if each["type"] == "request"
    )
    assert parents == {(1, None): 40, (2, 1): 40, (3, 2): 20, (4, 3): 20, (5, 4): 20}


def _assert_complete(records: list[Record]) -> None:
    """Every number once a session, and one response for each request."""
    for kind in ("request", "response"):
        numbers = Counter((each["_meta"]["session"], each["seq"]) for each in records if each["type"] == kind)
        assert set(numbers.values()) == {1}
    ids = {
        kind: sorted(each["_meta"]["request_id"] for each in records if each["type"] == kind)
        for kind in ("request", "response")
    }
    assert ids["request"] == ids["response"]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_chain_of_responses_goes_on_after_a_kill(serve: Serve, *, indexed: bool) -> None:
    def respond(served: Served, previous: str) -> str:
        body = orjson.dumps(
            {"model": "m", "input": "Hi"} | ({"previous_response_id": previous} if previous else {})
        )
        answer = ask(served.port, f"/openai/{served.upstream}/v1/responses", (), body)
        response_id: str = orjson.loads(answer.body)["id"]
        return response_id

    first = serve()
    one = respond(first, "")
    ended(first, 1)
    two = respond(first, one)
    ended(first, 2)
    first.process.kill()
    if not indexed:
        (first.log_dir / ".llm-proxy" / "index.jsonl").unlink()
    second = serve()
    respond(second, two)
    records = ended(second, 3)

    assert Counter(each["type"] for each in records) == {"session_start": 1, "request": 3, "response": 3}
    assert [each["seq"] for each in records if each["type"] == "request"] == [1, 2, 3]
