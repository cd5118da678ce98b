"""The Dockerfile: its form, and its steps done without an engine."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.files import ROOT, task_definition
from tests.deploy.image import USER, VOLUME, Image, NotFetchedError, build_stage, dockerfile
from tests.e2e.stack import wait_until_all_arrived
from tests.e2e.test_whole_path import make_calls
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import eventually

_MAY_MOUNT = os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


def of(word: str) -> list[str]:
    return [each.rest for each in dockerfile() if each.word == word]


def hadolint(path: Path) -> str:
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_hadolint_has_nothing_to_say() -> None:
    assert hadolint(ROOT / "Dockerfile") == ""


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nCMD llm-proxy serve\n")

    assert {"DL3007", "DL3025"} <= set(re.findall(r"DL\d+", hadolint(bad)))


def test_both_stages_have_one_base_with_the_python_of_the_tests() -> None:
    bases = {each.split()[0] for each in of("FROM")}

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-trixie", bases.pop())
    assert sys.version_info[:2] == (3, 11)


def test_the_image_is_built_with_the_uv_of_the_lock() -> None:
    (version,) = re.findall(r"^uv==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)

    assert any(f"astral-sh/uv:{version} " in each for each in of("COPY"))


def test_the_commands_of_the_task_are_not_behind_an_entry_point() -> None:
    assert of("ENTRYPOINT") == []
    assert of("CMD") == ['["llm-proxy", "serve"]']
    assert of("STOPSIGNAL") == ["SIGTERM"]
    (check,) = of("HEALTHCHECK")
    assert check.endswith('CMD ["llm-proxy", "health"]')


def test_the_volume_has_its_owner_before_it_is_one() -> None:
    words = [each.word for each in dockerfile()]
    (made,) = [index for index, each in enumerate(dockerfile()) if f"--owner {USER}" in each.rest]

    assert VOLUME in dockerfile()[made].rest
    assert of("VOLUME") == [f'["{VOLUME}"]']
    assert made < words.index("USER") < words.index("VOLUME")
    assert of("USER") == [task_definition()["containerDefinitions"][0]["user"]]


def test_what_the_build_copies_is_not_ignored() -> None:
    copied = [each.rest.split()[:-1] for each in build_stage() if each.word == "COPY"]
    names = {name for group in copied for name in group if not group[0].startswith("--from")}
    kept = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if "!" in line
    }

    assert names == kept


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    if not _MAY_MOUNT:
        pytest.skip("a root of its own takes root's right to mount (unshare --mount)")
    # Not under /tmp, as the image has one of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="llm-image-") as folder:
        try:
            made = Image(Path(folder))
        except NotFetchedError as exc:
            pytest.skip(f"the locked packages cannot be fetched: {exc}")
        yield made


def test_all_code_is_compiled(image: Image) -> None:
    (packages,) = image.prefix.glob("lib/python*/site-packages")
    compiled = {path.name.split(".")[0] for path in (packages / "shipper").glob("__pycache__/*.pyc")}

    assert compiled == {path.stem for path in (packages / "shipper").glob("*.py")}


_TRY_TO_WRITE = """
import errno, os, sys
for place in sys.argv[1:]:
    try:
        open(os.path.join(place, "tried"), "w").close()
        print(place, "written")
    except OSError as exc:
        print(place, errno.errorcode[exc.errno])
print(os.getuid(), os.getgid(), os.getgroups())
"""


def test_only_the_volume_and_tmp_can_be_written_and_the_user_is_not_root(image: Image) -> None:
    closed = ["/", "/usr", "/etc", "/var", "/var/log", str(image.prefix), str(image.prefix / "bin")]
    open_ = [VOLUME, "/tmp"]  # noqa: S108 - the image's

    done = image.run("python", "-c", _TRY_TO_WRITE, *closed, *open_)

    assert done.stderr == ""
    *tried, user = done.stdout.splitlines()
    assert tried == [f"{each} EROFS" for each in closed] + [f"{each} written" for each in open_]
    assert user == f"{USER} {USER} []"
    (image.volume / "tried").unlink()


def test_calls_go_from_one_command_to_loki_through_the_other(
    image: Image, fake_loki: FakeLoki, fake_provider: FakeProvider
) -> None:
    upstream = fake_provider.url.removeprefix("http://")
    export = ["--loki-enabled", f"--loki-url={fake_loki.push_url}", "--loki-batch-wait=200ms"]
    with (
        image.running("llm-loki-ship", "run", *export, "--shipper-health-port=0") as shipper,
        image.running("llm-proxy", "serve", "--port=0", f"--upstreams={upstream}") as proxy,
    ):
        port = proxy.wait_for("proxy.listening")["port"]
        health = shipper.wait_for("shipper.listening")
        make_calls(f"http://127.0.0.1:{port}", upstream, 4)

        for process in (proxy, shipper):
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(rf"^Uid:\s+{USER}\s+{USER}\s", status, re.MULTILINE)
        assert image.run("llm-proxy", "health", f"--port={port}").returncode == 0
        assert image.run("llm-loki-ship", "health", f"--shipper-health-port={health['port']}").returncode == 0
        eventually(lambda: len(fake_loki.lines()) >= 8, what="the calls in Loki")
        assert proxy.terminate() == 0
        assert shipper.terminate() == 0

    wait_until_all_arrived(fake_loki, image.volume)
