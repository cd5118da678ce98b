"""The reader's half of the contract: what becomes of each golden line."""

from pathlib import Path

import pytest

from shipper.entry import Entry, Span
from shipper.record.content import content_in_memory
from shipper.record.entries import Labelling, entries_of
from shipper.record.envelope import envelope_of
from shipper.record.provider import origin_of, provider_in_head
from shipper.record.timestamp import parse_time, time_of

GOLDEN = Path(__file__).parent
NOW = parse_time("2026-11-23T11:00:00Z") or 0
SESSION = "20261123-101500-a1b2c3d4"
OF_CALL = {"session": SESSION, "request_id": "0b5e8f9c-3c1d-4c67-9a53-5a1d2f0e7c11"}
OLD = "20260309-101500-a1b2c3d4"
OF_OLD_CALL = {"session": OLD, "request_id": "6f1f7c0e-93b5-4a43-9c62-6d1f6a4a2f10"}


def entry_of(name: str) -> Entry:
    """Return the entry of a golden line that lies where the proxy would put it."""
    line = (GOLDEN / f"{name}.jsonl").read_bytes().removesuffix(b"\n")
    host, session = ("api.anthropic.com", OLD if name.startswith("predecessor") else SESSION)
    path = f"logs/{host}/2026-11-23/{session}.jsonl"
    content = content_in_memory(line)
    envelope = envelope_of(content)
    entries = entries_of(
        Span(1, 0, len(line) + 1),
        content,
        envelope,
        origin=origin_of(envelope, provider_in_head(b""), path),
        timestamp=time_of(envelope.meta.ts, previous=0, name=path, first_seen=0, now=NOW),
        labelling=Labelling("test", {}, 262_144, quotes=True),
    )
    assert entries.count == 1
    assert entries.entry(0).line == line
    return entries.entry(0)


EXPECTED = {
    "session_start": ("2026-11-23T10:15:00.123456789Z", "anthropic", "session_start", {"session": SESSION}),
    "session_start_without_client_key": (
        "2026-11-23T10:15:00.123456789Z",
        "openai",
        "session_start",
        {"session": "20261123-101500-0badcafe"},
    ),
    "request": (
        "2026-11-23T10:15:00.124456789Z",
        "anthropic",
        "request",
        {**OF_CALL, "caller": "nightly", "seq": "1", "model": "claude-sonnet-5-5", "stream": "true"},
    ),
    "request_by_what_is_new": (
        "2026-11-23T10:15:00.127456789Z",
        "anthropic",
        "request",
        {**OF_CALL, "seq": "2", "model": "claude-sonnet-5-5", "stream": "true"},
    ),
    "request_redacted_after_a_gap": (
        "2026-11-23T10:15:00.125456789Z",
        "anthropic",
        "request",
        {**OF_CALL, "seq": "2"},
    ),
    "request_after_an_answer_that_the_provider_keeps": (
        "2026-11-23T10:15:00.127456789Z",
        "openai",
        "request",
        {**OF_CALL, "seq": "4"},
    ),
    "request_of_bytes_that_are_no_text": (
        "2026-11-23T10:15:00.126456789Z",
        "openai",
        "request",
        {**OF_CALL, "seq": "3"},
    ),
    "response_with_body": (
        "2026-11-23T10:15:00.935456789Z",
        "anthropic",
        "response",
        {
            **OF_CALL,
            "seq": "1",
            "status": "200",
            "model": "claude-sonnet-5-5",
            "stop_reason": "end_turn",
            "ttfb_ms": "804",
            "total_ms": "811",
            "input_tokens": "19",
            "output_tokens": "23",
            "cache_read_input_tokens": "0",
            "cache_creation_input_tokens": "0",
            "cache_creation_5m_tokens": "0",
            "cache_creation_1h_tokens": "0",
            "reasoning_tokens": "8",
            "cost": "0.00125",
        },
    ),
    "response_with_chunks": (
        "2026-11-23T10:15:01.653456789Z",
        "anthropic",
        "response",
        {
            **OF_CALL,
            "seq": "2",
            "status": "200",
            "model": "claude-sonnet-5-5",
            "stop_reason": "tool_use",
            "ttfb_ms": "420",
            "total_ms": "1529",
            "input_tokens": "22",
            "output_tokens": "31",
            "tool_count": "2",
            "tools": "Bash,Read",
        },
    ),
    "response_of_a_websocket": (
        "2026-11-23T10:15:01.323456789Z",
        "openai",
        "response",
        {**OF_CALL, "seq": "5", "status": "101", "ttfb_ms": "40", "total_ms": "1000"},
    ),
    "response_broken_off": (
        "2026-11-23T10:16:35.123456789Z",
        "anthropic",
        "response",
        {**OF_CALL, "seq": "3", "status": "200", "ttfb_ms": "510", "total_ms": "94999", "level": "error"},
    ),
    "response_that_never_came": (
        "2026-11-23T10:15:10.127456789Z",
        "anthropic",
        "response",
        {**OF_CALL, "seq": "4", "status": "502", "ttfb_ms": "10002", "total_ms": "10002", "level": "error"},
    ),
    "response_interrupted": (
        "2026-11-23T10:16:00.123456789Z",
        "anthropic",
        "response",
        {**OF_CALL, "seq": "6", "status": "0", "ttfb_ms": "0", "total_ms": "0", "level": "error"},
    ),
    "response_with_omitted_body": (
        "2026-11-23T10:15:00.823456789Z",
        "openai",
        "response",
        {**OF_CALL, "seq": "5", "status": "200", "ttfb_ms": "420", "total_ms": "690"},
    ),
    "fork": ("2026-11-23T10:15:00.124456789Z", "anthropic", "fork", {"session": SESSION}),
    "predecessor_session_start": (
        "2026-03-09T09:15:00.123456789Z",
        "anthropic",
        "session_start",
        {"session": OLD},
    ),
    "predecessor_request": (
        "2026-03-09T09:15:00.124456789Z",
        "anthropic",
        "request",
        {**OF_OLD_CALL, "seq": "1"},
    ),
    "predecessor_response_with_body": (
        "2026-03-09T09:15:02.5Z",
        "anthropic",
        "response",
        {**OF_OLD_CALL, "seq": "1", "status": "200", "ttfb_ms": "2100", "total_ms": "2375"},
    ),
    "predecessor_response_with_chunks": (
        "2026-03-09T09:15:07.821Z",
        "anthropic",
        "response",
        {
            **OF_OLD_CALL,
            "request_id": "6f1f7c0e-93b5-4a43-9c62-6d1f6a4a2f11",
            "seq": "2",
            "status": "200",
            "ttfb_ms": "0",
            "total_ms": "5321",
        },
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_line_arrives_with_its_time_labels_and_metadata(name: str) -> None:
    time, provider, log_type, metadata = EXPECTED[name]

    entry = entry_of(name)

    assert entry.timestamp == parse_time(time)
    assert dict(entry.stream) == {
        "app": "llm-proxy",
        "provider": provider,
        "environment": "test",
        "machine": "u@h" if name.startswith("predecessor") else "dev@workstation",
        "log_type": log_type,
    }
    assert dict(entry.metadata) == {"level": "info", "offset": "0", **metadata}


def test_no_golden_line_is_left_out() -> None:
    assert {path.stem for path in GOLDEN.glob("*.jsonl")} == EXPECTED.keys()
