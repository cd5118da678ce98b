import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from shipper.commands.fetch.source.session import Fetched, lines_of, pieces_of
from shipper.entry import Entry, Span
from shipper.loki.push.client import LokiClient
from shipper.loki.push.encoding import encode_json
from shipper.loki.push.push import Push
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, CannotAskError, Query, Row
from shipper.record.content import content_in_memory
from shipper.record.entries import Labelling, entries_of
from shipper.record.envelope import envelope_of
from shipper.record.provider import Origin
from tests.fakes.loki import FakeLoki

NOON = 1_795_435_200 * 1_000_000_000
SECOND = 1_000_000_000
DAY = 24 * 3600 * SECOND
SESSION = "20261123-115000-a1b2c3d4"
# Loki's answers are limited as by default; only pushing is free.
UNLIMITED_PUSHES: dict[str, Any] = {
    "ingestion_rate_mb": 1000.0,
    "ingestion_burst_size_mb": 1000.0,
    "per_stream_rate_limit": 1 << 30,
    "per_stream_rate_limit_burst": 1 << 30,
    "shard_streams": False,
    "reject_old_samples": False,
    "query_store_max_look_back_period": -1.0,
}
Push_ = Callable[..., None]


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with FakeLoki(clock=lambda: NOON + 600 * SECOND, **UNLIMITED_PUSHES) as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def ask(loki: FakeLoki, http: httpx.Client) -> Ask:
    return LokiReader(http, loki.push_url).ask


@pytest.fixture
def push(loki: FakeLoki, http: httpx.Client) -> Push_:
    def send(*entries: Entry) -> None:
        for entry in sorted(entries, key=lambda each: each.timestamp):
            headers, body = encode_json(Push(1, entry.stream, (entry,)))
            assert LokiClient(http, loki.push_url).push(headers, body).status == 204

    return send


def entries_of_file(
    data: bytes, *, session: str = SESSION, step: int = SECOND, start: int = NOON, limit: int = 262_144
) -> list[Entry]:
    """Return the entries of a file whose lines are ``step`` nanoseconds apart."""
    made: list[Entry] = []
    offset = 0
    for number, line in enumerate(data.splitlines(keepends=True)):
        span = Span(1, offset, offset + len(line))
        offset = span.end
        content = content_in_memory(line.removesuffix(b"\n"))
        if content.size:
            entries = entries_of(
                span,
                content,
                envelope_of(content),
                origin=Origin("openai", session),
                timestamp=start + number * step,
                labelling=Labelling("test", {}, limit, quotes=True),
            )
            made += [entries.entry(part) for part in range(entries.count)]
    return made


def fetched(ask: Ask, session: str = SESSION) -> list[Fetched]:
    return list(lines_of(ask, session, pieces_of(ask, session, NOON - DAY, NOON + DAY)))


def joined(found: list[Fetched]) -> bytes:
    assert [each.trouble for each in found if each.trouble] == []
    return b"".join(each.line + b"\n" for each in found if each.line is not None)


def a_file(lines: int, longest: int, seed: int = 7) -> bytes:
    chance = random.Random(seed)  # noqa: S311 - a test's own chance
    made = []
    for number in range(lines):
        size = chance.randrange(longest) if number % 4 == 0 else chance.randrange(400)
        kind = chance.choice(["x", '"quoted"', "ä€🙂", "\\"])
        made.append(f'{{"type":"request","seq":{number},"body":"{(kind * size)[:size]}"}}'.encode())
    return b"\n".join(made) + b"\n"


@pytest.mark.slow
def test_a_file_comes_back_byte_for_byte_from_a_loki_with_default_answers(ask: Ask, push: Push_) -> None:
    data = a_file(60, 900_000) + b"\xff\xfe no text\n"
    push(*entries_of_file(data))

    assert joined(fetched(ask)) == data


def test_no_answer_is_asked_for_that_is_too_large_for_loki(ask: Ask, push: Push_) -> None:
    data = b"".join(b"%d %s\n" % (number, b"x" * 262_000) for number in range(40))
    push(*entries_of_file(data, step=1))
    sizes: list[int] = []

    def weighed(question: Query) -> list[Row]:
        rows = ask(question)
        sizes.append(sum(len(row.line) for row in rows))
        return rows

    assert joined(fetched(weighed)) == data
    assert max(sizes) <= 1 << 20
    assert len(sizes) < 40


def test_lines_come_in_the_order_of_the_file_and_not_of_time(ask: Ask, push: Push_) -> None:
    entries = entries_of_file(b"".join(b"line %d\n" % number for number in range(50)))
    times = [each.timestamp for each in entries]
    times = times[::-2] + times[::2]
    push(*(replace(each, timestamp=time) for each, time in zip(entries, times, strict=True)))

    assert joined(fetched(ask)) == b"".join(b"line %d\n" % number for number in range(50))


