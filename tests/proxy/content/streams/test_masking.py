"""What is to be masked is found wherever a model said it: across deltas, escapes and framings."""

import base64
import json
import re
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.redact.patterns import compile_patterns
from proxy.content.streams.frames import FrameReader, frame_bytes
from proxy.content.streams.masking import joined, mask_body, mask_chunks, mask_messages, mask_stream

MASK = compile_patterns(["Jürgen Falcon"])
assert MASK is not None
FIRST, SECOND = "I am Jürgen ", "Falcon, hello"


def sse(*events: Any, end: str = "\n", blank: str = "") -> bytes:
    lines = (f"event: x{end}data: {json.dumps(each)}{end}{blank or end}" for each in events)
    return "".join(lines).encode()


def raw_sse(*events: Any) -> bytes:
    """JSON as JavaScript writes it, with the ends of lines of Unicode in it."""
    return "".join(f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in events).encode()


def lines(*events: Any) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in events).encode()


def listed(*events: Any) -> bytes:
    return json.dumps(events, indent=1).encode()


def frames(*events: Any) -> bytes:
    told = [
        frame_bytes({":message-type": "event", ":event-type": name}, json.dumps(payload).encode())
        for each in events
        for name, payload in each.items()
    ]
    return b"".join(told)


def carried(*events: Any) -> bytes:
    inner = [base64.b64encode(json.dumps(each).encode()).decode() for each in events]
    return frames(*({"chunk": {"bytes": each, "p": "abc"}} for each in inner))


def anthropic(text: str) -> Any:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def arguments(text: str) -> Any:
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": 1, "delta": delta}


def completion(text: str) -> Any:
    return {"type": "completion", "completion": text}


def chat(text: str) -> Any:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


def reasoning(text: str) -> Any:
    return {"choices": [{"index": 0, "delta": {"reasoning_content": text}}]}


def chat_arguments(text: str) -> Any:
    call = {"index": 0, "function": {"arguments": text}}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def completions(text: str) -> Any:
    return {"choices": [{"index": 0, "text": text}]}


def responses(text: str) -> Any:
    return {"type": "response.output_text.delta", "item_id": "i1", "content_index": 0, "delta": text}


def assistants(text: str) -> Any:
    content = [{"index": 0, "type": "text", "text": {"value": text}}]
    return {"object": "thread.message.delta", "id": "m", "delta": {"content": content}}


def gemini(text: str) -> Any:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, "index": 0}]}


def interactions(text: str) -> Any:
    return {"event_type": "content.delta", "index": 0, "delta": {"type": "text", "text": text}}


def converse(text: str) -> Any:
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}


def converse_arguments(text: str) -> Any:
    return {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}, "contentBlockIndex": 0}}


def llama(text: str) -> Any:
    return {"generation": text, "stop_reason": None}


def ollama(text: str) -> Any:
    return {"model": "m", "message": {"content": text}, "done": False}


def generate(text: str) -> Any:
    return {"model": "m", "response": text, "done": False}


def transcript(text: str) -> Any:
    return {"type": "transcript.text.delta", "delta": text}


def of_no_dialect(text: str) -> Any:
    return {"kind": "delta", "parts": [{"said": {"words": text}}]}


