import base64
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.entry import Entry, Span
from shipper.record.content import Content, content_in_memory
from shipper.record.entries import Entries, Labelling, entries_of
from shipper.record.envelope import envelope_of
from shipper.record.provider import Origin

LEAST_LIMIT = 16 * 1024
NOON = 1_795_435_200 * 1_000_000_000
START = 4711
ORIGIN = Origin("anthropic", "20261123-120000-abcdef01")
META = {"ts": "2026-11-23T12:00:00Z", "machine": "u@h", "session": ORIGIN.session, "request_id": "r-1"}


def cut_up(content: Content, limit: int = LEAST_LIMIT) -> Entries:
    span = Span(1, START, START + content.size + 1)
    labelling = Labelling("test", {"team": "a"}, limit, quotes=True)
    return entries_of(span, content, envelope_of(content), origin=ORIGIN, timestamp=NOON, labelling=labelling)


def all_of(entries: Entries) -> list[Entry]:
    return [entries.entry(part) for part in range(entries.count)]


def joined(entries: list[Entry]) -> bytes:
    """Join parts as a reader would who knows the format only."""
    head, *parts = entries
    told = orjson.loads(head.line)["_split"]
    pieces = []
    for number, part in enumerate(parts, start=1):
        read = orjson.loads(part.line)
        assert read["_split"] == {"id": told["id"], "part": number, "of": told["parts"]}
        data = read["data"].encode()
        pieces.append(base64.b64decode(data) if read.get("encoding") == "base64" else data)
    line = b"".join(pieces)
    assert told["parts"] == len(parts)
    assert told["bytes"] == len(line)
    assert told["sha256"] == hashlib.sha256(line).hexdigest()
    return line


def from_disk(line: bytes, reads: list[int] | None = None) -> Content:
    """Return a line that is never in memory as a whole."""

    def read(offset: int, size: int) -> bytes:
        if reads is not None:
            reads.append(size)
        piece = line[offset : offset + size]
        assert len(piece) == size
        return piece

    return Content(len(line), read)


def record(body: str = "", **more: Any) -> bytes:
    return json.dumps(
        {"type": "request", "_meta": META, "provider": "anthropic", "seq": 3, **more, "body": body}
    ).encode()


def test_a_short_line_is_one_entry_as_it_is() -> None:
    line = record("short")

    (entry,) = all_of(cut_up(content_in_memory(line)))

    assert (entry.line, entry.timestamp, entry.part, entry.parts) == (line, NOON, 0, 1)
    assert dict(entry.stream) == {
        "app": "llm-proxy",
        "provider": "anthropic",
        "environment": "test",
        "machine": "u@h",
        "log_type": "request",
        "team": "a",
    }
    assert dict(entry.metadata)["offset"] == str(START)
    assert "part" not in dict(entry.metadata)


@pytest.mark.parametrize(("size", "count"), [(LEAST_LIMIT, 1), (LEAST_LIMIT + 1, 3)])
def test_a_line_of_exactly_the_limit_goes_whole(size: int, count: int) -> None:
    assert cut_up(content_in_memory(b"x" * size)).count == count


def test_a_long_line_is_a_head_of_its_type_and_parts_behind_it() -> None:
    line = record("long " * 20_000, status=500)

    head, *parts = all_of(cut_up(content_in_memory(line)))

    assert joined([head, *parts]) == line
    assert dict(head.stream)["log_type"] == "request"
    assert {dict(part.stream)["log_type"] for part in parts} == {"part"}
    assert {tuple(sorted({**dict(part.stream), "log_type": "request"}.items())) for part in parts} == {
        head.stream
    }
    assert [each.timestamp for each in parts] == [NOON + number for number in range(1, len(parts) + 1)]
    assert {each.span for each in (head, *parts)} == {Span(1, START, START + len(line) + 1)}
    assert [(each.part, each.parts) for each in (head, *parts)] == [
        (number, len(parts) + 1) for number in range(len(parts) + 1)
    ]


def test_id_and_number_stand_in_the_metadata_too() -> None:
    head, first, *_ = all_of(cut_up(content_in_memory(record("long " * 20_000))))

    split_id = orjson.loads(head.line)["_split"]["id"]
    assert split_id == f"{hashlib.sha256(record('long ' * 20_000)).hexdigest()[:16]}-{START}"
    assert dict(head.metadata).items() >= {"split_id": split_id, "part": "0", "seq": "3"}.items()
    assert dict(first.metadata) == {
        "level": "info",
        "session": ORIGIN.session,
        "offset": str(START),
        "request_id": "r-1",
        "seq": "3",
        "split_id": split_id,
        "part": "1",
    }
    assert first.metadata == tuple(sorted(first.metadata))


def test_a_line_that_is_no_text_goes_as_base64_at_any_length() -> None:
    line = record("GREETING").replace(b"GREETING", b"gr\xfc\xdfe")

    head, part = all_of(cut_up(content_in_memory(line)))

    assert joined([head, part]) == line
    assert dict(head.stream)["log_type"] == "request"
    assert orjson.loads(head.line)["body"] == "gr\ufffd\ufffde"


