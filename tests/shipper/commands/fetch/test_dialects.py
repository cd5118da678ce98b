"""Conversations of Gemini, Converse, Ollama and older APIs, read as the others are."""

import base64
import json
from typing import Any

import pytest

from shipper.commands.fetch.conversation import Answered, Asked, turns
from shipper.commands.fetch.message import Block, Kind
from tests.event_stream import event_frames, frame

CALL = Block(Kind.TOOL_CALL, "path: /a", "Read", "t1")
SAID = Block(Kind.TEXT, "Hello")
GEMINI: list[dict[str, Any]] = [
    {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]},
    {"candidates": [{"content": {"parts": [{"text": "lo"}]}}]},
    {
        "candidates": [
            {"content": {"parts": [{"functionCall": {"id": "t1", "name": "Read", "args": {"path": "/a"}}}]}}
        ],
        "usageMetadata": {},
    },
]
CONVERSE: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Hel"}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"text": "lo"}, "contentBlockIndex": 0}},
    {
        "contentBlockStart": {
            "start": {"toolUse": {"toolUseId": "t1", "name": "Read"}},
            "contentBlockIndex": 1,
        }
    },
    {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"path":'}}, "contentBlockIndex": 1}},
    {"contentBlockDelta": {"delta": {"toolUse": {"input": '"/a"}'}}, "contentBlockIndex": 1}},
    {"messageStop": {"stopReason": "tool_use"}},
]
OLLAMA: list[dict[str, Any]] = [
    {"message": {"content": "Hel"}, "done": False},
    {"message": {"content": "lo"}, "done": True},
]
INTERACTIONS: list[dict[str, Any]] = [
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hel"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "lo"}},
    {"event_type": "interaction.completed", "interaction": {}},
]


def sse(*events: Any) -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in events)


def answered(**body: Any) -> Answered:
    line = json.dumps({"type": "response", "seq": 1, "status": 200, "headers": {}, **body}).encode()
    (turn,) = turns([line])
    assert isinstance(turn, Answered)
    return turn


def asked(document: dict[str, Any]) -> Asked:
    line = json.dumps({"type": "request", "seq": 1, "path": "/x", "body": json.dumps(document)}).encode()
    (turn,) = turns([line])
    assert isinstance(turn, Asked)
    return turn


def chunk(data: bytes) -> list[dict[str, Any]]:
    return [{"body_encoding": "base64", "raw": base64.b64encode(data).decode()}]


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ({"chunks": [{"raw": sse(*GEMINI)}]}, (SAID, CALL)),
        ({"body": json.dumps(GEMINI)}, (SAID, CALL)),
        ({"chunks": [{"raw": sse(*INTERACTIONS)}]}, (SAID,)),
        ({"chunks": chunk(event_frames(*CONVERSE))}, (SAID, CALL)),
        ({"chunks": [{"raw": "".join(json.dumps(each) + "\n" for each in OLLAMA)}]}, (SAID,)),
        ({"body": json.dumps({"response": "Hello", "done": True})}, (SAID,)),
        ({"body": json.dumps({"type": "completion", "completion": "Hello"})}, (SAID,)),
        ({"body": json.dumps({"candidates": [{"content": {"parts": [{"text": "Hello"}]}}]})}, (SAID,)),
        ({"body": json.dumps({"output": {"message": {"content": [{"text": "Hello"}]}}})}, (SAID,)),
        (
            {"body": json.dumps({"object": "interaction", "steps": [{"type": "text", "text": "Hello"}]})},
            (SAID,),
        ),
    ],
)
def test_an_answer_is_read_in_every_dialect(body: dict[str, Any], blocks: tuple[Block, ...]) -> None:
    turn = answered(**body)

    assert turn.blocks == blocks
    assert turn.plain == ""


def test_an_exception_in_an_event_stream_is_told() -> None:
    data = event_frames(*CONVERSE[:2]) + frame(
        {"message": "slow"}, message_type="exception", exception_type="throttlingException"
    )
    turn = answered(chunks=chunk(data))

    assert turn.error == "throttlingException: slow"
    assert turn.blocks == (Block(Kind.TEXT, "Hel"),)


@pytest.mark.parametrize(
    "document",
    [
        {
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        },
        {"system": [{"text": "Be kind."}], "messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]},
    ],
)
def test_a_request_is_read_in_every_dialect(document: dict[str, Any]) -> None:
    turn = asked(document)

    assert turn.messages[-1].blocks == (Block(Kind.TEXT, "Hi"),)
    assert turn.system == "Be kind." or turn.messages[0].blocks == (Block(Kind.TEXT, "Be kind."),)


def test_tool_results_are_read() -> None:
    gemini = {
        "role": "user",
        "parts": [{"functionResponse": {"id": "t1", "name": "Read", "response": {"a": 1}}}],
    }
    result = {"toolUseId": "t1", "content": [{"text": "gone"}], "status": "error"}
    converse = {"role": "user", "content": [{"toolResult": result}]}

    (told,) = asked({"contents": [gemini]}).messages[0].blocks
    (failed,) = asked({"messages": [converse]}).messages[0].blocks

    assert (told.kind, told.id, told.text) == (Kind.TOOL_RESULT, "t1", '{"a":1}')
    assert (failed.kind, failed.id, failed.text, failed.failed) == (Kind.TOOL_RESULT, "t1", "gone", True)
