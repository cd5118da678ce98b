"""Every LogQL query of dashboards and alerts, run on a Loki that holds the golden lines."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shipper.entry import Entry, Span
from shipper.loki.push.encoding import encode_json
from shipper.loki.push.push import Push
from shipper.record.envelope import read_envelope
from shipper.record.labels import labels_of, metadata_of
from tests import clock
from tests.deploy.files import ROOT
from tests.deploy.queries import Query, alert_queries, dashboard_queries
from tests.fakes.loki import FakeLoki

QUERIES = [each for each in (*dashboard_queries(), *alert_queries()) if each.language == "loki"]
LINES = [
    line for path in (ROOT / "tests" / "contract").glob("*.jsonl") for line in path.read_bytes().split(b"\n")
]
# What a query aggregates over a range; the arithmetic around it is Loki's own business.
_RANGE = re.compile(r"(?:count|sum|quantile)_over_time\((?:0\.\d+, )?(\{.*?\[1d\])\)")
_BY_SESSION = "Calls of session $session"
_BY_CALL = "Request and response of call"
_NEW = "What is new in call"


@pytest.fixture(scope="module")
def loki() -> Iterator[FakeLoki]:
    with FakeLoki() as fake:
        for number, line in enumerate(filter(None, LINES)):
            headers, body = encode_json(_push(number, line))
            assert httpx.post(fake.push_url, headers=headers, content=body).status_code == 204
        yield fake


def _push(number: int, line: bytes) -> Push:
    envelope = read_envelope(line)
    stream = labels_of(envelope, "anthropic", "test", {})
    time_ns = clock.NOW - (60 - number) * clock.SECOND
    span = Span(1, number, number + 1)
    entry = Entry(span, stream, time_ns, line, metadata_of(envelope, "session", number))
    return Push(number, stream, (entry,))


def ask(loki: FakeLoki, text: str) -> list[dict[str, Any]]:
    path = "query_range" if text.startswith("{") else "query"
    answer = httpx.get(f"{loki.url}/loki/api/v1/{path}", params={"query": text, "limit": 1000})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def filled(text: str, **chosen: str) -> str:
    """Return a query with the dashboard's variables filled in: what was chosen, else all."""
    text = re.sub(r"\[(?:\$__\w+|\d+\w)\]", "[1d]", text)
    for name, value in chosen.items():
        text = text.replace(f'"${name}"', f'"{value}"')
    return re.sub(r'"\$\w+"', '".*"', text)


@pytest.mark.parametrize(
    "query", [each for each in QUERIES if "_over_time" in each.text], ids=lambda query: query.place
)
def test_what_a_query_aggregates_is_there(query: Query, loki: FakeLoki) -> None:
    # No golden line is of a call that was limited.
    text = filled(query.text).replace('status="429"', 'status="200"')
    ranges = _RANGE.findall(text)

    assert len(ranges) == text.count("_over_time(")
    for each in ranges:
        assert ask(loki, f"{'sum' if ' unwrap ' in each else 'count'}_over_time({each})")


def test_from_the_table_of_sessions_one_gets_to_a_call_and_to_its_lines(loki: FakeLoki) -> None:
    by_place = {each.place.partition(": ")[2]: each.text for each in QUERIES}
    sessions = {row["metric"]["session"] for row in ask(loki, filled(by_place["Sessions: A"]))}
    (calls,) = [text for place, text in by_place.items() if place.startswith(_BY_SESSION)]
    (lines,) = [text for place, text in by_place.items() if place.startswith(_BY_CALL)]

    for session in sessions:
        found = [row["stream"] for row in ask(loki, filled(calls, session=session))]
        assert found
        assert {each["session"] for each in found} == {session}
        for call in {each["request_id"] for each in found}:
            rows = [row["stream"] for row in ask(loki, filled(lines, request_id=call))]
            assert {each["request_id"] for each in rows} == {call}
            assert {"request", "response"} >= {each["log_type"] for each in rows}


def test_what_a_call_adds_is_shown_before_its_lines(loki: FakeLoki) -> None:
    places = [each.place.partition(": ")[2] for each in QUERIES]
    (new,) = [each.text for each in QUERIES if _NEW in each.place]
    requests = [json.loads(line) for line in LINES if b'"type":"request"' in line]
    shown = [
        value[1]
        for call in {each["_meta"]["request_id"] for each in requests}
        for row in ask(loki, filled(new, request_id=call))
        for value in row["values"]
    ]

    assert [_BY_CALL in place for place in places if _NEW in place or _BY_CALL in place] == [False, True]
    assert '[ … ,{"role":"assistant","content":"Hallo"},{"role":"user","content":"Wie geht\'s?"} … ]' in shown
    assert {each["body"] for each in requests if "body" in each} <= set(shown)


def test_before_anything_is_chosen_the_tables_below_are_empty(loki: FakeLoki) -> None:
    below = [
        each.text for each in QUERIES if any(map(each.place.__contains__, (_BY_SESSION, _BY_CALL, _NEW)))
    ]

    assert len(below) == 3
    assert all(ask(loki, filled(text, session="", request_id="")) == [] for text in below)
