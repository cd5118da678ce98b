"""What can be told of a shipper that does not run: what its checkpoint and the folder say."""

from collections.abc import Iterator
from os import stat_result
from pathlib import Path
from typing import Any

from groundwork.disk.lock import is_held
from shipper.checkpoint.rejected import RejectedList
from shipper.checkpoint.store import CheckpointStore
from shipper.config import ShipperSettings
from shipper.telemetry.page.files import FileRow, FileState, shown_path, sorted_by_need
from shipper.telemetry.page.state import row_of
from shipper.telemetry.proxy_presence import hint_about


def state_at_rest(settings: ShipperSettings, hint: str, wall: float) -> dict[str, Any]:
    """Return the state report as far as it goes without a process; ``wall`` is seconds since 1970."""
    folder = settings.log_folder
    restored = CheckpointStore(settings.state_folder).load()
    hints = [hint, restored.warning and f"checkpoint: {restored.warning}", hint_about(folder)]
    settled = {each.path: each.offset for each in restored.files if not each.lost_at}
    refused = _refused(settings)
    rows = [_row(path, seen, settled, refused, folder) for path, seen in _files(folder)]
    return {
        "state": "not running",
        "hint": "; ".join(filter(None, hints)),
        "advice": _advice(settings),
        "log_dir": str(folder),
        "health": None,
        "backlog": {"bytes": sum(each.waiting for each in rows)},
        "files_total": len(rows),
        "files": [row_of(each, wall) for each in sorted_by_need(rows)],
    }


def _advice(settings: ShipperSettings) -> str:
    try:
        works = is_held(settings.own_lock)
    except OSError:
        works = False
    if works:
        return "A shipper works with this folder, but on another port: give its shipper.health_port."
    return "Start it: llm-loki-ship run"


def _files(folder: Path) -> Iterator[tuple[str, stat_result]]:
    for path in folder.glob("*/*/*.jsonl"):
        try:
            yield str(path), path.stat()
        except OSError:
            continue


def _refused(settings: ShipperSettings) -> frozenset[str]:
    try:
        return RejectedList(settings.state_folder).files()
    except OSError:
        return frozenset()


def _row(
    path: str, seen: stat_result, settled: dict[str, int], refused: frozenset[str], folder: Path
) -> FileRow:
    offset = min(settled.get(path, 0), seen.st_size)
    waiting = seen.st_size - offset
    state = FileState.REFUSED if path in refused else FileState.WAITING if waiting else FileState.DONE
    return FileRow(shown_path(path, str(folder)), seen.st_size, offset, waiting, state, seen.st_mtime)
