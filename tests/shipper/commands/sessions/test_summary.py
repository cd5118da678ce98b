from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from msgspec.structs import replace

from shipper.commands.sessions.summary import Summary, summaries
from shipper.entry import Entry
from shipper.loki.push.client import LokiClient
from shipper.loki.push.encoding import encode_json
from shipper.loki.push.push import Push
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, CannotAskError, Query, Row
from tests.fakes.loki import FakeLoki
from tests.shipper.commands.fetch.source.test_session import (
    DAY,
    NOON,
    SECOND,
    UNLIMITED_PUSHES,
    entries_of_file,
)

Pushes = Callable[..., None]


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    with FakeLoki(clock=lambda: NOON + 600 * SECOND, **UNLIMITED_PUSHES) as running:
        yield running


@pytest.fixture
def ask(loki: FakeLoki) -> Iterator[Ask]:
    with httpx.Client() as client:
        yield LokiReader(client, loki.push_url).ask


@pytest.fixture
def push(loki: FakeLoki) -> Pushes:
    def send(*entries: Entry) -> None:
        with httpx.Client() as client:
            for entry in sorted(entries, key=lambda each: each.timestamp):
                headers, body = encode_json(Push(1, entry.stream, (entry,)))
                assert LokiClient(client, loki.push_url).push(headers, body).status == 204

    return send


def line(kind: str, **fields: Any) -> bytes:
    meta = {"machine": "dev@here", "request_id": "r"}
    return orjson.dumps({"type": kind, "_meta": meta, "provider": "anthropic", **fields}) + b"\n"


def call(seq: int, **response: Any) -> bytes:
    told: dict[str, Any] = {
        "status": 200,
        "model": "sonnet",
        "usage": {"input_tokens": 5, "output_tokens": 7, "reasoning_tokens": 2, "cost": 0.25},
    }
    request = line("request", seq=seq, model="sonnet", body="x" * 300)
    return request + line("response", seq=seq, **(told | response))


def found(ask: Ask) -> list[Summary]:
    return summaries(ask, NOON - DAY, NOON + DAY)


def test_a_session_is_summed_up_from_what_stands_beside_its_lines(ask: Ask, push: Pushes) -> None:
    tools = [{"id": "1", "name": "Bash"}, {"id": "2", "name": "Read"}]
    data = line("session_start") + call(1, tool_calls=tools)
    data += call(2, status=529, model="opus", usage={"cache_read_input_tokens": 40})
    data += call(3, body="z" * 900_000, tool_calls=tools[:1]) + line("request", seq=4)
    push(*entries_of_file(data, session="one"))

    (each,) = found(ask)

    assert (each.session, each.provider, each.machine) == ("one", "openai", "dev@here")
    assert (each.first, each.last) == (NOON, NOON + 7 * SECOND)
    assert (each.calls, each.responses, each.errors, each.forked) == (4, 3, 1, False)
    assert each.tokens == {
        "input_tokens": 10,
        "output_tokens": 14,
        "cache_read_input_tokens": 40,
        "reasoning_tokens": 4,
    }
    assert each.cost == 0.5
    assert each.tools == {"Bash": 2, "Read": 1}
    assert each.models == {"sonnet": 5, "opus": 1}


def test_the_latest_session_comes_first(ask: Ask, push: Pushes) -> None:
    push(*entries_of_file(call(1) + call(2), session="long", step=100 * SECOND))
    push(*entries_of_file(line("session_start") + line("fork"), session="short"))

    assert [(each.session, each.forked) for each in found(ask)] == [("long", False), ("short", True)]


def test_copies_in_other_streams_count_once(ask: Ask, push: Pushes) -> None:
    entries = entries_of_file(call(1) + call(2), session="one")
    push(*entries)
    push(*(replace(each, stream=(*each.stream, ("late", "2026-11-23T12"))) for each in entries))

    assert [each.calls for each in found(ask)] == [2]


def test_sessions_at_one_moment_and_names_of_any_kind_are_told_apart(ask: Ask, push: Pushes) -> None:
    odd = call(1, model="a b\tc", tool_calls=[{"name": "my tool"}, {"name": ""}])
    push(*entries_of_file(odd, session="one"))
    push(*entries_of_file(odd, session="two"))

    sessions = found(ask)

    assert {each.session for each in sessions} == {"one", "two"}
    assert all(each.models["a b\tc"] == 1 for each in sessions)
    assert all(each.tools == {"my tool": 1} for each in sessions)


@pytest.mark.slow
def test_a_busy_day_is_asked_for_in_pages_and_only_its_sessions_are_held() -> None:
    numbers = "response info 0 - 5 7 - - - - -\nsonnet\nBash"
    asked: list[Query] = []

    def busy(question: Query) -> list[Row]:
        asked.append(question)
        times = range(max(NOON, question.start), min(NOON + 60_000, question.end))[: question.limit]
        return [Row(time, numbers, {"session": f"s{time % 3}"}) for time in times]

    sessions = summaries(busy, NOON - 3 * DAY, NOON + DAY)

    assert [each.calls for each in sessions] == [20_000] * 3
    assert sum(each.tokens["output_tokens"] for each in sessions) == 420_000
    assert max(question.end - question.start for question in asked) <= DAY
    assert len(asked) < 40


def test_no_body_leaves_loki(ask: Ask, push: Pushes) -> None:
    push(*entries_of_file(call(1, body="secret") + call(2, body="s" * 900_000), session="one"))
    rows: list[Row] = []

    def noted(question: Query) -> list[Row]:
        answer = ask(question)
        rows.extend(answer)
        return answer

    summaries(noted, NOON - DAY, NOON + DAY)

    assert len(rows) >= 4
    assert all(len(each.line) < 100 for each in rows)


def test_a_line_that_was_not_shortened_is_an_error() -> None:
    def ask(question: Query) -> list[Row]:
        return [Row(NOON, '{"type":"request"}', {"session": "x"})] if question.start <= NOON else []

    with pytest.raises(CannotAskError, match="did not shorten"):
        summaries(ask, NOON - 10, NOON + 10)
