"""Labels and structured metadata of a line.

Labels have few values: each set of them is a stream of Loki's. Whatever has many goes to the metadata.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shipper.entry import Pairs
from shipper.record.envelope import KNOWN_TYPES, NO_USAGE, Envelope, Usage

APP = "llm-proxy"
# Loki takes label values of 2,048 bytes; user@hostname never needs a tenth.
_LABEL_BYTES = 256
# Loki takes 64 KiB of metadata an entry by default (``max_structured_metadata_size``); with fewer than 16
# long values ours stays below 16 KiB.
_VALUE_BYTES = 1024
# What every reader of JSON takes as a whole number.
_LARGEST_NUMBER = 2**53
# By name, as both pairs of an entry are; ``metadata_of`` has their values in the same order.
_FIELDS = (
    "cache_creation_1h_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "caller",
    "cost",
    "input_tokens",
    "level",
    "model",
    "offset",
    "output_tokens",
    "reasoning_tokens",
    "request_id",
    "seq",
    "session",
    "status",
    "stop_reason",
    "stream",
    "tool_count",
    "tools",
    "total_ms",
    "ttfb_ms",
    "type",
)
_PLAIN_FIELDS = tuple(name for name in _FIELDS if name not in Usage.__struct_fields__)
# From here on a status is an error, RFC 9110, 15.
_FIRST_ERROR_STATUS = 400


def labels_of(envelope: Envelope, provider: str, environment: str, static: Mapping[str, str]) -> Pairs:
    """Return the stream of a line; ours win over static labels of the same name."""
    machine = envelope.meta.machine[:_LABEL_BYTES]
    return _stream(provider, environment, machine, envelope.log_type, tuple(static.items()))


# Lines have few streams, and machines few names: what is made once a stream need not be made once a line.
@lru_cache(maxsize=256)
def _stream(provider: str, environment: str, machine: str, log_type: str, static: Pairs) -> Pairs:
    own = {
        "app": APP,
        "provider": provider,
        "environment": environment,
        "machine": machine,
        "log_type": log_type,
    }
    known = {name: _clean(value, _LABEL_BYTES) or "unknown" for name, value in own.items()}
    return tuple(sorted({**dict(static), **known}.items()))


def metadata_of(envelope: Envelope, session: str, offset: int) -> Pairs:
    """Return a line's metadata: at most 1 KiB a value and 16 KiB in all.

    ``session`` stands for a line that names none; ``offset`` is where the line begins in its file.
    """
    meta, timing, usage = envelope.meta, envelope.timing, envelope.usage
    kind = envelope.type
    tools = _tools(envelope.tool_calls) if envelope.tool_calls else ()
    before = (_level(envelope), envelope.model, offset)
    behind = (
        meta.request_id,
        envelope.seq,
        meta.session or session,
        envelope.status,
        envelope.stop_reason,
        envelope.stream,
        len(tools) or None,
        ",".join(tools),
        timing.total_ms,
        timing.ttfb_ms,
        kind if isinstance(kind, str) and kind not in KNOWN_TYPES else None,
    )
    if usage is NO_USAGE:
        return _pairs(_PLAIN_FIELDS, (meta.caller, *before, *behind))
    values = (
        _number(usage.cache_creation_1h_tokens),
        _number(usage.cache_creation_5m_tokens),
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
        meta.caller,
        _number(usage.cost),
        usage.input_tokens,
        *before,
        usage.output_tokens,
        _number(usage.reasoning_tokens),
        *behind,
    )
    return _pairs(_FIELDS, values)


def _pairs(names: tuple[str, ...], values: tuple[Any, ...]) -> Pairs:
    """Return what there is to tell; what most values are is told here, without a call."""
    return tuple(
        [
            (name, text)
            for name, value in zip(names, values, strict=True)
            if value is not None
            and (
                text := value
                if (kind := type(value)) is str and len(value) <= _VALUE_BYTES and value.isascii()
                else str(value)
                if kind is int and -_LARGEST_NUMBER < value < _LARGEST_NUMBER
                else _text(value)
            )
        ]
    )


def _level(envelope: Envelope) -> str:
    failed = isinstance(envelope.status, int) and envelope.status >= _FIRST_ERROR_STATUS
    return "error" if failed or envelope.error else "info"


def _tools(calls: Any) -> list[str]:
    if not isinstance(calls, list):
        return []
    named = (call.get("name") if isinstance(call, dict) else call for call in calls)
    return [name for name in named if isinstance(name, str)]


def _number(value: Any) -> float | None:
    """Return a count or an amount, which takes a few bytes, so that all values together stay bounded."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < _LARGEST_NUMBER else None


def _text(value: Any) -> str:
    if type(value) is int:
        return str(value)[:_VALUE_BYTES]
    if isinstance(value, str):
        return value if len(value) <= _VALUE_BYTES and value.isascii() else _clean(value, _VALUE_BYTES)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:_VALUE_BYTES] if isinstance(value, float) else ""


def _clean(text: str, most: int) -> str:
    """Return valid UTF-8 of at most ``most`` bytes: a lone surrogate makes Loki refuse the whole push."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
