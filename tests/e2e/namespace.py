"""Faults that only the kernel can make: commands in namespaces of their own, without being root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


def without_file_events() -> list[str]:
    """Return what starts a command to which the kernel gives no inotify instance."""
    _require_namespaces()
    return [*_UNSHARE, "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh"]


def with_few_file_watches(watches: int, enough: Path) -> list[str]:
    """Return what starts a command that may watch so few folders, until the file ``enough`` is there."""
    _require_namespaces()
    limit = "/proc/sys/user/max_inotify_watches"
    later = f"(while ! test -e '{enough}'; do sleep 0.1; done; echo 1000 > {limit}) &"
    return [*_UNSHARE, "sh", "-c", f'echo {watches} > {limit} && {later} exec "$@"', "sh"]


def without_rights_of_root() -> list[str]:
    """Return what starts a command for which the modes of files hold, whoever runs it."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


class SmallDisk:
    """A disk of its own at ``folder``, for commands started ``under`` it; ``seen`` is it from outside."""

    def __init__(self, folder: Path, holder: int) -> None:
        self.folder = folder
        self.seen = Path(f"/proc/{holder}/root{folder}")
        self.under = ["nsenter", f"--target={holder}", "--user", "--mount", "--preserve-credentials"]

    def fill(self) -> None:
        """Leave no room on it."""
        with (self.seen / "filling").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        (self.seen / "filling").unlink()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a disk of ``size`` in a namespace that lives as long as this context."""
    _require_namespaces()
    mount = f"mount -t tmpfs -o size={size} tmpfs '{folder}' && echo mounted && exec cat"
    with subprocess.Popen(
        [*_UNSHARE, "sh", "-c", mount], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mounted\n"
        yield SmallDisk(folder, holder.pid)
        holder.stdin.close()


def _require_namespaces() -> None:
    if not _are_permitted():
        pytest.skip("this machine permits no user namespaces")


@cache
def _are_permitted() -> bool:
    probe = "mount -t tmpfs tmpfs /mnt && echo 0 > /proc/sys/user/max_inotify_instances"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    return subprocess.run([*_UNSHARE, "sh", "-c", probe], check=False, capture_output=True).returncode == 0
