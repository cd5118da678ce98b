"""Finds files: a stat of each folder and of each lively file every second, of all others once a minute.

Events only hasten this: inotify is silent on network file systems and drops events under load.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shipper.source.sighting import Sighting

# Between these two the cost of a stat and the delay without inotify balance (10,000 stats are 5 % of a CPU).
RESCAN_SECONDS = 1.0
FULL_RESCAN_SECONDS = 60.0
# A call of a coding agent rarely pauses longer; after it a file is looked at once a minute.
LIVELY_SECONDS = 600.0
# Coarser than the times of any file system in use: a folder that changed within it is listed once more.
_TIME_GRAIN_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look has found: files new or changed, whether names came or went, and what could not be read."""

    changed: tuple[Sighting, ...]
    names_changed: bool
    unreadable: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Folder:
    modified_ns: int = -1
    inodes: dict[str, int] = field(default_factory=dict)


class Discovery:
    """Walks one log folder. Names that begin with a dot, and ``excluded`` folders, are never looked at."""

    def __init__(self, root: Path, excluded: Iterable[Path] = ()) -> None:
        self._root = str(root)
        self._excluded = {str(path) for path in excluded}
        self._folders: dict[str, _Folder] = {self._root: _Folder()}
        self._seen: dict[str, Sighting] = {}
        self._lively: set[str] = set()
        self._changed: dict[str, Sighting] = {}
        self._names_changed = False
        self._unreadable: dict[str, str] = {}
        self.next_scan = 0.0
        self._next_full_scan = 0.0

    def scan(self, now: float, wall: float) -> Scan:
        """Look at what is due. ``now`` is a monotonic clock's, ``wall`` is seconds since 1970."""
        full = now >= self._next_full_scan
        self.next_scan = now + RESCAN_SECONDS
        self._changed, self._unreadable, self._names_changed = {}, {}, full
        if full:
            self._next_full_scan = now + FULL_RESCAN_SECONDS
        for path in list(self._folders):
            self._look_at_folder(path, wall, full=full)
        for path in list(self._seen if full else self._lively):
            self._look_at_file(path, wall)
        return Scan(tuple(self._changed.values()), self._names_changed, tuple(self._unreadable.items()))

    def look(self, path: str, wall: float) -> Sighting | None:
        """Look at one file now, because an event named it; None when it is no file of ours."""
        if not self._is_ours(path):
            return None
        self._look_at_file(path, wall)
        return self._seen.get(path)

    def expire(self) -> None:
        """Make the next scan a full one, due at once."""
        self.next_scan = self._next_full_scan = 0.0

    def present(self) -> set[tuple[int, int]]:
        """Return (device, inode) of every file that was there when last looked at."""
        return {(each.device, each.inode) for each in self._seen.values()}

    def _is_ours(self, path: str) -> bool:
        inner = path.removeprefix(self._root)
        return (
            inner != path
            and f"{os.sep}." not in inner
            and not any(path.startswith(each + os.sep) for each in self._excluded)
        )

    def _look_at_folder(self, path: str, wall: float, *, full: bool) -> None:
        """List a folder again when its time of change is another than at the last listing."""
        try:
            modified = os.stat(path).st_mtime_ns  # noqa: PTH116 - a Path for each would double the cost
            if full or modified != self._folders[path].modified_ns:
                settled = wall * 1e9 - modified > _TIME_GRAIN_NS
                self._list(path, modified if settled else -1, wall)
        except FileNotFoundError:
            self._drop_folder(path)
        except OSError as exc:
            self._unreadable[path] = exc.strerror or str(exc)

    def _list(self, path: str, modified_ns: int, wall: float) -> None:
        before = self._folders[path].inodes
        listed = _Folder(modified_ns)
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.path in self._excluded:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    self._enter(entry.path, wall)
                else:
                    listed.inodes[entry.name] = entry.inode()
        self._folders[path] = listed
        for name in before.keys() - listed.inodes.keys():
            self._drop_file(f"{path}{os.sep}{name}")
        for name, inode in listed.inodes.items():
            if before.get(name) != inode:
                self._look_at_file(f"{path}{os.sep}{name}", wall)

    def _enter(self, path: str, wall: float) -> None:
        if path not in self._folders:
            self._folders[path] = _Folder()
            self._look_at_folder(path, wall, full=True)

    def _drop_folder(self, path: str) -> None:
        for name in self._folders[path].inodes:
            self._drop_file(f"{path}{os.sep}{name}")
        self._folders[path] = _Folder()
        if path != self._root:
            del self._folders[path]

    def _drop_file(self, path: str) -> None:
        self._names_changed = True
        self._seen.pop(path, None)
        self._lively.discard(path)

    def _look_at_file(self, path: str, wall: float) -> None:
        try:
            found = os.stat(path)  # noqa: PTH116 - a Path for each would double the cost
        except FileNotFoundError:
            self._drop_file(path)
            return
        except OSError as exc:
            self._unreadable[path] = exc.strerror or str(exc)
            return
        if not stat.S_ISREG(found.st_mode):
            return
        sighting = Sighting(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        before = self._seen.get(path)
        if sighting != before:
            self._changed[path] = self._seen[path] = sighting
            self._names_changed |= before is None
        if wall - found.st_mtime < LIVELY_SECONDS:
            self._lively.add(path)
        else:
            self._lively.discard(path)
