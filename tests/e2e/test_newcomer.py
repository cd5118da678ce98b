"""Somebody who has nothing but the README: its commands, one after the other, in a shell of their own."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import ROOT, eventually, following, free_port

_PARTS = ("README.md", "LICENSE", "pyproject.toml", "requirements.lock", "groundwork", "proxy", "shipper")
# Claude Code's place: it makes one of its calls, to where the shell says.
_CLAUDE = """#!{python}
import os
import anthropic
url = os.environ["ANTHROPIC_BASE_URL"]
assert url.endswith("/anthropic/api.anthropic.com"), url
client = anthropic.Anthropic(base_url=url.replace("api.anthropic.com", {upstream!r}), api_key="sk-ant-0")
headers = {{"X-Claude-Code-Session-Id": "4f1c2b7e-8d35-4d7b-a1b6-2f9a1c3d5e70"}}
asked = [{{"role": "user", "content": "say hi"}}]
with client.messages.stream(
    model="claude-x", max_tokens=9, messages=asked, extra_query={{"beta": "true"}}, extra_headers=headers
) as stream:
    print("claude said", stream.get_final_text())
"""


def commands() -> list[str]:
    """Return the lines of the section that installs and runs all."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Run it\n")[2]
    (block,) = re.findall(r"```sh\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    return [line for line in block.splitlines() if line]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone holds of the program."""
    made = tmp_path / "clone"
    made.mkdir()
    for each in _PARTS:
        copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
        copy(ROOT / each, made / each)
    return made


@pytest.fixture
def environment(tmp_path: Path, fake_provider: FakeProvider) -> dict[str, str]:
    """An empty home, ports of the test's own, and Claude Code on the path."""
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    upstream = f"127.0.0.1:{fake_provider.port}"
    claude = programs / "claude"
    claude.write_text(_CLAUDE.format(python=sys.executable, upstream=upstream))
    claude.chmod(0o755)
    python = programs / "python3.11"
    python.symlink_to(Path(sys.base_prefix) / "bin" / "python3.11")
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_"))}
    return {
        **pip,
        **following(),
        "HOME": str(home),
        "PIP_NO_COMPILE": "1",  # what is not used needs no compiling
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
        "PATH": f"{programs}:/usr/bin:/bin",
        "LLM_PROXY_PORT": str(free_port()),
        "LLM_PROXY_SHIPPER_HEALTH_PORT": str(free_port()),
        "LLM_PROXY_UPSTREAMS": upstream,
        "LLM_PROXY_LOKI_BATCH_WAIT": "200ms",
    }


@contextmanager
def typed(script: str, clone: Path, environment: dict[str, str]) -> Iterator[str]:
    """Give a shell the script, and yield what it said; what it left running ends at the end."""
    said = clone.parent / "said"
    with said.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-eu", "-c", script], cwd=clone, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        shell.wait(240)
        yield said.read_text(errors="replace")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)


def sent(loki: FakeLoki) -> list[dict[str, Any]]:
    return [line for line in map(orjson.loads, loki.lines()) if line["type"] == "response"]


@pytest.mark.timeout(300)
def test_eight_commands_bring_claude_codes_calls_into_loki(
    clone: Path, environment: dict[str, str], fake_loki: FakeLoki
) -> None:
    lines = [line.replace("http://localhost:3100", fake_loki.url) for line in commands()]
    # A person looks whether the proxy is up; a script has to wait.
    patience = "until llm-proxy health; do sleep 0.1; done >/dev/null 2>&1"
    *first, claude = lines
    with typed("\n".join([*first, patience, claude]), clone, environment) as said:
        if "No matching distribution" in said:
            pytest.skip("the package registry is out of reach")
        assert "claude said" in said, said
        response = eventually(lambda: sent(fake_loki))[0]

    assert len(lines) <= 8
    assert response["model"] == "claude-x"
    assert response["status"] == 200