STREAMS = {
    "anthropic": sse(anthropic(FIRST), anthropic(SECOND)),
    "a tool's arguments": sse(arguments('{"name": "J\\u00fcrgen '), arguments('Falcon"}')),
    "anthropic complete": sse(completion(FIRST), completion(SECOND)),
    "anthropic on bedrock": carried(anthropic(FIRST), anthropic(SECOND)),
    "chat": sse(chat(FIRST), chat(SECOND)),
    "reasoning": sse(reasoning(FIRST), reasoning(SECOND)),
    "arguments of chat": sse(chat_arguments('{"name": "J\\u00fcrgen '), chat_arguments('Falcon"}')),
    "completions": sse(completions(FIRST), completions(SECOND)),
    "responses": sse(responses(FIRST), responses(SECOND)),
    "assistants": sse(assistants(FIRST), assistants(SECOND)),
    "gemini": sse(gemini(FIRST), gemini(SECOND)),
    "gemini as a list": listed(gemini(FIRST), gemini(SECOND)),
    "gemini's list, broken off": listed(gemini(FIRST), gemini(SECOND), 7)[:-4],
    "interactions": sse(interactions(FIRST), interactions(SECOND)),
    "converse": frames(converse(FIRST), converse(SECOND)),
    "arguments of converse": frames(converse_arguments(FIRST), converse_arguments(SECOND)),
    "llama on bedrock": carried(llama(FIRST), llama(SECOND)),
    "ollama": lines(ollama(FIRST), ollama(SECOND)),
    "ollama about data:": lines(ollama("data: x " + FIRST), ollama(SECOND)),
    "ollama generate": lines(generate(FIRST), generate(SECOND)),
    "a transcript of speech": sse(transcript(FIRST), transcript(SECOND)),
    "no dialect": sse(of_no_dialect(FIRST), of_no_dialect(SECOND)),
    "no dialect, in lines": lines(of_no_dialect(FIRST), of_no_dialect(SECOND)),
    "returns and new lines": sse(chat(FIRST), chat(SECOND), end="\r\n"),
    "returns": sse(chat(FIRST), chat(SECOND), end="\r"),
    "ends that differ": sse(chat(FIRST), end="\r\n") + sse(chat(SECOND), end="\n", blank="\r\n"),
    "a mark of byte order": b"\xef\xbb\xbf" + sse(chat(FIRST), chat(SECOND)),
    "ends of lines within a text": raw_sse(chat("\u2028\x85" + FIRST), chat(SECOND)),
    "no end": sse(chat(FIRST), chat(SECOND)).rstrip(),
    "an escape broken off": sse(chat(f"{FIRST}{SECOND}"))[:-9],
    "a lone surrogate": sse(chat("\ud800" + FIRST), chat(SECOND)),
    "halves of a pair": sse(chat(FIRST), chat(SECOND + "\ud83d"), chat("\ude00")),
}


def pieces_of(stream: bytes) -> list[Any]:
    """Cut a stream as the recorder gets it: text where it is text, else bytes."""
    try:
        text = stream.decode()
    except UnicodeDecodeError:
        return [stream[at : at + 7] for at in range(0, len(stream), 7)]
    return [text[at : at + 7] for at in range(0, len(text), 7)]


FIELDS = (
    "text|partial_json|completion|content|reasoning_content|arguments|delta|value|input|generation|response"
    "|words"
)
TEXTS = re.compile(rf'"(?:{FIELDS})":\s*"((?:[^"\\]|\\.)*)')
HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{0,3})?$")


def said(data: bytes) -> str:
    """Return all texts of a stream, one after the other, as a reader of the record joins them."""
    if data[:1] == b"\0":
        payloads = [each.payload for each in FrameReader().feed(data)]
        data = b"\n".join(
            base64.b64decode(json.loads(each)["bytes"]) if b'"bytes"' in each else each for each in payloads
        )
    return "".join(map(unescaped, TEXTS.findall(data.decode())))


def unescaped(literal: str) -> str:
    try:
        return str(json.loads(f'"{literal}"'))
    except json.JSONDecodeError:  # it broke off within an escape
        return str(json.loads(f'"{HALF_ESCAPE.sub("", literal)}"'))


@pytest.mark.parametrize("case", STREAMS)
def test_what_spans_two_events_is_masked(case: str) -> None:
    assert MASK is not None
    found = mask_chunks(pieces_of(STREAMS[case]), MASK)
    assert found is not None
    masked, hits = found

    assert hits == 1
    assert "Falcon" in said(STREAMS[case])
    assert "Falcon" not in said(joined(masked))
    assert "[redacted]" in said(joined(masked))


