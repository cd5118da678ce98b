import gzip
import hashlib
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.answer import AnswerReader
from proxy.content.redact.patterns import Mask
from proxy.record.record import Omitted
from proxy.recording import stream_body as chunks
from proxy.recording.stream_body import ChunksDraft
from tests.proxy.bodies import FullSpool, MemorySpool, joined, pieces, read_back

STARTED, WALL = 5_000_000, 1_795_428_900_000_000_000


def drafted(
    *data: bytes, coding: str = "", spool: MemorySpool | None = None, mask: Mask | None = None
) -> ChunksDraft:
    draft = ChunksDraft(coding, lambda: spool or MemorySpool(), None, mask, AnswerReader())
    for each in data:
        draft.feed(pieces(each), WALL, 0)
    return draft


def logged(draft: ChunksDraft) -> list[dict[str, Any]]:
    value: list[dict[str, Any]] = read_back(draft.finish()[0])
    return value


def test_each_read_is_a_chunk_with_its_time() -> None:
    draft = ChunksDraft("", MemorySpool, None, None, AnswerReader())
    draft.feed(pieces(b"one", b"two"), WALL, 0)

    assert logged(draft) == [
        {"ts": "2026-11-23T10:15:00.001000000Z", "delta_ms": 1, "raw": "one"},
        {"ts": "2026-11-23T10:15:00.002000000Z", "delta_ms": 2, "raw": "two"},
    ]


def test_an_empty_stream_has_no_chunks() -> None:
    assert logged(drafted()) == []


@given(st.text(), st.lists(st.integers(1, 4), max_size=30))
def test_chunks_join_to_the_exact_text_though_cut_amid_characters(text: str, sizes: list[int]) -> None:
    data, cut = text.encode(), []
    for size in sizes:
        cut.append(data[:size])
        data = data[size:]
    value = logged(drafted(*cut, data))

    assert "".join(each["raw"] for each in value) == text


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=12))
def test_bytes_that_are_no_text_come_back_too(data: list[bytes]) -> None:
    assert joined(logged(drafted(*data))) == b"".join(data)


def test_packed_events_are_logged_unpacked_each_in_its_chunk() -> None:
    packer = zlib.compressobj(wbits=31)
    events = [b"data: one\n\n", b"data: two\n\n"]
    packed = [packer.compress(each) + packer.flush(zlib.Z_SYNC_FLUSH) for each in events] + [packer.flush()]

    assert [each["raw"] for each in logged(drafted(*packed, coding="gzip"))] == [
        "data: one\n\n",
        "data: two\n\n",
    ]


def test_a_stream_that_cannot_be_unpacked_is_kept_as_it_came() -> None:
    good = gzip.compress(b"data: 1\n\n")
    value = logged(drafted(good, b"rubbish", b"\xff", coding="gzip"))

    assert value[0]["raw"] == "data: 1\n\n"
    assert joined(value[1:]) == b"rubbish\xff"
    assert joined(logged(drafted(b"a", b"b", coding="unheard-of"))) == b"ab"


def test_a_long_stream_is_put_aside_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_ENCODED", 200)
    spool = MemorySpool()
    draft = drafted(*[b"data: %d\n\n" % number for number in range(50)], spool=spool)

    value = logged(draft)
    assert b"".join(each["raw"].encode() for each in value) == b"".join(
        b"data: %d\n\n" % n for n in range(50)
    )
    assert spool.data
    assert spool.closed


def test_a_spool_that_cannot_be_written_leaves_the_chunks_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_ENCODED", 10)
    draft = drafted(b"data: 1\n\n", b"data: 2\n\n", spool=FullSpool())

    assert draft.finish()[0] == Omitted(18, "", "spool_failed")


def test_a_stream_left_out_by_policy_is_hashed_and_read() -> None:
    event = b'data: {"type":"message_start","message":{"model":"m","id":"i"}}\n\n'
    draft = ChunksDraft("", MemorySpool, "opted_out", None, AnswerReader())
    draft.feed(pieces(event), WALL, STARTED)

    assert draft.answer().model == "m"
    assert draft.finish()[0] == Omitted(len(event), hashlib.sha256(event).hexdigest(), "opted_out")


def delta(text: str, index: int = 0) -> bytes:
    event = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}
    return b"event: content_block_delta\ndata: " + orjson.dumps(event) + b"\n\n"


def hide(text: str) -> tuple[str, int]:
    return text.replace("Falcon", "[redacted]"), text.count("Falcon")


def test_a_secret_split_over_deltas_is_masked_in_the_joined_text() -> None:
    draft = drafted(delta("Project Fal"), delta("other", 1), delta("con, go"), mask=hide)
    body, hits = draft.finish()
    text = "".join(each["raw"] for each in read_back(body))
    said = [
        orjson.loads(line[6:])["delta"]["text"] for line in text.splitlines() if line.startswith("data: ")
    ]

    assert hits == 1
    assert said == ["Project [redacted], go", "other", ""]


def test_without_a_hit_the_chunks_stay_as_they_came() -> None:
    events = [delta("Project"), delta(" Eagle")]
    body, hits = drafted(*events, mask=hide).finish()

    assert hits == 0
    assert [each["raw"].encode() for each in read_back(body)] == events


@pytest.mark.parametrize("data", [[b"\xff\xfe"], [b"x" * 40, b"x" * 40]])
def test_a_stream_that_cannot_be_searched_is_left_out(
    data: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PARSED", 20)
    body, _ = drafted(*data, mask=hide).finish()

    assert isinstance(body, Omitted)
    assert body.reason == "unmasked"
