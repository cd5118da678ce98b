"""The test entry: labels and metadata as ``run`` sends them, in a stream of its own."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shipper.entry import Entry, Pairs, Span
from shipper.loki.push.push import Push
from shipper.record.envelope import read_envelope
from shipper.record.labels import labels_of, metadata_of

LOG_TYPE = "check"
_PROVIDER = "anthropic"
# A record with every field that becomes metadata, as long as they get with a coding agent and its tools.
_HEAVY: dict[str, Any] = {
    "seq": 100,
    "model": "a-model-with-a-long-name-20260101",
    "stream": True,
    "status": 200,
    "stop_reason": "tool_use",
    "timing": {"ttfb_ms": 1000, "total_ms": 100_000},
    "usage": {
        "input_tokens": 100_000,
        "output_tokens": 10_000,
        "cache_read_input_tokens": 100_000,
        "cache_creation_input_tokens": 100_000,
        "cache_creation_5m_tokens": 50_000,
        "cache_creation_1h_tokens": 50_000,
        "reasoning_tokens": 1000,
        "cost": 0.5,
    },
    "tool_calls": [f"mcp__a_server__a_tool_with_a_long_name_{number:02}" for number in range(20)],
    # Bodies are most of a line.
    "body": "x" * 16_000,
}


def sample_push(
    name: str, *, machine: str, environment: str, labels: Mapping[str, str], timestamp: int
) -> Push:
    """Return a push of one entry that ``name`` finds again; ``timestamp`` is in nanoseconds."""
    meta = {"machine": machine, "session": name, "request_id": f"{name}-000100", "caller": LOG_TYPE}
    line = msgspec.json.encode({"type": LOG_TYPE, "check": name, "_meta": meta, **_HEAVY})
    envelope = read_envelope(line)
    stream = tuple(
        (key, LOG_TYPE if key == "log_type" else value)
        for key, value in labels_of(envelope, _PROVIDER, environment, labels)
    )
    metadata: Pairs = tuple(sorted([*metadata_of(envelope, name, 0), ("check", name)]))
    entry = Entry(Span(0, 0, len(line)), stream, timestamp, line, metadata)
    return Push(1, stream, (entry,))
