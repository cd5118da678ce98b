"""A model's answer, read out of the bodies and streams of the fake provider and of others."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.commands.fetch.message import Block, Kind
from shipper.commands.fetch.reply import reply_in, streamed_reply
from tests.fakes.provider import chat, messages, responses
from tests.fakes.provider.answer import THOUGHT, Answer
from tests.fakes.provider.order import Order, ToolUse

Dialect = Callable[[Order, dict[str, Any], int], Answer]
DIALECTS = [
    pytest.param(messages.answer, id="messages"),
    pytest.param(chat.answer, id="chat"),
    pytest.param(responses.answer, id="responses"),
]
ORDER = Order(
    text="A short\nanswer: café 🚀.",
    deltas=7,
    tools=(ToolUse("Bash", {"command": "ls -l", "lines": 3}), ToolUse("Read", {"path": "/a"})),
)


def streamed(dialect: Dialect, order: Order) -> str:
    events = dialect(order, {"stream": True, "model": "m"}, 100).events
    assert events
    return b"".join(events).decode()


def told(blocks: tuple[Block, ...]) -> list[tuple[Kind, str, str]]:
    return [(each.kind, each.name, each.text) for each in blocks]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_tells_the_same_as_a_body(dialect: Dialect) -> None:
    whole = reply_in(dialect(ORDER, {"model": "m"}, 100).whole.decode())
    stream = streamed_reply(streamed(dialect, ORDER))

    assert whole
    assert stream
    assert told(stream.blocks) == told(whole.blocks)
    assert told(whole.blocks) == [
        (Kind.TEXT, "", ORDER.text),
        (Kind.TOOL_CALL, "Bash", "command: ls -l\nlines: 3"),
        (Kind.TOOL_CALL, "Read", "path: /a"),
    ]
    assert all(each.id for each in stream.blocks if each.kind is Kind.TOOL_CALL)
    assert whole.failure == stream.failure == ""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_breaks_off_tells_what_came(dialect: Dialect) -> None:
    events = dialect(
        Order(text="one two three four five", deltas=6), {"stream": True, "model": "m"}, 1
    ).events
    assert events
    spoken = next(n for n, event in enumerate(events) if b"two" in event)

    reply = streamed_reply(b"".join(events[: spoken + 1]).decode())

    assert reply
    (block,) = reply.blocks
    assert block.text.startswith("one two")
    assert "five" not in block.text


def test_thinking_is_a_block_of_its_own() -> None:
    order = Order(text="yes", thinking=True, deltas=3)
    reply = streamed_reply(streamed(messages.answer, order))

    assert reply
    assert told(reply.blocks) == [(Kind.THINKING, "", THOUGHT), (Kind.TEXT, "", "yes")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_is_told_from_a_body_and_amid_a_stream(dialect: Dialect) -> None:
    module: Any = messages if dialect is messages.answer else chat
    made = dialect(Order(deltas=3, message="Too much"), {"stream": True, "model": "m"}, 100)
    assert made.events

    body = reply_in(module.refusal(Order(status=429, message="Slow down")).whole.decode())
    stream = streamed_reply(b"".join([*made.events[:3], made.error]).decode())

    assert body
    assert "Slow down" in body.failure
    assert stream
    assert "Too much" in stream.failure


@pytest.mark.parametrize(
    "text", ["", "no json", "[1]", "{}", '{"object":"list"}', "data: {}\n\n", "event: x\n\ndata: [DONE]\n\n"]
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert reply_in(text) is None
    assert streamed_reply(text) is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_events_may_end_in_any_way(end: str) -> None:
    text = streamed(messages.answer, ORDER).replace("\n", end)

    reply = streamed_reply(text)

    assert reply
    assert reply.blocks[0].text == ORDER.text


def test_reasoning_and_several_choices_of_chat() -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"index": 1, "delta": {"content": "two"}}, {"index": 0, "delta": {"content": "one"}}]},
    ]
    reply = streamed_reply("".join(f"data: {orjson.dumps(each).decode()}\n\n" for each in chunks))

    assert reply
    assert told(reply.blocks) == [(Kind.THINKING, "", "hm"), (Kind.TEXT, "", "one"), (Kind.TEXT, "", "two")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "text", "tool_use", "message"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "content",
                    "index",
                    "delta",
                    "choices",
                    "message",
                    "output",
                    "error",
                    "text",
                    "content_block",
                    "item",
                    "output_index",
                    "tool_calls",
                    "function",
                    "object",
                    "input",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
_TYPES = [
    "content_block_start",
    "content_block_delta",
    "response.output_item.done",
    "error",
    "message",
    "response.output_text.delta",
    "response.completed",
    "response.function_call_arguments.delta",
]


@given(st.lists(st.tuples(st.sampled_from(_TYPES), st.dictionaries(st.text(max_size=3), _JSON) | _JSON)))
def test_events_of_any_shape_do_no_harm(events: list[tuple[str, Any]]) -> None:
    documents = [
        {**(each if isinstance(each, dict) else {"delta": each}), "type": kind} for kind, each in events
    ]
    text = "".join(f"data: {orjson.dumps(each).decode()}\n\n" for each in documents)

    streamed_reply(text)
    for each in documents:
        reply_in(orjson.dumps(each).decode())
