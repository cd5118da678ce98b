"""``make clients``: today's clients through the proxy, before stand-ins for their providers.

They come from npm and PyPI into ``dist/clients``, outside of the project's own environment. Each line says
what a client left on record; the exit code is 1 where one left less than it must.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from table import CLIENTS, Client
from websocket import serving

from tests.fakes.provider import FakeProvider
from tests.process import ROOT, Running, running

_PYTHON = ("anthropic", "openai[realtime]", "boto3", "litellm", "langchain-openai", "langchain-anthropic")
_AIDER = ("aider-chat",)  # pins versions that others do not bear
_NODE = ("@anthropic-ai/claude-code", "@openai/codex", "opencode-ai", "ai", "@ai-sdk/anthropic")
_SECONDS = 180


def main() -> int:
    """Install the clients, run those that are named, or all, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "dist" / "clients", help="where clients are")
    parser.add_argument("names", nargs="*", help="the clients to run")
    chosen = parser.parse_args()
    folder: Path = chosen.folder.absolute()
    _install(folder)
    failed = 0
    with FakeProvider() as provider, serving() as socket:
        for client in CLIENTS:
            if not chosen.names or client.name in chosen.names:
                failed += not _run(client, folder, f"127.0.0.1:{provider.port}", socket)
    return 1 if failed else 0


def _install(folder: Path) -> None:
    for name, packages in (("py", _PYTHON), ("aider", _AIDER)):
        if not (folder / name).is_dir():
            subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
            pip = [str(folder / name / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *packages], check=True)
    if not (folder / "js" / "node_modules").is_dir():
        (folder / "js").mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *_NODE]
        subprocess.run(install, cwd=folder / "js", check=True)


def _run(client: Client, folder: Path, provider: str, socket: str) -> bool:
    """Run one client before a proxy of its own; print a line, and tell whether all is on record."""
    with tempfile.TemporaryDirectory(prefix="llm-proxy-clients-") as scratch:
        home = Path(scratch)
        (home / "node_modules").symlink_to(folder / "js" / "node_modules")
        logs = home / "logs"
        arguments = ["--port", "0", "--log-dir", str(logs), "--upstreams", f"{provider},{socket}"]
        with running("llm-proxy", "serve", *arguments, home=home, env=_QUIET) as proxy:
            return _call(client, folder, home, _places(folder, home, proxy, provider, socket))


_QUIET = {"LLM_PROXY_LOG_FORMAT": "json", "LLM_PROXY_MIN_FREE": "0"}


def _places(folder: Path, home: Path, proxy: Running, provider: str, socket: str) -> dict[str, str]:
    port = proxy.wait_for("proxy.listening")["port"]
    return {
        "proxy": f"http://127.0.0.1:{port}",
        "ws": f"ws://127.0.0.1:{port}",
        "provider": provider,
        "socket": socket,
        "py": str(folder / "py" / "bin" / "python"),
        "bin": str(folder / "aider" / "bin"),
        "js": str(folder / "js" / "node_modules"),
        "home": str(home),
    }


def _call(client: Client, folder: Path, home: Path, places: dict[str, str]) -> bool:
    for name, content in client.files.items():
        (home / name).write_text(content.format(**places), encoding="utf-8")
    own = {name: value.format(**places) for name, value in client.env.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "CI": "1"} | own
    command = [each.format(**places) for each in client.command]
    try:
        ended = subprocess.run(
            command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        code, said = ended.returncode, ended.stdout + ended.stderr
    except subprocess.TimeoutExpired:
        code, said = -1, "no end within three minutes"
    records = _records(home / "logs")
    answers = [each for each in records if each["type"] == "response" and each["status"] == client.status]
    sessions = {each["_meta"]["session"] for each in answers}
    told = sum(bool(each.get("usage")) for each in answers)
    fine = code == 0 and len(answers) >= client.answers
    mark = "ok  " if fine else "FAIL"
    version = _version(client, folder)
    counts = f"{len(answers)} answers, {told} with usage, {len(sessions)} sessions"
    print(f"{mark} {client.name} {version}: exit {code}, {counts}", flush=True)
    if not fine:
        print("\n".join(f"     {line[:200]}" for line in said.splitlines()[-12:]), flush=True)
    return fine


def _records(logs: Path) -> list[dict[str, Any]]:
    lines: Sequence[bytes] = [
        line for path in logs.glob("*/*/*.jsonl") for line in path.read_bytes().splitlines()
    ]
    return [json.loads(line) for line in lines]


def _version(client: Client, folder: Path) -> str:
    package = folder / "js" / "node_modules" / client.package / "package.json"
    if package.is_file():
        return str(json.loads(package.read_text(encoding="utf-8"))["version"])
    python = folder / ("aider" if client.package == "aider-chat" else "py") / "bin" / "python"
    ask = f"import importlib.metadata as m; print(m.version({client.package!r}))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
