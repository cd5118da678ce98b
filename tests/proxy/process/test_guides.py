"""The guides' programs, as a reader copies them; only addresses are those of the tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ROOT, clean_environment
from tests.proxy.served import Served

GUIDE = ROOT / "docs" / "guides" / "sdks.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
HOSTS = re.compile(r"api\.anthropic\.com|api\.openai\.com|[a-z-]+\.openai\.azure\.com")
KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-0123456789",
    "OPENAI_API_KEY": "sk-0123456789",
    "AZURE_OPENAI_API_KEY": "0123456789",
}


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_guide_runs_through_the_proxy(served: Served, program: str, tmp_path: Path) -> None:
    calls = served.health()["calls"]
    here = HOSTS.sub(served.upstream, program).replace("127.0.0.1:12071", f"127.0.0.1:{served.port}")
    done = subprocess.run(
        [sys.executable, "-c", here], env=clean_environment(tmp_path, KEYS), cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
    assert served.health()["calls"] == calls + 1
    for name in re.findall('"X-Session-ID": "(.+)"', program):
        assert served.session(name)[0]["type"] == "session_start"
