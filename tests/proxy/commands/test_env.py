import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.commands.env import base_url, exports_of, notes_of
from tests.process import clean_environment, command_line, free_port
from tests.proxy.served import Served

BASE = "http://127.0.0.1:12071"
ODD_TOKEN = """it's a "t0ken" \\ with $HOME"""


def env(tmp_path: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(tmp_path, variables)
    command = command_line("llm-proxy", "env", *args)
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", BASE),
        ("0.0.0.0", BASE),  # noqa: S104 - nothing is bound
        ("", BASE),
        ("::", "http://[::1]:12071"),
        ("10.0.0.7", "http://10.0.0.7:12071"),
        ("proxy.internal", "http://proxy.internal:12071"),
    ],
)
def test_clients_find_the_proxy_where_it_listens(host: str, expected: str) -> None:
    assert base_url(host, 12071) == expected


def test_the_variables_hold_what_each_client_appends_to() -> None:
    assert exports_of(BASE, "", "sh") == [
        f"export ANTHROPIC_BASE_URL={BASE}/anthropic/api.anthropic.com",
        f"export OPENAI_BASE_URL={BASE}/openai/api.openai.com/v1",
    ]
    assert (
        exports_of(BASE, "", "fish")[0] == f"set -gx ANTHROPIC_BASE_URL '{BASE}/anthropic/api.anthropic.com'"
    )


def test_a_shell_gets_the_token_as_it_is() -> None:
    told = exports_of(BASE, ODD_TOKEN, "sh")[2]
    heard = subprocess.run(
        ["sh", "-c", f'{told}; printf %s "$ANTHROPIC_CUSTOM_HEADERS"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert heard.stdout == f"X-LLM-Proxy-Token: {ODD_TOKEN}"


def test_fish_gets_quotes_and_backslashes_escaped() -> None:
    assert exports_of(BASE, "a'b\\c", "fish")[2] == (
        r"set -gx ANTHROPIC_CUSTOM_HEADERS 'X-LLM-Proxy-Token: a\'b\\c'"
    )


def test_a_person_is_told_what_no_variable_can_say() -> None:
    assert any("openai_base_url" in note for note in notes_of(BASE, ""))
    assert len(notes_of(BASE, "t0ken")) == len(notes_of(BASE, "")) + 1


def test_a_running_proxy_is_exported(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve()
    told = env(tmp_path, "--if-running", f"--port={served.port}")

    assert (told.returncode, told.stderr) == (0, "")
    words = shlex.split(told.stdout)
    assert words[1] == f"ANTHROPIC_BASE_URL=http://127.0.0.1:{served.port}/anthropic/api.anthropic.com"


def test_without_a_proxy_it_says_so_or_prints_nothing(tmp_path: Path) -> None:
    port = f"--port={free_port()}"
    asked, quiet = env(tmp_path, port), env(tmp_path, port, "--if-running")

    assert asked.returncode == 1
    assert asked.stdout.count("export ") == 2
    assert "start it with llm-proxy serve" in asked.stderr
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_another_program_on_the_port_gets_no_keys(served: Served, tmp_path: Path) -> None:
    told = env(tmp_path, f"--port={served.provider.port}", "--if-running")

    assert (told.returncode, told.stdout) == (0, "")


def test_a_port_chosen_at_the_start_cannot_be_exported(tmp_path: Path) -> None:
    told = env(tmp_path, LLM_PROXY_PORT="0")

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("llm-proxy: port = 0 (environment variable LLM_PROXY_PORT)")