PATHOLOGICAL = {
    "only quotes": b'"' * 100_000,
    "only controls": b"\x01" * 100_000,
    "only backslashes": b"\\" * 100_001,
    "only nul": b"\x00" * 50_000,
    "wide characters": "🙂".encode() * 30_000,
    "wide characters, shifted": b"x" + "🙂€ä".encode() * 20_000,
    "cut amid a character": "ä".encode() * 30_000 + b"\xc3",
    "no text": bytes(range(256)) * 500,
    "one huge text": record("x" * 3_000_000),
    "deep": b'{"a":' * 60_000,
    "deep object": b'{"type":"request","a":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "ten thousand keys": json.dumps({f"key {number}": number for number in range(10_000)}).encode(),
    "huge model": record(model="m" * 1_000_000),
    "lone surrogate": record("\ud83d" + "x" * 50_000),
    "blanks": b" " * 50_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("line", PATHOLOGICAL.values(), ids=PATHOLOGICAL.keys())
@pytest.mark.parametrize("held", [True, False], ids=["held", "on disk"])
def test_pathological_lines_come_back_whole(line: bytes, *, held: bool) -> None:
    entries = all_of(cut_up(content_in_memory(line) if held else from_disk(line)))

    assert joined(entries) == line
    assert max(len(each.line) for each in entries) <= LEAST_LIMIT
    assert len(entries[0].line) <= 8192


@pytest.mark.parametrize("limit", [0, 1, 1023, 1024, 2000, 9000])
@pytest.mark.parametrize("line", [b"\x01" * 20_000, b"\xff" * 20_000, record("ä" * 20_000, model="m" * 9000)])
def test_the_least_limit_is_a_kibibyte(limit: int, line: bytes) -> None:
    entries = all_of(cut_up(content_in_memory(line), limit))

    assert joined(entries) == line
    assert max(len(each.line) for each in entries) <= max(limit, 1024)


@settings(max_examples=60)
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.integers(LEAST_LIMIT // 300, 700),
    st.integers(LEAST_LIMIT, 40_000),
    st.sampled_from([content_in_memory, from_disk]),
)
def test_any_long_line_comes_back_whole_at_any_limit(
    seed: bytes, times: int, limit: int, content: Callable[[bytes], Content]
) -> None:
    line = (seed * times)[: 5 * LEAST_LIMIT] + b"."

    entries = all_of(cut_up(content(line), limit))

    assert max(len(each.line) for each in entries) <= limit
    assert [each.line.decode() for each in entries]
    assert (joined(entries) if len(entries) > 1 else entries[0].line) == line


def test_a_line_is_the_same_entries_whether_or_not_it_is_held() -> None:
    line = record("long " * 20_000, status=200)
    held, on_disk = (all_of(cut_up(each)) for each in (content_in_memory(line), from_disk(line)))

    assert held[1:] == on_disk[1:]
    assert held[0].stream == on_disk[0].stream
    assert held[0].metadata == on_disk[0].metadata


def test_a_line_on_disk_is_read_in_bounded_pieces_and_no_part_before_it_is_asked_for() -> None:
    reads: list[int] = []
    line = record("long " * 1_000_000)

    entries = cut_up(from_disk(line, reads), limit=262_144)
    surveyed = sum(reads)
    assert max(reads) <= 262_144
    assert surveyed <= 2 * len(line)

    reads.clear()
    entries.entry(7)
    assert len(reads) == 1
    assert reads[0] <= 262_144


def test_any_part_can_be_made_again_alone() -> None:
    line = record('"quoted" ' * 20_000)
    first, second = cut_up(from_disk(line)), cut_up(from_disk(line))

    assert second.entry(second.count - 1) == all_of(first)[-1]


def test_a_file_that_cannot_be_read_is_the_callers_trouble() -> None:
    class UnreadableError(Exception):
        pass

    def gone(_offset: int, _size: int) -> bytes:
        raise UnreadableError

    with pytest.raises(UnreadableError):
        cut_up(Content(9_000_000, gone))


def test_a_slice_that_was_changed_meanwhile_is_no_crash() -> None:
    line = "ä".encode() * 40_000
    on_disk = [line]
    entries = cut_up(Content(len(line), lambda offset, size: on_disk[0][offset : offset + size]))

    on_disk[0] = b"\xff" * len(line)

    assert "\ufffd" in orjson.loads(entries.entry(1).line)["data"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [b'say \\"hi\\" ', "ä€🙂 ".encode(), bytes(range(256))], ids=["JSON", "UTF-8", "bytes"]
)
def test_memory_does_not_grow_with_the_line(seed: bytes) -> None:
    repeated = seed * (1 + (1 << 20) // len(seed))

    def read(offset: int, size: int) -> bytes:
        return repeated[offset % len(seed) :][:size]

    def peak(size: int) -> int:
        tracemalloc.start()
        entries = cut_up(Content(size, read), limit=262_144)
        for part in range(entries.count):
            entries.entry(part)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(16 << 20) < max(4 << 20, peak(4 << 20) * 1.1)
