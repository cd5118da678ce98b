"""The writer's half of the contract: each kind of record, byte for byte as its golden line."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.dialects.dialect import ToolCall
from proxy.record.chunk import encode_chunk, format_time
from proxy.record.record import (
    Bulk,
    ExchangeError,
    Fork,
    History,
    Meta,
    Omitted,
    Record,
    Request,
    Response,
    SessionStart,
    Timing,
    encode,
    interrupted,
)
from proxy.recording.delta.delta import Delta, Range

GOLDEN = Path(__file__).parents[2] / "contract"
MACHINE = "dev@workstation"
SESSION = "20261123-101500-a1b2c3d4"
ARRIVED = 1_795_428_900_123_456_789


def meta(later_ms: int = 0, *, request_id: str = "0b5e8f9c-3c1d-4c67-9a53-5a1d2f0e7c11", **more: str) -> Meta:
    return Meta(
        ARRIVED + later_ms * 1_000_000, MACHINE, "api.anthropic.com", SESSION, request_id=request_id, **more
    )


def body(text: str) -> Bulk:
    return Bulk("body", (orjson.dumps(text),))


def chunks(*parts: tuple[int, str | bytes]) -> Bulk:
    encoded = [encode_chunk(ARRIVED + ms * 1_000_000, ms, raw) for ms, raw in parts]
    return Bulk("chunks", (b"[", b",".join(encoded), b"]"))


REQUEST_HEADERS = {
    "Content-Type": ["application/json"],
    "X-Api-Key": ["sk-ant-api03-...wxyz"],
    "Anthropic-Version": ["2023-06-01"],
}
EVENT_STREAM = {"Content-Type": ["text/event-stream; charset=utf-8"], "Set-Cookie": ["...", "..."]}
JSON = {"Content-Type": ["application/json"]}

GONE_ON = (
    '{"model":"claude-sonnet-5-5","stream":true,"messages":[{"role":"user","content":"Grüß Gott"},'
    '{"role":"assistant","content":"Hallo"},{"role":"user","content":"Wie geht\'s?"}]}'
)

RECORDS: dict[str, Record] = {
    "session_start": SessionStart(
        meta(request_id=""), "anthropic", "api.anthropic.com", "4f1c2b7e-8d35-4d7b-a1b6-2f9a1c3d5e70"
    ),
    "session_start_without_client_key": SessionStart(
        Meta(ARRIVED, MACHINE, "127.0.0.1:11434", "20261123-101500-0badcafe"), "openai", "127.0.0.1:11434"
    ),
    "request": Request(
        meta=meta(1, agent="agent-7", parent_agent="agent-1", caller="nightly", client="10.0.0.7"),
        provider="anthropic",
        seq=1,
        method="POST",
        path="/v1/messages",
        query="beta=true&key=...",
        model="claude-sonnet-5-5",
        stream=True,
        history=History(1, "da3ac0b4d79dbe28c3c6684e1e4d0379"),
        request_sha="da26b0b1e57fbe7a4345ce360b60533f6879734ad432f9a46b867738b1f11e29",
        size=94,
        headers=REQUEST_HEADERS,
        body=body(
            '{"model":"claude-sonnet-5-5","stream":true,"messages":[{"role":"user","content":"Grüß Gott"}]}'
        ),
    ),
    "request_by_what_is_new": Request(
        meta=meta(4),
        provider="anthropic",
        seq=2,
        method="POST",
        path="/v1/messages",
        model="claude-sonnet-5-5",
        stream=True,
        history=History(3, "5b7d1e0c94a2f8366de0417fb8c2a951", parent=1),
        request_sha="c9a7c559f6fc63294e54e35265b6eb0c52e2f41c6f07d6535ad213b32a3c48a8",
        size=175,
        headers=JSON,
        body=Bulk(
            "body_delta",
            (
                Delta(
                    GONE_ON.encode(),
                    (Range(0, 94, 0), Range(94, 79, None), Range(173, 2, 94)),
                ).encode(1, hashlib.sha256(GONE_ON.encode()).hexdigest()),
            ),
        ),
    ),
    "request_redacted_after_a_gap": Request(
        meta=meta(2),
        provider="anthropic",
        seq=2,
        method="POST",
        path="/v1/messages",
        history=History(3, "5b7d1e0c94a2f8366de0417fb8c2a951", parent=1),
        size=61,
        request_sha="5a1d0f6f1dd2b1a4a6a3f4b1c6f1e7b0d9c8a7f6e5d4c3b2a190817263544536",
        redacted=1,
        gap=2,
        headers={},
        body=body('{"messages":[{"role":"user","content":"I am [redacted]"}]}'),
    ),
    "request_after_an_answer_that_the_provider_keeps": Request(
        meta=meta(4),
        provider="openai",
        seq=4,
        method="POST",
        path="/v1/responses",
        history=History(1, "77d1c20e5f3b4a6988e0b1c2d3a4f5e6", parent=3, after="resp_0a1b2c"),
        size=56,
        request_sha="0c9d8e7f6a5b4c3d2e1f00112233445566778899aabbccddeeff001122334455",
        headers={},
        body=body('{"input":"And then?","previous_response_id":"resp_0a1b2c"}'),
    ),
    "request_of_bytes_that_are_no_text": Request(
        meta=meta(3),
        provider="openai",
        seq=3,
        method="POST",
        path="/v1/responses",
        size=4,
        request_sha="a6f85e6b0fc54c0f6a1fe6ecf7e4ec6e7c5e8bb14c5d6ea9a2f2b9d2d0a7b1c3",
        headers={"Content-Type": ["application/octet-stream"]},
        body=Bulk("body", (b'"' + base64.b64encode(b"\xff\xfe\x00\x01") + b'"',), base64=True),
    ),
    "response_with_body": Response(
        meta=meta(812),
        provider="anthropic",
        seq=1,
        status=200,
        timing=Timing(804, 811),
        size=243,
        model="claude-sonnet-5-5",
        stop_reason="end_turn",
        usage={
            "input_tokens": 19,
            "output_tokens": 23,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_creation_5m_tokens": 0,
            "cache_creation_1h_tokens": 0,
            "reasoning_tokens": 8,
            "cost": 0.00125,
        },
        response_id="msg_01Xa2b",
        reply="1f0c3a5be8d24796a0b1c2d3e4f50617",
        headers=JSON,
        body=body(
            '{"id":"msg_01Xa2b","type":"message","content":[{"type":"text","text":"Hi \\ud83d\\ude80"}]}'
        ),
    ),
    "response_with_chunks": Response(
        meta=meta(1530),
        provider="anthropic",
        seq=2,
        status=200,
        timing=Timing(420, 1529),
        size=130,
        model="claude-sonnet-5-5",
        stop_reason="tool_use",
        usage={"input_tokens": 22, "output_tokens": 31},
        tool_calls=[ToolCall("toolu_01A", "Bash"), ToolCall("toolu_01B", "Read")],
        response_id="msg_01Xa2c",
        headers=EVENT_STREAM,
        body=chunks(
            (420, 'event: message_start\ndata: {"type":"message_start"}\n\n'),
            (613, "data: caf"),
            (614, "é 🚀\n\n"),
            (615, b"\xff\x00"),
        ),
    ),
    "response_of_a_websocket": Response(
        meta=meta(1200),
        provider="openai",
        seq=5,
        status=101,
        timing=Timing(40, 1000),
        size=50,
        headers={},
        body=Bulk(
            "chunks",
            [
                b"[",
                encode_chunk(ARRIVED - 50 * 1_000_000, -50, '{"type":"session.update"}', "client"),
                b",",
                encode_chunk(ARRIVED + 40 * 1_000_000, 40, '{"type":"response.created"}', "server"),
                b",",
                encode_chunk(ARRIVED + 50 * 1_000_000, 50, b"\xff\x00", "client"),
                b"]",
            ],
        ),
    ),
    "response_broken_off": Response(
        meta=meta(95_000),
        provider="anthropic",
        seq=3,
        status=200,
        timing=Timing(510, 94_999),
        size=47,
        headers=EVENT_STREAM,
        error=ExchangeError("upstream", "api.anthropic.com broke off: the connection was closed"),
        body=chunks((510, 'event: message_start\ndata: {"type":"message_sta')),
    ),
    "response_that_never_came": Response(
        meta=meta(10_004),
        provider="anthropic",
        seq=4,
        status=502,
        timing=Timing(10_002, 10_002),
        size=0,
        headers={},
        error=ExchangeError("connect", "cannot reach api.anthropic.com: no connection within 10 s"),
        body=body(""),
    ),
    "response_interrupted": interrupted(meta(60_000), "anthropic", 6),
    "response_with_omitted_body": Response(
        meta=meta(700),
        provider="openai",
        seq=5,
        status=200,
        timing=Timing(420, 690),
        size=10_485_760,
        headers=JSON,
        body=Omitted(
            10_485_760, "e5b844cc57f57094ea4585e235f36c78c1cd222262bb89d53c94dcb4d6b3e55d", "queue_full"
        ),
    ),
    "fork": Fork(meta(1, request_id=""), "anthropic", 7, "20261123-093000-0f1e2d3c"),
}


def line_of(record: Record) -> bytes:
    return b"".join(encode(record))


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_its_golden_line(name: str) -> None:
    assert line_of(RECORDS[name]) == (GOLDEN / f"{name}.jsonl").read_bytes()


def test_every_golden_line_of_this_writer_has_its_record() -> None:
    written = {path.stem for path in GOLDEN.glob("*.jsonl") if not path.stem.startswith("predecessor_")}

    assert written == RECORDS.keys()


@pytest.mark.parametrize("name", RECORDS)
def test_a_line_is_one_json_object_with_its_small_fields_first(name: str) -> None:
    line = line_of(RECORDS[name])
    fields = list(orjson.loads(line))

    assert line.count(b"\n") == 1
    assert fields[:3] == ["type", "_meta", "provider"]
    assert not {"headers", "body", "chunks"} & set(fields[:-2])


@pytest.mark.parametrize(
    ("ts", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (ARRIVED, "2026-11-23T10:15:00.123456789Z"),
        (4_102_444_799_999_999_999, "2099-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_are_rfc_3339_with_nanoseconds(ts: int, text: str) -> None:
    assert format_time(ts) == text


@given(st.integers(0, 4 * 10**18), st.integers(0, 10**9), st.one_of(st.text(), st.binary()))
def test_a_chunk_gives_its_content_back(ts: int, delta_ms: int, raw: str | bytes) -> None:
    chunk = orjson.loads(encode_chunk(ts, delta_ms, raw))

    assert chunk["ts"] == format_time(ts)
    assert chunk["delta_ms"] == delta_ms
    given_back = base64.b64decode(chunk["raw"]) if "body_encoding" in chunk else chunk["raw"]
    assert given_back == raw


def test_a_body_is_passed_on_in_pieces_and_never_joined() -> None:
    def endless() -> Iterator[bytes]:
        yield b'"'
        for _ in range(3):
            yield b"x" * 10
        yield b'"'

    record = RECORDS["response_with_body"]
    assert isinstance(record, Response)
    pieces = list(encode(Response(meta(), "openai", 1, 200, {}, Timing(0, 0), 30, Bulk("body", endless()))))

    assert pieces[1:-1] == [b'"', b"x" * 10, b"x" * 10, b"x" * 10, b'"']


def test_the_document_shows_every_golden_line_as_it_is() -> None:
    document = (GOLDEN.parent.parent / "docs" / "record-format.md").read_text(encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8").rstrip("\n") for path in GOLDEN.glob("*.jsonl")}

    assert not [name for name in files if f"tests/contract/{name}" not in document]
    shown = {line for line in document.splitlines() if line.startswith('{"')}
    assert shown <= set(files.values())
    assert {text for name, text in files.items() if not name.startswith("predecessor_")} <= shown
