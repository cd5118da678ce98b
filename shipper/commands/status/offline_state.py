"""What can be told of a shipper that does not run: what its checkpoint and the folder say."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from os import stat_result
from pathlib import Path
from stat import S_ISREG
from typing import Any

from groundwork.disk.lock import is_held
from shipper.checkpoint.rejected import RejectedList
from shipper.checkpoint.store import CheckpointStore
from shipper.config import ShipperSettings
from shipper.source.catalog import SUFFIX
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
    rows = [_row(path, seen, settled, refused, folder) for path, seen in _files(settings)]
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
        return (
            "A shipper holds this folder and gives no answer: it hangs, or has another shipper.health_port."
        )
    return "Start it: llm-loki-ship run"


def _files(settings: ShipperSettings) -> Iterator[tuple[str, stat_result]]:
    """Yield the files that ``run`` would follow, at any depth."""
    state = str(settings.state_folder)
    for place, folders, names in os.walk(settings.log_folder):
        folders[:] = [each for each in folders if each[0] != "." and f"{place}{os.sep}{each}" != state]
        for name in names:
            path = f"{place}{os.sep}{name}"
            with suppress(OSError):
                seen = os.lstat(path)
                if name.endswith(SUFFIX) and name[0] != "." and S_ISREG(seen.st_mode):
                    yield path, seen


def _refused(settings: ShipperSettings) -> Collection[str]:
    try:
        return RejectedList(settings.state_folder).files()
    except OSError:
        return frozenset()


def _row(
    path: str, seen: stat_result, settled: dict[str, int], refused: Collection[str], folder: Path
) -> FileRow:
    offset = min(settled.get(path, 0), seen.st_size)
    waiting = seen.st_size - offset
    state = FileState.REFUSED if path in refused else FileState.WAITING if waiting else FileState.DONE
    return FileRow(shown_path(path, str(folder)), seen.st_size, offset, waiting, state, seen.st_mtime)
