"""Bodies that repeat those before are read as if each were read alone."""

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.document import parse_object
from shipper.commands.fetch.message import messages_in
from shipper.commands.fetch.source import repeated
from shipper.commands.fetch.source.growing_hash import GrowingHash
from shipper.commands.fetch.source.repeated import Repeated, common

TEXT = st.text(max_size=6)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXT})
BODY = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE, max_size=6)},
    optional={"system": TEXT, "input": st.lists(MESSAGE, max_size=2), "metadata": st.just({"messages": []})},
)
SPELLINGS = (0, orjson.OPT_INDENT_2, orjson.OPT_SORT_KEYS)


def read_all(bodies: list[bytes]) -> list[tuple[dict[str, Any] | None, int]]:
    """Return each body put together again, and how many of its messages were known."""
    seen, told = Repeated(), []
    for number, data in enumerate(bodies):
        read = seen.read(data)
        rest = messages_in(read.document or {}) or []
        links = [*read.links, *(b"%d %d" % (number, place) for place in range(len(rest)))]
        seen.keep(data, read, links)
        assert len(links) == len(messages_in(parse_object(data) or {}) or [])
        told.append((read.document, len(read.links)))
    return told


@given(st.lists(st.tuples(BODY, st.sampled_from(SPELLINGS)), max_size=6), st.data())
def test_what_is_left_out_is_what_an_earlier_body_had(bodies: list[tuple[Any, int]], data: Any) -> None:
    known: list[Any] = []
    sent = []
    for body, spelling in bodies:
        again = known[: data.draw(st.integers(0, len(known)))]
        known = [*again, *body["messages"]]
        sent.append(orjson.dumps({**body, "messages": known}, option=spelling))

    for text, (document, count) in zip(sent, read_all(sent), strict=True):
        whole = orjson.loads(text)
        assert document == {**whole, "messages": whole["messages"][count:]}


def test_a_history_that_grows_is_left_out_whole() -> None:
    messages = [{"role": "user", "content": f"{number} {{[" * 900} for number in range(40)]
    bodies = [orjson.dumps({"messages": messages[: n + 1], "tools": [{"name": "x"}]}) for n in range(40)]

    assert [count for _, count in read_all(bodies)] == list(range(40))


def test_of_agents_that_take_turns_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def bodies(agent: str) -> list[bytes]:
        messages = [{"role": "user", "content": f"{agent} {number}"} for number in range(5)]
        return [orjson.dumps({"messages": messages[: n + 1]}) for n in range(5)]

    turns = [body for pair in zip(bodies("one"), bodies("two"), strict=True) for body in pair]

    assert [count for _, count in read_all(turns)] == [n // 2 for n in range(10)]
    monkeypatch.setattr(repeated, "_MOST_BYTES", 1)
    assert {count for _, count in read_all(turns)} == {0}


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 300))
def test_the_common_beginning_is_found_to_the_byte(one: bytes, other: bytes, shared: int) -> None:
    other = one[:shared] + other
    expected = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)

    assert common(one, other) == (min(len(one), len(other)) if expected is None else expected)


@given(st.lists(st.tuples(st.integers(0, 90), st.binary(max_size=60) | TEXT.map(str.encode)), max_size=8))
def test_a_growing_hash_is_that_of_each_text(changes: list[tuple[int, bytes]]) -> None:
    growing, body = GrowingHash(), b""
    for keep, more in changes:
        body = body[:keep] + more
        try:
            body.decode()
            expected = hashlib.sha256(body).hexdigest()
        except UnicodeDecodeError:
            expected = ""
        assert growing.of(body) == expected


def test_a_long_text_is_hashed_from_where_it_differs() -> None:
    growing, body = GrowingHash(), "grüß ".encode() * 60_000
    for at in (300_000, 250_001, 310_000, 100):
        body = body[:at].decode("utf-8", "ignore").encode() + b"new" * 9000
        assert growing.of(body) == hashlib.sha256(body).hexdigest()
