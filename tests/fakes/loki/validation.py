"""What the distributor refuses, and in which words (pkg/distributor/validator.go, pkg/validation)."""

from typing import NamedTuple

from tests.fakes.loki.entry import Entry, Labels, byte_length, label_text, metadata_size
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.times import NANOS, rfc3339


class Problem(NamedTuple):
    """Why a stream or an entry is refused; ``reason`` is the metric's label."""

    reason: str
    text: str


def label_problem(labels: Labels, limits: Limits) -> Problem | None:
    """Return why a whole stream is refused."""
    text, names = label_text(labels), [name for name, _ in labels]
    counted = len(names) - ("service_name" in names)
    most = limits.max_label_names_per_series
    if not labels:
        return Problem("missing_labels", "error at least one label pair is required per stream")
    missing = [name for name in limits.enforced_labels if name not in names]
    if missing:
        required = f"missing required labels {','.join(missing)} for user fake for stream {text}"
        return Problem("missing_enforced_labels", required)
    if counted > most:
        reason = f"entry for stream '{text}' has {counted} label names; limit {most}"
        return Problem("max_label_names_per_series", reason)
    return next(filter(None, (_pair_problem(text, pair, names, limits) for pair in labels)), None)


def _pair_problem(text: str, pair: tuple[str, str], names: list[str], limits: Limits) -> Problem | None:
    name, value = pair
    if byte_length(name) > limits.max_label_name_length:
        return Problem("label_name_too_long", f"stream '{text}' has label name too long: '{name}'")
    if byte_length(value) > limits.max_label_value_length:
        return Problem("label_value_too_long", f"stream '{text}' has label value too long: '{value}'")
    if names.count(name) > 1:
        return Problem("duplicate_label_names", f"stream '{text}' has duplicate label name: '{name}'")
    return None


def entry_problem(labels: Labels, entry: Entry, limits: Limits, now: int) -> Problem | None:
    """Return why one entry is refused; the first reason wins."""
    oldest = now - int(limits.reject_old_samples_max_age * NANOS)
    if limits.reject_old_samples and entry.ts < oldest:
        when = (
            f"has timestamp too old: {rfc3339(entry.ts)}, oldest acceptable timestamp is: {rfc3339(oldest)}"
        )
        return Problem("greater_than_max_sample_age", f"entry for stream '{label_text(labels)}' {when}")
    if entry.ts > now + int(limits.creation_grace_period * NANOS):
        when = f"has timestamp too new: {rfc3339(entry.ts)}"
        return Problem("too_far_in_future", f"entry for stream '{label_text(labels)}' {when}")
    size = byte_length(entry.line)
    if limits.max_line_size and size > limits.max_line_size:
        return Problem(
            "line_too_long",
            f"max entry size '{limits.max_line_size}' bytes exceeded for stream '{label_text(labels)}' "
            f"while adding an entry with length '{size}' bytes",
        )
    return _metadata_problem(labels, entry, limits) if entry.metadata else None


def _metadata_problem(labels: Labels, entry: Entry, limits: Limits) -> Problem | None:
    size, count = metadata_size(entry.metadata), len(entry.metadata)
    if not limits.allow_structured_metadata:
        return _told(
            "disallowed_structured_metadata",
            labels,
            "includes structured metadata, but this feature is disallowed.",
            "allow_structured_metadata` or contact your Loki administrator to enable it.",
        )
    most = limits.max_structured_metadata_size
    if most and size > most:
        return _told(
            "structured_metadata_too_large",
            labels,
            f"has structured metadata too large: '{size}' bytes, limit: '{most}' bytes.",
            "max_structured_metadata_size` or contact your Loki administrator to increase it.",
        )
    most = limits.max_structured_metadata_entries_count
    if most and count > most:
        return _told(
            "structured_metadata_too_many",
            labels,
            f"has too many structured metadata labels: '{count}', limit: '{most}'.",
            "max_structured_metadata_entries_count` or contact your Loki administrator to increase it.",
        )
    return None


def _told(reason: str, labels: Labels, complaint: str, remedy: str) -> Problem:
    text = f"stream '{label_text(labels)}' {complaint} Please see `limits_config.{remedy}"
    return Problem(reason, text)