@pytest.mark.parametrize("stride", [-1, 2, 7])
def test_large_lines_out_of_order_are_fetched_all_the_same(ask: Ask, push: Push_, stride: int) -> None:
    data = b"".join(b"%d %s\n" % (number, b"x" * 100_000) for number in range(30))
    entries = entries_of_file(data)
    times = [NOON + (number * stride) % 31 for number in range(30)]
    push(*(replace(each, timestamp=time) for each, time in zip(entries, times, strict=True)))

    assert joined(fetched(ask)) == data


def test_lines_of_one_moment_are_told_apart(ask: Ask, push: Push_) -> None:
    data = b"".join(b"line %d\n" % number for number in range(300))
    push(*entries_of_file(data, step=0))

    assert joined(fetched(ask)) == data


def test_copies_in_other_streams_count_once(ask: Ask, push: Push_) -> None:
    entries = entries_of_file(a_file(8, 600_000))
    push(*entries)
    push(*(replace(each, stream=(*each.stream, ("late", "2026-11-23T12"))) for each in entries[::2]))
    push(*(replace(each, timestamp=each.timestamp + 5) for each in entries[::3]))

    assert joined(fetched(ask)) == a_file(8, 600_000)


def test_other_sessions_are_left_out(ask: Ask, push: Push_) -> None:
    push(*entries_of_file(b"mine\n"))
    push(*entries_of_file(b"theirs\n", session='20261123-115000-ffffffff" or session!="'))

    assert joined(fetched(ask)) == b"mine\n"
    assert joined(fetched(ask, '20261123-115000-ffffffff" or session!="')) == b"theirs\n"


def test_a_session_is_followed_over_days_until_a_week_is_quiet(ask: Ask, push: Push_) -> None:
    entries = entries_of_file(b"first\nsecond\nthird\n")
    starts = [NOON - 30 * DAY, NOON - 24 * DAY, NOON - 10 * DAY]
    push(*(replace(each, timestamp=time) for each, time in zip(entries, starts, strict=True)))

    found = pieces_of(ask, SESSION, NOON - 31 * DAY, NOON)

    assert [each.timestamp for each in found] == starts[:2]


def test_a_search_that_begins_long_before_the_session_finds_it(ask: Ask, push: Push_) -> None:
    (entry,) = entries_of_file(b"only\n")
    push(entry)

    assert [each.timestamp for each in pieces_of(ask, SESSION, NOON - 60 * DAY, NOON + DAY)] == [
        entry.timestamp
    ]


def test_a_blank_line_leaves_no_trace(ask: Ask, push: Push_) -> None:
    push(*entries_of_file(b"one\n\ntwo\n"))

    assert joined(fetched(ask)) == b"one\ntwo\n"


def test_missing_lines_are_told_between_those_that_are_there(ask: Ask, push: Push_) -> None:
    entries = entries_of_file(b"one\ntwo\nthree\nfour\n")
    push(entries[1], entries[3])

    found = fetched(ask)

    assert [(each.line, each.trouble) for each in found] == [
        (None, "bytes 0 to 4 are not in Loki"),
        (b"two", ""),
        (None, "bytes 8 to 14 are not in Loki"),
        (b"four", ""),
    ]


def test_a_line_with_a_missing_part_is_left_out_and_told_once(ask: Ask, push: Push_) -> None:
    entries = entries_of_file(b"one\n" + b"x" * 900_000 + b"\nthree\n")
    push(*(each for each in entries if each.part != 3))

    found = fetched(ask)

    assert [each.line for each in found] == [b"one", None, b"three"]
    assert found[1].trouble == ("the line at offset 4 is not whole: 1 of its 4 parts are not in Loki: 3")


def test_two_lines_in_one_place_are_told(ask: Ask, push: Push_) -> None:
    push(*entries_of_file(b"a longer first line\nsecond\n"))
    push(*entries_of_file(b"short\nanother\n", start=NOON + 100 * SECOND))

    assert fetched(ask)[0].trouble == (
        "the line at offset 0 is not whole: there are 2 different lines at this offset"
    )


def test_lines_that_overlap_are_told(ask: Ask, push: Push_) -> None:
    push(*entries_of_file(b"a longer first line\nsecond\n"))
    push(entries_of_file(b"short\nanother\n", start=NOON + 100 * SECOND)[1])

    found = fetched(ask)

    assert [each.line for each in found if each.line] == [b"a longer first line", b"another", b"second"]
    assert found[1].trouble == "the line at offset 6 begins before the one before it ends"


def test_an_unknown_session_has_no_pieces(ask: Ask) -> None:
    assert pieces_of(ask, SESSION, NOON - DAY, NOON) == []


def test_an_entry_without_a_place_is_an_error() -> None:
    def ask(question: Query) -> list[Row]:
        return [Row(NOON, "5", {"session": SESSION})] if question.start <= NOON < question.end else []

    with pytest.raises(CannotAskError, match="no place"):
        pieces_of(ask, SESSION, NOON - DAY, NOON)
