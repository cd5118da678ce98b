"""What an assistant said, the same whether it is read from an answer or from a history that repeats it.

Clients change a reply before they repeat it: reasoning is left out, texts are trimmed, arguments are written
again, ids are replaced. So a reply is known by several marks, and a repetition need not have all of them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

MARK_BYTES = 8  # 64 bits: only the replies to one request are ever compared
# A reply with more tool calls is known by the first ones.
_MOST_MARKS = 32
# A text that was cut off, by the client or by the user, is known by its beginning.
_HEAD = 48
_REASONING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL)
# What stands for a long text where only its beginning and end were read (``streams.thin``).
_THINNED = re.compile(r"sha256:[0-9a-f]{64}")
_ASSISTANTS = frozenset({"assistant", "model"})
_SYSTEM = frozenset({"system", "developer"})
_TEXT_BLOCKS = frozenset({"text", "output_text", "refusal", None})


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; ``arguments`` are canonical JSON, or the text as it stands."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class Said:
    """The text and the tool calls of one message."""

    text: str = ""
    calls: list[Call] = field(default_factory=list)


def is_system(message: Any) -> bool:
    """Tell a message that sets the assistant up: clients write the time and the folder into it."""
    return isinstance(message, dict) and message.get("role") in _SYSTEM


def said_by(message: Any) -> Said | None:
    """Return what an assistant's message says; None for anybody else's.

    Anthropic, OpenAI chat and Responses, Gemini, Bedrock Converse and Ollama messages are known.
    """
    if not isinstance(message, dict):
        return None
    kind = message.get("type")
    if message.get("role") in _ASSISTANTS:
        said = Said()
        _contents(said, message.get("content", message.get("parts")))
        for call in _list(message.get("tool_calls")):
            _chat_call(said, call)
        if isinstance(legacy := message.get("function_call"), dict):
            said.calls.append(_call("", legacy.get("name"), legacy.get("arguments")))
        return said
    if isinstance(kind, str) and "role" not in message and (kind.endswith("_call") or kind == "reasoning"):
        return _item(message, kind)
    return None


def marks(said: Iterable[Said]) -> bytes:
    """Return the marks of a reply, ``MARK_BYTES`` each, the most telling first; empty where it says nothing.

    One for the text, one for its beginning, and two for each tool call: with its id, and without.
    """
    found: list[bytes] = []
    for each in said:
        text = plain_text(each.text)
        if text and not _THINNED.search(text):
            found += [_mark("text", text), _mark("head", text[:_HEAD])]
        for call in each.calls:
            if call.id:
                found.append(_mark("id", call.id, call.name))
            if not _THINNED.search(call.arguments):
                found.append(_mark("call", call.name, call.arguments))
    return b"".join(found[:_MOST_MARKS])


def split_marks(packed: bytes) -> Iterator[bytes]:
    """Yield the marks one by one."""
    for start in range(0, len(packed), MARK_BYTES):
        yield packed[start : start + MARK_BYTES]


def opening(message: Any) -> bytes:
    """Return a mark of the first line that a user's message, or a tool's result, has."""
    text = next(_texts(message), "").lstrip()
    line = text.partition("\n")[0][:200].rstrip()
    return _mark("opening", line) if line else b""


def plain_text(text: str) -> str:
    """Return a text without reasoning that stands in it, and without white space."""
    if "<think" in text:
        text = _REASONING.sub("", text)
    return "".join(text.split())


def canonical(arguments: Any) -> str:
    """Return a tool call's arguments as canonical JSON; a text that is no JSON as it is."""
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            return str(arguments)
    try:
        return orjson.dumps(arguments or {}, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a lone surrogate, or deeper than orjson writes
        return json.dumps(arguments, sort_keys=True)


def _contents(said: Said, content: Any) -> None:
    if isinstance(content, str):
        said.text += content
        return
    for block in _list(content):
        if isinstance(block, dict) and not block.get("thought"):
            _block(said, block)


def _block(said: Said, block: dict[str, Any]) -> None:
    kind = block.get("type")
    if kind in _TEXT_BLOCKS and isinstance(text := block.get("text", block.get("refusal")), str):
        said.text += text
    elif isinstance(kind, str) and kind.endswith("tool_use"):
        said.calls.append(_call(block.get("id"), block.get("name"), block.get("input")))
    elif isinstance(use := block.get("toolUse"), dict):
        said.calls.append(_call(use.get("toolUseId"), use.get("name"), use.get("input")))
    elif isinstance(use := block.get("functionCall"), dict):
        said.calls.append(_call(use.get("id"), use.get("name"), use.get("args")))


def _chat_call(said: Said, call: Any) -> None:
    if isinstance(call, dict):
        named = call.get("function") or call.get("custom")
        if isinstance(named, dict):
            arguments = named.get("arguments", named.get("input"))
            said.calls.append(_call(call.get("id"), named.get("name"), arguments))


def _item(item: dict[str, Any], kind: str) -> Said:
    if kind == "reasoning":
        return Said()
    name = item.get("name") or kind
    arguments = item.get("arguments", item.get("input", item.get("action")))
    return Said(calls=[_call(item.get("call_id") or item.get("id"), name, arguments)])


def _call(identity: Any, name: Any, arguments: Any) -> Call:
    return Call(
        identity if isinstance(identity, str) else "",
        name if isinstance(name, str) else "",
        canonical(arguments),
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name in ("text", "content", "parts", "output", "toolResult", "functionResponse", "response"):
            yield from _texts(value.get(name))


def _mark(*parts: str) -> bytes:
    told = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, digest_size=MARK_BYTES).digest()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
