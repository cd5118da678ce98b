from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.content import Content
from shipper.record.envelope import (
    Envelope,
    Timing,
    Usage,
    envelope_of,
    envelope_of_record,
    read_envelope,
)

META = {"ts": "2026-11-23T12:00:00Z", "machine": "u@h"}


def test_the_small_fields_of_a_record_are_read() -> None:
    record = {
        "type": "response",
        "_meta": META,
        "provider": "openai",
        "upstream": "api.openai.com",
        "seq": 7,
        "model": "gpt",
        "stream": True,
        "status": 200,
        "stop_reason": "stop",
        "usage": {"input_tokens": 3},
        "tool_calls": [{"id": "1", "name": "Bash"}],
        "timing": {"ttfb_ms": 1},
        "error": {"kind": "upstream"},
    }

    envelope = read_envelope(orjson.dumps({**record, "body": "x" * 100_000, "unknown": [1]}))

    assert envelope == envelope_of_record(record)
    tables = {"_meta", "usage", "timing"}
    told = {name: getattr(envelope, name) for name in record.keys() - tables}
    assert told == {name: value for name, value in record.items() if name not in tables}
    assert (envelope.usage, envelope.timing) == (Usage(input_tokens=3), Timing(ttfb_ms=1))
    assert (envelope.meta.ts, envelope.meta.machine, envelope.meta.host) == (*META.values(), "")


@pytest.mark.parametrize(
    ("line", "log_type"),
    [
        (b'{"type":"session_start"}', "session_start"),
        (b'{"type":"request"}', "request"),
        (b'{"type":"response"}', "response"),
        (b'{"type":"fork"}', "fork"),
        (b'{"type":"part"}', "unparsed"),
        (b'{"type":"tool_result"}', "unparsed"),
        (b'{"type":""}', "unparsed"),
        (b'{"type":5}', "unparsed"),
        (b'{"type":["request"]}', "unparsed"),
        (b'{"type":null}', "unparsed"),
        (b"{}", "unparsed"),
        (b"[]", "unparsed"),
        (b"null", "unparsed"),
        (b'"request"', "unparsed"),
        (b"", "unparsed"),
        (b"plain text", "unparsed"),
        (b'{"type":"request"', "unparsed"),
        (b'{"type":"request"} and more', "unparsed"),
        (b"\x00\x00\x00\x00", "unparsed"),
        (b'\x00\x00{"type":"request"}', "unparsed"),
        (b'{"type":"request"}\r', "request"),
        (b'  {"type" : "request"}  ', "request"),
        (b'{"type":"fork","type":"request"}', "request"),
    ],
)
def test_the_type_is_known_or_unparsed(line: bytes, log_type: str) -> None:
    assert read_envelope(line).log_type == log_type


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"request","seq":4,"body":"\xff\xfe"}',
        rb'{"type":"request","seq":4,"body":"\ud83d"}',
        rb'{"type":"request","seq":4,"model":"\udfff"}',
        b'{"type":"request","seq":4,"model":"\xff"}',
        b'{"type":"request","seq":4,"status":123456789012345678901234567890}',
        b'{"type":"request","seq":4,"status":1e999}',
        b'{"type":"request","seq":4,"usage":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"type":"request","seq":4,"body":' + b"[" * 99_999 + b"]" * 99_999 + b"}",
        b'{"body":' + b"[" * 99_999 + b"]" * 99_999 + b',"type":"request","seq":4}',
    ],
    ids=[
        "bytes",
        "lone surrogate",
        "in a field",
        "bytes in a field",
        "huge",
        "infinite",
        "nested",
        "deep",
        "deep first",
    ],
)
def test_what_strict_readers_refuse_does_not_hide_the_rest(line: bytes) -> None:
    envelope = read_envelope(line)

    assert (envelope.log_type, envelope.seq) == ("request", 4)


@pytest.mark.parametrize("meta", [None, 5, "text", ["ts"], {}, {"ts": 5}, {"ts": None}])
def test_meta_of_any_kind_tells_nothing_false(meta: Any) -> None:
    assert read_envelope(orjson.dumps({"type": "request", "_meta": meta})).meta.ts == ""


def test_a_line_out_of_memory_is_read_from_its_ends() -> None:
    line = orjson.dumps({"_meta": META, "type": "request", "body": "x" * 5_000_000, "status": 200})

    envelope = envelope_of(Content(len(line), lambda offset, size: line[offset : offset + size]))

    assert (envelope.log_type, envelope.status, envelope.meta.ts) == ("request", 200, META["ts"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Envelope.__struct_encode_fields__, "body"]), json_values))
def test_fields_of_any_kind_are_no_error(record: dict[str, Any]) -> None:
    envelope = (
        read_envelope(orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS)) if _is_plain(record) else None
    )

    assert envelope is None or envelope.log_type in {
        "session_start",
        "request",
        "response",
        "fork",
        "unparsed",
    }


def _is_plain(record: dict[str, Any]) -> bool:
    try:
        orjson.dumps(record)
    except TypeError:
        return False
    return True


@given(st.binary())
def test_no_bytes_are_an_error(line: bytes) -> None:
    read_envelope(line)
