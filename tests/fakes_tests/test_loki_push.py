"""What a push must look like: sections 1 and 4 of the recorded facts about Loki 3.7.6."""

import gzip
import zlib
from typing import Any

import cramjam
import orjson
import pytest

from tests.fakes.loki.entry import Entry, sanitised_name
from tests.fakes.loki.level import detected
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.push import PushError, decode

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
BODY = b'{"streams":[{"stream":{"app":"a"},"values":[["1","line",{"k":"v"}]]}]}'
ENTRIES = [Entry(1, "line", (("k", "v"),))]


def values(text: str) -> list[Entry]:
    body = '{"streams":[{"stream":{"app":"a"},"values":[' + text + "]}]}"
    return decode(body.encode(), JSON, "", Limits())[0].entries


def refusal(body: bytes, kind: str = JSON, encoding: str = "", **limits: Any) -> tuple[int, str]:
    with pytest.raises(PushError) as raised:
        decode(body, kind, encoding, Limits(**limits))
    return raised.value.status, raised.value.text


def varint(value: int) -> bytes:
    made = b""
    while value > 127:
        made += bytes([value & 127 | 128])
        value >>= 7
    return made + bytes([value])


def tagged(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def protobuf(labels: str, line: bytes = b"line", seconds: int = 1) -> bytes:
    stamp = b"\x08" + varint(seconds) + b"\x10" + varint(5)
    pair = tagged(0x0A, b"k") + tagged(0x12, b"v")
    entry = tagged(0x0A, stamp) + tagged(0x12, line) + tagged(0x1A, pair)
    return tagged(0x0A, tagged(0x0A, labels.encode()) + tagged(0x12, entry))


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", BODY),
        ("snappy", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)[2:-4]),
    ],
)
def test_json_in_every_encoding_that_loki_takes(encoding: str, body: bytes) -> None:
    assert decode(body, f"{JSON}; charset=utf-8", encoding, Limits())[0].entries == ENTRIES


def test_deflate_is_raw() -> None:
    assert refusal(zlib.compress(BODY), encoding="deflate")[0] == 400


@pytest.mark.parametrize("encoding", ["zstd", "identity", "GZIP", "gzip, deflate"])
def test_other_encodings_are_not_supported(encoding: str) -> None:
    assert refusal(BODY, encoding=encoding) == (400, f'Content-Encoding "{encoding}" not supported')


@pytest.mark.parametrize("kind", ["", " ", "application/"])
def test_a_content_type_is_needed(kind: str) -> None:
    assert refusal(BODY, kind) == (400, "mime: no media type")


def test_what_is_not_json_is_snappy_protobuf() -> None:
    (stream,) = decode(snappy(protobuf('{ b="2", a="1" }')), PROTOBUF, "", Limits())
    assert stream.labels == (("a", "1"), ("b", "2"))
    assert stream.entries == [Entry(1_000_000_005, "line", (("k", "v"),))]


def test_protobuf_may_be_gzipped_around_the_snappy() -> None:
    body = gzip.compress(snappy(protobuf('{a="1"}')))
    assert decode(body, PROTOBUF, "gzip", Limits())[0].labels == (("a", "1"),)


def test_bare_protobuf_is_corrupt() -> None:
    assert refusal(protobuf('{a="1"}'), PROTOBUF) == (400, "snappy: corrupt input")


@pytest.mark.parametrize("text", ['a="1"', '{a="1}', '{a="\\/"}', '{a="\\ud83d"}', '{a="x\ny"}', '{1a="x"}'])
def test_label_syntax_fails_the_whole_push(text: str) -> None:
    status, told = refusal(snappy(protobuf(text)), PROTOBUF)
    assert status == 400
    assert told.startswith("couldn't parse labels")


def test_label_values_are_go_strings() -> None:
    (stream,) = decode(snappy(protobuf(r'{a="x\"\\\n\x41é\u00e9"}')), PROTOBUF, "", Limits())
    assert dict(stream.labels)["a"] == 'x"\\\nAéé'


