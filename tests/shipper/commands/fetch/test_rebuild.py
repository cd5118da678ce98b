"""Whole bodies out of lines with ``body_delta``."""

import hashlib
import tracemalloc
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.rebuild import Rebuilt, delta_in, new_text, rebuilt

HEADERS = {"X-Note": ['"body_delta":{"base":1}']}


def request(seq: int, body: str, **fields: Any) -> bytes:
    return orjson.dumps({"type": "request", "seq": seq, "headers": HEADERS, **fields, "body": body})


def delta(seq: int, base: Any, pieces: Sequence[str | tuple[int, int]], body: str) -> bytes:
    text = body.encode()
    value = {"base": base, "size": len(text), "sha256": hashlib.sha256(text).hexdigest(), "pieces": pieces}
    return orjson.dumps({"type": "request", "seq": seq, "headers": HEADERS, "body_delta": value})


def read(*lines: bytes) -> list[Rebuilt]:
    return list(rebuilt(lines, lambda number: lines[number]))


def test_lines_are_as_they_would_have_been_written_whole() -> None:
    lines = [
        b'{"type":"session_start"}',
        request(1, "Grüß Gott"),
        b'{"type":"response","seq":1,"body":"Hallo"}',
        delta(2, 1, [(0, 7), "dich"], "Grüß dich"),
        b"no json",
        delta(3, 2, [(4, 2), "\n\\", (0, 11)], "ß\n\\Grüß dich"),
    ]

    assert [each.line for each in read(*lines)] == [
        *lines[:3],
        request(2, "Grüß dich"),
        lines[4],
        request(3, "ß\n\\Grüß dich"),
    ]
    assert not any(each.trouble for each in read(*lines))


def test_bases_that_are_not_the_one_before_are_built_again() -> None:
    lines = [request(1, "a" * 99)]
    lines += [delta(2 + at, 1 + at, [(0, 99 + at), "b"], "a" * 99 + "b" * (at + 1)) for at in range(30)]
    lines += [request(50, "c" * 999), delta(51, 31, [(0, 120), "d"], "a" * 99 + "b" * 21 + "d")]

    assert read(*lines)[-1].line == request(51, "a" * 99 + "b" * 21 + "d")


@pytest.mark.parametrize(
    ("lines", "troubles"),
    [
        (
            [delta(2, 1, [(0, 4), "x"], "abcdx"), delta(3, 2, [(0, 5)], "abcdx")],
            [
                "call 2: it goes back to the request of call 1, which is not there",
                "call 3: it goes back to call 2, which cannot be rebuilt",
            ],
        ),
        (
            [request(1, "abcd"), delta(2, 1, [(0, 3), "x"], "abcdx")],
            ["call 2: its body, rebuilt on that of call 1, has another SHA-256"],
        ),
        (
            [request(1, "abcd"), delta(2, 1, [(2, 3), "x"], "cdx")],
            ["call 2: it names bytes that the body of call 1 has not"],
        ),
        (
            [request(1, "/w==", body_encoding="base64"), delta(2, 1, [(0, 4)], "/w==")],
            ["call 2: it goes back to call 1, whose body is not on record as text"],
        ),
        (
            [request(1, "abcd"), delta(2, "1", [(0, 4)], "abcd")],
            ["a line's body_delta cannot be read"],
        ),
    ],
)
def test_what_cannot_be_rebuilt_stays_as_it_is_and_tells_why(lines: list[bytes], troubles: list[str]) -> None:
    found = read(*lines)

    assert [each.line for each in found] == lines
    assert [each.trouble for each in found if each.trouble] == troubles


def test_what_is_new_can_be_shown_without_the_base() -> None:
    told = delta_in(orjson.loads(delta(2, 1, ["new", (0, 4096), "and newer"], "")))

    assert told is not None
    assert new_text(told) == "new\n[4,096 bytes of call 1]\nand newer"
    assert delta_in({}) is None
    assert delta_in({"body_delta": {"base": "1"}}) is None


def test_two_bodies_are_in_memory_however_many_there_are() -> None:
    body = "0123456789" * 20_000
    lines = [request(1, body)]
    for seq in range(2, 200):
        # Two histories side by side, so that the base is never the one before.
        base = max(seq - 2, 1)
        lines.append(delta(seq, base, [(0, len(body))], body))
    tracemalloc.start()
    count = sum(not each.trouble for each in rebuilt(lines, lambda number: lines[number]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == len(lines)
    assert peak < 8 * len(body)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.builds(request, st.integers(1, 5), st.text(max_size=9)),
            st.builds(
                delta,
                st.integers(1, 5),
                st.integers(-1, 5),
                st.lists(st.one_of(st.text(max_size=9), st.tuples(st.integers(-1, 9), st.integers(-1, 9)))),
                st.text(max_size=9),
            ),
        )
    )
)
def test_lines_of_any_kind_do_no_harm(lines: list[bytes]) -> None:
    found = read(*lines)

    assert len(found) == len(lines)
    assert all(each.line == line or not each.trouble for each, line in zip(found, lines, strict=True))
