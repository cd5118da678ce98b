"""Loki's limits as ``/config`` tells them, against what is sent, and its clock against ours.

The defaults are those of Loki 3.7.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from groundwork.settings.units import format_bytesize
from groundwork.text import span
from shipper.commands.check.finding import Finding, cross, good, skipped, warning

_MIB = 1 << 20
# Loki's units are binary (``pkg/util/flagext/bytesize.go``).
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMG]?)B?")
_UNITS = {"": 1, "K": 1 << 10, "M": _MIB, "G": 1 << 30}
# What a push holds at most, in bytes, as ``shipper.loki.batch`` forms them; a single long line may be larger.
_PUSH_BYTES = _MIB
# A Date header tells whole seconds, and the way takes a part of one.
_SEEN_FROM = 2.0
# Loki's ``creation_grace_period``: what is stamped further ahead is refused.
_GRACE = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may send; sizes in bytes, rates in bytes a second. A limit of 0 is none."""

    max_line_size: int = 256 << 10
    max_line_size_truncate: bool = False
    ingestion_rate: int = 4 * _MIB
    ingestion_burst: int = 6 * _MIB
    per_stream_rate: int = 3 * _MIB
    max_label_names: int = 15
    max_age: str = "1w"
    reject_old: bool = True
    allow_structured_metadata: bool = True
    message: int = 4 * _MIB


def read_limits(text: str) -> Limits | None:
    """Read the answer of ``/config``; None where it is no configuration of Loki's."""
    limits, server = _section(text, "limits_config"), _section(text, "server")
    if "ingestion_rate_mb" not in limits:
        return None
    assumed = Limits()
    return Limits(
        max_line_size=_size(limits, "max_line_size", assumed.max_line_size),
        max_line_size_truncate=limits.get("max_line_size_truncate") == "true",
        ingestion_rate=_mebibytes(limits, "ingestion_rate_mb", assumed.ingestion_rate),
        ingestion_burst=_mebibytes(limits, "ingestion_burst_size_mb", assumed.ingestion_burst),
        per_stream_rate=_size(limits, "per_stream_rate_limit", assumed.per_stream_rate),
        max_label_names=_size(limits, "max_label_names_per_series", assumed.max_label_names),
        max_age=limits.get("reject_old_samples_max_age", assumed.max_age),
        reject_old=limits.get("reject_old_samples", "true") == "true",
        allow_structured_metadata=limits.get("allow_structured_metadata", "true") == "true",
        message=_size(server, "grpc_server_max_recv_msg_size", assumed.message),
    )


def on_limits(limits: Limits, max_line_bytes: int, label_names: int) -> Iterator[Finding]:
    """Compare them with ``shipper.max_line_bytes`` and with how many labels a stream has."""
    yield good("limits", f"read from Loki's /config: {_told(limits)}; a tenant may have others")
    yield from _on_lines(limits, max_line_bytes)
    if label_names > limits.max_label_names:
        yield cross(
            "labels",
            f"a stream has {label_names} labels, and Loki takes {limits.max_label_names}",
            "Take some out of loki.labels, or raise max_label_names_per_series in Loki's limits.",
        )
    elif label_names == limits.max_label_names:
        yield warning(
            "labels",
            f"a stream has {label_names} labels, and Loki takes no more: lines that are late need another",
            "Take one out of loki.labels, or raise max_label_names_per_series in Loki's limits.",
        )
    if not limits.allow_structured_metadata:
        yield warning(
            "metadata",
            "Loki takes no structured metadata: lines go without, and fetch and sessions find nothing",
            "Set allow_structured_metadata in Loki's limits (schema v13).",
        )
    if min(limits.ingestion_burst, limits.message) < _PUSH_BYTES:
        yield warning(
            "sizes",
            f"Loki takes less than the {format_bytesize(_PUSH_BYTES)} of a push at once: pushes are halved",
            "Raise ingestion_burst_size_mb and grpc_server_max_recv_msg_size.",
        )


def assumed_limits(reason: str) -> Finding:
    """Say that the defaults stand for limits that cannot be read."""
    return good("limits", f"cannot be read ({reason}); assumed are Loki's defaults: {_told(Limits())}")


def _on_lines(limits: Limits, ours: int) -> Iterator[Finding]:
    if not limits.max_line_size or ours <= limits.max_line_size:
        return
    told = f"shipper.max_line_bytes = {ours:,}, and Loki takes lines of {limits.max_line_size:,} bytes"
    if limits.max_line_size_truncate:
        yield cross(
            "lines",
            f"{told} and cuts the rest off without a word",
            f"Set shipper.max_line_bytes = {limits.max_line_size}.",
        )
        return
    yield warning(
        "lines",
        f"{told}: longer ones are refused once and then split",
        f"Set shipper.max_line_bytes = {limits.max_line_size}, or raise max_line_size in Loki's limits.",
    )


def _told(limits: Limits) -> str:
    line = format_bytesize(limits.max_line_size) if limits.max_line_size else "any length"
    age = f"not older than {limits.max_age}" if limits.reject_old else "of any age"
    return (
        f"lines of {line}, {age}, {format_bytesize(limits.ingestion_rate)}/s, "
        f"{format_bytesize(limits.per_stream_rate)}/s a stream"
    )


def _section(text: str, name: str) -> Mapping[str, str]:
    """Return the plain values of one top-level section of YAML as Go writes it."""
    found = re.search(rf"^{name}:\n((?:[ -].*\n|\n)*)", f"{text}\n", re.MULTILINE)
    if not found:
        return {}
    indent = re.match(" *", found[1])
    values = re.findall(rf"^{indent[0] if indent else ''}(\w+): (.+)$", found[1], re.MULTILINE)
    return {key: value.strip("\"' \r") for key, value in values}


def _size(values: Mapping[str, str], name: str, default: int) -> int:
    match = _SIZE.fullmatch(values.get(name, ""))
    return int(float(match[1]) * _UNITS[match[2]]) if match else default


def _mebibytes(values: Mapping[str, str], name: str, default: int) -> int:
    match = re.fullmatch(r"\d+(\.\d+)?", values.get(name, ""))
    return int(float(match[0]) * _MIB) if match else default


def on_clock(date: str, now: float) -> Finding:
    """Compare a Date header with ``now``, in seconds since 1970 at the middle of the exchange."""
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return skipped("clock", "the answer tells no time")
    ahead = now - theirs - 0.5
    if abs(ahead) <= _SEEN_FROM:
        return good("clock", "agrees with Loki's")
    told = f"{span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} Loki's"
    if ahead > _GRACE:
        return cross("clock", f"{told}: Loki refuses what is stamped ahead", "Set the clock: run NTP here.")
    return warning("clock", told, "Set the clock: run NTP on both machines.")
