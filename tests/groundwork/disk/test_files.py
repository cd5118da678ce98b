"""Files below a folder that strangers write to."""

import os
import stat
from pathlib import Path

import pytest

from groundwork.disk.files import (
    NotRegularError,
    exposure_of,
    folder_below,
    open_below,
    open_new,
    read_below,
    rename_below,
)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of somebody else's, with a file in it."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "file").write_bytes(b"theirs")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_a_file_is_opened_and_the_folders_to_it_are_made_with_their_modes(root: Path) -> None:
    path = root / "new" / "host" / "day" / "file"
    before = os.umask(0)
    try:
        os.close(open_below(root / "new", path, os.O_WRONLY | os.O_CREAT, make=True))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parents[:3]} == {0o750}


def test_the_root_itself_may_be_a_link(tmp_path: Path, foreign: Path) -> None:
    (tmp_path / "link").symlink_to(foreign)

    assert read_below(tmp_path / "link", tmp_path / "link" / "file") == b"theirs"


@pytest.mark.parametrize("make", [False, True])
def test_no_link_below_the_root_is_followed(root: Path, foreign: Path, *, make: bool) -> None:
    (root / "folder").symlink_to(foreign)
    (root / "file").symlink_to(foreign / "file")

    for path in (root / "folder" / "file", root / "file"):
        with pytest.raises(OSError, match=r"Not a directory|symbolic"):
            open_below(root, path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, make=make)
    assert (foreign / "file").read_bytes() == b"theirs"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT | os.O_APPEND])
def test_a_pipe_holds_nobody(root: Path, flags: int) -> None:
    os.mkfifo(root / "pipe")
    before = descriptors()

    with pytest.raises(NotRegularError):
        open_below(root, root / "pipe", flags)
    assert descriptors() == before


def test_a_new_file_takes_the_place_of_a_link(root: Path, foreign: Path) -> None:
    (root / "file").symlink_to(foreign / "file")
    with os.fdopen(open_new(root, root / "file", os.O_WRONLY), "wb") as file:
        file.write(b"mine")
    rename_below(root, root / "file", "final")

    assert (root / "final").read_bytes() == b"mine"
    assert (foreign / "file").read_bytes() == b"theirs"


@pytest.mark.parametrize("path", ["/etc/passwd", "root/../foreign/file", "root"])
def test_what_is_not_below_the_root_is_refused(root: Path, foreign: Path, path: str) -> None:
    with pytest.raises(OSError, match="not below"):
        read_below(root, root.parent / path)
    assert foreign.exists()


def test_a_folder_that_is_entered_leaves_no_descriptor(root: Path) -> None:
    before = descriptors()
    with folder_below(root, ["a", "b"], make=True):
        pass
    with pytest.raises(OSError, match="No such"), folder_below(root, ["a", "c"]):
        pass

    assert descriptors() == before


def test_a_folder_that_everybody_may_write_to_is_exposed(root: Path) -> None:
    assert exposure_of(root, own=True) == ""
    root.chmod(0o777)
    assert "every user may write to it (mode 0777)" in exposure_of(root, own=False)
