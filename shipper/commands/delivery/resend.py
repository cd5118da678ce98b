"""``llm-loki-ship rejected``: lists what Loki rejected, and sends it again."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from groundwork.commands.terminal import Terminal
from groundwork.disk.files import open_below
from groundwork.text import printable
from shipper.checkpoint.rejected import RejectedList, Rejection
from shipper.commands.delivery.table import groups_of, json_rows, refused_shown
from shipper.config import ShipperSettings
from shipper.entry import DropReason, Entry, Span
from shipper.loki.push.answers import Meaning, concerns_metadata, meaning_of, refusals_in
from shipper.loki.push.push import Answer, Metadata, Push
from shipper.loki.query.patient import patiently
from shipper.loki.queues.stream_queue import as_late
from shipper.loki.wiring import sender_of
from shipper.pipeline.audit.repair import StoppedError as NotTakenError
from shipper.pipeline.audit.repair import send_again
from shipper.record.content import content_in_memory
from shipper.record.entries import Entries, Labelling, entries_of
from shipper.record.envelope import Envelope, read_envelope
from shipper.record.provider import HEAD_BYTES, origin_of, provider_in_head
from shipper.record.timestamp import FAR_AHEAD_NS, parse_time

# Pushes one entry and returns Loki's answer.
Send = Callable[[Push], Answer]
# Answers that may change within seconds.
_PASSING = frozenset({Meaning.TENANT_LIMIT, Meaning.STREAM_LIMIT, Meaning.STREAM_COUNT, Meaning.UNKNOWN})
# Answers that concern Loki or the connection to it, and not the entry.
_NO_VERDICT = _PASSING | {Meaning.NOT_SENT, Meaning.HOLD}


class StoppedError(Exception):
    """Loki accepts nothing now; the text is its answer."""


@dataclass(slots=True)
class Retried:
    """The result of a round: ``troubles`` counts by file and reason; ``stopped`` is why it ended early."""

    delivered: int = 0
    left: int = 0
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    stopped: str = ""


def print_rejected(settings: ShipperSettings, *, as_json: bool) -> int:
    """Print the open rejections and return how many there are. Raises ``OSError``."""
    refusals = RejectedList(settings.state_folder).open()
    if as_json:
        rows = json_rows(refusals, _is_there)
        sys.stdout.write(printable(json.dumps(rows, indent=2)) + "\n")
    else:
        console = Terminal()
        groups = groups_of(refusals, _is_there)
        console.print(refused_shown(groups, str(settings.log_folder), console.width))
    return sum(each.lines for each in refusals)


def accepted(settings: ShipperSettings) -> int:
    """Take the open rejections for lost, and return how many there were. Raises ``OSError``."""
    listed = RejectedList(settings.state_folder)
    refusals = listed.open()
    if refusals:
        listed.accept(refusals)
    return sum(each.lines for each in refusals)


def retried(settings: ShipperSettings) -> Retried:
    """Send each open refusal alone, under ``late`` where its stream has moved on, and note what goes through.

    Works beside a running shipper. Raises ``OSError`` when the list cannot be read or written, and
    ``UnusableError``.
    """
    listed = RejectedList(settings.state_folder)
    refusals = listed.open()
    done = Retried(left=sum(each.lines for each in refusals))
    with sender_of(settings.loki) as send:
        for each in refusals:
            try:
                trouble = _redeliver(settings, each, _patient(send))
            except StoppedError as exc:
                done.stopped = str(exc)
                break
            if trouble:
                done.troubles[each.file, trouble] += each.lines
            else:
                listed.redelivered(each)
                done.delivered += each.lines
                done.left -= each.lines
    return done


def lines_of(done: Retried, *, as_json: bool) -> Iterator[str]:
    """Yield what came of a round for a person, or as one JSON object."""
    if as_json:
        troubles = [
            {"file": file, "trouble": trouble, "entries": count}
            for (file, trouble), count in done.troubles.items()
        ]
        told = {"delivered": done.delivered, "left": done.left, "stopped": done.stopped, "troubles": troubles}
        yield json.dumps(told, indent=2)
        return
    for (file, trouble), count in done.troubles.items():
        yield f"{file}: {count:,} not delivered: {trouble}"
    yield f"delivered: {done.delivered}, still refused: {done.left}"


def _is_there(file: str) -> bool:
    try:
        return Path(file).exists()
    except OSError:
        return False


def _patient(send: Send) -> Send:
    return lambda push: patiently(lambda: send(push), lambda answer: meaning_of(answer) in _PASSING)


def _redeliver(settings: ShipperSettings, rejected: Rejection, send: Send) -> str:
    """Return why an entry was not delivered, empty where it was. Raises ``StoppedError``."""
    try:
        entries = _entries_of(settings, rejected)
    except OSError as exc:
        return f"its file cannot be read: {exc.strerror or exc}"
    if not entries:
        return "its file no longer holds these bytes"
    # Of neighbouring lines that were rejected unsent, the first one tells whether Loki takes them now.
    trouble = _send_alone(entries[0], send)
    if trouble or len(entries) == 1:
        return trouble
    try:
        rest = send_again(send, entries[1:])
    except NotTakenError as exc:
        raise StoppedError(str(exc)) from exc
    return "" if rest == len(entries) - 1 else "Loki refuses some of these lines again"


def _send_alone(entry: Entry, send: Send) -> str:
    push = Push(1, entry.stream, (entry,))
    answer = send(push)
    for metadata in (Metadata.PLACE, Metadata.NONE):
        if concerns_metadata(answer):
            push = replace(push, metadata=metadata)
            answer = send(push)
    if DropReason.TOO_FAR_BEHIND in refusals_in(answer.text):
        late = as_late(entry)
        answer = send(replace(push, stream=late.stream, entries=(late,)))
    meaning = meaning_of(answer)
    if meaning is Meaning.DELIVERED:
        return ""
    told = " ".join(f"{answer.silence or answer.status} {answer.text}".split())
    if meaning in _NO_VERDICT:
        raise StoppedError(told)
    # The texts name each entry's own time: of a group one is enough.
    reasons = ", ".join(sorted(refusals_in(answer.text)))
    return f"Loki refuses it again: {reasons}" if reasons else told


def _entries_of(settings: ShipperSettings, rejected: Rejection) -> list[Entry]:
    """Make the same entries from the file again; none where the bytes are others or gone."""
    if not rejected.sha256:
        return []
    path = Path(rejected.file)
    with os.fdopen(open_below(path.parent, path, os.O_RDONLY), "rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(rejected.start)
        text = file.read(rejected.end - rejected.start).removesuffix(b"\n")
    if rejected.lines == 1:
        entries = _entries_at(settings, rejected, head, rejected.start, text)
        entry = entries.entry(rejected.part) if rejected.part < entries.count else None
        return [entry] if entry and sha256(entry.line).hexdigest() == rejected.sha256 else []
    if sha256(text).hexdigest() != rejected.sha256:
        return []
    made: list[Entry] = []
    start = rejected.start
    for line in text.split(b"\n"):
        entries = _entries_at(settings, rejected, head, start, line)
        made += [entries.entry(part) for part in range(entries.count)]
        start += len(line) + 1
    return made


def _entries_at(
    settings: ShipperSettings, rejected: Rejection, head: bytes, start: int, line: bytes
) -> Entries:
    envelope = read_envelope(line)
    loki = settings.loki
    return entries_of(
        Span(0, start, start + len(line) + 1),
        content_in_memory(line),
        envelope,
        origin=origin_of(envelope, provider_in_head(head), rejected.file),
        timestamp=_time_of(envelope, rejected),
        labelling=Labelling(
            loki.environment,
            loki.labels,
            settings.shipper.max_line_bytes,
            quotes=loki.encoding == "json",
        ),
    )


def _time_of(envelope: Envelope, rejected: Rejection) -> int:
    """Return the line's own time; the one it was refused with where it tells none that can be right."""
    told = parse_time(envelope.meta.ts)
    latest = time.time_ns() + FAR_AHEAD_NS
    return told if told and 0 < told <= latest else rejected.timestamp - rejected.part
