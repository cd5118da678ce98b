from collections.abc import Iterable, Iterator

import httpx
import pytest
from msgspec.structs import replace

from shipper.entry import Entry
from shipper.loki.push.client import LokiClient
from shipper.loki.push.encoding import encode_json
from shipper.loki.push.push import Metadata, Push
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, AskAgainError, CannotAskError, Query, Row
from shipper.loki.query.verify import VISIBLE_NS, presence
from tests.fakes.loki import FakeLoki, Order
from tests.shipper.entries import MINUTE, NOON, STREAM, entry

NOW = NOON + 10 * MINUTE


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with FakeLoki(clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def ask(loki: FakeLoki) -> Iterator[Ask]:
    with httpx.Client() as http:
        yield LokiReader(http, loki.push_url).ask


def push(loki: FakeLoki, entries: Iterable[Entry], *, metadata: Metadata = Metadata.ALL) -> None:
    with httpx.Client() as http:
        headers, body = encode_json(Push(1, STREAM, tuple(entries), metadata=metadata))
        assert LokiClient(http, loki.push_url).push(headers, body).status == 204


def placed(number: int, minutes: float = 0.0, size: int = 10) -> Entry:
    """Return an entry with the metadata that tells its place."""
    made = entry(number, minutes=minutes, size=size)
    place = (("offset", str(made.span.start)), ("session", "a session"))
    return replace(made, metadata=place)


def test_entries_that_loki_has_are_told_from_those_that_it_has_not(loki: FakeLoki, ask: Ask) -> None:
    entries = [placed(number) for number in range(10)]
    push(loki, entries[::2])

    told = presence(ask, STREAM, entries, NOW)

    assert told.stored == frozenset(entries[::2])
    assert not told.unknown


def test_a_thousand_long_lines_are_found_although_loki_could_not_answer_them_whole(
    loki: FakeLoki, ask: Ask
) -> None:
    loki.limit(ingestion_rate_mb=100.0, ingestion_burst_size_mb=100.0, shard_streams=False)
    entries = [placed(number, number / 1000, size=9000) for number in range(1200)]
    for start in range(0, 1200, 200):
        push(loki, entries[start : start + 200])

    assert presence(ask, STREAM, entries, NOW).stored == frozenset(entries)


def test_entries_with_long_pauses_between_them_are_found(loki: FakeLoki, ask: Ask) -> None:
    entries = [placed(number, -number * 11) for number in range(6)]
    for each in reversed(entries):
        push(loki, [each])

    assert presence(ask, STREAM, entries, NOW).stored == frozenset(entries)


def test_what_stands_in_a_long_pause_is_not_asked_for() -> None:
    asked: list[Query] = []

    def ask(question: Query) -> list[Row]:
        asked.append(question)
        return []

    presence(ask, STREAM, [placed(1), placed(2), placed(3, 20)], NOW)

    assert [(each.start - NOON, each.end - NOON) for each in asked] == [
        (1, 3),
        (20 * MINUTE + 3, 20 * MINUTE + 4),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("before", range(250, 258))
@pytest.mark.parametrize("text", ["\U0001f680", "é", "naïve 日本 \U0001f680", "\ufffd\ufffd", "\ufffd€"])
def test_a_line_is_found_wherever_lokis_cut_falls_in_its_characters(
    loki: FakeLoki, ask: Ask, before: int, text: str
) -> None:
    stored = replace(placed(1), text=("x" * before + text * 9).encode())
    early = replace(placed(2), text=(text * 30 + "x" * before).encode())
    missing = replace(placed(3), text=stored.line)
    push(loki, [stored, early])

    assert presence(ask, STREAM, [stored, early, missing], NOW).stored == {stored, early}


def test_a_line_of_the_same_time_from_another_place_is_another_entry(loki: FakeLoki, ask: Ask) -> None:
    stored = placed(1)
    push(loki, [stored])
    others = [
        replace(stored, span=stored.span._replace(start=7)),
        replace(stored, part=1),
        replace(stored, metadata=(("offset", "100"), ("session", "another"))),
        replace(stored, text=b"yy"),
    ]

    assert presence(ask, STREAM, [stored, *others], NOW).stored == {stored}


def test_a_stream_that_loki_has_sharded_or_labelled_further_is_the_same(loki: FakeLoki, ask: Ask) -> None:
    stored = placed(1)
    values = [[str(stored.timestamp), stored.line.decode(), dict(stored.metadata)]]
    shard = {**dict(STREAM), "__stream_shard__": "3", "late": "2026-11-23T12"}
    body = {"streams": [{"stream": shard, "values": values}]}
    assert httpx.post(loki.push_url, json=body).status_code == 204

    assert presence(ask, STREAM, [stored], NOW).stored == {stored}


def test_without_structured_metadata_time_length_and_beginning_identify(loki: FakeLoki, ask: Ask) -> None:
    stored, other = placed(1), placed(2)
    push(loki, [stored], metadata=Metadata.NONE)
    alike = replace(other, timestamp=stored.timestamp, text=b"y" * len(stored.line))

    assert presence(ask, STREAM, [stored, other, alike], NOW).stored == {stored}


def test_of_old_entries_only_the_found_are_known(ask: Ask, loki: FakeLoki) -> None:
    hour_ago, seen, unseen = placed(1, -60), placed(2, -200), placed(3, -201)
    loki.limit(query_store_max_look_back_period=-1.0)
    push(loki, [seen])

    told = presence(ask, STREAM, [hour_ago, seen, unseen], NOW)

    assert told.stored == {seen}
    assert told.unknown == {unseen}


def test_old_entries_that_wait_in_the_ingester_are_unknown_and_not_absent(loki: FakeLoki, ask: Ask) -> None:
    old = replace(placed(1), timestamp=NOW - VISIBLE_NS - 42 * MINUTE)
    push(loki, [old])

    told = presence(ask, STREAM, [old], NOW)

    assert not told.stored
    assert told.unknown == {old}


def test_a_line_with_any_characters_is_found(loki: FakeLoki, ask: Ask) -> None:
    lines = ['{"a": "\\n\\u0000"}', "grüße 🙂 " * 200, "\x00\x01\x7f", "  blanks  ", '"\\' * 300]
    entries = [replace(placed(number), text=line.encode()) for number, line in enumerate(lines)]
    push(loki, entries)

    assert presence(ask, STREAM, entries, NOW).stored == frozenset(entries)


@pytest.mark.parametrize(("status", "error"), [(503, AskAgainError), (403, CannotAskError)])
def test_trouble_is_raised(loki: FakeLoki, ask: Ask, status: int, error: type[Exception]) -> None:
    loki.order(Order(status=status, path="/query_range"))

    with pytest.raises(error):
        presence(ask, STREAM, [placed(1)], NOW)


def test_a_loki_that_does_not_shorten_lines_cannot_be_asked() -> None:
    def ask(question: Query) -> list[Row]:
        return [Row(question.start, "a whole line", {})]

    with pytest.raises(CannotAskError, match="did not shorten"):
        presence(ask, STREAM, [placed(1)], NOW)


def test_nothing_is_asked_of_no_entries() -> None:
    def ask(_: Query) -> list[Row]:
        raise AssertionError

    assert presence(ask, STREAM, [], NOW).stored == frozenset()