@pytest.mark.parametrize(
    "text",
    [
        '[1,"l"]',
        '[1.5,"l"]',
        '["1e3","l"]',
        '["01","l"]',
        '["+1","l"]',
        '[" 1","l"]',
        '["","l"]',
        '["9223372036854775808","l"]',
        '["1",5]',
        '["1",null]',
        '["1","l",null]',
        '["1","l",{"k":1}]',
        '["1","l",{"k":true}]',
        '["1","l",{"k":null}]',
        '["1","\\ud800"]',
        '["1","l",{"k":"\\ud800"}]',
    ],
)
def test_one_wrong_value_refuses_the_whole_push(text: str) -> None:
    with pytest.raises(PushError) as raised:
        values('["1","good"],' + text)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ('["1"]', Entry(1, "")),
        ('["-5","l"]', Entry(-5, "l")),
        ('["1","l",{},"more",7]', Entry(1, "l")),
        ('["1","a\\u0000b"]', Entry(1, "a\0b")),
    ],
)
def test_what_loki_lets_pass(text: str, entry: Entry) -> None:
    assert values(text) == [entry]


def test_label_values_that_are_no_strings_become_text() -> None:
    (stream,) = decode(b'{"streams":[{"stream":{"a":5,"b":null,"a":6},"values":[]}]}', JSON, "", Limits())
    assert stream.labels == (("a", "6"), ("b", "null"))


def test_what_follows_the_first_value_is_lost() -> None:
    assert len(decode(BODY + BODY, JSON, "", Limits())) == 1


def test_raw_bytes_that_are_no_utf8_read_back_as_replacement_characters() -> None:
    body = b'{"streams":[{"stream":{"a":"b"},"values":[["1","x\xffy"]]}]}'
    assert decode(body, JSON, "", Limits())[0].entries[0].line == "x�y"


def test_a_body_over_the_limit_is_413_as_protobuf_and_cut_as_json() -> None:
    assert refusal(BODY, max_recv_msg_size=20)[0] == 400
    body = snappy(protobuf('{a="1"}', line=bytes(100)))
    status, text = refusal(body, PROTOBUF, max_recv_msg_size=20)
    assert (status, text.startswith("request body too large")) == (413, True)


def test_a_body_that_grows_over_the_limit_is_400() -> None:
    assert refusal(gzip.compress(BODY), encoding="gzip", max_decompressed_size=20)[0] == 400


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("_meta.session", "_meta_session"),
        ("a__b", "a_b"),
        ("9z", "key_9z"),
        ("__x__", "__x__"),
        ("a-b", "a_b"),
    ],
)
def test_metadata_names_are_sanitised(name: str, stored: str) -> None:
    assert sanitised_name(name) == stored


@pytest.mark.parametrize("name", ["", "_", "..", "日本"])
def test_a_metadata_name_of_which_nothing_is_left_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"label name is empty|resulted in invalid name"):
        sanitised_name(name)


@pytest.mark.parametrize(
    ("metadata", "line", "level"),
    [
        ({"level": "llm"}, "an error", "llm"),
        ({"level": "WARNING"}, "", "warn"),
        ({}, '{"level":"debug"}', "debug"),
        ({}, '{"a":{"level":"Error"}}', "error"),
        ({}, '{"a":{"b":{"level":"debug"}}}', "debug"),
        ({}, "ts=1 lvl=wrn", "warn"),
        ({}, '{"text":"no errors here"}', "error"),
        ({}, "quiet", "unknown"),
    ],
)
def test_the_level_that_loki_finds(metadata: dict[str, str], line: str, level: str) -> None:
    assert detected({}, metadata, line) == level


def test_the_json_of_another_kind_is_no_push() -> None:
    assert refusal(b"[]")[0] == 400
    assert decode(orjson.dumps({}), JSON, "", Limits()) == []
