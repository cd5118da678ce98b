import gzip
from dataclasses import replace

import cramjam
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import Entry, Pairs, Span
from shipper.loki.push.encoding import Encode, encode_gzip_json, encode_json, encode_protobuf
from shipper.loki.push.push import Metadata, Push
from tests.fakes.loki import Limits
from tests.fakes.loki.push import decode
from tests.shipper.entries import NOON, STREAM, entry

ENCODINGS = [encode_json, encode_gzip_json, encode_protobuf]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def push_of(*entries: Entry, stream: Pairs = STREAM) -> Push:
    return Push(1, stream, entries)


def test_json_has_the_shape_of_lokis_push_api() -> None:
    headers, body = encode_json(push_of(entry(1), entry(2)))

    assert headers == {"Content-Type": "application/json"}
    assert orjson.loads(body) == {
        "streams": [
            {
                "stream": dict(STREAM),
                "values": [
                    [str(NOON + 1), "xxxxxxxxxx", {"seq": "1"}],
                    [str(NOON + 2), "xxxxxxxxxx", {"seq": "2"}],
                ],
            }
        ]
    }


def test_gzip_holds_the_same_json() -> None:
    push = push_of(entry(1), entry(2))
    headers, body = encode_gzip_json(push)

    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == encode_json(push)[1]


@pytest.mark.parametrize("encode", ENCODINGS)
@given(line=TEXTS, value=TEXTS, label=TEXTS.filter(bool))
def test_every_encoding_carries_the_same_entries(encode: Encode, line: str, value: str, label: str) -> None:
    stream: Pairs = (("app", "llm-proxy"), ("machine", label))
    sent = Entry(Span(1, 0, 9), stream, NOON + 123_456_789, line.encode(), (("k", value),))

    headers, body = encode(push_of(sent, stream=stream))

    [(labels, entries)] = decoded(headers, body)
    assert labels == dict(stream)
    assert entries == [(sent.timestamp, line, {"k": value})]


def decoded(
    headers: dict[str, str], body: bytes
) -> list[tuple[dict[str, str], list[tuple[int, str, dict[str, str]]]]]:
    """Read a body the way the fake Loki does."""
    streams = decode(body, headers["Content-Type"], headers.get("Content-Encoding", ""), Limits())
    return [
        (dict(stream.labels), [(each.ts, each.line, dict(each.metadata)) for each in stream.entries])
        for stream in streams
    ]


@pytest.mark.parametrize("encode", ENCODINGS)
def test_metadata_can_be_left_out(encode: Encode) -> None:
    headers, body = encode(replace(push_of(entry(1)), metadata=Metadata.NONE))

    [(_, [(_, _, metadata)])] = decoded(headers, body)
    assert metadata == {}


def test_protobuf_travels_as_a_snappy_block() -> None:
    headers, body = encode_protobuf(push_of(entry(1)))

    assert headers == {"Content-Type": "application/x-protobuf"}
    assert b'{app="llm-proxy", log_type="request"}' in bytes(cramjam.snappy.decompress_raw(body))
