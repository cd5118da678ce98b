"""Labels and structured metadata of a line.

Labels have few values: each set of them is a stream of Loki's. Whatever has many goes to the metadata.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shipper.entry import Pairs
from shipper.record.envelope import KNOWN_TYPES, Envelope

APP = "llm-proxy"
# Loki takes label values of 2,048 bytes; user@hostname never needs a tenth.
_LABEL_BYTES = 256
# Loki takes 64 KiB of metadata an entry by default (``max_structured_metadata_size``); with fewer than 16
# long values ours stays below 16 KiB.
_VALUE_BYTES = 1024
# From here on a status is an error, RFC 9110, 15.
_FIRST_ERROR_STATUS = 400
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def labels_of(envelope: Envelope, provider: str, environment: str, static: Mapping[str, str]) -> Pairs:
    """Return the stream of a line; ours win over static labels of the same name."""
    own = {
        "app": APP,
        "provider": provider,
        "environment": environment,
        "machine": envelope.told("machine"),
        "log_type": envelope.log_type,
    }
    merged = {**static, **{name: _clean(value, _LABEL_BYTES) or "unknown" for name, value in own.items()}}
    return tuple(sorted(merged.items()))


def metadata_of(envelope: Envelope, session: str, offset: int) -> Pairs:
    """Return a line's metadata: at most 1 KiB a value and 16 KiB in all.

    ``session`` stands for a line that names none; ``offset`` is where the line begins in its file.
    """
    texts = ((name, _clean(_text(value), _VALUE_BYTES)) for name, value in _fields(envelope, session, offset))
    return tuple(sorted((name, text) for name, text in texts if text))


def _fields(envelope: Envelope, session: str, offset: int) -> Iterator[tuple[str, Any]]:
    yield "level", _level(envelope)
    yield "session", envelope.told("session") or session
    yield "offset", offset
    yield "request_id", envelope.told("request_id")
    for name in ("seq", "model", "stream", "status", "stop_reason"):
        yield name, getattr(envelope, name)
    yield from _members(envelope.timing, ("ttfb_ms", "total_ms"))
    yield from _members(envelope.usage, _TOKENS)
    tools = _tools(envelope.tool_calls)
    if tools:
        yield "tool_count", len(tools)
        yield "tools", ",".join(tools)
    if isinstance(envelope.type, str) and envelope.type not in KNOWN_TYPES:
        yield "type", envelope.type


def _level(envelope: Envelope) -> str:
    failed = isinstance(envelope.status, int) and envelope.status >= _FIRST_ERROR_STATUS
    return "error" if failed or envelope.error else "info"


def _members(table: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(table, Mapping):
        yield from ((name, table.get(name)) for name in names)


def _tools(calls: Any) -> list[str]:
    if not isinstance(calls, list):
        return []
    named = (call.get("name") if isinstance(call, Mapping) else call for call in calls)
    return [name for name in named if isinstance(name, str)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _clean(text: str, most: int) -> str:
    """Return valid UTF-8 of at most ``most`` bytes: a lone surrogate makes Loki refuse the whole push."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
