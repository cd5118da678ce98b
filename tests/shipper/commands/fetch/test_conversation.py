"""What is new in each call of a session, as values."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.conversation import Answered, Asked, Fork, Opening, Other, turns
from shipper.commands.fetch.message import Kind

CONTRACT = Path(__file__).parents[3] / "contract"
META = {"ts": "2026-11-23T10:15:00.123456789Z", "session": "20261123-101500-a1b2c3d4"}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def request(seq: int, *messages: Any, **body: Any) -> bytes:
    text = orjson.dumps({"model": "m", **({"messages": messages} if messages else {}), **body}).decode()
    return orjson.dumps({"type": "request", "_meta": META, "seq": seq, "path": "/v1/messages", "body": text})


def response(seq: int, *blocks: Any, **fields: Any) -> bytes:
    body = orjson.dumps({"type": "message", "content": blocks}).decode()
    return orjson.dumps(
        {"type": "response", "_meta": META, "seq": seq, "status": 200, "body": body, **fields}
    )


def answer(seq: int, text: str) -> bytes:
    return response(seq, {"type": "text", "text": text})


def asked(*lines: bytes) -> list[tuple[list[str], str]]:
    """Return what is new in each request, and how it stands to the others."""
    return [
        ([block.text for message in turn.messages for block in message.blocks], turn.note)
        for turn in turns(lines)
        if isinstance(turn, Asked)
    ]


def test_a_repeated_history_is_left_out() -> None:
    first = user("one")
    second = [first, said("two"), user("three")]
    third = [*second, said("four"), user("five")]

    assert asked(
        request(1, first), answer(1, "two"), request(2, *second), answer(2, "four"), request(3, *third)
    ) == [(["one"], ""), (["three"], ""), (["five"], "")]


def test_moved_cache_markers_make_nothing_new() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "one", "cache_control": {"type": "x"}}]}

    assert asked(
        request(1, marked), answer(1, "two"), request(2, user("one"), said("two"), user("three"))
    ) == [
        (["one"], ""),
        (["three"], ""),
    ]


def test_an_answer_that_is_not_on_record_is_shown_as_the_client_repeats_it() -> None:
    assert asked(request(1, user("one")), request(2, user("one"), said("two"), user("three")))[1] == (
        ["two", "three"],
        "",
    )


def test_calls_that_do_not_continue_the_one_before_say_so() -> None:
    history = [user("one"), said("two"), user("three")]
    lines = [
        request(1, user("one")),
        answer(1, "two"),
        request(2, *history),
        request(3, *history),
        request(4, user("one"), said("two"), user("other")),
        request(5, user("sub"), said("agent"), user("task")),
        request(6, user("title?")),
        request(8, user("one"), said("two!"), user("aside")),
        request(7, *history[:2], user("x"), said("y")),
    ]

    assert asked(*lines)[2:] == [
        ([], "The same messages as in call 2."),
        (["other"], "Leaves the history of call 2 after its message 2."),
        (["sub", "agent", "task"], "A history of its own: it continues no call above."),
        (["title?"], ""),
        (["aside"], "Continues call 1."),
        (["x", "y"], "Leaves the history of call 2 after its message 2."),
    ]


def test_a_system_prompt_is_shown_once() -> None:
    found = [
        turn.system
        for turn in turns(
            [
                request(1, user("a"), system="be good"),
                request(2, user("b"), system=[{"type": "text", "text": "be terse"}]),
                request(3, user("c"), system="be good"),
                request(4, instructions="be kind", input="hello"),
            ]
        )
        if isinstance(turn, Asked)
    ]

    assert found == ["be good", "be terse", "", "be kind"]


def test_items_of_responses_and_messages_of_chat_are_read_alike() -> None:
    items = [
        user("list the files"),
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "1", "name": "shell", "arguments": '{"command":["ls"]}'},
        {"type": "function_call_output", "call_id": "1", "output": "a.txt"},
    ]
    chat = [
        user("list the files"),
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "1", "function": {"name": "shell", "arguments": '{"command":["ls"]}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "a.txt"},
    ]

    def blocks(line: bytes) -> list[tuple[str, str, str]]:
        (turn,) = turns([line])
        assert isinstance(turn, Asked)
        return [(each.kind, each.name, each.text) for message in turn.messages for each in message.blocks]

    assert (
        blocks(request(1, input=items))
        == blocks(request(1, *chat))
        == [
            (Kind.TEXT, "", "list the files"),
            (Kind.THINKING, "", "hm"),
            (Kind.TOOL_CALL, "shell", 'command: ["ls"]'),
            (Kind.TOOL_RESULT, "", "a.txt"),
        ]
    )


def test_where_the_provider_keeps_the_history_nothing_is_said_to_be_new() -> None:
    lines = [
        request(1, input="one"),
        request(2, input=[user("two"), user("three")], previous_response_id="resp_1"),
    ]

    assert asked(*lines)[1] == (["two", "three"], "")


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        (
            request(1, unknown=[{"parts": [{"text": "hi"}]}]),
            '{"model":"m","unknown":[{"parts":[{"text":"hi"}]}]}',
        ),
        (b'{"type":"request","body":"no json"}', "no json"),
        (b'{"type":"request","body":"//4AAQ==","body_encoding":"base64"}', "[4 bytes that are no text]"),
        (
            b'{"type":"request","omitted":{"bytes":5000,"reason":"log_bodies"}}',
            "[5,000 bytes left out: log_bodies]",
        ),
        (b'{"type":"response","body":"<html>"}', "<html>"),
        (b'{"type":"response","chunks":[{"raw":"{}\\n"}]}', "{}\n"),
        (b'{"type":"response","chunks":[{"raw":"AP8=","body_encoding":"base64"}]}', "\x00\ufffd"),
    ],
)
def test_what_cannot_be_read_is_shown_as_it_is(line: bytes, plain: str) -> None:
    (turn,) = turns([line])

    assert isinstance(turn, Asked | Answered)
    assert turn.plain == plain


def test_golden_lines_become_turns() -> None:
    names = ["session_start", "fork", "request", "response_with_body", "response_broken_off"]
    opening, fork, request_, response_, broken = turns(
        (CONTRACT / f"{name}.jsonl").read_bytes().strip() for name in names
    )

    assert isinstance(opening, Opening)
    assert (opening.session, opening.provider) == ("20261123-101500-a1b2c3d4", "anthropic")
    assert fork == Fork("20261123-093000-0f1e2d3c", 7)
    assert isinstance(request_, Asked)
    assert (request_.agent, request_.model) == ("agent-7", "claude-sonnet-5-5")
    assert isinstance(response_, Answered)
    assert [each.text for each in response_.blocks] == ["Hi 🚀"]
    assert response_.tokens["output_tokens"] == 23
    assert isinstance(broken, Answered)
    assert broken.error == "upstream: api.anthropic.com broke off: the connection was closed"


def test_every_golden_line_is_a_turn_of_its_own() -> None:
    for path in CONTRACT.glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            (turn,) = turns([line])
            assert not isinstance(turn, Other)


_VALUES = st.recursive(
    st.none() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
_FIELDS = ["_meta", "seq", "body", "chunks", "error", "timing", "usage", "omitted", "status", "body_encoding"]


@given(
    st.sampled_from(["session_start", "fork", "request", "response", "x"]),
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=8),
)
def test_fields_of_any_kind_do_no_harm(kind: str, fields: dict[str, Any]) -> None:
    assert len(list(turns([orjson.dumps({**fields, "type": kind})]))) == 1


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=5), max_size=6))
def test_each_message_is_shown_once_in_the_history_it_belongs_to(calls: list[list[str]]) -> None:
    lines = [request(seq, *map(user, texts)) for seq, texts in enumerate(calls, 1) if texts]
    prefixes: set[tuple[str, ...]] = set()
    for texts, (new, _) in zip(filter(None, calls), asked(*lines), strict=True):
        own = [tuple(texts[: n + 1]) for n in range(len(texts))]
        assert new == [each[-1] for each in own if each not in prefixes]
        prefixes.update(own)


def test_a_line_that_is_no_record_is_shown() -> None:
    assert list(turns([b"\xff no json"])) == [Other("\ufffd no json")]
