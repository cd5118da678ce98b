"""A conversation as text: what a person reads."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.conversation import turns
from shipper.commands.fetch.markdown import markdown

META = {"ts": "2026-11-23T10:15:00.1Z", "session": "20261123-101500-a1b2c3d4", "machine": "dev@here"}


def record(kind: str, ts: str = "2026-11-23T10:15:00.1Z", **fields: Any) -> bytes:
    if isinstance(fields.get("body"), dict):
        fields["body"] = orjson.dumps(fields["body"]).decode()
    return orjson.dumps({"type": kind, "_meta": {**META, "ts": ts}, **fields})


def page(*lines: bytes, width: int = 72) -> str:
    return "\n".join(markdown(turns(lines), width))


ASK = [{"role": "user", "content": "Which files are there, and what is in the one that is named notes.txt?"}]
CALLS = {
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "Look first."},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls\npwd", "timeout": 5}},
    ],
}
RESULT = {
    "type": "tool_result",
    "tool_use_id": "t1",
    "content": [{"type": "text", "text": "notes.txt\n\t/home"}],
}
HISTORY = [*ASK, {"role": "assistant", "content": CALLS["content"]}, {"role": "user", "content": [RESULT]}]
SESSION = [
    record("session_start", provider="anthropic", upstream="api.anthropic.com", client_session="c-1"),
    record("fork", parent_session="20261123-093000-0f1e2d3c", from_seq=7),
    record("request", seq=1, model="sonnet", body={"system": "Be good.", "messages": ASK}),
    record(
        "response", seq=1, status=200, body=CALLS, stop_reason="tool_use", model="sonnet-5",
        timing={"ttfb_ms": 400, "total_ms": 1500},
        usage={"input_tokens": 1000, "cache_creation_input_tokens": 234, "cache_read_input_tokens": 5000,
               "output_tokens": 31},
    ),
    record("request", "2026-11-24T00:00:01Z", seq=2, model="sonnet", body={"messages": HISTORY}),
    record("response", "2026-11-24T00:00:02Z", seq=2, status=529,
           body={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
]  # fmt: skip

EXPECTED = """\
# Session 20261123-101500-a1b2c3d4

anthropic, api.anthropic.com, dev@here, 2026-11-23 10:15:00 UTC

The client calls it c-1.

A fork of session 20261123-093000-0f1e2d3c, which it left after call 7.

## Call 1, 10:15:00, sonnet

### System

Be good.

### User

Which files are there, and what is in the one that is named notes.txt?

### Assistant

> Look first.

I look.

**Calls Bash**

    command:
    ls
    pwd
    timeout: 5

[tool_use, 1.5 s in all, 1,234 tokens in, 5,000 cached, 31 out,
sonnet-5]

## Call 2, 2026-11-24 00:00:01 UTC, sonnet

### Result of Bash

    notes.txt
        /home

### Error 529

overloaded_error: Overloaded

[no answer]
"""


def test_a_session_reads_like_a_conversation() -> None:
    assert page(*SESSION) == EXPECTED


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    long = {
        "messages": [{"role": "user", "content": "a word " * 99 + "x" * 500 + "\n" + " " * 90 + "deep " * 90}]
    }
    told = page(*SESSION, record("request", seq=3, model="m" * 300, body=long), width=width)

    assert max(map(len, told.splitlines())) <= width


def test_a_page_is_never_narrower_or_wider_than_reads_well() -> None:
    text = {"messages": [{"role": "user", "content": "word " * 200}]}
    narrow, wide = (page(record("request", seq=1, body=text), width=width) for width in (3, 9999))

    assert 50 < max(map(len, narrow.splitlines())) <= 60
    assert 190 < max(map(len, wide.splitlines())) <= 200


def test_calls_side_by_side_are_told_apart() -> None:
    told = page(
        record("request", seq=1, body={"messages": [{"role": "user", "content": "one"}]}),
        record("request", seq=2, body={"messages": [{"role": "user", "content": "two"}]}),
        record(
            "response",
            seq=1,
            status=200,
            body={"type": "message", "content": [{"type": "text", "text": "1"}]},
        ),
    )

    assert [line for line in told.splitlines() if line.startswith("## ")] == [
        "## Call 1, 2026-11-23 10:15:00 UTC",
        "## Call 2, 10:15:00",
        "## Call 1, 10:15:00, answered",
    ]


def test_long_results_and_system_prompts_are_cut_and_say_so() -> None:
    result = {"role": "tool", "tool_call_id": "x", "content": "line\n" * 1000}
    told = page(
        record("request", seq=1, body={"messages": [{"role": "system", "content": "s" * 900}, result]})
    )

    assert "[… and 100 more characters]" in told
    assert "    [… and 4,701 more characters]" in told
    assert "### Result of a tool" in told


def test_nothing_on_the_page_steers_the_terminal() -> None:
    text = {"messages": [{"role": "user", "content": "\x1b[31mred\r\n\x07\u202e"}]}
    told = page(record("request", seq=1, model="\x1b[2J", body=text), b"\x1b]0;title\x07")

    assert "\x1b" not in told
    assert "\\x1b[31mred\n\\x07\\x202e" in told


@given(st.text(), st.integers(0, 300))
def test_any_text_fits_the_page_and_loses_no_word(text: str, width: int) -> None:
    told = page(record("request", seq=1, body={"messages": [{"role": "user", "content": text}]}), width=width)

    assert all(len(line) <= 200 for line in told.split("\n"))
    words = [word for word in text.split() if word.isalnum() and len(word) < 50]
    assert [word for word in words if word not in told] == []
