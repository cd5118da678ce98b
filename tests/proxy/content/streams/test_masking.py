from typing import Any

import orjson
import pytest

from proxy.content.streams.masking import mask_stream


def hide(text: str) -> tuple[str, int]:
    return text.replace("Falcon", "[redacted]"), text.count("Falcon")


def sse(*events: dict[str, Any], end: str = "\n") -> str:
    return "".join(f"event: x{end}data: {orjson.dumps(each).decode()}{end}{end}" for each in events)


def responses(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "item_id": "i1", "content_index": 0, "delta": text}


def chat(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


def arguments(text: str) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]
    }


def tool(text: str) -> dict[str, Any]:
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": 1, "delta": delta}


@pytest.mark.parametrize("dialect", [responses, chat, arguments, tool])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spans_two_deltas_is_masked_in_every_dialect(dialect: Any, end: str) -> None:
    masked, hits = mask_stream(sse(dialect("Fal"), dialect("con!"), end=end), hide)

    assert hits == 1
    assert "[redacted]!" in masked[0]
    assert "con" not in masked[1].replace("content", "")


@pytest.mark.parametrize(
    "line",
    [
        lambda text: {"message": {"content": text}, "done": False},
        lambda text: {"response": text, "done": False},
    ],
)
def test_lines_of_json_are_masked_as_well(line: Any) -> None:
    text = "".join(orjson.dumps(line(part)).decode() + "\n" for part in ("Fal", "con"))
    masked, hits = mask_stream(text, hide)

    assert hits == 1
    assert "".join(masked).count("[redacted]") == 1


def test_what_stands_in_one_event_is_masked_where_it_stands() -> None:
    text = sse({"type": "message_start", "note": "Falcon"}) + "data: [DONE]\n\n"
    masked, hits = mask_stream(text, hide)

    assert hits == 1
    assert "".join(masked) == text.replace("Falcon", "[redacted]")


def test_blocks_are_not_joined_with_one_another() -> None:
    first = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Fal"}}
    second = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "con"}}

    assert mask_stream(sse(first, second), hide)[1] == 0


@pytest.mark.parametrize(
    "odd", ["", "\n\n", "data: {\n\n", "data: 7\n\n", 'data: {"choices":[7,{"delta":null}]}\n\n']
)
def test_odd_streams_pass(odd: str) -> None:
    masked, hits = mask_stream(odd, hide)

    assert hits == 0
    assert "".join(masked).strip() == odd.strip()
