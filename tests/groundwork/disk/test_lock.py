import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundwork.disk.lock import FolderHeldError, FolderLock, is_held

_HOLDER = """
import sys
from pathlib import Path
from groundwork.disk.lock import FolderLock
FolderLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock until its standard input ends, and wait until it does."""
    command = [sys.executable, "-c", _HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_that_another_process_holds_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with holder(path):
        assert is_held(path)
        with pytest.raises(FolderHeldError, match=str(path)):
            FolderLock(path).acquire()


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        assert not is_held(path)
        with FolderLock(path):
            assert is_held(path)


def test_a_holder_that_ends_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with holder(path) as process:
        process.communicate(timeout=10)
        assert process.returncode == 0
        assert not is_held(path)


def test_release_frees_the_lock_and_may_be_repeated(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")

    lock.acquire()
    lock.release()
    lock.release()

    assert not is_held(tmp_path / "lock")


def test_a_program_started_by_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    lock.acquire()

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        lock.release()

        assert not is_held(tmp_path / "lock")


def test_a_file_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere" / "lock")


def test_the_folders_that_it_makes_are_closed_to_others(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "logs" / ".state" / "lock"):
        modes = [
            (tmp_path / name).stat().st_mode & 0o777 for name in ("logs", "logs/.state", "logs/.state/lock")
        ]

    assert modes == [0o750 & ~_umask(), 0o750 & ~_umask(), 0o640 & ~_umask()]


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        FolderLock(tmp_path / "file" / "lock").acquire()


def test_a_probe_in_passing_never_keeps_a_holder_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    with FolderLock(path):
        pass
    probe = os.open(path, os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)
    # It ends while the holder waits for it.
    monkeypatch.setattr("groundwork.disk.lock.time.sleep", lambda _: os.close(probe))

    with FolderLock(path):
        assert is_held(path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(probe)


def test_probes_without_end_do_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundwork.disk.lock._PROBES", 2)
    path = tmp_path / "lock"
    path.touch()
    probe = os.open(path, os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)

    with pytest.raises(FolderHeldError):
        FolderLock(path).acquire()
    os.close(probe)


def test_a_failing_lock_leaves_no_descriptor_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    before = _next_descriptor()

    with pytest.raises(OSError, match="No locks available"):
        FolderLock(tmp_path / "lock").acquire()

    assert _next_descriptor() == before


def _next_descriptor() -> int:
    with Path(os.devnull).open() as file:
        return file.fileno()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_under_the_name_of_the_lock_is_replaced(tmp_path: Path, kind: str) -> None:
    path, foreign = tmp_path / "lock", tmp_path / "foreign"
    if kind == "link":
        path.symlink_to(foreign)
    else:
        os.mkfifo(path)

    with FolderLock(path):
        assert is_held(path)
    assert path.is_file()
    assert not foreign.exists()
