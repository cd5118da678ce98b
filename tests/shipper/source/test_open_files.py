import os
from pathlib import Path

import pytest

from shipper.source import open_files
from shipper.source.followed import Inode
from shipper.source.open_files import OPEN_FILES, ReplacedError, Tailer, UnreadableError


def write(path: Path, text: str) -> tuple[str, Inode]:
    path.write_text(text)
    found = path.stat()
    return str(path), (found.st_dev, found.st_ino)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - what matters is their number


def test_bytes_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "0123456789")
    open_files = Tailer(tmp_path)

    assert open_files.read(*file, 3, 4) == b"3456"
    assert open_files.read(*file, 8, 4) == b"89"
    assert open_files.read(*file, 10, 4) == b""
    assert open_files.open_files == 1
    open_files.close_all()
    assert open_files.open_files == 0


def test_few_descriptors_serve_many_files(tmp_path: Path) -> None:
    files = [write(tmp_path / str(number), str(number)) for number in range(OPEN_FILES * 3)]
    open_files = Tailer(tmp_path)
    before = descriptors()

    for _ in range(2):
        for number, file in enumerate(files):
            assert open_files.read(*file, 0, 10) == str(number).encode()
            assert descriptors() - before <= OPEN_FILES

    open_files.close_all()
    assert descriptors() == before


@pytest.mark.parametrize("fate", ["renamed", "deleted", "replaced"])
def test_an_open_file_is_read_on_whatever_becomes_of_its_name(tmp_path: Path, fate: str) -> None:
    path = tmp_path / "a"
    file = write(path, "0123456789")
    open_files = Tailer(tmp_path)
    open_files.read(*file, 0, 1)
    if fate == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "b")
    if fate == "replaced":
        write(path, "another")

    assert open_files.read(*file, 0, 20) == b"0123456789"
    open_files.close_all()


def test_a_name_that_leads_elsewhere_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = write(path, "0123456789")
    path.rename(tmp_path / "b")
    with pytest.raises(ReplacedError):
        Tailer(tmp_path).read(*file, 0, 1)
    write(path, "another")
    open_files, before = Tailer(tmp_path), descriptors()

    with pytest.raises(ReplacedError):
        open_files.read(*file, 0, 1)
    with pytest.raises(ReplacedError):
        open_files.look_again(*file)
    assert descriptors() == before


def test_links_and_pipes_do_not_hold_the_loop(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "0123456789")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableError, match="symbolic links"):
        Tailer(tmp_path).read(str(tmp_path / "link"), file[1], 0, 1)
    with pytest.raises(ReplacedError):
        Tailer(tmp_path).read(str(tmp_path / "pipe"), file[1], 0, 1)


def test_the_systems_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    file = write(tmp_path / "a", "0123456789")
    monkeypatch.setattr(open_files, "open_below", denied)

    with pytest.raises(UnreadableError, match="Permission denied") as caught:
        Tailer(tmp_path).read(*file, 0, 1)
    assert not isinstance(caught.value, ReplacedError)


def test_a_second_look_goes_through_a_new_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a"
    file = write(path, "0123456789")
    open_files = Tailer(tmp_path)
    open_files.read(*file, 0, 1)
    path.write_text("01234")

    sighting = open_files.look_again(*file)

    assert (sighting.path, sighting.inode, sighting.size) == (*file, 5)
    assert open_files.open_files == 1
    open_files.close_all()
