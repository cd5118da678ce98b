"""The reader's half of the contract on disk: the small fields of one line, the bulky ones skipped.

Tolerant: unknown types and fields, fields of a wrong kind, lines without ``provider`` (the Go predecessor's)
and lines that are no JSON object all have an envelope.
"""

from typing import Any

import msgspec

from shipper.record.content import Content, content_in_memory
from shipper.record.ends import record_of

KNOWN_TYPES = frozenset({"session_start", "request", "response", "fork"})
UNPARSED = "unparsed"


class Envelope(msgspec.Struct, frozen=True):
    """What a line says of itself; every field may be absent or of any kind."""

    type: Any = None
    meta: Any = msgspec.field(name="_meta", default=None)
    provider: Any = None
    upstream: Any = None
    seq: Any = None
    model: Any = None
    stream: Any = None
    status: Any = None
    stop_reason: Any = None
    usage: Any = None
    tool_calls: Any = None
    timing: Any = None
    error: Any = None

    @property
    def log_type(self) -> str:
        """One of the known types, else ``unparsed``: a label must not take any value that comes."""
        return self.type if isinstance(self.type, str) and self.type in KNOWN_TYPES else UNPARSED

    def told(self, name: str) -> str:
        """Return a text field of ``_meta``, empty where it is not there."""
        value = self.meta.get(name) if isinstance(self.meta, dict) else None
        return value if isinstance(value, str) else ""


_DECODER = msgspec.json.Decoder(Envelope)


def envelope_of(content: Content) -> Envelope:
    """Return the envelope of a line; one that is no JSON object has an empty one."""
    if content.held is not None:
        try:
            return _DECODER.decode(content.held)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    record = record_of(content) or {}
    return Envelope(*(record.get(name) for name in Envelope.__struct_encode_fields__))


def read_envelope(line: bytes) -> Envelope:
    """Return the envelope of a line in memory."""
    return envelope_of(content_in_memory(line))


def provider_of_host(host: str) -> str:
    """Return the provider that a host belongs to, for lines that do not name theirs; else ``unknown``."""
    host = host.partition(":")[0].lower()
    if host in _PROVIDERS:
        return _PROVIDERS[host]
    if host.endswith(".openai.azure.com"):
        return "azure"
    if host.startswith("bedrock-runtime.") and host.endswith(".amazonaws.com"):
        return "bedrock"
    return "unknown"


_PROVIDERS = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "openrouter.ai": "openai",
    "api.groq.com": "openai",
    "api.deepseek.com": "openai",
    "chatgpt.com": "chatgpt",
    "generativelanguage.googleapis.com": "gemini",
}
