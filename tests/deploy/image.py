"""The image without an engine: the steps of the Dockerfile, and a root that holds nothing else."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.files import ROOT
from tests.process import Running

VOLUME = "/var/log/llm"
USER = "10001"
_LINE = re.compile(r"^(?P<word>[A-Z]+) (?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)
# What the base image brings, but for its Python.
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "etc")
# A root of its own, read-only, in a mount namespace of its own; only the volume and /tmp can be written.
_ENTER = f"""
set -eu
root=$1 base=$2 prefix=$3 volume=$4; shift 4
mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$root"
bind() {{ mkdir -p "$root$2"; mount --bind "$1" "$root$2"; mount -o "remount,bind,$3" "$root$2"; }}
for each in {" ".join(_SYSTEM)}; do
    if [ -L "/$each" ]; then cp -P "/$each" "$root/$each"
    elif [ -d "/$each" ]; then bind "/$each" "/$each" ro; fi
done
bind "$base" "$base" ro
bind "$prefix" "$prefix" ro
bind "$volume" {VOLUME} rw
mkdir "$root/tmp" "$root/proc" "$root/dev"
mount -t tmpfs -o mode=1777,size=64m none "$root/tmp"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
mount -o remount,ro "$root"
exec chroot --userspec={USER}:{USER} "$root" "$@"
"""


class NotFetchedError(Exception):
    """The package registry is out of reach."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, on one line."""

    word: str
    rest: str


def dockerfile() -> list[Instruction]:
    """Return the instructions in their order."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    found = _LINE.finditer(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [Instruction(each["word"], each["rest"].replace("\\\n", " ")) for each in found]


def build_stage() -> list[Instruction]:
    """Return what stands before the last FROM."""
    instructions = dockerfile()
    last = max(index for index, each in enumerate(instructions) if each.word == "FROM")
    return instructions[:last]


def install(prefix: Path, sources: Path) -> None:
    """Do what the build stage does: copy, and run uv, with ``prefix`` for /app.

    Raises ``NotFetchedError``, and ``AssertionError`` where a step fails.
    """
    environment = dict(os.environ)
    for each in build_stage():
        words = shlex.split(each.rest)
        if each.word == "ENV":
            environment |= dict(word.replace("/app", str(prefix)).split("=", 1) for word in words)
        elif each.word == "COPY" and not words[0].startswith("--from"):
            _copy([ROOT / word for word in words[:-1]], sources / words[-1])
        elif each.word == "RUN":
            _run_uv([word for word in words if not word.startswith("--mount")], prefix, sources, environment)


def _copy(files: list[Path], target: Path) -> None:
    for each in files:
        if each.is_dir():
            shutil.copytree(each, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(each, target / each.name)


def _run_uv(words: list[str], prefix: Path, sources: Path, environment: dict[str, str]) -> None:
    assert words[0] == "uv"
    words = [str(prefix) if word == "/app" else word for word in words[1:]]
    if words[0] == "venv":
        words += ["--python", str(Path(sys.base_prefix) / "bin" / "python3")]
    command = [str(Path(sys.executable).with_name("uv")), *words]
    done = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, check=False)
    if "Failed to fetch" in done.stderr and "Connect" in done.stderr:
        raise NotFetchedError(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr


class Image:
    """What the build made, and a volume; both are removed with their folder."""

    def __init__(self, folder: Path) -> None:
        self.prefix, self.volume = folder / "app", folder / "volume"
        self._root, sources = folder / "root", folder / "src"
        for each in (self.volume, self._root, sources):
            each.mkdir()
        os.chown(self.volume, int(USER), int(USER))
        install(self.prefix, sources)

    def command_line(self, program: str, *args: str) -> list[str]:
        """Return what to execute so that a program of the image runs as the image's user on its root."""
        places = [str(each) for each in (self._root, sys.base_prefix, self.prefix, self.volume)]
        enter = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", *places]
        return [*enter, str(self.prefix / "bin" / program), *args]

    def run(self, program: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        command = self.command_line(program, *args)
        return subprocess.run(command, env=_image_environment(), capture_output=True, text=True, check=False)

    @contextmanager
    def running(self, program: str, *args: str) -> Iterator[Running]:
        """Start a program; it is killed at the end."""
        process = subprocess.Popen(
            self.command_line(program, *args),
            env=_image_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started = Running(process)
        try:
            yield started
        finally:
            if started.alive:
                process.kill()
            started.wait()


def _image_environment() -> dict[str, str]:
    """Return the variables that the last stage sets, beside the system's path."""
    instructions = dockerfile()[len(build_stage()) :]
    words = [word for each in instructions if each.word == "ENV" for word in shlex.split(each.rest)]
    return {**dict(word.split("=", 1) for word in words), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
