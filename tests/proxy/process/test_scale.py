"""Many sessions, many streams, a slow disk: what stays bounded, and what a call feels of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from proxy.recording.delta.bases import MEMORY
from tests.process import eventually
from tests.proxy.served import Client, Record, Served, request_bytes

Serve = Callable[..., Served]
# The whole of it: LLM_PROXY_TEST_SESSIONS=10000.
SESSIONS = int(os.environ.get("LLM_PROXY_TEST_SESSIONS", "500"))
# After so many calls the recorder is waited for: a disk may make a thousand new files a second, or fewer.
PACE = 250
STREAMS = 20


def resident(served: Served) -> int:
    """Return the process's resident memory in KiB."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.parametrize(
    ("keyed", "system", "more"),
    [(True, "", 0), (False, "", 0), (True, "You are careful and brief. " * 90, MEMORY)],
    ids=["keyed", "by history", "by what is new in each call"],
)
def test_memory_does_not_follow_the_calls(
    serve: Serve, record_property: Callable[..., None], *, keyed: bool, system: str, more: int
) -> None:
    served = serve()
    texts = [{"role": "user" if at % 2 == 0 else "assistant", "content": "x" * 40} for at in range(3)]

    def call(client: Client, session: int, turn: int) -> None:
        messages = [{"role": "user", "content": f"session {session}"}, *texts[: 2 * turn]]
        headers = [("x-claude-code-session-id", f"4f1c2b7e-8d35-4d7b-a1b6-{session:012}")] if keyed else []
        body = orjson.dumps({"model": "m", "max_tokens": 9, "system": system, "messages": messages})
        one = request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, body)
        client.received = b""
        client.send(one.replace(b"Connection: close\r\n", b"")).until(b'"type":"message"')

    def settled(calls: int) -> int:
        eventually(lambda: served.health()["records_written"] == 2 * calls + SESSIONS)
        return resident(served)

    def call_all(client: Client, turn: int) -> None:
        for session in range(SESSIONS):
            call(client, session, turn)
            if session % PACE == 0:
                eventually(lambda: not served.health()["queue_bytes"])

    with Client(served.port) as client:
        call_all(client, 0)
        half = settled(SESSIONS)
        call_all(client, 1)
        whole = settled(2 * SESSIONS)

    record_property("KiB", (half, whole))
    told = sum(path.read_bytes().count(b'"body_delta"') for path in served.log_dir.glob("*/*/*.jsonl"))
    # Of 10,000 sessions some 8,000 have room; the next body of the others is whole.
    assert 0.8 * SESSIONS <= told <= SESSIONS if system else not told
    assert whole <= 1.05 * half + more / 1024


def test_sigterm_with_streams_open_cuts_and_logs_each(serve: Serve) -> None:
    served = serve("--grace", "200ms")
    clients = [Client(served.port) for _ in range(STREAMS)]
    for number, client in enumerate(clients):
        headers = [("x-fake", '{"fault": "hang", "after": 3}'), ("session_id", f"k{number}")]
        body = b'{"stream":true,"messages":[]}'
        client.send(request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, body))
        client.until(b"content_block_delta" if number % 2 else b"message_start")
    served.process.signal(signal.SIGTERM)

    assert served.process.wait() == 0
    for client in clients:
        assert not client.rest().is_whole
        client.socket.close()
    records: list[Record] = served.records()
    responses = [each for each in records if each["type"] == "response"]
    assert sum(each["type"] == "request" for each in records) == len(responses) == STREAMS
    assert {each["error"]["kind"] for each in responses} == {"shutdown"}
    assert all("message_start" in str(each["chunks"]) for each in responses)
