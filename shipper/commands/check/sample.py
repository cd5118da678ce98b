"""The test entry: labels as ``run`` sends them, in a stream of its own."""

from collections.abc import Mapping

import msgspec

from shipper.entry import Entry, Span
from shipper.loki.push.push import Push
from shipper.record.envelope import read_envelope
from shipper.record.labels import labels_of

LOG_TYPE = "check"
_PROVIDER = "anthropic"


def sample_push(
    name: str, *, machine: str, environment: str, labels: Mapping[str, str], timestamp: int
) -> Push:
    """Return a push of one entry that ``name`` finds again; ``timestamp`` is in nanoseconds."""
    line = msgspec.json.encode({"type": LOG_TYPE, "check": name, "_meta": {"machine": machine}})
    stream = tuple(
        (key, LOG_TYPE if key == "log_type" else value)
        for key, value in labels_of(read_envelope(line), _PROVIDER, environment, labels)
    )
    entry = Entry(Span(0, 0, len(line)), stream, timestamp, line, (("check", name), ("level", "info")))
    return Push(1, stream, (entry,))
