"""Opens files below a folder that others may write: what they put there must not hold or mislead the reader.

Only regular files are opened, folder by folder from ``root``, and no link below it is followed. A pipe under
the name of a file would hold the process, a link would have it read, write or move files elsewhere. ``root``
itself is the operator's choice and may be a link. All functions raise ``OSError``.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

# Readable to the group and nobody else: a task's second container may run under another user of it.
FILE_MODE = 0o640
FOLDER_MODE = 0o750
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe would wait for its other end.
_FILE_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class NotRegularError(OSError):
    """The name is that of a folder, a pipe, a socket or a device."""


def open_below(root: str | Path, path: str | Path, flags: int, *, make: bool = False) -> int:
    """Return a descriptor of the regular file at ``path``, which is ``root`` or stands below it.

    With ``make`` the folders to it are made, ``root`` among them.
    """
    with parent_of(root, path, make=make) as (folder, name):
        descriptor = os.open(name, flags | _FILE_FLAGS, FILE_MODE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "no regular file", str(path))
    return descriptor


def open_new(root: str | Path, path: str | Path, flags: int) -> int:
    """Return a descriptor of a new file in place of whatever has that name, with the folders to it made."""
    with parent_of(root, path, make=True) as (folder, name):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        return os.open(name, flags | _FILE_FLAGS | os.O_CREAT | os.O_EXCL, FILE_MODE, dir_fd=folder)


def read_below(root: str | Path, path: str | Path) -> bytes:
    """Return what a file holds."""
    with os.fdopen(open_below(root, path, os.O_RDONLY), "rb") as file:
        return file.read()


def rename_below(root: str | Path, path: str | Path, name: str) -> None:
    """Give a file another name in its folder, in place of the file that has it."""
    with parent_of(root, path) as (folder, old):
        os.replace(old, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def parent_of(root: str | Path, path: str | Path, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the folder that holds ``path``, and the name that it has there."""
    *folders, name = _names(root, path)
    with folder_below(root, folders, make=make) as folder:
        yield folder, name


@contextmanager
def folder_below(root: str | Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """Yield a descriptor of a folder, given by the names that lead to it."""
    if make:
        make_folder(root)
    descriptor = os.open(root, _FOLDER_FLAGS)
    try:
        for name in folders:
            inner = _enter(descriptor, name, make=make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(root: str | Path) -> None:
    """Make a folder and those above it that are missing, each with the mode of folders."""
    root = Path(root)
    for folder in (*reversed(root.parents), root):
        # What is no folder is told of where it is opened, in the system's words.
        with suppress(FileExistsError):
            folder.mkdir(mode=FOLDER_MODE)


def exposure_of(folder: str | Path, *, own: bool) -> str:
    """Return how strangers could write to a folder; empty where they cannot, or where it cannot be seen.

    ``own`` says that the folder should belong to this user, or to root.
    """
    try:
        found = Path(folder).stat()
    except OSError:
        return ""
    if found.st_mode & stat.S_IWOTH:
        return f"every user may write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    if own and found.st_uid not in {0, os.geteuid()}:
        return f"it belongs to another user ({found.st_uid})"
    return ""


def _enter(folder: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=folder)
    return os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)


def _names(root: str | Path, path: str | Path) -> list[str]:
    above, inner = f"{root}{os.sep}", str(path)
    # A ``Path`` costs more than to open what it names.
    names = inner.removeprefix(above).split("/") if inner.startswith(above) else []
    if not names or not {"", "."}.isdisjoint(names):
        try:
            names = list(Path(path).relative_to(root).parts)
        except ValueError:
            names = []
    if not names or ".." in names:
        raise OSError(errno.EINVAL, f"not below {root}", str(path))
    return names
