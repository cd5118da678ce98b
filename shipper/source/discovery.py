"""Finds files: a stat of each folder and of each lively file every second, of all others once a minute.

Of very many folders or lively files, some seconds pass until each has had its turn. Events only hasten this:
inotify is silent on network file systems and drops events under load.
"""

import os
import stat
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from shipper.source.events.hearing import Hearing
from shipper.source.followed import FileStat, Inode

# Between these two the cost of a stat and the delay without inotify balance (10,000 stats are 5 % of a CPU).
RESCAN_SECONDS = 1.0
_SCANS_A_ROUND = 60
# A call of a coding agent rarely pauses longer; after it a file is looked at once a minute.
LIVELY_SECONDS = 600.0
# So many folders and lively files are looked at every second; of more, a part each second.
_LIVELY_A_SCAN = 500
_LIVELY_SCANS_A_ROUND = 20
# Coarser than the times of any file system in use: a folder that changed within it is listed once more.
_TIME_GRAIN_NS = 2_000_000_000
# Files that retention has put aside are followed until they are removed.
TRASH = ".trash"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look has found.

    ``changed`` are files that are new or other than at the last look, ``dropped`` are names that are no
    longer there, as they were last seen, ``unreadable`` are paths that cannot be seen now, with the reason.
    """

    changed: tuple[FileStat, ...]
    dropped: tuple[FileStat, ...]
    unreadable: dict[str, str]


@dataclass(slots=True)
class _Folder:
    inode: Inode = (0, 0)
    modified_ns: int = -1
    names: dict[str, int] = field(default_factory=dict)


class _Round:
    """Hands out names so that each has its turn once a round."""

    def __init__(self, scans: int = _SCANS_A_ROUND, least: int = 0) -> None:
        self._scans, self._least = scans, least
        self._left: list[str] = []
        self._share = 0

    def next(self, names: Collection[str]) -> list[str]:
        if not self._left:
            self._left = list(names)
            self._share = max(self._least, -(-len(self._left) // self._scans))
        taken = self._left[: self._share]
        del self._left[: self._share]
        return taken


class Discovery:
    """Walks one log folder.

    Names that begin with a dot, the trash excepted, files in ``excluded`` folders, and symbolic links are
    never looked at.
    """

    def __init__(self, root: Path, excluded: Iterable[Path] = ()) -> None:
        self._root = str(root)
        self._trash = f"{root}{os.sep}{TRASH}"
        self._excluded = {_seen_from(self._root, str(each)) for each in excluded}
        self._is_bare = self._root not in self._excluded
        self._excluded.discard(self._root)
        self._folders: dict[str, _Folder] = {self._root: _Folder()}
        self._seen: dict[str, FileStat] = {}
        self._lively: set[str] = set()
        self._folder_round = _Round()
        self._stat_round = _Round(_LIVELY_SCANS_A_ROUND, _LIVELY_A_SCAN)
        self._file_round = _Round()
        self._lively_round = _Round(_LIVELY_SCANS_A_ROUND, _LIVELY_A_SCAN)
        self._changed: dict[str, FileStat] = {}
        self._dropped: list[FileStat] = []
        self._unreadable: dict[str, str] = {}
        self._all_due = True
        self._hearing = Hearing()
        self.next_scan = 0.0

    def scan(self, named: Iterable[str], now: float, wall: float) -> Scan:
        """Look at the paths that events named, and at what is due.

        ``now`` is a monotonic clock's, ``wall`` is seconds since 1970.
        """
        self._changed, self._dropped = {}, []
        for path in named:
            self._hearing.heard(_parent(path))
            if self._is_ours(path) and (self._is_bare or _parent(path) != self._root):
                self._look_at(path, wall)
        if now >= self.next_scan:
            self.next_scan = now + RESCAN_SECONDS
            before, self._unreadable = self._unreadable, {}
            # Of what is there at the start, no event tells.
            heard = None if self._all_due else set(self._changed)
            self._look_at_due(wall, before)
            for path in () if heard is None else self._changed.keys() - heard:
                self._hearing.found(_parent(path), now)
            if new := self._hearing.newly_deaf(now):
                self._lively.update(each for each in self._seen if _parent(each) in new)
        return Scan(tuple(self._changed.values()), tuple(self._dropped), self._unreadable)

    def expire(self) -> None:
        """Make the next scan look at everything, at once."""
        self.next_scan, self._all_due = 0.0, True

    def present(self) -> dict[Inode, str]:
        """Return each file that was there when last looked at, with its path."""
        return {each.inode: each.path for each in self._seen.values()}

    @property
    def deaf(self) -> AbstractSet[str]:
        """The folders of which no file event tells: their files are looked at as often as lively ones."""
        return self._hearing.deaf

    @property
    def bytes_seen(self) -> int:
        """The sizes of all files, as last seen."""
        return sum(each.size for each in self._seen.values())

    def empty_folders(self) -> list[str]:
        """Return the folders in which nothing was seen, deepest first, the log folder left out."""
        used = {self._root, *self._excluded}
        used.update(_parent(each) for each in (*self._folders, *self._seen))
        return sorted((each for each in self._folders if each not in used), reverse=True)

    def _is_ours(self, path: str) -> bool:
        """Tell whether a path may be that of a session file, or of a folder to look into."""
        inner = path.removeprefix(self._root + os.sep)
        names = os.sep + inner.removeprefix(TRASH + os.sep)
        if inner == path or f"{os.sep}." in names:
            return False
        return not any(f"{path}{os.sep}".startswith(each + os.sep) for each in self._excluded)

    def _look_at_due(self, wall: float, before: Iterable[str]) -> None:
        """Look at what has its turn, and at what could not be seen ``before``."""
        everything, self._all_due = self._all_due, False
        files = set(self._seen if everything else self._file_round.next(self._seen))
        files.update(self._lively_round.next(self._lively))
        files.update(each for each in before if each in self._seen)
        again = set(self._folders if everything else self._folder_round.next(self._folders))
        folders = self._folders if everything else self._stat_round.next(self._folders)
        for path in {
            self._root: None,
            **dict.fromkeys(folders),
            **dict.fromkeys(again),
            **dict.fromkeys(before),
        }:
            if path in self._folders:  # one above it may be gone, with all below
                self._look_at_folder(path, wall, again=path in again)
        for path in files:
            self._look_at(path, wall)

    def _look_at_folder(self, path: str, wall: float, *, again: bool) -> None:
        """List a folder when it is another, or has another time of change, than at the last listing."""
        try:
            # The log folder may be a link; one in the place of a folder in it leads to files of others.
            found = os.stat(path) if path == self._root else os.lstat(path)  # noqa: PTH116 - a Path doubles the cost
            if not stat.S_ISDIR(found.st_mode):
                self._drop_folder(path)
                return
            known = self._folders.get(path) or _Folder()
            inode, modified = (found.st_dev, found.st_ino), found.st_mtime_ns
            if again or inode != known.inode or modified != known.modified_ns:
                settled = wall * 1e9 - modified > _TIME_GRAIN_NS
                self._list(path, _Folder(inode, modified if settled else -1), wall)
        except (FileNotFoundError, NotADirectoryError):
            self._drop_folder(path)
        except OSError as exc:
            self._unreadable[path] = exc.strerror or str(exc)
            if path in self._folders:
                # A change of rights leaves the time of change as it was: try again at each scan.
                self._folders[path].modified_ns = -1

    def _list(self, path: str, listed: _Folder, wall: float) -> None:
        entered = []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    entered.append(entry.path)
                elif self._is_ours(entry.path) and (self._is_bare or path != self._root):
                    listed.names[entry.name] = entry.inode()
        self._take_listing(path, listed, wall)
        for folder in entered:
            if folder not in self._folders and (self._is_ours(folder) or folder == self._trash):
                self._folders[folder] = _Folder()
                self._look_at_folder(folder, wall, again=True)

    def _take_listing(self, path: str, listed: _Folder, wall: float) -> None:
        before = self._folders.get(path) or _Folder()
        self._folders[path] = listed
        for name in before.names.keys() - listed.names.keys():
            self._drop_file(f"{path}{os.sep}{name}")
        for name, inode in list(listed.names.items()):
            new = before.names.get(name) != inode or before.inode != listed.inode
            if new and not self._look_at(f"{path}{os.sep}{name}", wall):
                del listed.names[name]
                listed.modified_ns = -1

    def _is_root_there(self) -> bool:
        """Tell whether there is a log folder: without it nothing can be said of what was in it."""
        try:
            os.scandir(self._root).close()
        except OSError as exc:
            self._unreadable[self._root] = exc.strerror or str(exc)
            return False
        return True

    def _drop_folder(self, path: str) -> None:
        if self._is_root_there() and path != self._root:
            for folder in [path, *(each for each in self._folders if each.startswith(path + os.sep))]:
                self._hearing.heard(folder)
                for name in self._folders.pop(folder, _Folder()).names:
                    self._drop_file(f"{folder}{os.sep}{name}")

    def _drop_file(self, path: str) -> None:
        self._lively.discard(path)
        self._changed.pop(path, None)
        before = self._seen.pop(path, None)
        if before is not None:
            self._dropped.append(before)

    def _look_at(self, path: str, wall: float) -> bool:
        """Look at a file, or into a folder that is new; False where nothing could be seen."""
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            if self._is_root_there():
                self._drop_file(path)
            return True
        except OSError as exc:
            self._unreadable[path] = exc.strerror or str(exc)
            return False
        if stat.S_ISREG(found.st_mode):
            self._see(path, found, wall)
            return True
        self._drop_file(path)
        if stat.S_ISDIR(found.st_mode) and path not in self._folders:
            self._look_at_folder(path, wall, again=True)
        return True

    def _see(self, path: str, found: os.stat_result, wall: float) -> None:
        sighting = FileStat(path, (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns)
        before = self._seen.get(path)
        if before is not None and before.inode != sighting.inode:
            self._dropped.append(before)
        if sighting != before:
            self._changed[path] = self._seen[path] = sighting
        if wall - found.st_mtime < LIVELY_SECONDS or _parent(path) in self._hearing.deaf:
            self._lively.add(path)
        else:
            self._lively.discard(path)


def _parent(path: str) -> str:
    return path.rpartition(os.sep)[0]


def _seen_from(root: str, folder: str) -> str:
    """Return a folder's path as it begins when found below ``root``, however the two are given."""
    real_root, real = os.path.realpath(root), os.path.realpath(folder)
    return root + real.removeprefix(real_root) if f"{real}{os.sep}".startswith(real_root + os.sep) else folder
