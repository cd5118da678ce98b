"""What clients and models say to each other, out of the dialects of the providers.

A message's shape tells what it is, not the host: Anthropic's content blocks, OpenAI's chat messages and the
items of its responses have names that do not clash. ``dialects`` puts all others into these.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from shipper.commands.fetch.dialects.registry import as_message, system_of
from shipper.commands.fetch.document import Json, object_in, objects_in, parse_object, text_in

_MESSAGES = ("messages", "input", "contents", "prompt")


class Kind(StrEnum):
    """What a block is."""

    TEXT = "text"
    THINKING = "thinking"
    TOOL_CALL = "tool call"
    TOOL_RESULT = "tool result"
    IMAGE = "image"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a message. A tool call has its input as ``text``; ``id`` joins it to its result.

    ``image`` is an address, or a ``data:`` address with the image itself; ``images`` are those of a result.
    """

    kind: Kind
    text: str = ""
    name: str = ""
    id: str = ""
    failed: bool = False
    image: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """Blocks of one speaker; ``role`` is as the dialect names it: user, assistant, system, tool."""

    role: str
    blocks: tuple[Block, ...]


def name_of_messages(body: Json) -> str:
    """Return the name of the member that holds a request's messages; empty where none is known."""
    return next((name for name in _MESSAGES if _holds_messages(body.get(name))), "")


def messages_in(body: Json) -> list[Any] | None:
    """Return a request's messages as they stand there; None where it has none that is known."""
    value = body.get(name_of_messages(body))
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


def _holds_messages(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(each, dict) for each in value)
    )


def system_in(body: Json) -> str:
    """Return the system prompt that stands apart from the messages."""
    told = text_in(body, "instructions") or text_of(body.get("system"))
    return told or text_of(as_message(system_of(body)).get("content"))


def tools_in(body: Json) -> str:
    """Return the tools that a request offers, as JSON with a line a field; empty where there are none."""
    tools = body.get("tools") or object_in(body, "toolConfig").get("tools")
    if not tools:
        return ""
    try:
        return orjson.dumps(tools, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        # Nested deeper than orjson writes.
        return "[…]"


def message_of(raw: Json) -> Message:
    """Return a message, or an item of a response, as blocks."""
    raw = as_message(raw)
    kind = text_in(raw, "type")
    if kind in _BLOCKS:
        block = _BLOCKS[kind](raw)
        return Message("tool" if block.kind is Kind.TOOL_RESULT else "assistant", (block,))
    role = text_in(raw, "role") or "assistant"
    if role in {"tool", "function"}:
        result = Block(Kind.TOOL_RESULT, text_of(raw.get("content")), id=text_in(raw, "tool_call_id"))
        return Message(role, (result,))
    return Message(role, tuple(filter(_says_something, _blocks_of_message(raw))))


def block_of(raw: Json) -> Block:
    """Return a block of content."""
    read = _BLOCKS.get(text_in(raw, "type"))
    return read(raw) if read else _unknown(raw)


def text_of(content: Any) -> str:
    """Return content as one text; what is no text is named in brackets."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            block_of(each).text if isinstance(each, dict) else _written(each) for each in content
        )
    return "" if content is None else _written(content)


def _blocks_of_message(raw: Json) -> Iterator[Block]:
    thought = text_in(raw, "reasoning_content") or text_in(raw, "reasoning")
    yield Block(Kind.THINKING, thought)
    content = raw.get("content")
    if isinstance(content, list):
        yield from (block_of(each) for each in content if isinstance(each, dict))
    else:
        yield Block(Kind.TEXT, text_of(content))
    yield Block(Kind.TEXT, text_in(raw, "refusal"))
    yield from map(_chat_call, objects_in(raw, "tool_calls"))
    if called := object_in(raw, "function_call"):
        yield _chat_call({"function": called})


def _says_something(block: Block) -> bool:
    return bool(block.text) or block.kind in {Kind.TOOL_CALL, Kind.TOOL_RESULT}


def _chat_call(raw: Json) -> Block:
    called = object_in(raw, "function") or object_in(raw, "custom")
    given = called.get("arguments", called.get("input"))
    return Block(Kind.TOOL_CALL, _input(given), text_in(called, "name"), text_in(raw, "id"))


def _call(name_of_input: str, name_of_id: str) -> Callable[[Json], Block]:
    def read(raw: Json) -> Block:
        given = _input(raw.get(name_of_input))
        return Block(Kind.TOOL_CALL, given, text_in(raw, "name"), text_in(raw, name_of_id))

    return read


def _result(name_of_content: str, name_of_id: str) -> Callable[[Json], Block]:
    def read(raw: Json) -> Block:
        text = text_of(raw.get(name_of_content))
        failed = raw.get("is_error") is True
        seen = [block_of(each).image for each in objects_in(raw, name_of_content)]
        images = tuple(filter(None, seen))
        return Block(Kind.TOOL_RESULT, text, id=text_in(raw, name_of_id), failed=failed, images=images)

    return read


def _text(name: str, kind: Kind = Kind.TEXT) -> Callable[[Json], Block]:
    return lambda raw: Block(kind, text_in(raw, name))


def _reasoning(raw: Json) -> Block:
    parts = [*objects_in(raw, "summary"), *objects_in(raw, "content")]
    return Block(Kind.THINKING, "\n\n".join(text_in(each, "text") for each in parts))


def _image(raw: Json) -> Block:
    source = object_in(raw, "source")
    address = (
        text_in(source, "url") or text_in(raw, "image_url") or text_in(object_in(raw, "image_url"), "url")
    )
    if data := text_in(source, "data"):
        address = f"data:{text_in(source, 'media_type')};base64,{data}"
    return Block(Kind.IMAGE, "[image]", image=address)


def _unknown(raw: Json) -> Block:
    if isinstance(raw.get("text"), str):
        return Block(Kind.TEXT, raw["text"])
    return Block(Kind.OTHER, f"[{text_in(raw, 'type') or 'no text'}]")


_BLOCKS: dict[str, Callable[[Json], Block]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "reasoning_text"), _text("text")),
    "refusal": _text("refusal"),
    **dict.fromkeys(("image", "input_image", "image_url"), _image),
    "thinking": _text("thinking", Kind.THINKING),
    "redacted_thinking": lambda _: Block(Kind.THINKING, "[encrypted]"),
    "reasoning": _reasoning,
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use"), _call("input", "id")),
    "tool_result": _result("content", "tool_use_id"),
    "mcp_tool_result": _result("content", "tool_use_id"),
    "web_search_tool_result": _result("content", "tool_use_id"),
    "function_call": _call("arguments", "call_id"),
    "custom_tool_call": _call("input", "call_id"),
    "mcp_call": _call("arguments", "id"),
    "function_call_output": _result("output", "call_id"),
    "custom_tool_call_output": _result("output", "call_id"),
}


def _input(given: Any) -> str:
    """Return a tool's input, a line a field; what is no object stays as it is."""
    fields = parse_object(given) if isinstance(given, str) else given
    if not isinstance(fields, dict):
        return "" if given is None else _written(given)
    return "\n".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: Any) -> str:
    written = _written(value)
    return f"{name}:\n{written}" if "\n" in written else f"{name}: {written}"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Nested deeper than orjson writes.
        return "[…]"
