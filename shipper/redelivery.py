"""``llm-loki-ship rejected --retry``: sends what Loki refused again, after its limits were raised."""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from shipper.checkpoint.rejected import RejectedList, Rejection
from shipper.config import ShipperSettings
from shipper.entry import DropReason, Entry, Span
from shipper.loki.lane import as_late
from shipper.loki.push import Answer, Push
from shipper.loki.retry import Meaning, meaning_of, refusals_in
from shipper.outlet import sender_of
from shipper.record.content import content_in_memory
from shipper.record.entries import Labelling, entries_of
from shipper.record.envelope import read_envelope
from shipper.record.origin import HEAD_BYTES, origin_of, provider_in_head

# Pushes one entry and returns Loki's answer.
Send = Callable[[Push], Answer]


def described(settings: ShipperSettings) -> tuple[list[str], int]:
    """Return lines for a person, and how many refusals are open. Raises ``OSError``."""
    refusals = RejectedList(settings.state_folder).open()
    counts = Counter(each.reason for each in refusals)
    lines = [f"{_where(each)}  {each.reason}" for each in refusals]
    total = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "nothing"
    return [*lines, f"refused: {total}"], len(refusals)


def retried(settings: ShipperSettings) -> tuple[list[str], int]:
    """Send each open refusal alone, under ``late`` where its stream has moved on, and note what goes through.

    Works beside a running shipper. Returns lines for a person, and how many are still refused. Raises
    ``OSError`` when the list cannot be read or written, and ``UnusableError``.
    """
    listed = RejectedList(settings.state_folder)
    refusals = listed.open()
    send = sender_of(settings.loki)
    lines, left = [], 0
    for each in refusals:
        trouble = _redeliver(settings, each, send)
        left += bool(trouble)
        if not trouble:
            listed.redelivered(each)
        lines.append(f"{_where(each)}  {trouble or 'delivered'}")
    return [*lines, f"delivered: {len(refusals) - left}, still refused: {left}"], left


def _where(rejected: Rejection) -> str:
    return f"{rejected.file} [{rejected.start}, {rejected.end})"


def _redeliver(settings: ShipperSettings, rejected: Rejection, send: Send) -> str:
    try:
        entry = _entry_of(settings, rejected)
    except OSError as exc:
        return f"its file cannot be read: {exc.strerror or exc}"
    if entry is None:
        return "its file no longer holds these bytes"
    answer = send(Push(1, entry.stream, (entry,)))
    if DropReason.TOO_FAR_BEHIND in refusals_in(answer.text):
        late = as_late(entry)
        answer = send(Push(1, late.stream, (late,)))
    if meaning_of(answer) is Meaning.DELIVERED:
        return ""
    return f"{answer.silence or answer.status} {answer.text}".strip()


def _entry_of(settings: ShipperSettings, rejected: Rejection) -> Entry | None:
    """Make the same entry from the file again; None where the bytes are others or gone."""
    if not rejected.sha256:
        return None
    with Path(rejected.file).open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(rejected.start)
        line = file.read(rejected.end - rejected.start).removesuffix(b"\n")
    envelope = read_envelope(line)
    loki = settings.loki
    entries = entries_of(
        Span(0, rejected.start, rejected.end),
        content_in_memory(line),
        envelope,
        origin=origin_of(envelope, provider_in_head(head), rejected.file),
        timestamp=rejected.timestamp - rejected.part,
        labelling=Labelling(loki.environment, loki.labels, settings.shipper.max_line_bytes),
    )
    if rejected.part >= entries.count:
        return None
    entry = entries.entry(rejected.part)
    return entry if sha256(entry.line).hexdigest() == rejected.sha256 else None
