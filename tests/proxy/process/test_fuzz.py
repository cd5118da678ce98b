"""Odd requests: whatever comes, an answer or an end, no fault of the proxy's own, and a whole log."""

import contextlib
import gzip
import json
import os
import socket
import statistics
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.process import eventually
from tests.proxy.served import Answer, Client, Served, ask

# The whole of it: LLM_PROXY_TEST_FUZZ=10000.
EXAMPLES = int(os.environ.get("LLM_PROXY_TEST_FUZZ", "1000"))
# What a request that never ends gets before its client goes: times what takes a request that is answered.
IMPATIENCE = 20

UPSTREAM = "{upstream}"
segments = st.sampled_from(
    ["anthropic", "openai", "azure", "gemini", "bedrock", "", "..", ".", "%2e%2e", "%00", "anthropic%2F", "x"]
)
hosts = st.sampled_from(
    [UPSTREAM] * 12
    + [
        "127.0.0.1:1",
        "..",
        ".",
        "%2e%2e",
        "",
        "a@b",
        "[::1]",
        "[::1",
        "169.254.169.254",
        "host:99999",
        "a" * 300,
    ]
)
paths = st.sampled_from(
    [
        "/v1/messages",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/threads/t/runs",
        "/api/chat",
        "/x:generateContent",
        "/../../v1/messages",
        "//v1/messages",
        "/%2F..%2Fv1/messages",
        "/v1/messages/../../../etc/passwd",
        "",
    ]
) | st.text("/.%\\;:aé0?#&=~", max_size=30).map(lambda text: "/" + text)
queries = st.sampled_from(["", "?", "?beta=true", "?key=%00", "?a=b?c=d", "?" + "x" * 3000])
methods = st.sampled_from(
    ["POST"] * 6 + ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "A/B"]
)
names = st.sampled_from(
    [
        "session_id",
        "X-Session-ID",
        "x-claude-code-session-id",
        "Content-Encoding",
        "Accept-Encoding",
        "TE",
        "Expect",
        "Transfer-Encoding",
        "Content-Length",
        "Connection",
        "Upgrade",
        "Host",
        "Origin",
        "x-api-key",
        "Content-Type",
    ]
)
values = st.sampled_from(
    [
        "",
        " ",
        "gzip",
        "br",
        "zstd",
        "chunked",
        "chunked, chunked",
        "close",
        "upgrade",
        "websocket",
        "100-continue",
        "../../etc/passwd",
        "..",
        "a/b",
        "a" * 300,
        "-1",
        "5",
        "\t",
        "localhost",
        "sk-ant-api03-aaaaaaaaaaaaaaaaaaaaaa",
    ]
) | st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=20)
faults = st.sampled_from(
    ["{}"] * 8
    + [
        '{"fault": "cut", "after": 0}',
        '{"fault": "reset"}',
        '{"status": 529}',
        '{"encoding": "gzip"}',
        "not json",
    ]
)
values_of_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=6,
)
KEYS = (
    "model",
    "stream",
    "messages",
    "input",
    "metadata",
    "user",
    "conversation",
    "previous_response_id",
    "tools",
)


def written(value: object) -> bytes:
    return json.dumps(value).encode()


bodies = (
    st.dictionaries(st.sampled_from(KEYS), values_of_json, max_size=6).map(written)
    | st.binary(max_size=200)
    | st.sampled_from([b"", b"{", b"[" * 5000, b'{"messages":' + b"[" * 900 + b"]" * 900 + b"}", b"\xff\xfe"])
    | st.binary(max_size=50).map(gzip.compress)
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request with its length, and whatever else."""
    body = draw(bodies)
    target = f"/{draw(segments)}/{draw(hosts)}{draw(paths)}{draw(queries)}"
    headers = [("Host", "localhost"), ("x-fake", draw(faults))]
    headers += draw(st.lists(st.tuples(names, values), max_size=4))
    if draw(st.integers(0, 9)):
        headers.append(("Content-Length", str(len(body))))
    lines = [f"{draw(methods)} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A request of which some bytes are missing or others."""
    data = bytearray(draw(requests()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data) or b"x"


def patience(served: Served) -> float:
    """Return how long a client waits, in seconds."""
    took = []
    for _ in range(20):
        began = time.monotonic()
        assert ask(served.port, f"/anthropic/{served.upstream}/v1/messages", (), b"{}").status == 200
        took.append(time.monotonic() - began)
    return IMPATIENCE * statistics.median(took)


def send(served: Served, data: bytes, impatience: float) -> Answer:
    """Send what a hurried client sends, and return what it saw."""
    with Client(served.port) as client:
        with contextlib.suppress(ConnectionError):
            client.send(data.replace(UPSTREAM.encode(), served.upstream.encode()))
            client.socket.settimeout(impatience)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while piece := client.socket.recv(65536):
                client.received += piece
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return Answer(client.received)


def outside(served: Served) -> set[Path]:
    home = served.log_dir.parent
    return {each for each in home.rglob("*") if not each.is_relative_to(served.log_dir)}


@pytest.mark.timeout(120 + EXAMPLES / 20)
def test_odd_requests_do_no_harm(served: Served) -> None:
    statuses: Counter[int] = Counter()
    before = outside(served)
    impatience = patience(served)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(requests() | broken())
    def one(data: bytes) -> None:
        answer = send(served, data, impatience)
        if answer.raw:
            statuses[answer.status] += 1
            assert answer.status != 500

    one()

    eventually(lambda: served.health()["calls_running"] == 0)
    eventually(lambda: served.health()["queue_bytes"] == 0)
    assert served.health()["write_errors"] == 0
    assert sum(statuses.values()) > EXAMPLES / 3
    assert {200, 400, 403} <= statuses.keys()
    assert "Traceback" not in served.process.stderr
    assert outside(served) == before
    for each in served.log_dir.rglob("*"):
        relative = each.relative_to(served.log_dir).parts
        assert relative[0] in {served.upstream, "127.0.0.1:1", ".llm-proxy"}
    records = served.records()
    ids = {
        kind: Counter(each["_meta"]["request_id"] for each in records if each["type"] == kind)
        for kind in ("request", "response")
    }
    assert ids["request"] == ids["response"]
    assert set(ids["request"].values()) == {1}
