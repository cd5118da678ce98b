"""What strangers send cannot take the proxy down, nor other calls with it."""

import itertools
import json
import socket
from collections.abc import Callable
from pathlib import Path

from tests.process import Running
from tests.proxy.bombs import NAMES, bombs
from tests.proxy.raw_upstream import heard, upstream
from tests.proxy.served import Served, ask, new_key

# What a proxy may take at most, whatever it is sent.
MOST_BYTES = 300 << 20


def peak(process: Running) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_requests_that_unpack_to_too_much_are_on_record_packed(serve: Callable[..., Served]) -> None:
    served = serve()
    for name in NAMES:
        coding, packed = bombs()[name]
        key = new_key()
        headers = [("Content-Encoding", coding), ("X-Session-ID", key)]

        answer = ask(served.port, f"/anthropic/{served.upstream}/v1/messages", headers, packed)
        request, _ = served.call(key)

        assert answer.status
        assert served.health()["status"] == "ok"
        assert request["size"] == len(packed)
        assert request["body_encoding"] == "base64"
    assert peak(served.process) < MOST_BYTES


DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
MESSAGES = b'"messages":[{"role":"user","content":"x"}]'
ODD_REQUESTS = (
    b'{"model":"m",%b,"metadata":{"user_id":%b}}' % (MESSAGES, DEEP),
    b'{"model":"m",%b,"metadata":{"user_id":%b}}' % (MESSAGES, json.dumps(DEEP.decode()).encode()),
    b'{"model":{"a":1},"messages":{"a":[]},"stream":[1],"metadata":[]}',
    b'{"model":[],"messages":[[[[]]]],"tools":3,"previous_response_id":[]}',
    b'{"model":"\\ud800","messages":[{"role":"\\ud800","content":"\\ud800"}]}',
    b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"\xff\xfe",
)
ODD_EVENTS = (
    b'{"type":"content_block_start","index":[1],"content_block":{"type":"tool_use"}}',
    b'{"type":"message_start","message":[]}',
    b'{"choices":[{"index":[],"delta":{"tool_calls":[{"index":{}}]}}]}',
    b'{"type":"response.output_item.added","output_index":[1],"item":[]}',
    b'{"candidates":{"a":1},"usageMetadata":[1]}',
    b"[" * 100_000,
    b'{"error":[1]}',
    b'{"id":[1],"model":{},"usage":{"prompt_tokens":1e999}}',
)
APIS = (
    "anthropic/{}/v1/messages",
    "openai/{}/v1/chat/completions",
    "gemini/{}/v1beta/models/x:generateContent",
)


def test_what_cannot_be_read_is_on_record_all_the_same(serve: Callable[..., Served]) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        heard(connection)
        events = b"".join(b"data: %b\n\n" % each for each in ODD_EVENTS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + events)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        keys = []
        for api, body in itertools.product(APIS, ODD_REQUESTS):
            keys.append(new_key())
            ask(served.port, "/" + api.format(f"127.0.0.1:{port}"), [("X-Session-ID", keys[-1])], body)
        for key in keys:
            request, response = served.call(key)
            assert (request["seq"], response["status"]) == (1, 200)
    assert served.health()["records_missing"] == 0


def test_interim_answers_without_end_are_no_answer(serve: Callable[..., Served]) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        heard(connection)
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        answer = ask(served.port, f"/anthropic/127.0.0.1:{port}/v1/messages", (), b"{}")

    assert answer.status == 502
    assert "interim answers" in answer.message
