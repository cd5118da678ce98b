"""A run of lines gives the entries that its lines give one by one, whatever the bytes and the reads."""

import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import Entry, Span
from shipper.record.content import content_in_memory
from shipper.record.entries import Labelling, entries_of
from shipper.record.envelope import envelope_of, envelope_of_record
from shipper.record.partial_json import beginnings_of
from shipper.record.provider import HEAD_BYTES, origin_of, provider_in_head
from shipper.record.timestamp import time_of
from shipper.source import reader
from shipper.source.fingerprint import MARK_BYTES, fingerprint
from tests.shipper.rig import Rig

LIMIT = 2048
NAME = "20260101-000000-00000000.jsonl"
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["request", "response", "fork", "other", 5, ["request"]]),
        "provider": st.sampled_from(["anthropic", "openai", "Not one", None, ["anthropic"], {}]),
        "seq": st.sampled_from([0, 7, "7", 10**30, 1.5, True]),
        "model": st.sampled_from(["m", "modèle", "m" * 1100, "\ud800", ""]),
        "status": st.sampled_from([200, 404, "500"]),
        "stream": st.booleans(),
        "usage": st.sampled_from([{"input_tokens": 3}, {"output_tokens": "many"}, 5]),
        "timing": st.sampled_from([{"ttfb_ms": 3, "total_ms": 4}, []]),
        "tool_calls": st.sampled_from([[{"name": "Bash"}, {"name": "Réad"}, "x"], {}]),
        "error": st.sampled_from([{"kind": "interrupted"}, None]),
        "body": st.sampled_from(['{"a":"\\n"}', "“quoted”", "x" * 300, "y" * (LIMIT + 500)]),
    },
)
METAS = st.fixed_dictionaries(
    {"ts": st.integers(-5000, 5000)},
    optional={
        "machine": st.sampled_from(["dev@host", "ü@host", 5]),
        "host": st.sampled_from(["api.openai.com", "chatgpt.com"]),
        "session": st.sampled_from(["s-1", "", 5]),
    },
)
ODD = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"\r",
            b" ",
            b"{}",
            b"{}{}",
            b'{"seq":1} {"seq":2}',
            b'{"seq":',
            b"1}",
            b"[]",
            b"null",
            b"\xff{}",
            b'{"seq":1}\r',
            b"x" * (LIMIT + 1),
            b'{"_meta":{"ts":"2026-01-01T00:00:00Z"}}',
            b'{"model":"\xc3"}',
        ]
    ),
).map(lambda line: line.replace(b"\n", b""))
WALL = float(int(time.time()))


def record(meta: dict[str, Any], fields: dict[str, Any], *, exact: bool) -> bytes:
    """Return a line, stamped some milliseconds before now, or after it."""
    nanoseconds = int(WALL) * 10**9 + meta["ts"] * 10**6
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    digits = f"{nanoseconds % 10**9:09}" if exact else f"{nanoseconds % 10**9:09}".rstrip("0") or "0"
    row = {**fields, "_meta": {**meta, "ts": f"{second}.{digits}Z"}}
    # Only as an escape can a lone surrogate be written.
    return json.dumps(row, ensure_ascii=row.get("model") == "\ud800").encode()


LINES = st.lists(st.one_of(st.builds(record, METAS, FIELDS, exact=st.booleans()), ODD), max_size=30)


def one_by_one(data: bytes, file_id: int, path: str, wall_ns: int, labelling: Labelling) -> Iterator[Entry]:
    """Yield the entries of a file, by the rules for one line."""
    start = previous = 0
    for line in data.split(b"\n")[:-1]:
        span = Span(file_id, start, start + len(line) + 1)
        start = span.end
        if not line.strip(b"\r"):
            continue
        content = content_in_memory(line)
        shown = beginnings_of(content) if content.size > labelling.most else None
        envelope = envelope_of(content) if shown is None else envelope_of_record(shown)
        previous = time_of(envelope.meta.ts, previous=previous, name=path, first_seen=0, now=wall_ns)
        told = envelope.provider if isinstance(envelope.provider, str) else ""
        origin = origin_of(envelope, told or provider_in_head(data[:HEAD_BYTES]), path)
        entries = entries_of(
            span, content, envelope, origin=origin, timestamp=previous, labelling=labelling, record=shown
        )
        yield from (entries.entry(part) for part in range(entries.count))


@given(
    LINES, st.integers(1, 5000), st.sampled_from([1, 3, 10_000]), st.lists(st.integers(0, 20_000), max_size=3)
)
def test_the_entries_are_those_of_line_after_line(
    lines: list[bytes], read: int, most: int, cuts: list[int]
) -> None:
    data = b"".join(line + b"\n" for line in lines)
    with (
        tempfile.TemporaryDirectory() as place,
        patch.object(reader, "READ_BYTES", read),
    ):
        root = Path(place) / "logs"
        path = root / "host" / "2026-01-01" / NAME
        path.parent.mkdir(parents=True)
        rig = Rig(root, queue_size=most, max_line_bytes=LIMIT)
        rig.wall = WALL
        borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        for begin, end in itertools.pairwise(borders):
            with path.open("ab") as file:
                file.write(data[begin:end])
            rig.run(2.0, path)
        rig.run(3.0)
        labelling = Labelling("development", {}, LIMIT, quotes=True)
        wall_ns = int(rig.wall * 1e9)
        [followed] = rig.intake.files

        assert rig.emitted == list(one_by_one(data, followed.file_id, str(path), wall_ns, labelling))
        assert rig.tracker.offset(followed.file_id) == len(data)
        assert rig.tracker.position(followed.file_id).mark == fingerprint(data[-MARK_BYTES:])
        assert rig.budget.held_entries == rig.budget.held_bytes == 0
        rig.stop()
