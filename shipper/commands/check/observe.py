"""What can be seen of the two folders and of the two ports on this machine."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from groundwork.commands.probe import Unanswered, ask
from groundwork.disk.files import exposure_of
from groundwork.disk.lock import is_held
from groundwork.settings.settings import ByteSize, Port, key
from shipper.checkpoint.rejected import RejectedList
from shipper.checkpoint.store import CheckpointStore
from shipper.commands.check.verdicts import FolderSeen, PortSeen, ProxySeen, StateSeen
from shipper.config import ShipperSettings
from shipper.source.events.watch import Watch
from shipper.telemetry.proxy_presence import is_there, works_with

# A stat of 100,000 files on a local disk takes about a second; a slow network file system is not waited for.
_COUNT_SECONDS = 5.0
# Changes that another machine makes there cause no event here.
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse", "virtiofs", "ceph", "afs", "gluster")


@dataclass(frozen=True)
class ProxyKeys:
    """The keys of llm-proxy's that are of interest here."""

    host: str = key("127.0.0.1", "The address that llm-proxy listens on.")
    port: Port = key(12071, "Its port.")
    min_free: ByteSize = key(1 << 30, "The free disk below which it leaves bodies out.")


def see_folder(settings: ShipperSettings, proxy: ProxyKeys) -> FolderSeen:
    """Look at the log folder."""
    folder = settings.log_folder
    seen = FolderSeen(os.path.abspath(folder), least=proxy.min_free)  # noqa: PTH100 - links stay as written
    if not os.path.lexists(folder):
        return replace(seen, problem="there is no such folder, or the way to it is barred")
    if not is_there(folder):
        return replace(seen, problem="is no folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        return replace(seen, problem="cannot be read by this user")
    files, size, counted_all = _count(folder)
    vitals = os.statvfs(folder)
    return replace(
        seen,
        files=files,
        size=size,
        counted_all=counted_all,
        polling=_why_polling(settings),
        free=vitals.f_bavail * vitals.f_frsize,
        exposure=exposure_of(folder, own=False),
    )


def see_proxy(settings: ShipperSettings, proxy: ProxyKeys) -> ProxySeen:
    """Look for a proxy, in the folder and at its port."""
    holds = bool(works_with(settings.log_folder))
    told = _json_at(proxy.host, proxy.port, "/health")
    answers = isinstance(told, dict) and {"uptime_seconds", "calls"} <= told.keys()
    return ProxySeen(f"{proxy.host}:{proxy.port}", holds, answers)


def see_state(settings: ShipperSettings) -> StateSeen:
    """Look at the state folder; nothing is written."""
    folder = settings.state_folder
    restored = CheckpointStore(folder).load()
    damage = restored.warning
    try:
        rejected = sum(each.lines for each in RejectedList(folder).open())
        held = is_held(settings.own_lock)
    except OSError as exc:
        rejected, held, damage = 0, False, damage or f"{folder}: {exc.strerror or exc}"
    return StateSeen(
        os.path.abspath(folder),  # noqa: PTH100 - links stay as written
        _why_not_writable(folder),
        held,
        _checkpoint_age(folder),
        damage,
        len(restored.files),
        rejected,
    )


def see_port(settings: ShipperSettings) -> PortSeen:
    """Ask whoever is at the health port."""
    run = settings.shipper
    address = f"{run.health_host}:{run.health_port}"
    if not run.health_port:
        return PortSeen(address)
    told = _json_at(run.health_host, run.health_port, "/status")
    if isinstance(told, dict) and {"state", "log_dir", "health"} <= told.keys():
        return PortSeen(address, answers=True, state=str(told["state"]), log_dir=str(told["log_dir"]))
    return PortSeen(address, answers=told is not None)


def _json_at(host: str, port: int, path: str) -> Any:
    """Return what is told there; None where nothing answers, and text where it is no JSON."""
    try:
        body = ask(host, port, path)[1]
    except Unanswered as exc:
        # A port that speaks something else is taken all the same.
        return str(exc) if "no HTTP" in str(exc) else None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""


def _count(folder: Path) -> tuple[int, int, bool]:
    end = time.monotonic() + _COUNT_SECONDS
    files = size = 0
    for each in _session_files(folder):
        try:
            size += each.stat().st_size
        except OSError:
            continue
        files += 1
        if time.monotonic() > end:
            return files, size, False
    return files, size, True


def _session_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for each in entries:
        if each.name.startswith("."):
            continue
        if each.is_dir(follow_symlinks=False):
            yield from _session_files(Path(each.path))
        elif each.name.endswith(".jsonl"):
            yield each


def _why_polling(settings: ShipperSettings) -> str:
    kind = _file_system(os.path.realpath(settings.log_folder))
    if kind.startswith(_REMOTE):
        return f"a file system of kind {kind}"
    watch = Watch(settings.log_folder, settings.state_folder, lambda: None)
    try:
        watch.start()
    except OSError as exc:
        return exc.strerror or str(exc)
    watch.stop()
    return ""


def _file_system(path: str) -> str:
    """Return the kind of the file system that a real path lies on; empty where that is not told."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    rows = [line.split(" ")[1:3] for line in mounts.splitlines()]
    holding = [row for row in rows if f"{path}/".startswith(f"{row[0].rstrip('/')}/")]
    return max(holding, key=lambda row: len(row[0]))[1] if holding else ""


def _why_not_writable(folder: Path) -> str:
    ways = (folder, *folder.absolute().parents)
    there = next((each for each in ways if os.path.exists(each)), Path("/"))  # noqa: PTH110 - as above
    if not is_there(there):
        return f"{there} is no folder"
    if os.access(there, os.W_OK | os.X_OK):
        return ""
    return "cannot be written by this user" if there == folder else f"cannot be made in {there}"


def _checkpoint_age(folder: Path) -> float | None:
    try:
        return max(0.0, time.time() - (folder / "checkpoint.json").stat().st_mtime)
    except OSError:
        return None
