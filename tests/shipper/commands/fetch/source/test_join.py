import base64
import hashlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.source.join import BrokenLineError, join
from shipper.entry import Span
from shipper.loki.query.query import Row
from shipper.record.content import content_in_memory
from shipper.record.entries import Labelling, entries_of
from shipper.record.envelope import Envelope
from shipper.record.provider import Origin

LINE = b'{"type":"request","body":"' + b"long \xc3\xa4 " * 10_000 + b'"}'


def whole(line: str) -> Row:
    return Row(1, line, {"offset": "0"})


def split_rows(line: bytes, limit: int = 16 * 1024) -> list[Row]:
    """Return the rows that a line is split into, head first, as the shipper does it."""
    entries = entries_of(
        Span(1, 0, len(line) + 1),
        content_in_memory(line),
        Envelope(),
        origin=Origin("openai", "s"),
        timestamp=1,
        labelling=Labelling("test", {}, limit, quotes=True),
    )
    made = map(entries.entry, range(entries.count))
    return [Row(each.timestamp, each.line.decode(), dict(each.metadata)) for each in made]


def test_a_whole_line_is_itself_however_often_it_is_there() -> None:
    assert join([whole("grüße"), whole("grüße")]) == "grüße".encode()


@given(st.binary(min_size=1, max_size=40_000).map(lambda seed: seed * 3))
def test_parts_join_to_the_exact_bytes(line: bytes) -> None:
    assert join(split_rows(line + b"\xff")) == line + b"\xff"


def test_order_and_copies_of_parts_do_not_matter() -> None:
    rows = split_rows(LINE)

    assert join([*reversed(rows), *rows]) == LINE


def test_what_is_left_of_a_split_at_another_limit_does_no_harm() -> None:
    once, again = split_rows(LINE, 40_000), split_rows(LINE, 20_000)

    assert join([*once[:-1], *again]) == LINE
    assert join([*once[:-1], *again[1:]]) == LINE


def test_a_line_without_its_head_is_known_by_its_id() -> None:
    assert join(split_rows(LINE)[1:]) == LINE


def test_missing_parts_are_named() -> None:
    rows = split_rows(LINE)

    with pytest.raises(BrokenLineError, match=r"2 of its 5 parts are not in Loki: 2, 5$"):
        join([rows[0], rows[1], rows[3], rows[4]])


def test_many_missing_parts_are_not_all_named() -> None:
    with pytest.raises(BrokenLineError, match=r"20 of its 20 parts are not in Loki: 1, .*, 10, \.\.\.$"):
        join(split_rows(b"x" * 320_000)[:1])


def forged(row: Row, **changes: object) -> Row:
    return Row(row.timestamp, json.dumps({**json.loads(row.line), **changes}), row.fields)


@pytest.mark.parametrize("data", ["changed", base64.b64encode(b"changed").decode()])
def test_a_wrong_hash_is_told(data: str) -> None:
    head, first, *others = split_rows(LINE)

    with pytest.raises(BrokenLineError, match="the SHA-256 differs"):
        join([head, forged(first, data=data), *others])


def test_the_whole_hash_counts_and_not_only_its_beginning() -> None:
    head, *parts = split_rows(LINE)
    told = json.loads(head.line)["_split"]
    wrong = told["sha256"][:16] + hashlib.sha256(b"").hexdigest()[16:]

    with pytest.raises(BrokenLineError, match="the SHA-256 differs"):
        join([forged(head, _split={**told, "sha256": wrong}), *parts])


def broken_rows() -> Iterator[tuple[str, Row]]:
    head, part, *_ = split_rows(LINE)
    yield "no JSON", Row(1, "plain", head.fields)
    yield "no head", Row(1, "{}", head.fields)
    yield "no part", Row(1, '{"_split":{"id":"x"}}', part.fields)
    yield "no base64", forged(part, encoding="base64", data="ä")


@pytest.mark.parametrize("row", [row for _, row in broken_rows()], ids=[name for name, _ in broken_rows()])
def test_rows_that_cannot_be_read_are_told(row: Row) -> None:
    with pytest.raises(BrokenLineError, match="cannot be read"):
        join([row])


def test_two_lines_in_one_place_are_told() -> None:
    with pytest.raises(BrokenLineError, match="2 different lines"):
        join([whole("one"), whole("two")])


def test_a_line_that_looks_like_a_part_is_a_line() -> None:
    line = '{"_split":{"id":"x","part":1,"of":2},"data":"y"}'

    assert join([whole(line)]) == line.encode()