@pytest.mark.parametrize("case", [each for each in STREAMS if STREAMS[each][:1] != b"\0"])
def test_a_stream_under_any_content_type_is_masked_as_one(case: str) -> None:
    assert MASK is not None
    masked, hits = mask_body(STREAMS[case].decode(), MASK)

    assert hits == 1
    assert "Falcon" not in said(masked.encode())


def test_messages_of_a_websocket_are_masked_one_for_one() -> None:
    assert MASK is not None
    messages = [json.dumps(responses(each)) for each in (FIRST, SECOND)]
    found = mask_messages([*messages, "no JSON"], MASK)

    assert found is not None
    assert [json.loads(str(each))["delta"] for each in found[0][:2]] == ["I am [redacted], hello", ""]
    assert found[0][2] == "no JSON"
    assert mask_messages([*messages, b"\xff"], MASK) is None


def test_blocks_without_a_hit_stay_as_they_came() -> None:
    assert MASK is not None
    other = [{**anthropic(each), "index": 3} for each in ("one", "two")]
    stream = sse(anthropic(FIRST), other[0], anthropic(SECOND), other[1]).decode()
    masked, _ = mask_stream(stream, MASK)

    assert masked[1::2] == [sse(each).decode() for each in other]


def test_a_message_that_broke_off_is_left_out_and_headers_are_masked() -> None:
    assert MASK is not None
    failed = frame_bytes({":exception-type": "x", ":error-message": FIRST + SECOND}, b"")
    stream = frames(converse("Hi")) + failed + frames(converse(FIRST + SECOND))[:-9]
    found = mask_chunks([stream], MASK)

    assert found is not None
    (first, second), hits = found
    assert hits == 1
    assert FrameReader().feed(joined([first])) == FrameReader().feed(frames(converse("Hi")))
    assert b"[redacted]" in joined([second])


@pytest.mark.parametrize(
    "stream",
    [
        b"\xff\xfe",
        b"\0\0\0\0" * 9,
        frame_bytes({":event-type": "audio"}, b"\xff\xfe"),
        struct.pack(">III", 16, 0, zlib.crc32(struct.pack(">II", 16, 0))) + b"\xff\xff\xff\xff\xff" * 4,
    ],
)
def test_bytes_that_cannot_be_searched_are_not_shown(stream: bytes) -> None:
    assert MASK is not None
    assert mask_chunks([stream], MASK) is None


TEXT = st.text(st.characters(exclude_categories=()), max_size=9)


@given(TEXT, TEXT, st.integers(0, 13), st.sampled_from([sse, lines, listed]))
def test_wherever_a_text_is_cut_it_is_masked(before: str, after: str, cut: int, framed: Any) -> None:
    assert MASK is not None
    text = "Jürgen Falcon"
    stream = framed(chat(before + text[:cut]), chat(text[cut:] + after)).decode()

    assert text in said(stream.encode())
    assert text not in said(joined(mask_stream(stream, MASK)[0]))


def test_what_stands_in_one_event_is_masked_where_it_stands() -> None:
    assert MASK is not None
    text = "data: " + json.dumps({"type": "message_start", "note": "Jürgen Falcon"}) + "\n\ndata: [DONE]\n\n"
    masked, hits = mask_stream(text, MASK)

    assert hits == 1
    assert joined(masked).decode() == text.replace("J\\u00fcrgen Falcon", "[redacted]")


def test_blocks_are_not_joined_with_one_another() -> None:
    assert MASK is not None
    blocks = (anthropic(FIRST), {**anthropic(SECOND), "index": 1})

    assert mask_stream(sse(*blocks).decode(), MASK)[1] == 0


@pytest.mark.parametrize(
    "odd", ["", "\n\n", "data: {\n\n", "data: 7\n\n", 'data: {"choices":[7,{"delta":null}]}\n\n']
)
def test_odd_streams_pass(odd: str) -> None:
    assert MASK is not None
    masked, hits = mask_stream(odd, MASK)

    assert hits == 0
    assert joined(masked).decode().strip() == odd.strip()
