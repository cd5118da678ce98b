"""``llm-loki-ship audit``: the session files against what Loki has."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from groundwork.commands.terminal import Terminal
from groundwork.text import printable
from shipper.checkpoint.rejected import Places, RejectedList, Rejection
from shipper.checkpoint.store import CheckpointStore
from shipper.commands.delivery.report import audit_shown, json_of
from shipper.config import ShipperSettings
from shipper.entry import Entry, FileMemory
from shipper.loki.query.patient import reading
from shipper.loki.wiring import sender_of, time_at
from shipper.pipeline.audit.comparison import Account, Accounts, Finding, totals
from shipper.pipeline.audit.files import FileAudit, FileState, Repair
from shipper.pipeline.audit.lines import lines_in
from shipper.pipeline.audit.repair import StoppedError, send_again
from shipper.record.entries import Labelling


@dataclass(frozen=True)
class Scope:
    """Which files: those of a session if it has a name, else those written ``since`` (seconds since 1970)."""

    session: str = ""
    since: float | None = None


@dataclass(slots=True)
class Audited:
    """The result: ``stopped`` is why ``--repair`` ended early."""

    files: int = 0
    accounts: list[Account] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    repaired: int = 0
    stopped: str = ""

    @property
    def agrees(self) -> bool:
        """Tell whether files and Loki hold the same lines."""
        return not self.findings


def audited(settings: ShipperSettings, scope: Scope, *, repair: bool = False) -> Audited:
    """Compare files with Loki; with ``repair``, send what is missing or cut again.

    Raises ``UnusableError``, what a query raises, and ``OSError``.
    """
    result, accounts = Audited(), Accounts()
    known, now = _Known(settings), max(time.time_ns(), time_at(settings.loki))
    with ExitStack() as stack:
        reader = stack.enter_context(reading(settings.loki))
        resend = _resending(settings, stack, result) if repair else None
        for path in _files(settings.log_folder, scope):
            result.files += 1
            memory = known.of(path)
            state = FileState(path, known.settled(memory), known.rejected.get(path, ()))
            audit = FileAudit(state, reader, accounts, resend)
            lines = lines_in(
                path,
                known.labelling(memory),
                now=now,
                first_seen=memory.first_seen if memory else 0,
            )
            result.findings += audit.run(lines)
            result.repaired += audit.repaired
    result.accounts = accounts.all()
    return result


def print_audit(result: Audited, *, as_json: bool) -> None:
    """Print the result."""
    if as_json:
        told = json_of(result.accounts, result.findings)
        rest = {"files": result.files, "repaired": result.repaired, "stopped": result.stopped}
        sys.stdout.write(printable(json.dumps({"agree": result.agrees, **rest, **told}, indent=2)) + "\n")
    else:
        console = Terminal()
        console.print(audit_shown(result.accounts, result.findings, console.width))
        if result.repaired:
            console.print(f"sent again: {result.repaired:,}")
        console.print(_verdict(result))


def _verdict(result: Audited) -> str:
    if result.agrees:
        return f"{result.files:,} files agree with Loki."
    counts = ", ".join(f"{count:,} {kind}" for kind, count in totals(result.findings).items() if count)
    return f"{result.files:,} files, not all agree with Loki: {counts}."


def _resending(settings: ShipperSettings, stack: ExitStack, result: Audited) -> Repair:
    send = stack.enter_context(sender_of(settings.loki))

    def repair(entries: Sequence[Entry]) -> int:
        if result.stopped:
            return 0
        try:
            return send_again(send, entries)
        except StoppedError as exc:
            result.stopped = str(exc)
            return 0

    return repair


class _Known:
    """What the state folder tells about files."""

    def __init__(self, settings: ShipperSettings) -> None:
        self._settings = settings
        memories = CheckpointStore(settings.state_folder).load().files
        self._memories = {os.path.realpath(each.path): each for each in memories}
        rejected: dict[str, list[Rejection]] = {}
        for each in RejectedList(settings.state_folder).undelivered():
            rejected.setdefault(each.file, []).append(each)
        self.rejected = {path: Places(rows) for path, rows in rejected.items()}

    def of(self, path: str) -> FileMemory | None:
        return self._memories.get(os.path.realpath(path))

    def settled(self, memory: FileMemory | None) -> int:
        """Return up to where Loki ought to have all lines; without any checkpoint that is all of a file."""
        if memory is None:
            return 0 if self._memories else sys.maxsize
        return memory.offset

    def labelling(self, memory: FileMemory | None) -> Labelling:
        loki = self._settings.loki
        limit = (memory.line_limit if memory else 0) or self._settings.shipper.max_line_bytes
        return Labelling(loki.environment, loki.labels, limit, quotes=False)


def _files(folder: Path, scope: Scope) -> Iterator[str]:
    """Yield the session files of a scope, by path; hidden folders hold none."""
    name = scope.session.rstrip("/").rpartition("/")[2].removesuffix(".jsonl")
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in sorted(files):
            path = os.path.join(parent, each)  # noqa: PTH118 - as os.walk gives it
            if not each.endswith(".jsonl") or each.startswith("."):
                continue
            if name and each.removesuffix(".jsonl") != name:
                continue
            if scope.since is None or os.stat(path).st_mtime >= scope.since:  # noqa: PTH116 - likewise
                yield path
