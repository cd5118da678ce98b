"""What a request's body tells, read anew and with what was read before."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.content import request_info as asked_module
from proxy.content.clients import identify
from proxy.content.document import parse_object
from proxy.content.messages.chain import Links, chain, messages_of
from proxy.content.request_info import Reader, RequestInfo

_FULL = 300

TEXTS = st.text(max_size=6) | st.sampled_from(["text", "ü🚀", "\u2028", "cache_control"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MARKERS = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
BLOCKS = st.builds(lambda text, marker: {"type": "text", "text": text, **marker}, TEXTS, MARKERS) | (
    st.just({"cachePoint": {"type": "default"}})
)
MESSAGES = VALUES | st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    TEXTS | st.lists(BLOCKS, max_size=3),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "model": TEXTS | VALUES,
        "stream": VALUES,
        "metadata": st.fixed_dictionaries({"session_id": TEXTS}) | VALUES,
        "conversation": VALUES,
        "previous_response_id": TEXTS,
        "prompt_cache_key": TEXTS,
        "system": VALUES,
        "messages": VALUES,
        "input": VALUES | st.lists(MESSAGES, max_size=3),
        "contents": st.none() | st.lists(MESSAGES, max_size=3),
    },
)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Draw requests of which each repeats, more or less, what the one before it said."""
    bodies = []
    messages: list[Any] = []
    for _ in range(draw(st.integers(1, 4))):
        kept = draw(st.integers(0, len(messages)))
        messages = messages[:kept] + draw(st.lists(MESSAGES, max_size=3))
        document = {**draw(FIELDS), draw(st.sampled_from(["messages", "input"])): messages}
        spaces = draw(st.sampled_from([(",", ":"), (" , ", "\n:\t")]))
        body = json.dumps(document, separators=spaces, ensure_ascii=draw(st.booleans())).encode()
        bodies.append(draw(broken(body)))
    return bodies


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw the body, or one that something happened to."""
    if draw(st.integers(0, 3)):
        return body
    at = draw(st.integers(0, len(body)))
    piece = draw(
        st.sampled_from([b"", b"\xff", b"1e999", b'"', b",", b"[", b"}", b'"a":1,', b"\\ud800", b"null"])
    )
    return body[:at] + piece + body[at + draw(st.integers(0, 3)) :]


def anew(body: bytes) -> RequestInfo:
    """Read a body as if none had come before it."""
    document = parse_object(body) or {}
    return RequestInfo(document, chain(messages_of(document)))


def told(asked: RequestInfo) -> Any:
    return asked.steps, asked.model, asked.stream, identify("/v1/threads/t/runs", [], asked.fields)


@pytest.mark.slow
@pytest.mark.parametrize("remembered", [1, 4, 1000])
def test_what_is_remembered_changes_nothing_that_a_body_tells(
    monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(asked_module, "Links", lambda: Links(remembered))

    @settings(max_examples=_FULL, deadline=None)
    @given(conversations())
    def check(bodies: list[bytes]) -> None:
        reader = Reader()
        for body in bodies:
            assert told(reader.read(body)) == told(anew(body))

    check()


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [100, 300, 400, 2000])
def test_what_is_nested_deep_tells_as_much_as_it_did(opening: bytes, depth: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    deep = opening * depth + b"1" + closing * depth
    body = b'{"model":"m","messages":[1,%b,2]}' % deep

    reader = Reader()
    first, again = reader.read(body), reader.read(body)

    assert told(first) == told(again)
    assert first.model == (None if depth == 2000 else "m")
    assert len(first.steps) == (0 if depth == 2000 else 3)


def test_a_message_that_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"model": "m", "system": "s", "messages": ["a", "b"]}
    reader = Reader()
    reader.read(orjson.dumps(first))
    read: list[bytes] = []
    real = orjson.loads
    monkeypatch.setattr(orjson, "loads", lambda data: read.append(data) or real(data))

    reader.read(orjson.dumps({**first, "messages": ["a", "b", "c"]}))

    assert read == [b'"m"', b'"c"']


def test_what_is_remembered_is_bounded_and_the_latest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    real = orjson.loads
    monkeypatch.setattr(orjson, "loads", lambda data: read.append(data) or real(data))
    links = Links(remembered=10)
    for number in range(1000):
        links.chain([b'"kept"', b"%d" % number])

    assert len(links._latest) + len(links._older) <= 20
    assert read.count(b'"kept"') == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[1],"system":1e999}',
        b'{"model":"m","messages":[1],"system":"\xff"}',
        b'{"model":"m","messages":[1,1e999]}',
        b'{"model":"m","messages":[1,"\xff"]}',
        b'{"model":"m","messages":[1],"stream":1e999}',
        b'{"model":"m","messages":[1,"\\ud800"]}',
        b'{"model":"m","messages":[1,NaN]}',
    ],
)
def test_a_body_of_which_a_part_is_no_strict_json_tells_all_the_same(body: bytes) -> None:
    reader = Reader()
    first = reader.read(b'{"model":"m","messages":[1],"system":"s"}')
    read, again = reader.read(body), reader.read(body)

    assert told(read) == told(again) == told(anew(body))
    assert read.model == "m"
    assert read.steps[0] == first.steps[0]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'{"messages":null,"input":[1,2]}', 2),
        (b'{"input":"Hello","contents":[1,2]}', 1),
        (b'{"messages":{},"input":[1,2]}', 0),
        (b'{"messages":[],"input":[1,2]}', 0),
        (b'{"messages":[1],"messages":[1,2,3]}', 3),
        (b"{}", 0),
    ],
)
def test_messages_are_where_they_were(body: bytes, count: int) -> None:
    asked = Reader().read(body)

    assert told(asked) == told(anew(body))
    assert len(asked.steps) == count


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b'{"model":7,"stream":"yes"}'])
def test_a_body_that_says_nothing_tells_nothing(body: bytes) -> None:
    asked = Reader().read(body)

    assert (asked.model, asked.stream, list(asked.steps)) == (None, None, [])
